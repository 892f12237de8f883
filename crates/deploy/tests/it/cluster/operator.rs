//! The operator's part: a Deployment for the object, and the observed order of
//! states after a write.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Client, Config};
use serde_json::{Value, json};
use tokio::runtime::Runtime;

use super::Place;

const APPLY: &str = "application/apply-patch+yaml";
const MERGE: &str = "application/merge-patch+json";

/// Somebody who may do everything, at work in a thread of its own.
pub(super) struct Operator {
    admin: Admin,
    /// Versions whose pods never get ready.
    stuck: Arc<Mutex<BTreeSet<String>>>,
    ended: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Operator {
    pub(super) fn at_work(place: &Place) -> Self {
        let stuck = Arc::new(Mutex::new(BTreeSet::new()));
        let ended = Arc::new(AtomicBool::new(false));
        let (admin, of_thread) = (Admin::of(place), Admin::of(place));
        let (stuck_there, ended_there) = (stuck.clone(), ended.clone());
        let work = move || {
            let mut known = 0;
            while !ended_there.load(Ordering::Relaxed) {
                std::thread::sleep(Duration::from_millis(150));
                let object = of_thread.object();
                let generation = |o: &Value| o["metadata"]["generation"].as_i64().unwrap();
                if let Some(object) = object.filter(|o| generation(o) != known) {
                    known = generation(&object);
                    let stuck = stuck_there.lock().unwrap().contains(&version(&object));
                    of_thread.reconcile(&object, !stuck);
                }
            }
        };
        Self {
            admin,
            stuck,
            ended,
            thread: Some(std::thread::spawn(work)),
        }
    }

    pub(super) fn never_ready(&self, version: &str) {
        self.stuck.lock().unwrap().insert(version.to_owned());
    }

    pub(super) fn object(&self) -> Option<Value> {
        self.admin.object()
    }

    pub(super) fn version(&self) -> String {
        version(&self.object().unwrap())
    }

    /// Takes the spec of `object` over, as somebody else.
    pub(super) fn apply_as(&self, manager: &str, object: &Value) {
        self.admin.apply(manager, object).unwrap();
    }

    pub(super) fn try_apply(&self, manager: &str, object: &Value) -> Result<Value, String> {
        self.admin.apply(manager, object)
    }
}

impl Drop for Operator {
    fn drop(&mut self) {
        self.ended.store(true, Ordering::Relaxed);
        let _ = self.thread.take().unwrap().join();
    }
}

fn version(object: &Value) -> String {
    let parameters = object["spec"]["predictors"][0]["graph"]["parameters"].as_array();
    let mut parameters = parameters.unwrap().iter();
    let version = parameters.find(|p| p["name"] == "model_version").unwrap();
    version["value"].as_str().unwrap().to_owned()
}

struct Admin {
    runtime: Runtime,
    client: Client,
    namespace: String,
}

impl Admin {
    fn of(place: &Place) -> Self {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        let config = Kubeconfig::read_from(&place.admin).unwrap();
        let options = KubeConfigOptions::default();
        let client = runtime.block_on(async {
            let config = Config::from_custom_kubeconfig(config, &options)
                .await
                .unwrap();
            Client::try_from(config).unwrap()
        });
        Self {
            runtime,
            client,
            namespace: place.namespace.clone(),
        }
    }

    fn send(&self, method: &str, path: &str, kind: &str, body: &Value) -> Result<Value, String> {
        let request = http::Request::builder().method(method).uri(path);
        let request = request
            .header("content-type", kind)
            .header("accept", "application/json");
        let body = if body.is_null() {
            Vec::new()
        } else {
            body.to_string().into_bytes()
        };
        let reply = self.client.request::<Value>(request.body(body).unwrap());
        self.runtime
            .block_on(reply)
            .map_err(|error| error.to_string())
    }

    fn path(&self) -> String {
        format!(
            "/apis/machinelearning.seldon.io/v1/namespaces/{}/seldondeployments/iris",
            self.namespace
        )
    }

    fn object(&self) -> Option<Value> {
        self.send("GET", &self.path(), "application/json", &Value::Null)
            .ok()
    }

    fn apply(&self, manager: &str, object: &Value) -> Result<Value, String> {
        let path = format!(
            "{}?fieldManager={manager}&force=true&fieldValidation=Strict",
            self.path()
        );
        let body = json!({
            "apiVersion": object["apiVersion"], "kind": object["kind"],
            "metadata": {"name": "iris"}, "spec": object["spec"],
        });
        self.send("PATCH", &path, APPLY, &body)
    }

    /// Of a Deployment without replicas no controller makes pods, and its counts
    /// are those that are wanted.
    fn reconcile(&self, object: &Value, well: bool) {
        let predictor = &object["spec"]["predictors"][0];
        let mut container = json!({});
        for key in ["name", "image", "env"] {
            container[key] = predictor["componentSpecs"][0]["spec"]["containers"][0][key].clone();
        }
        let id = json!({"name": "PREDICTOR_ID", "value": predictor["name"]});
        container["env"].as_array_mut().unwrap().push(id);
        let name = "iris-default-0-iris-container";
        let path = format!(
            "/apis/apps/v1/namespaces/{}/deployments/{name}",
            self.namespace
        );
        let labels = json!({"seldon-deployment-id": "iris"});
        let deployment = json!({
            "apiVersion": "apps/v1", "kind": "Deployment",
            "metadata": {"name": name, "labels": labels},
            "spec": {
                "replicas": 0, "selector": {"matchLabels": labels},
                "template": {"metadata": {"labels": labels}, "spec": {"containers": [container]}},
            },
        });
        let apply = format!("{path}?fieldManager=operator&force=true");
        let stored = self.send("PATCH", &apply, APPLY, &deployment).unwrap();
        let observed = json!({"status": {"observedGeneration": stored["metadata"]["generation"]}});
        self.send("PATCH", &format!("{path}/status"), MERGE, &observed)
            .unwrap();
        self.set_state("Creating", "False");
        if well {
            std::thread::sleep(Duration::from_millis(500));
            self.set_state("Available", "True");
        }
    }

    fn set_state(&self, state: &str, ready: &str) {
        let condition = json!({
            "type": "Ready", "status": ready, "lastTransitionTime": "2026-01-01T00:00:00Z",
        });
        let status = json!({"status": {
            "state": state, "description": "", "conditions": [condition],
            // Nobody listens there.
            "address": {"url": "http://127.0.0.1:9/api/v1.0/predictions"},
        }});
        self.send("PATCH", &format!("{}/status", self.path()), MERGE, &status)
            .unwrap();
    }
}
