//! The experiment's configuration, with what the pipeline knows.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, bail, ensure};
use serde_json::{Map, Value};

use super::code::Code;
use super::options::variable;
use super::secrets::Secrets;
use crate::Args;
use crate::experiment::Experiment;
use crate::job::Job;
use crate::progress::{step, warn};
use crate::trial::LOSS;

/// The labels by which a job finds its experiment again.
pub(super) fn labels(job: &Job) -> [&str; 3] {
    [&job.repo, &job.version, &job.pipeline]
}

/// Where the configuration says what commit the code is of, if it is from git: the
/// experiment itself is then the record of its code, for whoever takes it over.
pub(super) const ORIGIN: &str = "/data/git";

/// The commit within it.
pub(super) const COMMIT: &str = "/data/git/commit";

/// Puts the origin of the code into a configuration, or takes it out.
pub(super) fn set_origin(config: &mut Value, origin: Option<&Value>) {
    if let Some(data) = config.pointer_mut("/data").and_then(Value::as_object_mut) {
        match origin {
            Some(origin) => data.insert("git".to_owned(), origin.clone()),
            None => data.shift_remove("git"),
        };
    }
}

/// Reads the file and adds the labels and the coordinates of data and code.
pub(super) fn read(args: &Args, job: &Job, code: &Code, secrets: &mut Secrets) -> Result<Value> {
    let mut config = read_mapping(&code.config_file(args)?)?;
    add_labels(&mut config, job)?;
    add_coordinates(&mut config, args, job)?;
    add_token(&mut config, args, secrets)?;
    let mut config = Value::Object(config);
    if code.origin().is_some() {
        set_origin(&mut config, code.origin());
    }
    secrets.learn_from(&config);
    Ok(config)
}

/// The configuration of an experiment that trains `experiment` with this program:
/// what `--det-config` says, with defaults beneath it, the labels, and where the
/// data is from. The data goes along, so there is no token.
pub(super) fn own(
    args: &Args,
    job: &Job,
    experiment: &Experiment,
    secrets: &mut Secrets,
) -> Result<Map<String, Value>> {
    let mut config = match &args.determined.det_config {
        Some(path) => read_mapping(&args.training.below_pfs(path))?,
        None => Map::new(),
    };
    ensure!(
        !config.contains_key("entrypoint"),
        "--det-config has an entrypoint, but this program is the code: leave it out, or give the code with --code"
    );
    config
        .entry("name")
        .or_insert_with(|| job.model.clone().into());
    let searcher = section(&mut config, "searcher")?;
    if !searcher.contains_key("metric") {
        searcher.insert("metric".to_owned(), LOSS.into());
        searcher.insert("smaller_is_better".to_owned(), true.into());
    }
    searcher.entry("name").or_insert("single".into());
    let settings = serde_json::to_value(&experiment.hyperparameters)?;
    let hyperparameters = section(&mut config, "hyperparameters")?;
    for (key, value) in settings.as_object().into_iter().flatten() {
        hyperparameters.entry(key).or_insert_with(|| value.clone());
    }
    add_labels(&mut config, job)?;
    add_coordinates(&mut config, args, job)?;
    token(secrets);
    secrets.learn_from(&Value::Object(config.clone()));
    Ok(config)
}

fn read_mapping(file: &Path) -> Result<Map<String, Value>> {
    let text = fs::read_to_string(file)
        .with_context(|| format!("cannot read the configuration {}", file.display()))?;
    let config: Value = serde_saphyr::from_str(&text)
        .with_context(|| format!("{} is not a configuration", file.display()))?;
    let Value::Object(config) = config else {
        bail!(
            "{} is not a configuration: it is no mapping of keys to values",
            file.display()
        );
    };
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

/// `data.pachyderm` as existing experiments read it.
fn add_coordinates(config: &mut Map<String, Value>, args: &Args, job: &Job) -> Result<()> {
    let pachyderm = section(section(config, "data")?, "pachyderm")?;
    let (host, port) = args.determined.pachd();
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
    Ok(())
}

/// The token of Pachyderm, which is a secret whether it is sent or not.
fn token(secrets: &mut Secrets) -> Option<String> {
    let token = variable("PAC_TOKEN").or_else(|| variable("PACH_TOKEN"));
    secrets.learn(token.as_deref().unwrap_or_default());
    token
}

/// The token of Pachyderm where the master masks it, in `data.secrets`.
fn add_token(config: &mut Map<String, Value>, args: &Args, secrets: &mut Secrets) -> Result<()> {
    let Some(token) = token(secrets) else {
        return Ok(());
    };
    let data = section(config, "data")?;
    let pachyderm = section(data, "pachyderm")?;
    if args.determined.expose_token {
        warn(
            "data.pachyderm.token is readable by everybody who can see the experiment (--expose-token)",
        );
        pachyderm.insert("token".to_owned(), token.clone().into());
    } else if pachyderm.contains_key("token") {
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
