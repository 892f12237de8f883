//! The schema of a CustomResourceDefinition, applied as the API server does with
//! strict field validation.

use std::fs;
use std::path::Path;

use jsonschema::Validator;
use serde_json::{Value, json};

/// A validator for the stored version of the CRD in the file that `variable` names.
pub(crate) fn validator(variable: &str) -> Validator {
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
    jsonschema::validator_for(&schema).unwrap()
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

/// The validator of the CRD, read once in a test run.
pub(crate) fn shared(variable: &str) -> &'static Validator {
    static SHARED: std::sync::OnceLock<Validator> = std::sync::OnceLock::new();
    SHARED.get_or_init(|| validator(variable))
}
