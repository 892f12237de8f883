//! Checkpoints directly from their storage.

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};

use bucket_server::{Answer, Bucket};
use determined::{Checkpoint, CheckpointFrom, CheckpointStore, Error, StorageAccess};
use determined_mock::{Fault, MockMaster};
use serde_json::{Value, json};

use crate::python::python;
use crate::support::client;

const UUID: &str = "0a1b2c3d-2222-4333-8444-000000000001";

fn content(path: &str) -> Vec<u8> {
    match path {
        "model.onnx" => vec![7; 300_000],
        "empty" => Vec::new(),
        path => path.as_bytes().to_vec(),
    }
}

const FILES: [&str; 4] = [
    "model.onnx",
    "code/model def%20.py",
    "metadata.json",
    "empty",
];

fn checkpoint(storage: Value) -> Checkpoint {
    let sizes = FILES.map(|path| (path, content(path).len().to_string()));
    let mut resources: BTreeMap<&str, String> = sizes.into();
    resources.insert("code/", "0".to_owned());
    let text = json!({
        "uuid": UUID, "state": "STATE_COMPLETED", "resources": resources, "metadata": {},
        "training": {"experimentConfig": {"checkpoint_storage": storage}},
    });
    serde_json::from_value(text).unwrap()
}

fn access(variables: &[(&str, &str)]) -> StorageAccess {
    let owned = variables
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    StorageAccess::from_variables(owned)
}

fn write(folder: &Path) {
    for path in FILES {
        let file = folder.join(UUID).join(path);
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(file, content(path)).unwrap();
    }
}

fn assert_whole(target: &Path) {
    for path in FILES {
        assert!(
            fs::read(target.join(path)).unwrap() == content(path),
            "{path}"
        );
    }
    let all = walkdir::WalkDir::new(target).into_iter();
    let files = all.filter(|entry| entry.as_ref().unwrap().file_type().is_file());
    assert_eq!(files.count(), FILES.len());
}

/// The error's chain, after checking that nothing is left behind.
async fn refusal(access: &StorageAccess, checkpoint: &Checkpoint) -> (Error, String) {
    let folder = tempfile::tempdir().unwrap();
    let target = folder.path().join("checkpoint");
    let error = access.download(checkpoint, &target).await.unwrap_err();
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
    let source = std::error::Error::source(&error).map(ToString::to_string);
    let text = format!("{error}: {}", source.unwrap_or_default());
    (error, text)
}

#[tokio::test]
async fn from_folders() {
    let root = tempfile::tempdir().unwrap();
    let host_path = root.path().to_str().unwrap();
    write(&root.path().join("a/b"));
    // What is not listed does not come.
    fs::write(root.path().join("a/b").join(UUID).join("extra"), "x").unwrap();
    for storage in [
        json!({"type": "shared_fs", "host_path": host_path, "storage_path": "a/b"}),
        json!({"type": "shared_fs", "host_path": host_path, "storage_path": format!("{host_path}/a/b")}),
        json!({"type": "directory", "container_path": format!("{host_path}/a/b")}),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let target = folder.path().join("checkpoint");
        let access = StorageAccess::default();
        access
            .download(&checkpoint(storage.clone()), &target)
            .await
            .unwrap();
        assert_whole(&target);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
        let again = access.download(&checkpoint(storage), &target).await;
        assert!(matches!(again, Err(Error::File { .. })));
    }
}

#[tokio::test]
async fn a_folder_that_is_not_the_checkpoint_is_refused() {
    let root = tempfile::tempdir().unwrap();
    let storage = json!({"type": "directory", "container_path": root.path()});
    let access = StorageAccess::default();
    let whole = checkpoint(storage);
    let (_, text) = refusal(&access, &whole).await;
    assert!(text.contains("there is no folder"), "{text}");

    write(root.path());
    let graph = root.path().join(UUID).join("model.onnx");
    fs::write(&graph, [7; 299_999]).unwrap();
    let (_, text) = refusal(&access, &whole).await;
    assert!(
        text.contains("has 299999 bytes and should have 300000"),
        "{text}"
    );

    fs::remove_file(&graph).unwrap();
    let (_, text) = refusal(&access, &whole).await;
    assert!(text.contains("lacks \"model.onnx\""), "{text}");

    let secret = tempfile::NamedTempFile::new().unwrap();
    fs::write(secret.path(), [7; 300_000]).unwrap();
    std::os::unix::fs::symlink(secret.path(), &graph).unwrap();
    let (_, text) = refusal(&access, &whole).await;
    assert!(text.contains("is a link to outside"), "{text}");

    fs::remove_file(&graph).unwrap();
    write(root.path());
    for path in ["../x", "/etc/passwd", "a/../../x"] {
        let mut hostile = whole.clone();
        hostile.resources.insert(path.to_owned(), 1);
        let (_, text) = refusal(&access, &hostile).await;
        assert!(text.contains("no relative path"), "{text}");
    }
    let mut hostile = whole.clone();
    hostile.uuid = "../other".to_owned();
    let (_, text) = refusal(&access, &hostile).await;
    assert!(text.contains("no UUID"), "{text}");
}

