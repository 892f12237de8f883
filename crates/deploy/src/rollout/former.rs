//! The version that was there before, and what two versions have in common.

use serde_json::{Map, Value, json};

use crate::json::{set, text};

/// The annotation that keeps the former version in the object, so that a run
/// that is killed can be finished, or undone, by the next one.
const NOTE: &str = "pachyderm-seldon/former";

/// The annotation that every object of ours has.
const VERSION: &str = "model/version";

/// A version to return to.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Former(Value);

impl Former {
    /// The version in `live`, without what the server adds.
    pub(super) fn of(live: &Value) -> Self {
        let mut annotations = annotations(live).cloned().unwrap_or_default();
        annotations.remove(NOTE);
        annotations.retain(|key, _| !key.starts_with("kubectl.kubernetes.io/"));
        Self(json!({
            "apiVersion": live.get("apiVersion"),
            "kind": live.get("kind"),
            "metadata": {
                "name": text(live, "/metadata/name"),
                "namespace": text(live, "/metadata/namespace"),
                "annotations": annotations,
                "labels": live.pointer("/metadata/labels").unwrap_or(&json!({})),
            },
            "spec": live.get("spec"),
        }))
    }

    /// The version noted in `live`.
    pub(super) fn noted_in(live: &Value) -> Option<Self> {
        let note = annotations(live)?.get(NOTE)?.as_str()?;
        serde_json::from_str(note).ok().map(Self)
    }

    pub(super) fn object(&self) -> &Value {
        &self.0
    }

    /// Its name, for people.
    pub(super) fn version(&self) -> String {
        let expected = super::Expected::of(&self.0);
        let version = expected.predictors.into_iter().find_map(|p| p.version);
        version.unwrap_or_else(|| "before this one".to_owned())
    }

    /// Whether it is ours: only ours holds no password, and may be noted.
    fn is_ours(&self) -> bool {
        annotations(&self.0).is_some_and(|all| all.contains_key(VERSION))
    }
}

fn annotations(object: &Value) -> Option<&Map<String, Value>> {
    object.pointer("/metadata/annotations")?.as_object()
}

/// The object with a note of the former version.
pub(super) fn kept_in(wanted: &Value, former: Option<&Former>) -> Value {
    let mut object = wanted.clone();
    if let Some(former) = former.filter(|former| former.is_ours()) {
        let note = json!(former.0.to_string());
        set(&mut object, "/metadata/annotations", NOTE, note);
    }
    object
}

/// Whether `live` already is what is wanted: the same spec, and the wanted
/// labels and annotations among its own.
pub(super) fn same(wanted: &Value, live: &Value) -> bool {
    let among = |pointer: &str| {
        let wanted = wanted.pointer(pointer).and_then(Value::as_object);
        let mut wanted = wanted.into_iter().flatten();
        wanted.all(|(key, value)| {
            let live = live.pointer(pointer).and_then(|all| all.get(key));
            key == NOTE || live == Some(value)
        })
    };
    wanted.get("spec") == live.get("spec")
        && among("/metadata/labels")
        && among("/metadata/annotations")
}

/// Whether the step from one object to another makes new pods: a changed number
/// of replicas, a changed share of the traffic and changed metadata do not.
pub(super) fn restarts(live: Option<&Value>, written: &Value) -> bool {
    live.is_none_or(|live| pods(live) != pods(written))
}

fn pods(object: &Value) -> Value {
    let mut spec = object.get("spec").cloned().unwrap_or_default();
    if let Some(spec) = spec.as_object_mut() {
        spec.remove("replicas");
    }
    let predictors = spec
        .pointer_mut("/predictors")
        .and_then(Value::as_array_mut);
    for predictor in predictors.into_iter().flatten() {
        if let Some(predictor) = predictor.as_object_mut() {
            for key in ["replicas", "traffic", "progressDeadlineSeconds"] {
                predictor.remove(key);
            }
        }
    }
    spec
}
