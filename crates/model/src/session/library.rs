//! The shared library of ONNX Runtime, from its file to its environment.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use ort::environment::Environment;
use ort::logging::LogLevel;

/// There is one in a process, and it stays until the process ends: threads that
/// still compute at that time must not lose it.
static ENVIRONMENT: Mutex<Option<Environment>> = Mutex::new(None);

/// Why a library of ONNX Runtime cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LibraryError {
    /// The program has no loader.
    #[error(
        "cannot load {0}: this program is linked statically and can load no library; \
         it has the built-in engine only"
    )]
    Static(PathBuf),
    /// The file cannot be read.
    #[error("cannot read {path}: {source}")]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// The file is shorter than it says of itself, or no library at all. To map such
    /// a file could end the process.
    #[error("{0} is no shared library of this processor, or only a part of one")]
    Damaged(PathBuf),
    /// The loader refuses it, or it is no ONNX Runtime, or too old a one.
    #[error("cannot use {path} as ONNX Runtime: {reason}")]
    Unusable {
        /// The file.
        path: PathBuf,
        /// Why.
        reason: String,
    },
}

/// The environment of the library at `path`, and its version as `1.31`. A process
/// keeps the first library that it has loaded.
///
/// # Errors
///
/// When the file is not there, is damaged or no ONNX Runtime of version 1.17 or
/// later, and in a program that is linked statically.
pub(super) fn load(path: &Path) -> Result<(Environment, String), LibraryError> {
    // dlopen in a static program of glibc ends the process.
    if is_static() {
        return Err(LibraryError::Static(path.to_owned()));
    }
    whole(path)?;
    let unusable = |reason: String| LibraryError::Unusable {
        path: path.to_owned(),
        reason,
    };
    let mut only = ENVIRONMENT.lock().unwrap_or_else(PoisonError::into_inner);
    let environment = match &*only {
        Some(environment) => environment.clone(),
        None => {
            let builder = ort::init_from(path).map_err(|e| unusable(e.to_string()))?;
            let environment = builder
                .with_name("pachyderm-seldon")
                .with_telemetry(false)
                .with_logger(Arc::new(log))
                .build()
                .map_err(|e| unusable(e.to_string()))?;
            environment.set_log_level(LogLevel::Warning);
            only.insert(environment).clone()
        }
    };
    let minor = ort::util::probe(path);
    let minor = minor.ok_or_else(|| unusable("it does not tell its version".to_owned()))?;
    Ok((environment, format!("1.{minor}")))
}

/// Whether the kernel started this program without a loader. A program is linked
/// last, so that its libraries are not compiled for one way or the other.
fn is_static() -> bool {
    std::fs::read("/proc/self/auxv").is_ok_and(|vector| loader(&vector) == Some(0))
}

/// Where the loader lies in memory, as an auxiliary vector says: pairs of words, of
/// which the entry `AT_BASE` (getauxval(3)) is 0 without a loader.
fn loader(vector: &[u8]) -> Option<usize> {
    const AT_BASE: usize = 7;
    let (words, _) = vector.as_chunks::<{ size_of::<usize>() }>();
    let (pairs, _) = words.as_chunks::<2>();
    let entry = pairs
        .iter()
        .find(|[key, _]| usize::from_ne_bytes(*key) == AT_BASE);
    entry.map(|[_, value]| usize::from_ne_bytes(*value))
}

/// Hands on what the library has to say. Its errors are returned as well, to those
/// who know what they mean.
fn log(level: LogLevel, category: &str, _id: &str, place: &str, message: &str) {
    match level {
        LogLevel::Verbose | LogLevel::Info => tracing::trace!(category, place, "{message}"),
        LogLevel::Warning | LogLevel::Error | LogLevel::Fatal => {
            tracing::debug!(category, place, "{message}");
        }
    }
}

/// The header of a 64-bit ELF file of this machine's byte order.
#[derive(Debug)]
struct Header([u8; 64]);

impl Header {
    fn number<const N: usize>(&self, at: usize) -> Option<u64> {
        let bytes = self.0.get(at..at + N)?;
        let mut number = [0; 8];
        match cfg!(target_endian = "little") {
            true => number.get_mut(..N)?.copy_from_slice(bytes),
            false => number.get_mut(8 - N..)?.copy_from_slice(bytes),
        }
        Some(u64::from_ne_bytes(number))
    }

    /// Where its last part, the table of sections, ends.
    fn end(&self) -> Option<u64> {
        let (table, size, count) = (
            self.number::<8>(40)?,
            self.number::<2>(58)?,
            self.number::<2>(60)?,
        );
        size.checked_mul(count)?.checked_add(table)
    }
}

/// Refuses a file that is cut off: the loader maps what is missing, and who reads it
/// is ended by a signal.
fn whole(path: &Path) -> Result<(), LibraryError> {
    let read = |source| LibraryError::Read {
        path: path.to_owned(),
        source,
    };
    let damaged = || LibraryError::Damaged(path.to_owned());
    let mut file = File::open(path).map_err(read)?;
    let length = file.metadata().map_err(read)?.len();
    let mut header = Header([0; 64]);
    file.read_exact(&mut header.0).map_err(|_| damaged())?;
    let is_elf = header.0.starts_with(b"\x7fELF\x02");
    let fits = header.end().is_some_and(|end| end <= length);
    (is_elf && fits).then_some(()).ok_or_else(damaged)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_with_a_loader_is_not_static() {
        let words = |words: &[usize]| -> Vec<u8> {
            words.iter().flat_map(|word| word.to_ne_bytes()).collect()
        };
        assert_eq!(loader(&words(&[6, 4096, 7, 0x7f00, 0, 0])), Some(0x7f00));
        assert_eq!(loader(&words(&[7, 0, 0, 0])), Some(0));
        assert_eq!(loader(&words(&[6, 7])), None);
        // Tests are linked dynamically.
        assert!(!is_static());
    }
}
