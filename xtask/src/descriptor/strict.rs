//! Brings a descriptor into one spelling and refuses what Pachyderm does not know.

use std::fmt;

use serde_json::{Map, Number, Value};

use super::schema::{Kind, Message, NEVER_IN_A_FILE, REQUEST};

/// Checks `value` against the request's fields and gives it in `snake_case`, with
/// integers as numbers, and without `$schema` and unset (`null`) fields.
///
/// # Errors
///
/// All findings, each with the path of the field it speaks of.
pub(super) fn normalise(value: Value) -> Result<Value, Vec<Finding>> {
    let mut reader = Reader::default();
    let value = reader.object(value, &REQUEST, "");
    if reader.findings.is_empty() {
        Ok(value)
    } else {
        Err(reader.findings)
    }
}

/// What is wrong with a field.
#[derive(Debug)]
pub(super) struct Finding {
    /// As in `input.cross[1].pfs.glob`, in the spelling of the file.
    pub(super) path: String,
    pub(super) what: String,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path = if self.path.is_empty() {
            "the descriptor"
        } else {
            &self.path
        };
        write!(f, "{path} {}", self.what)
    }
}

#[derive(Default)]
struct Reader {
    findings: Vec<Finding>,
}

impl Reader {
    fn finding(&mut self, path: &str, what: &str) -> Value {
        self.findings.push(Finding {
            path: path.to_owned(),
            what: what.to_owned(),
        });
        Value::Null
    }

    fn object(&mut self, value: Value, message: &Message, path: &str) -> Value {
        let Value::Object(object) = value else {
            return self.wrong(path, "an object", &value);
        };
        let mut known = Map::new();
        for (key, value) in object {
            if key == "$schema" {
                continue;
            }
            let at = join(path, &key);
            let Some((name, kind)) = find(message, &key) else {
                self.unknown(message, path, &key);
                continue;
            };
            if value.is_null() {
                continue;
            }
            let value = self.value(value, kind, &at);
            if known.insert(name.to_owned(), value).is_some() {
                self.finding(&at, &format!("is there in both spellings; keep {name:?}"));
            }
        }
        if message.one_of && known.len() != 1 {
            let names: Vec<&str> = message.fields.iter().map(|(name, _)| *name).collect();
            let names = names.join(", ");
            self.finding(path, &format!("must have exactly one of {names}"));
        }
        Value::Object(known)
    }

    fn value(&mut self, value: Value, kind: &Kind, path: &str) -> Value {
        match (kind, value) {
            (Kind::Text, value @ Value::String(_))
            | (Kind::Flag, value @ Value::Bool(_))
            | (Kind::Number, value @ Value::Number(_)) => value,
            (Kind::Number, Value::String(text)) => {
                match text.parse().ok().and_then(Number::from_f64) {
                    Some(number) => Value::Number(number),
                    None => self.wrong(path, "a number", &text.into()),
                }
            }
            (Kind::Integer, value) => self.integer(value, path),
            (Kind::Duration, Value::String(text)) if super::seconds(&text).is_some() => text.into(),
            (Kind::Name(names), Value::String(text)) if names.contains(&text.as_str()) => {
                text.into()
            }
            (Kind::Name(names), value) => {
                self.wrong(path, &format!("one of {}", names.join(", ")), &value)
            }
            (Kind::Texts, Value::Array(items)) => self.list(items, &Kind::Text, path),
            (Kind::Integers, Value::Array(items)) => self.list(items, &Kind::Integer, path),
            (Kind::Objects(message), Value::Array(items)) => {
                self.list(items, &Kind::Object(message), path)
            }
            (Kind::TextMap, Value::Object(map)) => {
                let texts = map.into_iter().map(|(key, value)| {
                    let value = self.value(value, &Kind::Text, &join(path, &key));
                    (key, value)
                });
                Value::Object(texts.collect())
            }
            (Kind::Object(message), value) => self.object(value, message, path),
            (kind, value) => self.wrong(path, wanted(kind), &value),
        }
    }

    fn list(&mut self, items: Vec<Value>, kind: &Kind, path: &str) -> Value {
        let items = items.into_iter().enumerate();
        let items = items.map(|(index, item)| self.value(item, kind, &format!("{path}[{index}]")));
        Value::Array(items.collect())
    }

    fn integer(&mut self, value: Value, path: &str) -> Value {
        let number = match &value {
            Value::Number(number) => number.as_i64(),
            Value::String(text) => text.parse().ok(),
            _ => None,
        };
        match number {
            Some(number) => number.into(),
            None => self.wrong(path, "a whole number", &value),
        }
    }

    fn wrong(&mut self, path: &str, wanted: &str, got: &Value) -> Value {
        self.finding(path, &format!("must be {wanted}, not {got}"))
    }

