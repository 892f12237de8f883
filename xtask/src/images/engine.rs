//! The container engine, driven by its command line: docker, with or without
//! buildx, or a program that understands the same words.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Result, bail};
use serde_json::Value;

use crate::process::{End, Finished, Input, Task};

use super::explain;

/// A docker-compatible command line.
pub(crate) struct Engine {
    program: OsString,
    /// Where the logs of its commands go.
    logs: PathBuf,
    limit: Duration,
}

/// One command of the engine.
pub(crate) struct Call<'a> {
    engine: &'a Engine,
    command: Command,
    log: PathBuf,
    doing: Option<(&'a str, &'a str)>,
    stdin: Option<&'a Path>,
}

impl Engine {
    pub(crate) fn new(program: OsString, logs: PathBuf, limit: Duration) -> Self {
        Self {
            program,
            logs,
            limit,
        }
    }

    /// The IDs of all tagged images, by reference.
    ///
    /// # Errors
    /// When the engine does not answer.
    pub(crate) fn images(&self) -> Result<BTreeMap<String, String>> {
        let format = "--format={{.Repository}}:{{.Tag}} {{.ID}}";
        let text = self
            .call("images", &["images", "--no-trunc", format])
            .read()?;
        let images = text.lines().filter_map(|line| line.split_once(' '));
        Ok(images
            .map(|(name, id)| (name.to_owned(), id.to_owned()))
            .collect())
    }

    /// Whether the engine was told that a registry speaks plain HTTP.
    ///
    /// # Errors
    /// When the engine does not answer.
    pub(crate) fn takes_plain_http(&self, registry: &str) -> Result<bool> {
        let info = self.call("info", &["info", "--format={{json .}}"]).read()?;
        let info: Value = serde_json::from_str(&info).unwrap_or_default();
        // `RegistryConfig` is docker's, `registries` podman's.
        let docker = info.pointer("/RegistryConfig/IndexConfigs");
        let secure = docker.and_then(|all| all.get(registry)?.get("Secure")?.as_bool());
        let podman = info.get("registries");
        let insecure = podman.and_then(|all| all.get(registry)?.get("Insecure")?.as_bool());
        Ok(secure == Some(false) || insecure == Some(true))
    }

    /// A command, with the name its log shall have.
    pub(crate) fn call<'a>(&'a self, log: &str, words: &[&str]) -> Call<'a> {
        let mut command = Command::new(&self.program);
        command.args(words);
        Call {
            engine: self,
            command,
            log: self.logs.join(format!("{log}.log")),
            doing: None,
            stdin: None,
        }
    }
}

impl<'a> Call<'a> {
    pub(crate) fn args<I: AsRef<std::ffi::OsStr>>(
        mut self,
        words: impl IntoIterator<Item = I>,
    ) -> Self {
        self.command.args(words);
        self
    }

    pub(crate) fn stdin(mut self, path: &'a Path) -> Self {
        self.stdin = Some(path);
        self
    }

    /// What to show on a terminal when the command takes its time.
    pub(crate) fn doing(mut self, verb: &'a str, text: &'a str) -> Self {
        self.doing = Some((verb, text));
        self
    }

    /// Runs it to its end, whatever that is.
    ///
    /// # Errors
    /// When the program is not there.
    pub(crate) fn finish(self) -> Result<Finished> {
        let task = Task {
            command: self.command,
            doing: self.doing,
            stdin: self.stdin.map_or(Input::Nothing, Input::File),
            log: self.log,
            limit: self.engine.limit,
        };
        task.run().map_err(|error| {
            let absent = error
                .downcast_ref::<std::io::Error>()
                .is_some_and(|error| error.kind() == std::io::ErrorKind::NotFound);
            if absent {
                error.context("is docker installed? (XTASK_DOCKER names another program)")
            } else {
                error
            }
        })
    }

    /// Runs it and gives its stdout.
    ///
    /// # Errors
    /// When it fails, hangs or is interrupted, with the end of its log, where
    /// the whole log is and, for the usual causes, what to do.
    pub(crate) fn read(self) -> Result<String> {
        let finished = self.finish()?;
        if finished.success() {
            return Ok(finished.stdout);
        }
        bail!(failure(&finished))
    }
}

/// The message for a command that did not succeed.
pub(crate) fn failure(finished: &Finished) -> String {
    let how = match &finished.end {
        End::Exit(status) => format!("failed ({status})"),
        End::Late(limit) => format!(
            "did not end within {} s and was stopped; --timeout sets the limit",
            limit.as_secs()
        ),
        End::Interrupted => "was interrupted; run the same command again to go on".to_owned(),
    };
    let tail = finished.tail(12);
    let log = finished.log.display();
    let mut message = format!("`{}` {how}\n{tail}  whole log: {log}", finished.line);
    if let Some(help) = explain::help(&finished.stderr) {
        message.push_str("\nhelp: ");
        message.push_str(help);
    }
    message
}
