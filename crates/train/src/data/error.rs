//! What is wrong with the data, and where.

use std::fmt;
use std::path::PathBuf;

/// Why data cannot be trained on. A place is a path below `/pfs` and a line.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DataError {
    /// The folder of the input is absent.
    #[error("there is no data folder {}: is the input's name right (--input)?", .0.display())]
    NoFolder(PathBuf),
    /// A folder or file cannot be read.
    #[error("cannot read {path}")]
    Read {
        /// The path.
        path: String,
        /// What the system says.
        source: std::io::Error,
    },
    /// There is nothing to read.
    #[error("there is no *.csv or *.tsv file in the input {input}{others}{advice}")]
    NoFiles {
        /// The input's name.
        input: String,
        /// What lies there instead.
        others: String,
        /// What that needs.
        advice: &'static str,
    },
    /// A file breaks the rules of its format.
    #[error("{place}: {problem}")]
    Format {
        /// File and line.
        place: Place,
        /// What is wrong, and what to do.
        problem: String,
    },
    /// The files have a header and nothing else.
    #[error("there are no rows: {files} and no line below the header")]
    NoRows {
        /// How many files were read.
        files: String,
    },
    /// A setting names a column that is not there, or the columns do not serve.
    #[error("{0}")]
    Columns(String),
    /// The target's values cannot be learned.
    #[error("the target column {column:?} {problem}")]
    Target {
        /// The target.
        column: String,
        /// What is wrong, and what to do.
        problem: String,
    },
}

/// A line of a data file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// The path below `/pfs`.
    pub file: String,
    /// The line, from 1.
    pub line: u64,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.file, self.line)
    }
}
