//! Python environments with the peers that are measured beside.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use xshell::{Shell, cmd};

use crate::workspace::Workspace;
use crate::{onnxruntime, programs};

/// What decodes pictures there.
pub(super) const PILLOW: &str = "pillow==12.0.0";

/// An environment: its name, and what is installed.
pub(super) struct Python {
    pub(super) name: &'static str,
    pub(super) packages: &'static [&'static str],
}

/// The Python package of the library that serve loads, at the same version.
pub(super) fn runtime() -> String {
    format!("onnxruntime=={}", onnxruntime::VERSION)
}

impl Python {
    /// The environment's bin folder, made if it is not there.
    ///
    /// # Errors
    /// When there is no python3 with venv, or no package index.
    pub(super) fn install(&self, sh: &Shell, workspace: &Workspace) -> Result<PathBuf> {
        let folder = programs::target_folder(workspace)?;
        let folder = folder.join("python").join(self.name);
        self.fill(sh, &folder)
            .with_context(|| format!("cannot install {}; python3 with venv is needed", self.name))
    }

    fn fill(&self, sh: &Shell, folder: &Path) -> Result<PathBuf> {
        let bin = folder.join("bin");
        let done = folder.join("installed");
        let (packages, runtime) = (self.packages, [&runtime(), PILLOW]);
        let wanted = [packages, &runtime].concat().join(" ");
        if sh.read_file(&done).is_ok_and(|found| found == wanted) {
            return Ok(bin);
        }
        cmd!(sh, "python3 -m venv {folder}").quiet().run()?;
        let pip = bin.join("pip");
        let install = ["install", "--quiet", "--disable-pip-version-check"];
        cmd!(sh, "{pip} {install...} {packages...}").quiet().run()?;
        // It says that it needs a newer protobuf than a server has, and runs without.
        cmd!(sh, "{pip} {install...} --no-deps {runtime...}")
            .quiet()
            .run()?;
        sh.write_file(&done, wanted)?;
        Ok(bin)
    }
}
