//! The target `seldon-deploy`: the REST API of Seldon Deploy, today Seldon
//! Enterprise Platform, versions 1.5 to 2.4.

mod api;
mod detectors;
mod token;

use std::time::Duration;

use reqwest::Method;
use serde_json::{Value, json};

use super::{ModelService, Target, TargetError};
use crate::json::set;
use crate::rollout::{Expected, Seen, Status};
use crate::wanted::forgotten;
use api::Api;

pub use detectors::DetectorChange;
pub use token::Credentials;

/// A write that meets a newer version of the object is made anew this often.
const TRIES: u32 = 4;

/// One deployment in a namespace of Seldon Deploy.
#[derive(Debug)]
pub struct SeldonDeploy {
    api: Api,
    namespace: String,
    name: String,
    model: ModelService,
}

impl SeldonDeploy {
    /// The deployment `name`; nothing is sent yet.
    pub fn new(
        http: reqwest::Client,
        credentials: Credentials,
        namespace: &str,
        name: &str,
        model: ModelService,
    ) -> Self {
        Self {
            api: Api::new(http, credentials),
            namespace: namespace.to_owned(),
            name: name.to_owned(),
            model,
        }
    }

    fn collection(&self) -> String {
        format!("/namespaces/{}/seldondeployments", self.namespace)
    }

    fn path(&self) -> String {
        format!("{}/{}", self.collection(), self.name)
    }

    fn action(&self, verb: &str) -> String {
        format!(
            "{verb} the SeldonDeployment {} in namespace {}",
            self.name, self.namespace
        )
    }

    /// A new object has to name its namespace.
    async fn create(&self, object: &Value) -> Result<Value, TargetError> {
        let mut object = object.clone();
        set(&mut object, "/metadata", "namespace", json!(self.namespace));
        let action = self.action("create");
        self.api
            .call(&action, Method::POST, &self.collection(), Some(&object))
            .await
    }

    async fn replace(&self, object: &Value, live: &Value) -> Result<Value, TargetError> {
        let body = replacement(object, live);
        let action = self.action("update");
        self.api
            .call(&action, Method::PUT, &self.path(), Some(&body))
            .await
    }
}

/// The live object with our spec, labels and annotations; everything else in its
/// metadata stays, above all `resourceVersion`.
fn replacement(object: &Value, live: &Value) -> Value {
    let mut body = live.clone();
    if let Some(body) = body.as_object_mut() {
        body.remove("status");
    }
    let spec = object.get("spec").cloned().unwrap_or_default();
    set(&mut body, "", "spec", spec);
    for key in ["labels", "annotations"] {
        let pointer = format!("/metadata/{key}");
        let map = |object: &Value| object.pointer(&pointer).and_then(Value::as_object).cloned();
        let mut merged = map(&body).unwrap_or_default();
        let forgotten = forgotten(object, live, key);
        merged.retain(|key, _| {
            let ours = key.starts_with("model/") || key.starts_with("pachyderm-seldon/");
            !ours && !forgotten.contains(key)
        });
        merged.extend(map(object).unwrap_or_default());
        set(&mut body, "/metadata", key, Value::Object(merged));
    }
    body
}

impl Target for SeldonDeploy {
    fn place(&self) -> String {
        format!("namespace {} of {}", self.namespace, self.api.base())
    }

    fn show_command(&self, name: &str) -> String {
        format!(
            "kubectl -n {} describe seldondeployments.machinelearning.seldon.io {name}",
            self.namespace
        )
    }

    async fn read(&self) -> Result<Option<Value>, TargetError> {
        let action = self.action("read");
        let path = self.path();
        match self.api.call(&action, Method::GET, &path, None).await {
            Ok(object) => Ok(Some(object)),
            Err(TargetError::Gone(_)) => Ok(None),
            Err(error) => Err(error),
        }
    }

    async fn rehearse(&self, object: &Value) -> Result<Value, TargetError> {
        Ok(object.clone())
    }

    async fn write(&self, object: &Value, live: Option<&Value>) -> Result<Value, TargetError> {
        let Some(live) = live else {
            return self.create(object).await;
        };
        let mut live = live.clone();
        for _ in 1..TRIES {
            match self.replace(object, &live).await {
                Err(TargetError::Conflict { .. }) => match self.read().await? {
                    Some(newer) => live = newer,
                    None => return self.create(object).await,
                },
                result => return result,
            }
        }
        self.replace(object, &live).await
    }

    async fn look(&self, expected: &Expected) -> Result<Option<Seen>, TargetError> {
        let object = self.read().await?;
        let object = object.ok_or_else(|| TargetError::Gone(self.path()))?;
        let status = Status::of(expected.kind, &object);
        let served = self.model.ask(expected, &status.url).await;
        Ok(Some(Seen {
            object,
            workloads: None,
            pods: Vec::new(),
            served,
        }))
    }

    async fn pause(&self, at_most: Duration) {
        tokio::time::sleep(at_most).await;
    }

    async fn explain(&self, _expected: &Expected) -> Vec<String> {
        Vec::new()
    }
}
