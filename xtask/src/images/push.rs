//! Pushes what the registry does not hold, once everything has been compared.

use anyhow::{Context, Result, bail};

use super::plan::{self, Job, Push};
use super::seal;
use super::settings::Settings;
use crate::registry::Published;
use crate::report;

/// What became of an image in the registry: the digest of its manifest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Pushed {
    Now(String),
    Before(String),
}

/// Pushes one after the other: measured, that is faster than all at once.
///
/// # Errors
/// When one image is published with other content (nothing is pushed then), or
/// a push fails; those that were pushed stay, and the next run goes on.
pub(crate) fn push(settings: &Settings, jobs: &[Job<'_>]) -> Result<Vec<Pushed>> {
    let mut refused = 0;
    let decisions: Vec<Push> = jobs.iter().map(decide).collect();
    for decision in &decisions {
        if let Push::Refused(problem) = decision {
            report::error(problem);
            refused += 1;
        }
    }
    if refused > 0 {
        bail!(
            "{} refused; nothing was pushed",
            report::count(refused, "image")
        );
    }
    let plain = settings.engine.takes_plain_http(&settings.place.registry)?;
    let mut pushed = Vec::new();
    for (job, decision) in jobs.iter().zip(&decisions) {
        let result = match (decision, &job.published) {
            (Push::Published, Some(Published::Held(held))) => Pushed::Before(held.digest.clone()),
            _ => Pushed::Now(
                one(settings, job, plain).with_context(|| progress(jobs, pushed.len()))?,
            ),
        };
        pushed.push(result);
    }
    Ok(pushed)
}

/// Now that every image has a record, nothing is left to compare.
pub(crate) fn decide(job: &Job<'_>) -> Push {
    match (&job.published, &job.record) {
        (Some(Published::Held(held)), Some(record)) => {
            plan::compare(job.image, &record.content, &record.id, held)
        }
        _ => Push::Yes,
    }
}

/// Pushes an image and asks the registry what it holds now.
fn one(settings: &Settings, job: &Job<'_>, plain: bool) -> Result<String> {
    report::status("Pushing", &job.reference);
    let log = format!("{}-push", job.image.name);
    let call = settings.engine.call(&log, &["push", &job.reference]);
    call.doing("Pushing", &job.reference).read()?;
    let registry = plan::registry(settings, &job.image.name, plain);
    let tag = job.image.version.to_string();
    let content = job.record.as_ref().map(|record| &record.content);
    match registry.published(&tag, &settings.platform)? {
        Published::Held(held) if Some(&seal::content(&held.configuration)) == content => {
            Ok(held.digest)
        }
        Published::Held(held) => bail!(
            "{} is {} after the push, which is not what was pushed; somebody else pushes there",
            job.reference,
            held.digest
        ),
        Published::Free => bail!(
            "the registry does not hold {} after the push",
            job.reference
        ),
    }
}

fn progress(jobs: &[Job<'_>], done: usize) -> String {
    format!(
        "{done} of {} in the registry; run the same command again to push the rest",
        report::count(jobs.len(), "image")
    )
}
