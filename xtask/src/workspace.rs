//! Where the workspace is and what its manifest says of the images.

use std::collections::BTreeMap;
use std::env;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, anyhow, bail};
use semver::Version;
use toml_edit::{DocumentMut, Item, TableLike};

use crate::images::containerfile;

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
    /// `platform` of `[workspace.metadata.images]`, as `linux/arm64`.
    pub(crate) platform: Option<String>,
    /// `size-limits` of `[workspace.metadata.images]`: megabytes by image, and
    /// of all together as `total`.
    pub(crate) size_limits: BTreeMap<String, u64>,
    /// The `[profile]` of the top manifest, as text.
    pub(crate) profile: String,
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

    /// Reads the manifests once more.
    pub(crate) fn again(&self) -> Result<Self> {
        Self::at(&self.root)
    }

    /// Reads the manifests of the workspace at `root`.
    pub(crate) fn at(root: &Path) -> Result<Self> {
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
        let named = |name: &toml_edit::Value| {
            let name = name.as_str().with_context(|| missing("names"))?.to_owned();
            image(&root.join("crates").join(&name).join("Cargo.toml"), name)
        };
        Ok(Self {
            registry: text("registry")?,
            project: text("project")?,
            images: names.iter().map(named).collect::<Result<_>>()?,
            platform: images
                .get("platform")
                .and_then(Item::as_str)
                .map(str::to_owned),
            size_limits: size_limits(images)?,
            profile: profile(&document),
            root: root.to_owned(),
        })
    }

    /// The images of these names, in the workspace's order; all when none is
    /// named.
    pub(crate) fn select(&self, names: &[String]) -> Result<Vec<&Image>> {
        for name in names {
            if !self.images.iter().any(|image| image.name == *name) {
                let known: Vec<&str> = self.images.iter().map(|i| i.name.as_str()).collect();
                bail!(
                    "no image is called {name:?}; there are {}",
                    known.join(", ")
                );
            }
        }
        let chosen = |image: &&Image| names.is_empty() || names.contains(&image.name);
        Ok(self.images.iter().filter(chosen).collect())
    }

    /// Whether the image `name` holds ONNX Runtime, so that its program is linked
    /// dynamically. A container file that cannot be read says no.
    pub(crate) fn takes_libraries(&self, name: &str) -> bool {
        let text = fs::read_to_string(self.dockerfile(name));
        text.is_ok_and(|text| containerfile::takes_libraries(&text))
    }

    /// The container file of the image `name`.
    pub(crate) fn dockerfile(&self, name: &str) -> PathBuf {
        self.root.join("containers").join(name).join("Dockerfile")
    }
}

/// The `[profile]` table as a document of its own.
fn profile(manifest: &DocumentMut) -> String {
    let mut document = DocumentMut::new();
    if let Some(profile) = manifest.get("profile") {
        document.insert("profile", profile.clone());
    }
    document.to_string()
}

fn size_limits(images: &Item) -> Result<BTreeMap<String, u64>> {
    let limits = images.get("size-limits").and_then(Item::as_table_like);
    let limits = limits.into_iter().flat_map(TableLike::iter);
    let limit = |(name, value): (&str, &Item)| {
        let limit = value
            .as_integer()
            .and_then(|limit| u64::try_from(limit).ok());
        let limit = limit.with_context(|| missing("size-limits"))?;
        Ok((name.to_owned(), limit))
    };
    limits.map(limit).collect()
}

fn missing(key: &str) -> anyhow::Error {
    anyhow!("Cargo.toml: [workspace.metadata.images] lacks {key:?}, or it has the wrong type")
}

fn image(manifest: &Path, name: String) -> Result<Image> {
    let document = read_toml(manifest)?;
    let field = |key: &str| document.get("package")?.get(key)?.as_str();
    let version = field("version");
    let version = version.with_context(|| {
        format!(
            "{}: an image needs a version of its own, as version = \"0.0.1\" under [package]",
            manifest.display()
        )
    })?;
    let version = version
        .parse()
        .with_context(|| format!("{}: version {version:?}", manifest.display()))?;
    Ok(Image { name, version })
}

fn read_toml(path: &Path) -> Result<DocumentMut> {
    let text =
        fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
    text.parse()
        .with_context(|| format!("{} is not TOML", path.display()))
}
