//! The gRPC services of the Seldon v1 protocol.

use std::collections::HashMap;

use prost_types::value::Kind;
use prost_types::{Any, ListValue, Value};
use tonic::Code;

use crate::support::grpc::Caller;
use crate::support::package;
use crate::support::proto::seldon::protos as pb;
use crate::support::proto::seldon::protos::default_data::DataOneof as ArrayOneof;
use crate::support::proto::seldon::protos::seldon_message::DataOneof;
use crate::support::server::{Server, command};

fn message(payload: DataOneof) -> pb::SeldonMessage {
    pb::SeldonMessage {
        data_oneof: Some(payload),
        ..pb::SeldonMessage::default()
    }
}

fn data(array: ArrayOneof) -> DataOneof {
    DataOneof::Data(pb::DefaultData {
        names: Vec::new(),
        data_oneof: Some(array),
    })
}

fn tensor(shape: &[i32], values: &[f64]) -> DataOneof {
    let (shape, values) = (shape.to_vec(), values.to_vec());
    data(ArrayOneof::Tensor(pb::Tensor { shape, values }))
}

fn list(values: &[f64]) -> Value {
    let number = |&value: &f64| Value {
        kind: Some(Kind::NumberValue(value)),
    };
    let values = values.iter().map(number).collect();
    Value {
        kind: Some(Kind::ListValue(ListValue { values })),
    }
}

fn ndarray(rows: &[&[f64]]) -> DataOneof {
    let values = rows.iter().map(|row| list(row)).collect();
    data(ArrayOneof::Ndarray(ListValue { values }))
}

fn array(reply: &pb::SeldonMessage) -> (&[String], &ArrayOneof) {
    match reply.data_oneof.as_ref().unwrap() {
        DataOneof::Data(data) => (&data.names, data.data_oneof.as_ref().unwrap()),
        other => panic!("{other:?}"),
    }
}

fn echo() -> Server {
    let mut command = command("unused");
    Server::ready(command.arg("--echo").env("PREDICTIVE_UNIT_ID", "node"))
}

#[test]
fn payloads_come_back() {
    let server = echo();
    let caller = Caller::new(&server.grpc);
    let mut model = pb::model_client::ModelClient::new(caller.channel.clone());
    let custom = Any {
        type_url: "type.googleapis.com/google.protobuf.StringValue".to_owned(),
        value: vec![10, 1, b'x'],
    };
    for payload in [
        DataOneof::StrData("x".to_owned()),
        DataOneof::BinData(vec![0, 255]),
        DataOneof::CustomData(custom),
    ] {
        let reply = caller
            .wait(model.predict(message(payload.clone())))
            .unwrap();
        assert_eq!(reply.into_inner().data_oneof, Some(payload));
    }
    let names: &[String] = &["t:0".to_owned(), "t:1".to_owned()];
    for payload in [tensor(&[1, 2], &[1.0, 2.5]), ndarray(&[&[1.0, 2.5]])] {
        let mut request = message(payload);
        let tag = Value {
            kind: Some(Kind::BoolValue(true)),
        };
        request.meta = Some(pb::Meta {
            puid: "p".to_owned(),
            tags: HashMap::from([("emit".to_owned(), tag)]),
            ..pb::Meta::default()
        });
        let reply = caller
            .wait(model.predict(request.clone()))
            .unwrap()
            .into_inner();
        assert_eq!(array(&reply), (names, array(&request).1));
        let meta = reply.meta.unwrap();
        assert_eq!((meta.puid.as_str(), meta.tags.len()), ("p", 2));
        assert_eq!(meta.request_path.keys().collect::<Vec<_>>(), ["node"]);
        let keys: Vec<&str> = meta.metrics.iter().map(|m| m.key.as_str()).collect();
        assert_eq!(keys, ["echo_counter", "echo_gauge", "echo_timer"]);
    }
    let failed = caller.wait(model.predict(message(DataOneof::StrData("boom".to_owned()))));
    let failed = failed.unwrap_err();
    assert_eq!(
        (failed.code(), failed.message()),
        (Code::Internal, "user model failed")
    );
}

