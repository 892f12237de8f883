//! A real registry on loopback, and a proxy before it that makes trouble.

use std::fs;
use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use tempfile::TempDir;

/// `docker-registry serve`, until it is dropped.
pub(crate) struct Registry {
    port: u16,
    child: Child,
    folder: TempDir,
}

impl Registry {
    pub(crate) fn open() -> Self {
        Self::start("", tempfile::tempdir().unwrap())
    }

    /// One that wants this login, kept by `htpasswd`.
    pub(crate) fn with_login(name: &str, password: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let words = ["-Bbn", name, password];
        let lines = Command::new("htpasswd").args(words).output();
        let file = folder.path().join("htpasswd");
        fs::write(&file, lines.unwrap().stdout).unwrap();
        let auth = format!(
            "auth: {{htpasswd: {{realm: test, path: {}}}}}\n",
            file.display()
        );
        Self::start(&auth, folder)
    }

    /// One with this `auth` section in its configuration.
    pub(crate) fn with_auth(auth: &str) -> Self {
        Self::start(auth, tempfile::tempdir().unwrap())
    }

    fn start(auth: &str, folder: TempDir) -> Self {
        let port = free_port();
        let config = format!(
            "version: 0.1\nstorage: {{filesystem: {{rootdirectory: {}}}}}\n\
             http: {{addr: \"127.0.0.1:{port}\"}}\n{auth}",
            folder.path().join("data").display()
        );
        let file = folder.path().join("config.yml");
        fs::write(&file, config).unwrap();
        let child = Command::new("docker-registry")
            .arg("serve")
            .arg(&file)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("docker-registry is installed");
        let start = Instant::now();
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            assert!(
                start.elapsed() < Duration::from_secs(20),
                "the registry does not start"
            );
            thread::sleep(Duration::from_millis(20));
        }
        Self {
            port,
            child,
            folder,
        }
    }

    pub(crate) fn host(&self) -> String {
        format!("localhost:{}", self.port)
    }

    /// The digest of a tag, read from the registry's own files.
    pub(crate) fn digest(&self, name: &str, tag: &str) -> Option<String> {
        let path = format!(
            "data/docker/registry/v2/repositories/acme/{name}/_manifests/tags/{tag}/current/link"
        );
        fs::read_to_string(self.folder.path().join(path)).ok()
    }
}

impl Drop for Registry {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().port()
}

/// What a proxy does instead of passing a request on.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Trouble {
    Status(u16),
    /// The connection ends without an answer.
    Cut,
    /// No answer comes.
    Hang,
}

/// Passes requests on, except those whose first line begins as it was told.
pub(crate) struct Proxy {
    port: u16,
    trouble: Arc<Mutex<Option<(Trouble, String)>>>,
    met: Arc<AtomicUsize>,
}

impl Proxy {
    pub(crate) fn before(registry: &Registry) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let proxy = Self {
            port,
            trouble: Arc::default(),
            met: Arc::default(),
        };
        let (to, trouble, met) = (
            registry.port,
            Arc::clone(&proxy.trouble),
            Arc::clone(&proxy.met),
        );
        thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let (trouble, met) = (Arc::clone(&trouble), Arc::clone(&met));
                thread::spawn(move || pass(client, to, &trouble, &met));
            }
        });
        proxy
    }

    pub(crate) fn host(&self) -> String {
        format!("localhost:{}", self.port)
    }

    pub(crate) fn make(&self, trouble: Option<(Trouble, &str)>) {
        *self.trouble.lock().unwrap() = trouble.map(|(kind, line)| (kind, line.to_owned()));
    }

    /// Waits until a request has met with trouble.
    pub(crate) fn wait_for_trouble(&self) {
        let start = Instant::now();
        while self.met.load(Ordering::SeqCst) == 0 {
            assert!(start.elapsed() < Duration::from_secs(60), "no request came");
            thread::sleep(Duration::from_millis(20));
        }
    }
}

/// Serves one request of one connection: `Connection: close` is added both ways.
fn pass(
    mut client: TcpStream,
    to: u16,
    trouble: &Mutex<Option<(Trouble, String)>>,
    met: &AtomicUsize,
) -> Option<()> {
    let (head, rest) = read_head(&mut client)?;
    let (line, headers) = head.split_once("\r\n")?;
    let trouble = trouble.lock().unwrap().clone();
    if let Some((kind, _)) = trouble.filter(|(_, start)| line.starts_with(start.as_str())) {
        met.fetch_add(1, Ordering::SeqCst);
        return answer(client, kind);
    }
    let mut server = TcpStream::connect(("127.0.0.1", to)).ok()?;
    let kept = headers.split("\r\n").filter(|line| {
        let line = line.to_lowercase();
        !line.starts_with("connection:") && !line.starts_with("expect:")
    });
    let kept: Vec<&str> = kept.collect();
    let head = format!(
        "{line}\r\n{}\r\nConnection: close\r\n\r\n",
        kept.join("\r\n").trim_end()
    );
    server.write_all(head.as_bytes()).ok()?;
    server.write_all(&rest).ok()?;
    let mut from = client.try_clone().ok()?;
    let mut up = server.try_clone().ok()?;
    thread::spawn(move || std::io::copy(&mut from, &mut up));
    std::io::copy(&mut server, &mut client).ok()?;
    client.shutdown(Shutdown::Both).ok()
}

fn answer(mut client: TcpStream, trouble: Trouble) -> Option<()> {
    match trouble {
        Trouble::Cut => client.shutdown(Shutdown::Both).ok(),
        Trouble::Hang => {
            thread::sleep(Duration::from_secs(120));
            None
        }
        Trouble::Status(status) => {
            let code = match status {
                403 => "DENIED",
                429 => "TOOMANYREQUESTS",
                _ => "UNKNOWN",
            };
            let body = format!("{{\"errors\":[{{\"code\":\"{code}\",\"message\":\"injected\"}}]}}");
            let text = format!(
                "HTTP/1.1 {status} Injected\r\nContent-Type: application/json\r\n\
                 Content-Length: {}\r\nConnection: close\r\n\r\n{body}",
                body.len()
            );
            client.write_all(text.as_bytes()).ok()?;
            client.shutdown(Shutdown::Write).ok()
        }
    }
}

/// The head of a request, and what was read of its body.
fn read_head(client: &mut TcpStream) -> Option<(String, Vec<u8>)> {
    let mut bytes = Vec::new();
    let mut buffer = [0; 4096];
    loop {
        let count = client.read(&mut buffer).ok()?;
        if count == 0 {
            return None;
        }
        bytes.extend_from_slice(&buffer[..count]);
        // A TLS hello: a server of plain HTTP hangs up at once.
        if bytes[0] == 0x16 {
            return None;
        }
        if let Some(end) = bytes.windows(4).position(|window| window == b"\r\n\r\n") {
            let head = String::from_utf8(bytes[..end + 2].to_vec()).ok()?;
            return Some((head, bytes[end + 4..].to_vec()));
        }
    }
}
