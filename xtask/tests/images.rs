//! `cargo xtask images` with a stub in place of docker, and with the real one.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic
)]

use std::fs;
use std::process::Command;
use std::time::{Duration, Instant};

use serde_json::Value;

#[path = "images/support.rs"]
mod support;

use support::{Fixture, fail, succeed, talk};

fn fixture() -> Fixture {
    Fixture::new(&["serve"], "localhost:5000")
}

fn with(mut command: Command, name: &str, value: &str) -> Command {
    command.env(name, value);
    command
}

#[test]
fn builds_runs_seals_and_tags_in_this_order() {
    let fixture = fixture();
    let output = succeed(fixture.stubbed("images"));
    let words: Vec<String> = fixture
        .calls()
        .iter()
        .map(|call| call.split(' ').take(2).collect::<Vec<_>>().join(" "))
        .collect();
    let wanted = ["images --no-trunc", "load --quiet", "run --rm"];
    assert_eq!(words[..3], wanted);
    assert!(words[3].starts_with("tag sha256:"), "{words:?}");
    assert_eq!(words.len(), 4);
    let stdout = String::from_utf8(output.stdout).unwrap();
    let row: Vec<&str> = stdout.split_whitespace().collect();
    assert_eq!(row[0], "localhost:5000/acme/serve:0.0.1");
    assert!(row[1].starts_with("sha256:"));
    assert_eq!(row[3], "MB");
}

#[test]
fn nothing_to_do_starts_no_build_and_takes_no_time() {
    let fixture = fixture();
    succeed(fixture.stubbed("images"));
    fixture.calls();
    let mut fastest = Duration::MAX;
    for _ in 0..3 {
        let start = Instant::now();
        let output = succeed(fixture.stubbed("images"));
        fastest = fastest.min(start.elapsed());
        assert_eq!(
            fixture.calls(),
            ["images --no-trunc --format={{.Repository}}:{{.Tag}} {{.ID}}"]
        );
        assert!(
            talk(&output).contains("Keep serve 0.0.1 (up to date)"),
            "{}",
            talk(&output)
        );
        assert!(talk(&output).contains("localhost:5000/acme/serve:0.0.1"));
    }
    assert!(fastest < Duration::from_secs(1), "{fastest:?}");
}

#[test]
#[expect(clippy::too_many_lines, reason = "a table of changes")]
fn every_change_has_its_reason_and_reaches_its_image_only() {
    let fixture = Fixture::new(&["train", "serve"], "localhost:5000");
    let build = |fixture: &Fixture| {
        let output = fixture.stubbed("images --dry-run").output().unwrap();
        talk(&output)
    };
    assert!(build(&fixture).contains("Build serve 0.0.1 (not built here yet)"));
    // The stub answers for serve alone.
    let both = |fixture: &Fixture| {
        succeed(fixture.stubbed("images serve"));
        succeed(with(
            fixture.stubbed("images train"),
            "STUB_SAYS",
            "train 0.0.1",
        ));
    };
    both(&fixture);
    assert!(
        build(&fixture).contains("Keep train"),
        "{}",
        build(&fixture)
    );
    for (file, from, to, reason, train) in [
        (
            "crates/serve/src/main.rs",
            "> 9",
            "> 10",
            "source changed: crates/serve/src/main.rs",
            "Keep",
        ),
        (
            "containers/serve/Dockerfile",
            "8888:0",
            "8889:0",
            "container file changed",
            "Keep",
        ),
        (
            "crates/serve/Cargo.toml",
            "MIT",
            "Apache-2.0",
            "source changed: crates/serve/Cargo.toml, version or labels changed",
            "Keep",
        ),
        (
            "crates/shared/src/lib.rs",
            "file()",
            "file( )",
            "source changed: crates/shared/src/lib.rs",
            "Build",
        ),
        (
            "Cargo.toml",
            "opt-level = 0",
            "opt-level = 1",
            "compiler, flags or platform changed",
            "Build",
        ),
        (
            "Cargo.toml",
            "project = \"acme\"",
            "project = \"acme2\"",
            "built already",
            "Tag",
        ),
    ] {
        fixture.edit(file, from, to);
        let plan = build(&fixture);
        assert!(
            plan.contains(&format!("serve 0.0.1 ({reason})")),
            "{file}: {plan}"
        );
        assert!(plan.contains(&format!("{train} train")), "{file}: {plan}");
        fixture.edit(file, to, from);
        assert!(
            build(&fixture).contains("Keep serve"),
            "{file}: {}",
            build(&fixture)
        );
    }
    for tag in fs::read_dir(fixture.stub().join("tags")).unwrap() {
        fs::remove_file(tag.unwrap().path()).unwrap();
    }
    assert!(build(&fixture).contains("Build serve 0.0.1 (gone from the engine)"));
}

