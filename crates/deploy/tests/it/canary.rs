//! A canary is promoted or withdrawn by its figures.

use crate::support::scene::Scene;
use crate::support::stderr;

fn scene(prometheus: bool, target: &'static str) -> Scene {
    let mut scene = Scene::new(target);
    scene.succeeds("1");
    scene.extra = ["--canary", "10", "--for", "2s"]
        .map(str::to_owned)
        .to_vec();
    if prometheus {
        let url = format!("{}/prometheus", scene.stub.url());
        scene.extra.extend(["--prometheus".to_owned(), url]);
    }
    scene
}

const SOURCES: [(bool, &str); 3] = [
    (false, "seldon-core"),
    (true, "seldon-core"),
    (true, "seldon-deploy"),
];

fn predictors(scene: &Scene) -> Vec<String> {
    let world = scene.stub.world();
    let predictors = world.objects[scene.key()].object["spec"]["predictors"]
        .as_array()
        .unwrap();
    let names = predictors
        .iter()
        .map(|p| format!("{} {}", p["name"].as_str().unwrap(), p["traffic"]));
    names.collect()
}

#[test]
fn a_canary_as_good_as_the_old_version_takes_over() {
    for (prometheus, target) in SOURCES {
        let scene = scene(prometheus, target);
        let output = scene.succeeds("2");
        let text = stderr(&output);
        assert!(text.contains("0.0 % errors"), "{text}");
        assert!(text.contains("the canary is promoted"), "{text}");
        assert_eq!(predictors(&scene), ["default 100"]);
        assert_eq!(scene.record()["model"]["version"], "2");
        assert_eq!(scene.gaps(), 0);
        // The same again is nothing to do.
        let writes = scene.stub.world().writes();
        scene.succeeds("2");
        assert_eq!(scene.stub.world().writes(), writes);
    }
}

#[test]
fn a_canary_that_fails_requests_is_withdrawn() {
    for (prometheus, target) in SOURCES {
        let scene = scene(prometheus, target);
        scene.stub.world().error_percent.insert("2".to_owned(), 20);
        let output = scene.fails("2", &["its error rate is higher", "version 1 is back"]);
        assert!(stderr(&output).contains("withdrawn"));
        assert_eq!(predictors(&scene), ["default 100"]);
        assert_eq!(scene.serving(), ["1"]);
        assert_eq!(scene.gaps(), 0);
    }
}

#[test]
fn a_canary_that_is_slow_is_withdrawn() {
    for (prometheus, target) in SOURCES {
        let scene = scene(prometheus, target);
        scene.stub.world().slow.insert("2".to_owned());
        scene.fails("2", &["it is slower", "95 % within", "version 1 is back"]);
        assert_eq!(predictors(&scene), ["default 100"]);
        assert_eq!(scene.serving(), ["1"]);
    }
}

#[test]
fn a_canary_that_nobody_asks_is_withdrawn() {
    let scene = scene(false, "seldon-core");
    scene.stub.world().traffic = false;
    scene.fails("2", &["too few to judge", "version 1 is back"]);
    assert_eq!(predictors(&scene), ["default 100"]);
}

#[test]
fn a_canary_that_was_killed_is_tried_again() {
    let scene = scene(false, "seldon-core");
    let mut child = scene
        .command("2")
        .stderr(std::process::Stdio::null())
        .spawn()
        .unwrap();
    scene.wait_for_write();
    child.kill().unwrap();
    child.wait().unwrap();
    assert_eq!(predictors(&scene), ["default 90", "canary 10"]);
    scene.stub.world().error_percent.insert("2".to_owned(), 50);
    scene.fails("2", &["version 1 is back"]);
    assert_eq!(predictors(&scene), ["default 100"]);
    assert_eq!(scene.serving(), ["1"]);
}

#[test]
fn the_first_version_needs_no_canary() {
    let mut scene = Scene::new("seldon-core");
    scene.extra = ["--canary", "10"].map(str::to_owned).to_vec();
    scene.succeeds("1");
    assert_eq!(predictors(&scene), ["default 100"]);
}

#[test]
fn a_shadow_runs_beside_and_answers_nobody() {
    let mut scene = Scene::new("seldon-core");
    scene.extra = vec!["--shadow".to_owned()];
    scene.fails("1", &["there is no version yet"]);
    scene.extra.clear();
    scene.succeeds("1");
    scene.extra = vec!["--shadow".to_owned()];
    scene.succeeds("2");
    let world = scene.stub.world();
    let spec = &world.objects[scene.key()].object["spec"]["predictors"];
    assert_eq!(spec[1]["shadow"], true);
    assert_eq!(spec[0]["graph"]["parameters"][1]["value"], "1");
}
