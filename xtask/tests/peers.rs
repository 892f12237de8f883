//! Images by podman instead of docker, and the bill of materials as CycloneDX's
//! own library reads it.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic
)]

use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::Value;
use tempfile::TempDir;

#[path = "registry/server.rs"]
#[allow(dead_code, reason = "no trouble is made here")]
mod server;
#[path = "images/support.rs"]
mod support;

use server::Registry;
use support::{Fixture, succeed, talk};

/// Limits that a machine may refuse to raise are left as they are.
const CONTAINERS: &str = "[containers]\ndefault_ulimits = [\"nofile=1024:1024\", \
    \"nproc=1024:1024\"]\n[engine]\ncgroup_manager = \"cgroupfs\"\nevents_logger = \"file\"\n";

/// A podman with a store of its own, that may speak plain HTTP with a registry.
struct Podman(TempDir);

impl Podman {
    fn new(registry: &str) -> Self {
        let podman = Self(tempfile::tempdir().unwrap());
        let store = format!(
            "[storage]\ndriver = \"vfs\"\ngraphroot = \"{0}/graph\"\nrunroot = \"{0}/run\"\n",
            podman.0.path().display()
        );
        let registries = format!("[[registry]]\nlocation = \"{registry}\"\ninsecure = true\n");
        let write = |name: &str, text: &str| fs::write(podman.0.path().join(name), text).unwrap();
        write("containers.conf", CONTAINERS);
        write("storage.conf", &store);
        write("registries.conf", &registries);
        podman
    }

    /// Lets what a command starts use this podman.
    fn set(&self, command: &mut Command) {
        let path = |name: &str| self.0.path().join(name);
        command.env("CONTAINERS_CONF", path("containers.conf"));
        command.env("CONTAINERS_STORAGE_CONF", path("storage.conf"));
        command.env("CONTAINERS_REGISTRIES_CONF", path("registries.conf"));
    }
}

fn images(mut command: Command) -> Value {
    command.arg("--json");
    let output = succeed(command);
    let document: Value = serde_json::from_slice(&output.stdout).unwrap();
    document["images"][0].clone()
}

#[test]
#[ignore = "needs podman, docker and docker-registry"]
fn podman_makes_the_image_that_docker_makes() {
    let registry = Registry::open();
    let fixture = Fixture::new(&["serve"], &registry.host());
    let podman = Podman::new(&registry.host());
    let mut command = fixture.xtask("images --push --docker podman");
    podman.set(&mut command);
    let by_podman = images(command);
    assert_eq!(by_podman["pushed"], true);
    let digest = registry.digest("serve", "0.0.1");
    assert_eq!(digest.as_deref(), by_podman["digest"].as_str());
    let by_docker = images(fixture.xtask("images --push"));
    assert_eq!(by_docker["id"], by_podman["id"]);
    assert_eq!(by_docker["pushed"], false, "the same content is published");
    assert_eq!(by_docker["digest"], by_podman["digest"]);
}

/// The schema's version stands in the document.
const VALIDATE: &str = "
import sys
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
text = open(sys.argv[1]).read()
found = JsonStrictValidator(SchemaVersion.from_version(sys.argv[2])).validate_str(text)
sys.exit(None if found is None else str(found))
";

#[test]
#[ignore = "needs docker and Python with cyclonedx-python-lib, named by CYCLONEDX_PYTHON"]
fn the_bill_of_materials_is_what_cyclonedx_says() {
    let python = std::env::var("CYCLONEDX_PYTHON").expect("CYCLONEDX_PYTHON names a Python");
    let fixture = Fixture::new(&["serve"], "localhost:5000");
    succeed(fixture.xtask("images"));
    let folder = fixture.root().join("target/xtask/images");
    let platform = fs::read_dir(folder).unwrap().next().unwrap().unwrap();
    let file = platform.path().join("serve/sbom.cdx.json");
    let mut bill: Value = serde_json::from_str(&fs::read_to_string(&file).unwrap()).unwrap();
    let validate = |file: &Path, version: &str| {
        let mut command = Command::new(&python);
        command.args(["-c", VALIDATE]).arg(file).arg(version);
        command.output().unwrap()
    };
    let version = bill["specVersion"].as_str().unwrap().to_owned();
    let output = validate(&file, &version);
    assert!(output.status.success(), "{}", talk(&output));
    // The validator finds what is wrong.
    bill["components"][0]["type"] = "crate".into();
    fs::write(&file, bill.to_string()).unwrap();
    let said = talk(&validate(&file, &version));
    assert!(said.contains("'crate' is not one of"), "{said}");
}
