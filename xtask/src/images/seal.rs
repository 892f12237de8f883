//! Gives an image an ID that depends on its content alone.
//!
//! Builders write the hour of the build into an image's configuration, the
//! classic one also the name of a container, so that equal layers get a new ID
//! each time. A configuration written here from what `docker image inspect`
//! says has the commit's time instead, and the labels. It is loaded as an archive without
//! layers: the engine has them already and knows them by their digest.

use anyhow::{Context, Result};
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};

use super::context::{self, Entry};

/// Key and value of a label.
pub(crate) type Label = (String, String);

/// A configuration and the image ID that follows from it.
pub(crate) struct Sealed {
    /// `sha256:…`, the digest of the configuration.
    pub(crate) id: String,
    /// What `docker load` takes.
    pub(crate) archive: Vec<u8>,
    /// What the image is: see [`content`].
    pub(crate) content: Value,
}

/// What a container gets from a configuration. Left out are the hour and the
/// engine of the build, and the labels that only tell of the commit: two images
/// of equal content do the same.
pub(crate) fn content(configuration: &Value) -> Value {
    let mut config = Map::new();
    let given = configuration.get("config");
    for key in STARTED_WITH {
        let value = given.and_then(|given| given.get(key));
        let value = value.filter(|value| !value.is_null() && !is_empty(value));
        if let Some(value) = value {
            config.insert(key.to_owned(), value.clone());
        }
    }
    if let Some(Value::Object(labels)) = config.get_mut("Labels") {
        labels.retain(|key, _| !OF_THE_COMMIT.contains(&key.as_str()));
        labels.sort_keys();
    }
    json!({
        "architecture": configuration.get("architecture"),
        "os": configuration.get("os"),
        "config": config,
        "layers": configuration.pointer("/rootfs/diff_ids"),
    })
}

fn is_empty(value: &Value) -> bool {
    value.as_array().is_some_and(Vec::is_empty) || value.as_str().is_some_and(str::is_empty)
}

/// Keys of a configuration that decide what a container is started with.
const STARTED_WITH: [&str; 7] = [
    "User",
    "ExposedPorts",
    "Env",
    "Entrypoint",
    "Cmd",
    "WorkingDir",
    "Labels",
];

/// Labels that differ from commit to commit.
const OF_THE_COMMIT: [&str; 2] = [
    "org.opencontainers.image.created",
    "org.opencontainers.image.revision",
];

/// Makes the configuration for the image that `inspected` (an element of what
/// `docker image inspect` prints) describes.
///
/// # Errors
/// When `inspected` lacks what every image has.
pub(crate) fn seal(inspected: &Value, labels: &[Label], created: &str) -> Result<Sealed> {
    let configuration = configuration(inspected, labels, created)?;
    let config = configuration.to_string();
    let digest = hex(&Sha256::digest(&config));
    let layers = layers(inspected)?;
    let layers: Vec<String> = layers
        .iter()
        .filter_map(Value::as_str)
        .map(|layer| format!("{}/layer.tar", layer.trim_start_matches("sha256:")))
        .collect();
    let file = format!("{digest}.json");
    let manifest = json!([{"Config": file, "RepoTags": null, "Layers": layers}]).to_string();
    let mut archive = Vec::new();
    let entry = |name, text: &'_ str| (name, text.to_owned());
    let files = [
        entry(file.as_str(), &config),
        entry("manifest.json", &manifest),
    ];
    let entries = files.iter().map(|(name, text)| Entry {
        name,
        mode: 0o644,
        bytes: text.as_bytes(),
    });
    context::write(&mut archive, entries.collect())?;
    Ok(Sealed {
        id: format!("sha256:{digest}"),
        archive,
        content: content(&configuration),
    })
}

fn configuration(inspected: &Value, labels: &[Label], created: &str) -> Result<Value> {
    let field = |name: &str| {
        let value = inspected.get(name).cloned();
        value.with_context(|| format!("docker image inspect gives no {name}"))
    };
    // Only what a container is started with; the rest of a builder's
    // configuration tells of the builder.
    let given = field("Config")?;
    let mut config = Map::new();
    for key in STARTED_WITH {
        if let Some(value) = given
            .get(key)
            .filter(|value| !value.is_null() && !is_empty(value))
        {
            config.insert(key.to_owned(), value.clone());
        }
    }
    let mut all = match config.remove("Labels") {
        Some(Value::Object(all)) => all,
        _ => Map::new(),
    };
    for (key, value) in labels {
        all.insert(key.clone(), Value::from(value.as_str()));
    }
    all.sort_keys();
    config.insert("Labels".to_owned(), Value::Object(all));
    let history = layers(inspected)?
        .iter()
        .map(|_| json!({"created": created, "created_by": "cargo xtask images"}));
    Ok(json!({
        "architecture": field("Architecture")?,
        "os": field("Os")?,
        "created": created,
        "config": config,
        "rootfs": {"type": "layers", "diff_ids": layers(inspected)?},
        "history": history.collect::<Vec<_>>(),
    }))
}

fn layers(inspected: &Value) -> Result<&Vec<Value>> {
    let layers = inspected
        .pointer("/RootFS/Layers")
        .and_then(Value::as_array);
    layers.context("docker image inspect names no layers")
}

/// Lower-case hexadecimal digits.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn inspected(created: &str, container: &str, labels: Value) -> Value {
        json!({
            "Created": created,
            "Container": container,
            "Architecture": "amd64",
            "Os": "linux",
            "Config": {"User": "8888:0", "Entrypoint": ["/serve"], "Image": container,
                "Cmd": null, "Labels": labels},
            "RootFS": {"Type": "layers", "Layers": ["sha256:aa"]},
        })
    }

    #[test]
    fn hour_and_builder_leave_no_trace() {
        let time = "2026-01-02T03:04:05Z";
        let one = inspected("1", "x", json!({"a": "1", "b": "2"}));
        let other = inspected("2", "y", json!({"b": "2", "a": "1"}));
        let one = seal(&one, &[], time).unwrap();
        let other = seal(&other, &[], time).unwrap();
        assert_eq!(one.id, other.id);
        assert_eq!(one.archive, other.archive);
        assert_ne!(
            one.id,
            seal(&inspected("1", "x", json!({})), &[], time).unwrap().id
        );
    }
}
