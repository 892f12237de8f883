//! After a failure: what serves, what a person should know, and the former
//! version put back.

use serde_json::Value;

use super::former::{self, Former};
use super::{Aftermath, Ended, Expected, Rollout, RolloutError, Status, baseline};
use crate::target::Target;

impl<T: Target> Rollout<'_, T> {
    /// Puts the former version back, where there is one and it is wanted.
    pub(super) async fn recover(
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

    pub(super) async fn put_back(&mut self, failed: &Value, former: &Former) -> Aftermath {
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
