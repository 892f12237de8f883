//! The gRPC port.

use std::thread::sleep;
use std::time::Duration;

use tonic::Code;
use tonic::codec::CompressionEncoding;
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_client::HealthClient;

use crate::support::grpc::Caller;
use crate::support::package;
use crate::support::proto::inference as pb;
use crate::support::proto::inference::infer_parameter::ParameterChoice;
use crate::support::server::{Server, command};

/// `SERVING` and `NOT_SERVING` of `grpc.health.v1`.
const SERVING: i32 = 1;
const NOT_SERVING: i32 = 2;

fn health(caller: &Caller, service: &str) -> Result<i32, Code> {
    let mut client = HealthClient::new(caller.channel.clone());
    let service = service.to_owned();
    let answer = caller.wait(client.check(HealthCheckRequest { service }));
    answer.map(|a| a.into_inner().status).map_err(|e| e.code())
}

#[test]
fn health_and_metadata() {
    let package = package::iris();
    let server = Server::start(&package);
    let caller = Caller::new(&server.grpc);
    let mut client = caller.oip();
    let live = caller
        .wait(client.server_live(pb::ServerLiveRequest {}))
        .unwrap();
    assert!(live.into_inner().live);
    let ready = caller
        .wait(client.server_ready(pb::ServerReadyRequest {}))
        .unwrap();
    assert!(ready.into_inner().ready);
    for service in [
        "",
        "inference.GRPCInferenceService",
        "seldon.protos.Model",
        "seldon.protos.Combiner",
    ] {
        assert_eq!(health(&caller, service), Ok(SERVING), "{service}");
    }
    assert_eq!(health(&caller, "other"), Err(Code::NotFound));
    let about = caller.wait(client.server_metadata(pb::ServerMetadataRequest {}));
    let about = about.unwrap().into_inner();
    assert_eq!(
        (about.name.as_str(), about.version.as_str()),
        ("serve", env!("CARGO_PKG_VERSION"))
    );
    for (name, version, expected) in [
        ("iris", "", Ok(true)),
        ("iris", package::VERSION, Ok(true)),
        ("iris", "7", Err(Code::NotFound)),
        ("dogs", "", Err(Code::NotFound)),
    ] {
        let (name, version) = (name.to_owned(), version.to_owned());
        let request = pb::ModelReadyRequest {
            name: name.clone(),
            version: version.clone(),
        };
        let ready = caller.wait(client.model_ready(request));
        let ready = ready.map(|a| a.into_inner().ready).map_err(|e| e.code());
        assert_eq!(ready, expected, "{name} {version}");
        let request = pb::ModelMetadataRequest { name, version };
        let metadata = caller.wait(client.model_metadata(request));
        match metadata {
            Ok(metadata) => {
                let metadata = metadata.into_inner();
                assert_eq!(metadata.versions, [package::VERSION]);
                assert_eq!(metadata.inputs[0].datatype, "FP32");
                assert_eq!(metadata.inputs[0].shape, [-1, 4]);
                assert_eq!(metadata.outputs.len(), 2);
                assert!(metadata.properties.is_empty());
            }
            Err(error) => assert_eq!(expected, Err(error.code())),
        }
    }
}

#[test]
fn gone_on_the_signal_and_off_by_a_variable() {
    let package = package::identity();
    let mut server = Server::ready(command(package.folder()).args(["--drain-delay", "600"]));
    let caller = Caller::new(&server.grpc);
    assert_eq!(health(&caller, ""), Ok(SERVING));
    server.signal("TERM");
    server.line("draining");
    let mut client = caller.oip();
    let ready = caller
        .wait(client.server_ready(pb::ServerReadyRequest {}))
        .unwrap();
    assert!(!ready.into_inner().ready);
    // The health service is told a moment after the log.
    for _ in 0..200 {
        if health(&caller, "") != Ok(SERVING) {
            break;
        }
        sleep(Duration::from_millis(20));
    }
    assert_eq!(health(&caller, ""), Ok(NOT_SERVING));
    server.signal("TERM");
    // The client is still connected, and is told to go.
    assert_eq!(server.wait().code(), Some(0));
    let off = Server::ready(command(package.folder()).env("GRPC_WORKERS", "0"));
    assert_eq!(off.grpc, "");
}

