//! Messages of few bytes that would take much memory.

use prost::Message;
use tonic::client::Grpc;
use tonic::codegen::http::uri::PathAndQuery;
use tonic::{Code, Request, Status};
use tonic_prost::ProstCodec;

use crate::support::client::Client;
use crate::support::grpc::Caller;
use crate::support::package;
use crate::support::proto::inference as pb;
use crate::support::proto::seldon::protos as seldon;
use crate::support::server::{Server, bare};

/// What a server may have held at any time, in bytes.
const MOST: usize = 600 << 20;

/// As [`MOST`] for [`NUMBERS`], with the body of two bytes each that they come in.
const MOST_NUMBERS: usize = 200 << 20;

/// As [`MOST`] for values that are not all numbers.
const MOST_OTHERS: usize = 300 << 20;

/// Fewer than fill a body, as a test reads them slowly.
const NUMBERS: usize = 10_000_000;

/// Parts of two bytes each.
const MANY: usize = 20_000_000;

/// A `ModelInferRequest` with many inputs and one with many strings.
#[derive(Clone, PartialEq, Message)]
struct Inputs {
    #[prost(message, repeated, tag = "5")]
    inputs: Vec<Input>,
}

#[derive(Clone, PartialEq, Message)]
struct Input {
    #[prost(message, optional, tag = "5")]
    contents: Option<Contents>,
}

#[derive(Clone, PartialEq, Message)]
struct Contents {
    /// Each as an empty string.
    #[prost(message, repeated, tag = "8")]
    bytes_contents: Vec<()>,
}

#[derive(Clone, PartialEq, Message)]
struct EmptyInputs {
    #[prost(message, repeated, tag = "5")]
    inputs: Vec<()>,
}

/// A `SeldonMessage` whose `ndarray` has elements without a value.
#[derive(Clone, PartialEq, Message)]
struct Array {
    #[prost(message, optional, tag = "3")]
    data: Option<Data>,
}

#[derive(Clone, PartialEq, Message)]
struct Data {
    #[prost(message, optional, tag = "3")]
    ndarray: Option<List>,
}

#[derive(Clone, PartialEq, Message)]
struct List {
    #[prost(message, repeated, tag = "1")]
    values: Vec<()>,
}

fn call<M: Message + 'static, R: Message + Default + 'static>(
    caller: &Caller,
    path: &'static str,
    message: M,
) -> Result<R, Status> {
    let mut client = Grpc::new(caller.channel.clone());
    caller.wait(async {
        client.ready().await.unwrap();
        let path = PathAndQuery::from_static(path);
        let codec = ProstCodec::<M, R>::default();
        let reply = client.unary(Request::new(message), path, codec).await;
        reply.map(tonic::Response::into_inner)
    })
}

const INFER: &str = "/inference.GRPCInferenceService/ModelInfer";
const PREDICT: &str = "/seldon.protos.Seldon/Predict";

fn is_refused<R: std::fmt::Debug>(reply: Result<R, Status>, server: &Server) {
    let status = reply.unwrap_err();
    assert_eq!(status.code(), Code::ResourceExhausted, "{status:?}");
    assert!(status.message().contains("send fewer"), "{status:?}");
    let most = server.most_memory();
    assert!(most < MOST, "{most} bytes");
}

/// `unit` again and again between `head` and `tail`, to half the largest body, as it is
/// read slowly without optimisation.
fn body(head: &str, unit: &str, tail: &str) -> String {
    let units = unit.repeat(30_000_000 / unit.len());
    format!("{head}{}{tail}", units.trim_end_matches(','))
}

