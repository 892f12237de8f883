//! How a rollout fails, and what serves then.

use crate::target::TargetError;
use crate::wanted::BesideError;

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
