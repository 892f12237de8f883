//! `cargo xtask bench`: how long the tools of this workspace take.

mod bump;
mod images;
mod local;
mod python;
mod serve;
mod train;

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use clap::{Subcommand, value_parser};
use xshell::Cmd;

use crate::workspace::Workspace;

/// Measure how fast images, bump, local, serve and train are, against targets and peers.
#[derive(clap::Args)]
#[command(after_help = "Examples:
  cargo xtask bench bump      1, 100 and 10,000 descriptors
  cargo xtask bench images    nothing to do, one change, three images, with docker
  cargo xtask bench images --registry localhost:5000
                              also pushes, to a registry that may be filled
  cargo xtask bench local     10,000 datums beside xargs, a commit beside a copy
  cargo xtask bench serve     requests a second beside seldon-core and mlserver
  cargo xtask bench serve --pictures DIR
                              pictures a second and their p50 beside the same two
  cargo xtask bench train --data DIR
                              tables beside scikit-learn, pictures beside ONNX Runtime")]
pub(crate) struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(Subcommand)]
enum What {
    /// Raise a version over many descriptors
    Bump,
    /// Build images in a copy of this workspace, and push them when told where
    Images {
        /// Registry to push to; without one nothing is pushed
        #[arg(long, value_name = "HOST[:PORT]")]
        registry: Option<String>,
    },
    /// Ask serve and the Python servers as often as they answer, with Python's index
    Serve {
        /// Ask a model that is trained on the labelled pictures of this folder instead of
        /// one of numbers
        #[arg(long, value_name = "DIR")]
        pictures: Option<PathBuf>,
    },
    /// Train on the tables of scikit-learn beside its models, and on pictures beside ONNX
    /// Runtime, with Python's index
    Train {
        /// Folder of labelled pictures; without one only tables are trained on
        #[arg(long, value_name = "DIR")]
        data: Option<PathBuf>,
        /// How often each is run on the pictures
        #[arg(long, value_name = "N", default_value_t = 3, value_parser = value_parser!(u32).range(1..))]
        rounds: u32,
    },
    /// Run many small datums beside xargs, and commit a gigabyte beside a copy of it
    Local {
        /// How many datums
        #[arg(long, value_name = "N", default_value_t = 10_000)]
        datums: usize,
    },
}

impl Args {
    pub(crate) fn run(self, workspace: &Workspace) -> Result<ExitCode> {
        match self.what {
            What::Bump => bump::run()?,
            What::Images { registry } => images::run(workspace, registry.as_deref())?,
            What::Serve { pictures } => serve::run(workspace, pictures.as_deref())?,
            What::Train { data, rounds } => train::run(workspace, data.as_deref(), rounds)?,
            What::Local { datums } => local::run(datums)?,
        }
        Ok(ExitCode::SUCCESS)
    }
}

/// The whole path of a folder that somebody has named.
fn folder(path: &Path) -> Result<PathBuf> {
    let whole = path.canonicalize();
    let whole = whole.with_context(|| format!("cannot read {}", path.display()))?;
    ensure!(whole.is_dir(), "{} is not a folder", path.display());
    Ok(whole)
}

/// Runs a command and gives the time it took.
fn time(command: Cmd<'_>) -> Result<Duration> {
    let line = command.to_string();
    let start = Instant::now();
    let output = command.quiet().ignore_status().output()?;
    let time = start.elapsed();
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "`{line}` failed:\n{said}");
    Ok(time)
}

/// The median of `count` runs, each after `prepare`.
fn median(
    count: usize,
    mut prepare: impl FnMut() -> Result<()>,
    mut run: impl FnMut() -> Result<Duration>,
) -> Result<Duration> {
    let mut times = Vec::new();
    for _ in 0..count {
        prepare()?;
        times.push(run()?);
    }
    times.sort();
    times
        .get(count / 2)
        .copied()
        .context("nothing was measured")
}

/// A line of the result, with the target if there is one.
fn print(what: &str, time: Duration, target: Option<Duration>) -> Result<()> {
    let target = target.map(|target| format!("  (target {} s)", target.as_secs_f32()));
    let mut stdout = std::io::stdout().lock();
    let seconds = time.as_secs_f32();
    writeln!(
        stdout,
        "{what:50} {seconds:8.3} s{}",
        target.unwrap_or_default()
    )?;
    Ok(())
}

/// A line of the result that is no time.
fn say(text: &str) -> Result<()> {
    Ok(writeln!(std::io::stdout().lock(), "{text}")?)
}

/// A line that relates a time to that of its peer.
fn ratio(what: &str, time: Duration, peer: Duration) -> Result<()> {
    let ratio = time.as_secs_f64() / peer.as_secs_f64().max(f64::MIN_POSITIVE);
    let mut stdout = std::io::stdout().lock();
    writeln!(stdout, "{what:50} {ratio:8.2} x")?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_folder_is_a_folder() {
        let place = tempfile::tempdir().unwrap();
        let file = place.path().join("file");
        std::fs::write(&file, "").unwrap();
        assert!(folder(place.path()).unwrap().is_absolute());
        let error = folder(&file).unwrap_err().to_string();
        assert!(error.ends_with("file is not a folder"), "{error}");
        let error = folder(&place.path().join("none")).unwrap_err().to_string();
        assert!(error.starts_with("cannot read"), "{error}");
    }
}
