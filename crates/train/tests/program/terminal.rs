//! What a person at a terminal sees, and nobody else.

use std::fs::{File, OpenOptions};
use std::io::Read;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::process::Stdio;

use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};

use crate::common::{Pfs, texts};

/// The two ends of a terminal: what is written to the second is read from the first.
fn terminal() -> (File, File) {
    let screen = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
    grantpt(&screen).unwrap();
    unlockpt(&screen).unwrap();
    let name = ptsname(&screen, Vec::new()).unwrap();
    let path = Path::new(std::ffi::OsStr::from_bytes(name.as_bytes()));
    let end = OpenOptions::new().read(true).write(true).open(path);
    (File::from(screen), end.unwrap())
}

/// All that was written to a terminal whose other ends are closed.
fn written(mut screen: File) -> String {
    let mut bytes = Vec::new();
    let mut buffer = [0; 4096];
    // The end of a terminal is an error (EIO), and no end of file.
    while let Ok(read @ 1..) = screen.read(&mut buffer) {
        bytes.extend_from_slice(&buffer[..read]);
    }
    String::from_utf8(bytes).unwrap()
}

#[test]
fn a_bar_shows_what_takes_its_time() {
    let pfs = Pfs::iris();
    let (screen, end) = terminal();
    let mut child = pfs
        .command()
        .env("TERM", "xterm")
        .stdout(Stdio::null())
        .stderr(end)
        .spawn()
        .unwrap();
    let seen = written(screen);
    assert!(child.wait().unwrap().success(), "{seen}");
    assert!(seen.contains("\u{1b}[2Kcompared the models ["), "{seen:?}");
    assert!(seen.contains(" %, "), "{seen:?}");
    let last = seen.lines().last().unwrap();
    assert!(last.starts_with("wrote the package"), "{last:?}");
}

#[test]
fn a_log_has_plain_lines() {
    let pfs = Pfs::iris();
    let output = pfs.command().env("TERM", "xterm").output().unwrap();
    let (_, said) = texts(&output);
    assert!(!said.contains('\u{1b}') && !said.contains('\r'), "{said:?}");
}
