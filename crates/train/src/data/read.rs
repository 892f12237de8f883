//! Reads all data files as one table of texts.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use csv::{ErrorKind, ReaderBuilder, StringRecord};
use model::Digest;

use super::error::Place;
use super::{DataError, files};

/// A data file that was read.
#[derive(Debug, Clone)]
pub(crate) struct SourceFile {
    /// The path below the data folder, which is the path in the data repo.
    pub(crate) path: String,
    /// The digest of its content.
    pub(crate) digest: Digest,
    /// Its rows.
    pub(crate) rows: usize,
}

/// All rows of all files, as texts without surrounding space.
#[derive(Debug)]
pub(crate) struct Texts {
    /// The columns' names, in the order of the first file.
    pub(crate) names: Vec<String>,
    /// The rows, file by file, their fields in the order of `names`.
    pub(crate) rows: Vec<Row>,
    /// The files.
    pub(crate) files: Vec<SourceFile>,
    /// Files that are not CSV, by path below the data folder.
    pub(crate) others: Vec<String>,
    input: String,
}

/// A row and where it stands.
#[derive(Debug)]
pub(crate) struct Row {
    fields: StringRecord,
    file: usize,
    line: u64,
}

impl Row {
    /// The text in the column at `position`.
    pub(crate) fn field(&self, position: usize) -> &str {
        self.fields.get(position).unwrap_or_default()
    }
}

impl Texts {
    /// File and line of `row`.
    pub(crate) fn place(&self, row: &Row) -> Place {
        let path = self.files.get(row.file).map_or("", |f| f.path.as_str());
        Place {
            file: format!("{}/{path}", self.input),
            line: row.line,
        }
    }

    /// All texts of the column at `position`, row by row.
    pub(crate) fn column(&self, position: usize) -> impl Iterator<Item = &str> {
        self.rows.iter().map(move |row| row.field(position))
    }
}

/// Reads every CSV file below `folder`, the one of the input named `input`.
///
/// # Errors
///
/// When there is no CSV file or no row, a file is not CSV text, or two files
/// have different columns.
pub(crate) fn read(folder: &Path, input: &str, delimiter: char) -> Result<Texts, DataError> {
    let found = files::find(folder)?;
    let mut texts = Texts {
        names: Vec::new(),
        rows: Vec::new(),
        files: Vec::new(),
        others: found.others,
        input: input.to_owned(),
    };
    for path in found.csv {
        let content = fs::read(folder.join(&path)).map_err(|source| DataError::Read {
            path: format!("{input}/{path}"),
            source,
        })?;
        let file = File {
            name: format!("{input}/{path}"),
            content: &content,
            delimiter,
        };
        let before = texts.rows.len();
        file.read_into(&mut texts)?;
        texts.files.push(SourceFile {
            path,
            digest: Digest::of(&content),
            rows: texts.rows.len() - before,
        });
    }
    if texts.rows.is_empty() {
        let files = match texts.files.len() {
            1 => "1 file".to_owned(),
            many => format!("{many} files"),
        };
        return Err(DataError::NoRows { files });
    }
    Ok(texts)
}

struct File<'a> {
    name: String,
    content: &'a [u8],
    delimiter: char,
}

impl File<'_> {
    fn error(&self, line: u64, problem: impl Into<String>) -> DataError {
        DataError::Format {
            place: Place {
                file: self.name.clone(),
                line,
            },
            problem: problem.into(),
        }
    }

    fn read_into(&self, texts: &mut Texts) -> Result<(), DataError> {
        self.refuse_binary()?;
        let mut reader = ReaderBuilder::new()
            .delimiter(u8::try_from(self.delimiter).unwrap_or(b','))
            .trim(csv::Trim::All)
            .from_reader(self.content);
        let header = reader.headers().map_err(|e| self.malformed(&e))?.clone();
        let order = self.order(&header, &mut texts.names)?;
        let mut last_line = 1;
        for record in reader.records() {
            let record = record.map_err(|e| self.malformed(&e))?;
            last_line = record.position().map_or(last_line, |p| self.line(p));
            texts.rows.push(Row {
                fields: reordered(record, &order),
                file: texts.files.len(),
                line: last_line,
            });
        }
        self.refuse_open_quote(last_line)
    }

    /// The line of the record at `position`. The parser's own number is that of
    /// the first of the empty lines before the record.
    fn line(&self, position: &csv::Position) -> u64 {
        let start = usize::try_from(position.byte()).unwrap_or(usize::MAX);
        let rest = self.content.get(start..).unwrap_or_default();
        let empty = rest.iter().take_while(|byte| matches!(byte, b'\r' | b'\n'));
        position.line() + empty.filter(|byte| **byte == b'\n').count() as u64
    }

    /// A zero byte never stands in text, and always early in what is not text.
    fn refuse_binary(&self) -> Result<(), DataError> {
        let Some(zero) = self.content.iter().position(|byte| *byte == 0) else {
            return Ok(());
        };
        Err(self.error(
            line_of(self.content, zero),
            "is not a CSV file: it holds binary data",
        ))
    }

    /// A quotation mark that is never closed swallows the rest of the file as
    /// one field, which the parser lets pass.
    fn refuse_open_quote(&self, last_record: u64) -> Result<(), DataError> {
        let quotes = self.content.iter().filter(|byte| **byte == b'"').count();
        let lines = line_of(self.content, self.content.trim_ascii_end().len());
        if quotes % 2 == 1 && last_record < lines {
            return Err(self.error(last_record, "a quotation mark is opened and never closed"));
        }
        Ok(())
    }

    /// For each of the columns, its position in this file's `header`. The first
    /// file decides the columns.
    fn order(
        &self,
        header: &StringRecord,
        names: &mut Vec<String>,
    ) -> Result<Vec<usize>, DataError> {
        self.check_header(header)?;
        if names.is_empty() {
            names.extend(header.iter().map(str::to_owned));
        }
        if let Some(name) = header.iter().find(|name| !names.iter().any(|n| n == name)) {
            let all = names.join(", ");
            return Err(self.error(
                1,
                format!("the column {name:?} is in no earlier file: they have {all}"),
            ));
        }
        let position = |name: &String| {
            let found = header.iter().position(|other| other == name);
            found.ok_or_else(|| {
                self.error(
                    1,
                    format!("the column {name:?} is missing, which earlier files have"),
                )
            })
        };
        names.iter().map(position).collect()
    }

    fn check_header(&self, header: &StringRecord) -> Result<(), DataError> {
        let mut seen = BTreeSet::new();
        if let Some(twice) = header.iter().find(|name| !seen.insert(*name)) {
            return Err(self.error(1, format!("two columns have the name {twice:?}")));
        }
        let numbers = header
            .iter()
            .filter(|name| name.parse::<f64>().is_ok())
            .count();
        if numbers * 2 > header.len() {
            let problem = "the first line holds numbers: put the columns' names above it";
            return Err(self.error(1, problem));
        }
        let [only] = header.iter().collect::<Vec<_>>()[..] else {
            return Ok(());
        };
        match [';', '\t', '|', ',']
            .into_iter()
            .find(|d| only.contains(*d))
        {
            Some(other) => Err(self.error(
                1,
                format!(
                    "there is one column only; set `delimiter: {other:?}` in the experiment file"
                ),
            )),
            None => Ok(()),
        }
    }

    fn malformed(&self, error: &csv::Error) -> DataError {
        let line = error.position().map_or(1, |p| self.line(p));
        let problem = match error.kind() {
            ErrorKind::UnequalLengths {
                expected_len, len, ..
            } => {
                format!("got {len} fields, the header has {expected_len}")
            }
            ErrorKind::Utf8 { .. } => {
                "is not UTF-8 text; save the file as \"CSV UTF-8\"".to_owned()
            }
            _ => error.to_string(),
        };
        self.error(line, problem)
    }
}

