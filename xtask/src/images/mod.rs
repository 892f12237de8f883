//! `cargo xtask images`: plan, verify, act.

mod act;
mod audit;
mod build;
pub(crate) mod containerfile;
mod context;
mod engine;
mod explain;
mod inputs;
mod libraries;
mod outcome;
pub(crate) mod place;
mod plan;
mod push;
mod record;
mod revision;
mod sbom;
pub(crate) mod seal;
mod settings;
mod table;

use std::ffi::OsString;
use std::process::ExitCode;

use anyhow::{Result, bail};

use crate::workspace::Workspace;
use crate::{interrupt, report};
use place::PlaceArgs;
use plan::Job;
use revision::Revision;
use settings::Settings;
pub(crate) use settings::host_platform;

/// Build the images of train, deploy and serve, and push them.
///
/// Only what has changed is built. Nothing is pushed before all images are
/// built and have run once, and a published version is never overwritten.
#[derive(clap::Args)]
#[command(after_help = "Examples:
  cargo xtask images                        build what has changed
  cargo xtask images serve                  one of them
  cargo xtask images --dry-run --push       say what would happen, and why
  cargo xtask images --push --registry gcr.io --project my-project")]
pub(crate) struct Args {
    /// Images to build; all when none is named
    names: Vec<String>,
    /// Push them once all are built and have run
    #[arg(long)]
    push: bool,
    /// Print the plan and do nothing
    #[arg(long)]
    dry_run: bool,
    /// Print plan and outcome as one JSON document on stdout
    #[arg(long)]
    json: bool,
    /// Push although files differ from the commit that the images name
    #[arg(long)]
    allow_dirty: bool,
    /// Leave ONNX Runtime out of the image that holds it: its program then has its
    /// built-in engine only
    #[arg(long)]
    without_onnxruntime: bool,
    #[command(flatten)]
    place: PlaceArgs,
    /// Platform of the images, as linux/arm64; this machine's if not set
    #[arg(long, env = "XTASK_PLATFORM", value_name = "OS/PROCESSOR")]
    platform: Option<String>,
    /// Seconds that one command of the engine may take
    #[arg(long, value_name = "SECONDS", default_value_t = 600)]
    timeout: u64,
    /// Program that understands docker's command line
    #[arg(
        long,
        env = "XTASK_DOCKER",
        value_name = "PROGRAM",
        default_value = "docker"
    )]
    docker: OsString,
}

impl Args {
    pub(crate) fn run(self, workspace: &Workspace) -> Result<ExitCode> {
        interrupt::listen()?;
        let images = workspace.select(&self.names)?;
        let settings = Settings::new(&self, workspace, &images)?;
        let (mut jobs, mut problems) = plan::plan(&settings, workspace, &images, self.push)?;
        let revision = Revision::of(&workspace.root)?;
        problems.extend(plan::refusals(&jobs));
        problems.extend(self.dirty(&jobs, &revision));
        for job in &jobs {
            let (verb, line) = job.line();
            report::status(verb, line);
        }
        if self.dry_run || !problems.is_empty() {
            self.print(&outcome::document(&jobs, &problems, None, &[]));
            return finish(&problems);
        }
        let done = act::act(&settings, workspace, &revision, &mut jobs)?;
        let pushed = if self.push {
            push::push(&settings, &jobs)?
        } else {
            Vec::new()
        };
        if self.json {
            self.print(&outcome::document(&jobs, &problems, Some(&done), &pushed));
        } else {
            table::print(&jobs)?;
        }
        Ok(ExitCode::SUCCESS)
    }

    fn print(&self, document: &serde_json::Value) {
        if self.json {
            anstream::println!("{document}");
        }
    }

    /// What is pushed must be what its label `revision` says.
    fn dirty(&self, jobs: &[Job<'_>], revision: &Revision) -> Option<String> {
        if !self.push || self.allow_dirty || revision.commit.is_none() {
            return None;
        }
        let containers = jobs
            .iter()
            .map(|job| format!("containers/{}/Dockerfile", job.image.name));
        let mut containers = containers.collect::<Vec<_>>();
        containers.extend(["Cargo.lock".to_owned(), "Cargo.toml".to_owned()]);
        let changed = revision.changed.iter().find(|file| {
            containers.contains(file)
                || jobs
                    .iter()
                    .any(|job| job.inputs.files().any(|input| input == file.as_str()))
        })?;
        Some(format!(
            "{changed} differs from the last commit, which the images would name as their source; \
             commit it, or push with --allow-dirty"
        ))
    }
}

/// Builds all images and names those that the registry holds with other content
/// under their version.
///
/// # Errors
/// When an image cannot be built, or the registry does not answer for it.
pub(crate) fn changed(workspace: &Workspace, place: &PlaceArgs) -> Result<Vec<String>> {
    let docker = std::env::var_os("XTASK_DOCKER").filter(|program| !program.is_empty());
    let args = Args {
        names: Vec::new(),
        push: true,
        dry_run: false,
        json: false,
        allow_dirty: true,
        without_onnxruntime: false,
        place: place.clone(),
        platform: std::env::var("XTASK_PLATFORM").ok(),
        timeout: 600,
        docker: docker.unwrap_or_else(|| "docker".into()),
    };
    let images = workspace.select(&[])?;
    let settings = Settings::new(&args, workspace, &images)?;
    let (mut jobs, problems) = plan::plan(&settings, workspace, &images, true)?;
    if !problems.is_empty() {
        bail!(problems.join("\n"));
    }
    let revision = Revision::of(&workspace.root)?;
    act::act(&settings, workspace, &revision, &mut jobs)?;
    let changed = jobs
        .iter()
        .filter(|job| matches!(push::decide(job), plan::Push::Refused(_)));
    Ok(changed.map(|job| job.image.name.clone()).collect())
}

fn finish(problems: &[String]) -> Result<ExitCode> {
    for problem in problems {
        report::error(problem);
    }
    if !problems.is_empty() {
        bail!(
            "{}; nothing was done",
            report::count(problems.len(), "problem")
        );
    }
    Ok(ExitCode::SUCCESS)
}
