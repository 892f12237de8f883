//! A model registry without a server, in any object store.
//!
//! ```text
//! <registry>/registry.json                      that this is one
//! <registry>/iris/packages/<digest>/model.onnx  the files of a package, by its digest
//! <registry>/iris/packages/<digest>/model.json
//! <registry>/iris/versions/00000001.json        version 1: names and digests of its files
//! <registry>/iris/versions/00000002.json        version 2
//! ```
//!
//! The records of a model's versions are a log. A record is written last, when all
//! files lie there, and only if there is none of that number yet, which every kind of
//! store can do (AWS and Azure `If-None-Match: *`, Google `x-goog-if-generation-match:
//! 0`, a file system's hard link). So
//!
//! - a version is visible whole or not at all, and never changes;
//! - of two who publish at once, one gets the next number, and the other sees that
//!   record before it tries the number after it: no update is lost;
//! - whether a version is promoted is decided against exactly the versions before it,
//!   and stands in its record: `latest` is the last record's [`Version::latest`]. It
//!   moves only forward, as the log only grows.
//!
//! A pointer object that is replaced would need a conditional update, which a file
//! system does not have, and a second write after the record, before which a process
//! may die.
//!
//! ```no_run
//! # use std::path::Path;
//! use registry::{Asked, Condition, Registry};
//! use storage::Access;
//!
//! # async fn run() -> Result<(), Box<dyn std::error::Error>> {
//! let access = Access::from_variables(std::env::vars());
//! let registry = Registry::open("s3://models/team", &access).await?;
//! let condition: Condition = "accuracy >= previous".parse()?;
//! let published = registry.publish(Path::new("out/model"), Some(&condition)).await?;
//! println!("version {}: {}", published.version.number, published.version.promotion.reason);
//! let latest = registry.find("iris", &Asked::Latest).await?;
//! registry.fetch(&latest, Path::new("cache/iris")).await?;
//! # Ok(())
//! # }
//! ```

mod condition;
mod error;
mod fetch;
mod find;
mod objects;
mod publish;
mod record;

pub use condition::{Condition, ConditionError};
pub use error::Error;
pub use find::Asked;
pub use objects::{Registry, checked_url};
pub use publish::Published;
pub use record::{Promotion, Version};

/// Whether `name` can be a model's or a version's: a letter or digit, then letters,
/// digits, `-`, `_` and `.`.
pub fn is_name(name: &str) -> bool {
    let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    name.starts_with(|c: char| c.is_ascii_alphanumeric()) && name.chars().all(allowed)
}