#[test]
fn a_raised_version_rebuilds_its_image_only() {
    let fixture = Fixture::new(&["train", "serve"], "localhost:5000");
    succeed(fixture.stubbed("images serve"));
    succeed(with(
        fixture.stubbed("images train"),
        "STUB_SAYS",
        "train 0.0.1",
    ));
    succeed(fixture.stubbed("bump serve"));
    let plan = talk(&succeed(fixture.stubbed("images --dry-run")));
    assert!(
        plan.contains("Build serve 0.0.2 (source changed: crates/serve/Cargo.toml, version"),
        "{plan}"
    );
    assert!(plan.contains("Keep train"), "{plan}");
    let output = succeed(with(
        fixture.stubbed("images serve"),
        "STUB_SAYS",
        "serve 0.0.2",
    ));
    let said = talk(&output);
    assert!(
        said.contains("Compiling serve") && !said.contains("Compiling train"),
        "{said}"
    );
}

#[test]
fn what_compiles_to_the_same_program_is_not_built_again() {
    let fixture = fixture();
    succeed(fixture.stubbed("images"));
    fixture.calls();
    fixture.edit(
        "crates/serve/src/main.rs",
        "println!(",
        "/* a word */ println!(",
    );
    let output = succeed(fixture.stubbed("images --json"));
    let document: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(document["images"][0]["outcome"], "unchanged", "{document}");
    for call in fixture.calls() {
        assert!(
            call.starts_with("images") || call.starts_with("tag"),
            "{call}"
        );
    }
}

#[test]
fn a_dry_run_leaves_no_trace() {
    let fixture = fixture();
    let output = succeed(fixture.stubbed("images --dry-run --json"));
    assert!(!fixture.root().join("target").exists());
    let document: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(document["images"][0]["plan"]["action"], "build");
    assert_eq!(document["images"][0]["outcome"], Value::Null);
}

#[test]
fn the_keys_for_machines_stay() {
    let fixture = fixture();
    let output = succeed(fixture.stubbed("images --json"));
    let document: Value = serde_json::from_slice(&output.stdout).unwrap();
    let keys =
        |value: &Value| -> Vec<String> { value.as_object().unwrap().keys().cloned().collect() };
    assert_eq!(keys(&document), ["images", "problems", "seconds"]);
    assert_eq!(keys(&document["seconds"]), ["compiling", "imaging"]);
    let image = &document["images"][0];
    let wanted = [
        "name",
        "version",
        "reference",
        "plan",
        "outcome",
        "id",
        "size",
        "pushed",
        "digest",
    ];
    assert_eq!(keys(image), wanted);
    assert_eq!(keys(&image["plan"]), ["action", "reasons", "push"]);
    assert_eq!(image["outcome"], "built");
    let program = fixture
        .root()
        .join("target/x86_64-unknown-linux-gnu/release/serve");
    let program = fs::metadata(program).unwrap().len();
    let list = image["size"].as_u64().unwrap() - program;
    assert!((1..100_000).contains(&list), "{image}");
    let page = include_str!("../../docs/images.md");
    for key in wanted
        .iter()
        .chain(&["action", "reasons", "push", "problems", "seconds"])
        .chain(&["compiling", "imaging"])
    {
        assert!(
            page.contains(&format!("`{key}`")),
            "docs/images.md does not tell of {key}"
        );
    }
}

#[test]
fn failures_show_the_end_of_the_log_and_move_no_tag() {
    let fixture = fixture();
    for (mode, words) in [
        (
            "load=fail",
            &["step 30", "whole log:", "serve-load.log"][..],
        ),
        ("run=fail", &["the image of serve does not run"]),
        ("run=lie", &["answers --version with \"serve 9.9.9\""]),
        ("run=silent", &["answers --version with \"\""]),
        (
            "load=garbage",
            &["keeps the image of serve as (it names none)"],
        ),
        (
            "load=renamed",
            &["containerd image store", "--docker podman"],
        ),
        ("tag=fail", &["it does not work"]),
        ("images=down", &["help: start the docker daemon"]),
    ] {
        let said = fail(with(fixture.stubbed("images"), "STUB_MODE", mode));
        for word in words {
            assert!(said.contains(word), "{mode}: {said}");
        }
        assert!(!said.contains("step 1\n"), "{mode}: {said}");
        let mut tags = fs::read_dir(fixture.stub().join("tags")).unwrap();
        assert!(tags.next().is_none(), "{mode}");
    }
    succeed(fixture.stubbed("images"));
}

