//! The container of the model server, and what it needs of its pod.

use model::ModelInfo;
use serde_json::{Value, json};

use crate::options::Options;

/// Ports of serve, the defaults of the Seldon operator for a first container.
const HTTP: u16 = 9000;
const GRPC: u16 = 9500;
const METRICS: u16 = 6000;

/// The only path that serve may write to.
const CACHE: &str = "/cache";

/// Seconds from SIGTERM to SIGKILL; the operator's default of 20 is short for a
/// drain that starts with a preStop hook.
const GRACE_SECONDS: u32 = 30;

/// The pod of one model version.
pub(super) fn pod(info: &ModelInfo, options: &Options) -> Value {
    json!({
        "terminationGracePeriodSeconds": GRACE_SECONDS,
        "containers": [container(info, options)],
        "volumes": [{"name": "cache", "emptyDir": {}}],
    })
}

fn container(info: &ModelInfo, options: &Options) -> Value {
    json!({
        "name": options.name.container(),
        "image": options.image,
        "env": [
            {"name": "MODEL_METADATA", "value": metadata(info)},
            // The startup probe asks a server that is still loading its model.
            {"name": "SERVE_EARLY_BIND", "value": "true"},
        ],
        // Without explicit ports the operator renumbers the metrics port when a
        // predictor goes, and so restarts the pods of the others.
        "ports": [
            {"name": "http", "containerPort": HTTP, "protocol": "TCP"},
            {"name": "grpc", "containerPort": GRPC, "protocol": "TCP"},
            {"name": "metrics", "containerPort": METRICS, "protocol": "TCP"},
        ],
        "startupProbe": probe("/health/ping", 2, startup_failures(options.progress_deadline)),
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

fn probe(path: &str, period_seconds: u32, failures: u32) -> Value {
    json!({
        "httpGet": {"path": path, "port": "http"},
        "periodSeconds": period_seconds,
        "failureThreshold": failures,
    })
}

/// Probes, every two seconds, that a start may fail: the rollout's deadline, not
/// the probe, decides when a start is too slow.
fn startup_failures(progress_deadline: u32) -> u32 {
    progress_deadline.div_ceil(2).max(1)
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
