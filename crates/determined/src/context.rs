//! The code that is sent with an experiment.

use std::fs;
use std::path::Path;
use std::time::UNIX_EPOCH;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use ignore::gitignore::{Gitignore, GitignoreBuilder};
use serde::Serialize;
use walkdir::{DirEntry, WalkDir};

use crate::Error;

/// The most that Determined's own clients send, in bytes before encoding. The
/// master refuses a message over 96 MiB.
pub const MAX_CONTEXT_SIZE: u64 = 95 * 1024 * 1024;

/// Lists what is not sent, as `.gitignore` does; only that of the root counts.
const IGNORE_FILE: &str = ".detignore";

/// What is never sent (`harness/determined/common/constants.py`).
const ALWAYS_IGNORED: [&str; 13] = [
    "__pycache__/",
    "*.py[co]",
    "*$py.class",
    "terraform",
    "terraform_data",
    "terraform.tfstate*",
    "terraform.tfvars*",
    ".terraform*",
    ".git/",
    ".vscode/",
    ".idea/",
    ".mypy_cache/",
    "/shared_fs",
];

/// One file or directory of a model definition, as the API takes it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ContextFile {
    path: String,
    /// The type byte of the tar format: 48 for a file, 53 for a directory.
    r#type: u8,
    /// Base64.
    content: String,
    /// Seconds since 1970, as a text.
    mtime: String,
    /// Type and permissions, as `st_mode`.
    mode: u32,
    uid: u32,
    gid: u32,
}

const FILE: u8 = b'0';
const DIRECTORY: u8 = b'5';
const MODE_OF_FILES: u32 = 0o100_644;
const MODE_OF_PROGRAMS: u32 = 0o100_755;
const MODE_OF_DIRECTORIES: u32 = 0o040_755;

impl ContextFile {
    /// A file with this content below the root. Its path has no leading `./`.
    pub fn new(path: &str, content: &[u8], executable: bool) -> Self {
        let mode = if executable {
            MODE_OF_PROGRAMS
        } else {
            MODE_OF_FILES
        };
        Self::make(path.to_owned(), FILE, content, 0, mode)
    }

    /// A directory below the root. It must come before what it holds.
    pub fn directory(path: &str) -> Self {
        Self::make(path.to_owned(), DIRECTORY, &[], 0, MODE_OF_DIRECTORIES)
    }

    fn make(path: String, kind: u8, content: &[u8], mtime: u64, mode: u32) -> Self {
        Self {
            path,
            r#type: kind,
            content: BASE64_STANDARD.encode(content),
            mtime: mtime.to_string(),
            mode,
            // The user of the task becomes the owner.
            uid: 0,
            gid: 0,
        }
    }

    /// Where it lies below the root, with `/` between directories.
    pub fn path(&self) -> &str {
        &self.path
    }
}

/// Reads the directory `root` as Determined's own clients do: sorted, every
/// directory before what it holds, without what `.detignore` names and without
/// that file. A link to a file is sent as the file; a link to a directory as an
/// empty directory.
///
/// # Errors
///
/// When a file cannot be read, has a name that is not UTF-8, or is neither file
/// nor directory; when all together are over [`MAX_CONTEXT_SIZE`].
pub fn context_directory(root: &Path) -> Result<Vec<ContextFile>, Error> {
    read_directory(root, None)
}

/// Like [`context_directory`], for a `root` whose links are not trusted, as those of
/// a repository that somebody else writes: one that leads out of the directory
/// `bounds`, which holds `root`, is an error unless `.detignore` names it.
///
/// # Errors
///
/// As of [`context_directory`], and for such links.
pub fn context_directory_within(root: &Path, bounds: &Path) -> Result<Vec<ContextFile>, Error> {
    let bounds = fs::canonicalize(bounds).map_err(Error::file("read", bounds))?;
    for path in [root, &root.join(IGNORE_FILE)] {
        check_bounds(path, &bounds)?;
    }
    read_directory(root, Some(&bounds))
}

fn check_bounds(path: &Path, bounds: &Path) -> Result<(), Error> {
    let target = match fs::canonicalize(path) {
        Ok(target) => target,
        // Whoever needs it will say so.
        Err(_) => return Ok(()),
    };
    if target.starts_with(bounds) {
        return Ok(());
    }
    let reason = "it is a link that leads out of the directory; remove it, or name it in";
    Err(refused(path, format!("{reason} {IGNORE_FILE}")))
}

