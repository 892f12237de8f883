//! The agent that runs the tasks of trials.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde_json::{Value, json};

use crate::routes::new_token;
use crate::world::World;
use crate::{Experiment, MockMaster, USER};

const DIRECTORY: u64 = 53;

impl MockMaster {
    /// A task of an experiment's trial, as an agent starts it: the context is
    /// unpacked into `folder`, and the entrypoint is the child of a shell or a
    /// program there, with the environment of a task (`determined.md` §9).
    pub fn start_task(&self, experiment: i64, folder: &Path) -> Command {
        let url = self.url();
        let mut world = self.world();
        let trial = experiment * 10;
        let run = {
            let trial = world.trials.entry(trial).or_default();
            trial.run += 1;
            trial.run
        };
        let session = format!("v2.public.mock-token-allocation-{trial}-{run}");
        world.allocations.insert(session.clone());
        let user = new_token(&mut world);
        let found = &world.experiments[&experiment];
        unpack(found, folder);
        let mut command = entrypoint(&found.config["entrypoint"], folder);
        let (task, config) = (format!("{trial}.0b7b1b9e"), &found.config);
        let hparams = match &config["hyperparameters"] {
            Value::Null => json!({}),
            given => given.clone(),
        };
        command
            .current_dir(folder)
            .env_clear()
            .env("DET_MASTER", url)
            .env("DET_CLUSTER_ID", "c")
            .env("DET_SESSION_TOKEN", session)
            .env("DET_USER", USER)
            .env("DET_USER_TOKEN", user)
            .env("DET_EXPERIMENT_ID", experiment.to_string())
            .env("DET_TRIAL_ID", trial.to_string())
            .env("DET_TRIAL_RUN_ID", run.to_string())
            .env("DET_TASK_ID", &task)
            .env("DET_ALLOCATION_ID", format!("{task}.{run}"))
            .env("DET_TASK_TYPE", "TRIAL")
            .env("DET_EXPERIMENT_CONFIG", config.to_string())
            .env("DET_HPARAMS", hparams.to_string())
            .env("DET_STEPS_COMPLETED", "0")
            .env("DET_TRIAL_SEED", "1")
            .env("DET_SLOT_IDS", "[]")
            .env("DET_AGENT_ID", "agent")
            .env("DET_CONTAINER_ID", "c0ffee")
            .env("DET_RESOURCES_ID", "c0ffee")
            .env("DET_RESOURCES_TYPE", "docker-container")
            .env("DET_WORKDIR", folder)
            .env("DET_RUN_DIR", folder);
        if let Some(latest) = world.latest_checkpoint(trial) {
            command.env("DET_LATEST_CHECKPOINT", &latest.uuid);
        }
        command
    }
}

impl World {
    /// A task has ended with this status: 0 completes its trial and with it the
    /// experiment, unless it was asked to make room. Another is an error at once.
    pub fn end_task(&mut self, experiment: i64, status: Option<i32>) {
        self.allocations.clear();
        let preempted = std::mem::take(&mut self.preempt);
        if let Some(found) = self.experiments.get_mut(&experiment) {
            found.state = match status {
                Some(0) if preempted => "QUEUED",
                Some(0) => "COMPLETED",
                _ => "ERROR",
            }
            .to_owned();
        }
    }
}

fn unpack(experiment: &Experiment, folder: &Path) {
    for file in experiment.files.as_array().into_iter().flatten() {
        let path = folder.join(file["path"].as_str().expect("a path"));
        if file["type"] == DIRECTORY {
            fs::create_dir(&path).expect("a directory, before what it holds");
            continue;
        }
        let content = file["content"].as_str().expect("base64");
        fs::write(&path, BASE64_STANDARD.decode(content).expect("base64")).expect("a file");
        let mode = file["mode"].as_u64().expect("a mode") & 0o777;
        let mode = u32::try_from(mode).expect("a mode");
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).expect("its mode");
    }
}

/// A text is a command for the shell, a list a program with its arguments.
fn entrypoint(entrypoint: &Value, folder: &Path) -> Command {
    if let Some(line) = entrypoint.as_str() {
        let mut command = Command::new("sh");
        command.args(["-c", line]);
        return command;
    }
    let words = entrypoint.as_array().expect("an entrypoint").iter();
    let words: Vec<&str> = words.map(|word| word.as_str().expect("a text")).collect();
    let mut command = Command::new(folder.join(words[0]));
    command.args(&words[1..]);
    command
}