#[test]
fn who_watches_the_health_does_not_keep_the_server() {
    let package = package::identity();
    let mut server = Server::ready(command(package.folder()).args(["--drain-delay", "0"]));
    let caller = Caller::new(&server.grpc);
    let mut client = HealthClient::new(caller.channel.clone());
    let request = HealthCheckRequest::default();
    let watching = caller.wait(client.watch(request)).unwrap();
    let mut states = watching.into_inner();
    let first = caller.wait(states.message()).unwrap().unwrap();
    assert_eq!(first.status, SERVING);
    server.signal("TERM");
    assert_eq!(server.wait().code(), Some(0));
}

fn tensor(name: &str, datatype: &str, shape: &[i64]) -> pb::model_infer_request::InferInputTensor {
    pb::model_infer_request::InferInputTensor {
        name: name.to_owned(),
        datatype: datatype.to_owned(),
        shape: shape.to_vec(),
        ..Default::default()
    }
}

fn infer(
    caller: &Caller,
    request: pb::ModelInferRequest,
) -> Result<pb::ModelInferResponse, (Code, String)> {
    let answer = caller.wait(caller.oip().model_infer(request));
    answer
        .map(tonic::Response::into_inner)
        .map_err(|e| (e.code(), e.message().to_owned()))
}

fn iris_row(values: &[f32]) -> pb::ModelInferRequest {
    let mut input = tensor("columns", "FP32", &[1, 4]);
    input.contents = Some(pb::InferTensorContents {
        fp32_contents: values.to_vec(),
        ..Default::default()
    });
    pb::ModelInferRequest {
        model_name: "iris".to_owned(),
        id: "r1".to_owned(),
        inputs: vec![input],
        ..Default::default()
    }
}

const ROW: [f32; 4] = [5.0, 3.5, 1.0, 0.5];

#[test]
fn a_prediction_in_lists_and_in_bytes() {
    let server = Server::start(&package::iris());
    let caller = Caller::new(&server.grpc);
    let answer = infer(&caller, iris_row(&ROW)).unwrap();
    assert_eq!(
        (answer.model_name.as_str(), answer.id.as_str()),
        ("iris", "r1")
    );
    assert_eq!(answer.outputs[0].shape, [1, 3]);
    let contents = answer.outputs[0].contents.as_ref().unwrap();
    assert_eq!(contents.fp32_contents, [0.875, 0.0, 0.125]);
    let contents = answer.outputs[1].contents.as_ref().unwrap();
    assert_eq!(contents.bytes_contents, [&b"setosa"[..]]);
    let mut raw = iris_row(&ROW);
    raw.inputs[0].contents = None;
    let bytes: Vec<u8> = ROW.iter().flat_map(|value| value.to_le_bytes()).collect();
    raw.raw_input_contents = vec![bytes.into()];
    let answer = infer(&caller, raw.clone()).unwrap();
    assert!(
        answer
            .outputs
            .iter()
            .all(|output| output.contents.is_none())
    );
    let expected: Vec<u8> = [0.875_f32, 0.0, 0.125]
        .iter()
        .flat_map(|v| v.to_le_bytes())
        .collect();
    assert_eq!(answer.raw_output_contents[0], expected);
    assert_eq!(answer.raw_output_contents[1], &b"\x06\0\0\0setosa"[..]);
    raw.outputs = vec![pb::model_infer_request::InferRequestedOutputTensor {
        name: "label".to_owned(),
        ..Default::default()
    }];
    let answer = infer(&caller, raw).unwrap();
    assert_eq!(
        (answer.outputs.len(), answer.raw_output_contents.len()),
        (1, 1)
    );
}

