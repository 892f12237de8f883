//! What the user asks for, checked.

mod quantity;
mod shape;
mod text;

use crate::image::Image;
use crate::names::DeployName;

pub use quantity::Quantity;
pub use shape::{OverlayError, Shape, ShapeError};
pub use text::{Pairs, Protocol, Toleration, Tolerations};

/// Everything besides the model that decides what is deployed.
#[derive(Debug, Clone)]
pub struct Options {
    /// The name of the deployment.
    pub name: DeployName,
    /// Where it lives; absent: where the manifest is applied.
    pub namespace: Option<String>,
    /// The image of the model server.
    pub image: Image,
    /// The form of the pods and how many there are.
    pub shape: Shape,
    /// The detectors that watch its requests.
    pub detectors: Option<Detectors>,
}

/// The drift and the outlier detector of Seldon Deploy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Detectors {
    /// The folder that holds `drift_detector` and `outlier_detector`, as a URI.
    pub bucket_uri: String,
    /// Requests that are looked at together.
    pub batch_size: u32,
    /// The name that the detectors write to their events; absent: the first five
    /// characters of the version, as existing dashboards expect.
    pub model_name: Option<String>,
    /// Where detectors send what they find.
    pub reply_url: String,
}
