//! Tells an event sink what was asked and answered, and what is odd about it: the
//! CloudEvents that Seldon's orchestrator and detectors send, for deployments
//! without them (`seldon-serve.md` §6).

mod event;
mod send;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use axum::body::Bytes;
use axum::http::{HeaderMap, HeaderValue, Uri};
use clap::ValueEnum;
use monitor::Drift;
use prometheus::IntCounter;
use tokio::sync::{mpsc, oneshot};
use tokio::time::timeout;

pub(crate) use event::Place;
use send::Sender;

/// Exchanges that may wait to be told, as in the orchestrator.
const QUEUE: usize = 10_000;

/// Their payloads together, in bytes.
const HELD: usize = 64 << 20;

/// How long the last may take.
const LAST: Duration = Duration::from_secs(3);

/// Which payloads of requests are told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Payloads {
    /// None: only outliers and drift.
    None,
    /// What was asked.
    Request,
    /// What was answered.
    Response,
    /// Both.
    All,
}

/// Where events go.
#[derive(Debug, Clone)]
pub(crate) struct Sink {
    /// An `http` URL.
    pub(crate) url: Uri,
    /// Which payloads it gets.
    pub(crate) payloads: Payloads,
    /// What the events say of this server.
    pub(crate) place: Place,
}

/// Takes what is to be told, and never waits.
#[derive(Debug, Clone)]
pub(crate) struct Events {
    queue: mpsc::Sender<Told>,
    held: Arc<AtomicUsize>,
    lost: IntCounter,
}

/// What there is to tell.
enum Told {
    Exchange(Box<Exchange>),
    /// One of so many bytes whose bodies are still to be made; `None` if they cannot.
    Call(usize, Box<dyn FnOnce() -> Option<Exchange> + Send>),
    Drift(String, Box<Drift>),
    /// There is no more; who waits for the end is told of it.
    End(oneshot::Sender<()>),
}

/// A request and its answer.
#[derive(Debug)]
pub(crate) struct Exchange {
    /// The request's ID.
    pub(crate) id: HeaderValue,
    /// `seldon` or `v2`.
    pub(crate) protocol: &'static str,
    /// Whether it is feedback, and no prediction.
    pub(crate) is_feedback: bool,
    /// What was asked.
    pub(crate) request: Payload,
    /// What was answered, unless that was an error.
    pub(crate) response: Option<Payload>,
}

/// A body.
#[derive(Debug, Clone)]
pub(crate) struct Payload {
    pub(crate) content_type: HeaderValue,
    pub(crate) bytes: Bytes,
}

/// Whether the client wishes that nobody is told.
pub(crate) fn is_skipped(headers: &HeaderMap) -> bool {
    let wish = headers.get("seldon-skip-logging");
    let wish = wish.and_then(|value| value.to_str().ok());
    wish.is_some_and(|wish| ["true", "on", "1"].contains(&wish.to_ascii_lowercase().as_str()))
}

impl Exchange {
    fn len(&self) -> usize {
        let response = self.response.as_ref();
        self.request.bytes.len() + response.map_or(0, |payload| payload.bytes.len())
    }
}

impl Events {
    /// Starts to send to `sink`; what cannot be sent is counted as `lost`.
    pub(crate) fn start(sink: Sink, lost: IntCounter) -> Self {
        let (queue, told) = mpsc::channel(QUEUE);
        let held = Arc::<AtomicUsize>::default();
        let sender = Sender::new(sink, Arc::clone(&held), lost.clone());
        tokio::spawn(sender.work_off(told));
        Self { queue, held, lost }
    }

    /// Tells of a request and its answer, if there is room.
    pub(crate) fn exchanged(&self, exchange: Exchange) {
        self.hold(exchange.len(), Told::Exchange(Box::new(exchange)));
    }

    /// Tells of a call of `size` bytes, if there is room; the exchange is made when its
    /// turn comes, off the path of requests.
    pub(crate) fn called(
        &self,
        size: usize,
        exchange: impl FnOnce() -> Option<Exchange> + Send + 'static,
    ) {
        self.hold(size, Told::Call(size, Box::new(exchange)));
    }

    fn hold(&self, size: usize, told: Told) {
        if self.held.fetch_add(size, Ordering::Relaxed) + size > HELD || !self.tell(told) {
            self.held.fetch_sub(size, Ordering::Relaxed);
            self.lost.inc();
        }
    }

    /// Tells of the test of a window of requests to `model`.
    pub(crate) fn tested(&self, model: String, drift: Drift) {
        if !self.tell(Told::Drift(model, Box::new(drift))) {
            self.lost.inc();
        }
    }

    /// Ends the sending, once all is told or that has taken too long.
    pub(crate) async fn end(&self) {
        let told = async {
            let (reply, ended) = oneshot::channel();
            if self.queue.send(Told::End(reply)).await.is_ok() {
                // It has ended as well when there is nobody to say so.
                let _ended = ended.await;
            }
        };
        if timeout(LAST, told).await.is_err() {
            tracing::warn!("not all events were sent in {LAST:?}");
        }
    }

    fn tell(&self, told: Told) -> bool {
        self.queue.try_send(told).is_ok()
    }
}
