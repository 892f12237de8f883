//! What Prometheus reads.

use crate::support::client::Client;
use crate::support::grpc::Caller;
use crate::support::package;
use crate::support::proto::inference as pb;
use crate::support::server::{Server, bare, command};

#[test]
fn calls_over_v2_are_counted_as_the_orchestrator_would() {
    let server = Server::ready(bare().arg("--echo"));
    let caller = Caller::new(&server.grpc);
    let url = server.url("/v2/models/echo/infer");
    let json = ("content-type", "application/json");
    let input = r#"{"inputs":[{"name":"x","shape":[1],"datatype":"INT8","data":[1]}]}"#;
    let client = Client::new();
    let own = client.send("POST", &url, &[json], input);
    assert_eq!((own.status, own.header("seldon-puid")), (200, ""));
    // The orchestrator gives an ID to each, and counts it.
    let passed = client.send("POST", &url, &[json, ("Seldon-Puid", "p1")], input);
    assert_eq!((passed.status, passed.header("seldon-puid")), (200, "p1"));
    let request = || pb::ModelInferRequest {
        model_name: "none".to_owned(),
        ..Default::default()
    };
    let mut given = tonic::Request::new(request());
    let id = "p2".parse().unwrap();
    given.metadata_mut().insert("seldon-puid", id);
    caller.wait(caller.oip().model_infer(given)).unwrap_err();
    caller
        .wait(caller.oip().model_infer(request()))
        .unwrap_err();
    let text = server.scrape("/metrics").body;
    let counts = text
        .lines()
        .filter(|line| line.starts_with("seldon_api_executor_server_requests_seconds_count{"));
    let counts: Vec<&str> = counts.collect();
    let infer = r#"service="/inference.GRPCInferenceService/ModelInfer""#;
    for labels in [
        [
            r#"code="200""#,
            r#"method="post""#,
            r#"service="predictions""#,
        ],
        [r#"code="NotFound""#, r#"method="unary""#, infer],
    ] {
        let is = |count: &&&str| labels.iter().all(|label| count.contains(label));
        let found = counts.iter().find(is);
        assert!(found.is_some_and(|it| it.ends_with(" 1")), "{counts:?}");
    }
    assert_eq!(counts.len(), 2, "{counts:?}");
}

#[test]
#[expect(clippy::too_many_lines, reason = "a list of series")]
fn series_and_labels() {
    let package = package::iris();
    let server = Server::ready(
        command(package.folder())
            .args(["--metrics-endpoint", "/stats"])
            .env("PREDICTIVE_UNIT_ID", "iris-container")
            .env("PREDICTIVE_UNIT_IMAGE", "localhost:5000/serve:0.0.1")
            .env("PREDICTOR_ID", "default")
            .env("PREDICTOR_LABELS", r#"{"version":"v7"}"#)
            .env("SELDON_DEPLOYMENT_ID", "iris"),
    );
    let rows = r#"{"data":{"ndarray":[[5,3.5,1,0.5],[5,3.5,1,0.5]]}}"#;
    assert_eq!(server.post("/predict", rows).status, 200);
    assert_eq!(server.post("/predict", "{}").status, 400);
    assert_eq!(server.post("/v2/models/iris/infer", "{}").status, 400);

    let answer = server.scrape("/metrics");
    let content_type = "text/plain; version=0.0.4; charset=utf-8";
    assert_eq!(
        (answer.status, answer.header("content-type")),
        (200, content_type)
    );
    let has = |start: &str, parts: &[&str], value: &str| {
        let line = answer
            .body
            .lines()
            .find(|line| line.starts_with(start) && parts.iter().all(|part| line.contains(part)));
        let line = line.unwrap_or_else(|| panic!("no {start} {parts:?} in {}", answer.body));
        assert_eq!(line.rsplit(' ').next(), Some(value), "{line}");
    };
    let requests = "serve_requests_total{";
    has(
        requests,
        &[
            r#"protocol="seldon""#,
            r#"method="predict""#,
            r#"code="200""#,
        ],
        "1",
    );
    has(
        requests,
        &[
            r#"protocol="seldon""#,
            r#"method="predict""#,
            r#"code="400""#,
        ],
        "1",
    );
    has(
        requests,
        &[r#"protocol="v2""#, r#"method="predict""#, r#"code="400""#],
        "1",
    );
    has(
        "serve_request_seconds_count{",
        &[r#"protocol="v2""#, r#"method="predict""#],
        "1",
    );
    for label in [
        r#"deployment_name="iris""#,
        r#"seldon_deployment_name="iris""#,
        r#"model_name="iris-container""#,
        r#"model_image="localhost:5000/serve""#,
        r#"image_name="localhost:5000/serve""#,
        r#"model_version="0.0.1""#,
        r#"image_version="0.0.1""#,
        r#"predictor_name="default""#,
        r#"predictor_version="v7""#,
    ] {
        has("serve_predictions_total{", &[label], "2");
    }
    has("serve_queue_depth{", &[], "0");
    let digest = format!("package_digest=\"{}\"", package.digest);
    has(
        "serve_model_info{",
        &[&digest, r#"package_version="2c0d5a3c8e5f""#],
        "1",
    );

    for path in ["/prometheus", "/stats"] {
        assert!(
            server.scrape(path).body.contains("serve_predictions_total"),
            "{path}"
        );
    }
    assert_eq!(server.scrape("/nope").status, 404);
    assert!(server.get("/metrics").body.contains("serve_model_info"));
}
