//! From the command line to what ought to be, without touching anything.

use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use model::{MODEL_INFO_FILE, ModelInfo};
use serde_json::Value;

use super::{Cli, TargetName};
use crate::options::{Options, Protocol, Shape};
use crate::source;
use crate::wanted::{self, Detector};

/// What ought to be.
#[derive(Debug)]
pub(super) struct Plan {
    pub(super) info: ModelInfo,
    pub(super) object: Value,
    pub(super) detectors: Vec<Detector>,
    /// Seconds without progress after which Kubernetes calls a rollout stuck.
    pub(super) deadline: u32,
}

impl Cli {
    /// Reads and checks all input.
    pub(super) fn plan(&self) -> anyhow::Result<Plan> {
        let info = self.source().context("cannot deploy")?;
        let shape = self.shape()?;
        self.check_source(&info, &shape)?;
        let options = Options {
            name: self.deploy_name.clone(),
            namespace: self.namespace.as_ref().map(ToString::to_string),
            image: self.serving_image.clone(),
            shape,
            detectors: self.detectors.options(),
        };
        let object = match self.target {
            TargetName::Kserve => wanted::inference_service(&info, &options)?,
            _ => wanted::seldon_deployment(&info, &options)?,
        };
        Ok(Plan {
            detectors: wanted::detectors(&info, &options),
            deadline: options.shape.deadline(),
            info,
            object,
        })
    }

    /// The version of the registry that is asked for, else that of the input.
    fn source(&self) -> anyhow::Result<ModelInfo> {
        let (Some(url), Some(model)) = (&self.registry, &self.model) else {
            return Ok(source::read(&self.pfs.join("data"))?);
        };
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .context("cannot start the runtime")?;
        Ok(runtime.block_on(source::from_registry(url, model))?)
    }

    /// The flags, and below them the overlay.
    fn shape(&self) -> anyhow::Result<Shape> {
        let flags = self.shape.clone();
        let shape = match &self.overlay {
            Some(path) => flags.or(Shape::read(&self.below_pfs(path))?),
            None => flags,
        };
        shape.check()?;
        if self.target == TargetName::Kserve && shape.protocol == Some(Protocol::Seldon) {
            bail!("the target kserve speaks the protocol v2 only");
        }
        Ok(shape)
    }

    /// Somebody has to bring the model to the server.
    fn check_source(&self, info: &ModelInfo, shape: &Shape) -> anyhow::Result<()> {
        if let Some(entry) = &info.registry
            && entry.url.starts_with("file:")
            && shape.pod.is_none()
        {
            eprintln!(
                "warning: {} is a folder: mount it in the pods at the same path (\"pod\" in the overlay)",
                entry.url
            );
        }
        let is_known = info.uri.is_some() || info.registry.is_some();
        if is_known || shape.determined_secret.is_some() {
            return Ok(());
        }
        let problem =
            format!("{MODEL_INFO_FILE} has no \"uri\" from which Seldon could fetch the package");
        if self.target == TargetName::Manifest {
            eprintln!("warning: {problem}: serve must be given the model some other way");
            return Ok(());
        }
        bail!(
            "{problem}; a model in a Determined registry needs --determined-secret, \
             and train writes the key \"uri\" when it runs as a Pachyderm job"
        );
    }

    /// Paths in descriptors start with `/pfs/`, wherever that folder really is.
    pub(super) fn below_pfs(&self, path: &Path) -> PathBuf {
        match path.strip_prefix("/pfs") {
            Ok(below) => self.pfs.join(below),
            Err(_) => path.to_owned(),
        }
    }
}
