//! The version of a crate in its manifest and in the lock file.

use std::ops::Range;

use anyhow::{Context, Result, bail};
use semver::Version;
use toml_edit::{Document, Item, TableLike};

use crate::refs::Edit;

/// The edit that gives the crate of this manifest the version `to`, if it has
/// another one.
///
/// # Errors
/// When the manifest has no version of its own.
pub(crate) fn crate_edit(manifest: &str, to: &Version) -> Result<Option<Edit>> {
    let document = Document::parse(manifest)?;
    let version = document
        .get("package")
        .and_then(|package| package.get("version"));
    let version = version.context("there is no version under [package]")?;
    if version.get("workspace").is_some() {
        bail!(
            "the version is inherited from the workspace; an image needs a version of its own, \
             as version = \"{to}\""
        );
    }
    edit(manifest, version, to)
}

/// The edits that give the crate `name` of the workspace the version `to` in
/// the lock file, also where another package names it with its version.
///
/// # Errors
/// When the lock file does not hold the crate.
pub(crate) fn lock_edits(lock: &str, name: &str, to: &Version) -> Result<Vec<Edit>> {
    let document = Document::parse(lock)?;
    let packages = document.get("package").and_then(Item::as_array_of_tables);
    let packages = packages.context("there is no [[package]]")?;
    let ours = |package: &&toml_edit::Table| {
        let named = package.get("name").and_then(Item::as_str) == Some(name);
        named && !package.contains_key("source")
    };
    let package = packages.iter().find(ours);
    let version = package.and_then(|package| package.get("version"));
    let version = version.with_context(|| format!("there is no {name} of this workspace"))?;
    let mut edits: Vec<Edit> = edit(lock, version, to)?.into_iter().collect();
    // Written with its version where several packages have this name.
    let old = format!("{name} {}", version.as_str().unwrap_or_default());
    for package in packages {
        for (value, span) in dependencies(package) {
            if value == old && value != format!("{name} {to}") {
                edits.push(inner(&span, &format!("{name} {to}")));
            }
        }
    }
    Ok(edits)
}

/// The version of the workspace's crate `name` in the lock file, with its place.
///
/// # Errors
/// When the lock file is not TOML.
pub(crate) fn locked(lock: &str, name: &str) -> Result<Option<(String, usize)>> {
    let document = Document::parse(lock)?;
    let packages = document.get("package").and_then(Item::as_array_of_tables);
    let mut packages = packages.into_iter().flatten();
    let package = packages.find(|package| {
        let named = package.get("name").and_then(Item::as_str) == Some(name);
        named && !package.contains_key("source")
    });
    let version = package.and_then(|package| package.get("version"));
    let found = version.and_then(|version| {
        let start = version.span().map_or(0, |span| span.start);
        Some((version.as_str()?.to_owned(), start))
    });
    Ok(found)
}

fn dependencies(package: &toml_edit::Table) -> impl Iterator<Item = (&str, Range<usize>)> {
    let list = TableLike::get(package, "dependencies").and_then(Item::as_array);
    let values = list.into_iter().flatten();
    values.filter_map(|value| Some((value.as_str()?, value.span()?)))
}

fn edit(text: &str, version: &Item, to: &Version) -> Result<Option<Edit>> {
    let old = version.as_str().context("the version is no string")?;
    let span = version.span().context("the version has no place")?;
    let edit = inner(&span, &to.to_string());
    let written = text.get(edit.span.clone());
    if written != Some(old) {
        bail!("the version {old:?} is written with escapes or in three quotes");
    }
    Ok((old != to.to_string()).then_some(edit))
}

/// An edit of what stands between a string's quotes.
fn inner(span: &Range<usize>, text: &str) -> Edit {
    Edit {
        span: span.start + 1..span.end.saturating_sub(1),
        text: text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::refs::apply;

    fn to() -> Version {
        "0.0.2".parse().unwrap()
    }

    #[test]
    fn only_the_crates_own_version_changes() {
        let manifest = "# version = \"0.0.1\"\r\n[package]\r\nname='serve'\r\n  version = '0.0.1' # x\r\n\
                        [dependencies]\r\nx = { version = \"0.0.1\" }";
        let edit = crate_edit(manifest, &to()).unwrap().unwrap();
        let after = apply(manifest, vec![edit]).unwrap();
        assert_eq!(after, manifest.replace("'0.0.1' #", "'0.0.2' #"));
        assert_eq!(crate_edit(&after, &to()).unwrap(), None);
    }

    #[test]
    fn a_version_of_the_workspace_is_refused() {
        let error = crate_edit("[package]\nversion.workspace = true\n", &to()).unwrap_err();
        assert!(error.to_string().contains("inherited"), "{error}");
    }

    #[test]
    fn the_lock_file_keeps_a_foreign_package_of_the_same_name() {
        let lock = "[[package]]\nname = \"serve\"\nversion = \"0.0.1\"\n\
                    source = \"registry+x\"\n\n\
                    [[package]]\nname = \"serve\"\nversion = \"0.0.1\"\n\n\
                    [[package]]\nname = \"x\"\nversion = \"1.0.0\"\n\
                    dependencies = [\n \"serve 0.0.1\",\n \"serve 0.0.1 (registry+x)\",\n]\n";
        let edits = lock_edits(lock, "serve", &to()).unwrap();
        let after = apply(lock, edits).unwrap();
        let wanted = "[[package]]\nname = \"serve\"\nversion = \"0.0.1\"\n\
                    source = \"registry+x\"\n\n\
                    [[package]]\nname = \"serve\"\nversion = \"0.0.2\"\n\n\
                    [[package]]\nname = \"x\"\nversion = \"1.0.0\"\n\
                    dependencies = [\n \"serve 0.0.2\",\n \"serve 0.0.1 (registry+x)\",\n]\n";
        assert_eq!(after, wanted);
    }
}
