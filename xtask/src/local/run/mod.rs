//! One run: data in, pipelines, manifest, server, prediction.

mod backbones;
mod follow;
mod intake;
mod pipelines;
mod serve;
mod watch;

use std::process::ExitCode;

use anyhow::{Context, Result, bail};

use super::Run as Args;
use super::launch::Launcher;
use super::plan::{self, Plan};
use super::state::State;
use crate::descriptor::Descriptor;
use crate::report;
use crate::secrets::Secrets;
use crate::workspace::Workspace;

/// Runs a use case.
pub(super) fn run(args: &Args, workspace: &Workspace) -> Result<ExitCode> {
    let plan = plan::read(&workspace.root, args.use_case(), args.data.as_deref())?;
    check_reprocess(args, &plan)?;
    let mut run = Run {
        args,
        secrets: Secrets::of(&workspace.root),
        state: State::open(&workspace.root, args.use_case())?,
        launcher: launcher(args, workspace)?,
        plan,
    };
    run.check()?;
    run.get_backbones(workspace)?;
    if run.plan.embeds() {
        run.launcher.get_library(workspace)?;
    }
    if args.watch {
        return run.watch();
    }
    let Some(wanted) = run.pipelines()? else {
        return Ok(ExitCode::FAILURE);
    };
    run.serve(&wanted)
}

fn check_reprocess(args: &Args, plan: &Plan) -> Result<()> {
    if let Some(Some(name)) = &args.reprocess
        && !plan
            .pipelines
            .iter()
            .any(|pipeline| pipeline.name() == name)
    {
        let names: Vec<&str> = plan.pipelines.iter().map(Descriptor::name).collect();
        bail!("--reprocess={name}: the pipelines are {}", names.join(", "));
    }
    Ok(())
}

fn launcher(args: &Args, workspace: &Workspace) -> Result<Launcher> {
    if args.docker {
        return Ok(Launcher::Docker);
    }
    report::status("Compiling", "the programs");
    Launcher::processes(workspace)
}

/// What all steps need.
struct Run<'a> {
    args: &'a Args,
    plan: Plan,
    state: State,
    launcher: Launcher,
    secrets: Secrets,
}

impl Run<'_> {
    /// Refuses what cannot be started, before anything is.
    fn check(&self) -> Result<()> {
        for pipeline in &self.plan.pipelines {
            let transform = &pipeline.spec.transform;
            let checked = self.launcher.check(transform).and_then(|()| {
                self.secrets.variables(&transform.secrets)?;
                self.secrets.mounts(&transform.secrets)
            });
            checked.with_context(|| self.state.short(&pipeline.file).to_string())?;
        }
        Ok(())
    }
}
