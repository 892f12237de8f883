//! Our requests, and the mock's answers, against the published description of the
//! API and against what the Python SDK was recorded to send.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

use determined::{
    Best, CheckpointStore, Client, MetricGroup, NewModel, NewVersion, StorageAccess,
    TaskEnvironment, Trial, TrialState,
};
use determined_mock::{MockMaster, Request};
use serde_json::{Value, json};

use crate::support::{client, ended, new_experiment};

/// The folder with the specifications: `SHARED_DIR`, or beside the repository.
fn shared(path: &str) -> Value {
    let folder = std::env::var_os("SHARED_DIR").map_or_else(
        || PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared")),
        PathBuf::from,
    );
    let file = folder.join(path);
    let text = fs::read_to_string(&file).unwrap_or_else(|e| panic!("{}: {e}", file.display()));
    serde_json::from_str(&text).unwrap()
}

/// Every call that the client has, once.
async fn everything(master: &MockMaster, client: &Client) {
    let new = new_experiment();
    client.validate_experiment(&new).await.unwrap();
    let experiment = client.create_experiment(&new).await.unwrap().experiment;
    let mut fork = new_experiment();
    fork.parent_id = Some(experiment.id);
    fork.activate = false;
    let forked = client.create_experiment(&fork).await.unwrap().experiment;
    client.activate_experiment(forked.id).await.unwrap();
    client.cancel_experiment(forked.id).await.unwrap();
    client.kill_experiment(forked.id).await.unwrap();
    master.world().log_cuts = vec![1];
    let experiment = ended(client, experiment.id).await;
    client
        .experiments_with_labels(&["job-1", "iris-data"])
        .await
        .unwrap();
    let Best::Scored(checkpoint, _) = client.best_checkpoint(&experiment).await.unwrap() else {
        panic!("none is scored")
    };
    client.checkpoint(&checkpoint.uuid).await.unwrap();
    let model = NewModel {
        name: "dogs-and-cats".to_owned(),
        labels: vec!["dogs-and-cats-model".to_owned()],
        metadata: serde_json::Map::from_iter([("pipeline".to_owned(), json!("p"))]),
        ..NewModel::default()
    };
    client.ensure_model(&model).await.unwrap();
    let version = NewVersion {
        checkpoint_uuid: checkpoint.uuid.clone(),
        name: "job-1".to_owned(),
        notes: "Job_id/commit_id = job-1".to_owned(),
    };
    client
        .ensure_version("dogs-and-cats", &version)
        .await
        .unwrap();
    client.latest_version("dogs-and-cats").await.unwrap();
    client.model_version("dogs-and-cats", 1).await.unwrap();
    client.model_versions("dogs-and-cats").await.unwrap();
    let dir = tempfile::tempdir().unwrap();
    client
        .download(&checkpoint, &dir.path().join("c"))
        .await
        .unwrap();
    everything_of_trials(master, client).await;
}

