//! Strict reading of Pachyderm's pipeline descriptors.
//!
//! Reads what pachctl 2.7 to 2.12 reads (JSON and YAML, both spellings of a field,
//! one or several descriptors in a file) and refuses more than it does: duplicate
//! keys, and comments or trailing commas in JSON.

mod schema;
mod strict;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use serde::Deserialize;
use serde_json::Value;

/// The branch that is meant where a descriptor names none.
pub(crate) const DEFAULT_BRANCH: &str = "master";

/// The project that is meant where a descriptor names none.
pub(crate) const DEFAULT_PROJECT: &str = "default";

/// A pipeline and the file it was read from.
#[derive(Debug)]
pub(crate) struct Descriptor {
    /// The file.
    pub(crate) file: PathBuf,
    /// All fields that are set, in `snake_case`.
    pub(crate) fields: Value,
    /// The fields that say what is run on what.
    pub(crate) spec: Spec,
}

/// What is run on what. Other fields stay in [`Descriptor::fields`].
#[derive(Debug, Deserialize)]
pub(crate) struct Spec {
    pub(crate) pipeline: Name,
    pub(crate) input: Input,
    pub(crate) transform: Transform,
    pub(crate) datum_tries: Option<u32>,
    pub(crate) datum_timeout: Option<String>,
    pub(crate) job_timeout: Option<String>,
    pub(crate) reprocess_spec: Option<String>,
}

/// The name of a pipeline, which is that of its output repo too.
#[derive(Debug, Deserialize)]
pub(crate) struct Name {
    pub(crate) name: String,
}

/// Where a pipeline's datums come from.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Input {
    Pfs(PfsInput),
    Cross(Vec<Input>),
    Union(Vec<Input>),
    Join(Vec<Input>),
    Group(Vec<Input>),
    Cron {},
}

/// Files of one repo.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct PfsInput {
    name: Option<String>,
    pub(crate) repo: String,
    pub(crate) branch: Option<String>,
    pub(crate) glob: String,
}

/// The program that makes the output.
#[derive(Debug, Deserialize)]
pub(crate) struct Transform {
    pub(crate) image: String,
    pub(crate) cmd: Vec<String>,
    #[serde(default)]
    pub(crate) stdin: Vec<String>,
    #[serde(default)]
    pub(crate) env: BTreeMap<String, String>,
    #[serde(default)]
    pub(crate) secrets: Vec<Secret>,
    #[serde(default)]
    pub(crate) accept_return_code: Vec<i32>,
    pub(crate) working_dir: Option<String>,
}

/// A Kubernetes secret that the program is given.
#[derive(Debug, Deserialize)]
pub(crate) struct Secret {
    pub(crate) name: String,
    pub(crate) key: Option<String>,
    pub(crate) env_var: Option<String>,
}

impl PfsInput {
    /// The name of the folder below `/pfs`; the repo's unless it is set.
    pub(crate) fn name(&self) -> &str {
        self.name.as_deref().unwrap_or(&self.repo)
    }

    /// The branch that is read.
    pub(crate) fn branch(&self) -> &str {
        self.branch.as_deref().unwrap_or(DEFAULT_BRANCH)
    }
}

impl Input {
    /// All PFS inputs below this one, in the order of the file.
    pub(crate) fn leaves(&self) -> Vec<&PfsInput> {
        match self {
            Self::Pfs(leaf) => vec![leaf],
            Self::Cross(inputs)
            | Self::Union(inputs)
            | Self::Join(inputs)
            | Self::Group(inputs) => inputs.iter().flat_map(Self::leaves).collect(),
            Self::Cron {} => Vec::new(),
        }
    }
}

impl Descriptor {
    /// The pipeline's name.
    pub(crate) fn name(&self) -> &str {
        &self.spec.pipeline.name
    }
}

