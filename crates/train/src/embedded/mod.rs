//! Pictures or texts on a pretrained backbone.
//!
//! 1. [`examples`]: every picture or text with its class.
//! 2. [`embed`]: each becomes the backbone's embedding, on all cores, or is taken
//!    from the [`cache`].
//! 3. [`parts`]: examples that resemble each other stay on one side of the split.
//! 4. [`choose`]: cross-validation chooses among [`linear`] heads and [`mlp`] ones,
//!    and a temperature makes their probabilities honest.
//! 5. [`joined`]: backbone and head become one graph, which is run and compared.

mod cache;
mod choose;
mod describe;
mod embed;
mod examples;
mod joined;
mod kernel;
mod labelled;
mod layers;
mod linear;
mod measured;
mod mlp;
mod parts;
mod pictures;
mod rows;
mod source;
mod text_files;
mod texts;
mod twins;

use std::cell::OnceCell;
use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context, Result, ensure};
use backbone::Backbone;
use fit::select;
use model::{BackboneOrigin, BaseModel, DATA_FILE, Inventory, REFERENCE_FILE, TOKENIZER_FILE};
use ndarray::Array2;
use rows::Rows;

pub(crate) use choose::Chosen;
pub(crate) use examples::{Content, Example, Examples, Kind};
use source::Source;
pub(crate) use source::{is_url, mirrored};

use crate::TrainingOptions;
use crate::data::{self, Split};
use crate::delta::{self, Delta, Prior};
use crate::engine::Loaded;
use crate::experiment::Experiment;
use crate::job::{self, Job};
use crate::metrics::{Metrics, Suspect};
use crate::previous::Former;
use crate::progress::{step, warn};
use crate::publication::Published;
use crate::run::counted;
use crate::table::tell_seen_once;
use crate::{reference, report};

/// All that a run on a backbone has come to.
pub(crate) struct Outcome<'a> {
    /// Which model and version.
    pub(crate) job: &'a Job,
    /// The settings with the defaults filled in.
    pub(crate) experiment: &'a Experiment,
    /// The backbone.
    pub(crate) backbone: &'a Backbone,
    /// What has run it.
    pub(crate) engine: &'a str,
    /// What was learned from and measured with.
    pub(crate) examples: &'a Examples,
    /// Which of them were held out.
    pub(crate) split: &'a Split,
    /// The head, and what else was tried.
    pub(crate) chosen: &'a Chosen,
    /// Probabilities `[held-out examples, classes]`.
    pub(crate) outputs: &'a Array2<f32>,
    /// The figures.
    pub(crate) metrics: &'a Metrics,
    /// Groups of examples that resemble each other, of two or more.
    pub(crate) twins: &'a [Vec<usize>],
    /// Training examples whose labels are doubted, by their positions.
    pub(crate) suspects: &'a [Suspect],
    /// The version before, where one was given.
    pub(crate) former: Option<&'a Former>,
}

/// A backbone, and what it learns from.
pub(crate) struct Subject {
    experiment: Experiment,
    source: Source,
    backbone: Backbone,
    examples: Examples,
    delta: Option<Delta>,
    loaded: OnceCell<Loaded>,
}

impl Subject {
    /// Opens the backbone called `name` and reads the examples.
    pub(crate) fn read(
        options: &TrainingOptions,
        experiment: Experiment,
        name: &str,
    ) -> Result<Self> {
        let source = Source::find(options, name)?;
        let backbone = open(&source)?;
        let mut examples = examples::read(options, &experiment, &backbone)?;
        let mut delta = Delta::find(options, experiment.mode, &examples.files)?;
        if let Some(found) = &delta
            && !delta::narrow(&mut examples, found, &experiment, &backbone)?
        {
            delta = None;
        }
        Ok(Self {
            experiment,
            source,
            backbone,
            examples,
            delta,
            loaded: OnceCell::new(),
        })
    }

    /// The settings, as they were given.
    pub(crate) fn experiment(&self) -> &Experiment {
        &self.experiment
    }

    /// The digest of each data file, by path below the data folder.
    pub(crate) fn data(&self) -> &Inventory {
        &self.examples.files
    }

    /// The backbone, as provenance names it.
    pub(crate) fn backbone(&self) -> BackboneOrigin {
        describe::origin(&self.backbone)
    }

    /// The folder of the backbone.
    pub(crate) fn backbone_folder(&self) -> &Path {
        self.source.path()
    }

    /// The engine that the backbone is loaded on, as provenance names it. It is loaded
    /// when somebody asks: where the tasks of a cluster embed, nobody does.
    ///
    /// # Errors
    ///
    /// When the library that was asked for cannot be used, or no engine runs the backbone.
    pub(crate) fn engine(&self, options: &TrainingOptions) -> Result<&str> {
        let loaded = match self.loaded.get() {
            Some(loaded) => loaded,
            None => {
                let loaded = Loaded::new(&options.engine, &self.backbone)?;
                self.loaded.get_or_init(|| loaded)
            }
        };
        Ok(loaded.embedder.engine())
    }

    /// The version's name.
    ///
    /// # Errors
    ///
    /// As [`Subject::engine`].
    pub(crate) fn version(&self, options: &TrainingOptions) -> Result<String> {
        let backbone = (self.backbone.digest, self.engine(options)?);
        let settings = (&self.experiment, backbone, self.base());
        Ok(job::version(options, &self.examples.files, &settings))
    }

