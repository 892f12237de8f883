//! Which job trains, as the environment of a Pachyderm worker tells it.

use anyhow::Result;
use model::{DataFiles, Digest, Inventory, Provenance};
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
    /// The name of the input with the data.
    pub(crate) input: String,
    /// What trains.
    pub(crate) program: Program,
}

/// The program that trains, as provenance names it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Program {
    /// Its name and version.
    pub(crate) trained_by: String,
    /// The commit of its source, where known.
    pub(crate) revision: Option<String>,
    /// The image that it runs in, where known.
    pub(crate) image: Option<String>,
}

impl Program {
    /// The one that made a package.
    pub(crate) fn of(provenance: &Provenance) -> Self {
        Self {
            trained_by: provenance.trained_by.clone(),
            revision: provenance.revision.clone(),
            image: provenance.image.clone(),
        }
    }

    /// This program, as `args` describe it.
    fn this(args: &TrainingOptions) -> Self {
        Self {
            trained_by: TRAINED_BY.to_owned(),
            revision: given(args.revision.as_ref()).cloned(),
            image: given(args.image.as_ref()).cloned(),
        }
    }
}

impl Job {
    /// The job that `args` and the environment describe.
    pub(crate) fn new(args: &TrainingOptions, version: String) -> Self {
        let pipeline = given(args.pipeline.as_ref()).unwrap_or(&args.model).clone();
        Self {
            model: args.model.clone(),
            version,
            repo: args.repo.clone(),
            data_commit: data_commit(args),
            uri: given(args.output_commit.as_ref())
                .map(|commit| package_uri(commit, &pipeline, given(args.project.as_ref()))),
            input: args.input.clone(),
            program: Program::this(args),
            pipeline,
        }
    }

    /// Where a model comes from that this job makes of `data` with these settings.
    pub(crate) fn provenance(
        &self,
        data: &Inventory,
        settings: &impl Serialize,
    ) -> Result<Provenance> {
        let program = self.program.clone();
        Ok(Provenance {
            repo: self.repo.clone(),
            pipeline: self.pipeline.clone(),
            input: self.input.clone(),
            uri: self.uri.clone(),
            data_commit: self.data_commit.clone(),
            data_files: Some(DataFiles {
                count: data.0.len(),
                digest: data.digest(),
            }),
            config: serde_json::to_value(settings)?,
            trained_by: program.trained_by,
            revision: program.revision,
            image: program.image,
            ..Provenance::default()
        })
    }
}

/// The commit of the data, which Pachyderm tells in a variable named after the input.
pub(crate) fn data_commit(args: &TrainingOptions) -> Option<String> {
    let commit = std::env::var(format!("{}_COMMIT", args.input)).ok();
    commit.filter(|commit| !commit.is_empty())
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
    data: &Inventory,
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
fn derived_version(model: &str, data: &Inventory, settings: &impl Serialize) -> String {
    let data: Vec<_> = data.0.iter().collect();
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
