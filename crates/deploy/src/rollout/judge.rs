//! Whether a rollout is done, has failed, or is under way.
//!
//! The operator's state alone proves nothing: right after a write it still says
//! Available about the former version, falls back to Creating, and can say
//! Available once more from a stale status, all within a quarter of a second;
//! and when the new version never gets ready it says Creating for ever. So the
//! state is only the first condition; the second is evidence that it is about
//! this version.

use std::time::Duration;

use serde_json::Value;

use super::expected::{Expected, Kind};
use super::pace::{Pace, Since};
use super::status::{State, Status};
use super::workload::{self, Finality, Pod, Workload};

/// What was seen at one moment.
#[derive(Debug, Clone)]
pub struct Seen {
    /// The object, with its status.
    pub object: Value,
    /// The Deployments behind it, where they can be read.
    pub workloads: Option<Vec<Workload>>,
    /// Their pods, where they can be read.
    pub pods: Vec<Pod>,
    /// What the model server itself says.
    pub served: Served,
}

/// What the model server says of itself, asked through its service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Served {
    /// It cannot be asked from here; why.
    Unreachable(String),
    /// It answers with these versions.
    Versions(Vec<String>),
    /// It is reached, and refuses; how.
    Refuses(String),
}

/// Why a rollout counts as done, from the strongest to the weakest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Evidence {
    /// Every Deployment runs the wanted version in all its pods, and no other is
    /// left.
    Deployments,
    /// The model answers with the version.
    ModelMetadata,
    /// The operator says that its status is about the generation of the write.
    ObservedGeneration,
    /// The object was not ready after the write, and then was.
    ConditionHistory,
    /// The object needed no new pods, and stayed ready.
    StayedReady,
}

/// How a rollout stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// Under way; what is missing.
    Waiting(String),
    /// Done, on this evidence.
    Done(Vec<Evidence>),
    /// It will not end well; why.
    Failed(String),
    /// Somebody else has changed the object since the write.
    Superseded(String),
}

/// What the object was before the write.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Baseline {
    /// Since when the condition Ready had its value.
    pub ready_since: String,
    /// Whether the operator had given up.
    pub failed: bool,
    /// Its generation.
    pub generation: i64,
}

/// Follows one rollout, look by look.
#[derive(Debug)]
pub struct Judge {
    expected: Expected,
    /// Whether the write changed what pods are made from.
    restarts: bool,
    generation: i64,
    baseline: Baseline,
    pace: Pace,
    ready_was_lost: bool,
    rolled_out: Since,
    available: Since,
    failed: Since,
    stuck: Since,
}

impl Judge {
    /// A judge of the rollout of `written`, the object as the reply to the write
    /// gave it.
    pub fn new(written: &Value, baseline: Baseline, restarts: bool, pace: Pace) -> Self {
        Self {
            expected: Expected::of(written),
            restarts,
            generation: crate::json::number(written, "/metadata/generation"),
            pace,
            // One that had failed is not ready right after the write either, also
            // where it is again before the first look: its times are whole seconds.
            ready_was_lost: baseline.failed,
            baseline,
            rolled_out: Since::default(),
            available: Since::default(),
            failed: Since::default(),
            stuck: Since::default(),
        }
    }

    /// Judges what was `seen` at the time `now` after the write.
    pub fn judge(&mut self, now: Duration, seen: &Seen) -> Verdict {
        if let Some(verdict) = self.superseded(seen) {
            return verdict;
        }
        let status = Status::of(self.expected.kind, &seen.object);
        let since = status.condition("Ready").map(|c| c.since.clone());
        let since = since.unwrap_or_default();
        let not_ready = status
            .condition("Ready")
            .is_some_and(|c| c.status != "True");
        let transition = since != self.baseline.ready_since;
        self.ready_was_lost |= not_ready || status.state != State::Available || transition;
        if let Some(reason) = self.failure(now, &status, seen) {
            return Verdict::Failed(reason);
        }
        let verdict = match self.evidence(now, &status, seen) {
            Ok(evidence) => return Verdict::Done(evidence),
            Err(missing) => missing,
        };
        // What has just become ready may still show that it stays so.
        let grace = match self.available.begin() {
            Some(_) => self.pace.confirm(),
            None => Duration::ZERO,
        };
        if now >= self.pace.deadline + grace {
            // What is rolled out is not undone because nobody here can ask it.
            if self.rolled_out.begin().is_some() && !matches!(seen.served, Served::Refuses(_)) {
                return Verdict::Done(vec![Evidence::Deployments]);
            }
            let seconds = self.pace.deadline.as_secs();
            return Verdict::Failed(format!("not done after {seconds} s: {verdict}"));
        }
        Verdict::Waiting(verdict)
    }

