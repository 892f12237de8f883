//! The protocol over gRPC.

use std::sync::Arc;
use std::time::Instant;

use prost::Message;
use tonic::codec::CompressionEncoding;
use tonic::{Request, Response, Status, async_trait};

use super::routes::EXTENSIONS;
use super::{convert, told};
use crate::app::App;
use crate::grpc::{Call, served, status};
use crate::models::Unit;
use crate::predict::Step;
use crate::problem::Problem;
use crate::proto::inference as pb;
use crate::seldon::PUID;
use pb::grpc_inference_service_server::{GrpcInferenceService, GrpcInferenceServiceServer};

/// The service's name.
pub(crate) const SERVICE: &str = "inference.GRPCInferenceService";

/// What answers its calls.
pub(crate) type Service = GrpcInferenceServiceServer<Door>;

/// The service, for messages of at most `limit` bytes.
pub(crate) fn service(app: &Arc<App>, limit: usize) -> Service {
    GrpcInferenceServiceServer::new(Door(Arc::clone(app)))
        .max_decoding_message_size(limit)
        .max_encoding_message_size(limit)
        .accept_compressed(CompressionEncoding::Gzip)
        .accept_compressed(CompressionEncoding::Deflate)
}

/// Has `unit` answer `message`.
pub(super) fn read(
    unit: &Unit,
    message: &pb::ModelInferRequest,
) -> Result<Step<pb::ModelInferResponse>, Problem> {
    let request = convert::request(message)?;
    let raw = !message.raw_input_contents.is_empty();
    super::reply_to(unit, request, move |reply, _| convert::response(reply, raw))
}

#[derive(Debug)]
pub(crate) struct Door(Arc<App>);

impl Door {
    async fn infer(
        &self,
        message: pb::ModelInferRequest,
    ) -> Result<pb::ModelInferResponse, Problem> {
        let version = Some(message.model_version.as_str());
        let unit = self.0.models.find(&message.model_name, version)?;
        let size = message.encoded_len();
        let answer = self.0.compute(unit, size, move |unit| read(unit, &message));
        answer.await
    }
}

type Answer<T> = Result<Response<T>, Status>;

#[async_trait]
impl GrpcInferenceService for Door {
    async fn server_live(
        &self,
        _: Request<pb::ServerLiveRequest>,
    ) -> Answer<pb::ServerLiveResponse> {
        Ok(Response::new(pb::ServerLiveResponse { live: true }))
    }

    async fn server_ready(
        &self,
        _: Request<pb::ServerReadyRequest>,
    ) -> Answer<pb::ServerReadyResponse> {
        let ready = self.0.ready().is_ok();
        Ok(Response::new(pb::ServerReadyResponse { ready }))
    }

    async fn model_ready(
        &self,
        request: Request<pb::ModelReadyRequest>,
    ) -> Answer<pb::ModelReadyResponse> {
        let pb::ModelReadyRequest { name, version } = request.into_inner();
        let app = &self.0;
        let ready = match app.models.find(&name, Some(&version)) {
            Ok(_) => app.ready().is_ok(),
            Err(Problem::Unavailable(_)) => false,
            Err(problem) => return Err(status(&problem)),
        };
        Ok(Response::new(pb::ModelReadyResponse { ready }))
    }

    async fn server_metadata(
        &self,
        _: Request<pb::ServerMetadataRequest>,
    ) -> Answer<pb::ServerMetadataResponse> {
        Ok(Response::new(pb::ServerMetadataResponse {
            name: env!("CARGO_PKG_NAME").to_owned(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            extensions: EXTENSIONS.iter().map(ToString::to_string).collect(),
        }))
    }

    async fn model_metadata(
        &self,
        request: Request<pb::ModelMetadataRequest>,
    ) -> Answer<pb::ModelMetadataResponse> {
        let pb::ModelMetadataRequest { name, version } = request.into_inner();
        let unit = self.0.models.find(&name, Some(&version));
        let unit = unit.map_err(|e| status(&e))?;
        Ok(Response::new(unit.signature().message()))
    }

    async fn model_infer(
        &self,
        request: Request<pb::ModelInferRequest>,
    ) -> Answer<pb::ModelInferResponse> {
        let start = Instant::now();
        let call = Call::of(self.0.events.as_ref(), request.metadata());
        // As over REST: the orchestrator gives an ID to each call, and counts it itself.
        let is_uncounted = !request.metadata().contains_key(PUID.as_str());
        let message = request.into_inner();
        let asked = call.is_some().then(|| message.clone());
        let answer = self.infer(message).await;
        if let (Some(call), Some(asked)) = (call, asked) {
            let answered = answer.as_ref().ok().cloned();
            let size = asked.encoded_len() + answered.as_ref().map_or(0, Message::encoded_len);
            call.tell("v2", false, size, move || {
                let answered = answered.as_ref().map(told::response);
                (told::request(&asked), answered)
            });
        }
        let answer = answer.map(Response::new).map_err(|e| status(&e));
        if is_uncounted {
            let name = "/inference.GRPCInferenceService/ModelInfer";
            served(&self.0, name, start, &answer);
        }
        answer
    }

    async fn repository_index(
        &self,
        request: Request<pb::RepositoryIndexRequest>,
    ) -> Answer<pb::RepositoryIndexResponse> {
        let only_ready = request.into_inner().ready;
        let models = super::routes::index(&self.0, only_ready).into_iter();
        let models = models.map(|model| pb::repository_index_response::ModelIndex {
            name: model.name,
            version: model.version,
            state: model.state.to_owned(),
            reason: model.reason,
        });
        Ok(Response::new(pb::RepositoryIndexResponse {
            models: models.collect(),
        }))
    }

    async fn repository_model_load(
        &self,
        request: Request<pb::RepositoryModelLoadRequest>,
    ) -> Answer<pb::RepositoryModelLoadResponse> {
        let name = request.into_inner().model_name;
        let done = self.0.change(move |models| models.load(&name)).await;
        done.map_err(|problem| status(&problem))?;
        Ok(Response::new(pb::RepositoryModelLoadResponse {}))
    }

    async fn repository_model_unload(
        &self,
        request: Request<pb::RepositoryModelUnloadRequest>,
    ) -> Answer<pb::RepositoryModelUnloadResponse> {
        let name = request.into_inner().model_name;
        let done = self.0.change(move |models| models.unload(&name)).await;
        done.map_err(|problem| status(&problem))?;
        Ok(Response::new(pb::RepositoryModelUnloadResponse {}))
    }
}
