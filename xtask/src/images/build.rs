//! From a program to an image that has run once.

use std::fs::{self, File};
use std::io::BufWriter;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};
use serde_json::Value;

use super::context::{self, Entry};
use super::engine::{Call, Engine};
use super::explain;
use super::seal;
use crate::interrupt;

/// What an image is made of.
pub(crate) struct Recipe<'a> {
    /// Name of the image, of its program and of its folder in `containers/`.
    pub(crate) name: &'a str,
    pub(crate) version: &'a str,
    pub(crate) dockerfile: &'a Path,
    pub(crate) program: &'a [u8],
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
    /// Bytes of the unpacked image, as the engine counts them.
    pub(crate) size: u64,
    /// See [`seal::content`].
    pub(crate) content: Value,
}

impl Recipe<'_> {
    /// Builds the image, seals it and runs it. No tag moves.
    ///
    /// # Errors
    /// When the engine fails, or when the image does not answer `--version`.
    pub(crate) fn build(&self, engine: &Engine) -> Result<Built> {
        fs::create_dir_all(&self.scratch)
            .with_context(|| format!("cannot make {}", self.scratch.display()))?;
        // The builder's cache gives equal content the same raw image, and another
        // run may be done with it and remove it before it is sealed here.
        let raw = self.build_raw(engine)?;
        let built = match self.sealed(engine, &raw) {
            Err(_) if !interrupt::requested() => {
                let raw = self.build_raw(engine)?;
                self.sealed(engine, &raw)?
            }
            built => built?,
        };
        self.run_once(engine, &built.id)?;
        Ok(built)
    }

    /// The image with its final ID.
    fn sealed(&self, engine: &Engine, raw: &str) -> Result<Built> {
        let inspected = inspect(engine, self.name, raw)?;
        let (id, content) = self.seal(engine, &inspected)?;
        if raw != id {
            // It shares the layers; not being able to remove it harms nothing.
            // Its parents stay: they are the builder's cache.
            let call = self.call(engine, "remove", &["image", "rm", "--no-prune", raw]);
            call.finish()?;
        }
        let size = inspected.get("Size").and_then(Value::as_u64);
        Ok(Built {
            id,
            content,
            size: size.context("docker image inspect gives no Size")?,
        })
    }

    fn build_raw(&self, engine: &Engine) -> Result<String> {
        let context = self.scratch.join("context.tar");
        self.pack(&context)?;
        let id_file = self.scratch.join("id");
        let call = self.call(
            engine,
            "build",
            &["build", "--platform", self.platform, "--iidfile"],
        );
        let call = call.args([&id_file]).args(["-"]);
        call.stdin(&context).doing("Building", self.name).read()?;
        let id = fs::read_to_string(&id_file)
            .with_context(|| format!("docker build wrote no {}", id_file.display()))?;
        fs::remove_file(&context)?;
        Ok(id.trim().to_owned())
    }

    fn pack(&self, archive: &Path) -> Result<()> {
        let read =
            |path: &Path| fs::read(path).with_context(|| format!("cannot read {}", path.display()));
        let dockerfile = read(self.dockerfile)?;
        let entries = vec![
            Entry {
                name: "Dockerfile",
                mode: 0o644,
                bytes: &dockerfile,
            },
            Entry {
                name: self.name,
                mode: 0o755,
                bytes: self.program,
            },
        ];
        let file = File::create(archive);
        let file = file.with_context(|| format!("cannot write {}", archive.display()))?;
        context::write(BufWriter::new(file), entries)
            .with_context(|| format!("cannot write {}", archive.display()))
    }

    fn seal(&self, engine: &Engine, inspected: &Value) -> Result<(String, Value)> {
        let sealed = seal::seal(inspected, &self.labels, self.created)?;
        let archive = self.scratch.join("seal.tar");
        fs::write(&archive, &sealed.archive)?;
        let call = self
            .call(engine, "seal", &["load", "--quiet"])
            .stdin(&archive);
        call.read()?;
        fs::remove_file(&archive)?;
        Ok((sealed.id, sealed.content))
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
        let said = finished.stdout.trim();
        ensure!(
            said == wanted,
            "the image of {} answers --version with {said:?} and not with {wanted:?}",
            self.name
        );
        Ok(())
    }

    fn call<'e>(&self, engine: &'e Engine, log: &str, words: &[&str]) -> Call<'e> {
        engine.call(&format!("{}-{log}", self.name), words)
    }
}

/// What the engine knows of one image.
pub(crate) fn inspect(engine: &Engine, name: &str, id: &str) -> Result<Value> {
    let call = engine.call(&format!("{name}-inspect"), &["image", "inspect", id]);
    let text = call.read()?;
    let list: Vec<Value> = serde_json::from_str(&text)
        .with_context(|| format!("docker image inspect {id} does not answer with JSON"))?;
    let first = list.into_iter().next();
    first.with_context(|| format!("docker image inspect {id} answers with an empty list"))
}