/// Every call of a trial, once.
async fn everything_of_trials(master: &MockMaster, client: &Client) {
    let dir = tempfile::tempdir().unwrap();
    let storage = json!({"type": "directory", "container_path": dir.path()});
    let files = BTreeMap::from([("model.onnx".to_owned(), b"graph".to_vec())]);
    let metrics = BTreeMap::from([("accuracy".to_owned(), 0.9), ("bad".to_owned(), f64::NAN)]);
    let mut new = new_experiment();
    new.config["checkpoint_storage"] = storage;

    let managed = client.create_experiment(&new).await.unwrap().experiment;
    let context = tempfile::tempdir().unwrap();
    let command = master.start_task(managed.id, context.path());
    let task = TaskEnvironment::from_variables(|name| {
        let mut set = command.get_envs();
        let found = set.find(|(key, _)| *key == name)?.1?;
        Some(found.to_str().unwrap().to_owned())
    });
    let task = task.unwrap();
    let store = CheckpointStore::of_task(&task, StorageAccess::default()).unwrap();
    let inside = Client::new(task.settings.clone()).unwrap();
    let mut trial = Trial::of_task(inside, &task);
    trial.prepare(store.config()).await.unwrap();
    assert!(!trial.is_preempted_now().await.unwrap());
    trial.report_status("training").await.unwrap();
    trial.report_progress(0.5).await.unwrap();
    for group in [MetricGroup::Training, MetricGroup::Validation] {
        trial.report_metrics(group, 1, &metrics).await.unwrap();
    }
    let checkpoint = store.write(files.clone(), 1, serde_json::Map::new()).await;
    let checkpoint = checkpoint.unwrap();
    trial.report_checkpoint(&checkpoint).await.unwrap();
    let saved = client.checkpoint(&checkpoint.uuid).await.unwrap();
    assert_eq!(saved.resources, checkpoint.resources);
    assert_eq!(saved.training.searcher_metric, Some(0.9));
    trial.report_invalid_hyperparameters().await.unwrap();
    master.world().preempt = true;
    trial.preempted().await.unwrap();
    trial.acknowledge_preemption().await.unwrap();

    let outside = client.ensure_detached_experiment("job-2", &new.config);
    let outside = outside.await.unwrap();
    let hparams = serde_json::Map::new();
    let start = client.start_detached_trial(outside.id, "job-2", &hparams);
    let (trial, resumed) = start.await.unwrap();
    assert_eq!(resumed.latest_checkpoint, None);
    trial.report_state(TrialState::Running).await.unwrap();
    trial.heartbeat().await.unwrap();
    trial.report_checkpoint(&checkpoint).await.unwrap_err();
    let checkpoint = store.write(files, 1, hparams.clone()).await.unwrap();
    trial.report_checkpoint(&checkpoint).await.unwrap();
    // A later start resumes there, and the earlier one is heard no longer.
    let start = client.start_detached_trial(outside.id, "job-2", &hparams);
    let (later, resumed) = start.await.unwrap();
    assert_eq!(resumed.latest_checkpoint, Some(checkpoint.uuid));
    let refused = trial.report_metrics(MetricGroup::Training, 1, &metrics);
    assert!(refused.await.unwrap_err().to_string().contains("run id"));
    later.report_state(TrialState::Completed).await.unwrap();
}

/// The operation that a request means, by its method and path template.
fn operation<'a>(api: &'a Value, request: &Request) -> Option<&'a Value> {
    let method = request.method.to_ascii_lowercase();
    let paths = api["paths"].as_object().unwrap().iter();
    let mut found: Vec<_> = paths
        .filter(|(template, operations)| {
            request.fits_path(template) && operations.get(&method).is_some()
        })
        .collect();
    // The template with the fewest variables is the closest.
    found.sort_by_key(|(template, _)| template.matches('{').count());
    found.first().map(|(_, operations)| &operations[&method])
}

/// A definition of the description as JSON Schema in which nothing is unknown.
/// Messages may be null, and what is a double may be a text as `"NaN"`.
fn validator(api: &Value, schema: &Value) -> jsonschema::Validator {
    fn strict(schema: &mut Value) {
        match schema {
            Value::Object(object) => {
                object
                    .remove("format")
                    .filter(|f| f == "double")
                    .inspect(|_| {
                        object.insert("type".to_owned(), json!(["number", "string"]));
                    });
                object.values_mut().for_each(strict);
                if let Some(properties) = object.get_mut("properties") {
                    for property in properties.as_object_mut().unwrap().values_mut() {
                        *property = json!({"anyOf": [property.take(), {"type": "null"}]});
                    }
                    object.insert("additionalProperties".to_owned(), json!(false));
                }
            }
            Value::Array(items) => items.iter_mut().for_each(strict),
            _ => {}
        }
    }
    let mut whole = json!({"definitions": api["definitions"]});
    strict(&mut whole);
    whole["$ref"] = schema["$ref"].clone();
    jsonschema::validator_for(&whole).unwrap()
}

fn complaints(api: &Value, schema: &Value, value: &Value) -> Vec<String> {
    let validator = validator(api, schema);
    let errors = validator.iter_errors(value);
    errors
        .map(|e| format!("{}: {e}", e.instance_path()))
        .collect()
}

