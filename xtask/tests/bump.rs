//! `cargo xtask bump` on small workspaces. A case is a folder of
//! `tests/bump/cases`: `before` lies over `tests/bump/base`, `command` is what
//! is typed, `after` lies over both, and `printed` is what the terminal shows.
//! With `UPDATE_EXPECTED=1` the test writes `after` and `printed` anew.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic
)]

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::Duration;

use tempfile::TempDir;
use walkdir::WalkDir;

type Tree = BTreeMap<PathBuf, Vec<u8>>;

fn here() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/bump")
}

fn tree(root: &Path) -> Tree {
    let files = WalkDir::new(root).into_iter().filter_map(Result::ok);
    files
        .filter(|entry| entry.file_type().is_file() && !entry.path().starts_with(root.join(".git")))
        .map(|entry| {
            let path = entry.path().strip_prefix(root).unwrap().to_owned();
            (path, fs::read(entry.path()).unwrap())
        })
        .collect()
}

fn lay(from: &Path, over: &Path) {
    if from.exists() {
        write(&tree(from), over);
    }
}

fn write(tree: &Tree, root: &Path) {
    for (path, bytes) in tree {
        let path = root.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
    }
}

/// The base workspace in a folder of its own.
fn workspace() -> TempDir {
    let root = tempfile::tempdir().unwrap();
    lay(&here().join("base"), root.path());
    root
}

fn xtask(root: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_xtask"));
    command.env("CARGO_MANIFEST_DIR", root.join("xtask"));
    for name in ["XTASK_REGISTRY", "XTASK_PROJECT", "NO_COLOR"] {
        command.env_remove(name);
    }
    command
}

fn bump(root: &Path, words: &str) -> Output {
    let words = words.split_whitespace();
    xtask(root).arg("bump").args(words).output().unwrap()
}

fn printed(root: &Path, output: &Output) -> String {
    let text = format!(
        "stdout:\n{}stderr:\n{}exit code: {}\n",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr),
        output.status.code().unwrap()
    );
    text.replace(&format!("{}/", root.display()), "")
}

fn run_case(case: &Path, update: bool) {
    let root = workspace();
    lay(&case.join("before"), root.path());
    let before = tree(root.path());
    let command = fs::read_to_string(case.join("command")).unwrap();
    let words = command.trim().strip_prefix("cargo xtask bump").unwrap();
    let output = printed(root.path(), &bump(root.path(), words));
    let after = tree(root.path());
    if update {
        fs::remove_dir_all(case.join("after")).ok();
        let changed = after
            .iter()
            .filter(|(path, bytes)| before.get(*path) != Some(bytes));
        let changed = changed.map(|(path, bytes)| (path.clone(), bytes.clone()));
        write(&changed.collect(), &case.join("after"));
        fs::write(case.join("printed"), output).unwrap();
        return;
    }
    let mut wanted = before;
    if case.join("after").exists() {
        wanted.extend(tree(&case.join("after")));
    }
    assert_eq!(
        output,
        fs::read_to_string(case.join("printed")).unwrap(),
        "{case:?}"
    );
    for (path, bytes) in &after {
        let text = |bytes: Option<&Vec<u8>>| bytes.map(|b| String::from_utf8_lossy(b).into_owned());
        assert_eq!(
            text(Some(bytes)),
            text(wanted.get(path)),
            "{case:?}: {path:?}"
        );
    }
    assert_eq!(after, wanted, "{case:?}");
}

