//! HTTP on loopback.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use tempfile::TempDir;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio_rustls::TlsAcceptor;

use crate::backend::{self, Call};
use crate::{Repository, tls};

/// How the server behaves, from the next request on.
#[derive(Debug, Clone, Default)]
pub struct Rules {
    /// The user and the token that every request must have.
    pub credentials: Option<(String, String)>,
    /// It knows the first protocol alone, as old servers.
    pub is_old: bool,
    /// It gives no commit but those that branches and tags are at. Of protocol 2, git
    /// itself gives any; others do not.
    pub gives_tips_only: bool,
    /// It answers every request with this status.
    pub status: Option<u16>,
    /// It sends this many bytes of each pack, and then ends the answer.
    pub cut: Option<usize>,
}

/// A request that came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen {
    /// Method, path and query.
    pub line: String,
    /// The header `Host`.
    pub host: String,
    /// The header `Authorization`.
    pub authorization: Option<String>,
    /// The body, as far as it is text.
    pub body: String,
}

struct Shared {
    root: TempDir,
    address: SocketAddr,
    tls: Option<TlsAcceptor>,
    rules: Mutex<Rules>,
    seen: Mutex<Vec<Seen>>,
}

/// A running server. Dropped, it stops, and its repositories are gone.
///
/// A path below `/moved/` is redirected to the same without it, and one below
/// `/elsewhere/` also to another name of this host.
pub struct GitServer {
    shared: Arc<Shared>,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<thread::JoinHandle<()>>,
}

impl GitServer {
    /// Starts on a free port of the loopback interface.
    pub fn start() -> Self {
        Self::start_with(None)
    }

    /// Starts with TLS; gives its certificate in PEM form too.
    pub fn start_with_tls() -> (Self, String) {
        let (acceptor, certificate) = tls::own();
        (Self::start_with(Some(acceptor)), certificate)
    }

    fn start_with(tls: Option<TlsAcceptor>) -> Self {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
        listener.set_nonblocking(true).expect("a socket");
        let shared = Arc::new(Shared {
            root: tempfile::tempdir().expect("a folder"),
            address: listener.local_addr().expect("an address"),
            tls,
            rules: Mutex::default(),
            seen: Mutex::default(),
        });
        let (stop, stopped) = oneshot::channel();
        let state = Arc::clone(&shared);
        let thread = thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .expect("a runtime");
            runtime.block_on(async {
                let listener = TcpListener::from_std(listener).expect("a listener");
                tokio::select! {
                    () = accept(listener, state) => {}
                    _ = stopped => {}
                }
            });
            runtime.shutdown_background();
        });
        Self {
            shared,
            stop: Some(stop),
            thread: Some(thread),
        }
    }

    /// The address of a repository.
    pub fn url(&self, repository: &str) -> String {
        let scheme = if self.shared.tls.is_some() {
            "https"
        } else {
            "http"
        };
        format!("{scheme}://{}/{repository}", self.shared.address)
    }

    /// A new and empty repository.
    pub fn repository(&self, name: &str) -> Repository {
        Repository::create(self.root().join(name))
    }

    fn root(&self) -> PathBuf {
        self.shared.root.path().to_owned()
    }

    /// How it behaves.
    pub fn rules(&self) -> MutexGuard<'_, Rules> {
        lock(&self.shared.rules)
    }

    /// The requests that came so far.
    pub fn seen(&self) -> Vec<Seen> {
        lock(&self.shared.seen).clone()
    }
}

