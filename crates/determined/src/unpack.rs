//! Unpacking an archive that nobody vouches for.

use std::io::{self, Read};
use std::path::Path;

use tar::{Archive, Entry, EntryType};
use tempfile::TempDir;

use crate::files::{Files, ReceiveError, Watched, plain};

/// Reads the whole archive and returns the directory with exactly the files that
/// must come.
pub(crate) fn unpack(mut files: Files, reader: impl Read) -> Result<TempDir, ReceiveError> {
    let mut archive = Archive::new(Watched::new(reader));
    let outcome = take_all(&mut files, &mut archive);
    // What the archive reader says of a cut connection tells less.
    if let Some(error) = archive.into_inner().broken {
        return Err(ReceiveError::Connection(error));
    }
    match outcome {
        // The connection is whole, so it is the archive that ends here.
        Err(ReceiveError::Connection(error)) => Err(damaged(error)),
        Err(error) => Err(error),
        Ok(()) => files.whole(),
    }
}

fn damaged(error: io::Error) -> ReceiveError {
    ReceiveError::Content(format!("the archive is damaged: {error}"))
}

fn take_all<R: Read>(files: &mut Files, archive: &mut Archive<R>) -> Result<(), ReceiveError> {
    for entry in archive.entries().map_err(damaged)? {
        take(files, entry.map_err(damaged)?)?;
    }
    Ok(())
}

fn take<R: Read>(files: &mut Files, entry: Entry<'_, R>) -> Result<(), ReceiveError> {
    let refuse = |reason: String| Err(ReceiveError::Content(reason));
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
    files.receive(&relative.to_string_lossy(), entry.size(), entry)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use tar::{Builder, Header};

    use super::*;
    use crate::Checkpoint;

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
        let error = unpack(files, bytes).unwrap_err();
        assert_eq!(fs::read_dir(dir).unwrap().count(), 0);
        assert_eq!(fs::read_dir(outer.path()).unwrap().count(), 1);
        match error {
            ReceiveError::Content(reason) => reason,
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
        let aside = unpack(files, bytes.as_slice()).unwrap();
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
