//! The status that the operator gives an object.

use std::time::Instant;

use serde_json::{Value, json};

use super::World;
use super::model::{self, Behaviour, Moment};
use super::track::deployment_name;
use super::world::{DEADLINE, Stored};

impl World {
    /// The time in whole seconds, as conditions give it.
    pub(crate) fn stamp(&self) -> String {
        let seconds = 1 + self.started.elapsed().as_secs();
        format!(
            "2026-01-01T00:{:02}:{:02}Z",
            seconds / 60 % 60,
            seconds % 60
        )
    }

    /// The object with its status, as the API gives it.
    pub(crate) fn shown(&self, key: &str) -> Option<Value> {
        let stored = self.objects.get(key)?;
        let mut object = stored.object.clone();
        let status = self.status(key);
        if status != Value::Null {
            object["status"] = status;
        }
        object["metadata"]["resourceVersion"] = json!(self.clock.to_string());
        Some(object)
    }

    /// The object's moment: that of the worst predictor.
    pub(crate) fn overall(&self, key: &str) -> Moment {
        let now = Instant::now();
        let stored = &self.objects[key];
        let live = stored
            .tracks
            .values()
            .filter(|track| track.removed.is_none());
        let moments: Vec<Moment> = live
            .map(|track| {
                let behaviour = self.behaviours.get(&track.version).copied();
                let new_pods = track.changed >= stored.written;
                let since = match new_pods {
                    true => track.changed,
                    false => stored.written,
                };
                // Another predictor of an object that is there finds a status.
                let there = stored.object["metadata"]["generation"] != 1;
                model::moment(
                    behaviour.unwrap_or(Behaviour::Good(400)),
                    now.duration_since(since),
                    there || track.old.is_some(),
                    new_pods,
                    DEADLINE,
                )
            })
            .collect();
        let rank = |moment: &&Moment| match moment.state {
            "Failed" => 0,
            "" => 1,
            "Creating" => 2,
            _ => 3,
        };
        *moments.iter().min_by_key(rank).unwrap()
    }

    /// Writes a status in the operator's place.
    pub(crate) fn set_status(&mut self, key: &str, status: Value) {
        if let Some(stored) = self.objects.get_mut(key) {
            stored.object["status"] = status;
            self.clock += 1;
        }
    }

    pub(crate) fn status(&self, key: &str) -> Value {
        if !self.operator {
            return self.objects[key].object["status"].clone();
        }
        let moment = self.overall(key);
        if moment.state.is_empty() {
            return Value::Null;
        }
        let stored = &self.objects[key];
        let (name, namespace) = (
            &stored.object["metadata"]["name"],
            &stored.object["metadata"]["namespace"],
        );
        let (name, namespace) = (
            name.as_str().unwrap(),
            namespace.as_str().unwrap_or("seldon"),
        );
        let url = match self.reachable {
            true => format!(
                "http://{}/seldon/{namespace}/{name}/api/v1.0/predictions",
                self.address
            ),
            false => "http://127.0.0.1:9/api/v1.0/predictions".to_owned(),
        };
        let word = |yes: bool| if yes { "True" } else { "False" };
        let since = match stored.ready_since.1.as_str() {
            "" => self.stamp(),
            since => since.to_owned(),
        };
        let condition = |name: &str, yes: bool| json!({"type": name, "status": word(yes), "lastTransitionTime": since});
        if stored.object["kind"] == "InferenceService" {
            return self.kserve_status(stored, moment, &url, &since);
        }
        let description = match moment.state {
            "Failed" => "Deployment is no longer progressing and not available.",
            _ => "",
        };
        let deployments = stored.tracks.values().map(|track| {
            let name = deployment_name(name, track);
            (
                name,
                json!({"replicas": moment.replicas, "availableReplicas": moment.available}),
            )
        });
        json!({
            "state": moment.state,
            "description": description,
            "replicas": moment.replicas,
            "address": {"url": url},
            "deploymentStatus": deployments.collect::<serde_json::Map<_, _>>(),
            "conditions": [
                condition("DeploymentsReady", moment.ready || moment.replicas == moment.available),
                condition("Ready", moment.ready),
                condition("ServicesReady", true),
            ],
        })
    }

    /// KServe says which generation its status is about; it is not wrong for a
    /// moment as Seldon is.
    fn kserve_status(&self, stored: &Stored, moment: Moment, url: &str, since: &str) -> Value {
        let elapsed = stored.written.elapsed().as_millis();
        let generation = stored.object["metadata"]["generation"].as_u64().unwrap();
        let noticed = elapsed >= u128::from(model::NOTICED);
        let ready = moment.ready && (!noticed || elapsed >= u128::from(model::NEW_POD));
        let transition = match moment.state {
            "Failed" => "BlockedByFailedLoad",
            "Available" => "UpToDate",
            _ => "InProgress",
        };
        json!({
            "observedGeneration": if noticed { generation } else { generation - 1 },
            "url": url,
            "address": {"url": url},
            "modelStatus": {
                "transitionStatus": transition,
                "lastFailureInfo": {"message": if moment.state == "Failed" { "the model does not load" } else { "" }},
            },
            "conditions": [
                {"type": "PredictorReady", "status": if ready { "True" } else { "False" }, "lastTransitionTime": since},
                {"type": "Ready", "status": if ready { "True" } else { "False" }, "lastTransitionTime": since},
            ],
        })
    }
}
