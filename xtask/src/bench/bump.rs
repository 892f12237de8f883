//! A bump over many descriptors, from a warm cache, beside the least that any
//! replacement of so many files costs. `TMPDIR` says on which disk.

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::Result;
use walkdir::WalkDir;
use xshell::{Shell, cmd};

use super::{median, print, ratio, time};

const MANIFEST: &str = "[workspace]\nmembers = [\"crates/*\"]\n\n[workspace.metadata.images]\n\
    registry = \"localhost:5000\"\nproject = \"acme\"\nnames = [\"serve\"]\n";

pub(super) fn run() -> Result<()> {
    let xtask = std::env::current_exe()?;
    for count in [1, 100, 10_000] {
        let root = tempfile::tempdir()?;
        let sh = Shell::new()?;
        sh.set_var("CARGO_MANIFEST_DIR", root.path().join("xtask"));
        lay(root.path(), count)?;
        let bump = || time(cmd!(sh, "{xtask} bump serve"));
        let time = median(5, || Ok(()), bump)?;
        let target = (count == 10_000).then_some(Duration::from_secs(1));
        print(&format!("bump over {count} descriptors"), time, target)?;
        let peer = median(5, || Ok(()), || plain(root.path()))?;
        print(
            "  only reading, writing aside and renaming them",
            peer,
            None,
        )?;
        ratio("  bump to that", time, peer)?;
    }
    Ok(())
}

/// What no replacement of files can do without: each is read, written aside and
/// renamed, and nothing is understood, proved or undone.
fn plain(root: &Path) -> Result<Duration> {
    let start = Instant::now();
    for entry in WalkDir::new(root.join("pipelines")) {
        let entry = entry?;
        if entry.file_type().is_file() {
            let text = fs::read(entry.path())?;
            let aside = entry.path().with_extension("new");
            fs::write(&aside, text)?;
            fs::rename(aside, entry.path())?;
        }
    }
    Ok(start.elapsed())
}

/// A workspace with one image and `count` descriptors that all name it.
fn lay(root: &Path, count: usize) -> Result<()> {
    let crate_folder = root.join("crates/serve");
    fs::create_dir_all(&crate_folder)?;
    fs::write(root.join("Cargo.toml"), MANIFEST)?;
    let package = "name = \"serve\"\nversion = \"0.0.1\"\n";
    fs::write(
        crate_folder.join("Cargo.toml"),
        format!("[package]\n{package}"),
    )?;
    fs::write(
        root.join("Cargo.lock"),
        format!("version = 4\n\n[[package]]\n{package}"),
    )?;
    for number in 0..count {
        let folder = root.join(format!("pipelines/{}", number / 100));
        fs::create_dir_all(&folder)?;
        fs::write(
            folder.join(format!("{number}-pipeline.json")),
            descriptor(number),
        )?;
    }
    Ok(())
}

/// About as long as those of a real use case.
fn descriptor(number: usize) -> String {
    format!(
        "{{\n  \"pipeline\": {{\"name\": \"deploy-{number}\"}},\n  \
         \"description\": \"Deploys every new version of the model number {number}\",\n  \
         \"input\": {{\"pfs\": {{\"name\": \"data\", \"repo\": \"model-{number}\", \"glob\": \"/\"}}}},\n  \
         \"transform\": {{\n    \"image\": \"localhost:5000/acme/deploy:0.0.1\",\n    \
         \"cmd\": [\"/deploy\", \"--deploy-name\", \"m{number}\", \
         \"--serving-image\", \"localhost:5000/acme/serve:0.0.1\", \"--target\", \"manifest\"],\n    \
         \"env\": {{\"LOG\": \"info\"}}\n  }},\n  \"autoscaling\": true\n}}\n"
    )
}
