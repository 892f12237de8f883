//! Requests that wait together are answered by one run, and nobody notices.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use serde_json::{Value, json};
use tonic::{Code, Request};

use crate::support::client::{Client, Reply};
use crate::support::grpc::Caller;
use crate::support::package::{self, Package};
use crate::support::proto::inference as pb;
use crate::support::proto::seldon::protos as seldon;
use crate::support::server::{Server, command};
use pb::model_infer_request::InferInputTensor;

/// A server with one compute thread.
fn one_thread(package: &Package) -> Server {
    Server::ready(command(package.folder()).args(["--threads", "1"]))
}

/// Who asks a server, from any thread.
struct Asker {
    client: Client,
    http: String,
    metrics: String,
}

impl Asker {
    fn of(server: &Server) -> Self {
        Self {
            client: Client::patient(Duration::from_secs(60)),
            http: server.url(""),
            metrics: format!("http://{}/metrics", server.metrics),
        }
    }

    fn post(&self, path: &str, body: &Value) -> Reply {
        let url = format!("{}{path}", self.http);
        self.client
            .post(&url, "application/json", &body.to_string())
    }

    fn metrics(&self) -> String {
        self.client.get(&self.metrics).body
    }
}

/// The sum of all values of a series.
fn series(asker: &Asker, name: &str) -> f64 {
    let text = asker.metrics();
    let lines = text
        .lines()
        .filter(|line| line.starts_with(&format!("{name}{{")));
    let values = lines.map(|line| line.rsplit(' ').next().unwrap().parse::<f64>().unwrap());
    values.sum()
}

/// Requests that were answered by a run for more than one.
fn joined(asker: &Asker) -> f64 {
    let text = asker.metrics();
    let alone =
        |line: &&str| line.starts_with("serve_batch_requests_bucket{") && line.contains("le=\"1\"");
    let alone = text.lines().find(alone).unwrap();
    let alone: f64 = alone.rsplit(' ').next().unwrap().parse().unwrap();
    series(asker, "serve_batch_requests_sum") - alone
}

/// Tells when it is dropped.
struct Stop<'a>(&'a AtomicBool);

impl Drop for Stop<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::SeqCst);
    }
}

/// Has `clients` clients at a time do `ask`, each with its own number and the round,
/// until `is_enough`.
fn clients(
    clients: usize,
    ask: impl Fn(usize, usize) + Sync,
    is_enough: impl Fn(usize) -> bool + Sync,
) {
    let done = AtomicBool::new(false);
    thread::scope(|scope| {
        for client in 0..clients {
            let (ask, is_enough, done) = (&ask, &is_enough, &done);
            scope.spawn(move || {
                // Also when one fails, so that the others end.
                let stop = Stop(done);
                for round in 0.. {
                    if stop.0.load(Ordering::SeqCst) {
                        return;
                    }
                    ask(client, round);
                    if client == 0 && is_enough(round) {
                        return;
                    }
                }
            });
        }
    });
}

fn oip_request(x: f32) -> pb::ModelInferRequest {
    pb::ModelInferRequest {
        model_name: "deep".to_owned(),
        inputs: vec![InferInputTensor {
            name: "x".to_owned(),
            datatype: "FP32".to_owned(),
            shape: vec![1],
            ..Default::default()
        }],
        raw_input_contents: vec![x.to_le_bytes().to_vec().into()],
        ..Default::default()
    }
}

/// Twice `x`, as the Open Inference Protocol says it over gRPC.
fn over_grpc(caller: &Caller, x: f32) -> f32 {
    let answer = caller.wait(caller.oip().model_infer(oip_request(x)));
    let raw = &answer.unwrap().into_inner().raw_output_contents[0];
    f32::from_le_bytes(raw[..].try_into().unwrap())
}

/// Twice `x`, as a Seldon message says it.
fn over_seldon_grpc(caller: &Caller, x: f64) -> f64 {
    let tensor = seldon::Tensor {
        shape: vec![1, 1],
        values: vec![x],
    };
    let data = |data_oneof| seldon::DefaultData {
        names: Vec::new(),
        data_oneof: Some(data_oneof),
    };
    let message = seldon::SeldonMessage {
        data_oneof: Some(seldon::seldon_message::DataOneof::Data(data(
            seldon::default_data::DataOneof::Tensor(tensor),
        ))),
        ..Default::default()
    };
    let mut client = seldon::model_client::ModelClient::new(caller.channel.clone());
    let answer = caller.wait(client.predict(message)).unwrap().into_inner();
    let Some(seldon::seldon_message::DataOneof::Data(data)) = answer.data_oneof else {
        panic!("{answer:?}");
    };
    let Some(seldon::default_data::DataOneof::Tensor(tensor)) = data.data_oneof else {
        panic!("{data:?}");
    };
    tensor.values[0]
}

