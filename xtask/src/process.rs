//! Runs a child process with a time limit and keeps all that it printed.

use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};

use crate::interrupt;
use crate::report;

/// A child process that has ended in one way or another.
pub(crate) struct Finished {
    /// The command as it could be typed.
    pub(crate) line: String,
    pub(crate) end: End,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
    /// Where stderr, and what else it said, lies in full.
    pub(crate) log: PathBuf,
}

/// How a child process ended.
pub(crate) enum End {
    Exit(ExitStatus),
    /// It was killed because the time limit passed.
    Late(Duration),
    /// It was killed because the user pressed Ctrl-C.
    Interrupted,
}

impl Finished {
    pub(crate) fn success(&self) -> bool {
        matches!(self.end, End::Exit(status) if status.success())
    }

    /// The last `count` lines of what it said, for an error message.
    pub(crate) fn tail(&self, count: usize) -> String {
        let lines: Vec<&str> = self.stdout.lines().chain(self.stderr.lines()).collect();
        let from = lines.len().saturating_sub(count);
        let last = lines.into_iter().skip(from);
        last.map(|line| format!("  {line}\n")).collect()
    }
}

/// What a child process reads.
pub(crate) enum Input<'a> {
    Nothing,
    File(&'a Path),
    /// A text that is on no disk.
    Text(String),
}

/// What to run, and under which conditions.
pub(crate) struct Task<'a> {
    pub(crate) command: Command,
    /// Shown on a terminal while it runs: verb and object.
    pub(crate) doing: Option<(&'a str, &'a str)>,
    pub(crate) stdin: Input<'a>,
    /// stderr is written here, stdout beside it with the suffix `.out`.
    pub(crate) log: PathBuf,
    pub(crate) limit: Duration,
}

impl Task<'_> {
    /// Runs the command to its end. Output goes to files and not to pipes: a
    /// grandchild that outlives a killed child can then hold nothing up.
    ///
    /// # Errors
    /// When the program cannot be started or a log cannot be written; a failed
    /// or killed program is no error here.
    pub(crate) fn run(mut self) -> Result<Finished> {
        let out = self.log.with_extension("out");
        let create = |path: &Path| {
            File::create(path).with_context(|| format!("cannot write {}", path.display()))
        };
        if let Some(folder) = self.log.parent() {
            fs::create_dir_all(folder)
                .with_context(|| format!("cannot make {}", folder.display()))?;
        }
        let stdin = match &self.stdin {
            Input::File(path) => File::open(path)
                .with_context(|| format!("cannot read {}", path.display()))?
                .into(),
            Input::Text(_) => Stdio::piped(),
            Input::Nothing => Stdio::null(),
        };
        self.command.stdin(stdin);
        self.command.stdout(create(&out)?);
        self.command.stderr(create(&self.log)?);
        let line = display(&self.command);
        let end = self.wait()?;
        let read = |path: &Path| {
            let bytes = fs::read(path);
            let bytes = bytes.with_context(|| format!("cannot read {}", path.display()))?;
            anyhow::Ok(String::from_utf8_lossy(&bytes).into_owned())
        };
        Ok(Finished {
            line,
            end,
            stdout: read(&out)?,
            stderr: read(&self.log)?,
            log: self.log,
        })
    }

    fn wait(&mut self) -> Result<End> {
        let program = self.command.get_program().to_owned();
        let mut child = self
            .command
            .spawn()
            .with_context(|| format!("cannot start {}", program.display()))?;
        if let (Input::Text(text), Some(mut stdin)) = (&self.stdin, child.stdin.take()) {
            let text = text.clone();
            // A child that does not read it says itself what is wrong.
            thread::spawn(move || stdin.write_all(text.as_bytes()));
        }
        let start = Instant::now();
        loop {
            if let Some(status) = child.try_wait()? {
                let interrupted = interrupt::requested() && !status.success();
                return Ok(if interrupted {
                    End::Interrupted
                } else {
                    End::Exit(status)
                });
            }
            if interrupt::requested() || start.elapsed() > self.limit {
                child.kill()?;
                child.wait()?;
                return Ok(if interrupt::requested() {
                    End::Interrupted
                } else {
                    End::Late(self.limit)
                });
            }
            if let (Some((verb, text)), true) = (self.doing, start.elapsed().as_millis() > 500) {
                let seconds = start.elapsed().as_secs();
                report::progress(verb, format_args!("{text} ({seconds} s)"));
            }
            // Most commands end within milliseconds, some last minutes: looking
            // costs a twentieth of the time at most.
            let pause = start.elapsed() / 20;
            thread::sleep(pause.clamp(Duration::from_millis(1), Duration::from_millis(50)));
        }
    }
}

/// A command line that a shell would read as this command.
pub(crate) fn display(command: &Command) -> String {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    let words = words.map(|word| quote(&word.to_string_lossy()));
    words.collect::<Vec<_>>().join(" ")
}

/// A word that a shell would read as this one.
pub(crate) fn quote(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:=,@%+".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}
