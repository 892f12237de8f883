//! What a request is called in the metrics.

use axum::http::Method;

use crate::metrics::Labels;

/// The labels `protocol` and `method` of a path, `method` in the words of
/// Seldon's metrics where they have one.
pub(super) fn labels(path: &str) -> Labels {
    // Nearly all requests have this path.
    if path == "/api/v1.0/predictions" {
        return ["seldon", "predict"];
    }
    if path == "/" || path.starts_with("/page/") {
        return ["none", "page"];
    }
    let protocol = if is_oip(path) { "v2" } else { "seldon" };
    let last = path.trim_end_matches('/').rsplit('/').next();
    let method = match last.unwrap_or_default() {
        "infer" if protocol == "v2" => "predict",
        "predict" | "predictions" if protocol == "seldon" => "predict",
        "transform-input" => "inputtransform",
        "transform-output" => "outputtransform",
        "route" => "router",
        "aggregate" => "aggregate",
        "send-feedback" | "feedback" => "feedback",
        _ if path.starts_with("/api/v1.0/status/") => "health",
        _ if path.starts_with("/api/v1.0/metadata/") => "metadata",
        "live" | "ready" | "ping" | "status" => "health",
        "metadata" => "metadata",
        "metrics" | "prometheus" => return ["none", "metrics"],
        _ if protocol == "v2" => "metadata",
        _ => "unknown",
    };
    [protocol, method]
}

/// The label `service` of a path that a client asks directly, without Seldon's
/// orchestrator between: those that the orchestrator offers.
pub(super) fn service(path: &str) -> Option<&'static str> {
    let rest = path
        .strip_prefix("/api/v1.0/")
        .or_else(|| path.strip_prefix("/api/v0.1/"))?;
    match rest {
        "predictions" => Some("predictions"),
        "feedback" => Some("feedback"),
        _ => None,
    }
}

/// The label `method` of the same series. A client may invent methods, and each new
/// label is kept for ever.
pub(super) fn verb(method: &Method) -> &'static str {
    match *method {
        Method::GET => "get",
        Method::POST => "post",
        Method::HEAD => "head",
        Method::OPTIONS => "options",
        Method::PUT => "put",
        Method::PATCH => "patch",
        Method::DELETE => "delete",
        _ => "other",
    }
}

/// Whether a path belongs to the Open Inference Protocol.
pub(super) fn is_oip(path: &str) -> bool {
    path == "/v2" || path.starts_with("/v2/")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names() {
        for (path, expected) in [
            ("/predict", ["seldon", "predict"]),
            ("/api/v1.0/predictions", ["seldon", "predict"]),
            ("/health/ping", ["seldon", "health"]),
            ("/api/v1.0/metadata", ["seldon", "metadata"]),
            ("/v2/models/iris/infer", ["v2", "predict"]),
            ("/v2/models/iris/versions/1/infer", ["v2", "predict"]),
            ("/v2/health/ready", ["v2", "health"]),
            ("/v2/models/iris", ["v2", "metadata"]),
            ("/v2", ["v2", "metadata"]),
            ("/transform-input", ["seldon", "inputtransform"]),
            ("/api/v1.0/feedback", ["seldon", "feedback"]),
            ("/api/v1.0/status/a", ["seldon", "health"]),
            ("/metrics", ["none", "metrics"]),
            ("/", ["none", "page"]),
            ("/page/card", ["none", "page"]),
            ("/../etc/passwd", ["seldon", "unknown"]),
        ] {
            assert_eq!(labels(path), expected, "{path}");
        }
    }
}
