//! Reads one CSV file, and says exactly where it is not one.

use std::collections::BTreeSet;

use csv::{ErrorKind, ReaderBuilder, StringRecord};

use super::error::Place;
use super::read::{Row, Texts};
use super::{DataError, quotes};

/// One CSV file, as it is read.
pub(super) struct File<'a> {
    /// The path below `/pfs`.
    pub(super) name: String,
    /// The file's bytes.
    pub(super) content: &'a [u8],
    /// The character between two fields.
    pub(super) delimiter: char,
}

/// What may stand between two fields, beside a comma; the first of equals is meant.
const DELIMITERS: [char; 3] = [';', '\t', '|'];

/// What stands between two fields of a CSV file that nothing is said of: a comma where
/// its first line has one outside of quotation marks, else what it has most of.
pub(super) fn delimiter(content: &[u8]) -> char {
    let line = content.split(|byte| matches!(byte, b'\r' | b'\n')).next();
    let parts = line.unwrap_or_default().split(|byte| *byte == b'"');
    let outside: Vec<u8> = parts.step_by(2).flatten().copied().collect();
    let count = |delimiter: char| {
        let same = |byte: &&u8| char::from(**byte) == delimiter;
        outside.iter().filter(same).count()
    };
    if count(',') > 0 {
        return ',';
    }
    let most = DELIMITERS.into_iter().rev().max_by_key(|it| count(*it));
    most.filter(|it| count(*it) > 0).unwrap_or(',')
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

    /// Appends the rows to `texts`; the first file decides the columns.
    ///
    /// # Errors
    ///
    /// When it is not CSV text, or has other columns than the files before it.
    pub(super) fn read_into(&self, texts: &mut Texts) -> Result<(), DataError> {
        self.refuse_binary()?;
        let delimiter = u8::try_from(self.delimiter).unwrap_or(b',');
        self.refuse_stray_quotes(delimiter)?;
        let mut reader = ReaderBuilder::new()
            .delimiter(delimiter)
            .trim(csv::Trim::All)
            .from_reader(self.content);
        let header = reader.headers().map_err(|e| self.malformed(&e))?.clone();
        let order = self.order(&header, &mut texts.names)?;
        for record in reader.records() {
            let record = record.map_err(|e| self.malformed(&e))?;
            texts.rows.push(Row {
                line: record.position().map_or(1, |p| self.line(p)),
                fields: reordered(record, &order),
                file: texts.files.len(),
            });
        }
        Ok(())
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

    fn refuse_stray_quotes(&self, delimiter: u8) -> Result<(), DataError> {
        let stray = quotes::stray(self.content, delimiter);
        stray.map_or(Ok(()), |stray| {
            Err(self.error(stray.line, stray.to_string()))
        })
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
        let mut all = DELIMITERS.into_iter().chain([',']);
        match all.find(|d| only.contains(*d)) {
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
