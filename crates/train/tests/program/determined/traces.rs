//! The requests of whole runs against those that the Python SDK was recorded to
//! send.

use std::fs;
use std::path::PathBuf;

use determined_mock::Request;
use serde_json::{Value, json};

use super::own::Own;
use super::support::Case;

/// What we send and the SDK does not: finding the own earlier experiment, starting
/// it, resuming a log, and a version's name and notes in the request that makes it;
/// of a trial, names as the description has them, and a preemption.
const OURS: [(&str, &[&str]); 7] = [
    (
        "GET /api/v1/experiments",
        &["sortBy", "orderBy", "archived", "limit"],
    ),
    ("GET /api/v1/trials/{trial_id}/logs", &["timestampAfter"]),
    ("POST /api/v1/models/{name}/versions", &["name", "notes"]),
    ("POST /api/v1/experiments/{id}/activate", &[]),
    (
        "GET /api/v1/allocations/{allocation_id}/signals/preemption",
        &["timeoutSeconds"],
    ),
    (
        "POST /api/v1/trials/{trial_id}/progress",
        &["trialId", "isRaw"],
    ),
    (
        "POST /api/v1/allocations/{allocation_id}/signals/ack_preemption",
        &["allocationId"],
    ),
];

/// What of a request was never recorded.
fn unknown(routes: &[Value], request: &Request) -> Vec<String> {
    let what = format!("{} {}", request.method, request.path);
    let recorded = routes
        .iter()
        .find(|route| request.fits(route["route"].as_str().unwrap()));
    let ours = OURS.iter().find(|(route, _)| request.fits(route));
    if recorded.is_none() && ours.is_none() {
        return vec![what];
    }
    let is_known = |name: &str, kind: &str| {
        let seen = recorded.and_then(|route| route[kind].as_array());
        seen.is_some_and(|names| names.contains(&json!(name)))
            || ours.is_some_and(|(_, names)| names.contains(&name))
    };
    let queries = request.query.iter().map(|(name, _)| name);
    let queries = queries.filter(|name| !is_known(name, "query_parameters_seen"));
    let fields = request.body.as_object();
    let fields = fields.into_iter().flat_map(|body| body.keys());
    let fields = fields.filter(|name| !is_known(name, "request_fields_seen"));
    let names = queries.chain(fields);
    names.map(|name| format!("{what}: {name}")).collect()
}

/// The requests of trainings with this program, on the cluster and detached.
fn trials() -> Vec<Request> {
    let own = Own::new();
    let mut child = own.start(&[]);
    own.wait_for("RUNNING", &mut child);
    own.master.world().preempt = true;
    own.task();
    own.task();
    own.published(&child.wait_with_output().unwrap());
    let detached = Own::new();
    detached.published(&detached.command(&["--detached"]).output().unwrap());
    [own.master.requests(), detached.master.requests()].concat()
}

#[test]
#[ignore = "needs ../shared (or SHARED_DIR)"]
fn requests_are_those_that_the_sdk_was_recorded_to_send() {
    let folder = std::env::var_os("SHARED_DIR").map_or_else(
        || PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared")),
        PathBuf::from,
    );
    let text = fs::read_to_string(folder.join("spec/determined-traces.json")).unwrap();
    let traces: Value = serde_json::from_str(&text).unwrap();
    let routes = traces["routes"].as_array().unwrap();
    let mut case = Case::new();
    case.master.world().script.activation_fails = true;
    case.master.world().log_cuts = vec![1];
    case.succeeds(&[]);
    case.master.world().script.activation_fails = false;
    case.master.world().models[0].versions[0].name = "another job".to_owned();
    case.master
        .world()
        .experiments
        .get_mut(&1)
        .unwrap()
        .archived = true;
    case.again();
    case.succeeds(&["--fork"]);
    let mut requests = case.master.requests();
    requests.extend(trials());
    let problems: Vec<String> = requests.iter().flat_map(|r| unknown(routes, r)).collect();
    assert!(problems.is_empty(), "{}", problems.join("\n"));
    assert!(requests.len() > 60, "{}", requests.len());
    // The check itself finds what is wrong.
    let mut wrong = requests[0].clone();
    wrong.body["pasword"] = json!(1);
    assert_eq!(unknown(routes, &wrong).len(), 1);
}