fn read_directory(root: &Path, bounds: Option<&Path>) -> Result<Vec<ContextFile>, Error> {
    let ignored = ignore_rules(root)?;
    let kept = |entry: &DirEntry| {
        entry.depth() == 0
            || !ignored
                .matched(entry.path(), entry.path().is_dir())
                .is_ignore()
    };
    let (mut files, mut size) = (Vec::new(), 0);
    let walk = WalkDir::new(root).min_depth(1).sort_by_file_name();
    for entry in walk.into_iter().filter_entry(kept) {
        let entry = entry.map_err(|e| Error::file("walk", root)(e.into()))?;
        if entry.depth() == 1 && entry.file_name() == IGNORE_FILE {
            continue;
        }
        if let Some(bounds) = bounds.filter(|_| entry.path_is_symlink()) {
            check_bounds(entry.path(), bounds)?;
        }
        let (file, bytes) = read_entry(root, &entry)?;
        files.push(file);
        size += bytes;
        if size > MAX_CONTEXT_SIZE {
            let reason = format!(
                "it holds more than {} MiB; name what is not needed in {IGNORE_FILE}",
                MAX_CONTEXT_SIZE >> 20
            );
            return Err(refused(root, reason));
        }
    }
    Ok(files)
}

fn refused(path: &Path, reason: String) -> Error {
    Error::setting("model definition", &path.display().to_string(), reason)
}

fn ignore_rules(root: &Path) -> Result<Gitignore, Error> {
    let mut rules = GitignoreBuilder::new(root);
    let file = root.join(IGNORE_FILE);
    let own = if file.is_file() {
        fs::read_to_string(&file).map_err(Error::file("read", &file))?
    } else {
        String::new()
    };
    for line in ALWAYS_IGNORED.into_iter().chain(own.lines()) {
        rules
            .add_line(None, line)
            .map_err(|e| refused(&file, e.to_string()))?;
    }
    rules.build().map_err(|e| refused(&file, e.to_string()))
}

/// The entry, and its size in bytes.
fn read_entry(root: &Path, entry: &DirEntry) -> Result<(ContextFile, u64), Error> {
    let path = entry.path();
    let below = path.strip_prefix(root).unwrap_or(path);
    let Some(name) = below.to_str() else {
        return Err(refused(path, "its name is not UTF-8".to_owned()));
    };
    let name = name.replace(std::path::MAIN_SEPARATOR, "/");
    let meta = fs::metadata(path).map_err(Error::file("read", path))?;
    let mtime = meta.modified().ok();
    let mtime = mtime.and_then(|time| time.duration_since(UNIX_EPOCH).ok());
    let mtime = mtime.unwrap_or_default().as_secs();
    if meta.is_dir() {
        let mode = mode_of(&meta, MODE_OF_DIRECTORIES);
        let file = ContextFile::make(name, DIRECTORY, &[], mtime, mode);
        return Ok((file, 0));
    }
    if !meta.is_file() {
        return Err(refused(
            path,
            "it is neither a file nor a directory".to_owned(),
        ));
    }
    // Not even read: a data set left in the directory may be larger than memory.
    if meta.len() > MAX_CONTEXT_SIZE {
        let reason = format!(
            "this file alone is over {} MiB; name it in {IGNORE_FILE}",
            MAX_CONTEXT_SIZE >> 20
        );
        return Err(refused(path, reason));
    }
    let content = fs::read(path).map_err(Error::file("read", path))?;
    let mode = mode_of(&meta, MODE_OF_FILES);
    let file = ContextFile::make(name, FILE, &content, mtime, mode);
    Ok((file, content.len() as u64))
}

#[cfg(unix)]
fn mode_of(meta: &fs::Metadata, _: u32) -> u32 {
    use std::os::unix::fs::MetadataExt;
    meta.mode()
}

