//! Where the master is.

use std::fmt;
use std::str::FromStr;

use reqwest::Url;

use crate::Error;

/// The base address of a master, as `http://localhost:8080` or
/// `https://cluster.example/determined`.
///
/// The rules are those of Determined's own clients: without a scheme it is HTTP
/// on port 8080; with one, the port is that of the scheme; a path stays as a
/// prefix of every request; user names, queries and fragments are refused.
///
/// ```
/// # fn main() -> Result<(), determined::Error> {
/// let address: determined::Address = "master".parse()?;
/// assert_eq!(address.to_string(), "http://master:8080");
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Address(Url);

/// The port of a master whose address names neither scheme nor port.
const DEFAULT_PORT: u16 = 8080;

impl Address {
    /// The URL below the base of a path given as its segments, each of which is
    /// percent-encoded.
    pub(crate) fn join(&self, segments: &[&str]) -> Result<Url, Error> {
        // The URL library drops these two instead of encoding them.
        if let Some(segment) = segments.iter().find(|s| matches!(**s, "." | ".." | "")) {
            return Err(Error::setting(
                "name",
                segment,
                "it cannot be part of a URL",
            ));
        }
        let mut url = self.0.clone();
        if let Ok(mut path) = url.path_segments_mut() {
            path.pop_if_empty().extend(segments);
        }
        Ok(url)
    }
}

impl FromStr for Address {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let refuse = |reason: &str| Error::setting("master address", text, reason);
        let trimmed = text.trim();
        let (scheme, rest) = match trimmed.split_once("://") {
            Some((scheme, rest)) => (Some(scheme.to_ascii_lowercase()), rest),
            None => (None, trimmed),
        };
        if !matches!(scheme.as_deref(), None | Some("http" | "https")) {
            return Err(refuse("the scheme must be http or https"));
        }
        // An address with a password in it is not repeated in the error.
        let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
        if authority.contains('@') {
            let reason = "it must not hold a user name; set the user apart from the address";
            return Err(Error::setting("master address", "…@…", reason));
        }
        let spelled = format!("{}://{rest}", scheme.as_deref().unwrap_or("http"));
        let mut url = Url::parse(&spelled).map_err(|e| refuse(&e.to_string()))?;
        if url.query().is_some() || url.fragment().is_some() {
            return Err(refuse("it must not hold a query or a fragment"));
        }
        if url.host_str().is_none_or(str::is_empty) {
            return Err(refuse("it names no host"));
        }
        if scheme.is_none() && !has_port(authority) {
            let _ = url.set_port(Some(DEFAULT_PORT));
        }
        let path = url.path().trim_end_matches('/').to_owned();
        url.set_path(&path);
        Ok(Self(url))
    }
}

/// The parsed URL does not tell `host` from `host:80`.
fn has_port(authority: &str) -> bool {
    let after_host = authority.rsplit(']').next().unwrap_or(authority);
    after_host.contains(':')
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.as_str().trim_end_matches('/'))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_completed_as_determined_does() {
        for (given, want) in [
            ("host", "http://host:8080"),
            ("host:8080", "http://host:8080"),
            ("host:80", "http://host"),
            ("host:443", "http://host:443"),
            ("http://host", "http://host"),
            ("https://host/", "https://host"),
            ("https://h:8443/base/", "https://h:8443/base"),
            ("HTTPS://h/a/b//", "https://h/a/b"),
            ("host/prefix", "http://host:8080/prefix"),
            ("[::1]", "http://[::1]:8080"),
            ("[::1]:9", "http://[::1]:9"),
        ] {
            assert_eq!(
                given.parse::<Address>().unwrap().to_string(),
                want,
                "{given}"
            );
        }
    }

    #[test]
    fn refusals_say_why_and_show_no_password() {
        for (given, word) in [
            ("", "empty host"),
            ("ftp://host", "http or https"),
            ("http://", "empty host"),
            ("http://host?x=1", "query"),
            ("host#x", "fragment"),
            ("http://user:hunter2@host", "user name"),
            ("http://host:99999", "port"),
        ] {
            let message = given.parse::<Address>().unwrap_err().to_string();
            assert!(message.contains(word), "{given}: {message}");
            assert!(!message.contains("hunter2"), "{message}");
        }
    }

    #[test]
    fn segments_are_encoded_below_the_prefix() {
        let address: Address = "https://h/base".parse().unwrap();
        let url = address.join(&["api", "v1", "models", "a b%/ü"]).unwrap();
        assert_eq!(
            url.as_str(),
            "https://h/base/api/v1/models/a%20b%25%2F%C3%BC"
        );
        assert!(address.join(&["models", ".."]).is_err());
        let root: Address = "h".parse().unwrap();
        assert_eq!(root.join(&["info"]).unwrap().as_str(), "http://h:8080/info");
    }
}