#[test]
fn cases() {
    let update = std::env::var_os("UPDATE_EXPECTED").is_some();
    let mut cases: Vec<PathBuf> = fs::read_dir(here().join("cases"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    cases.sort();
    assert!(cases.len() > 10, "the cases are missing");
    for case in cases {
        run_case(&case, update);
    }
}

const SERVE: &str = "localhost:5000/acme/serve:";

/// Bumps serve where one descriptor is `text` with `@` for the version; all
/// bytes but these must stay.
fn keeps_bytes(name: &str, text: &str) {
    let root = workspace();
    let path = root.path().join("pipelines").join(name);
    fs::write(&path, text.replace('@', "0.0.1")).unwrap();
    let output = bump(root.path(), "serve");
    assert!(
        output.status.success(),
        "{text}\n{}",
        printed(root.path(), &output)
    );
    let after = fs::read(&path).unwrap();
    let after = String::from_utf8_lossy(&after);
    assert_eq!(
        after,
        text.replace('@', "0.0.2"),
        "{}",
        printed(root.path(), &output)
    );
}

#[test]
fn decoration_stays() {
    let json =
        format!("{{\"pipeline\":{{\"name\":\"x\"}},\"transform\":{{\"image\":\"{SERVE}@\"}}}}");
    let escaped = SERVE.replace('/', "\\/");
    for text in [
        json.clone(),
        json.replace(',', ",\r\n\t"),
        format!("\u{feff}{json}"),
        format!("\u{feff}  {json}  \r\n\r\n"),
        json.replace(':', " :  ")
            .replace("localhost :  5000", "localhost:5000")
            .replace("serve :  ", "serve:"),
        json.replace(SERVE, &escaped),
        json.replace("localhost", "\\u006cocalhost"),
        format!("[{json},\n {json}  ]"),
        json.replace("\"x\"", "\"é\\ud83d\\ude00\\n\\u0000\""),
        json.replace(
            SERVE,
            &format!("say \\\"{SERVE}@\\\" \\n{SERVE}@ --a={SERVE}@,{SERVE}"),
        ),
        json.replace("transform", "pod_patch").replace(
            &format!("{SERVE}@"),
            &format!("[{{\\\"op\\\":\\\"replace\\\",\\\"value\\\":\\\"{SERVE}@\\\"}}]"),
        ),
        json.replace("\"x\"", "\"x\",\"n\":[1.0,1e400,-0,12345678901234567890]"),
    ] {
        keeps_bytes("x.json", &text);
    }
}

#[test]
fn yaml_stays() {
    let head = "# of x\npipeline: {name: x}   # why\ntransform:\n";
    for tail in [
        format!("  image: {SERVE}@\n"),
        format!("  image: {SERVE}@"),
        format!("  image:   '{SERVE}@'   # kept\n\n"),
        format!("  image: \"{SERVE}@\"\r\n"),
        format!("  image: \"{}@\"\n", SERVE.replace('/', "\\x2f")),
        format!("  cmd: [sh, -c, 'it''s {SERVE}@']\n"),
        format!("  cmd:\n  - sh\n  - |\n    run {SERVE}@\n    then {SERVE}@\n"),
        format!("  cmd:\n  - >-\n    run\n    {SERVE}@\n  env: {{A: \"{SERVE}@\"}}\n"),
        format!("  cmd:\n  - run\n    {SERVE}@\n    on\n"),
        format!("  cmd: [\"run \\\n    {SERVE}@\"]\n"),
        format!(
            "  image: {SERVE}@\n---\npipeline: {{name: y}}\ntransform: {{image: {SERVE}@}}\n...\n"
        ),
    ] {
        keeps_bytes("x.yaml", &format!("{head}{tail}"));
    }
    keeps_bytes(
        "x.yml",
        &format!("- pipeline: {{name: x}}\n  transform: {{image: {SERVE}@}}\n"),
    );
}

#[test]
fn a_read_only_file_stops_everything() {
    let root = workspace();
    let path = root.path().join("pipelines/iris/deployment-pipeline.json");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o444)).unwrap();
    let before = tree(root.path());
    let output = bump(root.path(), "serve");
    assert_eq!(output.status.code(), Some(1));
    let talk = printed(root.path(), &output);
    assert!(
        talk.contains("deployment-pipeline.json is read-only"),
        "{talk}"
    );
    assert_eq!(tree(root.path()), before);
}

