//! A server that gives out tokens for a real registry, as those of the clouds do:
//! <https://distribution.github.io/distribution/spec/auth/token/>. What it signs,
//! `docker-registry` verifies.

use std::fs;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{SystemTime, UNIX_EPOCH};

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use serde_json::{Value, json};

const SERVICE: &str = "registry.example.org";
const ISSUER: &str = "tokens.example.org";

/// Who may have a token, and how.
#[derive(Clone)]
pub(crate) struct Account {
    pub(crate) name: String,
    pub(crate) password: String,
    /// Given to a client that asks for offline access, instead of its password.
    pub(crate) identity_token: Option<String>,
}

/// The server, for as long as the test runs.
pub(crate) struct Tokens {
    port: u16,
    certificate: PathBuf,
    /// First line of each request that got a token, with its form.
    given: Arc<Mutex<Vec<String>>>,
}

impl Tokens {
    /// Starts it; its key goes to `folder`.
    pub(crate) fn start(folder: &Path, account: Account) -> Self {
        let (key, certificate) = (folder.join("key.pem"), folder.join("certificate.pem"));
        let made = Command::new("openssl")
            .args([
                "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2",
            ])
            .args(["-subj", "/CN=tokens", "-keyout"])
            .arg(&key)
            .arg("-out")
            .arg(&certificate)
            .stderr(Stdio::null())
            .status();
        assert!(made.expect("openssl is installed").success());
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let given = Arc::<Mutex<Vec<String>>>::default();
        let office = Office {
            account,
            key,
            certificate: certificate.clone(),
            given: Arc::clone(&given),
        };
        thread::spawn(move || {
            for client in listener.incoming().flatten() {
                office.serve(client);
            }
        });
        Self {
            port,
            certificate,
            given,
        }
    }

    /// The registry's `auth` section that sends clients here.
    pub(crate) fn auth(&self) -> String {
        format!(
            "auth: {{token: {{realm: \"http://localhost:{}/token\", service: {SERVICE}, \
             issuer: {ISSUER}, rootcertbundle: {}}}}}\n",
            self.port,
            self.certificate.display()
        )
    }

    /// What was asked for by those who got a token.
    pub(crate) fn given(&self) -> Vec<String> {
        self.given.lock().unwrap().clone()
    }
}

struct Office {
    account: Account,
    key: PathBuf,
    certificate: PathBuf,
    given: Arc<Mutex<Vec<String>>>,
}

impl Office {
    fn serve(&self, mut client: TcpStream) -> Option<()> {
        let (line, headers, form) = read(&mut client)?;
        let target = line.split(' ').nth(1)?;
        let query = target.split_once('?').map_or("", |(_, query)| query);
        let asked = pairs(if form.is_empty() { query } else { &form });
        let (status, body) = if self.knows(&headers, &asked) {
            self.given.lock().unwrap().push(format!("{line} {form}"));
            ("200 OK", self.answer(&asked))
        } else {
            (
                "401 Unauthorized",
                json!({"details": "incorrect username or password"}),
            )
        };
        let body = body.to_string();
        let head = format!(
            "HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\
             Connection: close\r\n\r\n{body}",
            body.len()
        );
        client.write_all(head.as_bytes()).ok()
    }

    fn knows(&self, headers: &str, asked: &[(String, String)]) -> bool {
        let Account { name, password, .. } = &self.account;
        let basic = STANDARD.encode(format!("{name}:{password}"));
        let refresh = value(asked, "refresh_token");
        let right_token = refresh.is_some() && refresh == self.account.identity_token.as_deref();
        let mut lines = headers.lines();
        right_token
            || lines.any(|line| {
                let (key, value) = line.split_once(": ").unwrap_or_default();
                key.eq_ignore_ascii_case("authorization") && value == format!("Basic {basic}")
            })
    }

    fn answer(&self, asked: &[(String, String)]) -> Value {
        let token = self.sign(asked);
        let mut answer = json!({"token": token, "access_token": token, "expires_in": 300});
        let offline = value(asked, "offline_token") == Some("true");
        if let Some(identity) = self.account.identity_token.as_ref().filter(|_| offline) {
            answer["refresh_token"] = json!(identity);
        }
        answer
    }

    /// A JSON Web Token that grants what was asked for.
    fn sign(&self, asked: &[(String, String)]) -> String {
        let now = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap()
            .as_secs();
        let scopes = asked.iter().filter(|(key, _)| key == "scope");
        let access = scopes.flat_map(|(_, scope)| scope.split(' ')).map(|scope| {
            let parts: Vec<&str> = scope.split(':').collect();
            json!({"type": parts[0], "name": parts[1],
                   "actions": parts[2].split(',').collect::<Vec<_>>()})
        });
        let claims = json!({"iss": ISSUER, "sub": self.account.name, "aud": SERVICE,
            "iat": now, "nbf": now - 10, "exp": now + 300, "jti": now.to_string(),
            "access": access.collect::<Vec<_>>()});
        let certificate = fs::read_to_string(&self.certificate).unwrap();
        let der: String = certificate
            .lines()
            .filter(|line| !line.starts_with("---"))
            .collect();
        let header = json!({"typ": "JWT", "alg": "RS256", "x5c": [der]});
        let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let text = format!("{}.{}", part(&header), part(&claims));
        let signature = URL_SAFE_NO_PAD.encode(self.signature(&text));
        format!("{text}.{signature}")
    }

    fn signature(&self, text: &str) -> Vec<u8> {
        let mut openssl = Command::new("openssl")
            .args(["dgst", "-sha256", "-sign"])
            .arg(&self.key)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        openssl
            .stdin
            .take()
            .unwrap()
            .write_all(text.as_bytes())
            .unwrap();
        openssl.wait_with_output().unwrap().stdout
    }
}

/// First line, headers and form of a request.
fn read(client: &mut TcpStream) -> Option<(String, String, String)> {
    let mut text = String::new();
    let mut buffer = [0; 4096];
    loop {
        let count = client.read(&mut buffer).ok().filter(|count| *count > 0)?;
        text.push_str(std::str::from_utf8(&buffer[..count]).ok()?);
        let Some((head, form)) = text.split_once("\r\n\r\n") else {
            continue;
        };
        let (line, headers) = head.split_once("\r\n")?;
        let length = headers.lines().find_map(|line| {
            let (key, value) = line.split_once(": ")?;
            key.eq_ignore_ascii_case("content-length")
                .then(|| value.parse::<usize>().ok())?
        });
        if form.len() >= length.unwrap_or(0) {
            return Some((line.to_owned(), headers.to_owned(), form.to_owned()));
        }
    }
}

fn value<'a>(asked: &'a [(String, String)], key: &str) -> Option<&'a str> {
    let found = asked.iter().find(|(name, _)| name == key);
    found.map(|(_, value)| value.as_str())
}

/// `a=b&c=d%2Ce`, decoded.
fn pairs(text: &str) -> Vec<(String, String)> {
    let pairs = text.split('&').filter_map(|pair| pair.split_once('='));
    pairs
        .map(|(key, value)| (decode(key), decode(value)))
        .collect()
}

fn decode(text: &str) -> String {
    let mut parts = text.split('%');
    let mut decoded = parts.next().unwrap_or_default().replace('+', " ");
    for part in parts {
        let byte = u8::from_str_radix(&part[..2], 16).unwrap();
        decoded.push(char::from(byte));
        decoded.push_str(&part[2..].replace('+', " "));
    }
    decoded
}
