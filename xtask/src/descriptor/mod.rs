//! Strict reading of Pachyderm's pipeline descriptors.
//!
//! Reads what pachctl 2.7 to 2.12 reads (JSON and YAML, both spellings of a field,
//! one or several descriptors in a file) and refuses more than it does: duplicate
//! keys, and comments or trailing commas in JSON.

mod order;
mod places;
mod rules;
mod schema;
mod strict;

use std::collections::BTreeMap;
use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use serde::Deserialize;
use serde_json::Value;

pub(crate) use self::order::ordered;
use self::places::Places;
use self::rules::typed;
use crate::registry;

/// The branch that is meant where a descriptor names none.
pub(crate) const DEFAULT_BRANCH: &str = "master";

/// The project that is meant where a descriptor names none.
pub(crate) const DEFAULT_PROJECT: &str = "default";

/// A pipeline and the file it was read from.
#[derive(Debug)]
pub(crate) struct Descriptor {
    /// The file.
    pub(crate) file: PathBuf,
    /// Its number in the file, from 0.
    index: usize,
    /// All fields that are set, in `snake_case`.
    pub(crate) fields: Value,
    /// The fields that say what is run on what.
    pub(crate) spec: Spec,
}

/// Something that is wrong with a file.
#[derive(Debug)]
pub(crate) struct Finding {
    pub(crate) file: PathBuf,
    /// Counted from 1.
    pub(crate) line: Option<usize>,
    /// As in `input.cross[1].pfs.glob`; none for the whole file.
    pub(crate) path: Option<String>,
    pub(crate) what: String,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:", self.file.display())?;
        if let Some(line) = self.line {
            write!(f, "{line}:")?;
        }
        match self.path.as_deref() {
            None => write!(f, " {}", self.what),
            Some("") => write!(f, " the descriptor {}", self.what),
            Some(path) => write!(f, " {path} {}", self.what),
        }
    }
}

/// What is run on what. Other fields stay in [`Descriptor::fields`].
#[derive(Debug, Deserialize)]
pub(crate) struct Spec {
    pub(crate) pipeline: Name,
    pub(crate) input: Input,
    pub(crate) transform: Transform,
    #[serde(default)]
    pub(crate) parallelism_spec: Parallelism,
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
    pub(crate) project: Option<String>,
    pub(crate) repo: String,
    pub(crate) branch: Option<String>,
    pub(crate) glob: String,
    pub(crate) join_on: Option<String>,
    #[serde(default)]
    pub(crate) outer_join: bool,
    pub(crate) group_by: Option<String>,
    #[serde(default)]
    pub(crate) lazy: bool,
    #[serde(default)]
    pub(crate) empty_files: bool,
    /// Its content does not let a datum be processed again.
    #[serde(default)]
    pub(crate) reference: bool,
    #[serde(default)]
    propagation_spec: Propagation,
}

/// Whether a commit of the input starts a job.
#[derive(Debug, Clone, Default, Deserialize)]
struct Propagation {
    #[serde(default)]
    never: bool,
}

/// How many workers a pipeline has.
#[derive(Debug, Default, Deserialize)]
pub(crate) struct Parallelism {
    constant: Option<usize>,
}

/// The program that makes the output.
#[derive(Debug, Deserialize)]
pub(crate) struct Transform {
    pub(crate) image: String,
    pub(crate) cmd: Vec<String>,
    #[serde(default)]
    pub(crate) stdin: Vec<String>,
    /// Run after each failed attempt, if it is not empty.
    #[serde(default)]
    pub(crate) err_cmd: Vec<String>,
    #[serde(default)]
    pub(crate) err_stdin: Vec<String>,
    #[serde(default)]
    pub(crate) env: BTreeMap<String, String>,
    #[serde(default)]
    pub(crate) secrets: Vec<Secret>,
    #[serde(default)]
    pub(crate) accept_return_code: Vec<i32>,
    pub(crate) working_dir: Option<String>,
    /// Who the program runs as, where it is not the image's own user.
    pub(crate) user: Option<String>,
}

/// A Kubernetes secret that the program is given.
#[derive(Debug, Deserialize)]
pub(crate) struct Secret {
    pub(crate) name: String,
    pub(crate) key: Option<String>,
    pub(crate) env_var: Option<String>,
    /// The folder that shows each key as a file.
    pub(crate) mount_path: Option<String>,
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

    /// Whether a new commit of the repo starts a job.
    pub(crate) fn propagates(&self) -> bool {
        !self.propagation_spec.never
    }
}

