//! Has clients answered as they come in.

use anyhow::Result;
use hyper_util::server::graceful::{GracefulShutdown, Watcher};
use tokio::runtime::Handle;
use tokio::task::JoinHandle;

use super::{Connection, Door};
use crate::lanes::Lanes;

/// Has `answer` talk to each client, on `lanes` or on the event loop of the caller where
/// there are none, until the port is to be closed and what is in flight is finished: the
/// watcher tells whoever talks when to come to an end.
pub(crate) fn listen<A, F, E>(
    mut door: Door,
    lanes: Option<&Lanes>,
    answer: A,
) -> JoinHandle<Result<()>>
where
    A: Fn(Connection, Watcher) -> F + Clone + Send + 'static,
    F: Future<Output = Result<(), E>> + Send,
    E: ToString + Send,
{
    let (own, lanes) = (Handle::current(), lanes.cloned());
    tokio::spawn(async move {
        let graceful = GracefulShutdown::new();
        while let Some(guest) = door.next().await {
            let (answer, watcher) = (answer.clone(), graceful.watcher());
            let answering = async move {
                let answered = match guest.enter() {
                    Ok(connection) => {
                        let answered = answer(connection, watcher).await;
                        answered.map_err(|error| error.to_string())
                    }
                    Err(error) => Err(error.to_string()),
                };
                if let Err(error) = answered {
                    tracing::debug!(error, "a connection failed");
                }
            };
            let lane = lanes.as_ref().and_then(Lanes::next);
            lane.unwrap_or(&own).spawn(answering);
        }
        drop(door);
        graceful.shutdown().await;
        Ok(())
    })
}
