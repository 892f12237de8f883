//! What holds for the whole run: place, platform, engine, folders.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use tempfile::TempDir;

use super::Args;
use super::engine::Engine;
use super::libraries::Libraries;
use super::place::Place;
use crate::cargo::Graph;
use crate::workspace::{Image, Workspace};
use crate::{onnxruntime, programs};

/// Checked before anything is done.
pub(crate) struct Settings {
    pub(crate) place: Place,
    /// As docker says it: `linux/amd64`.
    pub(crate) platform: String,
    /// As rustc says it.
    pub(crate) target: String,
    pub(crate) graph: Graph,
    pub(crate) engine: Engine,
    /// Everything xtask keeps, within cargo's target folder.
    pub(crate) folder: PathBuf,
    pub(crate) limit: Duration,
    /// What an image holds that loads ONNX Runtime. None where no image does, and in a
    /// dry run before it is here.
    pub(crate) libraries: Option<Libraries>,
    /// Where a dry run writes its logs, so that it leaves nothing.
    #[expect(dead_code, reason = "removes the folder in the end")]
    dry: Option<TempDir>,
}

/// Platforms and the targets of their programs.
const TARGETS: [(&str, &str); 5] = [
    ("linux/amd64", "x86_64-unknown-linux-gnu"),
    ("linux/arm64", "aarch64-unknown-linux-gnu"),
    ("linux/ppc64le", "powerpc64le-unknown-linux-gnu"),
    ("linux/riscv64", "riscv64gc-unknown-linux-gnu"),
    ("linux/s390x", "s390x-unknown-linux-gnu"),
];

impl Settings {
    /// Reads and checks everything that was set.
    ///
    /// # Errors
    /// When a setting is wrong; nothing has been done then.
    pub(crate) fn new(args: &Args, workspace: &Workspace, images: &[&Image]) -> Result<Self> {
        let place = args.place.resolve(workspace)?;
        let given = args
            .platform
            .as_ref()
            .filter(|platform| !platform.is_empty());
        let (platform, target) = match given.or(workspace.platform.as_ref()) {
            Some(platform) => (platform.clone(), target(platform)?),
            None => of_this_machine()?,
        };
        let mut takers = images
            .iter()
            .filter(|image| !args.without_onnxruntime && workspace.takes_libraries(&image.name));
        let libraries = match takers.next() {
            Some(image) => libraries(args, workspace, image, &platform)?,
            None => None,
        };
        let graph = Graph::read(&workspace.root, &target)?;
        let folder = graph.target_folder.join("xtask");
        let limit = Duration::from_secs(args.timeout);
        let dry = args.dry_run.then(tempfile::tempdir).transpose()?;
        let logs = match &dry {
            Some(dry) => dry.path().to_owned(),
            None => folder.join("logs"),
        };
        let engine = Engine::new(args.docker.clone(), logs, limit);
        Ok(Self {
            place,
            platform,
            target,
            graph,
            engine,
            folder,
            limit,
            libraries,
            dry,
        })
    }

    /// What the image `name` holds besides its program.
    pub(crate) fn libraries_of(&self, workspace: &Workspace, name: &str) -> Option<&Libraries> {
        let libraries = self.libraries.as_ref();
        libraries.filter(|_| workspace.takes_libraries(name))
    }

    /// Where the record and the work of one image lie.
    pub(crate) fn scratch(&self, name: &str) -> PathBuf {
        let platform = self.platform.replace('/', "-");
        self.folder.join("images").join(platform).join(name)
    }
}

/// ONNX Runtime, got if it is not here yet, with the C library of this machine.
fn libraries(
    args: &Args,
    workspace: &Workspace,
    image: &Image,
    platform: &str,
) -> Result<Option<Libraries>> {
    let root = &workspace.root;
    let gather = || -> Result<Option<Libraries>> {
        let here = host_platform()?;
        ensure!(
            platform == here,
            "the C library that goes with it is that of this machine, which is {here}"
        );
        let folder = match args.dry_run {
            true => onnxruntime::kept(root, platform)?,
            false => Some(onnxruntime::ensure(
                root,
                platform,
                None,
                onnxruntime::PYTHON,
            )?),
        };
        folder.map(|folder| Libraries::gather(&folder)).transpose()
    };
    let name = &image.name;
    gather().with_context(|| {
        format!(
            "the image of {name} for {platform} holds ONNX Runtime; --without-onnxruntime builds \
             it without, and {name} then has its built-in engine only"
        )
    })
}

/// This machine, as docker says it.
///
/// # Errors
/// When it is no Linux, or docker's name for its processor is not known.
pub(crate) fn host_platform() -> Result<String> {
    Ok(of_this_machine()?.0)
}

fn target(platform: &str) -> Result<String> {
    let known = TARGETS.iter().find(|(known, _)| *known == platform);
    let Some((_, target)) = known else {
        let known: Vec<&str> = TARGETS.iter().map(|(known, _)| *known).collect();
        bail!("platform {platform:?} is none of {}", known.join(", "));
    };
    Ok((*target).to_owned())
}

fn of_this_machine() -> Result<(String, String)> {
    let target = programs::host_target()?;
    // A host with another C library than glibc is still of this processor.
    let processor = target.split('-').next().unwrap_or_default();
    let known = TARGETS
        .iter()
        .find(|(_, known)| known.split('-').next() == Some(processor));
    let Some((platform, _)) = known else {
        bail!("docker's name for the processor of {target} is not known; give --platform");
    };
    Ok(((*platform).to_owned(), target))
}
