//! The public clients, as their users install them.

use std::process::Command;

use crate::support::package;
use crate::support::server::Server;

/// Runs a program of the environment that the variable names, and gives what it
/// printed.
fn run(variable: &str, program: &str, arguments: &[&str]) -> String {
    let folder = std::env::var(variable).expect("the variable names the bin folder of a venv");
    let output = Command::new(format!("{folder}/{program}"))
        .args(arguments)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    let printed = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{printed}\n{said}");
    printed
}

fn script(name: &str) -> String {
    format!("{}/tests/it/clients/{name}", env!("CARGO_MANIFEST_DIR"))
}

#[test]
#[ignore = "needs SELDON_BIN, where seldon-core 1.18.2 is installed"]
fn seldon_client() {
    let server = Server::start(&package::iris());
    let script = script("seldon.py");
    let printed = run(
        "SELDON_BIN",
        "python3",
        &[&script, &server.http, &server.grpc],
    );
    assert_eq!(printed, "seldon: all answers are right\n");
}

#[test]
#[ignore = "needs SELDON_BIN, where seldon-core 1.18.2 is installed"]
fn seldon_microservice_tester() {
    let server = Server::start(&package::iris());
    let contract = script("contract.json");
    for (address, more) in [
        (&server.http, &[][..]),
        (&server.http, &["--tensor"]),
        (&server.grpc, &["--grpc"]),
        (&server.grpc, &["--grpc", "--tensor"]),
        (&server.http, &["--endpoint", "send-feedback"]),
        (&server.grpc, &["--grpc", "--endpoint", "send-feedback"]),
    ] {
        let (host, port) = address.split_once(':').unwrap();
        let mut arguments = vec![contract.as_str(), host, port, "-p", "-n", "3"];
        arguments.extend(more);
        let printed = run("SELDON_BIN", "seldon-core-microservice-tester", &arguments);
        let success = match more.contains(&"send-feedback") {
            true => "Success:True",
            false => r#"names: "setosa""#,
        };
        assert_eq!(printed.matches(success).count(), 3, "{more:?}: {printed}");
    }
}

#[test]
#[ignore = "needs TRITON_BIN, where tritonclient is installed with its extras grpc and http"]
fn tritonclient() {
    let server = Server::start(&package::iris());
    let script = script("triton.py");
    let printed = run(
        "TRITON_BIN",
        "python3",
        &[&script, &server.http, &server.grpc],
    );
    assert_eq!(printed, "triton: all answers are right\n");
}

#[test]
#[ignore = "needs KSERVE_BIN, where kserve is installed"]
fn kserve() {
    let server = Server::start(&package::iris());
    let script = script("kserve_sdk.py");
    let printed = run(
        "KSERVE_BIN",
        "python3",
        &[&script, &server.http, &server.grpc],
    );
    assert_eq!(printed, "kserve: all answers are right\n");
}
