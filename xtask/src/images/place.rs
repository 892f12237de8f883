//! Where images go: registry, project and the reference made of them.

use anyhow::{Result, bail, ensure};
use semver::Version;

use crate::workspace::Workspace;

/// The project that stands in a descriptor until somebody names the real one.
pub(crate) const PLACEHOLDER: &str = "PROJECT";

/// Where the registry is and which folder of it holds the images.
#[derive(clap::Args, Clone, Default)]
pub(crate) struct PlaceArgs {
    /// Registry, HOST or HOST:PORT, instead of the one in Cargo.toml
    #[arg(long, env = "XTASK_REGISTRY", value_name = "HOST[:PORT]")]
    registry: Option<String>,
    /// Project, the path below the registry
    #[arg(long, env = "XTASK_PROJECT", value_name = "PATH")]
    project: Option<String>,
}

/// A registry and a project that docker accepts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) registry: String,
    pub(crate) project: String,
}

impl PlaceArgs {
    /// The flag, else the environment, else the workspace's metadata.
    ///
    /// # Errors
    /// When docker would refuse or misread the result.
    pub(crate) fn resolve(&self, workspace: &Workspace) -> Result<Place> {
        let place = self.unchecked(workspace);
        place.check()?;
        Ok(place)
    }

    /// Like [`PlaceArgs::resolve`], but lets the placeholder pass: descriptors
    /// may still hold it.
    pub(crate) fn unchecked(&self, workspace: &Workspace) -> Place {
        let pick = |given: &Option<String>, otherwise: &str| {
            let given = given.as_deref().filter(|text| !text.is_empty());
            given.unwrap_or(otherwise).to_owned()
        };
        Place {
            registry: pick(&self.registry, &workspace.registry),
            project: pick(&self.project, &workspace.project),
        }
    }
}

impl Place {
    /// `registry/project/name`.
    pub(crate) fn repository(&self, name: &str) -> String {
        format!("{}/{}/{name}", self.registry, self.project)
    }

    /// `registry/project/name:version`.
    ///
    /// # Errors
    /// When the version has build metadata, since a tag holds no `+`.
    pub(crate) fn reference(&self, name: &str, version: &Version) -> Result<String> {
        check_tag(version)?;
        Ok(format!("{}:{version}", self.repository(name)))
    }

    fn check(&self) -> Result<()> {
        let Self { registry, project } = self;
        ensure!(
            !project.split('/').any(|part| part == PLACEHOLDER),
            "the project is still the placeholder {PLACEHOLDER}; name yours with --project, \
             with XTASK_PROJECT, or in [workspace.metadata.images] of Cargo.toml"
        );
        ensure!(
            is_registry(registry),
            "registry {registry:?} is not HOST[:PORT]; it takes a dot, a port or `localhost`, \
             otherwise docker reads it as a folder of Docker Hub (docker.io)"
        );
        for part in project.split('/') {
            ensure!(
                is_path_component(part),
                "project {project:?}: docker takes lower-case letters and digits, \
                 joined by `.`, `_` or `-`, in each part between slashes"
            );
        }
        Ok(())
    }
}

/// Refuses a version that cannot be a docker tag.
pub(crate) fn check_tag(version: &Version) -> Result<()> {
    if !version.build.is_empty() {
        bail!(
            "version {version} holds `+{}`, and a docker tag cannot hold `+`; \
             say it as a pre-release instead, as {}",
            version.build,
            as_pre_release(version)
        );
    }
    ensure!(
        version.to_string().len() <= 128,
        "version {version} is longer than the 128 characters of a docker tag"
    );
    Ok(())
}

fn as_pre_release(version: &Version) -> String {
    let core = format!("{}.{}.{}", version.major, version.minor, version.patch);
    let build = version.build.as_str();
    match version.pre.as_str() {
        "" => format!("{core}-{build}"),
        pre => format!("{core}-{pre}.{build}"),
    }
}

/// A host that docker does not take for a folder of Docker Hub.
fn is_registry(text: &str) -> bool {
    let (host, port) = match text.rsplit_once(':') {
        Some((host, port)) => (host, Some(port)),
        None => (text, None),
    };
    let label = |label: &str| {
        !label.is_empty()
            && label.chars().all(|c| c.is_ascii_alphanumeric() || c == '-')
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    host.split('.').all(label)
        && port.is_none_or(|port| port.parse::<u16>().is_ok())
        && (port.is_some() || host.contains('.') || host == "localhost")
}

fn is_path_component(text: &str) -> bool {
    let good = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    text.starts_with(good)
        && text.ends_with(good)
        && text.chars().all(|c| good(c) || "._-".contains(c))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(registry: &str, project: &str) -> Result<()> {
        let place = Place {
            registry: registry.to_owned(),
            project: project.to_owned(),
        };
        place.check()
    }

    #[test]
    fn takes_what_docker_takes() {
        for (registry, project) in [
            ("localhost:5000", "pachyderm-seldon"),
            ("localhost", "a"),
            ("gcr.io", "acme/ml.team_1"),
            ("127.0.0.1:5000", "a/b/c"),
        ] {
            place(registry, project).unwrap();
        }
    }

    #[test]
    fn says_what_to_change() {
        for (registry, project, words) in [
            ("gcr.io", "PROJECT", "--project"),
            ("gcr.io", "acme/PROJECT", "placeholder"),
            ("gcr.io", "Acme", "lower-case"),
            ("gcr.io", "", "lower-case"),
            ("gcr.io", "a//b", "lower-case"),
            ("acme", "x", "Docker Hub"),
            ("https://gcr.io", "x", "HOST[:PORT]"),
            ("localhost:port", "x", "HOST[:PORT]"),
        ] {
            let error = place(registry, project).unwrap_err().to_string();
            assert!(error.contains(words), "{registry} {project}: {error}");
        }
    }

    #[test]
    fn a_tag_holds_no_build_metadata() {
        let error = check_tag(&"1.0.0-rc.1+42".parse().unwrap()).unwrap_err();
        assert!(error.to_string().contains("1.0.0-rc.1.42"), "{error}");
    }
}
