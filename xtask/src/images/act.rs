//! Compiles, builds, checks and tags what the plan asks for.

use std::fs;
use std::path::PathBuf;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow, bail};
use sha2::{Digest, Sha256};

use super::audit;
use super::build::{Built, Recipe};
use super::inputs;
use super::libraries::Libraries;
use super::plan::{Action, Job};
use super::record::Record;
use super::revision::Revision;
use super::sbom::{self, Checksums};
use super::seal::{Label, hex};
use super::settings::Settings;
use super::table;
use crate::cargo::Package;
use crate::programs;
use crate::report;
use crate::workspace::Workspace;

/// What became of an image.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// Nothing was to do.
    UpToDate,
    /// The engine had it under another tag.
    Tagged,
    /// It was compiled and came out as it was.
    Unchanged,
    Built,
}

impl Outcome {
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::UpToDate => "up-to-date",
            Self::Tagged => "tagged",
            Self::Unchanged => "unchanged",
            Self::Built => "built",
        }
    }
}

/// What was done, and how long it took.
pub(crate) struct Done {
    pub(crate) outcomes: Vec<Outcome>,
    pub(crate) compiling: Duration,
    /// Packing, loading, running and tagging.
    pub(crate) imaging: Duration,
}

/// Does what the plan says, up to the tags on this machine. The records of
/// `jobs` are those of the present images afterwards.
///
/// # Errors
/// When anything fails; no tag has moved then.
pub(crate) fn act(
    settings: &Settings,
    workspace: &Workspace,
    revision: &Revision,
    jobs: &mut [Job<'_>],
) -> Result<Done> {
    let start = Instant::now();
    let due = jobs
        .iter()
        .filter(|job| matches!(job.action, Action::Build(_)));
    let names: Vec<&str> = due.map(|job| job.image.name.as_str()).collect();
    let mut compiling = Duration::ZERO;
    let outcomes = if names.is_empty() {
        jobs.iter().map(settled).collect()
    } else {
        report::status("Compiling", names.join(", "));
        let with_libraries = settings.libraries.is_some();
        let programs = programs::build_for(workspace, &names, &settings.target, with_libraries)?;
        compiling = start.elapsed();
        let checksums = sbom::checksums(&workspace.root)?;
        let maker = Maker {
            settings,
            workspace,
            revision,
            checksums,
            programs,
        };
        make_all(jobs, &maker)?
    };
    budget(workspace, jobs)?;
    tag_all(settings, jobs, &outcomes)?;
    Ok(Done {
        outcomes,
        compiling,
        imaging: start.elapsed().saturating_sub(compiling),
    })
}

/// Moves the tags of all images that are new or lack theirs.
fn tag_all(settings: &Settings, jobs: &[Job<'_>], outcomes: &[Outcome]) -> Result<()> {
    let untagged = jobs.iter().zip(outcomes).filter(|(job, outcome)| {
        **outcome != Outcome::UpToDate && !(job.tagged && **outcome == Outcome::Unchanged)
    });
    let tagged = at_once(untagged, |(job, _)| {
        let id = job.record.as_ref().map_or("", |record| &record.id);
        let log = format!("{}-tag", job.image.name);
        let words = ["tag", id, &job.reference];
        settings.engine.call(&log, &words).read()
    });
    tagged.into_iter().try_for_each(|tagged| tagged.map(drop))
}

fn settled(job: &Job<'_>) -> Outcome {
    match job.action {
        Action::Keep => Outcome::UpToDate,
        Action::Tag | Action::Build(_) => Outcome::Tagged,
    }
}

/// Makes all images at once. All that goes wrong is told.
fn make_all(jobs: &mut [Job<'_>], maker: &Maker<'_>) -> Result<Vec<Outcome>> {
    let count = jobs.len();
    let mut outcomes = Vec::new();
    for result in at_once(jobs.iter_mut(), |job| maker.make(job)) {
        match result {
            Ok(outcome) => outcomes.push(outcome),
            Err(error) => report::error(format_args!("{error:#}")),
        }
    }
    if outcomes.len() < count {
        let failed = report::count(count - outcomes.len(), "image");
        bail!("{failed} of {count} failed; no tag was moved and nothing pushed");
    }
    Ok(outcomes)
}

/// Does `work` in a thread for each item: measured, that is faster than one
/// after the other.
fn at_once<T: Send, R: Send>(
    items: impl Iterator<Item = T>,
    work: impl Fn(T) -> Result<R> + Sync,
) -> Vec<Result<R>> {
    let work = &work;
    thread::scope(|scope| {
        let threads: Vec<_> = items.map(|item| scope.spawn(move || work(item))).collect();
        let joined = threads.into_iter().map(thread::ScopedJoinHandle::join);
        joined
            .map(|result| result.unwrap_or_else(|_| Err(anyhow!("a thread of xtask panicked"))))
            .collect()
    })
}

/// Makes single images.
struct Maker<'a> {
    settings: &'a Settings,
    workspace: &'a Workspace,
    revision: &'a Revision,
    checksums: Checksums,
    /// Where the programs lie.
    programs: PathBuf,
}

impl Maker<'_> {
    fn make(&self, job: &mut Job<'_>) -> Result<Outcome> {
        if !matches!(job.action, Action::Build(_)) {
            return Ok(settled(job));
        }
        let name = &job.image.name;
        let scratch = self.settings.scratch(name);
        fs::create_dir_all(&scratch)
            .with_context(|| format!("cannot make {}", scratch.display()))?;
        let member = self.settings.graph.member(name)?;
        let binary = self.programs.join(name);
        let bytes =
            fs::read(&binary).with_context(|| format!("cannot read {}", binary.display()))?;
        let libraries = self.settings.libraries_of(self.workspace, name);
        let bytes = audit::embed(&bytes, &self.settings.graph, member, libraries.is_some())
            .with_context(|| format!("{} cannot go into an image", binary.display()))?;
        let digest = hex(&Sha256::digest(&bytes));
        let seen = fs::read_to_string(self.programs.join(format!("{name}.d"))).unwrap_or_default();
        let seen = inputs::dependency_info(&seen);
        let (built, outcome) = match self.same(job, &digest) {
            Some(built) => (built, Outcome::Unchanged),
            None => (self.build(job, member, &bytes)?, Outcome::Built),
        };
        let bill = sbom::bill(
            &self.settings.graph,
            member,
            &self.checksums,
            &self.revision.created,
            &digest,
            &libraries.map_or_else(Vec::new, Libraries::components),
        );
        fs::write(scratch.join("sbom.cdx.json"), format!("{bill:#}\n"))?;
        let record = Record {
            inputs: job.inputs.clone(),
            seen,
            program: digest,
            id: built.id,
            size: built.size,
            content: built.content,
        };
        record.write(&scratch)?;
        job.record = Some(record);
        Ok(outcome)
    }

    /// The present image, if it is what a build would make.
    fn same(&self, job: &Job<'_>, program: &str) -> Option<Built> {
        let record = job.record.as_ref()?;
        let same = record.program == program && job.inputs.same_image(&record.inputs);
        (same && job.held).then(|| Built {
            id: record.id.clone(),
            size: record.size,
            content: record.content.clone(),
        })
    }

    fn build(&self, job: &Job<'_>, member: &Package, program: &[u8]) -> Result<Built> {
        let name = &job.image.name;
        report::status("Building", format_args!("{name} {}", job.image.version));
        let version = job.image.version.to_string();
        let recipe = Recipe {
            name,
            version: &version,
            dockerfile: &self.workspace.dockerfile(name),
            program,
            libraries: self.settings.libraries_of(self.workspace, name),
            labels: labels(member, self.revision),
            created: &self.revision.created,
            platform: &self.settings.platform,
            scratch: self.settings.scratch(name),
        };
        recipe.build(&self.settings.engine)
    }
}

fn labels(member: &Package, revision: &Revision) -> Vec<Label> {
    let given = [
        ("title", Some(&member.name)),
        ("description", member.description.as_ref()),
        ("version", Some(&member.version)),
        ("licenses", member.license.as_ref()),
        ("source", member.repository.as_ref()),
        ("created", Some(&revision.created)),
        ("revision", revision.commit.as_ref()),
    ];
    let given = given.into_iter();
    given
        .filter_map(|(key, value)| {
            Some((format!("org.opencontainers.image.{key}"), value?.clone()))
        })
        .collect()
}

/// Refuses images that are larger than the workspace allows.
fn budget(workspace: &Workspace, jobs: &[Job<'_>]) -> Result<()> {
    let size = |job: &Job<'_>| job.record.as_ref().map_or(0, |record| record.size);
    let sizes = jobs.iter().map(|job| (job.image.name.as_str(), size(job)));
    let total: u64 = jobs.iter().map(size).sum();
    let mut large = Vec::new();
    for (name, bytes) in sizes.chain([("total", total)]) {
        let limit = workspace.size_limits.get(name).copied();
        if let Some(limit) = limit.filter(|limit| bytes > limit * 1_000_000) {
            large.push(format!(
                "{name} has {} and may have {limit} MB",
                table::size(bytes)
            ));
        }
    }
    if large.is_empty() {
        return Ok(());
    }
    bail!(
        "over the budget: {}; make it smaller, or raise size-limits under \
         [workspace.metadata.images] of Cargo.toml; no tag was moved",
        large.join("; ")
    )
}
