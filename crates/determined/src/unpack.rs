//! Unpacking an archive that nobody vouches for.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Component, Path, PathBuf};

use serde_json::{Map, Value};
use tar::{Archive, Entry, EntryType};
use tempfile::TempDir;

use crate::{Checkpoint, Error};

/// The file that the Python SDK adds to a download when training wrote none.
const METADATA_FILE: &str = "metadata.json";

/// Why an archive was not unpacked.
#[derive(Debug)]
pub(crate) enum UnpackError {
    /// It stopped coming.
    Connection(io::Error),
    /// It is not what it should be.
    Archive(String),
    /// The disk refuses.
    File(Error),
}

impl From<Error> for UnpackError {
    fn from(error: Error) -> Self {
        Self::File(error)
    }
}

/// The files that must come, and the directory that they go to meanwhile.
pub(crate) struct Files {
    aside: TempDir,
    /// The sizes of the files that have not come yet, by path.
    missing: BTreeMap<String, u64>,
    directories: Vec<String>,
    metadata: Map<String, Value>,
}

impl Files {
    /// Prepares a directory beside `target`.
    pub(crate) fn beside(target: &Path, checkpoint: &Checkpoint) -> Result<Self, Error> {
        let (mut missing, mut directories) = (BTreeMap::new(), Vec::new());
        for (path, &size) in &checkpoint.resources {
            if plain(Path::new(path)).is_none() {
                let reason = format!("it lists a file {path:?}, which is no relative path");
                return Err(Error::checkpoint(&checkpoint.uuid, reason));
            }
            if path.ends_with('/') {
                directories.push(path.clone());
            } else {
                missing.insert(path.clone(), size);
            }
        }
        if missing.is_empty() {
            let reason = format!("it lists no files (its state: {})", checkpoint.state);
            return Err(Error::checkpoint(&checkpoint.uuid, reason));
        }
        let folder = match target.parent() {
            Some(folder) if !folder.as_os_str().is_empty() => folder,
            _ => Path::new("."),
        };
        let aside = tempfile::Builder::new()
            .prefix(".partial-")
            .tempdir_in(folder)
            .map_err(Error::file("create a directory in", folder))?;
        make_readable(aside.path()).map_err(Error::file("set the mode of", aside.path()))?;
        Ok(Self {
            aside,
            missing,
            directories,
            metadata: checkpoint.metadata.clone(),
        })
    }

    /// Reads the whole archive and returns the directory with exactly the files
    /// that must come.
    pub(crate) fn unpack(mut self, reader: impl Read) -> Result<TempDir, UnpackError> {
        let mut archive = Archive::new(Watched {
            reader,
            broken: None,
        });
        let outcome = self.take_all(&mut archive);
        // What the archive reader says of a cut connection tells less.
        if let Some(error) = archive.into_inner().broken {
            return Err(UnpackError::Connection(error));
        }
        outcome?;
        if let Some((path, size)) = self.missing.first_key_value() {
            let more = match self.missing.len() - 1 {
                0 => String::new(),
                more => format!(" and {more} more"),
            };
            let reason = format!("the archive lacks {path:?} ({size} bytes){more}");
            return Err(UnpackError::Archive(reason));
        }
        self.complete()?;
        Ok(self.aside)
    }

    fn take_all<R: Read>(&mut self, archive: &mut Archive<R>) -> Result<(), UnpackError> {
        let damaged = |e: io::Error| UnpackError::Archive(format!("the archive is damaged: {e}"));
        for entry in archive.entries().map_err(damaged)? {
            self.take(entry.map_err(damaged)?)?;
        }
        Ok(())
    }

    fn take<R: Read>(&mut self, mut entry: Entry<'_, R>) -> Result<(), UnpackError> {
        let refuse = |reason: String| Err(UnpackError::Archive(reason));
        let bytes = entry.path_bytes().into_owned();
        let shown = String::from_utf8_lossy(&bytes).into_owned();
        match entry.header().entry_type() {
            // Carries settings for others; a directory comes with its files.
            EntryType::XGlobalHeader | EntryType::Directory => return Ok(()),
            EntryType::Regular | EntryType::Continuous => {}
            other => {
                return refuse(format!(
                    "the archive holds {shown:?}, which is no plain file but {other:?}"
                ));
            }
        }
        let relative = str::from_utf8(&bytes).ok().map(Path::new).and_then(plain);
        let Some(relative) = relative else {
            return refuse(format!(
                "the archive holds {shown:?}, which would lie outside the directory"
            ));
        };
        let key = relative.to_string_lossy().into_owned();
        let Some(size) = self.missing.remove(&key) else {
            return refuse(format!(
                "the archive holds {shown:?}, which the checkpoint does not list or which came before"
            ));
        };
        if entry.size() != size {
            let got = entry.size();
            return refuse(format!("{shown:?} has {got} bytes and should have {size}"));
        }
        let path = self.aside.path().join(&relative);
        let written = write_new(&path, &mut entry).map_err(Error::file("write", &path))?;
        if written != size {
            return refuse(format!("{shown:?} ends after {written} of {size} bytes"));
        }
        Ok(())
    }

    /// What archives do not carry: empty directories, and the description that
    /// Determined's own loaders expect.
    fn complete(&self) -> Result<(), Error> {
        for directory in &self.directories {
            let path = self.aside.path().join(directory);
            fs::create_dir_all(&path).map_err(Error::file("create", &path))?;
        }
        let path = self.aside.path().join(METADATA_FILE);
        if !path.exists() {
            let text = Value::Object(self.metadata.clone()).to_string();
            fs::write(&path, text).map_err(Error::file("write", &path))?;
        }
        Ok(())
    }
}

