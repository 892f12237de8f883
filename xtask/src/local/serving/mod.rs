//! Serves what a `SeldonDeployment` describes, as Seldon would.

mod environment;
mod front;
mod manifest;
mod server;
mod supervisor;
mod wanted;

pub(super) use manifest::{Manifest, model_folder};
pub(super) use supervisor::Supervisor;
pub(super) use wanted::{Phase, Status, Wanted};
