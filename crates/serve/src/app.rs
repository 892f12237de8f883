//! What all requests share.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};

use model::Lane;

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
    /// The largest body in bytes.
    pub(crate) max_body: usize,
    /// What is counted.
    pub(crate) metrics: Metrics,
    pool: Pool,
    model: OnceLock<Model>,
    draining: AtomicBool,
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
    pub(crate) fn new(node: seldon::Node, max_body: usize, metrics: Metrics, pool: Pool) -> Self {
        Self {
            node: Arc::new(node),
            max_body,
            metrics,
            pool,
            model: OnceLock::new(),
            draining: AtomicBool::new(false),
        }
    }

    /// Makes the server ready with its model.
    pub(crate) fn serve(&self, predictor: Predictor, overrides: seldon::Overrides) {
        self.metrics.loaded(&predictor);
        self.model.get_or_init(|| Model {
            metadata: seldon::Metadata::new(&predictor, overrides),
            signature: oip::Signature::new(&predictor),
            predictor: Arc::new(predictor),
        });
    }

    /// The model, also while the server drains: what comes is still answered.
    ///
    /// # Errors
    ///
    /// While the model is being loaded.
    pub(crate) fn model(&self) -> Result<&Model, Problem> {
        let loading = || Problem::Unavailable("the model is being loaded".to_owned());
        self.model.get().ok_or_else(loading)
    }

    /// The model, when new requests should be sent here.
    ///
    /// # Errors
    ///
    /// While the model is being loaded, and while the server drains.
    pub(crate) fn ready(&self) -> Result<&Model, Problem> {
        if self.is_draining() {
            let text = "the server is shutting down".to_owned();
            return Err(Problem::Unavailable(text));
        }
        self.model()
    }

    /// Asks whoever watches the readiness to send no more requests.
    pub(crate) fn drain(&self) {
        self.draining.store(true, Ordering::Relaxed);
    }

    /// Whether the server has been told to end.
    pub(crate) fn is_draining(&self) -> bool {
        self.draining.load(Ordering::Relaxed)
    }

    /// Predictions that wait for a compute thread.
    pub(crate) fn waiting(&self) -> usize {
        self.pool.waiting()
    }

    /// Does `work`, which gives the number of rows predicted and the reply's
    /// body, on a compute thread.
    ///
    /// # Errors
    ///
    /// While there is no model, when the queue is full, and those of `work`.
    pub(crate) async fn predict<F>(&self, work: F) -> Result<Vec<u8>, Problem>
    where
        F: FnOnce(&Predictor, &Lane) -> Result<(usize, Vec<u8>), Problem> + Send + 'static,
    {
        let predictor = Arc::clone(&self.model()?.predictor);
        let outcome = self.pool.run(move |lane| work(&predictor, lane)).await;
        match outcome.map_err(Problem::from).flatten() {
            Ok((rows, body)) => {
                self.metrics.predicted(rows);
                Ok(body)
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
