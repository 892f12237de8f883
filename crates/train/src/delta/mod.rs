//! `mode: delta`: a model continues the last successful one with what is new.
//!
//! 1. The last model is found ([`Last`]): in a folder, or in the output of this
//!    pipeline as Pachyderm tells it.
//! 2. What is new since the data commit of that model is found: as Pachyderm tells
//!    it, or else by the digests that the model's package lists.
//! 3. [`continued`] leaves the new examples and a share of the old ones, [`table`] the
//!    rows of a table.

mod continued;
mod last;
mod pachd;
mod table;

use std::collections::BTreeSet;

use anyhow::{Result, bail};
use model::{BaseModel, Inventory, Preprocessing, Table};
use pachyderm::Difference;

pub(crate) use self::continued::{Prior, narrow};
use self::last::Last;
use self::pachd::Worker;
pub(crate) use self::table::continue_table;
use crate::TrainingOptions;
use crate::experiment::Mode;
use crate::progress::{step, warn};
use crate::run::counted;

/// The model that is continued, and what is new since.
pub(crate) struct Delta {
    last: Last,
    /// Files that are new or have changed, by path below the data folder.
    new: BTreeSet<String>,
}

impl Delta {
    /// What is to be continued with `data`; none where the mode is to learn from all, there
    /// is no model yet, or nothing is new.
    ///
    /// # Errors
    ///
    /// When nothing tells what the last model is, or it is not whole.
    pub(crate) fn find(
        options: &TrainingOptions,
        mode: Mode,
        data: &Inventory,
    ) -> Result<Option<Self>> {
        if mode == Mode::All || options.continues_none {
            return Ok(None);
        }
        let Some((last, told)) = last(options)? else {
            return Ok(None);
        };
        let version = &last.manifest.version;
        let (new, gone) = match told {
            Some(Difference { new, gone }) => (new, gone),
            None => {
                let found = last.inventory.differences(data);
                ([found.added, found.changed].concat(), found.missing)
            }
        };
        if !gone.is_empty() {
            warn(&format!(
                "{} that {version} was trained on are gone; it has not forgotten them, as mode: \
                 all would",
                counted(gone.len(), "file")
            ));
        }
        if new.is_empty() {
            step(format_args!(
                "no file is new since {version}: learning from all data"
            ));
            return Ok(None);
        }
        step(format_args!(
            "{} new since {version}, which is continued",
            counted(new.len(), "file")
        ));
        let new = new.into_iter().collect();
        Ok(Some(Self { last, new }))
    }

    /// The columns of the model that is continued, where it takes a table.
    pub(crate) fn table(&self) -> Option<&Table> {
        match &self.last.manifest.preprocessing {
            Preprocessing::Table(table) => Some(table),
            _ => None,
        }
    }

    /// The model that is continued, as provenance names it.
    pub(crate) fn base(&self) -> BaseModel {
        BaseModel {
            version: self.last.manifest.version.clone(),
            digest: self.last.manifest.digest,
        }
    }
}

/// The last model, and what is new where Pachyderm tells that; none where there is no
/// model yet.
fn last(options: &TrainingOptions) -> Result<Option<(Last, Option<Difference>)>> {
    if let Some(folder) = &options.last_model {
        let last = Last::open(&options.below_pfs(folder))?;
        if last.is_none() {
            step(format_args!(
                "there is no last model in {}: learning from all data",
                folder.display()
            ));
        }
        return Ok(last.map(|last| (last, None)));
    }
    let Some(worker) = Worker::of(options) else {
        bail!(
            "mode is delta, and nothing tells the last model: name the folder of its package with \
             --last-model, or run in a worker of Pachyderm"
        );
    };
    let last = worker.last()?;
    if last.is_none() {
        step(format_args!(
            "no job of this pipeline has published a model: learning from all data"
        ));
    }
    Ok(last)
}
