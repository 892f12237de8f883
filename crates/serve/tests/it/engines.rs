//! What models run on, and libraries that cannot be used.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::{Value, json};

use crate::support::client::Client;
use crate::support::package::{self, Package};
use crate::support::server::{Server, command};

/// The library that the tests may use.
fn library() -> String {
    std::env::var("ORT_DYLIB_PATH").expect("ORT_DYLIB_PATH names libonnxruntime.so")
}

/// A server of `package` that may load ONNX Runtime.
fn with_library(package: &Package, engine: &str) -> Server {
    let mut command = command(package.folder());
    command.args(["--onnxruntime", &library(), "--engine", engine]);
    Server::ready(&mut command)
}

fn engine(server: &Server) -> String {
    let line = server.line_before("ready");
    line["engine"].as_str().unwrap().to_owned()
}

/// What the server says when it cannot start.
fn refusal(command: &mut Command) -> String {
    let output = command.stdout(Stdio::null()).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    String::from_utf8(output.stderr).unwrap()
}

fn pixel(server: &Server) -> Value {
    let body = json!({"data": {"tensor": {"shape": [1, 1, 3], "values": [64, 128, 32]}}});
    let reply = server.post("/api/v1.0/predictions", &body.to_string());
    assert_eq!(reply.status, 200, "{}", reply.body);
    serde_json::from_str::<Value>(&reply.body).unwrap()["data"].take()
}

/// A shared library that tells another version of itself than any that can be used.
fn old_library(folder: &Path) -> PathBuf {
    let (source, library) = (folder.join("old.c"), folder.join("libonnxruntime.so"));
    let text = "static const char *version(void) { return \"1.9.0\"; }\n\
                static const void *api(unsigned v) { (void)v; return 0; }\n\
                static const struct { const void *(*api)(unsigned); const char *(*version)(void); }\n\
                base = { api, version };\n\
                const void *OrtGetApiBase(void) { return &base; }\n";
    fs::write(&source, text).unwrap();
    let mut compiler = Command::new("cc");
    compiler.args(["-shared", "-fPIC", "-o"]).arg(&library);
    assert!(compiler.arg(&source).status().unwrap().success());
    library
}

#[test]
fn a_library_that_cannot_be_used_is_refused_with_the_reason() {
    let package = package::colours();
    let folder = tempfile::tempdir().unwrap();
    let program = fs::read(env!("CARGO_BIN_EXE_serve")).unwrap();
    let file = |name: &str, bytes: &[u8]| {
        let path = folder.path().join(name);
        fs::write(&path, bytes).unwrap();
        path
    };
    for (path, reason) in [
        (folder.path().join("none"), "No such file"),
        (file("empty", b""), "no shared library"),
        (file("text", &[b'x'; 100]), "no shared library"),
        (
            file("part", &program[..program.len() / 2]),
            "only a part of one",
        ),
        (env!("CARGO_BIN_EXE_serve").into(), "as ONNX Runtime"),
        (
            old_library(folder.path()),
            "expected version >= '1.17.x', but got '1.9.0'",
        ),
    ] {
        let said = refusal(command(package.folder()).arg("--onnxruntime").arg(&path));
        assert!(said.contains(reason), "{said}");
        assert!(
            said.contains("--engine built-in works without it"),
            "{said}"
        );
        let mut without = command(package.folder());
        without
            .env("ORT_DYLIB_PATH", &path)
            .args(["--engine", "built-in"]);
        assert_eq!(engine(&Server::ready(&mut without)), "built-in");
    }
    let said = refusal(command(package.folder()).args(["--engine", "onnxruntime"]));
    assert!(said.contains("/usr/local/lib/libonnxruntime.so"), "{said}");
}

#[test]
#[ignore = "needs onnxruntime: ORT_DYLIB_PATH"]
fn the_server_says_what_runs() {
    let mut command = Command::new(env!("CARGO_BIN_EXE_serve"));
    command
        .env_clear()
        .args(["--version", "--onnxruntime", &library()]);
    let said = String::from_utf8(command.output().unwrap().stdout).unwrap();
    let lines: Vec<&str> = said.lines().collect();
    assert_eq!(lines[0], concat!("serve ", env!("CARGO_PKG_VERSION")));
    assert!(lines[1].starts_with("engine: onnxruntime 1."), "{said}");
    assert!(lines[1].ends_with(&library()), "{said}");
    let server = with_library(&package::colours(), "auto");
    let about: Value = serde_json::from_str(&server.get("/v2").body).unwrap();
    let name = about["engine"].as_str().unwrap();
    assert!(lines[1].contains(&format!("engine: {name},")), "{said}");
    assert_eq!(engine(&server), name);
}

#[test]
#[ignore = "needs onnxruntime: ORT_DYLIB_PATH"]
fn pictures_and_texts_run_on_the_library_and_rows_where_told() {
    for (package, choice, wanted) in [
        (package::colours(), "auto", "onnxruntime"),
        (package::words(), "auto", "onnxruntime"),
        (package::iris(), "auto", "built-in"),
        (package::iris(), "onnxruntime", "onnxruntime"),
        (package::colours(), "built-in", "built-in"),
    ] {
        let server = with_library(&package, choice);
        let engine = engine(&server);
        assert!(engine.starts_with(wanted), "{engine}, wanted {wanted}");
    }
    let wanted = pixel(&with_library(&package::colours(), "built-in"));
    assert_eq!(pixel(&with_library(&package::colours(), "auto")), wanted);
}

#[test]
#[ignore = "needs onnxruntime: ORT_DYLIB_PATH"]
fn what_one_engine_lacks_runs_on_the_other() {
    let later = package::later_colours();
    let server = with_library(&later, "auto");
    assert_eq!(engine(&server), "built-in");
    assert_eq!(pixel(&server), pixel(&Server::start(&package::colours())));

    let positive = package::positive();
    let server = with_library(&positive, "auto");
    assert!(engine(&server).starts_with("onnxruntime"));
    let reply = server.post("/api/v1.0/predictions", r#"{"data":{"ndarray":[[2.5]]}}"#);
    assert!(reply.body.contains("[[2.5]]"), "{}", reply.body);
    let said = refusal(&mut command(positive.folder()));
    assert!(said.contains("Celu"), "{said}");
}

/// More clients than copies of the graph.
#[test]
#[ignore = "needs onnxruntime: ORT_DYLIB_PATH"]
fn many_clients_at_once_get_their_own_answers() {
    let server = with_library(&package::colours(), "auto");
    let url = server.url("/api/v1.0/predictions");
    let client = |number: u64| {
        let client = Client::new();
        for turn in 0..50 {
            let red = (number * 50 + turn) % 256;
            let body = json!({"data": {"tensor": {"shape": [1, 1, 3], "values": [red, 0, 0]}}});
            let reply = client.post(&url, "application/json", &body.to_string());
            let reply: Value = serde_json::from_str(&reply.body).unwrap();
            let found = reply["data"]["tensor"]["values"][0].as_f64().unwrap();
            assert_eq!(found, red as f64 / 256.0, "{reply}");
        }
    };
    std::thread::scope(|scope| {
        let client = &client;
        for number in 0..16 {
            scope.spawn(move || client(number));
        }
    });
}
