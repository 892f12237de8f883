//! Finds a version, or says which there are.

use anyhow::{Context, Result, anyhow};
use determined::{Client, Error, ModelVersion};

use super::LATEST;

/// How many names a refusal lists.
const LISTED: usize = 5;

/// The version of `model` that `asked` means: [`LATEST`], a name (of several with
/// the same name the newest), or a number.
///
/// # Errors
///
/// When there is no such model or version, with what there is instead; and those
/// of the master.
pub(super) async fn version(client: &Client, model: &str, asked: &str) -> Result<ModelVersion> {
    if client.model(model).await?.is_none() {
        return Err(unknown_model(client, model).await?);
    }
    if asked == LATEST {
        let latest = client.latest_version(model).await?;
        return latest.with_context(|| format!("the model {model:?} has no version yet"));
    }
    if let Some(found) = client.version_named(model, asked).await? {
        return Ok(found);
    }
    if let Ok(number) = asked.parse() {
        match client.model_version(model, number).await {
            Err(Error::NotFound(_)) => {}
            found => return Ok(found?),
        }
    }
    let versions = client.model_versions(model).await?;
    let names = versions.iter().map(|version| match version.name.as_str() {
        "" => version.version.to_string(),
        name => format!("{name:?} ({})", version.version),
    });
    let it_has = listed("the newest of", names.collect());
    Err(anyhow!(
        "the model {model:?} has no version with the name or number {asked:?}: {it_has}; \
         set the parameter model_version to one of them, or to {LATEST}"
    ))
}

async fn unknown_model(client: &Client, model: &str) -> Result<anyhow::Error> {
    let models = client.models().await?.into_iter();
    let mut names: Vec<String> = models.map(|model| model.name).collect();
    let likeness = |name: &String| strsim::jaro_winkler(name, model);
    names.sort_by(|a, b| likeness(b).total_cmp(&likeness(a)));
    let names = names.iter().map(|name| format!("{name:?}")).collect();
    let it_has = listed("the most similar of", names);
    Ok(anyhow!(
        "the registry has no model {model:?} that this user may see: {it_has}; \
         set the parameter model_name to one of them"
    ))
}

/// The first of `names`, which are `chosen`, and how many there are.
fn listed(chosen: &str, names: Vec<String>) -> String {
    let first = names.iter().take(LISTED).cloned().collect::<Vec<_>>();
    match names.len() {
        0 => "it has none".to_owned(),
        count if count > LISTED => format!("{chosen} {count} are {}", first.join(", ")),
        _ => format!("it has {}", first.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_few_names_are_listed() {
        let names = |count: usize| (0..count).map(|n| n.to_string()).collect();
        assert_eq!(listed("x", names(0)), "it has none");
        assert_eq!(listed("x", names(2)), "it has 0, 1");
        let many = listed("the newest of", names(7));
        assert_eq!(many, "the newest of 7 are 0, 1, 2, 3, 4");
    }
}
