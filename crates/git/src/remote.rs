//! Where a repository is, and who asks for it.

use std::fmt;
use std::path::{Path, PathBuf};

use reqwest::Url;
use secrecy::{ExposeSecret, SecretString};

use crate::Error;

/// The user beside a token where none is named: servers that take a token alone
/// ignore the user, but want one.
const ANY_USER: &str = "git";

/// A repository at an `https://` or `http://` address. What it prints has no
/// credentials.
#[derive(Clone)]
pub struct Remote {
    url: Url,
    user: Option<String>,
    token: Option<SecretString>,
    certificates: Option<PathBuf>,
}

impl Remote {
    /// A repository at this address. A user and a token in it are taken out, and used
    /// when the server asks for them.
    ///
    /// # Errors
    ///
    /// [`Error::Url`] when it is no such address.
    pub fn new(address: &str) -> Result<Self, Error> {
        let address = address.trim();
        check_scheme(address)?;
        // The parser's words never repeat the address.
        let mut url = Url::parse(address).map_err(|e| Error::Url(e.to_string()))?;
        if url.host_str().is_none_or(str::is_empty) {
            return refuse("it has no host");
        }
        if url.query().is_some() || url.fragment().is_some() {
            return refuse("it must not have a '?' or '#'");
        }
        let user = Some(decoded(url.username())).filter(|user| !user.is_empty());
        let token = url.password().map(decoded).filter(|t| !t.is_empty());
        // They fail for addresses without a host alone.
        let _ = url.set_password(None);
        let _ = url.set_username("");
        Ok(Self {
            url,
            user,
            token: token.map(SecretString::from),
            certificates: None,
        })
    }

    /// Takes this user, and this token or password, instead of those in the address.
    #[must_use]
    pub fn with_credentials(mut self, user: Option<String>, token: Option<SecretString>) -> Self {
        self.user = user.or(self.user);
        self.token = token.or(self.token);
        self
    }

    /// Trusts the certificates of this PEM file besides the public authorities.
    #[must_use]
    pub fn with_certificates(mut self, file: PathBuf) -> Self {
        self.certificates = Some(file);
        self
    }

    /// The user and the token, if there is one. A user in the address without a token
    /// may be the token itself: other than the usual `git`, it is used as such.
    pub fn credentials(&self) -> Option<(&str, &str)> {
        match (self.user.as_deref(), &self.token) {
            (user, Some(token)) => Some((user.unwrap_or(ANY_USER), token.expose_secret())),
            (Some(ANY_USER) | None, None) => None,
            (Some(user), None) => Some((user, "")),
        }
    }

    /// Whether a token would go over the network in clear text.
    pub fn is_clear_text(&self) -> bool {
        let host = self.url.host_str().unwrap_or_default();
        let is_local = host == "localhost" || host.starts_with("127.") || host == "[::1]";
        self.url.scheme() == "http" && !is_local
    }

    pub(crate) fn url(&self) -> &Url {
        &self.url
    }

    pub(crate) fn certificates(&self) -> Option<&Path> {
        self.certificates.as_deref()
    }
}

impl fmt::Debug for Remote {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Remote").field(&self.to_string()).finish()
    }
}

impl fmt::Display for Remote {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.url.as_str().trim_end_matches('/'))
    }
}

fn refuse<T>(reason: &str) -> Result<T, Error> {
    Err(Error::Url(reason.to_owned()))
}

fn check_scheme(address: &str) -> Result<(), Error> {
    let Some((scheme, _)) = address.split_once("://") else {
        let host = address.split('/').next().unwrap_or_default();
        return refuse(match host.contains(':') {
            true => SSH,
            false => "it is no address as https://git.example/team/repository.git",
        });
    };
    match scheme.to_ascii_lowercase().as_str() {
        "https" | "http" => Ok(()),
        "ssh" | "git+ssh" | "ssh+git" => refuse(SSH),
        "git" => refuse("git:// is not encrypted and takes no token: give its https:// address"),
        "file" => refuse("it names a local folder: give its files as a folder"),
        _ => refuse("only https:// and http:// are known"),
    }
}

const SSH: &str = "ssh needs a program and a key: give the https:// address, and for a private \
    repository a token that may read it, such as a deploy token";

fn decoded(text: &str) -> String {
    let bytes: Vec<u8> = percent_encoding::percent_decode_str(text).collect();
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_taken_as_existing_pipelines_write_them() {
        for (address, shown, credentials) in [
            (
                "https://git@github.com:/team/repository.git",
                "https://github.com/team/repository.git",
                None,
            ),
            ("HTTP://h:80/r/", "http://h/r", None),
            (
                "https://ann:p%40ss@h:8443/r",
                "https://h:8443/r",
                Some(("ann", "p@ss")),
            ),
            ("https://t0ken@h/r", "https://h/r", Some(("t0ken", ""))),
            (
                " https://:t0ken@h/r\n",
                "https://h/r",
                Some(("git", "t0ken")),
            ),
        ] {
            let remote = Remote::new(address).unwrap();
            assert_eq!(remote.to_string(), shown);
            assert_eq!(remote.credentials(), credentials, "{address}");
            let debug = format!("{remote:?}");
            let secrets = ["p@ss", "p%40ss", "t0ken"];
            assert!(!secrets.iter().any(|s| debug.contains(s)), "{debug}");
        }
        let given = Remote::new("https://git@h/r")
            .unwrap()
            .with_credentials(None, Some("t".into()));
        assert_eq!(given.credentials(), Some(("git", "t")));
    }

    #[test]
    fn other_addresses_are_refused_with_what_to_do() {
        for (address, words) in [
            ("git@github.com:team/repository.git", "deploy token"),
            ("ssh://git@h/r", "deploy token"),
            ("file:///srv/r", "folder"),
            ("git://h/r", "https://"),
            ("ftp://h/r", "only https://"),
            ("repository", "no address"),
            ("../r", "no address"),
            ("https://", "host"),
            ("https://user:s3cret@h:port/r", "port"),
            ("https://h/r?x=1", "'?'"),
        ] {
            let error = Remote::new(address).unwrap_err().to_string();
            assert!(error.contains(words), "{address}: {error}");
            assert!(!error.contains("s3cret"), "{error}");
        }
    }
}
