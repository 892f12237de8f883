//! This program as the code of an experiment.
//!
//! What a task unpacks is laid out as the pipeline's worker has it: the program,
//! `experiment.yaml`, and below `pfs` the data and a backbone from an input.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use ::determined::{ContextFile, MAX_CONTEXT_SIZE};
use anyhow::{Context, Result, ensure};
use clap::ValueEnum;
use model::Choice;
use serde_json::{Map, Value, json};

use super::config;
use super::linked::{libraries, loader};
use super::secrets::Secrets;
use crate::data::all_files;
use crate::experiment::Mode;
use crate::job::Job;
use crate::progress::step;
use crate::subject::{Subject, read_experiment};
use crate::{Args, TrainingOptions, embedded, engine};

const PROGRAM: &str = "train";
const LIBRARIES: &str = "lib";
const SETTINGS: &str = "experiment.yaml";
const PFS: &str = "pfs";
const BACKBONES: &str = "backbones";

/// The configuration and the context of an experiment that trains what `args` say.
pub(super) fn experiment(
    args: &Args,
    job: &Job,
    secrets: &mut Secrets,
) -> Result<(Value, Vec<ContextFile>)> {
    let settings = read_experiment(&args.training)?;
    ensure!(
        settings.mode == Mode::All,
        "mode is delta, and the tasks of a cluster do not have the last model: train here, or with \
         --detached"
    );
    let here = TrainingOptions {
        // That is a folder of the tasks.
        cache: None,
        ..args.training.clone()
    };
    let subject = Subject::of(&here, settings)?;
    let mut config = config::own(args, job, subject.experiment(), secrets)?;
    let resources = config.entry("resources").or_insert(Value::Null);
    if resources.is_null() {
        *resources = Value::Object(Map::new());
    }
    if let Some(resources) = resources.as_object_mut() {
        // It computes on the CPU.
        resources.entry("slots_per_trial").or_insert(0.into());
    }
    // It is as determined as anything: what fails twice fails always.
    config.entry("max_restarts").or_insert(1.into());
    // Of another program it is not known what it is linked with.
    let libraries = match args.determined.program {
        Some(_) => BTreeSet::new(),
        None => libraries()?,
    };
    let loader = loader(&libraries).and_then(Path::file_name);
    let loader = loader.map(|name| format!("./{LIBRARIES}/{}", name.display()));
    let command = entrypoint(args, job, &subject, loader.as_deref());
    config.insert("entrypoint".to_owned(), command);
    let context = context(args, &subject, &libraries)?;
    Ok((Value::Object(config), context))
}

/// The command of a task, a list, so that no shell reads it; a `loader` loads the
/// program.
fn entrypoint(args: &Args, job: &Job, subject: &Subject, loader: Option<&str>) -> Value {
    let training = &args.training;
    let program = format!("./{PROGRAM}");
    let digest = subject.data().digest().to_string();
    let mut words = Vec::new();
    if let Some(loader) = loader {
        words.extend([loader, "--library-path", LIBRARIES]);
    }
    words.extend([program.as_str(), "trial"]);
    words.extend(["--repo", &job.repo, "--model", &job.model]);
    words.extend(["--job-id", &job.version, "--pipeline", &job.pipeline]);
    words.extend(["--input", &training.input, "--pfs", PFS]);
    words.extend(["--backbones", BACKBONES, "--config", SETTINGS]);
    words.extend(["--data-digest", &digest]);
    let more = [
        ("--project", training.project.as_ref()),
        ("--output-commit", training.output_commit.as_ref()),
        ("--data-commit", job.data_commit.as_ref()),
    ];
    for (flag, value) in more {
        if let Some(value) = value.filter(|text| !text.is_empty()) {
            words.extend([flag, value]);
        }
    }
    let choice = training.engine.choice.to_possible_value();
    let choice = choice.filter(|_| training.engine.choice != Choice::default());
    if let Some(choice) = &choice {
        words.extend([engine::OPTION, choice.get_name()]);
    }
    let folders = [
        ("--data", args.determined.det_data.as_deref()),
        ("--cache", training.cache.as_deref()),
    ];
    let folders = folders.map(|(flag, path)| (flag, path.map(Path::to_string_lossy)));
    for (flag, path) in &folders {
        if let Some(path) = path.as_deref().filter(|path| !path.is_empty()) {
            words.extend([flag, path]);
        }
    }
    json!(words)
}

