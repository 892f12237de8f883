//! Models and their versions.

use determined::{Client, Error, NewModel, NewVersion};
use determined_mock::{Fault, MockMaster};
use serde_json::{Map, json};

use crate::support::{client, completed};

fn model(name: &str) -> NewModel {
    NewModel {
        name: name.to_owned(),
        description: "flowers".to_owned(),
        labels: vec!["iris-model".to_owned(), "iris-data".to_owned()],
        metadata: Map::from_iter([("pipeline".to_owned(), json!("iris-model"))]),
    }
}

fn version(master: &MockMaster, name: &str) -> NewVersion {
    NewVersion {
        checkpoint_uuid: master.world().checkpoints[0].uuid.clone(),
        name: name.to_owned(),
        notes: format!("Job_id/commit_id = {name}"),
    }
}

async fn with_checkpoint() -> (MockMaster, Client) {
    let master = MockMaster::start();
    let client = client(&master);
    completed(&client).await;
    (master, client)
}

#[tokio::test]
async fn a_model_is_found_by_exactly_its_name() {
    let (_master, client) = with_checkpoint().await;
    client
        .ensure_model(&model("cats-and-dogs-and-cats"))
        .await
        .unwrap();
    assert!(client.model("dogs-and-cats").await.unwrap().is_none());
    client.ensure_model(&model("dogs-and-cats")).await.unwrap();
    assert!(client.model("Dogs-and-cats").await.unwrap().is_none());
    let found = client.model("dogs-and-cats").await.unwrap().unwrap();
    assert_eq!(found.labels, ["iris-model", "iris-data"]);
    assert_eq!(found.metadata["pipeline"], "iris-model");
    client
        .ensure_model(&model("Hunde & Katzen 100%?"))
        .await
        .unwrap();
    assert!(
        client
            .model("Hunde & Katzen 100%?")
            .await
            .unwrap()
            .is_some()
    );
    for bad in ["a/b", "12", "a:b"] {
        assert!(
            matches!(client.model(bad).await, Err(Error::Setting { .. })),
            "{bad}"
        );
    }
}

#[tokio::test]
async fn a_model_is_created_once() {
    let (master, client) = with_checkpoint().await;
    let faults = [
        Fault::CutAfter,
        Fault::StatusAfter(502),
        Fault::StatusAfter(504),
    ];
    for (n, fault) in faults.into_iter().enumerate() {
        master.fault("POST", "/api/v1/models", fault, 1);
        let name = format!("iris-{n}");
        client.ensure_model(&model(&name)).await.unwrap();
        client.ensure_model(&model(&name)).await.unwrap();
        assert_eq!(master.world().models.len(), n + 1);
    }
}

#[tokio::test]
async fn a_version_is_registered_once_with_its_name() {
    let (master, client) = with_checkpoint().await;
    client.ensure_model(&model("iris")).await.unwrap();
    let new = version(&master, "job-1");
    let faults = [
        None,
        Some(Fault::CutAfter),
        Some(Fault::StatusAfter(504)),
        // Another writer took the number: the master says 500 and nothing is there.
        Some(Fault::Status(500)),
        // The number was taken by our own first attempt.
        Some(Fault::StatusAfter(500)),
    ];
    for (n, fault) in faults.into_iter().enumerate() {
        let new = NewVersion {
            name: format!("job-{n}"),
            ..new.clone()
        };
        if let Some(fault) = fault {
            master.fault("POST", "/api/v1/models/iris/versions", fault, 1);
        }
        let registered = client.ensure_version("iris", &new).await.unwrap();
        let again = client.ensure_version("iris", &new).await.unwrap();
        assert_eq!(registered.version, again.version);
        let world = master.world();
        assert_eq!(world.models[0].versions.len(), n + 1, "{fault:?}");
        assert_eq!(world.models[0].versions[n].name, new.name);
        assert_eq!(world.models[0].versions[n].notes, new.notes);
    }
    // What was lost before it took effect is not sent again.
    master.fault("POST", "/api/v1/models/iris/versions", Fault::CutBefore, 1);
    let error = client
        .ensure_version("iris", &version(&master, "job-9"))
        .await
        .unwrap_err();
    assert!(matches!(error, Error::Uncertain { .. }), "{error}");
    assert_eq!(master.world().counts().1, 5);
}

#[tokio::test]
async fn versions_are_found_by_name_number_and_age() {
    let (master, client) = with_checkpoint().await;
    client.ensure_model(&model("iris")).await.unwrap();
    assert!(client.latest_version("iris").await.unwrap().is_none());
    assert!(
        client
            .version_named("iris", "job-1")
            .await
            .unwrap()
            .is_none()
    );
    let checkpoint = master.world().checkpoints[0].uuid.clone();
    master.world().models[0].versions = (1..=205)
        .map(|number| determined_mock::Version {
            number,
            name: format!("job-{number}"),
            notes: String::new(),
            checkpoint: checkpoint.clone(),
        })
        .collect();
    let latest = client.latest_version("iris").await.unwrap().unwrap();
    assert_eq!((latest.version, latest.name.as_str()), (205, "job-205"));
    let first = client
        .version_named("iris", "job-1")
        .await
        .unwrap()
        .unwrap();
    assert_eq!(first.version, 1);
    assert_eq!(
        client.model_version("iris", 77).await.unwrap().name,
        "job-77"
    );
    let all = client.model_versions("iris").await.unwrap();
    assert_eq!(all.len(), 205);
    assert!(all.is_sorted_by(|a, b| a.version > b.version));
    let missing = client.model_version("iris", 999).await.unwrap_err();
    assert!(matches!(missing, Error::NotFound(_)), "{missing}");
    let missing = client.model_versions("tulips").await.unwrap_err();
    assert!(missing.to_string().contains("tulips"), "{missing}");
}

#[tokio::test]
async fn an_archived_model_takes_no_version() {
    let (master, client) = with_checkpoint().await;
    client.ensure_model(&model("iris")).await.unwrap();
    master.world().models[0].archived = true;
    assert!(client.model("iris").await.unwrap().unwrap().archived);
    let error = client
        .ensure_version("iris", &version(&master, "job-1"))
        .await
        .unwrap_err();
    assert!(error.to_string().contains("archived"), "{error}");
    let unknown = NewVersion {
        checkpoint_uuid: "nothing".to_owned(),
        ..NewVersion::default()
    };
    let error = client.ensure_version("iris", &unknown).await.unwrap_err();
    assert!(matches!(error, Error::NotFound(_)), "{error}");
}
