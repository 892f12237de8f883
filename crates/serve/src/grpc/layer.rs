//! What happens around every call.

use std::time::{Duration, Instant};

use axum::http::{HeaderMap, Request, Response};
use tokio::time::timeout;
use tonic::Code;
use tonic::body::Body;

use super::status;
use crate::app::App;
use crate::metrics::Labels;
use crate::oip;
use crate::problem::Problem;

/// Has `next` answer a call and counts it; ends it at its deadline, or when it takes
/// longer than `longest`: what is dropped before its turn comes is not computed.
pub(super) async fn observed<B>(
    app: &App,
    longest: Option<Duration>,
    request: Request<B>,
    next: impl AsyncFnOnce(Request<B>) -> Response<Body>,
) -> Response<Body> {
    let start = Instant::now();
    let labels = labels(request.uri().path());
    let limit = [deadline(request.headers()), longest];
    let answer = next(request);
    let response = match limit.into_iter().flatten().min() {
        Some(limit) => {
            let answer = timeout(limit, answer).await;
            answer.unwrap_or_else(|_| status(&Problem::Deadline).into_http())
        }
        None => answer.await,
    };
    let code = code(&response);
    app.metrics.answered(labels, code, start.elapsed());
    response
}

/// The status of a call that failed stands in the head; one that has not failed
/// yet is `OK`.
fn code(response: &Response<Body>) -> &'static str {
    let code = response.headers().get("grpc-status");
    name(code.map_or(Code::Ok, |code| Code::from_bytes(code.as_bytes())))
}

/// The names of the gRPC specification.
fn name(code: Code) -> &'static str {
    match code {
        Code::Ok => "OK",
        Code::Cancelled => "CANCELLED",
        Code::Unknown => "UNKNOWN",
        Code::InvalidArgument => "INVALID_ARGUMENT",
        Code::DeadlineExceeded => "DEADLINE_EXCEEDED",
        Code::NotFound => "NOT_FOUND",
        Code::AlreadyExists => "ALREADY_EXISTS",
        Code::PermissionDenied => "PERMISSION_DENIED",
        Code::ResourceExhausted => "RESOURCE_EXHAUSTED",
        Code::FailedPrecondition => "FAILED_PRECONDITION",
        Code::Aborted => "ABORTED",
        Code::OutOfRange => "OUT_OF_RANGE",
        Code::Unimplemented => "UNIMPLEMENTED",
        Code::Internal => "INTERNAL",
        Code::Unavailable => "UNAVAILABLE",
        Code::DataLoss => "DATA_LOSS",
        Code::Unauthenticated => "UNAUTHENTICATED",
    }
}

/// The full name of the service and the method that a path names.
pub(super) fn service_and_method(path: &str) -> (&str, &str) {
    let name = path.strip_prefix('/').unwrap_or(path);
    name.split_once('/').unwrap_or_default()
}

/// The labels `protocol` and `method` of a call, `method` in the words of
/// Seldon's metrics where they have one.
fn labels(path: &str) -> Labels {
    let (service, call) = service_and_method(path);
    let protocol = match service {
        oip::SERVICE => "v2-grpc",
        _ if service.starts_with("seldon.protos.") => "seldon-grpc",
        _ => "none",
    };
    let method = match call {
        "ModelInfer" | "Predict" => "predict",
        "TransformInput" => "inputtransform",
        "TransformOutput" => "outputtransform",
        "Route" => "router",
        "Aggregate" => "aggregate",
        "SendFeedback" => "feedback",
        "ServerLive" | "ServerReady" | "ModelReady" | "Check" | "Watch" => "health",
        "ServerMetadata" | "ModelMetadata" | "Metadata" | "GraphMetadata" => "metadata",
        "RepositoryIndex" | "RepositoryModelLoad" | "RepositoryModelUnload" => "repository",
        "ServerReflectionInfo" => "reflection",
        _ => "unknown",
    };
    [protocol, method]
}

/// The time that the client waits (`grpc-timeout`: at most eight digits and a unit).
/// What is malformed is no deadline.
fn deadline(headers: &HeaderMap) -> Option<Duration> {
    let text = headers.get("grpc-timeout")?.to_str().ok()?;
    let (digits, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
    let value: u64 = digits.parse().ok().filter(|_| digits.len() <= 8)?;
    match unit {
        "H" => Some(Duration::from_secs(value * 3600)),
        "M" => Some(Duration::from_secs(value * 60)),
        "S" => Some(Duration::from_secs(value)),
        "m" => Some(Duration::from_millis(value)),
        "u" => Some(Duration::from_micros(value)),
        "n" => Some(Duration::from_nanos(value)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn deadlines() {
        for (text, nanoseconds) in [
            ("1H", Some(3_600_000_000_000)),
            ("2M", Some(120_000_000_000)),
            ("3S", Some(3_000_000_000)),
            ("100m", Some(100_000_000)),
            ("5000u", Some(5_000_000)),
            ("1n", Some(1)),
            ("123456789m", None),
            ("", None),
            ("5", None),
            ("-5S", None),
            ("5é", None),
        ] {
            let mut headers = HeaderMap::new();
            let value = axum::http::HeaderValue::from_bytes(text.as_bytes()).unwrap();
            headers.insert("grpc-timeout", value);
            let expected = nanoseconds.map(Duration::from_nanos);
            assert_eq!(deadline(&headers), expected, "{text}");
        }
    }

    #[test]
    fn names() {
        for (path, expected) in [
            (
                "/inference.GRPCInferenceService/ModelInfer",
                ["v2-grpc", "predict"],
            ),
            (
                "/inference.GRPCInferenceService/ServerLive",
                ["v2-grpc", "health"],
            ),
            ("/seldon.protos.Model/Predict", ["seldon-grpc", "predict"]),
            ("/seldon.protos.Router/Route", ["seldon-grpc", "router"]),
            ("/grpc.health.v1.Health/Check", ["none", "health"]),
            ("/a/b", ["none", "unknown"]),
            ("/", ["none", "unknown"]),
        ] {
            assert_eq!(labels(path), expected, "{path}");
        }
    }
}
