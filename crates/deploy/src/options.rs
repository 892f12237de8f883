//! What the user asks for, checked.

use crate::image::Image;
use crate::names::{DeployName, Namespace, ObjectName};

/// Everything besides the model that decides what is deployed.
#[derive(Debug, Clone)]
pub struct Options {
    /// The name of the deployment.
    pub name: DeployName,
    /// Where it lives; absent: where the manifest is applied.
    pub namespace: Option<Namespace>,
    /// The image of the model server.
    pub image: Image,
    /// The secret whose keys the storage initializer gets as environment, to
    /// fetch the package.
    pub storage_secret: Option<ObjectName>,
    /// Seconds that a rollout may take before Kubernetes calls it stuck.
    pub progress_deadline: u32,
}
