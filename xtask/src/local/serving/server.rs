//! One running model server.

use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};

use super::environment::{self, Ports};
use super::front::Target;
use super::manifest::{Manifest, model_folder};
use super::wanted::Wanted;
use crate::interrupt;
use crate::local::docker;
use crate::local::launch::{self, Launcher};
use crate::local::process::{Process, Start, tail};
use crate::local::state::State;
use crate::secrets::Secrets;

/// Where a model is mounted in a container.
const MODEL_MOUNT: &str = "/mnt/models";

/// How often a server that ends before it is ready is started.
const STARTS: u32 = 3;

/// How often a server is asked whether it is ready.
const PAUSE: Duration = Duration::from_millis(20);

/// Two signals of one kind become one if the first is not taken yet.
const SECOND_SIGNAL: Duration = Duration::from_millis(100);

/// The longest that a server without open connections may take to end once
/// nobody waits for it.
const HURRY: Duration = Duration::from_secs(3);

/// What servers are run with.
#[derive(Debug, Clone, Copy)]
pub(super) struct Host<'a> {
    pub(super) state: &'a State,
    pub(super) launcher: &'a Launcher,
    pub(super) secrets: &'a Secrets,
    pub(super) use_case: &'a str,
}

/// A server of one generation of a deployment.
#[derive(Debug)]
pub(super) struct Server {
    process: Process,
    pub(super) target: Target,
    pub(super) generation: String,
    pub(super) log: PathBuf,
    manifest: Manifest,
    port: u16,
}

impl Server {
    /// Starts the server of a manifest on free ports and waits until it is ready.
    ///
    /// # Errors
    ///
    /// When it ends again and again, or its deadline passes, before it is ready.
    pub(super) fn ready(host: Host<'_>, wanted: &Wanted) -> Result<Self> {
        let mut attempt = 1;
        loop {
            let mut server = Self::start(host, wanted)?;
            match server.wait_ready() {
                Ok(()) => return Ok(server),
                // A container that ends is started again. Here it also helps against
                // a port that somebody else took before the server could.
                Err(_) if attempt < STARTS && !server.runs() => attempt += 1,
                Err(error) => return Err(error),
            }
        }
    }

    fn start(host: Host<'_>, wanted: &Wanted) -> Result<Self> {
        let manifest = wanted.manifest.clone();
        let model = manifest
            .model_uri()
            .map(|uri| model_folder(host.state, uri))
            .transpose()?;
        let ports = free_ports()?;
        let start = match host.launcher {
            Launcher::Processes { .. } => as_process(host, &manifest, model.as_deref(), ports)?,
            Launcher::Docker => as_container(host, wanted, model.as_deref(), ports)?,
        };
        let short: String = wanted.generation.chars().take(12).collect();
        let log = host
            .state
            .deployments()
            .join(&manifest.name)
            .join(format!("{short}.log"));
        let process = Process::start(start, &log, &host.state.server_processes())?;
        Ok(Self {
            process,
            target: Target::new(ports.http),
            generation: wanted.generation.clone(),
            log,
            manifest,
            port: ports.http,
        })
    }

    /// Waits until the readiness probe of the manifest succeeds.
    ///
    /// # Errors
    ///
    /// When the server ends, or its deadline passes, before it is ready.
    fn wait_ready(&mut self) -> Result<()> {
        let deadline = Instant::now() + self.manifest.progress_deadline;
        loop {
            if let Some(status) = self.process.ended()? {
                bail!(
                    "the server ended with {status} before it was ready{}",
                    self.said()
                );
            }
            if self.is_ready() {
                return Ok(());
            }
            if interrupt::requested() {
                bail!("interrupted");
            }
            if Instant::now() >= deadline {
                let seconds = self.manifest.progress_deadline.as_secs();
                bail!("the server was not ready within {seconds} s{}", self.said());
            }
            thread::sleep(PAUSE);
        }
    }

    /// The end of its log and where the rest is.
    fn said(&self) -> String {
        format!("{}\n  whole log: {}", tail(&self.log), self.log.display())
    }

    fn is_ready(&self) -> bool {
        let probe = self.manifest.container.readiness_probe.as_ref();
        let Some(probe) = probe.and_then(|probe| probe.http_get.as_ref()) else {
            // The operator's own probe, where the manifest has none.
            return TcpStream::connect((Ipv4Addr::LOCALHOST, self.port)).is_ok();
        };
        let url = format!("http://127.0.0.1:{}{}", self.port, probe.path);
        let asked = minreq::get(url).with_timeout(1).send();
        asked.is_ok_and(|answer| (200..400).contains(&answer.status_code))
    }