fn check_against_description(api: &Value, request: &Request, problems: &mut Vec<String>) {
    let what = format!("{} {}", request.method, request.path);
    let Some(operation) = operation(api, request) else {
        problems.push(format!("{what}: there is no such operation"));
        return;
    };
    let empty = Vec::new();
    let parameters = operation["parameters"].as_array().unwrap_or(&empty);
    for (name, value) in &request.query {
        let known = parameters
            .iter()
            .find(|p| p["in"] == "query" && p["name"] == **name);
        let Some(known) = known else {
            problems.push(format!("{what}: unknown query name {name}"));
            continue;
        };
        let members = known["enum"]
            .as_array()
            .or(known["items"]["enum"].as_array());
        if members.is_some_and(|members| !members.contains(&json!(value))) {
            problems.push(format!("{what}: {name} has no member {value}"));
        }
    }
    let body = parameters.iter().find(|p| p["in"] == "body");
    match body {
        None if !request.body.is_null() => problems.push(format!("{what}: takes no body")),
        Some(body) => {
            let found = complaints(api, &body["schema"], &request.body);
            problems.extend(found.into_iter().map(|c| format!("{what}: request {c}")));
        }
        None => {}
    }
    if let Some((200, answer)) = &request.answer {
        let schema = &operation["responses"]["200"]["schema"];
        let found = complaints(api, schema, answer);
        problems.extend(
            found
                .into_iter()
                .map(|c| format!("{what}: the mock's answer {c}")),
        );
    }
}

#[tokio::test]
#[ignore = "needs ../shared (or SHARED_DIR)"]
async fn requests_and_answers_are_as_the_api_describes() {
    let api = shared("schemas/determined/api-subset.swagger.json");
    let master = MockMaster::start();
    everything(&master, &client(&master)).await;
    let (mut problems, mut checked) = (Vec::new(), 0);
    for request in master.requests() {
        // Not part of the described API.
        if request.path.starts_with("/checkpoints/") {
            continue;
        }
        check_against_description(&api, &request, &mut problems);
        checked += 1;
    }
    problems.sort();
    problems.dedup();
    assert!(problems.is_empty(), "{}", problems.join("\n"));
    assert!(checked > 20, "{checked}");
    // The check itself finds what is wrong.
    let mut wrong = master.requests()[0].clone();
    wrong.body["pasword"] = json!(1);
    check_against_description(&api, &wrong, &mut problems);
    assert!(problems[0].contains("pasword"), "{problems:?}");
}

/// What we send and the SDK does not, with the reason.
const OURS: [(&str, &[&str]); 8] = [
    // Finding the own earlier experiment: the newest first, without archived ones,
    // by page.
    (
        "GET /api/v1/experiments",
        &["sortBy", "orderBy", "archived", "limit"],
    ),
    // The SDK begins a log anew after an interruption.
    ("GET /api/v1/trials/{trial_id}/logs", &["timestampAfter"]),
    // In one request, where the SDK patches afterwards.
    ("POST /api/v1/models/{name}/versions", &["name", "notes"]),
    // The SDK has no way to start a paused experiment or get a version by number.
    ("POST /api/v1/experiments/{id}/activate", &[]),
    ("GET /api/v1/models/{name}/versions/{version}", &[]),
    // The names of the description, where the SDK writes them in another way, and
    // what the description demands beside them.
    (
        "GET /api/v1/allocations/{allocation_id}/signals/preemption",
        &["timeoutSeconds"],
    ),
    (
        "POST /api/v1/trials/{trial_id}/progress",
        &["trialId", "isRaw"],
    ),
    // Not in the recording, as nothing was preempted.
    (
        "POST /api/v1/allocations/{allocation_id}/signals/ack_preemption",
        &["allocationId"],
    ),
];

