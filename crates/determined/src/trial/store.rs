//! Where a trial stores the files of its checkpoints.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use uuid::Uuid;

use super::NewCheckpoint;
use crate::{Error, TaskEnvironment};

/// Where tasks have the directory of a `shared_fs` storage.
const MOUNT: &str = "/determined_shared_fs";

/// The file in which Determined's own clients keep a checkpoint's metadata.
const METADATA_FILE: &str = "metadata.json";

/// The storage of an experiment's checkpoints, as its key `checkpoint_storage`
/// describes it (`determined.md` §7): `shared_fs` and `directory`.
#[derive(Debug, Clone)]
pub struct CheckpointStore {
    root: PathBuf,
    config: Value,
}

impl CheckpointStore {
    /// The storage of a task's experiment. The directory of a `shared_fs` is where
    /// tasks have it mounted.
    ///
    /// # Errors
    ///
    /// When there is none, it is of another type, or its directory is not there.
    pub fn of_task(task: &TaskEnvironment) -> Result<Self, Error> {
        let mount = Path::new(MOUNT);
        Self::open(&task.config, mount.is_dir().then_some(mount))
    }

    /// The storage of an experiment with this configuration, outside of the
    /// cluster.
    ///
    /// # Errors
    ///
    /// As [`CheckpointStore::of_task`].
    pub fn of_experiment(config: &Value) -> Result<Self, Error> {
        Self::open(config, None)
    }

    fn open(config: &Value, mount: Option<&Path>) -> Result<Self, Error> {
        let config = &config["checkpoint_storage"];
        let text = |key: &str| config[key].as_str().unwrap_or_default();
        let kind = text("type");
        let (base, root) = match kind {
            "shared_fs" => {
                let host = Path::new(text("host_path"));
                (
                    mount.unwrap_or(host),
                    below(host, Path::new(text("storage_path")), mount),
                )
            }
            "directory" => {
                let path = Path::new(text("container_path"));
                (path, path.to_owned())
            }
            _ => {
                let reason = "checkpoints can be written to shared_fs and directory";
                return Err(Error::setting("checkpoint_storage of type", kind, reason));
            }
        };
        if !base.is_absolute() || !base.is_dir() {
            let reason = "this directory is not here: mount it, or set another checkpoint_storage";
            let shown = base.display().to_string();
            return Err(Error::setting("checkpoint_storage", &shown, reason));
        }
        Ok(Self {
            root,
            config: config.clone(),
        })
    }

    /// The key `checkpoint_storage` that describes it.
    pub fn config(&self) -> &Value {
        &self.config
    }

    /// Stores the files of a checkpoint under a new UUID, with the metadata beside
    /// them as Determined's own clients do. They appear whole or not at all.
    ///
    /// # Errors
    ///
    /// When a file cannot be written.
    pub fn write(
        &self,
        files: &BTreeMap<String, Vec<u8>>,
        steps_completed: u64,
        metadata: serde_json::Map<String, Value>,
    ) -> Result<NewCheckpoint, Error> {
        let mut new = NewCheckpoint {
            uuid: Uuid::new_v4().to_string(),
            resources: BTreeMap::new(),
            steps_completed,
            metadata,
        };
        let mut described = json!(new.metadata()).to_string().into_bytes();
        described.push(b'\n');
        fs::create_dir_all(&self.root).map_err(Error::file("create", &self.root))?;
        let aside = tempfile::Builder::new()
            .prefix(".partial-")
            .tempdir_in(&self.root)
            .map_err(Error::file("create a directory in", &self.root))?;
        let all = files.iter().map(|(name, content)| (name.as_str(), content));
        for (name, content) in all.chain([(METADATA_FILE, &described)]) {
            let path = aside.path().join(name);
            fs::write(&path, content).map_err(Error::file("write", &path))?;
            new.resources.insert(name.to_owned(), content.len() as u64);
        }
        make_readable(aside.path())?;
        let target = self.root.join(&new.uuid);
        fs::rename(aside.path(), &target).map_err(Error::file("rename into place", &target))?;
        // It has its final name: nothing is left to clean up.
        let _ = aside.keep();
        Ok(new)
    }
}

/// `storage_path` may be absolute, inside `host_path`.
fn below(host: &Path, inside: &Path, mount: Option<&Path>) -> PathBuf {
    let inside = inside.strip_prefix(host).unwrap_or(inside);
    mount.unwrap_or(host).join(inside)
}

/// Temporary directories are private; the master and serve are other users.
#[cfg(unix)]
fn make_readable(directory: &Path) -> Result<(), Error> {
    use std::os::unix::fs::PermissionsExt;
    let mode = fs::Permissions::from_mode(0o755);
    fs::set_permissions(directory, mode).map_err(Error::file("set the mode of", directory))
}

#[cfg(not(unix))]
fn make_readable(_: &Path) -> Result<(), Error> {
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_checkpoint_lies_where_the_contract_says() {
        let dir = tempfile::tempdir().unwrap();
        let host = dir.path().to_str().unwrap();
        let storage = |path: Value| {
            json!({"checkpoint_storage":
                {"type": "shared_fs", "host_path": host, "storage_path": path}})
        };
        let files = BTreeMap::from([("model.onnx".to_owned(), b"graph".to_vec())]);
        for (path, place) in [
            (Value::Null, dir.path().to_owned()),
            (json!("a/b"), dir.path().join("a/b")),
            (json!(format!("{host}/c")), dir.path().join("c")),
        ] {
            let store = CheckpointStore::of_experiment(&storage(path)).unwrap();
            let new = store.write(&files, 7, Default::default()).unwrap();
            let written = place.join(&new.uuid);
            assert_eq!(fs::read(written.join("model.onnx")).unwrap(), b"graph");
            assert_eq!(
                fs::read(written.join("metadata.json")).unwrap(),
                b"{\"steps_completed\":7}\n"
            );
            assert_eq!(new.resources["model.onnx"], 5);
            assert_eq!(new.resources["metadata.json"], 22);
        }
        let mount = dir.path().join("mount");
        fs::create_dir(&mount).unwrap();
        let store = CheckpointStore::open(&storage(json!("a")), Some(&mount)).unwrap();
        let new = store.write(&files, 7, Default::default()).unwrap();
        assert!(mount.join("a").join(new.uuid).is_dir());
    }

    #[test]
    fn a_storage_that_is_not_here_is_named() {
        let refused = |storage: Value| {
            let config = json!({"checkpoint_storage": storage});
            CheckpointStore::of_experiment(&config)
                .unwrap_err()
                .to_string()
        };
        let message = refused(json!({"type": "shared_fs", "host_path": "/nowhere-at-all"}));
        assert!(message.contains("/nowhere-at-all"), "{message}");
        let message = refused(json!({"type": "directory", "container_path": "relative"}));
        assert!(message.contains("relative"), "{message}");
        assert!(refused(json!({"type": "hdfs"})).contains("hdfs"));
        assert!(refused(Value::Null).contains("checkpoint_storage"));
    }
}
