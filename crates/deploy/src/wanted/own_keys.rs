//! Which labels and annotations of the live object options have set, so that one
//! that is no longer asked for goes, and those of others stay.

use serde_json::{Map, Value, json};

/// The annotation that lists them.
const NOTE: &str = "pachyderm-seldon/keys";

/// The maps of an object's metadata that options add to.
const MAPS: [&str; 2] = ["labels", "annotations"];

/// The note of these keys; none where there are none.
pub(super) fn note<'a>(
    labels: impl Iterator<Item = &'a String>,
    annotations: impl Iterator<Item = &'a String>,
) -> Option<(String, Value)> {
    let keys: [Vec<&String>; 2] = [labels.collect(), annotations.collect()];
    if keys.iter().all(Vec::is_empty) {
        return None;
    }
    let lists: Map<String, Value> = MAPS
        .into_iter()
        .zip(keys)
        .filter(|(_, keys)| !keys.is_empty())
        .map(|(map, keys)| (map.to_owned(), json!(keys)))
        .collect();
    Some((NOTE.to_owned(), json!(Value::Object(lists).to_string())))
}

/// The keys under `map`, `labels` or `annotations`, that `live` has from an
/// earlier run and `wanted` has not. A note that is not ours names none.
pub(crate) fn forgotten(wanted: &Value, live: &Value, map: &str) -> Vec<String> {
    let pointer = format!("/metadata/{map}");
    let has = |object: &Value, key: &str| {
        let keys = object.pointer(&pointer).and_then(Value::as_object);
        keys.is_some_and(|keys| keys.contains_key(key))
    };
    let mut keys = noted(live, map);
    keys.retain(|key| has(live, key) && !has(wanted, key));
    keys
}

/// Whether `live` holds a label or annotation of an earlier run that `wanted`
/// does not.
pub(crate) fn any_forgotten(wanted: &Value, live: &Value) -> bool {
    MAPS.iter()
        .any(|map| !forgotten(wanted, live, map).is_empty())
}

fn noted(live: &Value, map: &str) -> Vec<String> {
    let annotations = live.pointer("/metadata/annotations");
    let note = annotations.and_then(|all| all.get(NOTE)?.as_str());
    let lists: Option<Value> = note.and_then(|note| serde_json::from_str(note).ok());
    let keys = lists.and_then(|lists| lists.get(map)?.as_array().cloned());
    let keys = keys.unwrap_or_default();
    keys.iter()
        .filter_map(|key| key.as_str().map(str::to_owned))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_longer_wanted_is_known_from_the_live_object() {
        let (team, tier, owner) = ("team".to_owned(), "tier".to_owned(), "owner".to_owned());
        let (key, text) = note([&team, &tier].into_iter(), [&owner].into_iter()).unwrap();
        let live = json!({"metadata": {
            "labels": {"team": "a", "tier": "b", "theirs": "c"},
            "annotations": {"owner": "d", key: text},
        }});
        let wanted = json!({"metadata": {"labels": {"team": "a"}}});
        assert_eq!(forgotten(&wanted, &live, "labels"), ["tier"]);
        assert_eq!(forgotten(&wanted, &live, "annotations"), ["owner"]);
        assert!(any_forgotten(&wanted, &live));
        assert!(!any_forgotten(&live, &live));
    }

    #[test]
    fn a_note_that_is_not_ours_names_nothing() {
        for note in [json!("x"), json!("[]"), json!("{\"labels\":3}"), json!(3)] {
            let live = json!({"metadata": {"labels": {"a": "b"}, "annotations": {NOTE: note}}});
            assert!(!any_forgotten(&json!({}), &live));
        }
        assert_eq!(note([].into_iter(), [].into_iter()), None);
    }
}