    fn unknown(&mut self, message: &Message, path: &str, key: &str) {
        let at = join(path, key);
        if path.is_empty() && NEVER_IN_A_FILE.iter().any(|name| is_spelling(name, key)) {
            self.finding(&at, "must not stand in a file");
            return;
        }
        let nearest = message
            .fields
            .iter()
            .map(|(name, _)| (strsim::jaro_winkler(name, &snake(key)), *name))
            .max_by(|a, b| a.0.total_cmp(&b.0));
        match nearest {
            Some((likeness, name)) if likeness > 0.8 => {
                self.finding(&at, &format!("is not a field; did you mean {name:?}?"))
            }
            _ => self.finding(&at, "is not a field of a pipeline descriptor"),
        };
    }
}

fn wanted(kind: &Kind) -> &'static str {
    match kind {
        Kind::Text => "a string",
        Kind::Flag => "true or false",
        Kind::Duration => "seconds as in \"1800s\"",
        Kind::TextMap => "an object of strings",
        Kind::Texts | Kind::Integers | Kind::Objects(_) => "an array",
        Kind::Integer => "a whole number",
        Kind::Number => "a number",
        Kind::Name(_) => "a name",
        Kind::Object(_) => "an object",
    }
}

fn find<'a>(message: &'a Message, key: &str) -> Option<(&'static str, &'a Kind)> {
    let mut fields = message.fields.iter();
    let (name, kind) = fields.find(|(name, _)| is_spelling(name, key))?;
    Some((name, kind))
}

/// Whether `key` is `name` in `snake_case` or in `camelCase`.
fn is_spelling(name: &str, key: &str) -> bool {
    key == name || key == camel(name)
}

/// `datumTries` of `datum_tries`.
pub(super) fn camel(name: &str) -> String {
    let mut out = String::with_capacity(name.len());
    let mut upper = false;
    for c in name.chars() {
        if c == '_' {
            upper = true;
        } else if std::mem::take(&mut upper) {
            out.extend(c.to_uppercase());
        } else {
            out.push(c);
        }
    }
    out
}

fn snake(key: &str) -> String {
    let mut out = String::with_capacity(key.len());
    for c in key.chars() {
        if c.is_uppercase() {
            out.push('_');
        }
        out.extend(c.to_lowercase());
    }
    out
}

fn join(path: &str, key: &str) -> String {
    if path.is_empty() {
        key.to_owned()
    } else {
        format!("{path}.{key}")
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn findings(value: Value) -> Vec<String> {
        let found = normalise(value).unwrap_err();
        found.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn both_spellings_become_one() {
        let camel = json!({
            "$schema": "x", "datumTries": "2", "description": null,
            "transform": {"acceptReturnCode": [3], "env": {"myName": "v"}},
            "parallelismSpec": {"constant": 1}, "s3Out": false
        });
        let snake = json!({
            "datum_tries": 2,
            "transform": {"accept_return_code": [3], "env": {"myName": "v"}},
            "parallelism_spec": {"constant": 1}, "s3_out": false
        });
        assert_eq!(normalise(camel).unwrap(), snake);
        assert_eq!(normalise(snake.clone()).unwrap(), snake);
    }

    #[test]
    fn every_finding_names_its_path() {
        let found = findings(json!({
            "transform": {"imagee": "x", "cmd": "run", "env": {"A": 1}},
            "input": {"cross": [{"pfs": {"globb": "/"}}, {}]},
            "datum_tries": 1, "datumTries": 1,
            "datum_timeout": "30m", "standby": true, "update": true, "dryRun": true,
            "tolerations": [{"effect": "NEVER"}],
        }));
        let expected = [
            "transform.imagee is not a field; did you mean \"image\"?",
            "transform.cmd must be an array, not \"run\"",
            "transform.env.A must be a string, not 1",
            "input.cross[0].pfs.globb is not a field; did you mean \"glob\"?",
            "input.cross[1] must have exactly one of pfs, cron, union, cross, join, group",
            "datumTries is there in both spellings; keep \"datum_tries\"",
            "datum_timeout must be seconds as in \"1800s\", not \"30m\"",
            "standby is not a field of a pipeline descriptor",
            "update must not stand in a file",
            "dryRun must not stand in a file",
            "tolerations[0].effect must be one of ALL_EFFECTS, NO_SCHEDULE, \
             PREFER_NO_SCHEDULE, NO_EXECUTE, not \"NEVER\"",
        ];
        assert_eq!(found, expected);
    }

    #[test]
    fn an_array_is_no_descriptor() {
        assert_eq!(
            findings(json!([1])),
            ["the descriptor must be an object, not [1]"]
        );
    }
}
