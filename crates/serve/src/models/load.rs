//! From a folder to a model that answers.

use std::path::PathBuf;
use std::sync::Arc;

use anyhow::{Result, ensure};
use model::{Digest, PackageError};

use super::catalog::{Chosen, Entry, State};
use super::folder::{Found, Settings, is_package, scan};
use super::unit::{Model, Unit};
use crate::predict::{Conditions, LoadError, Predictor};
use crate::registry::Registered;
use crate::seldon::Overrides;

/// Where the models lie, and what they must be.
#[derive(Debug, Clone)]
pub(crate) struct Source {
    /// A package, or a folder of packages.
    pub(crate) root: PathBuf,
    /// The root is a folder of packages, even while it has none.
    pub(crate) is_repository: bool,
    /// The digest that the one package must have.
    pub(crate) digest: Option<Digest>,
    /// What the deployment asks for.
    pub(crate) chosen: Chosen,
    /// Keys over the metadata of the one package.
    pub(crate) overrides: Overrides,
    /// The version of a registry that the one package is, and is served as.
    pub(crate) registered: Option<Registered>,
}

impl Source {
    /// The same with `folder`, the package of a version that was found in a registry.
    pub(crate) fn registered(self, folder: PathBuf, version: Registered) -> Self {
        Self {
            root: folder,
            is_repository: false,
            chosen: Chosen {
                name: Some(version.model.clone()),
                version: Some(version.version.clone()),
                ..self.chosen
            },
            registered: Some(version),
            ..self
        }
    }

    /// The packages that are there now. A root that holds none is taken for a
    /// package that is missing.
    pub(super) fn found(&self) -> Vec<Found> {
        if self.is_repository || !is_package(&self.root) {
            let found = scan(&self.root);
            if self.is_repository || !found.is_empty() {
                return found;
            }
        }
        let mut found = Found::at(&self.root, Settings::read(&self.root));
        found.settings.name = self.registered.as_ref().map(|found| found.model.clone());
        vec![found]
    }

    /// Whether the root is the one package itself.
    pub(super) fn is_sole(&self, found: &Found) -> bool {
        !self.is_repository && found.folder == self.root
    }

    /// Loads a package, predicts once with it, and serves it under `conditions` and
    /// its own settings.
    ///
    /// # Errors
    ///
    /// When it is damaged, cannot be served, or is not what the deployment asks
    /// for.
    pub(super) fn load(&self, found: &Found, conditions: &Conditions) -> Result<Unit> {
        let folder = &found.folder;
        let sole = self.is_sole(found);
        ensure!(
            sole || self.digest.is_none(),
            "the parameter model_digest names one package, but {} holds several: \
             give the folder of one as --model",
            self.root.display()
        );
        let conditions = found.settings.over(conditions);
        let registered = self.registered.as_ref();
        let version = registered.map(|registered| registered.version.as_str());
        let named = (found.settings.name.as_deref(), version);
        let loaded = Predictor::load(folder, self.digest, named, &conditions);
        let predictor = loaded.map_err(|error| self.explained(error))?;
        let notes = registered.map(|registered| registered.notes.clone());
        let notes = notes.unwrap_or_default();
        let Chosen { name, version, .. } = &self.chosen;
        for (parameter, wanted, held) in [
            ("model_name", name, &predictor.name),
            ("model_version", version, &predictor.version),
        ] {
            let fits = !sole || wanted.as_ref().is_none_or(|wanted| wanted == held);
            ensure!(
                fits,
                "{} holds {held:?}, but the parameter {parameter} asks for {:?}",
                folder.display(),
                wanted.as_deref().unwrap_or_default()
            );
        }
        let overrides = match sole {
            true => self.overrides.clone(),
            false => Overrides::default(),
        };
        Ok(Unit::Package(Box::new(Model::new(
            predictor, notes, overrides,
        ))))
    }

    /// Says of a package from a registry why it may have another digest.
    fn explained(&self, error: LoadError) -> anyhow::Error {
        let is_other = matches!(error, LoadError::Package(PackageError::WrongPackage { .. }));
        let error = anyhow::Error::from(error);
        if self.registered.is_none() || !is_other {
            return error;
        }
        error.context(
            "the parameter model_digest names another package (where the checkpoint holds a graph \
             alone, its package is made here, and is not the published one: serve that by modelUri, \
             or leave the parameter out)",
        )
    }
}

impl Entry {
    /// A package that answers.
    pub(super) fn ready(found: &Found, unit: impl Into<Arc<Unit>>) -> Self {
        let unit = unit.into();
        Self {
            name: unit.name().to_owned(),
            version: unit.version().to_owned(),
            state: State::Ready(unit),
            reason: String::new(),
            folder: found.folder.clone(),
            stamp: found.stamp.clone(),
        }
    }

    /// A package that could not be loaded: what was there before goes on
    /// answering.
    pub(super) fn failed(found: &Found, before: Option<&Self>, reason: &str) -> Self {
        let folder_name = || {
            let name = found.folder.file_name().unwrap_or_default();
            name.to_string_lossy().into_owned()
        };
        Self {
            name: match before {
                Some(before) => before.name.clone(),
                None => found.title().unwrap_or_else(folder_name),
            },
            version: before.map_or_else(String::new, |before| before.version.clone()),
            state: match before.map(|before| &before.state) {
                Some(State::Ready(unit)) => State::Ready(Arc::clone(unit)),
                _ => State::Failed,
            },
            reason: reason.to_owned(),
            folder: found.folder.clone(),
            stamp: found.stamp.clone(),
        }
    }
}
