//! From the settings to the end of the process.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use tokio::sync::watch;
use tokio::task::{JoinHandle, spawn_blocking};
use tokio::time::timeout;
use tracing::field::display;

use super::drain::{Signals, drained};
use super::files::connections;
use super::settings::{Expected, Settings};
use crate::app::{App, Bounds, Echo, Model, Unit};
use crate::door::{self, Door, Manners};
use crate::grpc;
use crate::http;
use crate::metrics::Metrics;
use crate::predict::{Pool, Predictor};
use crate::seldon::{Metadata, Overrides};

/// How long requests in flight may take after the port is closed: with the
/// default drain delay, less than the 20 seconds that Seldon gives a pod.
const LAST_ANSWERS: Duration = Duration::from_secs(12);

/// Connections to the port of the metrics.
const METRICS_CLIENTS: usize = 64;

/// Serves until a signal comes.
///
/// # Errors
///
/// When the model cannot be loaded or a port cannot be opened, and when requests
/// are still in flight at the end of the drain.
pub(super) fn run(settings: Settings) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .context("cannot start the I/O threads")?;
    let outcome = runtime.block_on(serve(settings));
    // A load that a signal interrupted would keep the process alive.
    runtime.shutdown_background();
    outcome
}

async fn serve(settings: Settings) -> Result<()> {
    let start = Instant::now();
    let mut signals = Signals::catch().context("cannot catch signals")?;
    let labels: Vec<_> = settings
        .labels
        .iter()
        .map(|(n, v)| (*n, v.as_str()))
        .collect();
    let counters = Metrics::new(&labels).context("cannot register the metrics")?;
    let pool = Pool::start(settings.threads, settings.queue, settings.queue_age)
        .context("cannot start threads")?;
    let bounds = Bounds {
        body: settings.max_body,
        patience: settings.silence,
    };
    let app = Arc::new(App::new(settings.node, bounds, counters, pool));

    let (stop, stopped) = watch::channel(false);
    let endpoint = http::metrics_router(&app, &settings.metrics_endpoint);
    // Who looks at the metrics is let in when clients have taken all other seats.
    let few = Manners::new(METRICS_CLIENTS, settings.silence);
    let (metrics, door) = Door::open(settings.metrics, &few, &stopped).await?;
    let _metrics = door::listen(door, endpoint);
    let doors = Doors {
        http: settings.http,
        grpc: settings.grpc,
        limits: settings.limits,
        manners: Manners::new(connections(settings.connections), settings.silence),
        rest_timeout: settings.rest_timeout,
    };
    let mut open = None;
    if settings.early_bind {
        open = Some(doors.open(&app, &stopped).await?);
    }
    let version = env!("CARGO_PKG_VERSION");
    let package = settings.model.as_deref().map(|p| p.display().to_string());
    let http = open.as_ref().map(|open| display(open.http));
    let grpc = open.as_ref().and_then(|open| open.grpc).map(display);
    tracing::info!(version, %metrics, http, grpc, package, "starting");

    let load = spawn_blocking(move || match settings.model {
        Some(folder) => load(&folder, &settings.expected, settings.overrides),
        None => Ok(Unit::Echo(Echo {
            metadata: Metadata::echo(settings.overrides),
        })),
    });
    let unit = tokio::select! {
        unit = load => unit.context("loading the model was cut short")??,
        signal = signals.next() => {
            tracing::info!(signal, "stopped before the model was loaded");
            return Ok(());
        }
    };
    let (name, version, digest) = match &unit {
        Unit::Package(model) => {
            let Predictor { name, version, .. } = model.predictor.as_ref();
            (name.clone(), version.clone(), Some(model.predictor.digest))
        }
        Unit::Echo(_) => (Echo::NAME.to_owned(), Echo::VERSION.to_owned(), None),
    };
    let digest = digest.map(display);
    app.serve(unit);
    let open = match open {
        Some(open) => open,
        None => doors.open(&app, &stopped).await?,
    };
    let seconds = start.elapsed().as_secs_f64();
    let (http, grpc) = (open.http, open.grpc.map(display));
    tracing::info!(%http, grpc, model = name, version, digest, seconds, "ready");

    drained(&app, &mut signals, settings.drain_delay).await;
    stop.send_replace(true);
    match timeout(LAST_ANSWERS, open.closed()).await {
        Ok(ended) => ended?,
        Err(_) => bail!("requests are still in flight after {LAST_ANSWERS:?}: cutting them off"),
    }
    tracing::info!("stopped");
    Ok(())
}

/// The ports that clients ask at.
struct Doors {
    http: SocketAddr,
    grpc: Option<SocketAddr>,
    limits: grpc::Limits,
    manners: Manners,
    rest_timeout: Option<Duration>,
}

/// As [`Doors`], with the ports that were taken.
struct Open {
    http: SocketAddr,
    grpc: Option<SocketAddr>,
    tasks: Vec<JoinHandle<Result<()>>>,
}

impl Doors {
    async fn open(&self, app: &Arc<App>, stopped: &watch::Receiver<bool>) -> Result<Open> {
        let router = http::router(app, self.rest_timeout);
        let (http, door) = Door::open(self.http, &self.manners, stopped).await?;
        let mut tasks = vec![door::listen(door, router)];
        let mut grpc = None;
        if let Some(address) = self.grpc {
            let (address, door) = Door::open(address, &self.manners, stopped).await?;
            grpc = Some(address);
            tasks.push(grpc::listen(door, app, self.limits)?);
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

fn load(folder: &Path, expected: &Expected, overrides: Overrides) -> Result<Unit> {
    let predictor = Predictor::load(folder, expected.digest)?;
    for (parameter, wanted, found) in [
        ("model_name", &expected.name, &predictor.name),
        ("model_version", &expected.version, &predictor.version),
    ] {
        let fits = wanted.as_ref().is_none_or(|wanted| wanted == found);
        ensure!(
            fits,
            "{} holds {found:?}, but the parameter {parameter} asks for {:?}",
            folder.display(),
            wanted.as_deref().unwrap_or_default()
        );
    }
    Ok(Unit::Package(Box::new(Model::new(predictor, overrides))))
}
