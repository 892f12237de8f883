//! Answers gRPC at a port.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use tokio::runtime::Handle;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;
use tokio_stream::StreamExt;
use tokio_stream::wrappers::ReceiverStream;
use tonic::service::Routes;
use tonic::transport::Server;
use tonic_health::ServingStatus;
use tonic_health::server::HealthReporter;

use super::front::Front;
use crate::app::App;
use crate::door::{Door, Guest};
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
/// # Errors
///
/// When the services do not describe themselves.
pub(crate) fn listen(
    mut door: Door,
    app: &Arc<App>,
    limits: Limits,
    lanes: &Lanes,
) -> Result<JoinHandle<Result<()>>> {
    let front = Front::new(app, limits, routes(app)?);
    let (closed, close) = watch::channel(());
    let serve = |lane: &Handle| {
        let (send, incoming) = mpsc::channel(1);
        let task = lane.spawn(serve(front.clone(), incoming, close.clone()));
        (send, task)
    };
    let (entries, tasks): (Vec<_>, Vec<_>) = lanes.all().iter().map(serve).unzip();
    Ok(tokio::spawn(async move {
        let mut turns = entries.iter().cycle();
        while let Some(guest) = door.next().await {
            if let Some(entry) = turns.next() {
                // A server that has failed says so below.
                let _failed = entry.send(guest).await;
            }
        }
        drop(door);
        drop(closed);
        for task in tasks {
            task.await.context("the gRPC port failed")??;
        }
        Ok(())
    }))
}

/// Answers those who come in at one event loop, until the sender of `close` is gone.
async fn serve(
    front: Front,
    incoming: mpsc::Receiver<Guest>,
    mut close: watch::Receiver<()>,
) -> Result<()> {
    let incoming = ReceiverStream::new(incoming);
    let incoming = incoming.map(|guest| guest.enter().map(|it| it.expecting(PING + PONG)));
    let signal = async move {
        let _closed = close.changed().await;
    };
    Server::builder()
        .max_concurrent_streams(STREAMS)
        .initial_stream_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .http2_max_header_list_size(HEAD)
        .http2_max_pending_accept_reset_streams(Some(RESET_STREAMS))
        .http2_keepalive_interval(Some(PING))
        .http2_keepalive_timeout(Some(PONG))
        .serve_with_incoming_shutdown(front, incoming, signal)
        .await
        .context("the gRPC port failed")
}

/// The services that are of no protocol of models: health and reflection.
fn routes(app: &Arc<App>) -> Result<Routes> {
    let (reporter, health) = tonic_health::server::health_reporter();
    tokio::spawn(report(Arc::clone(app), reporter));
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
/// `ServerReady` says, and of the services of Seldon what `/health/status` says.
async fn report(app: Arc<App>, reporter: HealthReporter) {
    let mut changes = app.changes();
    loop {
        let status = |ready: bool| match ready {
            true => ServingStatus::Serving,
            false => ServingStatus::NotServing,
        };
        let server = status(app.ready().is_ok());
        let model = status(app.serving().is_ok());
        for (service, status) in [
            ("", server),
            (oip::SERVICE, server),
            (seldon::MODEL, model),
            (seldon::SELDON, model),
        ] {
            reporter.set_service_status(service, status).await;
        }
        if changes.changed().await.is_err() {
            return;
        }
    }
}
