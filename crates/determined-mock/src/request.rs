//! A request as it came.

use serde_json::Value;

/// A request as it came.
#[derive(Debug, Clone)]
pub struct Request {
    /// `GET` and so on.
    pub method: String,
    /// The path as sent, still percent-encoded.
    pub path: String,
    /// Names and values in their order, decoded.
    pub query: Vec<(String, String)>,
    /// The body; null when there is none.
    pub body: Value,
    /// The `Accept` header.
    pub accept: String,
    /// The token of the `Authorization` or the allocation header.
    pub token: Option<String>,
    /// Whether the token came in the header of allocations.
    pub of_allocation: bool,
    /// Status and body of the answer, when it was JSON and was given.
    pub answer: Option<(u16, Value)>,
}

impl Request {
    /// The decoded segments of the path, without a trailing slash.
    pub fn segments(&self) -> Vec<String> {
        let path = self.path.trim_matches('/');
        path.split('/').map(percent_decode).collect()
    }

    /// Whether it is one of `route`, a method and a path with `{…}` for what varies.
    pub fn fits(&self, route: &str) -> bool {
        let (method, template) = route.split_once(' ').unwrap_or_default();
        method == self.method && self.fits_path(template)
    }

    /// Whether its path is one of `template`.
    pub fn fits_path(&self, template: &str) -> bool {
        let parts: Vec<&str> = template.trim_matches('/').split('/').collect();
        let segments = self.segments();
        let mut pairs = parts.iter().zip(&segments);
        parts.len() == segments.len()
            && pairs.all(|(part, segment)| part.starts_with('{') || part == segment)
    }

    /// The first value of a query name, in either spelling of names.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        let found = self.query.iter().find(|(key, _)| camel(key) == name);
        found.map(|(_, value)| value.as_str())
    }

    pub(crate) fn all(&self, name: &str) -> Vec<&str> {
        let found = self.query.iter().filter(|(key, _)| camel(key) == name);
        found.map(|(_, value)| value.as_str()).collect()
    }

    /// A field of the body, in either spelling of names.
    pub(crate) fn field(&self, name: &str) -> &Value {
        field(&self.body, name)
    }
}

/// A field of an object, in either spelling of names; null when absent.
pub(crate) fn field<'a>(object: &'a Value, name: &str) -> &'a Value {
    let Some(object) = object.as_object() else {
        return &Value::Null;
    };
    let found = object.iter().find(|(key, _)| camel(key) == name);
    found.map_or(&Value::Null, |(_, value)| value)
}

fn camel(name: &str) -> String {
    let mut words = name.split('_');
    let mut camel = words.next().unwrap_or_default().to_owned();
    for word in words {
        let mut letters = word.chars();
        camel.extend(letters.next().map(|c| c.to_ascii_uppercase()));
        camel.push_str(letters.as_str());
    }
    camel
}

pub(crate) fn percent_decode(text: &str) -> String {
    let (mut bytes, mut rest) = (Vec::new(), text.as_bytes());
    while let Some((&byte, tail)) = rest.split_first() {
        rest = tail;
        let code = (byte == b'%').then(|| tail.get(..2)).flatten();
        let code = code.and_then(|c| u8::from_str_radix(str::from_utf8(c).ok()?, 16).ok());
        match code {
            Some(code) => {
                bytes.push(code);
                rest = &tail[2..];
            }
            None => bytes.push(byte),
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

pub(crate) fn parse_query(query: &str) -> Vec<(String, String)> {
    let pairs = query.split('&').filter(|pair| !pair.is_empty());
    let decode = |text: &str| percent_decode(&text.replace('+', " "));
    pairs
        .map(|pair| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            (decode(name), decode(value))
        })
        .collect()
}
