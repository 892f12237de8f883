//! Plan and outcome for machines: one JSON document on stdout. Its keys are
//! documented in docs/images.md and do not change.

use serde_json::{Value, json};

use super::act::Done;
use super::plan::{Action, Job, Push};
use super::push::Pushed;

/// The document. `done` is none and `pushed` empty as long as nothing was done.
pub(crate) fn document(
    jobs: &[Job<'_>],
    problems: &[String],
    done: Option<&Done>,
    pushed: &[Pushed],
) -> Value {
    let outcomes = done.map_or(&[][..], |done| &done.outcomes);
    let images = jobs.iter().enumerate().map(|(index, job)| {
        let record = job.record.as_ref().filter(|_| index < outcomes.len());
        let (action, reasons) = action(&job.action);
        json!({
            "name": job.image.name,
            "version": job.image.version.to_string(),
            "reference": job.reference,
            "plan": {"action": action, "reasons": reasons, "push": push(&job.push())},
            "outcome": outcomes.get(index).map(|outcome| outcome.word()),
            "id": record.map(|record| &record.id),
            "size": record.map(|record| record.size),
            "pushed": pushed.get(index).map(|pushed| matches!(pushed, Pushed::Now(_))),
            "digest": pushed.get(index).map(|pushed| match pushed {
                Pushed::Now(digest) | Pushed::Before(digest) => digest,
            }),
        })
    });
    let seconds = done.map(|done| {
        json!({
            "compiling": done.compiling.as_secs_f64(),
            "imaging": done.imaging.as_secs_f64(),
        })
    });
    json!({
        "images": images.collect::<Vec<Value>>(),
        "problems": problems,
        "seconds": seconds,
    })
}

fn action(action: &Action) -> (&'static str, Vec<String>) {
    match action {
        Action::Keep => ("keep", Vec::new()),
        Action::Tag => ("tag", Vec::new()),
        Action::Build(reasons) => ("build", reasons.clone()),
    }
}

fn push(push: &Push) -> &'static str {
    match push {
        Push::No => "no",
        Push::Yes => "yes",
        Push::Published => "published",
        Push::Compare => "compare",
        Push::Refused(_) => "refused",
    }
}
