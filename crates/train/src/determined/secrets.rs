//! What must reach no log, error or output.

use std::borrow::Cow;

use serde_json::Value;

/// What stands in the place of a secret, as the master itself writes it.
pub(super) const MASK: &str = "********";

/// A shorter text would mask words that are no secret.
const SHORTEST_GIVEN: usize = 4;
/// A value of a configuration's key may be a word such as `none`.
const SHORTEST_FOUND: usize = 8;

/// Parts of keys whose values are secret.
const SECRET_KEYS: [&str; 8] = [
    "token",
    "password",
    "passwd",
    "secret",
    "credential",
    "access_key",
    "api_key",
    "connection_string",
];

/// The secrets of a run. It has no `Debug`.
#[derive(Default)]
pub(super) struct Secrets {
    /// The longest first, so that one within another leaves no rest.
    values: Vec<String>,
}

impl Secrets {
    /// Remembers a secret that was given.
    pub(super) fn learn(&mut self, value: &str) {
        if value.len() >= SHORTEST_GIVEN && value != MASK {
            self.add(value);
        }
    }

    fn add(&mut self, value: &str) {
        let quoted = Value::from(value).to_string();
        let escaped = quoted.trim_matches('"').to_owned();
        for value in [value.to_owned(), escaped] {
            if !self.values.contains(&value) {
                self.values.push(value);
            }
        }
        self.values.sort_by_key(|v| std::cmp::Reverse(v.len()));
    }

    /// Remembers the values of a configuration that are secret by their keys.
    pub(super) fn learn_from(&mut self, config: &Value) {
        walk(config, false, &mut |text| {
            if text.len() >= SHORTEST_FOUND && text != MASK {
                self.add(text);
            }
        });
    }

    /// A text without secrets.
    pub(super) fn mask<'a>(&self, text: &'a str) -> Cow<'a, str> {
        let mut masked = Cow::Borrowed(text);
        for value in &self.values {
            if masked.contains(value.as_str()) {
                masked = masked.replace(value.as_str(), MASK).into();
            }
        }
        masked
    }

    /// Whether a secret stands in these bytes.
    pub(super) fn is_in(&self, bytes: &[u8]) -> bool {
        let mut values = self.values.iter();
        values.any(|value| memchr::memmem::find(bytes, value.as_bytes()).is_some())
    }

    /// The length of the longest secret, in bytes.
    pub(super) fn longest(&self) -> usize {
        self.values.first().map_or(0, String::len)
    }

    /// A document without secrets: neither under secret keys nor elsewhere.
    pub(super) fn masked(&self, value: &Value) -> Value {
        self.masked_below(value, false)
    }

    fn masked_below(&self, value: &Value, secret: bool) -> Value {
        match value {
            Value::Object(entries) => {
                let entries = entries.iter().map(|(key, value)| {
                    let value = self.masked_below(value, secret || is_secret(key));
                    (self.mask(key).into_owned(), value)
                });
                Value::Object(entries.collect())
            }
            Value::Array(items) => {
                let items = items.iter().map(|item| self.masked_below(item, secret));
                Value::Array(items.collect())
            }
            Value::Null | Value::Bool(_) => value.clone(),
            _ if secret => MASK.into(),
            Value::String(text) => match assignment(text) {
                Some((name, _)) => format!("{name}={MASK}").into(),
                None => self.mask(text).into_owned().into(),
            },
            Value::Number(_) => value.clone(),
        }
    }
}

/// Calls `found` with each text that is secret by its key.
fn walk(value: &Value, secret: bool, found: &mut impl FnMut(&str)) {
    match value {
        Value::Object(entries) => {
            for (key, value) in entries {
                walk(value, secret || is_secret(key), found);
            }
        }
        Value::Array(items) => items.iter().for_each(|item| walk(item, secret, found)),
        Value::String(text) if secret => found(text),
        Value::String(text) => {
            if let Some((_, value)) = assignment(text) {
                found(value);
            }
        }
        _ => {}
    }
}

fn is_secret(key: &str) -> bool {
    let key = key.to_ascii_lowercase();
    SECRET_KEYS.iter().any(|part| key.contains(part))
}

/// An entry `NAME=value` of `environment_variables` whose name is secret.
fn assignment(text: &str) -> Option<(&str, &str)> {
    let (name, value) = text.split_once('=')?;
    let is_name = name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
    (is_name && is_secret(name)).then_some((name, value))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn secrets_are_masked_wherever_they_stand() {
        let mut secrets = Secrets::default();
        secrets.learn("hunter2");
        secrets.learn("");
        let config = json!({
            "data": {"secrets": {"any": "s3cr3t-value"}, "pachyderm": {"token": null, "repo": "r"}},
            "environment": {"environment_variables": ["A=1", "MY_TOKEN=abcdefgh"]},
            "note": "see hunter2", "max_tokens": 5,
        });
        secrets.learn_from(&config);
        let masked = secrets.masked(&config).to_string();
        for secret in ["hunter2", "s3cr3t-value", "abcdefgh"] {
            assert!(!masked.contains(secret), "{masked}");
            assert!(secrets.is_in(format!("x{secret}y").as_bytes()));
            assert_eq!(secrets.mask(&format!("x{secret}y")), format!("x{MASK}y"));
        }
        assert!(masked.contains("\"A=1\"") && masked.contains("\"repo\":\"r\""));
        assert!(!secrets.is_in(b"nothing") && secrets.longest() == "s3cr3t-value".len());
    }
}
