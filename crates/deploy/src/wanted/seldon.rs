//! The SeldonDeployment (`machinelearning.seldon.io/v1`).

use model::ModelInfo;
use serde_json::{Map, Value, json};

use super::{container, without_nulls};
use crate::options::Options;

/// The name of the only predictor. Together with the container's name it makes
/// the selector of the Deployment; both are constant, so that an update rolls.
const PREDICTOR: &str = "default";

/// The SeldonDeployment that serves this model version.
pub fn seldon_deployment(info: &ModelInfo, options: &Options) -> Value {
    let object = json!({
        "apiVersion": "machinelearning.seldon.io/v1",
        "kind": "SeldonDeployment",
        "metadata": {
            "name": options.name,
            "namespace": options.namespace,
            "annotations": annotations(info),
        },
        "spec": {
            "protocol": "seldon",
            "predictors": [{
                "name": PREDICTOR,
                "replicas": 1,
                "traffic": 100,
                "progressDeadlineSeconds": options.progress_deadline,
                "graph": graph(info, options),
                "componentSpecs": [{"spec": container::pod(info, options)}],
            }],
        },
    });
    without_nulls(object)
}

fn graph(info: &ModelInfo, options: &Options) -> Value {
    json!({
        "name": options.name.container(),
        "type": "MODEL",
        "modelUri": info.uri,
        "envSecretRefName": options.storage_secret,
        "parameters": parameters(info),
    })
}

fn parameters(info: &ModelInfo) -> Vec<Value> {
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

/// What a person wants to know of the object. Annotations of the metadata, other
/// than those of the spec, restart no pod when they change.
fn annotations(info: &ModelInfo) -> Map<String, Value> {
    let digest = info.digest.map(|digest| digest.to_string());
    let annotations = [
        ("model/name", Some(info.name.as_str())),
        ("model/version", Some(info.version.as_str())),
        ("model/digest", digest.as_deref()),
        ("model/pipeline", Some(info.pipeline.as_str())),
        ("model/repo", Some(info.repo.as_str())),
        ("model/data-commit", info.data_commit.as_deref()),
    ];
    annotations
        .into_iter()
        .filter_map(|(key, value)| Some((key.to_owned(), json!(value?))))
        .collect()
}
