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
use serde_json::{Map, Value, json};

use crate::descriptor::Secret;

/// Where secrets are looked up.
#[derive(Debug, Clone)]
pub(crate) struct Secrets {
    root: PathBuf,
}

/// A secret as a folder of files.
#[derive(Debug)]
pub(crate) struct Mount {
    /// Where the program sees it.
    pub(crate) path: String,
    /// The content of each file, by its name.
    pub(crate) files: BTreeMap<String, String>,
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
    pub(crate) fn of(root: &Path) -> Self {
        let root = root.to_owned();
        Self { root }
    }

    /// What secrets give to a program, by variable.
    ///
    /// # Errors
    ///
    /// When one has no value here.
    pub(crate) fn variables(&self, secrets: &[Secret]) -> Result<Vec<(String, String)>> {
        let mut variables = Vec::new();
        for secret in secrets {
            if let (Some(variable), Some(key)) = (&secret.env_var, &secret.key) {
                variables.push((variable.clone(), self.get(&secret.name, key)?));
            }
        }
        Ok(variables)
    }

    /// The secret `name` as the manifest that Kubernetes takes.
    ///
    /// # Errors
    ///
    /// When there is no such file, or a key without a value; the error never holds
    /// a value.
    pub(crate) fn manifest(&self, name: &str) -> Result<Value> {
        let data = self.all(name)?.into_iter();
        let data = data.map(|(key, value)| (key, STANDARD.encode(value).into()));
        let data: Map<String, Value> = data.collect();
        Ok(json!({
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": {"name": name},
            "type": "Opaque",
            "data": data,
        }))
    }

    /// All values of the secret `name`, by key.
    ///
    /// # Errors
    ///
    /// As [`Secrets::manifest`].
    pub(crate) fn all(&self, name: &str) -> Result<BTreeMap<String, String>> {
        let (path, manifest) = self.parse(name)?;
        let keys = manifest.string_data.keys().chain(manifest.data.keys());
        let values = keys.map(|key| Ok((key.clone(), manifest.value(&path, key)?)));
        values.collect()
    }

    /// What secrets give to a program as folders of files.
    ///
    /// # Errors
    ///
    /// When one has no values here.
    pub(crate) fn mounts(&self, secrets: &[Secret]) -> Result<Vec<Mount>> {
        let mounts = secrets.iter().filter_map(|secret| {
            let path = secret.mount_path.clone().filter(|path| !path.is_empty())?;
            let files = self.all(&secret.name);
            Some(files.map(|files| Mount { path, files }))
        });
        mounts.collect()
    }

    /// The value of `key` in the secret `name`.
    ///
    /// # Errors
    ///
    /// When there is no such file or key; the error never holds a value.
    pub(crate) fn get(&self, name: &str, key: &str) -> Result<String> {
        let (path, manifest) = self.parse(name)?;
        manifest.value(&path, key)
    }

    fn parse(&self, name: &str) -> Result<(PathBuf, Manifest)> {
        let (path, text) = self.read(name)?;
        // The parser's own words could quote a value.
        let manifest = serde_saphyr::from_str(&text)
            .map_err(|_| anyhow!("{} is not a Kubernetes Secret", path.display()))?;
        Ok((path, manifest))
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

impl Manifest {
    fn value(&self, path: &Path, key: &str) -> Result<String> {
        let value = match (self.string_data.get(key), self.data.get(key)) {
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
