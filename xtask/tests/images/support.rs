//! A small workspace with programs that cargo really compiles.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use tempfile::TempDir;

/// A workspace in a folder of its own, with a folder for the stub's state.
pub(crate) struct Fixture {
    folder: TempDir,
    names: Vec<String>,
    registry: String,
}

impl Fixture {
    /// With these programs, whose images belong to `registry`.
    pub(crate) fn new(names: &[&str], registry: &str) -> Self {
        let fixture = Self {
            folder: tempfile::tempdir().unwrap(),
            names: names.iter().map(|name| (*name).to_owned()).collect(),
            registry: registry.to_owned(),
        };
        fixture.lay(&fixture.root());
        fs::create_dir_all(fixture.folder.path().join("stub")).unwrap();
        fixture
    }

    pub(crate) fn root(&self) -> PathBuf {
        self.folder.path().join("workspace")
    }

    /// Writes the same workspace once more, somewhere else.
    pub(crate) fn lay(&self, root: &Path) {
        let write = |path: &str, text: &str| {
            let path = root.join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        };
        let manifest = format!(
            "[workspace]\nresolver = \"3\"\nmembers = [\"crates/*\"]\n\n\
             [workspace.metadata.images]\nregistry = {:?}\nproject = \"acme\"\nnames = {:?}\n\
             size-limits = {{ serve = 30, total = 60 }}\n\n\
             [profile.release]\nopt-level = 0\nstrip = true\n",
            self.registry, self.names
        );
        write("Cargo.toml", &manifest);
        write(".gitignore", "/target\n");
        let package = |name: &str| {
            format!(
                "[package]\nname = \"{name}\"\nversion = \"0.0.1\"\nedition = \"2024\"\nlicense = \"MIT\"\n"
            )
        };
        write("crates/shared/Cargo.toml", &package("shared"));
        write(
            "crates/shared/src/lib.rs",
            "pub fn file() -> &'static str { file!() }\n",
        );
        for name in &self.names {
            let dependency = "\n[dependencies]\nshared = { path = \"../shared\" }\n";
            write(
                &format!("crates/{name}/Cargo.toml"),
                &(package(name) + dependency),
            );
            let program = "fn main() { let v = env!(\"CARGO_PKG_VERSION\"); \
                           if std::env::args().count() > 9 { panic!(\"{}\", shared::file()) } \
                           println!(\"{} {v}\", env!(\"CARGO_PKG_NAME\")) }\n";
            write(&format!("crates/{name}/src/main.rs"), program);
            let dockerfile = format!(
                "FROM scratch\nUSER 8888:0\nENTRYPOINT [\"/{name}\"]\nCOPY {name} /{name}\n"
            );
            write(&format!("containers/{name}/Dockerfile"), &dockerfile);
            let pipeline = format!(
                "{{\"pipeline\": {{\"name\": \"{name}\"}}, \"datum_tries\": 1, \
                 \"input\": {{\"pfs\": {{\"name\": \"data\", \"repo\": \"data\", \"glob\": \"/\"}}}}, \
                 \"transform\": {{\"image\": \"{}/acme/{name}:0.0.1\", \
                 \"cmd\": [\"/{name}\"]}}}}\n",
                self.registry
            );
            write("pipelines/x/data/rows.csv", "a,b\n1,2\n");
            write(&format!("pipelines/x/{name}-pipeline.json"), &pipeline);
        }
        let run = |program: &str, words: &[&str]| {
            let mut command = Command::new(program);
            command.args(words).current_dir(root).stderr(Stdio::null());
            assert!(command.status().unwrap().success(), "{program} {words:?}");
        };
        run(
            env!("CARGO"),
            &["generate-lockfile", "--offline", "--quiet"],
        );
        run("git", &["init", "--quiet"]);
        run("git", &["config", "user.name", "Test"]);
        run("git", &["config", "user.email", "test@example.org"]);
        run("git", &["config", "commit.gpgsign", "false"]);
        self.commit_at(root);
    }

