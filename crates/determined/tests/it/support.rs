//! A master, a client of it, and an experiment.

use std::time::Duration;

use determined::{Client, Credentials, Experiment, FollowOptions, NewExperiment, Retry, Settings};
use determined_mock::{MockMaster, PASSWORD, USER};
use serde_json::{Value, json};

/// Waits that fit a test.
pub(crate) const FOLLOW: FollowOptions = FollowOptions {
    interval: Duration::from_millis(10),
    patience: Duration::from_secs(2),
    log_grace: Duration::from_secs(2),
};

pub(crate) fn settings(master: &MockMaster, credentials: Credentials) -> Settings {
    let mut settings = Settings::new(master.url().parse().unwrap(), credentials);
    settings.retry = Retry {
        attempts: 4,
        pause: Duration::from_millis(5),
    };
    settings.timeout = Duration::from_secs(5);
    settings
}

pub(crate) fn password() -> Credentials {
    Credentials::Password {
        user: USER.to_owned(),
        password: PASSWORD.into(),
    }
}

pub(crate) fn client(master: &MockMaster) -> Client {
    Client::new(settings(master, password())).unwrap()
}

pub(crate) fn config() -> Value {
    json!({
        "name": "iris",
        "entrypoint": "python3 train.py",
        "labels": ["iris-data", "job-1", "iris-model"],
        "searcher": {"name": "single", "metric": "accuracy", "smaller_is_better": false},
    })
}

pub(crate) fn new_experiment() -> NewExperiment {
    NewExperiment {
        config: config(),
        model_definition: vec![determined::ContextFile::new("train.py", b"pass\n", false)],
        activate: true,
        ..NewExperiment::default()
    }
}

/// Creates an experiment and waits for its end.
pub(crate) async fn completed(client: &Client) -> Experiment {
    let created = client.create_experiment(&new_experiment()).await.unwrap();
    ended(client, created.experiment.id).await
}

pub(crate) async fn ended(client: &Client, id: i64) -> Experiment {
    let mut follow = client.follow(id, FOLLOW);
    let mut last = None;
    while let Some(event) = follow.next().await.unwrap() {
        if let determined::Event::Looked(experiment, _) = event {
            last = Some(experiment);
        }
    }
    *last.unwrap()
}
