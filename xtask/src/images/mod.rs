//! `cargo xtask images`.

mod build;
mod context;
mod engine;
mod explain;
pub(crate) mod place;
mod revision;
pub(crate) mod seal;
mod table;

use std::ffi::OsString;
use std::process::ExitCode;
use std::thread;
use std::time::Duration;

use anyhow::{Result, anyhow, bail};

use crate::workspace::{Image, Workspace};
use crate::{interrupt, programs, report};
use build::{Built, Recipe};
use engine::Engine;
use place::{Place, PlaceArgs};
use revision::Revision;

/// Build the images of train, deploy and serve, and push them.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Images to build; all when none is named
    names: Vec<String>,
    /// Push them once all are built and have run
    #[arg(long)]
    push: bool,
    #[command(flatten)]
    place: PlaceArgs,
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
        let place = self.place.resolve(workspace)?;
        let images = workspace.select(&self.names)?;
        let names: Vec<&str> = images.iter().map(|image| image.name.as_str()).collect();
        let folder = programs::build(workspace, &names)?;
        let scratch = programs::target_folder(workspace)?.join("xtask");
        let logs = scratch.join("logs");
        let engine = Engine::new(self.docker, logs, Duration::from_secs(self.timeout));
        let revision = Revision::of(&workspace.root)?;
        if self.push && !revision.changed.is_empty() {
            report::warning("the tree has uncommitted changes; the images name its last commit");
        }
        let make = |image: &Image| {
            report::status("Building", &image.name);
            let version = image.version.to_string();
            let recipe = Recipe {
                name: &image.name,
                version: &version,
                dockerfile: &workspace.dockerfile(&image.name),
                program: &folder.join(&image.name),
                labels: labels(image, workspace, &revision),
                created: &revision.created,
                platform: "linux/amd64",
                scratch: scratch.join("images").join(&image.name),
            };
            recipe.build(&engine)
        };
        let built = together(&images, make)?;
        publish(&engine, &place, &images, &built, self.push)?;
        Ok(ExitCode::SUCCESS)
    }
}

/// Does `work` for all at once and gives all results, or all that went wrong.
fn together(
    images: &[&Image],
    work: impl Fn(&Image) -> Result<Built> + Sync,
) -> Result<Vec<Built>> {
    let results: Vec<Result<Built>> = thread::scope(|scope| {
        let work = &work;
        let threads: Vec<_> = images
            .iter()
            .map(|image| scope.spawn(move || work(image)))
            .collect();
        let joined = threads.into_iter().map(|thread| thread.join());
        joined
            .map(|result| result.unwrap_or_else(|_| Err(anyhow!("a thread of xtask panicked"))))
            .collect()
    });
    let mut built = Vec::new();
    let mut failed = 0;
    for result in results {
        match result {
            Ok(one) => built.push(one),
            Err(error) => {
                report::error(format_args!("{error:#}"));
                failed += 1;
            }
        }
    }
    if failed > 0 {
        bail!(
            "{failed} of {} images failed; no tag was moved",
            images.len()
        );
    }
    Ok(built)
}

/// Tags what was built and pushes it when asked to, one after the other:
/// measured, pushing at once was slower.
fn publish(
    engine: &Engine,
    place: &Place,
    images: &[&Image],
    built: &[Built],
    push: bool,
) -> Result<()> {
    let mut rows = Vec::new();
    for (image, built) in images.iter().zip(built) {
        let reference = place.reference(&image.name, &image.version)?;
        let log = format!("{}-tag", image.name);
        engine.call(&log, &["tag", &built.id, &reference]).read()?;
        rows.push((reference, built.clone()));
    }
    if push {
        for (image, (reference, _)) in images.iter().zip(&rows) {
            report::status("Pushing", reference);
            let log = format!("{}-push", image.name);
            let call = engine.call(&log, &["push", reference]);
            call.doing("Pushing", reference).read()?;
        }
    }
    table::print(&rows)
}

fn labels(
    image: &Image,
    workspace: &Workspace,
    revision: &Revision,
) -> Vec<(&'static str, String)> {
    let mut labels = vec![
        ("org.opencontainers.image.title", image.name.clone()),
        (
            "org.opencontainers.image.version",
            image.version.to_string(),
        ),
        ("org.opencontainers.image.created", revision.created.clone()),
    ];
    let optional = [
        ("org.opencontainers.image.description", &image.description),
        ("org.opencontainers.image.licenses", &workspace.license),
        ("org.opencontainers.image.source", &workspace.repository),
        ("org.opencontainers.image.revision", &revision.commit),
    ];
    for (key, value) in optional {
        labels.extend(value.clone().map(|value| (key, value)));
    }
    labels
}
