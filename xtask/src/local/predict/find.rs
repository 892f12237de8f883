//! Finds something in the data to ask the model about.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use csv::{ReaderBuilder, StringRecord};
use serde::Deserialize;
use serde_json::{Value, json};

use super::Question;
use crate::local::repo::Commit;

/// How many pictures are tried: of those that were trained with, some may be broken.
const MOST_PICTURES: usize = 5;

/// What train takes for pictures.
const PICTURES: [&str; 4] = ["jpeg", "jpg", "png", "webp"];

/// How much is asked of a text that is a file, in characters.
const MOST_ASKED: usize = 1000;

/// What may stand between two fields.
const DELIMITERS: [u8; 4] = [b',', b'\t', b';', b'|'];

/// What train takes for the texts where the experiment names no column.
const CONTENT: &str = "text";

/// What is asked of `model.json` here; see the crate `model` for all of it.
#[derive(Deserialize)]
struct Model {
    preprocessing: Preprocessing,
    #[serde(default)]
    target: String,
    #[serde(default)]
    provenance: Provenance,
}

#[derive(Deserialize)]
struct Preprocessing {
    kind: String,
    #[serde(default)]
    columns: Vec<Column>,
}

#[derive(Deserialize)]
struct Column {
    name: String,
    #[serde(rename = "type")]
    kind: String,
}

#[derive(Default, Deserialize)]
struct Provenance {
    #[serde(default)]
    config: Config,
}

#[derive(Default, Deserialize)]
struct Config {
    content: Option<String>,
    labels: Option<String>,
}

/// The data of a repo.
#[derive(Debug)]
pub(in crate::local) struct Data<'a> {
    /// What it was taken from.
    pub(in crate::local) source: &'a Path,
    /// The files of the commit.
    pub(in crate::local) folder: PathBuf,
    /// The commit.
    pub(in crate::local) commit: Commit,
}

/// What the model may be asked: the first row of the first CSV file that has all its
/// columns, or a text, the begin of one that is a file; or some pictures, each for the
/// case that the ones before it are broken. None when the data has nothing of the kind.
///
/// # Errors
///
/// When `model.json` cannot be read.
pub(in crate::local) fn questions(model: &Path, data: &[Data<'_>]) -> Result<Vec<Question>> {
    let path = model.join("model.json");
    let text =
        fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
    let model: Model = serde_json::from_str(&text).with_context(|| path.display().to_string())?;
    let labels = model.provenance.config.labels.as_deref();
    Ok(match model.preprocessing.kind.as_str() {
        "image" => pictures(data),
        "text" if matches!(labels, Some("folder" | "prefix")) => text_file(data),
        "text" => first(data, |header, row| text_of(&model, header, row)),
        _ if model.preprocessing.columns.is_empty() => Vec::new(),
        _ => first(data, |header, row| {
            row_of(&model.preprocessing.columns, header, row)
        }),
    })
}

/// The files that are not hidden and end so.
fn files<'a>(
    data: &'a [Data<'a>],
    wanted: &'static [&str],
) -> impl Iterator<Item = (&'a Data<'a>, &'a String)> {
    let names = data.iter().flat_map(|data| {
        let names = data.commit.files.keys();
        names.map(move |name| (data, name))
    });
    names.filter(move |(_, name)| {
        let hidden = name.split('/').any(|part| part.starts_with('.'));
        !hidden && has_extension(name, wanted)
    })
}

