//! GET requests to a registry, by curl.

use std::cell::RefCell;
use std::io::Write;
use std::net::IpAddr;
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, bail};

use super::auth;
use super::credentials::{self, Login};

/// An answer of the registry.
pub(crate) struct Answer {
    pub(crate) status: u16,
    /// Names in lower case.
    headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

/// A registry's address, and what was learnt of it so far.
pub(crate) struct Http {
    host: String,
    /// Whether plain HTTP will do.
    plain: bool,
    limit: Duration,
    state: RefCell<State>,
}

#[derive(Default)]
struct State {
    /// `https` or `http`, once one has answered.
    scheme: Option<&'static str>,
    /// Value of the header `Authorization`.
    authorization: Option<String>,
}

impl Http {
    pub(crate) fn new(host: &str, plain: bool, limit: Duration) -> Self {
        Self {
            host: host.to_owned(),
            plain: plain || is_loopback(host),
            limit,
            state: RefCell::default(),
        }
    }

    pub(crate) fn host(&self) -> &str {
        &self.host
    }

    /// Gets `/v2/{path}`, with docker's login for this registry if it asks for
    /// one.
    ///
    /// # Errors
    /// When there is no answer at all; a refusal is an answer.
    pub(crate) fn get(&self, path: &str, accept: &str) -> Result<Answer> {
        let answer = self.try_schemes(path, accept)?;
        let Some(challenge) = answer.header("www-authenticate") else {
            return Ok(answer);
        };
        if answer.status != 401 || self.state.borrow().authorization.is_some() {
            return Ok(answer);
        }
        let login = credentials::login(&self.host)?;
        let authorization = auth::answer(challenge, login.as_ref(), self.limit)?;
        let Some(authorization) = authorization else {
            return Ok(answer);
        };
        self.state.borrow_mut().authorization = Some(authorization);
        self.try_schemes(path, accept)
    }

    /// As docker does it: HTTPS, and for a registry on this machine plain HTTP
    /// when there is no HTTPS.
    fn try_schemes(&self, path: &str, accept: &str) -> Result<Answer> {
        let (known, authorization) = {
            let state = self.state.borrow();
            (state.scheme, state.authorization.clone())
        };
        let schemes: &[&'static str] = match known {
            Some("http") => &["http"],
            Some(_) => &["https"],
            None if self.plain => &["https", "http"],
            None => &["https"],
        };
        let mut trouble = None;
        for scheme in schemes {
            let request = Request {
                url: format!("{scheme}://{}/v2/{path}", self.host),
                headers: vec![("Accept", accept.to_owned())],
                authorization: authorization.clone(),
                insecure: self.plain,
                ..Request::default()
            };
            match request.send(self.limit) {
                Ok(answer) => {
                    self.state.borrow_mut().scheme = Some(scheme);
                    return Ok(answer);
                }
                Err(error) => trouble = Some(error),
            }
        }
        let trouble = trouble.context("no way to ask")?;
        Err(trouble.context(format!(
            "the registry {} does not answer, which does not mean that a tag is free",
            self.host
        )))
    }
}

impl Answer {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let mut headers = self.headers.iter();
        headers
            .find(|(key, _)| key == name)
            .map(|(_, value)| value.as_str())
    }

    /// The digest of what was asked for.
    pub(crate) fn digest(&self) -> Option<String> {
        self.header("docker-content-digest").map(str::to_owned)
    }

    fn parse(mut bytes: &[u8]) -> Option<Self> {
        loop {
            let end = bytes.windows(4).position(|window| window == b"\r\n\r\n")?;
            let head = std::str::from_utf8(bytes.get(..end)?).ok()?;
            let body = bytes.get(end + 4..)?;
            let mut lines = head.lines();
            let status: u16 = lines.next()?.split(' ').nth(1)?.parse().ok()?;
            // What a proxy said before it let the request through.
            let tunnel = status < 200 || (status == 200 && body.starts_with(b"HTTP/"));
            if tunnel {
                bytes = body;
                continue;
            }
            let header = |line: &str| {
                let (name, value) = line.split_once(':')?;
                Some((name.to_lowercase(), value.trim().to_owned()))
            };
            return Some(Self {
                status,
                headers: lines.filter_map(header).collect(),
                body: body.to_vec(),
            });
        }
    }
}

