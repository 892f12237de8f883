//! Makes the world equal to an object and follows it until the version answers,
//! or puts the former one back.

mod canary;
mod error;
mod expected;
mod figures;
mod former;
mod judge;
mod pace;
mod progress;
mod recover;
mod status;
mod workload;

use serde_json::Value;
use tokio::time::Instant;

use crate::target::{Target, TargetError};
use crate::wanted::{Role, beside};
use former::Former;

pub use canary::{Canary, Traffic};
pub use error::{Aftermath, RolloutError};
pub use expected::{Expected, Kind, Predictor};
pub use figures::{Decision, Figures, UNLIMITED, decide};
pub use judge::{Baseline, Evidence, Judge, Seen, Served, Verdict};
pub use pace::Pace;
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
        let (written, changed) = self
            .make_equal(wanted, live.as_ref(), former.as_ref())
            .await
            .map_err(RolloutError::NothingChanged)?;
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

    /// Writes the object unless what is live is equal to it: as it is, or with
    /// the defaults that the target adds. Returns whether it was written.
    async fn make_equal(
        &mut self,
        wanted: &Value,
        live: Option<&Value>,
        former: Option<&Former>,
    ) -> Result<(Value, bool), TargetError> {
        if let Some(live) = live.filter(|live| former::same(wanted, live)) {
            return Ok((live.clone(), false));
        }
        let object = former::kept_in(wanted, former);
        let target = self.target;
        let stored = self.patiently(async || target.rehearse(&object).await);
        let stored = stored.await?;
        if let Some(live) = live.filter(|live| former::same(&stored, live)) {
            return Ok((live.clone(), false));
        }
        Ok((self.write(&object, live).await?, true))
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

    /// Makes a call, again and again while it fails for a passing reason.
    ///
    /// # Errors
    ///
    /// When it is refused, or fails too often.
    pub async fn patiently<R>(
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
