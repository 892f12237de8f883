//! gitoxide's way of making requests, on this workspace's HTTP client.

use std::any::Any;
use std::cell::RefCell;
use std::io::{self, BufRead, BufReader, Cursor, Read, Write};
use std::rc::Rc;

use gix_transport::client::blocking_io::http::{GetResponse, Http, PostBodyDataKind, PostResponse};
use reqwest::Url;
use reqwest::blocking::{Client, RequestBuilder, Response};

use crate::web::Web;
use crate::{Error, MAX_PACK};

/// A request before it is sent. One with a body is a POST.
pub(crate) struct Request {
    pub(crate) url: String,
    /// The repository's part of the URL.
    pub(crate) base: String,
    headers: Vec<String>,
    pub(crate) body: Option<Vec<u8>>,
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

    pub(crate) fn build(&self, client: &Client, url: &Url) -> RequestBuilder {
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
            let url = self.web.remote().to_string();
            self.web.fail(Error::Unreachable { url, reason })
        })?;
        self.received += read as u64;
        if self.received > MAX_PACK {
            let what = format!(
                "{} is larger than {} MiB",
                self.web.remote(),
                MAX_PACK >> 20
            );
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
        self.0.base()
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
