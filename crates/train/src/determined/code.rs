//! The experiment's code: a folder, or a commit of a git repository.

use std::fs;
use std::path::{Component, Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use determined::{ContextFile, context_directory, context_directory_within};
use git::Remote;
use serde_json::{Value, json};
use tempfile::TempDir;

use super::options::{DeterminedOptions, given, variable};
use super::secrets::Secrets;
use crate::Args;
use crate::progress::{step, warn};
use crate::run::counted;

/// Where the experiment's code lies.
pub(super) struct Code {
    folder: PathBuf,
    /// None of a folder that was given.
    checkout: Option<Checkout>,
}

/// A commit's files below the temporary folder, until this is dropped.
struct Checkout {
    root: TempDir,
    origin: Value,
    commit: String,
}

impl Code {
    /// Looks the folder up, or fetches the repository; learns the secrets that this
    /// takes.
    pub(super) fn open(args: &Args, secrets: &mut Secrets) -> Result<Self> {
        let options = &args.determined;
        let sub_dir = sub_dir(options)?;
        match (&options.code, given(options.git_url.as_ref())) {
            (Some(_), Some(_)) => bail!("give the code by --code or by --git-url, not by both"),
            (None, None) => bail!(
                "--engine determined needs the experiment's code: give its folder with --code, or its repository with --git-url"
            ),
            (None, Some(url)) => fetched(options, &url, &sub_dir, secrets),
            (Some(code), None) => {
                let folder = args.training.below_pfs(code).join(sub_dir);
                ensure!(
                    folder.is_dir(),
                    "--code {} is not a folder",
                    folder.display()
                );
                Ok(Self {
                    folder,
                    checkout: None,
                })
            }
        }
    }

    /// The experiment's configuration: an absolute path as it is, and else a file of
    /// the code's folder.
    pub(super) fn config_file(&self, args: &Args) -> Result<PathBuf> {
        let Some(path) = &args.training.config else {
            bail!(
                "--engine determined needs the experiment's configuration: name its file in the code's folder with --config"
            );
        };
        if path.is_absolute() {
            return Ok(args.training.below_pfs(path));
        }
        let file = self.folder.join(path);
        if let Some(checkout) = &self.checkout {
            checkout.check(&file, Path::is_file)?;
        }
        Ok(file)
    }

    /// What is sent to the master.
    pub(super) fn files(&self) -> Result<Vec<ContextFile>> {
        let files = match &self.checkout {
            None => context_directory(&self.folder)?,
            Some(checkout) => context_directory_within(&self.folder, checkout.root.path())?,
        };
        Ok(files)
    }

    /// Repository, revision, commit and folder of code that is from git.
    pub(super) fn origin(&self) -> Option<&Value> {
        self.checkout.as_ref().map(|checkout| &checkout.origin)
    }
}

impl Checkout {
    /// Refuses a path that is not there, or is a link that leads out.
    fn check(&self, path: &Path, is_kind: fn(&Path) -> bool) -> Result<()> {
        let root = self.root.path();
        let name = path.strip_prefix(root).unwrap_or(path).display();
        let place = format!("commit {}", self.commit);
        ensure!(is_kind(path), "{place} has no {name}");
        let (target, root) = (fs::canonicalize(path)?, fs::canonicalize(root)?);
        ensure!(
            target.starts_with(root),
            "{place}: {name} is a link that leads out of the repository"
        );
        Ok(())
    }
}

fn sub_dir(options: &DeterminedOptions) -> Result<PathBuf> {
    let path = options.sub_dir.clone().unwrap_or_default();
    let is_below = |part| matches!(part, Component::Normal(_) | Component::CurDir);
    ensure!(
        path.components().all(is_below),
        "--sub-dir {} is not a folder below the code's",
        path.display()
    );
    Ok(path)
}

fn fetched(
    options: &DeterminedOptions,
    url: &str,
    sub_dir: &Path,
    secrets: &mut Secrets,
) -> Result<Code> {
    let remote = remote(options, url, secrets)?;
    let reference = given(options.git_ref.as_ref());
    let reference = reference.as_deref().unwrap_or("HEAD");
    step(format_args!("fetching {reference} of {remote}"));
    let root = tempfile::tempdir().context("cannot create a temporary folder")?;
    let fetched = git::fetch(&remote, reference, root.path())
        .context("the experiment's code cannot be fetched")?;
    let (commit, revision) = (&fetched.commit, &fetched.revision);
    let files = counted(fetched.files, "file");
    step(format_args!(
        "fetched commit {commit} of {revision}: {files}"
    ));
    for module in &fetched.submodules {
        warn(&format!(
            "the submodule {module} is left out, as git does too"
        ));
    }
    let checkout = Checkout {
        origin: json!({
            "url": remote.to_string(),
            "ref": revision,
            "commit": commit,
            "sub_dir": sub_dir.display().to_string(),
        }),
        commit: fetched.commit,
        root,
    };
    let folder = checkout.root.path().join(sub_dir);
    checkout.check(&folder, Path::is_dir)?;
    Ok(Code {
        folder,
        checkout: Some(checkout),
    })
}

/// The repository, with the credentials of the environment, else of its address.
fn remote(options: &DeterminedOptions, url: &str, secrets: &mut Secrets) -> Result<Remote> {
    let token = match &options.git_token_file {
        Some(path) => fs::read_to_string(path)
            .map(|text| Some(text.trim().to_owned()))
            .with_context(|| format!("cannot read the token in {}", path.display()))?,
        None => variable("GIT_TOKEN").or_else(|| variable("GIT_PASSWORD")),
    };
    let token = token.filter(|token| !token.is_empty());
    secrets.learn(token.as_deref().unwrap_or_default());
    let mut remote =
        Remote::new(url)?.with_credentials(given(options.git_user.as_ref()), token.map(Into::into));
    if let Some(file) = variable("GIT_SSL_CAINFO") {
        remote = remote.with_certificates(file.into());
    }
    let Some((user, token)) = remote.credentials() else {
        return Ok(remote);
    };
    secrets.learn(if token.is_empty() { user } else { token });
    // As HTTP sends them.
    secrets.learn(&BASE64_STANDARD.encode(format!("{user}:{token}")));
    if remote.is_clear_text() {
        warn(&format!(
            "a token for {remote} would go over the network in clear text: give its https:// address"
        ));
    }
    Ok(remote)
}
