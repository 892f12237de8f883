//! The files of a datum, as the program finds them below `/pfs`.

use std::fs::{self, File};
use std::io::{self, ErrorKind};
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use anyhow::{Context, Result};
use rustix::fs::{CWD, FileType, Mode, OFlags, fcntl_setfl, mknodat};

use crate::local::datum::Datum;
use crate::local::objects::Objects;
use crate::local::tree::below;

/// How often an unopened pipe is looked at.
const PAUSE: Duration = Duration::from_millis(2);

/// What a program finds; dropped, nothing waits for it to read any more.
#[derive(Debug, Default)]
pub(super) struct Lent {
    over: Arc<AtomicBool>,
    feeder: Option<JoinHandle<()>>,
}

/// Copies the files of a datum below `pfs`, for a program that may do with them
/// what it likes; or only their names, or pipes, as the inputs say.
pub(super) fn lend(objects: &Objects, datum: &Datum<'_>, pfs: &Path) -> Result<Lent> {
    let mut pipes = Vec::new();
    for part in &datum.parts {
        let input = part.input;
        let root = pfs.join(input.name());
        for (name, entry) in below(&part.commit.files, &part.path) {
            let path = root.join(name);
            let mut made = || -> io::Result<()> {
                if let Some(folder) = path.parent() {
                    fs::create_dir_all(folder)?;
                }
                if input.lazy {
                    let mode = Mode::from_bits_truncate(0o644);
                    mknodat(CWD, &path, FileType::Fifo, mode, 0)?;
                    pipes.push((path.clone(), objects.path(entry)));
                    return Ok(());
                }
                if input.empty_files {
                    return File::create(&path).map(drop);
                }
                fs::copy(objects.path(entry), &path)?;
                fs::set_permissions(&path, fs::Permissions::from_mode(0o644))
            };
            made().with_context(|| format!("cannot make {}", path.display()))?;
        }
    }
    let mut lent = Lent::default();
    if !pipes.is_empty() {
        let over = Arc::clone(&lent.over);
        lent.feeder = Some(thread::spawn(move || feed(pipes, &over)));
    }
    Ok(lent)
}

/// Writes into each pipe once its reader has opened it.
fn feed(mut pipes: Vec<(PathBuf, PathBuf)>, over: &AtomicBool) {
    let mut writers = Vec::new();
    while !pipes.is_empty() && !over.load(Ordering::Relaxed) {
        pipes.retain(|(pipe, object)| match open(pipe) {
            // Nobody reads it yet.
            Err(error) if error.raw_os_error() == Some(rustix::io::Errno::NXIO.raw_os_error()) => {
                true
            }
            Err(_) => false,
            Ok(mut target) => {
                let object = object.clone();
                // A reader may stop halfway: that is its own affair.
                writers.push(thread::spawn(move || {
                    File::open(object).and_then(|mut object| io::copy(&mut object, &mut target))
                }));
                false
            }
        });
        thread::sleep(PAUSE);
    }
    for writer in writers {
        let _ = writer.join();
    }
}

/// Opens a pipe for writing if somebody reads it.
fn open(pipe: &Path) -> io::Result<File> {
    let flags = OFlags::NONBLOCK.bits().cast_signed();
    let file = File::options().write(true).custom_flags(flags).open(pipe)?;
    fcntl_setfl(&file, OFlags::empty())?;
    if file.metadata()?.file_type().is_file() {
        return Err(ErrorKind::InvalidInput.into());
    }
    Ok(file)
}

impl Drop for Lent {
    fn drop(&mut self) {
        self.over.store(true, Ordering::Relaxed);
        if let Some(feeder) = self.feeder.take() {
            let _ = feeder.join();
        }
    }
}
