//! What will happen to each image, and why.

use std::thread;

use anyhow::{Result, anyhow};

use super::inputs::{Common, Inputs};
use super::libraries::Libraries;
use super::record::Record;
use super::seal;
use super::settings::Settings;
use crate::programs;
use crate::registry::{Held, Published, Registry};
use crate::workspace::{Image, Workspace};

/// What will happen to one image.
pub(crate) struct Job<'a> {
    pub(crate) image: &'a Image,
    pub(crate) reference: String,
    pub(crate) inputs: Inputs,
    /// The last build, whatever became of it.
    pub(crate) record: Option<Record>,
    pub(crate) action: Action,
    /// Whether the engine holds the image of the record.
    pub(crate) held: bool,
    /// Whether it has its tag there.
    pub(crate) tagged: bool,
    /// What the registry holds; known only when something is to be pushed.
    pub(crate) published: Option<Published>,
}

/// What is to be done on this machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Action {
    /// The engine holds the image under its tag.
    Keep,
    /// The engine holds the image, but not under this tag.
    Tag,
    /// It has to be built, for these reasons.
    Build(Vec<String>),
}

/// What is to be done with the registry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Push {
    /// Nobody asked for it.
    No,
    /// The tag is free.
    Yes,
    /// The registry holds the same content.
    Published,
    /// To be decided when the image is built.
    Compare,
    /// The registry holds other content under this tag.
    Refused(String),
}

/// Plans all images. Gives what stands in the way as well.
///
/// # Errors
/// When the workspace or the engine cannot be read.
pub(crate) fn plan<'a>(
    settings: &Settings,
    workspace: &Workspace,
    images: &[&'a Image],
    push: bool,
) -> Result<(Vec<Job<'a>>, Vec<String>)> {
    let common = Common {
        workspace,
        graph: &settings.graph,
        compiler: programs::compiler()?,
        platform: &settings.platform,
    };
    let mut problems = Vec::new();
    let held = settings.engine.images()?;
    let mut jobs = Vec::new();
    for image in images {
        let reference = match settings.place.reference(&image.name, &image.version) {
            Ok(reference) => reference,
            Err(error) => {
                problems.push(format!("{}: {error:#}", image.name));
                continue;
            }
        };
        let record = Record::read(&settings.scratch(&image.name));
        let seen = record.as_ref().map_or(&[][..], |record| &record.seen);
        let libraries = settings.libraries_of(workspace, &image.name);
        let libraries = libraries.map_or_else(String::new, Libraries::digest);
        let inputs = Inputs::of(&common, image, seen, libraries)?;
        let id = record.as_ref().map(|record| &record.id);
        let tagged = id.is_some() && held.get(&reference) == id;
        let here = id.is_some_and(|id| held.values().any(|other| other == id));
        let action = action(&inputs, record.as_ref(), tagged, here);
        jobs.push(Job {
            image,
            reference,
            inputs,
            record,
            action,
            held: here,
            tagged,
            published: None,
        });
    }
    if push {
        problems.extend(ask(settings, &mut jobs)?);
    }
    Ok((jobs, problems))
}

/// Why images cannot be pushed: they are published with other content.
pub(crate) fn refusals(jobs: &[Job<'_>]) -> impl Iterator<Item = String> {
    jobs.iter().filter_map(|job| match job.push() {
        Push::Refused(problem) => Some(problem),
        _ => None,
    })
}

fn action(inputs: &Inputs, record: Option<&Record>, tagged: bool, held: bool) -> Action {
    let Some(record) = record else {
        return Action::Build(vec!["not built here yet".to_owned()]);
    };
    let differences = inputs.differences(&record.inputs);
    if !differences.is_empty() {
        return Action::Build(differences);
    }
    if tagged {
        return Action::Keep;
    }
    if held {
        return Action::Tag;
    }
    Action::Build(vec!["gone from the engine".to_owned()])
}

/// Asks the registry for all images at once; what it does not answer for is a
/// problem.
fn ask(settings: &Settings, jobs: &mut [Job<'_>]) -> Result<Vec<String>> {
    let plain = settings.engine.takes_plain_http(&settings.place.registry)?;
    let answers: Vec<Result<Published>> = thread::scope(|scope| {
        let threads: Vec<_> = jobs
            .iter()
            .map(|job| (job.image.name.clone(), job.image.version.to_string()))
            .map(|(name, tag)| {
                scope.spawn(move || {
                    registry(settings, &name, plain).published(&tag, &settings.platform)
                })
            })
            .collect();
        let joined = threads.into_iter().map(thread::ScopedJoinHandle::join);
        joined
            .map(|result| result.unwrap_or_else(|_| Err(anyhow!("a thread of xtask panicked"))))
            .collect()
    });
    let mut problems: Vec<String> = Vec::new();
    for (job, answer) in jobs.iter_mut().zip(answers) {
        match answer {
            Ok(published) => job.published = Some(published),
            Err(error) => {
                let problem = format!("{error:#}");
                // One registry: its trouble is told once.
                if !problems.contains(&problem) {
                    problems.push(problem);
                }
            }
        }
    }
    Ok(problems)
}

/// The repository of one image.
pub(crate) fn registry(settings: &Settings, name: &str, plain: bool) -> Registry {
    let repository = format!("{}/{name}", settings.place.project);
    Registry::new(&settings.place.registry, &repository, plain, settings.limit)
}

impl Job<'_> {
    /// What has to be done with the registry, as far as it is known.
    pub(crate) fn push(&self) -> Push {
        match (&self.published, &self.record, &self.action) {
            (None, ..) => Push::No,
            (Some(Published::Free), ..) => Push::Yes,
            (Some(Published::Held(_)), _, Action::Build(_)) | (_, None, _) => Push::Compare,
            (Some(Published::Held(held)), Some(record), _) => {
                compare(self.image, &record.content, &record.id, held)
            }
        }
    }

    /// One line for people.
    pub(crate) fn line(&self) -> (&'static str, String) {
        let name = &self.image.name;
        let (verb, here) = match &self.action {
            Action::Keep => ("Keep", "up to date".to_owned()),
            Action::Tag => ("Tag", "built already".to_owned()),
            Action::Build(reasons) => ("Build", reasons.join(", ")),
        };
        let there = match self.push() {
            Push::No => "",
            Push::Yes => "; push: not in the registry",
            Push::Published => "; no push: published already",
            Push::Compare => "; push: only if the published image has the same content",
            Push::Refused(_) => "; no push: published with other content",
        };
        (
            verb,
            format!("{name} {} ({here}{there})", self.image.version),
        )
    }
}

/// Compares an image of this machine with the published one of its version.
pub(crate) fn compare(image: &Image, content: &serde_json::Value, id: &str, held: &Held) -> Push {
    if seal::content(&held.configuration) == *content {
        return Push::Published;
    }
    let (name, version) = (&image.name, &image.version);
    Push::Refused(format!(
        "{name} {version} is already published with other content (there {}, here {id}); \
         run `cargo xtask bump {name}` and try again",
        held.id
    ))
}