#[test]
fn the_outlier_score_is_a_text_that_every_client_reads() {
    let server = Server::start(&package::watched());
    let caller = Caller::new(&server.grpc);
    let answer = infer(&caller, iris_row(&[5.0, 3.0, 30.0, 1.0])).unwrap();
    let choice = |name: &str| answer.parameters[name].parameter_choice.clone();
    assert_eq!(choice("is_outlier"), Some(ParameterChoice::BoolParam(true)));
    let Some(ParameterChoice::StringParam(score)) = choice("outlier_score") else {
        panic!("{answer:?}");
    };
    assert!(score.parse::<f64>().unwrap() > 10.0, "{score}");
}

#[test]
fn wrong_calls() {
    let server = Server::start(&package::iris());
    let caller = Caller::new(&server.grpc);
    let changed = |change: fn(&mut pb::ModelInferRequest)| {
        let mut request = iris_row(&ROW);
        change(&mut request);
        infer(&caller, request).unwrap_err()
    };
    let invalid = |change, part: &str| {
        let (code, text) = changed(change);
        assert_eq!(code, Code::InvalidArgument, "{text}");
        assert!(text.contains(part), "{text}");
    };
    invalid(
        |r| r.raw_input_contents = vec![vec![0; 16].into()],
        "send one of them",
    );
    invalid(
        |r| r.raw_input_contents = vec![vec![0; 16].into(); 2],
        "raw_input_contents has 2 tensors, inputs has 1",
    );
    invalid(
        |r| r.inputs[0].shape = vec![2, 4],
        "4 values do not fill the shape [2, 4]",
    );
    invalid(|r| r.inputs[0].shape = vec![-1, 4], "negative");
    invalid(
        |r| r.inputs[0].datatype = "float".to_owned(),
        "unknown datatype",
    );
    invalid(|r| r.inputs[0].contents = None, "0 values do not fill");
    invalid(
        |r| {
            r.inputs[0].contents = None;
            r.inputs[0].shape = vec![i64::MAX, 8];
            r.raw_input_contents = vec![vec![0; 16].into()];
        },
        "too large",
    );
    let (code, text) = changed(|r| r.model_name = "dogs".to_owned());
    assert_eq!(code, Code::NotFound, "{text}");
    let (code, text) = changed(|r| r.model_version = "7".to_owned());
    assert_eq!(code, Code::NotFound, "{text}");
}

#[test]
fn the_conformance_model_returns_its_inputs() {
    let server = Server::ready(command("/none").arg("--echo"));
    let caller = Caller::new(&server.grpc);
    let raw: [(&str, &[u8]); 13] = [
        ("BOOL", &[1, 0]),
        ("INT8", &[0x80, 0x7f]),
        ("INT16", &[1, 0, 0xff, 0xff]),
        ("INT32", &[1, 0, 0, 0, 0xff, 0xff, 0xff, 0xff]),
        ("INT64", &[0xfe; 16]),
        ("UINT8", &[0, 0xff]),
        ("UINT16", &[0xff; 4]),
        ("UINT32", &[0xff; 8]),
        ("UINT64", &[0xff; 16]),
        ("FP16", &[0, 0x3c, 1, 0]),
        ("FP32", &[0xcd, 0xcc, 0xcc, 0x3d, 0, 0, 0x80, 0x7f]),
        ("FP64", &[0x3f; 16]),
        ("BYTES", &[1, 0, 0, 0, 0xff, 0, 0, 0, 0]),
    ];
    let request = pb::ModelInferRequest {
        model_name: "echo".to_owned(),
        model_version: "v0".to_owned(),
        inputs: raw
            .iter()
            .map(|(datatype, _)| tensor(datatype, datatype, &[1, 2]))
            .collect(),
        raw_input_contents: raw.iter().map(|(_, bytes)| bytes.to_vec().into()).collect(),
        ..Default::default()
    };
    let answer = infer(&caller, request).unwrap();
    assert_eq!(answer.outputs.len(), raw.len());
    for (index, (datatype, bytes)) in raw.iter().enumerate() {
        let output = &answer.outputs[index];
        assert_eq!(
            (output.name.as_str(), output.datatype.as_str()),
            (*datatype, *datatype)
        );
        assert_eq!(output.shape, [1, 2]);
        assert_eq!(answer.raw_output_contents[index], bytes, "{datatype}");
    }
    let index = caller.wait(
        caller
            .oip()
            .repository_index(pb::RepositoryIndexRequest::default()),
    );
    let models = index.unwrap().into_inner().models;
    assert_eq!(
        (models[0].name.as_str(), models[0].state.as_str()),
        ("echo", "READY")
    );
}

