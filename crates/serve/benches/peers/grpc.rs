//! The same over gRPC: a call after the other on a connection for each client.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use std::thread;
use std::time::Instant;

use tokio::runtime::Runtime;
use tokio::time::sleep;
use tonic::transport::server::TcpIncoming;
use tonic::transport::{Channel, Endpoint};
use tonic::{Request, Response, Status};

use super::load::{SPAN, WARM};
use super::proto::inference as oip;
use super::proto::seldon::protos as seldon;
use oip::grpc_inference_service_client::GrpcInferenceServiceClient;
use oip::grpc_inference_service_server::{GrpcInferenceService, GrpcInferenceServiceServer};
use seldon::default_data::DataOneof;
use seldon::model_client::ModelClient;

/// A call that is made again and again.
#[derive(Debug, Clone)]
pub(crate) enum Call {
    Seldon(Box<seldon::SeldonMessage>),
    Oip(oip::ModelInferRequest),
}

const ROW: [f64; 4] = [5.1, 3.5, 1.4, 0.2];

/// One row as a tensor of a Seldon message.
pub(crate) fn seldon() -> Call {
    let tensor = seldon::Tensor {
        shape: vec![1, 4],
        values: ROW.into(),
    };
    let data = seldon::DefaultData {
        names: ["a", "b", "c", "d"].map(str::to_owned).into(),
        data_oneof: Some(DataOneof::Tensor(tensor)),
    };
    let data = seldon::seldon_message::DataOneof::Data(data);
    Call::Seldon(Box::new(seldon::SeldonMessage {
        data_oneof: Some(data),
        ..Default::default()
    }))
}

/// The same row to the conformance model.
pub(crate) fn oip() -> Call {
    let input = oip::model_infer_request::InferInputTensor {
        name: "x".to_owned(),
        datatype: "FP32".to_owned(),
        shape: vec![1, 4],
        contents: Some(oip::InferTensorContents {
            fp32_contents: ROW.map(|value| value as f32).into(),
            ..Default::default()
        }),
        ..Default::default()
    };
    Call::Oip(oip::ModelInferRequest {
        model_name: "echo".to_owned(),
        inputs: vec![input],
        ..Default::default()
    })
}

/// The event loops of all clients, and of the bare server.
fn runtime() -> &'static Runtime {
    static RUNTIME: OnceLock<Runtime> = OnceLock::new();
    RUNTIME.get_or_init(|| Runtime::new().unwrap())
}

async fn connect(address: &str) -> Channel {
    let endpoint = Endpoint::from_shared(format!("http://{address}")).unwrap();
    endpoint.connect().await.unwrap()
}

async fn make(channel: &Channel, call: &Call) {
    match call.clone() {
        Call::Seldon(message) => {
            let mut client = ModelClient::new(channel.clone());
            client.predict(*message).await.unwrap();
        }
        Call::Oip(message) => {
            let mut client = GrpcInferenceServiceClient::new(channel.clone());
            client.model_infer(message).await.unwrap();
        }
    }
}

/// Answers a second to `clients` clients.
pub(crate) fn measure(address: &str, call: &Call, clients: usize) -> f64 {
    let (counting, done) = (AtomicBool::new(false), AtomicBool::new(false));
    let shared = Arc::new((counting, done, AtomicUsize::new(0)));
    runtime().block_on(async {
        let mut tasks = Vec::new();
        for _ in 0..clients {
            let (shared, call) = (Arc::clone(&shared), call.clone());
            let channel = connect(address).await;
            tasks.push(tokio::spawn(async move {
                let (counting, done, answers) = &*shared;
                while !done.load(Ordering::Relaxed) {
                    make(&channel, &call).await;
                    if counting.load(Ordering::Relaxed) {
                        answers.fetch_add(1, Ordering::Relaxed);
                    }
                }
            }));
        }
        let (counting, done, answers) = &*shared;
        sleep(WARM).await;
        counting.store(true, Ordering::Relaxed);
        let start = Instant::now();
        sleep(SPAN).await;
        counting.store(false, Ordering::Relaxed);
        let time = start.elapsed();
        done.store(true, Ordering::Relaxed);
        for task in tasks {
            task.await.unwrap();
        }
        answers.load(Ordering::Relaxed) as f64 / time.as_secs_f64()
    })
}

/// The answer of `address` to `call`.
pub(crate) fn ask(address: &str, call: Call) -> oip::ModelInferResponse {
    let Call::Oip(message) = call else {
        panic!("only the Open Inference Protocol is bare");
    };
    runtime().block_on(async {
        let mut client = GrpcInferenceServiceClient::new(connect(address).await);
        client.model_infer(message).await.unwrap().into_inner()
    })
}

struct Constant(oip::ModelInferResponse);

#[tonic::async_trait]
impl GrpcInferenceService for Constant {
    async fn model_infer(
        &self,
        _: Request<oip::ModelInferRequest>,
    ) -> Result<Response<oip::ModelInferResponse>, Status> {
        Ok(Response::new(self.0.clone()))
    }
}

/// A service that returns `answer`, and nothing else; gives its address.
pub(crate) fn bare(answer: oip::ModelInferResponse) -> String {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    listener.set_nonblocking(true).unwrap();
    let service = GrpcInferenceServiceServer::new(Constant(answer));
    thread::spawn(move || {
        Runtime::new().unwrap().block_on(async {
            let listener = tokio::net::TcpListener::from_std(listener).unwrap();
            let incoming = TcpIncoming::from(listener).with_nodelay(Some(true));
            let server = tonic::transport::Server::builder().add_service(service);
            server.serve_with_incoming(incoming).await.unwrap();
        });
    });
    address
}
