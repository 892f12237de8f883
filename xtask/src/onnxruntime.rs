//! `cargo xtask onnxruntime`: gets the library of ONNX Runtime, once.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use sha2::{Digest, Sha256};
use wheel::{Pin, Wheel};

use crate::images::{host_platform, seal};
use crate::report;
use crate::workspace::Workspace;

/// The version, which is that of the Python package too.
pub(crate) const VERSION: &str = "1.31.1";

/// The library's name here, and where programs look for it.
pub(crate) const LIBRARY: &str = "libonnxruntime.so";

/// What its licence wants to go with it.
pub(crate) const NOTICES: [&str; 2] = ["LICENSE", "ThirdPartyNotices.txt"];

/// The library for a platform.
struct Build {
    /// As docker says it.
    platform: &'static str,
    wheel: Pin,
    /// The SHA-256 of the library in the wheel.
    library: &'static str,
}

const fn pin(platform: &'static str, sha256: &'static str) -> Pin {
    Pin {
        package: "onnxruntime",
        version: VERSION,
        sha256,
        // One and the same library is in the wheels for all versions of Python.
        built_for: Some((platform, "3.12")),
    }
}

const BUILDS: [Build; 2] = [
    Build {
        platform: "linux/amd64",
        wheel: pin(
            "manylinux_2_28_x86_64",
            "1f3dea47f2f0e5117c2404cea7d21fd253ae7836a3bf167a501cdfbb2600d536",
        ),
        library: "fc44112fbe06d7d689c57e11d3862031f64711007e4ee020f8eed5185fd2c1d3",
    },
    Build {
        platform: "linux/arm64",
        wheel: pin(
            "manylinux_2_28_aarch64",
            "0b9a492176886992e0e875f06bc0367e333f5fff11711a2d642e18b02f3009cc",
        ),
        library: "8aa3b76b28c778a2b1dd660d34161adb1d508c9ccd04ff9dc80e26eca5df8467",
    },
];

/// Get the library of ONNX Runtime, which the images of train and serve hold, and print its path.
///
/// It comes from the Python package onnxruntime, at a pinned version and hash, and is
/// kept in .local/onnxruntime/; one that is there needs no network. `cargo xtask
/// images` gets it as well, and so does `cargo xtask local` for pictures and texts.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  cargo xtask onnxruntime                     get it by `python3 -m pip download`
  cargo xtask onnxruntime --wheel FILE        without an index
  serve --model DIR --onnxruntime \"$(cargo xtask onnxruntime)\"")]
pub(crate) struct Args {
    /// Take the package from this file instead of the index
    #[arg(long, value_name = "FILE")]
    wheel: Option<PathBuf>,
    /// The Python whose pip gets the package
    #[arg(long, value_name = "PROGRAM", env = "PYTHON", default_value = PYTHON)]
    python: String,
}

/// The Python that is asked when nobody names one.
pub(crate) const PYTHON: &str = "python3";

impl Args {
    pub(crate) fn run(self, workspace: &Workspace) -> Result<ExitCode> {
        let from = self.wheel.as_deref();
        let folder = ensure(&workspace.root, &host_platform()?, from, &self.python)?;
        anstream::println!("{}", folder.join(LIBRARY).display());
        Ok(ExitCode::SUCCESS)
    }
}

/// The library for this machine, by pip from the index if it is not kept.
///
/// # Errors
/// As [`ensure`].
pub(crate) fn here(root: &Path) -> Result<PathBuf> {
    Ok(ensure(root, &host_platform()?, None, PYTHON)?.join(LIBRARY))
}

/// The folder that holds the library for `platform` and its notices, if it is kept.
///
/// # Errors
/// When the library there is another one than it was.
pub(crate) fn kept(root: &Path, platform: &str) -> Result<Option<PathBuf>> {
    let folder = folder(root, platform);
    let build = BUILDS.iter().find(|build| build.platform == platform);
    let Some(build) = build.filter(|_| folder.exists()) else {
        return Ok(None);
    };
    let path = folder.join(LIBRARY);
    let library = fs::read(&path).with_context(|| format!("cannot read {}", path.display()))?;
    if seal::hex(&Sha256::digest(&library)) != build.library {
        bail!(
            "{} is not the library of ONNX Runtime {VERSION}; remove {} and try again",
            path.display(),
            folder.display()
        );
    }
    Ok(Some(folder))
}

/// As [`kept`], from `wheel` or by `python` from the index if it is not there.
///
/// # Errors
/// As [`kept`], when there is no library for the platform, and when the wheel cannot be
/// had or has another hash.
pub(crate) fn ensure(
    root: &Path,
    platform: &str,
    wheel: Option<&Path>,
    python: &str,
) -> Result<PathBuf> {
    if let Some(folder) = kept(root, platform)? {
        return Ok(folder);
    }
    let build = BUILDS.iter().find(|build| build.platform == platform);
    let build = build.with_context(|| format!("there is no ONNX Runtime for {platform}"))?;
    report::status("Getting", format_args!("onnxruntime {VERSION}"));
    let wheel = match wheel {
        Some(file) => Wheel::open(file, &build.wheel),
        None => Wheel::download(&build.wheel, python),
    };
    let mut wheel = wheel.context("ONNX Runtime is not here yet and cannot be had")?;
    let folder = folder(root, platform);
    let parent = folder.parent().unwrap_or(root);
    let mut write = || -> Result<()> {
        fs::create_dir_all(parent)?;
        let aside = tempfile::tempdir_in(parent)?;
        let library = format!("onnxruntime/capi/{LIBRARY}.{VERSION}");
        fs::write(aside.path().join(LIBRARY), wheel.file(&library)?)?;
        for name in NOTICES {
            let notice = wheel.file(&format!("onnxruntime/{name}"))?;
            fs::write(aside.path().join(name), notice)?;
        }
        fs::rename(aside.keep(), &folder)?;
        Ok(())
    };
    write().with_context(|| format!("cannot keep ONNX Runtime in {}", folder.display()))?;
    Ok(folder)
}

fn folder(root: &Path, platform: &str) -> PathBuf {
    let folder = root.join(".local/onnxruntime").join(VERSION);
    folder.join(platform.replace('/', "-"))
}