#[test]
fn typed_contents_may_be_no_number_or_endless() {
    let server = Server::ready(command("/none").arg("--echo"));
    let caller = Caller::new(&server.grpc);
    let singles = [f32::NAN, f32::INFINITY, f32::NEG_INFINITY, f32::MAX];
    let doubles = [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, f64::MAX];
    let mut inputs =
        [("FP32", &[4][..]), ("FP64", &[4])].map(|(name, shape)| tensor(name, name, shape));
    inputs[0].contents = Some(pb::InferTensorContents {
        fp32_contents: singles.to_vec(),
        ..Default::default()
    });
    inputs[1].contents = Some(pb::InferTensorContents {
        fp64_contents: doubles.to_vec(),
        ..Default::default()
    });
    let request = pb::ModelInferRequest {
        model_name: "echo".to_owned(),
        inputs: inputs.to_vec(),
        ..Default::default()
    };
    let answer = infer(&caller, request).unwrap();
    let [single, double] =
        [0, 1].map(|index: usize| answer.outputs[index].contents.clone().unwrap());
    let bits = |values: &[f32]| values.iter().map(|v| v.to_bits()).collect::<Vec<_>>();
    assert_eq!(bits(&single.fp32_contents), bits(&singles));
    assert!(double.fp64_contents[0].is_nan());
    assert_eq!(double.fp64_contents[1..], doubles[1..]);
}

#[test]
fn a_call_beyond_the_size_limit() {
    let package = package::iris();
    let file = package.path.parent().unwrap().join("annotations");
    std::fs::write(&file, "seldon.io/grpc-max-message-size=\"200\"\n").unwrap();
    let server = Server::ready(command(package.folder()).arg("--annotations").arg(&file));
    let caller = Caller::new(&server.grpc);
    let mut long = iris_row(&ROW);
    long.id = "x".repeat(300);
    assert_eq!(infer(&caller, long).unwrap_err().0, Code::OutOfRange);
    assert!(infer(&caller, iris_row(&ROW)).is_ok());
}

#[test]
fn a_call_may_be_compressed_up_to_the_limit() {
    let package = package::identity();
    let server = Server::ready(command(package.folder()).args(["--max-body", "100000"]));
    let caller = Caller::new(&server.grpc);
    for encoding in [CompressionEncoding::Gzip, CompressionEncoding::Deflate] {
        let mut client = caller.oip().send_compressed(encoding);
        let input = |rows: usize| pb::ModelInferRequest {
            model_name: "identity".to_owned(),
            inputs: vec![pb::model_infer_request::InferInputTensor {
                name: "x".to_owned(),
                datatype: "FP32".to_owned(),
                shape: vec![i64::try_from(rows).unwrap(), 1],
                ..Default::default()
            }],
            raw_input_contents: vec![0.5_f32.to_le_bytes().repeat(rows).into()],
            ..Default::default()
        };
        let answer = caller.wait(client.model_infer(input(20_000))).unwrap();
        let values = &answer.into_inner().raw_output_contents[0];
        assert_eq!(*values, 0.5_f32.to_le_bytes().repeat(20_000));
        let refused = caller.wait(client.model_infer(input(30_000))).unwrap_err();
        assert_eq!(refused.code(), Code::ResourceExhausted);
    }
}