#[test]
fn every_service_answers() {
    let server = echo();
    let caller = Caller::new(&server.grpc);
    let channel = || caller.channel.clone();
    let x = || message(tensor(&[1, 2], &[1.0, 2.0]));
    let y = || message(tensor(&[1, 2], &[3.0, 4.0]));
    let mut generic = pb::generic_client::GenericClient::new(channel());
    let mut router = pb::router_client::RouterClient::new(channel());
    for reply in [
        caller.wait(generic.route(x())),
        caller.wait(router.route(x())),
    ] {
        let reply = reply.unwrap().into_inner();
        assert_eq!(array(&reply).1, array(&message(ndarray(&[&[1.0]]))).1);
    }
    let mut combiner = pb::combiner_client::CombinerClient::new(channel());
    let messages = || pb::SeldonMessageList {
        seldon_messages: vec![x(), y()],
    };
    for reply in [
        caller.wait(generic.aggregate(messages())),
        caller.wait(combiner.aggregate(messages())),
    ] {
        let reply = reply.unwrap().into_inner();
        assert_eq!(
            array(&reply).1,
            array(&message(tensor(&[1, 2], &[2.0, 3.0]))).1
        );
    }
    let mut input = pb::transformer_client::TransformerClient::new(channel());
    let mut output = pb::output_transformer_client::OutputTransformerClient::new(channel());
    for reply in [
        caller.wait(input.transform_input(x())),
        caller.wait(output.transform_output(x())),
        caller.wait(generic.transform_input(x())),
        caller.wait(generic.transform_output(x())),
    ] {
        assert_eq!(array(&reply.unwrap().into_inner()).1, array(&x()).1);
    }
    let mut seldon = pb::seldon_client::SeldonClient::new(channel());
    let mut model = pb::model_client::ModelClient::new(channel());
    let feedback = || pb::Feedback {
        request: Some(x()),
        reward: 2.0,
        ..pb::Feedback::default()
    };
    for reply in [
        caller.wait(seldon.send_feedback(feedback())),
        caller.wait(model.send_feedback(feedback())),
        caller.wait(generic.send_feedback(feedback())),
        caller.wait(router.send_feedback(feedback())),
    ] {
        assert_eq!(
            array(&reply.unwrap().into_inner()).1,
            array(&message(tensor(&[0], &[]))).1
        );
    }
    for reward in [f32::NAN, f32::INFINITY] {
        let endless = pb::Feedback {
            reward,
            ..feedback()
        };
        let refused = caller.wait(model.send_feedback(endless)).unwrap_err();
        assert_eq!(refused.code(), Code::InvalidArgument, "{refused:?}");
    }
    let metrics = server.scrape("/metrics").body;
    let reward = metrics
        .lines()
        .find(|line| line.starts_with("seldon_api_model_feedback_reward_total{"));
    assert!(reward.unwrap().ends_with(" 8"), "{metrics}");
    let asked = caller.wait(seldon.model_metadata(pb::SeldonModelMetadataRequest::default()));
    for metadata in [asked, caller.wait(model.metadata(()))] {
        let metadata = metadata.unwrap().into_inner();
        assert_eq!(
            (metadata.name.as_str(), metadata.versions.as_slice()),
            ("echo", &["v0".to_owned()][..])
        );
        assert_eq!(metadata.inputs[0].messagetype, "ndarray");
    }
    let graph = caller.wait(seldon.graph_metadata(())).unwrap_err();
    assert_eq!(graph.code(), Code::Unimplemented);
}

#[test]
fn a_number_that_json_does_not_have_is_kept_or_refused() {
    let server = echo();
    let caller = Caller::new(&server.grpc);
    let mut model = pb::model_client::ModelClient::new(caller.channel.clone());
    let odd = [f64::INFINITY, f64::NEG_INFINITY];
    let kept = tensor(&[1, 2], &odd);
    let reply = caller.wait(model.predict(message(kept.clone()))).unwrap();
    assert_eq!(reply.into_inner().data_oneof, Some(with_names(kept)));
    let tagged = pb::Meta {
        tags: HashMap::from([("t".to_owned(), list(&[f64::NAN]))]),
        ..pb::Meta::default()
    };
    let measured = pb::Meta {
        metrics: vec![pb::Metric {
            value: f32::NAN,
            ..pb::Metric::default()
        }],
        ..pb::Meta::default()
    };
    let of_meta = |meta| pb::SeldonMessage {
        meta: Some(meta),
        ..message(DataOneof::StrData("x".to_owned()))
    };
    for (request, key) in [
        (message(ndarray(&[&odd])), "data.ndarray has the number inf"),
        (
            message(ndarray(&[&[f64::NAN]])),
            "data.ndarray has the number NaN",
        ),
        (message(DataOneof::JsonData(list(&odd))), "jsonData has"),
        (of_meta(tagged), "meta.tags has"),
        (of_meta(measured), "meta.metrics has"),
    ] {
        let refused = caller.wait(model.predict(request)).unwrap_err();
        assert_eq!(refused.code(), Code::InvalidArgument);
        assert!(refused.message().contains(key), "{key}: {refused:?}");
    }
}

/// The array with the names that echo gives its two columns.
fn with_names(payload: DataOneof) -> DataOneof {
    match payload {
        DataOneof::Data(data) => DataOneof::Data(pb::DefaultData {
            names: vec!["t:0".to_owned(), "t:1".to_owned()],
            ..data
        }),
        other => other,
    }
}

#[test]
fn a_package_through_this_door() {
    let server = Server::start(&package::iris());
    let caller = Caller::new(&server.grpc);
    let mut seldon = pb::seldon_client::SeldonClient::new(caller.channel.clone());
    let row: &[f64] = &[5.0, 3.5, 1.0, 0.5];
    let expected: &[f64] = &[0.875, 0.0, 0.125];
    for (request, reply) in [
        (tensor(&[1, 4], row), tensor(&[1, 3], expected)),
        (ndarray(&[row]), ndarray(&[expected])),
    ] {
        let answer = caller
            .wait(seldon.predict(message(request)))
            .unwrap()
            .into_inner();
        let (names, values) = array(&answer);
        assert_eq!(names, ["setosa", "versicolor", "virginica"]);
        assert_eq!(values, array(&message(reply)).1);
    }
    for wrong in [
        tensor(&[2, 4], row),
        tensor(&[-1, 4], row),
        ndarray(&[&[1.0]]),
        DataOneof::StrData("x".to_owned()),
    ] {
        let error = caller
            .wait(seldon.predict(message(wrong.clone())))
            .unwrap_err();
        assert_eq!(error.code(), Code::InvalidArgument, "{wrong:?}");
    }
    let mut router = pb::router_client::RouterClient::new(caller.channel.clone());
    let error = caller
        .wait(router.route(message(tensor(&[1, 4], row))))
        .unwrap_err();
    assert_eq!(error.code(), Code::Unimplemented);
}
