//! Where a backbone is: below `--backbones`, in a folder, or in an object store.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};
use backbone::{Backbone, DESCRIPTION_FILE, Description};
use model::Digest;
use model::publish::Staging;
use storage::{Access, Folder, Place};
use tempfile::TempDir;
use tokio::runtime::Runtime;

use crate::TrainingOptions;
use crate::progress::{step, warn};
use crate::run::counted;
use crate::waiting::{runtime, wait};

/// The part of `--cache` that holds backbones, each by the digest of its description.
const KEPT: &str = "backbones";

/// The largest description, in bytes.
const MOST_DESCRIBED: u64 = 1 << 20;

/// The largest backbone, in bytes: a graph cannot be larger.
const MOST: u64 = 2 << 30;

/// The folder of a backbone.
#[derive(Debug)]
pub(crate) struct Source {
    path: PathBuf,
    /// What was fetched and is kept nowhere goes when this is dropped.
    _scratch: Option<TempDir>,
}

impl Source {
    /// The folder that `name` means: one below `--backbones`, a folder with a `/`, or the
    /// URL of one in an object store, which is fetched.
    ///
    /// # Errors
    ///
    /// When there is no such folder, or it cannot be fetched.
    pub(super) fn find(options: &TrainingOptions, name: &str) -> Result<Self> {
        if is_url(name) {
            return of_url(options, name);
        }
        let by_path = name.contains('/');
        let path = match by_path {
            true => options.below_pfs(name.as_ref()),
            false => options.backbones.join(name),
        };
        if !path.is_dir() {
            let shown = path.display();
            if by_path {
                bail!("there is no backbone in {shown}: is there an input of that name?");
            }
            bail!(
                "there is no backbone {shown}: get it with `cargo xtask backbone {name}`, or name \
                 a folder, as `backbone: /pfs/backbone`, or a URL, as `backbone: s3://bucket/folder`"
            );
        }
        Ok(Self::here(path))
    }

    /// The folder.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    fn here(path: PathBuf) -> Self {
        Self {
            path,
            _scratch: None,
        }
    }
}

/// Whether a backbone's name is the URL of one.
pub(crate) fn is_url(name: &str) -> bool {
    name.contains("://")
}

/// Where a backbone of this URL is looked for below `--backbones`, before it is fetched:
/// `s3/bucket/folder`.
pub(crate) fn mirrored(url: &str) -> String {
    url.trim()
        .trim_end_matches('/')
        .replacen("://", "/", 1)
        .replace("//", "/")
}

fn of_url(options: &TrainingOptions, url: &str) -> Result<Source> {
    let (place, url) = Place::parse(url).context("the backbone's URL cannot be used")?;
    let here = options.backbones.join(mirrored(&url));
    if here.is_dir() {
        step(format_args!("taking {} for {url}", here.display()));
        return Ok(Source::here(here));
    }
    if let Place::Folder(folder) = place {
        let folder = options.below_pfs(&folder);
        let shown = folder.display();
        ensure!(
            folder.is_dir(),
            "there is no backbone in {shown}: mount its folder, or name another one"
        );
        return Ok(Source::here(folder));
    }
    let fetched = Remote::open(&url).and_then(|remote| remote.fetch(options.cache.as_deref()));
    fetched.with_context(|| format!("cannot fetch the backbone {url}"))
}

/// A backbone in an object store.
struct Remote {
    folder: Folder,
    url: String,
    runtime: Runtime,
}

impl Remote {
    fn open(url: &str) -> Result<Self> {
        let access = Access::from_variables(std::env::vars());
        let runtime = runtime()?;
        let folder = wait(&runtime, Folder::open(url, &access))?;
        Ok(Self {
            folder,
            url: url.to_owned(),
            runtime,
        })
    }

