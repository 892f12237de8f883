//! Answers HTTP/1.1 at a port.

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::{GracefulShutdown, Watcher};
use hyper_util::service::TowerToHyperService;
use tokio::runtime::Handle;
use tokio::task::JoinHandle;

use super::{Door, Guest};
use crate::lanes::Lanes;

/// Answers with `router` on `lanes`, or on the event loop of the caller where there
/// are none, until the port is to be closed and what is in flight is finished.
pub(crate) fn listen(
    mut door: Door,
    router: Router,
    lanes: Option<&Lanes>,
) -> JoinHandle<anyhow::Result<()>> {
    let mut protocol = http1::Builder::new();
    // Also the time between two requests.
    protocol
        .timer(TokioTimer::new())
        .header_read_timeout(door.manners.silence);
    let service = TowerToHyperService::new(router);
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

async fn answer(
    guest: Guest,
    protocol: http1::Builder,
    service: TowerToHyperService<Router>,
    watcher: Watcher,
) {
    let answered = match guest.enter() {
        Ok(connection) => {
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
