//! The server at the other end: TLS, redirects, credentials.

use std::cell::{Cell, RefCell};
use std::error::Error as _;
use std::io;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use reqwest::blocking::{Client, Response};
use reqwest::{StatusCode, Url, redirect};
use rustls::crypto::ring;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, RootCertStore};

use crate::exchange::Request;
use crate::{Error, Remote};

const CONNECT_LIMIT: Duration = Duration::from_secs(10);
/// How long a server may be silent: it may have to pack a large repository first.
const SILENCE_LIMIT: Duration = Duration::from_secs(120);
const MOST_REDIRECTS: usize = 5;

/// What all requests to one server share.
pub(crate) struct Web {
    client: Client,
    remote: Remote,
    /// Whether the server has asked for credentials. Before, it gets none.
    authenticates: Cell<bool>,
    /// Where the server has redirected to.
    base: RefCell<Option<String>>,
    /// The reason behind the last error that was given to gitoxide.
    failure: RefCell<Option<Error>>,
}

impl Web {
    pub(crate) fn new(remote: &Remote) -> Result<Rc<Self>, Error> {
        let client = Client::builder()
            .tls_backend_preconfigured(tls(remote)?)
            .connect_timeout(CONNECT_LIMIT)
            // For each read, not for the whole.
            .timeout(SILENCE_LIMIT)
            .redirect(redirects())
            .build()
            .map_err(|e| Error::Url(e.to_string()))?;
        Ok(Rc::new(Self {
            client,
            remote: remote.clone(),
            authenticates: Cell::new(false),
            base: RefCell::new(None),
            failure: RefCell::new(None),
        }))
    }

    pub(crate) fn remote(&self) -> &Remote {
        &self.remote
    }

    /// Where the first request was redirected to.
    pub(crate) fn base(&self) -> Option<String> {
        self.base.borrow().clone()
    }

    /// The reason of the last failure, if it was one of HTTP.
    pub(crate) fn take_failure(&self) -> Option<Error> {
        self.failure.take()
    }

    /// Keeps the reason, for whoever gets the error from gitoxide.
    pub(crate) fn fail(&self, error: Error) -> io::Error {
        let text = error.to_string();
        self.failure.replace(Some(error));
        io::Error::other(text)
    }

    fn unreachable(&self, error: reqwest::Error) -> Error {
        let error = error.without_url();
        let mut reason = error.to_string();
        let mut source = error.source();
        while let Some(cause) = source {
            reason = format!("{reason}: {cause}");
            source = cause.source();
        }
        Error::Unreachable {
            url: self.remote.to_string(),
            reason,
        }
    }

    fn refusal(&self, status: StatusCode) -> Error {
        let (url, code) = (self.remote.to_string(), status.as_u16());
        let sent = self.authenticates.get();
        match (status, self.remote.credentials()) {
            (StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN, Some((user, token))) if sent => {
                // A user without a token is the token.
                let user = if token.is_empty() { "" } else { user };
                Error::Refused {
                    url,
                    status: code,
                    user: user.to_owned(),
                }
            }
            (StatusCode::UNAUTHORIZED, None) => Error::NoCredentials { url },
            _ => Error::Answer { url, status: code },
        }
    }

    /// Whether credentials for the remote may go to this URL: it redirects to itself
    /// at most, or from http to https.
    fn is_trusted(&self, url: &Url) -> bool {
        let remote = self.remote.url();
        let is_same = remote.origin() == url.origin();
        let is_safer = remote.scheme() == "http" && url.scheme() == "https";
        is_same || (is_safer && remote.host() == url.host())
    }

    fn send(&self, request: &Request, url: &Url) -> Result<Response, Error> {
        let mut builder = request.build(&self.client, url);
        if self.authenticates.get()
            && self.is_trusted(url)
            && let Some((user, token)) = self.remote.credentials()
        {
            builder = builder.basic_auth(user, Some(token));
        }
        builder.send().map_err(|e| self.unreachable(e))
    }

    /// Sends a request, and again with credentials if the server asks for them.
    pub(crate) fn exchange(&self, request: &Request) -> Result<Response, Error> {
        let mut url = Url::parse(&request.url).map_err(|e| Error::Url(e.to_string()))?;
        let mut response = self.send(request, &url)?;
        let can_authenticate = !self.authenticates.get() && self.remote.credentials().is_some();
        if response.status() == StatusCode::UNAUTHORIZED && can_authenticate {
            if self.is_trusted(response.url()) {
                url = response.url().clone();
            }
            self.authenticates.set(true);
            response = self.send(request, &url)?;
        }
        if !response.status().is_success() {
            return Err(self.refusal(response.status()));
        }
        if request.body.is_none() {
            self.note_redirect(request, response.url())?;
        }
        Ok(response)
    }

    /// The requests after the first go to where that was redirected.
    fn note_redirect(&self, request: &Request, url: &Url) -> Result<(), Error> {
        let tail = request.url.strip_prefix(&request.base).unwrap_or_default();
        let Some(base) = url.as_str().strip_suffix(tail) else {
            return Err(Error::Protocol {
                url: self.remote.to_string(),
                reason: "it redirects to a page that is no repository, as one for logging in"
                    .to_owned(),
            });
        };
        self.base.replace(Some(base.to_owned()));
        Ok(())
    }
}

/// The public authorities, and those of the remote.
fn tls(remote: &Remote) -> Result<ClientConfig, Error> {
    let mut roots = RootCertStore::empty();
    roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
    if let Some(path) = remote.certificates() {
        let refuse = |reason: String| Error::Certificates {
            path: path.to_owned(),
            reason,
        };
        let file = CertificateDer::pem_file_iter(path).map_err(|e| refuse(e.to_string()))?;
        for certificate in file {
            let certificate = certificate.map_err(|e| refuse(e.to_string()))?;
            roots.add(certificate).map_err(|e| refuse(e.to_string()))?;
        }
    }
    let provider = Arc::new(ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|e| Error::Url(e.to_string()))?;
    Ok(config.with_root_certificates(roots).with_no_client_auth())
}

fn redirects() -> redirect::Policy {
    redirect::Policy::custom(|attempt| {
        let last = attempt.previous().last();
        if last.is_some_and(|from| from.scheme() == "https") && attempt.url().scheme() != "https" {
            attempt.error("it redirects from https to http")
        } else if attempt.previous().len() > MOST_REDIRECTS {
            attempt.error("it redirects too often")
        } else {
            attempt.follow()
        }
    })
}
