//! The conformance model over HTTP, beyond the recorded exchanges.

use serde_json::{Value, json};

use crate::support::server::{Server, command};

fn echo() -> Server {
    Server::ready(
        command("unused")
            .arg("--echo")
            .env("PREDICTIVE_UNIT_ID", "echo-container")
            .env("SELDON_DEPLOYMENT_ID", "deployment"),
    )
}

fn ask(server: &Server, path: &str, message: &Value) -> (u16, Value) {
    let answer = server.post(path, &message.to_string());
    (answer.status, serde_json::from_str(&answer.body).unwrap())
}

#[test]
fn payloads_come_back() {
    let server = echo();
    let big = u64::MAX;
    let tftensor = json!({"dtype": "DT_INT64", "tensorShape": {"dim": [{"size": "2"}, {"size": "1"}]},
        "int64Val": ["1", "9007199254740993"]});
    for (request, reply) in [
        (
            json!({"tensor": {"shape": [1], "values": [big]}}),
            json!({"tensor": {"shape": [1], "values": [big]}}),
        ),
        (
            json!({"ndarray": [[big, -1]]}),
            json!({"ndarray": [[big, -1]]}),
        ),
        (json!({"tftensor": tftensor}), json!({"tftensor": tftensor})),
        (
            json!({"tftensor": {"dtype": "DT_STRING", "tensorShape": {"dim": [{"size": "1"}]}, "stringVal": ["YQ=="]}}),
            json!({"ndarray": ["a"]}),
        ),
        (
            json!({"tensor": {"shape": [], "values": [2]}}),
            json!({"tensor": {"shape": [], "values": [2]}}),
        ),
        (json!({"ndarray": [[]]}), json!({"ndarray": [[]]})),
    ] {
        let (status, answer) = ask(&server, "/predict", &json!({"data": request}));
        let mut data = answer["data"].clone();
        data.as_object_mut().map(|data| data.remove("names"));
        assert_eq!((status, data), (200, reply), "{request}");
    }
    let objects = json!([{"a": 1}, {"b": [2]}]);
    let (_, answer) = ask(&server, "/predict", &json!({"jsonData": objects}));
    assert_eq!(answer["data"], json!({"names": [], "ndarray": objects}));
}

#[test]
fn payloads_that_are_refused() {
    let server = echo();
    for (message, part) in [
        (json!({"jsonData": [1, [2]]}), "jsonData"),
        (json!({"jsonData": true}), "jsonData is true"),
        (json!({"binData": "a"}), "base64"),
        (
            json!({"data": {"tftensor": {"dtype": "DT_FLOAT", "x": 1}}}),
            "tftensor",
        ),
        (
            json!({"data": {"tftensor": {"dtype": "DT_COMPLEX64"}}}),
            "DT_COMPLEX64",
        ),
        (
            json!({"data": {"tftensor": {"dtype": "DT_FLOAT", "tensorShape": {"dim": [{"size": "4000000000"}]}, "floatVal": [1]}}}),
            "do not fill the shape",
        ),
    ] {
        let (status, answer) = ask(&server, "/predict", &message);
        let info = answer["status"]["info"].as_str().unwrap();
        assert!(
            status == 400 && info.contains(part),
            "{message}: {status} {info}"
        );
    }
    let shapes = json!([{"data": {"ndarray": [1]}}, {"data": {"ndarray": [1, 2]}}]);
    assert_eq!(ask(&server, "/aggregate", &shapes).0, 400);
}

#[test]
fn what_is_counted() {
    let server = echo();
    let emit = json!({"meta": {"tags": {"emit": true}}, "strData": "x"});
    for path in ["/api/v1.0/predictions", "/predict"] {
        assert_eq!(ask(&server, path, &emit).0, 200);
    }
    for reward in [json!(1.5), json!(-0.5), json!(0)] {
        let feedback = json!({"reward": reward});
        assert_eq!(ask(&server, "/api/v1.0/feedback", &feedback).0, 200);
    }
    for reward in ["NaN", "Infinity", "-Infinity"] {
        let (status, refused) = ask(&server, "/send-feedback", &json!({"reward": reward}));
        assert_eq!(status, 400);
        let info = refused["status"]["info"].as_str().unwrap();
        assert!(info.contains("send a finite number"), "{info}");
    }
    let text = server.scrape("/prometheus").body;
    let value = |name: &str, labels: &[&str]| {
        let is = |line: &&str| line.starts_with(name) && labels.iter().all(|l| line.contains(l));
        let line = text.lines().find(is);
        let line = line.unwrap_or_else(|| panic!("no {name} {labels:?} in {text}"));
        line.rsplit(' ').next().unwrap().to_owned()
    };
    let common = [
        r#"deployment_name="deployment""#,
        r#"model_name="echo-container""#,
        r#"predictor_name="NOT_IMPLEMENTED""#,
    ];
    let of = |more: &[&'static str]| [&common[..], more].concat();
    let predict = r#"method="predict""#;
    assert_eq!(
        value("echo_counter_total{", &of(&[predict, r#"kind="c""#])),
        "2"
    );
    assert_eq!(value("echo_gauge{", &of(&[predict])), "22");
    assert_eq!(value("echo_timer_count{", &of(&[predict])), "2");
    assert_eq!(value("echo_timer_sum{", &of(&[predict])), "0.041");
    let feedback = r#"method="feedback""#;
    assert_eq!(
        value("seldon_api_model_feedback_total{", &of(&[feedback])),
        "2"
    );
    assert_eq!(
        value("seldon_api_model_feedback_reward_total{", &of(&[feedback])),
        "1"
    );
    let requests = "seldon_api_executor_server_requests_seconds_count{";
    assert_eq!(
        value(
            requests,
            &of(&[
                r#"service="predictions""#,
                r#"method="post""#,
                r#"code="200""#
            ])
        ),
        "1"
    );
    assert_eq!(value(requests, &of(&[r#"service="feedback""#])), "3");
}

#[test]
fn it_can_be_unloaded_and_loaded_again() {
    let server = echo();
    let call = |name: &str, call: &str| {
        let path = format!("/v2/repository/models/{name}/{call}");
        server.post(&path, "").status
    };
    assert_eq!(call("echo", "load"), 200, "it is loaded");
    for name in ["echo", "echo-container"] {
        assert_eq!(call(name, "unload"), 200);
        assert_eq!(server.get("/v2/models/echo/ready").status, 503);
        assert_eq!(call(name, "load"), 200);
        assert_eq!(server.get("/v2/models/echo/ready").status, 200);
    }
    assert_eq!(call("other", "load"), 404);
}

#[test]
fn paths_of_the_orchestrator() {
    let server = echo();
    for path in [
        "/api/v1.0/metadata/echo",
        "/api/v1.0/metadata/echo-container",
        "/api/v1.0/status/echo-container",
        "/seldon.json",
    ] {
        let answer = server.get(path);
        assert_eq!(answer.status, 200, "{path}");
        assert!(
            serde_json::from_str::<Value>(&answer.body)
                .unwrap()
                .is_object()
        );
    }
    for path in ["/api/v1.0/metadata/other", "/api/v1.0/status/other"] {
        assert_eq!(server.get(path).status, 404, "{path}");
    }
}