/// A storage of each cloud at `url`, with what opens it and what it should send.
fn clouds(url: &str) -> [(Value, StorageAccess, &'static str, &'static str); 3] {
    let s3 = json!({
        "type": "s3", "bucket": "checkpoints", "prefix": "/det//", "endpoint_url": url,
        "access_key": "AKIACONFIG", "secret_key": "s3cr3t",
    });
    let keys = json!({"gcs_base_url": url, "disable_oauth": true, "client_email": "",
        "private_key": "", "private_key_id": ""});
    let gcs = json!({"type": "gcs", "bucket": "checkpoints", "prefix": "det"});
    let azure = json!({"type": "azure", "container": "checkpoints/det",
        "connection_string": "********"});
    let connection = format!("AccountName=acct;AccountKey=aHVudGVyMg==;BlobEndpoint={url}");
    let signed = "AWS4-HMAC-SHA256 Credential=AKIACONFIG/";
    [
        (
            s3,
            access(&[("AWS_REGION", "eu-west-1")]),
            "s3://checkpoints/det",
            signed,
        ),
        (
            gcs,
            access(&[("GOOGLE_SERVICE_ACCOUNT_KEY", &keys.to_string())]),
            "gs://checkpoints/det",
            "",
        ),
        (
            azure,
            access(&[("AZURE_STORAGE_CONNECTION_STRING", &connection)]),
            "azure://checkpoints/det",
            "SharedKey acct:",
        ),
    ]
}

#[tokio::test]
async fn what_a_trial_stores_in_each_cloud_comes_back() {
    let bucket = Bucket::start(BTreeMap::new());
    for (storage, access, _, signed) in clouds(&bucket.url()) {
        let config = json!({ "checkpoint_storage": storage });
        let store = CheckpointStore::of_experiment(&config, access.clone()).unwrap();
        let files = BTreeMap::from([("model.onnx".to_owned(), content("model.onnx"))]);
        let new = store.write(files, 3, serde_json::Map::new()).await.unwrap();
        assert_eq!(new.resources["model.onnx"], 300_000);
        let requests = bucket.take_authorizations();
        assert_eq!(requests.len(), 2, "{storage}");
        assert!(
            requests.iter().all(|r| r.starts_with(signed)),
            "{requests:?}"
        );
        let mut saved = checkpoint(storage);
        saved.uuid.clone_from(&new.uuid);
        saved.resources = new.resources;
        let folder = tempfile::tempdir().unwrap();
        let target = folder.path().join("checkpoint");
        access.download(&saved, &target).await.unwrap();
        assert!(fs::read(target.join("model.onnx")).unwrap() == content("model.onnx"));
        assert_eq!(
            fs::read(target.join("metadata.json")).unwrap(),
            b"{\"steps_completed\":3}\n"
        );
        bucket.take_authorizations();
    }
}

fn objects() -> BTreeMap<String, Vec<u8>> {
    let key = |path: &str| format!("/checkpoints/det/{UUID}/{path}");
    FILES.map(|path| (key(path), content(path))).into()
}

#[tokio::test]
async fn from_each_cloud() {
    let bucket = Bucket::start(objects());
    for (storage, access, _, signed) in clouds(&bucket.url()) {
        let folder = tempfile::tempdir().unwrap();
        let target = folder.path().join("checkpoint");
        access
            .download(&checkpoint(storage.clone()), &target)
            .await
            .unwrap();
        assert_whole(&target);
        let requests = bucket.take_authorizations();
        assert_eq!(requests.len(), FILES.len(), "{storage}");
        for authorization in requests {
            assert!(
                authorization.starts_with(signed),
                "{storage}: {authorization}"
            );
        }
    }
}

#[tokio::test]
async fn what_a_cloud_refuses_is_told_without_secrets() {
    let bucket = Bucket::start(objects());
    let graph = format!("/checkpoints/det/{UUID}/model.onnx");
    for (answer, word) in [
        (Answer::Status(404), "lacks \"model.onnx\""),
        (Answer::Status(403), "403"),
        (
            Answer::Content(vec![7; 5]),
            "has 5 bytes and should have 300000",
        ),
    ] {
        bucket.answer(&graph, answer);
        for (storage, access, shown, _) in clouds(&bucket.url()) {
            let (error, text) = refusal(&access, &checkpoint(storage)).await;
            assert!(text.contains(word), "{text}");
            assert!(
                text.contains(shown) || matches!(error, Error::Checkpoint { .. }),
                "{text}"
            );
            for secret in ["s3cr3t", "aHVudGVyMg", "hunter2"] {
                assert!(!text.contains(secret), "{text}");
            }
        }
    }
}

