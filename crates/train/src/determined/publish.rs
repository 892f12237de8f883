//! What is published of a registered version.

use std::collections::BTreeMap;
use std::fmt::Write;

use ::determined::ModelVersion;
use anyhow::{Context, Result};
use maud::html;
use model::checkpoint::Described;
use model::{Inventory, MODEL_INFO_FILE, Provenance, TOKENIZER_FILE};
use serde::Serialize;
use serde_json::{Value, json};

use super::Run;
use super::checkpoint::{CHECKPOINT, Delivered};
use super::config::{COMMIT, ORIGIN, set_origin};
use crate::publication::{self, Outcome, Published, REPORT_FILE};
use crate::report;
use crate::run::registry_lines;

/// The content of `metrics.json`: what the experiment reported at the checkpoint.
#[derive(Serialize)]
struct Reported<'a> {
    schema_version: u32,
    task: model::Task,
    /// The validation metrics that are finite numbers, by name.
    validation: &'a BTreeMap<String, f64>,
}

/// Writes the package and `model-info.yaml`; gives the result's text. `config` is
/// the experiment's configuration without secrets.
pub(super) fn publish(
    run: &Run<'_>,
    version: &ModelVersion,
    config: Value,
    delivered: Delivered,
) -> Result<String> {
    let outcome = match delivered {
        Delivered::Graph(described) => publish_graph(run, version, config, *described),
        Delivered::Package(whole) => {
            publication::write(whole.manifest, &whole.files, run.job, run.out)
        }
    };
    Ok(result(run, version, &outcome.context("cannot publish")?))
}

fn publish_graph(
    run: &Run<'_>,
    version: &ModelVersion,
    mut config: Value,
    described: Described,
) -> Result<Outcome> {
    let job = run.job;
    let checkpoint = &version.checkpoint;
    let metrics = checkpoint.training.validation_metrics.finite();
    // An earlier attempt may have made the experiment, of an earlier commit.
    let origin = checkpoint.training.experiment_config.pointer(ORIGIN);
    set_origin(&mut config, origin);
    let settings = json!({
        "determined": {
            "experiment": checkpoint.training.experiment_id,
            "checkpoint": checkpoint.uuid,
            "version": version.version,
        },
        "experiment": config,
    });
    let reported = Reported {
        schema_version: 1,
        task: described.task,
        validation: &metrics,
    };
    let body = html! {
        p.lead {
            "Trained on a Determined cluster. The figures are those that the experiment reported in its"
            " own validation at this checkpoint."
        }
        section aria-labelledby="figures" {
            h2 id="figures" { "Figures" }
            (report::text::table("Validation", &["metric", "value"], html! {
                @for (name, value) in &metrics {
                    tr { th scope="row" { (name) } td { (report::text::number(*value)) } }
                }
            }))
        }
        (report::settings::section(job, &settings)?)
    };
    let provenance = Provenance {
        // The cluster has read the data, and not this program.
        data_files: None,
        ..job.provenance(&Inventory::default(), &settings)?
    };
    let manifest = described.manifest(&job.model, &job.version, metrics.clone(), provenance);
    let tokenizer = described.tokenizer.into_iter();
    let published = Published {
        graph: described.graph,
        page: report::shell(job, &body),
        metrics: reported,
        learned: BTreeMap::new(),
        job,
        more: tokenizer
            .map(|file| (TOKENIZER_FILE.to_owned(), file))
            .collect(),
        manifest,
    };
    published.write(run.out)
}

fn result(run: &Run<'_>, version: &ModelVersion, outcome: &Outcome) -> String {
    let mut text = String::new();
    let mut line = |key: &str, value: &dyn std::fmt::Display| {
        let _ = writeln!(text, "{key:<12}{value}");
    };
    line("model", &outcome.model);
    line("version", &outcome.version);
    line("registered", &format_args!("version {}", version.version));
    let commit = version
        .checkpoint
        .training
        .experiment_config
        .pointer(COMMIT);
    if let Some(commit) = commit.and_then(Value::as_str) {
        line("code", &commit);
    }
    for (name, value) in &outcome.metrics {
        line(name, &format_args!("{value:.4}"));
    }
    registry_lines(outcome, &mut line);
    let out = run.out.folder;
    line("checkpoint", &out.join(CHECKPOINT).display());
    line("report", &outcome.package.join(REPORT_FILE).display());
    line("package", &outcome.package.display());
    if outcome.has_info {
        line("info", &out.join(MODEL_INFO_FILE).display());
    }
    text
}
