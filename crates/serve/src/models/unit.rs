//! What is served under one name and version.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::Cost;
use crate::monitor::Monitor;
use crate::predict::{Predictor, Takes};
use crate::{oip, seldon};

/// A model that is ready.
#[derive(Debug)]
pub(crate) enum Unit {
    /// The model of conformance tests, which any implementation can provide.
    Echo(Echo),
    /// A model package.
    Package(Box<Model>),
}

/// `serve --echo` with what does not change between requests.
#[derive(Debug)]
pub(crate) struct Echo {
    /// What its requests cost.
    pub(crate) cost: Cost,
    /// The Seldon v1 metadata.
    pub(crate) metadata: seldon::Metadata,
}

/// A package with what does not change between requests.
#[derive(Debug)]
pub(crate) struct Model {
    /// What its requests cost.
    pub(super) cost: Cost,
    /// The model itself.
    pub(crate) predictor: Arc<Predictor>,
    /// The Seldon v1 metadata.
    pub(crate) metadata: seldon::Metadata,
    /// The Open Inference Protocol metadata.
    pub(crate) signature: oip::Signature,
}

impl Echo {
    /// Its name in every protocol.
    pub(crate) const NAME: &str = "echo";
    /// Its only version.
    pub(crate) const VERSION: &str = "v0";
}

impl Model {
    /// `predictor`, with `notes` in its metadata and `overrides` over it.
    pub(super) fn new(
        predictor: Predictor,
        notes: BTreeMap<String, String>,
        overrides: seldon::Overrides,
    ) -> Self {
        Self {
            cost: match predictor.takes {
                Takes::Pictures(_) => Cost::varying(),
                Takes::Table(_) | Takes::Texts(_) => Cost::default(),
            },
            metadata: seldon::Metadata::new(&predictor, notes, overrides),
            signature: oip::Signature::new(&predictor),
            predictor: Arc::new(predictor),
        }
    }
}

impl Unit {
    /// The Seldon v1 metadata.
    pub(crate) fn metadata(&self) -> &seldon::Metadata {
        match self {
            Self::Echo(echo) => &echo.metadata,
            Self::Package(model) => &model.metadata,
        }
    }

    /// The model's name.
    pub(crate) fn name(&self) -> &str {
        match self {
            Self::Echo(_) => Echo::NAME,
            Self::Package(model) => &model.predictor.name,
        }
    }

    /// The version's name.
    pub(crate) fn version(&self) -> &str {
        match self {
            Self::Echo(_) => Echo::VERSION,
            Self::Package(model) => &model.predictor.version,
        }
    }

    /// What predicts, in a package.
    pub(crate) fn predictor(&self) -> Option<&Arc<Predictor>> {
        match self {
            Self::Echo(_) => None,
            Self::Package(model) => Some(&model.predictor),
        }
    }

    /// What its requests cost.
    pub(crate) fn cost(&self) -> &Cost {
        match self {
            Self::Echo(echo) => &echo.cost,
            Self::Package(model) => &model.cost,
        }
    }

    /// What watches the requests, if anything.
    pub(crate) fn monitor(&self) -> Option<&Monitor> {
        self.predictor()
            .and_then(|predictor| predictor.monitor.as_ref())
    }

    /// The package's digest; empty where there is none.
    pub(crate) fn digest(&self) -> String {
        match self {
            Self::Echo(_) => String::new(),
            Self::Package(model) => model.predictor.digest.to_string(),
        }
    }

    /// The Open Inference Protocol metadata.
    pub(crate) fn signature(&self) -> &oip::Signature {
        match self {
            Self::Echo(_) => oip::Signature::echo(),
            Self::Package(model) => &model.signature,
        }
    }
}
