//! The logins that docker keeps: read where it keeps them, stored nowhere else.

use std::env;
use std::fmt;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

/// A name and a password, or `<token>` and an identity token.
#[derive(Clone)]
pub(crate) struct Login {
    pub(crate) name: String,
    pub(crate) secret: String,
}

impl fmt::Debug for Login {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Login({:?}, secret)", self.name)
    }
}

/// The login for a registry, HOST or HOST:PORT, if docker (or podman) has one.
///
/// # Errors
/// When the configuration is damaged, or its helper fails.
pub(crate) fn login(host: &str) -> Result<Option<Login>> {
    // The name under which docker keeps the login for its own registry.
    let host = match host {
        "registry-1.docker.io" => "https://index.docker.io/v1/",
        host => host,
    };
    for path in files() {
        let Ok(text) = fs::read_to_string(&path) else {
            continue;
        };
        let config: Value = serde_json::from_str(&text)
            .with_context(|| format!("{} is not JSON", path.display()))?;
        if let Some(login) = from(&config, host)? {
            return Ok(Some(login));
        }
    }
    Ok(None)
}

/// docker's file, then podman's.
fn files() -> Vec<PathBuf> {
    let variable = |name: &str| env::var_os(name).map(PathBuf::from);
    let docker = variable("DOCKER_CONFIG").or_else(|| Some(env::home_dir()?.join(".docker")));
    let podman = variable("REGISTRY_AUTH_FILE")
        .or_else(|| Some(variable("XDG_RUNTIME_DIR")?.join("containers/auth.json")));
    let docker = docker.map(|folder| folder.join("config.json"));
    docker.into_iter().chain(podman).collect()
}

fn from(config: &Value, host: &str) -> Result<Option<Login>> {
    let helper = config
        .get("credHelpers")
        .and_then(|helpers| helpers.get(host))
        .or_else(|| config.get("credsStore"))
        .and_then(Value::as_str);
    if let Some(helper) = helper {
        return ask(helper, host);
    }
    let Some(auth) = config.get("auths").and_then(|auths| entry(auths, host)) else {
        return Ok(None);
    };
    let text = |key: &str| auth.get(key).and_then(Value::as_str);
    if let Some(token) = text("identitytoken").filter(|token| !token.is_empty()) {
        return Ok(Some(Login {
            name: "<token>".to_owned(),
            secret: token.to_owned(),
        }));
    }
    let Some(encoded) = text("auth").filter(|auth| !auth.is_empty()) else {
        return Ok(None);
    };
    let decoded = STANDARD
        .decode(encoded)
        .ok()
        .and_then(|bytes| String::from_utf8(bytes).ok());
    let decoded = decoded.with_context(|| format!("docker's login for {host} is damaged"))?;
    Ok(decoded.split_once(':').map(|(name, secret)| Login {
        name: name.to_owned(),
        secret: secret.to_owned(),
    }))
}

/// The entry of a host, which older logins wrote as a URL.
fn entry<'a>(auths: &'a Value, host: &str) -> Option<&'a Value> {
    let auths = auths.as_object()?;
    let plain = |key: &str| {
        let key = key
            .trim_start_matches("https://")
            .trim_start_matches("http://");
        key.split('/').next() == Some(host)
    };
    let exact = auths.get(host);
    exact.or_else(|| {
        auths
            .iter()
            .find(|(key, _)| plain(key))
            .map(|(_, value)| value)
    })
}

/// Asks `docker-credential-HELPER`, as docker does.
fn ask(helper: &str, host: &str) -> Result<Option<Login>> {
    let program = format!("docker-credential-{helper}");
    let mut child = Command::new(Path::new(&program))
        .arg("get")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .with_context(|| format!("cannot run {program}, which docker's configuration names"))?;
    if let Some(mut stdin) = child.stdin.take() {
        stdin.write_all(host.as_bytes())?;
    }
    let output = child.wait_with_output()?;
    // It fails when it knows no login.
    if !output.status.success() {
        return Ok(None);
    }
    let answer: Value = serde_json::from_slice(&output.stdout)
        .with_context(|| format!("{program} does not answer with JSON"))?;
    let text = |key: &str| answer.get(key).and_then(Value::as_str).map(str::to_owned);
    Ok(text("Username")
        .zip(text("Secret"))
        .map(|(name, secret)| Login { name, secret }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_docker_login_writes() {
        let config = serde_json::json!({"auths": {
            "localhost:5000": {"auth": "bWU6cHc6eA=="},
            "https://index.docker.io/v1/": {"auth": "YTpi"},
            "token.io": {"auth": "", "identitytoken": "t"},
            "none.io": {},
        }});
        let login = |host: &str| {
            let login = from(&config, host).unwrap();
            login.map(|login| format!("{} {}", login.name, login.secret))
        };
        assert_eq!(login("localhost:5000").as_deref(), Some("me pw:x"));
        assert_eq!(login("index.docker.io").as_deref(), Some("a b"));
        assert_eq!(login("token.io").as_deref(), Some("<token> t"));
        assert_eq!(login("none.io"), None);
        assert_eq!(login("localhost"), None);
    }

    #[test]
    fn a_login_does_not_show_its_secret() {
        let login = Login {
            name: "me".to_owned(),
            secret: "hidden".to_owned(),
        };
        assert_eq!(format!("{login:?}"), "Login(\"me\", secret)");
    }
}
