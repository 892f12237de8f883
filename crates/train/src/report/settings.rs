//! How the model can be made again.

use anyhow::Result;
use maud::{Markup, html};
use serde::Serialize;
use serde_json::Value;

use super::text::table;
use crate::job::Job;

/// Where the model comes from, and a table of its settings.
pub(crate) fn section(job: &Job, experiment: &impl Serialize) -> Result<Markup> {
    let mut settings = Vec::new();
    flatten("", &serde_json::to_value(experiment)?, &mut settings);
    let rows = html! {
        @for (key, value) in &settings { tr { th scope="row" { (key) } td { code { (value) } } } }
    };
    let origin = [
        ("model", Some(&job.model)),
        ("version", Some(&job.version)),
        ("pipeline", Some(&job.pipeline)),
        ("data repo", Some(&job.repo)),
        ("data commit", job.data_commit.as_ref()),
        ("package", job.uri.as_ref()),
    ];
    let origin = html! {
        @for (key, value) in origin {
            @if let Some(value) = value { tr { th scope="row" { (key) } td { code { (value) } } } }
        }
        tr { th scope="row" { "trained by" } td { code { (job.program.trained_by) } } }
    };
    Ok(html! {
        section aria-labelledby="settings" {
            h2 id="settings" { "To make it again" }
            p { "The same data, settings and version give the same bytes." }
            (table("Where it comes from", &["", ""], origin))
            h3 { "Settings, with the defaults filled in" }
            (table("experiment.yaml", &["key", "value"], rows))
        }
    })
}

/// The entries of a tree of settings, by dotted key.
pub(crate) fn flatten(prefix: &str, value: &Value, settings: &mut Vec<(String, String)>) {
    match value {
        Value::Object(entries) => {
            for (key, value) in entries {
                let dot = if prefix.is_empty() { "" } else { "." };
                flatten(&format!("{prefix}{dot}{key}"), value, settings);
            }
        }
        Value::String(text) => settings.push((prefix.to_owned(), text.clone())),
        other => settings.push((prefix.to_owned(), other.to_string())),
    }
}