#[tokio::test]
#[ignore = "needs ../shared (or SHARED_DIR)"]
async fn requests_are_those_that_the_sdk_was_recorded_to_send() {
    let traces = shared("spec/determined-traces.json");
    let master = MockMaster::start();
    everything(&master, &client(&master)).await;
    let mut problems = Vec::new();
    for request in master.requests() {
        let what = format!("{} {}", request.method, request.path);
        let routes = traces["routes"].as_array().unwrap();
        let recorded = routes
            .iter()
            .find(|r| request.fits(r["route"].as_str().unwrap()));
        let ours = OURS.iter().find(|(route, _)| request.fits(route));
        if recorded.is_none() && ours.is_none() {
            problems.push(format!("{what}: never recorded"));
            continue;
        }
        let allowed = |name: &str, kind: &str| {
            let seen = recorded.and_then(|r| r[kind].as_array());
            seen.is_some_and(|names| names.contains(&json!(name)))
                || ours.is_some_and(|(_, names)| names.contains(&name))
        };
        for (name, _) in &request.query {
            if !allowed(name, "query_parameters_seen") {
                problems.push(format!("{what}: query {name} was never recorded"));
            }
        }
        for name in request
            .body
            .as_object()
            .into_iter()
            .flat_map(|body| body.keys())
        {
            if !allowed(name, "request_fields_seen") {
                problems.push(format!("{what}: field {name} was never recorded"));
            }
        }
    }
    assert!(problems.is_empty(), "{}", problems.join("\n"));
}

/// The exchange of a flow with this method and path.
fn exchange<'a>(traces: &'a Value, flow: &str, route: &str) -> &'a Value {
    let flows = traces["flows"].as_array().unwrap();
    let flow = flows.iter().find(|f| f["flow"] == flow).unwrap();
    let exchanges = flow["exchanges"].as_array().unwrap();
    exchanges.iter().find(|e| e["route"] == route).unwrap()
}

#[tokio::test]
#[ignore = "needs ../shared (or SHARED_DIR)"]
async fn the_same_conversations_carry_the_same_content() {
    let traces = shared("spec/determined-traces.json");
    let master = MockMaster::start();
    everything(&master, &client(&master)).await;
    let requests = master.requests();
    let sent = |method: &str, path: &str| {
        let found = requests
            .iter()
            .find(|r| r.method == method && r.path == path);
        found
            .unwrap_or_else(|| panic!("no {method} {path}"))
            .clone()
    };
    let login = sent("POST", "/api/v1/auth/login");
    let recorded = exchange(
        &traces,
        "login (fresh, no cached token)",
        "POST /api/v1/auth/login",
    );
    assert_eq!(login.body, recorded["request_body"]);

    let create = sent("POST", "/api/v1/experiments");
    let recorded = exchange(
        &traces,
        "create_experiment with model dir",
        "POST /api/v1/experiments",
    );
    let keys = |value: &Value| {
        let mut keys: Vec<String> = value.as_object().unwrap().keys().cloned().collect();
        keys.sort();
        keys
    };
    let file = &create.body["modelDefinition"][0];
    let recorded_file = &recorded["request_body"]["modelDefinition"][4];
    assert_eq!(keys(file), keys(recorded_file));
    for key in ["type", "mode", "uid", "gid"] {
        assert_eq!(file[key], recorded_file[key], "{key}");
    }
    assert!(file["mtime"].is_string() && create.body["config"].is_string());

    let best = sent("GET", "/api/v1/experiments/1/checkpoints");
    let recorded = exchange(
        &traces,
        "top_checkpoint",
        "GET /api/v1/experiments/{id}/checkpoints",
    );
    for (name, value) in &best.query {
        // The whole list, as NaN makes the master's order arbitrary.
        if name != "limit" {
            assert_eq!(recorded["query"][name], **value, "{name}");
        }
    }
    let latest = requests
        .iter()
        .find(|r| r.query.contains(&("limit".into(), "1".into())));
    let recorded = exchange(
        &traces,
        "model.get_version() latest",
        "GET /api/v1/models/{name}/versions",
    );
    for (name, value) in &latest.unwrap().query {
        assert_eq!(recorded["query"][name], **value, "{name}");
    }
}
