//! Carries a plan out on its target.

use std::time::{Duration, SystemTime};

use anyhow::Context;
use secrecy::SecretString;

use super::plan::Plan;
use super::{Cli, TargetName};
use crate::http::{self, Trust};
use crate::record::{DetectorRecord, Record};
use crate::rollout::{Canary, Done, Pace, Progress, Rollout, Traffic};
use crate::target::{
    Credentials, INFERENCE_SERVICE, Kubernetes, Manifest, ModelService, PodMetrics, Prometheus,
    SELDON_DEPLOYMENT, SeldonDeploy, Target,
};
use crate::wanted::Role;

/// Rolls the plan out, then makes the detectors, then records what was done.
pub(super) fn run(cli: &Cli, plan: &Plan) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("cannot start the runtime")?;
    runtime.block_on(deploy(cli, plan))
}

async fn deploy(cli: &Cli, plan: &Plan) -> anyhow::Result<()> {
    let out = cli.pfs.join("out");
    if cli.target == TargetName::Manifest {
        let manifest = Manifest::new(&out);
        let mut deploying = Deploying::new(cli, plan, &manifest);
        let done = deploying.roll_out().await?;
        deploying.write_record(&done, Vec::new())?;
        let next = manifest.show_command(cli.deploy_name.as_str());
        let verb = if done.changed { "written" } else { "unchanged" };
        eprintln!("manifest {verb}; next: {next}");
        println!("{}", manifest.place());
        return Ok(());
    }
    let ca_file = cli.rollout.ca_file.as_deref();
    let ca_file = ca_file.map(|path| cli.below_pfs(path));
    let http = http::client(&Trust {
        ca_file: ca_file.as_deref(),
        insecure: cli.rollout.insecure,
    })?;
    match cli.target {
        TargetName::SeldonDeploy => {
            let target = seldon_deploy(cli, http.clone())?;
            let mut deploying = Deploying::new(cli, plan, &target);
            let done = match prometheus(cli, &http) {
                Some(mut traffic) => deploying.try_out(&mut traffic).await?,
                None => deploying.roll_out().await?,
            };
            let detectors = deploying.detectors().await?;
            deploying.record(&done, detectors)
        }
        _ => {
            let target = kubernetes(cli, http.clone()).await?;
            let mut deploying = Deploying::new(cli, plan, &target);
            let done = match (cli.rollout.canary, prometheus(cli, &http)) {
                (None, _) => deploying.roll_out().await?,
                (Some(_), Some(mut traffic)) => deploying.try_out(&mut traffic).await?,
                (Some(_), None) => deploying.try_out(&mut PodMetrics::new(&target)).await?,
            };
            deploying.record(&done, Vec::new())
        }
    }
}

/// Where the figures of a canary come from, if it is Prometheus.
fn prometheus(cli: &Cli, http: &reqwest::Client) -> Option<Prometheus> {
    cli.rollout.canary?;
    let url = cli.rollout.prometheus.as_deref()?;
    Some(Prometheus::new(http.clone(), url, cli.deploy_name.as_str()))
}

async fn kubernetes(cli: &Cli, http: reqwest::Client) -> anyhow::Result<Kubernetes> {
    let resource = match cli.target {
        TargetName::Kserve => INFERENCE_SERVICE,
        _ => SELDON_DEPLOYMENT,
    };
    let namespace = cli.namespace.as_ref().map(|namespace| namespace.as_str());
    let ingress = cli.rollout.ingress.clone();
    let force = cli.rollout.force_conflicts;
    let name = cli.deploy_name.as_str();
    let model = |namespace| ModelService::new(http, ingress, namespace);
    Ok(Kubernetes::connect(resource, name, namespace, force, model).await?)
}

fn seldon_deploy(cli: &Cli, http: reqwest::Client) -> anyhow::Result<SeldonDeploy> {
    let namespace = cli.namespace.as_ref().map(ToString::to_string);
    let namespace = namespace.context("no namespace")?;
    let url = cli.platform.sel_url.clone().context("no address")?;
    let url = url.trim_end_matches('/').to_owned();
    let issuer = cli.platform.oidc_issuer.clone();
    let secret = std::env::var("SEL_SECRET").context("cannot read SEL_SECRET")?;
    let credentials = Credentials {
        issuer: issuer.unwrap_or_else(|| format!("{url}/auth/realms/deploy-realm")),
        client_id: cli.platform.client_id.clone(),
        secret: SecretString::from(secret),
        url,
    };
    let ingress = cli.rollout.ingress.clone();
    let model = ModelService::new(http.clone(), ingress, namespace.clone());
    let name = cli.deploy_name.as_str();
    Ok(SeldonDeploy::new(
        http,
        credentials,
        &namespace,
        name,
        model,
    ))
}

