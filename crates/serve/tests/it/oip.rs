//! The Open Inference Protocol.

use serde_json::{Value, json};

use crate::support::package::{self, VERSION};
use crate::support::server::{Server, bare, command};

fn value(text: &str) -> Value {
    serde_json::from_str(text).unwrap()
}

/// The body of a request with these inputs.
fn inputs(inputs: &Value) -> String {
    json!({ "inputs": inputs }).to_string()
}

#[test]
fn one_tensor_of_numbers() {
    let server = Server::start(&package::iris());
    let reply = format!(
        "{{\"model_name\":\"iris\",\"model_version\":\"{VERSION}\",\"outputs\":[\
         {{\"name\":\"probabilities\",\"shape\":[2,3],\"datatype\":\"FP32\",\
         \"data\":[0.875,0.0,0.125,0.0,0.0,1.0]}},\
         {{\"name\":\"label\",\"shape\":[2],\"datatype\":\"BYTES\",\
         \"data\":[\"setosa\",\"virginica\"]}}]}}"
    );
    let flat = json!([5, 3.5, 1, 0.5, 5, 3.5, 8, 4]);
    let nested = json!([[5, 3.5, 1, 0.5], [5, 3.5, 8, 4]]);
    for (name, datatype, data) in [
        ("columns", "FP32", &flat),
        ("columns", "FP64", &nested),
        ("input-0", "FP16", &flat),
    ] {
        let tensor = json!([{"name": name, "shape": [2, 4], "datatype": datatype, "data": data}]);
        for path in [
            "/v2/models/iris/infer".to_owned(),
            format!("/v2/models/iris/versions/{VERSION}/infer"),
        ] {
            let answer = server.post(&path, &inputs(&tensor));
            assert_eq!(
                (answer.status, &answer.body),
                (200, &reply),
                "{path} {tensor}"
            );
        }
    }
}

#[test]
fn a_tensor_for_each_column() {
    let server = Server::start(&package::mixed());
    let colour = json!({"name": "colour", "shape": [3, 1], "datatype": "BYTES",
        "data": [["red"], ["blue"], ["blue"]]});
    let length = json!({"name": "length", "shape": [3], "datatype": "FP32", "data": [1, 2, null]});
    let request = json!({
        "id": "r1", "parameters": {"a": 1, "b": "x", "c": true},
        "inputs": [colour, length], "outputs": [{"name": "label"}],
    });
    let answer = server.post("/v2/models/mixed/infer", &request.to_string());
    let label = json!({"name": "label", "shape": [3], "datatype": "BYTES",
        "data": ["yes", "no", "no"]});
    let expected = json!({"model_name": "mixed", "model_version": VERSION, "id": "r1",
        "outputs": [label]});
    assert_eq!((answer.status, value(&answer.body)), (200, expected));
}

#[test]
fn a_regression() {
    let server = Server::start(&package::identity());
    for (datatype, data) in [("FP32", json!([0.97, 2])), ("INT64", json!([-3, 7]))] {
        let tensor = json!([{"name": "x", "shape": [2], "datatype": datatype, "data": data}]);
        let answer = server.post("/v2/models/identity/infer", &inputs(&tensor));
        let outputs = &value(&answer.body)["outputs"];
        assert_eq!(outputs[0]["name"], "prediction");
        assert_eq!(outputs[0]["shape"], json!([2, 1]));
        let floats: Vec<f64> = data
            .as_array()
            .unwrap()
            .iter()
            .filter_map(Value::as_f64)
            .collect();
        assert_eq!(outputs[0]["data"], json!(floats));
        assert_eq!(outputs.as_array().unwrap().len(), 1);
    }
}

