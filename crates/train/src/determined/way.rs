//! Where the training happens, and with what code.

use ::determined::Client;
use anyhow::{Result, ensure};
use serde_json::Value;

use super::adopt::Plan;
use super::code::Code;
use super::config;
use super::detached::Detached;
use super::program;
use super::secrets::Secrets;
use crate::Args;
use crate::job::Job;

/// How the training happens.
pub(super) enum Way<'a> {
    /// On the cluster.
    Cluster(Plan<'a>),
    /// In this process.
    Detached(Box<Detached<'a>>),
}

impl<'a> Way<'a> {
    /// Reads what is needed; nothing is sent yet.
    pub(super) fn new(
        args: &'a Args,
        job: &'a Job,
        client: &'a Client,
        secrets: &mut Secrets,
    ) -> Result<Self> {
        let options = &args.determined;
        if options.detached {
            let detached = Detached::new(args, job, client, secrets)?;
            return Ok(Self::Detached(Box::new(detached)));
        }
        let own = options.sends_itself();
        ensure!(
            !(own && options.fork),
            "--fork takes the code of an earlier experiment, but this program is the code: leave it out, or give --code"
        );
        let (config, code) = if own {
            program::experiment(args, job, secrets)?
        } else {
            // What was fetched is not kept while an experiment runs.
            let code = Code::open(args, secrets)?;
            (config::read(args, job, &code, secrets)?, code.files()?)
        };
        Ok(Self::Cluster(Plan {
            client,
            options,
            labels: config::labels(job),
            model: &job.model,
            config,
            code,
            continues: !own,
        }))
    }

    pub(super) fn config(&self) -> &Value {
        match self {
            Self::Cluster(plan) => &plan.config,
            Self::Detached(detached) => &detached.config,
        }
    }
}
