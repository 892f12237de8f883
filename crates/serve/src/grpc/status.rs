//! The protocols' shape of an error.

use tonic::{Code, Status};

use crate::problem::Problem;

/// A problem as a status, for every service.
pub(crate) fn status(problem: &Problem) -> Status {
    let code = match problem {
        Problem::BadData(_) | Problem::MediaType(_) => Code::InvalidArgument,
        Problem::NotFound(_) => Code::NotFound,
        Problem::MethodNotAllowed(_) => Code::Unimplemented,
        Problem::TooLarge(_) | Problem::TooManyParts(_) => Code::ResourceExhausted,
        Problem::Unavailable(_) => Code::Unavailable,
        Problem::TooSlow { .. } | Problem::Deadline => Code::DeadlineExceeded,
        Problem::Internal(_) => Code::Internal,
    };
    Status::new(code, problem.to_string())
}
