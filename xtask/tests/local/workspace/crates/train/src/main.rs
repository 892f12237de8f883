//! A stand-in that "trains" as its configuration tells it: the first line of
//! `/pfs/experiment/experiment.yaml` is `ok`, `fail`, `hang` or `broken`.

use std::path::PathBuf;
use std::{env, fs, process, thread, time::Duration};

fn main() {
    let variable = |name: &str| env::var(name).unwrap();
    let pfs = PathBuf::from(env::var("PFS_ROOT").unwrap_or("/pfs".to_owned()));
    assert_eq!(PathBuf::from(variable("data")), pfs.join("data"));
    let mode = fs::read_to_string(pfs.join("experiment/experiment.yaml")).unwrap();
    println!("training in mode {}", mode.trim());
    if let Ok(secret) = env::var("THE_SECRET") {
        println!("the secret is {secret}");
    }
    if let Ok(secret) = fs::read_to_string("/secrets/token") {
        println!("the mounted secret is {secret}");
        let status = fs::read_to_string("/proc/self/status").unwrap();
        let user = status.lines().find(|line| line.starts_with("Uid:")).unwrap();
        println!("running as {}", user.split_whitespace().nth(1).unwrap());
    }
    let same = format!("PACH_JOB_ID={}", variable("PACH_JOB_ID"));
    let written = fs::read_to_string(pfs.join(".env")).unwrap();
    assert!(written.lines().any(|line| line == same), "{written}");
    let rows = fs::read_to_string(pfs.join("data/rows.csv")).unwrap();
    // A program may do with its input what it likes.
    fs::write(pfs.join("data/rows.csv"), "spoilt").unwrap();
    let model = pfs.join("out/model");
    fs::create_dir(&model).unwrap();
    let columns = r#"[{"name": "length", "type": "numeric"}]"#;
    let text = format!(r#"{{"preprocessing": {{"kind": "table", "columns": {columns}}}}}"#);
    fs::write(model.join("model.json"), text).unwrap();
    fs::write(model.join("rows"), rows.lines().count().to_string()).unwrap();
    match mode.trim() {
        "fail" => {
            eprintln!("the target column is missing");
            process::exit(3);
        }
        "hang" => thread::sleep(Duration::from_secs(600)),
        "slow" => thread::sleep(Duration::from_millis(300)),
        "broken" => fs::write(model.join("broken"), "").unwrap(),
        _ => {}
    }
    let names: Vec<String> = env::vars().map(|(name, _)| name).collect();
    fs::write(pfs.join("out/environment"), names.join("\n")).unwrap();
    let (commit, pipeline) = (variable("PACH_OUTPUT_COMMIT_ID"), variable("PPS_PIPELINE_NAME"));
    let info = format!(
        "version: {}\nuri: s3://{commit}.master.{pipeline}/model\n",
        variable("PACH_JOB_ID")
    );
    fs::write(pfs.join("out/model-info.yaml"), info).unwrap();
}
