//! Killed at any moment, or out of space: no half-made package is ever accepted.

#![cfg(unix)]

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::common::{Noise, Pfs, VERSION, mixed_csv, tree};
use model::{Digest, ModelInfo, Package};

/// What a whole run publishes, and how long it takes.
fn whole_run() -> (Digest, BTreeMap<String, Vec<u8>>, Duration) {
    let pfs = Pfs::with_csv(mixed_csv());
    let start = Instant::now();
    pfs.train(&[]);
    let taken = start.elapsed();
    (pfs.package().manifest.digest, tree(&pfs.out()), taken)
}

/// Whether the document is there. If it is, all is; and no directory passes for
/// a package that is not the whole one.
fn published(out: &Path, whole: Digest) -> bool {
    for entry in fs::read_dir(out)
        .unwrap()
        .map(Result::unwrap)
        .filter(|e| e.path().is_dir())
    {
        if let Ok(package) = Package::open(&entry.path()) {
            assert_eq!(package.manifest.digest, whole, "{}", entry.path().display());
        }
    }
    let info = out.join("model-info.yaml");
    if !info.exists() {
        return false;
    }
    let info = ModelInfo::read(&info).unwrap();
    assert_eq!(info.version, VERSION);
    Package::open_pinned(&out.join("model"), info.digest.unwrap()).unwrap();
    true
}

/// Kills a run after `delay`, counted from its start or from the first thing
/// that it writes; gives whether it had published.
fn killed(delay: Duration, from_first_write: bool, whole: Digest) -> bool {
    let pfs = Pfs::with_csv(mixed_csv());
    let mut child = pfs
        .command()
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    while from_first_write && tree_is_empty(&pfs.out()) && child.try_wait().unwrap().is_none() {}
    std::thread::sleep(delay);
    // SIGKILL, as Pachyderm sends it.
    child.kill().unwrap();
    child.wait().unwrap();
    published(&pfs.out(), whole)
}

fn tree_is_empty(folder: &Path) -> bool {
    fs::read_dir(folder).unwrap().next().is_none()
}

#[test]
fn kill_at_any_moment() {
    let (whole, _, taken) = whole_run();
    let mut noise = Noise::new(2);
    let delays: Vec<Duration> = (0..25)
        .map(|n| taken.mul_f64((f64::from(n) + noise.uniform()) / 25.0))
        .collect();
    let early = delays
        .iter()
        .filter(|delay| !killed(**delay, false, whole))
        .count();
    assert!(early >= 5, "only {early} of 25 runs were interrupted");
}

#[test]
fn kill_while_it_publishes() {
    let (whole, ..) = whole_run();
    let mut noise = Noise::new(4);
    let half = (0..40).filter(|_| {
        let delay = Duration::from_micros((noise.uniform().powi(3) * 8000.0) as u64);
        !killed(delay, true, whole)
    });
    let half = half.count();
    assert!(
        half >= 3,
        "only {half} of 40 runs were interrupted while they published"
    );
}

/// Every file is limited to so many KiB, as on a disk with that much space left.
fn run_limited(pfs: &Pfs, kib: u64, prelude: &str) -> Option<i32> {
    let train = pfs.command();
    let script = format!("{prelude} ulimit -f {kib}; exec \"$0\" \"$@\"");
    let mut command = Command::new("bash");
    command
        .args(["-c", &script])
        .arg(train.get_program())
        .args(train.get_args());
    command.envs(
        train
            .get_envs()
            .filter_map(|(key, value)| Some((key, value?))),
    );
    command
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .unwrap()
        .code()
}

#[test]
fn a_write_that_fails_leaves_nothing() {
    let (whole, files, _) = whole_run();
    let largest = files.values().map(Vec::len).max().unwrap() as u64 / 1024 + 1;
    let mut failures = 0;
    for kib in (0..=largest).step_by(2).chain([largest]) {
        let pfs = Pfs::with_csv(mixed_csv());
        // The signal ignored, the write itself fails, as it does on a full disk.
        match run_limited(&pfs, kib, "trap '' XFSZ;") {
            Some(0) => assert!(published(&pfs.out(), whole)),
            Some(1) => {
                failures += 1;
                assert_eq!(tree(&pfs.out()), BTreeMap::new(), "at {kib} KiB");
            }
            other => panic!("{other:?} at {kib} KiB"),
        }
    }
    assert!(failures >= 3, "{failures}");
}

#[test]
fn a_write_that_kills_publishes_nothing() {
    let (whole, ..) = whole_run();
    for kib in [0, 1, 2, 4, 8] {
        let pfs = Pfs::with_csv(mixed_csv());
        assert_eq!(run_limited(&pfs, kib, ""), None, "ended by a signal");
        assert!(!published(&pfs.out(), whole), "at {kib} KiB");
    }
}

#[test]
#[ignore = "needs root to mount a tmpfs"]
fn a_full_disk_leaves_nothing() {
    let (whole, files, _) = whole_run();
    let needed = files
        .values()
        .map(|content| content.len().next_multiple_of(4096))
        .sum::<usize>()
        / 1024;
    let mut failures = 0;
    for kib in (8..needed as u64 + 24).step_by(4) {
        let pfs = Pfs::with_csv(mixed_csv());
        let out = pfs.out();
        let mount = Command::new("mount")
            .args(["-t", "tmpfs", "-o", &format!("size={kib}k"), "tmpfs"])
            .arg(&out)
            .status()
            .unwrap();
        assert!(mount.success(), "cannot mount a tmpfs");
        let status = pfs
            .command()
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status()
            .unwrap();
        let left = tree(&out);
        let whole = status.success() && published(&out, whole);
        assert!(Command::new("umount").arg(&out).status().unwrap().success());
        if !whole {
            failures += 1;
            assert_eq!(status.code(), Some(1), "at {kib} KiB");
            assert_eq!(left, BTreeMap::new(), "at {kib} KiB");
        }
    }
    assert!(failures >= 3, "{failures}");
}
