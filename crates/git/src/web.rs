//! The requests of git over HTTP, by the HTTP client of this workspace.

use std::any::Any;
use std::cell::{Cell, RefCell};
use std::error::Error as _;
use std::io::{self, BufRead, BufReader, Cursor, Read, Write};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use gix_transport::client::blocking_io::http::{GetResponse, Http, PostBodyDataKind, PostResponse};
use reqwest::blocking::{Client, RequestBuilder, Response};
use reqwest::{StatusCode, Url, redirect};
use rustls::crypto::ring;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, RootCertStore};

use crate::{Error, MAX_PACK, Remote};

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

    /// The reason of the last failure, if it was one of HTTP.
    pub(crate) fn take_failure(&self) -> Option<Error> {
        self.failure.take()
    }

    fn fail(&self, error: Error) -> io::Error {
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
    fn exchange(&self, request: &Request) -> Result<Response, Error> {
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

/// A request before it is sent. One with a body is a POST.
struct Request {
    url: String,
    base: String,
    headers: Vec<String>,
    body: Option<Vec<u8>>,
}

impl Request {
    fn new(url: &str, base: &str, headers: impl IntoIterator<Item = impl AsRef<str>>) -> Self {
        Self {
            url: url.to_owned(),
            base: base.to_owned(),
            headers: headers.into_iter().map(|h| h.as_ref().to_owned()).collect(),
            body: None,
        }
    }

    fn build(&self, client: &Client, url: &Url) -> RequestBuilder {
        let mut builder = match &self.body {
            None => client.get(url.clone()),
            Some(body) => client.post(url.clone()).body(body.clone()),
        };
        for header in &self.headers {
            if let Some((name, value)) = header.split_once(':') {
                builder = builder.header(name, value.trim());
            }
        }
        builder
    }
}

/// A request that is sent when its answer is first read, as gitoxide writes the body
/// after it has asked for the answer.
struct Exchange {
    web: Rc<Web>,
    request: RefCell<Request>,
    answer: RefCell<Option<Response>>,
}

impl Exchange {
    fn new(web: &Rc<Web>, request: Request) -> Rc<Self> {
        Rc::new(Self {
            web: Rc::clone(web),
            request: RefCell::new(request),
            answer: RefCell::new(None),
        })
    }

    /// Sends it; gives the answer's headers, one a line.
    fn send(&self) -> io::Result<Vec<u8>> {
        let answer = self.web.exchange(&self.request.borrow());
        let answer = answer.map_err(|e| self.web.fail(e))?;
        let mut lines = Vec::new();
        for (name, value) in answer.headers() {
            lines.extend([name.as_str().as_bytes(), b":", value.as_bytes(), b"\n"].concat());
        }
        self.answer.replace(Some(answer));
        Ok(lines)
    }
}

/// The body of a request, while it is written.
pub(crate) struct Upload(Rc<Exchange>);

impl Write for Upload {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut request = self.0.request.borrow_mut();
        request.body.get_or_insert_default().extend(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The headers of an answer.
pub(crate) struct Headers {
    exchange: Rc<Exchange>,
    lines: Option<Cursor<Vec<u8>>>,
}

impl Headers {
    fn lines(&mut self) -> io::Result<&mut Cursor<Vec<u8>>> {
        let lines = match self.lines.take() {
            Some(lines) => lines,
            None => Cursor::new(self.exchange.send()?),
        };
        Ok(self.lines.insert(lines))
    }
}

impl Read for Headers {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.lines()?.read(buffer)
    }
}

impl BufRead for Headers {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        self.lines()?.fill_buf()
    }

    fn consume(&mut self, amount: usize) {
        if let Some(lines) = &mut self.lines {
            lines.consume(amount);
        }
    }
}

/// The body of an answer.
pub(crate) struct Body {
    exchange: Rc<Exchange>,
    content: Option<BufReader<Limited>>,
}

impl Body {
    fn content(&mut self) -> &mut BufReader<Limited> {
        let exchange = &self.exchange;
        self.content.get_or_insert_with(|| {
            BufReader::new(Limited {
                web: Rc::clone(&exchange.web),
                answer: exchange.answer.take(),
                received: 0,
            })
        })
    }
}

impl Read for Body {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.content().read(buffer)
    }
}

impl BufRead for Body {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        self.content().fill_buf()
    }

    fn consume(&mut self, amount: usize) {
        self.content().consume(amount);
    }
}

/// An answer of at most [`MAX_PACK`] bytes.
struct Limited {
    web: Rc<Web>,
    answer: Option<Response>,
    received: u64,
}

impl Read for Limited {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let Some(answer) = &mut self.answer else {
            return Ok(0);
        };
        let read = answer.read(buffer).map_err(|e| {
            let reason = match e.get_ref().and_then(|inner| inner.source()) {
                Some(source) => format!("the connection broke: {source}"),
                None => format!("the connection broke: {e}"),
            };
            let url = self.web.remote.to_string();
            self.web.fail(Error::Unreachable { url, reason })
        })?;
        self.received += read as u64;
        if self.received > MAX_PACK {
            let what = format!("{} is larger than {} MiB", self.web.remote, MAX_PACK >> 20);
            return Err(self.web.fail(Error::TooLarge { what }));
        }
        Ok(read)
    }
}

/// The way of gitoxide's HTTP transport to [`Web`].
pub(crate) struct Requests(pub(crate) Rc<Web>);

impl Http for Requests {
    type Headers = Headers;
    type ResponseBody = Body;
    type PostBody = Upload;

    fn get(
        &mut self,
        url: &str,
        base_url: &str,
        headers: impl IntoIterator<Item = impl AsRef<str>>,
    ) -> gix_error::Result<GetResponse<Headers, Body>> {
        let exchange = Exchange::new(&self.0, Request::new(url, base_url, headers));
        Ok(answer(exchange).into())
    }

    fn post(
        &mut self,
        url: &str,
        base_url: &str,
        headers: impl IntoIterator<Item = impl AsRef<str>>,
        _: PostBodyDataKind,
    ) -> gix_error::Result<PostResponse<Headers, Body, Upload>> {
        let exchange = Exchange::new(&self.0, Request::new(url, base_url, headers));
        Ok(answer(exchange))
    }

    fn configure(&mut self, _: &dyn Any) -> gix_error::Result<()> {
        Ok(())
    }

    fn redirected_base_url(&self) -> Option<String> {
        self.0.base.borrow().clone()
    }
}

fn answer(exchange: Rc<Exchange>) -> PostResponse<Headers, Body, Upload> {
    PostResponse {
        post_body: Upload(Rc::clone(&exchange)),
        headers: Headers {
            exchange: Rc::clone(&exchange),
            lines: None,
        },
        body: Body {
            exchange,
            content: None,
        },
    }
}