#[cfg(not(unix))]
fn mode_of(_: &fs::Metadata, otherwise: u32) -> u32 {
    otherwise
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::{PermissionsExt, symlink};

    fn write(root: &Path, name: &str, content: &str) {
        let path = root.join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }

    fn paths(root: &Path) -> Vec<String> {
        let files = context_directory(root).unwrap();
        files.into_iter().map(|f| f.path).collect()
    }

    /// The directory of the recorded conversation "create_experiment with model
    /// dir": same entries as the Python SDK sends.
    #[test]
    fn a_directory_is_sent_as_the_sdk_does() {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path();
        write(root, "model_def.py", "print('hi')\n");
        write(root, "run.sh", "#!/bin/sh\n");
        fs::set_permissions(root.join("run.sh"), fs::Permissions::from_mode(0o755)).unwrap();
        symlink("run.sh", root.join("link.sh")).unwrap();
        write(root, "sub/a.txt", "a");
        write(root, "sub/__pycache__/a.pyc", "x");
        write(root, "data/big.bin", "x");
        write(root, "sub/data/kept", "x");
        write(root, ".git/HEAD", "x");
        write(root, ".detignore", "/data\n*.log\n!kept.log\n");
        write(root, "out.log", "x");
        write(root, "kept.log", "x");
        fs::create_dir(root.join("empty")).unwrap();
        let files = context_directory(root).unwrap();
        let got: Vec<_> = files
            .iter()
            .map(|f| {
                (
                    f.path.as_str(),
                    f.r#type,
                    f.content.as_str(),
                    f.mode & 0o170_777,
                )
            })
            .collect();
        let mode = 0o100_644;
        assert_eq!(
            got,
            [
                ("empty", 53, "", 0o040_755),
                ("kept.log", 48, "eA==", mode),
                ("link.sh", 48, "IyEvYmluL3NoCg==", 0o100_755),
                ("model_def.py", 48, "cHJpbnQoJ2hpJykK", mode),
                ("run.sh", 48, "IyEvYmluL3NoCg==", 0o100_755),
                ("sub", 53, "", 0o040_755),
                ("sub/a.txt", 48, "YQ==", mode),
                ("sub/data", 53, "", 0o040_755),
                ("sub/data/kept", 48, "eA==", mode),
            ]
        );
    }

    #[test]
    fn a_link_to_a_directory_is_not_followed() {
        let dir = tempfile::tempdir().unwrap();
        write(dir.path(), "a/b", "x");
        symlink(".", dir.path().join("loop")).unwrap();
        assert_eq!(paths(dir.path()), ["a", "a/b", "loop"]);
    }

    #[test]
    fn a_link_out_of_the_bounds_is_refused_unless_it_is_ignored() {
        let dir = tempfile::tempdir().unwrap();
        let bounds = dir.path().join("repository");
        let root = bounds.join("experiment");
        write(&root, "a.py", "x");
        write(&bounds, "lib/b.py", "x");
        write(dir.path(), "secret", "x");
        symlink("../lib/b.py", root.join("b.py")).unwrap();
        let sent = |root: &Path| context_directory_within(root, &bounds);
        let inside = sent(&root).unwrap();
        assert_eq!(
            inside.iter().map(ContextFile::path).collect::<Vec<_>>(),
            ["a.py", "b.py"]
        );
        for target in ["../../secret", "/proc/self/environ", "../.."] {
            symlink(target, root.join("out")).unwrap();
            let message = sent(&root).unwrap_err().to_string();
            assert!(message.contains("leads out of"), "{message}");
            write(&root, IGNORE_FILE, "/out\n");
            assert_eq!(sent(&root).unwrap(), inside);
            fs::remove_file(root.join(IGNORE_FILE)).unwrap();
            fs::remove_file(root.join("out")).unwrap();
        }
        symlink("../../secret", root.join(IGNORE_FILE)).unwrap();
        assert!(sent(&root).is_err());
        symlink(dir.path(), bounds.join("outside")).unwrap();
        assert!(sent(&bounds.join("outside")).is_err());
    }

    #[test]
    fn what_cannot_be_sent_is_named() {
        let dir = tempfile::tempdir().unwrap();
        symlink("nowhere", dir.path().join("broken")).unwrap();
        let message = context_directory(dir.path()).unwrap_err().to_string();
        assert!(message.contains("broken"), "{message}");
        fs::remove_file(dir.path().join("broken")).unwrap();
        let large = fs::File::create(dir.path().join("large")).unwrap();
        large.set_len(MAX_CONTEXT_SIZE + 1).unwrap();
        let message = context_directory(dir.path()).unwrap_err().to_string();
        assert!(
            message.contains("large") && message.contains(".detignore"),
            "{message}"
        );
    }
}