impl Parallelism {
    /// The number of workers, at least one.
    pub(crate) fn workers(&self) -> usize {
        self.constant.unwrap_or(1).max(1)
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

    /// Whether its image is called `name`, in any registry.
    pub(crate) fn runs(&self, name: &str) -> bool {
        let (_, repository, _) = registry::parts(&self.spec.transform.image);
        repository.rsplit('/').next() == Some(name)
    }

    /// A finding at one of its fields.
    pub(crate) fn finding(&self, path: &str, what: String) -> Finding {
        let text = fs::read_to_string(&self.file).unwrap_or_default();
        Finding {
            file: self.file.clone(),
            line: Some(Places::of(&text).line(self.index, path)),
            path: Some(path.to_owned()),
            what,
        }
    }

    /// The project that the descriptor names.
    pub(crate) fn project(&self) -> Option<&str> {
        let project = self.fields.pointer("/pipeline/project/name");
        project.and_then(Value::as_str)
    }
}

/// The folders of `pipelines/` that hold a use case.
///
/// # Errors
///
/// When the folder cannot be read.
pub(crate) fn use_cases(root: &Path) -> Result<Vec<String>> {
    let folder = root.join("pipelines");
    let entries =
        fs::read_dir(&folder).with_context(|| format!("cannot read {}", folder.display()))?;
    let mut names = Vec::new();
    for entry in entries {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        if entry.path().is_dir() && name != "secrets" {
            names.push(name);
        }
    }
    names.sort();
    Ok(names)
}

/// Reads all descriptors of a folder: its `*.json` and `*-pipeline.yaml` files.
/// Other YAML files of a use case are configuration.
///
/// # Errors
///
/// When the folder cannot be read, holds no descriptor, or a descriptor is wrong;
/// all findings of all files are told at once.
pub(crate) fn read_folder(folder: &Path) -> Result<Vec<Descriptor>> {
    let (descriptors, findings) = examine(folder)?;
    if !findings.is_empty() {
        let findings: Vec<String> = findings.iter().map(ToString::to_string).collect();
        bail!("{}", findings.join("\n"));
    }
    if descriptors.is_empty() {
        bail!("{} holds no pipeline descriptor (*.json)", folder.display());
    }
    Ok(descriptors)
}

/// The descriptors of a folder that can be read, and all that is wrong with the
/// others.
///
/// # Errors
///
/// When the folder cannot be read.
pub(crate) fn examine(folder: &Path) -> Result<(Vec<Descriptor>, Vec<Finding>)> {
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
            Err(found) => findings.extend(found),
        }
    }
    Ok((descriptors, findings))
}

fn is_descriptor(path: &Path) -> bool {
    let name = path.file_name().and_then(|name| name.to_str());
    name.is_some_and(|name| {
        let ends = |end| name.ends_with(end);
        ends(".json") || ends("-pipeline.yaml") || ends("-pipeline.yml")
    })
}

fn read_file(file: &Path) -> Result<Vec<Descriptor>, Vec<Finding>> {
    let whole = |error: anyhow::Error| {
        vec![Finding {
            file: file.to_owned(),
            line: None,
            path: None,
            what: format!("{error:#}"),
        }]
    };
    let text = fs::read_to_string(file).context("cannot be read");
    let text = text.map_err(whole)?;
    let documents = parse(file, &text).map_err(whole)?;
    let places = Places::of(&text);
    let mut descriptors = Vec::new();
    let mut findings = Vec::new();
    for (index, document) in documents.into_iter().enumerate() {
        let read = strict::normalise(document).and_then(|fields| Ok((typed(&fields)?, fields)));
        match read {
            Ok((spec, fields)) => descriptors.push(Descriptor {
                file: file.to_owned(),
                index,
                fields,
                spec,
            }),
            Err(found) => findings.extend(found.into_iter().map(|finding| Finding {
                file: file.to_owned(),
                line: Some(places.line(index, &finding.path)),
                path: Some(finding.path),
                what: finding.what,
            })),
        }
    }
    if findings.is_empty() {
        Ok(descriptors)
    } else {
        Err(findings)
    }
}

/// Brings a specification that a cluster holds into the form of
/// [`Descriptor::fields`].
///
/// # Errors
///
/// When it has a field or a type that is not known here.
pub(crate) fn normalised(spec: Value) -> Result<Value> {
    strict::normalise(spec).map_err(|findings| {
        let findings: Vec<String> = findings.iter().map(ToString::to_string).collect();
        anyhow::Error::msg(findings.join("; "))
    })
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
    fn a_finding_has_its_line() {
        let two = format!("[{TRAIN},\n{}]", TRAIN.replace("cmd", "cmdd"));
        let message = refused("a.json", &two);
        assert!(
            message.contains("a.json:4: transform.cmdd is not"),
            "{message}"
        );
        assert!(message.contains("did you mean \"cmd\"?"), "{message}");
        let yaml = "pipeline: {name: y}\ninput:\n  cross:\n  - pfs: {repo: d, glob: /}\n  - pfs:\n      repo: e\n      globb: /\n";
        let message = refused("a-pipeline.yaml", yaml);
        assert!(
            message.contains("a-pipeline.yaml:7: input.cross[1].pfs.globb"),
            "{message}"
        );
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
