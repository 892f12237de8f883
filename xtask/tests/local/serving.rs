//! Two terminals: one serves, the other brings new versions.

use std::fs;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use crate::case::{Case, Running, eventually, root};

/// The number of rows that the served model was made of, by a new connection.
fn served(case: &Case) -> Option<u64> {
    let request = minreq::get(format!("{}/predict", case.url())).with_timeout(5);
    let answer = request.send().ok()?;
    let answer: serde_json::Value = serde_json::from_str(answer.as_str().ok()?).ok()?;
    answer["rows"].as_u64()
}

fn serving(case: &Case) -> Running {
    let run = case.start(&[]);
    run.serves();
    run
}

fn stop(mut run: Running) {
    run.interrupt();
    assert!(
        run.child.wait().unwrap().success(),
        "Ctrl-C is an orderly end"
    );
}

/// Clients that ask without a pause until they are told to stop.
struct Load {
    stop: Arc<AtomicBool>,
    asked: Arc<AtomicUsize>,
    threads: Vec<JoinHandle<Vec<String>>>,
}

impl Load {
    /// Half of the clients keep their connection, half open one for each request.
    fn start(url: &str) -> Self {
        let (stop, asked) = (Arc::<AtomicBool>::default(), Arc::<AtomicUsize>::default());
        let client = |keep: bool| {
            let (url, stop, asked) = (url.to_owned(), Arc::clone(&stop), Arc::clone(&asked));
            thread::spawn(move || {
                let address = url.strip_prefix("http://").unwrap().to_owned();
                let mut client = client::Client::new(address, keep);
                let mut errors = Vec::new();
                while !stop.load(Ordering::SeqCst) {
                    match client.ask() {
                        Ok(()) => drop(asked.fetch_add(1, Ordering::SeqCst)),
                        Err(error) => errors.push(format!("keep-alive {keep}: {error}")),
                    }
                }
                errors
            })
        };
        let threads = [true, true, false, false].map(client).into();
        Self {
            stop,
            asked,
            threads,
        }
    }

    fn end(self) -> (usize, Vec<String>) {
        self.stop.store(true, Ordering::SeqCst);
        let errors = self
            .threads
            .into_iter()
            .flat_map(|thread| thread.join().unwrap());
        (self.asked.load(Ordering::SeqCst), errors.collect())
    }
}

/// An HTTP client that does not hide a failure behind a second try.
mod client {
    use std::io::{self, BufRead, BufReader, Read, Write};
    use std::net::TcpStream;

    pub(super) struct Client {
        address: String,
        keep: bool,
        open: Option<BufReader<TcpStream>>,
    }

    impl Client {
        pub(super) fn new(address: String, keep: bool) -> Self {
            let open = None;
            Self {
                address,
                keep,
                open,
            }
        }

        pub(super) fn ask(&mut self) -> io::Result<()> {
            let mut stream = match self.open.take() {
                Some(stream) => stream,
                None => BufReader::new(TcpStream::connect(&self.address)?),
            };
            let connection = if self.keep { "keep-alive" } else { "close" };
            let request = format!(
                "POST /api/v1.0/predictions HTTP/1.1\r\nHost: x\r\nConnection: {connection}\r\n\
                 Content-Type: application/json\r\nContent-Length: 2\r\n\r\n{{}}"
            );
            stream.get_mut().write_all(request.as_bytes())?;
            let mut head = String::new();
            while !head.ends_with("\r\n\r\n") {
                if stream.read_line(&mut head)? == 0 {
                    return Err(io::Error::other(format!("no answer but {head:?}")));
                }
            }
            let head = head.to_lowercase();
            if !head.starts_with("http/1.1 200") {
                return Err(io::Error::other(head));
            }
            let value = |name: &str| head.lines().find_map(|line| line.strip_prefix(name));
            let length = value("content-length:")
                .unwrap_or("0")
                .trim()
                .parse()
                .unwrap();
            stream.read_exact(&mut vec![0; length])?;
            if self.keep && value("connection:").is_none_or(|value| value.trim() != "close") {
                self.open = Some(stream);
            }
            Ok(())
        }
    }
}

