//! Checkpoints through the master.

use std::fs;
use std::path::Path;

use determined::{Best, Checkpoint, Client, Error};
use determined_mock::{ArchiveFault, Fault, MockMaster};

use crate::support::{client, completed};

async fn ready() -> (MockMaster, Client, Checkpoint) {
    let master = MockMaster::start();
    for saved in &mut master.world().script.checkpoints {
        saved.files.insert("large.bin".to_owned(), vec![7; 300_000]);
        saved.files.insert("empty".to_owned(), Vec::new());
    }
    let client = client(&master);
    let experiment = completed(&client).await;
    let Best::Scored(checkpoint, _) = client.best_checkpoint(&experiment).await.unwrap() else {
        panic!("none is scored")
    };
    (master, client, *checkpoint)
}

fn names(folder: &Path) -> usize {
    fs::read_dir(folder).unwrap().count()
}

#[tokio::test]
async fn all_files_come_whole() {
    let (_master, client, checkpoint) = ready().await;
    let dir = tempfile::tempdir().unwrap();
    let target = dir.path().join("checkpoint");
    client.download(&checkpoint, &target).await.unwrap();
    assert_eq!(fs::read(target.join("large.bin")).unwrap(), [7; 300_000]);
    assert_eq!(
        fs::read(target.join("code/model_def.py")).unwrap(),
        b"print(1)\n"
    );
    assert_eq!(fs::read(target.join("empty")).unwrap(), b"");
    assert_eq!(names(dir.path()), 1);
    let error = client.download(&checkpoint, &target).await.unwrap_err();
    assert!(matches!(error, Error::File { .. }), "{error}");
}

#[tokio::test]
async fn a_transfer_that_is_cut_is_repeated_and_then_refused() {
    let (master, client, checkpoint) = ready().await;
    let dir = tempfile::tempdir().unwrap();
    let target = dir.path().join("checkpoint");
    for at in [1, 512, 4000, 290_000] {
        master.world().archive_fault = Some(ArchiveFault::CutAt(at));
        let before = master.requests().len();
        let error = client.download(&checkpoint, &target).await.unwrap_err();
        assert!(error.is_transient(), "{at}: {error}");
        assert_eq!(master.requests().len() - before, 3, "{at}");
        assert_eq!(names(dir.path()), 0, "{at}");
    }
    master.world().archive_fault = None;
    let path = format!("/checkpoints/{}", checkpoint.uuid);
    master.fault("GET", &path, Fault::Status(503), 2);
    client.download(&checkpoint, &target).await.unwrap();
}

#[tokio::test]
async fn an_archive_that_is_not_the_checkpoint_is_refused() {
    let (master, client, checkpoint) = ready().await;
    let dir = tempfile::tempdir().unwrap();
    let folder = dir.path().join("inner");
    fs::create_dir(&folder).unwrap();
    let omit = |path: &str| ArchiveFault::Omit(path.to_owned());
    let add = |path: &str| ArchiveFault::Add(path.to_owned());
    for (fault, word) in [
        (ArchiveFault::EndAt(0), "lacks"),
        (ArchiveFault::EndAt(5000), ""),
        (ArchiveFault::EndAt(200_000), ""),
        (omit("model.onnx"), "lacks \"model.onnx\""),
        (add("../escaped"), "outside"),
        (add("/escaped"), "outside"),
        (add("extra.bin"), "does not list"),
    ] {
        master.world().archive_fault = Some(fault.clone());
        let target = folder.join("checkpoint");
        let error = client.download(&checkpoint, &target).await.unwrap_err();
        assert!(
            matches!(error, Error::Checkpoint { .. }),
            "{fault:?}: {error}"
        );
        assert!(error.to_string().contains(word), "{fault:?}: {error}");
        assert_eq!((names(&folder), names(dir.path())), (0, 1), "{fault:?}");
    }
}

#[tokio::test]
async fn the_token_is_renewed_for_a_download_too() {
    let (master, client, checkpoint) = ready().await;
    let dir = tempfile::tempdir().unwrap();
    master.fault("GET", "/checkpoints/", Fault::ExpireTokens, 1);
    client
        .download(&checkpoint, &dir.path().join("c"))
        .await
        .unwrap();
}

#[tokio::test]
async fn what_the_master_cannot_read_is_said_in_its_words() {
    let (master, client, checkpoint) = ready().await;
    let dir = tempfile::tempdir().unwrap();
    master.world().experiments.get_mut(&1).unwrap().config["checkpoint_storage"]["type"] =
        "azure".into();
    let error = client
        .download(&checkpoint, &dir.path().join("c"))
        .await
        .unwrap_err();
    assert!(
        error.to_string().contains("not supported on azure"),
        "{error}"
    );
}
