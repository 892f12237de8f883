//! Secrets from the developer's own files, in the shape of a Kubernetes Secret.
//!
//! The values lie in `.local/secrets/<name>.yaml` (or `.json`), which git ignores;
//! `pipelines/secrets/<name>.yaml` is the template that is shared.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, anyhow, bail};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;

use crate::descriptor::Secret;

/// Where secrets are looked up.
#[derive(Debug, Clone)]
pub(super) struct Secrets {
    root: PathBuf,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Manifest {
    #[serde(default)]
    string_data: BTreeMap<String, String>,
    #[serde(default)]
    data: BTreeMap<String, String>,
}

impl Secrets {
    pub(super) fn of(root: &Path) -> Self {
        let root = root.to_owned();
        Self { root }
    }

    /// What secrets give to a program, by variable.
    ///
    /// # Errors
    ///
    /// When one has no value here.
    pub(super) fn variables(&self, secrets: &[Secret]) -> Result<Vec<(String, String)>> {
        let mut variables = Vec::new();
        for secret in secrets {
            if let (Some(variable), Some(key)) = (&secret.env_var, &secret.key) {
                variables.push((variable.clone(), self.get(&secret.name, key)?));
            }
        }
        Ok(variables)
    }

    /// The value of `key` in the secret `name`.
    ///
    /// # Errors
    ///
    /// When there is no such file or key; the error never holds a value.
    pub(super) fn get(&self, name: &str, key: &str) -> Result<String> {
        let (path, text) = self.read(name)?;
        // The parser's own words could quote a value.
        let manifest: Manifest = serde_saphyr::from_str(&text)
            .map_err(|_| anyhow!("{} is not a Kubernetes Secret", path.display()))?;
        let value = match (manifest.string_data.get(key), manifest.data.get(key)) {
            (Some(text), _) => text.clone(),
            (None, Some(encoded)) => {
                let bytes = STANDARD.decode(encoded).ok();
                let text = bytes.and_then(|bytes| String::from_utf8(bytes).ok());
                text.with_context(|| format!("{}: {key:?} is not base64 text", path.display()))?
            }
            (None, None) => bail!("{} has no key {key:?}", path.display()),
        };
        if value.is_empty() {
            bail!("{}: {key:?} is empty; fill it in", path.display());
        }
        Ok(value)
    }

    fn read(&self, name: &str) -> Result<(PathBuf, String)> {
        let folder = self.root.join(".local/secrets");
        for end in ["yaml", "yml", "json"] {
            let path = folder.join(format!("{name}.{end}"));
            match fs::read_to_string(&path) {
                Ok(text) => return Ok((path, text)),
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
                Err(error) => {
                    return Err(error).with_context(|| format!("cannot read {}", path.display()));
                }
            }
        }
        let template = self
            .root
            .join("pipelines/secrets")
            .join(format!("{name}.yaml"));
        let wanted = folder.join(format!("{name}.yaml"));
        if template.is_file() {
            bail!(
                "the secret {name:?} has no values here; copy {} to {} and fill it in",
                template.display(),
                wanted.display()
            );
        }
        bail!(
            "the secret {name:?} has no values here; write it to {} as a Kubernetes Secret",
            wanted.display()
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_ways_of_writing_a_value() {
        let root = tempfile::tempdir().unwrap();
        let folder = root.path().join(".local/secrets");
        fs::create_dir_all(&folder).unwrap();
        let text = "kind: Secret\nstringData: {user: me, none: ''}\ndata: {password: c2VjcmV0, bad: '*'}\n";
        fs::write(folder.join("s.yaml"), text).unwrap();
        let secrets = Secrets::of(root.path());
        assert_eq!(secrets.get("s", "user").unwrap(), "me");
        assert_eq!(secrets.get("s", "password").unwrap(), "secret");
        for key in ["none", "bad", "other"] {
            let error = secrets.get("s", key).unwrap_err().to_string();
            assert!(error.contains(key), "{error}");
        }
    }

    #[test]
    fn a_missing_secret_says_what_to_do() {
        let root = tempfile::tempdir().unwrap();
        let secrets = Secrets::of(root.path());
        let error = secrets.get("s", "k").unwrap_err().to_string();
        assert!(error.contains("write it to"), "{error}");
        fs::create_dir_all(root.path().join("pipelines/secrets")).unwrap();
        fs::write(root.path().join("pipelines/secrets/s.yaml"), "").unwrap();
        let error = secrets.get("s", "k").unwrap_err().to_string();
        assert!(error.contains("copy"), "{error}");
    }
}
