//! Images that hold ONNX Runtime, with the real docker.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic
)]

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use serde_json::Value;

#[path = "images/support.rs"]
mod support;

use support::{Fixture, fail, succeed};

const ON: &str = "/usr/local/lib/libonnxruntime.so";

/// A workspace of two programs, of which serve has ONNX Runtime beside it.
fn fixture() -> Fixture {
    let fixture = Fixture::new(&["train", "serve"], "localhost:5000");
    let copy = "COPY serve /serve\n";
    let more = format!("{copy}COPY libraries/ /\n");
    fixture.edit("containers/serve/Dockerfile", copy, &more);
    let says = format!(
        "v}}\", env!(\"CARGO_PKG_NAME\")); \
         println!(\"engine: {{}}\", if std::fs::exists({ON:?}).unwrap() {{ \"onnxruntime\" }} \
         else {{ \"built-in\" }}) }}"
    );
    let main = "crates/serve/src/main.rs";
    fixture.edit(main, "v}\", env!(\"CARGO_PKG_NAME\")) }", &says);
    fixture.edit(
        "Cargo.toml",
        "serve = 30, total = 60",
        "serve = 80, total = 90",
    );
    fixture.commit();
    fixture
}

fn json(command: &mut Command) -> Value {
    let output = command.output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    serde_json::from_slice(&output.stdout).unwrap()
}

fn docker(words: &[&str]) -> Output {
    Command::new("docker").args(words).output().unwrap()
}

/// What `--version` says in the image, without a network or rights.
fn version(id: &str, user: &str) -> String {
    let strict = [
        "run",
        "--rm",
        "--read-only",
        "--cap-drop=ALL",
        "--network=none",
    ];
    let said = docker(&[&strict[..], &["--user", user, id, "--version"]].concat());
    String::from_utf8(said.stdout).unwrap()
}

#[test]
#[ignore = "needs docker, python3 with pip and a package index"]
fn an_image_holds_the_library_and_all_that_loads_it() {
    let fixture = fixture();
    // Without an index there is none, and the way out is said.
    let mut offline = fixture.xtask("images");
    let said = fail({
        offline
            .env("PIP_INDEX_URL", "http://127.0.0.1:1/simple")
            .env("PIP_RETRIES", "0");
        offline
    });
    assert!(said.contains("--without-onnxruntime"), "{said}");
    let plain = json(&mut fixture.xtask("images --json --without-onnxruntime"));
    let plain = plain["images"][1]["id"].as_str().unwrap().to_owned();
    assert_eq!(version(&plain, "8888:0"), "serve 0.0.1\nengine: built-in\n");

    let library = succeed(fixture.xtask("onnxruntime"));
    let library = String::from_utf8(library.stdout).unwrap();
    let here = fixture.root().join(".local/onnxruntime");
    assert!(Path::new(library.trim()).starts_with(&here), "{library}");
    let offline = |words: &str| {
        let mut command = fixture.xtask(words);
        command.env("PIP_INDEX_URL", "http://127.0.0.1:1/simple");
        command
    };
    let document = json(&mut offline("images --json"));
    assert_eq!(document["images"][0]["outcome"], "up-to-date", "{document}");
    let reasons = &document["images"][1]["plan"]["reasons"];
    assert_eq!(
        reasons[0], "ONNX Runtime or the C library changed",
        "{document}"
    );
    let id = document["images"][1]["id"].as_str().unwrap();
    for user in ["8888:0", "65534", "0"] {
        assert_eq!(version(id, user), "serve 0.0.1\nengine: onnxruntime\n");
    }
    assert!(
        !docker(&["run", "--rm", "--entrypoint", "/bin/sh", id])
            .status
            .success()
    );

    // The same once more, from nothing.
    fs::remove_dir_all(fixture.root().join("target")).unwrap();
    let again = json(&mut offline("images --json"));
    assert_eq!(again["images"][1]["id"].as_str(), Some(id));

    let bill = fixture
        .root()
        .join("target/xtask/images/linux-amd64/serve/sbom.cdx.json");
    let bill: Value = serde_json::from_slice(&fs::read(bill).unwrap()).unwrap();
    let components = bill["components"].as_array().unwrap();
    let library = components
        .iter()
        .find(|one| one["name"] == "onnxruntime")
        .unwrap();
    assert_eq!(library["licenses"][0]["expression"], "MIT");
    assert!(
        library["purl"]
            .as_str()
            .unwrap()
            .starts_with("pkg:pypi/onnxruntime@1.")
    );
    let root = &bill["dependencies"].as_array().unwrap().iter();
    let root = root
        .clone()
        .find(|one| one["ref"] == "pkg:cargo/serve@0.0.1")
        .unwrap();
    assert!(
        root["dependsOn"]
            .as_array()
            .unwrap()
            .contains(&library["bom-ref"]),
        "{root}"
    );
}

#[test]
#[ignore = "needs docker, python3 with pip and a package index"]
fn a_library_that_was_changed_is_not_used() {
    let fixture = fixture();
    let library = succeed(fixture.xtask("onnxruntime"));
    let library = String::from_utf8(library.stdout).unwrap();
    fs::write(library.trim(), "something else").unwrap();
    for words in ["onnxruntime", "images"] {
        let said = fail(fixture.xtask(words));
        assert!(
            said.contains("is not the library of ONNX Runtime"),
            "{said}"
        );
        assert!(said.contains("remove "), "{said}");
    }
    let said = fail(fixture.xtask("images --platform linux/riscv64"));
    assert!(
        said.contains("--without-onnxruntime builds it without"),
        "{said}"
    );
}
