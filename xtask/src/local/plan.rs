//! Reads a use case: its pipelines in the order they run, and where its data is.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use super::{support, tree};
use crate::backbone;
use crate::descriptor::{self, Descriptor};

/// What is to be run.
#[derive(Debug)]
pub(super) struct Plan {
    /// In topological order.
    pub(super) pipelines: Vec<Descriptor>,
    /// The repos that no pipeline makes.
    pub(super) sources: Vec<Source>,
    /// The folder of the use case.
    pub(super) folder: PathBuf,
}

impl Plan {
    /// Whether pictures or texts are embedded.
    pub(super) fn embeds(&self) -> bool {
        let mut pipelines = self.pipelines.iter();
        pipelines.any(|pipeline| {
            let mut inputs = pipeline.spec.input.leaves().into_iter();
            inputs.any(|input| input.name() == BACKBONE)
        })
    }
}

/// The input that holds a backbone.
const BACKBONE: &str = "backbone";

/// A repo and the file or folder that it is fed from.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Source {
    pub(super) repo: String,
    pub(super) path: PathBuf,
    /// Whether it is a backbone that is known by the repo's name, and is not here yet.
    pub(super) to_get: bool,
}

/// Reads and checks all of `pipelines/<use case>/`.
///
/// # Errors
///
/// When a descriptor is wrong or has a field that this runner does not honour,
/// when pipelines form a circle, or an input has no data.
pub(super) fn read(root: &Path, use_case: &str, data: Option<&Path>) -> Result<Plan> {
    let folder = root.join("pipelines").join(use_case);
    if !descriptor::is_name(use_case) || !folder.is_dir() {
        bail!("there is no use case {use_case:?}; {}", known(root));
    }
    let pipelines = descriptor::read_folder(&folder)?;
    let mut refused = Vec::new();
    for pipeline in &pipelines {
        let found = support::refusals(pipeline);
        refused.extend(
            found
                .iter()
                .map(|what| format!("{}: {what}", pipeline.file.display())),
        );
    }
    if !refused.is_empty() {
        bail!("{}", refused.join("\n"));
    }
    let pipelines = descriptor::ordered(pipelines)?;
    let sources = sources(root, &folder, &pipelines, data)?;
    Ok(Plan {
        pipelines,
        sources,
        folder,
    })
}

fn known(root: &Path) -> String {
    let names = descriptor::use_cases(root).unwrap_or_default();
    format!("known are: {}", names.join(", "))
}

/// Finds the data of each repo that no pipeline makes, by the name of the input.
fn sources(
    root: &Path,
    folder: &Path,
    pipelines: &[Descriptor],
    data: Option<&Path>,
) -> Result<Vec<Source>> {
    let mut wanted: BTreeMap<&str, &str> = BTreeMap::new();
    for input in pipelines
        .iter()
        .flat_map(|pipeline| pipeline.spec.input.leaves())
    {
        if !pipelines
            .iter()
            .any(|pipeline| pipeline.name() == input.repo)
        {
            wanted.entry(&input.repo).or_insert(input.name());
        }
    }
    let given = match data {
        Some(path) => Some((repo_for_data(&wanted)?, path)),
        None => None,
    };
    let source = |(repo, name): (&&str, &&str)| {
        let path = match given {
            Some((data_repo, path)) if data_repo == *repo => Some(existing(path)?),
            _ => sample(folder, name)?,
        };
        match path {
            Some(path) => Ok(Source {
                repo: (*repo).to_owned(),
                path,
                to_get: false,
            }),
            None => elsewhere(root, folder, repo, name),
        }
    };
    wanted.iter().map(source).collect()
}

/// The repo that `--data` stands for: the input called `data`, or the only one.
fn repo_for_data<'a>(wanted: &BTreeMap<&'a str, &'a str>) -> Result<&'a str> {
    let mut named = wanted.iter().filter(|(_, name)| **name == "data");
    match (named.next(), wanted.iter().next()) {
        (Some((repo, _)), _) => Ok(repo),
        (None, Some((repo, _))) if wanted.len() == 1 => Ok(repo),
        _ => bail!("--data is for an input that is called \"data\", and there is none"),
    }
}

fn existing(path: &Path) -> Result<PathBuf> {
    let found = path
        .canonicalize()
        .with_context(|| format!("cannot read the data {}", path.display()))?;
    // Pachyderm makes no datum of it, and nothing would run.
    if tree::list(&found)?.is_empty() {
        bail!(
            "there is no file in {}: name another --data",
            path.display()
        );
    }
    Ok(found)
}

