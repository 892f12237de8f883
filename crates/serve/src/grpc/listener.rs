//! Answers gRPC at a port.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use hyper::server::conn::http2;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::graceful::Watcher;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tonic::service::Routes;
use tonic_health::ServingStatus;
use tonic_health::server::HealthReporter;

use super::front::Front;
use crate::app::App;
use crate::door::{self, Connection, Door};
use crate::lanes::Lanes;
use crate::{oip, proto, seldon};

/// Streams that one connection may have open: more calls wait at the client.
const STREAMS: u32 = 1024;
/// What a client may send of one message, and of all of a connection, before the
/// server has read it, in bytes. A picture comes in one go.
const STREAM_WINDOW: u32 = 1 << 20;
const CONNECTION_WINDOW: u32 = 4 << 20;
/// The longest head of a call, in bytes.
const HEAD: u32 = 16 << 10;
/// Streams that a client has reset and that are not gone yet: with more it is
/// taken for an attack, and its connection ends.
const RESET_STREAMS: usize = 32;
/// How often a silent client is asked whether it is there, and how long it may
/// take to say so.
const PING: Duration = Duration::from_secs(60);
const PONG: Duration = Duration::from_secs(20);

/// What a deployment bounds.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limits {
    /// The largest message in bytes, in both directions.
    pub(crate) message: usize,
    /// The longest time of a call.
    pub(crate) call: Option<Duration>,
}

/// Answers on `lanes` until the port is to be closed; then clients are told to go
/// (GOAWAY) and what is in flight is finished.
///
/// HTTP/2 is hyper's. The server of tonic puts layers around each call for what is done
/// here in other ways, which cost a small one about as much as its prediction.
///
/// # Errors
///
/// When the services do not describe themselves.
pub(crate) fn listen(
    door: Door,
    app: &Arc<App>,
    limits: Limits,
    lanes: &Lanes,
) -> Result<JoinHandle<Result<()>>> {
    let front = Front::new(app, limits, routes(app, door.stopped())?);
    let protocol = protocol();
    let answer = move |connection: Connection, watcher: Watcher| {
        let connection = TokioIo::new(connection.expecting(PING + PONG));
        watcher.watch(protocol.serve_connection(connection, front.clone()))
    };
    Ok(door::listen(door, Some(lanes), answer))
}

/// HTTP/2 within bounds.
fn protocol() -> http2::Builder<TokioExecutor> {
    let mut protocol = http2::Builder::new(TokioExecutor::new());
    protocol
        .timer(TokioTimer::new())
        .max_concurrent_streams(STREAMS)
        .initial_stream_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .max_header_list_size(HEAD)
        .max_pending_accept_reset_streams(RESET_STREAMS)
        .keep_alive_interval(PING)
        .keep_alive_timeout(PONG)
        // gRPC has no use for it.
        .auto_date_header(false);
    protocol
}

/// The services that are of no protocol of models: health and reflection.
fn routes(app: &Arc<App>, stopped: watch::Receiver<bool>) -> Result<Routes> {
    let (reporter, health) = tonic_health::server::health_reporter();
    tokio::spawn(report(Arc::clone(app), reporter, stopped));
    let reflection = || {
        tonic_reflection::server::Builder::configure()
            .register_encoded_file_descriptor_set(proto::DESCRIPTORS)
            .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)
    };
    let v1 = reflection().build_v1().context("reflection")?;
    let v1alpha = reflection().build_v1alpha().context("reflection")?;
    Ok(Routes::new(health).add_service(v1).add_service(v1alpha))
}

/// Tells the health service whether new requests should be sent here: what
/// `ServerReady` says, and of the services of Seldon what `/health/status` says. Whoever
/// watches is told that this ends when the port is to be closed, which else waits for them.
async fn report(app: Arc<App>, mut reporter: HealthReporter, mut stopped: watch::Receiver<bool>) {
    let mut changes = app.changes();
    loop {
        let status = |ready: bool| match ready {
            true => ServingStatus::Serving,
            false => ServingStatus::NotServing,
        };
        let server = status(app.ready().is_ok());
        let model = status(app.serving().is_ok());
        for service in OF_THE_SERVER {
            reporter.set_service_status(service, server).await;
        }
        for service in seldon::SERVICES {
            reporter.set_service_status(service, model).await;
        }
        tokio::select! {
            Ok(()) = changes.changed() => {}
            _ = stopped.wait_for(|stopped| *stopped) => break,
        }
    }
    for service in OF_THE_SERVER.into_iter().chain(seldon::SERVICES) {
        reporter.clear_service_status(service).await;
    }
}

/// Services whose health is that of the server.
const OF_THE_SERVER: [&str; 2] = ["", oip::SERVICE];