#[test]
fn each_gets_its_own_answer_over_every_door() {
    let package = package::deep();
    let server = one_thread(&package);
    let caller = Caller::new(&server.grpc);
    let asker = Asker::of(&server);
    let ask = |client: usize, round: usize| {
        let number = u16::try_from(client * 1000 + round % 1000).unwrap();
        let (x, twice) = (f32::from(number), json!(2.0 * f64::from(number)));
        match client % 4 {
            0 => {
                let body = json!({"data": {"ndarray": [[x], [x + 0.5]]}});
                let answer = asker.post("/predict", &body).json();
                let both = json!([[twice], [2.0 * f64::from(number) + 1.0]]);
                assert_eq!(answer["data"]["ndarray"], both);
            }
            1 => {
                let input = json!({"name": "x", "shape": [1], "datatype": "FP32", "data": [x]});
                let body = json!({"id": number.to_string(), "inputs": [input]});
                let answer = asker.post("/v2/models/deep/infer", &body).json();
                assert_eq!(answer["outputs"][0]["data"], json!([twice]));
                assert_eq!(answer["id"], number.to_string());
            }
            2 => assert_eq!(over_grpc(&caller, x), 2.0 * x),
            _ => assert_eq!(over_seldon_grpc(&caller, x.into()), 2.0 * f64::from(x)),
        }
    };
    clients(12, ask, |_| joined(&asker) > 20.0);
    let longest =
        series(&asker, "serve_batch_requests_sum") / series(&asker, "serve_batch_requests_count");
    assert!(longest <= 32.0);
}

#[test]
fn one_that_fails_leaves_the_others_their_answers() {
    let package = package::deep();
    let server = one_thread(&package);
    let asker = Asker::of(&server);
    let failures = AtomicBool::new(false);
    let ask = |client_number: usize, round: usize| {
        // Twice that is too large for a number of 32 bits.
        let is_wrong = client_number == 3 && round.is_multiple_of(2);
        let x = if is_wrong {
            3e38
        } else {
            f64::from(u32::try_from(round % 1000).unwrap())
        };
        let body = json!({"data": {"ndarray": [[x]]}});
        let answer = asker.post("/predict", &body);
        if is_wrong {
            assert_eq!(answer.status, 500, "{}", answer.body);
            assert!(
                answer.body.contains("it gave inf for a row"),
                "{}",
                answer.body
            );
            failures.store(true, Ordering::SeqCst);
        } else {
            assert_eq!(answer.json()["data"]["ndarray"], json!([[2.0 * x]]));
        }
    };
    let is_enough = |_| joined(&asker) > 20.0 && failures.load(Ordering::SeqCst);
    clients(8, ask, is_enough);
}

#[test]
fn pictures_keep_their_own_scores() {
    let package = package::colours();
    let server = one_thread(&package);
    let asker = Asker::of(&server);
    let ask = |red: u8| {
        let body = json!({"data": {"tensor": {"shape": [1, 1, 3], "values": [red, 9, 0]}}});
        let answer = asker.post("/predict", &body);
        let answer = answer.json();
        (answer["data"].clone(), answer["meta"]["tags"].clone())
    };
    let alone: Vec<_> = (0..8).map(|number| ask(number * 32)).collect();
    assert_ne!(alone[0].1["outlier_score"], alone[5].1["outlier_score"]);
    let broken = |_| {
        let body = json!({"binData": "AAAA"});
        let answer = asker.post("/predict", &body);
        assert_eq!(answer.status, 400, "{}", answer.body);
    };
    let ask = |number: usize, round: usize| match number {
        8 => broken(round),
        number => assert_eq!(ask(u8::try_from(number * 32).unwrap()), alone[number]),
    };
    clients(9, ask, |_| joined(&asker) > 20.0);
}

