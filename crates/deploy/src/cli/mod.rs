//! The command line.

mod args;
mod plan;
mod run;

use std::path::PathBuf;

use clap::error::ErrorKind;
use clap::{CommandFactory, Parser, ValueEnum};

use crate::image::Image;
use crate::names::{DeployName, Namespace};
use crate::options::Shape;
use args::{DetectorArgs, PlatformArgs, RolloutArgs};

/// Rolls a model version out on Seldon.
///
/// Reads PFS/data/model-info.yaml, which train wrote, verifies the model package
/// beside it, makes the target serve that version, and ends with success only
/// when it answers. A version that does not come up is replaced by the former one.
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

    /// Who is made to serve the version
    #[arg(long, env = "DEPLOY_TARGET", value_enum)]
    target: TargetName,

    /// Kubernetes namespace of the deployment [default: that of the kubeconfig or pod]
    #[arg(long, env = "SEL_NAMESPACE", value_name = "NAMESPACE")]
    namespace: Option<Namespace>,

    /// YAML file with options of the deployment's shape; flags win over it
    #[arg(long, env = "DEPLOY_OVERLAY", value_name = "FILE")]
    overlay: Option<PathBuf>,

    /// Registry with the version, as s3://models/team, instead of PFS/data; credentials are
    /// read from the environment, as the clouds' own tools read them
    #[arg(
        long,
        env = "DEPLOY_REGISTRY",
        value_name = "URL",
        requires = "model",
        hide_env_values = true
    )]
    registry: Option<String>,

    /// Model of the registry, and the version by its name, its number, or latest
    #[arg(
        long,
        env = "DEPLOY_MODEL",
        value_name = "NAME[:VERSION]",
        requires = "registry"
    )]
    model: Option<String>,

    /// Folder of the inputs and of out; a path that starts with /pfs/ lies below it
    #[arg(long, env = "PFS_ROOT", value_name = "DIR", default_value = "/pfs")]
    pfs: PathBuf,

    #[command(flatten)]
    rollout: RolloutArgs,

    #[command(flatten)]
    platform: PlatformArgs,

    #[command(flatten)]
    detectors: DetectorArgs,

    #[command(flatten)]
    shape: Shape,
}

const EXAMPLES: &str = "Examples:
  In a pipeline whose input is the output repo of train, named data:
    deploy --deploy-name iris --serving-image registry.example/serve:0.0.1 --target seldon-core

  On a laptop, with model-info.yaml in ./pfs/data and the folder ./pfs/out:
    deploy --pfs ./pfs --deploy-name iris --serving-image serve:0.0.1 --target manifest

  A tenth of the requests for five minutes, then all or none:
    deploy --deploy-name iris --serving-image serve:0.0.1 --target seldon-core --canary 10 --for 5m

  Version 7 of a registry, which the pods read with the keys of the secret models:
    deploy --registry s3://models/team --model iris:7 --registry-secret models \
      --pfs ./pfs --deploy-name iris --serving-image serve:0.0.1 --target manifest

  Two to five pods, more of them when the CPU is busy:
    deploy --deploy-name iris --serving-image serve:0.0.1 --target kserve \\
      --min-replicas 2 --max-replicas 5 --cpu 500m --memory 256Mi

  By Seldon Deploy, with detectors; SEL_SECRET holds the client's secret:
    deploy --deploy-name iris --serving-image serve:0.0.1 --target seldon-deploy \\
      --sel-url https://seldon.example --namespace models --ca-file /pfs/data/ca.pem \\
      --detect-bucket-uri gs://bucket/iris --detect-batch-size 100

Exit status: 0 done or nothing to do, 1 refused or failed, 2 wrong usage.";

/// Who is made to serve the model version.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum TargetName {
    /// Nobody: the object is written to PFS/out/seldon-deployment.yaml
    Manifest,
    /// Seldon Core, through the Kubernetes API
    SeldonCore,
    /// Seldon Deploy or Seldon Enterprise Platform, through its REST API
    SeldonDeploy,
    /// KServe, through the Kubernetes API
    Kserve,
}

impl TargetName {
    fn word(self) -> &'static str {
        match self {
            Self::Manifest => "manifest",
            Self::SeldonCore => "seldon-core",
            Self::SeldonDeploy => "seldon-deploy",
            Self::Kserve => "kserve",
        }
    }
}

impl Cli {
    /// Does what the command line says.
    ///
    /// # Errors
    ///
    /// When the input is refused or the rollout fails; nothing is then in
    /// PFS/out. Wrong usage ends the process with status 2.
    pub fn run(self) -> anyhow::Result<()> {
        if let Err(problem) = self.check() {
            Self::command()
                .error(ErrorKind::ArgumentConflict, problem)
                .exit();
        }
        let plan = self.plan()?;
        run::run(&self, &plan)
    }

    /// Looks whether the options fit the target and each other.
    fn check(&self) -> Result<(), String> {
        let target = self.target;
        let word = target.word();
        let wants = |wanted: bool, option: &str| match wanted {
            true => Err(format!("the target {word} has no {option}")),
            false => Ok(()),
        };
        let beside = self.rollout.canary.is_some() || self.rollout.shadow;
        match target {
            TargetName::Manifest => {
                wants(
                    beside,
                    "live version that --canary or --shadow could run beside",
                )?;
            }
            TargetName::Kserve => {
                wants(beside, "--canary and --shadow for plain Deployments")?;
                wants(self.shape.no_engine(), "--no-engine: it has no sidecar")?;
                wants(
                    self.shape.storage_secret.is_some(),
                    "--storage-secret: attach the secret to a --service-account",
                )?;
            }
            TargetName::SeldonCore | TargetName::SeldonDeploy => {}
        }
        if target != TargetName::SeldonDeploy {
            wants(self.detectors.bucket_uri.is_some(), "detectors")?;
        }
        self.detectors.check(self.shape.no_engine())?;
        self.rollout.check(target == TargetName::SeldonDeploy)?;
        match target {
            TargetName::SeldonDeploy => self.platform.check(self.namespace.is_some()),
            _ => Ok(()),
        }
    }
}
