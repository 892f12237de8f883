//! Sending requests: login, repetition, decoding.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use reqwest::header::{ACCEPT, ACCEPT_ENCODING};
use reqwest::{RequestBuilder, Response};
use secrecy::{ExposeSecret, SecretString};
use serde::de::DeserializeOwned;
use tokio::sync::Mutex;

use crate::call::Call;
use crate::login::{LoginRequest, LoginResponse, hashed};
use crate::wire::Page;
use crate::{Address, Credentials, Error, Retry, Settings};

/// How many items are asked for at once: each version and checkpoint embeds a
/// whole experiment configuration, and the master refuses answers over 128 MiB.
const PAGE_SIZE: u64 = 100;

/// The header of an allocation's token (`determined.md` §9).
const ALLOCATION: &str = "Grpc-Metadata-x-allocation-token";

/// A connection to a master, cheap to clone. See the [crate's page](crate) for an
/// example.
#[derive(Clone)]
pub struct Client {
    shared: Arc<Shared>,
}

struct Shared {
    http: reqwest::Client,
    address: Address,
    credentials: Credentials,
    token: Mutex<Option<SecretString>>,
    retry: Retry,
    timeout: Duration,
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client")
            .field("address", &self.shared.address)
            .field("credentials", &self.shared.credentials)
            .finish_non_exhaustive()
    }
}

impl Client {
    /// Prepares a client. Nothing is sent yet.
    ///
    /// # Errors
    ///
    /// When the certificate file or name cannot be used.
    pub fn new(settings: Settings) -> Result<Self, Error> {
        let http = reqwest::Client::builder()
            .tls_backend_preconfigured(settings.tls.client_config()?)
            .connect_timeout(Duration::from_secs(10))
            .user_agent(concat!("pachyderm-seldon/", env!("CARGO_PKG_VERSION")))
            // The API answers no request with a redirect; a proxy's login page
            // must not get the token.
            .redirect(reqwest::redirect::Policy::none())
            .build()
            .map_err(|e| Error::setting("HTTP client", "", e.to_string()))?;
        let token = match &settings.credentials {
            Credentials::Token(token) | Credentials::Allocation(token) => Some(token.clone()),
            Credentials::Password { .. } => None,
        };
        let shared = Shared {
            http,
            address: settings.address,
            credentials: settings.credentials,
            token: Mutex::new(token),
            retry: settings.retry,
            timeout: settings.timeout,
        };
        Ok(Self {
            shared: Arc::new(shared),
        })
    }

    /// The master's address.
    pub fn address(&self) -> &Address {
        &self.shared.address
    }

    /// When a request is repeated.
    pub(crate) fn retry(&self) -> Retry {
        self.shared.retry
    }

    /// How long an answer may take.
    pub(crate) fn patience(&self) -> Duration {
        self.shared.timeout
    }

    /// Sends a call and decodes the answer.
    pub(crate) async fn fetch<T: DeserializeOwned>(&self, call: &Call) -> Result<T, Error> {
        match self.repeat(call).await? {
            Reply::Whole(body) => decode(call, &body),
            Reply::Stream(_) => Err(call.unexpected("it is a stream")),
        }
    }

    /// Sends a call for a stream and leaves the answer's body to be read.
    pub(crate) async fn open(&self, call: &Call) -> Result<Response, Error> {
        match self.repeat(call).await? {
            Reply::Stream(response) => Ok(response),
            Reply::Whole(_) => Err(call.unexpected("it is no stream")),
        }
    }

    /// All items of a paged list, or those up to and with the first for which
    /// `enough` holds.
    pub(crate) async fn pages<P: Page>(
        &self,
        call: impl Fn() -> Call,
        mut enough: impl FnMut(&P::Item) -> bool,
    ) -> Result<Vec<P::Item>, Error> {
        let mut items = Vec::new();
        let mut offset = 0;
        loop {
            let page = call()
                .query("offset", offset.to_string())
                .query("limit", PAGE_SIZE.to_string());
            let (found, place) = self.fetch::<P>(&page).await?.into_parts();
            let done = found.is_empty() || place.end_index >= place.total;
            for item in found {
                let last = enough(&item);
                items.push(item);
                if last {
                    return Ok(items);
                }
            }
            if done || place.end_index <= offset {
                return Ok(items);
            }
            offset = place.end_index;
        }
    }

