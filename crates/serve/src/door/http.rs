//! Answers HTTP/1.1 at a port.

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use tokio::task::JoinHandle;

use super::Door;

/// Answers with `router` until the port is to be closed and what is in flight is
/// finished.
pub(crate) fn listen(mut door: Door, router: Router) -> JoinHandle<anyhow::Result<()>> {
    let mut protocol = http1::Builder::new();
    // Also the time between two requests.
    protocol
        .timer(TokioTimer::new())
        .header_read_timeout(door.manners.silence);
    let service = TowerToHyperService::new(router);
    tokio::spawn(async move {
        let graceful = GracefulShutdown::new();
        while let Some(connection) = door.next().await {
            let answering = protocol.serve_connection(TokioIo::new(connection), service.clone());
            let answering = graceful.watch(answering);
            tokio::spawn(async move {
                if let Err(error) = answering.await {
                    let error = error.to_string();
                    tracing::debug!(error, "a connection failed");
                }
            });
        }
        drop(door);
        graceful.shutdown().await;
        Ok(())
    })
}
