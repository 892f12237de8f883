//! A model version from a registry: that of a Determined master, or one in an object
//! store.
//!
//! The version is found exactly, its files come below a cache folder, and what can be
//! served of them becomes a package there, which is then loaded like any other. A
//! container that starts again finds its package in the cache.

mod cache;
mod determined;
mod find;
mod objects;

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use ::determined::Settings;
use anyhow::Result;
use storage::Access;
use tokio::time::sleep;

use objects::Objects;

/// The version that a deployment means which wants the newest.
pub(crate) const LATEST: &str = "latest";

/// The pause after the first try, which doubles with each.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
/// The longest pause between two tries.
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// Which version of which model, and where it is asked for.
#[derive(Debug)]
pub(crate) struct Registry {
    /// Who keeps it.
    pub(crate) keeper: Keeper,
    /// The model's name.
    pub(crate) model: String,
    /// The version's name or number, or [`LATEST`].
    pub(crate) version: String,
    /// The folder that packages are kept in.
    pub(crate) cache: PathBuf,
    /// How long to go on trying while the registry is away.
    pub(crate) patience: Duration,
}

/// Who keeps a registry.
#[derive(Debug)]
pub(crate) enum Keeper {
    /// A Determined master, and who asks.
    Determined(Box<Settings>),
    /// An object store: the registry's URL, and the credentials.
    Objects(String, Access),
}

/// A version that was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Registered {
    /// The model's name.
    pub(crate) model: String,
    /// The version's name, or its number where it has none.
    pub(crate) version: String,
    /// What the metadata says of it.
    pub(crate) notes: BTreeMap<String, String>,
}

impl fmt::Display for Keeper {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Determined(master) => write!(f, "the master {}", master.address),
            Self::Objects(url, _) => write!(f, "the registry {url}"),
        }
    }
}

impl fmt::Display for Registry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} of ", self.model, self.version)?;
        match &self.keeper {
            Keeper::Determined(master) => master.address.fmt(f),
            Keeper::Objects(url, _) => url.fmt(f),
        }
    }
}

impl Registry {
    /// The version and the folder of its package, once it lies there. While the
    /// registry cannot be reached, it is asked again and again.
    ///
    /// # Errors
    ///
    /// At once when the registry refuses the user, there is no such model or version,
    /// or what it holds cannot be served; after the patience when the registry stays
    /// away.
    pub(crate) async fn fetch(&self) -> Result<(PathBuf, Registered)> {
        let (start, mut pause) = (Instant::now(), FIRST_PAUSE);
        loop {
            let error = match self.attempt().await {
                Err(error) if is_transient(&error) => error,
                outcome => return outcome,
            };
            let keeper = &self.keeper;
            if start.elapsed() + pause > self.patience {
                let seconds = self.patience.as_secs_f64();
                return Err(error.context(format!(
                    "{keeper} has been away for {seconds} s (--det-patience): giving up"
                )));
            }
            let (error, seconds) = (format!("{error:#}"), pause.as_secs_f64());
            let keeper = keeper.kind();
            tracing::warn!(error, again_after_seconds = seconds, "{keeper} is away");
            sleep(pause).await;
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }

    async fn attempt(&self) -> Result<(PathBuf, Registered)> {
        match &self.keeper {
            Keeper::Determined(master) => determined::fetch(self, master).await,
            Keeper::Objects(url, access) => Objects::open(self, url, access).await?.fetch().await,
        }
    }

    /// Whether the version is another one now than `served`, where it [moves](Self::moves).
    ///
    /// # Errors
    ///
    /// When the registry cannot be asked.
    pub(crate) async fn has_moved(&self, served: &Registered) -> Result<bool> {
        match &self.keeper {
            Keeper::Objects(url, access) if self.moves() => {
                let objects = Objects::open(self, url, access).await?;
                Ok(objects.current().await? != *served)
            }
            Keeper::Objects(..) | Keeper::Determined(_) => Ok(false),
        }
    }

    /// Whether the version may become another one while it is served.
    pub(crate) fn moves(&self) -> bool {
        matches!(self.keeper, Keeper::Objects(..)) && self.version == LATEST
    }
}

impl Keeper {
    /// An object store, whose `url` is known to be one.
    ///
    /// # Errors
    ///
    /// When it is none.
    pub(crate) fn objects(url: &str, access: Access) -> Result<Self> {
        Ok(Self::Objects(::registry::checked_url(url)?, access))
    }

    fn kind(&self) -> &'static str {
        match self {
            Self::Determined(_) => "the master",
            Self::Objects(..) => "the registry",
        }
    }
}

fn is_transient(error: &anyhow::Error) -> bool {
    let of_master = error.downcast_ref::<::determined::Error>();
    let of_store = error.downcast_ref::<::registry::Error>();
    of_master.is_some_and(::determined::Error::is_transient)
        || of_store.is_some_and(::registry::Error::is_transient)
}
