//! Code that comes from a git repository.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::symlink;
use std::process::{Command, Output};

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use determined_mock::Outcome;
use git_server::{GitServer, Repository};
use serde_json::{Value, json};
use tempfile::TempDir;

use super::support::{CONFIG, Case, GIT_TOKEN};
use crate::common::{texts, tree};

const USER: &str = "deploy-bot";
const NAME: &str = "team/works";

/// A case whose code is in a private repository.
struct GitCase {
    case: Case,
    server: GitServer,
    repository: Repository,
    commit: String,
    scratch: TempDir,
}

impl GitCase {
    fn new() -> Self {
        let server = GitServer::start();
        let repository = server.repository(NAME);
        repository.write("README.md", "# Works\n");
        repository.write("lib/shared.py", "shared\n");
        repository.write("use-case/experiment/const.yaml", CONFIG);
        repository.write("use-case/experiment/train.py", "print(1)\n");
        repository.write("use-case/experiment/data/big.bin", "x");
        repository.write("use-case/experiment/.detignore", "/data\n");
        let shared = repository.folder().join("use-case/experiment/shared.py");
        symlink("../../lib/shared.py", shared).unwrap();
        let commit = repository.commit("Experiment");
        server.rules().credentials = Some((USER.to_owned(), GIT_TOKEN.to_owned()));
        Self {
            case: Case::new(),
            server,
            repository,
            commit,
            scratch: tempfile::tempdir().unwrap(),
        }
    }

    /// As pipelines call it that were written for git alone.
    fn command(&self) -> Command {
        let mut command = self.case.command_without_code();
        command
            .args(["--git-url", &self.server.url(NAME), "--git-ref", "main"])
            .args(["--sub-dir", "use-case/experiment", "--config", "const.yaml"])
            .env("GIT_USERNAME", USER)
            .env("GIT_TOKEN", GIT_TOKEN)
            .env("TMPDIR", self.scratch.path());
        command
    }

    fn finished(&self, output: &Output) -> (String, String) {
        self.case.look_for_secrets(output);
        assert_eq!(tree(self.scratch.path()), BTreeMap::new(), "left over");
        texts(output)
    }

    fn succeeds(&self, change: impl Fn(&mut Command)) -> (String, String) {
        let mut command = self.command();
        change(&mut command);
        let output = command.output().unwrap();
        let (out, err) = self.finished(&output);
        assert_eq!(output.status.code(), Some(0), "{out}{err}");
        (out, err)
    }

    /// Refused before anything is created.
    fn refused(&self, change: impl Fn(&mut Command)) -> String {
        let mut command = self.command();
        change(&mut command);
        let output = command.output().unwrap();
        let (out, err) = self.finished(&output);
        assert_eq!(output.status.code(), Some(1), "{out}{err}");
        assert_eq!(self.case.counts(), (0, 0), "{err}");
        err
    }

    fn origin(&self, experiment: i64) -> Value {
        let world = self.case.master.world();
        world.experiments[&experiment].config["data"]["git"].clone()
    }
}

#[test]
fn the_experiment_is_the_commit() {
    let case = GitCase::new();
    let (out, err) = case.succeeds(|_| {});
    for words in ["fetching main of http", &case.commit, "7 files"] {
        assert!(err.contains(words), "{words}: {err}");
    }
    assert!(
        out.contains(&format!("code        {}", case.commit)),
        "{out}"
    );
    let origin = json!({
        "url": case.server.url(NAME), "ref": "refs/heads/main", "commit": case.commit,
        "sub_dir": "use-case/experiment",
    });
    assert_eq!(case.origin(1), origin);
    {
        let world = case.case.master.world();
        let files = world.experiments[&1].files.as_array().unwrap().iter();
        let sent = |f: &Value, key: &str| f[key].as_str().map(str::to_owned);
        let files: Vec<_> = files
            .map(|f| (sent(f, "path"), sent(f, "content")))
            .collect();
        let encoded = |text: &str| Some(BASE64_STANDARD.encode(text));
        let wanted = [
            ("const.yaml", CONFIG),
            (
                "shared.py",
                "shared
",
            ),
            (
                "train.py",
                "print(1)
",
            ),
        ];
        let wanted = wanted.map(|(path, text)| (Some(path.to_owned()), encoded(text)));
        assert_eq!(files, wanted);
    }
    let package = case.case.published();
    let settings = &package.manifest.provenance.config;
    assert_eq!(settings["experiment"]["data"]["git"], origin);
    for request in case.case.master.requests() {
        assert!(!request.body.to_string().contains(GIT_TOKEN), "{request:?}");
    }
}

#[test]
fn a_token_may_be_in_a_file_or_in_the_address() {
    let mut case = GitCase::new();
    let file = case.case.pfs.path().join("token");
    fs::write(&file, format!("{GIT_TOKEN}\n")).unwrap();
    case.succeeds(|command| {
        command.env_remove("GIT_TOKEN").env("GIT_TOKEN_FILE", &file);
    });
    case.case = Case::new();
    let address = case
        .server
        .url(NAME)
        .replace("//", &format!("//{USER}:{GIT_TOKEN}@"));
    case.succeeds(|command| {
        command.env_remove("GIT_TOKEN").env_remove("GIT_USERNAME");
        *command = rebuilt(command, "--git-url", &address);
    });
    assert!(!case.origin(1).to_string().contains(USER));
}

