//! Answers HTTP/1.1 at a port.

use std::convert::Infallible;

use axum::http::Request;
use axum::response::Response;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::Service;
use hyper_util::rt::TokioIo;
use hyper_util::server::graceful::{GracefulShutdown, Watcher};
use tokio::runtime::Handle;
use tokio::task::JoinHandle;

use super::timer::Patience;
use super::{Door, Guest};
use crate::lanes::Lanes;

/// Answers with `service` on `lanes`, or on the event loop of the caller where there
/// are none, until the port is to be closed and what is in flight is finished.
pub(crate) fn listen<S>(
    mut door: Door,
    service: S,
    lanes: Option<&Lanes>,
) -> JoinHandle<anyhow::Result<()>>
where
    S: Service<Request<Incoming>, Response = Response, Error = Infallible>,
    S: Clone + Send + 'static,
    S::Future: Send,
{
    let mut protocol = http1::Builder::new();
    // Also the time between two requests.
    protocol.header_read_timeout(door.manners.silence);
    let (own, lanes) = (Handle::current(), lanes.cloned());
    tokio::spawn(async move {
        let graceful = GracefulShutdown::new();
        while let Some(guest) = door.next().await {
            let answering = answer(guest, protocol.clone(), service.clone(), graceful.watcher());
            let lane = lanes.as_ref().and_then(Lanes::next);
            lane.unwrap_or(&own).spawn(answering);
        }
        drop(door);
        graceful.shutdown().await;
        Ok(())
    })
}

async fn answer<S>(guest: Guest, mut protocol: http1::Builder, service: S, watcher: Watcher)
where
    S: Service<Request<Incoming>, Response = Response, Error = Infallible>,
{
    let answered = match guest.enter() {
        Ok(connection) => {
            protocol.timer(Patience::default());
            let answering = protocol.serve_connection(TokioIo::new(connection), service);
            let answered = watcher.watch(answering).await;
            answered.map_err(|error| error.to_string())
        }
        Err(error) => Err(error.to_string()),
    };
    if let Err(error) = answered {
        tracing::debug!(error, "a connection failed");
    }
}
