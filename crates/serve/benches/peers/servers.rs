//! The servers that are compared, all with a model that returns its input.

use std::fs;
use std::net::{TcpListener, TcpStream};
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::thread::{self, sleep};
use std::time::{Duration, Instant};

use axum::Router;
use axum::http::header::CONTENT_TYPE;
use axum::routing::post;
use tempfile::TempDir;

/// The Python servers import for seconds.
const PATIENCE: Duration = Duration::from_secs(60);

const WRAPPED: &str = "
class Echo:
    def predict(self, X, features_names=None):
        return X
";
const SERVED: &str = r#"
from mlserver import MLModel
from mlserver.types import InferenceResponse, ResponseOutput


class Echo(MLModel):
    async def predict(self, request):
        outputs = [
            ResponseOutput(name=x.name, shape=x.shape, datatype=x.datatype, data=x.data)
            for x in request.inputs
        ]
        return InferenceResponse(model_name=self.name, outputs=outputs)
"#;

/// A server that answers; it ends with this.
pub(crate) struct Server {
    pub(crate) address: String,
    /// Empty where it does not speak gRPC.
    pub(crate) grpc: String,
    child: Option<Child>,
    _folder: Option<TempDir>,
}

impl Server {
    /// Starts `command` and waits until it listens at the ports of REST and gRPC.
    fn start(command: &mut Command, [port, grpc]: [u16; 2], folder: Option<TempDir>) -> Self {
        // A group of its own, so that its workers end with it.
        let child = command
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .process_group(0)
            .spawn()
            .unwrap();
        let server = Self {
            address: format!("127.0.0.1:{port}"),
            grpc: format!("127.0.0.1:{grpc}"),
            child: Some(child),
            _folder: folder,
        };
        let start = Instant::now();
        for address in [&server.address, &server.grpc] {
            while TcpStream::connect(address).is_err() {
                assert!(start.elapsed() < PATIENCE, "{command:?} does not listen");
                sleep(Duration::from_millis(10));
            }
        }
        // The port of a Python server opens before its model is there.
        sleep(Duration::from_secs(2));
        server
    }

    /// Bytes that all processes of the server hold; 0 for one in this process.
    pub(crate) fn memory(&self) -> usize {
        let Some(child) = &self.child else {
            return 0;
        };
        let group = child.id().to_string();
        let processes = fs::read_dir("/proc").unwrap().flatten();
        let of = |path: PathBuf| {
            let stat = fs::read_to_string(path.join("stat")).ok()?;
            // After the name in brackets: state, parent, group.
            let rest = stat.rsplit_once(") ")?.1;
            if rest.split(' ').nth(2)? != group {
                return None;
            }
            let status = fs::read_to_string(path.join("status")).ok()?;
            let line = status
                .lines()
                .find_map(|line| line.strip_prefix("VmRSS:"))?;
            line.trim().trim_end_matches(" kB").parse::<usize>().ok()
        };
        let kilobytes = processes.filter_map(|process| of(process.path()));
        kilobytes.sum::<usize>() << 10
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Some(child) = &mut self.child {
            let group = format!("-{}", child.id());
            let _ended = Command::new("kill")
                .args(["-s", "KILL", "--", &group])
                .status();
            let _reaped = child.wait();
        }
    }
}

/// A port that was free a moment ago.
fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().port()
}

/// The conformance model of this workspace.
pub(crate) fn serve() -> Server {
    own(&["--echo"])
}

/// The server of this workspace with these `flags`.
pub(crate) fn own(flags: &[&str]) -> Server {
    let ports = [free_port(), free_port()];
    let [http, grpc] = ports.map(|port| port.to_string());
    let mut command = Command::new(env!("CARGO_BIN_EXE_serve"));
    command
        .env_clear()
        .args(flags)
        .args(["--host", "127.0.0.1"]);
    command.args(["--http-port", &http, "--grpc-port", &grpc]);
    command.args(["--metrics-port", "0", "--drain-delay", "0"]);
    Server::start(&mut command, ports, None)
}

/// A handler that returns `answer`, and nothing else.
pub(crate) fn bare(answer: &[u8]) -> Server {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    listener.set_nonblocking(true).unwrap();
    let answer = axum::body::Bytes::copy_from_slice(answer);
    let handler = post(async move || ([(CONTENT_TYPE, "application/json")], answer));
    let router = Router::new().route("/api/v1.0/predictions", handler);
    thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .enable_all()
            .build();
        runtime.unwrap().block_on(async {
            let listener = tokio::net::TcpListener::from_std(listener).unwrap();
            axum::serve(listener, router).await.unwrap();
        });
    });
    Server {
        address,
        grpc: String::new(),
        child: None,
        _folder: None,
    }
}

/// What serve replaces: the wrapper, with one process for each core.
pub(crate) fn wrapper() -> Option<Server> {
    wrapped("Echo", WRAPPED, &[])
}

/// The wrapper around the class `name` in `source`, with more in its environment.
pub(crate) fn wrapped(name: &str, source: &str, more: &[(&str, &str)]) -> Option<Server> {
    let bin = PathBuf::from(std::env::var_os("SELDON_BIN")?);
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join(format!("{name}.py")), source).unwrap();
    let ports = [free_port(), free_port()];
    let [port, grpc] = ports.map(|port| port.to_string());
    let metrics = free_port().to_string();
    let cores = thread::available_parallelism().unwrap().to_string();
    let mut command = Command::new(bin.join("seldon-core-microservice"));
    command.arg(name).args(["--service-type", "MODEL"]);
    command.args(["--http-port", &port, "--grpc-port", &grpc]);
    command.args(["--metrics-port", &metrics, "--workers", &cores]);
    command
        .current_dir(folder.path())
        .envs(more.iter().copied());
    Some(Server::start(&mut command, ports, Some(folder)))
}

/// What Seldon recommends, in its fastest form here: in one process.
pub(crate) fn mlserver() -> Option<Server> {
    served("echo", "Echo", SERVED, &[])
}

/// That with the class in `source` as the model `name`, with more in its environment.
pub(crate) fn served(
    name: &str,
    class: &str,
    source: &str,
    more: &[(&str, &str)],
) -> Option<Server> {
    let bin = PathBuf::from(std::env::var_os("MLSERVER_BIN")?);
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("served_model.py"), source).unwrap();
    let model = format!(r#"{{"name": "{name}", "implementation": "served_model.{class}"}}"#);
    fs::write(folder.path().join("model-settings.json"), model).unwrap();
    let [port, grpc, metrics] = [(); 3].map(|()| free_port());
    let settings = format!(
        r#"{{"host": "127.0.0.1", "http_port": {port}, "grpc_port": {grpc},
            "metrics_port": {metrics}, "parallel_workers": 0}}"#
    );
    fs::write(folder.path().join("settings.json"), settings).unwrap();
    let mut command = Command::new(bin.join("mlserver"));
    command.args(["start", "."]).current_dir(folder.path());
    command.env("PYTHONPATH", folder.path());
    command.envs(more.iter().copied());
    Some(Server::start(&mut command, [port, grpc], Some(folder)))
}
