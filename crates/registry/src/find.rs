//! Finds a version, or says which there are.

use std::str::FromStr;

use futures::{Stream, StreamExt as _, TryStreamExt as _, stream};

use crate::{Error, Registry, Version, is_name};

/// The word for the version that was promoted last.
const LATEST: &str = "latest";

/// How many names a refusal lists.
const LISTED: usize = 5;

/// Records that are read at a time.
const AT_A_TIME: usize = 16;

/// Which version is meant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Asked {
    /// The one that was promoted last.
    Latest,
    /// The one with this name, or else this number.
    Named(String),
}

impl FromStr for Asked {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        match text {
            LATEST => Ok(Self::Latest),
            name if is_name(name) => Ok(Self::Named(name.to_owned())),
            name => Err(Error::Name(name.to_owned())),
        }
    }
}

impl Registry {
    /// The version of `model` that `asked` means.
    ///
    /// # Errors
    ///
    /// When there is no such model or version, with what there is instead; and those
    /// of the store.
    pub async fn find(&self, model: &str, asked: &Asked) -> Result<Version, Error> {
        if !is_name(model) {
            return Err(Error::Name(model.to_owned()));
        }
        let numbers = self.numbers(model).await?;
        let Some(last) = numbers.last() else {
            return Err(self.no_model(model).await?);
        };
        match asked {
            Asked::Latest => {
                let last = self.version(model, *last).await?;
                match last.latest {
                    Some(number) if number == last.number => Ok(last),
                    Some(number) => self.version(model, number).await,
                    None => Err(self.no_version(model, LATEST, "none of its versions is promoted")),
                }
            }
            Asked::Named(name) => self.named(model, name, &numbers).await,
        }
    }

    async fn named(&self, model: &str, name: &str, numbers: &[u64]) -> Result<Version, Error> {
        let mut newest = Vec::new();
        let mut of_number = None;
        let mut records = std::pin::pin!(self.newest_first(model, numbers));
        while let Some(version) = records.try_next().await? {
            if version.name == name {
                return Ok(version);
            }
            if newest.len() < LISTED {
                newest.push(format!("{:?} ({})", version.name, version.number));
            }
            if name.parse() == Ok(version.number) {
                of_number = Some(version);
            }
        }
        of_number.ok_or_else(|| {
            let known = listed("the newest of", &newest, numbers.len());
            self.no_version(model, name, &known)
        })
    }

    /// The records of these numbers, from the last to the first.
    pub(crate) fn newest_first<'a>(
        &'a self,
        model: &'a str,
        numbers: &'a [u64],
    ) -> impl Stream<Item = Result<Version, Error>> + 'a {
        let records = numbers
            .iter()
            .rev()
            .copied()
            .map(move |number| self.version(model, number));
        stream::iter(records).buffered(AT_A_TIME)
    }

    fn no_version(&self, model: &str, asked: &str, known: &str) -> Error {
        Error::NoVersion {
            registry: self.url().to_owned(),
            model: model.to_owned(),
            asked: asked.to_owned(),
            known: known.to_owned(),
        }
    }

    async fn no_model(&self, model: &str) -> Result<Error, Error> {
        let models = self.models().await?;
        let names: Vec<String> = models.iter().map(|name| format!("{name:?}")).collect();
        let first = names.get(..LISTED).unwrap_or(&names);
        Ok(Error::NoModel {
            registry: self.url().to_owned(),
            model: model.to_owned(),
            known: match models.contains(&model.to_owned()) {
                true => "none of its versions is published whole".to_owned(),
                false => listed("the first of", first, names.len()),
            },
        })
    }
}

/// The `first` names of so many.
fn listed(chosen: &str, first: &[String], count: usize) -> String {
    match count {
        0 => "it has none".to_owned(),
        count if count > first.len() => format!("{chosen} {count} are {}", first.join(", ")),
        _ => format!("it has {}", first.join(", ")),
    }
}
