//! Login, repetition, and what is said of failures.

use std::time::Duration;

use determined::{Client, Credentials, Error, NewExperiment, State};
use determined_mock::{Fault, MockMaster, Script, USER};

use crate::support::{client, completed, new_experiment, password, settings};

#[tokio::test]
async fn it_logs_in_once_and_again_when_the_token_has_expired() {
    let master = MockMaster::start();
    let client = client(&master);
    for _ in 0..3 {
        client.model("iris").await.unwrap();
    }
    assert_eq!(master.world().counts().2, 1);
    master.fault("GET", "/api/v1/models", Fault::ExpireTokens, 1);
    client.model("iris").await.unwrap();
    assert_eq!(master.world().counts().2, 2);
    // A request that changes something is safe to repeat after a 401.
    master.fault("POST", "/api/v1/experiments", Fault::ExpireTokens, 1);
    client.create_experiment(&new_experiment()).await.unwrap();
    let (experiments, _, logins) = master.world().counts();
    assert_eq!((experiments, logins), (1, 3));
}

#[tokio::test]
async fn many_tasks_share_one_login() {
    let master = MockMaster::start();
    let client = client(&master);
    let tasks: Vec<_> = (0..8)
        .map(|_| {
            let client = client.clone();
            tokio::spawn(async move { client.model("iris").await })
        })
        .collect();
    for task in tasks {
        task.await.unwrap().unwrap();
    }
    assert_eq!(master.world().counts().2, 1);
}

#[tokio::test]
async fn a_wrong_password_or_token_is_said_without_showing_it() {
    let master = MockMaster::start();
    let wrong = Credentials::Password {
        user: USER.to_owned(),
        password: "hunter2".into(),
    };
    for credentials in [wrong, Credentials::Token("hunter2".into())] {
        let client = Client::new(settings(&master, credentials)).unwrap();
        let error = client.model("iris").await.unwrap_err();
        let text = format!("{error} {error:?} {client:?}");
        assert!(matches!(error, Error::Unauthenticated(_)), "{text}");
        assert!(text.contains("invalid credentials"), "{text}");
        assert!(!text.contains("hunter2"), "{text}");
        let hash = master.requests()[0].body["password"]
            .as_str()
            .unwrap()
            .to_owned();
        assert!(!text.contains(&hash), "{text}");
    }
}

#[tokio::test]
async fn a_token_is_used_as_it_is() {
    let master = MockMaster::start();
    client(&master).model("iris").await.unwrap();
    let token = master.requests().last().unwrap().token.clone().unwrap();
    let credentials = Credentials::Token(token.into());
    let client = Client::new(settings(&master, credentials)).unwrap();
    client.model("iris").await.unwrap();
    assert_eq!(master.world().counts().2, 1);
}

#[tokio::test]
async fn reading_is_repeated_while_the_master_restarts() {
    let master = MockMaster::start();
    let client = client(&master);
    for fault in [
        Fault::Status(502),
        Fault::Status(503),
        Fault::Status(504),
        Fault::CutBefore,
    ] {
        master.fault("GET", "/api/v1/models", fault, 3);
        client.model("iris").await.unwrap();
    }
    master.fault("GET", "/api/v1/models", Fault::Status(503), 4);
    let error = client.model("iris").await.unwrap_err();
    assert!(matches!(error, Error::Unavailable(_)), "{error}");
    master.fault("POST", "/api/v1/auth", Fault::Status(503), 2);
    master.fault("GET", "/api/v1/models", Fault::ExpireTokens, 1);
    client.model("iris").await.unwrap();
}

#[tokio::test]
async fn a_refusal_is_not_repeated() {
    let master = MockMaster::start();
    let client = client(&master);
    master.fault("GET", "/api/v1/models", Fault::Status(500), 1);
    let error = client.model("iris").await.unwrap_err();
    assert!(matches!(error, Error::Refused(_)), "{error}");
    let asked = master.requests();
    let asked = asked.iter().filter(|r| r.method == "GET").count();
    assert_eq!(asked, 1);
}

