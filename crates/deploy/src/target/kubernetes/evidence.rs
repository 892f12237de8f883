//! Deployments, pods and events: what shows that a rollout is done, and why it
//! is not.

use kube::api::ListParams;
use kube::core::request::Request;
use serde_json::Value;

use super::Kubernetes;
use crate::json::{items, text};
use crate::rollout::{Expected, Pod, Workload};
use crate::target::TargetError;

/// Warnings shown of a failed rollout, the newest.
const MOST_WARNINGS: usize = 5;

impl Kubernetes {
    /// The Deployments of the object; none when they may not be read.
    pub(super) async fn workloads(&self) -> Result<Option<Vec<Workload>>, TargetError> {
        let list = self.list("/apis/apps/v1", "deployments", true).await;
        match list {
            Ok(list) => Ok(Some(list.into_iter().map(Workload::new).collect())),
            Err(TargetError::Refused { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// The pods of the object. They only explain: that they cannot be read is no
    /// error.
    pub(in crate::target) async fn pods(&self) -> Vec<Pod> {
        let list = self.list("/api/v1", "pods", true).await;
        list.unwrap_or_default().into_iter().map(Pod::new).collect()
    }

    /// The newest warnings about the object and what was made for it.
    pub(super) async fn warnings(&self, expected: &Expected) -> Vec<String> {
        let list = self.list("/api/v1", "events", false).await;
        let mut events: Vec<Value> = list
            .unwrap_or_default()
            .into_iter()
            .filter(|event| text(event, "/type") == "Warning")
            .filter(|event| is_about(event, &expected.name))
            .collect();
        events.sort_by_key(|event| text(event, "/lastTimestamp").to_owned());
        let newest = events.iter().rev().take(MOST_WARNINGS);
        newest.map(described).collect()
    }

    async fn list(
        &self,
        api: &str,
        plural: &str,
        labelled: bool,
    ) -> Result<Vec<Value>, TargetError> {
        let url = format!("{api}/namespaces/{}/{plural}", self.namespace);
        let parameters = match labelled {
            true => ListParams::default().labels(&format!("{}={}", self.resource.label, self.name)),
            false => ListParams::default(),
        };
        let request = Request::new(url).list(&parameters);
        let action = format!("list {plural} in namespace {}", self.namespace);
        let list = self.connection.send(&action, request).await?;
        Ok(items(&list, "/items").to_vec())
    }
}

/// The operator prefixes what it makes with the object's name.
fn is_about(event: &Value, name: &str) -> bool {
    let object = text(event, "/involvedObject/name");
    object == name
        || object
            .strip_prefix(name)
            .is_some_and(|rest| rest.starts_with('-'))
}

fn described(event: &Value) -> String {
    format!(
        "{} {}: {}: {}",
        text(event, "/involvedObject/kind"),
        text(event, "/involvedObject/name"),
        text(event, "/reason"),
        text(event, "/message").trim()
    )
}
