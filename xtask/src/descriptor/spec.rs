//! The fields of a descriptor that say what is run on what.

use std::collections::BTreeMap;

use serde::Deserialize;

/// The branch that is meant where a descriptor names none.
pub(crate) const DEFAULT_BRANCH: &str = "master";

/// What is run on what. Other fields stay in [`Descriptor::fields`](super::Descriptor::fields).
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
