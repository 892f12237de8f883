//! Spans on their way to the collector.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result};
use opentelemetry::Context;
use opentelemetry_http::hyper::HyperClient;
use opentelemetry_otlp::{Protocol, SpanExporter, WithExportConfig, WithHttpConfig};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::trace::{Span, SpanData, SpanExporter as _, SpanProcessor};
use prometheus::IntCounter;
use tokio::sync::{Notify, mpsc};
use tokio::time::timeout;

/// Spans that may wait, and those of one message: the defaults of OpenTelemetry.
const QUEUE: usize = 2048;
const BATCH: usize = 512;

/// How long spans wait for others.
const PAUSE: Duration = Duration::from_secs(1);

/// How long the collector may take for a message.
const PATIENCE: Duration = Duration::from_secs(10);

/// How long the last may take.
const LAST: Duration = Duration::from_secs(3);

/// Takes spans, and never waits.
#[derive(Debug, Clone)]
pub(super) struct Outbox {
    queue: mpsc::Sender<SpanData>,
    lost: IntCounter,
    end: Arc<End>,
}

/// How the end is agreed on.
#[derive(Debug, Default)]
struct End {
    asked: Notify,
    reached: Notify,
}

impl Outbox {
    /// Starts to post spans to `endpoint`; what cannot be is counted as `lost`.
    ///
    /// # Errors
    ///
    /// When a standard variable has a value that cannot be used.
    pub(super) fn start(endpoint: &str, resource: &Resource, lost: IntCounter) -> Result<Self> {
        let exporter = SpanExporter::builder()
            .with_http()
            .with_http_client(HyperClient::with_default_connector(PATIENCE, None))
            .with_protocol(Protocol::HttpBinary)
            .with_endpoint(endpoint)
            .build();
        let mut exporter = exporter.context("cannot send spans")?;
        exporter.set_resource(resource);
        let (queue, spans) = mpsc::channel(QUEUE);
        let end = Arc::<End>::default();
        tokio::spawn(work_off(exporter, spans, lost.clone(), Arc::clone(&end)));
        Ok(Self { queue, lost, end })
    }

    /// Ends the sending, once all is sent or that has taken too long.
    pub(super) async fn end(&self) {
        self.end.asked.notify_one();
        if timeout(LAST, self.end.reached.notified()).await.is_err() {
            tracing::warn!("not all spans were sent in {LAST:?}");
        }
    }
}

impl SpanProcessor for Outbox {
    fn on_start(&self, _: &mut Span, _: &Context) {}

    fn on_end(&self, span: SpanData) {
        if span.span_context.is_sampled() && self.queue.try_send(span).is_err() {
            self.lost.inc();
        }
    }

    fn force_flush(&self) -> OTelSdkResult {
        Ok(())
    }

    fn shutdown_with_timeout(&self, _: Duration) -> OTelSdkResult {
        Ok(())
    }
}

async fn work_off(
    exporter: SpanExporter,
    mut spans: mpsc::Receiver<SpanData>,
    lost: IntCounter,
    end: Arc<End>,
) {
    let (mut failing, mut is_over) = (false, false);
    while !is_over {
        let mut batch = Vec::new();
        tokio::select! {
            () = collect(&mut spans, &mut batch) => {}
            () = end.asked.notified() => {
                is_over = true;
                while let Ok(span) = spans.try_recv() {
                    batch.push(span);
                }
            }
        }
        while !batch.is_empty() {
            let rest = batch.split_off(batch.len().min(BATCH));
            let part = std::mem::replace(&mut batch, rest);
            let count = part.len() as u64;
            let sent = exporter.export(part).await;
            if sent.is_err() {
                lost.inc_by(count);
            }
            tell(&mut failing, sent);
        }
    }
    end.reached.notify_one();
}

/// Waits for spans, and a little for more of them.
async fn collect(spans: &mut mpsc::Receiver<SpanData>, batch: &mut Vec<SpanData>) {
    spans.recv_many(batch, BATCH).await;
    let more = async {
        while batch.len() < BATCH {
            let room = BATCH - batch.len();
            if spans.recv_many(batch, room).await == 0 {
                return;
            }
        }
    };
    // The time being over is as good an end.
    let _over = timeout(PAUSE, more).await;
}

/// One line when the collector cannot be reached, and one when it can again.
fn tell(failing: &mut bool, sent: OTelSdkResult) {
    if std::mem::replace(failing, sent.is_err()) == sent.is_err() {
        return;
    }
    match sent {
        Ok(()) => tracing::info!("spans are sent again"),
        Err(error) => {
            let error = error.to_string();
            tracing::warn!(error, "spans are lost");
        }
    }
}
