//! The SeldonDeployment (`machinelearning.seldon.io/v1`).

use model::ModelInfo;
use serde_json::{Map, Value, json};

use super::container::{self, Runner, is_for_seldon, user_annotations};
use super::patch::PatchError;
use super::{schema, without_nulls};
use crate::options::{Options, Protocol, Shape};

/// The name of the only predictor. Together with the container's name it makes
/// the selector of the Deployment; both are constant, so that an update rolls.
const PREDICTOR: &str = "default";

/// Annotations of Seldon that belong to the predictor, not to the spec.
const OF_PREDICTOR: [&str; 2] = ["seldon.io/no-engine", "seldon.io/svc-name"];

/// Ports of serve, the defaults of the Seldon operator for a first container.
const HTTP: u16 = 9000;
const GRPC: u16 = 9500;
const METRICS: u16 = 6000;

/// The SeldonDeployment that serves this model version.
///
/// # Errors
///
/// When the user's patch of the pod does not make a pod, or one that Seldon does
/// not know.
pub fn seldon_deployment(info: &ModelInfo, options: &Options) -> Result<Value, PatchError> {
    let shape = &options.shape;
    let pod = container::pod(info, options, runner(options))?;
    let spec_annotations = user_annotations(shape, |key| {
        is_for_seldon(key) && !OF_PREDICTOR.contains(&key)
    });
    let object = json!({
        "apiVersion": "machinelearning.seldon.io/v1",
        "kind": "SeldonDeployment",
        "metadata": container::object_metadata(info, options),
        "spec": {
            "annotations": unless_empty(spec_annotations),
            "protocol": shape.protocol.unwrap_or(Protocol::Seldon),
            "predictors": [{
                "name": PREDICTOR,
                "annotations": predictor_annotations(shape),
                "replicas": replicas(shape),
                "traffic": 100,
                "progressDeadlineSeconds": shape.deadline(),
                "graph": graph(info, options),
                "componentSpecs": [{"hpaSpec": autoscaler(shape), "spec": pod}],
            }],
        },
    });
    let object = without_nulls(object);
    schema::check(&object)?;
    Ok(object)
}

fn runner(options: &Options) -> Runner {
    let port = |name, port: u16| json!({"name": name, "containerPort": port, "protocol": "TCP"});
    Runner {
        container: options.name.container(),
        // Without explicit ports the operator renumbers the metrics port when a
        // predictor goes, and so restarts the pods of the others.
        ports: vec![
            port("http", HTTP),
            port("grpc", GRPC),
            port("metrics", METRICS),
        ],
        probe_port: json!("http"),
        env: Vec::new(),
    }
}

fn graph(info: &ModelInfo, options: &Options) -> Value {
    // Detectors live on the events of the sidecar's request logger.
    let logger = options.detectors.as_ref().map(|_| json!({"mode": "all"}));
    json!({
        "name": options.name.container(),
        "type": "MODEL",
        "modelUri": container::uri(info, &options.shape),
        "envSecretRefName": options.shape.storage_secret,
        "logger": logger,
        "parameters": container::parameters(info),
    })
}

fn replicas(shape: &Shape) -> Option<u32> {
    match shape.max_replicas {
        Some(_) => None,
        None => Some(shape.replicas.unwrap_or(1)),
    }
}

fn autoscaler(shape: &Shape) -> Option<Value> {
    let load = json!({"type": "Utilization", "averageUtilization": shape.target_cpu.unwrap_or(80)});
    let metric = json!({"type": "Resource", "resource": {"name": "cpu", "target": load}});
    Some(json!({
        "minReplicas": shape.min_replicas.unwrap_or(1),
        "maxReplicas": shape.max_replicas?,
        "metricsv2": [metric],
    }))
}

fn predictor_annotations(shape: &Shape) -> Option<Value> {
    let mut annotations = user_annotations(shape, |key| OF_PREDICTOR.contains(&key));
    if shape.no_engine() {
        annotations.insert("seldon.io/no-engine".to_owned(), json!("true"));
    }
    unless_empty(annotations)
}

fn unless_empty(map: Map<String, Value>) -> Option<Value> {
    (!map.is_empty()).then_some(Value::Object(map))
}
