//! What the operator makes of each predictor: a Deployment with a history.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::World;
use super::model::{self, Behaviour, Moment};
use super::world::{DEADLINE, Stored};

/// One predictor's Deployment.
#[derive(Clone)]
pub(crate) struct Track {
    pub(crate) predictor: String,
    /// The wanted container, and that of the pods before.
    pub(crate) new: Value,
    pub(crate) old: Option<Value>,
    /// The template before the last write, and when that was.
    pub(crate) before: Option<Value>,
    pub(crate) edited: Instant,
    pub(crate) version: String,
    pub(crate) old_version: Option<String>,
    pub(crate) changed: Instant,
    pub(crate) removed: Option<Instant>,
    pub(crate) generation: u64,
}

impl World {
    pub(crate) fn tracks(
        &self,
        object: &Value,
        before: Option<&Stored>,
        now: Instant,
    ) -> BTreeMap<String, Track> {
        let mut tracks = before.map(|b| b.tracks.clone()).unwrap_or_default();
        let wanted = containers(object);
        for track in tracks.values_mut() {
            if !wanted
                .iter()
                .any(|(predictor, ..)| *predictor == track.predictor)
            {
                track.removed.get_or_insert(now);
            }
        }
        for (predictor, container, version) in wanted {
            let old = tracks
                .get(&predictor)
                .filter(|t| t.removed.is_none())
                .cloned();
            let track = match old {
                Some(old) if old.new == container => old,
                Some(old) => {
                    // Only pods that were up are there to go on serving.
                    let up = self.moment_of(&old, now).new_serves;
                    let before = old.new.clone();
                    let (served, served_version) = match up {
                        true => (Some(old.new), Some(old.version)),
                        false => (old.old, old.old_version),
                    };
                    let back = served.as_ref() == Some(&container);
                    Track {
                        predictor: predictor.clone(),
                        old: served,
                        old_version: served_version,
                        // Pods of the version that is put back never went.
                        before: Some(before),
                        edited: now,
                        changed: if back {
                            now - Duration::from_secs(60)
                        } else {
                            now
                        },
                        new: container,
                        version,
                        removed: None,
                        generation: old.generation + 1,
                    }
                }
                None => Track {
                    predictor: predictor.clone(),
                    new: container,
                    old: None,
                    version,
                    old_version: None,
                    changed: now,
                    before: None,
                    edited: now,
                    removed: None,
                    generation: 1,
                },
            };
            tracks.insert(predictor, track);
        }
        tracks
    }

    pub(crate) fn moment_of(&self, track: &Track, now: Instant) -> Moment {
        let behaviour = self.behaviours.get(&track.version).copied();
        model::moment(
            behaviour.unwrap_or(Behaviour::Good(400)),
            now.duration_since(track.changed),
            track.old.is_some(),
            true,
            DEADLINE,
        )
    }
}

pub(crate) fn deployment_name(name: &str, track: &Track) -> String {
    let container = track.new["name"].as_str().unwrap();
    match track.predictor.as_str() {
        "" => format!("{name}-predictor"),
        predictor => format!("{name}-{predictor}-0-{container}"),
    }
}

/// Predictor, container and model version of everything that the object wants.
fn containers(object: &Value) -> Vec<(String, Value, String)> {
    if object["kind"] == "InferenceService" {
        let container = object["spec"]["predictor"]["containers"][0].clone();
        let version = object["metadata"]["annotations"]["model/version"].as_str();
        return vec![(
            String::new(),
            container,
            version.unwrap_or_default().to_owned(),
        )];
    }
    let predictors = object["spec"]["predictors"].as_array().unwrap();
    let one = |predictor: &Value| {
        let name = predictor["name"].as_str().unwrap();
        let mut container = predictor["componentSpecs"][0]["spec"]["containers"][0].clone();
        let parameters = &predictor["graph"]["parameters"];
        let empty = Vec::new();
        let all = parameters.as_array().unwrap_or(&empty);
        let version = all.iter().find(|p| p["name"] == "model_version");
        let version = version
            .and_then(|p| p["value"].as_str())
            .unwrap_or_default();
        // What the operator adds, and what a changed parameter so restarts.
        let env = container["env"].as_array_mut().unwrap();
        env.push(json!({"name": "PREDICTIVE_UNIT_PARAMETERS", "value": parameters.to_string()}));
        env.push(json!({"name": "PREDICTOR_ID", "value": name}));
        (name.to_owned(), container, version.to_owned())
    };
    predictors.iter().map(one).collect()
}