    fn superseded(&self, seen: &Seen) -> Option<Verdict> {
        let generation = crate::json::number(&seen.object, "/metadata/generation");
        let known = self.generation.max(self.baseline.generation);
        if generation <= known || self.shows(seen) {
            return None;
        }
        Some(Verdict::Superseded(format!(
            "somebody else has changed it: its generation is {generation}, ours was {}",
            self.generation
        )))
    }

    /// Whether the object is the written one: under GitOps a write is first a
    /// commit, which reaches the cluster minutes later.
    fn shows(&self, seen: &Seen) -> bool {
        Expected::of(&seen.object) == self.expected
    }

    fn failure(&mut self, now: Duration, status: &Status, seen: &Seen) -> Option<String> {
        let workloads = seen.workloads.as_deref().unwrap_or_default();
        let trouble = workload::trouble(&self.expected, workloads, &seen.pods);
        let patience = self.pace.give_up();
        let stuck = self.stuck.lasts(trouble.is_some(), now, patience);
        if let Some((reason, finality)) = trouble
            && (stuck || finality == Finality::Final)
        {
            return Some(reason);
        }
        // A failure from before the write says nothing about this version.
        let fresh = !self.baseline.failed || self.ready_changed(status);
        let failed = status.state == State::Failed && fresh;
        let gave_up = self.failed.lasts(failed, now, patience);
        gave_up.then(|| format!("the operator says Failed: {}", status.description))
    }

    fn ready_changed(&self, status: &Status) -> bool {
        let ready = status.condition("Ready");
        ready.is_some_and(|c| c.since != self.baseline.ready_since)
    }

    /// The evidence, or what is missing.
    fn evidence(
        &mut self,
        now: Duration,
        status: &Status,
        seen: &Seen,
    ) -> Result<Vec<Evidence>, String> {
        let available = status.is_available();
        let stayed = self.available.lasts(available, now, self.pace.confirm());
        let missing = match &seen.workloads {
            Some(workloads) => workload::missing(&self.expected, workloads),
            None => None,
        };
        let rolled_out =
            available && seen.workloads.is_some() && missing.is_none() && self.shows(seen);
        let settled = self.rolled_out.lasts(rolled_out, now, self.pace.confirm());
        if !self.shows(seen) {
            return Err("the change has not reached the cluster yet".to_owned());
        }
        if !available {
            return Err(missing.unwrap_or_else(|| "it is not ready".to_owned()));
        }
        if let Some(missing) = missing {
            return Err(missing);
        }
        match (seen.workloads.is_some(), self.answers(seen)?) {
            (true, true) => Ok(vec![Evidence::Deployments, Evidence::ModelMetadata]),
            (true, false) if settled => Ok(vec![Evidence::Deployments]),
            (true, false) => Err("the model's own answer".to_owned()),
            (false, true) if stayed => Ok(vec![Evidence::ModelMetadata]),
            (false, _) if !stayed => Err("it has to stay ready for a while".to_owned()),
            // The state of an InferenceService is only ready for its generation.
            (false, _) if self.expected.kind == Kind::InferenceService => {
                Ok(vec![Evidence::ObservedGeneration])
            }
            (false, _) if self.ready_was_lost && self.restarts => {
                Ok(vec![Evidence::ConditionHistory])
            }
            (false, _) if !self.restarts => Ok(vec![Evidence::StayedReady]),
            (false, _) => Err("a sign that it is about the new version".to_owned()),
        }
    }

    /// Whether the model answers with the wanted version; an error when it is
    /// reached and does not.
    fn answers(&self, seen: &Seen) -> Result<bool, String> {
        let wanted = self.expected.only_predictor();
        let Some(wanted) = wanted.and_then(|predictor| predictor.version.as_ref()) else {
            return Ok(false);
        };
        match &seen.served {
            Served::Unreachable(_) => Ok(false),
            Served::Versions(versions) if versions.contains(wanted) => Ok(true),
            Served::Versions(versions) => Err(format!(
                "the model still answers as version {}",
                versions.join(", ")
            )),
            Served::Refuses(how) => Err(format!("the model does not answer: {how}")),
        }
    }
}

/// Whether the object serves what its spec says, at one look.
pub(super) fn is_well(expected: &Expected, seen: &Seen) -> bool {
    let workloads = seen.workloads.as_deref();
    let rolled_out = workloads.is_none_or(|all| workload::missing(expected, all).is_none());
    Status::of(expected.kind, &seen.object).is_available() && rolled_out
}

#[cfg(test)]
mod tests;
