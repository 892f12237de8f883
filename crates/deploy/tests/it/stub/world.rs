//! The objects of the cluster and what becomes of them.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use axum::http::HeaderMap;
use serde_json::{Value, json};

use super::Call;
use super::model::{self, Behaviour, Moment};
use super::rules::Rules;

/// After this time a Deployment gives up: a little less than the deadline of the
/// tests' rollouts, which Kubernetes counts from the last progress.
const DEADLINE: Duration = Duration::from_millis(1900);

pub(crate) struct World {
    pub(crate) address: SocketAddr,
    pub(crate) objects: BTreeMap<String, Stored>,
    pub(crate) detectors: BTreeMap<String, Value>,
    pub(crate) behaviours: BTreeMap<String, Behaviour>,
    pub(crate) rules: Rules,
    /// Tokens that the Kubernetes API takes.
    pub(crate) kubernetes_tokens: Vec<String>,
    /// How long a token of the platform lives, and those given out.
    pub(crate) token_life: Duration,
    pub(crate) id_token: bool,
    pub(crate) platform_tokens: Vec<(String, Instant)>,
    /// Whether Deployments and pods may be read.
    pub(crate) evidence_allowed: bool,
    /// Whether the address in the status leads here.
    pub(crate) reachable: bool,
    /// What the platform answers for a missing object.
    pub(crate) missing_code: u16,
    /// Of a version's answers, how many of a hundred are failures.
    pub(crate) error_percent: BTreeMap<String, u64>,
    /// Whether clients send requests at all.
    pub(crate) traffic: bool,
    /// The secret of the platform's client.
    pub(crate) client_secret: String,
    /// Every request.
    pub(crate) log: Vec<Logged>,
    /// Objects that have stopped serving altogether, once they did.
    pub(crate) gaps: Vec<String>,
    clock: u64,
    pub(crate) started: Instant,
}

/// A request that came in.
#[derive(Debug, Clone)]
pub(crate) struct Logged {
    pub(crate) method: String,
    /// The path, with the query where there is one.
    pub(crate) target: String,
    pub(crate) headers: HeaderMap,
    pub(crate) body: String,
}

impl Logged {
    pub(crate) fn header(&self, name: &str) -> &str {
        let value = self.headers.get(name);
        value.and_then(|v| v.to_str().ok()).unwrap_or_default()
    }
}

/// An object with its history.
pub(crate) struct Stored {
    pub(crate) object: Value,
    /// Who has applied which top-level annotations and `spec.predictors`.
    pub(crate) manager: String,
    pub(crate) written: Instant,
    pub(crate) tracks: BTreeMap<String, Track>,
    ready_since: (bool, String),
    has_served: bool,
}

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
    pub(crate) fn new(address: SocketAddr) -> Self {
        Self {
            address,
            objects: BTreeMap::new(),
            detectors: BTreeMap::new(),
            behaviours: BTreeMap::new(),
            rules: Rules::default(),
            kubernetes_tokens: vec![super::TOKEN.to_owned()],
            token_life: Duration::from_secs(300),
            id_token: true,
            platform_tokens: Vec::new(),
            evidence_allowed: true,
            reachable: false,
            missing_code: 404,
            error_percent: BTreeMap::new(),
            traffic: true,
            client_secret: super::CLIENT_SECRET.to_owned(),
            log: Vec::new(),
            gaps: Vec::new(),
            clock: 100,
            started: Instant::now(),
        }
    }

    pub(crate) fn log(&mut self, call: &Call) {
        let target = match call.query.as_str() {
            "" => call.path.clone(),
            query => format!("{}?{query}", call.path),
        };
        let body = String::from_utf8_lossy(&call.body).into_owned();
        self.log.push(Logged {
            method: call.method.to_string(),
            target,
            headers: call.headers.clone(),
            body,
        });
    }

    /// Requests that change something, without dry runs and tokens.
    pub(crate) fn writes(&self) -> usize {
        let writes = self.log.iter().filter(|call| {
            let (method, target) = (call.method.as_str(), call.target.as_str());
            method != "GET" && !target.contains("dryRun") && !target.starts_with("/auth/")
        });
        writes.count()
    }

    /// Stores an object and lets the operator work on it.
    pub(crate) fn store(&mut self, key: &str, mut object: Value, manager: &str) -> Value {
        self.clock += 1;
        let now = Instant::now();
        let before = self.objects.remove(key);
        let changed = before
            .as_ref()
            .is_none_or(|b| b.object["spec"] != object["spec"]);
        let generation = before
            .as_ref()
            .map_or(0, |b| b.object["metadata"]["generation"].as_u64().unwrap());
        object["metadata"]["generation"] = json!(generation + u64::from(changed));
        object["metadata"]["resourceVersion"] = json!(self.clock.to_string());
        object["metadata"]["uid"] = json!("4d8b6a52-0000-4000-8000-000000000001");
        object.as_object_mut().unwrap().remove("status");
        let tracks = self.tracks(&object, before.as_ref(), now);
        let has_served = before.as_ref().is_some_and(|b| b.has_served);
        let ready_since = before
            .as_ref()
            .map_or((false, String::new()), |b| b.ready_since.clone());
        let written = match (&before, changed) {
            (Some(before), false) => before.written,
            _ => now,
        };
        let stored = Stored {
            object: object.clone(),
            manager: manager.to_owned(),
            written,
            tracks,
            ready_since,
            has_served,
        };
        self.objects.insert(key.to_owned(), stored);
        object
    }

    fn tracks(
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

    /// The versions whose pods answer.
    pub(crate) fn serving(&self, key: &str) -> BTreeSet<String> {
        let now = Instant::now();
        let mut versions = BTreeSet::new();
        let Some(stored) = self.objects.get(key) else {
            return versions;
        };
        for track in stored.tracks.values() {
            let moment = self.moment_of(track, now);
            if track
                .removed
                .is_some_and(|at| now.duration_since(at) > Duration::from_millis(model::NEW_POD))
            {
                continue;
            }
            if moment.new_serves {
                versions.insert(track.version.clone());
            }
            if moment.old_serves
                && let Some(old) = &track.old_version
            {
                versions.insert(old.clone());
            }
        }
        versions
    }

    /// Notes what has become of all objects by now.
    pub(crate) fn tick(&mut self) {
        let keys: Vec<String> = self.objects.keys().cloned().collect();
        for key in keys {
            let serves = !self.serving(&key).is_empty();
            let status = self.status(&key);
            let ready = status["conditions"].as_array().is_some_and(|all| {
                all.iter()
                    .any(|c| c["type"] == "Ready" && c["status"] == "True")
            });
            let stamp = self.stamp();
            let stored = self.objects.get_mut(&key).unwrap();
            if stored.has_served && !serves {
                self.gaps.push(key);
            }
            stored.has_served |= serves;
            if stored.ready_since.0 != ready || stored.ready_since.1.is_empty() {
                stored.ready_since = (ready, stamp);
                self.clock += 1;
            }
        }
    }

    /// The time in whole seconds, as conditions give it.
    fn stamp(&self) -> String {
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

    fn status(&self, key: &str) -> Value {
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
