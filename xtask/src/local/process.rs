//! Programs in process groups of their own, which never outlive their purpose.
//!
//! A note of each running group lies in a folder, so that the next run ends what
//! a killed one has left running.

use std::fs::{self, File};
use std::io::{self, Write};
use std::os::fd::OwnedFd;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, PidfdFlags, Signal, kill_process_group, pidfd_open};
use serde::{Deserialize, Serialize};

use super::masking::Masking;
use super::publish;
use crate::interrupt;

/// How often a waiting thread looks whether the user wishes to stop.
const PAUSE: Duration = Duration::from_millis(20);

/// A program to start.
#[derive(Debug)]
pub(super) struct Start {
    pub(super) command: Command,
    /// The name of the container, if it runs in one.
    pub(super) container: Option<String>,
    pub(super) stdin: String,
    /// Values that its output must not show.
    pub(super) masked: Vec<String>,
}

/// A program that runs. Dropped, it is killed with all that it has started.
#[derive(Debug)]
pub(super) struct Process {
    child: Child,
    note: PathBuf,
    running: Running,
    /// Writes the log, if it must be masked.
    masking: Option<Masking>,
}

/// How a program came to its end.
#[derive(Debug)]
pub(super) enum End {
    Exited(ExitStatus),
    TimedOut,
    Interrupted,
}

/// What is noted of a running program.
#[derive(Debug, Serialize, Deserialize)]
struct Running {
    pid: i32,
    /// Tells the process from a later one with the same ID.
    start_time: String,
    container: Option<String>,
}

impl Process {
    /// Starts a program that prints to the end of `log`; `notes` is the folder of
    /// its note.
    pub(super) fn start(start: Start, log: &Path, notes: &Path) -> Result<Self> {
        let mut command = start.command;
        let output = open_log(log).with_context(|| format!("cannot write {}", log.display()))?;
        let masking = if start.masked.is_empty() {
            command.stdout(output.try_clone()?).stderr(output);
            None
        } else {
            let (masking, end) = Masking::start(start.masked, output)?;
            command.stdout(end.try_clone()?).stderr(end);
            Some(masking)
        };
        let input = if start.stdin.is_empty() {
            Stdio::null()
        } else {
            Stdio::piped()
        };
        command.stdin(input).process_group(0);
        let program = command.get_program().to_string_lossy().into_owned();
        let mut child = command
            .spawn()
            .with_context(|| format!("cannot start {program}"))?;
        // It holds the writing ends of the log's pipe.
        drop(command);
        if let Some(mut pipe) = child.stdin.take() {
            // In a thread, and whatever comes of it: a program that does not read
            // its input is fine.
            thread::spawn(move || pipe.write_all(start.stdin.as_bytes()));
        }
        let pid = child.id().cast_signed();
        let running = Running {
            pid,
            start_time: start_time(pid).unwrap_or_default(),
            container: start.container,
        };
        let process = Self {
            child,
            note: notes.join(format!("{pid}.json")),
            running,
            masking,
        };
        publish::note_json(&process.note, &process.running)?;
        Ok(process)
    }

    /// Waits for the end, at most until `deadline` and the user's wish to stop.
    /// Whatever the program has started is killed with it.
    pub(super) fn wait(mut self, deadline: Option<Instant>) -> Result<End> {
        let handle = self.handle();
        loop {
            if let Some(status) = self.ended()? {
                return Ok(End::Exited(status));
            }
            if interrupt::requested() {
                return Ok(End::Interrupted);
            }
            let left = deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
            if left.is_some_and(|left| left.is_zero()) {
                return Ok(End::TimedOut);
            }
            sleep(handle.as_ref(), left.map_or(PAUSE, |left| left.min(PAUSE)));
        }
    }

    /// What tells at once when the program ends, where the system has it.
    fn handle(&self) -> Option<OwnedFd> {
        pidfd_open(Pid::from_raw(self.running.pid)?, PidfdFlags::empty()).ok()
    }

    /// The exit status, once there is one; the log is complete then.
    pub(super) fn ended(&mut self) -> io::Result<Option<ExitStatus>> {
        let status = self.child.try_wait()?;
        if status.is_some()
            && let Some(masking) = self.masking.take()
        {
            masking.finish();
        }
        Ok(status)
    }

    /// Asks the program to end.
    pub(super) fn terminate(&self) {
        self.running.signal(Signal::TERM);
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.running.signal(Signal::KILL);
        self.running.remove_container();
        let _ = self.child.wait();
        if let Some(masking) = self.masking.take() {
            masking.finish();
        }
        // A note that stays does no harm: the next run finds nothing to end.
        let _ = fs::remove_file(&self.note);
    }
}

impl Running {
    fn signal(&self, signal: Signal) {
        if let Some(pid) = Pid::from_raw(self.pid) {
            // It fails when there is nobody left, which is what is wanted.
            let _ = kill_process_group(pid, signal);
        }
    }