    /// Commits everything, at an hour of its own.
    #[allow(dead_code, reason = "not every test that has the fixture commits")]
    pub(crate) fn commit(&self) {
        self.commit_at(&self.root());
    }

    fn commit_at(&self, root: &Path) {
        for words in [
            &["add", "--all"][..],
            &["commit", "--quiet", "--message", "x"],
        ] {
            let status = Command::new("git")
                .args(words)
                .current_dir(root)
                .env("GIT_AUTHOR_DATE", "2026-01-02T03:04:05Z")
                .env("GIT_COMMITTER_DATE", "2026-01-02T03:04:05Z")
                .status();
            assert!(status.unwrap().success());
        }
    }

    #[allow(dead_code, reason = "not every test that has the fixture edits")]
    pub(crate) fn edit(&self, file: &str, from: &str, to: &str) {
        let path = self.root().join(file);
        let text = fs::read_to_string(&path).unwrap();
        assert!(text.contains(from), "{file} holds no {from}");
        fs::write(path, text.replace(from, to)).unwrap();
    }

    /// `cargo xtask WORDS` with the real docker.
    pub(crate) fn xtask(&self, words: &str) -> Command {
        self.xtask_in(&self.root(), words)
    }

    pub(crate) fn xtask_in(&self, root: &Path, words: &str) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_xtask"));
        command.args(words.split_whitespace());
        command.env("CARGO_MANIFEST_DIR", root.join("xtask"));
        command.env("CARGO_TARGET_DIR", root.join("target"));
        for name in [
            "XTASK_REGISTRY",
            "XTASK_PROJECT",
            "XTASK_PLATFORM",
            "XTASK_DOCKER",
        ] {
            command.env_remove(name);
        }
        for name in ["SOURCE_DATE_EPOCH", "CARGO_BUILD_TARGET", "RUSTFLAGS"] {
            command.env_remove(name);
        }
        command
    }

    /// `cargo xtask WORDS` with the stub first on PATH.
    #[allow(dead_code, reason = "the tests of the registry use the real docker")]
    pub(crate) fn stubbed(&self, words: &str) -> Command {
        let bin = self.folder.path().join("bin");
        if !bin.exists() {
            fs::create_dir(&bin).unwrap();
            let stub = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/images/docker");
            fs::copy(stub, bin.join("docker")).unwrap();
            fs::set_permissions(bin.join("docker"), fs::Permissions::from_mode(0o755)).unwrap();
        }
        let path = std::env::var("PATH").unwrap();
        let mut command = self.xtask(words);
        command.env("PATH", format!("{}:{path}", bin.display()));
        command.env("STUB", self.stub());
        command
    }

    /// The stub's state.
    #[allow(dead_code, reason = "the tests of the registry use the real docker")]
    pub(crate) fn stub(&self) -> PathBuf {
        self.folder.path().join("stub")
    }

    /// The commands that the stub was given since the last call.
    #[allow(dead_code, reason = "the tests of the registry use the real docker")]
    pub(crate) fn calls(&self) -> Vec<String> {
        let log = self.stub().join("log");
        let text = fs::read_to_string(&log).unwrap_or_default();
        fs::remove_file(log).ok();
        text.lines().map(str::to_owned).collect()
    }
}

/// Everything that was printed, for an assertion.
pub(crate) fn talk(output: &Output) -> String {
    format!(
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    )
}

/// Runs it and wants success.
pub(crate) fn succeed(mut command: Command) -> Output {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}", talk(&output));
    output
}

/// Runs it and wants the exit code 1; gives what was printed.
#[allow(dead_code, reason = "the tests of the peers want success")]
pub(crate) fn fail(mut command: Command) -> String {
    let output = command.output().unwrap();
    assert_eq!(output.status.code(), Some(1), "{}", talk(&output));
    talk(&output)
}
