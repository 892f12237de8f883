//! Asks the served model one real question.

mod find;

use std::fs;
use std::path::PathBuf;

use anyhow::{Context, Result, bail};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

pub(super) use self::find::{Data, questions};
use crate::process::quote;

/// Where Seldon's clients send their requests.
const PATH: &str = "/api/v1.0/predictions";

/// How many of the classes are shown.
const MOST_CLASSES: usize = 10;

/// How much of a text is shown, in characters.
const MOST_CHARACTERS: usize = 72;

/// What is asked: something of the training data.
#[derive(Debug, PartialEq)]
pub(super) enum Question {
    /// A row without the target.
    Row {
        /// The columns that the model takes.
        names: Vec<String>,
        /// Their values.
        values: Vec<Value>,
    },
    /// A picture.
    Picture {
        /// Its path in the repo.
        name: String,
        /// The file.
        path: PathBuf,
    },
    /// A text.
    Text(String),
}

impl Question {
    fn body(&self) -> Result<String> {
        let message = match self {
            Self::Row { names, values } => json!({"data": {"names": names, "ndarray": [values]}}),
            Self::Picture { path, .. } => {
                let bytes =
                    fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
                json!({"binData": STANDARD.encode(bytes)})
            }
            Self::Text(text) => json!({"strData": text}),
        };
        Ok(message.to_string())
    }

    /// The question in a few words, `length=5.1 width=3.5`.
    pub(super) fn words(&self) -> String {
        match self {
            Self::Row { names, values } => {
                let pairs = names.iter().zip(values);
                let words: Vec<String> = pairs
                    .map(|(name, value)| format!("{name}={value}"))
                    .collect();
                words.join(" ")
            }
            Self::Picture { name, .. } => format!("what the picture {name} shows"),
            Self::Text(text) => {
                let mut words: String = text.chars().take(MOST_CHARACTERS).collect();
                if words.len() < text.len() {
                    words.push('…');
                }
                format!("{words:?}")
            }
        }
    }

    /// A command that asks the same.
    ///
    /// # Errors
    ///
    /// When the picture cannot be read.
    pub(super) fn curl(&self, url: &str) -> Result<String> {
        if let Self::Picture { path, .. } = self {
            // As a file of a form: JSON would need the picture in base64.
            let file = path.to_string_lossy();
            let plain = |c: char| !";,\"\\ ".contains(c);
            let field = if file.chars().all(plain) {
                format!("binData=@{file}")
            } else {
                // How curl takes a name with its own separators.
                let file = file.replace('\\', r"\\").replace('"', "\\\"");
                format!("binData=@\"{file}\"")
            };
            return Ok(format!("curl -F {} {url}{PATH}", quote(&field)));
        }
        let body = self.body()?.replace('\'', r"'\''");
        Ok(format!(
            "curl -H 'Content-Type: application/json' {url}{PATH} -d '{body}'"
        ))
    }

    /// Asks, and gives the answer for people: the class first, then each
    /// probability; or the number that was predicted.
    ///
    /// # Errors
    ///
    /// When there is no answer, or it is an error.
    pub(super) fn ask(&self, url: &str) -> Result<String> {
        let url = format!("{url}{PATH}");
        let request = minreq::post(&url)
            .with_header("Content-Type", "application/json")
            .with_body(self.body()?)
            .with_timeout(10);
        let answer = request
            .send()
            .with_context(|| format!("cannot ask {url}"))?;
        let text = answer.as_str().unwrap_or_default();
        if answer.status_code != 200 {
            bail!("{url} answered {}: {text}", answer.status_code);
        }
        let answer =
            serde_json::from_str(text).with_context(|| format!("{url} answered {text}"))?;
        Ok(shown(&answer))
    }
}

fn shown(answer: &Value) -> String {
    let names = answer.pointer("/data/names").and_then(Value::as_array);
    let row = answer.pointer("/data/ndarray/0");
    let row = row.or_else(|| answer.pointer("/data/tensor/values"));
    let row = row.and_then(Value::as_array);
    let (Some(names), Some(row)) = (names, row) else {
        return answer.to_string();
    };
    let names = names.iter().map(|name| name.as_str().unwrap_or_default());
    let mut pairs: Vec<(&str, f64)> = names.zip(row.iter().filter_map(Value::as_f64)).collect();
    match pairs[..] {
        [] => return answer.to_string(),
        [(name, value)] => return format!("{name} {value}"),
        _ => pairs.sort_by(|a, b| b.1.total_cmp(&a.1)),
    }
    let best = pairs.first().map(|(name, _)| *name).unwrap_or_default();
    let left = pairs.len().saturating_sub(MOST_CLASSES);
    pairs.truncate(MOST_CLASSES);
    let width = pairs.iter().map(|(name, _)| name.chars().count());
    let width = width.max().unwrap_or_default();
    let line = |(name, value): &(&str, f64)| format!("  {name:width$}  {value:.4}");
    let mut lines: Vec<String> = pairs.iter().map(line).collect();
    if left > 0 {
        lines.push(format!("  and {left} more"));
    }
    format!("{best}\n{}", lines.join("\n"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_for_people() {
        let answer = json!({"data": {"names": ["a", "bcd"], "ndarray": [[0.25, 0.75]]}});
        assert_eq!(shown(&answer), "bcd\n  bcd  0.7500\n  a    0.2500");
        let tensor = json!({"shape": [1, 2], "values": [0.75, 0.25]});
        let answer = json!({"data": {"names": ["a", "b"], "tensor": tensor}});
        assert_eq!(shown(&answer), "a\n  a  0.7500\n  b  0.2500");
        let answer = json!({"data": {"names": ["price"], "ndarray": [[12.5]]}});
        assert_eq!(shown(&answer), "price 12.5");
        assert_eq!(shown(&json!({"strData": "x"})), r#"{"strData":"x"}"#);
        let names: Vec<String> = (0..12).map(|number| format!("c{number}")).collect();
        let answer = json!({"data": {"names": names, "ndarray": [vec![0.1; 12]]}});
        let said = shown(&answer);
        assert_eq!(said.lines().count(), 1 + MOST_CLASSES + 1);
        assert!(said.ends_with("\n  and 2 more"), "{said}");
    }

    #[test]
    fn a_picture_is_asked_with_its_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.png");
        fs::write(&path, b"abc").unwrap();
        let name = "a.png".to_owned();
        let question = Question::Picture { name, path };
        assert_eq!(question.body().unwrap(), r#"{"binData":"YWJj"}"#);
        let curl = |path: &str| {
            let name = String::new();
            let path = path.into();
            Question::Picture { name, path }.curl("http://h").unwrap()
        };
        assert_eq!(
            curl("/d/a.png"),
            "curl -F binData=@/d/a.png http://h/api/v1.0/predictions"
        );
        assert_eq!(
            curl("/d/it's a,b.png"),
            r#"curl -F 'binData=@"/d/it'\''s a,b.png"' http://h/api/v1.0/predictions"#
        );
    }

    #[test]
    fn a_text_is_asked_as_it_is_and_told_in_short() {
        let question = Question::Text("it's \"good\"".to_owned());
        assert_eq!(question.words(), r#""it's \"good\"""#);
        assert!(
            question
                .curl("http://h")
                .unwrap()
                .ends_with(r#"-d '{"strData":"it'\''s \"good\""}'"#)
        );
        let long = Question::Text("ä".repeat(100)).words();
        assert_eq!(long.chars().count(), MOST_CHARACTERS + 3);
    }
}
