//! Asks the served model one real question.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, bail};
use serde::Deserialize;
use serde_json::{Value, json};

use super::repo::Commit;

/// Where Seldon's clients send their requests.
const PATH: &str = "/api/v1.0/predictions";

/// What is asked of `model.json` here; see the crate `model` for all of it.
#[derive(Deserialize)]
struct Model {
    preprocessing: Preprocessing,
}

#[derive(Deserialize)]
struct Preprocessing {
    #[serde(default)]
    columns: Vec<Column>,
}

#[derive(Deserialize)]
struct Column {
    name: String,
    #[serde(rename = "type")]
    kind: String,
}

/// A row of the training data without the target, as a request.
#[derive(Debug, PartialEq)]
pub(super) struct Question {
    names: Vec<String>,
    values: Vec<Value>,
}

/// The first row of the first CSV file that has all columns of the model.
///
/// `None` when the model takes no table, or no file has its columns.
///
/// # Errors
///
/// When `model.json` cannot be read.
pub(super) fn question(model: &Path, data: &[(&Path, &Commit)]) -> Result<Option<Question>> {
    let path = model.join("model.json");
    let text =
        fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
    let model: Model = serde_json::from_str(&text).with_context(|| path.display().to_string())?;
    let columns = model.preprocessing.columns;
    let files = data.iter().flat_map(|(folder, commit)| {
        let names = commit.files.keys().filter(|name| name.ends_with(".csv"));
        names.map(|name| folder.join(name))
    });
    let mut rows = files.filter_map(|file| first_row(&file, &columns));
    Ok(if columns.is_empty() {
        None
    } else {
        rows.next()
    })
}

fn first_row(file: &Path, columns: &[Column]) -> Option<Question> {
    let mut reader = csv::Reader::from_path(file).ok()?;
    let header = reader.headers().ok()?.clone();
    let row = reader.records().next()?.ok()?;
    let value = |column: &Column| {
        let position = header.iter().position(|name| name.trim() == column.name)?;
        let field = row.get(position)?.trim();
        Some(match field.parse::<f64>() {
            _ if field.is_empty() => Value::Null,
            Ok(number) if column.kind == "numeric" => json!(number),
            _ => json!(field),
        })
    };
    Some(Question {
        names: columns.iter().map(|column| column.name.clone()).collect(),
        values: columns.iter().map(value).collect::<Option<_>>()?,
    })
}

impl Question {
    fn body(&self) -> String {
        json!({"data": {"names": self.names, "ndarray": [self.values]}}).to_string()
    }

    /// The question in a few words, `length=5.1 width=3.5`.
    pub(super) fn words(&self) -> String {
        let pairs = self.names.iter().zip(&self.values);
        let words: Vec<String> = pairs
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        words.join(" ")
    }

    /// A command that asks the same.
    pub(super) fn curl(&self, url: &str) -> String {
        let body = self.body().replace('\'', r"'\''");
        format!("curl -H 'Content-Type: application/json' {url}{PATH} -d '{body}'")
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
            .with_body(self.body())
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
    let row = answer.pointer("/data/ndarray/0").and_then(Value::as_array);
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
    let width = pairs
        .iter()
        .map(|(name, _)| name.len())
        .max()
        .unwrap_or_default();
    let line = |(name, value): &(&str, f64)| format!("  {name:width$}  {value:.4}");
    let lines: Vec<String> = pairs.iter().map(line).collect();
    let best = pairs.first().map(|(name, _)| *name).unwrap_or_default();
    format!("{best}\n{}", lines.join("\n"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::local::objects::Objects;
    use crate::local::repo::Repo;
    use crate::local::tree;

    #[test]
    fn the_first_row_with_all_columns() {
        let folder = tempfile::tempdir().unwrap();
        let data = folder.path().join("data");
        fs::create_dir(&data).unwrap();
        fs::write(data.join("a.csv"), "width,colour\n1,2\n").unwrap();
        fs::write(data.join("b.csv"), "colour, length,class\n1,5.5,x\n2,6,y\n").unwrap();
        let model = r#"{"preprocessing": {"kind": "table", "columns": [
            {"name": "length", "type": "numeric"}, {"name": "colour", "type": "categorical"}]}}"#;
        fs::write(folder.path().join("model.json"), model).unwrap();
        let objects = Objects::at(folder.path().join("objects"));
        let repo = Repo::at(folder.path().join("repo"), &objects, "r");
        let files = objects.take_all(&tree::list(&data).unwrap()).unwrap();
        let commit = repo.commit("c", files, None).unwrap();
        let files = repo.files("c");
        let found = question(folder.path(), &[(&files, &commit)])
            .unwrap()
            .unwrap();
        assert_eq!(found.words(), r#"length=5.5 colour="1""#);
        assert_eq!(
            found.body(),
            r#"{"data":{"names":["length","colour"],"ndarray":[[5.5,"1"]]}}"#
        );
        assert_eq!(question(folder.path(), &[]).unwrap(), None);
    }

    #[test]
    fn answers_for_people() {
        let answer = json!({"data": {"names": ["a", "bcd"], "ndarray": [[0.25, 0.75]]}});
        assert_eq!(shown(&answer), "bcd\n  bcd  0.7500\n  a    0.2500");
        let answer = json!({"data": {"names": ["price"], "ndarray": [[12.5]]}});
        assert_eq!(shown(&answer), "price 12.5");
        assert_eq!(shown(&json!({"strData": "x"})), r#"{"strData":"x"}"#);
    }
}
