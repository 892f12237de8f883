//! The way to the Kubernetes API, and what its answers mean.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use kube::core::request;
use kube::{Client, Config, Error, core::Status};
use serde_json::Value;

use crate::target::TargetError;

/// A client that reads its credentials again when they are not accepted, and
/// remembers the newest resource version that was seen.
pub(super) struct Connection {
    client: Mutex<Client>,
    server: String,
    seen: Mutex<String>,
}

impl Connection {
    pub(super) async fn open() -> Result<Self, TargetError> {
        let config = infer().await?;
        let server = config.cluster_url.to_string();
        Ok(Self {
            server: server.trim_end_matches('/').to_owned(),
            client: Mutex::new(connect(config)?),
            seen: Mutex::default(),
        })
    }

    pub(super) fn client(&self) -> Client {
        lock(&self.client).clone()
    }

    pub(super) fn server(&self) -> &str {
        &self.server
    }

    pub(super) fn namespace(&self) -> String {
        self.client().default_namespace().to_owned()
    }

    pub(super) fn saw(&self, resource_version: &str) {
        resource_version.clone_into(&mut lock(&self.seen));
    }

    pub(super) fn seen(&self) -> String {
        lock(&self.seen).clone()
    }

    /// Sends a request that is answered by JSON.
    pub(super) async fn send(
        &self,
        action: &str,
        request: Result<http::Request<Vec<u8>>, request::Error>,
    ) -> Result<Value, TargetError> {
        self.renewing(action, request, async |client, request| {
            client.request(request).await
        })
        .await
    }

    /// Sends a request that is answered by text.
    pub(super) async fn text(
        &self,
        action: &str,
        request: Result<http::Request<Vec<u8>>, request::Error>,
    ) -> Result<String, TargetError> {
        self.renewing(action, request, async |client, request| {
            client.request_text(request).await
        })
        .await
    }

    /// Makes a call, with fresh credentials once if they are not accepted.
    async fn renewing<R>(
        &self,
        action: &str,
        request: Result<http::Request<Vec<u8>>, request::Error>,
        call: impl AsyncFn(Client, http::Request<Vec<u8>>) -> Result<R, Error>,
    ) -> Result<R, TargetError> {
        let request = request.map_err(|error| TargetError::Refused {
            action: action.to_owned(),
            reason: error.to_string(),
        })?;
        match call(self.client(), request.clone()).await {
            Err(Error::Api(status)) if status.code == 401 => {
                *lock(&self.client) = connect(infer().await?)?;
                let again = call(self.client(), request).await;
                again.map_err(|error| understand(action, error))
            }
            reply => reply.map_err(|error| understand(action, error)),
        }
    }
}

async fn infer() -> Result<Config, TargetError> {
    Config::infer().await.map_err(|error| TargetError::Refused {
        action: "find a cluster".to_owned(),
        reason: format!(
            "{error}; set KUBECONFIG to a file, or run in a pod that has a service account"
        ),
    })
}

/// How long the API server may take to answer: who asks tries again.
const PATIENCE: Duration = Duration::from_secs(30);

fn connect(mut config: Config) -> Result<Client, TargetError> {
    config.read_timeout = Some(PATIENCE);
    // Whoever asks tries again, knows for how long, and says so.
    config.default_retry = false;
    Client::try_from(config).map_err(|error| TargetError::Refused {
        action: "make a Kubernetes client".to_owned(),
        reason: error.to_string(),
    })
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    // The value is replaced whole: a panic elsewhere leaves it sound.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Sorts an error by what can be done about it.
fn understand(action: &str, error: Error) -> TargetError {
    let action = action.to_owned();
    match error {
        Error::Api(status) => {
            let reason = said(&status);
            match status.code {
                401 => TargetError::Credentials { action, reason },
                404 => TargetError::Gone(action),
                409 if status.reason == "Conflict" => match conflict(&status) {
                    Some(reason) => TargetError::Conflict { action, reason },
                    None => TargetError::Transient { action, reason },
                },
                403 if status.message.contains("forbidden: User") => TargetError::Refused {
                    action,
                    reason: format!("{reason}; grant what pipelines/deploy-rbac.yaml lists"),
                },
                408 | 409 | 429 | 500.. => TargetError::Transient { action, reason },
                _ => TargetError::Refused { action, reason },
            }
        }
        Error::Auth(error) => TargetError::Credentials {
            action,
            reason: error.to_string(),
        },
        Error::SerdeError(error) => TargetError::Transient {
            action,
            reason: format!("the answer is not what the Kubernetes API gives: {error}"),
        },
        error => TargetError::Transient {
            action,
            reason: innermost(&error),
        },
    }
}

fn said(status: &Status) -> String {
    format!("{} {}: {}", status.code, status.reason, status.message)
}

/// The API server names the manager and the field in the causes; without one the object
/// has only changed meanwhile.
fn conflict(status: &Status) -> Option<String> {
    let causes = status.details.iter().flat_map(|details| &details.causes);
    let causes: Vec<String> = causes
        .map(|cause| format!("{} ({})", cause.message, cause.field))
        .collect();
    (!causes.is_empty()).then(|| {
        format!(
            "{}; to take these fields over, run again with --force-conflicts",
            causes.join(", ")
        )
    })
}

/// The last cause says what happened; the wrappers around it only name layers.
fn innermost(error: &dyn std::error::Error) -> String {
    let mut error = error;
    while let Some(source) = error.source() {
        error = source;
    }
    error.to_string()
}