#[test]
fn metadata_and_health() {
    let package = package::mixed();
    let server = Server::ready(command(package.folder()).env("PREDICTIVE_UNIT_ID", "unit"));
    let server_metadata = json!({
        "name": "serve", "version": env!("CARGO_PKG_VERSION"), "engine": "built-in",
        "extensions": ["binary_tensor_data"],
    });
    for path in ["/v2", "/v2/"] {
        assert_eq!(value(&server.get(path).body), server_metadata, "{path}");
    }
    assert_eq!(server.get("/v2/health/live").body, r#"{"live":true}"#);
    assert_eq!(server.get("/v2/health/ready").body, r#"{"ready":true}"#);
    let expected = json!({
        "name": "mixed", "versions": [VERSION], "platform": "onnx",
        "inputs": [
            {"name": "length", "datatype": "FP32", "shape": [-1]},
            {"name": "colour", "datatype": "BYTES", "shape": [-1]},
        ],
        "outputs": [
            {"name": "probabilities", "datatype": "FP32", "shape": [-1, 2]},
            {"name": "label", "datatype": "BYTES", "shape": [-1]},
        ],
    });
    for name in ["mixed", "unit"] {
        for suffix in [String::new(), format!("/versions/{VERSION}")] {
            let path = format!("/v2/models/{name}{suffix}");
            assert_eq!(value(&server.get(&path).body), expected, "{path}");
            let ready = server.get(&format!("{path}/ready"));
            assert_eq!(ready.body, r#"{"name":"mixed","ready":true}"#);
        }
    }
    let iris = Server::start(&package::iris());
    let inputs = &value(&iris.get("/v2/models/iris").body)["inputs"];
    assert_eq!(
        inputs,
        &json!([{"name": "columns", "datatype": "FP32", "shape": [-1, 4]}])
    );
}

#[test]
fn minus_zero_is_an_integer() {
    let server = Server::ready(bare().arg("--echo"));
    for (datatype, sent, answered) in [
        ("INT32", "[-0,2]", "[0,2]"),
        ("UINT8", "[1,-0]", "[1,0]"),
        ("INT64", "[null,-0]", "[null,0]"),
        ("FP64", "[-0,1.5]", "[-0.0,1.5]"),
    ] {
        let input = format!(
            r#"{{"inputs":[{{"name":"x","shape":[2],"datatype":"{datatype}","data":{sent}}}]}}"#
        );
        let reply = server.post("/v2/models/echo/infer", &input);
        let data = format!("\"data\":{answered}");
        assert!(reply.body.contains(&data), "{sent}: {}", reply.body);
    }
}

#[test]
fn unknown_models_and_paths() {
    let server = Server::start(&package::iris());
    for (path, error) in [
        (
            "/v2/models/dogs",
            "there is no model \"dogs\", this server has \"iris\"".to_owned(),
        ),
        (
            "/v2/models/dogs/ready",
            "there is no model \"dogs\", this server has \"iris\"".to_owned(),
        ),
        (
            "/v2/models/iris/versions/7",
            format!(
                "there is no version \"7\" of the model \"iris\", this server has \"{VERSION}\""
            ),
        ),
        ("/v2/nope", "there is no path \"/v2/nope\"".to_owned()),
    ] {
        let answer = server.get(path);
        assert_eq!(
            (answer.status, value(&answer.body)),
            (404, json!({ "error": error })),
            "{path}"
        );
    }
    let answer = server.post("/v2/models/dogs/infer", "{}");
    assert_eq!(answer.status, 404);
    let answer = server.post("/v2/models/%ff/infer", "{}");
    let error = "the path \"/v2/models/%ff/infer\" is not UTF-8, write it in UTF-8";
    assert_eq!(
        (answer.status, value(&answer.body)),
        (400, json!({ "error": error }))
    );
    let answer = server.get("/v2/models/iris/infer");
    assert_eq!(answer.status, 405);
    assert!(
        value(&answer.body)["error"]
            .as_str()
            .unwrap()
            .contains("GET")
    );
}

#[track_caller]
fn refuses(server: &Server, model: &str, request: &str, error: &str) {
    let answer = server.post(&format!("/v2/models/{model}/infer"), request);
    let reply = value(&answer.body);
    assert_eq!(
        (answer.status, reply),
        (400, json!({ "error": error })),
        "{request}"
    );
}

#[test]
#[expect(clippy::too_many_lines, reason = "a table of requests")]
fn wrong_tensors() {
    let server = Server::start(&package::iris());
    let columns = "sepal_length, sepal_width, petal_length, petal_width";
    let tensor = |shape: Value, datatype: &str, data: Value| {
        inputs(&json!([{"name": "columns", "shape": shape, "datatype": datatype, "data": data}]))
    };
    for (request, error) in [
        (
            tensor(json!([1, 3]), "FP32", json!([1, 2, 3])),
            format!("input \"columns\", each row: got 3 values, the model takes 4: {columns}"),
        ),
        (
            tensor(json!([4]), "FP32", json!([1, 2, 3, 4])),
            "input \"columns\" has the shape [4], expected [rows, 4]; one row has [1, 4]"
                .to_owned(),
        ),
        (
            tensor(json!([2, 4]), "FP32", json!([1, 2, 3, 4])),
            "input \"columns\": 4 values do not fill the shape [2, 4]".to_owned(),
        ),
        (
            tensor(json!([1_u64 << 62, 4]), "FP32", json!([])),
            "input \"columns\": 0 values do not fill the shape [4611686018427387904, 4]".to_owned(),
        ),
        (
            tensor(json!([4, 1]), "FP32", json!([[1, 2, 3, 4]])),
            "input \"columns\": its data is nested as [1, 4], its shape is [4, 1]".to_owned(),
        ),
        (
            tensor(json!([0, 4]), "FP32", json!([])),
            "there are no rows, send at least one".to_owned(),
        ),
        (
            tensor(json!([1, 4]), "FP32", json!([1, 2, 3, "x"])),
            "input \"columns\": value 4 is a text, which FP32 does not hold".to_owned(),
        ),
        (
            tensor(json!([1, 4]), "INT8", json!([1, 2, 3, 128])),
            "input \"columns\": value 4 is an integer out of its range, which INT8 does not hold"
                .to_owned(),
        ),
        (
            tensor(json!([1, 4]), "INT32", json!([1, 2, 3, 1.5])),
            "input \"columns\": value 4 is a number with a fraction or exponent, \
             which INT32 does not hold"
                .to_owned(),
        ),
        (
            tensor(json!([1, 4]), "FP32", json!([1, 2, 3, 1e300])),
            "input \"columns\": value 4 is a number out of its range, which FP32 does not hold"
                .to_owned(),
        ),
        (
            tensor(json!([1, 4]), "FP32", json!([1, 2, 3, null])),
            "row 1: column \"petal_width\" (value 4 of 4) wants a value: \
             none was missing in the training data"
                .to_owned(),
        ),
        (
            tensor(json!([1, 4]), "float", json!([1, 2, 3, 4])),
            "input \"columns\": unknown datatype \"float\", expected BOOL, INT8 to INT64, \
             UINT8 to UINT64, FP16, FP32, FP64, BF16 or BYTES"
                .to_owned(),
        ),
        (
            inputs(&json!([])),
            "inputs is empty, send the tensors that the metadata lists".to_owned(),
        ),
        (
            "{}".to_owned(),
            "missing field `inputs` at line 1 column 2".to_owned(),
        ),
        (
            String::new(),
            "the body is empty, expected a JSON object".to_owned(),
        ),
        (
            "nope".to_owned(),
            "the body is not JSON: expected ident at line 1 column 2".to_owned(),
        ),
        (
            r#"{"inputs":[{"name":"columns","shape":[1,1],"datatype":"FP32","data":[NaN]}]}"#
                .to_owned(),
            "the body is not JSON: NaN at line 1 column 70 is no JSON number; \
             send null for a missing value"
                .to_owned(),
        ),
        (
            r#"{"inputs":[],"parameters":{"a":[1]}}"#.to_owned(),
            "the parameter \"a\" is no text, number or truth value".to_owned(),
        ),
        (
            r#"{"inputs":[],"outputs":[{"name":"scores"}]}"#.to_owned(),
            "unknown output \"scores\", the model gives probabilities, label".to_owned(),
        ),
    ] {
        refuses(&server, "iris", &request, &error);
    }
}

#[test]
fn wrong_columns() {
    let server = Server::start(&package::mixed());
    let length = json!({"name": "length", "shape": [1], "datatype": "FP32", "data": [1]});
    let colour = |shape: Value, datatype: &str, data: Value| json!({"name": "colour", "shape": shape, "datatype": datatype, "data": data});
    for (tensors, error) in [
        (
            json!([length, colour(json!([1]), "BYTES", json!(["green"]))]),
            "row 1: column \"colour\" (value 2 of 2) does not know the category \"green\"; \
             known are \"blue\", \"red\"",
        ),
        (
            json!([length, colour(json!([1]), "INT32", json!([1]))]),
            "row 1: column \"colour\" (value 2 of 2) does not know the category \"1\"; \
             known are \"blue\", \"red\"; send its text as a BYTES tensor named \"colour\", \
             and one tensor for each other column",
        ),
        (
            json!([{"name": "columns", "shape": [1, 2], "datatype": "FP32", "data": [1, 1]}]),
            "row 1: column \"colour\" (value 2 of 2) does not know the category \"1\"; \
             known are \"blue\", \"red\"; send its text as a BYTES tensor named \"colour\", \
             and one tensor for each other column",
        ),
        (
            json!([length, colour(json!([2]), "BYTES", json!(["red", "red"]))]),
            "input \"colour\" has 2 rows, those before it have 1",
        ),
        (
            json!([
                length,
                colour(json!([1, 1, 1]), "BYTES", json!([[["red"]]]))
            ]),
            "input \"colour\" has the shape [1, 1, 1], expected [rows] or [rows, 1]",
        ),
        (
            json!([length]),
            "column \"colour\" is missing; the model takes length, colour",
        ),
        (
            json!([length, length]),
            "column \"length\" is given twice; the model takes length, colour",
        ),
    ] {
        refuses(&server, "mixed", &inputs(&tensors), error);
    }
}
