//! The model registry: models with numbered versions, each a checkpoint.

use reqwest::Method;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::call::Call;
use crate::wire::{Page, Pagination, or_default};
use crate::{Checkpoint, Client, Error};

/// A registered model.
#[derive(Debug, Clone, Deserialize)]
#[non_exhaustive]
pub struct Model {
    /// Its name, unique in the cluster and case-sensitive.
    pub name: String,
    /// Its labels.
    #[serde(default, deserialize_with = "or_default")]
    pub labels: Vec<String>,
    /// Anything that was noted about it.
    #[serde(default, deserialize_with = "or_default")]
    pub metadata: Map<String, Value>,
    /// An archived model takes no new version.
    #[serde(default, deserialize_with = "or_default")]
    pub archived: bool,
}

/// One version of a model.
#[derive(Debug, Clone, Deserialize)]
#[non_exhaustive]
pub struct ModelVersion {
    /// Its number within the model, from 1 on. The answers also hold an `id`,
    /// which is a row of the master's database and of no use here.
    pub version: i64,
    /// Its name, which need not be unique, nor be there.
    #[serde(default, deserialize_with = "or_default")]
    pub name: String,
    /// Notes, in Markdown.
    #[serde(default, deserialize_with = "or_default")]
    pub notes: String,
    /// Its files.
    pub checkpoint: Checkpoint,
}

/// What [`Client::ensure_model`] creates.
#[derive(Debug, Clone, Default, Serialize)]
pub struct NewModel {
    /// The name; see [`check_name`].
    pub name: String,
    /// What it is, for people.
    pub description: String,
    /// Labels; see [`check_name`].
    pub labels: Vec<String>,
    /// Anything else.
    pub metadata: Map<String, Value>,
}

/// What [`Client::ensure_version`] registers.
#[derive(Debug, Clone, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct NewVersion {
    /// The checkpoint, which must be completed.
    pub checkpoint_uuid: String,
    /// The name by which the version is found again.
    pub name: String,
    /// Notes, in Markdown.
    pub notes: String,
}

/// The body of `POST /api/v1/models/{name}/versions`, where the name counts only
/// in the path.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct RegisterRequest<'a> {
    model_name: &'a str,
    #[serde(flatten)]
    version: &'a NewVersion,
}

