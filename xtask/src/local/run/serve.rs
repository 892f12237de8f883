//! Serves what the pipelines have made, and shows a prediction.

use std::process::ExitCode;
use std::thread;
use std::time::Duration;

use anyhow::{Result, bail};

use super::Run;
use crate::local::predict::{self, Data, Question};
use crate::local::serving::{Manifest, Phase, Status, Supervisor, Wanted, model_folder};
use crate::local::state::State;
use crate::{interrupt, report};

/// How often the wanted state is looked at.
const PAUSE: Duration = Duration::from_millis(100);

impl Run<'_> {
    /// Serves, or lets the run that already serves switch, and shows a prediction.
    pub(super) fn serve(&self, all: &[Wanted]) -> Result<ExitCode> {
        let mut supervisor = None;
        self.show(all, &mut supervisor)?;
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

    /// Serves what is wanted, with a supervisor of its own where there is none, and
    /// shows a prediction of each.
    pub(super) fn show<'a>(
        &'a self,
        all: &[Wanted],
        supervisor: &mut Option<Supervisor<'a>>,
    ) -> Result<()> {
        if all.is_empty() {
            report::status("Served", "nothing: no pipeline has made a manifest");
        }
        for wanted in all {
            let name = &wanted.manifest.name;
            forget_failure(&self.state, wanted)?;
            let (wanted, status) = self.follow(name, supervisor)?;
            match (status.phase, &status.url) {
                (Phase::Ready, Some(url)) => self.predict(&wanted.manifest, url)?,
                _ => bail!(
                    "{name} is not served: {}",
                    status.reason.unwrap_or_default()
                ),
            }
        }
        Ok(())
    }

    /// Waits until what is wanted of a deployment is ready or has failed; that may
    /// meanwhile be what another run has made. Becomes the supervisor where there is
    /// none.
    fn follow<'a>(
        &'a self,
        name: &str,
        own: &mut Option<Supervisor<'a>>,
    ) -> Result<(Wanted, Status)> {
        let mut told = false;
        loop {
            if interrupt::requested() {
                bail!("interrupted");
            }
            if own.is_none()
                && let Some(lock) = self.state.try_lock_supervisor()?
            {
                let (use_case, port) = (self.args.use_case(), self.args.port);
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
            let wanted = Wanted::read(&self.state, name)?;
            let status = Status::read(&self.state, name);
            let is_end = |status: &Status| {
                status.generation == wanted.generation && status.phase != Phase::Starting
            };
            if let Some(status) = status.filter(is_end) {
                return Ok((wanted, status));
            }
            thread::sleep(PAUSE);
        }
    }

    fn predict(&self, manifest: &Manifest, url: &str) -> Result<()> {
        let mut questions = self.questions(manifest)?.into_iter();
        let Some(mut question) = questions.next() else {
            report::warning(format!(
                "the data has nothing that the model takes; ask it yourself at {url}"
            ));
            return Ok(());
        };
        loop {
            report::status("Asking", question.words());
            match (question.ask(url), questions.next()) {
                (Ok(answer), _) => {
                    println!("{answer}");
                    report::status("Try", question.curl(url)?);
                    return Ok(());
                }
                (Err(error), None) => return Err(error),
                (Err(error), Some(next)) => {
                    report::warning(format_args!("{error:#}"));
                    question = next;
                }
            }
        }
    }

    /// What of the data a model that lies here can be asked.
    fn questions(&self, manifest: &Manifest) -> Result<Vec<Question>> {
        let Some(uri) = manifest.model_uri() else {
            return Ok(Vec::new());
        };
        let model = model_folder(&self.state, uri)?;
        let mut data = Vec::new();
        for source in &self.plan.sources {
            let repo = self.state.repo(&source.repo);
            if let Some(commit) = repo.head()? {
                data.push(Data {
                    source: &source.path,
                    folder: repo.files(&commit.id),
                    commit,
                });
            }
        }
        predict::questions(&model, &data)
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