#[tokio::test]
async fn the_environment_weighs_more_than_the_configuration() {
    let bucket = Bucket::start(objects());
    let url = bucket.url();
    let storage = json!({
        "type": "s3", "bucket": "checkpoints", "prefix": "det",
        "endpoint_url": "http://inside.example:9000", "access_key": "AKIACONFIG",
        "secret_key": "********",
    });
    let access = access(&[
        ("AWS_ENDPOINT_URL", &url),
        ("AWS_ACCESS_KEY_ID", "AKIAENV"),
        ("AWS_SECRET_ACCESS_KEY", "s3cr3t"),
    ]);
    let folder = tempfile::tempdir().unwrap();
    let target = folder.path().join("checkpoint");
    access
        .download(&checkpoint(storage), &target)
        .await
        .unwrap();
    assert_whole(&target);
    let requests = bucket.take_authorizations();
    let own = "AWS4-HMAC-SHA256 Credential=AKIAENV/";
    assert!(
        requests
            .iter()
            .all(|authorization| authorization.starts_with(own))
    );
}

/// An S3 server that is not ours: it checks signatures, and its user may neither list
/// the bucket nor see that an object is missing.
#[tokio::test]
#[ignore = "needs python3 and PyPI"]
async fn from_a_server_that_checks_signatures() {
    let root = tempfile::tempdir().unwrap();
    write(root.path());
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/sdk/bucket.py");
    let mut server = Command::new(python("moto", &["moto[iam,s3,server]==5.2.5"]))
        .arg(script)
        .arg(root.path())
        .args(["checkpoints", "det"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = BufReader::new(server.stdout.take().unwrap()).lines();
    let [url, key, secret] = lines
        .map_while(Result::ok)
        .take(3)
        .collect::<Vec<_>>()
        .try_into()
        .unwrap();
    let storage = json!({"type": "s3", "bucket": "checkpoints", "prefix": "det"});
    let given = |secret: &str| {
        access(&[
            ("AWS_ENDPOINT_URL", &url),
            ("AWS_REGION", "eu-west-1"),
            ("AWS_ACCESS_KEY_ID", &key),
            ("AWS_SECRET_ACCESS_KEY", secret),
        ])
    };
    let folder = tempfile::tempdir().unwrap();
    let target = folder.path().join("checkpoint");
    given(&secret)
        .download(&checkpoint(storage.clone()), &target)
        .await
        .unwrap();
    assert_whole(&target);
    let (_, text) = refusal(&given("another"), &checkpoint(storage)).await;
    assert!(text.contains("SignatureDoesNotMatch"), "{text}");
    drop(server.stdin.take());
    server.wait().unwrap();
}

/// A checkpoint that the master knows, of an experiment with this storage.
async fn registered(master: &MockMaster, storage: Value) -> Checkpoint {
    let files = FILES.map(|path| (path.to_owned(), content(path)));
    {
        let mut world = master.world();
        let config = json!({"searcher": {"metric": "accuracy"}, "checkpoint_storage": storage});
        let experiment = world.add_experiment(config);
        world.add_checkpoint(experiment, 1, None, files.into());
        world.checkpoints[0].uuid = UUID.to_owned();
    }
    client(master).checkpoint(UUID).await.unwrap()
}

#[tokio::test]
async fn the_storage_steps_in_where_the_master_cannot_read_it() {
    let master = MockMaster::start();
    let root = tempfile::tempdir().unwrap();
    let storage = json!({"type": "directory", "container_path": root.path()});
    let checkpoint = registered(&master, storage).await;
    let client = client(&master);
    let folder = tempfile::tempdir().unwrap();
    let access = StorageAccess::default();
    let path = format!("/checkpoints/{UUID}");
    let from = async |from: CheckpointFrom, target: &str| {
        let target = folder.path().join(target);
        let outcome = client
            .download_from(from, &access, &checkpoint, &target)
            .await;
        outcome.map(|()| assert_whole(&target))
    };
    from(CheckpointFrom::Either, "through").await.unwrap();
    from(CheckpointFrom::Master, "master").await.unwrap();
    let downloads = || {
        let requests = master.requests();
        requests.iter().filter(|r| r.path == path).count()
    };
    assert_eq!(downloads(), 2);

    master.fault("GET", &path, Fault::Status(500), 3);
    let error = from(CheckpointFrom::Either, "both")
        .await
        .unwrap_err()
        .to_string();
    assert!(
        error.contains("answers 500") && error.contains("and directly"),
        "{error}"
    );
    let error = from(CheckpointFrom::Master, "one")
        .await
        .unwrap_err()
        .to_string();
    assert!(
        error.contains("answers 500") && !error.contains("directly"),
        "{error}"
    );
    write(root.path());
    from(CheckpointFrom::Either, "direct").await.unwrap();
    let before = downloads();
    from(CheckpointFrom::Storage, "storage").await.unwrap();
    assert_eq!(downloads(), before);
}

#[tokio::test]
async fn azure_is_not_asked_of_the_master() {
    let bucket = Bucket::start(objects());
    let master = MockMaster::start();
    let [_, _, (storage, access, ..)] = clouds(&bucket.url());
    let checkpoint = registered(&master, storage).await;
    let folder = tempfile::tempdir().unwrap();
    let target = folder.path().join("checkpoint");
    let client = client(&master);
    let from = CheckpointFrom::Either;
    client
        .download_from(from, &access, &checkpoint, &target)
        .await
        .unwrap();
    assert_whole(&target);
}
