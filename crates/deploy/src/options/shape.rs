//! The form of the pods and how many there are.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use clap::Args;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Pairs, Protocol, Quantity, Tolerations};
use crate::names::ObjectName;

/// Options that are flags, environment variables, or keys of a YAML file.
#[derive(Debug, Clone, Default, PartialEq, Args, Serialize, Deserialize)]
#[command(next_help_heading = "Shape of the deployment (also keys of the overlay)")]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct Shape {
    /// Pods
    #[arg(long, env = "DEPLOY_REPLICAS", value_name = "N")]
    pub replicas: Option<u32>,
    /// Fewest pods of an autoscaler, instead of --replicas
    #[arg(long, env = "DEPLOY_MIN_REPLICAS", value_name = "N")]
    pub min_replicas: Option<u32>,
    /// Most pods of an autoscaler; makes one
    #[arg(long, env = "DEPLOY_MAX_REPLICAS", value_name = "N")]
    pub max_replicas: Option<u32>,
    /// Load at which the autoscaler adds pods, in percent of --cpu
    #[arg(long, env = "DEPLOY_TARGET_CPU", value_name = "PERCENT")]
    pub target_cpu: Option<u32>,
    /// CPU that a pod is given, as 500m
    #[arg(long, env = "DEPLOY_CPU", value_name = "AMOUNT")]
    pub cpu: Option<Quantity>,
    /// Memory that a pod is given, as 512Mi
    #[arg(long, env = "DEPLOY_MEMORY", value_name = "AMOUNT")]
    pub memory: Option<Quantity>,
    /// CPU that a pod may use at most
    #[arg(long, env = "DEPLOY_CPU_LIMIT", value_name = "AMOUNT")]
    pub cpu_limit: Option<Quantity>,
    /// Memory that a pod may use at most
    #[arg(long, env = "DEPLOY_MEMORY_LIMIT", value_name = "AMOUNT")]
    pub memory_limit: Option<Quantity>,
    /// Labels of the nodes that pods may run on, as pool=serving,zone=a
    #[arg(long, env = "DEPLOY_NODE_SELECTOR", value_name = "KEY=VALUE,…")]
    pub node_selector: Option<Pairs>,
    /// Taints that pods put up with, as gpu=true:NoSchedule
    #[arg(long, env = "DEPLOY_TOLERATIONS", value_name = "KEY=VALUE:EFFECT,…")]
    pub tolerations: Option<Tolerations>,
    /// Service account of the pods
    #[arg(long, env = "DEPLOY_SERVICE_ACCOUNT", value_name = "NAME")]
    pub service_account: Option<ObjectName>,
    /// Protocol of the clients [default: seldon; with the target kserve: v2]
    #[arg(long, env = "DEPLOY_PROTOCOL", value_enum)]
    pub protocol: Option<Protocol>,
    /// Leaves Seldon's sidecar out: less CPU and delay, no detectors
    #[arg(long, env = "DEPLOY_NO_ENGINE", num_args = 0..=1, require_equals = true,
          default_missing_value = "true", value_name = "BOOL")]
    pub no_engine: Option<bool>,
    /// Labels of the deployment
    #[arg(long, env = "DEPLOY_LABELS", value_name = "KEY=VALUE,…")]
    pub labels: Option<Pairs>,
    /// Annotations of the deployment; seldon.io/… also reach the sidecar, and restart pods
    #[arg(long, env = "DEPLOY_ANNOTATIONS", value_name = "KEY=VALUE,…")]
    pub annotations: Option<Pairs>,
    /// Secret whose keys the storage initializer gets as environment, to fetch the package
    #[arg(long, env = "DEPLOY_STORAGE_SECRET", value_name = "SECRET")]
    pub storage_secret: Option<ObjectName>,
    /// Secret whose keys serve gets as environment, to read the registry of the version
    #[arg(long, env = "DEPLOY_REGISTRY_SECRET", value_name = "SECRET")]
    pub registry_secret: Option<ObjectName>,
    /// Secret with det_master, det_user and det_password, which serve gets as environment
    #[arg(long, env = "DEPLOY_DETERMINED_SECRET", value_name = "SECRET")]
    pub determined_secret: Option<ObjectName>,
    /// Seconds without progress after which Kubernetes calls a rollout stuck [default: 600]
    #[arg(long, env = "DEPLOY_DEADLINE", value_name = "SECONDS",
          value_parser = clap::value_parser!(u32).range(1..))]
    pub deadline: Option<u32>,
    /// A strategic merge patch of the pod; only in the overlay.
    #[arg(skip)]
    pub pod: Option<Value>,
}

/// Why an overlay is not used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OverlayError {
    /// It cannot be read.
    #[error("cannot read the overlay {}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// It is not YAML, or has a key that is no option, or one with a wrong value.
    #[error("the overlay {} is wrong: {reason}", path.display())]
    Invalid {
        /// The file.
        path: PathBuf,
        /// The parser's words.
        reason: String,
    },
}

/// Options that do not go together.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct ShapeError(&'static str);

