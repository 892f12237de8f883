//! A new version on a share of the requests, until its figures decide.

use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::Instant;

use super::figures::{Decision, Figures, decide};
use super::former::{self, Former};
use super::{Done, Expected, Rollout, RolloutError};
use crate::json::{items, set, text};
use crate::target::{Target, TargetError};
use crate::wanted::{Role, beside};

/// Where figures come from.
#[expect(
    async_fn_in_trait,
    reason = "the program has one thread: no future is sent to another"
)]
pub trait Traffic {
    /// What `predictor` has answered in the last `time`.
    ///
    /// # Errors
    ///
    /// When the figures cannot be read.
    async fn figures(&mut self, predictor: &str, time: Duration) -> Result<Figures, TargetError>;
}

/// How a canary is tried.
#[derive(Debug, Clone, Copy)]
pub struct Canary {
    /// Its share of the requests, in percent.
    pub percent: u8,
    /// How long it is watched.
    pub watch: Duration,
    /// Requests that it must have answered to be judged.
    pub least_requests: u32,
}

impl<T: Target> Rollout<'_, T> {
    /// Rolls `wanted` out on a share of the requests, and then everywhere or not
    /// at all.
    ///
    /// # Errors
    ///
    /// As [`Rollout::run`]; and when the figures speak against the version. The
    /// former version then serves alone.
    pub async fn run_canary(
        &mut self,
        wanted: &Value,
        canary: Canary,
        traffic: &mut impl Traffic,
    ) -> Result<Done, RolloutError> {
        let live = self.read().await.map_err(RolloutError::NothingChanged)?;
        let Some(live) = live.filter(|live| !former::same(wanted, live)) else {
            self.progress.say("nothing to compare a canary with");
            return self.run(wanted).await;
        };
        let role = Role::Canary(canary.percent);
        let split = beside(Some(&live), wanted, role).map_err(RolloutError::Beside)?;
        let former = self.former(&live).await;
        let share = canary.percent;
        self.progress
            .say(&format!("canary: {share} % of the requests"));
        self.run(&split).await?;
        match self.watch(&split, canary, traffic).await {
            Ok(()) => self.promote(&split, wanted).await,
            Err(reason) => Err(self.withdraw(&split, former, reason).await),
        }
    }

    /// Watches both versions; an error says why the new one has to go.
    async fn watch(
        &mut self,
        split: &Value,
        canary: Canary,
        traffic: &mut impl Traffic,
    ) -> Result<(), String> {
        let expected = Expected::of(split);
        let names: Vec<&str> = expected
            .predictors
            .iter()
            .map(|p| p.name.as_str())
            .collect();
        let [old, new] = names.as_slice() else {
            return Err("it has no version beside it".to_owned());
        };
        let started = Instant::now();
        loop {
            tokio::time::sleep(self.pace.look * 5).await;
            let time = started.elapsed();
            let over = time >= canary.watch;
            let read = match traffic.figures(old, time).await {
                Ok(old) => traffic.figures(new, time).await.map(|new| (old, new)),
                Err(error) => Err(error),
            };
            let (old, new) = match read {
                Ok(figures) => figures,
                Err(error) if over => return Err(error.to_string()),
                Err(error) => {
                    self.progress.say(&format!("{error}; trying again"));
                    continue;
                }
            };
            self.progress.say(&format!("old: {old}; canary: {new}"));
            match decide(&old, &new, canary.least_requests, over) {
                Decision::Watch => {}
                Decision::Promote => return Ok(()),
                Decision::Withdraw(reason) => {
                    return Err(format!("{reason}: old: {old}; canary: {new}"));
                }
            }
        }
    }

    /// Lets the version take over: first in the constant predictor, with the
    /// canary still there, and only then is the canary taken away.
    async fn promote(&mut self, split: &Value, wanted: &Value) -> Result<Done, RolloutError> {
        self.progress.say("the canary is promoted");
        let mut both = split.clone();
        let mut predictors: Vec<Value> = Vec::new();
        let newest = items(wanted, "/spec/predictors").first();
        for predictor in items(split, "/spec/predictors") {
            let replaced =
                newest.filter(|newest| text(newest, "/name") == text(predictor, "/name"));
            let mut kept = replaced.unwrap_or(predictor).clone();
            let share = predictor.get("traffic").cloned();
            set(&mut kept, "", "traffic", share.unwrap_or_default());
            predictors.push(kept);
        }
        set(&mut both, "/spec", "predictors", json!(predictors));
        self.run(&both).await?;
        let done = self.run(wanted).await?;
        Ok(Done {
            changed: true,
            ..done
        })
    }

    async fn withdraw(
        &mut self,
        split: &Value,
        former: Option<Former>,
        reason: String,
    ) -> RolloutError {
        self.progress.say("the canary is withdrawn");
        let aftermath = match former {
            Some(former) => self.put_back(split, &former).await,
            None => super::Aftermath::NothingBefore,
        };
        RolloutError::Withdrawn { reason, aftermath }
    }
}
