//! Who may read, and servers that fail.

use git::{Error, Remote};
use git_server::GitServer;

use crate::{fetch, remote, tree};

const TOKEN: &str = "s3cret-t0ken";

fn server() -> GitServer {
    let server = GitServer::start();
    let repository = server.repository("private");
    repository.write("a.txt", "a");
    repository.write("b.bin", [7; 200].map(|n| n.to_string()).join(TOKEN));
    repository.write(
        "c.bin",
        (0..9000).map(|n| format!("{}", n * n)).collect::<String>(),
    );
    repository.commit("All");
    server.rules().credentials = Some(("ann".to_owned(), TOKEN.to_owned()));
    server
}

fn with(remote: &Remote, user: &str, token: &str) -> Remote {
    remote
        .clone()
        .with_credentials(Some(user.to_owned()), Some(token.to_owned().into()))
}

#[test]
fn a_token_goes_to_the_server_that_asks_for_it() {
    let server = server();
    let remote = with(&remote(&server, "private"), "ann", TOKEN);
    let checkout = fetch(&remote, "main").unwrap();
    assert_eq!(tree(checkout.folder.path())["a.txt"], "a");
    let seen = server.seen();
    assert_eq!(seen[0].authorization, None, "before it is asked for");
    assert!(seen[1..].iter().all(|s| s.authorization.is_some()));
    // One that is public gets none.
    server.rules().credentials = None;
    fetch(&remote, "main").unwrap();
    assert!(
        server.seen()[seen.len()..]
            .iter()
            .all(|s| s.authorization.is_none())
    );
}

#[test]
fn a_wrong_token_is_said_and_not_shown() {
    let server = server();
    let remote = remote(&server, "private");
    let error = fetch(&remote, "main").err().unwrap();
    assert!(matches!(error, Error::NoCredentials { .. }), "{error}");
    let error = fetch(&with(&remote, "ann", "wr0ng-t0ken"), "main")
        .err()
        .unwrap();
    let message = error.to_string();
    assert!(
        message.contains("answers 401 to the user \"ann\""),
        "{message}"
    );
    assert!(!message.contains("wr0ng") && !format!("{error:?}").contains("wr0ng"));
    let address = server
        .url("private")
        .replace("//", &format!("//ann:{TOKEN}@"));
    fetch(&Remote::new(&address).unwrap(), "main").unwrap();
}

#[test]
fn redirects_are_followed_and_a_token_stays_at_home() {
    let server = server();
    let moved = with(&remote(&server, "moved/private"), "ann", TOKEN);
    fetch(&moved, "main").unwrap();
    let posts: Vec<_> = server
        .seen()
        .into_iter()
        .filter(|s| s.line.starts_with("POST"))
        .collect();
    assert!(
        posts.iter().all(|s| s.line.starts_with("POST /private/")),
        "{posts:?}"
    );
    let before = server.seen().len();
    let elsewhere = with(&remote(&server, "elsewhere/private"), "ann", TOKEN);
    let error = fetch(&elsewhere, "main").err().unwrap();
    assert!(
        matches!(error, Error::Refused { status: 401, .. }),
        "{error}"
    );
    for seen in &server.seen()[before..] {
        let is_other = seen.host.starts_with("localhost");
        assert!(!is_other || seen.authorization.is_none(), "{seen:?}");
    }
}

#[test]
fn a_private_authority_is_trusted_when_it_is_named() {
    let (server, certificate) = GitServer::start_with_tls();
    let repository = server.repository("private");
    repository.write("a.txt", "a");
    repository.commit("All");
    server.rules().credentials = Some(("git".to_owned(), TOKEN.to_owned()));
    let remote = remote(&server, "private").with_credentials(None, Some(TOKEN.into()));
    let error = fetch(&remote, "main").err().unwrap().to_string();
    assert!(error.contains("certificate"), "{error}");
    assert!(server.seen().is_empty(), "nothing was sent");
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("authority.pem");
    let trusting = remote.clone().with_certificates(file.clone());
    let error = fetch(&trusting, "main").err().unwrap();
    assert!(matches!(error, Error::Certificates { .. }), "{error}");
    std::fs::write(&file, certificate).unwrap();
    fetch(&trusting, "main").unwrap();
    assert!(!remote.is_clear_text());
}

#[test]
fn servers_that_fail_are_told_apart() {
    let server = server();
    server.rules().credentials = None;
    let message = |repository: &str| {
        let error = fetch(&remote(&server, repository), "main").err().unwrap();
        error.to_string()
    };
    assert!(message("nothing").contains("answers 404: there is no repository"));
    for (status, words) in [(503, "try again later"), (403, "without a token")] {
        server.rules().status = Some(status);
        let error = message("private");
        assert!(error.contains(&format!("answers {status}: ")), "{error}");
        assert!(error.contains(words), "{error}");
    }
    server.rules().status = Some(200);
    assert!(message("private").contains("does not answer as a git server"));
    server.rules().status = None;
    server.rules().cut = Some(5000);
    assert!(message("private").contains("does not answer as a git server"));
    let url = server.url("private");
    drop(server);
    let error = fetch(&Remote::new(&url).unwrap(), "main")
        .err()
        .unwrap()
        .to_string();
    assert!(
        error.starts_with(&format!("cannot reach {url}: ")),
        "{error}"
    );
}