    /// The folder with its files: the one that is kept below `cache`, or else a new one.
    fn fetch(&self, cache: Option<&Path>) -> Result<Source> {
        let text = self.file(DESCRIPTION_FILE, MOST_DESCRIBED)?;
        let shown = self.folder.shown(DESCRIPTION_FILE);
        let description = Description::parse(&text, shown.as_ref())?;
        let digest = Digest::of(&text);
        if let Some(kept) = place_to_keep(cache, &description, digest) {
            if let Some(source) = kept_before(&kept, digest) {
                return Ok(source);
            }
            self.write(&kept, &text, &description)?;
            return Ok(Source::here(kept));
        }
        let scratch = tempfile::tempdir().context("cannot create a temporary folder")?;
        let path = scratch.path().join("backbone");
        self.write(&path, &text, &description)?;
        Ok(Source {
            path,
            _scratch: Some(scratch),
        })
    }

    /// Makes the folder `target` of what is described, whole or not at all.
    fn write(&self, target: &Path, text: &[u8], description: &Description) -> Result<()> {
        let staging = Staging::new(target)?;
        staging.write(DESCRIPTION_FILE, text)?;
        let names = description.beside();
        step(format_args!(
            "fetching {} of the backbone {}",
            counted(names.len() + 1, "file"),
            self.url
        ));
        let mut left = MOST;
        for name in names {
            let content = self.file(name, left)?;
            left = left.saturating_sub(content.len() as u64);
            if let Some(expected) = description.files.get(name) {
                let found = Digest::of(&content);
                ensure!(
                    found == *expected,
                    "{} is damaged: its digest is {found}, and {DESCRIPTION_FILE} says {expected}; \
                     put the file that it describes there again",
                    self.folder.shown(name)
                );
            }
            staging.write(name, &content)?;
        }
        let mebibytes = (MOST - left).div_ceil(1 << 20);
        step(format_args!("fetched {mebibytes} MiB"));
        Ok(staging.publish()?)
    }

    fn file(&self, name: &str, most: u64) -> Result<Vec<u8>> {
        let found = wait(&self.runtime, self.folder.read(name, most))?;
        found.with_context(|| {
            format!(
                "there is no {}: name the folder that holds {DESCRIPTION_FILE} and the files that \
                 it describes",
                self.folder.shown(name)
            )
        })
    }
}

/// Where a backbone is kept below `cache`; nowhere, if its digest does not say what all
/// of its files are.
fn place_to_keep(
    cache: Option<&Path>,
    description: &Description,
    digest: Digest,
) -> Option<PathBuf> {
    let cache = cache?;
    let is_pinned = |name: &&str| description.files.contains_key(*name);
    if let Some(name) = description.beside().iter().find(|name| !is_pinned(name)) {
        warn(&format!(
            "the backbone is not kept in {}: its {DESCRIPTION_FILE} does not say the digest of \
             {name} under `files`",
            cache.display()
        ));
        return None;
    }
    let folder = cache.join(KEPT);
    if let Err(error) = fs::create_dir_all(&folder) {
        let shown = folder.display();
        warn(&format!(
            "the backbone is not kept: cannot make {shown}: {error}"
        ));
        return None;
    }
    Some(folder.join(digest.to_string().replace("sha256:", "")))
}

/// The backbone that is kept in `folder`, unless it is damaged: it is then removed.
fn kept_before(folder: &Path, digest: Digest) -> Option<Source> {
    if !folder.exists() {
        return None;
    }
    let problem = match Backbone::open(folder) {
        Ok(backbone) if backbone.digest == digest => {
            step(format_args!("the backbone was fetched before"));
            return Some(Source::here(folder.to_owned()));
        }
        Ok(backbone) => format!("its digest is {}", backbone.digest),
        Err(error) => error.to_string(),
    };
    let shown = folder.display();
    warn(&format!(
        "the backbone in {shown} is fetched again: {problem}"
    ));
    let _ = fs::remove_dir_all(folder);
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_has_a_place_below_the_backbones() {
        for (url, place) in [
            ("s3://models/nets/eff/", "s3/models/nets/eff"),
            ("az://models", "az/models"),
            ("file:///srv/eff", "file/srv/eff"),
        ] {
            assert!(is_url(url));
            assert_eq!(mirrored(url), place);
        }
        assert!(!is_url("/pfs/backbone"));
    }
}
