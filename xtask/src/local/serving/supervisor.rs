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
use crate::local::secrets::Secrets;
use crate::local::state::{Lock, State};
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

    fn mind(&mut self, wanted: &Wanted) -> Result<()> {
        let host = self.host;
        let name = &wanted.manifest.name;
        let Some(deployment) = self.deployments.get_mut(name) else {
            return Ok(());
        };
        deployment.look_after(name);
        if deployment.generation() == Some(&wanted.generation) {
            return Ok(());
        }
        let status = Status::read(host.state, name);
        let has_failed = status.is_some_and(|status| {
            status.generation == wanted.generation && status.phase == Phase::Failed
        });
        if has_failed || Instant::now() < deployment.not_before {
            return Ok(());
        }
        let mut status = Status {
            generation: wanted.generation.clone(),
            phase: Phase::Starting,
            url: None,
            reason: None,
        };
        status.write(host.state, name)?;
        let started = Server::start(host, wanted).and_then(|mut server| {
            server.wait_ready()?;
            Ok(server)
        });
        match started {
            Ok(server) => {
                deployment.front.switch(server.target.clone());
                if let Some(old) = deployment.server.replace(server) {
                    let hurry = Arc::clone(&self.hurry);
                    self.draining.push(thread::spawn(move || old.drain(&hurry)));
                }
                status.phase = Phase::Ready;
                status.url = Some(deployment.url());
            }
            Err(error) => {
                status.phase = Phase::Failed;
                status.reason = Some(format!("{error:#}"));
            }
        }
        if !interrupt::requested() {
            deployment.announce(name, &status);
        }
        status.write(host.state, name)
    }
}

impl Drop for Supervisor<'_> {
    fn drop(&mut self) {
        self.hurry.store(true, Ordering::SeqCst);
        for (name, deployment) in std::mem::take(&mut self.deployments) {
            let Deployment { front, server, .. } = deployment;
            // No new connections first, then an end to those that are open.
            drop(front);
            let _ = Status::forget(self.host.state, &name);
            if let Some(server) = server {
                let hurry = Arc::clone(&self.hurry);
                self.draining
                    .push(thread::spawn(move || server.drain(&hurry)));
            }
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

    fn announce(&self, name: &str, status: &Status) {
        match (&status.reason, &self.server) {
            (None, Some(server)) => {
                let log = server.log.display();
                report::status("Serving", format!("{name} at {} (log: {log})", self.url()));
            }
            (Some(_), Some(_)) => {
                report::warning(format!("{name} goes on with the version before"));
            }
            _ => {}
        }
    }
}