/// The command with another value of an option.
fn rebuilt(command: &Command, option: &str, value: &str) -> Command {
    let mut args: Vec<_> = command.get_args().map(ToOwned::to_owned).collect();
    let place = args.iter().position(|arg| arg == option).unwrap();
    args[place + 1] = value.into();
    let mut other = Command::new(command.get_program());
    other.args(args).env_clear();
    for (name, value) in command.get_envs() {
        if let Some(value) = value {
            other.env(name, value);
        }
    }
    other
}

#[test]
fn another_attempt_records_the_commit_that_was_trained() {
    let mut case = GitCase::new();
    case.succeeds(|_| {});
    case.repository
        .write("use-case/experiment/train.py", "print(2)\n");
    let second = case.repository.commit("Change");
    case.case.again();
    let (out, _) = case.succeeds(|_| {});
    assert!(
        out.contains(&case.commit) && !out.contains(&second),
        "{out}"
    );
    let settings = case.case.published().manifest.provenance.config;
    assert_eq!(
        settings["experiment"]["data"]["git"]["commit"],
        case.commit.as_str()
    );
    assert_eq!(case.case.counts(), (1, 1));
    // A later job continues the checkpoint with the new code, or forks the old.
    for (job, args, commit) in [("2", &[][..], &second), ("3", &["--fork"], &second)] {
        case.case.again();
        case.succeeds(|command| {
            command.args(args).env("PACH_JOB_ID", format!("job-{job}"));
        });
        let experiment = job.parse().unwrap();
        assert_eq!(
            case.origin(experiment)["commit"],
            commit.as_str(),
            "{args:?}"
        );
    }
    case.repository.commit("Not used");
    case.case.again();
    case.succeeds(|command| {
        command.arg("--fork").env("PACH_JOB_ID", "job-4");
    });
    assert_eq!(case.origin(4)["commit"], second.as_str());
}

#[test]
fn what_cannot_be_fetched_is_refused_before_anything_is_created() {
    let case = GitCase::new();
    let with = |option: &'static str, value: &str| {
        let value = value.to_owned();
        case.refused(move |command| *command = rebuilt(command, option, &value))
    };
    let err = with("--git-ref", "mian");
    assert!(err.contains("its branches are main"), "{err}");
    let err = with("--sub-dir", "use-case/experimnet");
    assert!(err.contains("has no use-case/experimnet"), "{err}");
    let err = with("--sub-dir", "../..");
    assert!(err.contains("is not a folder below"), "{err}");
    let err = with("--config", "none.yaml");
    assert!(
        err.contains("has no use-case/experiment/none.yaml"),
        "{err}"
    );
    let err = with("--git-url", "git@github.com:team/works.git");
    assert!(err.contains("deploy token"), "{err}");
    let err = case.refused(|command| {
        command.env("GIT_TOKEN", "wr0ng-t0ken");
    });
    assert!(
        err.contains("answers 401 to the user") && !err.contains("wr0ng"),
        "{err}"
    );
    let err = case.refused(|command| {
        command.env_remove("GIT_TOKEN").env_remove("GIT_USERNAME");
    });
    assert!(err.contains("wants a user and a token"), "{err}");
    let err = case.refused(|command| {
        command.env("TRAIN_CODE", "/pfs/code");
    });
    assert!(err.contains("not by both"), "{err}");
}

#[test]
fn links_out_and_large_files_are_refused() {
    let case = GitCase::new();
    let link = case.repository.folder().join("use-case/experiment/link");
    symlink("/proc/self/environ", &link).unwrap();
    case.repository.commit("Link");
    let err = case.refused(|_| {});
    assert!(err.contains("leads out of"), "{err}");
    let config = case
        .repository
        .folder()
        .join("use-case/experiment/const.yaml");
    fs::remove_file(&link).unwrap();
    fs::rename(&config, config.with_extension("kept")).unwrap();
    symlink("/etc/hostname", &config).unwrap();
    case.repository.commit("Configuration");
    let err = case.refused(|_| {});
    assert!(err.contains("const.yaml is a link that leads out"), "{err}");
    fs::remove_file(&config).unwrap();
    fs::rename(config.with_extension("kept"), &config).unwrap();
    let large = case.repository.folder().join("use-case/experiment/large");
    fs::File::create(&large).unwrap().set_len(96 << 20).unwrap();
    case.repository.commit("Large");
    let err = case.refused(|_| {});
    assert!(err.contains("over 95 MiB"), "{err}");
    // Named in `.detignore`, it does no harm.
    case.repository
        .write("use-case/experiment/.detignore", "/data\n/large\n");
    case.repository.commit("Ignore");
    case.succeeds(|_| {});
}

#[test]
fn an_experiment_that_fails_leaves_no_token_either() {
    let case = GitCase::new();
    {
        let mut world = case.case.master.world();
        world.script.outcome = Outcome::Error;
        world
            .script
            .log
            .push(format!("pip install git+https://{USER}:{GIT_TOKEN}@h/x"));
    }
    let output = case.command().output().unwrap();
    let (_, err) = case.finished(&output);
    assert!(
        err.contains("experiment 1 failed") && err.contains("********"),
        "{err}"
    );
}
