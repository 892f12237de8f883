//! Repositories, written by git itself.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// A repository with a folder of files.
#[derive(Debug, Clone)]
pub struct Repository {
    folder: PathBuf,
}

impl Repository {
    pub(crate) fn create(folder: PathBuf) -> Self {
        fs::create_dir_all(&folder).expect("a folder");
        let repository = Self { folder };
        repository.git(&["init", "--quiet", "--initial-branch", "main"]);
        repository
    }

    pub(crate) fn at(folder: PathBuf) -> Self {
        Self { folder }
    }

    /// The folder of its files.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Writes a file.
    pub fn write(&self, path: &str, content: impl AsRef<[u8]>) {
        let path = self.folder.join(path);
        fs::create_dir_all(path.parent().expect("a parent")).expect("a folder");
        fs::write(path, content).expect("a file");
    }

    /// Commits all files; gives the commit's digits.
    pub fn commit(&self, subject: &str) -> String {
        self.git(&["add", "--all", "--force"]);
        self.git(&["commit", "--quiet", "--allow-empty", "--message", subject]);
        self.git(&["rev-parse", "HEAD"])
    }

    /// Runs git; gives what it prints.
    pub fn git(&self, args: &[&str]) -> String {
        self.git_with(args, b"")
    }

    /// Runs git with an input; gives what it prints.
    pub fn git_with(&self, args: &[&str], input: &[u8]) -> String {
        let mut child = command(&self.folder)
            .args(["-c", "advice.nestedTag=false"])
            .args(args)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("git");
        let mut stdin = child.stdin.take().expect("an input");
        stdin.write_all(input).expect("an input");
        drop(stdin);
        let output = child.wait_with_output().expect("git");
        assert!(output.status.success(), "git {args:?}: {}", output.status);
        let text = String::from_utf8(output.stdout).expect("a text");
        text.trim_end().to_owned()
    }

    /// A branch whose commit has these entries in its root: mode, type, object, name.
    /// Unlike git's own commands, it takes any name.
    pub fn branch_of_entries(&self, branch: &str, entries: &[(&str, &str, &str)]) -> String {
        let mut tree = Vec::new();
        for (mode, id, name) in entries {
            tree.extend(format!("{mode} {name}\0").into_bytes());
            let bytes = (0..id.len()).step_by(2);
            tree.extend(bytes.map(|at| u8::from_str_radix(&id[at..at + 2], 16).expect("digits")));
        }
        let args = ["hash-object", "-t", "tree", "-w", "--literally", "--stdin"];
        let tree = self.git_with(&args, &tree);
        let commit = self.git(&["commit-tree", "-m", branch, &tree]);
        self.git(&["update-ref", &format!("refs/heads/{branch}"), &commit]);
        commit
    }

    /// The object of a file with this content.
    pub fn blob(&self, content: &[u8]) -> String {
        self.git_with(&["hash-object", "-w", "--stdin"], content)
    }
}

/// Git in this folder, with no settings but these.
pub(crate) fn command(folder: &Path) -> Command {
    let mut command = Command::new("git");
    command
        .current_dir(folder)
        .env("GIT_CONFIG_NOSYSTEM", "1")
        .env("GIT_CONFIG_GLOBAL", "/dev/null");
    for (variable, value) in [
        ("NAME", "Ann"),
        ("EMAIL", "ann@example.com"),
        ("DATE", "2024-01-02T03:04:05Z"),
    ] {
        for role in ["AUTHOR", "COMMITTER"] {
            command.env(format!("GIT_{role}_{variable}"), value);
        }
    }
    command
}