/// Reads all descriptors of a folder: its `*.json` and `*-pipeline.yaml` files.
/// Other YAML files of a use case are configuration.
///
/// # Errors
///
/// When the folder cannot be read, holds no descriptor, or a descriptor is wrong;
/// all findings of all files are told at once.
pub(crate) fn read_folder(folder: &Path) -> Result<Vec<Descriptor>> {
    let entries =
        fs::read_dir(folder).with_context(|| format!("cannot read {}", folder.display()))?;
    let mut files = Vec::new();
    for entry in entries {
        let path = entry?.path();
        if path.is_file() && is_descriptor(&path) {
            files.push(path);
        }
    }
    files.sort();
    let mut descriptors = Vec::new();
    let mut findings = Vec::new();
    for file in &files {
        match read_file(file) {
            Ok(read) => descriptors.extend(read),
            Err(error) => findings.push(format!("{error:#}")),
        }
    }
    if !findings.is_empty() {
        bail!("{}", findings.join("\n"));
    }
    if descriptors.is_empty() {
        bail!("{} holds no pipeline descriptor (*.json)", folder.display());
    }
    Ok(descriptors)
}

fn is_descriptor(path: &Path) -> bool {
    let name = path.file_name().and_then(|name| name.to_str());
    name.is_some_and(|name| {
        let ends = |end| name.ends_with(end);
        ends(".json") || ends("-pipeline.yaml") || ends("-pipeline.yml")
    })
}

fn read_file(file: &Path) -> Result<Vec<Descriptor>> {
    let text =
        fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))?;
    let documents = parse(file, &text).with_context(|| file.display().to_string())?;
    let mut descriptors = Vec::new();
    for document in documents {
        let fields = strict::normalise(document).map_err(|findings| {
            let place = |finding| format!("{}: {finding}", file.display());
            anyhow::Error::msg(
                findings
                    .into_iter()
                    .map(place)
                    .collect::<Vec<_>>()
                    .join("\n"),
            )
        })?;
        let spec = typed(&fields).with_context(|| file.display().to_string())?;
        descriptors.push(Descriptor {
            file: file.to_owned(),
            fields,
            spec,
        });
    }
    Ok(descriptors)
}

/// The objects of a file: one, an array of them, or several YAML documents.
fn parse(file: &Path, text: &str) -> Result<Vec<Value>> {
    let is_json = file.extension().is_some_and(|end| end == "json");
    if is_json {
        // The YAML parser below would let comments and trailing commas pass; this
        // one would let a duplicate key pass.
        serde_json::from_str::<serde::de::IgnoredAny>(text).context("not JSON")?;
    }
    // YAML 1.2 as pachctl reads it, in which `y` and `no` are texts.
    let options = serde_saphyr::options! { strict_booleans: true };
    let documents: Vec<Value> = serde_saphyr::from_multiple_with_options(text, options)?;
    let flat = documents.into_iter().flat_map(|document| match document {
        Value::Array(items) => items,
        other => vec![other],
    });
    Ok(flat.collect())
}

fn typed(fields: &Value) -> Result<Spec> {
    let spec = Spec::deserialize(fields)?;
    let name = &spec.pipeline.name;
    if !is_name(name) || name.len() > 51 {
        bail!(
            "pipeline.name {name:?} must be 1 to 51 of A-Z, a-z, 0-9, '_', '-' \
             and start with a letter or digit"
        );
    }
    if spec.transform.cmd.is_empty() {
        bail!("transform.cmd is empty: there is nothing to run");
    }
    let mut seen: Vec<&str> = Vec::new();
    for input in spec.input.leaves() {
        let name = input.name();
        if !is_name(name) || name == "out" {
            bail!("the input name {name:?} cannot be used as a folder below /pfs");
        }
        if !is_name(&input.repo) {
            bail!(
                "the repo name {:?} has characters that Pachyderm refuses",
                input.repo
            );
        }
        if seen.contains(&name) {
            bail!("two inputs have the name {name:?}; give each its own \"name\"");
        }
        seen.push(name);
    }
    Ok(spec)
}

