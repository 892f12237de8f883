//! Which job trains, as the environment of a Pachyderm worker tells it.

use std::collections::BTreeMap;

use model::Digest;
use serde::Serialize;
use serde_json::json;

use crate::TrainingOptions;
use crate::progress::step;

/// The program and version, as provenance names it.
pub(crate) const TRAINED_BY: &str = concat!("train ", env!("CARGO_PKG_VERSION"));

/// What names and places the model that a run makes.
#[derive(Debug, Clone)]
pub(crate) struct Job {
    /// The model's name.
    pub(crate) model: String,
    /// The version's name.
    pub(crate) version: String,
    /// The training pipeline.
    pub(crate) pipeline: String,
    /// The data repo.
    pub(crate) repo: String,
    /// The commit of the data repo, where known.
    pub(crate) data_commit: Option<String>,
    /// Where the package can be loaded from once the commit is finished.
    pub(crate) uri: Option<String>,
}

impl Job {
    /// The job that `args` and the environment describe.
    pub(crate) fn new(args: &TrainingOptions, version: String) -> Self {
        let pipeline = given(args.pipeline.as_ref()).unwrap_or(&args.model).clone();
        Self {
            model: args.model.clone(),
            version,
            repo: args.repo.clone(),
            // Pachyderm names this variable after the input.
            data_commit: std::env::var(format!("{}_COMMIT", args.input))
                .ok()
                .filter(|commit| !commit.is_empty()),
            uri: given(args.output_commit.as_ref())
                .map(|commit| package_uri(commit, &pipeline, given(args.project.as_ref()))),
            pipeline,
        }
    }
}

fn given(value: Option<&String>) -> Option<&String> {
    value.filter(|text| !text.is_empty())
}

/// The package in the S3 gateway of Pachyderm, whose buckets are named
/// `commit.branch.repo[.project]` (pachyderm 2.12, src/server/pfs/s3/driver.go).
fn package_uri(commit: &str, pipeline: &str, project: Option<&String>) -> String {
    match project {
        Some(project) if project != "default" => {
            format!("s3://{commit}.master.{pipeline}.{project}/model")
        }
        _ => format!("s3://{commit}.master.{pipeline}/model"),
    }
}

/// The version's name: the one that is given, or one derived from all that decides
/// what the model will be.
pub(crate) fn version(
    args: &TrainingOptions,
    data: &BTreeMap<String, Digest>,
    settings: &impl Serialize,
) -> String {
    if let Some(id) = &args.job_id {
        return id.clone();
    }
    let version = derived_version(&args.model, data, settings);
    step(format_args!(
        "PACH_JOB_ID is not set: the version is named {version}, after the data and the settings"
    ));
    version
}

/// A version's name where no job gives one: 32 hex digits over all that decides
/// what the model will be, so that the same inputs always give the same version.
fn derived_version(
    model: &str,
    data: &BTreeMap<String, Digest>,
    settings: &impl Serialize,
) -> String {
    let data: Vec<_> = data.iter().collect();
    let inputs = json!([TRAINED_BY, model, data, settings]).to_string();
    let digest = Digest::of(inputs.as_bytes()).to_string();
    digest.chars().skip("sha256:".len()).take(32).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_default_project_is_left_out_of_the_uri() {
        let uri = |project: Option<&str>| {
            package_uri("c0", "iris-model", project.map(str::to_owned).as_ref())
        };
        assert_eq!(uri(None), "s3://c0.master.iris-model/model");
        assert_eq!(uri(Some("default")), "s3://c0.master.iris-model/model");
        assert_eq!(uri(Some("lab")), "s3://c0.master.iris-model.lab/model");
    }
}
