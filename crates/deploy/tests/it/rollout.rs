//! Rollouts, through the program, on clusters of the stub.

use std::time::{Duration, Instant};

use crate::stub::Behaviour;
use crate::support::scene::Scene;
use crate::support::stderr;

pub(crate) const LIVE: [&str; 3] = ["seldon-core", "seldon-deploy", "kserve"];

#[test]
fn a_new_version_takes_over_without_a_gap() {
    for target in LIVE {
        let scene = Scene::new(target);
        scene.succeeds("1");
        assert_eq!(scene.serving(), ["1"]);
        scene.behaves("2", Behaviour::Good(900));
        scene.succeeds("2");
        assert!(scene.serving().contains(&"2".to_owned()), "{target}");
        assert_eq!(scene.gaps(), 0, "{target}");
        let record = scene.record();
        assert_eq!(record["model"]["version"], "2");
        assert_eq!(record["changed"], true);
    }
}

#[test]
fn available_alone_is_not_believed() {
    for target in LIVE {
        let scene = Scene::new(target);
        scene.succeeds("1");
        // Not ready before both false Available are over.
        scene.behaves("2", Behaviour::Good(600));
        scene.succeeds("2");
        assert!(scene.serving().contains(&"2".to_owned()), "{target}");
    }
}

#[test]
fn running_twice_changes_nothing() {
    for target in LIVE {
        let scene = Scene::new(target);
        scene.succeeds("1");
        let writes = scene.stub.world().writes();
        let output = scene.succeeds("1");
        assert_eq!(scene.stub.world().writes(), writes, "{target}");
        assert!(
            stderr(&output).contains("nothing to do"),
            "{}",
            stderr(&output)
        );
        assert_eq!(scene.record()["changed"], false);
    }
}

#[test]
fn what_is_no_longer_asked_for_goes_and_what_others_added_stays() {
    let options = |all: &[&str]| all.iter().map(|&option| option.to_owned()).collect();
    for target in LIVE {
        let mut scene = Scene::new(target);
        scene.extra = options(&["--labels=team=a,tier=b", "--annotations=owner=c"]);
        scene.succeeds("1");
        {
            let mut world = scene.stub.world();
            let stored = world.objects.get_mut(scene.key()).unwrap();
            for map in ["labels", "annotations"] {
                stored.object["metadata"][map]["theirs"] = "kept".into();
                let owners = stored.owners.entry((map, "theirs".to_owned()));
                owners.or_default().insert("kubectl-edit".to_owned());
            }
        }
        let metadata = |scene: &Scene| {
            let world = scene.stub.world();
            world.objects[scene.key()].object["metadata"].clone()
        };
        let generation = metadata(&scene)["generation"].clone();
        scene.extra = options(&["--labels=team=a"]);
        scene.succeeds("1");
        let metadata = metadata(&scene);
        assert_eq!(
            metadata["labels"],
            serde_json::json!({"team": "a", "theirs": "kept"}),
            "{target}"
        );
        let annotations = metadata["annotations"].as_object().unwrap();
        assert!(!annotations.contains_key("owner"), "{target}");
        assert_eq!(annotations["theirs"], "kept", "{target}");
        assert_eq!(metadata["generation"], generation, "{target}: no new pods");
        let writes = scene.stub.world().writes();
        scene.succeeds("1");
        assert_eq!(scene.stub.world().writes(), writes, "{target}");
    }
}

#[test]
fn a_version_that_never_gets_ready_is_replaced_by_the_former_one() {
    for target in LIVE {
        let mut scene = Scene::new(target);
        scene.succeeds("1");
        scene.behaves("2", Behaviour::NeverReady);
        scene.deadline = "3";
        scene.fails(
            "2",
            &["version 1 is back in service", "next: kubectl -n seldon"],
        );
        assert_eq!(scene.serving(), ["1"], "{target}");
        assert_eq!(scene.gaps(), 0);
        assert!(
            !scene.pfs.out().contains(&"deployment.json".to_owned())
                || scene.record()["model"]["version"] == "1"
        );
    }
}

fn evidence(scene: &Scene) -> Vec<String> {
    let record = scene.record();
    let evidence = record["evidence"].as_array().unwrap().iter();
    evidence
        .map(|one| one.as_str().unwrap().to_owned())
        .collect()
}

#[test]
fn the_strongest_evidence_that_can_be_reached_is_taken() {
    for (target, readable, reachable, expected) in [
        (
            "seldon-core",
            true,
            true,
            vec!["deployments", "model-metadata"],
        ),
        ("seldon-core", true, false, vec!["deployments"]),
        ("seldon-core", false, true, vec!["model-metadata"]),
        ("seldon-core", false, false, vec!["condition-history"]),
        ("seldon-deploy", true, true, vec!["model-metadata"]),
        ("seldon-deploy", true, false, vec!["condition-history"]),
        ("kserve", true, true, vec!["deployments", "model-metadata"]),
        ("kserve", false, false, vec!["observed-generation"]),
    ] {
        let scene = Scene::new(target);
        {
            let mut world = scene.stub.world();
            world.evidence_allowed = readable;
            world.reachable = reachable;
        }
        scene.succeeds("1");
        // Conditions have whole seconds: two transitions in one look like none.
        std::thread::sleep(Duration::from_millis(1100));
        scene.behaves("2", Behaviour::Good(1200));
        scene.succeeds("2");
        assert_eq!(
            evidence(&scene),
            expected,
            "{target} {readable} {reachable}"
        );
        assert!(scene.serving().contains(&"2".to_owned()));
    }
}

#[test]
fn the_model_is_asked_through_the_ingress() {
    let mut scene = Scene::new("seldon-deploy");
    scene.extra = vec!["--ingress".to_owned(), scene.stub.url()];
    scene.succeeds("1");
    assert_eq!(evidence(&scene), ["model-metadata"]);
}

#[test]
fn without_rollback_the_failed_version_stays_and_the_old_pods_serve() {
    let mut scene = Scene::new("seldon-core");
    scene.succeeds("1");
    scene.extra = vec!["--no-rollback".to_owned()];
    scene.behaves("2", Behaviour::NeverReady);
    scene.fails("2", &["was not put back"]);
    assert_eq!(scene.serving(), ["1"]);
}

#[test]
fn a_first_version_that_fails_is_left_to_be_looked_at() {
    let mut scene = Scene::new("seldon-core");
    scene.deadline = "3";
    scene.behaves("1", Behaviour::Stuck("ImagePullBackOff"));
    scene.fails(
        "1",
        &["ImagePullBackOff", "no version before", "next: kubectl"],
    );
    // The next one, which is good, replaces it.
    scene.succeeds("2");
    assert_eq!(scene.serving(), ["2"]);
}

#[test]
fn a_watch_tells_of_a_change_before_the_next_look_is_due() {
    for target in ["seldon-core", "kserve"] {
        let mut scene = Scene::new(target);
        scene.stub.world().reachable = true;
        scene.poll = "20s";
        let started = Instant::now();
        scene.succeeds("1");
        assert!(started.elapsed() < Duration::from_secs(18), "{target}");
    }
}
