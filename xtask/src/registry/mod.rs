//! What a registry holds, asked by its HTTP API (OCI distribution, version 2).
//!
//! docker cannot be asked: `docker manifest inspect` says "no such manifest"
//! also when a registry wants a login, speaks plain HTTP or is in trouble, and
//! `docker pull` moves the tag. The requests are made by curl, which knows the
//! machine's proxies and certificates; compiling a TLS stack would take longer
//! than all of xtask.

mod auth;
mod credentials;
mod http;

use std::time::Duration;

use anyhow::{Context, Result, bail};
use serde_json::Value;

use http::{Answer, Http};

/// The parts of a reference as docker reads it: host, repository, tag or digest.
pub(crate) fn parts(reference: &str) -> (String, String, String) {
    let (rest, digest) = match reference.split_once('@') {
        Some((rest, digest)) => (rest, Some(digest)),
        None => (reference, None),
    };
    let (path, tag) = match rest.rsplit_once(':') {
        Some((path, tag)) if !tag.contains('/') => (path, tag),
        _ => (rest, "latest"),
    };
    let tag = digest.unwrap_or(tag).to_owned();
    match path.split_once('/') {
        Some((host, path)) if host.contains(['.', ':']) || host == "localhost" => {
            let host = if host == "docker.io" {
                DOCKER_HUB
            } else {
                host
            };
            (host.to_owned(), path.to_owned(), tag)
        }
        Some(_) => (DOCKER_HUB.to_owned(), path.to_owned(), tag),
        None => (DOCKER_HUB.to_owned(), format!("library/{path}"), tag),
    }
}

/// Where docker asks for images whose reference names no registry.
const DOCKER_HUB: &str = "registry-1.docker.io";

/// Manifests of one image and of several platforms, docker's and OCI's.
const MANIFESTS: &str = "application/vnd.docker.distribution.manifest.v2+json, \
    application/vnd.oci.image.manifest.v1+json, \
    application/vnd.docker.distribution.manifest.list.v2+json, \
    application/vnd.oci.image.index.v1+json";

/// A registry as one image's repository sees it.
pub(crate) struct Registry {
    http: Http,
    /// Project and name, below the registry.
    repository: String,
}

/// What a registry holds under a tag.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Published {
    /// The registry has said that there is no such tag.
    Free,
    Held(Held),
}

/// An image in a registry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Held {
    /// Of the manifest: what `docker pull REPOSITORY@DIGEST` takes.
    pub(crate) digest: String,
    /// Of the configuration: the image ID.
    pub(crate) id: String,
    /// The configuration: what the image is.
    pub(crate) configuration: Value,
}

impl Registry {
    /// The repository `repository` of the registry at `host`, HOST or HOST:PORT. With
    /// `plain`, plain HTTP will do, as it always does on this machine.
    pub(crate) fn new(host: &str, repository: &str, plain: bool, limit: Duration) -> Self {
        Self {
            http: Http::new(host, plain, limit),
            repository: repository.to_owned(),
        }
    }

    /// Asks for a tag. Only the registry's own word that it does not know the
    /// tag counts as free.
    ///
    /// # Errors
    /// When there is no answer that says one or the other.
    pub(crate) fn published(&self, tag: &str, platform: &str) -> Result<Published> {
        let answer = self.manifest(tag)?;
        if answer.status == 404 && is_unknown(&answer.body) {
            return Ok(Published::Free);
        }
        let manifest = self.json(&answer, tag)?;
        let held = if manifest.get("manifests").is_some() {
            let digest = choose(&manifest, platform)
                .with_context(|| format!("{tag} holds no image for {platform}"))?;
            let answer = self.manifest(&digest)?;
            self.held(&self.json(&answer, &digest)?, answer.digest())?
        } else {
            self.held(&manifest, answer.digest())?
        };
        Ok(Published::Held(held))
    }

    /// Whether the registry holds a tag or a digest.
    ///
    /// # Errors
    /// When there is no answer that says one or the other.
    pub(crate) fn holds(&self, reference: &str) -> Result<bool> {
        let answer = self.manifest(reference)?;
        match answer.status {
            200 => Ok(true),
            404 if is_unknown(&answer.body) => Ok(false),
            _ => bail!(refusal(self.http.host(), &answer)),
        }
    }

    fn manifest(&self, reference: &str) -> Result<Answer> {
        let path = format!("{}/manifests/{reference}", self.repository);
        self.http.get(&path, MANIFESTS)
    }

