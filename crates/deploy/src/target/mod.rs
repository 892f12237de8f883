//! Who is made to serve a model version.
//!
//! A target makes the world equal to one object and tells what it sees; what
//! that means, and what to do about it, is the same for all and stands in
//! [`crate::rollout`].

mod kubernetes;
mod manifest;
mod model_service;
mod seldon_deploy;
mod traffic;

use std::time::Duration;

use serde_json::Value;

use crate::rollout::{Expected, Seen};

pub use kubernetes::{INFERENCE_SERVICE, Kubernetes, Resource, SELDON_DEPLOYMENT};
pub use manifest::{MANIFEST_FILE, Manifest};
pub use model_service::ModelService;
pub use seldon_deploy::{Credentials, DetectorChange, SeldonDeploy};
pub use traffic::{PodMetrics, Prometheus};

/// Who is made to serve a model version.
#[expect(
    async_fn_in_trait,
    reason = "the program has one thread: no future is sent to another"
)]
pub trait Target {
    /// Where the object lives, for people.
    fn place(&self) -> String;

    /// The command that shows the object to a person.
    fn show_command(&self, name: &str) -> String;

    /// The object as it is; none when there is none.
    ///
    /// # Errors
    ///
    /// When the target cannot be asked.
    async fn read(&self) -> Result<Option<Value>, TargetError>;

    /// What the target would make of `object`, its defaults filled in, without
    /// changing anything.
    ///
    /// # Errors
    ///
    /// When it would not take it.
    async fn rehearse(&self, object: &Value) -> Result<Value, TargetError>;

    /// Makes the object equal to `object`, in place. `live` is the object that
    /// is there. The reply is the object as stored.
    ///
    /// # Errors
    ///
    /// When the target refuses or cannot be reached. It may have stored the
    /// object all the same when the error is transient.
    async fn write(&self, object: &Value, live: Option<&Value>) -> Result<Value, TargetError>;

    /// What is known of the rollout now; none where nothing follows a write.
    ///
    /// # Errors
    ///
    /// When the target cannot be asked, or the object is gone.
    async fn look(&self, expected: &Expected) -> Result<Option<Seen>, TargetError>;

    /// Returns when the object may have changed, at the latest after `at_most`.
    async fn pause(&self, at_most: Duration);

    /// What a person should know about a failed rollout, besides conditions.
    async fn explain(&self, expected: &Expected) -> Vec<String>;
}

/// Why a target did not do what it was asked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TargetError {
    /// It cannot be reached, or answers that it has a problem of its own: the
    /// same call may succeed later.
    #[error("cannot {action}: {reason}")]
    Transient {
        /// What was tried.
        action: String,
        /// What was answered, or why there was no answer.
        reason: String,
    },
    /// Somebody else has a claim on what is to be changed.
    #[error("cannot {action}: {reason}")]
    Conflict {
        /// What was tried.
        action: String,
        /// Who, and on what.
        reason: String,
    },
    /// It will not do it, however often it is asked.
    #[error("cannot {action}: {reason}")]
    Refused {
        /// What was tried.
        action: String,
        /// What was answered.
        reason: String,
    },
    /// The credentials are not accepted.
    #[error("cannot {action}: the credentials are not accepted: {reason}")]
    Credentials {
        /// What was tried.
        action: String,
        /// What was answered.
        reason: String,
    },
    /// The object is not there any more.
    #[error("{0} is gone: somebody has deleted it")]
    Gone(String),
}

impl TargetError {
    /// Whether the same call may succeed later.
    pub fn is_transient(&self) -> bool {
        matches!(self, Self::Transient { .. })
    }
}
