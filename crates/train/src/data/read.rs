//! Reads all data files as one table of texts.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use csv::StringRecord;
use model::{Digest, Inventory};

use super::error::Place;
use super::file::{self, File};
use super::{DataError, files};

/// A data file that was read.
#[derive(Debug, Clone)]
pub(crate) struct SourceFile {
    /// The path below the data folder, which is the path in the data repo.
    pub(crate) path: Arc<str>,
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
    pub(super) fields: StringRecord,
    pub(super) file: usize,
    pub(super) line: u64,
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
        let path = self.path(row).map_or("", |path| &**path);
        Place {
            file: format!("{}/{path}", self.input),
            line: row.line,
        }
    }

    /// The path below the data folder of the file of `row`.
    pub(crate) fn path(&self, row: &Row) -> Option<&Arc<str>> {
        self.files.get(row.file).map(|file| &file.path)
    }

    /// The path below the data folder of the file `name` beside that of `row`.
    pub(crate) fn beside(&self, row: &Row, name: &str) -> String {
        let path = self.path(row).map_or("", |path| &**path);
        match path.rsplit_once('/') {
            Some((folder, _)) => format!("{folder}/{name}"),
            None => name.to_owned(),
        }
    }

    /// The digest of each file.
    pub(crate) fn inventory(&self) -> Inventory {
        let files = self.files.iter();
        Inventory(
            files
                .map(|file| (file.path.to_string(), file.digest))
                .collect(),
        )
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
pub(crate) fn read(
    folder: &Path,
    input: &str,
    delimiter: Option<char>,
) -> Result<Texts, DataError> {
    let found = files::find(folder, input)?;
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
        let tabs = path.to_ascii_lowercase().ends_with(".tsv");
        let delimiter = if tabs { Some('\t') } else { delimiter };
        let file = File {
            name: format!("{input}/{path}"),
            content: &content,
            delimiter: delimiter.unwrap_or_else(|| file::delimiter(&content)),
        };
        let before = texts.rows.len();
        file.read_into(&mut texts)?;
        texts.files.push(SourceFile {
            path: path.into(),
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

#[cfg(test)]
mod tests {
    use super::*;

    fn read_all(files: &[(&str, &[u8])]) -> Result<Texts, String> {
        let dir = tempfile::tempdir().unwrap();
        for (name, content) in files {
            fs::write(dir.path().join(name), content).unwrap();
        }
        read(dir.path(), "data", None).map_err(|e| e.to_string())
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
    fn what_stands_between_fields_is_found_file_by_file() {
        let files: [(&str, &[u8]); 3] = [
            ("a.csv", b"x;y\n1,5;2\n"),
            ("b.csv", b"\"x\"\ty\n3;1\t4\n"),
            ("c.csv", b"\"x\",y\n5;1,6\n"),
        ];
        let texts = read_all(&files).unwrap();
        assert_eq!(texts.column(0).collect::<Vec<_>>(), ["1,5", "3;1", "5;1"]);
    }

    #[test]
    fn a_delimiter_that_is_set_and_is_not_there_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("a.csv"), "x;y\n1;2\n").unwrap();
        let refused = read(dir.path(), "data", Some(',')).map(drop).unwrap_err();
        let refused = refused.to_string();
        assert!(refused.contains("set `delimiter: ';'`"), "{refused}");
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
        assert_eq!(
            refused(b"x,y\n1,a\n2,\"b\n3,c\n"),
            "data/a.csv:3: a quotation mark opens a field and none closes it: remove it, or add the other"
        );
        assert_eq!(
            refused(b"x,y\n1,a\n2,\"b\n3,\"c\"\n"),
            "data/a.csv:3: a quotation mark opens a field, and the one that closes it in line 4 \
             stands before 'c', where the field must end: remove both, or write marks within a \
             field twice"
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
    fn a_mark_within_a_field_and_a_line_end_in_marks_are_text() {
        let texts = read_all(&[("a.tsv", b"x\ty\n5\" pipe\t1\n\"a\nb\"\t2\n")]).unwrap();
        assert_eq!(texts.column(0).collect::<Vec<_>>(), ["5\" pipe", "a\nb"]);
        let refused = read_all(&[("a.tsv", b"x\ty\n\"u\"x\t1\n")]).unwrap_err();
        assert!(
            refused.starts_with("data/a.tsv:2: a quotation"),
            "{refused}"
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
