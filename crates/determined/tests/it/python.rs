//! Python with packages of others.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// Runs a command that must succeed.
pub(crate) fn run(command: &mut Command) -> Output {
    let output = command
        .output()
        .unwrap_or_else(|e| panic!("{command:?}: {e}"));
    assert!(
        output.status.success(),
        "{command:?}\n{}\n{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    output
}

/// A Python with these packages, in the virtual environment `name` below the target
/// directory. Two tests must not make the same one at the same time.
pub(crate) fn python(name: &str, packages: &[&str]) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    let python = folder.join("bin/python3");
    let complete = folder.join("complete");
    let wanted = packages.join("\n");
    if !fs::read_to_string(&complete).is_ok_and(|text| text == wanted) {
        let _ = fs::remove_dir_all(&folder);
        run(Command::new("python3").args(["-m", "venv"]).arg(&folder));
        run(Command::new(&python)
            .args(["-m", "pip", "install", "--quiet", "--no-compile"])
            .args(packages));
        fs::write(complete, wanted).unwrap();
    }
    python
}
