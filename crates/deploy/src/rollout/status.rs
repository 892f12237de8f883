//! What an object's `status` says, in one form for both kinds.

use serde_json::Value;

use super::expected::Kind;
use crate::json::{items, number, text};

/// How far a rollout is, in the operator's own opinion.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// The operator has not looked at the object yet, or works on it.
    Creating,
    /// Something answers; not necessarily the newest version.
    Available,
    /// The operator has given up; a pod that recovers can still change that.
    Failed,
}

/// One condition of a status.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Condition {
    /// `Ready`, `DeploymentsReady`, …
    pub name: String,
    /// `True`, `False` or `Unknown`.
    pub status: String,
    /// One word.
    pub reason: String,
    /// A sentence.
    pub message: String,
    /// RFC 3339, in whole seconds.
    pub since: String,
}

/// The status of an object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Status {
    /// How far it is.
    pub state: State,
    /// What went wrong, in the operator's words; empty while nothing did.
    pub description: String,
    /// All conditions, in the operator's order.
    pub conditions: Vec<Condition>,
    /// Pods that exist, and those that are available.
    pub replicas: (i64, i64),
    /// The address of the service within the cluster.
    pub url: String,
}

impl Status {
    /// Reads the status of `object`. An object without one is in `Creating`.
    pub fn of(kind: Kind, object: &Value) -> Self {
        let (state, description) = match kind {
            Kind::SeldonDeployment => (seldon_state(object), text(object, "/status/description")),
            Kind::InferenceService => kserve_state(object),
        };
        Self {
            state,
            description: description.to_owned(),
            conditions: conditions(object),
            replicas: replicas(object),
            url: text(object, "/status/address/url").to_owned(),
        }
    }

    /// The condition of this name.
    pub fn condition(&self, name: &str) -> Option<&Condition> {
        self.conditions.iter().find(|c| c.name == name)
    }

    /// Whether the operator calls the object ready, whatever version that is
    /// about.
    pub fn is_available(&self) -> bool {
        let ready = self.condition("Ready").is_none_or(|c| c.status == "True");
        self.state == State::Available && ready && self.description.is_empty()
    }
}

fn seldon_state(object: &Value) -> State {
    match text(object, "/status/state") {
        "Available" => State::Available,
        "Failed" => State::Failed,
        _ => State::Creating,
    }
}

/// KServe has no word for the state, but it says which generation it is about.
fn kserve_state(object: &Value) -> (State, &str) {
    let current =
        number(object, "/status/observedGeneration") >= number(object, "/metadata/generation");
    let transition = text(object, "/status/modelStatus/transitionStatus");
    let failure = text(object, "/status/modelStatus/lastFailureInfo/message");
    let ready = conditions(object)
        .iter()
        .any(|c| c.name == "Ready" && c.status == "True");
    match transition {
        "BlockedByFailedLoad" | "InvalidSpec" if current => (State::Failed, failure),
        _ if ready && current => (State::Available, ""),
        _ => (State::Creating, ""),
    }
}

fn conditions(object: &Value) -> Vec<Condition> {
    let read = |condition: &Value| Condition {
        name: text(condition, "/type").to_owned(),
        status: text(condition, "/status").to_owned(),
        reason: text(condition, "/reason").to_owned(),
        message: text(condition, "/message").to_owned(),
        since: text(condition, "/lastTransitionTime").to_owned(),
    };
    let conditions = items(object, "/status/conditions");
    conditions.iter().map(read).collect()
}

fn replicas(object: &Value) -> (i64, i64) {
    let deployments = object.pointer("/status/deploymentStatus");
    let deployments = deployments.and_then(Value::as_object);
    let counts = deployments.into_iter().flat_map(|all| all.values());
    counts.fold((0, 0), |(all, available), one| {
        (
            all + number(one, "/replicas"),
            available + number(one, "/availableReplicas"),
        )
    })
}