/// The begin of the first file of text that train can read.
fn text_file(data: &[Data<'_>]) -> Vec<Question> {
    let mut texts = files(data, &["txt"]).filter_map(|(data, name)| {
        let text = fs::read_to_string(data.folder.join(name)).ok()?;
        let text = text.trim_start_matches('\u{feff}').trim();
        let begin: String = text.chars().take(MOST_ASKED).collect();
        (!begin.is_empty()).then_some(Question::Text(begin))
    });
    texts.next().into_iter().collect()
}

fn pictures(data: &[Data<'_>]) -> Vec<Question> {
    let pictures = files(data, &PICTURES);
    let question = |(data, name): (&Data<'_>, &String)| Question::Picture {
        name: name.clone(),
        path: data.file(name),
    };
    pictures.take(MOST_PICTURES).map(question).collect()
}

impl Data<'_> {
    /// A file: the user's own where it is still there, as its path says most.
    fn file(&self, name: &str) -> PathBuf {
        let own = self.source.join(name);
        if own.is_file() {
            own
        } else {
            self.folder.join(name)
        }
    }
}

fn has_extension(name: &str, wanted: &[&str]) -> bool {
    let extension = Path::new(name).extension().unwrap_or_default();
    wanted.iter().any(|it| extension.eq_ignore_ascii_case(it))
}

/// What `make` makes of the header and the first row of a CSV file, with whatever
/// stands between its fields; of the first file of which it makes something.
fn first(
    data: &[Data<'_>],
    make: impl Fn(&StringRecord, &StringRecord) -> Option<Question>,
) -> Vec<Question> {
    let files = data.iter().flat_map(|data| {
        let names = data.commit.files.keys();
        let tables = names.filter(|name| has_extension(name, &["csv", "tsv"]));
        tables.map(|name| data.folder.join(name))
    });
    let mut found = files.filter_map(|file| {
        let by = |delimiter: &u8| {
            let mut reader = ReaderBuilder::new()
                .delimiter(*delimiter)
                .trim(csv::Trim::All)
                .from_path(&file)
                .ok()?;
            let header = reader.headers().ok()?.clone();
            make(&header, &reader.records().next()?.ok()?)
        };
        DELIMITERS.iter().find_map(by)
    });
    found.next().into_iter().collect()
}

fn row_of(columns: &[Column], header: &StringRecord, row: &StringRecord) -> Option<Question> {
    let value = |column: &Column| {
        let field = field(&column.name, header, row)?;
        Some(match field.parse::<f64>() {
            _ if field.is_empty() => Value::Null,
            Ok(number) if column.kind == "numeric" => json!(number),
            _ => json!(field),
        })
    };
    Some(Question::Row {
        names: columns.iter().map(|column| column.name.clone()).collect(),
        values: columns.iter().map(value).collect::<Option<_>>()?,
    })
}

/// The text of a row that has the target too.
fn text_of(model: &Model, header: &StringRecord, row: &StringRecord) -> Option<Question> {
    field(&model.target, header, row)?;
    let mut others = header.iter().filter(|name| *name != model.target);
    let content = match &model.provenance.config.content {
        Some(name) => name,
        None if header.iter().any(|name| name == CONTENT) => CONTENT,
        // With no such column, train takes the only one that there is.
        None => others.next_back()?,
    };
    let text = field(content, header, row)?;
    (!text.is_empty()).then(|| Question::Text(text.to_owned()))
}

fn field<'a>(name: &str, header: &StringRecord, row: &'a StringRecord) -> Option<&'a str> {
    row.get(header.iter().position(|other| other == name)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::local::objects::Objects;
    use crate::local::repo::Repo;
    use crate::local::tree;

    /// What is asked of a model with this description, of these files.
    fn asked(model: &str, files: &[(&str, &str)]) -> Vec<Question> {
        let folder = tempfile::tempdir().unwrap();
        let source = folder.path().join("data");
        for (name, text) in files {
            let path = source.join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        fs::write(folder.path().join("model.json"), model).unwrap();
        let objects = Objects::at(folder.path().join("objects"));
        let repo = Repo::at(folder.path().join("repo"), &objects, "r");
        let files = objects.take_all(&tree::list(&source).unwrap()).unwrap();
        let commit = repo.commit("c", files, None).unwrap();
        let folder_of = repo.files("c");
        let data = Data {
            source: &source,
            folder: folder_of,
            commit,
        };
        assert_eq!(questions(folder.path(), &[]).unwrap(), []);
        questions(folder.path(), &[data]).unwrap()
    }

    #[test]
    fn the_first_row_with_all_columns() {
        let model = r#"{"preprocessing": {"kind": "table", "columns": [
            {"name": "length", "type": "numeric"}, {"name": "colour", "type": "categorical"}]}}"#;
        let b = "colour; length;class\n1;5.5;x\n2;6;y\n";
        let found = asked(model, &[("a.csv", "width,colour\n1,2\n"), ("b.csv", b)]);
        let [question] = &found[..] else {
            panic!("{found:?}")
        };
        assert_eq!(question.words(), r#"length=5.5 colour="1""#);
        assert_eq!(
            question.body().unwrap(),
            r#"{"data":{"names":["length","colour"],"ndarray":[[5.5,"1"]]}}"#
        );
    }

    #[test]
    fn the_first_text() {
        let model = |config: &str| {
            format!(
                r#"{{"preprocessing": {{"kind": "text", "max_tokens": 9}}, "target": "mood",
                    "provenance": {{"config": {config}}}}}"#
            )
        };
        for (config, csv) in [
            ("{}", "id\ttext\tmood\n7\tso, so\tx\n"),
            (r#"{"content": "said"}"#, "text,mood,said\n1,x,\"so, so\"\n"),
            (r#"{"content": null}"#, "words;mood\nso, so;x\n"),
        ] {
            let found = asked(&model(config), &[("a.csv", csv)]);
            assert_eq!(found, [Question::Text("so, so".to_owned())], "{csv}");
        }
        assert_eq!(asked(&model("{}"), &[("a.csv", "text\na\n")]), []);
    }

    #[test]
    fn the_begin_of_the_first_text_that_is_a_file() {
        let model = r#"{"preprocessing": {"kind": "text", "max_tokens": 9},
            "provenance": {"config": {"labels": "folder"}}}"#;
        let long = format!("\u{feff}{} end", "so ".repeat(1000));
        let found = asked(
            model,
            &[
                ("a/0.txt", " "),
                ("a/1.txt", &long),
                ("a.csv", "x,y\n1,2\n"),
            ],
        );
        let [Question::Text(text)] = &found[..] else {
            panic!("{found:?}")
        };
        assert!(text.starts_with("so so") && text.chars().count() == 1000);
    }

    #[test]
    fn pictures_as_the_user_names_them() {
        let model = r#"{"preprocessing": {"kind": "image", "width": 8}}"#;
        let found = asked(
            model,
            &[
                ("x/b.JPG", ""),
                ("a.txt", ""),
                (".t/a.png", ""),
                ("c.webp", ""),
            ],
        );
        let names: Vec<&str> = found
            .iter()
            .map(|question| match question {
                Question::Picture { name, path } if path.ends_with(name) => name.as_str(),
                other => panic!("{other:?}"),
            })
            .collect();
        assert_eq!(names, ["c.webp", "x/b.JPG"]);
    }
}