#[test]
fn modes_and_links_stay() {
    let root = workspace();
    let pipelines = root.path().join("pipelines");
    let path = pipelines.join("iris/deployment-pipeline.json");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
    let shared = root.path().join("shared.json");
    fs::copy(&path, &shared).unwrap();
    std::os::unix::fs::symlink("../shared.json", pipelines.join("link.json")).unwrap();
    std::os::unix::fs::symlink(
        "iris/deployment-pipeline.json",
        pipelines.join("twice.json"),
    )
    .unwrap();
    assert!(bump(root.path(), "serve").status.success());
    assert_eq!(
        fs::metadata(&path).unwrap().permissions().mode() & 0o777,
        0o640
    );
    assert!(
        fs::symlink_metadata(pipelines.join("link.json"))
            .unwrap()
            .is_symlink()
    );
    assert!(
        fs::symlink_metadata(pipelines.join("twice.json"))
            .unwrap()
            .is_symlink()
    );
    for file in [&path, &shared] {
        let text = fs::read_to_string(file).unwrap();
        assert!(text.contains("acme/serve:0.0.2"), "{text}");
    }
}

#[test]
fn killed_at_any_moment_every_file_is_old_or_new_and_the_next_run_tells() {
    let mut undone = 0;
    for round in 0..12 {
        let root = workspace();
        let text = |version| {
            format!(
                "{{\"pipeline\":{{\"name\":\"x\"}},\"transform\":{{\"image\":\"{SERVE}{version}\"}}}}"
            )
        };
        for number in 0..400 {
            let path = root.path().join(format!("pipelines/{number}.json"));
            fs::write(path, text("0.0.1")).unwrap();
        }
        let before = tree(root.path());
        let mut child = xtask(root.path())
            .args(["bump", "serve"])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        // Once the work on files has begun, a little later each time.
        let journal = root.path().join(".bump-journal.json");
        while !journal.exists() && child.try_wait().unwrap().is_none() {}
        std::thread::sleep(Duration::from_millis(4 * round));
        child.kill().unwrap();
        child.wait().unwrap();
        for number in 0..400 {
            let path = root.path().join(format!("pipelines/{number}.json"));
            let now = fs::read_to_string(path).unwrap();
            assert!(now == text("0.0.1") || now == text("0.0.2"), "{now:?}");
        }
        let begun = journal.exists();
        let output = bump(root.path(), "serve --dry-run");
        let talk = printed(root.path(), &output);
        assert!(!begun || talk.contains("the interrupted bump of"), "{talk}");
        if talk.contains("Undone") {
            undone += 1;
            assert_eq!(tree(root.path()), before);
        } else {
            let all = (0..400).all(|number| {
                let path = root.path().join(format!("pipelines/{number}.json"));
                fs::read_to_string(path).unwrap() == text("0.0.2")
            });
            assert!(all, "{talk}");
        }
    }
    assert!(undone > 0, "no round hit the work on files");
}

#[test]
fn two_bumps_at_once_do_not_mix() {
    let root = workspace();
    let start = || {
        let mut command = xtask(root.path());
        command
            .args(["bump", "serve"])
            .stderr(Stdio::null())
            .stdout(Stdio::null());
        command.spawn().unwrap()
    };
    let mut children: Vec<_> = (0..4).map(|_| start()).collect();
    let done = children.iter_mut().filter_map(|child| child.wait().ok());
    let done = done.filter(std::process::ExitStatus::success).count();
    let lock = fs::read_to_string(root.path().join("Cargo.lock")).unwrap();
    assert!(
        lock.contains(&format!("version = \"0.0.{}\"", done + 1)),
        "{done}: {lock}"
    );
    assert_eq!(tree(root.path()).len(), tree(&here().join("base")).len());
}

