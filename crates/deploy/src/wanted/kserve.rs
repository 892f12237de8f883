//! The InferenceService of KServe (`serving.kserve.io/v1beta1`).

use model::ModelInfo;
use serde_json::{Value, json};

use super::container::{self, Runner};
use super::patch::PatchError;
use super::without_nulls;
use crate::json::set;
use crate::options::{Options, Shape};

/// The name that KServe wants the model server's container to have.
const CONTAINER: &str = "kserve-container";

/// KServe's convention for the only port of a predictor.
const PORT: u16 = 8080;

/// The InferenceService that serves this model version.
///
/// # Errors
///
/// When the user's patch of the pod does not make a pod.
pub fn inference_service(info: &ModelInfo, options: &Options) -> Result<Value, PatchError> {
    let mut metadata = container::object_metadata(info, options);
    // Plain Deployments: a version stays up when nobody asks it anything.
    set(
        &mut metadata,
        "/annotations",
        "serving.kserve.io/deploymentMode",
        json!("RawDeployment"),
    );
    // KServe's predictor is a pod with some keys more.
    let mut predictor = container::pod(info, options, runner(info, options))?;
    for (key, value) in scale(&options.shape) {
        set(&mut predictor, "", key, value);
    }
    let object = json!({
        "apiVersion": "serving.kserve.io/v1beta1",
        "kind": "InferenceService",
        "metadata": metadata,
        "spec": {"predictor": predictor},
    });
    Ok(without_nulls(object))
}

fn scale(shape: &Shape) -> Vec<(&'static str, Value)> {
    let replicas = shape.replicas.unwrap_or(1);
    let (min, max) = match shape.max_replicas {
        Some(max) => (shape.min_replicas.unwrap_or(1), max),
        None => (replicas, replicas),
    };
    let mut scale = vec![("minReplicas", json!(min)), ("maxReplicas", json!(max))];
    if shape.max_replicas.is_some() {
        scale.push(("scaleMetric", json!("cpu")));
        scale.push(("scaleTarget", json!(shape.target_cpu.unwrap_or(80))));
    }
    scale
}

/// KServe gives a container no variables of Seldon's, which serve reads.
fn runner(info: &ModelInfo, options: &Options) -> Runner {
    let parameters = Value::from(container::parameters(info)).to_string();
    let mut env = vec![
        json!({"name": "PROTOCOL", "value": "v2"}),
        json!({"name": "PREDICTIVE_UNIT_HTTP_SERVICE_PORT", "value": PORT.to_string()}),
        json!({"name": "PREDICTIVE_UNIT_ID", "value": options.name}),
        json!({"name": "PREDICTIVE_UNIT_PARAMETERS", "value": parameters}),
    ];
    if let Some(uri) = container::uri(info, &options.shape) {
        env.push(json!({"name": "STORAGE_URI", "value": uri}));
    }
    Runner {
        container: CONTAINER.to_owned(),
        ports: vec![json!({"containerPort": PORT, "protocol": "TCP"})],
        probe_port: json!(PORT),
        env,
    }
}
