//! The targets `seldon-core` and `kserve`: an object in the Kubernetes API.

mod client;
mod evidence;

use std::time::Duration;

use futures::{TryStreamExt, pin_mut};
use kube::api::{GetParams, Patch, PatchParams, ValidationDirective, WatchParams};
use kube::core::WatchEvent;
use kube::core::request::Request;
use serde_json::Value;

use super::{ModelService, Target, TargetError};
use crate::json::text;
use crate::rollout::{Expected, Seen, Status};
use client::Connection;

/// The name under which the API server knows which fields are ours.
const FIELD_MANAGER: &str = "pachyderm-seldon-deploy";

/// A kind of object in the Kubernetes API.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Resource {
    /// Group and version.
    pub api_version: &'static str,
    /// The name in paths.
    pub plural: &'static str,
    /// The label on everything that the operator makes for an object.
    pub label: &'static str,
}

/// The object of Seldon Core.
pub const SELDON_DEPLOYMENT: Resource = Resource {
    api_version: "machinelearning.seldon.io/v1",
    plural: "seldondeployments",
    label: "seldon-deployment-id",
};

/// The object of KServe.
pub const INFERENCE_SERVICE: Resource = Resource {
    api_version: "serving.kserve.io/v1beta1",
    plural: "inferenceservices",
    label: "serving.kserve.io/inferenceservice",
};

/// One object in a namespace of a cluster.
pub struct Kubernetes {
    connection: Connection,
    resource: Resource,
    namespace: String,
    name: String,
    force: bool,
    model: ModelService,
}

impl std::fmt::Debug for Kubernetes {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Kubernetes")
            .field("resource", &self.resource)
            .field("namespace", &self.namespace)
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}

impl Kubernetes {
    /// Connects as `kubectl` would: by the kubeconfig, or within a pod by its
    /// service account. Without `namespace`, that of the kubeconfig's context or
    /// of the pod is taken.
    ///
    /// # Errors
    ///
    /// When there is neither kubeconfig nor service account, or it is broken.
    pub async fn connect(
        resource: Resource,
        name: &str,
        namespace: Option<&str>,
        force: bool,
        model: impl FnOnce(String) -> ModelService,
    ) -> Result<Self, TargetError> {
        let connection = Connection::open().await?;
        let namespace = match namespace {
            Some(namespace) => namespace.to_owned(),
            None => connection.namespace(),
        };
        Ok(Self {
            connection,
            resource,
            name: name.to_owned(),
            force,
            model: model(namespace.clone()),
            namespace,
        })
    }

    /// The namespace of the object.
    pub fn namespace(&self) -> &str {
        &self.namespace
    }

    /// Sends a request that is answered by text.
    pub(super) async fn text(
        &self,
        action: &str,
        request: Result<http::Request<Vec<u8>>, kube::core::request::Error>,
    ) -> Result<String, TargetError> {
        self.connection.text(action, request).await
    }

    fn described(&self) -> String {
        format!(
            "{} {} in namespace {}",
            self.resource.plural, self.name, self.namespace
        )
    }

    fn requests(&self) -> Request {
        let Resource {
            api_version,
            plural,
            ..
        } = self.resource;
        Request::new(format!(
            "/apis/{api_version}/namespaces/{}/{plural}",
            self.namespace
        ))
    }

    async fn apply(&self, object: &Value, dry_run: bool) -> Result<Value, TargetError> {
        let parameters = PatchParams {
            dry_run,
            force: self.force,
            field_manager: Some(FIELD_MANAGER.to_owned()),
            field_validation: Some(ValidationDirective::Strict),
        };
        let request = self
            .requests()
            .patch(&self.name, &parameters, &Patch::Apply(object));
        let action = match dry_run {
            true => format!("check {}", self.described()),
            false => format!("apply {}", self.described()),
        };
        self.connection.send(&action, request).await
    }

    /// Waits for the first event of a watch from `version` on.
    async fn watch(&self, version: &str) -> Option<()> {
        let parameters = WatchParams::default().fields(&format!("metadata.name={}", self.name));
        let request = self.requests().watch(&parameters, version).ok()?;
        let client = self.connection.client();
        let events = client.request_events::<Value>(request).await.ok()?;
        pin_mut!(events);
        loop {
            match events.try_next().await.ok()?? {
                WatchEvent::Added(_) | WatchEvent::Modified(_) | WatchEvent::Deleted(_) => {
                    return Some(());
                }
                WatchEvent::Bookmark(_) => {}
                WatchEvent::Error(_) => return None,
            }
        }
    }
}

impl Target for Kubernetes {
    fn place(&self) -> String {
        format!(
            "namespace {} of {}",
            self.namespace,
            self.connection.server()
        )
    }

    fn show_command(&self, name: &str) -> String {
        let group = self.resource.api_version.split('/').next();
        let group = group.unwrap_or_default();
        format!(
            "kubectl -n {} describe {}.{group} {name}",
            self.namespace, self.resource.plural
        )
    }

    async fn read(&self) -> Result<Option<Value>, TargetError> {
        let request = self.requests().get(&self.name, &GetParams::default());
        let action = format!("read {}", self.described());
        match self.connection.send(&action, request).await {
            Ok(object) => {
                self.connection
                    .saw(text(&object, "/metadata/resourceVersion"));
                Ok(Some(object))
            }
            Err(TargetError::Gone(_)) => Ok(None),
            Err(error) => Err(error),
        }
    }

    async fn rehearse(&self, object: &Value) -> Result<Value, TargetError> {
        self.apply(object, true).await
    }

    async fn write(&self, object: &Value, _live: Option<&Value>) -> Result<Value, TargetError> {
        self.apply(object, false).await
    }

    async fn look(&self, expected: &Expected) -> Result<Option<Seen>, TargetError> {
        let object = self.read().await?;
        let object = object.ok_or_else(|| TargetError::Gone(self.described()))?;
        let workloads = self.workloads().await?;
        let pods = self.pods().await;
        let status = Status::of(expected.kind, &object);
        let served = self.model.ask(expected, &status.url).await;
        Ok(Some(Seen {
            object,
            workloads,
            pods,
            served,
        }))
    }

    async fn pause(&self, at_most: Duration) {
        let version = self.connection.seen();
        let started = tokio::time::Instant::now();
        let event = tokio::time::timeout(at_most, self.watch(&version)).await;
        // Some changes come in bursts: one look serves them all.
        tokio::time::sleep(at_most / 10).await;
        // A watch that is refused or breaks leaves looking at intervals.
        if !matches!(event, Ok(Some(()))) {
            tokio::time::sleep_until(started + at_most).await;
        }
    }

    async fn explain(&self, expected: &Expected) -> Vec<String> {
        self.warnings(expected).await
    }
}
