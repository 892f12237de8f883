//! A backbone that is named by the URL of its folder in an object store.

use std::collections::BTreeMap;
use std::fs;
use std::process::{Command, Output};

use bucket_server::{Answer, Bucket};
use model::Digest;
use serde_json::Value;

use crate::common::pictures::colours;
use crate::common::{CONFIG, Pfs, texts, tree};

/// Where the backbone lies in its bucket.
const PLACE: &str = "nets/means";

/// Pictures, whose backbone is in a bucket instead of an input.
struct Case {
    pfs: Pfs,
    bucket: Bucket,
    scheme: &'static str,
    variables: Vec<(String, String)>,
}

impl Case {
    /// With the digests of the files in the description, if they are `pinned`.
    fn new(scheme: &str, pinned: bool) -> Self {
        let pfs = colours(|class, number| format!("{class}/{number}.png"));
        let local = pfs.path().join("backbone");
        let graph = fs::read(local.join("backbone.onnx")).unwrap();
        let text = fs::read(local.join("backbone.json")).unwrap();
        let mut description: Value = serde_json::from_slice(&text).unwrap();
        if pinned {
            description["files"]["backbone.onnx"] = Digest::of(&graph).to_string().into();
        }
        fs::remove_dir_all(local).unwrap();
        let files = [
            ("backbone.json", description.to_string().into_bytes()),
            ("backbone.onnx", graph),
        ];
        let files = files.map(|(name, content)| (format!("/{PLACE}/{name}"), content));
        let bucket = Bucket::start(BTreeMap::from(files));
        let mut clouds = bucket.clouds().into_iter();
        let (scheme, variables) = clouds.find(|(cloud, _)| *cloud == scheme).unwrap();
        let settings = format!("backbone: {scheme}://{PLACE}\nsearch: {{folds: 3}}\n");
        Self {
            pfs: pfs.file("experiment.yaml", settings),
            bucket,
            scheme,
            variables,
        }
    }

    fn run(&self, command: &mut Command) -> Output {
        command.envs(self.variables.clone()).output().unwrap()
    }

    /// Trains, which must succeed; gives standard error.
    fn train(&self, more: &[&str]) -> String {
        let output = self.run(self.pfs.command().args(CONFIG).args(more));
        let (out, err) = texts(&output);
        assert_eq!(output.status.code(), Some(0), "{out}{err}");
        err
    }

    /// Trains, which must be refused with nothing written; gives the error.
    fn refused(&self, more: &[&str]) -> String {
        let output = self.run(self.pfs.command().args(CONFIG).args(more));
        let (out, err) = texts(&output);
        assert_eq!(output.status.code(), Some(1), "{out}{err}");
        assert_eq!(tree(&self.pfs.out()), BTreeMap::new());
        assert!(!err.contains("hunter2"), "{err}");
        err.lines().last().unwrap().to_owned()
    }

    fn object(&self, name: &str) -> String {
        format!("{}://{PLACE}/{name}", self.scheme)
    }
}

#[test]
fn a_backbone_of_each_cloud_is_fetched_and_recorded() {
    let mut graphs = Vec::new();
    for scheme in ["s3", "gs", "az"] {
        let case = Case::new(scheme, true);
        let err = case.train(&[]);
        assert!(err.contains("fetching 2 files"), "{err}");
        let package = case.pfs.package();
        let from = &package.manifest.provenance;
        let description = &case.bucket.objects()[&format!("/{PLACE}/backbone.json")];
        let backbone = from.backbone.as_ref().unwrap();
        assert_eq!(backbone.digest, Digest::of(description));
        assert_eq!(from.config["backbone"], format!("{scheme}://{PLACE}"));
        graphs.push(package.graph);
    }
    assert!(graphs[0] == graphs[1] && graphs[1] == graphs[2]);
}

#[test]
fn it_is_made_again_and_another_backbone_is_told() {
    let case = Case::new("s3", true);
    case.train(&[]);
    let verify = || texts(&case.run(&mut case.pfs.verify_command(&[])));
    let (out, err) = verify();
    assert!(out.starts_with("inputs      the same"), "{out}{err}");
    let path = format!("/{PLACE}/backbone.json");
    let text = String::from_utf8(case.bucket.objects()[&path].clone()).unwrap();
    let other = text.replace("CC0-1.0", "MIT");
    case.bucket
        .answer(&path, Answer::Content(other.into_bytes()));
    let (out, err) = verify();
    assert!(out.contains("backbone digest"), "{out}{err}");
}

