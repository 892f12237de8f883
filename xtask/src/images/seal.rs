//! Assembles an image whose ID depends on its content alone.
//!
//! Builders write the hour of the build into an image, the classic one also the
//! name of a container, so that equal content gets a new ID each time. What is
//! written here has the commit's time instead, and is the same on every engine.

use std::io::Write;

use anyhow::Result;
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};

use super::context::{self, Entry};
use super::libraries::Libraries;

/// Key and value of a label.
pub(crate) type Label = (String, String);

/// What an image is made of.
pub(crate) struct Parts<'a> {
    /// Name of the program, which lies in the root.
    pub(crate) name: &'a str,
    pub(crate) program: &'a [u8],
    /// What it loads, if anything.
    pub(crate) libraries: Option<&'a Libraries>,
    /// What the container file says.
    pub(crate) config: Map<String, Value>,
    pub(crate) labels: &'a [Label],
    /// RFC 3339.
    pub(crate) created: &'a str,
    /// `linux/amd64`.
    pub(crate) platform: &'a str,
}

/// An image that was assembled.
pub(crate) struct Sealed {
    /// `sha256:…`, the digest of the configuration.
    pub(crate) id: String,
    /// What the image is: see [`content`].
    pub(crate) content: Value,
}

/// What a container gets from a configuration. Left out are the hour and the
/// engine of the build, and the labels and the variable that only tell of the commit:
/// two images of equal content do the same.
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
    if let Some(Value::Array(variables)) = config.get_mut("Env") {
        let of_the_commit = |one: &Value| one.as_str().is_some_and(|v| v.starts_with(REVISION));
        variables.retain(|one| !of_the_commit(one));
        if variables.is_empty() {
            config.remove("Env");
        }
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
const STARTED_WITH: [&str; 8] = [
    "User",
    "ExposedPorts",
    "Env",
    "Entrypoint",
    "Cmd",
    "WorkingDir",
    "StopSignal",
    "Labels",
];

/// Labels that differ from commit to commit.
const OF_THE_COMMIT: [&str; 2] = ["org.opencontainers.image.created", LABEL_OF_THE_REVISION];

const LABEL_OF_THE_REVISION: &str = "org.opencontainers.image.revision";

/// The variable by which a program knows the commit of its source.
const REVISION: &str = "SOURCE_REVISION=";

/// Writes the image as an archive that `docker load` takes.
///
/// # Errors
/// When `to` cannot be written.
pub(crate) fn seal(parts: Parts<'_>, to: impl Write) -> Result<Sealed> {
    let mut layer = Vec::with_capacity(parts.program.len() + 4096);
    let program = Entry {
        name: parts.name,
        mode: 0o755,
        bytes: parts.program,
    };
    let libraries = parts.libraries.into_iter().flat_map(Libraries::entries);
    let entries = std::iter::once(program).chain(libraries);
    context::write_layer(&mut layer, entries.collect())?;
    let layer_digest = hex(&Sha256::digest(&layer));
    let configuration = configuration(parts, &layer_digest);
    let config = configuration.to_string();
    let digest = hex(&Sha256::digest(&config));
    let (config_file, layer_file) = (
        format!("{digest}.json"),
        format!("{layer_digest}/layer.tar"),
    );
    let manifest = json!([{"Config": config_file, "RepoTags": null, "Layers": [layer_file]}]);
    let manifest = manifest.to_string();
    let entry = |name, bytes| Entry {
        name,
        mode: 0o644,
        bytes,
    };
    let entries = vec![
        entry(&config_file, config.as_bytes()),
        entry(&layer_file, &layer),
        entry("manifest.json", manifest.as_bytes()),
    ];
    context::write(to, entries)?;
    Ok(Sealed {
        id: format!("sha256:{digest}"),
        content: content(&configuration),
    })
}

fn configuration(parts: Parts<'_>, layer: &str) -> Value {
    let mut config = parts.config;
    let labels = config.entry("Labels").or_insert_with(|| json!({}));
    if let Value::Object(all) = labels {
        all.extend(
            parts
                .labels
                .iter()
                .map(|(key, value)| (key.clone(), json!(value))),
        );
    }
    let revision = parts
        .labels
        .iter()
        .find(|(key, _)| key == LABEL_OF_THE_REVISION);
    if let Some((_, revision)) = revision {
        let variables = config.entry("Env").or_insert_with(|| json!([]));
        if let Value::Array(all) = variables {
            all.push(json!(format!("{REVISION}{revision}")));
        }
    }
    let (os, architecture) = parts
        .platform
        .split_once('/')
        .unwrap_or(("linux", parts.platform));
    let mut configuration = json!({
        "architecture": architecture,
        "os": os,
        "created": parts.created,
        "config": config,
        "rootfs": {"type": "layers", "diff_ids": [format!("sha256:{layer}")]},
        "history": [{"created": parts.created, "created_by": "cargo xtask images"}],
    });
    // The order of a container file's lines is no content.
    configuration.sort_all_objects();
    configuration
}

/// Lower-case hexadecimal digits.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sealed(program: &[u8], config: Value, created: &str) -> (Sealed, Vec<u8>) {
        let Value::Object(config) = config else {
            panic!("no map");
        };
        let parts = Parts {
            name: "serve",
            program,
            libraries: None,
            config,
            labels: &[
                ("version".to_owned(), "0.0.1".to_owned()),
                (LABEL_OF_THE_REVISION.to_owned(), format!("of {created}")),
            ],
            created,
            platform: "linux/arm64",
        };
        let mut archive = Vec::new();
        (seal(parts, &mut archive).unwrap(), archive)
    }

    #[test]
    fn same_content_is_the_same_image() {
        let time = "2026-01-02T03:04:05Z";
        let (one, archive) = sealed(b"x", json!({"User": "1", "Labels": {"b": "2"}}), time);
        let (other, again) = sealed(b"x", json!({"Labels": {"b": "2"}, "User": "1"}), time);
        assert!(String::from_utf8_lossy(&archive).contains("SOURCE_REVISION=of 2026"));
        assert_eq!((&one.id, archive), (&other.id, again));
        let later = sealed(b"x", json!({"User": "1", "Labels": {"b": "2"}}), "later").0;
        assert_ne!(one.id, later.id);
        assert_eq!(one.content, later.content);
        for (program, user) in [(b"y", "1"), (b"x", "2")] {
            let config = json!({"User": user, "Labels": {"b": "2"}});
            assert_ne!(one.content, sealed(program, config, time).0.content);
        }
        assert_eq!(one.content["architecture"], "arm64");
    }
}
