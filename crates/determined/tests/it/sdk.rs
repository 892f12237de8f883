//! The mock itself, against the real Python SDK.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use determined_mock::MockMaster;

/// The last release, and what the reference version of the API is.
const SDK: &str = "determined==0.38.1";

fn run(command: &mut Command) -> Output {
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

/// A Python with the SDK, in a virtual environment below the target directory.
fn python() -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("determined-sdk");
    let python = folder.join("bin/python3");
    let complete = folder.join("complete");
    let wanted = fs::read_to_string(&complete).is_ok_and(|text| text == SDK);
    if !wanted {
        let _ = fs::remove_dir_all(&folder);
        run(Command::new("python3").args(["-m", "venv"]).arg(&folder));
        run(Command::new(&python).args(["-m", "pip", "install", "--quiet", SDK]));
        fs::write(complete, SDK).unwrap();
    }
    python
}

#[test]
#[ignore = "needs python3 and PyPI"]
fn the_python_sdk_understands_the_mock() {
    let master = MockMaster::start();
    let dir = tempfile::tempdir().unwrap();
    let code = dir.path().join("code");
    fs::create_dir(&code).unwrap();
    fs::write(code.join("train.py"), "print('hi')\n").unwrap();
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/sdk/conversation.py");
    let output = run(Command::new(python())
        .arg(script)
        .arg(master.url())
        .arg(&code)
        .arg(dir.path().join("download"))
        // The SDK keeps tokens in the home directory.
        .env_clear()
        .env("HOME", dir.path()));
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(text.contains("the SDK understood everything"), "{text}");
    let world = master.world();
    assert_eq!(
        (world.experiments.len(), world.models[0].versions.len()),
        (2, 4)
    );
    assert_eq!(world.experiments[&1].files[0]["path"], "train.py");
}
