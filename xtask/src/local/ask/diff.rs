//! What two commits do not share.

use std::io::Write as _;
use std::path::Path;

use anyhow::{Context, Result, bail, ensure};
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
    let (old, new) = sides(root, old, new)?;
    if old.repo != new.repo {
        bail!(
            "the commits are of two repos, {} and {}",
            old.repo,
            new.repo
        );
    }
    let changes = changes(&old.commit.files, &new.commit.files);
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

/// A commit with what it belongs to.
struct Side {
    use_case: String,
    repo: String,
    commit: Commit,
}

/// The two commits that are meant; a repo's name alone is its head, in the use
/// case of the other if that says one.
fn sides(root: &Path, old: &str, new: &str) -> Result<(Side, Side)> {
    if old.contains('@') {
        let old = commit(root, old)?;
        let new = side(root, new, Some(&old.use_case))?;
        return Ok((old, new));
    }
    let new = side(root, new, None)?;
    Ok((head(root, old, Some(&new.use_case))?, new))
}

fn side(root: &Path, wanted: &str, use_case: Option<&str>) -> Result<Side> {
    match wanted.contains('@') {
        true => commit(root, wanted),
        false => head(root, wanted, use_case),
    }
}

fn commit(root: &Path, wanted: &str) -> Result<Side> {
    let found = find(root, "repos", "commits", wanted)?;
    Ok(Side {
        commit: found.state(root)?.repo(&found.owner).read(&found.id)?,
        use_case: found.use_case,
        repo: found.owner,
    })
}

fn head(root: &Path, repo: &str, only: Option<&str>) -> Result<Side> {
    let mut found = Vec::new();
    for use_case in use_cases(root)? {
        if only.is_some_and(|only| only != use_case) {
            continue;
        }
        if let Some(commit) = State::open(root, &use_case)?.repo(repo).head()? {
            found.push(Side {
                use_case,
                repo: repo.to_owned(),
                commit,
            });
        }
    }
    let names: Vec<_> = found.iter().map(|side| side.use_case.clone()).collect();
    ensure!(
        names.len() < 2,
        "there is a repo {repo:?} in {}; write one of the commits as REPO@ID",
        names.join(", ")
    );
    let missing = || format!("there is no repo {repo:?} that has a commit");
    found.pop().with_context(missing)
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