    /// Sends a call until it succeeds, may not be repeated, or was repeated
    /// enough. A 401 leads to one new login: a request refused so did nothing.
    async fn repeat(&self, call: &Call) -> Result<Reply, Error> {
        let Retry { attempts, pause } = self.shared.retry;
        let (mut pause, mut attempt, mut logged_in_anew) = (pause, 1, false);
        loop {
            match self.with_login(call).await {
                Err(Error::Unauthenticated(_)) if !logged_in_anew && self.can_log_in() => {
                    logged_in_anew = true;
                }
                Err(error) if error.is_transient() && attempt < attempts => {
                    tracing::debug!("{error}; trying again in {pause:?}");
                    tokio::time::sleep(pause).await;
                    pause *= 2;
                    attempt += 1;
                }
                outcome => return outcome,
            }
        }
    }

    async fn with_login(&self, call: &Call) -> Result<Reply, Error> {
        let token = self.token().await?;
        let reply = self.once(call, Some(&token)).await;
        if matches!(reply, Err(Error::Unauthenticated(_))) {
            self.forget(&token).await;
        }
        reply
    }

    async fn once(&self, call: &Call, token: Option<&SecretString>) -> Result<Reply, Error> {
        let segments: Vec<&str> = call.path.iter().map(String::as_str).collect();
        let url = self.shared.address.join(&segments)?;
        let mut request = self
            .shared
            .http
            .request(call.method.clone(), url)
            .query(&call.query)
            .header(ACCEPT, call.accept)
            .header(ACCEPT_ENCODING, "identity");
        if !call.stream {
            request = request.timeout(call.timeout.unwrap_or(self.shared.timeout));
        }
        if let Some(token) = token {
            request = self.authorised(request, token);
        }
        if let Some(body) = &call.body {
            request = request.json(body);
        }
        let response = request.send().await.map_err(|e| call.broken(e))?;
        let status = response.status();
        if call.stream && status.is_success() {
            return Ok(Reply::Stream(response));
        }
        let body = response.bytes().await.map_err(|e| call.broken(e))?;
        if !status.is_success() {
            return Err(call.refused(status, &body));
        }
        Ok(Reply::Whole(body.into()))
    }

    fn authorised(&self, request: RequestBuilder, token: &SecretString) -> RequestBuilder {
        let token = token.expose_secret();
        match &self.shared.credentials {
            Credentials::Allocation(_) => request.header(ALLOCATION, format!("Bearer {token}")),
            _ => request.bearer_auth(token),
        }
    }

    fn can_log_in(&self) -> bool {
        matches!(self.shared.credentials, Credentials::Password { .. })
    }

    /// The token to use, after logging in if there is none.
    async fn token(&self) -> Result<SecretString, Error> {
        let mut held = self.shared.token.lock().await;
        if let Some(token) = held.as_ref() {
            return Ok(token.clone());
        }
        let Credentials::Password { user, password } = &self.shared.credentials else {
            return Err(Error::setting("token", "", "there is none"));
        };
        let body = LoginRequest {
            username: user,
            password: hashed(password),
            is_hashed: true,
        };
        // Two tokens do no harm.
        let call = Call::post(&["auth", "login"]).body(&body)?.repeatable();
        let response: LoginResponse = match self.once(&call, None).await? {
            Reply::Whole(body) => decode(&call, &body)?,
            Reply::Stream(_) => return Err(call.unexpected("it is a stream")),
        };
        *held = Some(response.token.clone());
        Ok(response.token)
    }

    /// Drops a token that was refused, unless another task has a new one already.
    async fn forget(&self, refused: &SecretString) {
        let mut held = self.shared.token.lock().await;
        let is_refused = held
            .as_ref()
            .is_some_and(|token| token.expose_secret() == refused.expose_secret());
        if is_refused && self.can_log_in() {
            *held = None;
        }
    }
}

/// An answer that is a success.
enum Reply {
    Whole(Vec<u8>),
    Stream(Response),
}

fn decode<T: DeserializeOwned>(call: &Call, body: &[u8]) -> Result<T, Error> {
    serde_json::from_slice(body).map_err(|e| call.unexpected(e))
}
