//! What a use case keeps between runs, in `.local/<use case>/`.
//!
//! ```text
//! run.lock  supervisor.lock                one run, one supervisor at a time
//! run.json                                 the run under way, if it was not ended
//! format                                   the layout of this folder
//! objects/<2 digits>/<62 digits>           contents by their SHA-256
//! index/<repo>.json                        digests of the files of a source
//! repos/<repo>/head                        the newest commit
//! repos/<repo>/commits/<id>/commit.json    where it comes from, what is in it
//! repos/<repo>/commits/<id>/files/         its files, linked to the objects
//! pipelines/<pipeline>.json                salt and spec commit
//! jobs/<pipeline>/<id>/{job.json,log}      what was run
//! deployments/<name>.yaml                  the wanted SeldonDeployment
//! deployments/<name>.json                  what the supervisor made of it
//! deployments/<name>/<n>.log               what a server printed
//! processes/{job,serve}/                   what is running now
//! scratch/                                 the /pfs of running datums
//! ```

use std::fs::{self, File, TryLockError};
use std::path::{Display, Path, PathBuf};
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, bail};

use super::objects::Objects;
use super::publish;
use super::repo::Repo;
use crate::{interrupt, report};

/// The folder of a use case's state.
#[derive(Debug)]
pub(super) struct State {
    workspace: PathBuf,
    root: PathBuf,
    objects: Objects,
}

/// The layout that this program writes and reads.
const FORMAT: &str = "2\n";

/// Held as long as the value lives; the system gives it back when the process
/// ends, however it ends.
#[derive(Debug)]
pub(super) struct Lock {
    _file: File,
}

impl State {
    /// The state of `use_case` in the `workspace`.
    pub(super) fn open(workspace: &Path, use_case: &str) -> Result<Self> {
        let root = workspace.join(".local").join(use_case);
        fs::create_dir_all(&root)
            .with_context(|| format!("cannot make the folder {}", root.display()))?;
        let format = root.join("format");
        if fs::read_to_string(&format).ok().as_deref() != Some(FORMAT) {
            if root.join("repos").exists() {
                bail!(
                    "{} was made by another version of this tool; \
                     forget it with \"cargo xtask local rm {use_case}\"",
                    root.display()
                );
            }
            publish::write(&format, FORMAT.as_bytes())?;
        }
        Ok(Self {
            workspace: workspace.to_owned(),
            objects: Objects::at(root.join("objects")),
            root,
        })
    }

    /// A path for people: those below the workspace are told from there.
    pub(super) fn short<'a>(&self, path: &'a Path) -> Display<'a> {
        path.strip_prefix(&self.workspace).unwrap_or(path).display()
    }

    pub(super) fn repo(&self, name: &str) -> Repo<'_> {
        Repo::at(self.root.join("repos").join(name), &self.objects, name)
    }

    /// The contents of all commits.
    pub(super) fn objects(&self) -> &Objects {
        &self.objects
    }

    /// The digests of what a repo is fed from.
    pub(super) fn index(&self, repo: &str) -> PathBuf {
        self.root.join("index").join(format!("{repo}.json"))
    }

    pub(super) fn pipeline(&self, name: &str) -> PathBuf {
        self.root.join("pipelines").join(format!("{name}.json"))
    }

    pub(super) fn job(&self, pipeline: &str, id: &str) -> PathBuf {
        self.root.join("jobs").join(pipeline).join(id)
    }

    pub(super) fn deployments(&self) -> PathBuf {
        self.root.join("deployments")
    }

    pub(super) fn run(&self) -> PathBuf {
        self.root.join("run.json")
    }

    pub(super) fn scratch(&self) -> PathBuf {
        self.root.join("scratch")
    }

    pub(super) fn job_processes(&self) -> PathBuf {
        self.root.join("processes/job")
    }

    pub(super) fn server_processes(&self) -> PathBuf {
        self.root.join("processes/serve")
    }

    /// Waits until no other run of this use case is at work.
    pub(super) fn lock_run(&self) -> Result<Lock> {
        let mut told = false;
        loop {
            if let Some(lock) = self.try_lock("run.lock")? {
                return Ok(lock);
            }
            if !std::mem::replace(&mut told, true) {
                report::status("Waiting", "for another run of this use case to end");
            }
            if interrupt::requested() {
                bail!("interrupted");
            }
            thread::sleep(Duration::from_millis(100));
        }
    }

    /// The right to run the servers, unless another process has it.
    pub(super) fn try_lock_supervisor(&self) -> Result<Option<Lock>> {
        self.try_lock("supervisor.lock")
    }

    fn try_lock(&self, name: &str) -> Result<Option<Lock>> {
        try_lock(&self.root.join(name))
    }

    /// Removes what a killed run has left unfinished. Needs the run lock.
    pub(super) fn sweep(&self) -> Result<()> {
        publish::sweep(&self.root)?;
        publish::sweep(&self.root.join("pipelines"))?;
        for repo in fs::read_dir(self.root.join("repos")).into_iter().flatten() {
            let repo = repo?.path();
            publish::sweep(&repo)?;
            publish::sweep(&repo.join("commits"))?;
        }
        publish::sweep(&self.root.join("index"))?;
        publish::sweep(&self.job_processes())?;
        self.objects.sweep()?;
        publish::remove(&self.scratch())
    }
}

/// Both locks of the state in `folder`, unless something there is at work.
pub(super) fn try_lock_all(folder: &Path) -> Result<Option<[Lock; 2]>> {
    let locks = (
        try_lock(&folder.join("run.lock"))?,
        try_lock(&folder.join("supervisor.lock"))?,
    );
    Ok(match locks {
        (Some(run), Some(supervisor)) => Some([run, supervisor]),
        _ => None,
    })
}

fn try_lock(path: &Path) -> Result<Option<Lock>> {
    let file = File::create(path);
    let file = file.with_context(|| format!("cannot open {}", path.display()))?;
    match file.try_lock() {
        Ok(()) => Ok(Some(Lock { _file: file })),
        Err(TryLockError::WouldBlock) => Ok(None),
        Err(TryLockError::Error(error)) => {
            Err(error).with_context(|| format!("cannot lock {}", path.display()))
        }
    }
}
