//! A cluster that does not exist: one model of the operator's behaviour behind
//! the wire formats of the Kubernetes API and of Seldon Deploy.
//!
//! What it does and when follows what was observed of the operator of Seldon
//! Core 1.18.2 on an API server 1.32, and what was recorded of the client
//! seldon-deploy-sdk; the quirks are kept, as the tests are about them.

mod apply;
mod bare;
mod kubernetes;
mod metrics;
mod model;
mod owners;
mod platform;
pub(crate) mod rights;
mod rules;
mod serving;
mod status;
mod track;
mod workloads;
mod world;

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::{HeaderMap, Method, Uri};
use axum::response::Response;
use serde_json::Value;

pub(crate) use model::Behaviour;
pub(crate) use rules::{Answer, Rule};
pub(crate) use world::World;

/// The bearer token that the stub Kubernetes API takes at first.
pub(crate) const TOKEN: &str = "kubernetes-token-one-VERYSECRET";

/// The bearer token of somebody who may do everything.
pub(crate) const ADMIN_TOKEN: &str = "kubernetes-token-of-an-admin";

/// The secret of the client `sd-api`.
pub(crate) const CLIENT_SECRET: &str = "sd-api-secret-VERYSECRET";

/// A stub that listens, until it is dropped.
pub(crate) struct Stub {
    pub(crate) address: SocketAddr,
    world: Arc<Mutex<World>>,
    _runtime: tokio::runtime::Runtime,
}

/// A request as the stub sees it.
pub(crate) struct Call {
    pub(crate) method: Method,
    pub(crate) path: String,
    pub(crate) query: String,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl Call {
    pub(crate) fn header(&self, name: &str) -> &str {
        let value = self.headers.get(name);
        value.and_then(|v| v.to_str().ok()).unwrap_or_default()
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_default()
    }

    pub(crate) fn is_watch(&self) -> bool {
        ["1", "true"].contains(&self.query("watch"))
    }

    /// The value of a query parameter.
    pub(crate) fn query(&self, name: &str) -> &str {
        let pairs = self
            .query
            .split('&')
            .filter_map(|pair| pair.split_once('='));
        let mut found = pairs.filter(|(key, _)| *key == name);
        found.next().map(|(_, value)| value).unwrap_or_default()
    }
}

impl Stub {
    pub(crate) fn start() -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .unwrap();
        let listener = runtime.block_on(tokio::net::TcpListener::bind("127.0.0.1:0"));
        let listener = listener.unwrap();
        let address = listener.local_addr().unwrap();
        let world = Arc::new(Mutex::new(World::new(address)));
        let router = Router::new().fallback(answer).with_state(world.clone());
        runtime.spawn(async move { axum::serve(listener, router).await });
        let watched = world.clone();
        runtime.spawn(async move {
            loop {
                lock(&watched).tick();
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        });
        Self {
            address,
            world,
            _runtime: runtime,
        }
    }

    pub(crate) fn world(&self) -> MutexGuard<'_, World> {
        lock(&self.world)
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// A kubeconfig for this stub, whose token stands in a file.
    pub(crate) fn kubeconfig(&self, token_file: &std::path::Path) -> String {
        self.kubeconfig_of(&serde_json::json!({"tokenFile": token_file}))
    }

    /// A kubeconfig of this user.
    pub(crate) fn kubeconfig_of(&self, user: &Value) -> String {
        serde_json::json!({
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": "stub",
            "clusters": [{"name": "stub", "cluster": {"server": self.url()}}],
            "users": [{"name": "stub", "user": user}],
            "contexts": [{
                "name": "stub",
                "context": {"cluster": "stub", "user": "stub", "namespace": "seldon"},
            }],
        })
        .to_string()
    }
}

fn lock(world: &Mutex<World>) -> MutexGuard<'_, World> {
    world
        .lock()
        .unwrap_or_else(std::sync::PoisonError::into_inner)
}

async fn answer(
    State(world): State<Arc<Mutex<World>>>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response<Body> {
    let call = Call {
        method,
        path: uri.path().to_owned(),
        query: uri.query().unwrap_or_default().to_owned(),
        headers,
        body,
    };
    lock(&world).log(&call);
    let rule = lock(&world).rules.take(&call);
    if let Some(answer) = rule {
        if matches!(answer, Answer::Lost) {
            act(&world, &call);
        }
        return rules::respond(&answer, &call);
    }
    if call.is_watch() {
        return kubernetes::watch(&world, &call).await;
    }
    act(&world, &call)
}

fn act(world: &Mutex<World>, call: &Call) -> Response<Body> {
    let mut world = lock(world);
    world.tick();
    match call.path.as_str() {
        path if path.starts_with("/apis/") || path.starts_with("/api/v1/") => {
            kubernetes::answer(&mut world, call)
        }
        path if path.starts_with("/auth/") || path.starts_with("/seldon-deploy/") => {
            platform::answer(&mut world, call)
        }
        path if path.starts_with("/prometheus/") => metrics::prometheus(&world, call),
        _ => serving::answer(&mut world, call),
    }
}

/// A JSON answer.
pub(crate) fn json(code: u16, body: &Value) -> Response<Body> {
    Response::builder()
        .status(code)
        .header("content-type", "application/json")
        .body(Body::from(body.to_string()))
        .unwrap()
}
