//! Makes what is served equal to what is wanted, as a Kubernetes Deployment does.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};

use super::front::Front;
use super::server::{Host, Server};
use super::wanted::{Phase, Status, Wanted};
use crate::local::launch::Launcher;
use crate::local::process::{reap, tail};
use crate::local::state::{Lock, State};
use crate::secrets::Secrets;
use crate::{interrupt, report};

/// The port of the first deployment where none is asked for.
const DEFAULT_PORT: u16 = 9000;

/// How long to wait before a server that ended by itself is started again.
const RESTART: Duration = Duration::from_secs(1);

/// Runs the servers of a use case. Dropped, it ends them.
#[derive(Debug)]
pub(crate) struct Supervisor<'a> {
    host: Host<'a>,
    port: Option<u16>,
    deployments: BTreeMap<String, Deployment>,
    draining: Vec<JoinHandle<()>>,
    /// Set when nobody shall wait for requests that might still come.
    hurry: Arc<AtomicBool>,
    _lock: Lock,
}

#[derive(Debug)]
struct Deployment {
    front: Front,
    server: Option<Server>,
    /// The generation that was ready last.
    last_ready: Option<String>,
    /// When a server that ended may be started again.
    not_before: Instant,
}

impl<'a> Supervisor<'a> {
    /// Takes over, after what another supervisor may have left running is ended.
    pub(crate) fn new(
        state: &'a State,
        launcher: &'a Launcher,
        secrets: &'a Secrets,
        use_case: &'a str,
        port: Option<u16>,
        lock: Lock,
    ) -> Result<Self> {
        reap(&state.server_processes())?;
        for wanted in Wanted::all(state)? {
            Status::forget(state, &wanted.manifest.name)?;
        }
        Ok(Self {
            host: Host {
                state,
                launcher,
                secrets,
                use_case,
            },
            port,
            deployments: BTreeMap::new(),
            draining: Vec::new(),
            hurry: Arc::default(),
            _lock: lock,
        })
    }

    /// Rolls out what is wanted and not served yet, and starts again what ended.
    ///
    /// # Errors
    ///
    /// When the state cannot be read or written, or no port can be opened. A
    /// server that does not become ready is told in its [`Status`].
    pub(crate) fn sync(&mut self) -> Result<()> {
        for wanted in Wanted::all(self.host.state)? {
            let name = &wanted.manifest.name;
            if !self.deployments.contains_key(name) {
                let front = self.open_front()?;
                self.deployments
                    .insert(name.clone(), Deployment::new(front));
            }
            self.mind(&wanted)?;
        }
        self.draining.retain(|thread| !thread.is_finished());
        Ok(())
    }

    /// The port of the first deployment is the one that was asked for.
    fn open_front(&self) -> Result<Front> {
        match self.port {
            _ if !self.deployments.is_empty() => Front::open(0),
            Some(port) => Front::open(port).context("choose another one with --port"),
            None => Front::open(DEFAULT_PORT).or_else(|_| {
                let front = Front::open(0)?;
                report::warning(format!(
                    "port {DEFAULT_PORT} is in use; taking {} (--port chooses one)",
                    front.port()
                ));
                Ok(front)
            }),
        }
    }

    /// Looks after one deployment: what has ended, what is wanted now.
    fn mind(&mut self, wanted: &Wanted) -> Result<()> {
        let state = self.host.state;
        let name = &wanted.manifest.name;
        let Some(deployment) = self.deployments.get_mut(name) else {
            return Ok(());
        };
        deployment.look_after(name);
        let has_failed = |status: &Status| {
            status.generation == wanted.generation && status.phase == Phase::Failed
        };
        if deployment.generation() == Some(&wanted.generation)
            || Status::read(state, name).is_some_and(|status| has_failed(&status))
            || Instant::now() < deployment.not_before
        {
            return Ok(());
        }
        wanted.status(Phase::Starting).write(state, name)?;
        let status = match Server::ready(self.host, wanted) {
            Ok(server) => {
                let old = deployment.switch(server);
                let url = Some(deployment.url());
                deployment.announce(name, state);
                self.draining.extend(old.map(|old| drain(old, &self.hurry)));
                let status = wanted.status(Phase::Ready);
                Status { url, ..status }
            }
            Err(error) if deployment.was_ready(wanted) => {
                report::warning(format!("{name} did not start again: {error:#}"));
                deployment.not_before = Instant::now() + RESTART * 10;
                wanted.status(Phase::Starting)
            }
            Err(error) => {
                if deployment.server.is_some() && !interrupt::requested() {
                    report::warning(format!("{name} goes on with the version before"));
                }
                let reason = Some(format!("{error:#}"));
                let status = wanted.status(Phase::Failed);
                Status { reason, ..status }
            }
        };
        status.write(state, name)
    }
}

/// Lets a server end in its own time.
fn drain(server: Server, hurry: &Arc<AtomicBool>) -> JoinHandle<()> {
    let hurry = Arc::clone(hurry);
    thread::spawn(move || server.drain(&hurry))
}

impl Drop for Supervisor<'_> {
    fn drop(&mut self) {
        self.hurry.store(true, Ordering::SeqCst);
        for (name, deployment) in std::mem::take(&mut self.deployments) {
            let Deployment { front, server, .. } = deployment;
            // No new connections first, then an end to those that are open.
            drop(front);
            let _ = Status::forget(self.host.state, &name);
            self.draining
                .extend(server.map(|server| drain(server, &self.hurry)));
        }
        for thread in self.draining.drain(..) {
            // A panic in there has been printed.
            let _ = thread.join();
        }
    }
}

impl Deployment {
    fn new(front: Front) -> Self {
        Self {
            front,
            server: None,
            last_ready: None,
            not_before: Instant::now(),
        }
    }

    fn generation(&self) -> Option<&String> {
        self.server.as_ref().map(|server| &server.generation)
    }

    fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.front.port())
    }

    /// Notices a server that ended by itself.
    fn look_after(&mut self, name: &str) {
        if let Some(server) = self.server.take_if(|server| !server.runs()) {
            let end = tail(&server.log);
            report::warning(format!(
                "the server of {name} ended; starting it again{end}"
            ));
            self.not_before = Instant::now() + RESTART;
        }
    }

    /// Sends new connections to `server` and gives the one before.
    fn switch(&mut self, server: Server) -> Option<Server> {
        self.front.switch(server.target.clone());
        self.last_ready = Some(server.generation.clone());
        self.server.replace(server)
    }

    /// Whether this very version was ready before: then it may become so again.
    fn was_ready(&self, wanted: &Wanted) -> bool {
        self.last_ready.as_ref() == Some(&wanted.generation)
    }

    fn announce(&self, name: &str, state: &State) {
        if let Some(server) = &self.server {
            let model = server.model().unwrap_or("no model");
            report::status("Serving", format!("{name} ({model}) at {}", self.url()));
            report::status("Log", state.short(&server.log));
        }
    }
}
