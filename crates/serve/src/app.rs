//! What all requests share.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use model::Lane;
use tokio::sync::watch;

use crate::metrics::Metrics;
use crate::oip;
use crate::predict::{Pool, Predictor};
use crate::problem::Problem;
use crate::seldon;

/// The state of the server.
#[derive(Debug)]
pub(crate) struct App {
    /// This container's place in the graph.
    pub(crate) node: Arc<seldon::Node>,
    /// What requests may be.
    pub(crate) bounds: Bounds,
    /// What is counted.
    pub(crate) metrics: Metrics,
    pool: Pool,
    unit: OnceLock<Arc<Unit>>,
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

/// What is served.
#[derive(Debug)]
pub(crate) enum Unit {
    /// The model of conformance tests, which any implementation can provide.
    Echo(Echo),
    /// A model package.
    Package(Box<Model>),
}

/// `serve --echo` with what does not change between requests.
#[derive(Debug)]
pub(crate) struct Echo {
    /// The Seldon v1 metadata.
    pub(crate) metadata: seldon::Metadata,
}

impl Echo {
    /// Its name in every protocol.
    pub(crate) const NAME: &str = "echo";
    /// Its only version.
    pub(crate) const VERSION: &str = "v0";
}

impl Unit {
    /// The Seldon v1 metadata.
    pub(crate) fn metadata(&self) -> &seldon::Metadata {
        match self {
            Self::Echo(echo) => &echo.metadata,
            Self::Package(model) => &model.metadata,
        }
    }

    /// The model's name.
    pub(crate) fn name(&self) -> &str {
        match self {
            Self::Echo(_) => Echo::NAME,
            Self::Package(model) => &model.predictor.name,
        }
    }

    /// The version's name.
    pub(crate) fn version(&self) -> &str {
        match self {
            Self::Echo(_) => Echo::VERSION,
            Self::Package(model) => &model.predictor.version,
        }
    }

    /// The Open Inference Protocol metadata.
    pub(crate) fn signature(&self) -> &oip::Signature {
        match self {
            Self::Echo(_) => oip::Signature::echo(),
            Self::Package(model) => &model.signature,
        }
    }
}

/// The served model with what does not change between requests.
#[derive(Debug)]
pub(crate) struct Model {
    /// The model itself.
    pub(crate) predictor: Arc<Predictor>,
    /// The Seldon v1 metadata.
    pub(crate) metadata: seldon::Metadata,
    /// The Open Inference Protocol metadata.
    pub(crate) signature: oip::Signature,
}

impl App {
    /// A server that has no model yet.
    pub(crate) fn new(node: seldon::Node, bounds: Bounds, metrics: Metrics, pool: Pool) -> Self {
        Self {
            node: Arc::new(node),
            bounds,
            metrics,
            pool,
            unit: OnceLock::new(),
            draining: AtomicBool::new(false),
            changed: watch::Sender::new(()),
        }
    }

    /// Makes the server ready with what it serves.
    pub(crate) fn serve(&self, unit: Unit) {
        let digest = match &unit {
            Unit::Echo(_) => String::new(),
            Unit::Package(model) => model.predictor.digest.to_string(),
        };
        self.metrics.loaded(unit.name(), unit.version(), &digest);
        self.unit.get_or_init(|| Arc::new(unit));
        self.changed.send_replace(());
    }

    /// What is served, also while the server drains: what comes is still
    /// answered.
    ///
    /// # Errors
    ///
    /// While the model is being loaded.
    pub(crate) fn unit(&self) -> Result<&Arc<Unit>, Problem> {
        let loading = || Problem::Unavailable("the model is being loaded".to_owned());
        self.unit.get().ok_or_else(loading)
    }

    /// What is served, when new requests should be sent here.
    ///
    /// # Errors
    ///
    /// While the model is being loaded, and while the server drains.
    pub(crate) fn ready(&self) -> Result<&Arc<Unit>, Problem> {
        if self.is_draining() {
            let text = "the server is shutting down".to_owned();
            return Err(Problem::Unavailable(text));
        }
        self.unit()
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
        self.pool.run(move |_| work()).await.map_err(Problem::from)
    }

    /// Does `work`, which gives the number of rows predicted and the answer, on
    /// a compute thread.
    ///
    /// # Errors
    ///
    /// While there is no model, when the queue is full, and those of `work`.
    pub(crate) async fn compute<T, F>(&self, work: F) -> Result<T, Problem>
    where
        T: Send + 'static,
        F: FnOnce(&Unit, &Lane) -> Result<(usize, T), Problem> + Send + 'static,
    {
        let unit = Arc::clone(self.unit()?);
        let outcome = self.pool.run(move |lane| work(&unit, lane)).await;
        match outcome.map_err(Problem::from).flatten() {
            Ok((rows, answer)) => {
                self.metrics.predicted(rows);
                Ok(answer)
            }
            Err(problem) => {
                if let Problem::Internal(text) = &problem {
                    tracing::error!(error = text, "prediction failed");
                }
                Err(problem)
            }
        }
    }
}

impl Model {
    /// `predictor`, with `overrides` over its metadata.
    pub(crate) fn new(predictor: Predictor, overrides: seldon::Overrides) -> Self {
        Self {
            metadata: seldon::Metadata::new(&predictor, overrides),
            signature: oip::Signature::new(&predictor),
            predictor: Arc::new(predictor),
        }
    }
}
