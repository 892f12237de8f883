//! What is learned from: the settings and the data, read and checked.

use std::path::Path;

use anyhow::Result;
use model::{BackboneOrigin, BaseModel, Inventory};
use registry::Condition;

use crate::experiment::Experiment;
use crate::job::Job;
use crate::progress::step;
use crate::publication::Published;
use crate::{TrainingOptions, embedded, previous, table};

/// What is learned from.
pub(crate) enum Subject {
    /// A table.
    Table(Box<table::Subject>),
    /// Pictures or texts, on a backbone.
    Embedded(Box<embedded::Subject>),
}

impl Subject {
    /// Reads the experiment file, and the data that it names.
    pub(crate) fn read(options: &TrainingOptions) -> Result<Self> {
        Self::of(options, read_experiment(options)?)
    }

    /// Reads the data that `experiment` names.
    pub(crate) fn of(options: &TrainingOptions, experiment: Experiment) -> Result<Self> {
        if let Some(backbone) = experiment.backbone.clone() {
            let subject = embedded::Subject::read(options, experiment, &backbone)?;
            return Ok(Self::Embedded(Box::new(subject)));
        }
        let subject = table::Subject::read(options, experiment)?;
        Ok(Self::Table(Box::new(subject)))
    }

    /// The version's name.
    ///
    /// # Errors
    ///
    /// As [`Subject::engine`].
    pub(crate) fn version(&self, options: &TrainingOptions) -> Result<String> {
        match self {
            Self::Table(subject) => Ok(subject.version(options)),
            Self::Embedded(subject) => subject.version(options),
        }
    }

    /// The digest of each data file, by path below the data folder.
    pub(crate) fn data(&self) -> Inventory {
        match self {
            Self::Table(subject) => subject.files.clone(),
            Self::Embedded(subject) => subject.data().clone(),
        }
    }

    /// The backbone, where there is one.
    pub(crate) fn backbone(&self) -> Option<BackboneOrigin> {
        match self {
            Self::Table(..) => None,
            Self::Embedded(subject) => Some(subject.backbone()),
        }
    }

    /// The folder of the backbone, where there is one.
    pub(crate) fn backbone_folder(&self) -> Option<&Path> {
        match self {
            Self::Table(..) => None,
            Self::Embedded(subject) => Some(subject.backbone_folder()),
        }
    }

    /// The engine that the backbone is loaded on, where there is one.
    ///
    /// # Errors
    ///
    /// When no engine runs it.
    pub(crate) fn engine(&self, options: &TrainingOptions) -> Result<Option<&str>> {
        match self {
            Self::Table(..) => Ok(None),
            Self::Embedded(subject) => subject.engine(options).map(Some),
        }
    }

    /// The model that is continued, where one is.
    pub(crate) fn base(&self) -> Option<BaseModel> {
        match self {
            Self::Table(subject) => subject.base(),
            Self::Embedded(subject) => subject.base(),
        }
    }

    /// The settings, as they were given.
    pub(crate) fn experiment(&self) -> &Experiment {
        match self {
            Self::Table(subject) => &subject.experiment,
            Self::Embedded(subject) => subject.experiment(),
        }
    }

    /// Trains; gives all that is to be published.
    pub(crate) fn train<'a>(
        self,
        options: &TrainingOptions,
        job: &'a Job,
    ) -> Result<Published<'a>> {
        let former = previous::read(options)?;
        let former = former.as_ref();
        match self {
            Self::Table(subject) => table::train(*subject, job, former),
            Self::Embedded(subject) => embedded::train(*subject, options, job, former),
        }
    }
}

/// The settings of the file that `options` name.
pub(crate) fn read_experiment(options: &TrainingOptions) -> Result<Experiment> {
    let Some(path) = &options.config else {
        step(format_args!(
            "no experiment file: every setting has its default"
        ));
        return Ok(Experiment::default());
    };
    Ok(Experiment::read(&options.below_pfs(path))?)
}

/// The condition of promotion of that file.
pub(crate) fn promote_if(options: &TrainingOptions) -> Result<Option<Condition>> {
    let Some(path) = &options.config else {
        return Ok(None);
    };
    Ok(Experiment::read(&options.below_pfs(path))?.promote_if)
}