impl Drop for GitServer {
    fn drop(&mut self) {
        if let Some(stop) = self.stop.take() {
            let _ = stop.send(());
        }
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // A test that failed while it held the lock has said so itself.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn accept(listener: TcpListener, shared: Arc<Shared>) {
    while let Ok((connection, _)) = listener.accept().await {
        let shared = Arc::clone(&shared);
        tokio::spawn(async move {
            match shared.tls.clone() {
                None => serve(connection, shared).await,
                // Else the client does not trust the certificate.
                Some(tls) => {
                    if let Ok(connection) = tls.accept(connection).await {
                        serve(connection, shared).await;
                    }
                }
            }
        });
    }
}

async fn serve(connection: impl AsyncRead + AsyncWrite + Unpin, shared: Arc<Shared>) {
    let service = service_fn(|request| answer(request, Arc::clone(&shared)));
    // An error is a connection that the client has closed.
    let _ = hyper::server::conn::http1::Builder::new()
        .serve_connection(TokioIo::new(connection), service)
        .await;
}

type Answer = Response<Full<Bytes>>;

const RESULT: &str = "application/x-git-upload-pack-result";

async fn answer(request: Request<Incoming>, shared: Arc<Shared>) -> Result<Answer, Infallible> {
    let (parts, body) = request.into_parts();
    let header = |name: &str| {
        let value = parts.headers.get(name).and_then(|v| v.to_str().ok());
        value.map(str::to_owned)
    };
    let body = body.collect().await.map(|b| b.to_bytes().to_vec());
    let body = body.unwrap_or_default();
    let authorization = header("authorization");
    let rules = lock(&shared.rules).clone();
    lock(&shared.seen).push(Seen {
        line: format!("{} {}", parts.method, parts.uri),
        host: header("host").unwrap_or_default(),
        authorization: authorization.clone(),
        body: String::from_utf8_lossy(&body).into_owned(),
    });
    if let Some(status) = rules.status {
        return Ok(plain(status, "proxy page"));
    }
    if let Some(to) = redirected(&parts.uri, shared.address) {
        let mut answer = plain(302, "");
        answer
            .headers_mut()
            .insert("location", to.parse().expect("an address"));
        return Ok(answer);
    }
    let wanted = rules.credentials.as_ref().map(|(user, token)| {
        format!(
            "Basic {}",
            BASE64_STANDARD.encode(format!("{user}:{token}"))
        )
    });
    if wanted.is_some() && wanted != authorization {
        let mut answer = plain(401, "");
        let realm = "Basic realm=\"git\"".parse().expect("a header");
        answer.headers_mut().insert("www-authenticate", realm);
        return Ok(answer);
    }
    let call = Call {
        method: parts.method.to_string(),
        path: parts.uri.path().to_owned(),
        query: parts.uri.query().unwrap_or_default().to_owned(),
        content_type: header("content-type").unwrap_or_default(),
        protocol: match rules.is_old {
            true => String::new(),
            false => header("git-protocol").unwrap_or_default(),
        },
        body,
    };
    let root = shared.root.path().to_owned();
    let answered = tokio::task::spawn_blocking(move || backend_answer(&root, call, &rules));
    Ok(answered.await.expect("git"))
}

fn backend_answer(root: &Path, call: Call, rules: &Rules) -> Answer {
    let is_pack = call.method == "POST";
    let refused = (is_pack && rules.gives_tips_only).then(|| refused(root, &call));
    if let Some(id) = refused.flatten() {
        let words = format!("ERR upload-pack: not our ref {id}");
        let line = format!("{:04x}{words}", words.len() + 4);
        let answer = Response::builder().header("content-type", RESULT);
        return answer.body(Full::new(line.into())).expect("an answer");
    }
    let (status, headers, mut body) = backend::answer(root, call);
    if let Some(cut) = rules.cut.filter(|_| is_pack && body.len() > 4000) {
        body.truncate(cut);
    }
    let mut answer = Response::builder().status(status);
    for (name, value) in headers {
        answer = answer.header(name, value);
    }
    answer.body(Full::new(body.into())).expect("an answer")
}

/// What is wanted, and is at no branch or tag.
fn refused(root: &Path, call: &Call) -> Option<String> {
    let repository = call.path.strip_suffix("/git-upload-pack")?;
    let folder = root.join(repository.trim_start_matches('/'));
    let tips = Repository::at(folder).git(&["for-each-ref", "--format", "%(objectname)"]);
    let body = String::from_utf8_lossy(&call.body).into_owned();
    let wants = body
        .split("want ")
        .skip(1)
        .filter_map(|rest| rest.get(..40));
    let mut refused = wants.filter(|id| !tips.contains(id));
    refused.next().map(str::to_owned)
}

fn redirected(uri: &hyper::Uri, address: SocketAddr) -> Option<String> {
    let whole = uri.path_and_query()?.as_str();
    if let Some(rest) = whole.strip_prefix("/elsewhere/") {
        return Some(format!("http://localhost:{}/{rest}", address.port()));
    }
    let rest = whole.strip_prefix("/moved/")?;
    Some(format!("/{rest}"))
}

fn plain(status: u16, text: &'static str) -> Answer {
    let mut answer = Response::new(Full::new(Bytes::from_static(text.as_bytes())));
    *answer.status_mut() = status.try_into().expect("a status");
    answer
}
