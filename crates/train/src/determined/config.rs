//! The experiment's configuration, with what the pipeline knows.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, bail};
use serde_json::{Map, Value};

use super::options::variable;
use super::secrets::Secrets;
use crate::Args;
use crate::job::Job;
use crate::progress::{step, warn};

/// The labels by which a job finds its experiment again.
pub(super) fn labels(job: &Job) -> [&str; 3] {
    [&job.repo, &job.version, &job.pipeline]
}

/// Reads the file and adds the labels and the coordinates of the data.
pub(super) fn read(args: &Args, job: &Job, file: &Path, secrets: &mut Secrets) -> Result<Value> {
    let text = fs::read_to_string(file)
        .with_context(|| format!("cannot read the configuration {}", file.display()))?;
    let config: Value = serde_saphyr::from_str(&text)
        .with_context(|| format!("{} is not a configuration", file.display()))?;
    let Value::Object(mut config) = config else {
        bail!(
            "{} is not a configuration: it is no mapping of keys to values",
            file.display()
        );
    };
    add_labels(&mut config, job)?;
    add_data(&mut config, args, job, secrets)?;
    let config = Value::Object(config);
    secrets.learn_from(&config);
    Ok(config)
}

fn add_labels(config: &mut Map<String, Value>, job: &Job) -> Result<()> {
    let own = labels(job).map(Value::from);
    let mut all = own.to_vec();
    match config.get("labels") {
        None | Some(Value::Null) => {}
        Some(Value::Array(theirs)) => all.extend(theirs.iter().cloned()),
        Some(_) => bail!("the configuration's labels are not a list"),
    }
    config.insert("labels".to_owned(), all.into());
    Ok(())
}

/// `data.pachyderm` as existing experiments read it; the token where the master
/// masks it, in `data.secrets`.
fn add_data(
    config: &mut Map<String, Value>,
    args: &Args,
    job: &Job,
    secrets: &mut Secrets,
) -> Result<()> {
    let options = &args.determined;
    let token = variable("PAC_TOKEN").or_else(|| variable("PACH_TOKEN"));
    secrets.learn(token.as_deref().unwrap_or_default());
    let data = section(config, "data")?;
    let pachyderm = section(data, "pachyderm")?;
    let wants_token = pachyderm.contains_key("token");
    let (host, port) = options.pachd();
    if host.is_none() {
        step(format_args!(
            "pachd's address is not known: the experiment gets no data.pachyderm.host (set --pachd-host)"
        ));
    }
    // The commit itself, where it is known: the job's ID need not name a commit of
    // an input repo.
    let commit = job.data_commit.as_ref().unwrap_or(&job.version);
    let coordinates = [
        ("host", host),
        // A text, as existing experiments pass it.
        ("port", port),
        ("repo", Some(job.repo.clone())),
        ("branch", Some(commit.clone())),
    ];
    for (key, value) in coordinates {
        pachyderm.insert(key.to_owned(), value.into());
    }
    let Some(token) = token else {
        return Ok(());
    };
    if options.expose_token {
        warn(
            "data.pachyderm.token is readable by everybody who can see the experiment (--expose-token)",
        );
        pachyderm.insert("token".to_owned(), token.clone().into());
    } else if wants_token {
        pachyderm.insert("token".to_owned(), Value::Null);
        warn(
            "the experiment has data.pachyderm.token, which everybody can read: the token is in data.secrets.pachyderm_token instead; read it from there, or give --expose-token",
        );
    }
    let hidden = section(data, "secrets")?;
    hidden.insert("pachyderm_token".to_owned(), token.into());
    Ok(())
}

/// The mapping under a key, which is made if there is none.
fn section<'a>(
    parent: &'a mut Map<String, Value>,
    key: &str,
) -> Result<&'a mut Map<String, Value>> {
    let value = parent.entry(key).or_insert(Value::Null);
    if value.is_null() {
        *value = Value::Object(Map::new());
    }
    let found = value.as_object_mut();
    found.with_context(|| format!("the configuration's key {key:?} is not a mapping"))
}
