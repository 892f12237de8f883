//! The parts of a `SeldonDeployment` that decide how its server is run.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use serde::{Deserialize, Serialize};

use crate::descriptor::{DEFAULT_BRANCH, DEFAULT_PROJECT, is_name};
use crate::local::state::State;

/// A `SeldonDeployment` of one predictor with one container.
#[derive(Debug, Clone)]
pub(crate) struct Manifest {
    /// `metadata.name`.
    pub(crate) name: String,
    pub(super) predictor: Predictor,
    pub(super) container: Container,
    /// How long a new server may take to become ready.
    pub(super) progress_deadline: Duration,
    /// How long an old server may take to end.
    pub(super) grace_period: Duration,
}

#[derive(Debug, Clone, Deserialize)]
struct Document {
    kind: String,
    metadata: Metadata,
    spec: Spec,
}

#[derive(Debug, Clone, Deserialize)]
struct Metadata {
    name: String,
}

#[derive(Debug, Clone, Deserialize)]
struct Spec {
    predictors: Vec<Predictor>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Predictor {
    pub(super) name: String,
    #[serde(default)]
    pub(super) labels: BTreeMap<String, String>,
    pub(super) graph: Graph,
    #[serde(default)]
    component_specs: Vec<ComponentSpec>,
    progress_deadline_seconds: Option<u64>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Graph {
    name: String,
    pub(super) model_uri: Option<String>,
    implementation: Option<String>,
    #[serde(default)]
    pub(super) parameters: Vec<Parameter>,
    #[serde(default)]
    children: Vec<serde_json::Value>,
}

/// A parameter, in the shape that `PREDICTIVE_UNIT_PARAMETERS` has too.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Parameter {
    name: String,
    value: String,
    #[serde(rename = "type")]
    kind: String,
}

#[derive(Debug, Clone, Deserialize)]
struct ComponentSpec {
    spec: PodSpec,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
struct PodSpec {
    containers: Vec<Container>,
    #[serde(default)]
    volumes: Vec<Volume>,
    termination_grace_period_seconds: Option<u64>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Container {
    pub(super) name: String,
    pub(super) image: String,
    #[serde(default)]
    pub(super) command: Vec<String>,
    #[serde(default)]
    pub(super) args: Vec<String>,
    #[serde(default)]
    pub(super) env: Vec<Variable>,
    #[serde(default)]
    pub(super) ports: Vec<Port>,
    pub(super) readiness_probe: Option<Probe>,
    #[serde(default)]
    pub(super) volume_mounts: Vec<VolumeMount>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Variable {
    pub(super) name: String,
    #[serde(default)]
    pub(super) value: String,
    pub(super) value_from: Option<ValueFrom>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ValueFrom {
    pub(super) secret_key_ref: Option<SecretKey>,
}

#[derive(Debug, Clone, Deserialize)]
pub(super) struct SecretKey {
    pub(super) name: String,
    pub(super) key: String,
    #[serde(default)]
    pub(super) optional: bool,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Port {
    pub(super) name: String,
    pub(super) container_port: u16,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Probe {
    pub(super) http_get: Option<HttpGet>,
}

#[derive(Debug, Clone, Deserialize)]
pub(super) struct HttpGet {
    pub(super) path: String,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct VolumeMount {
    name: String,
    pub(super) mount_path: String,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Volume {
    name: String,
    empty_dir: Option<serde_json::Value>,
}

impl Manifest {
    /// Reads a manifest.
    ///
    /// # Errors
    ///
    /// When it is no `SeldonDeployment`, or has what this runner cannot serve:
    /// several predictors, containers or graph nodes, a prepackaged server, a
    /// command of its own.
    pub(crate) fn parse(text: &str) -> Result<Self> {
        let options = serde_saphyr::options! { strict_booleans: true };
        let document: Document = serde_saphyr::from_str_with_options(text, options)?;
        if document.kind != "SeldonDeployment" {
            bail!("it is a {:?}, not a SeldonDeployment", document.kind);
        }
        let predictor = only(document.spec.predictors, "spec.predictors")?;
        let component = only(predictor.component_specs.clone(), "componentSpecs")?;
        let pod = component.spec;
        let container = only(pod.containers, "containers")?;
        let graph = &predictor.graph;
        if graph.name != container.name {
            bail!("no container has the name of the graph, {:?}", graph.name);
        }
        if !graph.children.is_empty() || graph.implementation.is_some() {
            bail!("graph.children and graph.implementation cannot be served locally");
        }
        for mount in &container.volume_mounts {
            let volume = pod.volumes.iter().find(|volume| volume.name == mount.name);
            if volume.is_none_or(|volume| volume.empty_dir.is_none()) {
                bail!(
                    "the volume {:?} is no emptyDir, which is all there is locally",
                    mount.name
                );
            }
        }
        if !is_name(&document.metadata.name) {
            bail!(
                "metadata.name {:?} cannot be used here",
                document.metadata.name
            );
        }
        Ok(Self {
            name: document.metadata.name,
            // The defaults of Kubernetes and of Seldon's operator.
            progress_deadline: Duration::from_secs(
                predictor.progress_deadline_seconds.unwrap_or(600),
            ),
            grace_period: Duration::from_secs(pod.termination_grace_period_seconds.unwrap_or(20)),
            container,
            predictor,
        })
    }

    /// Where the model lies that the server is given.
    pub(crate) fn model_uri(&self) -> Option<&str> {
        self.predictor.graph.model_uri.as_deref()
    }
}

fn only<T>(items: Vec<T>, what: &str) -> Result<T> {
    let count = items.len();
    let mut items = items.into_iter();
    match (items.next(), items.next()) {
        (Some(item), None) => Ok(item),
        _ => bail!("{what} has {count} entries; locally it must be one"),
    }
}

/// The folder of a `modelUri` as Pachyderm's S3 gateway names it:
/// `s3://<commit>.<branch>.<repo>[.<project>]/<path>`.
///
/// # Errors
///
/// When it is another kind of URI, or the commit is not in the repo.
pub(crate) fn model_folder(state: &State, uri: &str) -> Result<PathBuf> {
    let rest = uri
        .strip_prefix("s3://")
        .with_context(|| format!("modelUri {uri:?} is not one of the S3 gateway of Pachyderm"))?;
    let (bucket, path) = rest.split_once('/').unwrap_or((rest, ""));
    let parts: Vec<&str> = bucket.split('.').collect();
    let (commit, repo) = match parts[..] {
        [commit, DEFAULT_BRANCH, repo] | [commit, DEFAULT_BRANCH, repo, DEFAULT_PROJECT] => {
            (commit, repo)
        }
        _ => bail!("modelUri {uri:?} does not name a commit as <commit>.{DEFAULT_BRANCH}.<repo>"),
    };
    if !is_name(commit) || !is_name(repo) || path.split('/').any(|part| part == "..") {
        bail!("modelUri {uri:?} does not name a folder of a commit");
    }
    let repo = state.repo(repo);
    if !repo.has(commit)? {
        bail!("modelUri {uri:?} names a commit that is not there");
    }
    Ok(repo.files(commit).join(path))
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::local::tree::Tree;

    pub(in crate::local::serving) const MANIFEST: &str = r#"
apiVersion: machinelearning.seldon.io/v1
kind: SeldonDeployment
metadata: {name: iris, labels: {app: x}}
spec:
  predictors:
  - name: default
    labels: {team: y}
    progressDeadlineSeconds: 30
    graph:
      name: iris-container
      type: MODEL
      modelUri: s3://abc.master.iris-model/model
      parameters:
      - {name: model_version, type: STRING, value: "1e5"}
    componentSpecs:
    - spec:
        terminationGracePeriodSeconds: 30
        volumes:
        - {name: cache, emptyDir: {}}
        containers:
        - name: iris-container
          image: localhost:5000/p/serve:0.0.1
          ports:
          - {name: http, containerPort: 9000}
          - {name: metrics, containerPort: 6000}
          env:
          - {name: SERVE_EARLY_BIND, value: "true"}
          - {name: PASSWORD, valueFrom: {secretKeyRef: {name: s, key: password}}}
          readinessProbe: {httpGet: {path: /health/status, port: http}}
          volumeMounts:
          - {name: cache, mountPath: /cache}
"#;

    #[test]
    fn a_manifest_of_the_deploy_program() {
        let manifest = Manifest::parse(MANIFEST).unwrap();
        assert_eq!(manifest.name, "iris");
        assert_eq!(manifest.progress_deadline, Duration::from_secs(30));
        assert_eq!(manifest.predictor.graph.parameters[0].value, "1e5");
    }

    #[test]
    fn what_cannot_be_served_is_refused() {
        let refused = |from: &str, to: &str| {
            Manifest::parse(&MANIFEST.replace(from, to))
                .unwrap_err()
                .to_string()
        };
        assert!(refused("kind: Seldon", "kind: ").contains("\"Deployment\""));
        assert!(
            refused("name: iris-container\n      type", "name: x\n      type").contains("\"x\"")
        );
        assert!(refused("emptyDir: {}", "secret: {}").contains("\"cache\""));
        assert!(refused("type: MODEL", "implementation: SKLEARN").contains("implementation"));
        assert!(refused("name: iris,", "name: ../iris,").contains("metadata.name"));
    }

    #[test]
    fn a_model_uri_is_a_folder_of_a_commit() {
        let root = tempfile::tempdir().unwrap();
        let state = State::open(root.path(), "case").unwrap();
        let repo = state.repo("m");
        repo.commit("abc", Tree::new(), None).unwrap();
        let folder = |uri: &str| model_folder(&state, uri).map_err(|error| error.to_string());
        assert_eq!(
            folder("s3://abc.master.m/model"),
            Ok(repo.files("abc").join("model"))
        );
        assert_eq!(
            folder("s3://abc.master.m.default/a/b"),
            Ok(repo.files("abc").join("a/b"))
        );
        for uri in [
            "gs://x/y",
            "s3://m/model",
            "s3://abc.dev.m/x",
            "s3://abd.master.m/x",
            "s3://abc.master.m/../x",
            "s3://...m/x",
        ] {
            assert!(folder(uri).unwrap_err().contains(uri), "{uri}");
        }
    }
}