/// A plan under way on its target.
struct Deploying<'a, T> {
    cli: &'a Cli,
    plan: &'a Plan,
    target: &'a T,
    progress: Progress,
    started: SystemTime,
}

impl<'a, T: Target> Deploying<'a, T> {
    fn new(cli: &'a Cli, plan: &'a Plan, target: &'a T) -> Self {
        let mut progress = Progress::start();
        progress.say(&format!(
            "deploying {} {} as {} to {}",
            plan.info.name,
            plan.info.version,
            cli.deploy_name,
            target.place()
        ));
        Self {
            cli,
            plan,
            target,
            progress,
            started: SystemTime::now(),
        }
    }

    async fn roll_out(&mut self) -> anyhow::Result<Done> {
        let shadow = self.cli.rollout.shadow;
        let object = &self.plan.object;
        let mut rollout = self.rollout();
        let done = match shadow {
            true => rollout.run_beside(object, Role::Shadow).await,
            false => rollout.run(object).await,
        };
        done.with_context(|| self.failed())
    }

    /// Rolls the version out on a share of the requests first.
    async fn try_out(&mut self, traffic: &mut impl Traffic) -> anyhow::Result<Done> {
        let arguments = &self.cli.rollout;
        let canary = Canary {
            percent: arguments.canary.context("no share of the requests")?,
            watch: arguments.canary_for,
            least_requests: arguments.canary_requests,
        };
        let object = &self.plan.object;
        let done = self.rollout().run_canary(object, canary, traffic).await;
        done.with_context(|| self.failed())
    }

    fn failed(&self) -> String {
        let info = &self.plan.info;
        format!("cannot roll out {} {}", info.name, info.version)
    }

    fn rollout(&mut self) -> Rollout<'_, T> {
        let arguments = &self.cli.rollout;
        let deadline = Duration::from_secs(self.plan.deadline.into());
        Rollout {
            target: self.target,
            pace: Pace::new(arguments.poll, deadline),
            rollback: !arguments.no_rollback,
            progress: &mut self.progress,
        }
    }

    /// Records what was done; returns where predictions are answered.
    fn write_record(&self, done: &Done, detectors: Vec<DetectorRecord>) -> anyhow::Result<String> {
        let record = Record::new(
            self.cli.target.word(),
            &self.target.place(),
            &self.plan.info,
            done,
            detectors,
        );
        let out = self.cli.pfs.join("out");
        let url = record.url().to_owned();
        record
            .timed(self.started, self.progress.seconds())
            .write(&out)?;
        Ok(url)
    }

    fn record(&mut self, done: &Done, detectors: Vec<DetectorRecord>) -> anyhow::Result<()> {
        let url = self.write_record(done, detectors)?;
        let verb = if done.changed {
            "serves"
        } else {
            "already served: nothing to do;"
        };
        self.progress.say(&format!(
            "{} {verb} {} {}",
            self.cli.deploy_name, self.plan.info.name, self.plan.info.version
        ));
        println!("{url}");
        Ok(())
    }
}

impl Deploying<'_, SeldonDeploy> {
    /// All detectors are tried, so that one message tells of all that fail.
    async fn detectors(&mut self) -> anyhow::Result<Vec<DetectorRecord>> {
        let mut records = Vec::new();
        let mut failures = Vec::new();
        for detector in &self.plan.detectors {
            let word = detector.kind.word();
            let target = self.target;
            let mut rollout = self.rollout();
            let made = rollout.patiently(async || target.ensure(detector).await);
            match made.await {
                Ok(change) => {
                    self.progress
                        .say(&format!("{word} detector {change:?}").to_lowercase());
                    records.push(DetectorRecord { kind: word, change });
                }
                Err(error) => failures.push(error.to_string()),
            }
        }
        if failures.is_empty() {
            return Ok(records);
        }
        let version = &self.plan.info.version;
        anyhow::bail!(
            "{}; version {version} is deployed and stays; run again to make the detectors",
            failures.join("; ")
        )
    }
}
