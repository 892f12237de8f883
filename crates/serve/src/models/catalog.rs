//! All models of the server at one moment.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::folder::Stamp;
use super::unit::Unit;
use crate::problem::Problem;

/// A model by name and version, and how it is.
#[derive(Debug, Clone)]
pub(crate) struct Entry {
    /// The name, as far as it is known: else that of the folder.
    pub(crate) name: String,
    /// The version; empty where it is not known.
    pub(crate) version: String,
    /// What answers.
    pub(crate) state: State,
    /// Why it is not what its folder holds; empty if it is.
    pub(crate) reason: String,
    pub(super) folder: PathBuf,
    /// What the folder held at the last try.
    pub(super) stamp: Stamp,
}

/// Whether a model can be asked.
#[derive(Debug, Clone)]
pub(crate) enum State {
    /// It answers.
    Ready(Arc<Unit>),
    /// Somebody has unloaded it.
    Unloaded,
    /// It could not be loaded.
    Failed,
}

impl Entry {
    /// What answers, if anything does.
    pub(crate) fn unit(&self) -> Option<&Arc<Unit>> {
        match &self.state {
            State::Ready(unit) => Some(unit),
            State::Unloaded | State::Failed => None,
        }
    }
}

/// Which model answers where a request names none.
#[derive(Debug, Clone, Default)]
pub(crate) struct Chosen {
    /// The container's name, by which the model is also known.
    pub(crate) alias: Option<String>,
    /// The name that the deployment asks for.
    pub(crate) name: Option<String>,
    /// The version that the deployment asks for.
    pub(crate) version: Option<String>,
}

impl Chosen {
    /// Which of the models with these `names` is meant where a request names none.
    pub(super) fn among<'a>(&'a self, names: &BTreeSet<&'a str>) -> Option<&'a str> {
        let alias = self.alias.as_deref();
        let alias = alias.filter(|alias| names.contains(alias));
        let only = names.first().copied().filter(|_| names.len() == 1);
        self.name.as_deref().or(alias).or(only)
    }
}

/// The models in the order of their folders.
#[derive(Debug)]
pub(crate) struct Catalog {
    pub(super) entries: Vec<Entry>,
    alias: Option<String>,
    default: Result<Arc<Unit>, Problem>,
}

impl Catalog {
    /// That of `entries`, of which `chosen` says the one that requests mean which
    /// name none.
    pub(super) fn new(entries: Vec<Entry>, chosen: &Chosen) -> Self {
        Self {
            default: default(&entries, chosen),
            alias: chosen.alias.clone(),
            entries,
        }
    }

    /// All of them.
    pub(crate) fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// What answers to `asked`, a model's name or the container's; without a
    /// version, or with an empty one, the last version of the model.
    ///
    /// # Errors
    ///
    /// When there is no such model or version, or it is not loaded.
    pub(crate) fn find(&self, asked: &str, version: Option<&str>) -> Result<Arc<Unit>, Problem> {
        let mut of_name = named(&self.entries, asked);
        if of_name.is_empty() && self.alias.as_deref() == Some(asked) {
            of_name = named(&self.entries, self.default()?.name());
        }
        let Some(Entry { name, .. }) = of_name.first() else {
            return Err(Problem::NotFound(format!(
                "there is no model {asked:?}, this server has {}",
                listed(self.entries.iter().map(|entry| entry.name.as_str()))
            )));
        };
        let Some(version) = version.filter(|version| !version.is_empty()) else {
            return last(&of_name);
        };
        let fits = |entry: &&Entry| entry.version == version;
        let of_version: Vec<&Entry> = of_name.iter().copied().filter(fits).collect();
        if of_version.is_empty() {
            return Err(Problem::NotFound(format!(
                "there is no version {version:?} of the model {name:?}, this server has {}",
                listed(of_name.iter().map(|entry| entry.version.as_str()))
            )));
        }
        last(&of_version)
    }

    /// What answers requests that name no model.
    ///
    /// # Errors
    ///
    /// When there are several, and nothing says which, or none is loaded.
    pub(crate) fn default(&self) -> Result<Arc<Unit>, Problem> {
        self.default.clone()
    }

    /// The entry of a folder.
    pub(super) fn of(&self, folder: &Path) -> Option<&Entry> {
        self.entries.iter().find(|entry| entry.folder == folder)
    }
}

/// What answers requests that name no model; worked out once for each catalog, as
/// every request of the Seldon protocol asks for it.
fn default(entries: &[Entry], chosen: &Chosen) -> Result<Arc<Unit>, Problem> {
    let names: BTreeSet<&str> = entries.iter().map(|entry| entry.name.as_str()).collect();
    let Some(name) = chosen.among(&names).filter(|_| !entries.is_empty()) else {
        if entries.iter().all(|entry| entry.unit().is_none()) {
            let text = "no model is loaded; POST /v2/repository/models/NAME/load loads one";
            return Err(Problem::Unavailable(text.to_owned()));
        }
        return Err(Problem::NotFound(format!(
            "this server has the models {}: name one in the path /v2/models/NAME/infer, \
             or set the parameter model_name",
            listed(names)
        )));
    };
    let mut of_name = named(entries, name);
    if let Some(version) = &chosen.version {
        of_name.retain(|entry| entry.version == *version);
    }
    last(&of_name)
}

fn named<'a>(entries: &'a [Entry], name: &str) -> Vec<&'a Entry> {
    let fits = |entry: &&Entry| entry.name == name;
    entries.iter().filter(fits).collect()
}

/// The last of `entries` that answers.
fn last(entries: &[&Entry]) -> Result<Arc<Unit>, Problem> {
    if let Some(unit) = entries.iter().rev().find_map(|entry| entry.unit()) {
        return Ok(Arc::clone(unit));
    }
    let text = entries.last().map_or_else(
        || "this server has no such model".to_owned(),
        |Entry { name, reason, .. }| format!("the model {name:?} is not loaded: {reason}"),
    );
    Err(Problem::Unavailable(text))
}

/// Names for a sentence, each once.
fn listed<'a>(names: impl IntoIterator<Item = &'a str>) -> String {
    let names: BTreeSet<&str> = names.into_iter().collect();
    let names: Vec<_> = names.iter().map(|name| format!("{name:?}")).collect();
    match names.is_empty() {
        true => "none".to_owned(),
        false => names.join(", "),
    }
}
