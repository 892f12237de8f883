//! Training beside the Python libraries that it stands in for.

use std::path::{Path, PathBuf};
use std::thread::available_parallelism;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde::Deserialize;
use xshell::{Shell, cmd};

use super::python::Python;
use super::{print, ratio, time};
use crate::workspace::Workspace;
use crate::{backbone, onnxruntime, programs, report};

const RUNTIME: Python = Python {
    name: "onnxruntime",
    packages: &["numpy==2.3.5"],
};

/// The backbone of pictures.
const BACKBONE: &str = "efficientnet-lite0";

/// How much longer than the peer a training may take.
const LIMIT: f64 = 1.5;

pub(super) fn run(workspace: &Workspace, data: Option<&Path>, rounds: u32) -> Result<()> {
    let sh = Shell::new()?;
    sh.change_dir(&workspace.root);
    let data = data.map(super::folder).transpose()?;
    tables(&sh, workspace)?;
    match data {
        Some(data) => pictures(&sh, workspace, &data, rounds),
        None => super::say("pictures: not measured, --data names no folder of them"),
    }
}

/// The test of the same, in the release profile: it prints the figures, and fails where
/// train is behind.
fn tables(sh: &Shell, workspace: &Workspace) -> Result<()> {
    let cargo = programs::cargo();
    let test = cmd!(sh, "{cargo} test --quiet --release --test program");
    let test = programs::measuring(test, sh, workspace)?;
    Ok(test
        .args(["--", "--ignored", "--nocapture", "sklearn::"])
        .quiet()
        .run()?)
}

/// What the peer says of itself, in seconds.
#[derive(Debug, Deserialize)]
struct Peer {
    pictures: usize,
    decoding: f64,
    embedding: f64,
}

impl Peer {
    fn read(said: &str) -> Result<Self> {
        let peer: Self = serde_json::from_str(said)
            .with_context(|| format!("these are no figures of the peer: {said}"))?;
        ensure!(peer.pictures > 0, "the peer has found no pictures");
        Ok(peer)
    }

    fn total(&self) -> f64 {
        self.decoding + self.embedding
    }
}

/// From a folder to a published package, beside decoding the same pictures with Pillow
/// and embedding them with ONNX Runtime on as many threads; train has the same library. In turn, so that what else the
/// machine does meets both; the fastest counts, as nothing makes a run too fast.
fn pictures(sh: &Shell, workspace: &Workspace, data: &Path, rounds: u32) -> Result<()> {
    let python = RUNTIME.install(sh, workspace)?.join("python");
    let trainer = Trainer::new(sh, workspace, data)?;
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    for _ in 0..rounds {
        theirs.push(peer(sh, workspace, &python, &trainer)?);
        let pfs = tempfile::tempdir()?;
        ours.push(trainer.train(pfs.path())?);
    }
    let theirs = theirs
        .iter()
        .min_by(|one, other| one.total().total_cmp(&other.total()));
    let (peer, ours) = theirs.zip(ours.iter().min()).context("no run")?;
    let seconds = Duration::from_secs_f64;
    let count = peer.pictures;
    print(&format!("from {count} pictures to a package"), *ours, None)?;
    print("  Pillow decodes them", seconds(peer.decoding), None)?;
    print("  ONNX Runtime embeds them", seconds(peer.embedding), None)?;
    ratio("  train to both", *ours, seconds(peer.total()))?;
    let within = ours.as_secs_f64() <= LIMIT * peer.total();
    ensure!(
        within,
        "more than {LIMIT} times what Pillow and ONNX Runtime take"
    );
    Ok(())
}

fn peer(sh: &Shell, workspace: &Workspace, python: &Path, trainer: &Trainer<'_>) -> Result<Peer> {
    let threads = available_parallelism()?.to_string();
    let script = workspace.root.join("xtask/src/bench/embed.py");
    let (graph, data) = (trainer.backbones.join(BACKBONE), trainer.data);
    let peer = cmd!(sh, "{python} {script} {graph} {data} {threads}");
    let modules = workspace.root.join("crates/serve/benches/peers");
    Peer::read(&peer.env("PYTHONPATH", modules).quiet().read()?)
}

/// The program, and what it trains on.
pub(super) struct Trainer<'a> {
    sh: &'a Shell,
    program: PathBuf,
    backbones: PathBuf,
    library: PathBuf,
    data: &'a Path,
}

impl<'a> Trainer<'a> {
    /// Compiles the program, and gets the backbone and the library of ONNX Runtime.
    ///
    /// # Errors
    /// When either fails; it has said why.
    pub(super) fn new(sh: &'a Shell, workspace: &Workspace, data: &'a Path) -> Result<Self> {
        let is_here = backbone::get(workspace, BACKBONE)?;
        ensure!(is_here, "the backbone {BACKBONE} cannot be had");
        let library = onnxruntime::here(&workspace.root)?;
        report::status("Compiling", "train");
        Ok(Self {
            sh,
            program: programs::build(workspace, &["train"])?.join("train"),
            backbones: backbone::folder(&workspace.root),
            library,
            data,
        })
    }

    /// A whole process with nothing kept from before; the package is in `out/model` below
    /// `root`.
    ///
    /// # Errors
    /// When the training fails, with its words.
    pub(super) fn train(&self, root: &Path) -> Result<Duration> {
        self.sh.create_dir(root.join("out"))?;
        let settings = root.join("experiment.yaml");
        let backbone = format!("backbone: {BACKBONE}\n");
        self.sh.write_file(&settings, backbone)?;
        let Self {
            program,
            backbones,
            library,
            data,
            ..
        } = self;
        let name = ["--repo", "pictures", "--model", "pictures"];
        let train = cmd!(
            self.sh,
            "{program} {name...} --pfs {root} --data {data} --config {settings} --backbones {backbones} --onnxruntime {library}"
        );
        time(train)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_figures_of_the_peer_are_read() {
        let peer = Peer::read(r#"{"pictures": 3, "decoding": 0.5, "embedding": 0.25}"#).unwrap();
        assert_eq!((peer.pictures, peer.total()), (3, 0.75));
    }

    #[test]
    fn what_are_no_figures_is_refused() {
        let none = r#"{"pictures": 0, "decoding": 0.0, "embedding": 0.0}"#;
        for (said, why) in [("Traceback", "Traceback"), (none, "no pictures")] {
            let error = Peer::read(said).unwrap_err().to_string();
            assert!(error.contains(why), "{error}");
        }
    }
}
