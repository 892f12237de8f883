//! Where the models come from: a folder, or a registry.

use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use determined::{Settings, check_name};
use storage::Access;

use super::args::Args;
use super::parameters::Parameters;
use super::settings::set;
use crate::models::{Chosen, Source};
use crate::registry::{Keeper, LATEST, Registry};
use crate::seldon::Overrides;

/// Where Seldon and KServe put a model.
const MODEL: &str = "/mnt/models";

/// Where the models come from.
#[derive(Debug)]
pub(super) enum Origin {
    /// The conformance model, which is in the program.
    Echo,
    /// A folder.
    Folder(Source),
    /// A registry, for which the source says all but the folder and the version.
    Registry(Box<Registry>, Source),
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Echo => f.write_str("echo"),
            Self::Folder(source) => source.root.display().fmt(f),
            Self::Registry(registry, _) => registry.fmt(f),
        }
    }
}

impl Origin {
    /// That of `args`. A folder weighs more than a registry: `deploy` gives both.
    pub(super) fn check(
        args: &Args,
        parameters: &Parameters,
        overrides: Overrides,
    ) -> Result<Self> {
        if args.models.echo {
            return Ok(Self::Echo);
        }
        if let Some(url) = set(args.models.registry.clone())
            && !names_folder(args)
        {
            return objects(url, args, parameters, overrides);
        }
        let source = source(args, parameters, overrides)?;
        if names_folder(args) {
            return Ok(Self::Folder(source));
        }
        let Some(master) = master(args, parameters)? else {
            return Ok(Self::Folder(source));
        };
        let (model, version) = (source.chosen.name.clone(), source.chosen.version.clone());
        let Some(model) = model else {
            bail!("a Determined master is given, but no model: set the parameter model_name");
        };
        check_name("model name", &model)?;
        let Some(version) = version else {
            bail!(
                "a Determined master is given, but no version of {model:?}: set the parameter \
                 model_version to the version's name, its number, or {LATEST}"
            );
        };
        let registry = Registry {
            keeper: Keeper::Determined(Box::new(master)),
            model,
            version,
            cache: args.models.cache.clone(),
            patience: patience(args)?,
        };
        Ok(Self::Registry(Box::new(registry), source))
    }
}

fn patience(args: &Args) -> Result<Duration> {
    Duration::try_from_secs_f64(args.models.det_patience)
        .with_context(|| format!("--det-patience is {}", args.models.det_patience))
}

/// Whether the command line or Seldon's operator names a folder; with a registry, what
/// has no `/` is a model there.
fn names_folder(args: &Args) -> bool {
    let has_registry = set(args.models.registry.clone()).is_some();
    let model = set(args.models.model.clone());
    model.is_some_and(|model| !has_registry || model.contains('/'))
        || set(args.models.mlserver_models_dir.clone()).is_some()
}

/// A version in the registry at `url`.
fn objects(
    url: String,
    args: &Args,
    parameters: &Parameters,
    overrides: Overrides,
) -> Result<Origin> {
    let mut source = source(args, parameters, overrides)?;
    let given = set(args.models.model.clone());
    let (name, version) = match given.as_deref().map(|given| given.split_once(':')) {
        Some(Some((name, version))) => (Some(name.to_owned()), Some(version.to_owned())),
        Some(None) => (given, None),
        None => (None, None),
    };
    let chosen = &mut source.chosen;
    let Some(model) = name.or_else(|| chosen.name.clone()) else {
        bail!("--registry is given, but no model: add --model NAME or --model NAME:VERSION");
    };
    let version = version.or_else(|| chosen.version.clone());
    let registry = Registry {
        keeper: Keeper::objects(&url, Access::from_variables(std::env::vars()))?,
        model,
        version: version.unwrap_or_else(|| LATEST.to_owned()),
        cache: args.models.cache.clone(),
        patience: patience(args)?,
    };
    Ok(Origin::Registry(Box::new(registry), source))
}

/// How the master is reached; `None` where none is given.
fn master(args: &Args, parameters: &Parameters) -> Result<Option<Settings>> {
    let given = |name: &str| match name {
        "DET_MASTER" => set(args.models.det_master.clone()),
        "DET_USER" => set(args.models.det_user.clone()),
        _ => set(std::env::var(name).ok()),
    };
    let parameter = |name| set(parameters.get(name).map(str::to_owned));
    let address = given("DET_MASTER").or_else(|| given("DET_MASTER_ADDR"));
    let Some(address) = address.or_else(|| parameter("det_master")) else {
        return Ok(None);
    };
    let password = given("DET_PASSWORD").or_else(|| given("DET_PASS"));
    let settings = Settings::from_variables(|name| match name {
        "DET_MASTER" => Some(address.clone()),
        "DET_USER" => given(name).or_else(|| parameter("user")),
        "DET_PASSWORD" => password.clone().or_else(|| parameter("password")),
        _ => given(name),
    });
    let settings = settings.context("the Determined master, or the parameters for it")?;
    Ok(Some(settings))
}

/// Where the models lie and what they must be.
fn source(args: &Args, parameters: &Parameters, overrides: Overrides) -> Result<Source> {
    let text = |name| set(parameters.get(name).map(str::to_owned));
    let digest = text("model_digest").map(|digest| digest.parse());
    let digest = digest.transpose();
    let models =
        set(args.models.mlserver_models_dir.clone()).filter(|_| args.models.model.is_none());
    let is_repository = models.is_some();
    let given = args.models.model.clone().filter(|_| names_folder(args));
    let model = models.or(given);
    Ok(Source {
        root: folder(model.as_deref().unwrap_or(MODEL), &args.models.pfs)?,
        is_repository,
        digest: digest.context("PREDICTIVE_UNIT_PARAMETERS: model_digest")?,
        chosen: Chosen {
            alias: set(args.pod.unit_id.clone()),
            name: set(args.models.model_name.clone()).or_else(|| text("model_name")),
            version: set(args.models.model_version.clone()).or_else(|| text("model_version")),
        },
        overrides,
        registered: None,
    })
}

fn folder(model: &str, pfs: &Path) -> Result<PathBuf> {
    let path = model.strip_prefix("file://").unwrap_or(model);
    if let Some((scheme, _)) = path.split_once("://") {
        bail!(
            "--model is a {scheme} URI, expected a folder; let an init container download it \
             (modelUri of the graph's node) and give its folder"
        );
    }
    Ok(match path.strip_prefix("/pfs/") {
        Some(below) => pfs.join(below),
        None => path.into(),
    })
}