fn git(root: &Path, words: &[&str]) -> String {
    let mut command = Command::new("git");
    command
        .current_dir(root)
        .args(["-c", "user.name=Test", "-c", "user.email=test@example.org"]);
    let output = command.args(words).output().unwrap();
    assert!(output.status.success(), "{words:?}: {output:?}");
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn a_commit_holds_the_bump_and_nothing_else() {
    let root = workspace();
    let root = root.path();
    git(root, &["init", "--quiet"]);
    for (key, value) in [
        ("user.name", "Test"),
        ("user.email", "test@example.org"),
        ("commit.gpgsign", "false"),
    ] {
        git(root, &["config", key, value]);
    }
    git(root, &["add", "--all"]);
    git(root, &["commit", "--quiet", "--message", "x"]);

    // A file that the bump would change holds something else already.
    let descriptor = "pipelines/iris/deployment-pipeline.json";
    let text = fs::read_to_string(root.join(descriptor)).unwrap();
    fs::write(root.join(descriptor), format!("{text}\n")).unwrap();
    fs::write(root.join("notes"), "mine").unwrap();
    let before = tree(root);
    let refused = bump(root, "serve --commit");
    let said = printed(root, &refused);
    assert_eq!(refused.status.code(), Some(1), "{said}");
    assert!(
        said.contains(&format!("not committed yet: {descriptor}"))
            && said.contains("--allow-dirty"),
        "{said}"
    );
    assert_eq!(tree(root), before);

    let output = bump(root, "serve --commit --allow-dirty");
    let said = printed(root, &output);
    assert!(output.status.success(), "{said}");
    assert!(said.contains("Committed Raise serve to 0.0.2"), "{said}");
    let message = git(root, &["log", "-1", "--format=%B"]);
    assert!(message.starts_with("Raise serve to 0.0.2\n\n"), "{message}");
    assert!(message.contains("These pipelines name it"), "{message}");
    let files = git(root, &["show", "--name-only", "--format=", "HEAD"]);
    let files: Vec<&str> = files.lines().collect();
    assert_eq!(files, ["Cargo.lock", "crates/serve/Cargo.toml", descriptor]);
    // What is no part of the bump stays as it was.
    assert_eq!(git(root, &["status", "--porcelain"]), "?? notes\n");
    let again = bump(root, "serve --commit");
    assert!(again.status.success(), "{}", printed(root, &again));
    assert_eq!(git(root, &["rev-list", "--count", "HEAD"]), "3\n");
}

#[test]
#[ignore = "needs root, to mount a tmpfs"]
fn a_full_disk_leaves_every_file_as_it_was() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path();
    let mount = |words: &[&str]| Command::new(words[0]).args(&words[1..]).arg(root).status();
    let mounted = mount(&["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs"]);
    assert!(mounted.unwrap().success());
    let result = std::panic::catch_unwind(|| {
        lay(&here().join("base"), root);
        let text = format!(
            "{{\"pipeline\":{{\"name\":\"x\"}},\"transform\":{{\"image\":\"{SERVE}0.0.1\"}}}}{}",
            " ".repeat(3000)
        );
        for number in 0..200 {
            fs::write(root.join(format!("pipelines/{number}.json")), &text).unwrap();
        }
        let filler = root.join("filler");
        fs::write(&filler, vec![0; 4 << 20]).unwrap_err();
        let full = fs::metadata(&filler).unwrap().len();
        // No room at all, then room for some of the files and not for all.
        for room in [0, 400 << 10] {
            let file = fs::OpenOptions::new().write(true).open(&filler).unwrap();
            file.set_len(full - room).unwrap();
            let before = tree(root);
            let output = bump(root, "serve");
            let said = printed(root, &output);
            assert_eq!(output.status.code(), Some(1), "{room}: {said}");
            for words in ["No space left on device", "no file was changed"] {
                assert!(said.contains(words), "{room}: {said}");
            }
            assert_eq!(tree(root), before, "{room}");
        }
        fs::remove_file(&filler).unwrap();
        let output = bump(root, "serve");
        assert!(output.status.success(), "{}", printed(root, &output));
    });
    mount(&["umount"]).unwrap();
    result.unwrap();
}
