//! Where a trial stores the files of its checkpoints.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::NewCheckpoint;
use crate::storage::{Bucket, MOUNTED, Place};
use crate::{Error, StorageAccess, TaskEnvironment};

/// The file in which Determined's own clients keep a checkpoint's metadata.
const METADATA_FILE: &str = "metadata.json";

/// The storage of an experiment's checkpoints, as its key `checkpoint_storage`
/// describes it (`determined.md` §7).
#[derive(Debug, Clone)]
pub struct CheckpointStore {
    place: Writable,
    config: Value,
}

#[derive(Debug, Clone)]
enum Writable {
    Folder(PathBuf),
    Bucket(Bucket, StorageAccess),
}

impl CheckpointStore {
    /// The storage of a task's experiment. The directory of a `shared_fs` is where
    /// tasks have it mounted.
    ///
    /// # Errors
    ///
    /// When there is none, or its directory is not there.
    pub fn of_task(task: &TaskEnvironment, access: StorageAccess) -> Result<Self, Error> {
        let mount = Path::new(MOUNTED);
        Self::open(&task.config, access, mount.is_dir().then_some(mount))
    }

    /// The storage of an experiment with this configuration, outside of the
    /// cluster.
    ///
    /// # Errors
    ///
    /// As [`CheckpointStore::of_task`].
    pub fn of_experiment(config: &Value, access: StorageAccess) -> Result<Self, Error> {
        Self::open(config, access, None)
    }

    fn open(config: &Value, access: StorageAccess, mount: Option<&Path>) -> Result<Self, Error> {
        let place = Place::of_config(config);
        let place = place.map_err(|reason| Error::setting("checkpoint_storage", "", reason))?;
        let config = config.get("checkpoint_storage").unwrap_or(&Value::Null);
        let place = match place {
            Place::Bucket(bucket) => Writable::Bucket(bucket, access),
            Place::Folders(folders) => {
                let folder = PathBuf::from(folders.into_iter().next().unwrap_or_default());
                Writable::Folder(mounted(config, folder, mount)?)
            }
        };
        Ok(Self {
            place,
            config: config.clone(),
        })
    }

    /// The key `checkpoint_storage` that describes it.
    pub fn config(&self) -> &Value {
        &self.config
    }

    /// Stores the files of a checkpoint under a new UUID, with the metadata beside
    /// them as Determined's own clients do. In a directory they appear whole or not
    /// at all.
    ///
    /// # Errors
    ///
    /// When a file cannot be written.
    pub async fn write(
        &self,
        mut files: BTreeMap<String, Vec<u8>>,
        steps_completed: u64,
        metadata: Map<String, Value>,
    ) -> Result<NewCheckpoint, Error> {
        let mut new = NewCheckpoint {
            uuid: Uuid::new_v4().to_string(),
            resources: BTreeMap::new(),
            steps_completed,
            metadata,
        };
        let mut described = json!(new.metadata()).to_string().into_bytes();
        described.push(b'\n');
        files.insert(METADATA_FILE.to_owned(), described);
        let sizes = files.iter();
        new.resources = sizes
            .map(|(path, content)| (path.clone(), content.len() as u64))
            .collect();
        match &self.place {
            Writable::Folder(folder) => write(folder, &new.uuid, &files)?,
            Writable::Bucket(bucket, access) => access.upload(bucket, &new.uuid, &files).await?,
        }
        Ok(new)
    }
}

/// The folder of the checkpoints where this process has it: below `mount`, where
/// there is one and the storage is `shared_fs`.
fn mounted(config: &Value, folder: PathBuf, mount: Option<&Path>) -> Result<PathBuf, Error> {
    let text = |key: &str| config.get(key).and_then(Value::as_str);
    let host = text("host_path").filter(|_| text("type") == Some("shared_fs"));
    let (base, folder) = match (host, mount) {
        (Some(host), Some(mount)) => {
            let below = folder.strip_prefix(host).unwrap_or(&folder);
            (mount.to_owned(), mount.join(below))
        }
        (Some(host), None) => (PathBuf::from(host), folder),
        (None, _) => (folder.clone(), folder),
    };
    if !base.is_absolute() || !base.is_dir() {
        let reason = "this directory is not here: mount it, or set another checkpoint_storage";
        let shown = base.display().to_string();
        return Err(Error::setting("checkpoint_storage", &shown, reason));
    }
    Ok(folder)
}

fn write(root: &Path, uuid: &str, files: &BTreeMap<String, Vec<u8>>) -> Result<(), Error> {
    fs::create_dir_all(root).map_err(Error::file("create", root))?;
    let aside = tempfile::Builder::new()
        .prefix(".partial-")
        .tempdir_in(root)
        .map_err(Error::file("create a directory in", root))?;
    for (name, content) in files {
        let path = aside.path().join(name);
        fs::write(&path, content).map_err(Error::file("write", &path))?;
    }
    make_readable(aside.path())?;
    let target = root.join(uuid);
    fs::rename(aside.path(), &target).map_err(Error::file("rename into place", &target))?;
    // It has its final name: nothing is left to clean up.
    let _ = aside.keep();
    Ok(())
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

    #[tokio::test]
    async fn a_checkpoint_lies_where_the_contract_says() {
        let dir = tempfile::tempdir().unwrap();
        let host = dir.path().to_str().unwrap();
        let storage = |path: Value| {
            json!({"checkpoint_storage":
                {"type": "shared_fs", "host_path": host, "storage_path": path}})
        };
        let files = BTreeMap::from([("model.onnx".to_owned(), b"graph".to_vec())]);
        let mount = dir.path().join("mount");
        fs::create_dir(&mount).unwrap();
        for (path, mount, place) in [
            (Value::Null, None, dir.path().to_owned()),
            (json!("a/b"), None, dir.path().join("a/b")),
            (json!(format!("{host}/c")), None, dir.path().join("c")),
            (json!("a"), Some(mount.as_path()), mount.join("a")),
        ] {
            let config = storage(path);
            let store = CheckpointStore::open(&config, StorageAccess::default(), mount);
            let store = store.unwrap();
            let new = store.write(files.clone(), 7, Map::new());
            let new = new.await.unwrap();
            let written = place.join(&new.uuid);
            assert_eq!(fs::read(written.join("model.onnx")).unwrap(), b"graph");
            assert_eq!(
                fs::read(written.join("metadata.json")).unwrap(),
                b"{\"steps_completed\":7}\n"
            );
            assert_eq!(new.resources["model.onnx"], 5);
            assert_eq!(new.resources["metadata.json"], 22);
        }
    }

    #[test]
    fn a_storage_that_is_not_here_is_named() {
        let refused = |storage: Value| {
            let config = json!({"checkpoint_storage": storage});
            CheckpointStore::of_experiment(&config, StorageAccess::default())
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
