//! A small gRPC client.

use tokio::runtime::Runtime;
use tonic::transport::{Channel, Endpoint};

use super::proto::inference::grpc_inference_service_client::GrpcInferenceServiceClient;

/// Runs calls one after the other, over one connection.
pub(crate) struct Caller {
    runtime: Runtime,
    pub(crate) channel: Channel,
}

impl Caller {
    /// Connects to `address`.
    pub(crate) fn new(address: &str) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .unwrap();
        let endpoint = Endpoint::from_shared(format!("http://{address}")).unwrap();
        let channel = runtime.block_on(endpoint.connect()).unwrap();
        Self { runtime, channel }
    }

    /// The Open Inference Protocol's client.
    pub(crate) fn oip(&self) -> GrpcInferenceServiceClient<Channel> {
        GrpcInferenceServiceClient::new(self.channel.clone())
    }

    /// Waits for `call`.
    pub(crate) fn wait<T>(&self, call: impl Future<Output = T>) -> T {
        self.runtime.block_on(call)
    }
}
