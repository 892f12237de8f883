//! From a program to an image that has run once.

use std::fs::{self, File};
use std::io::BufWriter;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};
use serde_json::Value;

use super::containerfile;
use super::engine::{Call, Engine};
use super::explain;
use super::libraries::Libraries;
use super::seal::{self, Parts, Sealed};

/// What an image is made of.
pub(crate) struct Recipe<'a> {
    /// Name of the image, of its program and of its folder in `containers/`.
    pub(crate) name: &'a str,
    pub(crate) version: &'a str,
    pub(crate) dockerfile: &'a Path,
    pub(crate) program: &'a [u8],
    /// What it loads, if anything.
    pub(crate) libraries: Option<&'a Libraries>,
    pub(crate) labels: Vec<seal::Label>,
    /// RFC 3339.
    pub(crate) created: &'a str,
    pub(crate) platform: &'a str,
    /// A folder of its own to work in.
    pub(crate) scratch: PathBuf,
}

/// An image that the engine holds and that has run.
#[derive(Clone, Debug)]
pub(crate) struct Built {
    pub(crate) id: String,
    /// Bytes of the unpacked image: those of the program, and of what it loads.
    pub(crate) size: u64,
    /// See [`seal::content`].
    pub(crate) content: Value,
}

impl Recipe<'_> {
    /// Assembles the image, gives it to the engine and runs it. No tag moves.
    ///
    /// # Errors
    /// When the engine fails, or when the image does not answer `--version`.
    pub(crate) fn build(&self, engine: &Engine) -> Result<Built> {
        fs::create_dir_all(&self.scratch)
            .with_context(|| format!("cannot make {}", self.scratch.display()))?;
        let archive = self.scratch.join("image.tar");
        let sealed = self.assemble(&archive)?;
        let call = self.call(engine, "load", &["load", "--quiet"]);
        let said = call.stdin(&archive).doing("Loading", self.name).read()?;
        fs::remove_file(&archive)?;
        let loaded = loaded(&said);
        ensure!(
            loaded == Some(&sealed.id),
            "the engine keeps the image of {} as {} and not as {}: it does not know images by \
             the digest of their configuration, as docker's containerd image store does not; \
             use docker with its classic store (\"containerd-snapshotter\": false under features \
             of daemon.json), or podman (--docker podman)",
            self.name,
            loaded.unwrap_or("(it names none)"),
            sealed.id
        );
        self.run_once(engine, &sealed.id)?;
        let libraries = self.libraries.map_or(0, Libraries::size);
        Ok(Built {
            id: sealed.id,
            content: sealed.content,
            size: (self.program.len() + libraries).try_into()?,
        })
    }

    fn assemble(&self, archive: &Path) -> Result<Sealed> {
        let file = self.dockerfile;
        let text =
            fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))?;
        let config = containerfile::config(&text, self.name)
            .with_context(|| format!("{} cannot become an image", file.display()))?;
        let parts = Parts {
            name: self.name,
            program: self.program,
            libraries: self.libraries,
            config,
            labels: &self.labels,
            created: self.created,
            platform: self.platform,
        };
        let to = File::create(archive);
        let to = to.with_context(|| format!("cannot write {}", archive.display()))?;
        seal::seal(parts, BufWriter::new(to))
            .with_context(|| format!("cannot write {}", archive.display()))
    }

    /// Runs the image as strictly as a cluster may: no network, no
    /// capabilities, nothing writable.
    fn run_once(&self, engine: &Engine, id: &str) -> Result<()> {
        let words = [
            "run",
            "--rm",
            "--network=none",
            "--read-only",
            "--cap-drop=ALL",
        ];
        let call = self.call(engine, "run", &words).args([id, "--version"]);
        let finished = call.doing("Running", self.name).finish()?;
        if !finished.success() {
            let mut message = super::engine::failure(&finished);
            if finished.stderr.contains("no such file or directory") {
                message.push_str(explain::DYNAMIC);
            }
            bail!("the image of {} does not run: {message}", self.name);
        }
        let wanted = format!("{} {}", self.name, self.version);
        let mut lines = finished.stdout.lines();
        let said = lines.next().unwrap_or_default().trim();
        ensure!(
            said == wanted,
            "the image of {} answers --version with {said:?} and not with {wanted:?}",
            self.name
        );
        ensure!(
            self.libraries.is_none() || lines.any(|line| line.contains("onnxruntime")),
            "the program in the image of {} does not load ONNX Runtime: {}",
            self.name,
            finished.tail(4)
        );
        Ok(())
    }

    fn call<'e>(&self, engine: &'e Engine, log: &str, words: &[&str]) -> Call<'e> {
        engine.call(&format!("{}-{log}", self.name), words)
    }
}

/// The image ID that `docker load` or `podman load` names.
fn loaded(said: &str) -> Option<&str> {
    let start = said.find("sha256:")?;
    said.get(start..start + "sha256:".len() + 64)
}
