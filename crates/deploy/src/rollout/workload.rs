//! What the Kubernetes API tells about the Deployments and pods behind an object.

use serde_json::Value;

use super::expected::{Expected, Predictor, environment};
use crate::json::{items, named, number, text};

/// An apps/v1 Deployment that the operator made for an object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Workload(Value);

/// A pod of such a Deployment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pod(Value);

/// Reasons of a waiting container that do not pass by themselves in the time of
/// a rollout.
const STUCK: [&str; 7] = [
    "CrashLoopBackOff",
    "CreateContainerConfigError",
    "CreateContainerError",
    "ErrImagePull",
    "ErrImageNeverPull",
    "ImagePullBackOff",
    "InvalidImageName",
];

impl Workload {
    /// Takes the Deployment as the API gives it.
    pub fn new(deployment: Value) -> Self {
        Self(deployment)
    }

    /// Its name.
    pub fn name(&self) -> &str {
        text(&self.0, "/metadata/name")
    }

    /// The predictor it belongs to.
    fn predictor(&self) -> Option<String> {
        predictor_of(&self.0, "/spec/template/spec")
    }

    /// Whether its pods are those of `predictor` in the wanted version.
    fn runs(&self, predictor: &Predictor) -> bool {
        runs(&self.0, "/spec/template/spec", predictor)
    }

    /// What is missing until all its pods are the new ones, and available.
    fn missing(&self) -> Option<String> {
        let deployment = &self.0;
        if number(deployment, "/status/observedGeneration")
            < number(deployment, "/metadata/generation")
        {
            return Some("its newest generation is not observed yet".to_owned());
        }
        let wanted = deployment.pointer("/spec/replicas");
        let wanted = wanted.and_then(Value::as_i64).unwrap_or(1);
        let counts = ["updatedReplicas", "replicas", "availableReplicas"];
        let counts = counts.map(|name| (name, number(deployment, &format!("/status/{name}"))));
        let differs = counts.iter().find(|(_, count)| *count != wanted);
        differs.map(|(name, count)| format!("{name} is {count}, wanted {wanted}"))
    }

    /// Why Kubernetes has given its rollout up, if it has.
    fn given_up(&self) -> Option<String> {
        let conditions = items(&self.0, "/status/conditions").iter();
        let mut progressing = conditions.filter(|c| text(c, "/type") == "Progressing");
        progressing
            .find(|c| text(c, "/status") == "False")
            .map(|c| format!("{}: {}", text(c, "/reason"), text(c, "/message")))
    }
}

impl Pod {
    /// Takes the pod as the API gives it.
    pub fn new(pod: Value) -> Self {
        Self(pod)
    }

    /// Its name.
    pub fn name(&self) -> &str {
        text(&self.0, "/metadata/name")
    }

    /// The predictor it belongs to.
    pub fn predictor(&self) -> Option<String> {
        predictor_of(&self.0, "/spec")
    }

    /// What keeps a container of it from running, if it is one that does not
    /// pass by itself.
    fn stuck(&self) -> Option<String> {
        let statuses = ["/status/initContainerStatuses", "/status/containerStatuses"];
        let statuses = statuses.iter().flat_map(|list| items(&self.0, list));
        let stuck = |status: &Value| {
            let reason = text(status, "/state/waiting/reason");
            STUCK.contains(&reason).then(|| {
                let container = text(status, "/name");
                let message = text(status, "/state/waiting/message");
                format!(
                    "container {container} of pod {}: {reason}: {message}",
                    self.name()
                )
            })
        };
        statuses.into_iter().find_map(stuck)
    }
}

/// What is missing until every Deployment that `expected` stands for is rolled
/// out, and no other is left.
pub(super) fn missing(expected: &Expected, workloads: &[Workload]) -> Option<String> {
    for predictor in &expected.predictors {
        let found = workloads.iter().find(|workload| workload.runs(predictor));
        let label = match predictor.name.as_str() {
            "" => "the predictor".to_owned(),
            name => format!("predictor {name}"),
        };
        match found {
            None => return Some(format!("no Deployment of {label} has the wanted version")),
            Some(workload) => {
                if let Some(missing) = workload.missing() {
                    return Some(format!("Deployment {}: {missing}", workload.name()));
                }
            }
        }
    }
    let known = |name: &String| expected.predictors.iter().any(|p| p.name == *name);
    let left_over = workloads
        .iter()
        .find(|workload| workload.predictor().is_some_and(|name| !known(&name)));
    left_over.map(|workload| format!("Deployment {} is to go", workload.name()))
}

/// Why the rollout of the wanted version cannot end well, and whether that is
/// final or may be a passing state.
pub(super) fn trouble(
    expected: &Expected,
    workloads: &[Workload],
    pods: &[Pod],
) -> Option<(String, Finality)> {
    let wanted = |object: &Value, spec| expected.predictors.iter().any(|p| runs(object, spec, p));
    let given_up = workloads
        .iter()
        .filter(|workload| wanted(&workload.0, "/spec/template/spec"))
        .find_map(|w| Some(format!("Deployment {}: {}", w.name(), w.given_up()?)));
    if let Some(reason) = given_up {
        return Some((reason, Finality::Final));
    }
    let stuck = pods
        .iter()
        .filter(|pod| wanted(&pod.0, "/spec"))
        .find_map(Pod::stuck);
    Some((stuck?, Finality::Passing))
}

/// Whether one look is enough to give up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Finality {
    /// Kubernetes has given up.
    Final,
    /// It may pass: to be seen for a while.
    Passing,
}

/// Whether the pod spec at `spec` has the predictor's container with its image
/// and variables. Defaults that the API server adds, and quantities that it
/// writes in another unit, do not matter so.
fn runs(object: &Value, spec: &str, predictor: &Predictor) -> bool {
    let container = named(object, &format!("{spec}/containers"), &predictor.container);
    container.is_some_and(|container| {
        let env = environment(container);
        let same_predictor = match env.get("PREDICTOR_ID") {
            Some(name) => predictor.name.is_empty() || *name == predictor.name,
            None => true,
        };
        let same_env = predictor.env.iter().all(|(k, v)| env.get(k) == Some(v));
        same_predictor && same_env && text(container, "/image") == predictor.image
    })
}

/// The operator tells each container which predictor it belongs to.
fn predictor_of(object: &Value, spec: &str) -> Option<String> {
    items(object, &format!("{spec}/containers"))
        .iter()
        .find_map(|container| environment(container).remove("PREDICTOR_ID"))
}
