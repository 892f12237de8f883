//! Stores that fail, lie, or hold something else than was written.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use bucket_server::{Answer, Bucket, Moment, Then};
use registry::{Asked, Error, Registry};
use storage::Access;

use crate::support::{Case, package};

fn hex(digest: model::Digest) -> String {
    digest.to_string().trim_start_matches("sha256:").to_owned()
}

#[tokio::test]
async fn a_damaged_file_is_refused_by_its_digest() {
    for case in Case::all().await {
        let version = case.publish("job-a", 0.9, "").await.version;
        let graph = format!("iris/packages/{}/model.onnx", hex(version.package));
        let refused = async || {
            let folder = tempfile::tempdir().unwrap();
            let target = folder.path().join("model");
            let error = case.registry.fetch(&version, &target).await.unwrap_err();
            assert!(matches!(error, Error::Damaged { .. }), "{error}");
            assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
            error.to_string()
        };
        case.change(&graph, |content| content[7] ^= 1);
        let error = refused().await;
        let place = format!("{}/{graph} is damaged: its digest is sha256:", case.url);
        assert!(error.starts_with(&place), "{error}");
        case.change(&graph, |content| content.truncate(5));
        let error = refused().await;
        assert!(error.contains("it has 5 bytes, expected 18000"), "{error}");
    }
}

#[tokio::test]
async fn a_damaged_record_is_refused_and_named() {
    for case in Case::all().await {
        case.publish("job-a", 0.9, "").await;
        case.publish("job-b", 0.9, "").await;
        case.change("iris/versions/00000002.json", |content| {
            let text = String::from_utf8(content.clone()).unwrap();
            *content = text.replace("\"latest\": 2", "\"latest\": 1").into_bytes();
        });
        let error = case
            .registry
            .find("iris", &Asked::Latest)
            .await
            .unwrap_err();
        let place = format!("{}/iris/versions/00000002.json is damaged", case.url);
        assert!(error.to_string().starts_with(&place), "{error}");
    }
}

/// What an earlier attempt has left is used if it is what would be written.
#[tokio::test]
async fn what_a_killed_attempt_has_left_is_verified() {
    for case in Case::all().await {
        let (_kept, folder) = package("job-a", 0.9);
        let version = case.registry.publish(&folder, None).await.unwrap().version;
        let graph = format!("iris/packages/{}/model.onnx", hex(version.package));
        match &case.bucket {
            None => std::fs::remove_dir_all(case.root.path().join("iris/versions")).unwrap(),
            Some(bucket) => {
                let mut objects = bucket.objects();
                objects.retain(|path, _| !path.contains("/versions/"));
                bucket.clear();
                for (path, content) in objects {
                    bucket.answer(&path, Answer::Content(content));
                }
            }
        }
        let error = case
            .registry
            .find("iris", &Asked::Latest)
            .await
            .unwrap_err();
        assert!(error.to_string().contains("published whole"), "{error}");
        case.change(&graph, |content| content[7] ^= 1);
        let error = case.registry.publish(&folder, None).await.unwrap_err();
        assert!(
            error.to_string().contains("model.onnx is damaged"),
            "{error}"
        );
        case.change(&graph, |content| content[7] ^= 1);
        let again = case.registry.publish(&folder, None).await.unwrap();
        assert_eq!((again.existed, again.version), (false, version));
    }
}

#[tokio::test]
async fn a_store_that_ignores_the_condition_is_refused() {
    for scheme in ["s3", "gs", "az"] {
        let case = Case::cloud(scheme).await;
        let bucket = case.bucket.as_ref().unwrap();
        bucket.ignore_conditions();
        let (_kept, folder) = package("job-a", 0.9);
        let error = case.registry.publish(&folder, None).await.unwrap_err();
        assert!(matches!(error, Error::NoConditions(_)), "{error}");
        let error = case
            .registry
            .find("iris", &Asked::Latest)
            .await
            .unwrap_err();
        assert!(matches!(error, Error::NoModel { .. }), "{error}");
    }
}

/// The record is written and the answer lost: the version is there, once.
#[tokio::test]
async fn an_answer_that_is_lost_makes_no_second_version() {
    for scheme in ["s3", "gs", "az"] {
        let case = Case::cloud(scheme).await;
        case.publish("job-a", 0.9, "").await;
        let lost = Arc::new(AtomicBool::new(false));
        let seen = Arc::clone(&lost);
        let hook = move |_, line: &str, moment| {
            let is_record = line.starts_with("PUT ") && line.ends_with("00000002.json");
            match is_record && moment == Moment::After && !seen.swap(true, Ordering::Relaxed) {
                true => Then::Cut,
                false => Then::GoOn,
            }
        };
        case.bucket.as_ref().unwrap().hook(Some(Arc::new(hook)));
        let published = case.publish("job-b", 0.9, "").await;
        assert!(lost.load(Ordering::Relaxed));
        assert_eq!(published.version.number, 2);
        assert_eq!(case.latest().await, published.version);
        let objects = case.bucket.as_ref().unwrap().objects();
        let records = objects.keys().filter(|path| path.contains("/versions/"));
        assert_eq!(records.count(), 2, "{scheme}");
    }
}

#[tokio::test]
async fn what_a_store_refuses_is_told_without_secrets() {
    let bucket = Bucket::start(BTreeMap::new());
    for (scheme, mut variables) in bucket.clouds() {
        if scheme == "az" {
            let connection = format!(
                "AccountName=acct;BlobEndpoint={};SharedAccessSignature=sv=1&sig=hunter2",
                bucket.url()
            );
            variables[0].1 = connection;
        }
        let access = Access::from_variables(variables);
        let url = format!("{scheme}://models/team");
        let registry = Registry::open(&url, &access).await.unwrap();
        let record = "/models/team/iris/versions/00000001.json";
        bucket.answer(record, Answer::Status(403));
        let error = registry.find("iris", &Asked::Latest).await.unwrap_err();
        assert!(!error.is_transient(), "{error}");
        let text = error.to_string();
        assert!(text.starts_with(&format!("cannot read {url}/iris/versions/00000001.json")));
        assert!(text.contains("403") && !text.contains("hunter2"), "{text}");
        assert!(!format!("{error:?} {registry:?}").contains("hunter2"));
    }
}

#[tokio::test]
async fn a_folder_that_is_not_there_is_not_made() {
    let access = Access::default();
    let error = Registry::open("file:///nowhere/models", &access)
        .await
        .unwrap_err();
    assert!(
        error.to_string().contains("mkdir -p /nowhere/models"),
        "{error}"
    );
    let error = Registry::open("az://models/team", &access)
        .await
        .unwrap_err();
    assert!(
        error
            .to_string()
            .contains("az://models/team cannot be opened"),
        "{error}"
    );
}
