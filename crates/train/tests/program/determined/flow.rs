//! From an experiment to a package, once and again.

use serde_json::json;

use super::support::{CONFIG, Case, PAC_TOKEN};
use crate::common::{VERSION, texts, tree};

#[test]
fn an_experiment_becomes_a_version_and_a_package() {
    let case = Case::new();
    let (out, err) = case.succeeds(&[]);
    assert!(out.contains("registered  version 1"), "{out}");
    for words in [
        "created experiment 1",
        "epoch 2",
        "accuracy 0.91",
        "********",
    ] {
        assert!(err.contains(words), "{words}: {err}");
    }
    let world = case.master.world();
    let experiment = &world.experiments[&1];
    let labels = json!(["iris-data", VERSION, "iris-model"]);
    assert_eq!(experiment.config["labels"], labels);
    let data = &experiment.config["data"];
    assert_eq!(
        data["pachyderm"],
        json!({
            "host": "pachd.example", "port": "30650", "repo": "iris-data", "branch": "c0ffee",
            "token": null,
        })
    );
    assert_eq!(data["secrets"]["pachyderm_token"], PAC_TOKEN);
    let paths = experiment.files.as_array().unwrap().iter();
    let paths: Vec<_> = paths.map(|f| f["path"].as_str().unwrap()).collect();
    assert_eq!(paths, ["const.yaml", "lib", "lib/net.py", "train.py"]);
    let model = &world.models[0];
    assert_eq!(model.body["labels"], json!(["iris-model", "iris-data"]));
    assert_eq!(model.versions[0].name, VERSION);
    assert_eq!(
        model.versions[0].notes,
        format!("Job_id/commit_id = {VERSION}")
    );
    drop(world);
    let files = tree(&case.pfs.out());
    assert_eq!(files["checkpoint/state_dict.pth"], b"not a pickle");
    assert_eq!(files["checkpoint/notes.txt"], b"key=********\n");
    let load_data = String::from_utf8(files["checkpoint/load_data.json"].clone()).unwrap();
    assert!(load_data.contains("PyTorchTrial"), "{load_data}");
    // A second run of the same output does nothing.
    let requests = case.master.requests().len();
    let (out, _) = case.succeeds(&[]);
    assert!(out.contains("nothing to do"), "{out}");
    assert_eq!(case.master.requests().len(), requests);
}

#[test]
fn another_attempt_takes_over_what_is_there() {
    let mut case = Case::new();
    case.succeeds(&[]);
    let first = tree(&case.pfs.out());
    case.again();
    let (_, err) = case.succeeds(&[]);
    assert!(err.contains("is of this job already"), "{err}");
    assert_eq!(tree(&case.pfs.out()), first, "the same bytes");
    case.again();
    case.master.world().models.clear();
    let (_, err) = case.succeeds(&[]);
    assert!(
        err.contains("experiment 1 of this job is completed"),
        "{err}"
    );
    assert_eq!(case.counts(), (1, 1));
    // What has failed is not taken over.
    case.again();
    case.master.world().models.clear();
    case.master.world().experiments.get_mut(&1).unwrap().state = "ERROR".to_owned();
    case.succeeds(&[]);
    assert_eq!(case.counts(), (2, 1));
}

#[test]
fn a_later_version_continues_the_latest_checkpoint() {
    let mut case = Case::new();
    case.succeeds(&[]);
    let source = case.master.world().models[0].versions[0].checkpoint.clone();
    let mut job = 2;
    let mut next = |case: &mut Case, args: &[&str]| {
        case.again();
        let output = case
            .command()
            .args(args)
            .env("PACH_JOB_ID", format!("job-{job}"))
            .output();
        job += 1;
        let output = output.unwrap();
        case.look_for_secrets(&output);
        assert_eq!(output.status.code(), Some(0), "{}", texts(&output).1);
    };
    next(&mut case, &[]);
    {
        let world = case.master.world();
        let second = &world.experiments[&2];
        assert_eq!(
            second.config["searcher"]["source_checkpoint_uuid"],
            source.as_str()
        );
        assert_eq!(
            (second.parent, second.files.as_array().unwrap().len()),
            (None, 4)
        );
    }
    next(&mut case, &["--fork"]);
    assert_eq!(case.master.world().experiments[&3].parent, Some(2));
    next(&mut case, &["--fresh"]);
    let world = case.master.world();
    assert!(world.experiments[&4].config["searcher"]["source_checkpoint_uuid"].is_null());
    assert_eq!(world.models[0].versions.len(), 4);
}

#[test]
fn a_checkpoint_comes_directly_from_the_storage() {
    let case = Case::new();
    let storage = tempfile::tempdir().unwrap();
    // The mock names the second checkpoint of the first experiment so.
    let folder = storage.path().join("00000002-2222-4333-8444-000000000001");
    let files = case.master.world().script.checkpoints[1].files.clone();
    for (path, content) in files {
        let file = folder.join(path);
        std::fs::create_dir_all(file.parent().unwrap()).unwrap();
        std::fs::write(file, content).unwrap();
    }
    let path = storage.path().display();
    let config =
        format!("{CONFIG}checkpoint_storage: {{type: directory, container_path: {path}}}\n");
    std::fs::write(case.pfs.path().join("code/const.yaml"), config).unwrap();
    case.succeeds(&["--checkpoint-from", "storage"]);
    let requests = case.master.requests();
    let through_master = |path: &str| path.starts_with("/checkpoints/");
    assert!(!requests.iter().any(|request| through_master(&request.path)));
}

#[test]
fn a_package_in_a_checkpoint_says_what_it_is() {
    let case = Case::new();
    case.succeeds(&[]);
    let package = tree(&case.pfs.out().join("model"));
    let again = Case::new();
    for checkpoint in &mut again.master.world().script.checkpoints {
        checkpoint.files.extend(package.clone());
    }
    again.succeeds(&[]);
    assert_eq!(
        again.published().manifest.inputs,
        case.published().manifest.inputs
    );
    // Half a package is none.
    let torn = Case::new();
    for checkpoint in &mut torn.master.world().script.checkpoints {
        checkpoint.files.extend(package.clone());
        checkpoint.files.remove("metrics.json");
    }
    let error = torn.refused(&[]);
    assert!(error.contains("metrics.json is missing"), "{error}");
}
