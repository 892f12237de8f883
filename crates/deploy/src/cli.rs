//! The command line.

use std::path::PathBuf;

use anyhow::Context as _;
use clap::{Parser, ValueEnum};
use model::MODEL_INFO_FILE;

use crate::image::Image;
use crate::names::{DeployName, Namespace, ObjectName};
use crate::options::Options;
use crate::{manifest, source, wanted};

/// Rolls a model version out on Seldon.
///
/// Reads PFS/data/model-info.yaml, which train wrote, verifies the model package
/// beside it, and makes the target serve that version.
///
/// Every option is also an environment variable, named in its help.
#[derive(Debug, Parser)]
#[command(version, max_term_width = 100, after_help = EXAMPLES)]
pub struct Cli {
    /// Name of the deployment, as iris
    #[arg(long, env = "DEPLOY_NAME", value_name = "NAME")]
    deploy_name: DeployName,

    /// Image of the model server, as registry.example/serve:0.0.1
    #[arg(long, env = "DEPLOY_SERVING_IMAGE", value_name = "IMAGE")]
    serving_image: Image,

    /// Where the deployment goes
    #[arg(long, env = "DEPLOY_TARGET", value_enum)]
    target: Target,

    /// Kubernetes namespace of the deployment
    #[arg(long, env = "SEL_NAMESPACE", value_name = "NAMESPACE")]
    namespace: Option<Namespace>,

    /// Secret whose keys the storage initializer gets as environment, to fetch the package
    #[arg(long, env = "DEPLOY_STORAGE_SECRET", value_name = "SECRET")]
    storage_secret: Option<ObjectName>,

    /// Seconds a rollout may take before Kubernetes calls it stuck
    #[arg(long, env = "DEPLOY_DEADLINE", value_name = "SECONDS", default_value_t = 600,
          value_parser = clap::value_parser!(u32).range(1..))]
    deadline: u32,

    /// Folder of the inputs and of out
    #[arg(long, env = "PFS_ROOT", value_name = "DIR", default_value = "/pfs")]
    pfs: PathBuf,
}

const EXAMPLES: &str = "Examples:
  In a pipeline whose input is the output repo of train, named data:
    deploy --deploy-name iris --serving-image registry.example/serve:0.0.1 --target manifest

  On a laptop, with model-info.yaml in ./pfs/data and the folder ./pfs/out:
    deploy --pfs ./pfs --deploy-name iris --serving-image serve:0.0.1 --target manifest

Exit status: 0 done or nothing to do, 1 refused or failed, 2 wrong usage.";

/// Who is made to serve the model version.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Target {
    /// Nobody: the objects are written to PFS/out/seldon-deployment.yaml
    Manifest,
}

impl Cli {
    /// Does what the command line says.
    ///
    /// # Errors
    ///
    /// When the input is refused or the target fails; nothing is then in
    /// PFS/out.
    pub fn run(self) -> anyhow::Result<()> {
        let info = source::read(&self.pfs.join("data")).context("cannot deploy")?;
        if info.uri.is_none() {
            eprintln!(
                "warning: {MODEL_INFO_FILE} has no \"uri\", so the manifest has no modelUri: \
                 serve must be given the model some other way"
            );
        }
        let object = wanted::seldon_deployment(&info, &self.options());
        match self.target {
            Target::Manifest => {
                let path = manifest::write(&self.pfs.join("out"), &object)?;
                eprintln!(
                    "{} {}: manifest written; next: kubectl apply --server-side -f {}",
                    info.name,
                    info.version,
                    path.display()
                );
                println!("{}", path.display());
            }
        }
        Ok(())
    }

    fn options(&self) -> Options {
        Options {
            name: self.deploy_name.clone(),
            namespace: self.namespace.clone(),
            image: self.serving_image.clone(),
            storage_secret: self.storage_secret.clone(),
            progress_deadline: self.deadline,
        }
    }
}
