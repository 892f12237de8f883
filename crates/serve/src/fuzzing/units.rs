//! The models that are asked: one of each kind.

use std::path::Path;
use std::sync::mpsc::channel;
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use anyhow::{Context, Result};
use model::{Engines, Lane};

use super::judge;
use crate::metrics::Metrics;
use crate::models::{Chosen, Cost, Echo, Models, Source, Unit};
use crate::monitor::Watch;
use crate::predict::{Batching, Conditions, Step, at_once};
use crate::problem::Problem;
use crate::seldon::{Metadata, Node, Overrides};

#[allow(dead_code, clippy::unwrap_used, clippy::indexing_slicing)]
#[path = "../../tests/it/support/onnx.rs"]
mod onnx;
#[allow(dead_code, clippy::unwrap_used, clippy::indexing_slicing)]
#[path = "../../tests/it/support/package.rs"]
mod packages;

/// What answers, and where.
pub(crate) struct Units {
    /// The conformance model first.
    pub(crate) all: Vec<Arc<Unit>>,
    /// Where graphs run.
    lane: Lane,
    /// The place in a deployment's graph.
    pub(crate) node: Arc<Node>,
}

/// The same models for the whole process.
pub(crate) fn units() -> &'static Units {
    #[allow(clippy::expect_used, reason = "without models nothing can be tried")]
    static UNITS: LazyLock<Units> = LazyLock::new(|| Units::load().expect("models to ask"));
    &UNITS
}

impl Units {
    fn load() -> Result<Self> {
        let (cost, metadata) = (Cost::default(), Metadata::echo(Overrides::default()));
        let mut all =
            vec![Models::echo(None, Engines::default(), Echo { cost, metadata }).default()?];
        for package in [
            packages::watched(),
            packages::mixed(),
            packages::colours(),
            packages::words(),
        ] {
            all.push(load(&package.path)?);
        }
        let (send, lane) = channel();
        Lane::spawn("fuzzing".to_owned(), move |lane| {
            let _received = send.send(lane.clone());
        })?;
        let node = Node {
            id: Some("node".to_owned()),
            image: Some("registry.example/serve:1.2.3".to_owned()),
            with_metrics: true,
        };
        let lane = lane.recv().context("a lane")?;
        let node = Arc::new(node);
        Ok(Self { all, lane, node })
    }

    /// Has a request answered whose first step is `work`; gives the answer that is no
    /// error.
    pub(crate) fn ask<T>(
        &self,
        unit: &Unit,
        work: impl FnOnce() -> Result<Step<T>, Problem>,
    ) -> Option<T> {
        let answered = at_once(&self.lane, unit.predictor().map(Arc::as_ref), work);
        judge(answered.map_err(Problem::from).and_then(|it| it.outcome))
    }
}

/// The model of the package in `folder`, loaded as at the start of the server.
pub(crate) fn load(folder: &Path) -> Result<Arc<Unit>> {
    let source = Source {
        root: folder.to_owned(),
        is_repository: false,
        digest: None,
        chosen: Chosen::default(),
        overrides: Overrides::default(),
        registered: None,
    };
    let metrics = Metrics::new(&[])?;
    let conditions = Conditions {
        watch: Watch {
            requests: 4,
            level: 0.05,
            series: metrics.monitor(),
            events: None,
        },
        batching: Batching {
            size: 0,
            delay: Duration::ZERO,
            series: metrics.joins(),
        },
        engines: Engines::default(),
    };
    let models = Models::new(None, Engines::default());
    models.open(source, conditions, true)?;
    Ok(models.default()?)
}
