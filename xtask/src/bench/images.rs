//! Images of a copy of this workspace, so that nothing here is touched.

use std::fs;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result};
use serde_json::Value;
use xshell::{Cmd, Shell, cmd};

use super::{median, print, time};
use crate::report;
use crate::workspace::Workspace;

const SECOND: Option<Duration> = Some(Duration::from_secs(1));

pub(super) fn run(workspace: &Workspace, registry: Option<&str>) -> Result<()> {
    let xtask = std::env::current_exe()?;
    let copy = tempfile::tempdir()?;
    let root = copy.path().join("workspace");
    let sh = Shell::new()?;
    let from = &workspace.root;
    cmd!(sh, "git clone --quiet --no-hardlinks {from} {root}")
        .quiet()
        .run()?;
    sh.set_var("CARGO_MANIFEST_DIR", root.join("xtask"));
    sh.set_var("CARGO_TARGET_DIR", root.join("target"));
    // A name of its own: tags of other images stay where they are.
    sh.set_var("XTASK_PROJECT", "xtask-bench");
    if let Some(registry) = registry {
        sh.set_var("XTASK_REGISTRY", registry);
    }
    let images = || time(cmd!(sh, "{xtask} images"));
    report::status("Compiling", "a copy of the workspace, which takes its time");
    print(
        "three images from scratch, compilation included",
        images()?,
        None,
    )?;
    print("nothing to do", median(5, || Ok(()), images)?, SECOND)?;

    let forget = || forget(&root);
    let imaging = || imaging(cmd!(sh, "{xtask} images --json"));
    print(
        "three images packed, loaded, run and tagged",
        median(5, forget, imaging)?,
        SECOND,
    )?;
    print(
        "the same with the plan and a look by cargo",
        median(5, forget, images)?,
        None,
    )?;

    let mut round = 0;
    let serve = root.join("crates/serve/src/main.rs");
    let source = fs::read_to_string(&serve)?;
    let change = || {
        round += 1;
        let word = format!("{source}\n#[used]\nstatic BENCH: u32 = {round};\n");
        Ok(fs::write(&serve, word)?)
    };
    print(
        "one crate changed, compilation included",
        median(3, change, images)?,
        None,
    )?;
    if registry.is_some() {
        fs::write(&serve, &source)?;
        images()?;
        let push = || time(cmd!(sh, "{xtask} images --push --allow-dirty"));
        print("push of three new images", push()?, None)?;
        print(
            "push of three unchanged images",
            median(5, || Ok(()), push)?,
            None,
        )?;
        cmd!(sh, "{xtask} bump serve --unused")
            .quiet()
            .ignore_stderr()
            .ignore_stdout()
            .run()?;
        images()?;
        print("push of one changed image", push()?, None)?;
    }
    Ok(())
}

/// How long a run says that its images took once all was compiled.
fn imaging(command: Cmd<'_>) -> Result<Duration> {
    let document = command.quiet().ignore_stderr().read()?;
    let document: Value = serde_json::from_str(&document)?;
    let seconds = document.pointer("/seconds/imaging").and_then(Value::as_f64);
    let seconds = seconds.context("the run does not say how long its images took")?;
    Ok(Duration::from_secs_f64(seconds))
}

/// Removes the records, so that everything but the compilation is done again.
fn forget(root: &Path) -> Result<()> {
    let records = root.join("target/xtask/images");
    Ok(fs::remove_dir_all(records)?)
}
