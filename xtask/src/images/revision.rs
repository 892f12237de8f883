//! Which commit the images are made of, and when that was.

use std::path::Path;
use std::time::{Duration, SystemTime};

use anyhow::{Context, Result};
use xshell::{Shell, cmd};

/// What git says of the workspace.
#[derive(Clone, Default)]
pub(crate) struct Revision {
    /// The commit, when the workspace is a git repository with one.
    pub(crate) commit: Option<String>,
    /// RFC 3339: `SOURCE_DATE_EPOCH`, else the commit's time, else 1970.
    pub(crate) created: String,
    /// Files that differ from the commit.
    pub(crate) changed: Vec<String>,
}

impl Revision {
    /// Asks git.
    ///
    /// # Errors
    /// When `SOURCE_DATE_EPOCH` is no number.
    pub(crate) fn of(root: &Path) -> Result<Self> {
        let sh = Shell::new()?;
        sh.change_dir(root);
        let git = |words: &[&str]| {
            let output = cmd!(sh, "git {words...}").quiet().ignore_stderr();
            output.read().ok()
        };
        let head = git(&["log", "-1", "--format=%H %ct"]);
        let head = head.as_deref().and_then(|head| head.split_once(' '));
        let epoch = std::env::var("SOURCE_DATE_EPOCH").ok();
        let seconds: u64 = match (epoch.as_deref(), head) {
            (Some(epoch), _) => epoch.parse().context("SOURCE_DATE_EPOCH is no number")?,
            (None, Some((_, time))) => time.parse().unwrap_or(0),
            (None, None) => 0,
        };
        let created = SystemTime::UNIX_EPOCH + Duration::from_secs(seconds);
        // Paths relative to `root`, also when it is a folder of a repository.
        let status = git(&["status", "--porcelain", "-uall", "--no-renames", "--", "."]);
        let prefix = git(&["rev-parse", "--show-prefix"]).unwrap_or_default();
        let changed = status.unwrap_or_default();
        let changed = changed.lines().filter_map(|line| line.get(3..));
        let changed = changed.map(|path| path.trim_matches('"'));
        let changed = changed.map(|path| path.strip_prefix(prefix.trim()).unwrap_or(path));
        Ok(Self {
            commit: head.map(|(commit, _)| commit.to_owned()),
            created: humantime::format_rfc3339_seconds(created).to_string(),
            changed: changed.map(str::to_owned).collect(),
        })
    }
}
