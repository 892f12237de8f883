//! The objects of the cluster and what becomes of them.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use axum::http::HeaderMap;
use serde_json::{Value, json};

use super::Call;
use super::model::{self, Behaviour};
use super::owners::{self, Owners};
use super::rights::Right;
use super::rules::Rules;
use super::track::Track;

/// After this time a Deployment gives up: a little less than the deadline of the
/// tests' rollouts, which Kubernetes counts from the last progress.
pub(crate) const DEADLINE: Duration = Duration::from_millis(1900);

pub(crate) struct World {
    pub(crate) address: SocketAddr,
    /// The address of the platform, as it gives it itself.
    pub(crate) public_url: String,
    /// Whether an operator is at work; without one, what others write for it
    /// stands in `deployments` and in the status of the objects.
    pub(crate) operator: bool,
    pub(crate) deployments: BTreeMap<String, Value>,
    /// Whether deploy's role is bound in the namespace.
    pub(crate) role_bound: bool,
    /// The rights that deploy has used.
    pub(crate) rights: BTreeSet<Right>,
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
    /// Versions that take long for each answer.
    pub(crate) slow: BTreeSet<String>,
    /// Whether clients send requests at all.
    pub(crate) traffic: bool,
    /// The secret of the platform's client.
    pub(crate) client_secret: String,
    /// Every request.
    pub(crate) log: Vec<Logged>,
    /// Objects that have stopped serving altogether, once they did.
    pub(crate) gaps: Vec<String>,
    pub(crate) clock: u64,
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
    /// Who has applied `spec.predictors`.
    pub(crate) manager: String,
    /// Who has applied which label and annotation.
    pub(crate) owners: Owners,
    pub(crate) written: Instant,
    pub(crate) tracks: BTreeMap<String, Track>,
    pub(crate) ready_since: (bool, String),
    has_served: bool,
}

impl World {
    pub(crate) fn new(address: SocketAddr) -> Self {
        Self {
            address,
            public_url: format!("http://{address}"),
            operator: true,
            deployments: BTreeMap::new(),
            role_bound: true,
            rights: BTreeSet::new(),
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
            slow: BTreeSet::new(),
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
        // A status in the body is ignored.
        let map = object.as_object_mut().unwrap();
        map.remove("status");
        let written = before.as_ref().filter(|_| !self.operator);
        if let Some(status) = written.and_then(|b| b.object.get("status")) {
            map.insert("status".to_owned(), status.clone());
        }
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
            owners: owners::kept(before.as_ref(), &object, manager),
            manager: manager.to_owned(),
            written,
            tracks,
            ready_since,
            has_served,
        };
        self.objects.insert(key.to_owned(), stored);
        object
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
        if !self.operator {
            return;
        }
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
}
