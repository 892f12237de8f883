//! Flags and variables.

use std::process::{Command, Output};

use crate::support::package;
use crate::support::server::{Server, command};

fn serve(arguments: &[&str], variables: &[(&str, &str)]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_serve"));
    command.env_clear().envs(variables.iter().copied());
    command.args(arguments).output().unwrap()
}

#[test]
fn version_and_prestop() {
    let output = serve(&["--version"], &[]);
    let version = format!("serve {}\nengine: built-in\n", env!("CARGO_PKG_VERSION"));
    assert_eq!(String::from_utf8(output.stdout).unwrap(), version);
    assert_eq!(output.status.code(), Some(0));
    // The variables of the container are there, also wrong ones.
    let output = serve(&["prestop"], &[("PREDICTIVE_UNIT_PARAMETERS", "nonsense")]);
    assert_eq!((output.status.code(), output.stdout.len()), (Some(0), 0));
}

#[test]
fn wrong_settings_end_the_start_with_their_name() {
    for (arguments, variables, reasons) in [
        (
            vec![],
            vec![("PREDICTIVE_UNIT_HTTP_SERVICE_PORT", "http")],
            ["PREDICTIVE_UNIT_HTTP_SERVICE_PORT", "--http-port"],
        ),
        (
            vec!["--http-port", "70000"],
            vec![],
            ["--http-port", "70000"],
        ),
        (
            vec![],
            vec![(
                "PREDICTIVE_UNIT_PARAMETERS",
                r#"[{"name":"n","value":"x","type":"INT"}]"#,
            )],
            ["PREDICTIVE_UNIT_PARAMETERS", "the parameter \"n\""],
        ),
        (
            vec![],
            vec![(
                "PREDICTIVE_UNIT_PARAMETERS",
                r#"[{"name":"model_digest","value":"md5:0","type":"STRING"}]"#,
            )],
            ["model_digest", "is not a digest"],
        ),
        (
            vec![],
            vec![("MODEL_METADATA", "author: me")],
            ["MODEL_METADATA", "author"],
        ),
        (
            vec![],
            vec![("MODEL_METADATA", "inputs: [5]")],
            ["MODEL_METADATA", "inputs, entry 1"],
        ),
        (
            vec![],
            vec![("PREDICTOR_LABELS", "{")],
            ["PREDICTOR_LABELS", "EOF"],
        ),
        (
            vec![],
            vec![("SELDON_LOG_LEVEL", "loud")],
            ["SELDON_LOG_LEVEL", "loud"],
        ),
        (
            vec!["--model", "s3://bucket/model"],
            vec![],
            ["s3 URI", "modelUri"],
        ),
        (vec!["--drain-delay=-1"], vec![], ["--drain-delay", "-1"]),
        (vec!["--threads", "0"], vec![], ["--threads", "at least 1"]),
        (
            vec!["--http-port", "9000", "--metrics-port", "9000"],
            vec![],
            ["--http-port and --metrics-port", "9000"],
        ),
    ] {
        refused(&arguments, &variables, &reasons);
    }
}

fn refused(arguments: &[&str], variables: &[(&str, &str)], reasons: &[&str]) {
    let output = serve(arguments, variables);
    let text = String::from_utf8(output.stderr).unwrap();
    for reason in reasons {
        assert!(text.contains(reason), "{arguments:?} {variables:?}: {text}");
    }
    assert_eq!(output.status.code(), Some(2), "{text}");
}

#[test]
fn half_a_registry_is_refused() {
    for (arguments, variables, reasons) in [
        (
            vec!["--det-master", "ftp://det", "--det-user", "ann"],
            vec![],
            ["master address", "http or https"],
        ),
        (
            vec![],
            vec![("DET_MASTER", "det")],
            ["DET_USER", "DET_PASSWORD"],
        ),
        (
            vec![],
            vec![("DET_MASTER", "det"), ("DET_USER", "ann")],
            ["no model", "model_name"],
        ),
        (
            vec!["--model-name", "dogs"],
            vec![("DET_MASTER", "det"), ("DET_USER", "ann")],
            ["no version of \"dogs\"", "latest"],
        ),
        (
            vec!["--model-name", "dogs/cats", "--model-version", "1"],
            vec![("DET_MASTER", "det"), ("DET_USER", "ann")],
            ["model name", "must not contain '/'"],
        ),
    ] {
        refused(&arguments, &variables, &reasons);
    }
}

#[test]
fn folders_of_the_package() {
    let package = package::identity();
    let uri = format!("file://{}", package.folder());
    Server::ready(&mut command(&uri));
    let parent = package.path.parent().unwrap();
    Server::ready(command("/pfs/model").env("PFS_ROOT", parent));
}

#[test]
fn variables_without_a_meaning_are_named_once() {
    let package = package::identity();
    let mut command = command(package.folder());
    command
        .env("GUNICORN_WORKERS", "4")
        .env("JAEGER_AGENT_HOST", "jaeger");
    let mut server = Server::ready(&mut command);
    server.signal("TERM");
    assert_eq!(server.wait().code(), Some(0));
    let ignored = server.line_before("ignored variables");
    assert_eq!(ignored["variables"], "GUNICORN_WORKERS JAEGER_AGENT_HOST");
}

#[test]
fn the_log_level_is_seldons() {
    let package = package::identity();
    package.damage();
    let mut command = command(package.folder());
    let output = command.env("SELDON_LOG_LEVEL", "WARNING").output().unwrap();
    let log = String::from_utf8(output.stderr).unwrap();
    assert_eq!(log.lines().count(), 1, "the error alone: {log}");
}
