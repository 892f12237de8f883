//! Tells a collector of OpenTelemetry where the time of requests goes: a span for each
//! call of a client, and below it one for the wait and one for the run of the model
//! (`seldon-serve.md` §6).
//!
//! It is off, and costs nothing, until a collector is named. No request waits for it.

mod context;
mod layer;
mod outbox;

use std::env;
use std::time::{Instant, SystemTime};

use anyhow::{Context as _, Result, bail, ensure};
use opentelemetry::trace::{Span as _, SpanKind, TraceContextExt, Tracer, TracerProvider};
use opentelemetry::{Context, KeyValue};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::resource::EnvResourceDetector;
use opentelemetry_sdk::trace::{SdkTracer, SdkTracerProvider};
use prometheus::IntCounter;
use tokio::task_local;

use crate::models::Unit;
use crate::predict::Run;
pub(crate) use layer::traced;
use outbox::Outbox;

task_local! {
    static CURRENT: (Tracing, Context);
}

/// Where spans go, and as whose.
#[derive(Debug, Clone)]
pub(crate) struct Collector {
    /// The `http` URL that spans are posted to.
    endpoint: String,
    /// The service's name.
    service: Service,
}

/// A service's name.
#[derive(Debug, Clone)]
enum Service {
    /// That of `OTEL_SERVICE_NAME`.
    Named(String),
    /// That of the deployment, where no variable has one.
    Assumed(String),
}

impl Collector {
    /// The one that the standard variables of OpenTelemetry name: `traces` is that of
    /// spans alone, `all` that of everything; `None` where there is none, or it is
    /// turned off. The service has the name `service` if they give it no other.
    ///
    /// # Errors
    ///
    /// When they ask for what is not done here.
    pub(crate) fn check(
        traces: Option<String>,
        all: Option<String>,
        service: &str,
    ) -> Result<Option<Self>> {
        let set = |name: &str| env::var(name).ok().filter(|value| !value.is_empty());
        let is_off =
            set("OTEL_SDK_DISABLED").is_some_and(|value| value.eq_ignore_ascii_case("true"));
        let exporter = set("OTEL_TRACES_EXPORTER").unwrap_or_else(|| "otlp".to_owned());
        let all = all.map(|url| format!("{}/v1/traces", url.trim_end_matches('/')));
        let Some(endpoint) = traces.or(all).filter(|_| !is_off && exporter != "none") else {
            return Ok(None);
        };
        ensure!(
            exporter == "otlp",
            "OTEL_TRACES_EXPORTER is {exporter:?}, expected otlp or none"
        );
        let protocol = set("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL");
        let protocol = protocol.or_else(|| set("OTEL_EXPORTER_OTLP_PROTOCOL"));
        if let Some(protocol) = protocol.filter(|protocol| protocol != "http/protobuf") {
            bail!(
                "OTEL_EXPORTER_OTLP_PROTOCOL is {protocol:?}, expected http/protobuf (collectors \
                 listen for it at port 4318)"
            );
        }
        let url: axum::http::Uri = endpoint.parse().context("the collector's URL is none")?;
        let is_plain = url.scheme_str() == Some("http");
        ensure!(
            is_plain
                && !url
                    .authority()
                    .is_some_and(|host| host.as_str().contains('@')),
            "the collector's URL is no plain http://HOST[:PORT], which one in the cluster has"
        );
        let service = match set("OTEL_SERVICE_NAME") {
            Some(name) => Service::Named(name),
            None => Service::Assumed(service.to_owned()),
        };
        Ok(Some(Self { endpoint, service }))
    }
}

/// Makes spans.
#[derive(Debug, Clone)]
pub(crate) struct Tracing {
    tracer: SdkTracer,
    outbox: Outbox,
    // The tracer ends with it.
    _provider: SdkTracerProvider,
}

impl Tracing {
    /// Starts to send spans to `collector`; what cannot be sent is counted as `lost`.
    ///
    /// # Errors
    ///
    /// When a standard variable has a value that cannot be used.
    pub(crate) fn start(collector: Collector, lost: IntCounter) -> Result<Self> {
        let version = KeyValue::new("service.version", env!("CARGO_PKG_VERSION"));
        let of_environment = Box::new(EnvResourceDetector::new());
        let resource = Resource::builder_empty().with_attribute(version);
        // What comes later wins: a name of its own variable above that of all attributes.
        let resource = match collector.service {
            Service::Named(name) => resource
                .with_detector(of_environment)
                .with_attribute(KeyValue::new("service.name", name)),
            Service::Assumed(name) => resource
                .with_attribute(KeyValue::new("service.name", name))
                .with_detector(of_environment),
        };
        let resource = resource.build();
        let outbox = Outbox::start(&collector.endpoint, &resource, lost)?;
        let provider = SdkTracerProvider::builder()
            .with_span_processor(outbox.clone())
            .with_resource(resource)
            .build();
        Ok(Self {
            tracer: provider.tracer(env!("CARGO_PKG_NAME")),
            outbox,
            _provider: provider,
        })
    }

    /// Ends the sending, once all is sent or that has taken too long.
    pub(crate) async fn end(&self) {
        self.outbox.end().await;
    }

    /// A span below the one of the request, that is over.
    fn past(
        &self,
        request: &Context,
        name: &'static str,
        [start, end]: [SystemTime; 2],
        about: Vec<KeyValue>,
    ) {
        let span = self.tracer.span_builder(name).with_kind(SpanKind::Internal);
        let span = span.with_start_time(start).with_attributes(about);
        let mut span = self.tracer.build_with_context(span, request);
        span.end_with_timestamp(end);
    }
}

/// Adds to the span of the request that is being answered what was done for it: it came
/// at `since`, and `unit` has answered it in `run`.
pub(crate) fn ran(unit: &Unit, since: Instant, run: Run) {
    // Nobody is told of it where there is no such span.
    let _untold = CURRENT.try_with(|(tracing, request)| {
        if !request.span().is_recording() {
            return;
        }
        let about = vec![
            KeyValue::new("model.name", unit.name().to_owned()),
            KeyValue::new("model.version", unit.version().to_owned()),
            KeyValue::new(
                "batch.requests",
                i64::try_from(run.requests).unwrap_or(i64::MAX),
            ),
        ];
        // One look at both clocks, so that no span ends before it starts.
        let (now, clock) = (Instant::now(), SystemTime::now());
        let at = |moment: Instant| clock.checked_sub(now - moment).unwrap_or(clock);
        let [came, start, end] = [since, run.start, run.start + run.time].map(at);
        tracing.past(request, "wait", [came, start], Vec::new());
        tracing.past(request, "run", [start, end], about);
    });
}
