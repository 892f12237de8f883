//! The version that was there before, and what two versions have in common.

use serde_json::{Map, Value, json};

use crate::json::{set, text};
use crate::wanted::any_forgotten;

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
/// labels and annotations among its own, with none left from an earlier run.
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
        && !any_forgotten(wanted, live)
}

/// Whether the step from one object to another makes new pods: a changed number
/// of replicas, a changed share of the traffic, changed metadata and a predictor
/// that goes do not.
pub(super) fn restarts(live: Option<&Value>, written: &Value) -> bool {
    let Some(live) = live else {
        return true;
    };
    let (live_spec, live_predictors) = pods(live);
    let (spec, predictors) = pods(written);
    spec != live_spec || !predictors.iter().all(|p| live_predictors.contains(p))
}

/// The spec without its predictors, and the predictors, each without what makes
/// no new pods.
fn pods(object: &Value) -> (Value, Vec<Value>) {
    let mut spec = object.get("spec").cloned().unwrap_or_default();
    let Some(map) = spec.as_object_mut() else {
        return (spec, Vec::new());
    };
    map.remove("replicas");
    let predictors = map.remove("predictors");
    let mut predictors = predictors
        .as_ref()
        .and_then(Value::as_array)
        .cloned()
        .unwrap_or_default();
    for predictor in &mut predictors {
        if let Some(predictor) = predictor.as_object_mut() {
            for key in ["replicas", "traffic", "progressDeadlineSeconds"] {
                predictor.remove(key);
            }
        }
    }
    (spec, predictors)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn object(predictors: Value) -> Value {
        json!({"spec": {"protocol": "seldon", "predictors": predictors}})
    }

    #[test]
    fn what_makes_new_pods() {
        let one = json!({"name": "a", "traffic": 100, "graph": 1});
        let less = json!({"name": "a", "traffic": 90, "graph": 1});
        let other = json!({"name": "a", "traffic": 100, "graph": 2});
        let canary = json!({"name": "b", "traffic": 10, "graph": 2});
        let both = object(json!([less, canary]));
        let one = object(json!([one]));
        assert!(restarts(None, &one));
        assert!(!restarts(Some(&one), &one));
        assert!(!restarts(Some(&one), &object(json!([less]))));
        assert!(!restarts(Some(&both), &one));
        assert!(restarts(Some(&one), &both));
        assert!(restarts(Some(&one), &object(json!([other]))));
    }

    #[test]
    fn a_note_survives_the_way_through_the_object() {
        let live = json!({
            "apiVersion": "a/v1", "kind": "K", "spec": {"x": 1},
            "metadata": {"name": "iris", "namespace": "n", "uid": "u", "annotations": {"model/version": "1", NOTE: "older"}},
            "status": {},
        });
        let former = Former::of(&live);
        let wanted = json!({"metadata": {"annotations": {"model/version": "2"}}, "spec": {}});
        let kept = kept_in(&wanted, Some(&former));
        assert_eq!(Former::noted_in(&kept), Some(former.clone()));
        assert!(same(&wanted, &kept), "the note is no difference");
        assert!(former.object().pointer("/metadata/uid").is_none());
        // Somebody else's object may hold passwords, and is not noted.
        let foreign = Former::of(&json!({"metadata": {"name": "iris"}, "spec": {"password": "p"}}));
        assert_eq!(kept_in(&wanted, Some(&foreign)), wanted);
    }
}