/// Whether Pachyderm takes `name` for a repo or pipeline.
pub(crate) fn is_name(name: &str) -> bool {
    let is_inner = |b: u8| b.is_ascii_alphanumeric() || b == b'_' || b == b'-';
    name.bytes().all(is_inner) && name.starts_with(|c: char| c.is_ascii_alphanumeric())
}

/// Reads seconds with the unit, `"1.5s"`.
pub(crate) fn seconds(text: &str) -> Option<Duration> {
    let number = text.strip_suffix('s')?;
    if !number.bytes().all(|b| b.is_ascii_digit() || b == b'.') {
        return None;
    }
    Duration::try_from_secs_f64(number.parse().ok()?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const TRAIN: &str = r#"{"pipeline": {"name": "m"}, "input": {"pfs": {"repo": "d", "glob": "/"}},
        "transform": {"image": "x/train:1", "cmd": ["/train"]}}"#;

    fn read(name: &str, text: &str) -> Result<Vec<Descriptor>> {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join(name), text).unwrap();
        read_folder(folder.path())
    }

    fn refused(name: &str, text: &str) -> String {
        format!("{:#}", read(name, text).unwrap_err())
    }

    #[test]
    fn one_several_and_yaml() {
        let names = |descriptors: Vec<Descriptor>| -> Vec<String> {
            descriptors.iter().map(|d| d.name().to_owned()).collect()
        };
        assert_eq!(names(read("a.json", TRAIN).unwrap()), ["m"]);
        let two = format!("[{TRAIN}, {}]", TRAIN.replace("\"m\"", "\"n\""));
        assert_eq!(names(read("a.json", &two).unwrap()), ["m", "n"]);
        let yaml = "pipeline: {name: y}\ninput: {pfs: {repo: d, glob: /}}\n\
                    transform:\n  image: x/train:1\n  cmd: [/train]\n---\n";
        let yaml = format!("{yaml}{}", TRAIN.replace('\n', " "));
        assert_eq!(names(read("a-pipeline.yaml", &yaml).unwrap()), ["y", "m"]);
        assert!(refused("experiment.yaml", "target: x").contains("holds no pipeline"));
    }

    #[test]
    fn what_pachctl_lets_pass_is_refused() {
        let comment = TRAIN.replacen('{', "{ # hello\n", 1);
        assert!(refused("a.json", &comment).contains("not JSON"));
        let comma = TRAIN.replace("[\"/train\"]", "[\"/train\",]");
        assert!(refused("a.json", &comma).contains("not JSON"));
        let twice = TRAIN.replacen('{', "{\"description\": \"a\", \"description\": \"b\",", 1);
        assert!(refused("a.json", &twice).contains("duplicate"));
    }

    #[test]
    fn names_are_checked() {
        let message = refused("a.json", &TRAIN.replace("\"m\"", "\"-m\""));
        assert!(message.contains("pipeline.name"), "{message}");
        let message = refused(
            "a.json",
            &TRAIN.replace("\"d\"", "\"d\", \"name\": \"out\""),
        );
        assert!(message.contains("below /pfs"), "{message}");
        let message = refused("a.json", &TRAIN.replace("[\"/train\"]", "[]"));
        assert!(message.contains("nothing to run"), "{message}");
        let message = refused("a.json", &TRAIN.replace(", \"glob\": \"/\"", ""));
        assert!(message.contains("glob"), "{message}");
    }

    #[test]
    fn durations() {
        assert_eq!(seconds("1800s"), Some(Duration::from_secs(1800)));
        assert_eq!(seconds("1.5s"), Some(Duration::from_millis(1500)));
        for wrong in ["30m", "s", "-1s", "1e3s", "infs", "5"] {
            assert_eq!(seconds(wrong), None, "{wrong}");
        }
    }
}
