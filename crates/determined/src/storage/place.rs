//! Where a checkpoint is, from the configuration of its experiment.

use std::path::{Component, Path, PathBuf};

use ::storage::Service;
use serde::Deserialize;
use serde_json::Value;

use crate::Checkpoint;
use crate::wire::or_default;

/// Where a task of the cluster has the folder of `shared_fs`.
pub(crate) const MOUNTED: &str = "/determined_shared_fs";

/// Where a checkpoint is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Place {
    /// In a directory named after it in one of these; the first that has it counts.
    Folders(Vec<String>),
    /// In a bucket.
    Bucket(Bucket),
}

/// A folder of a bucket. Secrets that the master masks are `None`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Bucket {
    pub(super) bucket: ::storage::Bucket,
    /// Empty, or ending in `/`.
    pub(super) prefix: String,
}

/// `checkpoint_storage` of an experiment's configuration (`expconf/`); keys of all
/// types in one, as those of the others are `null` or absent.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Configured {
    #[serde(deserialize_with = "or_default")]
    r#type: String,
    host_path: Option<String>,
    storage_path: Option<String>,
    container_path: Option<String>,
    bucket: Option<String>,
    prefix: Option<String>,
    endpoint_url: Option<String>,
    access_key: Option<String>,
    secret_key: Option<String>,
    container: Option<String>,
    connection_string: Option<String>,
    account_url: Option<String>,
    credential: Option<String>,
}

fn configured(config: &Value) -> Option<Configured> {
    Configured::deserialize(config.get("checkpoint_storage")?).ok()
}

