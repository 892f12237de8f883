//! The container of the model server, and what it needs of its pod.

use model::{ModelInfo, RegistryEntry};
use serde_json::{Map, Value, json};

use super::patch::{PatchError, patched};
use super::{own_keys, without_nulls};
use crate::options::{Options, Shape};

/// The only path that serve may write to.
const CACHE: &str = "/cache";

/// Seconds from SIGTERM to SIGKILL; the operator's default of 20 is short for a
/// drain that starts with a preStop hook.
const GRACE_SECONDS: u32 = 30;

/// What differs between those who run the container.
pub(super) struct Runner {
    /// The name that the runner wants it to have.
    pub(super) container: String,
    /// Its ports, the HTTP port first.
    pub(super) ports: Vec<Value>,
    /// The HTTP port, as probes name it.
    pub(super) probe_port: Value,
    /// Variables that this runner does not set by itself.
    pub(super) env: Vec<Value>,
}

/// The pod of one model version.
pub(super) fn pod(
    info: &ModelInfo,
    options: &Options,
    runner: Runner,
) -> Result<Value, PatchError> {
    let shape = &options.shape;
    let pod = json!({
        "terminationGracePeriodSeconds": GRACE_SECONDS,
        "serviceAccountName": shape.service_account,
        "nodeSelector": shape.node_selector,
        "tolerations": shape.tolerations,
        "containers": [container(info, options, runner)],
        "volumes": [{"name": "cache", "emptyDir": {}}],
    });
    patched(without_nulls(pod), shape.pod.as_ref())
}

fn container(info: &ModelInfo, options: &Options, runner: Runner) -> Value {
    let mut env = vec![
        json!({"name": "MODEL_METADATA", "value": metadata(info)}),
        // The startup probe asks a server that is still loading its model.
        json!({"name": "SERVE_EARLY_BIND", "value": "true"}),
    ];
    env.extend(runner.env);
    env.extend(determined(&options.shape));
    let registry = registry(info, &options.shape);
    env.extend(registry.map(|entry| json!({"name": "SERVE_REGISTRY", "value": entry.url})));
    let secret = options.shape.registry_secret.as_ref();
    let secret = secret.filter(|_| registry.is_some());
    let probe = |path: &str, period: u32, failures: u32| {
        json!({
            "httpGet": {"path": path, "port": runner.probe_port},
            "periodSeconds": period,
            "failureThreshold": failures,
        })
    };
    json!({
        "name": runner.container,
        "image": options.image,
        "env": env,
        "envFrom": secret.map(|secret| json!([{"secretRef": {"name": secret}}])),
        "ports": runner.ports,
        "resources": resources(&options.shape),
        "startupProbe": probe("/health/ping", 2, startup_failures(options.shape.deadline())),
        "livenessProbe": probe("/health/ping", 10, 3),
        "readinessProbe": probe("/health/status", 2, 2),
        // The operator's own hook is a shell, which the image does not have.
        "lifecycle": {"preStop": {"exec": {"command": ["/serve", "prestop"]}}},
        "securityContext": {
            "allowPrivilegeEscalation": false,
            "capabilities": {"drop": ["ALL"]},
            "readOnlyRootFilesystem": true,
            "runAsNonRoot": true,
        },
        "volumeMounts": [{"name": "cache", "mountPath": CACHE}],
    })
}

/// Probes, every two seconds, that a start may fail: the rollout's deadline, not
/// the probe, decides when a start is too slow.
fn startup_failures(deadline: u32) -> u32 {
    deadline.div_ceil(2).max(1)
}

fn resources(shape: &Shape) -> Option<Value> {
    let requests = json!({"cpu": shape.cpu, "memory": shape.memory});
    let limits = json!({"cpu": shape.cpu_limit, "memory": shape.memory_limit});
    let mut resources = Map::new();
    for (key, amounts) in [("requests", requests), ("limits", limits)] {
        let amounts = without_nulls(amounts);
        if amounts.as_object().is_some_and(|all| !all.is_empty()) {
            resources.insert(key.to_owned(), amounts);
        }
    }
    (!resources.is_empty()).then_some(Value::Object(resources))
}