fn context(
    args: &Args,
    subject: &Subject,
    libraries: &BTreeSet<PathBuf>,
) -> Result<Vec<ContextFile>> {
    let (training, options) = (&args.training, &args.determined);
    let mut context = Sent::default();
    let program = match &options.program {
        Some(path) => training.below_pfs(path),
        None => std::env::current_exe().context("cannot find this program's own file")?,
    };
    context.add(&program, PROGRAM, true)?;
    for library in libraries {
        let name = library.file_name().unwrap_or_default();
        context.add(library, &format!("{LIBRARIES}/{}", name.display()), true)?;
    }
    ensure!(
        context.size <= MAX_CONTEXT_SIZE,
        "the program {} has {} MiB, and an experiment may bring {} MiB along: name a smaller build of train with --program, or train with --detached",
        program.display(),
        context.size >> 20,
        MAX_CONTEXT_SIZE >> 20
    );
    match &training.config {
        Some(path) => context.add(&training.below_pfs(path), SETTINGS, false)?,
        None => context.put(SETTINGS, &[], false),
    }
    if let Some(name) = &subject.experiment().backbone
        && let Some(folder) = subject.backbone_folder()
    {
        match place_of_backbone(name) {
            Some(place) => context.add_all(folder, &place, all_files(folder)?)?,
            None => step(format_args!(
                "the backbone {name} is not sent along: tasks must have it there"
            )),
        }
    }
    if options.det_data.is_none() {
        let place = format!("{PFS}/{}", training.input);
        let files = subject.data().0.into_keys().collect();
        context.add_all(&training.data_folder(), &place, files)?;
    }
    step(format_args!(
        "the experiment brings {} MiB along",
        context.size.div_ceil(1 << 20)
    ));
    Ok(context.files.into_values().collect())
}

/// Where a task finds the backbone that the settings name; none where they name a
/// folder that is no input.
fn place_of_backbone(name: &str) -> Option<String> {
    if embedded::is_url(name) {
        return Some(format!("{BACKBONES}/{}", embedded::mirrored(name)));
    }
    if !name.contains('/') {
        return Some(format!("{BACKBONES}/{name}"));
    }
    let below = name.strip_prefix("/pfs/")?.trim_end_matches('/');
    Some(format!("{PFS}/{below}"))
}

/// Files that go along, by their place; a directory comes before what it holds.
#[derive(Default)]
struct Sent {
    files: BTreeMap<String, ContextFile>,
    /// In bytes.
    size: u64,
}

impl Sent {
    fn put(&mut self, place: &str, content: &[u8], executable: bool) {
        for (slash, _) in place.match_indices('/') {
            let parent = place.get(..slash).unwrap_or_default();
            let directory = || ContextFile::directory(parent);
            self.files
                .entry(parent.to_owned())
                .or_insert_with(directory);
        }
        let file = ContextFile::new(place, content, executable);
        self.files.insert(place.to_owned(), file);
    }

    /// Takes a file along. One that is too large is counted, but not read.
    fn add(&mut self, path: &Path, place: &str, executable: bool) -> Result<()> {
        let unreadable = || format!("cannot read {}", path.display());
        self.size += fs::metadata(path).with_context(unreadable)?.len();
        if self.size <= MAX_CONTEXT_SIZE {
            let content = fs::read(path).with_context(unreadable)?;
            self.put(place, &content, executable);
        }
        Ok(())
    }

    fn add_all(&mut self, folder: &Path, place: &str, files: Vec<String>) -> Result<()> {
        for name in files {
            let path: PathBuf = folder.join(&name);
            self.add(&path, &format!("{place}/{name}"), false)?;
        }
        ensure!(
            self.size <= MAX_CONTEXT_SIZE,
            "with {} there are {} MiB, and an experiment may bring {} MiB along: let the tasks have the data in a folder and name that with --det-data (bind_mounts in --det-config mounts it), or train with --detached or --engine local",
            folder.display(),
            self.size >> 20,
            MAX_CONTEXT_SIZE >> 20
        );
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn directories_come_before_what_they_hold() {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir(dir.path().join("a")).unwrap();
        for name in ["a/1.csv", "a-1.csv"] {
            fs::write(dir.path().join(name), "x").unwrap();
        }
        let mut sent = Sent::default();
        let names = ["a/1.csv", "a-1.csv"].map(str::to_owned).to_vec();
        sent.add_all(dir.path(), "pfs/data", names).unwrap();
        let places: Vec<&str> = sent.files.values().map(ContextFile::path).collect();
        let expected = [
            "pfs",
            "pfs/data",
            "pfs/data/a",
            "pfs/data/a-1.csv",
            "pfs/data/a/1.csv",
        ];
        assert_eq!(places, expected);
        assert_eq!(sent.size, 2);
    }

    #[test]
    fn too_much_data_is_refused_with_what_to_do() {
        let dir = tempfile::tempdir().unwrap();
        let large = fs::File::create(dir.path().join("large.csv")).unwrap();
        large.set_len(MAX_CONTEXT_SIZE + 1).unwrap();
        let mut sent = Sent::default();
        let refused = sent.add_all(dir.path(), "pfs/data", vec!["large.csv".to_owned()]);
        let message = refused.unwrap_err().to_string();
        for words in ["95 MiB", "--det-data", "--detached", "--engine local"] {
            assert!(message.contains(words), "{message}");
        }
        assert!(sent.files.is_empty(), "it is not read");
    }

    #[test]
    fn a_backbone_lies_where_the_settings_say() {
        let place = |name| place_of_backbone(name);
        assert_eq!(place("dinov2").as_deref(), Some("backbones/dinov2"));
        assert_eq!(place("/pfs/backbone/").as_deref(), Some("pfs/backbone"));
        assert_eq!(place("/opt/backbone"), None);
        assert_eq!(place("gs://a/b/").as_deref(), Some("backbones/gs/a/b"));
    }
}
