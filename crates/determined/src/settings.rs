//! What a client is made from.

use std::time::Duration;

use crate::{Address, Credentials, Error, Tls};

/// How often and how fast a request without effect is repeated when the master
/// cannot be reached or a proxy answers 502, 503 or 504.
#[derive(Debug, Clone, Copy)]
pub struct Retry {
    /// Attempts in all; 1 repeats nothing.
    pub attempts: u32,
    /// The pause before the second attempt; it doubles each time.
    pub pause: Duration,
}

impl Default for Retry {
    /// As often as the Python SDK: five times, from half a second on.
    fn default() -> Self {
        Self {
            attempts: 5,
            pause: Duration::from_millis(500),
        }
    }
}

/// What a [`Client`](crate::Client) is made from.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The master.
    pub address: Address,
    /// How its certificate is verified.
    pub tls: Tls,
    /// Who talks to it.
    pub credentials: Credentials,
    /// When a request is repeated.
    pub retry: Retry,
    /// How long an answer may take, and a download or upload may stand still.
    pub timeout: Duration,
}

impl Settings {
    /// Settings with public authorities and the usual limits.
    pub fn new(address: Address, credentials: Credentials) -> Self {
        Self {
            address,
            tls: Tls::default(),
            credentials,
            retry: Retry::default(),
            timeout: Duration::from_secs(60),
        }
    }

    /// Settings from variables as Determined's own clients read them: the address
    /// from `DET_MASTER`, else `DET_MASTER_ADDR`, else `localhost:8080`; TLS from
    /// `DET_MASTER_CERT_FILE` and `DET_MASTER_CERT_NAME`; the token
    /// `DET_USER_TOKEN`, or the user `DET_USER` with `DET_PASSWORD` or `DET_PASS`.
    ///
    /// `variable` is usually `|name| std::env::var(name).ok()`.
    ///
    /// # Errors
    ///
    /// When the address is wrong, or there is neither a token nor a user.
    pub fn from_variables(variable: impl Fn(&str) -> Option<String>) -> Result<Self, Error> {
        let get = |name| variable(name).filter(|value| !value.is_empty());
        let address = get("DET_MASTER").or_else(|| get("DET_MASTER_ADDR"));
        let address = address.as_deref().unwrap_or("localhost:8080").parse()?;
        let credentials = match (get("DET_USER_TOKEN"), get("DET_USER")) {
            (Some(token), _) => Credentials::Token(token.into()),
            (None, Some(user)) => Credentials::Password {
                user,
                password: get("DET_PASSWORD")
                    .or_else(|| get("DET_PASS"))
                    .unwrap_or_default()
                    .into(),
            },
            (None, None) => {
                let reason = "set DET_USER and DET_PASSWORD, or DET_USER_TOKEN";
                return Err(Error::setting("user", "", reason));
            }
        };
        let mut settings = Self::new(address, credentials);
        settings.tls = Tls::from_settings(
            get("DET_MASTER_CERT_FILE").as_deref(),
            get("DET_MASTER_CERT_NAME").as_deref(),
        );
        Ok(settings)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use secrecy::ExposeSecret as _;

    fn settings(variables: &[(&str, &str)]) -> Result<Settings, Error> {
        Settings::from_variables(|name| {
            let found = variables.iter().find(|(key, _)| *key == name);
            found.map(|(_, value)| (*value).to_owned())
        })
    }

    #[test]
    fn variables_are_those_of_determineds_own_clients() {
        let from = settings(&[
            ("DET_MASTER_ADDR", "other"),
            ("DET_MASTER", "https://h"),
            ("DET_USER", "ann"),
            ("DET_PASSWORD", "first"),
            ("DET_PASS", "second"),
            ("DET_MASTER_CERT_FILE", "NoVerify"),
        ])
        .unwrap();
        assert_eq!(from.address.to_string(), "https://h");
        assert_eq!(from.tls.trust, crate::Trust::Anything);
        let Credentials::Password { user, password } = from.credentials else {
            panic!("no password")
        };
        assert_eq!((user.as_str(), password.expose_secret()), ("ann", "first"));
        let token = settings(&[("DET_USER", "ann"), ("DET_USER_TOKEN", "t")]).unwrap();
        assert!(matches!(token.credentials, Credentials::Token(_)));
        assert_eq!(token.address.to_string(), "http://localhost:8080");
        assert!(settings(&[]).unwrap_err().to_string().contains("DET_USER"));
    }
}
