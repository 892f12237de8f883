//! Why Pachyderm does not answer.

use tonic::{Code, Status};

/// Why Pachyderm does not answer.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PachydermError {
    /// Nothing answers at the address.
    #[error("cannot reach Pachyderm at {address}")]
    Connect {
        /// The address.
        address: String,
        /// What the connection says.
        source: tonic::transport::Error,
    },
    /// The token has characters that no token has.
    #[error("the token for Pachyderm holds characters that cannot stand in a header")]
    Token,
    /// It refuses a call.
    #[error("Pachyderm at {address} does not give {what}: {reason}{advice}")]
    Refused {
        /// The address.
        address: String,
        /// What was asked for.
        what: String,
        /// Its words, or the name of the status.
        reason: String,
        /// What to do, where that is known.
        advice: &'static str,
    },
}

impl PachydermError {
    pub(crate) fn refused(address: &str, what: String, status: &Status) -> Self {
        let reason = match status.message() {
            "" => status.code().description().to_owned(),
            words => words.to_owned(),
        };
        let by_words = reason.contains("not authorized") || reason.contains("authentication token");
        let advice = match status.code() {
            Code::Unauthenticated | Code::PermissionDenied => ADVICE,
            _ if by_words => ADVICE,
            _ => "",
        };
        Self::Refused {
            address: address.to_owned(),
            what,
            reason,
            advice,
        }
    }
}

const ADVICE: &str = "; give a token with the role repoReader of this repo as PAC_TOKEN";