    /// The model that is continued.
    pub(crate) fn base(&self) -> Option<BaseModel> {
        self.delta.as_ref().map(Delta::base)
    }
}

/// Trains a head on the backbone.
pub(crate) fn train<'a>(
    subject: Subject,
    options: &TrainingOptions,
    job: &'a Job,
    former: Option<&Former>,
) -> Result<Published<'a>> {
    let Subject {
        mut experiment,
        source: _source,
        backbone,
        mut examples,
        delta,
        loaded,
    } = subject;
    let loaded = loaded.into_inner();
    let Loaded { engines, embedder } =
        loaded.map_or_else(|| Loaded::new(&options.engine, &backbone), Ok)?;
    let prior = prior(delta.as_ref(), &examples, &backbone)?;
    let engine = embedder.engine().to_owned();
    let (embeddings, vectors) = embed::embed(embedder, options, &mut examples, &backbone)?;
    examples.check(experiment.max_broken)?;
    let codes = examples.codes();
    let groups = twins::groups(&examples, embeddings.as_ref().unwrap_or(&vectors));
    let classes = examples.labels.len();
    let split = parts::split(&codes, &groups, classes, experiment.split, experiment.seed);
    tell(&split, &examples, &groups)?;
    let training = choose::Training {
        vectors: &vectors,
        rows: &split.training,
        codes: &select(&codes, &split.training),
        groups: &select(&groups, &split.training),
        classes,
        prior: prior.as_ref(),
    };
    experiment.settle(&examples);
    kernel::check(&experiment, training.codes.len())?;
    let chosen = choose::choose(&training, &experiment)?;
    let held_out = Rows::new(&vectors, &split.held_out);
    let outputs = held_out.probabilities(&chosen.layers).mapv(|p| p as f32);
    let ran = (&backbone, &engines);
    let graph = joined::checked(ran, &chosen.layers, &examples, &split, &outputs)?;
    let twins = data::twins(&groups);
    let suspects = measured::doubted(&chosen, &split, training.codes);
    let looked_at = measured::looked_at(&twins, &suspects, &codes);
    let measured = measured::HeldOut {
        rows: &held_out,
        codes: &select(&codes, &split.held_out),
        labels: &examples.labels,
        outputs: &outputs,
    };
    let mut metrics = measured.metrics(&training, &chosen, &experiment, looked_at)?;
    metrics.previous = former.map(|former| former.figures.clone());
    if let Some(advice) = metrics.advice() {
        warn(&advice);
    }
    let outcome = Outcome {
        job,
        experiment: &experiment,
        backbone: &backbone,
        engine: &engine,
        examples: &examples,
        split: &split,
        chosen: &chosen,
        outputs: &outputs,
        metrics: &metrics,
        twins: &twins,
        suspects: &suspects,
        former,
    };
    let page = report::embedded(&outcome).context("cannot draw the report")?;
    let mut manifest = describe::manifest(&outcome, &graph)?;
    manifest.provenance.base = delta.as_ref().map(Delta::base);
    let reference = reference::of_embeddings(embeddings.unwrap_or(vectors), &split.training)?;
    Ok(Published {
        manifest,
        page,
        graph: graph.graph,
        more: more_files(&backbone, &examples, reference),
        learned: chosen.figures(split.training.len()),
        metrics,
        job,
    })
}

/// The head of the model that is continued.
fn prior(delta: Option<&Delta>, examples: &Examples, backbone: &Backbone) -> Result<Option<Prior>> {
    let prior = delta.map(|delta| delta.prior(&examples.labels, backbone.head_width()));
    prior.transpose()
}

/// Says how many examples are held out.
///
/// # Errors
///
/// When none are, or all.
fn tell(split: &Split, examples: &Examples, groups: &[usize]) -> Result<()> {
    let noun = examples.kind.noun();
    ensure!(
        !split.held_out.is_empty() && !split.training.is_empty(),
        "none of the {} can be held out for measuring: {}",
        counted(examples.items.len(), noun),
        examples.why_none(groups)
    );
    let once = format!("one {noun}, or only such as are alike");
    tell_seen_once(&examples.labels, split, &once);
    step(format_args!(
        "{} classes; {} to learn from, {} held out",
        examples.labels.len(),
        counted(split.training.len(), noun),
        split.held_out.len()
    ));
    Ok(())
}

/// The files of the package besides those that every package has.
fn more_files(
    backbone: &Backbone,
    examples: &Examples,
    reference: Vec<u8>,
) -> BTreeMap<String, Vec<u8>> {
    let tokenizer = backbone.tokenizer.clone();
    let files = [
        (DATA_FILE, Some(examples.files.to_text().into_bytes())),
        (REFERENCE_FILE, Some(reference)),
        (TOKENIZER_FILE, tokenizer),
    ];
    let present = files.into_iter();
    present
        .filter_map(|(name, content)| Some((name.to_owned(), content?)))
        .collect()
}

/// The backbone in this folder.
fn open(source: &Source) -> Result<Backbone> {
    let backbone = Backbone::open(source.path())?;
    let licence = backbone.description.licence.as_ref();
    step(format_args!(
        "backbone {} {} (licence of the weights: {})",
        backbone.description.name,
        backbone.digest,
        licence.map_or("not stated", |l| l.weights.as_str())
    ));
    Ok(backbone)
}
