//! `PREDICTIVE_UNIT_PARAMETERS`: the parameters of the graph's node.

use std::collections::BTreeMap;

use serde::Deserialize;

/// Parameters by name. Their values may be secrets, so they have no `Debug`, and
/// no error shows one.
#[derive(Default)]
pub(super) struct Parameters(BTreeMap<String, String>);

/// Why parameters cannot be used.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum ParameterError {
    #[error(
        "it is not a JSON list of {{name, value, type}}, all texts (line {line} column {column})"
    )]
    Json { line: usize, column: usize },
    #[error(
        "the parameter {name:?} has the type {kind:?}, expected INT, FLOAT, DOUBLE, STRING or BOOL"
    )]
    Type { name: String, kind: String },
    #[error("the value of the parameter {name:?} is not of its type {kind}")]
    Value { name: String, kind: String },
    #[error("the parameter {0:?} is given twice")]
    Twice(String),
}

#[derive(Deserialize)]
struct Entry {
    name: String,
    value: String,
    #[serde(rename = "type")]
    kind: String,
}

impl Parameters {
    /// Reads the list and checks every value against its type.
    pub(super) fn parse(text: &str) -> Result<Self, ParameterError> {
        // The parser's own words would quote the value it stopped at.
        let entries: Vec<Entry> = serde_json::from_str(text).map_err(|e| ParameterError::Json {
            line: e.line(),
            column: e.column(),
        })?;
        let mut parameters = BTreeMap::new();
        for Entry { name, value, kind } in entries {
            match is_of_type(&kind, &value) {
                None => return Err(ParameterError::Type { name, kind }),
                Some(false) => return Err(ParameterError::Value { name, kind }),
                Some(true) => {}
            }
            if parameters.insert(name.clone(), value).is_some() {
                return Err(ParameterError::Twice(name));
            }
        }
        Ok(Self(parameters))
    }

    /// The value of a parameter.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }
}

/// `None` for an unknown type. The words of BOOL are those of the Python wrapper.
fn is_of_type(kind: &str, value: &str) -> Option<bool> {
    const BOOL: [&str; 12] = [
        "y", "yes", "t", "true", "on", "1", "n", "no", "f", "false", "off", "0",
    ];
    Some(match kind {
        "STRING" => true,
        "INT" => value.trim().parse::<i64>().is_ok(),
        "FLOAT" | "DOUBLE" => value.trim().parse::<f64>().is_ok(),
        "BOOL" => BOOL.contains(&value.to_ascii_lowercase().as_str()),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(kind: &str, value: &str) -> Result<Parameters, String> {
        let list = serde_json::json!([{"name": "p", "value": value, "type": kind}]);
        Parameters::parse(&list.to_string()).map_err(|e| e.to_string())
    }

    #[test]
    fn typed_values() {
        for (kind, value) in [
            ("INT", "3"),
            ("INT", "-3"),
            ("FLOAT", "1e-3"),
            ("DOUBLE", "3"),
            ("STRING", ""),
            ("BOOL", "Yes"),
            ("BOOL", "0"),
        ] {
            assert_eq!(parse(kind, value).unwrap().get("p"), Some(value));
        }
        for (kind, value) in [("INT", "3.5"), ("INT", ""), ("FLOAT", "x"), ("BOOL", "2")] {
            let error = parse(kind, value).err().unwrap();
            assert_eq!(
                error,
                format!("the value of the parameter \"p\" is not of its type {kind}")
            );
        }
        assert!(parse("LIST", "x").err().unwrap().contains("\"LIST\""));
    }

    #[test]
    fn no_error_shows_a_value() {
        for text in [
            r#"[{"name":"password","value":"hunter2","type":"INT"}]"#,
            r#"[{"name":"password","type":"STRING","value":["hunter2"]}]"#,
            r#"[{"name":"password","value":"hunter2"}"#,
            r#""hunter2""#,
        ] {
            let error = Parameters::parse(text).err().unwrap().to_string();
            assert!(!error.contains("hunter2"), "{error}");
        }
    }
}
