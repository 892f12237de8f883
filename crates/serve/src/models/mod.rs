//! The models that are served, by name and version, and how they come and go.
//!
//! A request keeps the model that it has found until it is answered; a change
//! makes a new catalog beside the old one and puts it in its place. So no answer
//! is refused or mixed because of a change.

mod catalog;
mod cost;
mod folder;
mod load;
mod unit;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};

use anyhow::{Context, Result};
use model::Engines;

use crate::monitor::Monitor;
use crate::predict::Conditions;
use crate::problem::Problem;
use folder::{Found, Settings, Stamp};

pub(crate) use catalog::{Catalog, Chosen, Entry, State};
pub(crate) use cost::Cost;
pub(crate) use load::Source;
pub(crate) use unit::{Echo, Unit};

/// The models of the server.
#[derive(Debug)]
pub(crate) struct Models {
    /// With how its models are served. None during the start, and with the
    /// conformance model.
    source: RwLock<Option<Arc<(Source, Conditions)>>>,
    /// The container's name, by which the model is also known.
    alias: Option<String>,
    /// The conformance model where that is served: no folder holds it.
    echo: Option<Arc<Unit>>,
    /// What runs them.
    engines: Engines,
    /// `None` until the start is over.
    catalog: RwLock<Option<Arc<Catalog>>>,
    /// Changes come one after the other; with what was seen at the last look.
    turn: Mutex<Vec<(PathBuf, Stamp)>>,
}

impl Models {
    /// None yet.
    pub(crate) fn new(alias: Option<String>, engines: Engines) -> Self {
        Self {
            source: RwLock::default(),
            alias,
            echo: None,
            engines,
            catalog: RwLock::default(),
            turn: Mutex::default(),
        }
    }

    /// The conformance model alone, which is ready at once.
    pub(crate) fn echo(alias: Option<String>, engines: Engines, echo: Echo) -> Self {
        let echo = Arc::new(Unit::Echo(echo));
        let models = Self {
            echo: Some(Arc::clone(&echo)),
            ..Self::new(alias, engines)
        };
        models.serve_echo(echo);
        models
    }

    fn serve_echo(&self, echo: Arc<Unit>) {
        let found = Found::at(Path::new(""), Settings::default());
        self.replace(vec![Entry::ready(&found, echo)]);
    }

    /// What runs the models.
    pub(crate) fn engines(&self) -> &Engines {
        &self.engines
    }

    /// All models as they are now.
    ///
    /// # Errors
    ///
    /// During the start.
    pub(crate) fn catalog(&self) -> Result<Arc<Catalog>, Problem> {
        let catalog = self.catalog.read().unwrap_or_else(PoisonError::into_inner);
        let loading = || Problem::Unavailable("the model is being loaded".to_owned());
        catalog.clone().ok_or_else(loading)
    }

    /// Brings the series of what is watched up to date.
    pub(crate) fn settle(&self) {
        let catalog = self.catalog();
        let entries = catalog.iter().flat_map(|catalog| catalog.entries());
        let monitors = entries.filter_map(|entry| entry.unit()?.monitor());
        monitors.for_each(Monitor::settle);
    }

    /// What answers to a name and a version, as [`Catalog::find`].
    ///
    /// # Errors
    ///
    /// During the start, and those of [`Catalog::find`].
    pub(crate) fn find(&self, asked: &str, version: Option<&str>) -> Result<Arc<Unit>, Problem> {
        self.catalog()?.find(asked, version)
    }

    /// What answers requests that name no model.
    ///
    /// # Errors
    ///
    /// During the start, and those of [`Catalog::default`].
    pub(crate) fn default(&self) -> Result<Arc<Unit>, Problem> {
        self.catalog()?.default()
    }

    /// Ends the start with the packages that are at `source`, if they are to be
    /// loaded now; they are served under `conditions`.
    ///
    /// # Errors
    ///
    /// When the only package cannot be served; of several, those that cannot are
    /// told in the log and in the index.
    pub(crate) fn open(&self, source: Source, conditions: Conditions, load: bool) -> Result<()> {
        let _turn = self.turn();
        let given = self.set_source(source, conditions);
        let (source, conditions) = &*given;
        let mut entries = Vec::new();
        for found in load.then(|| source.found()).into_iter().flatten() {
            match source.load(&found, conditions) {
                Ok(unit) => entries.push(Entry::ready(&found, unit)),
                Err(error) if source.is_sole(&found) || source.digest.is_some() => {
                    return Err(error);
                }
                Err(error) => entries.push(complain(&found, None, &error)),
            }
        }
        self.replace(entries);
        Ok(())
    }