#[test]
fn records_and_messages_that_are_empty_are_not_read() {
    let server = Server::ready(bare().arg("--echo"));
    for (path, body) in [
        ("/aggregate", body(r#"{"seldonMessages":["#, "{},", "]}")),
        ("/predict", body(r#"{"jsonData":["#, r#"{"a":0},"#, "]}")),
        ("/v2/models/echo/infer", body(r#"{"inputs":["#, "{},", "]}")),
    ] {
        let reply = server.post(path, &body);
        assert_eq!(reply.status, 413, "{}", reply.body);
        assert!(reply.body.contains("send fewer"), "{}", reply.body);
    }
    let most = server.most_memory();
    assert!(most < MOST, "{most} bytes");
}

#[test]
fn objects_are_counted_wherever_a_message_stands() {
    let server = Server::ready(bare().arg("--echo"));
    let client = Client::new();
    let list = body("[", "{},", "]");
    let part = |name: &str, value: &str| {
        format!("--X\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n")
    };
    // Two fields, neither of which has too many by itself.
    let some = format!("[{}0]", "{},".repeat(600_000));
    let form = "multipart/form-data; boundary=X";
    for (path, content_type, body) in [
        ("/aggregate", "application/json", list.clone()),
        (
            "/aggregate",
            "application/x-www-form-urlencoded",
            format!("json={list}"),
        ),
        (
            "/aggregate",
            form,
            part("seldonMessages", &list) + "--X--\r\n",
        ),
        ("/predict", form, part("jsonData", &list) + "--X--\r\n"),
        (
            "/predict",
            form,
            part("jsonData", &some) + &part("meta", &some) + "--X--\r\n",
        ),
    ] {
        let reply = client.post(&server.url(path), content_type, &body);
        assert_eq!(reply.status, 413, "{path} {content_type}: {}", reply.body);
        assert!(reply.body.contains("send fewer"), "{}", reply.body);
    }
    let most = server.most_memory();
    assert!(most < MOST, "{most} bytes");
}

/// Where lists of values are read: a list's beginning and its end.
const LISTS: [(&str, &str, &str); 3] = [
    ("/predict", r#"{"data":{"ndarray":["#, "]}}"),
    (
        "/predict",
        r#"{"data":{"tensor":{"shape":[1],"values":["#,
        "]}}}",
    ),
    (
        "/v2/models/echo/infer",
        r#"{"inputs":[{"name":"x","shape":[1],"datatype":"INT8","data":["#,
        "]}]}",
    ),
];

#[test]
fn values_that_are_no_numbers_are_not_all_read() {
    let server = Server::ready(bare().arg("--echo"));
    let values = r#"0,0,0,0,0,0,0,"","#.repeat(600_000);
    let [ndarray, _, input] = LISTS.map(|(path, head, tail)| {
        let one = format!("{head}{values}0{tail}");
        (path, one)
    });
    // Several lists, each of which is short enough.
    let texts = [r#""""#; 1 << 20].join(",");
    let ndarrays = [format!(r#"{{"data":{{"ndarray":[{texts}]}}}}"#).as_str(); 5].join(",");
    let data = format!(r#"{{"name":"x","shape":[1],"datatype":"BYTES","data":[{texts}]}}"#);
    let inputs = [data.as_str(); 5].join(",");
    for (path, body) in [
        ndarray,
        input,
        ("/aggregate", format!("[{ndarrays}]")),
        (
            "/v2/models/echo/infer",
            format!(r#"{{"inputs":[{inputs}]}}"#),
        ),
    ] {
        let reply = server.post(path, &body);
        assert_eq!(reply.status, 413, "{path}: {}", reply.body);
        assert!(reply.body.contains("send fewer"), "{}", reply.body);
    }
    let most = server.most_memory();
    assert!(most < MOST_OTHERS, "{most} bytes");
}

#[test]
fn numbers_take_eight_bytes_each() {
    let server = Server::ready(bare().arg("--echo"));
    let [_, tensor, input] = LISTS;
    for (path, head, tail) in [tensor, input] {
        let reply = server.post(path, &format!("{head}{}0{tail}", "0,".repeat(NUMBERS - 1)));
        assert_eq!(reply.status, 400, "{}", reply.body);
        assert!(reply.body.contains("10000000 values"), "{}", reply.body);
    }
    let most = server.most_memory();
    assert!(most < MOST_NUMBERS, "{most} bytes");
}

#[test]
fn inputs_strings_and_values_that_are_empty_are_not_read() {
    let package = package::identity();
    let server = Server::start(&package);
    let caller = Caller::new(&server.grpc);
    let inputs = EmptyInputs {
        inputs: vec![(); MANY / 8],
    };
    is_refused(
        call::<_, pb::ModelInferResponse>(&caller, INFER, inputs),
        &server,
    );
    let contents = Some(Contents {
        bytes_contents: vec![(); MANY],
    });
    let strings = Inputs {
        inputs: vec![Input { contents }],
    };
    is_refused(
        call::<_, pb::ModelInferResponse>(&caller, INFER, strings),
        &server,
    );
    let ndarray = Some(List {
        values: vec![(); MANY],
    });
    let array = Array {
        data: Some(Data { ndarray }),
    };
    is_refused(
        call::<_, seldon::SeldonMessage>(&caller, PREDICT, array),
        &server,
    );
}
