//! Tokens by OpenID Connect client credentials.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use reqwest::Client;
use reqwest::header::{ACCEPT, CONTENT_TYPE};
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use serde_json::Value;

use crate::json::text;
use crate::target::TargetError;

/// A token is renewed this long before it expires; a token of shorter life, at
/// half of it.
const MARGIN: Duration = Duration::from_secs(30);

/// The scopes of the public client.
const FORM: &str = "grant_type=client_credentials&scope=openid+profile+email+groups";

/// Who we are to Seldon Deploy.
#[derive(Debug, Clone)]
pub struct Credentials {
    /// The platform, as `https://seldon.example`.
    pub url: String,
    /// The OpenID Connect issuer.
    pub issuer: String,
    /// The client.
    pub client_id: String,
    /// Its secret.
    pub secret: SecretString,
}

/// The tokens of one client.
#[derive(Debug)]
pub(super) struct Tokens {
    http: Client,
    credentials: Credentials,
    current: Mutex<Option<Token>>,
}

#[derive(Debug, Clone)]
struct Token {
    bearer: SecretString,
    renew_at: Instant,
}

/// The reply of the token endpoint (RFC 6749, 5.1; OpenID Connect Core, 3.1.3.3).
#[derive(Deserialize)]
struct Reply {
    id_token: Option<SecretString>,
    access_token: Option<SecretString>,
    expires_in: Option<u64>,
}

impl Tokens {
    pub(super) fn new(http: Client, credentials: Credentials) -> Self {
        Self {
            http,
            credentials,
            current: Mutex::new(None),
        }
    }

    pub(super) fn url(&self) -> &str {
        self.credentials.url.trim_end_matches('/')
    }

    /// A token that is good for a while.
    pub(super) async fn bearer(&self) -> Result<SecretString, TargetError> {
        let current = self.lock().clone();
        match current {
            Some(token) if Instant::now() < token.renew_at => Ok(token.bearer),
            _ => self.renew().await,
        }
    }

    /// A new token, also when the old one ought to be good.
    pub(super) async fn renew(&self) -> Result<SecretString, TargetError> {
        let endpoint = self.endpoint().await?;
        let Credentials {
            client_id, secret, ..
        } = &self.credentials;
        let request = self
            .http
            .post(&endpoint)
            .header(
                CONTENT_TYPE,
                "application/x-www-form-urlencoded;charset=UTF-8",
            )
            .header(ACCEPT, "application/json")
            .basic_auth(client_id, Some(secret.expose_secret()))
            .body(FORM);
        let body = self.send("get a token", request).await?;
        let reply: Option<Reply> = serde_json::from_slice(&body).ok();
        let (bearer, life) = reply
            .and_then(|reply| Some((reply.id_token.or(reply.access_token)?, reply.expires_in)))
            .ok_or_else(|| refused("get a token", format!("{endpoint} gives no token")))?;
        let life = Duration::from_secs(life.unwrap_or(300));
        let token = Token {
            bearer: bearer.clone(),
            renew_at: Instant::now() + life - MARGIN.min(life / 2),
        };
        *self.lock() = Some(token);
        Ok(bearer)
    }

    /// Where tokens are given (OpenID Connect Discovery).
    async fn endpoint(&self) -> Result<String, TargetError> {
        let issuer = self.credentials.issuer.trim_end_matches('/');
        let url = format!("{issuer}/.well-known/openid-configuration");
        let body = self
            .send("find the token endpoint", self.http.get(&url))
            .await?;
        let document: Value = serde_json::from_slice(&body).unwrap_or_default();
        let endpoint = text(&document, "/token_endpoint");
        if endpoint.is_empty() {
            let reason = format!("{url} is no OpenID configuration; give --oidc-issuer");
            return Err(refused("find the token endpoint", reason));
        }
        if issuer.starts_with("https:") && !endpoint.starts_with("https:") {
            let reason = format!("{url} names {endpoint}, to which the secret would go in clear");
            return Err(refused("find the token endpoint", reason));
        }
        Ok(endpoint.to_owned())
    }

    async fn send(
        &self,
        action: &str,
        request: reqwest::RequestBuilder,
    ) -> Result<Vec<u8>, TargetError> {
        let transient = |error: reqwest::Error| TargetError::Transient {
            action: action.to_owned(),
            reason: super::api::reason(&error),
        };
        let reply = request.send().await.map_err(transient)?;
        let status = reply.status();
        let url = reply.url().clone();
        let body = reply.bytes().await.map_err(transient)?;
        if status.is_success() {
            return Ok(body.to_vec());
        }
        let error: Value = serde_json::from_slice(&body).unwrap_or_default();
        let reason = format!(
            "{url} answers {status} {} {}",
            text(&error, "/error"),
            text(&error, "/error_description")
        );
        let reason = reason.trim_end().to_owned();
        let action = action.to_owned();
        Err(match status.as_u16() {
            400 | 401 | 403 => TargetError::Credentials { action, reason },
            408 | 429 | 500.. => TargetError::Transient { action, reason },
            _ => TargetError::Refused { action, reason },
        })
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Option<Token>> {
        // The token is replaced whole: a panic elsewhere leaves it sound.
        self.current.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn refused(action: &str, reason: String) -> TargetError {
    TargetError::Refused {
        action: action.to_owned(),
        reason,
    }
}
