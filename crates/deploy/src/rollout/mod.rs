//! Makes the world equal to an object and follows it until the version answers,
//! or puts the former one back.

mod canary;
mod expected;
mod figures;
mod former;
mod judge;
mod progress;
mod status;
mod workload;

use std::time::Duration;

use serde_json::Value;
use tokio::time::Instant;

use crate::target::{Target, TargetError};
use crate::wanted::{BesideError, Role, beside};
use former::Former;

pub use canary::{Canary, Traffic};
pub use expected::{Expected, Kind, Predictor};
pub use figures::{Decision, Figures, UNLIMITED, decide};
pub use judge::{Baseline, Evidence, Judge, Pace, Seen, Served, Verdict};
pub use progress::Progress;
pub use status::{Condition, State, Status};
pub use workload::{Pod, Workload};

/// Calls that fail for a passing reason are made this often.
const TRIES: u32 = 5;

/// A rollout that ended well.
#[derive(Debug, Clone)]
pub struct Done {
    /// Whether anything was written.
    pub changed: bool,
    /// Why it counts as done; empty where the target only stores the object.
    pub evidence: Vec<Evidence>,
    /// The object as last seen.
    pub object: Value,
}

/// A rollout that did not.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RolloutError {
    /// Nothing was changed.
    #[error("{0}; nothing was changed")]
    NothingChanged(TargetError),
    /// The version cannot run beside another.
    #[error("{0}; nothing was changed")]
    Beside(BesideError),
    /// The new version does not come up.
    #[error("the rollout has failed: {reason}{}\n  {aftermath}", listed(details))]
    Failed {
        /// Why.
        reason: String,
        /// Conditions, pods and events.
        details: Vec<String>,
        /// What serves now.
        aftermath: Aftermath,
    },
    /// The figures of a canary speak against the version.
    #[error("the canary was withdrawn: {reason}\n  {aftermath}")]
    Withdrawn {
        /// Why, with the figures.
        reason: String,
        /// What serves now.
        aftermath: Aftermath,
    },
}

/// What serves after a failed rollout.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Aftermath {
    /// The former version, put back.
    #[error("version {0} is back in service")]
    PutBack(String),
    /// The former version in its own pods, as nothing was taken from it.
    #[error(
        "the former version was not put back (--no-rollback); its pods serve until the new ones are ready"
    )]
    LeftAsIs,
    /// Nothing: there was no version before.
    #[error("there was no version before this one to put back")]
    NothingBefore,
    /// Whatever somebody else has deployed meanwhile.
    #[error("what somebody else has deployed meanwhile was left alone")]
    SomebodyElses,
    /// Not known.
    #[error("the former version could not be put back: {0}; its pods serve as long as they live")]
    NotPutBack(String),
}

fn listed(details: &[String]) -> String {
    details.iter().map(|line| format!("\n  {line}")).collect()
}

/// How rollouts are made.
#[derive(Debug)]
pub struct Rollout<'a, T> {
    /// Who serves.
    pub target: &'a T,
    /// The times of the rollout.
    pub pace: Pace,
    /// Whether a former version is put back.
    pub rollback: bool,
    /// Where is told what happens.
    pub progress: &'a mut Progress,
}

/// How following a rollout ended, short of success.
enum Ended {
    Failed(String),
    Superseded(String),
}

