//! The model server, asked through its service which version it is.

use std::time::Duration;

use serde_json::Value;

use crate::json::{items, text};
use crate::rollout::{Expected, Kind, Served};

/// How long one question may take: a service that cannot be reached from here
/// must not slow the rollout's other signs down.
const TIMEOUT: Duration = Duration::from_secs(2);

/// Asks for the model's metadata.
#[derive(Debug, Clone)]
pub struct ModelService {
    http: reqwest::Client,
    /// The ingress, as `https://seldon.example`; without it the address in the
    /// object's status is used, which only resolves within the cluster.
    ingress: Option<String>,
    namespace: String,
}

/// The address as it may be shown.
fn without_credentials(url: &str) -> String {
    let Ok(mut shown) = reqwest::Url::parse(url) else {
        return "the model's address".to_owned();
    };
    // Only an address without a host has no place for them.
    let _none = shown.set_username("");
    let _none = shown.set_password(None);
    shown.into()
}

impl ModelService {
    /// A way to the services of `namespace`.
    pub fn new(http: reqwest::Client, ingress: Option<String>, namespace: String) -> Self {
        Self {
            http,
            ingress,
            namespace,
        }
    }

    /// Which versions the model server says it has.
    pub async fn ask(&self, expected: &Expected, status_url: &str) -> Served {
        let Some(predictor) = expected.only_predictor() else {
            return Served::Unreachable("several predictors share the service".to_owned());
        };
        let Some(url) = self.metadata_url(expected, &predictor.container, status_url) else {
            return Served::Unreachable("the status has no address".to_owned());
        };
        let reply = self.http.get(&url).timeout(TIMEOUT).send().await;
        let reply = match reply {
            Ok(reply) => reply,
            Err(error) => return Served::Unreachable(error.without_url().to_string()),
        };
        let (status, url) = (reply.status(), without_credentials(&url));
        if status.is_server_error() {
            return Served::Refuses(format!("{url} answers {status}"));
        }
        match reply.error_for_status() {
            Ok(reply) => match reply.json::<Value>().await {
                Ok(metadata) => Served::Versions(versions(&metadata, &predictor.container)),
                Err(_) => Served::Unreachable(format!("{url} does not answer as a model")),
            },
            // Somebody else's answer: a login page, a route that is not there.
            Err(_) => Served::Unreachable(format!("{url} answers {status}")),
        }
    }

    fn metadata_url(&self, expected: &Expected, container: &str, url: &str) -> Option<String> {
        let base = match &self.ingress {
            Some(ingress) if expected.kind == Kind::SeldonDeployment => {
                let ingress = ingress.trim_end_matches('/');
                format!("{ingress}/seldon/{}/{}", self.namespace, expected.name)
            }
            _ => {
                let url = reqwest::Url::parse(url).ok()?;
                url.origin().ascii_serialization()
            }
        };
        let model = match expected.kind {
            Kind::SeldonDeployment => container,
            Kind::InferenceService => &expected.name,
        };
        Some(match expected.protocol.as_str() {
            "v2" => format!("{base}/v2/models/{model}"),
            _ => format!("{base}/api/v1.0/metadata"),
        })
    }
}

/// The versions in a model's metadata, or in that of the orchestrator, which
/// wraps it as `{"models": {CONTAINER: {...}}}`.
fn versions(metadata: &Value, container: &str) -> Vec<String> {
    let wrapped = metadata
        .get("models")
        .and_then(|models| models.get(container));
    let versions = items(wrapped.unwrap_or(metadata), "/versions");
    versions
        .iter()
        .map(|version| text(version, "").to_owned())
        .collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn addresses_are_shown_without_credentials() {
        let shown = without_credentials("https://user:word@host/seldon/a?b=c");
        assert_eq!(shown, "https://host/seldon/a?b=c");
        assert_eq!(without_credentials("no address"), "the model's address");
    }

    #[test]
    fn versions_with_and_without_the_orchestrator() {
        let direct = json!({"name": "iris", "versions": ["1", "2"]});
        assert_eq!(versions(&direct, "c"), ["1", "2"]);
        let wrapped = json!({"name": "default", "models": {"c": direct}});
        assert_eq!(versions(&wrapped, "c"), ["1", "2"]);
        assert!(versions(&json!([]), "c").is_empty());
    }
}
