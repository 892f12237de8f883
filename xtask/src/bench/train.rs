//! Training beside the Python libraries that it stands in for.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde::Deserialize;
use xshell::{Shell, cmd};

use super::python::install;
use super::{print, ratio, say, time};
use crate::workspace::Workspace;
use crate::{backbone, programs, report};

const SKLEARN: &[&str] = &["scikit-learn==1.7.2"];
const RUNTIME: &[&str] = &["onnxruntime==1.23.2", "pillow==12.0.0"];

/// The backbone of pictures.
const BACKBONE: &str = "efficientnet-lite0";

/// How much longer than the peer a training may take.
const LIMIT: f64 = 1.5;

/// How often each is run; the fastest counts, as nothing makes a run too fast.
const RUNS: usize = 3;

pub(super) fn run(workspace: &Workspace, data: Option<&Path>) -> Result<()> {
    let sh = Shell::new()?;
    sh.change_dir(&workspace.root);
    tables(&sh, workspace)?;
    match data {
        Some(data) => pictures(
            &sh,
            workspace,
            &data.canonicalize().context("cannot read --data")?,
        ),
        None => say("pictures: not measured, --data names no folder of them"),
    }
}

/// The test of the same, in the release profile: it prints both figures, and fails where
/// train is behind.
fn tables(sh: &Shell, workspace: &Workspace) -> Result<()> {
    let bin = install(sh, workspace, "sklearn", SKLEARN)?;
    let cargo = programs::cargo();
    let test = cmd!(
        sh,
        "{cargo} test --quiet --release --locked --package train --test sklearn -- --ignored --nocapture"
    );
    let test = test.env("SKLEARN_PYTHON", bin.join("python"));
    Ok(test.quiet().run()?)
}

/// What the peer says of itself.
#[derive(Deserialize)]
struct Peer {
    pictures: usize,
    decoding: f64,
    embedding: f64,
}

/// From a folder to a published package, beside decoding the same pictures with Pillow
/// and embedding them with ONNX Runtime on the same cores.
fn pictures(sh: &Shell, workspace: &Workspace, data: &Path) -> Result<()> {
    let bin = install(sh, workspace, "onnxruntime", RUNTIME)?;
    let backbones = backbone::folder(&workspace.root);
    backbone::get(&workspace.root, BACKBONE)?;
    report::status("Compiling", "train");
    let train = programs::build(workspace, &["train"])?.join("train");
    let graph = backbones.join(BACKBONE);
    let (python, script) = (
        bin.join("python"),
        workspace.root.join("xtask/src/bench/embed.py"),
    );
    let (mut ours, mut theirs): (Vec<Duration>, Vec<Peer>) = (Vec::new(), Vec::new());
    for _ in 0..RUNS {
        let said = cmd!(sh, "{python} {script} {graph} {data}")
            .quiet()
            .read()?;
        theirs.push(serde_json::from_str(&said).context("the peer's figures")?);
        ours.push(training(sh, &train, data, &backbones)?);
    }
    let total = |peer: &Peer| peer.decoding + peer.embedding;
    let peer = theirs.iter().min_by(|a, b| total(a).total_cmp(&total(b)));
    let (peer, ours) = (
        peer.context("no run")?,
        ours.iter().min().context("no run")?,
    );
    let theirs = Duration::from_secs_f64(total(peer));
    let what = format!(
        "train: from {} pictures to a published package",
        peer.pictures
    );
    print(&what, *ours, None)?;
    print(
        "  Pillow decodes them",
        Duration::from_secs_f64(peer.decoding),
        None,
    )?;
    print(
        "  ONNX Runtime embeds them",
        Duration::from_secs_f64(peer.embedding),
        None,
    )?;
    ratio("  train to both", *ours, theirs)?;
    let within = ours.as_secs_f64() <= LIMIT * theirs.as_secs_f64();
    ensure!(
        within,
        "more than {LIMIT} times what ONNX Runtime and Pillow take"
    );
    Ok(())
}

/// A whole process, with nothing kept from before.
fn training(sh: &Shell, train: &Path, data: &Path, backbones: &Path) -> Result<Duration> {
    let pfs = tempfile::tempdir()?;
    let root = pfs.path();
    sh.create_dir(root.join("out"))?;
    let settings = root.join("experiment.yaml");
    sh.write_file(&settings, format!("backbone: {BACKBONE}\n"))?;
    time(cmd!(
        sh,
        "{train} --repo pictures --model pictures --pfs {root} --data {data} --config {settings} --backbones {backbones}"
    ))
}
