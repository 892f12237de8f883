//! What a user needs of a pod beyond the options: a strategic merge patch, as
//! `kubectl patch` takes it.

use k8s_openapi::api::core::v1::PodSpec;
use serde_json::{Map, Value};

use crate::json::text;

/// Why a patched pod is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PatchError {
    /// The patch is not a map.
    #[error("\"pod\" in the overlay must be a map, as {{nodeName: a}}")]
    NotAMap,
    /// A value has the wrong type.
    #[error("\"pod\" in the overlay does not make a pod: at {at}: {reason}")]
    Type {
        /// The path within the pod.
        at: String,
        /// What is expected there.
        reason: String,
    },
    /// A key that pods do not have.
    #[error("\"pod\" in the overlay has {0}, which is no field of a pod in Kubernetes")]
    UnknownField(String),
    /// What Kubernetes takes, Seldon does not.
    #[error(
        "the SeldonDeployment does not fit the schema of Seldon Core: at {at}: {reason}; \
         look at \"pod\" in the overlay"
    )]
    Schema {
        /// The path within the object, as a JSON pointer.
        at: String,
        /// What is wrong there.
        reason: String,
    },
}

/// The lists whose elements are merged, with the key that tells them apart; all
/// other lists are replaced whole (`patchMergeKey` in the Kubernetes API).
const MERGED: [(&str, &str); 9] = [
    ("containers", "name"),
    ("ephemeralContainers", "name"),
    ("initContainers", "name"),
    ("env", "name"),
    ("volumes", "name"),
    ("imagePullSecrets", "name"),
    ("hostAliases", "ip"),
    ("ports", "containerPort"),
    ("volumeMounts", "mountPath"),
];

/// The pod with the patch applied, checked against the Kubernetes API.
pub(super) fn patched(pod: Value, patch: Option<&Value>) -> Result<Value, PatchError> {
    let Some(patch) = patch else {
        return Ok(pod);
    };
    let Some(patch) = patch.as_object() else {
        return Err(PatchError::NotAMap);
    };
    let Value::Object(mut merged) = pod else {
        return Err(PatchError::NotAMap);
    };
    merge(&mut merged, patch);
    let merged = Value::Object(merged);
    check(&merged)?;
    Ok(merged)
}

fn merge(target: &mut Map<String, Value>, patch: &Map<String, Value>) {
    for (key, new) in patch {
        let merge_key = MERGED.iter().find(|(list, _)| list == key);
        match (target.get_mut(key), new, merge_key) {
            (_, Value::Null, _) => {
                target.shift_remove(key);
            }
            (Some(Value::Object(old)), Value::Object(new), _) => merge(old, new),
            (Some(Value::Array(old)), Value::Array(new), Some((_, by))) => {
                merge_list(old, new, by);
            }
            _ => {
                target.insert(key.clone(), new.clone());
            }
        }
    }
}

/// Merges elements with equal keys, appends new ones, and removes those with
/// `$patch: delete`.
fn merge_list(target: &mut Vec<Value>, patch: &[Value], by: &str) {
    for new in patch {
        let position = target.iter().position(|old| old.get(by) == new.get(by));
        let delete = text(new, "/$patch") == "delete";
        match position {
            Some(position) if delete => {
                target.remove(position);
            }
            Some(position) => match (target.get_mut(position), new) {
                (Some(Value::Object(old)), Value::Object(new)) => merge(old, new),
                (Some(old), new) => *old = new.clone(),
                (None, _) => {}
            },
            None if delete => {}
            None => target.push(new.clone()),
        }
    }
}

/// A reason without the text that it quotes, which may be a secret.
fn masked(reason: &str) -> String {
    let quoted = reason.split_once('"');
    let parts = quoted.and_then(|(head, rest)| Some((head, rest.rsplit_once('"')?.1)));
    parts.map_or_else(
        || reason.to_owned(),
        |(head, tail)| format!("{head}\"…\"{tail}"),
    )
}

/// Reads the pod as the Kubernetes API would and writes it again: what is lost
/// on the way is no field of a pod.
fn check(pod: &Value) -> Result<(), PatchError> {
    let typed: PodSpec = serde_path_to_error::deserialize(pod).map_err(|error| {
        let at = error.path().to_string();
        PatchError::Type {
            at,
            reason: masked(&error.into_inner().to_string()),
        }
    })?;
    let known = serde_json::to_value(&typed).unwrap_or_default();
    match lost(pod, &known, "pod") {
        Some(path) => Err(PatchError::UnknownField(path)),
        None => Ok(()),
    }
}

/// The path of the first key in `written` that `known` has not.
fn lost(written: &Value, known: &Value, path: &str) -> Option<String> {
    match (written, known) {
        (Value::Object(written), Value::Object(known)) => {
            written.iter().find_map(|(key, value)| {
                let path = format!("{path}.{key}");
                match known.get(key) {
                    Some(known) => lost(value, known, &path),
                    None => Some(path),
                }
            })
        }
        (Value::Array(written), Value::Array(known)) => {
            let pairs = written.iter().zip(known).enumerate();
            pairs
                .map(|(index, (written, known))| lost(written, known, &format!("{path}[{index}]")))
                .find_map(|lost| lost)
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reasons_do_not_quote() {
        let reason = masked(r#"invalid type: string "hunter"2", expected i32"#);
        assert_eq!(reason, r#"invalid type: string "…", expected i32"#);
        assert_eq!(masked("missing field `name`"), "missing field `name`");
    }
}
