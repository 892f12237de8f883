//! What is written, and what is not.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};

use git::Error;
use git_server::GitServer;

use crate::{fetch, remote, tree};

#[test]
fn the_files_are_those_of_the_commit() {
    let server = GitServer::start();
    let repository = server.repository("r");
    repository.write("a.txt", "a\n");
    repository.write("deep/er/run.sh", "#!/bin/sh\n");
    let program = repository.folder().join("deep/er/run.sh");
    fs::set_permissions(program, fs::Permissions::from_mode(0o755)).unwrap();
    symlink("deep/er/run.sh", repository.folder().join("link")).unwrap();
    symlink("/etc/passwd", repository.folder().join("out")).unwrap();
    let commit = repository.commit("Files");
    // As `git submodule add` leaves it in the tree.
    repository.git(&[
        "update-index",
        "--add",
        "--cacheinfo",
        &format!("160000,{commit},sub"),
    ]);
    repository.git(&["commit", "--quiet", "--message", "Submodule"]);
    let checkout = fetch(&remote(&server, "r"), "main").unwrap();
    let files = tree(checkout.folder.path());
    let wanted = [
        ("a.txt", "a\n"),
        ("deep/", ""),
        ("deep/er/", ""),
        ("deep/er/run.sh", "#!/bin/sh\n"),
        ("link", "-> deep/er/run.sh"),
        ("out", "-> /etc/passwd"),
        ("sub/", ""),
    ];
    assert_eq!(
        files,
        wanted.map(|(k, v)| (k.to_owned(), v.to_owned())).into()
    );
    assert_eq!(checkout.fetched.submodules, ["sub"]);
    assert_eq!(checkout.fetched.files, 4);
    let mode = |name: &str| {
        let meta = fs::metadata(checkout.folder.path().join(name));
        meta.unwrap().permissions().mode() & 0o777
    };
    assert_eq!((mode("a.txt"), mode("deep/er/run.sh")), (0o644, 0o755));
}

#[test]
fn names_that_lead_out_are_refused() {
    let server = GitServer::start();
    let repository = server.repository("r");
    let blob = repository.blob(b"x");
    let target = repository.blob(b"/tmp");
    for (number, name) in ["..", ".", "a/b", "../x", "/x", ".git", ".GIT", "git~1"]
        .into_iter()
        .enumerate()
    {
        let branch = format!("hostile-{number}");
        repository.branch_of_entries(&branch, &[("100644", &blob, name)]);
        let error = fetch(&remote(&server, "r"), &branch).err().unwrap();
        assert!(matches!(error, Error::Commit { .. }), "{name}: {error}");
    }
    // Written through a link.
    repository.branch_of_entries("twice", &[("120000", &target, "a"), ("100644", &blob, "a")]);
    let error = fetch(&remote(&server, "r"), "twice").err().unwrap();
    assert!(matches!(error, Error::File { .. }), "{error}");
    // A file as a branch.
    repository.git(&["tag", "file", &blob]);
    let error = fetch(&remote(&server, "r"), "file")
        .err()
        .unwrap()
        .to_string();
    assert!(error.contains("it is a blob, not a commit"), "{error}");
}

#[test]
fn folders_without_end_are_refused() {
    let server = GitServer::start();
    let repository = server.repository("r");
    let blob = repository.blob(b"x");
    let file = format!("100644 blob {blob}\tx\n");
    let mut tree = repository.git_with(&["mktree"], file.as_bytes());
    // Each holds the one before ten times: together a million files.
    for _ in 0..6 {
        let entries: String = (0..10)
            .map(|n| format!("040000 tree {tree}\t{n}\n"))
            .collect();
        tree = repository.git_with(&["mktree"], entries.as_bytes());
    }
    let commit = repository.git(&["commit-tree", "-m", "bomb", &tree]);
    repository.git(&["update-ref", "refs/heads/main", &commit]);
    let error = fetch(&remote(&server, "r"), "main").err().unwrap();
    assert!(matches!(error, Error::TooLarge { .. }), "{error}");
}
