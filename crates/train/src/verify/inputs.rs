//! What a package records of its making, against what is here.

use std::collections::BTreeMap;
use std::fmt::Write;

use anyhow::Result;
use model::{BUILT_IN, Inventory, Manifest, Provenance};
use serde::Serialize;
use serde_json::Value;

use crate::job::{Job, Program};
use crate::report::settings::flatten;
use crate::run::counted;
use crate::subject::Subject;

/// Files of one kind that are named in the text; JSON names all.
const MOST_NAMED: usize = 20;

/// The name of what runs a backbone.
const ENGINE: &str = "engine";

/// What differs.
#[derive(Debug, Serialize)]
pub(super) struct Inputs {
    /// How many data files are recorded.
    data_files: usize,
    /// Recorded data files that are not here.
    missing: Vec<String>,
    /// Recorded data files that have another content here.
    changed: Vec<String>,
    /// Data files that are here and not recorded.
    extra: Vec<String>,
    /// Everything else, by name.
    others: BTreeMap<String, Difference>,
}

/// A value that is another one here.
#[derive(Debug, Serialize)]
struct Difference {
    recorded: Option<String>,
    here: Option<String>,
}

impl Inputs {
    /// Compares the description and the data files of a package with `subject`, the
    /// `engine` that is loaded for it, and the program that `here` describes.
    pub(super) fn compare(
        manifest: &Manifest,
        recorded: &Inventory,
        (subject, engine): (&Subject, Option<&str>),
        here: &Job,
    ) -> Result<Self> {
        let files = recorded.differences(&subject.data());
        let from = &manifest.provenance;
        let digest = |origin: &model::BackboneOrigin| origin.digest.to_string();
        let backbones = [&from.backbone, &subject.backbone()].map(|it| it.as_ref().map(digest));
        let base = |base: &model::BaseModel| base.digest.to_string();
        let bases = [&from.base, &subject.base()].map(|it| it.as_ref().map(base));
        let embedded = from.backbone.as_ref().map(|_| engine_of(from).to_owned());
        let (was, is) = (Program::of(from), here.program.clone());
        let inputs = Self {
            data_files: recorded.0.len(),
            missing: files.missing,
            changed: files.changed,
            extra: files.added,
            others: settings(&from.config, subject)?,
        };
        Ok(inputs
            .and("backbone digest", backbones)
            .and(ENGINE, [embedded, engine.map(str::to_owned)])
            .and("base digest", bases)
            .and("program", [was.trained_by, is.trained_by].map(Some))
            .and("revision", [was.revision, is.revision])
            .and("image", [was.image, is.image]))
    }

    /// These, and one value more: as it was recorded, and as it is here.
    pub(super) fn and(mut self, name: &str, [recorded, here]: [Option<String>; 2]) -> Self {
        if recorded != here {
            let difference = Difference { recorded, here };
            self.others.insert(name.to_owned(), difference);
        }
        self
    }

    /// The engine that embedded, and the one that does here, where they differ.
    pub(super) fn engines(&self) -> Option<(&str, &str)> {
        let Difference { recorded, here } = self.others.get(ENGINE)?;
        Some((recorded.as_deref()?, here.as_deref()?))
    }

    /// What differs, a line each.
    pub(super) fn text(&self) -> String {
        let mut text = String::new();
        let kinds = [
            ("missing", &self.missing),
            ("changed", &self.changed),
            ("extra", &self.extra),
        ];
        for (kind, files) in kinds {
            for file in files.iter().take(MOST_NAMED) {
                let _ = writeln!(text, "{kind:<12}{file}");
            }
            if let Some(more) = files.len().checked_sub(MOST_NAMED + 1) {
                let more = counted(more + 1, "file");
                let _ = writeln!(text, "{kind:<12}{more} more; --json names all");
            }
        }
        for (name, difference) in &self.others {
            let or_none = |value: &Option<String>| value.clone().unwrap_or("none".to_owned());
            let _ = writeln!(
                text,
                "{name:<12}recorded {}, here {}",
                or_none(&difference.recorded),
                or_none(&difference.here)
            );
        }
        if text.is_empty() {
            let files = counted(self.data_files, "data file");
            text = format!("inputs      the same: {files}, settings and program\n");
        }
        text
    }
}

/// The engine that embedded what a package on a backbone was made of.
fn engine_of(from: &Provenance) -> &str {
    from.engine.as_deref().unwrap_or(BUILT_IN)
}

/// The settings that differ. What the experiment leaves open is filled in from the
/// data, and so is no difference.
fn settings(recorded: &Value, subject: &Subject) -> Result<BTreeMap<String, Difference>> {
    let flat = |value: &Value| {
        let mut flat = Vec::new();
        flatten("", value, &mut flat);
        flat.into_iter().collect::<BTreeMap<_, _>>()
    };
    let recorded = flat(recorded);
    let given = flat(&serde_json::to_value(subject.experiment())?);
    let open = Value::Null.to_string();
    let differ = given
        .into_iter()
        .filter(|(key, value)| *value != open && recorded.get(key) != Some(value));
    Ok(differ
        .map(|(key, value)| {
            let recorded = recorded.get(&key).cloned();
            let here = Some(value);
            (key, Difference { recorded, here })
        })
        .collect())
}
