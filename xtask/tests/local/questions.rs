//! `status`, `logs`, `diff` and `rm`, and `--watch`.

use serde_json::Value;

use crate::case::{Case, eventually};

#[test]
fn what_was_kept_can_be_asked_for_and_forgotten() {
    let case = Case::new("asked");
    case.succeeds(&[]);
    let first = case.head("data").unwrap()["id"]
        .as_str()
        .unwrap()
        .to_owned();
    case.rows(5);
    case.succeeds(&[]);
    let status = case.ask(&["status", "asked", "--json"]);
    let status: Value = serde_json::from_str(&status).unwrap();
    let repos = status[0]["repos"].as_array().unwrap();
    let data = repos.iter().find(|repo| repo["name"] == "data").unwrap();
    assert_eq!(data["commits"].as_array().unwrap().len(), 2);
    assert_eq!(data["commits"][1]["id"], *first);
    assert_eq!(status[0]["jobs"].as_array().unwrap().len(), 4);
    let shown = case.ask(&["status", "asked"]);
    assert!(
        shown.contains(&format!("job model@{first}  JOB_SUCCESS")),
        "{shown}"
    );

    let log = case.ask(&["logs", &format!("model@{}", &first[..8])]);
    assert_eq!(log, "training in mode ok\n");
    let changed = case.ask(&["diff", &format!("data@{first}"), "data"]);
    assert!(changed.starts_with("~ /rows.csv  "), "{changed}");

    let changed = case.ask(&["diff", "data", &format!("data@{first}")]);
    assert!(changed.starts_with("~ /rows.csv  "), "{changed}");
    let other = Case::new("asked-too");
    other.succeeds(&[]);
    let refused = case.refused(&["diff", "data", "data"]);
    assert!(
        refused.contains("asked") && refused.contains("asked-too"),
        "{refused}"
    );

    case.ask(&["rm", "asked"]);
    assert!(!case.state().exists());
}

#[test]
fn a_change_is_committed_while_it_is_watched() {
    let case = Case::new("watched");
    let run = case.start(&["--watch"]);
    run.says("Watching");
    let first = case.head("rollout").unwrap()["id"].clone();
    case.rows(7);
    eventually("a second version", || {
        case.head("rollout").unwrap()["id"] != first
    });
    let rows = std::fs::read_to_string(case.files("model").join("model/rows")).unwrap();
    assert_eq!(rows, "8");
}
