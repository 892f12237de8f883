//! The target `manifest`: from model-info.yaml to a file, through the program.

use std::fs;
use std::path::Path;

use crate::support::{Pfs, arguments, crd, golden_cases, stderr};
use deploy::options::Options;
use serde_json::Value;

const INFO: &str = "name: iris\nversion: '1'\npipeline: p\nrepo: r\nuri: s3://b/model\n";
const ARGS: [&str; 6] = [
    "--deploy-name",
    "iris",
    "--serving-image",
    "serve:1",
    "--target",
    "manifest",
];

/// With `UPDATE_GOLDEN` set, writes the expected files instead.
#[test]
fn golden() {
    for case in golden_cases() {
        let info = fs::read_to_string(case.join("model-info.yaml")).unwrap();
        let pfs = Pfs::new(&info);
        if let Ok(overlay) = fs::read(case.join("overlay.yaml")) {
            fs::write(pfs.path("data/overlay.yaml"), overlay).unwrap();
        }
        let mut args = arguments(&case);
        args.extend(["--target".to_owned(), "manifest".to_owned()]);
        let output = pfs.deploy(&args).output().unwrap();
        assert!(output.status.success(), "{}", stderr(&output));
        assert_eq!(pfs.out(), ["deployment.json", "seldon-deployment.yaml"]);
        let written = fs::read_to_string(pfs.path("out/seldon-deployment.yaml")).unwrap();
        let expected = case.join("seldon-deployment.yaml");
        if std::env::var_os("UPDATE_GOLDEN").is_some() {
            fs::write(&expected, &written).unwrap();
        }
        let expected = fs::read_to_string(&expected).unwrap_or_default();
        assert_eq!(written, expected, "{}", case.display());
    }
}

#[test]
fn the_record_says_that_a_file_was_written_and_nothing_more() {
    let pfs = Pfs::new(INFO);
    for changed in [true, false] {
        let output = pfs.deploy(&ARGS).output().unwrap();
        assert!(output.status.success(), "{}", stderr(&output));
        let text = fs::read_to_string(pfs.path("out/deployment.json")).unwrap();
        let record: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(record["target"], "manifest");
        let place = pfs.path("out/seldon-deployment.yaml");
        assert_eq!(record["place"], place.to_str().unwrap());
        assert_eq!(record["model"]["version"], "1");
        assert_eq!(record["image"], serde_json::json!(["serve:1"]));
        assert_eq!(record["evidence"], serde_json::json!([]));
        assert_eq!(
            (&record["changed"], &record["url"]),
            (&changed.into(), &"".into())
        );
        assert!(record["duration_seconds"].as_f64().is_some());
    }
}

/// With `UPDATE_GOLDEN` set, writes the copy instead.
#[test]
#[ignore = "needs the CRD: set SELDON_CRD"]
fn the_copy_of_the_schema_is_that_of_the_crd() {
    let schema = crd::schema("SELDON_CRD");
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(crd::COPY);
        fs::write(path, format!("{schema}\n")).unwrap();
    }
    assert!(schema == crd::copy(), "run again with UPDATE_GOLDEN=1");
}

#[test]
fn golden_files_pass_the_strict_validation_of_the_crd() {
    let validator = crd::shared();
    for case in golden_cases() {
        let text = fs::read_to_string(case.join("seldon-deployment.yaml")).unwrap();
        let object: Value = serde_saphyr::from_str(&text).unwrap();
        let complaints = crd::complaints(validator, &object);
        assert!(complaints.is_empty(), "{}: {complaints:#?}", case.display());

        let mut unknown = object.clone();
        unknown["spec"]["predictors"][0]["componentSpecs"][0]["spec"]["containers"][0]["imagee"] =
            Value::from("serve:1");
        assert_eq!(crd::complaints(validator, &unknown).len(), 1);
        let mut mistyped = object;
        mistyped["spec"]["predictors"][0]["graph"]["parameters"][0]["value"] = Value::from(1);
        assert_eq!(crd::complaints(validator, &mistyped).len(), 1);
    }
}

#[test]
fn flags_are_environment_variables_too() {
    let pfs = Pfs::new(INFO);
    let output = pfs
        .deploy::<&str>(&[])
        .env("DEPLOY_NAME", "iris")
        .env("DEPLOY_SERVING_IMAGE", "serve:1")
        .env("DEPLOY_TARGET", "manifest")
        .env("SEL_NAMESPACE", "models")
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", stderr(&output));
    let written = fs::read_to_string(pfs.path("out/seldon-deployment.yaml")).unwrap();
    assert!(written.contains("namespace: models"), "{written}");
}

