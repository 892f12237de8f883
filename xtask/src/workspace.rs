//! Where the workspace is and what its manifest says of the images.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, anyhow};
use semver::Version;
use toml_edit::{DocumentMut, Item};

/// The workspace that xtask was started in.
pub(crate) struct Workspace {
    /// The folder of the top `Cargo.toml`.
    pub(crate) root: PathBuf,
    /// The programs that have an image, each the name of its crate too.
    pub(crate) images: Vec<Image>,
    /// `registry` of `[workspace.metadata.images]`.
    pub(crate) registry: String,
    /// `project` of `[workspace.metadata.images]`.
    pub(crate) project: String,
}

/// A program that has an image.
pub(crate) struct Image {
    /// The name of the crate, the binary and the image.
    pub(crate) name: String,
    /// The version of the crate, which is the image's tag.
    pub(crate) version: Version,
}

impl Workspace {
    /// Finds the workspace by the place of xtask's own manifest, so that the
    /// command works from any folder.
    pub(crate) fn find() -> Result<Self> {
        let manifest = env::var_os("CARGO_MANIFEST_DIR").map(PathBuf::from);
        let manifest = manifest.unwrap_or_else(|| env!("CARGO_MANIFEST_DIR").into());
        let root = manifest.parent().context("xtask has no parent folder")?;
        Self::at(root)
    }

    fn at(root: &Path) -> Result<Self> {
        let document = read_toml(&root.join("Cargo.toml"))?;
        let images = ["workspace", "metadata", "images"]
            .iter()
            .try_fold(document.as_item(), |item, key| item.get(key))
            .context("Cargo.toml has no [workspace.metadata.images]")?;
        let text = |key: &str| {
            let value = images.get(key).and_then(Item::as_str);
            let value = value.with_context(|| missing(key))?;
            anyhow::Ok(value.to_owned())
        };
        let names = images.get("names").and_then(Item::as_array);
        let names = names.with_context(|| missing("names"))?;
        let image = |name: &toml_edit::Value| {
            let name = name.as_str().with_context(|| missing("names"))?.to_owned();
            let version = crate_version(&root.join("crates").join(&name).join("Cargo.toml"))?;
            anyhow::Ok(Image { name, version })
        };
        Ok(Self {
            registry: text("registry")?,
            project: text("project")?,
            images: names.iter().map(image).collect::<Result<_>>()?,
            root: root.to_owned(),
        })
    }
}

fn missing(key: &str) -> anyhow::Error {
    anyhow!("Cargo.toml: [workspace.metadata.images] lacks {key:?}, or it has the wrong type")
}

fn crate_version(manifest: &Path) -> Result<Version> {
    let document = read_toml(manifest)?;
    let version = document
        .get("package")
        .and_then(|package| package.get("version")?.as_str());
    let version = version.with_context(|| format!("{}: no version", manifest.display()))?;
    version
        .parse()
        .with_context(|| format!("{}: version {version:?}", manifest.display()))
}

fn read_toml(path: &Path) -> Result<DocumentMut> {
    let text =
        fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
    text.parse()
        .with_context(|| format!("{} is not TOML", path.display()))
}