impl Shape {
    /// Reads an overlay.
    ///
    /// # Errors
    ///
    /// When it cannot be read, or a key or value of it is wrong.
    pub fn read(path: &Path) -> Result<Self, OverlayError> {
        let text = fs::read_to_string(path).map_err(|source| OverlayError::Read {
            path: path.to_owned(),
            source,
        })?;
        serde_saphyr::from_str(&text).map_err(|error| OverlayError::Invalid {
            path: path.to_owned(),
            reason: error.to_string(),
        })
    }

    /// These options, and for those that are not given the `other` ones.
    pub fn or(self, other: Self) -> Self {
        macro_rules! first {
            ($($field:ident),* $(,)?) => {
                Self { $($field: self.$field.or(other.$field)),* }
            };
        }
        first! {
            replicas, min_replicas, max_replicas, target_cpu, cpu, memory, cpu_limit,
            memory_limit, node_selector, tolerations, service_account, protocol, no_engine,
            labels, annotations, storage_secret, registry_secret, determined_secret, deadline,
            pod,
        }
    }

    /// Looks whether the options go together.
    ///
    /// # Errors
    ///
    /// When two of them do not.
    pub fn check(&self) -> Result<(), ShapeError> {
        let scaled = self.max_replicas.is_some();
        let equals_sign =
            |(key, value): (&String, &String)| key.starts_with("seldon.io/") && value.contains('=');
        let annotations = self.annotations.iter().flat_map(|pairs| &pairs.0);
        let problems = [
            (
                scaled && self.replicas.is_some(),
                "--replicas and --max-replicas exclude each other: an autoscaler decides the number",
            ),
            (
                !scaled && (self.min_replicas.is_some() || self.target_cpu.is_some()),
                "--min-replicas and --target-cpu belong to an autoscaler: give --max-replicas too",
            ),
            (
                scaled && self.cpu.is_none(),
                "an autoscaler measures the load in percent of the CPU that a pod is given: \
                 give --cpu too",
            ),
            (
                self.min_replicas.unwrap_or(1) > self.max_replicas.unwrap_or(u32::MAX),
                "--min-replicas is more than --max-replicas",
            ),
            (
                self.replicas == Some(0)
                    || self.min_replicas == Some(0)
                    || self.max_replicas == Some(0),
                "a deployment without pods answers nothing: the number of pods is at least 1",
            ),
            (
                self.storage_secret.is_some() && self.registry_secret.is_some(),
                "--storage-secret lets Seldon fetch the package from its uri, and --registry-secret \
                 lets serve read it from the registry: give one of them",
            ),
            (
                annotations.into_iter().any(equals_sign),
                "the value of a seldon.io/ annotation must not hold \"=\": \
                 Seldon's sidecar then drops all annotations",
            ),
        ];
        match problems.iter().find(|(wrong, _)| *wrong) {
            Some((_, problem)) => Err(ShapeError(problem)),
            None => Ok(()),
        }
    }

    /// Seconds without progress after which Kubernetes calls a rollout stuck.
    pub fn deadline(&self) -> u32 {
        self.deadline.unwrap_or(600)
    }

    /// Whether Seldon's sidecar is left out.
    pub fn no_engine(&self) -> bool {
        self.no_engine.unwrap_or(false)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flags_win_over_the_overlay() {
        let overlay: Shape =
            serde_saphyr::from_str("replicas: 2\ncpu: '1'\nnode-selector: {pool: a}\n").unwrap();
        let flags = Shape {
            replicas: Some(3),
            ..Shape::default()
        };
        let both = flags.or(overlay);
        assert_eq!(both.replicas, Some(3));
        assert_eq!(both.cpu.unwrap().as_str(), "1");
        assert_eq!(both.node_selector.unwrap().0["pool"], "a");
    }

    #[test]
    fn an_overlay_with_an_unknown_key_is_refused() {
        let error = serde_saphyr::from_str::<Shape>("replica: 2\n").unwrap_err();
        assert!(error.to_string().contains("replica"), "{error}");
    }

    #[test]
    fn what_does_not_go_together() {
        let problem = |yaml: &str| {
            let shape: Shape = serde_saphyr::from_str(yaml).unwrap();
            shape.check().map_err(|e| e.to_string())
        };
        assert_eq!(problem("{replicas: 2}"), Ok(()));
        assert_eq!(problem("{max-replicas: 2, cpu: '1'}"), Ok(()));
        for (yaml, said) in [
            ("{replicas: 1, max-replicas: 2, cpu: '1'}", "exclude"),
            ("{min-replicas: 1}", "--max-replicas too"),
            ("{max-replicas: 2}", "--cpu too"),
            ("{min-replicas: 3, max-replicas: 2, cpu: '1'}", "more than"),
            ("{replicas: 0}", "at least 1"),
            ("{annotations: {seldon.io/x: a=b}}", "must not hold"),
            ("{storage-secret: a, registry-secret: b}", "one of them"),
        ] {
            assert!(problem(yaml).unwrap_err().contains(said), "{yaml}");
        }
    }
}
