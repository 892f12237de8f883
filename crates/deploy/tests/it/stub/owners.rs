//! Managed fields of labels and annotations, the maps to which several managers
//! add: what one no longer applies goes, unless another has applied it too.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value};

use super::world::Stored;

/// The managers of each label and annotation, by map and key.
pub(crate) type Owners = BTreeMap<(&'static str, String), BTreeSet<String>>;

const MAPS: [&str; 2] = ["labels", "annotations"];

/// The labels and annotations of an object.
pub(super) fn keys(object: &Value) -> BTreeSet<(&'static str, String)> {
    let of = |map: &'static str| {
        let entries = object["metadata"][map].as_object().into_iter().flatten();
        entries.map(move |(key, _)| (map, key.clone()))
    };
    MAPS.into_iter().flat_map(of).collect()
}

/// The owners of an object that is stored: those of before, and `manager` of
/// what is new.
pub(super) fn kept(before: Option<&Stored>, object: &Value, manager: &str) -> Owners {
    let owners = |key: &(&'static str, String)| {
        let known = before.and_then(|before| before.owners.get(key).cloned());
        known.unwrap_or_else(|| BTreeSet::from([manager.to_owned()]))
    };
    keys(object)
        .into_iter()
        .map(|key| (key.clone(), owners(&key)))
        .collect()
}

/// Adds what others have applied to `stored` to the applied object; an error
/// names the manager and the field that it disputes.
pub(super) fn merge(
    stored: &Stored,
    applied: &mut Value,
    manager: &str,
    force: bool,
) -> Result<(), (String, String)> {
    for map in MAPS {
        let live = stored.object["metadata"][map].as_object();
        for (key, value) in live.into_iter().flatten() {
            let owners = stored.owners.get(&(map, key.clone()));
            let other = owners.into_iter().flatten().find(|owner| *owner != manager);
            let Some(other) = other else { continue };
            match applied["metadata"][map].get(key) {
                Some(wanted) if wanted != value && !force => {
                    return Err((other.clone(), format!(".metadata.{map}.{key}")));
                }
                Some(_) => {}
                None => {
                    let metadata = applied["metadata"].as_object_mut().unwrap();
                    let entries = metadata
                        .entry(map)
                        .or_insert_with(|| Value::Object(Map::new()));
                    entries[key] = value.clone();
                }
            }
        }
    }
    Ok(())
}

/// Notes that `manager` now applies these keys and no others.
pub(super) fn apply(
    stored: &mut Stored,
    applied: &BTreeSet<(&'static str, String)>,
    manager: &str,
) {
    for (key, owners) in &mut stored.owners {
        match applied.contains(key) {
            true => owners.insert(manager.to_owned()),
            false => owners.remove(manager),
        };
    }
}
