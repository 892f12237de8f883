//! A client of a Determined master: experiments, checkpoints, the model registry.
//!
//! Determined trains on a cluster. A master takes *experiments* (a configuration
//! and code), runs them as one or more *trials*, keeps the *checkpoints* that they
//! save, and has a registry of *models* whose numbered *versions* each point at a
//! checkpoint. This client speaks its REST API as of 0.38.1, its last release, and
//! suits masters from 0.28 on.
//!
//! # The whole way
//!
//! Submit a directory, follow it with its log, take its best checkpoint, register
//! it and fetch the files:
//!
//! ```no_run
//! use std::path::Path;
//! use determined::{
//!     Best, Client, Event, FollowOptions, NewExperiment, NewModel, NewVersion, Settings,
//! };
//!
//! # async fn run() -> Result<(), determined::Error> {
//! // DET_MASTER, DET_USER, DET_PASSWORD and the like.
//! let client = Client::new(Settings::from_variables(|name| std::env::var(name).ok())?)?;
//!
//! let created = client
//!     .create_experiment(&NewExperiment {
//!         config: serde_json::json!({
//!             "name": "iris",
//!             "entrypoint": "python3 train.py",
//!             "searcher": {"name": "single", "metric": "accuracy", "smaller_is_better": false},
//!         }),
//!         model_definition: determined::context_directory(Path::new("experiment"))?,
//!         activate: true,
//!         ..NewExperiment::default()
//!     })
//!     .await?;
//!
//! let mut experiment = created.experiment;
//! let mut follow = client.follow(experiment.id, FollowOptions::default());
//! while let Some(event) = follow.next().await? {
//!     match event {
//!         Event::Log(line) => println!("{}", line.text()),
//!         Event::Looked(now, _) => experiment = *now,
//!         _ => {}
//!     }
//! }
//!
//! match client.best_checkpoint(&experiment).await? {
//!     Best::Scored(checkpoint, accuracy) => {
//!         println!("accuracy {accuracy}");
//!         let model = NewModel { name: "iris".to_owned(), ..NewModel::default() };
//!         client.ensure_model(&model).await?;
//!         // Registered checkpoints are never collected: register, then download.
//!         let version = NewVersion {
//!             checkpoint_uuid: checkpoint.uuid.clone(),
//!             name: "first".to_owned(),
//!             ..NewVersion::default()
//!         };
//!         client.ensure_version("iris", &version).await?;
//!         client.download(&checkpoint, Path::new("checkpoint")).await?;
//!     }
//!     Best::Unscored(_) | Best::None => println!("{}: nothing to register", experiment.state),
//! }
//! # Ok(())
//! # }
//! ```
//!
//! # What it takes care of
//!
//! - **Login.** With a password it logs in when needed, and again when the token
//!   has expired ([`Credentials`]). Secrets are in no error and no `Debug` output.
//! - **Repetition.** Reading is repeated when the master is away. A request that
//!   changes something is sent once; if its answer is lost, the error is
//!   [`Error::Uncertain`], and the `ensure_…` functions look before they act.
//! - **Answers as they are.** Nulls, integers as texts, `"NaN"`, states that are
//!   newer than this client.
//! - **Files.** [`Client::download`] delivers exactly the files of a checkpoint, or
//!   an error; never half of them, and nothing outside its directory. With the
//!   feature `storage`, they also come directly from where the cluster keeps them
//!   (`StorageAccess`).
//!
//! # Training code
//!
//! The other end of an experiment: what a task, or a *detached* process anywhere,
//! reports to the master (0.38).
//!
//! ```no_run
//! # use std::collections::BTreeMap;
//! use determined::{CheckpointStore, Client, MetricGroup, StorageAccess, TaskEnvironment, Trial};
//!
//! # async fn run() -> Result<(), determined::Error> {
//! let task = TaskEnvironment::from_variables(|name| std::env::var(name).ok())?;
//! let access = StorageAccess::from_variables(std::env::vars());
//! let store = CheckpointStore::of_task(&task, access)?;
//! let mut trial = Trial::of_task(Client::new(task.settings.clone())?, &task);
//! trial.prepare(store.config()).await?;
//!
//! let files = BTreeMap::from([("model.onnx".to_owned(), b"the graph".to_vec())]);
//! let metrics = BTreeMap::from([("accuracy".to_owned(), 0.9)]);
//! trial.report_metrics(MetricGroup::Validation, 1, &metrics).await?;
//! let checkpoint = store.write(files, 1, serde_json::Map::new()).await?;
//! trial.report_checkpoint(&checkpoint).await?;
//! # Ok(())
//! # }
//! ```
//!
//! # Limits
//!
//! No streaming of state: an experiment is looked at every few seconds, as the
//! master has no stable interface for more.

mod address;
mod call;
mod checkpoints;
mod client;
mod context;
mod download;
mod error;
mod experiments;
mod files;
mod follow;
mod login;
mod logs;
mod registry;
mod settings;
#[cfg(feature = "storage")]
mod storage;
#[cfg(feature = "trial")]
mod trial;
mod unpack;
mod wire;

#[cfg(feature = "storage")]
pub use self::storage::{CheckpointFrom, StorageAccess};
pub use ::tls::{Tls, Trust};
pub use address::Address;
pub use checkpoints::{Best, Checkpoint, CheckpointState, Metrics, Training};
pub use client::Client;
pub use context::{ContextFile, MAX_CONTEXT_SIZE, context_directory, context_directory_within};
pub use error::{Answer, Error};
pub use experiments::{Created, Experiment, Job, NewExperiment, Phase, State};
pub use follow::{Event, Follow, FollowOptions};
pub use login::Credentials;
pub use logs::{Log, LogLine};
pub use registry::{Model, ModelVersion, NewModel, NewVersion, check_name};
pub use settings::{Retry, Settings};
#[cfg(feature = "trial")]
pub use trial::{
    CheckpointStore, MetricGroup, NewCheckpoint, Resumed, TaskEnvironment, Trial, TrialState,
};