    /// The URI of the model that it serves.
    pub(super) fn model(&self) -> Option<&str> {
        self.manifest.model_uri()
    }

    /// Whether it still runs.
    pub(super) fn runs(&mut self) -> bool {
        matches!(self.process.ended(), Ok(None))
    }

    /// Asks the server to end and waits until it has answered what it was asked.
    /// With `hurry`, it does not wait for requests that might still come.
    pub(super) fn drain(mut self, hurry: &AtomicBool) {
        self.process.terminate();
        let asked = Instant::now();
        let mut hurried = None;
        while self.runs() && asked.elapsed() < self.manifest.grace_period {
            let is_idle = self.target.connections() == 0;
            if hurry.load(Ordering::SeqCst) && is_idle && asked.elapsed() >= SECOND_SIGNAL {
                // A second signal ends serve's wait for the cluster to notice.
                let since = *hurried.get_or_insert_with(|| {
                    self.process.terminate();
                    Instant::now()
                });
                if since.elapsed() > HURRY {
                    break;
                }
            }
            thread::sleep(PAUSE);
        }
    }
}

fn free_ports() -> Result<Ports> {
    let bind = || TcpListener::bind((Ipv4Addr::LOCALHOST, 0));
    // All three are held until all are known, so that they differ.
    let (http, grpc, metrics) = (bind()?, bind()?, bind()?);
    Ok(Ports {
        http: http.local_addr()?.port(),
        grpc: grpc.local_addr()?.port(),
        metrics: metrics.local_addr()?.port(),
    })
}

fn as_process(
    host: Host<'_>,
    manifest: &Manifest,
    model: Option<&Path>,
    ports: Ports,
) -> Result<Start> {
    let container = &manifest.container;
    let binary = host.launcher.binary(&container.image)?;
    let program = launch::program_of(&container.image);
    let mut command = launch::bare(&binary);
    match container.command.split_first() {
        None => {}
        Some((first, rest)) if first.trim_start_matches('/') == program => drop(command.args(rest)),
        Some((first, _)) => bail!(
            "the container starts {first:?}, which is not the program of {}; \
             run it in a container with --docker",
            container.image
        ),
    }
    command.args(&container.args);
    // A laptop is no pod: nobody else on the network is meant.
    command.env("SERVE_HOST", Ipv4Addr::LOCALHOST.to_string());
    command.envs(host.launcher.variable());
    let environment = environment::of(manifest, ports, model, host.secrets)?;
    command.envs(environment.variables);
    Ok(Start {
        command,
        container: None,
        stdin: String::new(),
        masked: environment.secret,
    })
}

fn as_container(
    host: Host<'_>,
    wanted: &Wanted,
    model: Option<&Path>,
    ports: Ports,
) -> Result<Start> {
    let manifest = &wanted.manifest;
    let container = &manifest.container;
    docker::image_id(&container.image)?;
    let inner = inner_ports(manifest);
    let mount = model.map(|_| Path::new(MODEL_MOUNT));
    let environment = environment::of(manifest, inner, mount, host.secrets)?;
    let name = format!("{}-{}-{}", host.use_case, manifest.name, ports.http);
    let mut command = docker::run(&name, &environment.variables);
    for (outside, inside) in [
        (ports.http, inner.http),
        (ports.grpc, inner.grpc),
        (ports.metrics, inner.metrics),
    ] {
        command
            .arg("--publish")
            .arg(format!("127.0.0.1:{outside}:{inside}"));
    }
    if let Some(model) = model {
        command
            .arg("--mount")
            .arg(format!("{},readonly", docker::bind(model, MODEL_MOUNT)));
    }
    for mount in &container.volume_mounts {
        command.args(["--tmpfs", &mount.mount_path]);
    }
    add_program(
        &mut command,
        &container.image,
        &container.command,
        &container.args,
    );
    Ok(Start {
        command,
        container: Some(name),
        stdin: String::new(),
        masked: environment.secret,
    })
}

fn add_program(run: &mut Command, image: &str, command: &[String], args: &[String]) {
    let rest = match command.split_first() {
        Some((program, rest)) => {
            run.args(["--entrypoint", program]);
            rest
        }
        None => &[],
    };
    run.arg(image).args(rest).args(args);
}

/// The ports in the container: those that the manifest names, else those that
/// Seldon gives to the first container.
fn inner_ports(manifest: &Manifest) -> Ports {
    let port = |name: &str, default: u16| {
        let mut ports = manifest.container.ports.iter();
        let named = ports.find(|port| port.name == name);
        named.map_or(default, |port| port.container_port)
    };
    Ports {
        http: port("http", 9000),
        grpc: port("grpc", 9500),
        metrics: port("metrics", 6000),
    }
}
