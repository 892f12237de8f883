//! From the settings to the end of the process.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use hyper_util::service::TowerToHyperService;
use tokio::sync::watch;
use tokio::task::{JoinHandle, spawn_blocking};
use tokio::time::{sleep, timeout};
use tracing::field::display;

use super::drain::{Signals, drained};
use super::files::connections;
use super::latest::Latest;
use super::origin::Origin;
use super::settings::{Settings, cores};
use crate::app::{App, Bounds};
use crate::door::{self, Door, Manners};
use crate::events::Events;
use crate::grpc;
use crate::http;
use crate::lanes::Lanes;
use crate::metrics::Metrics;
use crate::models::{Cost, Echo, Models};
use crate::monitor::Watch;
use crate::predict::{Batching, Conditions, Pool, find_engines};
use crate::seldon::Metadata;
use crate::trace::Tracing;

/// How long requests in flight may take after the port is closed: with the
/// default drain delay and the last events, less than the 20 seconds that Seldon gives a
/// pod.
const LAST_ANSWERS: Duration = Duration::from_secs(11);

/// How often changes of the models are looked for.
const LOOK: Duration = Duration::from_secs(1);

/// Connections to the port of the metrics.
const METRICS_CLIENTS: usize = 64;

/// Serves until a signal comes.
///
/// # Errors
///
/// When the model cannot be loaded or a port cannot be opened, and when clients are still
/// being answered at the end of the drain.
pub(super) fn run(settings: Settings) -> Result<()> {
    // It lets clients in, and answers those who look at the metrics.
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .context("cannot start a thread")?;
    let outcome = runtime.block_on(serve(settings));
    // A load that a signal interrupted would keep the process alive.
    runtime.shutdown_background();
    outcome
}

async fn serve(settings: Settings) -> Result<()> {
    let start = Instant::now();
    let mut signals = Signals::catch().context("cannot catch signals")?;
    let (load_at_start, early_bind) = (settings.load_at_start, settings.early_bind);
    let (watching, drain_delay) = (settings.watch, settings.drain_delay);
    let registry_poll = settings.registry_poll;
    let (requests, level) = (settings.detect_batch_size, settings.drift_level);
    let (size, delay) = (settings.batch_size, settings.batch_delay);
    let package = settings.origin.to_string();

    let (stop, stopped) = watch::channel(false);
    let (app, doors, metrics, origin) = prepare(settings, &stopped).await?;
    let mut open = None;
    if early_bind {
        open = Some(doors.open(&app, &stopped).await?);
    }
    let version = env!("CARGO_PKG_VERSION");
    let http = open.as_ref().map(|open| display(open.http));
    let grpc = open.as_ref().and_then(|open| open.grpc).map(display);
    tracing::info!(version, %metrics, http, grpc, package, "starting");

    let conditions = Conditions {
        watch: Watch {
            requests,
            level,
            series: app.metrics.monitor(),
            events: app.events.clone(),
        },
        batching: Batching {
            size,
            delay,
            series: app.metrics.joins(),
        },
        engines: app.models.engines().clone(),
    };
    let latest = tokio::select! {
        loaded = load(&app, origin, conditions, load_at_start) => loaded?,
        signal = signals.next() => {
            tracing::info!(signal, "stopped before the model was loaded");
            return Ok(());
        }
    };
    app.models_changed();
    match latest {
        Some(latest) if watching => {
            drop(tokio::spawn(latest.follow(Arc::clone(&app), registry_poll)))
        }
        None if watching => drop(tokio::spawn(follow(Arc::clone(&app)))),
        _ => {}
    }
    let open = match open {
        Some(open) => open,
        None => doors.open(&app, &stopped).await?,
    };
    let seconds = start.elapsed().as_secs_f64();
    let (http, grpc) = (open.http, open.grpc.map(display));
    let unit = app.unit().ok();
    let (model, version) = (
        unit.as_ref().map(|unit| unit.name()),
        unit.as_ref().map(|unit| unit.version()),
    );
    let digest = unit.as_ref().map(|unit| unit.digest());
    let predictor = unit.as_ref().and_then(|unit| unit.predictor());
    let engine = predictor.map_or(app.models.engines().name(), |it| it.engine());
    tracing::info!(%http, grpc, model, version, digest, engine, seconds, "ready");

    drained(&app, &mut signals, drain_delay).await;
    stop.send_replace(true);
    let closed = timeout(LAST_ANSWERS, open.closed()).await;
    tell_the_last(&app).await;
    match closed {
        Ok(ended) => ended?,
        Err(_) => bail!("clients are still here after {LAST_ANSWERS:?}: cutting them off"),
    }
    tracing::info!("stopped");
    Ok(())
}

/// Sends what is left to tell, of events and spans at the same time.
async fn tell_the_last(app: &App) {
    let events = async {
        if let Some(events) = &app.events {
            events.end().await;
        }
    };
    let spans = async {
        if let Some(tracing) = &app.tracing {
            tracing.end().await;
        }
    };
    tokio::join!(events, spans);
}

