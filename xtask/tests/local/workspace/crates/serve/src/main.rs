//! A stand-in that answers every request with the version it serves, and ends as
//! serve does: SIGTERM closes connections after their next answer.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};
use std::{env, fs, process, thread};

static OPEN: AtomicUsize = AtomicUsize::new(0);

fn main() {
    if let Ok(secret) = env::var("THE_SECRET") {
        println!("the secret is {secret}");
    }
    let model = PathBuf::from(env::var("MLSERVER_MODEL_URI").unwrap());
    if model.join("broken").exists() {
        eprintln!("the model is broken");
        process::exit(1);
    }
    let rows = fs::read_to_string(model.join("rows")).unwrap();
    let draining = Arc::new(AtomicBool::new(false));
    signal_hook::flag::register(signal_hook::consts::SIGTERM, Arc::clone(&draining)).unwrap();
    let port = env::var("PREDICTIVE_UNIT_HTTP_SERVICE_PORT").unwrap();
    let host = env::var("SERVE_HOST").unwrap_or("0.0.0.0".to_owned());
    let listener = TcpListener::bind(format!("{host}:{port}")).unwrap();
    listener.set_nonblocking(true).unwrap();
    println!("serving {rows} rows");
    let mut until = None;
    while until.is_none_or(|until| Instant::now() < until) {
        if until.is_none() && draining.load(Ordering::SeqCst) {
            until = Some(Instant::now() + Duration::from_millis(500));
        }
        match listener.accept() {
            Ok((client, _)) => {
                let (rows, draining) = (rows.clone(), Arc::clone(&draining));
                OPEN.fetch_add(1, Ordering::SeqCst);
                thread::spawn(move || {
                    answer(client, &rows, &draining);
                    OPEN.fetch_sub(1, Ordering::SeqCst);
                });
            }
            Err(_) => thread::sleep(Duration::from_millis(1)),
        }
    }
    drop(listener);
    let deadline = Instant::now() + Duration::from_secs(2);
    while OPEN.load(Ordering::SeqCst) > 0 && Instant::now() < deadline {
        thread::sleep(Duration::from_millis(1));
    }
}

fn answer(client: TcpStream, rows: &str, draining: &AtomicBool) {
    client.set_nonblocking(false).unwrap();
    let mut reader = BufReader::new(client.try_clone().unwrap());
    let mut client = client;
    loop {
        let mut length = 0;
        let mut first = String::new();
        if reader.read_line(&mut first).unwrap_or(0) == 0 {
            return;
        }
        loop {
            let mut line = String::new();
            reader.read_line(&mut line).unwrap();
            if let Some(value) = line.to_lowercase().strip_prefix("content-length:") {
                length = value.trim().parse().unwrap();
            }
            if line.trim().is_empty() {
                break;
            }
        }
        let mut body = vec![0; length];
        reader.read_exact(&mut body).unwrap();
        let last = draining.load(Ordering::SeqCst);
        let connection = if last { "close" } else { "keep-alive" };
        let body = format!(r#"{{"data": {{"names": ["few", "many"], "ndarray": [[0.25, 0.75]]}}, "rows": {rows}}}"#);
        let reply = format!(
            "HTTP/1.1 200 OK\r\nContent-Length: {}\r\nConnection: {connection}\r\n\r\n{body}",
            body.len()
        );
        client.write_all(reply.as_bytes()).unwrap();
        if last {
            return;
        }
    }
}
