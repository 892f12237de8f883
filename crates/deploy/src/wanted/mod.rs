//! From a model version and the user's options to the objects that ought to be:
//! pure functions, without a look at what is there.

mod beside;
mod container;
mod detector;
mod kserve;
mod own_keys;
mod patch;
mod schema;
mod seldon;

use serde_json::Value;

pub use beside::{BesideError, Role, beside};
pub use detector::{Detector, DetectorKind, detectors};
pub use kserve::inference_service;
pub(crate) use own_keys::{any_forgotten, forgotten};
pub use patch::PatchError;
pub use seldon::seldon_deployment;

/// The value without the keys that hold null: an option that is not given leaves
/// no key, as Kubernetes would store an explicit null as a change.
fn without_nulls(value: Value) -> Value {
    match value {
        Value::Object(map) => map
            .into_iter()
            .filter(|(_, value)| !value.is_null())
            .map(|(key, value)| (key, without_nulls(value)))
            .collect(),
        Value::Array(items) => items.into_iter().map(without_nulls).collect(),
        value => value,
    }
}
