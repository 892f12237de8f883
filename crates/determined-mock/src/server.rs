//! HTTP on loopback.

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full, StreamBody};
use hyper::body::{Bytes, Frame, Incoming};
use hyper::service::service_fn;
use hyper::{Request as HttpRequest, Response};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::{mpsc, oneshot};
use tokio_stream::wrappers::ReceiverStream;

use crate::faults::Waiting;
use crate::reply::Reply;
use crate::request::parse_query;
use crate::world::moment;
use crate::{Fault, Request, World, routes};

type Body = UnsyncBoxBody<Bytes, io::Error>;

/// A running master. Dropped, it stops.
#[derive(Debug)]
pub struct MockMaster {
    address: SocketAddr,
    world: Arc<Mutex<World>>,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<thread::JoinHandle<()>>,
}

impl MockMaster {
    /// Starts on a free port of the loopback interface.
    pub fn start() -> Self {
        Self::start_on(std::net::TcpListener::bind("127.0.0.1:0").expect("a free port"))
    }

    /// Starts on a port that is taken already.
    pub fn start_on(listener: std::net::TcpListener) -> Self {
        listener.set_nonblocking(true).expect("a socket");
        let address = listener.local_addr().expect("an address");
        let world = Arc::new(Mutex::new(World::default()));
        let (stop, stopped) = oneshot::channel();
        let shared = Arc::clone(&world);
        let thread = thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .expect("a runtime");
            runtime.block_on(async {
                let listener = TcpListener::from_std(listener).expect("a listener");
                tokio::select! {
                    () = accept(listener, shared) => {}
                    _ = stopped => {}
                }
            });
            // Tasks that stall would hold the runtime's end up.
            runtime.shutdown_background();
        });
        Self {
            address,
            world,
            stop: Some(stop),
            thread: Some(thread),
        }
    }

    /// Its address, as `DET_MASTER` takes it.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// What it knows. No request is answered while this is held.
    pub fn world(&self) -> MutexGuard<'_, World> {
        lock(&self.world)
    }

    /// The requests that came so far.
    pub fn requests(&self) -> Vec<Request> {
        self.world().requests.clone()
    }

    /// Lets a fault happen to the next `times` requests with this method whose path
    /// begins so.
    pub fn fault(&self, method: &str, path: &str, fault: Fault, times: usize) {
        self.world().faults.push(Waiting {
            method: method.to_owned(),
            path: path.to_owned(),
            fault,
            times,
        });
    }
}

