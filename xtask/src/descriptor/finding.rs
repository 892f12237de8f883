//! What is wrong with a file.

use std::fmt;
use std::path::PathBuf;

/// Something that is wrong with a file.
#[derive(Debug)]
pub(crate) struct Finding {
    pub(crate) file: PathBuf,
    /// Counted from 1.
    pub(crate) line: Option<usize>,
    /// As in `input.cross[1].pfs.glob`; none for the whole file.
    pub(crate) path: Option<String>,
    pub(crate) what: String,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:", self.file.display())?;
        if let Some(line) = self.line {
            write!(f, "{line}:")?;
        }
        match self.path.as_deref() {
            None => write!(f, " {}", self.what),
            Some("") => write!(f, " the descriptor {}", self.what),
            Some(path) => write!(f, " {path} {}", self.what),
        }
    }
}