    /// Loads all versions of a model again from where they lie.
    ///
    /// # Errors
    ///
    /// When there is no such model, or one of its versions cannot be served: that
    /// one stays as it was.
    pub(crate) fn load(&self, asked: &str) -> Result<(), Problem> {
        // During the start there is no source either.
        self.catalog()?;
        let Some(given) = self.source() else {
            return self.load_echo(asked);
        };
        let (source, _) = &*given;
        let _turn = self.turn();
        let found = source.found();
        let titles: Vec<Option<String>> = found.iter().map(Found::title).collect();
        let name = self.meant(asked, &titles, &source.chosen);
        let titled = found.iter().zip(&titles);
        let all = titled.filter(|(_, title)| title.as_deref() == Some(name));
        let all: Vec<Found> = all.map(|(found, _)| found.clone()).collect();
        if all.is_empty() {
            return Err(Problem::NotFound(format!(
                "there is no package of a model {asked:?} in {}",
                source.root.display()
            )));
        }
        match self.refresh(&all, &found) {
            None => Ok(()),
            Some(error) => Err(Problem::BadData(format!(
                "cannot load {asked:?}: {error:#}"
            ))),
        }
    }

    /// The name of the model that is `asked` for, of packages with these `titles`: they
    /// say what the container's name means also when none is loaded.
    fn meant<'a>(
        &self,
        asked: &'a str,
        titles: &'a [Option<String>],
        chosen: &'a Chosen,
    ) -> &'a str {
        let titles: BTreeSet<&str> = titles.iter().flatten().map(String::as_str).collect();
        match self.alias.as_deref() == Some(asked) && !titles.contains(asked) {
            true => chosen.among(&titles).unwrap_or(asked),
            false => asked,
        }
    }

    fn load_echo(&self, asked: &str) -> Result<(), Problem> {
        let is_asked =
            |echo: &&Arc<Unit>| [Some(echo.name()), self.alias.as_deref()].contains(&Some(asked));
        let Some(echo) = self.echo.as_ref().filter(is_asked) else {
            let text = format!("there is no package of a model {asked:?}");
            return Err(Problem::NotFound(text));
        };
        let _turn = self.turn();
        self.serve_echo(Arc::clone(echo));
        Ok(())
    }

    /// Lets a model go, once what it is doing is done.
    ///
    /// # Errors
    ///
    /// When there is no such model.
    pub(crate) fn unload(&self, asked: &str) -> Result<(), Problem> {
        let _turn = self.turn();
        let name = self.find(asked, None).map(|unit| unit.name().to_owned());
        let name = match name {
            Ok(name) => name,
            Err(Problem::Unavailable(_)) => asked.to_owned(),
            Err(problem) => return Err(problem),
        };
        let mut entries = self.catalog()?.entries.clone();
        for entry in entries.iter_mut().filter(|entry| entry.name == name) {
            tracing::info!(model = name, version = entry.version, "unloaded");
            entry.state = State::Unloaded;
            entry.reason = format!("unloaded; POST /v2/repository/models/{name}/load loads it");
        }
        self.replace(entries);
        Ok(())
    }

    /// Serves the one package of `source` in the place of what was served, once it has
    /// predicted.
    ///
    /// # Errors
    ///
    /// When it cannot be served: what was served before goes on answering.
    pub(crate) fn switch(&self, source: Source) -> Result<()> {
        let _turn = self.turn();
        let given = self.source().context("there is nothing to switch from")?;
        let (_, conditions) = &*given;
        let mut entries = Vec::new();
        for found in source.found() {
            let unit = source.load(&found, conditions)?;
            let (model, version, digest) = (unit.name(), unit.version(), unit.digest());
            tracing::info!(model, version, digest, "loaded");
            entries.push(Entry::ready(&found, unit));
        }
        self.set_source(source, conditions.clone());
        self.replace(entries);
        Ok(())
    }

    /// Loads what is new or has changed since the last look and has come to rest,
    /// and lets go what has vanished.
    pub(crate) fn look(&self) {
        let (Some(given), Ok(catalog)) = (self.source(), self.catalog()) else {
            return;
        };
        let (source, _) = &*given;
        let mut seen = self.turn();
        let found = source.found();
        let rests = |found: &Found| seen.contains(&(found.folder.clone(), found.stamp.clone()));
        let changed = |found: &&Found| match catalog.of(&found.folder) {
            Some(entry) if matches!(entry.state, State::Unloaded) => false,
            Some(entry) => entry.stamp != found.stamp,
            None => true,
        };
        let present = found.iter().filter(|found| !found.stamp.is_empty());
        let due: Vec<Found> = present
            .filter(changed)
            .filter(|f| rests(f))
            .cloned()
            .collect();
        *seen = found
            .iter()
            .map(|f| (f.folder.clone(), f.stamp.clone()))
            .collect();
        let gone = |entry: &Entry| found.iter().all(|found| found.folder != entry.folder);
        let vanished = !found.is_empty() && catalog.entries.iter().any(gone);
        if vanished {
            let mut entries = catalog.entries.clone();
            entries.retain(|entry| !gone(entry));
            self.replace(entries);
        }
        if !due.is_empty() {
            self.refresh(&due, &found);
        }
    }

    /// Loads `all` and puts them in their places in the `order` of what was found;
    /// gives the last that failed.
    fn refresh(&self, all: &[Found], order: &[Found]) -> Option<anyhow::Error> {
        let given = self.source()?;
        let (source, conditions) = &*given;
        let catalog = self.catalog().ok()?;
        let mut entries = catalog.entries.clone();
        let mut failure = None;
        for found in all {
            let before = catalog.of(&found.folder);
            let entry = match source.load(found, conditions) {
                Ok(unit) => {
                    let (model, version, digest) = (unit.name(), unit.version(), unit.digest());
                    let engine = unit.predictor().map(|it| it.engine());
                    tracing::info!(model, version, digest, engine, "loaded");
                    Entry::ready(found, unit)
                }
                Err(error) => {
                    let entry = complain(found, before, &error);
                    failure = Some(error);
                    entry
                }
            };
            entries.retain(|entry| entry.folder != found.folder);
            entries.push(entry);
        }
        entries.sort_by_key(|entry| {
            let mut folders = order.iter().map(|found| &found.folder);
            folders.position(|folder| *folder == entry.folder)
        });
        self.replace(entries);
        failure
    }

    fn replace(&self, entries: Vec<Entry>) {
        let of_alias = Chosen {
            alias: self.alias.clone(),
            ..Chosen::default()
        };
        let given = self.source();
        let chosen = given.as_ref().map_or(&of_alias, |given| &given.0.chosen);
        let mut catalog = self.catalog.write().unwrap_or_else(PoisonError::into_inner);
        *catalog = Some(Arc::new(Catalog::new(entries, chosen)));
    }

    fn source(&self) -> Option<Arc<(Source, Conditions)>> {
        let source = self.source.read().unwrap_or_else(PoisonError::into_inner);
        source.clone()
    }

    fn set_source(&self, source: Source, conditions: Conditions) -> Arc<(Source, Conditions)> {
        let given = Arc::new((source, conditions));
        let mut source = self.source.write().unwrap_or_else(PoisonError::into_inner);
        *source = Some(Arc::clone(&given));
        given
    }

    fn turn(&self) -> MutexGuard<'_, Vec<(PathBuf, Stamp)>> {
        self.turn.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Tells why a package is not served.
fn complain(found: &Found, before: Option<&Entry>, error: &anyhow::Error) -> Entry {
    let entry = Entry::failed(found, before, &format!("{error:#}"));
    let folder = found.folder.display().to_string();
    let error = entry.reason.clone();
    match entry.unit() {
        Some(unit) => {
            let version = unit.version();
            tracing::error!(
                folder,
                error,
                version,
                "cannot load; the one before still serves"
            );
        }
        None => tracing::error!(folder, error, "cannot load"),
    }
    entry
}
