//! From the settings to the end of the process.

use std::future::IntoFuture;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use axum::Router;
use axum::serve::ListenerExt;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::{JoinHandle, spawn_blocking};
use tokio::time::timeout;
use tracing::field::display;

use super::drain::{Signals, drained};
use super::settings::{Expected, Settings};
use crate::app::App;
use crate::http;
use crate::metrics::Metrics;
use crate::predict::{Pool, Predictor};

/// How long requests in flight may take after the port is closed: with the
/// default drain delay, less than the 20 seconds that Seldon gives a pod.
const LAST_ANSWERS: Duration = Duration::from_secs(12);

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
    let pool = Pool::start(settings.threads, settings.queue).context("cannot start threads")?;
    let app = Arc::new(App::new(settings.node, settings.max_body, counters, pool));

    let (stop, stopped) = watch::channel(false);
    let endpoint = http::metrics_router(&app, &settings.metrics_endpoint);
    let (metrics, _metrics) = listen(settings.metrics, endpoint, &stopped).await?;
    let mut door = None;
    if settings.early_bind {
        door = Some(listen(settings.http, http::router(&app), &stopped).await?);
    }
    let version = env!("CARGO_PKG_VERSION");
    let package = settings.model.display().to_string();
    let http = door.as_ref().map(|(address, _)| display(address));
    tracing::info!(version, %metrics, http, package, "starting");

    let load = spawn_blocking(move || load(&settings.model, &settings.expected));
    let predictor = tokio::select! {
        predictor = load => predictor.context("loading the model was cut short")??,
        signal = signals.next() => {
            tracing::info!(signal, "stopped before the model was loaded");
            return Ok(());
        }
    };
    let (name, version) = (predictor.name.clone(), predictor.version.clone());
    let digest = predictor.digest;
    app.serve(predictor, settings.overrides);
    let (http, door) = match door {
        Some(door) => door,
        None => listen(settings.http, http::router(&app), &stopped).await?,
    };
    let seconds = start.elapsed().as_secs_f64();
    tracing::info!(%http, model = name, version, %digest, seconds, "ready");

    drained(&app, &mut signals, settings.drain_delay).await;
    stop.send_replace(true);
    match timeout(LAST_ANSWERS, door).await {
        Ok(ended) => ended.context("the server ended early")??,
        Err(_) => bail!("requests are still in flight after {LAST_ANSWERS:?}: cutting them off"),
    }
    tracing::info!("stopped");
    Ok(())
}

fn load(folder: &std::path::Path, expected: &Expected) -> Result<Predictor> {
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
    Ok(predictor)
}

/// Opens a port and answers on it until `stopped` becomes true and what is in
/// flight is finished.
async fn listen(
    address: SocketAddr,
    router: Router,
    stopped: &watch::Receiver<bool>,
) -> Result<(SocketAddr, JoinHandle<io::Result<()>>)> {
    let listener = TcpListener::bind(address)
        .await
        .with_context(|| format!("cannot listen on {address}"))?;
    let address = listener.local_addr().context("cannot listen")?;
    let listener = listener.tap_io(|connection| {
        // An answer is one write: nothing to wait for. Where the option does not
        // exist, answers are slower and as right.
        let _slower = connection.set_nodelay(true);
    });
    let mut stopped = stopped.clone();
    let signal = async move {
        // An error means that the sender is gone, which is as good a reason.
        let _gone = stopped.wait_for(|stopped| *stopped).await;
    };
    let server = axum::serve(listener, router).with_graceful_shutdown(signal);
    Ok((address, tokio::spawn(server.into_future())))
}
