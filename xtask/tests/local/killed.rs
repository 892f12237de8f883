//! SIGKILL at any moment: the next run goes on, and nothing half made is seen.

use std::fs;
use std::thread;
use std::time::{Duration, Instant};

use walkdir::WalkDir;

use crate::case::{Case, eventually, is_alive, json};

#[test]
fn a_killed_run_is_continued_under_its_id() {
    let case = Case::new("hanging");
    case.mode("hang");
    let mut run = case.start(&[]);
    let state = || case.jobs("model").first().map(|job| job["state"].clone());
    eventually("the job", || case.noted("job") == 1 && state().is_some());
    let note = fs::read_dir(case.state().join("processes/job"))
        .unwrap()
        .next()
        .unwrap();
    let pid = json(&note.unwrap().path())["pid"].to_string();
    run.child.kill().unwrap();
    run.child.wait().unwrap();
    assert!(is_alive(&pid), "SIGKILL of the runner leaves its program");
    assert!(case.head("model").is_none());
    assert_eq!(state().unwrap(), "JOB_RUNNING");
    let id = case.head("data").unwrap()["id"].clone();

    let mut run = case.start(&[]);
    eventually("the end of the program", || !is_alive(&pid));
    eventually("the second job", || case.noted("job") == 1);
    run.child.kill().unwrap();
    run.child.wait().unwrap();
    assert_eq!(case.jobs("model").len(), 1, "the job keeps its ID");
    assert_eq!(case.jobs("model")[0]["id"], id);

    case.mode("ok");
    case.succeeds(&[]);
    assert_eq!(case.noted("job"), 0);
}

#[test]
fn killed_at_any_moment_every_commit_is_whole() {
    let case = Case::new("killed");
    case.mode("slow");
    case.succeeds(&[]);
    let mut delay = Duration::from_millis(20);
    let mut ended = 0;
    for round in 4.. {
        case.rows(round);
        let mut run = case.start(&[]);
        let started = Instant::now();
        while started.elapsed() < delay && case.noted("serve") == 0 {
            thread::sleep(Duration::from_millis(1));
        }
        run.child.kill().unwrap();
        run.child.wait().unwrap();
        assert_whole(&case);
        delay += Duration::from_millis(60);
        ended += usize::from(case.noted("serve") > 0);
        if ended > 1 || round > 60 {
            break;
        }
    }
    assert!(ended > 0, "no run came as far as serving");
    case.rows(2);
    case.succeeds(&[]);
    assert_whole(&case);
    assert_eq!(
        fs::read_to_string(case.files("model").join("model/rows")).unwrap(),
        "3"
    );
    let partial = WalkDir::new(case.state().join("repos"));
    let partial = partial.into_iter().filter(|entry| {
        entry
            .as_ref()
            .unwrap()
            .file_name()
            .to_string_lossy()
            .starts_with(".partial-")
    });
    assert_eq!(partial.count(), 0, "what was left unfinished is removed");
}

/// Each commit that can be reached holds exactly the files that it lists.
fn assert_whole(case: &Case) {
    for repo in ["data", "experiment", "model", "rollout"] {
        let commits = case.state().join("repos").join(repo).join("commits");
        let mut next = case.head(repo);
        while let Some(commit) = next {
            let files = commits.join(commit["id"].as_str().unwrap()).join("files");
            let listed = commit["files"].as_object().unwrap();
            let found = WalkDir::new(&files).into_iter();
            let found = found.filter(|entry| entry.as_ref().unwrap().file_type().is_file());
            assert_eq!(found.count(), listed.len());
            for (name, entry) in listed {
                let size = fs::metadata(files.join(name)).unwrap().len();
                assert_eq!(size, entry["size"].as_u64().unwrap(), "{repo} {name}");
            }
            next = commit["parent"]
                .as_str()
                .map(|id| json(&commits.join(id).join("commit.json")));
        }
    }
}
