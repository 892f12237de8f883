//! One run: data in, pipelines, manifest, server, prediction.

use std::fs;
use std::path::Path;
use std::process::ExitCode;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use serde::{Deserialize, Serialize};

use super::Args;
use super::job::{Outcome, Runner};
use super::launch::Launcher;
use super::plan::{self, Plan, Source};
use super::predict::{self, Question};
use super::process::{reap, tail};
use super::publish;
use super::repo::{self, Commit};
use super::secrets::Secrets;
use super::serving::{Manifest, Phase, Status, Supervisor, Wanted, model_folder};
use super::state::State;
use super::tree::{self, Sources};
use crate::descriptor::Descriptor;
use crate::workspace::Workspace;
use crate::{interrupt, report};

/// The file that deploy leaves for the cluster, and this runner applies.
const MANIFEST_FILE: &str = "seldon-deployment.yaml";

/// How often the wanted state is looked at.
const PAUSE: Duration = Duration::from_millis(100);

/// Runs a use case.
pub(super) fn run(args: &Args, workspace: &Workspace) -> Result<ExitCode> {
    let plan = plan::read(&workspace.root, &args.use_case, args.data.as_deref())?;
    check_reprocess(args, &plan)?;
    let run = Run {
        args,
        secrets: Secrets::of(&workspace.root),
        state: State::open(&workspace.root, &args.use_case)?,
        launcher: launcher(args, workspace)?,
        plan,
        root: &workspace.root,
    };
    for pipeline in &run.plan.pipelines {
        let transform = &pipeline.spec.transform;
        let checked = run.launcher.check(
            &transform.image,
            &transform.cmd,
            transform.working_dir.as_deref(),
        );
        checked.with_context(|| pipeline.file.display().to_string())?;
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
    root: &'a Path,
}

/// `run.json`: the event under way, so that a killed run is continued under its ID.
#[derive(Serialize, Deserialize)]
struct Event {
    id: String,
}

impl Run<'_> {
    /// Brings all repos up to date and gives what is to be served, or `None` when
    /// a job failed.
    fn pipelines(&self) -> Result<Option<Vec<Wanted>>> {
        let _lock = self.state.lock_run()?;
        reap(&self.state.job_processes())?;
        self.state.sweep()?;
        let id = self.take_in()?;
        let runner = Runner {
            state: &self.state,
            launcher: &self.launcher,
            secrets: &self.secrets,
            use_case: &self.args.use_case,
            id: &id,
        };
        let mut failed: Vec<&str> = Vec::new();
        for pipeline in &self.plan.pipelines {
            let inputs = pipeline.spec.input.leaves();
            if let Some(input) = inputs
                .iter()
                .find(|input| failed.contains(&input.repo.as_str()))
            {
                report::warning(format!(
                    "{} cannot run: {} failed",
                    pipeline.name(),
                    input.repo
                ));
                failed.push(pipeline.name());
            } else if !self.pipeline(&runner, pipeline)? {
                failed.push(pipeline.name());
            }
        }
        publish::remove(&self.state.run())?;
        if failed.is_empty() {
            self.apply().map(Some)
        } else {
            Ok(None)
        }
    }

    /// Commits the sources that have changed, and gives the ID of the event.
    fn take_in(&self) -> Result<String> {
        let mut changed: Vec<(&Source, Sources)> = Vec::new();
        for source in &self.plan.sources {
            let files = tree::list(&source.path)?;
            if files.is_empty() {
                bail!("{} holds no file", source.path.display());
            }
            let head = self.state.repo(&source.repo).head()?;
            if head.map(|head| head.files) != Some(tree::digest(&files)?) {
                changed.push((source, files));
            }
        }
        let id = self.event(changed.is_empty())?;
        for (source, files) in changed {
            let commit = self.state.repo(&source.repo).commit(&id, &files, None)?;
            report::status(
                "Committed",
                format!(
                    "{}@{} from {}",
                    source.repo,
                    commit.id,
                    self.short(&source.path)
                ),
            );
        }
        Ok(id)
    }

    /// The ID of the event that a killed run has begun, if it can go on; else a new one.
    fn event(&self, sources_unchanged: bool) -> Result<String> {
        let path = self.state.run();
        let begun = fs::read_to_string(&path).ok();
        let begun: Option<Event> = begun.and_then(|text| serde_json::from_str(&text).ok());
        if let Some(event) = begun.filter(|_| sources_unchanged) {
            report::status(
                "Continuing",
                format!("the run {} that was interrupted", event.id),
            );
            return Ok(event.id);
        }
        let id = repo::new_id();
        publish::write_json(&path, &Event { id: id.clone() })?;
        Ok(id)
    }

    /// Runs one pipeline; `false` when its job failed.
    fn pipeline(&self, runner: &Runner<'_>, pipeline: &Descriptor) -> Result<bool> {
        let name = pipeline.name();
        let reprocess = match &self.args.reprocess {
            Some(Some(only)) => only == name,
            Some(None) => true,
            None => false,
        };
        let started = Instant::now();
        let announce = |log: &Path| {
            report::status("Running", format!("{name} (log: {})", self.short(log)));
        };
        match runner.run(pipeline, reprocess, announce)? {
            Outcome::Skipped { head, changed } => {
                let what = "data and configuration unchanged since job";
                report::status("Skipped", format!("{name}: {what} {}", head.id));
                if changed {
                    report::warning(format!(
                        "the program or descriptor of {name} has changed since; \
                         --reprocess={name} runs it again"
                    ));
                }
                self.show_output(name, &head);
                Ok(true)
            }
            Outcome::Success(commit) => {
                let seconds = started.elapsed().as_secs_f64();
                report::status(
                    "Finished",
                    format!("{name}: job {} in {seconds:.1} s", commit.id),
                );
                self.show_output(name, &commit);
                Ok(true)
            }
            Outcome::Failed { reason, log } => {
                let end = tail(&log);
                report::error(format!(
                    "{name} failed: {reason}{end}\n  whole log: {}",
                    self.short(&log)
                ));
                Ok(false)
            }
        }
    }

    fn show_output(&self, pipeline: &str, commit: &Commit) {
        let files = self.state.repo(pipeline).files(&commit.id);
        report::status("Output", self.short(&files));
        if let Some(page) = commit.find(".html") {
            report::status("Report", self.short(&files.join(page)));
        }
    }

    /// Paths below the workspace are told from there.
    fn short(&self, path: &Path) -> String {
        path.strip_prefix(self.root)
            .unwrap_or(path)
            .display()
            .to_string()
    }

    /// Applies the manifests that the pipelines have made.
    fn apply(&self) -> Result<Vec<Wanted>> {
        let mut all = Vec::new();
        for pipeline in &self.plan.pipelines {
            let repo = self.state.repo(pipeline.name());
            let Some(head) = repo.head()? else { continue };
            if !head.files.contains_key(MANIFEST_FILE) {
                continue;
            }
            let path = repo.files(&head.id).join(MANIFEST_FILE);
            let text = fs::read_to_string(&path)
                .with_context(|| format!("cannot read {}", path.display()))?;
            let wanted = Wanted::apply(&self.state, &text).with_context(|| self.short(&path))?;
            all.push(wanted);
        }
        if all.is_empty() {
            bail!("no pipeline has made a {MANIFEST_FILE}; there is nothing to serve");
        }
        Ok(all)
    }

    /// Serves, or lets the run that already serves switch, and shows a prediction.
    fn serve(&self, all: &[Wanted]) -> Result<ExitCode> {
        let mut supervisor = None;
        for wanted in all {
            let name = &wanted.manifest.name;
            forget_failure(&self.state, wanted)?;
            let status = self.follow(wanted, &mut supervisor)?;
            match (status.phase, &status.url) {
                (Phase::Ready, Some(url)) => self.predict(&wanted.manifest, url)?,
                _ => bail!(
                    "{name} is not served: {}",
                    status.reason.unwrap_or_default()
                ),
            }
        }
        let Some(mut supervisor) = supervisor.filter(|_| !self.args.once) else {
            return Ok(ExitCode::SUCCESS);
        };
        report::status(
            "Ready",
            "Ctrl-C ends it; run it again elsewhere to switch to a new version",
        );
        while !interrupt::requested() {
            supervisor.sync()?;
            thread::sleep(PAUSE);
        }
        report::status("Stopping", "the servers");
        Ok(ExitCode::SUCCESS)
    }

    /// Waits until a deployment is ready or has failed. Becomes the supervisor where
    /// there is none.
    fn follow<'a>(&'a self, wanted: &Wanted, own: &mut Option<Supervisor<'a>>) -> Result<Status> {
        let mut told = false;
        loop {
            if interrupt::requested() {
                bail!("interrupted");
            }
            if own.is_none()
                && let Some(lock) = self.state.try_lock_supervisor()?
            {
                let (use_case, port) = (&self.args.use_case, self.args.port);
                *own = Some(Supervisor::new(
                    &self.state,
                    &self.launcher,
                    &self.secrets,
                    use_case,
                    port,
                    lock,
                )?);
            }
            if let Some(supervisor) = own {
                supervisor.sync()?;
            } else if !std::mem::replace(&mut told, true) {
                report::status("Waiting", "for the run that serves to switch");
            }
            let status = Status::read(&self.state, &wanted.manifest.name);
            let is_end = |status: &Status| {
                status.generation == wanted.generation && status.phase != Phase::Starting
            };
            if let Some(status) = status.filter(is_end) {
                return Ok(status);
            }
            thread::sleep(PAUSE);
        }
    }

    fn predict(&self, manifest: &Manifest, url: &str) -> Result<()> {
        let Some(question) = self.question(manifest)? else {
            report::status("Serving", format!("at {url}; no sample row fits the model"));
            return Ok(());
        };
        report::status("Asking", question.words());
        println!("{}", question.ask(url)?);
        report::status("Try", question.curl(url));
        Ok(())
    }

    /// A row of the data for a model that lies here.
    fn question(&self, manifest: &Manifest) -> Result<Option<Question>> {
        let Some(uri) = manifest.model_uri() else {
            return Ok(None);
        };
        let model = model_folder(&self.state, uri)?;
        let mut data = Vec::new();
        for source in &self.plan.sources {
            let repo = self.state.repo(&source.repo);
            if let Some(head) = repo.head()? {
                data.push((repo.files(&head.id), head));
            }
        }
        let data: Vec<(&Path, &Commit)> = data
            .iter()
            .map(|(path, head)| (path.as_path(), head))
            .collect();
        predict::question(&model, &data)
    }
}

/// Lets a version that failed before be tried again.
fn forget_failure(state: &State, wanted: &Wanted) -> Result<()> {
    let name = &wanted.manifest.name;
    let status = Status::read(state, name);
    if status.is_some_and(|status| {
        status.phase == Phase::Failed && status.generation == wanted.generation
    }) {
        Status::forget(state, name)?;
    }
    Ok(())
}
