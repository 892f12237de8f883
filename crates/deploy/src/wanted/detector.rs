//! The drift and the outlier detector of Seldon Deploy.

use model::ModelInfo;
use serde_json::{Value, json};

use crate::options::{Options, Protocol};

/// What a detector looks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DetectorKind {
    /// Inputs that are distributed differently from the training data.
    Drift,
    /// Single inputs that are unlike the training data.
    Outlier,
}

/// A detector that ought to be.
#[derive(Debug, Clone, PartialEq)]
pub struct Detector {
    /// What it looks for.
    pub kind: DetectorKind,
    /// The body of the call that creates it.
    pub body: Value,
}

impl DetectorKind {
    /// The word for it in paths, events and file names.
    pub fn word(self) -> &'static str {
        match self {
            Self::Drift => "drift",
            Self::Outlier => "outlier",
        }
    }
}

/// The detectors that the options ask for. Field by field what the public client
/// of Seldon Deploy sends; both kinds carry the batch size.
pub fn detectors(info: &ModelInfo, options: &Options) -> Vec<Detector> {
    let Some(wanted) = &options.detectors else {
        return Vec::new();
    };
    let protocol = match options.shape.protocol {
        Some(Protocol::V2) => "kfserving.http",
        _ => "seldon.http",
    };
    let first_five = || info.version.chars().take(5).collect();
    let model_name: String = wanted.model_name.clone().unwrap_or_else(first_five);
    let bucket = wanted.bucket_uri.trim_end_matches('/');
    let name = &options.name;
    let detector = |kind: DetectorKind| {
        let word = kind.word();
        let body = json!({
            "name": name,
            "config": {
                "deployment": {
                    "model_name": model_name,
                    "event_type": format!("io.seldon.serving.inference.{word}"),
                    "event_source": format!(
                        "io.seldon.serving.seldon-seldondeployment-{name}-{word}"
                    ),
                    "reply_url": wanted.reply_url,
                    "protocol": protocol,
                    "http_port": "8080",
                    "user_permission": 8888,
                },
                "basic": {
                    "drift_batch_size": wanted.batch_size.to_string(),
                    "storage_uri": format!("{bucket}/{word}_detector"),
                },
            },
        });
        Detector { kind, body }
    };
    vec![
        detector(DetectorKind::Drift),
        detector(DetectorKind::Outlier),
    ]
}