#[test]
fn wrong_usage_is_2_and_names_the_value() {
    let pfs = Pfs::new(INFO);
    for (index, value, said) in [
        (1, "Iris!", "try \"iris\""),
        (3, "serve", "neither tag nor digest"),
        (5, "mars", "possible values"),
    ] {
        let mut args = ARGS;
        args[index] = value;
        let output = pfs.deploy(&args).output().unwrap();
        assert_eq!(output.status.code(), Some(2));
        assert!(stderr(&output).contains(said), "{}", stderr(&output));
        assert!(pfs.out().is_empty());
    }
}

#[test]
fn version_and_help() {
    let pfs = Pfs::new(INFO);
    let version = pfs.deploy(&["--version"]).output().unwrap();
    let expected = format!("deploy {}\n", env!("CARGO_PKG_VERSION"));
    assert_eq!(version.stdout, expected.as_bytes());
    let help = pfs.deploy(&["-h"]).output().unwrap();
    let help = String::from_utf8(help.stdout).unwrap();
    let (options, examples) = help.split_once("Examples:").unwrap();
    // Every group of options has one of its own in an example.
    for group in options.split("\n\n").filter(|part| part.contains("  --")) {
        let flags = group
            .split_whitespace()
            .filter(|word| word.starts_with("--"));
        let mut flags = flags.filter(|flag| !["--help", "--version"].contains(flag));
        assert!(
            flags.any(|flag| examples.contains(&format!("{flag} "))),
            "{group}"
        );
    }
}

#[test]
fn a_pod_that_is_none_is_refused() {
    for (pod, said) in [
        (
            "{containers: [{name: iris-container, imagee: a}]}",
            "pod.containers[0].imagee",
        ),
        (
            "{containers: [{name: iris-container, env: 3}]}",
            "at containers[0].env",
        ),
        ("{nodeNme: a}", "nodeNme"),
        // Kubernetes knows these, the schema of Seldon drops them.
        ("{hostUsers: false}", "hostUsers"),
        (
            "{initContainers: [{name: a, image: 'b:1', restartPolicy: Always}]}",
            "componentSpecs/0/spec/initContainers/0",
        ),
        // Kubernetes' schema takes any text, its API server and Seldon's do not.
        (
            "{containers: [{name: iris-container, resources: {requests: {cpu: much}}}]}",
            "resources/requests/cpu",
        ),
        ("[]", "must be a map"),
    ] {
        let pfs = Pfs::new(INFO);
        fs::write(pfs.path("data/overlay.yaml"), format!("pod: {pod}\n")).unwrap();
        let mut args = ARGS.to_vec();
        args.extend(["--overlay", "/pfs/data/overlay.yaml"]);
        let output = pfs.deploy(&args).output().unwrap();
        assert_eq!(output.status.code(), Some(1), "{pod}");
        assert!(stderr(&output).contains(said), "{pod}: {}", stderr(&output));
        assert!(pfs.out().is_empty());
    }
}

#[test]
fn what_a_target_cannot_do_is_wrong_usage() {
    for (target, option, said) in [
        ("manifest", "--canary=10", "no live version"),
        ("manifest", "--detect-bucket-uri=gs://b", "no detectors"),
        ("kserve", "--no-engine", "no sidecar"),
        ("kserve", "--storage-secret=a", "--service-account"),
        ("kserve", "--shadow", "plain Deployments"),
        ("seldon-deploy", "--canary=10", "--prometheus"),
        ("seldon-deploy", "--replicas=1", "SEL_URL"),
    ] {
        let pfs = Pfs::new(INFO);
        let mut args = ARGS.to_vec();
        args[5] = target;
        args.push(option);
        let output = pfs.deploy(&args).output().unwrap();
        assert_eq!(output.status.code(), Some(2), "{target} {option}");
        assert!(
            stderr(&output).contains(said),
            "{target} {option}: {}",
            stderr(&output)
        );
    }
}

/// The object of the target kserve, which no file target writes.
#[test]
fn golden_of_kserve() {
    let case = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/iris");
    let info = model::ModelInfo::read(&case.join("model-info.yaml")).unwrap();
    let shape = "{max-replicas: 3, cpu: 500m, node-selector: {pool: a}, annotations: {team: b}}";
    let options = Options {
        name: "iris".parse().unwrap(),
        namespace: Some("models".to_owned()),
        image: "registry.example/serve:0.0.1".parse().unwrap(),
        shape: serde_saphyr::from_str(shape).unwrap(),
        detectors: None,
    };
    let object = deploy::wanted::inference_service(&info, &options).unwrap();
    let expected = case.parent().unwrap().join("../inference-service.json");
    let text = format!("{}\n", serde_json::to_string_pretty(&object).unwrap());
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        fs::write(&expected, &text).unwrap();
    }
    assert_eq!(text, fs::read_to_string(&expected).unwrap());
}
