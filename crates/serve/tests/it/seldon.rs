//! The Seldon v1 protocol.

use std::io::{Read, Write};
use std::net::TcpStream;

use serde_json::{Value, json};

use crate::support::client::Client;
use crate::support::package;
use crate::support::server::{Server, command};

const PREDICT: &str = "/api/v1.0/predictions";

/// The reply for the iris row `[5, 3.5, 1, 0.5]`.
const NAMES: &str = r#""names":["setosa","versicolor","virginica"]"#;

#[test]
fn good_forms_of_numbers() {
    let server = Server::start(&package::iris());
    let ndarray = format!(r#"{{"data":{{{NAMES},"ndarray":[[0.875,0.0,0.125]]}},"meta":{{}}}}"#);
    let tensor = format!(
        r#"{{"data":{{{NAMES},"tensor":{{"shape":[1,3],"values":[0.875,0.0,0.125]}}}},"meta":{{}}}}"#
    );
    let by_name = r#"["petal_width","petal_length","sepal_width","sepal_length"]"#;
    for (request, reply) in [
        (r#"{"data":{"ndarray":[[5,3.5,1,0.5]]}}"#.to_owned(), &ndarray),
        (r#"{"data":{"names":[],"ndarray":[[5,3.5,1,0.5]]},"x":1}"#.to_owned(), &ndarray),
        (format!(r#"{{"data":{{"names":{by_name},"ndarray":[[0.5,1,3.5,5]]}}}}"#), &ndarray),
        (
            r#"{"data":{"names":["t:0","t:1","t:2","t:3"],"ndarray":[[5,3.5,1,0.5]]}}"#.to_owned(),
            &ndarray,
        ),
        (r#"{"data":{"tensor":{"shape":[1,4],"values":[5,3.5,1,0.5]}}}"#.to_owned(), &tensor),
        (
            format!(
                r#"{{"data":{{"names":{by_name},"tensor":{{"shape":[1,4],"values":[0.5,1,3.5,5]}}}}}}"#
            ),
            &tensor,
        ),
        (
            r#"{"data":{"tensor":{"shape":[1,4],"values":[5,3.5,1,0.5]},"ndarray":[[1]]}}"#
                .to_owned(),
            &tensor,
        ),
        (
            r#"{"jsonData":{"petal_width":0.5,"petal_length":1,"sepal_width":3.5,"sepal_length":5}}"#
                .to_owned(),
            &tensor,
        ),
    ] {
        for path in [PREDICT, "/api/v0.1/predictions", "/predict"] {
            let answer = server.post(path, &request);
            assert_eq!((answer.status, &answer.body), (200, reply), "{path} {request}");
            assert_eq!(answer.header("content-type"), "application/json");
            assert_eq!(answer.header("access-control-allow-origin"), "*");
        }
    }
}

#[test]
fn several_rows() {
    let server = Server::start(&package::iris());
    let answer = server.post(
        PREDICT,
        r#"{"data":{"ndarray":[[0,0,0,0],[0,0,4,1],[0,0,8,4]]}}"#,
    );
    let rows = "[[1.0,0.0,0.0],[0.5,0.25,0.25],[0.0,0.0,1.0]]";
    assert_eq!(
        answer.body,
        format!(r#"{{"data":{{{NAMES},"ndarray":{rows}}},"meta":{{}}}}"#)
    );
}

#[test]
fn texts_and_missing_values() {
    let server = Server::start(&package::mixed());
    for (row, probabilities) in [
        (r#"[1,"red"]"#, "[0.25,0.75]"),
        (r#"[2,"blue"]"#, "[0.5,0.5]"),
        (r#"[null,"blue"]"#, "[0.75,0.25]"),
    ] {
        let request = format!(r#"{{"data":{{"ndarray":[{row}]}}}}"#);
        let reply = format!(
            r#"{{"data":{{"names":["no","yes"],"ndarray":[{probabilities}]}},"meta":{{}}}}"#
        );
        assert_eq!(server.post(PREDICT, &request).body, reply, "{row}");
    }
    let records = r#"{"jsonData":[{"colour":"red","length":1},{"length":null,"colour":"blue"}]}"#;
    let tensor = r#""tensor":{"shape":[2,2],"values":[0.25,0.75,0.75,0.25]}"#;
    assert_eq!(
        server.post(PREDICT, records).body,
        format!(r#"{{"data":{{"names":["no","yes"],{tensor}}},"meta":{{}}}}"#)
    );
}

#[test]
fn a_number_in_its_shortest_form() {
    let server = Server::start(&package::identity());
    let answer = server.post(
        PREDICT,
        r#"{"data":{"ndarray":[[0.97],[16777217],[1e-7]]}}"#,
    );
    let reply = r#"{"data":{"names":["target"],"ndarray":[[0.97],[16777216.0],[1e-7]]},"meta":{}}"#;
    assert_eq!(answer.body, reply);
}

#[test]
fn what_is_passed_on() {
    let mut command = command(package_folder());
    let server = Server::ready(
        command
            .env("PREDICTIVE_UNIT_ID", "echo-container")
            .env("PREDICTIVE_UNIT_IMAGE", "registry.example/serve:1.2.3"),
    );
    let meta = json!({
        "puid": "abc", "tags": {"k": "v", "n": 9_007_199_254_740_993_u64}, "routing": {"r": 1},
        "requestPath": {"up": "img:1"}, "metrics": [{"key": "g", "type": "GAUGE", "value": 3}],
    });
    let request = json!({"meta": meta, "data": {"ndarray": [[1]]}}).to_string();
    let answer = server.post(PREDICT, &request);
    let reply: Value = serde_json::from_str(&answer.body).unwrap();
    let expected = json!({
        "puid": "abc", "tags": {"k": "v", "n": 9_007_199_254_740_993_u64},
        "requestPath": {"up": "img:1", "echo-container": "registry.example/serve:1.2.3"},
        "metrics": [{"key": "g", "type": "GAUGE", "value": 3}],
    });
    assert_eq!(reply["meta"], expected);
    assert_eq!(
        answer.header("seldon-puid").len(),
        32,
        "made, not the body's"
    );

    let client = Client::new();
    let headers = [("Content-Type", "application/json"), ("Seldon-Puid", "p1")];
    let answer = client.send("POST", &server.url(PREDICT), &headers, &request);
    assert_eq!(answer.header("seldon-puid"), "p1");

    let status: Value = serde_json::from_str(&server.get("/health/status").body).unwrap();
    let path = json!({"echo-container": "registry.example/serve:1.2.3"});
    assert_eq!(
        status,
        json!({"meta": {"requestPath": path}, "strData": "healthy"})
    );

    let without = Server::ready(command.env("INCLUDE_METRICS_IN_CLIENT_RESPONSE", "false"));
    let reply: Value = serde_json::from_str(&without.post(PREDICT, &request).body).unwrap();
    assert_eq!(reply["meta"].get("metrics"), None);
}

/// A package that outlives the test: the command borrows its folder.
fn package_folder() -> &'static str {
    let package = Box::leak(Box::new(package::identity()));
    package.folder()
}

#[test]
fn where_the_message_stands() {
    let server = Server::start(&package::identity());
    let client = Client::new();
    let ok = r#"{"data":{"names":["target"],"ndarray":[[0.5]]},"meta":{}}"#;
    let encoded = "json=%7B%22data%22%3A+%7B%22ndarray%22%3A+%5B%5B0.5%5D%5D%7D%7D";
    let plain = r#"{"data": {"ndarray": [[0.5]]}}"#;
    let form = "application/x-www-form-urlencoded";
    let query = server.url(&format!("/predict?{encoded}"));
    let url = server.url("/predict");
    assert_eq!(client.get(&query).body, ok);
    assert_eq!(client.post(&query, "text/plain", "ignored").body, ok);
    assert_eq!(client.post(&url, form, encoded).body, ok);
    for content_type in [
        "application/json",
        "application/json; charset=utf-8",
        "Application/JSON",
        "application/vnd.api+json",
    ] {
        assert_eq!(
            client.post(&url, content_type, plain).body,
            ok,
            "{content_type}"
        );
    }
    let refused = |reply: crate::support::client::Reply| (reply.status, info(&reply.body));
    let (status, text) = refused(client.post(&url, form, plain));
    assert_eq!(status, 400);
    assert!(text.contains("Content-Type: application/json"), "{text}");
    assert_eq!(refused(client.post(&url, "text/plain", plain)).0, 415);
    let part = "Content-Disposition: form-data; name=\"data\"";
    let multipart = format!("--X\r\n{part}\r\n\r\n{{\"ndarray\": [[0.5]]}}\r\n--X--\r\n");
    let boundary = "multipart/form-data; boundary=X";
    assert_eq!(client.post(&url, boundary, &multipart).body, ok);
    let field = |name: &str, value: &str| {
        format!("--X\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n")
    };
    let feedback = server.url("/send-feedback");
    let judged = field("request", plain) + &field("reward", "0.5");
    let reply = client.post(&feedback, boundary, &format!("{judged}--X--\r\n"));
    assert_eq!(reply.status, 200, "{}", reply.body);
    assert!(reply.body.contains("ndarray"), "{}", reply.body);
    let unknown = field("rewards", "0.5") + "--X--\r\n";
    assert_eq!(refused(client.post(&feedback, boundary, &unknown)).0, 400);
    assert_eq!(refused(client.post(&url, boundary, plain)).0, 400);
    assert_eq!(refused(client.get(&url)).0, 400);
    let (status, text) = refused(client.post(&url, form, "json=%7Bbad"));
    assert_eq!(status, 400);
    assert!(text.starts_with("the body is not JSON"), "{text}");
    let reward = "seldon_api_model_feedback_reward_total{";
    let metrics = server.scrape("/metrics").body;
    let sum = metrics.lines().find(|line| line.starts_with(reward));
    assert!(sum.unwrap().ends_with(" 0.5"), "{metrics}");
}

fn info(body: &str) -> String {
    let body: Value = serde_json::from_str(body).unwrap();
    body["status"]["info"].as_str().unwrap().to_owned()
}

#[track_caller]
fn refuses(server: &Server, request: &str, info: &str) {
    let answer = server.post(PREDICT, request);
    let status = json!({
        "code": -1, "info": info, "reason": "MICROSERVICE_BAD_DATA", "status": 1,
    });
    let reply: Value = serde_json::from_str(&answer.body).unwrap();
    assert_eq!(
        (answer.status, reply),
        (400, json!({ "status": status })),
        "{request}"
    );
}

#[test]
fn wrong_rows_of_numbers() {
    let server = Server::start(&package::iris());
    let columns = "sepal_length, sepal_width, petal_length, petal_width";
    refuses(
        &server,
        r#"{"data":{"ndarray":[[1,2,3]]}}"#,
        &format!("each row: got 3 values, the model takes 4: {columns}"),
    );
    refuses(
        &server,
        r#"{"data":{"tensor":{"shape":[1,5],"values":[1,2,3,4,5]}}}"#,
        &format!("each row: got 5 values, the model takes 4: {columns}"),
    );
    refuses(
        &server,
        r#"{"data":{"names":["sepal_length","sepal_width","petal_length","weight"],"ndarray":[[1,2,3,4]]}}"#,
        &format!("unknown column \"weight\"; the model takes {columns}"),
    );
    refuses(
        &server,
        r#"{"data":{"names":["a","b"],"ndarray":[[1,2,3,4]]}}"#,
        "data.names has 2 names, the rows have 4 values",
    );
    refuses(
        &server,
        r#"{"data":{"ndarray":[[1,2,3,4],[1,2,3,"x"]]}}"#,
        "row 2: column \"petal_width\" (value 4 of 4) wants a number, got the text \"x\"",
    );
    refuses(
        &server,
        r#"{"data":{"ndarray":[[1,2,3,null]]}}"#,
        "row 1: column \"petal_width\" (value 4 of 4) wants a value: \
         none was missing in the training data",
    );
    refuses(
        &server,
        r#"{"data":{"ndarray":[[1,2,3,1e300]]}}"#,
        "row 1: column \"petal_width\" (value 4 of 4) wants a finite number below 3.4e38, got 1e300",
    );
    refuses(
        &server,
        r#"{"data":{"ndarray":[1,2,3,4]}}"#,
        "data.ndarray has 1 dimensions, expected rows of columns: \
         write one row as [[1, 2, 3]], with two brackets",
    );
    refuses(
        &server,
        r#"{"data":{"tensor":{"shape":[4],"values":[1,2,3,4]}}}"#,
        "data.tensor has 1 dimensions, expected rows of columns: one row has the shape [1, 4]",
    );
    refuses(
        &server,
        r#"{"data":{"tensor":{"shape":[2,4],"values":[1,2,3,4]}}}"#,
        "data.tensor has 4 values, which do not fill the shape [2, 4]",
    );
    refuses(
        &server,
        r#"{"data":{"tensor":{"shape":[4611686018427387904,8],"values":[]}}}"#,
        "data.tensor has 0 values, which do not fill the shape [4611686018427387904, 8]",
    );
    refuses(
        &server,
        r#"{"data":{"tensor":{"shape":[0,1000000000000],"values":[]}}}"#,
        "data.tensor: the shape [0, 1000000000000] holds no values and is too large for that",
    );
    refuses(
        &server,
        r#"{"data":{"ndarray":[]}}"#,
        "there are no rows, send at least one",
    );
    refuses(
        &server,
        r#"{"data":{"tensor":{"shape":[0,4],"values":[]}}}"#,
        "there are no rows, send at least one",
    );
}

#[test]
fn wrong_texts() {
    let server = Server::start(&package::mixed());
    refuses(
        &server,
        r#"{"data":{"ndarray":[[1,"green"]]}}"#,
        "row 1: column \"colour\" (value 2 of 2) does not know the category \"green\"; \
         known are \"blue\", \"red\"",
    );
    refuses(
        &server,
        r#"{"data":{"tensor":{"shape":[1,2],"values":[1,1]}}}"#,
        "row 1: column \"colour\" (value 2 of 2) does not know the category \"1\"; \
         known are \"blue\", \"red\"; a tensor holds only numbers, \
         send this column's text in data.ndarray",
    );
    refuses(
        &server,
        r#"{"jsonData":{"length":1}}"#,
        "row 1: column \"colour\" is missing; the model takes length, colour",
    );
    refuses(
        &server,
        r#"{"jsonData":{"length":[1],"colour":"red"}}"#,
        "row 1: column \"length\" wants one value, not a list or object",
    );
}

#[test]
fn bodies_that_are_no_message() {
    let server = Server::start(&package::iris());
    let no_rows = "send data.ndarray (rows), data.tensor or jsonData (records)";
    for (request, info) in [
        ("", "the body is empty, expected a JSON object".to_owned()),
        (
            "{bad",
            "the body is not JSON: key must be a string at line 1 column 2".to_owned(),
        ),
        (
            r#"{"data":{"ndarray":[[1,2,3,NaN]]}}"#,
            "the body is not JSON: NaN at line 1 column 28 is no JSON number; \
             send null for a missing value"
                .to_owned(),
        ),
        (
            r#"{"data":{"tensor":{"shape":[1,4],"values":[1,2,3,-Infinity]}}}"#,
            "the body is not JSON: Infinity at line 1 column 51 is no JSON number; \
             send null for a missing value"
                .to_owned(),
        ),
        (
            "[1,2]",
            "invalid type: sequence, expected an object at line 1 column 0".to_owned(),
        ),
        (
            r#"{"data":[[1,2,3,4]]}"#,
            "invalid type: sequence, expected an object at line 1 column 8".to_owned(),
        ),
        (
            r#"{"data":{"ndarray":[[1,2],[3]]}}"#,
            "a list has 1 elements, those before it have 2 at line 1 column 29".to_owned(),
        ),
        (
            r#"{"data":{"tensor":{"shape":[1,1],"values":["a"]}}}"#,
            "invalid type: string \"a\", expected a number (a tensor holds nothing else, \
             send text and null in data.ndarray) at line 1 column 46"
                .to_owned(),
        ),
        (
            r#"{"data":{"tensor":{"values":[1]}}}"#,
            "missing field `shape` at line 1 column 32".to_owned(),
        ),
        ("{}", format!("the message has no payload, {no_rows}")),
        (
            r#"{"foo":1}"#,
            format!("the message has no payload, {no_rows}"),
        ),
        (
            r#"{"strData":"x"}"#,
            format!("strData is not read by a model of a table, {no_rows}"),
        ),
        (
            r#"{"data":{}}"#,
            "data has neither tensor nor ndarray".to_owned(),
        ),
        (
            r#"{"jsonData":5}"#,
            "jsonData is not a record or a list of records, write {\"column\": value, …}"
                .to_owned(),
        ),
    ] {
        refuses(&server, request, &info);
    }
}

#[test]
fn what_a_package_does_not_do_is_said_before_the_messages_are_read() {
    let server = Server::start(&package::iris());
    for path in ["/route", "/aggregate"] {
        let reply = server.post(path, "[{bad");
        assert_eq!(reply.status, 400);
        assert_eq!(info(&reply.body), "a model neither routes nor aggregates");
    }
}

#[test]
fn other_paths_and_methods() {
    let server = Server::start(&package::iris());
    let client = Client::new();
    let ping = server.get("/health/ping");
    assert_eq!((ping.status, ping.body.as_str()), (200, "pong"));
    assert_eq!(ping.header("content-type"), "text/html; charset=utf-8");
    for path in ["/health/status", "/api/v1.0/health/status"] {
        assert_eq!(server.get(path).body, r#"{"strData":"healthy","meta":{}}"#);
    }
    for path in ["/ready", "/live"] {
        let answer = server.get(path);
        assert_eq!((answer.status, answer.body.as_str()), (200, ""), "{path}");
    }
    let answer = server.get("/nope");
    assert_eq!(answer.status, 404);
    assert_eq!(info(&answer.body), "there is no path \"/nope\"");
    let answer = server.get("/api/v1.0/metadata/%ff");
    assert_eq!(answer.status, 400);
    assert!(info(&answer.body).contains("is not UTF-8"));
    let answer = client.send("DELETE", &server.url("/predict"), &[], "");
    assert_eq!(answer.status, 405);
    assert!(info(&answer.body).contains("DELETE"));
    assert_eq!(answer.header("allow"), "GET,HEAD,POST");
    let answer = client.send(
        "OPTIONS",
        &server.url("/predict"),
        &[("Origin", "http://a")],
        "",
    );
    assert_eq!(
        (answer.status, answer.header("allow")),
        (200, "GET,HEAD,POST")
    );
    assert_eq!(answer.header("access-control-allow-origin"), "http://a");
    assert_eq!(
        client
            .send("HEAD", &server.url("/health/ping"), &[], "")
            .status,
        200
    );
}

#[test]
fn metadata() {
    let package = package::iris();
    let server = Server::start(&package);
    let columns = ["sepal_length", "sepal_width", "petal_length", "petal_width"];
    let labels = ["setosa", "versicolor", "virginica"];
    let array = |names: &[&str]| {
        let schema = json!({"names": names, "shape": [-1, names.len()]});
        json!([{"messagetype": "ndarray", "schema": schema}])
    };
    let expected = json!({
        "name": "iris", "versions": [package::VERSION], "platform": "onnx",
        "inputs": array(&columns), "outputs": array(&labels),
        "custom": {"digest": package.digest.to_string()},
    });
    for path in ["/metadata", "/api/v1.0/metadata"] {
        let found: Value = serde_json::from_str(&server.get(path).body).unwrap();
        assert_eq!(found, expected);
    }
    let yaml = "name: flowers\nversions: [ 1e5 ]\ncustom: {author: me}";
    let server = Server::ready(command(package.folder()).env("MODEL_METADATA", yaml));
    let found: Value = serde_json::from_str(&server.get("/metadata").body).unwrap();
    assert_eq!(found["name"], "flowers");
    assert_eq!(found["versions"], json!(["1e5"]));
    assert_eq!(found["custom"], json!({"author": "me"}));
    assert_eq!(found["inputs"], expected["inputs"]);
}

#[test]
fn a_body_beyond_the_limit() {
    let package = package::identity();
    let server = Server::ready(command(package.folder()).args(["--max-body", "40"]));
    let fits = r#"{"data":{"ndarray":[[1]]}}"#;
    assert_eq!(server.post(PREDICT, fits).status, 200);
    let answer = server.post(PREDICT, &format!("{fits}{}", " ".repeat(40)));
    assert_eq!(answer.status, 413);
    assert!(info(&answer.body).contains("40 bytes"), "{}", answer.body);
}

#[test]
fn a_chunked_body_beyond_the_limit() {
    let package = package::identity();
    let server = Server::ready(command(package.folder()).args(["--max-body", "40"]));
    let mut stream = TcpStream::connect(&server.http).unwrap();
    let head = "Host: a\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked";
    let chunk = format!("30\r\n{}\r\n", " ".repeat(0x30));
    let request = format!("POST {PREDICT} HTTP/1.1\r\n{head}\r\n\r\n{chunk}");
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = [0; 12];
    stream.read_exact(&mut answer).unwrap();
    assert_eq!(&answer, b"HTTP/1.1 413");
}

#[test]
fn a_model_that_fails() {
    let mut server = Server::start(&package::double());
    let answer = server.post(PREDICT, r#"{"data":{"ndarray":[[3e38]]}}"#);
    let status = json!({
        "code": -1, "info": "the graph failed: it gave inf for a row",
        "reason": "MICROSERVICE_INTERNAL_ERROR", "status": 1,
    });
    let reply: Value = serde_json::from_str(&answer.body).unwrap();
    assert_eq!((answer.status, reply), (500, json!({ "status": status })));
    assert_eq!(server.line("prediction failed")["level"], "ERROR");
    let answer = server.post(PREDICT, r#"{"data":{"ndarray":[[3]]}}"#);
    assert_eq!(answer.status, 200);
}