/// What the use case's folder does not hold: a backbone, by the name of its repo.
fn elsewhere(root: &Path, folder: &Path, repo: &str, name: &str) -> Result<Source> {
    let folder = folder.strip_prefix(root).unwrap_or(folder).display();
    let expected = format!("expected {folder}/{name}/ or {folder}/{name}.*");
    match name {
        BACKBONE => {
            let path = backbone::folder(root).join(repo);
            Ok(Source {
                repo: repo.to_owned(),
                to_get: !path.is_dir(),
                path,
            })
        }
        "data" => bail!("the input {name:?} has no data: {expected}, or say --data PATH"),
        _ => bail!("the input {name:?} has no data: {expected}"),
    }
}

/// `<folder>/<name>/` or `<folder>/<name>.*`, if there is one.
///
/// # Errors
///
/// When there are several, or the folder cannot be read.
pub(crate) fn sample(folder: &Path, name: &str) -> Result<Option<PathBuf>> {
    let mut found: Vec<PathBuf> = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        let is_it = if path.is_dir() {
            path.file_name().is_some_and(|it| it == name)
        } else {
            path.file_stem().is_some_and(|it| it == name)
        };
        if is_it {
            found.push(path);
        }
    }
    match &found[..] {
        [] => Ok(None),
        [path] => Ok(Some(path.clone())),
        _ => bail!("the input {name:?} has more than one source: {found:?}; keep one"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pipeline(name: &str, repo: &str) -> String {
        format!(
            r#"{{"pipeline": {{"name": "{name}"}}, "transform": {{"image": "train", "cmd": ["/train"]}},
                "input": {{"pfs": {{"name": "data", "repo": "{repo}", "glob": "/"}}}}}}"#
        )
    }

    fn use_case(files: &[(&str, &str)]) -> tempfile::TempDir {
        let root = tempfile::tempdir().unwrap();
        let folder = root.path().join("pipelines/case");
        fs::create_dir_all(folder.join("data")).unwrap();
        for (name, text) in files {
            fs::write(folder.join(name), text).unwrap();
        }
        root
    }

    fn read_case(files: &[(&str, &str)]) -> Result<Plan> {
        read(use_case(files).path(), "case", None)
    }

    #[test]
    fn makers_come_before_readers() {
        let plan = read_case(&[
            ("a.json", &pipeline("last", "middle")),
            ("b.json", &pipeline("middle", "first")),
            ("c.json", &pipeline("first", "raw")),
        ]);
        let plan = plan.unwrap();
        let names: Vec<&str> = plan.pipelines.iter().map(Descriptor::name).collect();
        assert_eq!(names, ["first", "middle", "last"]);
        assert_eq!(plan.sources.len(), 1);
        assert_eq!(plan.sources[0].repo, "raw");
        assert!(plan.sources[0].path.ends_with("case/data"));
    }

    #[test]
    fn a_backbone_comes_from_where_backbones_are_kept() {
        let mut pipeline: serde_json::Value = serde_json::from_str(&pipeline("a", "r")).unwrap();
        pipeline["input"] = serde_json::json!({"cross": [
            {"pfs": {"name": "data", "repo": "r", "glob": "/"}},
            {"pfs": {"name": "backbone", "repo": "net", "glob": "/"}}
        ]});
        let root = use_case(&[("a.json", &pipeline.to_string())]);
        let kept = root.path().join(".local/backbones/net");
        let found = || {
            let mut plan = read(root.path(), "case", None).unwrap();
            plan.sources.remove(0)
        };
        let mut expected = Source {
            repo: "net".to_owned(),
            path: kept.clone(),
            to_get: true,
        };
        assert_eq!(found(), expected);
        fs::create_dir_all(&kept).unwrap();
        expected.to_get = false;
        assert_eq!(found(), expected);
        let empty = tempfile::tempdir().unwrap();
        let error = read(root.path(), "case", Some(empty.path())).unwrap_err();
        assert!(error.to_string().contains("there is no file"), "{error}");
        let own = root.path().join("pipelines/case/backbone");
        fs::create_dir_all(&own).unwrap();
        expected.path = own;
        assert_eq!(found(), expected);
    }

    #[test]
    fn what_cannot_run_is_refused() {
        let refused = |files: &[(&str, &str)]| format!("{:#}", read_case(files).unwrap_err());
        let circle = refused(&[
            ("a.json", &pipeline("a", "b")),
            ("b.json", &pipeline("b", "a")),
        ]);
        assert!(circle.contains("circle"), "{circle}");
        let twice = refused(&[
            ("a.json", &pipeline("a", "r")),
            ("b.json", &pipeline("a", "r")),
        ]);
        assert!(twice.contains("both make"), "{twice}");
        let no_data = pipeline("a", "r").replace("\"data\"", "\"other\"");
        let no_data = refused(&[("a.json", &no_data)]);
        assert!(no_data.contains("expected"), "{no_data}");
        let two = refused(&[("a.json", &pipeline("a", "r")), ("data.csv", "")]);
        assert!(two.contains("more than one"), "{two}");
        let error = read(use_case(&[]).path(), "nothing", None).unwrap_err();
        assert!(error.to_string().contains("known are: case"), "{error}");
    }
}