/// Fetches the models if they are not here, and loads them; gives what can be followed
/// of a registry.
async fn load(
    app: &Arc<App>,
    origin: Origin,
    conditions: Conditions,
    at_start: bool,
) -> Result<Option<Latest>> {
    let mut latest = None;
    let source = match origin {
        Origin::Echo => return Ok(None),
        Origin::Folder(source) => source,
        Origin::Registry(registry, source) => {
            let (folder, version) = registry.fetch().await?;
            let fetched = source.clone().registered(folder, version);
            latest = Latest::of(*registry, source, &fetched);
            fetched
        }
    };
    let app = Arc::clone(app);
    let loading = spawn_blocking(move || app.models.open(source, conditions, at_start));
    loading.await.context("loading the model was cut short")??;
    Ok(latest)
}

/// Everything but the models, with the port of the metrics open.
async fn prepare(
    settings: Settings,
    stopped: &watch::Receiver<bool>,
) -> Result<(Arc<App>, Doors, SocketAddr, Origin)> {
    let labels = settings.labels.iter().map(|(n, v)| (*n, v.as_str()));
    let labels: Vec<_> = labels.collect();
    let counters = Metrics::new(&labels).context("cannot register the metrics")?;
    let pool = Pool::start(settings.threads, settings.queue, settings.queue_age)
        .context("cannot start threads")?;
    let bounds = Bounds {
        body: settings.max_body,
        patience: settings.silence,
    };
    let alias = settings.node.id.clone();
    let engines = find_engines(
        settings.engine,
        settings.onnxruntime.as_deref(),
        settings.threads,
    )?;
    let models = match settings.origin {
        Origin::Echo => {
            let metadata = Metadata::echo(settings.overrides);
            let cost = Cost::default();
            Models::echo(alias, engines, Echo { cost, metadata })
        }
        Origin::Folder(_) | Origin::Registry(..) => Models::new(alias, engines),
    };
    let events = settings
        .sink
        .map(|sink| Events::start(sink, counters.lost()));
    let start = |collector| Tracing::start(collector, counters.lost_spans());
    let tracing = settings.collector.map(start).transpose()?;
    let app = App::new(
        settings.node,
        bounds,
        counters,
        pool,
        models,
        events,
        tracing,
    );
    let app = Arc::new(app);
    let endpoint = http::metrics_router(&app, &settings.metrics_endpoint);
    // Who looks at the metrics is let in when clients have taken all other seats.
    let few = Manners::new(METRICS_CLIENTS, settings.silence);
    let (metrics, door) = Door::open(settings.metrics, &few, stopped).await?;
    let _metrics = door::listen_to_http(door, TowerToHyperService::new(endpoint), None);
    let doors = Doors {
        http: settings.http,
        grpc: settings.grpc,
        limits: settings.limits,
        manners: Manners::new(connections(settings.connections), settings.silence),
        rest_timeout: settings.rest_timeout,
        page: settings.page,
        lanes: Lanes::start(cores()).context("cannot start the I/O threads")?,
    };
    Ok((app, doors, metrics, settings.origin))
}

/// The ports that clients ask at.
struct Doors {
    http: SocketAddr,
    grpc: Option<SocketAddr>,
    limits: grpc::Limits,
    manners: Manners,
    rest_timeout: Option<Duration>,
    page: bool,
    lanes: Lanes,
}

/// As [`Doors`], with the ports that were taken.
struct Open {
    http: SocketAddr,
    grpc: Option<SocketAddr>,
    tasks: Vec<JoinHandle<Result<()>>>,
}

impl Doors {
    async fn open(&self, app: &Arc<App>, stopped: &watch::Receiver<bool>) -> Result<Open> {
        let front = http::Front::new(app, self.rest_timeout, self.page);
        let (http, door) = Door::open(self.http, &self.manners, stopped).await?;
        let mut tasks = vec![door::listen_to_http(door, front, Some(&self.lanes))];
        let mut grpc = None;
        if let Some(address) = self.grpc {
            let (address, door) = Door::open(address, &self.manners, stopped).await?;
            grpc = Some(address);
            tasks.push(grpc::listen(door, app, self.limits, &self.lanes)?);
        }
        Ok(Open { http, grpc, tasks })
    }
}

impl Open {
    /// Waits until everything in flight is answered.
    async fn closed(self) -> Result<()> {
        for task in self.tasks {
            task.await.context("the server ended early")??;
        }
        Ok(())
    }
}

/// Looks for other models as long as the server runs.
async fn follow(app: Arc<App>) {
    while !app.is_draining() {
        sleep(LOOK).await;
        let look = app.change(|models| {
            models.look();
            Ok(())
        });
        if look.await.is_err() {
            return;
        }
    }
}
