//! What is learned from: pictures or texts, each with its class.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;

use anyhow::{Result, bail, ensure};
use backbone::Backbone;
use model::{Digest, Inventory, Preprocessing};

use super::{kernel, pictures, texts};
use crate::TrainingOptions;
use crate::data::know;
use crate::experiment::{Experiment, HeadKind, Labels, Mode};
use crate::run::counted;

/// What a backbone takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Files.
    Pictures,
    /// Files, or rows of a table.
    Texts,
}

impl Kind {
    /// One of them.
    pub(crate) fn noun(self) -> &'static str {
        match self {
            Self::Pictures => "picture",
            Self::Texts => "text",
        }
    }

    /// What reading their files is called.
    pub(super) fn reading(self) -> &'static str {
        match self {
            Self::Pictures => "read the pictures' digests",
            Self::Texts => "read the texts",
        }
    }

    /// How a file lies in the folder of its class, and is named after its class.
    pub(super) fn places(self) -> [&'static str; 2] {
        match self {
            Self::Pictures => ["dogs/1.jpg", "dog.1.jpg"],
            Self::Texts => ["good/1.txt", "good.1.txt"],
        }
    }

    /// The column of a CSV file that holds or names them.
    pub(super) fn column(self) -> &'static str {
        match self {
            Self::Pictures => "file",
            Self::Texts => "text",
        }
    }
}

/// A picture or text.
#[derive(Debug, Clone)]
pub(crate) struct Example {
    /// The path below the data folder; for a text with its line.
    pub(crate) name: String,
    /// The position of its class in the labels.
    pub(crate) code: usize,
    /// The thing itself.
    pub(crate) content: Content,
}

/// A picture's file, or a text.
#[derive(Debug, Clone)]
pub(crate) enum Content {
    /// Where the picture lies, and its digest.
    File(PathBuf, Digest),
    /// The text, and the path below the data folder of the file that it is from.
    Text(String, Arc<str>),
}

impl Example {
    /// The path below the data folder of the file that it is from.
    pub(crate) fn file(&self) -> &str {
        match &self.content {
            Content::File(..) => &self.name,
            Content::Text(_, file) => file,
        }
    }
}

/// Everything that is learned from and measured with.
#[derive(Debug)]
pub(crate) struct Examples {
    /// What they are.
    pub(crate) kind: Kind,
    /// The examples, in the order of their names or lines.
    pub(crate) items: Vec<Example>,
    /// The classes, sorted.
    pub(crate) labels: Vec<String>,
    /// What tells the class: a column, `folder` or `prefix`.
    pub(crate) target_name: String,
    /// Where the classes are from; none of the rows of a table, unless that was set.
    pub(crate) labelled_by: Option<Labels>,
    /// The digest of each data file, by path below the data folder.
    pub(crate) files: Inventory,
    /// Examples that cannot be used, and why.
    pub(crate) broken: Vec<(String, String)>,
    /// Texts that were cut to the backbone's limit.
    pub(crate) cut: usize,
    /// Classes that need no example, as the model that is continued has learned them.
    pub(crate) known_before: BTreeSet<String>,
}

/// Reads what `backbone` takes from the data folder.
pub(super) fn read(
    args: &TrainingOptions,
    experiment: &Experiment,
    backbone: &Backbone,
) -> Result<Examples> {
    match backbone.description.preprocessing {
        Preprocessing::Image(_) => pictures::read(args, experiment),
        Preprocessing::Text(_) => texts::read(args, experiment),
        _ => bail!("the backbone takes neither pictures nor texts"),
    }
}

/// The distinct `classes`, sorted, and the position of each in them.
pub(super) fn coded(classes: &[String]) -> (Vec<String>, Vec<usize>) {
    let mut labels = classes.to_vec();
    labels.sort();
    labels.dedup();
    let code = |class| labels.binary_search(class).unwrap_or_default();
    let codes = classes.iter().map(code).collect();
    (labels, codes)
}

impl Examples {
    /// The class of each example.
    pub(crate) fn codes(&self) -> Vec<usize> {
        self.items.iter().map(|item| item.code).collect()
    }

    /// Adds the classes of a model that is continued, of which there need be no
    /// example.
    pub(crate) fn know(&mut self, before: &[String]) {
        let codes = self.items.iter_mut().map(|item| &mut item.code);
        know(&mut self.labels, codes, before);
        self.known_before = before.iter().cloned().collect();
    }

    /// Why none can be held out, where those of a group stay together, and what to do.
    pub(super) fn why_none(&self, groups: &[usize]) -> String {
        let (noun, codes) = (self.kind.noun(), self.codes());
        let classes: BTreeSet<usize> = codes.iter().copied().collect();
        if classes.len() == codes.len() {
            return format!(
                "{:?} gives {} classes, every one seen once only; is it the right target? A \
                 backbone's head tells classes, and no numbers",
                self.target_name,
                classes.len()
            );
        }
        let kinds: BTreeSet<usize> = groups.iter().copied().collect();
        if kinds.len() < codes.len() {
            return format!(
                "only {} of them differ from one another; add {noun}s that do",
                kinds.len()
            );
        }
        format!("there are too few; add {noun}s, or raise `split`")
    }

    /// Whether enough is left to learn from.
    pub(super) fn check(&mut self, max_broken: f64) -> Result<()> {
        let (broken, all) = (self.broken.len(), self.broken.len() + self.items.len());
        let noun = self.kind.noun();
        if broken as f64 > max_broken * all as f64 {
            let (name, reason) = self.broken.first().cloned().unwrap_or_default();
            bail!(
                "{broken} of {} cannot be used, more than the share {max_broken} of max_broken, as \
                 {name}: {reason}; mend or remove them, or raise max_broken",
                counted(all, noun)
            );
        }
        let codes: BTreeSet<usize> = self.codes().into_iter().collect();
        let unseen =
            |code: usize, label: &str| !codes.contains(&code) && !self.known_before.contains(label);
        if let Some((_, label)) = self.labels.iter().enumerate().find(|(c, l)| unseen(*c, l)) {
            bail!("no {noun} of the class {label:?} can be used: all are broken");
        }
        ensure!(
            self.labels.len() > 1,
            "every {noun} is of the class {:?}: there is one class only, and nothing to learn",
            self.labels.first().map_or("", String::as_str)
        );
        Ok(())
    }
}

impl Experiment {
    /// Fills in what was found out.
    pub(super) fn settle(&mut self, examples: &Examples) {
        self.task = Some(model::Task::Classification);
        self.labels = examples.labelled_by;
        if examples.labelled_by.is_none_or(|by| by == Labels::Csv) {
            self.target = Some(examples.target_name.clone());
        }
        let heads = match examples.kind {
            _ if self.mode == Mode::Delta => vec![HeadKind::Linear],
            Kind::Pictures => vec![HeadKind::Linear],
            Kind::Texts if examples.items.len() <= kernel::MOST_EXAMPLES => vec![HeadKind::Kernel],
            Kind::Texts => vec![HeadKind::Linear, HeadKind::Mlp],
        };
        self.search.heads.get_or_insert(heads);
    }
}
