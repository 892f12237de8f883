//! `train verify`: makes a published model again, by what its package records.
//!
//! What names the run (version, commit, pipeline, image, program) is taken from the
//! package, so that two packages differ only in what was computed. Everything else
//! is made again from the data.

mod compare;
mod inputs;
mod options;
mod result;

use anyhow::{Context, Result, bail, ensure};
use model::{DATA_FILE, Inventory, Manifest, Package};

use self::inputs::Inputs;
pub use self::options::VerifyOptions;
use self::result::Verified;
use crate::experiment::Experiment;
use crate::job::{Job, Program};
use crate::publication::{Out, PACKAGE};
use crate::subject::{self, Subject};
use crate::{previous, progress};

/// Compares what was recorded with what is here, trains, and compares what comes
/// out; gives the result's text.
///
/// # Errors
///
/// When the package is not whole, its model cannot be made again, or a file of it
/// differs.
pub(crate) fn run(options: &VerifyOptions) -> Result<String> {
    let manifest = Package::open(&options.package)?.manifest;
    let recorded = recorded_settings(&manifest)?;
    if let (Some(base), None) = (&manifest.provenance.base, &options.last_model) {
        bail!(
            "{} {} continues {}: name the package of that one with --last-model",
            manifest.name,
            manifest.version,
            base.version
        );
    }
    let compared = previous::compared_with(&options.package)?;
    if let (Some(version), None) = (&compared, &options.previous) {
        bail!(
            "the report of {} {} compares with {version}: name the package of that one with \
             --previous",
            manifest.name,
            manifest.version
        );
    }
    let training = options.training(&manifest);
    let experiment = match options.config {
        Some(_) => subject::read_experiment(&training)?,
        None => recorded.clone(),
    };
    let here = Job::new(&training, manifest.version.clone());
    let subject = Subject::of(&training, experiment).context("cannot read what it was made of")?;
    let inventory = inventory(options, &manifest)?;
    let found = (&subject, subject.engine(&training)?);
    let former = previous::read(&training)?.map(|former| former.figures.version);
    let inputs =
        Inputs::compare(&manifest, &inventory, found, &here)?.and("previous", [compared, former]);
    if !options.json {
        progress::result(&inputs.text());
    }
    let job = Job {
        data_commit: manifest.provenance.data_commit.clone(),
        uri: manifest.provenance.uri.clone(),
        program: Program::of(&manifest.provenance),
        ..here
    };
    let scratch = tempfile::tempdir().context("cannot create a temporary folder")?;
    let again = subject.train(&training, &job);
    let again = again.context("the model cannot be made again")?;
    again.write(Out::only(scratch.path()))?;
    let files = compare::files(&options.package, &scratch.path().join(PACKAGE))?;
    let verified = Verified::new(&options.package, &manifest, inputs, files);
    let text = if options.json {
        verified.json()?
    } else {
        verified.text()
    };
    if verified.equal {
        return Ok(text);
    }
    progress::result(&text);
    bail!("{}", verified.verdict())
}

/// The settings that the package records, with all defaults filled in.
fn recorded_settings(manifest: &Manifest) -> Result<Experiment> {
    let config = &manifest.provenance.config;
    ensure!(
        config.get("determined").is_none(),
        "{} {} was trained by code of its own on a Determined cluster, which alone can make it \
         again: fork the experiment {}",
        manifest.name,
        manifest.version,
        config
            .pointer("/determined/experiment")
            .unwrap_or(&serde_json::Value::Null)
    );
    serde_json::from_value(config.clone()).context(
        "the settings in the package are not those of this program: use the image that it records",
    )
}

/// The data files that the package records.
fn inventory(options: &VerifyOptions, manifest: &Manifest) -> Result<Inventory> {
    if manifest.files.contains_key(DATA_FILE) {
        return Ok(Inventory::read(&options.package.join(DATA_FILE))?);
    }
    Ok(Inventory(manifest.provenance.data.clone()))
}
