//! What a body that is not the expected JSON should be told.

use std::iter;

use serde::Deserialize;
use serde_json::error::Category;

use super::{Object, TooMany, objects};
use crate::problem::Problem;

/// Reads `body`, which is an object.
///
/// # Errors
///
/// When it is not JSON, or another JSON; with line and column. When it has so many
/// objects that they would take too much memory.
pub(crate) fn parse<'a, T: Deserialize<'a>>(body: &'a [u8]) -> Result<T, Problem> {
    if body.trim_ascii().is_empty() {
        let text = "the body is empty, expected a JSON object";
        return Err(Problem::BadData(text.to_owned()));
    }
    objects::check(iter::once(body))?;
    match serde_json::from_slice::<Object<T>>(body) {
        Ok(Object(message)) => Ok(message),
        Err(error) => Err(problem(&error, |_| explain(body, &error))),
    }
}

/// Reads `body`, which is a list.
///
/// # Errors
///
/// As [`parse`].
pub(crate) fn parse_list<'a, T: Deserialize<'a>>(body: &'a [u8]) -> Result<T, Problem> {
    objects::check(iter::once(body))?;
    serde_json::from_slice(body).map_err(|error| problem(&error, |_| explain(body, &error)))
}

/// What to answer when reading fails with `error`, which `explain` puts in words.
pub(crate) fn problem(error: &impl ToString, explain: impl FnOnce(String) -> String) -> Problem {
    let text = error.to_string();
    // The errors of what reads JSON keep nothing but a text.
    match text.starts_with(TooMany::TEXT) {
        true => Problem::TooManyParts(text),
        false => Problem::BadData(explain(text)),
    }
}

fn explain(body: &[u8], error: &serde_json::Error) -> String {
    match error.classify() {
        Category::Data => error.to_string(),
        _ => match unwritable_number(body, error) {
            Some(word) => {
                let (line, column) = (error.line(), error.column());
                format!(
                    "the body is not JSON: {word} at line {line} column {column} is no JSON number; \
                     send null for a missing value"
                )
            }
            None => format!("the body is not JSON: {error}"),
        },
    }
}

/// The word for a number that JSON does not have but many programs write, where
/// the parser stopped.
fn unwritable_number(body: &[u8], error: &serde_json::Error) -> Option<&'static str> {
    let line = body.split(|&byte| byte == b'\n').nth(error.line() - 1)?;
    // The column is that of the word's first or second letter, as the parser
    // knows words that begin with n.
    (error.column().saturating_sub(2)..=error.column()).find_map(|start| {
        let rest = line.get(start..)?;
        let words = ["NaN", "nan", "Infinity", "inf"];
        words.into_iter().find(|w| rest.starts_with(w.as_bytes()))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(body: &str) -> String {
        parse::<serde_json::Value>(body.as_bytes())
            .unwrap_err()
            .to_string()
    }

    #[test]
    fn numbers_that_json_does_not_have() {
        for (body, word) in [
            (r#"{"a": NaN}"#, "NaN"),
            (r#"{"a": [1, nan]}"#, "nan"),
            ("{\n  \"a\": [1.0,\n NaN]}", "NaN"),
            (r#"{"a": Infinity}"#, "Infinity"),
            (r#"{"a": -Infinity}"#, "Infinity"),
            (r#"{"a": [-inf, 1]}"#, "inf"),
        ] {
            let text = refused(body);
            assert!(text.contains(&format!("{word} at line ")), "{body}: {text}");
            assert!(text.contains("send null"), "{body}: {text}");
        }
        assert_eq!(
            refused(r#"{"a": NaN}"#),
            "the body is not JSON: NaN at line 1 column 7 is no JSON number; send null for a missing value"
        );
    }

    #[test]
    fn other_bodies() {
        assert_eq!(refused(" "), "the body is empty, expected a JSON object");
        assert!(refused("[1]").starts_with("invalid type: sequence, expected an object"));
        assert!(refused("{bad").starts_with("the body is not JSON: key must be a string"));
        assert!(refused("{} {}").starts_with("the body is not JSON: trailing characters"));
        assert!(refused("\u{feff}{}").starts_with("the body is not JSON: expected value"));
        let deep = format!("{{\"a\": {}", "[".repeat(1_000_000));
        assert!(refused(&deep).starts_with("the body is not JSON: recursion limit"));
    }
}
