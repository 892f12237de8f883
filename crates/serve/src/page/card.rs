//! What the page tells about the models, as JSON.

use std::collections::BTreeMap;
use std::sync::Arc;

use model::{Column, Task};
use serde::Serialize;

use crate::models::{Catalog, Entry, Unit};
use crate::monitor::Monitor;
use crate::predict::{About, Predictor, Takes};

/// All models of the server.
#[derive(Debug, Serialize)]
pub(super) struct Cards<'a> {
    models: Vec<Card<'a>>,
    unavailable: Vec<Unavailable<'a>>,
}

/// A model that answers.
#[derive(Debug, Serialize)]
struct Card<'a> {
    name: &'a str,
    version: &'a str,
    digest: String,
    takes: Input<'a>,
    /// Of a package only, as the rest but `custom`.
    task: Option<Task>,
    target: Option<&'a str>,
    labels: &'a [String],
    #[serde(flatten)]
    about: Option<&'a About>,
    outlier_threshold: Option<f64>,
    /// Seldon's metadata under the same name.
    custom: &'a BTreeMap<String, String>,
}

/// What a form must ask for.
#[derive(Debug, Serialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
enum Input<'a> {
    Rows { columns: &'a [Column] },
    Pictures { max_pixels: u64 },
    Texts,
    Tensors,
}

/// A model that does not answer.
#[derive(Debug, Serialize)]
struct Unavailable<'a> {
    name: &'a str,
    version: &'a str,
    reason: &'a str,
}

impl<'a> Cards<'a> {
    /// Those of the models in `catalog`.
    pub(super) fn of(catalog: &'a Catalog) -> Self {
        let entries = catalog.entries();
        let lost = entries.iter().filter(|entry| entry.unit().is_none());
        Self {
            models: entries.iter().filter_map(Entry::unit).map(card).collect(),
            unavailable: lost.map(unavailable).collect(),
        }
    }
}

fn card(unit: &Arc<Unit>) -> Card<'_> {
    let predictor = unit.predictor();
    Card {
        name: unit.name(),
        version: unit.version(),
        digest: unit.digest(),
        takes: predictor.map_or(Input::Tensors, |predictor| input(predictor)),
        task: predictor.map(|predictor| predictor.task),
        target: predictor.map(|predictor| predictor.target.as_str()),
        labels: predictor.map_or(&[], |predictor| &predictor.labels),
        about: predictor.map(|predictor| &predictor.about),
        outlier_threshold: unit.monitor().map(Monitor::threshold),
        custom: unit.metadata().custom(),
    }
}

fn input(predictor: &Predictor) -> Input<'_> {
    match &predictor.takes {
        Takes::Table(table) => Input::Rows {
            columns: &table.columns,
        },
        Takes::Pictures(image) => Input::Pictures {
            max_pixels: image.max_pixels,
        },
        Takes::Texts(_) => Input::Texts,
    }
}

fn unavailable(entry: &Entry) -> Unavailable<'_> {
    Unavailable {
        name: &entry.name,
        version: &entry.version,
        reason: &entry.reason,
    }
}
