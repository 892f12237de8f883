//! What pachd refuses of a descriptor whose fields are all known.

use std::collections::BTreeSet;

use serde::Deserialize;
use serde_json::Value;

use super::strict::Finding;
use super::{DEFAULT_PROJECT, Input, Spec, is_name};

/// The longest name of a pipeline, and of what Kubernetes gets for it.
const LONGEST: (usize, usize) = (51, 63);

/// Reads the fields that say what is run on what.
///
/// # Errors
///
/// All findings.
pub(super) fn typed(fields: &Value) -> Result<Spec, Vec<Finding>> {
    let spec = Spec::deserialize(fields).map_err(|error| {
        vec![Finding {
            path: String::new(),
            what: format!("is not complete: {error}"),
        }]
    })?;
    let mut findings = Vec::new();
    names(&spec, fields, &mut findings);
    if spec.transform.cmd.is_empty() {
        let what = "is empty: there is nothing to run".to_owned();
        findings.push(Finding {
            path: "transform.cmd".to_owned(),
            what,
        });
    }
    inputs(&spec.input, "input", &mut findings);
    if let Err(name) = unique(&spec.input) {
        let what = format!("has two inputs of the name {name:?}; give each its own \"name\"");
        findings.push(Finding {
            path: "input".to_owned(),
            what,
        });
    }
    if findings.is_empty() {
        Ok(spec)
    } else {
        Err(findings)
    }
}

fn names(spec: &Spec, fields: &Value, findings: &mut Vec<Finding>) {
    let name = &spec.pipeline.name;
    let project = fields.pointer("/pipeline/project/name");
    let project = project.and_then(Value::as_str).unwrap_or(DEFAULT_PROJECT);
    let whole = format!("{project}-{name}-v99");
    let what = if !is_name(name) || name.len() > LONGEST.0 {
        format!(
            "{name:?} must be 1 to {} of A-Z, a-z, 0-9, '_', '-' and start with a letter or digit",
            LONGEST.0
        )
    } else if whole.len() > LONGEST.1 {
        format!(
            "{name:?} is too long for its project: Kubernetes gets {whole:?}, and takes {} characters",
            LONGEST.1
        )
    } else {
        return;
    };
    findings.push(Finding {
        path: "pipeline.name".to_owned(),
        what,
    });
}

fn inputs(input: &Input, path: &str, findings: &mut Vec<Finding>) {
    let (kind, several) = match input {
        Input::Cron {} => return,
        Input::Pfs(leaf) => {
            let mut wrong = |key: &str, what: String| {
                findings.push(Finding {
                    path: format!("{path}.pfs.{key}"),
                    what,
                });
            };
            let name = leaf.name();
            if !is_name(name) || name == "out" {
                wrong(
                    "name",
                    format!("{name:?} cannot be used as a folder below /pfs"),
                );
            }
            if !is_name(&leaf.repo) {
                let repo = &leaf.repo;
                wrong(
                    "repo",
                    format!("{repo:?} has characters that Pachyderm refuses"),
                );
            }
            return;
        }
        Input::Cross(several) => ("cross", several),
        Input::Union(several) => ("union", several),
        Input::Join(several) => ("join", several),
        Input::Group(several) => ("group", several),
    };
    for (index, input) in several.iter().enumerate() {
        inputs(input, &format!("{path}.{kind}[{index}]"), findings);
    }
}

/// The names of the inputs below `input`, or one that is there twice. Those of a
/// union may be the same: a datum has only one of them.
fn unique(input: &Input) -> Result<BTreeSet<&str>, &str> {
    let (inputs, shared) = match input {
        Input::Pfs(leaf) => return Ok(BTreeSet::from([leaf.name()])),
        Input::Cron {} => return Ok(BTreeSet::new()),
        Input::Union(inputs) => (inputs, true),
        Input::Cross(inputs) | Input::Join(inputs) | Input::Group(inputs) => (inputs, false),
    };
    let mut names = BTreeSet::new();
    for name in inputs.iter().map(unique) {
        for name in name? {
            if !names.insert(name) && !shared {
                return Err(name);
            }
        }
    }
    Ok(names)
}
