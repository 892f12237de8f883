//! Stands in for pachctl 2.12 and the pachd behind it. Its state is one file in
//! the folder `$STUB`; `$STUB/faults` names what goes wrong, a line for each:
//!
//! - `down`: pachd is not reached
//! - `send PIPELINE`: it is refused; `cut PIPELINE`: it is taken, and the
//!   connection is cut before pachctl hears of it
//! - `job PIPELINE`: its datum fails; `commit PIPELINE`: its output commit has an
//!   error although the job succeeds
//! - `hang PIPELINE`: its jobs wait for ever; `crash PIPELINE`: they do too, and it
//!   goes to `PIPELINE_FAILURE`
//! - `old`: a pachd before 2.8, which does not keep the specification as it came
//!
//! As the real one, it exits with 0 for a failed job, prints `--raw` as a stream
//! of objects with `snake_case` keys and integers as strings, leaves out what is
//! zero, and says what is wrong on stderr.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic
)]

mod jobs;
mod pachd;
mod print;

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use pachd::Pachd;

fn main() -> ExitCode {
    let folder = PathBuf::from(std::env::var_os("STUB").expect("STUB names a folder"));
    let mut words: Vec<String> = std::env::args().skip(1).collect();
    log(&folder, &words.join(" "));
    if let Some(at) = words.iter().position(|word| word == "--project") {
        let project: Vec<String> = words.drain(at..at + 2).collect();
        assert_eq!(project[1], "default", "the stub has no other project");
    }
    let mut pachd = Pachd::load(folder);
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let answer = if pachd.fault("down") {
        Err("error connecting to pachd: context deadline exceeded".to_owned())
    } else {
        run(&mut pachd, &words)
    };
    pachd.save();
    match answer {
        Ok(text) => {
            print!("{text}");
            ExitCode::SUCCESS
        }
        Err(message) => {
            eprintln!("{message}");
            ExitCode::FAILURE
        }
    }
}

fn run(pachd: &mut Pachd, words: &[&str]) -> Result<String, String> {
    match words {
        ["list", "pipeline", "--raw"] => Ok(pachd.list_pipelines()),
        ["inspect", "pipeline", name, "--raw"] => pachd.inspect_pipeline(name),
        ["create", "pipeline", "-f", "-"] => pachd.send(&stdin(), false, false),
        ["update", "pipeline", "-f", "-"] => pachd.send(&stdin(), true, false),
        ["update", "pipeline", "--reprocess", "-f", "-"] => pachd.send(&stdin(), true, true),
        ["list", "repo", "--raw"] => Ok(pachd.list_repos()),
        ["create", "repo", name] => pachd.create_repo(name),
        ["put", "file", file, "-f", _] => pachd.put_file(file),
        ["inspect", "secret", name] => pachd.inspect_secret(name),
        ["create", "secret", "-f", file] => {
            let text = fs::read_to_string(file).map_err(|error| error.to_string())?;
            pachd.create_secret(&text)
        }
        ["list", "job", "-p", name, "--raw"] => pachd.list_jobs(name),
        ["logs", "-j", job] => pachd.logs(job),
        ["wait", "commit", commit, "--raw"] => pachd.wait_commit(commit),
        _ => Err(format!("unknown command {words:?} for \"pachctl\"")),
    }
}

fn stdin() -> String {
    std::io::read_to_string(std::io::stdin()).unwrap()
}

fn log(folder: &std::path::Path, line: &str) {
    let file = OpenOptions::new()
        .append(true)
        .create(true)
        .open(folder.join("log"));
    writeln!(file.unwrap(), "{line}").unwrap();
}
