//! What all requests share.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use tokio::sync::watch;
use tokio::task::spawn_blocking;

use crate::events::Events;
use crate::lanes;
use crate::metrics::Metrics;
use crate::models::{Models, Unit};
use crate::predict::{Answered, Pool, Step, at_once};
use crate::problem::Problem;
use crate::seldon;
use crate::trace::{self, Tracing};

/// The state of the server.
#[derive(Debug)]
pub(crate) struct App {
    /// This container's place in the graph.
    pub(crate) node: Arc<seldon::Node>,
    /// What requests may be.
    pub(crate) bounds: Bounds,
    /// What is counted.
    pub(crate) metrics: Metrics,
    /// What is served.
    pub(crate) models: Models,
    /// Who is told of requests, if anybody.
    pub(crate) events: Option<Events>,
    /// Who is told where their time goes, if anybody.
    pub(crate) tracing: Option<Tracing>,
    pool: Pool,
    draining: AtomicBool,
    changed: watch::Sender<()>,
}

/// What requests may be.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Bounds {
    /// The largest body in bytes, uncompressed.
    pub(crate) body: usize,
    /// How long a body may take before it must have come at a fair pace.
    pub(crate) patience: Duration,
}

impl App {
    /// A server whose `models` are still to be opened.
    pub(crate) fn new(
        node: seldon::Node,
        bounds: Bounds,
        metrics: Metrics,
        pool: Pool,
        models: Models,
        events: Option<Events>,
        tracing: Option<Tracing>,
    ) -> Self {
        Self {
            node: Arc::new(node),
            bounds,
            metrics,
            models,
            events,
            tracing,
            pool,
            draining: AtomicBool::new(false),
            changed: watch::Sender::new(()),
        }
    }

    /// Tells whoever watches that other models are served.
    pub(crate) fn models_changed(&self) {
        if let Ok(catalog) = self.models.catalog() {
            self.metrics.serves(catalog.entries());
        }
        self.changed.send_replace(());
    }

    /// Does `change`, which takes long, to the models.
    ///
    /// # Errors
    ///
    /// Those of `change`.
    pub(crate) async fn change<F>(self: &Arc<Self>, change: F) -> Result<(), Problem>
    where
        F: FnOnce(&Models) -> Result<(), Problem> + Send + 'static,
    {
        let app = Arc::clone(self);
        let outcome = spawn_blocking(move || {
            let before = app.models.catalog().ok();
            let outcome = change(&app.models);
            let after = app.models.catalog().ok();
            if before.as_ref().map(Arc::as_ptr) != after.as_ref().map(Arc::as_ptr) {
                app.models_changed();
            }
            outcome
        });
        let panicked = |_| Problem::Internal("the change of the models failed".to_owned());
        outcome.await.map_err(panicked).flatten()
    }

    /// The model of requests that name none, also while the server drains: what
    /// comes is still answered.
    ///
    /// # Errors
    ///
    /// While the model is being loaded, and where nothing says which one is meant.
    pub(crate) fn unit(&self) -> Result<Arc<Unit>, Problem> {
        self.models.default()
    }

    /// Whether new requests should be sent here: who manages the models sends those that
    /// load the first one too.
    ///
    /// # Errors
    ///
    /// During the start, and while the server drains.
    pub(crate) fn ready(&self) -> Result<(), Problem> {
        if self.is_draining() {
            let text = "the server is shutting down".to_owned();
            return Err(Problem::Unavailable(text));
        }
        self.models.catalog().map(drop)
    }

    /// Whether new requests that name no model, as those of the Seldon protocol, should
    /// be sent here. Where several models are served and none is chosen, each is asked by
    /// its name, and that the server has them is enough.
    ///
    /// # Errors
    ///
    /// Those of [`Self::ready`], and while no model is loaded.
    pub(crate) fn serving(&self) -> Result<(), Problem> {
        self.ready()?;
        match self.unit() {
            Ok(_) | Err(Problem::NotFound(_)) => Ok(()),
            Err(problem) => Err(problem),
        }
    }

    /// Asks whoever watches the readiness to send no more requests.
    pub(crate) fn drain(&self) {
        self.draining.store(true, Ordering::Relaxed);
        self.changed.send_replace(());
    }

    /// Wakes whenever the readiness may have changed.
    pub(crate) fn changes(&self) -> watch::Receiver<()> {
        self.changed.subscribe()
    }

    /// Whether the server has been told to end.
    pub(crate) fn is_draining(&self) -> bool {
        self.draining.load(Ordering::Relaxed)
    }

    /// Predictions that wait for a compute thread.
    pub(crate) fn waiting(&self) -> usize {
        self.pool.waiting()
    }

    /// Does `work` that needs no model on a compute thread.
    ///
    /// # Errors
    ///
    /// When the queue is full, or the work panics.
    pub(crate) async fn aside<T, F>(&self, work: F) -> Result<T, Problem>
    where
        T: Send + 'static,
        F: FnOnce() -> T + Send + 'static,
    {
        let step = move || Ok(Step::Done(0, work()));
        self.pool.ask(None, step).await?.outcome
    }

    /// Answers a request of `size` bytes to `unit`, whose first step is `work`: at once
    /// where such requests are known to cost little, else on a compute thread.
    ///
    /// # Errors
    ///
    /// When the queue is full, and those of `work`.
    pub(crate) async fn compute<T, F>(
        &self,
        unit: Arc<Unit>,
        size: usize,
        work: F,
    ) -> Result<T, Problem>
    where
        T: Send + 'static,
        F: FnOnce(&Unit) -> Result<Step<T>, Problem> + Send + 'static,
    {
        let since = Instant::now();
        let is_cheap = unit.cost().is_low(size);
        let asked = Arc::clone(&unit);
        let work = move || work(&asked);
        let answered = match is_cheap.then(lanes::own).flatten() {
            Some(lane) => at_once(&lane, unit.predictor().map(Arc::as_ref), work),
            None => self.pool.ask(unit.predictor().map(Arc::clone), work).await,
        };
        let Answered {
            outcome,
            rows,
            time,
            run,
        } = answered?;
        if let Some(run) = run {
            trace::ran(&unit, since, run);
        }
        if let Some(time) = time {
            unit.cost().add(size, time);
        }
        self.metrics.predicted(rows);
        if let Err(Problem::Internal(text)) = &outcome {
            tracing::error!(error = text, "prediction failed");
        }
        outcome
    }
}
