//! Answers HTTP/1.1 at a port.

use std::convert::Infallible;

use axum::http::Request;
use axum::response::Response;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::Service;
use hyper_util::rt::TokioIo;
use hyper_util::server::graceful::Watcher;
use tokio::task::JoinHandle;

use super::listen::listen;
use super::timer::Patience;
use super::{Connection, Door};
use crate::lanes::Lanes;

/// Answers with `service` on `lanes`, as [`listen`] does.
pub(crate) fn listen_to_http<S>(
    door: Door,
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
    listen(
        door,
        lanes,
        move |connection: Connection, watcher: Watcher| {
            let mut protocol = protocol.clone();
            protocol.timer(Patience::default());
            watcher.watch(protocol.serve_connection(TokioIo::new(connection), service.clone()))
        },
    )
}