#[test]
fn a_missing_library_is_explained() {
    let fixture = fixture();
    let mut command = with(fixture.stubbed("images"), "STUB_MODE", "run=fail");
    command.env("STUB_WORDS", "exec /serve: no such file or directory");
    let said = fail(command);
    assert!(said.contains("it has to be linked statically"), "{said}");
}

#[test]
fn a_command_that_hangs_is_stopped() {
    let fixture = fixture();
    let start = Instant::now();
    let said = fail(with(
        fixture.stubbed("images --timeout 1"),
        "STUB_MODE",
        "load=hang",
    ));
    assert!(
        said.contains("did not end within 1 s and was stopped; --timeout"),
        "{said}"
    );
    assert!(start.elapsed() < Duration::from_secs(40));
}

#[test]
fn an_image_over_its_budget_gets_no_tag() {
    let fixture = fixture();
    fixture.edit("Cargo.toml", "serve = 30", "serve = 0");
    let said = fail(fixture.stubbed("images"));
    assert!(said.contains(" MB and may have 0 MB"), "{said}");
    assert!(said.contains("size-limits"), "{said}");
    assert!(!fixture.calls().iter().any(|call| call.starts_with("tag")));
}

#[test]
fn wrong_settings_are_refused_before_docker_sees_them() {
    let fixture = fixture();
    for (words, wanted) in [
        ("images --project PROJECT", "XTASK_PROJECT"),
        ("images --registry acme", "Docker Hub"),
        ("images --platform windows/amd64", "none of linux/amd64"),
        (
            "images server",
            "no image is called \"server\"; there are serve",
        ),
    ] {
        let said = fail(fixture.stubbed(words));
        assert!(said.contains(wanted), "{words}: {said}");
        assert_eq!(fixture.calls(), Vec::<String>::new(), "{words}");
    }
    let absent = fail(fixture.stubbed("images --docker no-such-program"));
    assert!(absent.contains("XTASK_DOCKER"), "{absent}");
}

#[test]
fn flag_beats_environment_beats_metadata() {
    let fixture = fixture();
    let reference = |command: Command| {
        let output = succeed(command);
        let document: Value = serde_json::from_slice(&output.stdout).unwrap();
        document["images"][0]["reference"]
            .as_str()
            .unwrap()
            .to_owned()
    };
    let words = "images --dry-run --json";
    assert_eq!(
        reference(fixture.stubbed(words)),
        "localhost:5000/acme/serve:0.0.1"
    );
    let environment = || {
        let command = with(fixture.stubbed(words), "XTASK_REGISTRY", "env.io");
        with(command, "XTASK_PROJECT", "env")
    };
    assert_eq!(reference(environment()), "env.io/env/serve:0.0.1");
    let mut both = environment();
    both.args(["--registry", "flag.io", "--project", "flag/x"]);
    assert_eq!(reference(both), "flag.io/flag/x/serve:0.0.1");
    let empty = with(fixture.stubbed(words), "XTASK_REGISTRY", "");
    assert_eq!(reference(empty), "localhost:5000/acme/serve:0.0.1");
}

#[test]
fn the_program_tells_what_it_is_made_of_and_nothing_of_its_maker() {
    let fixture = fixture();
    succeed(fixture.stubbed("images"));
    let root = fixture.root();
    let bill = root.join("target/xtask/images/linux-amd64/serve/sbom.cdx.json");
    let bill: Value = serde_json::from_slice(&fs::read(bill).unwrap()).unwrap();
    assert_eq!(bill["bomFormat"], "CycloneDX");
    assert_eq!(
        bill["metadata"]["component"]["purl"],
        "pkg:cargo/serve@0.0.1"
    );
    assert_eq!(bill["metadata"]["timestamp"], "2026-01-02T03:04:05Z");
    assert_eq!(bill["components"][0]["name"], "shared");
    assert_eq!(bill["components"][0]["licenses"][0]["expression"], "MIT");
    assert_eq!(
        bill["dependencies"][0]["dependsOn"][0],
        "pkg:cargo/shared@0.0.1"
    );
    let binary = root.join("target/x86_64-unknown-linux-gnu/release/serve");
    let bytes = fs::read(binary).unwrap();
    let home = std::env::home_dir().unwrap().display().to_string();
    let places = [
        root.display().to_string(),
        format!("{home}/.cargo"),
        format!("{home}/.rustup"),
    ];
    for place in places {
        let found = bytes
            .windows(place.len())
            .any(|window| window == place.as_bytes());
        assert!(!found, "the program holds {place}");
    }
}
