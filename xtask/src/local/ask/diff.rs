//! What two commits do not share.

use std::io::Write as _;
use std::path::Path;

use anyhow::{Context, Result, bail};
use serde::Serialize;

use super::{find, use_cases};
use crate::local::repo::Commit;
use crate::local::state::State;
use crate::local::tree::Tree;

/// A file that is not the same in both, as `pachctl diff file` tells of it.
#[derive(Debug, PartialEq, Serialize)]
struct Change {
    path: String,
    /// Bytes before; nothing for a new file.
    old: Option<u64>,
    /// Bytes after; nothing for a file that is gone.
    new: Option<u64>,
}

pub(super) fn show(root: &Path, old: &str, new: &str, json: bool) -> Result<()> {
    let (old, new) = (commit(root, old)?, commit(root, new)?);
    if old.0 != new.0 {
        bail!("the commits are of two repos, {} and {}", old.0, new.0);
    }
    let changes = changes(&old.1.files, &new.1.files);
    let mut stdout = std::io::stdout().lock();
    if json {
        writeln!(stdout, "{}", serde_json::to_string_pretty(&changes)?)?;
        return Ok(());
    }
    for change in changes {
        let (sign, size) = match (change.old, change.new) {
            (None, Some(new)) => ('+', format!("{new}")),
            (Some(old), None) => ('-', format!("{old}")),
            (old, new) => (
                '~',
                format!("{} -> {}", old.unwrap_or_default(), new.unwrap_or_default()),
            ),
        };
        writeln!(stdout, "{sign} {}  {size} bytes", change.path)?;
    }
    Ok(())
}

/// The repo's name and the commit that `REPO[@ID]` means.
fn commit(root: &Path, wanted: &str) -> Result<(String, Commit)> {
    if wanted.contains('@') {
        let found = find(root, "repos", "commits", wanted)?;
        let commit = found.state(root)?.repo(&found.owner).read(&found.id)?;
        return Ok((found.owner, commit));
    }
    for use_case in use_cases(root)? {
        if let Some(head) = State::open(root, &use_case)?.repo(wanted).head()? {
            return Ok((wanted.to_owned(), head));
        }
    }
    None.with_context(|| format!("there is no repo {wanted:?} that has a commit"))
}

fn changes(old: &Tree, new: &Tree) -> Vec<Change> {
    let mut paths: Vec<&String> = old.keys().chain(new.keys()).collect();
    paths.sort();
    paths.dedup();
    let changed = paths
        .into_iter()
        .filter(|path| old.get(*path) != new.get(*path));
    let change = |path: &String| Change {
        path: format!("/{path}"),
        old: old.get(path).map(|entry| entry.size),
        new: new.get(path).map(|entry| entry.size),
    };
    changed.map(change).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::local::tree::{self, FileEntry};

    #[test]
    fn added_changed_and_removed() {
        let tree = |files: &[(&str, &str)]| -> Tree {
            let entry = |(name, text): &(&str, &str)| {
                let (size, sha256) = (text.len() as u64, tree::digest_text(text));
                ((*name).to_owned(), FileEntry { size, sha256 })
            };
            files.iter().map(entry).collect()
        };
        let found = changes(
            &tree(&[("a", "1"), ("b", "1"), ("c", "1")]),
            &tree(&[("a", "1"), ("b", "22"), ("d", "")]),
        );
        let change = |path: &str, old, new| Change {
            path: path.to_owned(),
            old,
            new,
        };
        let expected = [
            change("/b", Some(1), Some(2)),
            change("/c", Some(1), None),
            change("/d", None, Some(0)),
        ];
        assert_eq!(found, expected);
    }
}
