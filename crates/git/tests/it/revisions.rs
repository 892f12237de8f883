//! Branches, tags and commits.

use git_server::{GitServer, Repository};

use crate::{fetch, remote, tree};

/// Three commits whose file tells them apart: of a tag, before the tip, and the tip.
fn history(server: &GitServer) -> (Repository, [String; 3]) {
    let repository = server.repository("team/experiment");
    let commits = ["first", "second", "third"].map(|content| {
        repository.write("a.txt", content);
        repository.commit(content)
    });
    let [first, second, _] = &commits;
    repository.git(&["tag", "--annotate", "--message", "one", "v1", first]);
    repository.git(&["tag", "--annotate", "--message", "again", "v1-again", "v1"]);
    repository.git(&["tag", "light", first]);
    repository.git(&["update-ref", "refs/pull/7/head", second]);
    repository.git(&["branch", "feature/x", second]);
    // A tag of the same name: the branch counts.
    repository.git(&["tag", "main", first]);
    (repository, commits)
}

#[test]
fn every_kind_of_revision_is_found() {
    let server = GitServer::start();
    let (_, [first, second, third]) = history(&server);
    for is_old in [false, true] {
        server.rules().is_old = is_old;
        let remote = remote(&server, "team/experiment");
        for (revision, name, commit, content) in [
            ("main", "refs/heads/main", &third, "third"),
            ("HEAD", "refs/heads/main", &third, "third"),
            ("refs/tags/main", "refs/tags/main", &first, "first"),
            ("feature/x", "refs/heads/feature/x", &second, "second"),
            ("v1", "refs/tags/v1", &first, "first"),
            ("v1-again", "refs/tags/v1-again", &first, "first"),
            ("light", "refs/tags/light", &first, "first"),
            ("refs/pull/7/head", "refs/pull/7/head", &second, "second"),
            (&second, &second, &second, "second"),
            (&second[..9], &second, &second, "second"),
        ] {
            let checkout = fetch(&remote, revision).unwrap();
            assert_eq!(&checkout.fetched.commit, commit, "{revision}");
            assert_eq!(checkout.fetched.revision, name, "{revision}");
            assert_eq!(checkout.fetched.files, 1);
            assert_eq!(tree(checkout.folder.path())["a.txt"], content, "{revision}");
        }
    }
}

#[test]
fn no_more_than_one_commit_is_asked_for() {
    let server = GitServer::start();
    let (_, [_, second, _]) = history(&server);
    for revision in ["main", "v1", &second] {
        fetch(&remote(&server, "team/experiment"), revision).unwrap();
        let seen = server.seen();
        let last = &seen.last().unwrap().body;
        assert!(last.contains("deepen 1\n"), "{revision}: {last}");
        assert_eq!(last.matches("want ").count(), 1, "{revision}: {last}");
    }
}

#[test]
fn a_commit_that_is_not_given_is_looked_for() {
    let server = GitServer::start();
    let (repository, [_, second, _]) = history(&server);
    // Else it is at a tip itself.
    repository.git(&["branch", "--delete", "--force", "feature/x"]);
    repository.git(&["update-ref", "-d", "refs/pull/7/head"]);
    server.rules().gives_tips_only = true;
    let remote = remote(&server, "team/experiment");
    for revision in [&second, &second[..9]] {
        let checkout = fetch(&remote, revision).unwrap();
        assert_eq!(checkout.fetched.commit, second);
        assert_eq!(tree(checkout.folder.path())["a.txt"], "second");
    }
    let unknown = "0123456789012345678901234567890123456789";
    let error = fetch(&remote, unknown).err().unwrap().to_string();
    assert!(error.contains("not our ref"), "{error}");
}

#[test]
fn what_is_not_there_is_answered_with_what_is() {
    let server = GitServer::start();
    let (_, [first, ..]) = history(&server);
    let remote = remote(&server, "team/experiment");
    let message = |revision: &str| fetch(&remote, revision).err().unwrap().to_string();
    let error = message("mian");
    assert_eq!(
        error,
        format!(
            "{remote} has no branch, tag or commit \"mian\"; its branches are feature/x, main, \
             its tags are light, main, v1, v1-again"
        )
    );
    // Digits that nothing begins with.
    let digits: String = first[..9].chars().rev().collect();
    assert!(message(&digits).contains("has no branch, tag or commit"));
    assert!(message("main~1").contains("nothing to compute one from"));
    server.repository("empty");
    let error = fetch(&crate::remote(&server, "empty"), "main");
    assert!(error.err().unwrap().to_string().ends_with("; it is empty"));
}
