//! The schema of a CustomResourceDefinition, applied as the API server does with
//! strict field validation.

use std::fs;
use std::path::Path;

use jsonschema::Validator;
use serde_json::{Value, json};

/// The copy that deploy has, which a test compares with the CRD.
pub(crate) const COPY: &str = "src/wanted/seldon-deployment.schema.json";

/// The schema of the stored version of the CRD in the file that `variable` names.
pub(crate) fn schema(variable: &str) -> Value {
    let path = std::env::var_os(variable)
        .unwrap_or_else(|| panic!("set {variable} to the file of the CRD"));
    let text = fs::read_to_string(Path::new(&path)).unwrap();
    let crd: Value = serde_saphyr::from_str(&text).unwrap();
    let versions = crd["spec"]["versions"].as_array().unwrap();
    let version = versions.iter().find(|v| v["storage"] == true).unwrap();
    let mut schema = version["schema"]["openAPIV3Schema"].clone();
    make_strict(&mut schema);
    // The API server knows the metadata itself.
    schema["properties"]["metadata"] = json!({"type": "object", "required": ["name"]});
    let origin = "Made from the CustomResourceDefinition of Seldon Core 1.17.1, \
                  licensed under Apache-2.0";
    schema["$comment"] = json!(origin);
    schema.sort_all_objects();
    schema
}

/// What `fieldValidation=Strict` adds: no field that the schema does not know.
/// And Kubernetes' own words, in those of JSON Schema.
fn make_strict(schema: &mut Value) {
    let Some(object) = schema.as_object_mut() else {
        return;
    };
    if object.remove("x-kubernetes-int-or-string").is_some() {
        object.remove("anyOf");
        object.insert("type".to_owned(), json!(["integer", "string"]));
    }
    if object.remove("nullable") == Some(json!(true)) {
        let kind = object["type"].clone();
        object.insert("type".to_owned(), json!([kind, "null"]));
    }
    let open = object.contains_key("x-kubernetes-preserve-unknown-fields");
    object.retain(|key, _| {
        !(["description", "format"].contains(&key.as_str()) || key.starts_with("x-kubernetes-"))
    });
    if object.contains_key("properties") && !open {
        object.insert("additionalProperties".to_owned(), json!(false));
    }
    for key in ["properties", "items", "additionalProperties"] {
        match object.get_mut(key) {
            Some(Value::Object(inner)) if key == "properties" => {
                inner.values_mut().for_each(make_strict);
            }
            Some(inner) => make_strict(inner),
            None => {}
        }
    }
}

/// Every complaint about `object`, with its place.
pub(crate) fn complaints(validator: &Validator, object: &Value) -> Vec<String> {
    let errors = validator.iter_errors(object);
    errors
        .map(|error| format!("{}: {error}", error.instance_path()))
        .collect()
}

/// The validator of the copy, made once in a test run.
pub(crate) fn shared() -> &'static Validator {
    static SHARED: std::sync::OnceLock<Validator> = std::sync::OnceLock::new();
    SHARED.get_or_init(|| jsonschema::validator_for(&copy()).unwrap())
}

pub(crate) fn copy() -> Value {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(COPY);
    serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap()
}

/// The only default in the schema: the protocol of a container's port.
pub(crate) fn fill_defaults(object: &mut Value) {
    let predictors = object.pointer_mut("/spec/predictors");
    let predictors = predictors
        .and_then(Value::as_array_mut)
        .into_iter()
        .flatten();
    let children = |value: &Value, pointer: &str| {
        value
            .pointer(pointer)
            .and_then(Value::as_array)
            .map_or(0, Vec::len)
    };
    for predictor in predictors {
        for spec in 0..children(predictor, "/componentSpecs") {
            let containers = format!("/componentSpecs/{spec}/spec/containers");
            for container in 0..children(predictor, &containers) {
                let ports = predictor.pointer_mut(&format!("{containers}/{container}/ports"));
                let ports = ports.and_then(Value::as_array_mut).into_iter().flatten();
                for port in ports.filter_map(Value::as_object_mut) {
                    port.entry("protocol").or_insert(json!("TCP"));
                }
            }
        }
    }
}
