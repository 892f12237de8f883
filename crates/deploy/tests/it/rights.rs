//! The rights in `pipelines/deploy-rbac.yaml`: the stub's authoriser refuses
//! everything else in all tests; here it is shown that none is left over.

use std::collections::BTreeSet;

use crate::stub::{Behaviour, rights};
use crate::support::scene::Scene;

#[test]
fn every_right_is_used_and_no_other() {
    let mut used = BTreeSet::new();
    for target in ["seldon-core", "kserve"] {
        let mut scene = Scene::new(target);
        scene.succeeds("1");
        scene.behaves("2", Behaviour::NeverReady);
        scene.deadline = "3";
        scene.fails(
            "2",
            &["Readiness probe failed", "version 1 is back in service"],
        );
        if target == "seldon-core" {
            scene.deadline = "30";
            scene.extra = ["--canary", "10", "--for", "1s"]
                .map(str::to_owned)
                .to_vec();
            scene.succeeds("3");
        }
        used.extend(scene.stub.world().rights.iter().cloned());
    }
    assert_eq!(&used, rights::granted());
}

#[test]
fn a_missing_right_is_named() {
    let scene = Scene::new("seldon-core");
    scene.stub.world().role_bound = false;
    scene.fails(
        "1",
        &[
            "cannot get resource \"seldondeployments\"",
            "deploy-rbac.yaml",
            "nothing was changed",
        ],
    );
}