/// Whether the checkpoint is in a storage that no master can send from.
pub(super) fn is_azure(checkpoint: &Checkpoint) -> bool {
    configured(&checkpoint.training.experiment_config)
        .is_some_and(|storage| storage.r#type == "azure")
}

impl Place {
    /// That of a checkpoint, or why it is not known.
    pub(super) fn of(checkpoint: &Checkpoint) -> Result<Self, String> {
        let is_plain = |c: char| c.is_ascii_alphanumeric() || c == '-';
        if checkpoint.uuid.is_empty() || !checkpoint.uuid.chars().all(is_plain) {
            return Err("this is no UUID, so no place in a storage".to_owned());
        }
        Self::of_config(&checkpoint.training.experiment_config)
    }

    /// That of the checkpoints of an experiment with this configuration.
    pub(crate) fn of_config(config: &Value) -> Result<Self, String> {
        let storage = configured(config).filter(|storage| !storage.r#type.is_empty());
        let storage =
            storage.ok_or("the configuration of its experiment names no checkpoint_storage")?;
        let need = |value: Option<String>, key: &str| {
            let value = value.filter(|text| !text.is_empty());
            value.ok_or_else(|| format!("checkpoint_storage is {} without {key}", storage.r#type))
        };
        Ok(match storage.r#type.as_str() {
            "shared_fs" => {
                let host_path = need(storage.host_path.clone(), "host_path")?;
                let below = below_host(&host_path, storage.storage_path.as_deref())?;
                let folder = |root: &str| Path::new(root).join(&below).display().to_string();
                Self::Folders(vec![folder(&host_path), folder(MOUNTED)])
            }
            "directory" => Self::Folders(vec![need(
                storage.container_path.clone(),
                "container_path",
            )?]),
            "s3" => {
                let name = need(storage.bucket.clone(), "bucket")?;
                let service = Service::S3 {
                    endpoint: storage.endpoint_url.filter(|url| !url.is_empty()),
                    keys: known(storage.access_key).zip(known(storage.secret_key)),
                };
                Self::bucket(name, storage.prefix.as_deref(), service)?
            }
            "gcs" => {
                let name = need(storage.bucket.clone(), "bucket")?;
                Self::bucket(name, storage.prefix.as_deref(), Service::Gcs)?
            }
            "azure" => {
                let container = need(storage.container.clone(), "container")?;
                let (name, prefix) = container.split_once('/').unwrap_or((&container, ""));
                let service = Service::Azure {
                    connection: known(storage.connection_string),
                    account_url: known(storage.account_url),
                    credential: known(storage.credential),
                };
                Self::bucket(name.to_owned(), Some(prefix), service)?
            }
            other => {
                return Err(format!(
                    "checkpoint_storage is {other:?}, which is not known"
                ));
            }
        })
    }

    fn bucket(name: String, prefix: Option<&str>, service: Service) -> Result<Self, String> {
        let prefix = normal_prefix(prefix)?;
        let bucket = ::storage::Bucket { name, service };
        Ok(Self::Bucket(Bucket { bucket, prefix }))
    }
}

/// A secret that is there and not masked.
fn known(secret: Option<String>) -> Option<String> {
    secret.filter(|text| !text.chars().all(|c| c == '*'))
}

/// `storage_path` relative to `host_path`, in which it must be.
fn below_host(host_path: &str, storage_path: Option<&str>) -> Result<PathBuf, String> {
    let path = storage_path.unwrap_or_default();
    let outside = || format!("storage_path {path:?} is outside of host_path {host_path:?}");
    let below = match Path::new(path) {
        absolute if absolute.is_absolute() => {
            absolute.strip_prefix(host_path).map_err(|_| outside())?
        }
        relative => relative,
    };
    let mut clean = PathBuf::new();
    for component in below.components() {
        match component {
            Component::Normal(name) => clean.push(name),
            Component::CurDir => {}
            _ => return Err(outside()),
        }
    }
    Ok(clean)
}

/// As Determined normalises it: without leading or doubled `/`, never upwards.
fn normal_prefix(prefix: Option<&str>) -> Result<String, String> {
    let mut normal = String::new();
    for part in prefix.unwrap_or_default().split('/') {
        match part {
            "" | "." => {}
            ".." => return Err("the prefix of checkpoint_storage holds ..".to_owned()),
            part => {
                normal.push_str(part);
                normal.push('/');
            }
        }
    }
    Ok(normal)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn place(storage: Value) -> Result<Place, String> {
        let text = json!({"uuid": "a-1", "training": {
            "experimentConfig": {"checkpoint_storage": storage}
        }});
        Place::of(&serde_json::from_value(text).unwrap())
    }

    fn folders(storage: Value) -> Vec<String> {
        match place(storage).unwrap() {
            Place::Folders(folders) => folders,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn folders_on_disks() {
        let mounted = |below: &str| format!("{MOUNTED}{below}");
        for (storage_path, below) in [
            (json!(null), ""),
            (json!("a/b"), "/a/b"),
            (json!("/det/a"), "/a"),
            (json!("./a"), "/a"),
        ] {
            let storage = json!({
                "type": "shared_fs", "host_path": "/det", "storage_path": storage_path,
                "propagation": "rprivate", "save_trial_best": 1,
            });
            let got: Vec<_> = folders(storage)
                .iter()
                .map(|folder| folder.trim_end_matches('/').to_owned())
                .collect();
            assert_eq!(got, [format!("/det{below}"), mounted(below)]);
        }
        let storage = json!({"type": "directory", "container_path": "/data/c"});
        assert_eq!(folders(storage), ["/data/c"]);
    }

    #[test]
    fn buckets_with_what_is_not_masked() {
        let bucket = |storage: Value| match place(storage).unwrap() {
            Place::Bucket(bucket) => bucket,
            other => panic!("{other:?}"),
        };
        let masked = bucket(json!({
            "type": "s3", "bucket": "b", "prefix": "/a//b/", "endpoint_url": null,
            "access_key": "********", "secret_key": "********",
        }));
        assert_eq!(
            (masked.bucket.name.as_str(), masked.prefix.as_str()),
            ("b", "a/b/")
        );
        let none = Service::S3 {
            endpoint: None,
            keys: None,
        };
        assert!(masked.bucket.service == none);
        let given = bucket(json!({
            "type": "s3", "bucket": "b", "access_key": "k", "secret_key": "s",
        }));
        let keys = Some(("k".to_owned(), "s".to_owned()));
        assert!(matches!(given.bucket.service, Service::S3 { keys: found, .. } if found == keys));
        let azure = bucket(json!({"type": "azure", "container": "c/x/y"}));
        assert_eq!(
            (azure.bucket.name.as_str(), azure.prefix.as_str()),
            ("c", "x/y/")
        );
    }

    #[test]
    fn what_leads_nowhere_is_refused() {
        for (storage, word) in [
            (json!(null), "names no checkpoint_storage"),
            (json!({"type": "hdfs"}), "not known"),
            (json!({"type": "s3"}), "without bucket"),
            (
                json!({"type": "gcs", "bucket": "b", "prefix": "a/../b"}),
                "..",
            ),
            (
                json!({"type": "shared_fs", "host_path": "/det", "storage_path": "../x"}),
                "outside",
            ),
            (
                json!({"type": "shared_fs", "host_path": "/det", "storage_path": "/other"}),
                "outside",
            ),
        ] {
            let error = place(storage).unwrap_err();
            assert!(error.contains(word), "{error}");
        }
    }
}
