//! Following experiments and their logs, and choosing checkpoints.

use determined::{Best, Event, Phase, State};
use determined_mock::{CheckpointScript, Fault, MockMaster, Outcome, Script};

use crate::support::{FOLLOW, client, completed, ended, new_experiment};

/// The ID of a new experiment.
async fn created(client: &determined::Client) -> i64 {
    let created = client.create_experiment(&new_experiment()).await.unwrap();
    created.experiment.id
}

/// States and log lines as they are told.
async fn story(client: &determined::Client, id: i64) -> (Vec<String>, Vec<String>) {
    let (mut states, mut lines) = (Vec::new(), Vec::new());
    let mut follow = client.follow(id, FOLLOW);
    while let Some(event) = follow.next().await.unwrap() {
        match event {
            Event::Looked(experiment, _) => {
                let state = experiment.state.to_string();
                if states.last() != Some(&state) {
                    states.push(state);
                }
            }
            Event::Log(line) => lines.push(line.text().to_owned()),
            Event::Away(_) => states.push("away".to_owned()),
            other => states.push(format!("{other:?}")),
        }
    }
    (states, lines)
}

fn lines(count: usize) -> Vec<String> {
    (0..count).map(|n| format!("step {n}")).collect()
}

#[tokio::test]
async fn states_and_the_whole_log_are_told_until_the_end() {
    let master = MockMaster::start();
    master.world().script.log = lines(50);
    let client = client(&master);
    let id = created(&client).await;
    let (states, log) = story(&client, id).await;
    assert_eq!(states, ["pulling", "running", "completed"]);
    assert_eq!(log, lines(50));
    // Again, from its end.
    let (states, log) = story(&client, id).await;
    assert_eq!((states.len(), log), (1, lines(50)));
}

#[tokio::test]
async fn a_log_that_is_cut_is_resumed_without_gap_or_repetition() {
    let master = MockMaster::start();
    {
        let mut world = master.world();
        world.script.log = lines(40);
        // Two lines share a moment: 7 and 20 cut such a pair apart, the last cut
        // comes before the first new line.
        world.log_cuts = vec![7, 20, 1];
    }
    let client = client(&master);
    let id = created(&client).await;
    let (_, log) = story(&client, id).await;
    assert_eq!(log, lines(40));
}

#[tokio::test]
async fn a_lost_log_does_not_stop_the_waiting() {
    let master = MockMaster::start();
    let client = client(&master);
    let id = created(&client).await;
    master.fault("GET", "/api/v1/trials/", Fault::Status(500), 1);
    let (states, log) = story(&client, id).await;
    assert!(
        states.iter().any(|s| s.starts_with("LogLost")),
        "{states:?}"
    );
    assert_eq!(states.last().unwrap(), "completed");
    assert!(log.is_empty());
}

#[tokio::test]
async fn the_master_may_be_away_for_a_while() {
    let master = MockMaster::start();
    let client = client(&master);
    let id = created(&client).await;
    master.fault("GET", "/api/v1/experiments/", Fault::Status(503), 9);
    let (states, _) = story(&client, id).await;
    assert_eq!(states, ["away", "away", "pulling", "running", "completed"]);
    master.fault(
        "GET",
        "/api/v1/experiments/",
        Fault::Status(503),
        usize::MAX,
    );
    let mut follow = client.follow(
        id,
        determined::FollowOptions {
            patience: std::time::Duration::from_millis(100),
            ..FOLLOW
        },
    );
    let error = loop {
        match follow.next().await {
            Ok(Some(Event::Away(_))) => {}
            Ok(other) => panic!("{other:?}"),
            Err(error) => break error,
        }
    };
    assert!(error.is_transient(), "{error}");
}

#[tokio::test]
async fn an_experiment_that_is_not_there_is_an_error() {
    let master = MockMaster::start();
    let error = client(&master).follow(9, FOLLOW).next().await.unwrap_err();
    assert!(
        error.to_string().contains("experiment '9' not found"),
        "{error}"
    );
}

#[tokio::test]
async fn paused_is_told_and_activating_goes_on() {
    let master = MockMaster::start();
    master.world().script.activation_fails = true;
    let client = client(&master);
    assert!(client.create_experiment(&new_experiment()).await.is_err());
    let mut follow = client.follow(1, FOLLOW);
    let Some(Event::Looked(experiment, _)) = follow.next().await.unwrap() else {
        panic!("no state")
    };
    assert_eq!(experiment.state.phase(), Phase::Paused);
    client.activate_experiment(1).await.unwrap();
    assert_eq!(ended(&client, 1).await.state, State::Completed);
}

#[tokio::test]
async fn cancelled_failed_and_unknown_states() {
    let master = MockMaster::start();
    let client = client(&master);
    master.world().script = Script::ending(Outcome::Endless);
    let id = created(&client).await;
    client.cancel_experiment(id).await.unwrap();
    assert_eq!(ended(&client, id).await.state, State::Canceled);
    client.cancel_experiment(id).await.unwrap();
    client.kill_experiment(id).await.unwrap();
    let mut script = Script::ending(Outcome::Error);
    script.states[1] = "DREAMING".to_owned();
    master.world().script = script;
    let id = created(&client).await;
    let (states, _) = story(&client, id).await;
    assert_eq!(states, ["dreaming", "running", "error"]);
}

#[tokio::test]
async fn the_best_checkpoint_is_scored_and_the_traps_are_avoided() {
    let master = MockMaster::start();
    let client = client(&master);
    for (saved, want) in [
        (
            vec![(10, Some(0.2)), (20, Some(0.9)), (30, Some(0.5))],
            "20 0.9",
        ),
        (
            vec![(10, Some(f64::NAN)), (20, Some(0.1)), (30, Some(0.7))],
            "30 0.7",
        ),
        (
            vec![(10, None), (20, Some(0.3)), (30, Some(f64::INFINITY))],
            "20 0.3",
        ),
        (vec![(10, None), (20, None)], "unscored 20"),
        (vec![(10, Some(f64::NAN))], "unscored 10"),
        (vec![], "none"),
    ] {
        master.world().script = Script::completed(&saved);
        let experiment = completed(&client).await;
        let steps = |c: &determined::Checkpoint| c.metadata["steps_completed"].clone();
        let got = match client.best_checkpoint(&experiment).await.unwrap() {
            Best::Scored(checkpoint, metric) => format!("{} {metric}", steps(&checkpoint)),
            Best::Unscored(checkpoint) => format!("unscored {}", steps(&checkpoint)),
            Best::None => "none".to_owned(),
        };
        assert_eq!(got, want, "{saved:?}");
    }
}

#[tokio::test]
async fn the_best_of_many_pages_is_found() {
    let master = MockMaster::start();
    let client = client(&master);
    let mut script = Script::completed(&[]);
    script.checkpoints = (0..250)
        .map(|n| CheckpointScript::new(n, (n != 249).then_some(0.5)))
        .collect();
    script.checkpoints[7].metric = Some(f64::NAN);
    script.checkpoints[240].metric = Some(0.75);
    master.world().script = script;
    let experiment = completed(&client).await;
    let Best::Scored(checkpoint, _) = client.best_checkpoint(&experiment).await.unwrap() else {
        panic!("none is scored")
    };
    assert_eq!(checkpoint.metadata["steps_completed"], 240);
    let same = client.checkpoint(&checkpoint.uuid).await.unwrap();
    assert_eq!(same.resources, checkpoint.resources);
    assert_eq!(same.resources["code/"], 0);
}