#[test]
fn what_is_kept_is_not_fetched_again_unless_damaged() {
    let case = Case::new("s3", true);
    let cache = tempfile::tempdir().unwrap();
    let at = ["--cache", cache.path().to_str().unwrap()];
    let again = || {
        let _ = fs::remove_dir_all(case.pfs.out());
        fs::create_dir(case.pfs.out()).unwrap();
        let err = case.train(&at);
        let graph = format!("GET /{PLACE}/backbone.onnx");
        (case.bucket.take_requests().contains(&graph), err)
    };
    assert!(again().0);
    let (fetched, err) = again();
    assert!(!fetched && err.contains("was fetched before"), "{err}");
    let digest = case
        .pfs
        .package()
        .manifest
        .provenance
        .backbone
        .unwrap()
        .digest;
    let name = digest.to_string().replace("sha256:", "");
    let kept = cache.path().join("backbones").join(name);
    fs::write(kept.join("backbone.onnx"), "x").unwrap();
    let (fetched, err) = again();
    assert!(fetched && err.contains("is fetched again"), "{err}");
    // What is not pinned may change without another digest.
    let loose = Case::new("s3", false);
    let err = loose.train(&at);
    assert!(
        err.contains("does not say the digest of backbone.onnx"),
        "{err}"
    );
    assert_eq!(
        fs::read_dir(cache.path().join("backbones"))
            .unwrap()
            .count(),
        1
    );
}

#[test]
fn what_cannot_be_fetched_is_refused() {
    let case = Case::new("s3", true);
    let graph = format!("/{PLACE}/backbone.onnx");
    case.bucket
        .answer(&graph, Answer::Content(b"other".to_vec()));
    let cache = tempfile::tempdir().unwrap();
    let error = case.refused(&["--cache", cache.path().to_str().unwrap()]);
    let damaged = format!("{} is damaged: its digest is", case.object("backbone.onnx"));
    assert!(error.contains(&damaged), "{error}");
    let kept = fs::read_dir(cache.path().join("backbones")).unwrap();
    assert_eq!(kept.count(), 0);
    for (status, words) in [
        (403, "403"),
        (404, "there is no s3://nets/means/backbone.onnx"),
    ] {
        case.bucket.answer(&graph, Answer::Status(status));
        let error = case.refused(&[]);
        assert!(error.contains(words), "{error}");
        assert!(
            error.contains("cannot fetch the backbone s3://nets/means"),
            "{error}"
        );
    }
    let description = format!("/{PLACE}/backbone.json");
    case.bucket
        .answer(&description, Answer::Content(b"{}".to_vec()));
    let error = case.refused(&[]);
    let words = format!("{} is not the description", case.object("backbone.json"));
    assert!(error.contains(&words), "{error}");
    case.bucket.clear();
    let error = case.refused(&[]);
    assert!(
        error.contains("name the folder that holds backbone.json"),
        "{error}"
    );
}

#[test]
fn a_url_that_is_no_folder_of_a_store_is_refused_without_secrets() {
    for url in [
        "s3://AKIA:hunter2@nets/means",
        "https://nets.example/means",
        "s3://",
    ] {
        let case = Case::new("s3", true);
        let pfs = case
            .pfs
            .file("experiment.yaml", format!("backbone: {url}\n"));
        let error = pfs.refused(&CONFIG);
        assert!(error.contains("s3://BUCKET/FOLDER"), "{error}");
        assert!(!error.contains("hunter2"), "{error}");
    }
}

#[test]
fn a_folder_may_be_named_by_its_url_and_a_copy_stands_for_a_bucket() {
    let pfs = colours(|class, number| format!("{class}/{number}.png"))
        .file("experiment.yaml", "backbone: file:///pfs/backbone\n");
    pfs.train(&CONFIG);
    let error = Pfs::new()
        .file("experiment.yaml", "backbone: file:///pfs/none\n")
        .refused(&CONFIG);
    assert!(error.contains("mount its folder"), "{error}");
    let kept = tempfile::tempdir().unwrap();
    let copy = kept.path().join("s3/nets/means");
    fs::create_dir_all(copy.parent().unwrap()).unwrap();
    let pfs = colours(|class, number| format!("{class}/{number}.png"))
        .file("experiment.yaml", "backbone: s3://nets/means/\n");
    fs::rename(pfs.path().join("backbone"), copy).unwrap();
    // Without any credentials.
    let at = ["--backbones", kept.path().to_str().unwrap()];
    let (_, err) = pfs.train(&[&CONFIG[..], &at].concat());
    assert!(err.contains("s3/nets/means for s3://nets/means"), "{err}");
}