fn write_new(path: &Path, content: &mut impl Read) -> io::Result<u64> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    let mut file = File::create_new(path)?;
    let written = io::copy(content, &mut file)?;
    file.sync_all()?;
    Ok(written)
}

/// The path without `./`, if it is relative and goes nowhere but down.
fn plain(path: &Path) -> Option<PathBuf> {
    let mut clean = PathBuf::new();
    for component in path.components() {
        match component {
            Component::Normal(name) => clean.push(name),
            Component::CurDir => {}
            _ => return None,
        }
    }
    (!clean.as_os_str().is_empty()).then_some(clean)
}

/// The directory is for the next container too, which runs under another uid.
#[cfg(unix)]
fn make_readable(folder: &Path) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    fs::set_permissions(folder, fs::Permissions::from_mode(0o755))
}

#[cfg(not(unix))]
fn make_readable(_: &Path) -> io::Result<()> {
    Ok(())
}

/// Remembers that reading failed, as opposed to what was read being wrong.
struct Watched<R> {
    reader: R,
    broken: Option<io::Error>,
}

impl<R: Read> Read for Watched<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.reader.read(buffer).map_err(|error| {
            let again = io::Error::new(error.kind(), error.to_string());
            self.broken = Some(error);
            again
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tar::{Builder, Header};

    fn checkpoint(resources: &str) -> Checkpoint {
        let text =
            format!(r#"{{"uuid":"u","resources":{resources},"metadata":{{"steps_completed":3}}}}"#);
        serde_json::from_str(&text).unwrap()
    }

    fn archive(entries: &[(&str, EntryType, &str)]) -> Vec<u8> {
        let mut archive = Builder::new(Vec::new());
        for (path, kind, content) in entries {
            let mut header = Header::new_gnu();
            header.set_size(content.len() as u64);
            header.set_entry_type(*kind);
            header.set_mode(0o666);
            // Set by hand, as the library itself refuses `..`.
            let name = &mut header.as_gnu_mut().unwrap().name;
            name[..path.len()].copy_from_slice(path.as_bytes());
            header.set_cksum();
            archive.append(&header, content.as_bytes()).unwrap();
        }
        archive.into_inner().unwrap()
    }

    /// The error's text, after checking that nothing is left behind.
    fn refusal(resources: &str, bytes: &[u8]) -> String {
        let outer = tempfile::tempdir().unwrap();
        let dir = outer.path().join("inner");
        fs::create_dir(&dir).unwrap();
        let files = Files::beside(&dir.join("t"), &checkpoint(resources)).unwrap();
        let error = files.unpack(bytes).unwrap_err();
        assert_eq!(fs::read_dir(dir).unwrap().count(), 0);
        assert_eq!(fs::read_dir(outer.path()).unwrap().count(), 1);
        match error {
            UnpackError::Archive(reason) => reason,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn the_listed_files_come_whole() {
        let dir = tempfile::tempdir().unwrap();
        let resources = r#"{"a":"1","sub/":"0","sub/b":"2","empty/":"0"}"#;
        let files = Files::beside(&dir.path().join("t"), &checkpoint(resources)).unwrap();
        let bytes = archive(&[
            ("./sub/b", EntryType::Regular, "bb"),
            ("a", EntryType::Regular, "a"),
        ]);
        let aside = files.unpack(bytes.as_slice()).unwrap();
        let read = |name: &str| fs::read_to_string(aside.path().join(name)).unwrap();
        assert_eq!((read("a"), read("sub/b")), ("a".into(), "bb".into()));
        assert_eq!(read("metadata.json"), r#"{"steps_completed":3}"#);
        assert!(aside.path().join("empty").is_dir());
    }

    #[test]
    fn hostile_archives_are_refused() {
        let file = EntryType::Regular;
        for (entries, word) in [
            (vec![("../x", file, "a")], "outside"),
            (vec![("/nowhere/x", file, "a")], "outside"),
            (vec![("a/../../x", file, "a")], "outside"),
            (vec![("a", EntryType::Symlink, "")], "no plain file"),
            (vec![("a", EntryType::Link, "")], "no plain file"),
            (vec![("a", EntryType::Char, "")], "no plain file"),
            (vec![("a", EntryType::Fifo, "")], "no plain file"),
            (vec![("other", file, "a")], "does not list"),
            (vec![("a", file, "a"), ("a", file, "b")], "came before"),
            (vec![("a", file, "aa")], "2 bytes and should have 1"),
            (vec![], "lacks \"a\" (1 bytes)"),
        ] {
            let reason = refusal(r#"{"a":"1"}"#, &archive(&entries));
            assert!(reason.contains(word), "{entries:?}: {reason}");
        }
        let reason = refusal(r#"{"a":"1"}"#, b"<html>not a tar archive</html>");
        assert!(
            reason.contains("lacks") || reason.contains("damaged"),
            "{reason}"
        );
    }

    #[test]
    fn an_archive_cut_anywhere_is_refused() {
        let entries = [
            ("a", EntryType::Regular, "12345"),
            ("b", EntryType::Regular, "1"),
        ];
        let bytes = archive(&entries);
        // The end after the last byte of b is padding and end marker.
        for length in (0..512 + 512 + 512 + 1).step_by(61) {
            refusal(r#"{"a":"5","b":"1"}"#, &bytes[..length]);
        }
    }

    #[test]
    fn a_list_that_points_elsewhere_is_refused() {
        for path in ["../x", "/etc/passwd", "a/../../b"] {
            let resources = format!(r#"{{"{path}":"1"}}"#);
            let dir = tempfile::tempdir().unwrap();
            let error = Files::beside(&dir.path().join("t"), &checkpoint(&resources));
            assert!(error.is_err(), "{path}");
        }
    }
}
