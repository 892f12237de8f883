//! The server as a process.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;

use super::client::{Client, Reply};
use super::package::Package;

/// Longer than anything takes on a busy machine.
const PATIENCE: Duration = Duration::from_secs(30);

/// A running server; killed when dropped.
pub(crate) struct Server {
    child: Child,
    log: Receiver<String>,
    lines: Vec<Value>,
    pub(crate) http: String,
    /// Empty when gRPC is turned off.
    pub(crate) grpc: String,
    pub(crate) metrics: String,
    client: Client,
}

/// The command that serves `package`, as [`bare`].
pub(crate) fn command(package: &str) -> Command {
    let mut command = bare();
    command.args(["--model", package]);
    command
}

/// The command with free ports, a log to read and no variables of its parent.
pub(crate) fn bare() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_serve"));
    command
        .env_clear()
        .args(["--host", "127.0.0.1"])
        .args([
            "--http-port",
            "0",
            "--grpc-port",
            "0",
            "--metrics-port",
            "0",
        ])
        .args(["--log-format", "json", "--drain-delay", "0"]);
    command
}

impl Server {
    /// Starts a server of `package` and waits until it is ready.
    pub(crate) fn start(package: &Package) -> Self {
        Self::ready(&mut command(package.folder()))
    }

    /// Starts `command` and waits until it is ready.
    pub(crate) fn ready(command: &mut Command) -> Self {
        let mut server = Self::spawn(command);
        server.metrics = text(&server.line("starting"), "metrics");
        let line = server.line("ready");
        server.http = text(&line, "http");
        server.grpc = line["grpc"].as_str().unwrap_or_default().to_owned();
        server
    }

    /// Starts `command`, which has `--early-bind`, and waits until it listens.
    pub(crate) fn listening(command: &mut Command) -> Self {
        let mut server = Self::spawn(command.arg("--early-bind"));
        let line = server.line("starting");
        server.metrics = text(&line, "metrics");
        server.http = text(&line, "http");
        server.grpc = line["grpc"].as_str().unwrap_or_default().to_owned();
        server
    }

    fn spawn(command: &mut Command) -> Self {
        let mut child = command.stderr(Stdio::piped()).spawn().unwrap();
        let (send, log) = channel();
        let stderr = child.stderr.take().unwrap();
        thread::spawn(move || {
            for line in BufReader::new(stderr).lines() {
                let _gone = send.send(line.unwrap());
            }
        });
        Self {
            child,
            log,
            lines: Vec::new(),
            http: String::new(),
            grpc: String::new(),
            metrics: String::new(),
            client: Client::new(),
        }
    }

    /// Waits for a line of the log.
    pub(crate) fn line(&mut self, message: &str) -> Value {
        loop {
            let line = self.log.recv_timeout(PATIENCE);
            let line = line.unwrap_or_else(|_| panic!("no {message:?} after {:?}", self.lines));
            let line: Value = serde_json::from_str(&line).unwrap_or(Value::String(line));
            self.lines.push(line.clone());
            if line["message"] == message {
                return line;
            }
        }
    }

    /// A line of the log that has been read.
    pub(crate) fn line_before(&self, message: &str) -> &Value {
        let mut lines = self.lines.iter();
        lines.find(|line| line["message"] == message).unwrap()
    }

    /// All of the log that has been read.
    pub(crate) fn log(&self) -> String {
        self.lines.iter().map(Value::to_string).collect()
    }

    /// The URL of a path on the http port.
    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.http)
    }

    pub(crate) fn get(&self, path: &str) -> Reply {
        self.client.get(&self.url(path))
    }

    pub(crate) fn post(&self, path: &str, json: &str) -> Reply {
        self.client.post(&self.url(path), "application/json", json)
    }

    /// What the metrics port says at `path`.
    pub(crate) fn scrape(&self, path: &str) -> Reply {
        self.client.get(&format!("http://{}{path}", self.metrics))
    }

    /// Sends a signal, `TERM` or `INT`.
    pub(crate) fn signal(&self, name: &str) {
        let pid = self.child.id().to_string();
        let status = Command::new("kill").args(["-s", name, &pid]).status();
        assert!(status.unwrap().success());
    }

    /// Bytes of memory that the process holds.
    pub(crate) fn memory(&self) -> usize {
        self.bytes("VmRSS:")
    }

    /// The most bytes of memory that the process has held.
    pub(crate) fn most_memory(&self) -> usize {
        self.bytes("VmHWM:")
    }

    fn bytes(&self, name: &str) -> usize {
        let path = format!("/proc/{}/status", self.child.id());
        let status = std::fs::read_to_string(path).unwrap();
        let mut lines = status.lines();
        let line = lines.find_map(|line| line.strip_prefix(name));
        let kilobytes = line.unwrap().trim().trim_end_matches(" kB");
        kilobytes.parse::<usize>().unwrap() << 10
    }

    /// Waits for the end.
    pub(crate) fn wait(&mut self) -> ExitStatus {
        let start = Instant::now();
        while start.elapsed() < PATIENCE {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status;
            }
            thread::sleep(Duration::from_millis(5));
        }
        panic!("still running after {PATIENCE:?}");
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ended = self.child.kill();
        let _reaped = self.child.wait();
    }
}

fn text(line: &Value, key: &str) -> String {
    line[key].as_str().unwrap().to_owned()
}
