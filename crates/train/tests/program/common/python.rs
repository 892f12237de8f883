//! Pythons with packages, each made once below the target folder.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Runs `command`, which has to succeed.
pub(crate) fn run(command: &mut Command) {
    let status = command.status().unwrap();
    assert!(status.success(), "{command:?}: {status}");
}

/// The Python called `name`, which has these packages. Two tests must not make the same
/// one at the same time.
pub(crate) fn with(name: &str, packages: &[&str]) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    let python = folder.join("bin/python");
    let ready = folder.join("ready");
    if !ready.exists() {
        run(Command::new("python3").args(["-m", "venv"]).arg(&folder));
        run(Command::new(&python)
            .args(["-m", "pip", "install", "--quiet", "--no-compile"])
            .args(packages));
        fs::write(ready, "").unwrap();
    }
    python
}
