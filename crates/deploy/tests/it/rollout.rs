//! Rollouts, through the program, on clusters of the stub.

use std::process::Output;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::stub::{Behaviour, CLIENT_SECRET, Stub, TOKEN};
use crate::support::{Pfs, stderr};

/// One folder, one stub, one target: what several runs of deploy share.
pub(crate) struct Scene {
    pub(crate) stub: Stub,
    pub(crate) target: &'static str,
    pub(crate) name: &'static str,
    pub(crate) extra: Vec<String>,
    /// Seconds; generous where success is wanted, as the machine may be busy.
    pub(crate) deadline: &'static str,
    pub(crate) poll: &'static str,
    pub(crate) pfs: Pfs,
}

impl Scene {
    pub(crate) fn new(target: &'static str) -> Self {
        let stub = Stub::start();
        let pfs = Pfs::new("");
        std::fs::write(pfs.path("token"), TOKEN).unwrap();
        std::fs::write(pfs.path("kubeconfig"), stub.kubeconfig(&pfs.path("token"))).unwrap();
        Self {
            stub,
            target,
            name: "iris",
            extra: Vec::new(),
            deadline: "30",
            poll: "100ms",
            pfs,
        }
    }

    pub(crate) fn command(&self, version: &str) -> std::process::Command {
        let info = format!(
            "name: iris\nversion: '{version}'\npipeline: iris-model\nrepo: iris-data\n\
             uri: s3://bucket/{version}/model\n"
        );
        std::fs::write(self.pfs.path("data/model-info.yaml"), info).unwrap();
        let mut command = self.pfs.deploy(&[
            "--deploy-name",
            self.name,
            "--serving-image",
            "registry.example/serve:0.0.1",
            "--namespace",
            "seldon",
            "--target",
            self.target,
        ]);
        command
            .args(["--deadline", self.deadline, "--poll", self.poll])
            .args(&self.extra)
            .env("KUBECONFIG", self.pfs.path("kubeconfig"))
            .env("SEL_URL", self.stub.url())
            .env("SEL_SECRET", CLIENT_SECRET);
        command
    }

    pub(crate) fn deploy(&self, version: &str) -> Output {
        self.command(version).output().unwrap()
    }

    #[track_caller]
    pub(crate) fn succeeds(&self, version: &str) -> Output {
        let output = self.deploy(version);
        assert!(output.status.success(), "{}", stderr(&output));
        output
    }

    #[track_caller]
    pub(crate) fn fails(&self, version: &str, said: &[&str]) -> Output {
        let output = self.deploy(version);
        let text = stderr(&output);
        assert_eq!(output.status.code(), Some(1), "{text}");
        for words in said {
            assert!(text.contains(words), "{words:?} is not in:\n{text}");
        }
        output
    }

    pub(crate) fn behaves(&self, version: &str, behaviour: Behaviour) {
        self.stub
            .world()
            .behaviours
            .insert(version.to_owned(), behaviour);
    }

    pub(crate) fn key(&self) -> &'static str {
        match self.target {
            "kserve" => "InferenceService/seldon/iris",
            _ => "SeldonDeployment/seldon/iris",
        }
    }

    /// The versions that answer now.
    pub(crate) fn serving(&self) -> Vec<String> {
        self.stub.world().serving(self.key()).into_iter().collect()
    }

    /// Returns when version 2 has been written, and the operator is at work.
    pub(crate) fn wait_for_write(&self) {
        for _ in 0..1000 {
            let world = self.stub.world();
            let object = world.objects.get(self.key());
            if object.is_some_and(|stored| stored.object["metadata"]["generation"] == 2) {
                drop(world);
                std::thread::sleep(Duration::from_millis(300));
                return;
            }
            drop(world);
            std::thread::sleep(Duration::from_millis(10));
        }
        panic!("nothing was written");
    }

    pub(crate) fn gaps(&self) -> usize {
        self.stub.world().gaps.len()
    }

    pub(crate) fn record(&self) -> Value {
        let text = std::fs::read_to_string(self.pfs.path("out/deployment.json")).unwrap();
        serde_json::from_str(&text).unwrap()
    }
}

const LIVE: [&str; 3] = ["seldon-core", "seldon-deploy", "kserve"];

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
