//! Sends events, several at a time.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, SystemTime};

use axum::body::Bytes;
use axum::http::header::CONTENT_TYPE;
use axum::http::request::Builder;
use axum::http::{Request, Uri};
use http_body_util::{BodyExt, Full};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use prometheus::IntCounter;
use tokio::sync::{Semaphore, mpsc};
use tokio::task::spawn_blocking;
use tokio::time::timeout;
use uuid::Uuid;

use super::event::{Event, Place};
use super::{Exchange, Payloads, Sink, Told};

/// Events that are on their way at a time.
const AT_ONCE: u32 = 16;

/// How long the sink may take for one.
const PATIENCE: Duration = Duration::from_secs(5);

/// Works the queue off.
pub(super) struct Sender {
    post: Arc<Post>,
    payloads: Payloads,
    held: Arc<AtomicUsize>,
    lost: IntCounter,
    on_their_way: Arc<Semaphore>,
}

/// What it takes to send one event.
struct Post {
    client: Client<HttpConnector, Full<Bytes>>,
    url: Uri,
    place: Place,
    failing: AtomicBool,
}

impl Sender {
    pub(super) fn new(sink: Sink, held: Arc<AtomicUsize>, lost: IntCounter) -> Self {
        let post = Post {
            client: Client::builder(TokioExecutor::new()).build_http(),
            url: sink.url,
            place: sink.place,
            failing: AtomicBool::new(false),
        };
        Self {
            post: Arc::new(post),
            payloads: sink.payloads,
            held,
            lost,
            on_their_way: Arc::new(Semaphore::new(AT_ONCE as usize)),
        }
    }

    pub(super) async fn work_off(self, mut told: mpsc::Receiver<Told>) {
        let mut reply = None;
        while let Some(told) = told.recv().await {
            match told {
                Told::Exchange(exchange) => {
                    let size = exchange.len();
                    self.exchange(*exchange).await;
                    self.held.fetch_sub(size, Ordering::Relaxed);
                }
                Told::Call(size, exchange) => {
                    match spawn_blocking(exchange).await {
                        Ok(Some(exchange)) => self.exchange(exchange).await,
                        Ok(None) | Err(_) => self.lost.inc(),
                    }
                    self.held.fetch_sub(size, Ordering::Relaxed);
                }
                Told::Drift(model, drift) => {
                    self.send(self.post.place.of_drift(&model, &drift)).await
                }
                Told::End(waits) => {
                    reply = Some(waits);
                    break;
                }
            }
        }
        // When all seats are free, all is sent.
        let _all = self.on_their_way.acquire_many(AT_ONCE).await;
        if let Some(reply) = reply {
            // Nobody waits any more.
            let _gone = reply.send(());
        }
    }

    async fn exchange(&self, exchange: Exchange) {
        for event in self.post.place.of_exchange(exchange, self.payloads) {
            self.send(event).await;
        }
    }

    async fn send(&self, event: Event) {
        let Ok(seat) = Arc::clone(&self.on_their_way).acquire_owned().await else {
            return;
        };
        let (post, lost) = (Arc::clone(&self.post), self.lost.clone());
        tokio::spawn(async move {
            let sent = timeout(PATIENCE, post.send(event)).await;
            let sent = sent.unwrap_or_else(|_| Err(format!("no answer in {PATIENCE:?}")));
            if sent.is_err() {
                lost.inc();
            }
            post.tell(sent);
            drop(seat);
        });
    }
}

impl Post {
    async fn send(&self, event: Event) -> Result<(), String> {
        let request = self.request(event).map_err(|error| error.to_string())?;
        let answer = self.client.request(request).await;
        let answer = answer.map_err(|error| error.to_string())?;
        let status = answer.status();
        // A connection whose answer is not read cannot be used again.
        let _read = answer.into_body().collect().await;
        match status.is_success() {
            true => Ok(()),
            false => Err(format!("it answers {status}")),
        }
    }

    /// The event in binary mode: its attributes as headers.
    fn request(&self, event: Event) -> axum::http::Result<Request<Full<Bytes>>> {
        let time = humantime::format_rfc3339_millis(SystemTime::now());
        let text = |builder: Builder, name: &str, value: &str| match value {
            "" => builder,
            value => builder.header(name, value),
        };
        let mut builder = Request::post(self.url.clone())
            .header("ce-specversion", "1.0")
            .header("ce-id", Uuid::new_v4().to_string())
            .header("ce-type", event.kind)
            .header("ce-source", event.source)
            .header("ce-time", time.to_string())
            .header(CONTENT_TYPE, event.payload.content_type);
        for (name, value) in [
            ("ce-modelid", &self.place.node),
            ("ce-inferenceservicename", &self.place.deployment),
            ("ce-namespace", &self.place.namespace),
            ("ce-endpoint", &self.place.predictor),
        ] {
            builder = text(builder, name, value);
        }
        builder = text(builder, "ce-protocol", event.protocol.unwrap_or_default());
        if let Some(id) = event.request_id {
            builder = builder.header("ce-requestid", id);
        }
        builder.body(Full::new(event.payload.bytes))
    }

    /// One line when the sink cannot be reached, and one when it can again.
    fn tell(&self, sent: Result<(), String>) {
        let failing = sent.is_err();
        if self.failing.swap(failing, Ordering::Relaxed) == failing {
            return;
        }
        let sink = storage::without_queries(&self.url.to_string());
        match sent {
            Ok(()) => tracing::info!(sink, "events are sent again"),
            Err(error) => tracing::warn!(sink, error, "events are lost"),
        }
    }
}
