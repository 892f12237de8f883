//! The schema of a SeldonDeployment. The API server drops what it does not know
//! without a word, or refuses it only once the rollout is under way.

use serde_json::Value;

use super::patch::PatchError;

/// The CustomResourceDefinition of Seldon Core 1.17.1 as JSON Schema, without its
/// texts, and with no unknown key allowed, as the API server has it with
/// `fieldValidation=Strict`.
const SCHEMA: &str = include_str!("seldon-deployment.schema.json");

/// Refuses a SeldonDeployment that does not fit the schema.
pub(super) fn check(object: &Value) -> Result<(), PatchError> {
    let schema: Value = serde_json::from_str(SCHEMA).map_err(|error| unusable(&error))?;
    let validator = jsonschema::validator_for(&schema).map_err(|error| unusable(&error))?;
    match validator.iter_errors(object).next() {
        // The values are the user's, and could be secret.
        Some(error) => Err(PatchError::Schema {
            at: error.instance_path().to_string(),
            reason: error.masked_with("the value").to_string(),
        }),
        None => Ok(()),
    }
}

fn unusable(error: &dyn std::fmt::Display) -> PatchError {
    PatchError::Schema {
        at: "any place".to_owned(),
        reason: format!("deploy's own copy of the schema is unusable: {error}"),
    }
}