#[derive(Deserialize)]
struct ModelAnswer {
    model: Model,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct VersionAnswer {
    model_version: ModelVersion,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct VersionsPage {
    #[serde(default, deserialize_with = "or_default")]
    model_versions: Vec<ModelVersion>,
    #[serde(default, deserialize_with = "or_default")]
    pagination: Pagination,
}

#[derive(Deserialize)]
struct ModelsPage {
    #[serde(default, deserialize_with = "or_default")]
    models: Vec<Model>,
    #[serde(default, deserialize_with = "or_default")]
    pagination: Pagination,
}

impl Page for ModelsPage {
    type Item = Model;
    fn into_parts(self) -> (Vec<Model>, Pagination) {
        (self.models, self.pagination)
    }
}

impl Page for VersionsPage {
    type Item = ModelVersion;
    fn into_parts(self) -> (Vec<ModelVersion>, Pagination) {
        (self.model_versions, self.pagination)
    }
}

/// Checks that a model name or label survives the master's URLs and lists: a `/`
/// or `\` splits the path, a `:` in its last segment is taken for a verb, and
/// labels are joined with commas.
///
/// # Errors
///
/// [`Error::Setting`] that calls the text `what`.
pub fn check_name(what: &'static str, name: &str) -> Result<(), Error> {
    let refuse = |reason: &str| Err(Error::setting(what, name, reason));
    if name.trim().is_empty() {
        return refuse("it is empty");
    }
    if let Some(character) = name.chars().find(|c| r"/\:,".contains(*c)) {
        return refuse(&format!("it must not contain {character:?}"));
    }
    if matches!(name, "." | "..") || name.chars().any(char::is_control) {
        return refuse("it cannot be part of a URL");
    }
    Ok(())
}

/// A model's name, besides, must not look like a model's number.
fn check_model_name(name: &str) -> Result<(), Error> {
    check_name("model name", name)?;
    let refuse = |reason| Err(Error::setting("model name", name, reason));
    if name.bytes().all(|b| b.is_ascii_digit()) {
        return refuse("the master takes digits alone for the number of a model");
    }
    if name.contains("  ") {
        return refuse("it must not contain two spaces in a row");
    }
    Ok(())
}

impl Client {
    /// The model with exactly this name.
    ///
    /// # Errors
    ///
    /// [`Error::Setting`] when no model can have the name.
    pub async fn model(&self, name: &str) -> Result<Option<Model>, Error> {
        check_model_name(name)?;
        match self.fetch(&Call::get(&["models", name])).await {
            Ok(ModelAnswer { model }) => Ok(Some(model)),
            Err(Error::NotFound(_)) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// All models that this user can see, by name.
    ///
    /// # Errors
    ///
    /// As any request.
    pub async fn models(&self) -> Result<Vec<Model>, Error> {
        let call = || Call::get(&["models"]).query("sortBy", "SORT_BY_NAME");
        self.pages::<ModelsPage>(call, |_| false).await
    }

    /// The model with this name, which is created if there is none.
    ///
    /// # Errors
    ///
    /// [`Error::Setting`] when a name or label cannot be used. A lost answer is
    /// no error if the model is there afterwards.
    pub async fn ensure_model(&self, new: &NewModel) -> Result<Model, Error> {
        for label in &new.labels {
            check_name("label", label)?;
        }
        if let Some(model) = self.model(&new.name).await? {
            return Ok(model);
        }
        let call = Call::post(&["models"]).body(new)?;
        match self.fetch(&call).await {
            Ok(ModelAnswer { model }) => Ok(model),
            Err(error @ (Error::AlreadyExists(_) | Error::Uncertain { .. })) => {
                self.model(&new.name).await?.ok_or(error)
            }
            Err(error) => Err(error),
        }
    }

    /// All versions of a model, the newest first.
    ///
    /// # Errors
    ///
    /// [`Error::NotFound`] when there is no such model.
    pub async fn model_versions(&self, model: &str) -> Result<Vec<ModelVersion>, Error> {
        self.versions_until(model, |_| false).await
    }

    /// The newest version of a model.
    ///
    /// # Errors
    ///
    /// [`Error::NotFound`] when there is no such model.
    pub async fn latest_version(&self, model: &str) -> Result<Option<ModelVersion>, Error> {
        check_model_name(model)?;
        let call = versions_call(model).query("limit", "1");
        let page: VersionsPage = self.fetch(&call).await?;
        Ok(page.model_versions.into_iter().next())
    }

    /// The version of a model with this number.
    ///
    /// # Errors
    ///
    /// [`Error::NotFound`] when there is no such model or version.
    pub async fn model_version(&self, model: &str, number: i64) -> Result<ModelVersion, Error> {
        check_model_name(model)?;
        let call = Call::get(&["models", model, "versions", &number.to_string()]);
        let answer: VersionAnswer = self.fetch(&call).await?;
        Ok(answer.model_version)
    }

    /// The version of a model with this name; the newest, if several have it. The
    /// master has no such search, so the list is read from its new end.
    ///
    /// # Errors
    ///
    /// [`Error::NotFound`] when there is no such model.
    pub async fn version_named(
        &self,
        model: &str,
        name: &str,
    ) -> Result<Option<ModelVersion>, Error> {
        let is_it = |version: &ModelVersion| version.name == name;
        let read = self.versions_until(model, is_it).await?;
        Ok(read.into_iter().next_back().filter(is_it))
    }

    /// Registers a checkpoint as a version of a model, unless the model has a
    /// version with that name and checkpoint already. Name and notes go with the
    /// one request, so that no crash leaves a version without a name.
    ///
    /// The master numbers versions without a lock: of two requests at once one
    /// may fail with 500. Then, and when the answer was lost, the list is read
    /// before another attempt, so that the version exists once.
    ///
    /// # Errors
    ///
    /// [`Error::NotFound`] when there is no such model or checkpoint;
    /// [`Error::Refused`] when the checkpoint is not completed or the model is
    /// archived.
    pub async fn ensure_version(
        &self,
        model: &str,
        new: &NewVersion,
    ) -> Result<ModelVersion, Error> {
        check_model_name(model)?;
        let version = RegisterRequest {
            model_name: model,
            version: new,
        };
        let call = Call::post(&["models", model, "versions"]).body(&version)?;
        if let Some(version) = self.registered(model, new).await? {
            return Ok(version);
        }
        let error = match self.fetch(&call).await {
            Ok(VersionAnswer { model_version }) => return Ok(model_version),
            Err(error) => error,
        };
        let lost_a_race = matches!(&error, Error::Refused(answer) if answer.status == 500);
        if !lost_a_race && !matches!(error, Error::Uncertain { .. }) {
            return Err(error);
        }
        match self.registered(model, new).await? {
            Some(version) => Ok(version),
            None if lost_a_race => {
                let answer: VersionAnswer = self.fetch(&call).await?;
                Ok(answer.model_version)
            }
            None => Err(error),
        }
    }

    async fn registered(
        &self,
        model: &str,
        new: &NewVersion,
    ) -> Result<Option<ModelVersion>, Error> {
        let is_it = |version: &ModelVersion| {
            version.name == new.name && version.checkpoint.uuid == new.checkpoint_uuid
        };
        let read = self.versions_until(model, is_it).await?;
        Ok(read.into_iter().next_back().filter(is_it))
    }

    async fn versions_until(
        &self,
        model: &str,
        enough: impl Fn(&ModelVersion) -> bool,
    ) -> Result<Vec<ModelVersion>, Error> {
        check_model_name(model)?;
        self.pages::<VersionsPage>(|| versions_call(model), enough)
            .await
    }
}

fn versions_call(model: &str) -> Call {
    Call::api(Method::GET, &["models", model, "versions"])
        .query("sortBy", "SORT_BY_VERSION")
        .query("orderBy", "ORDER_BY_DESC")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_the_master_cannot_take_are_refused() {
        for name in ["a/b", r"a\b", "a:b", "a,b", "", "  ", "..", "a\nb"] {
            assert!(check_name("label", name).is_err(), "{name:?}");
        }
        for name in ["dogs-and-cats", "Hunde & Katzen", "a.b", "100%"] {
            check_model_name(name).unwrap();
        }
        for name in ["12", "a  b"] {
            assert!(check_model_name(name).is_err(), "{name:?}");
        }
    }
}
