//! Detectors: there is no update, so one is replaced only when it differs.

use axum::http::Method;

use crate::stub::{Answer, Rule};
use crate::support::scene::Scene;

fn scene() -> Scene {
    let mut scene = Scene::new("seldon-deploy");
    scene.extra = [
        "--detect-bucket-uri=gs://bucket",
        "--detect-model-name=iris",
        "--detect-batch-size=4",
    ]
    .map(str::to_owned)
    .to_vec();
    scene
}

/// What was done about detectors since the log had this length, reads aside.
fn changes(scene: &Scene, since: usize) -> Vec<String> {
    let world = scene.stub.world();
    let of_detectors = world.log[since..]
        .iter()
        .filter(|call| call.target.contains("/monitor/"));
    let changes = of_detectors.filter(|call| call.method != "GET");
    changes
        .map(|call| {
            let kind = call.target.split("/monitor/").nth(1).unwrap_or_default();
            format!(
                "{} {}",
                call.method,
                kind.split('/').next().unwrap_or_default()
            )
        })
        .collect()
}

fn now(scene: &Scene) -> usize {
    scene.stub.world().log.len()
}

#[test]
fn only_a_detector_that_differs_is_replaced() {
    let mut scene = scene();
    scene.succeeds("1");
    assert_eq!(
        changes(&scene, 0),
        ["POST drift-detector", "POST outlier-detector"]
    );
    assert_eq!(scene.record()["detectors"][0]["change"], "created");

    // A new version with the same detectors; fields of the platform's own.
    let since = now(&scene);
    for body in scene.stub.world().detectors.values_mut() {
        body["config"]["deployment"]["prom_scraping"] = true.into();
    }
    scene.succeeds("2");
    assert!(changes(&scene, since).is_empty());
    assert_eq!(scene.record()["detectors"][1]["change"], "unchanged");

    let since = now(&scene);
    scene.extra.pop();
    scene.extra.push("--detect-batch-size=8".to_owned());
    scene.succeeds("2");
    let all = [
        "DELETE drift-detector",
        "POST drift-detector",
        "DELETE outlier-detector",
        "POST outlier-detector",
    ];
    assert_eq!(changes(&scene, since), all);
    assert_eq!(scene.record()["detectors"][0]["change"], "replaced");
}

#[test]
fn one_that_fails_leaves_the_version_and_the_other_detector_and_a_retry_makes_it() {
    let scene = scene();
    let rule = Rule {
        method: Method::POST,
        path: "drift-detector",
        skip: 0,
        times: 1,
        answer: Answer::Status(403, "no rights to the bucket"),
    };
    scene.stub.world().rules.0.push(rule);
    let said = [
        "create the drift detector",
        "no rights to the bucket",
        "stub-request-1",
        "stays",
    ];
    scene.fails("1", &said);
    assert_eq!(scene.serving(), ["1"]);
    let since = now(&scene);
    scene.succeeds("1");
    assert_eq!(changes(&scene, since), ["POST drift-detector"]);
}