#[tokio::test]
async fn a_creation_is_sent_once_whatever_happens() {
    let master = MockMaster::start();
    let client = client(&master);
    let faults = [
        (Fault::CutAfter, 1),
        (Fault::StatusAfter(502), 1),
        (Fault::StatusAfter(504), 1),
        (Fault::CutBefore, 0),
        (Fault::Status(503), 0),
    ];
    for (fault, created) in faults {
        let before = master.world().counts().0;
        master.fault("POST", "/api/v1/experiments", fault, 1);
        let error = client
            .create_experiment(&new_experiment())
            .await
            .unwrap_err();
        assert!(
            matches!(error, Error::Uncertain { .. }),
            "{fault:?}: {error}"
        );
        assert_eq!(master.world().counts().0, before + created, "{fault:?}");
    }
    // What is found by its labels tells.
    let labels = ["job-1", "iris-model", "iris-data"];
    let found = client.experiments_with_labels(&labels).await.unwrap();
    let ids: Vec<_> = found.iter().map(|e| e.id).collect();
    assert_eq!(ids, [3, 2, 1]);
    let none = client.experiments_with_labels(&["job-1", "job-2"]).await;
    assert!(none.unwrap().is_empty());
    assert!(client.experiments_with_labels(&[]).await.is_err());
}

#[tokio::test]
async fn a_slow_answer_to_a_creation_leaves_it_open() {
    let master = MockMaster::start();
    let mut settings = settings(&master, password());
    settings.timeout = Duration::from_millis(200);
    let client = Client::new(settings).unwrap();
    client.model("iris").await.unwrap();
    let slow = Fault::Slow(Duration::from_secs(2));
    master.fault("GET", "/api/v1/models", slow, 1);
    // Read again, and the second answer comes in time.
    client.model("iris").await.unwrap();
    master.fault("POST", "/api/v1/models", slow, 1);
    let model = determined::NewModel {
        name: "iris".to_owned(),
        ..determined::NewModel::default()
    };
    let error = client.ensure_model(&model).await.unwrap_err();
    assert!(matches!(error, Error::Uncertain { .. }), "{error}");
    assert!(error.to_string().contains("took too long"), "{error}");
}

#[tokio::test]
async fn nobody_there_is_said() {
    let address = {
        let master = MockMaster::start();
        master.url()
    };
    let mut settings = determined::Settings::new(address.parse().unwrap(), password());
    settings.retry.pause = Duration::from_millis(1);
    let client = Client::new(settings).unwrap();
    let error = client
        .create_experiment(&new_experiment())
        .await
        .unwrap_err();
    assert!(matches!(error, Error::Unreachable { .. }), "{error}");
    let text = error.to_string();
    assert_eq!(text, "POST /api/v1/auth/login: no connection to the master");
}

#[tokio::test]
async fn an_invalid_configuration_is_refused_in_the_masters_words() {
    let master = MockMaster::start();
    let client = client(&master);
    let mut new = new_experiment();
    new.config["resouces"] = serde_json::json!({});
    for error in [
        client.create_experiment(&new).await.unwrap_err(),
        client.validate_experiment(&new).await.unwrap_err(),
    ] {
        let text = error.to_string();
        assert!(text.contains("500") && text.contains("resouces"), "{text}");
    }
    client.validate_experiment(&new_experiment()).await.unwrap();
    assert_eq!(master.world().counts().0, 0);
    new.config = serde_json::json!("text");
    assert!(client.create_experiment(&new).await.is_err());
    new.config = serde_json::json!({"labels": ["a,b"]});
    let error = client.create_experiment(&new).await.unwrap_err();
    assert!(matches!(error, Error::Setting { .. }), "{error}");
}

#[tokio::test]
async fn experiments_beyond_the_first_page_are_found() {
    let master = MockMaster::start();
    let client = client(&master);
    let new = NewExperiment {
        activate: false,
        ..new_experiment()
    };
    for _ in 0..230 {
        client.create_experiment(&new).await.unwrap();
    }
    let found = client.experiments_with_labels(&["job-1"]).await.unwrap();
    assert_eq!(found.len(), 230);
    assert!(found.is_sorted_by(|a, b| a.id > b.id));
    assert_eq!(found[0].state, State::Paused);
    master.world().experiments.get_mut(&230).unwrap().archived = true;
    let found = client.experiments_with_labels(&["job-1"]).await.unwrap();
    assert_eq!(found[0].id, 229);
}

#[tokio::test]
async fn a_warm_start_from_nothing_is_refused() {
    let master = MockMaster::start();
    let client = client(&master);
    let mut new = new_experiment();
    new.config["searcher"]["source_checkpoint_uuid"] = "00000000-nothing".into();
    let error = client.create_experiment(&new).await.unwrap_err();
    assert!(error.to_string().contains("00000000-nothing not found"));
    master.world().script = Script::completed(&[(1, Some(0.5))]);
    completed(&client).await;
    let uuid = master.world().checkpoints[0].uuid.clone();
    new.config["searcher"]["source_checkpoint_uuid"] = uuid.into();
    client.create_experiment(&new).await.unwrap();
}