/// The registry that serve reads the version from. A secret for the storage
/// initializer says that Seldon is to fetch it from its URI.
pub(super) fn registry<'a>(info: &'a ModelInfo, shape: &Shape) -> Option<&'a RegistryEntry> {
    let entry = info.registry.as_ref();
    entry.filter(|_| info.uri.is_none() || shape.storage_secret.is_none())
}

/// The URI that the storage initializer fetches the package from.
pub(super) fn uri<'a>(info: &'a ModelInfo, shape: &Shape) -> Option<&'a str> {
    match registry(info, shape) {
        Some(_) => None,
        None => info.uri.as_deref(),
    }
}

/// The credentials of a Determined master, by reference.
fn determined(shape: &Shape) -> Vec<Value> {
    let Some(secret) = &shape.determined_secret else {
        return Vec::new();
    };
    let keys = [
        ("DET_MASTER", "det_master"),
        ("DET_USER", "det_user"),
        ("DET_PASSWORD", "det_password"),
    ];
    keys.iter()
        .map(|(name, key)| {
            let reference = json!({"secretKeyRef": {"name": secret, "key": key}});
            json!({"name": name, "valueFrom": reference})
        })
        .collect()
}

/// The value of `MODEL_METADATA`. JSON is YAML, and its strings are quoted: an
/// all-digit version stays a string.
fn metadata(info: &ModelInfo) -> String {
    json!({
        "name": info.name,
        "versions": [info.version],
        "platform": "seldon",
        "custom": {"repository": info.repo, "pipeline": info.pipeline},
    })
    .to_string()
}

/// What serve is told about the model, as graph parameters.
pub(super) fn parameters(info: &ModelInfo) -> Vec<Value> {
    let digest = info.digest.map(|digest| digest.to_string());
    let parameters = [
        ("model_name", Some(info.name.as_str())),
        ("model_version", Some(info.version.as_str())),
        ("model_digest", digest.as_deref()),
    ];
    parameters
        .into_iter()
        .filter_map(|(name, value)| Some((name, value?)))
        .map(|(name, value)| json!({"name": name, "type": "STRING", "value": value}))
        .collect()
}

/// Name, labels and annotations: what a person wants to know of the object, and
/// what the user adds, less what belongs to Seldon's sidecar. Annotations of the
/// metadata, other than those of the spec, restart no pod when they change.
pub(super) fn object_metadata(info: &ModelInfo, options: &Options) -> Value {
    let digest = info.digest.map(|digest| digest.to_string());
    let entry = info.registry.as_ref();
    let place = entry.map(|entry| format!("{} version {}", entry.url, entry.number));
    let known = [
        ("model/name", Some(info.name.as_str())),
        ("model/version", Some(info.version.as_str())),
        ("model/digest", digest.as_deref()),
        ("model/pipeline", Some(info.pipeline.as_str())),
        ("model/repo", Some(info.repo.as_str())),
        ("model/data-commit", info.data_commit.as_deref()),
        ("model/registry", place.as_deref()),
    ];
    let known = known
        .into_iter()
        .filter_map(|(key, value)| Some((key.to_owned(), json!(value?))));
    let mut annotations: Map<String, Value> = known.collect();
    let of_user = user_annotations(&options.shape, |key| !is_for_seldon(key));
    let labels = options.shape.labels.iter().flat_map(|pairs| pairs.0.keys());
    annotations.extend(own_keys::note(labels, of_user.keys()));
    annotations.extend(of_user);
    json!({
        "name": options.name,
        "namespace": options.namespace,
        "labels": options.shape.labels,
        "annotations": annotations,
    })
}

/// Whether an annotation is one of those that configure Seldon.
pub(super) fn is_for_seldon(key: &str) -> bool {
    key.starts_with("seldon.io/")
}

/// The user's annotations whose key is `wanted`.
pub(super) fn user_annotations(shape: &Shape, wanted: impl Fn(&str) -> bool) -> Map<String, Value> {
    let annotations = shape.annotations.iter().flat_map(|pairs| &pairs.0);
    annotations
        .filter(|(key, _)| wanted(key))
        .map(|(key, value)| (key.clone(), json!(value)))
        .collect()
}
