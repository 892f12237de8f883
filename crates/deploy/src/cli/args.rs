//! Groups of options.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;

use crate::options::Detectors;

/// How the rollout is made and followed.
#[derive(Debug, Args)]
#[command(next_help_heading = "Rollout")]
pub(super) struct RolloutArgs {
    /// Leave a failed version in place instead of putting the former one back
    #[arg(long, env = "DEPLOY_NO_ROLLBACK")]
    pub(super) no_rollback: bool,

    /// Take over fields that another manager has set
    #[arg(long, env = "DEPLOY_FORCE_CONFLICTS")]
    pub(super) force_conflicts: bool,

    /// Share of the requests, in percent, that a new version answers at first
    #[arg(long, env = "DEPLOY_CANARY", value_name = "PERCENT", conflicts_with = "shadow",
          value_parser = clap::value_parser!(u8).range(1..=99))]
    pub(super) canary: Option<u8>,

    /// How long a canary is watched, as 5m, before it takes over or is withdrawn
    #[arg(long = "for", env = "DEPLOY_CANARY_FOR", value_name = "TIME", default_value = "5m",
          value_parser = duration)]
    pub(super) canary_for: Duration,

    /// Requests that a canary must have answered to be judged
    #[arg(
        long,
        env = "DEPLOY_CANARY_REQUESTS",
        value_name = "N",
        default_value_t = 50
    )]
    pub(super) canary_requests: u32,

    /// Prometheus that knows error rates and latencies, as http://prometheus:9090
    #[arg(long, env = "DEPLOY_PROMETHEUS", value_name = "URL")]
    pub(super) prometheus: Option<String>,

    /// Run the new version on copies of the requests, and drop its answers
    #[arg(long, env = "DEPLOY_SHADOW")]
    pub(super) shadow: bool,

    /// Ingress of the deployments, to ask the model itself from outside of the cluster
    #[arg(long, env = "DEPLOY_INGRESS", value_name = "URL")]
    pub(super) ingress: Option<String>,

    /// Time between two looks at a rollout; what must last is seen for several looks
    #[arg(long, env = "DEPLOY_POLL", value_name = "TIME", default_value = "2s",
          value_parser = duration)]
    pub(super) poll: Duration,

    /// Certificates, in PEM, that are trusted besides the public ones
    #[arg(long, env = "DEPLOY_CA_FILE", value_name = "FILE")]
    pub(super) ca_file: Option<PathBuf>,

    /// Accept every certificate: anybody on the way can read and change everything
    #[arg(long, env = "DEPLOY_INSECURE")]
    pub(super) insecure: bool,
}

impl RolloutArgs {
    pub(super) fn check(&self, without_pods: bool) -> Result<(), String> {
        if self.canary.is_some() && without_pods && self.prometheus.is_none() {
            return Err("with the target seldon-deploy, --canary needs --prometheus".to_owned());
        }
        Ok(())
    }
}

/// The platform of the target seldon-deploy. The client's secret has no flag, as
/// command lines are seen by others.
#[derive(Debug, Args)]
#[command(next_help_heading = "Seldon Deploy (the secret is read from SEL_SECRET)")]
pub(super) struct PlatformArgs {
    /// Address of the platform, with its scheme
    #[arg(long, env = "SEL_URL", value_name = "URL")]
    pub(super) sel_url: Option<String>,

    /// OpenID Connect issuer [default: SEL_URL/auth/realms/deploy-realm]
    #[arg(long, env = "SEL_OIDC_ISSUER", value_name = "URL")]
    pub(super) oidc_issuer: Option<String>,

    /// OpenID Connect client
    #[arg(
        long,
        env = "SEL_CLIENT_ID",
        value_name = "ID",
        default_value = "sd-api"
    )]
    pub(super) client_id: String,
}

impl PlatformArgs {
    pub(super) fn check(&self, namespace: bool) -> Result<(), String> {
        let given = [
            (self.sel_url.is_some(), "--sel-url (SEL_URL)"),
            (namespace, "--namespace (SEL_NAMESPACE)"),
            (
                std::env::var_os("SEL_SECRET").is_some_and(|secret| !secret.is_empty()),
                "the environment variable SEL_SECRET",
            ),
        ];
        let missing = given.iter().filter(|(given, _)| !given);
        let missing: Vec<&str> = missing.map(|(_, name)| *name).collect();
        match missing.is_empty() {
            true => Ok(()),
            false => Err(format!(
                "the target seldon-deploy needs {}",
                missing.join(", ")
            )),
        }
    }
}

/// The detectors of the target seldon-deploy.
#[derive(Debug, Args)]
#[command(next_help_heading = "Detectors")]
pub(super) struct DetectorArgs {
    /// Folder with drift_detector and outlier_detector, as gs://bucket/folder; makes detectors
    #[arg(
        long = "detect-bucket-uri",
        env = "DEPLOY_DETECT_BUCKET_URI",
        value_name = "URI"
    )]
    pub(super) bucket_uri: Option<String>,

    /// Requests that a detector looks at together
    #[arg(long = "detect-batch-size", env = "DEPLOY_DETECT_BATCH_SIZE", value_name = "N",
          default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..))]
    pub(super) batch_size: u32,

    /// Model name in the detectors' events [default: first five characters of the version]
    #[arg(
        long = "detect-model-name",
        env = "DEPLOY_DETECT_MODEL_NAME",
        value_name = "NAME"
    )]
    pub(super) model_name: Option<String>,

    /// Where detectors send what they find
    #[arg(
        long = "detect-reply-url",
        env = "DEPLOY_DETECT_REPLY_URL",
        value_name = "URL",
        default_value = "http://seldon-request-logger.seldon-logs"
    )]
    pub(super) reply_url: String,
}

impl DetectorArgs {
    pub(super) fn check(&self, no_engine: bool) -> Result<(), String> {
        if self.bucket_uri.is_some() && no_engine {
            return Err(
                "detectors live on the events of Seldon's sidecar, which --no-engine leaves out"
                    .to_owned(),
            );
        }
        Ok(())
    }

    pub(super) fn options(&self) -> Option<Detectors> {
        Some(Detectors {
            bucket_uri: self.bucket_uri.clone()?,
            batch_size: self.batch_size,
            model_name: self.model_name.clone(),
            reply_url: self.reply_url.clone(),
        })
    }
}

/// Reads `250ms`, `2s`, `5m` or `1h`.
fn duration(text: &str) -> Result<Duration, String> {
    let error = || format!("{text:?} is not a time: expected a number and ms, s, m or h, as 5m");
    let end = text.find(|c: char| !c.is_ascii_digit());
    let (number, unit) = text.split_at(end.ok_or_else(error)?);
    let number: u64 = number.parse().map_err(|_| error())?;
    let unit = match unit {
        "ms" => 1,
        "s" => 1000,
        "m" => 60_000,
        "h" => 3_600_000,
        _ => return Err(error()),
    };
    match number.checked_mul(unit) {
        Some(0) | None => Err(error()),
        Some(milliseconds) => Ok(Duration::from_millis(milliseconds)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations() {
        assert_eq!(duration("250ms"), Ok(Duration::from_millis(250)));
        assert_eq!(duration("5m"), Ok(Duration::from_secs(300)));
        for bad in [
            "",
            "5",
            "m",
            "0s",
            "1d",
            "-1s",
            "1.5s",
            "99999999999999999h",
        ] {
            assert!(duration(bad).is_err(), "{bad}");
        }
    }
}