#[test]
fn a_second_run_lets_the_first_switch_without_losing_a_request() {
    let case = Case::new("switching");
    let first = serving(&case);
    assert_eq!(served(&case), Some(4));
    let load = Load::start(&case.url());
    for rows in [10, 20] {
        case.rows(rows);
        let said = case.succeeds(&[]);
        assert!(said.contains("for the run that serves"), "{said}");
        assert_eq!(served(&case), Some(rows as u64 + 1));
        // Long enough for the old one to have drained and ended.
        thread::sleep(Duration::from_secs(1));
    }
    let (asked, errors) = load.end();
    assert!(asked > 100, "only {asked} requests");
    assert!(
        errors.is_empty(),
        "{} of {asked} failed: {}",
        errors.len(),
        errors[0]
    );
    eventually("the end of the old servers", || case.noted("serve") == 1);
    stop(first);
    assert_eq!((served(&case), case.noted("serve")), (None, 0));
}

#[test]
fn a_version_that_does_not_start_leaves_the_old_one() {
    let case = Case::new("broken");
    let first = serving(&case);
    case.mode("broken");
    let said = case.fails(&[]);
    assert!(said.contains("the model is broken"), "{said}");
    assert_eq!(served(&case), Some(4));
    case.mode("ok");
    case.rows(7);
    case.succeeds(&[]);
    assert_eq!(served(&case), Some(8));
    stop(first);
}

#[test]
fn a_killed_supervisor_leaves_no_server_behind() {
    let case = Case::new("orphans");
    let mut first = serving(&case);
    first.child.kill().unwrap();
    first.child.wait().unwrap();
    assert_eq!(case.noted("serve"), 1, "SIGKILL leaves the server");
    case.succeeds(&[]);
    assert_eq!(case.noted("serve"), 0);
    assert_eq!(served(&case), None);
}

#[test]
fn a_server_that_ends_is_started_again() {
    let case = Case::new("restarted");
    let first = serving(&case);
    let note = fs::read_dir(case.state().join("processes/serve"))
        .unwrap()
        .next()
        .unwrap();
    let pid = crate::case::json(&note.unwrap().path())["pid"].to_string();
    assert!(
        std::process::Command::new("kill")
            .args(["-9", &pid])
            .status()
            .unwrap()
            .success()
    );
    eventually("the end of the server", || served(&case).is_none());
    eventually("its new start", || served(&case).is_some());
    stop(first);
}

#[test]
fn a_busy_port_is_refused_when_it_was_asked_for() {
    let case = Case::new("busy");
    let address = case.url().replace("http://", "");
    let _listener = std::net::TcpListener::bind(address).unwrap();
    let said = case.fails(&[]);
    assert!(said.contains("--port"), "{said}");
}

#[test]
fn a_secret_shows_in_no_log_of_a_server() {
    let case = Case::new("confidential");
    let secrets = root().join(".local/secrets");
    fs::create_dir_all(&secrets).unwrap();
    let text = "kind: Secret\nstringData: {k: strictly-private}\n";
    fs::write(secrets.join("served-secret.yaml"), text).unwrap();
    case.deploys_with("served-secret");
    let first = serving(&case);
    case.mode("broken");
    let said = case.fails(&[]);
    assert!(said.contains("the secret is ***"), "{said}");
    assert!(said.contains("the model is broken"), "{said}");
    assert!(!said.contains("strictly-private"), "{said}");
    stop(first);
    let mut logs = 0;
    for entry in walkdir::WalkDir::new(case.state()) {
        let entry = entry.unwrap();
        if entry.file_type().is_file() {
            let text = fs::read_to_string(entry.path()).unwrap();
            assert!(
                !text.contains("strictly-private"),
                "{}",
                entry.path().display()
            );
            logs += usize::from(text.contains("the secret is ***"));
        }
    }
    assert_eq!(logs, 2, "one for each version");
}