impl Drop for MockMaster {
    fn drop(&mut self) {
        if let Some(stop) = self.stop.take() {
            let _ = stop.send(());
        }
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn lock(world: &Mutex<World>) -> MutexGuard<'_, World> {
    // A test that failed while it held the lock has said so itself.
    world.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn accept(listener: TcpListener, world: Arc<Mutex<World>>) {
    while let Ok((connection, _)) = listener.accept().await {
        let world = Arc::clone(&world);
        tokio::spawn(async move {
            let service = service_fn(|request| answer(request, Arc::clone(&world)));
            let connection = TokioIo::new(connection);
            // An error is a connection that was cut: on purpose, or by the client.
            let _ = hyper::server::conn::http1::Builder::new()
                .serve_connection(connection, service)
                .await;
        });
    }
}

/// What closes a connection without an answer.
#[derive(Debug)]
struct Cut;

impl std::fmt::Display for Cut {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("cut on purpose")
    }
}

impl std::error::Error for Cut {}

async fn answer(
    request: HttpRequest<Incoming>,
    world: Arc<Mutex<World>>,
) -> Result<Response<Body>, Cut> {
    let request = receive(request).await?;
    let (number, fault, stall) = begin(&world, &request);
    match fault {
        Some(Fault::Slow(time)) => tokio::time::sleep(time).await,
        Some(Fault::CutBefore) => return Err(Cut),
        Some(Fault::Status(status)) => return Ok(proxy_page(status)),
        Some(Fault::ExpireTokens) => lock(&world).tokens.clear(),
        _ => {}
    }
    if stall == Some(false) {
        stop_answering(&world).await;
    }
    wait_for_preemption(&world, &request).await;
    let reply = {
        let mut world = lock(&world);
        let reply = routes::route(&mut world, &request);
        if let Reply::Json(status, body) = &reply {
            world.requests[number].answer = Some((*status, body.clone()));
        }
        reply
    };
    if stall == Some(true) {
        stop_answering(&world).await;
    }
    match fault {
        Some(Fault::CutAfter) => Err(Cut),
        Some(Fault::StatusAfter(status)) => Ok(proxy_page(status)),
        _ => Ok(render(reply, world)),
    }
}

/// The question about preemption is answered when there is one, or after the time
/// that it names.
async fn wait_for_preemption(world: &Mutex<World>, request: &Request) {
    if !request.path.ends_with("/signals/preemption") {
        return;
    }
    let seconds = request.get("timeoutSeconds").and_then(|t| t.parse().ok());
    let until = Instant::now() + Duration::from_secs(seconds.unwrap_or(0));
    while !lock(world).preempt && Instant::now() < until {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

async fn receive(request: HttpRequest<Incoming>) -> Result<Request, Cut> {
    let (parts, body) = request.into_parts();
    let body = body.collect().await.map_err(|_| Cut)?.to_bytes();
    let header = |name: &str| {
        let value = parts.headers.get(name).and_then(|v| v.to_str().ok());
        value.unwrap_or_default().to_owned()
    };
    let allocation = header("grpc-metadata-x-allocation-token");
    let authorization = header("authorization");
    let of_allocation = !allocation.is_empty();
    let token = [authorization, allocation]
        .iter()
        .find_map(|value| value.strip_prefix("Bearer ").map(str::to_owned));
    Ok(Request {
        method: parts.method.to_string(),
        path: parts.uri.path().to_owned(),
        query: parse_query(parts.uri.query().unwrap_or_default()),
        body: serde_json::from_slice(&body).unwrap_or(Value::Null),
        accept: header("accept"),
        token,
        of_allocation,
        answer: None,
    })
}

/// Notes the request: its number, the fault that waits for it, and whether to
/// stall before (`false`) or after (`true`) its effect.
fn begin(world: &Mutex<World>, request: &Request) -> (usize, Option<Fault>, Option<bool>) {
    let mut world = lock(world);
    let number = world.requests.len();
    world.requests.push(request.clone());
    let stall = world.stall.filter(|stall| stall.request == number);
    let waiting = world.faults.iter_mut().find(|waiting| {
        waiting.times > 0
            && waiting.method == request.method
            && request.path.starts_with(&waiting.path)
    });
    let fault = waiting.map(|waiting| {
        waiting.times -= 1;
        waiting.fault
    });
    (number, fault, stall.map(|stall| stall.after_effect))
}

async fn stop_answering(world: &Mutex<World>) {
    lock(world).stalled = true;
    std::future::pending::<()>().await;
}

fn whole(content: impl Into<Bytes>) -> Body {
    let body = Full::new(content.into());
    body.map_err(|never: Infallible| match never {})
        .boxed_unsync()
}

fn proxy_page(status: u16) -> Response<Body> {
    let page = "<html><head><title>proxy</title></head><body>upstream away</body></html>";
    let mut response = Response::new(whole(page));
    *response.status_mut() = status.try_into().expect("a status");
    response
}

fn render(reply: Reply, world: Arc<Mutex<World>>) -> Response<Body> {
    match reply {
        Reply::Json(status, body) => {
            let response = Response::builder()
                .status(status)
                .header("content-type", "application/json");
            response.body(whole(body.to_string())).expect("an answer")
        }
        Reply::File {
            kind,
            content,
            length,
            cut,
        } => {
            let mut response = Response::builder().header("content-type", kind);
            if let Some(length) = length {
                response = response.header("content-length", length);
            }
            response.body(pieces(content, cut)).expect("an answer")
        }
        Reply::Log {
            trial,
            from,
            follow,
            limit,
        } => {
            let (sender, receiver) = mpsc::channel(4);
            tokio::spawn(write_log(world, trial, from, follow, limit, sender));
            let body = StreamBody::new(ReceiverStream::new(receiver));
            Response::new(BodyExt::boxed_unsync(body))
        }
    }
}

/// A body in pieces, which may end in a broken connection.
fn pieces(content: Vec<u8>, cut: bool) -> Body {
    let (sender, receiver) = mpsc::channel(4);
    tokio::spawn(async move {
        for chunk in content.chunks(1000) {
            let frame = Frame::data(Bytes::copy_from_slice(chunk));
            if sender.send(Ok(frame)).await.is_err() {
                return;
            }
        }
        if cut {
            break_off(&sender).await;
        }
    });
    BodyExt::boxed_unsync(StreamBody::new(ReceiverStream::new(receiver)))
}

/// Breaks the connection after what was written before has gone out.
async fn break_off(sender: &Sender) {
    tokio::time::sleep(Duration::from_millis(20)).await;
    let broken = io::ErrorKind::ConnectionReset.into();
    let _ = sender.send(Err(broken)).await;
}

type Sender = mpsc::Sender<io::Result<Frame<Bytes>>>;

async fn write_log(
    world: Arc<Mutex<World>>,
    trial: i64,
    from: usize,
    follow: bool,
    limit: Option<usize>,
    sender: Sender,
) {
    let experiment = trial / 10;
    let (lines, cut) = {
        let mut world = lock(&world);
        let lines = world
            .experiments
            .get(&experiment)
            .map(|e| e.script.log.clone());
        let cut = (follow && !world.log_cuts.is_empty()).then(|| world.log_cuts.remove(0));
        (lines.unwrap_or_default(), cut)
    };
    let shown = lines.iter().enumerate().skip(from);
    for (sent, (number, line)) in shown.take(limit.unwrap_or(usize::MAX)).enumerate() {
        if cut == Some(sent) {
            break_off(&sender).await;
            return;
        }
        let time = moment(number);
        let result = json!({"result": {
            "id": (number + 1).to_string(), "timestamp": time, "trialId": trial,
            "message": format!("[{time}] c0ffee || {line}\n"), "log": format!("{line}\n"),
            "level": "LOG_LEVEL_INFO", "containerId": "c0ffee", "source": "task",
            "stdtype": "stdout", "agentId": null, "rankId": null,
        }});
        let frame = Frame::data(Bytes::from(format!("{result}\n")));
        if sender.send(Ok(frame)).await.is_err() {
            return;
        }
    }
    while follow && !sender.is_closed() {
        let over = lock(&world)
            .experiments
            .get(&experiment)
            .is_none_or(|e| e.is_over());
        if over {
            return;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}