    fn remove_container(&self) {
        if let Some(name) = &self.container {
            let mut remove = Command::new("docker");
            remove.args(["rm", "--force", name]);
            // It fails when the container is gone already.
            let _ = remove.stdout(Stdio::null()).stderr(Stdio::null()).status();
        }
    }
}

/// Sleeps, but not beyond the end of the program.
fn sleep(handle: Option<&OwnedFd>, time: Duration) {
    let limit = Timespec::try_from(time).ok();
    match handle {
        Some(handle) => {
            // A signal ends it early, which does no harm.
            let _ = poll(&mut [PollFd::new(handle, PollFlags::IN)], limit.as_ref());
        }
        None => thread::sleep(time.min(Duration::from_millis(2))),
    }
}

/// Kills what a run that was itself killed has left running.
pub(super) fn reap(notes: &Path) -> Result<()> {
    let Ok(entries) = fs::read_dir(notes) else {
        return Ok(());
    };
    for entry in entries {
        let path = entry?.path();
        let text = fs::read_to_string(&path).unwrap_or_default();
        if let Ok(running) = serde_json::from_str::<Running>(&text) {
            if start_time(running.pid).as_ref() == Some(&running.start_time) {
                running.signal(Signal::KILL);
            }
            running.remove_container();
        }
        publish::remove(&path)?;
    }
    Ok(())
}

/// When the system started a process, in its own clock ticks.
fn start_time(pid: i32) -> Option<String> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The second field, the name in parentheses, may hold spaces; see proc(5).
    let (_, rest) = stat.rsplit_once(") ")?;
    rest.split(' ').nth(19).map(str::to_owned)
}

fn open_log(path: &Path) -> io::Result<File> {
    let open = || File::options().create(true).append(true).open(path);
    match (open(), path.parent()) {
        (Err(error), Some(folder)) if error.kind() == io::ErrorKind::NotFound => {
            fs::create_dir_all(folder)?;
            open()
        }
        (opened, _) => opened,
    }
}

/// The last lines of a log, indented, for an error message.
pub(super) fn tail(log: &Path) -> String {
    const LINES: usize = 20;
    let text = fs::read(log).unwrap_or_default();
    let text = String::from_utf8_lossy(&text);
    let lines: Vec<&str> = text.lines().collect();
    let last = lines.iter().skip(lines.len().saturating_sub(LINES));
    last.map(|line| format!("\n    {line}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn start(script: &str, folder: &Path) -> Process {
        let mut command = Command::new("/bin/sh");
        command.args(["-c", script]);
        let start = Start {
            command,
            container: None,
            stdin: "hello\n".to_owned(),
            masked: Vec::new(),
        };
        Process::start(start, &folder.join("log"), &folder.join("notes")).unwrap()
    }

    fn notes(folder: &Path) -> usize {
        fs::read_dir(folder.join("notes")).unwrap().count()
    }

    #[test]
    fn input_output_and_status() {
        let folder = tempfile::tempdir().unwrap();
        let process = start("cat; echo bad >&2; exit 3", folder.path());
        let End::Exited(status) = process.wait(None).unwrap() else {
            panic!()
        };
        assert_eq!(status.code(), Some(3));
        assert_eq!(tail(&folder.path().join("log")), "\n    hello\n    bad");
        assert_eq!(notes(folder.path()), 0);
    }

    #[test]
    fn a_deadline_kills_the_whole_group() {
        let folder = tempfile::tempdir().unwrap();
        let process = start("sleep 60 & echo $!; wait", folder.path());
        while tail(&folder.path().join("log")).is_empty() {
            thread::sleep(Duration::from_millis(5));
        }
        let end = process.wait(Some(Instant::now())).unwrap();
        assert!(matches!(end, End::TimedOut));
        let child = tail(&folder.path().join("log"));
        gone(child.trim().parse().unwrap());
    }

    #[test]
    fn what_was_left_running_is_reaped() {
        let folder = tempfile::tempdir().unwrap();
        let process = start("sleep 60", folder.path());
        let pid = process.running.pid;
        // As SIGKILL would leave it: nothing is cleaned up.
        let mut child = std::mem::ManuallyDrop::new(process);
        assert_eq!(notes(folder.path()), 1);
        reap(&folder.path().join("notes")).unwrap();
        assert_eq!(notes(folder.path()), 0);
        assert!(child.child.wait().unwrap().code().is_none());
        gone(pid);
    }

    fn gone(pid: i32) {
        let deadline = Instant::now() + Duration::from_secs(5);
        let is_gone = || match fs::read_to_string(format!("/proc/{pid}/stat")) {
            Ok(stat) => stat.contains(") Z "),
            Err(_) => true,
        };
        while !is_gone() {
            assert!(Instant::now() < deadline, "{pid} still runs");
            thread::sleep(Duration::from_millis(5));
        }
    }
}
