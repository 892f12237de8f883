//! The ways in which registries ask for a login and docker keeps one.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Output};

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::server::Registry;
use crate::support::{Fixture, fail, succeed, talk};
use crate::tokens::{Account, Tokens};

const PASSWORD: &str = "p\"a\\ss";
const IDENTITY: &str = "an-identity-token";

/// A registry, a workspace that publishes there, and docker's own folder.
struct Scene {
    registry: Registry,
    fixture: Fixture,
    docker: TempDir,
}

impl Scene {
    fn new(registry: Registry) -> Self {
        let fixture = Fixture::new(&["serve"], &registry.host());
        Self {
            registry,
            fixture,
            docker: tempfile::tempdir().unwrap(),
        }
    }

    fn push(&self) -> Command {
        let mut command = self.fixture.xtask("images --push");
        command.env("DOCKER_CONFIG", self.docker.path());
        command
    }

    fn login(&self, password: &str) -> Output {
        let mut command = Command::new("docker");
        command.env("DOCKER_CONFIG", self.docker.path());
        let host = self.registry.host();
        command.args(["login", "--username", "me", "--password", password, &host]);
        command.output().unwrap()
    }

    fn config(&self) -> Value {
        let text = fs::read_to_string(self.docker.path().join("config.json")).unwrap();
        serde_json::from_str(&text).unwrap()
    }

    /// Pushes, wants the image in the registry, and no secret anywhere.
    fn is_published_and_nothing_told(&self, push: impl Fn() -> Command) {
        let said = talk(&succeed(push()));
        assert!(self.registry.digest("serve", "0.0.1").is_some(), "{said}");
        let again = talk(&succeed(push()));
        assert!(again.contains("published already"), "{again}");
        let logs = self.fixture.root().join("target/xtask/logs");
        let logs = fs::read_dir(logs)
            .unwrap()
            .map(|log| fs::read_to_string(log.unwrap().path()));
        for text in logs.map(Result::unwrap).chain([said, again]) {
            assert!(!text.contains("p\"a") && !text.contains(IDENTITY), "{text}");
        }
    }
}

fn account(identity_token: Option<&str>) -> Account {
    Account {
        name: "me".to_owned(),
        password: PASSWORD.to_owned(),
        identity_token: identity_token.map(str::to_owned),
    }
}

#[test]
#[ignore = "needs docker and docker-registry"]
fn a_login_is_asked_for_and_used() {
    let scene = Scene::new(Registry::with_login("me", PASSWORD));
    let said = fail(scene.push());
    let advice = format!("docker login {}", scene.registry.host());
    assert!(said.contains(&advice), "{said}");
    assert!(scene.login(PASSWORD).status.success());
    scene.is_published_and_nothing_told(|| scene.push());
}

#[test]
#[ignore = "needs docker, docker-registry and openssl"]
fn a_registry_with_tokens_takes_a_password() {
    let folder = tempfile::tempdir().unwrap();
    let tokens = Tokens::start(folder.path(), account(None));
    let scene = Scene::new(Registry::with_auth(&tokens.auth()));
    let said = fail(scene.push());
    assert!(said.contains("docker login"), "{said}");
    assert!(!scene.login("wrong").status.success());
    assert_eq!(tokens.given(), Vec::<String>::new());
    assert!(scene.login(PASSWORD).status.success());
    scene.is_published_and_nothing_told(|| scene.push());
    let ours = "scope=repository:acme/serve:pull";
    assert!(
        tokens.given().iter().any(|asked| asked.contains(ours)),
        "{:?}",
        tokens.given()
    );
}

#[test]
#[ignore = "needs docker, docker-registry and openssl"]
fn a_registry_with_tokens_takes_an_identity_token() {
    let folder = tempfile::tempdir().unwrap();
    let tokens = Tokens::start(folder.path(), account(Some(IDENTITY)));
    let scene = Scene::new(Registry::with_auth(&tokens.auth()));
    assert!(scene.login(PASSWORD).status.success());
    let host = scene.registry.host();
    assert_eq!(scene.config()["auths"][host]["identitytoken"], IDENTITY);
    scene.is_published_and_nothing_told(|| scene.push());
    let ours = "client_id=xtask";
    assert!(
        tokens.given().iter().any(|asked| asked.contains(ours)),
        "{:?}",
        tokens.given()
    );
}

#[test]
#[ignore = "needs docker and docker-registry"]
fn a_login_that_a_helper_keeps_is_used() {
    let scene = Scene::new(Registry::with_login("me", PASSWORD));
    let host = scene.registry.host();
    let config = json!({"credHelpers": {&host: "test"}});
    fs::write(scene.docker.path().join("config.json"), config.to_string()).unwrap();
    let secret = json!({"ServerURL": host, "Username": "me", "Secret": PASSWORD});
    helper(scene.docker.path(), &secret);
    let path = std::env::var("PATH").unwrap();
    let path = format!("{}:{path}", scene.docker.path().display());
    let push = || {
        let mut command = scene.push();
        command.env("PATH", &path);
        command
    };
    scene.is_published_and_nothing_told(push);
    let asked = fs::read_to_string(scene.docker.path().join("asked")).unwrap();
    assert!(
        asked.lines().all(|line| line == format!("get {host}")),
        "{asked}"
    );
}

/// `docker-credential-test`, which gives its secret for any host.
fn helper(folder: &Path, secret: &Value) {
    let file = folder.join("docker-credential-test");
    let script = format!(
        "#!/bin/sh\nread -r host || [ -n \"$host\" ]\necho \"$1 $host\" >>'{}/asked'\n\
         cat <<'END'\n{secret}\nEND\n",
        folder.display()
    );
    fs::write(&file, script).unwrap();
    fs::set_permissions(&file, fs::Permissions::from_mode(0o755)).unwrap();
}
