//! Finds the data files.

use std::path::{Path, PathBuf};

use walkdir::{DirEntry, WalkDir};

use super::DataError;

/// How the names of pictures end.
pub(crate) const PICTURES: [&str; 4] = ["jpeg", "jpg", "png", "webp"];

/// How the names of CSV files end.
pub(crate) const TABLES: [&str; 2] = ["csv", "tsv"];

/// How the names of texts end that are a file each.
pub(crate) const TEXTS: [&str; 1] = ["txt"];

/// What lies below the data folder.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Found {
    /// The CSV files, by path below the folder, sorted.
    pub(super) csv: Vec<String>,
    /// All other files, likewise.
    pub(super) others: Vec<String>,
}

/// Finds every file below `folder`, that of the input `input`, following symbolic links, as Pachyderm's
/// `/pfs/<input>` is one. Hidden files are never data: they are what editors and
/// file managers leave behind.
pub(super) fn find(folder: &Path, input: &str) -> Result<Found, DataError> {
    let mut found = Found::default();
    for path in all(folder)? {
        let kind = if has_extension(&path, &TABLES) {
            &mut found.csv
        } else {
            &mut found.others
        };
        kind.push(path);
    }
    if found.csv.is_empty() {
        return Err(DataError::NoFiles {
            input: input.to_owned(),
            others: instead(&found.others),
            advice: advice(&found.others),
        });
    }
    Ok(found)
}

/// What lies in a folder that has nothing of what is wanted, after those words.
pub(crate) fn instead(files: &[String]) -> String {
    match files {
        [] => ", which is empty".to_owned(),
        [one] => format!(", only {one}"),
        [first, rest @ ..] => format!(", only {first} and {} more", rest.len()),
    }
}

/// Every file below `folder`, by path below it, sorted.
pub(crate) fn all(folder: &Path) -> Result<Vec<String>, DataError> {
    if !folder.is_dir() {
        return Err(DataError::NoFolder(folder.to_owned()));
    }
    let mut found = Vec::new();
    for entry in WalkDir::new(folder).follow_links(true) {
        let entry = entry.map_err(|e| unreadable(folder, e))?;
        if entry.file_type().is_file() {
            found.push(below(folder, &entry)?);
        }
    }
    found.sort();
    Ok(found)
}

/// Whether a path below the data folder is, or lies in, something hidden.
pub(crate) fn hidden(path: &str) -> bool {
    path.split('/').any(|part| part.starts_with('.'))
}

/// Whether a path below the data folder is not hidden, and ends so.
pub(crate) fn has_extension(path: &str, wanted: &[&str]) -> bool {
    let extension = Path::new(path).extension().unwrap_or_default();
    !hidden(path) && wanted.iter().any(|w| extension.eq_ignore_ascii_case(w))
}

/// What files need that lie where a table is expected: only a backbone takes pictures, and
/// texts in folders.
fn advice(files: &[String]) -> &'static str {
    let is_text = |path: &String| has_extension(path, &TEXTS) && path.contains('/');
    if files.iter().any(|path| has_extension(path, &PICTURES)) {
        "; pictures need a backbone: name one in the experiment file, as `backbone: \
         efficientnet-lite0`"
    } else if files.iter().any(is_text) {
        "; texts in folders need a backbone: name one in the experiment file, as `backbone: \
         all-minilm-l6-v2`"
    } else {
        ""
    }
}

/// The path below `folder`; it goes into provenance, so it must be text.
fn below(folder: &Path, entry: &DirEntry) -> Result<String, DataError> {
    let path = entry.path().strip_prefix(folder).unwrap_or(entry.path());
    path.to_str().map(str::to_owned).ok_or_else(|| {
        DataError::Columns(format!(
            "the file name {} is not UTF-8: rename it",
            path.display()
        ))
    })
}

fn unreadable(folder: &Path, error: walkdir::Error) -> DataError {
    let path: PathBuf = error.path().unwrap_or(folder).to_owned();
    DataError::Read {
        path: path.display().to_string(),
        source: error.into(),
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn nested_files_come_in_sorted_order() {
        let dir = tempfile::tempdir().unwrap();
        for path in [
            "b.csv",
            "a/z.CSV",
            "a/deep/er/y.csv",
            "note.txt",
            ".hidden.csv",
            ".git/x.csv",
        ] {
            let path = dir.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, "").unwrap();
        }
        let found = find(dir.path(), "data").unwrap();
        assert_eq!(found.csv, ["a/deep/er/y.csv", "a/z.CSV", "b.csv"]);
        assert_eq!(found.others, [".git/x.csv", ".hidden.csv", "note.txt"]);
    }

    #[cfg(unix)]
    #[test]
    fn links_are_followed_and_loops_refused() {
        let dir = tempfile::tempdir().unwrap();
        let real = dir.path().join("real");
        fs::create_dir(&real).unwrap();
        fs::write(real.join("a.csv"), "").unwrap();
        let link = dir.path().join("link");
        std::os::unix::fs::symlink(&real, &link).unwrap();
        assert_eq!(find(&link, "data").unwrap().csv, ["a.csv"]);
        std::os::unix::fs::symlink(&real, real.join("loop")).unwrap();
        assert!(matches!(find(&link, "data"), Err(DataError::Read { .. })));
    }

    #[test]
    fn an_empty_folder_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let error = find(dir.path(), "data").unwrap_err().to_string();
        assert!(error.ends_with("which is empty"), "{error}");
        fs::write(dir.path().join("a.txt"), "").unwrap();
        let error = find(dir.path(), "data").unwrap_err().to_string();
        assert!(error.ends_with("only a.txt"), "{error}");
        fs::create_dir(dir.path().join("good")).unwrap();
        for (name, backbone) in [
            ("good/1.txt", "texts in folders need a backbone: name"),
            ("cat.0.JPG", "pictures need a backbone: name one in the"),
        ] {
            fs::write(dir.path().join(name), "").unwrap();
            let error = find(dir.path(), "data").unwrap_err().to_string();
            assert!(error.contains(backbone), "{error}");
        }
        assert!(find(&dir.path().join("none"), "data").is_err());
    }
}
