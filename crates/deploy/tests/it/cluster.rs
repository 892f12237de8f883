//! The same rollouts on an API server whose operator this test plays: on the stub
//! always, and on a real one where `DEPLOY_TEST_KUBECONFIG` names it. There,
//! kubectl installs the CRD and the rights of `pipelines/`, and deploy runs with
//! the token of their service account and nothing else.

mod operator;
mod place;

use std::process::Output;

use serde_json::{Value, json};

use crate::support::stderr;
use operator::Operator;
use place::Place;

/// A cluster, and somebody who plays the operator.
struct Suite {
    place: Place,
    operator: Operator,
}

impl Suite {
    fn on(place: Place) -> Self {
        let operator = Operator::at_work(&place);
        Self { place, operator }
    }

    fn deploy(&self, version: &str, extra: &[&str]) -> Output {
        self.place.pfs.set_version(version);
        let mut command = self.place.pfs.deploy(&[
            "--deploy-name=iris",
            "--serving-image=registry.example/serve:0.0.1",
            "--target=seldon-core",
            // An operator of the cluster's own leaves it alone.
            "--labels=seldon.io/controller-id=test",
            "--poll=200ms",
        ]);
        command
            .args(["--namespace", &self.place.namespace])
            .args(extra)
            .env("KUBECONFIG", self.place.pfs.path("kubeconfig"));
        command.output().unwrap()
    }

    #[track_caller]
    fn succeeds(&self, version: &str, extra: &[&str]) -> Value {
        let output = self.deploy(version, extra);
        assert!(output.status.success(), "{}", stderr(&output));
        let record = self.place.pfs.path("out/deployment.json");
        serde_json::from_str(&std::fs::read_to_string(record).unwrap()).unwrap()
    }

    #[track_caller]
    fn fails(&self, version: &str, extra: &[&str], said: &[&str]) {
        let output = self.deploy(version, extra);
        let text = stderr(&output);
        assert_eq!(output.status.code(), Some(1), "{text}");
        for words in said {
            assert!(text.contains(words), "{words:?} is not in:\n{text}");
        }
    }

    fn first_and_again(&self) {
        let record = self.succeeds("1", &["--deadline=30"]);
        assert_eq!(record["evidence"], json!(["deployments"]));
        let stored = self.operator.object().unwrap();
        let record = self.succeeds("1", &["--deadline=30"]);
        assert_eq!(record["changed"], false);
        assert_eq!(
            self.operator.object().unwrap()["metadata"],
            stored["metadata"]
        );
    }

    /// A default of the schema in the stored object is no difference.
    fn defaults_are_no_difference(&self) {
        let overlay =
            "pod: {containers: [{name: iris-container, ports: [{containerPort: 7000}]}]}\n";
        std::fs::write(self.place.pfs.path("data/overlay.yaml"), overlay).unwrap();
        let extra = ["--deadline=30", "--overlay=/pfs/data/overlay.yaml"];
        self.succeeds("2", &extra);
        let stored = self.operator.object().unwrap();
        let record = self.succeeds("2", &extra);
        assert_eq!(record["changed"], false);
        assert_eq!(
            self.operator.object().unwrap()["metadata"],
            stored["metadata"]
        );
    }

    fn never_ready(&self) {
        self.operator.never_ready("3");
        let said = [
            "the rollout has failed",
            "condition Ready is False",
            "version 2 is back",
        ];
        self.fails("3", &["--deadline=3"], &said);
        assert_eq!(self.operator.version(), "2");
    }

    fn another_manager(&self) {
        let mut theirs = self.operator.object().unwrap();
        theirs["spec"]["predictors"][0]["replicas"] = json!(2);
        self.operator.apply_as("somebody-else", &theirs);
        self.fails(
            "4",
            &["--deadline=30"],
            &[
                "somebody-else",
                ".spec.predictors",
                "--force-conflicts",
                "nothing was changed",
            ],
        );
        assert_eq!(self.operator.version(), "2");
        self.succeeds("4", &["--deadline=30", "--force-conflicts"]);
        assert_eq!(self.operator.version(), "4");
    }

    /// What deploy relies on when it asks for strict validation.
    fn strict_validation(&self) {
        let mut object = self.operator.object().unwrap();
        object["spec"]["predictors"][0]["graph"]["imagee"] = json!("a");
        let error = self.operator.try_apply("test", &object).unwrap_err();
        assert!(error.contains("imagee"), "{error}");
    }

    fn run(&self) {
        self.first_and_again();
        self.defaults_are_no_difference();
        self.never_ready();
        self.another_manager();
        self.strict_validation();
    }
}

#[test]
fn on_the_stub() {
    Suite::on(Place::stub()).run();
}

#[test]
#[ignore = "needs a cluster: set DEPLOY_TEST_KUBECONFIG, and SELDON_CRD to the file of the CRD"]
fn on_a_real_api_server() {
    Suite::on(Place::real()).run();
}