#[test]
fn pictures_in_one_run_get_what_they_get_alone() {
    let package = package::convolutions();
    let server = one_thread(&package);
    let asker = Asker::of(&server);
    let ask = |number: usize| {
        let size = usize::try_from(3 * package::SIDE * package::SIDE).unwrap();
        let pixels: Vec<usize> = (0..size)
            .map(|index| (index * (number + 3)) % 256)
            .collect();
        let side = package::SIDE;
        let tensor = json!({"shape": [side, side, 3], "values": pixels});
        let answer = asker
            .post("/predict", &json!({"data": {"tensor": tensor}}))
            .json();
        let values = answer["data"]["tensor"]["values"]
            .as_array()
            .unwrap()
            .clone();
        let values = values.iter().map(|value| value.as_f64().unwrap());
        values.collect::<Vec<f64>>()
    };
    let alone: Vec<Vec<f64>> = (0..8).map(ask).collect();
    assert_ne!(alone[0], alone[1]);
    let ask = |number: usize, _| {
        for (one, other) in ask(number).iter().zip(&alone[number]) {
            assert!(
                (one - other).abs() <= 1e-6 * other.abs().max(1.0),
                "{one} {other}"
            );
        }
    };
    clients(8, ask, |_| joined(&asker) > 4.0);
}

#[test]
fn what_nobody_waits_for_is_not_started() {
    const MANY: usize = 20_000;
    let package = package::deep();
    let server = one_thread(&package);
    let (asker, caller) = (Asker::of(&server), Caller::new(&server.grpc));
    let call = || {
        let mut request = Request::new(oip_request(1.0));
        request.set_timeout(Duration::from_millis(50));
        caller
            .wait(caller.oip().model_infer(request))
            .map_err(|status| status.code())
    };
    let (mut answered, mut late) = (0, 0);
    thread::scope(|scope| {
        scope.spawn(|| {
            let body = json!({"data": {"tensor": {"shape": [MANY, 1], "values": vec![1; MANY]}}});
            assert_eq!(asker.post("/predict", &body).status, 200);
        });
        while late < 5 {
            match call() {
                Ok(_) => answered += 1,
                Err(code) => {
                    // The client keeps the time too, and says so in its own way.
                    assert!([Code::DeadlineExceeded, Code::Cancelled].contains(&code));
                    late += 1;
                }
            }
        }
    });
    let counted = asker.metrics();
    let line = counted
        .lines()
        .find(|line| line.starts_with("serve_predictions_total"));
    let rows: usize = line.unwrap().rsplit(' ').next().unwrap().parse().unwrap();
    assert_eq!(rows, MANY + answered);
}

#[test]
fn a_model_has_its_own_settings() {
    let package = package::deep();
    let settings = package.path.join("model-settings.json");
    std::fs::write(&settings, r#"{"max_batch_size": 1, "max_batch_time": 0.5}"#).unwrap();
    let server = one_thread(&package);
    let body = json!({"data": {"ndarray": [[1]]}});
    let asker = Asker::of(&server);
    let ask = |_, _| {
        let answer = asker.post("/predict", &body);
        assert_eq!(answer.json()["data"]["ndarray"], json!([[2.0]]));
    };
    clients(8, ask, |round| round == 20);
    assert_eq!(joined(&asker), 0.0);
    assert!(series(&asker, "serve_batch_requests_count") >= 21.0);
}

#[test]
fn who_may_wait_is_joined_though_a_thread_is_there() {
    let package = package::deep();
    let parameters = json!([
        {"name": "max_batch_size", "value": "2", "type": "INT"},
        {"name": "max_batch_time", "value": "100", "type": "FLOAT"}
    ]);
    let mut command = command(package.folder());
    command
        .args(["--threads", "4"])
        .env("PREDICTIVE_UNIT_PARAMETERS", parameters.to_string());
    let server = Server::ready(&mut command);
    let body = json!({"data": {"ndarray": [[1]]}});
    // Each would wait too long for a second one, if there were none. After more rounds
    // one may be answered alone, to compare.
    let asker = Asker::of(&server);
    for _ in 0..3 {
        thread::scope(|scope| {
            for _ in 0..2 {
                scope.spawn(|| {
                    let answer = asker.post("/predict", &body);
                    assert_eq!(answer.json()["data"]["ndarray"], json!([[2.0]]));
                });
            }
        });
    }
}

#[test]
fn settings_that_are_none_are_refused() {
    let package = package::identity();
    let parameter = r#"[{"name":"max_batch_size","value":"-1","type":"INT"}]"#;
    let mut negative = command(package.folder());
    negative.env("PREDICTIVE_UNIT_PARAMETERS", parameter);
    let output = negative.output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(
        text.contains("the parameter max_batch_size is \"-1\""),
        "{text}"
    );
    let mut long = command(package.folder());
    let output = long.args(["--max-batch-delay=-1"]).output().unwrap();
    assert_eq!(output.status.code(), Some(2));
}