impl<T: Target> Rollout<'_, T> {
    /// Rolls `wanted` out.
    ///
    /// # Errors
    ///
    /// When it is refused, or does not come up before the deadline. The former
    /// version is then back, if it is not said otherwise.
    pub async fn run(&mut self, wanted: &Value) -> Result<Done, RolloutError> {
        let live = self.read().await.map_err(RolloutError::NothingChanged)?;
        let former = match &live {
            Some(live) => self.former(live).await,
            None => None,
        };
        let same = live.as_ref().filter(|live| former::same(wanted, live));
        let (written, changed) = match same {
            Some(live) => (live.clone(), false),
            None => {
                let object = former::kept_in(wanted, former.as_ref());
                self.rehearse(&object)
                    .await
                    .map_err(RolloutError::NothingChanged)?;
                let written = self.write(&object, live.as_ref()).await;
                (written.map_err(RolloutError::NothingChanged)?, true)
            }
        };
        let restarts = changed && former::restarts(live.as_ref(), &written);
        let baseline = baseline(live.as_ref());
        match self.follow(&written, baseline, restarts).await {
            Ok((evidence, object)) => Ok(Done {
                changed,
                evidence,
                object,
            }),
            Err(ended) => Err(self.recover(&written, former, ended).await),
        }
    }

    /// Rolls the version of `wanted` out beside the one that serves.
    ///
    /// # Errors
    ///
    /// As [`Rollout::run`]; and when no version serves yet.
    pub async fn run_beside(&mut self, wanted: &Value, role: Role) -> Result<Done, RolloutError> {
        let live = self.read().await.map_err(RolloutError::NothingChanged)?;
        let object = beside(live.as_ref(), wanted, role).map_err(RolloutError::Beside)?;
        self.run(&object).await
    }

    async fn read(&mut self) -> Result<Option<Value>, TargetError> {
        let target = self.target;
        self.patiently(async || target.read().await).await
    }

    async fn rehearse(&mut self, object: &Value) -> Result<(), TargetError> {
        let target = self.target;
        self.patiently(async || target.rehearse(object).await).await
    }

    /// Writes the object. A call that failed for a passing reason may have been
    /// carried out: what is there now decides whether to call again.
    async fn write(&mut self, object: &Value, live: Option<&Value>) -> Result<Value, TargetError> {
        let mut live = live.cloned();
        let mut wait = self.pace.look;
        for _ in 1..TRIES {
            let error = match self.target.write(object, live.as_ref()).await {
                Err(error) if error.is_transient() => error,
                result => return result,
            };
            self.progress.say(&format!("{error}; trying again"));
            tokio::time::sleep(wait).await;
            wait *= 2;
            if let Ok(now) = self.target.read().await {
                match now {
                    Some(now) if former::same(object, &now) => return Ok(now),
                    now => live = now,
                }
            }
        }
        self.target.write(object, live.as_ref()).await
    }

    async fn patiently<R>(
        &mut self,
        call: impl AsyncFn() -> Result<R, TargetError>,
    ) -> Result<R, TargetError> {
        let mut wait = self.pace.look;
        for _ in 1..TRIES {
            match call().await {
                Err(error) if error.is_transient() => {
                    self.progress.say(&format!("{error}; trying again"));
                }
                result => return result,
            }
            tokio::time::sleep(wait).await;
            wait *= 2;
        }
        call().await
    }

    /// The version to return to if the new one fails: what is live, or if that
    /// is not well itself, as after a rollout that was killed, the one that was
    /// noted when it was written.
    async fn former(&mut self, live: &Value) -> Option<Former> {
        let expected = Expected::of(live);
        let well = match self.target.look(&expected).await {
            Ok(Some(seen)) => judge::is_well(&expected, &seen),
            // Where nothing is rolled out there is nothing to return to.
            Ok(None) => return None,
            Err(_) => true,
        };
        let noted = Former::noted_in(live);
        // A canary or shadow that a killed run has left is nothing to return to.
        let beside = expected.predictors.len() > 1;
        if well && !(beside && noted.is_some()) {
            Some(Former::of(live))
        } else {
            Some(noted.unwrap_or_else(|| Former::of(live)))
        }
    }

    /// Looks until the rollout is done or has failed.
    async fn follow(
        &mut self,
        written: &Value,
        baseline: Baseline,
        restarts: bool,
    ) -> Result<(Vec<Evidence>, Value), Ended> {
        let expected = Expected::of(written);
        let mut judge = Judge::new(written, baseline, restarts, self.pace);
        let started = Instant::now();
        loop {
            let looked = self.target.look(&expected).await;
            let now = started.elapsed();
            match looked {
                Ok(None) => return Ok((Vec::new(), written.clone())),
                Ok(Some(seen)) => {
                    let verdict = judge.judge(now, &seen);
                    self.progress.seen(&expected, &seen, &verdict);
                    match verdict {
                        Verdict::Waiting(_) => {}
                        Verdict::Done(evidence) => return Ok((evidence, seen.object)),
                        Verdict::Failed(reason) => return Err(Ended::Failed(reason)),
                        Verdict::Superseded(reason) => return Err(Ended::Superseded(reason)),
                    }
                }
                Err(error) if error.is_transient() && now < self.pace.deadline => {
                    self.progress.say(&format!("{error}; looking again"));
                }
                Err(error) => return Err(Ended::Failed(error.to_string())),
            }
            self.target.pause(self.pace.look).await;
        }
    }

    /// Puts the former version back, where there is one and it is wanted.
    async fn recover(
        &mut self,
        written: &Value,
        former: Option<Former>,
        ended: Ended,
    ) -> RolloutError {
        let expected = Expected::of(written);
        let (reason, superseded) = match ended {
            Ended::Failed(reason) => (reason, false),
            Ended::Superseded(reason) => (reason, true),
        };
        let mut details = self.details(&expected).await;
        let show = self.target.show_command(&expected.name);
        details.push(format!("next: {show}"));
        let aftermath = match former {
            _ if superseded => Aftermath::SomebodyElses,
            None => Aftermath::NothingBefore,
            Some(former) if former::same(former.object(), written) => Aftermath::NothingBefore,
            Some(_) if !self.rollback => Aftermath::LeftAsIs,
            Some(former) => self.put_back(written, &former).await,
        };
        RolloutError::Failed {
            reason,
            details,
            aftermath,
        }
    }

    async fn put_back(&mut self, failed: &Value, former: &Former) -> Aftermath {
        let version = former.version();
        self.progress
            .say(&format!("putting version {version} back"));
        let live = self.target.read().await.ok().flatten();
        let live = live.as_ref().unwrap_or(failed);
        let written = match self.write(former.object(), Some(live)).await {
            Ok(written) => written,
            Err(error) => return Aftermath::NotPutBack(error.to_string()),
        };
        let restarts = former::restarts(Some(failed), &written);
        let baseline = baseline(Some(live));
        match self.follow(&written, baseline, restarts).await {
            Ok(_) => Aftermath::PutBack(version),
            Err(Ended::Failed(reason) | Ended::Superseded(reason)) => Aftermath::NotPutBack(reason),
        }
    }

    /// What a person should know: conditions that do not hold, and what the
    /// target adds.
    async fn details(&self, expected: &Expected) -> Vec<String> {
        let mut details = Vec::new();
        if let Ok(Some(object)) = self.target.read().await {
            let status = Status::of(expected.kind, &object);
            let broken = status.conditions.iter().filter(|c| c.status != "True");
            details.extend(broken.map(|c| {
                format!(
                    "condition {} is {}: {} {}",
                    c.name, c.status, c.reason, c.message
                )
                .trim_end_matches([' ', ':'])
                .to_owned()
            }));
        }
        details.extend(self.target.explain(expected).await);
        details
    }
}

/// What the object was before it is written, seen by the operator.
fn baseline(live: Option<&Value>) -> Baseline {
    let Some(live) = live else {
        return Baseline::default();
    };
    let status = Status::of(Expected::of(live).kind, live);
    Baseline {
        ready_since: status
            .condition("Ready")
            .map(|c| c.since.clone())
            .unwrap_or_default(),
        failed: status.state == State::Failed,
        generation: crate::json::number(live, "/metadata/generation"),
    }
}

/// A pace by the time between two looks and the deadline that Kubernetes has,
/// with a margin for what lies before and after the pods' own start.
pub fn pace(look: Duration, progress_deadline: Duration) -> Pace {
    Pace {
        look,
        deadline: progress_deadline + look * 10,
    }
}
