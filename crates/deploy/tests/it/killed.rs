//! SIGKILL, the only signal that Pachyderm sends, at any moment: the old version
//! or the new one serves, and a retry finishes.

use std::process::{Child, Stdio};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use crate::rollout::LIVE;
use crate::stub::Behaviour;
use crate::support::scene::Scene;
use crate::support::stderr;

/// Moments for each target.
const MOMENTS: u64 = 14;

/// Numbers that look random and are the same in each run (xorshift64*).
fn random(seed: u64) -> u64 {
    let mut x = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    x ^= x >> 12;
    x ^= x << 25;
    x ^= x >> 27;
    x.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 33
}

/// Version 2, on its way.
fn start(scene: &Scene) -> Child {
    let mut command = scene.command("2");
    command.stdout(Stdio::null()).stderr(Stdio::null());
    command.spawn().unwrap()
}

/// Returns whether it was killed: it may have ended by itself.
fn kill(mut child: Child) -> bool {
    let _ = child.kill();
    child.wait().unwrap().code().is_none()
}

/// Kills a rollout of version 2 when it has made a number of requests, and a few
/// milliseconds later, by the seed.
fn kill_and_retry(target: &'static str, seed: u64) -> bool {
    let mut scene = Scene::new(target);
    let canary = target == "seldon-core" && seed % 3 == 2;
    scene.succeeds("1");
    let good = seed % 4 != 3 || canary;
    scene.deadline = if good { "30" } else { "3" };
    scene.behaves(
        "2",
        if good {
            Behaviour::Good(500)
        } else {
            Behaviour::NeverReady
        },
    );
    if canary {
        scene.extra = ["--canary", "10", "--for", "1s"]
            .map(str::to_owned)
            .to_vec();
    }
    let requests = if canary { 60 } else { 24 };
    let requests = scene.stub.world().log.len() + usize::try_from(random(seed) % requests).unwrap();
    let mut child = start(&scene);
    while scene.stub.world().log.len() < requests && child.try_wait().unwrap().is_none() {
        std::thread::sleep(Duration::from_millis(1));
    }
    std::thread::sleep(Duration::from_millis(random(seed + 1000) % 40));
    let killed = kill(child);
    let moment = format!("{target}, seed {seed}, after {requests} requests");
    assert!(!scene.serving().is_empty(), "{moment}");

    let output = scene.deploy("2");
    let (code, version) = if good { (0, "2") } else { (1, "1") };
    assert_eq!(
        output.status.code(),
        Some(code),
        "{moment}: {}",
        stderr(&output)
    );
    assert_eq!(
        scene.settled(version),
        [version],
        "{moment}: {}",
        stderr(&output)
    );
    assert_eq!(scene.gaps(), 0, "{moment}");
    let world = scene.stub.world();
    let object = &world.objects[scene.key()].object;
    if target != "kserve" {
        let predictors = object["spec"]["predictors"].as_array().unwrap();
        assert_eq!(predictors.len(), 1, "{moment}: a canary is left over");
    }
    killed
}

#[test]
fn killed_at_any_moment_and_run_again() {
    let moments = LIVE
        .iter()
        .flat_map(|target| (0..MOMENTS).map(move |seed| (*target, seed)));
    let moments = Mutex::new(moments);
    let kills = AtomicU64::new(0);
    std::thread::scope(|scope| {
        for _ in 0..14 {
            scope.spawn(|| {
                loop {
                    let Some((target, seed)) = moments.lock().unwrap().next() else {
                        return;
                    };
                    let killed = kill_and_retry(target, seed);
                    kills.fetch_add(u64::from(killed), Ordering::Relaxed);
                }
            });
        }
    });
    let (kills, of) = (kills.into_inner(), LIVE.len() as u64 * MOMENTS);
    println!("{kills} of {of} rollouts were killed before their end");
    assert!(
        kills * 2 > of,
        "only {kills} of {of} were killed before their end"
    );
}

#[test]
fn killed_while_the_manifest_is_written() {
    for seed in 0..MOMENTS {
        let scene = Scene::new("manifest");
        scene.succeeds("1");
        let child = start(&scene);
        std::thread::sleep(Duration::from_micros(random(seed) % 30_000));
        kill(child);
        let version = scene.version_in_the_manifest();
        assert!(
            ["1", "2"].contains(&version.as_str()),
            "seed {seed}: {version}"
        );
        scene.succeeds("2");
        assert_eq!(scene.version_in_the_manifest(), "2");
        let out = ["deployment.json", "seldon-deployment.yaml"];
        assert_eq!(scene.pfs.out(), out, "seed {seed}");
    }
}