/// A request. Everything secret reaches curl by stdin, not by its command line.
#[derive(Default)]
pub(crate) struct Request {
    pub(crate) url: String,
    pub(crate) headers: Vec<(&'static str, String)>,
    pub(crate) authorization: Option<String>,
    /// Name and password.
    pub(crate) user: Option<Login>,
    /// Makes it a POST of a form.
    pub(crate) form: Vec<(&'static str, String)>,
    pub(crate) insecure: bool,
}

impl Request {
    /// Sends it and waits for the answer.
    ///
    /// # Errors
    /// When curl is missing, or nobody answers within `limit`.
    pub(crate) fn send(&self, limit: Duration) -> Result<Answer> {
        let mut curl = Command::new("curl");
        // `-q` first: a curlrc could change everything.
        curl.args(["-q", "--config", "-"]);
        curl.stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let child = curl.spawn();
        let mut child =
            child.context("cannot run curl, which asks the registry what it holds; install it")?;
        let config = self.config(limit);
        if let Some(mut stdin) = child.stdin.take() {
            // A curl that ends early says why itself.
            let _ = stdin.write_all(config.as_bytes());
        }
        let output = child.wait_with_output()?;
        if !output.status.success() {
            let said = String::from_utf8_lossy(&output.stderr);
            bail!("{}", said.trim());
        }
        Answer::parse(&output.stdout).context("it does not answer in HTTP")
    }

    fn config(&self, limit: Duration) -> String {
        let mut config = String::from("silent\nshow-error\ninclude\nlocation\nhttp1.1\n");
        let mut option = |name: &str, value: &str| {
            let value = value.replace('\\', "\\\\").replace('"', "\\\"");
            config.push_str(&format!(
                "{name} = \"{}\"\n",
                value.replace(['\r', '\n'], "")
            ));
        };
        option("url", &self.url);
        option("max-time", &limit.as_secs().max(1).to_string());
        option("connect-timeout", "10");
        for (name, value) in &self.headers {
            option("header", &format!("{name}: {value}"));
        }
        if let Some(authorization) = &self.authorization {
            option("header", &format!("Authorization: {authorization}"));
        }
        if let Some(login) = &self.user {
            option("user", &format!("{}:{}", login.name, login.secret));
        }
        for (name, value) in &self.form {
            option("data-urlencode", &format!("{name}={value}"));
        }
        if self.insecure {
            config.push_str("insecure\n");
        }
        config
    }
}

/// Whether docker would fall back to plain HTTP for this HOST or HOST:PORT.
fn is_loopback(host: &str) -> bool {
    let name = host.rsplit_once(':').map_or(host, |(name, _)| name);
    let address = name.trim_matches(['[', ']']).parse::<IpAddr>();
    name == "localhost" || address.is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn loopback_alone_may_speak_plain_http() {
        for host in ["localhost", "localhost:5000", "127.0.0.1:1", "127.9.9.9"] {
            assert!(is_loopback(host), "{host}");
        }
        for host in ["gcr.io", "localhost.evil.org", "10.0.0.1:5000"] {
            assert!(!is_loopback(host), "{host}");
        }
    }

    #[test]
    fn a_secret_cannot_break_out_of_the_configuration() {
        let request = Request {
            user: Some(Login {
                name: "me".to_owned(),
                secret: "a\"\nurl = \"http://x".to_owned(),
            }),
            ..Request::default()
        };
        let config = request.config(Duration::from_secs(1));
        assert_eq!(
            config
                .lines()
                .filter(|line| line.starts_with("url"))
                .count(),
            1
        );
        assert!(
            config.contains(r#"user = "me:a\"url = \"http://x""#),
            "{config}"
        );
    }

    #[test]
    fn the_last_answer_counts() {
        let bytes = b"HTTP/1.1 200 Connection established\r\n\r\nHTTP/1.1 404 Not Found\r\n\
            Docker-Content-Digest: sha256:aa\r\n\r\nbody";
        let answer = Answer::parse(bytes).unwrap();
        assert_eq!(answer.status, 404);
        assert_eq!(answer.digest().as_deref(), Some("sha256:aa"));
        assert_eq!(answer.body, b"body");
    }
}
