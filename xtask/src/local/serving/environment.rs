//! The environment that Seldon's operator gives to a model container.

use std::path::Path;

use anyhow::{Context, Result, bail};

use super::manifest::{Manifest, ValueFrom};
use crate::secrets::Secrets;

/// The ports that a server is to bind.
#[derive(Debug, Clone, Copy)]
pub(super) struct Ports {
    pub(super) http: u16,
    pub(super) grpc: u16,
    pub(super) metrics: u16,
}

/// The endpoint that Seldon scrapes.
pub(super) const METRICS_ENDPOINT: &str = "/prometheus";

/// The variables of a container.
#[derive(Debug, Default)]
pub(super) struct Environment {
    pub(super) variables: Vec<(String, String)>,
    /// Those of their values that come from a secret.
    pub(super) secret: Vec<String>,
}

/// All variables of the container, those of the manifest included.
pub(super) fn of(
    manifest: &Manifest,
    ports: Ports,
    model: Option<&Path>,
    secrets: &Secrets,
) -> Result<Environment> {
    let container = &manifest.container;
    let predictor = &manifest.predictor;
    let mut environment = Environment::default();
    for variable in &container.env {
        let value = match &variable.value_from {
            None => Some(variable.value.clone()),
            Some(from) => value_from(from, secrets)
                .with_context(|| format!("the variable {} of the manifest", variable.name))?,
        };
        let Some(value) = value else { continue };
        if variable.value_from.is_some() {
            environment.secret.push(value.clone());
        }
        environment.variables.push((variable.name.clone(), value));
    }
    let mut add = |name: &str, value: String| {
        environment.variables.push((name.to_owned(), value));
    };
    let mut labels = predictor.labels.clone();
    labels
        .entry("version".to_owned())
        .or_insert_with(|| predictor.name.clone());
    let parameters = &predictor.graph.parameters;
    if !parameters.is_empty() {
        add(
            "PREDICTIVE_UNIT_PARAMETERS",
            serde_json::to_string(parameters)?,
        );
    }
    if let Some(model) = model {
        add("MLSERVER_MODEL_URI", model.to_string_lossy().into_owned());
    }
    add("PREDICTIVE_UNIT_HTTP_SERVICE_PORT", ports.http.to_string());
    add("PREDICTIVE_UNIT_GRPC_SERVICE_PORT", ports.grpc.to_string());
    add(
        "PREDICTIVE_UNIT_METRICS_SERVICE_PORT",
        ports.metrics.to_string(),
    );
    add("PREDICTIVE_UNIT_SERVICE_PORT", ports.http.to_string());
    add(
        "PREDICTIVE_UNIT_METRICS_ENDPOINT",
        METRICS_ENDPOINT.to_owned(),
    );
    add("PREDICTIVE_UNIT_ID", container.name.clone());
    add("PREDICTIVE_UNIT_IMAGE", container.image.clone());
    add("PREDICTOR_ID", predictor.name.clone());
    add("PREDICTOR_LABELS", serde_json::to_string(&labels)?);
    add("SELDON_DEPLOYMENT_ID", manifest.name.clone());
    add("SELDON_EXECUTOR_ENABLED", "true".to_owned());
    add("MLSERVER_HTTP_PORT", ports.http.to_string());
    add("MLSERVER_GRPC_PORT", ports.grpc.to_string());
    add("MLSERVER_METRICS_PORT", ports.metrics.to_string());
    add("MLSERVER_METRICS_ENDPOINT", METRICS_ENDPOINT.to_owned());
    add("MLSERVER_MODEL_NAME", container.name.clone());
    Ok(environment)
}

fn value_from(from: &ValueFrom, secrets: &Secrets) -> Result<Option<String>> {
    let Some(reference) = &from.secret_key_ref else {
        bail!("only secretKeyRef can be resolved locally");
    };
    match secrets.get(&reference.name, &reference.key) {
        Err(_) if reference.optional => Ok(None),
        value => value.map(Some),
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::super::manifest::tests::MANIFEST;
    use super::*;

    #[test]
    fn what_seldon_gives() {
        let root = tempfile::tempdir().unwrap();
        let folder = root.path().join(".local/secrets");
        fs::create_dir_all(&folder).unwrap();
        fs::write(
            folder.join("s.json"),
            r#"{"stringData": {"password": "p"}}"#,
        )
        .unwrap();
        let manifest = Manifest::parse(MANIFEST).unwrap();
        let ports = Ports {
            http: 1,
            grpc: 2,
            metrics: 3,
        };
        let secrets = Secrets::of(root.path());
        let environment = of(&manifest, ports, Some(Path::new("/m")), &secrets).unwrap();
        assert_eq!(environment.secret, ["p"]);
        let get = |name: &str| {
            let variables = environment.variables.iter();
            let found: Vec<&str> = variables
                .filter(|(key, _)| key == name)
                .map(|(_, value)| value.as_str())
                .collect();
            assert_eq!(found.len(), 1, "{name}");
            found[0].to_owned()
        };
        assert_eq!(get("PASSWORD"), "p");
        assert_eq!(get("SERVE_EARLY_BIND"), "true");
        assert_eq!(get("MLSERVER_MODEL_URI"), "/m");
        assert_eq!(get("PREDICTIVE_UNIT_METRICS_SERVICE_PORT"), "3");
        assert_eq!(
            get("PREDICTOR_LABELS"),
            r#"{"team":"y","version":"default"}"#
        );
        assert_eq!(
            get("PREDICTIVE_UNIT_PARAMETERS"),
            r#"[{"name":"model_version","value":"1e5","type":"STRING"}]"#
        );
        let secrets = Secrets::of(Path::new("/nowhere"));
        let error = of(&manifest, ports, None, &secrets).unwrap_err();
        assert!(format!("{error:#}").contains("PASSWORD"), "{error:#}");
    }
}