fn reordered(record: StringRecord, order: &[usize]) -> StringRecord {
    if order
        .iter()
        .enumerate()
        .all(|(wanted, found)| wanted == *found)
    {
        return record;
    }
    order
        .iter()
        .map(|position| record.get(*position).unwrap_or_default())
        .collect()
}

fn line_of(content: &[u8], position: usize) -> u64 {
    let before = content.get(..position).unwrap_or(content);
    1 + before.iter().filter(|byte| **byte == b'\n').count() as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read_all(files: &[(&str, &[u8])]) -> Result<Texts, String> {
        let dir = tempfile::tempdir().unwrap();
        for (name, content) in files {
            fs::write(dir.path().join(name), content).unwrap();
        }
        read(dir.path(), "data", ',').map_err(|e| e.to_string())
    }

    fn refused(content: &[u8]) -> String {
        read_all(&[("a.csv", content)]).unwrap_err()
    }

    #[test]
    fn columns_are_joined_by_name() {
        let texts = read_all(&[
            ("a.csv", b"\xef\xbb\xbfx, y\r\n1, 2\r\n"),
            ("b.csv", b"y,x\n4,3\n\n5,6\n"),
        ])
        .unwrap();
        assert_eq!(texts.names, ["x", "y"]);
        assert_eq!(texts.column(0).collect::<Vec<_>>(), ["1", "3", "6"]);
        assert_eq!(texts.place(&texts.rows[2]).to_string(), "data/b.csv:4");
        assert_eq!(texts.files[1].rows, 2);
    }

    #[test]
    fn refusals_name_file_and_line() {
        assert_eq!(
            refused(b"x,y\n1,2\n3\n"),
            "data/a.csv:3: got 1 fields, the header has 2"
        );
        assert_eq!(
            refused(b"x,y\n1,\xff\n"),
            "data/a.csv:2: is not UTF-8 text; save the file as \"CSV UTF-8\""
        );
        assert_eq!(
            refused(b"x,y\n1,2\n\0\x01"),
            "data/a.csv:3: is not a CSV file: it holds binary data"
        );
        assert_eq!(
            refused(b"x,x\n1,2\n"),
            "data/a.csv:1: two columns have the name \"x\""
        );
        assert!(
            refused(b"5.1,3.5,a\n4.9,3.0,b\n")
                .contains("data/a.csv:1: the first line holds numbers")
        );
        assert!(refused(b"x;y\n1;2\n").contains("set `delimiter: ';'`"));
        assert_eq!(
            refused(b"x,y\n1,a\n2,\"b\n3,c\n"),
            "data/a.csv:3: a quotation mark is opened and never closed"
        );
        assert_eq!(
            refused(b"x,y\n"),
            "there are no rows: 1 file and no line below the header"
        );
        assert_eq!(
            refused(b""),
            "there are no rows: 1 file and no line below the header"
        );
    }

    #[test]
    fn files_must_have_the_same_columns() {
        let error = |second| read_all(&[("a.csv", b"x,y\n1,2\n"), ("b.csv", second)]).unwrap_err();
        assert_eq!(
            error(b"x,z\n1,2\n"),
            "data/b.csv:1: the column \"z\" is in no earlier file: they have x, y"
        );
        assert_eq!(
            error(b"x\n1\n"),
            "data/b.csv:1: the column \"y\" is missing, which earlier files have"
        );
    }
}