    fn held(&self, manifest: &Value, digest: Option<String>) -> Result<Held> {
        let config = manifest.pointer("/config/digest").and_then(Value::as_str);
        let config = config.context("the registry's manifest names no configuration")?;
        let answer = self
            .http
            .get(&format!("{}/blobs/{config}", self.repository), "*/*")?;
        Ok(Held {
            digest: digest.unwrap_or_else(|| config.to_owned()),
            id: config.to_owned(),
            configuration: self.json(&answer, config)?,
        })
    }

    fn json(&self, answer: &Answer, what: &str) -> Result<Value> {
        if answer.status != 200 {
            bail!(refusal(self.http.host(), answer));
        }
        serde_json::from_slice(&answer.body).with_context(|| {
            format!(
                "the registry {} answers for {what} without JSON",
                self.http.host()
            )
        })
    }
}

/// Why an answer says neither yes nor no, and what to do.
fn refusal(host: &str, answer: &Answer) -> String {
    let words = errors(&answer.body)
        .map(|(code, message)| format!(": {code} {message}"))
        .unwrap_or_default();
    let help = match answer.status {
        401 | 403 => format!("run `docker login {host}` with a login that may read there"),
        404 => "that is no answer of a registry; check its address".to_owned(),
        429 => "the registry's quota is used up; wait, then run the same command again".to_owned(),
        500.. => "the registry is in trouble; run the same command again later".to_owned(),
        _ => "check the registry's address".to_owned(),
    };
    format!(
        "the registry {host} answers with status {}{words}; {help}",
        answer.status
    )
}

/// Whether the registry itself says that it does not know the name. Any web
/// server answers 404.
fn is_unknown(body: &[u8]) -> bool {
    let known = ["MANIFEST_UNKNOWN", "NAME_UNKNOWN", "NOT_FOUND"];
    errors(body).is_some_and(|(code, _)| known.contains(&code.as_str()))
}

/// Code and message of the first error in a registry's answer.
fn errors(body: &[u8]) -> Option<(String, String)> {
    let body: Value = serde_json::from_slice(body).ok()?;
    let error = body.get("errors")?.get(0)?;
    let code = error.get("code")?.as_str()?.to_owned();
    let message = error.get("message").and_then(Value::as_str);
    Some((code, message.unwrap_or_default().to_owned()))
}

/// The digest of the manifest for `platform`, `linux/amd64`, in an index.
fn choose(index: &Value, platform: &str) -> Option<String> {
    let manifests = index.get("manifests")?.as_array()?;
    let fits = |manifest: &&Value| {
        let part = |key: &str| manifest.pointer(key).and_then(Value::as_str);
        let (os, machine) = (part("/platform/os"), part("/platform/architecture"));
        matches!((os, machine), (Some(os), Some(machine)) if format!("{os}/{machine}") == platform)
    };
    let digest = manifests.iter().find(fits)?.get("digest")?.as_str()?;
    Some(digest.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_registrys_own_word_means_free() {
        assert!(is_unknown(
            br#"{"errors":[{"code":"MANIFEST_UNKNOWN","message":"x"}]}"#
        ));
        assert!(is_unknown(br#"{"errors":[{"code":"NAME_UNKNOWN"}]}"#));
        for body in [
            &b"<html>not found</html>"[..],
            b"",
            br#"{"errors":[{"code":"UNAUTHORIZED"}]}"#,
            br#"{"errors":[]}"#,
        ] {
            assert!(!is_unknown(body));
        }
    }

    #[test]
    fn a_reference_is_read_as_docker_reads_it() {
        for (reference, wanted) in [
            ("localhost:5000/a/b:1", ("localhost:5000", "a/b", "1")),
            ("gcr.io/a/b", ("gcr.io", "a/b", "latest")),
            ("a/b:1", (DOCKER_HUB, "a/b", "1")),
            ("docker.io/library/b:1", (DOCKER_HUB, "library/b", "1")),
            ("b", (DOCKER_HUB, "library/b", "latest")),
            ("gcr.io/a/b:1@sha256:aa", ("gcr.io", "a/b", "sha256:aa")),
        ] {
            let (host, path, tag) = parts(reference);
            assert_eq!((host.as_str(), path.as_str(), tag.as_str()), wanted);
        }
    }

    #[test]
    fn an_index_is_read_for_the_platform() {
        let index = serde_json::json!({"manifests": [
            {"digest": "sha256:a", "platform": {"os": "linux", "architecture": "arm64"}},
            {"digest": "sha256:b", "platform": {"os": "linux", "architecture": "amd64"}},
            {"digest": "sha256:c"},
        ]});
        assert_eq!(choose(&index, "linux/amd64").as_deref(), Some("sha256:b"));
        assert_eq!(choose(&index, "linux/s390x"), None);
    }
}
