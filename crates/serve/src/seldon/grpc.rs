//! The gRPC services of the Seldon v1 protocol.

use std::sync::Arc;
use std::time::Instant;

use prost::Message as _;
use tonic::codec::CompressionEncoding;
use tonic::service::Routes;
use tonic::{Request, Response, Status};

use super::call::{self, Method, Responded, respond};
use super::reply::Node;
use super::{convert, feedback, protojson};
use crate::app::App;
use crate::grpc::{Call, served, status};
use crate::models::Unit;
use crate::problem::Problem;
use crate::proto::seldon::protos;
use crate::proto::seldon::protos::combiner_server::{Combiner, CombinerServer};
use crate::proto::seldon::protos::generic_server::{Generic, GenericServer};
pub(crate) use crate::proto::seldon::protos::model_server::SERVICE_NAME as MODEL;
use crate::proto::seldon::protos::model_server::{Model, ModelServer};
use crate::proto::seldon::protos::output_transformer_server::{
    OutputTransformer, OutputTransformerServer,
};
use crate::proto::seldon::protos::router_server::{Router, RouterServer};
pub(crate) use crate::proto::seldon::protos::seldon_server::SERVICE_NAME as SELDON;
use crate::proto::seldon::protos::seldon_server::{Seldon, SeldonServer};
use crate::proto::seldon::protos::transformer_server::{Transformer, TransformerServer};
use crate::proto::seldon::protos::{
    Feedback, SeldonMessage, SeldonMessageList, SeldonModelMetadata, SeldonModelMetadataRequest,
};

/// All services of the protocol.
pub(crate) const SERVICES: [&str; 7] = [
    MODEL,
    SELDON,
    protos::generic_server::SERVICE_NAME,
    protos::router_server::SERVICE_NAME,
    protos::transformer_server::SERVICE_NAME,
    protos::output_transformer_server::SERVICE_NAME,
    protos::combiner_server::SERVICE_NAME,
];

type Reply<T = SeldonMessage> = Result<Response<T>, Status>;

/// A server of a service, for messages of at most `$limit` bytes in both directions.
macro_rules! server {
    ($server:ident, $app:expr, $limit:expr) => {
        $server::new(Door(Arc::clone($app)))
            .max_decoding_message_size($limit)
            .max_encoding_message_size($limit)
            .accept_compressed(CompressionEncoding::Gzip)
            .accept_compressed(CompressionEncoding::Deflate)
    };
}

/// The services that an executor and clients call to predict.
#[derive(Debug, Clone)]
pub(crate) struct Predicting {
    pub(crate) model: ModelServer<Door>,
    pub(crate) seldon: SeldonServer<Door>,
}

impl Predicting {
    /// For messages of at most `limit` bytes in both directions.
    pub(crate) fn new(app: &Arc<App>, limit: usize) -> Self {
        Self {
            model: server!(ModelServer, app, limit),
            seldon: server!(SeldonServer, app, limit),
        }
    }
}

/// `routes` with all other services of the protocol.
pub(crate) fn add_services(routes: Routes, app: &Arc<App>, limit: usize) -> Routes {
    routes
        .add_service(server!(GenericServer, app, limit))
        .add_service(server!(RouterServer, app, limit))
        .add_service(server!(TransformerServer, app, limit))
        .add_service(server!(OutputTransformerServer, app, limit))
        .add_service(server!(CombinerServer, app, limit))
}

/// All services: they differ in the methods that they have.
#[derive(Debug, Clone)]
pub(crate) struct Door(Arc<App>);

impl Door {
    async fn call(&self, method: Method, messages: Vec<SeldonMessage>) -> Reply {
        let node = Arc::clone(&self.0.node);
        let unit = self.0.unit().map_err(|problem| status(&problem))?;
        call::check(&unit, method).map_err(|problem| Status::unimplemented(problem.to_string()))?;
        let size = messages.iter().map(SeldonMessage::encoded_len).sum();
        let outcome = self
            .0
            .compute(unit, size, move |unit| read(unit, node, method, messages));
        let (reply, metrics) = outcome.await.map_err(|problem| status(&problem))?;
        self.0.metrics.returned(method.label(), &metrics);
        Ok(Response::new(reply))
    }

    fn feedback(&self, request: Request<Feedback>) -> Reply {
        let reply = self.0.unit().map(|_| request.into_inner());
        let reply = reply.and_then(|feedback| feedback::receive(&self.0, feedback));
        reply.map(Response::new).map_err(|problem| status(&problem))
    }

    fn metadata(&self) -> Reply<SeldonModelMetadata> {
        let unit = self.0.unit().map_err(|problem| status(&problem))?;
        let read = |json| protojson::read("seldon.protos.SeldonModelMetadata", &json);
        let json = serde_json::to_value(unit.metadata()).map_err(|error| error.to_string());
        let metadata = json.and_then(read).map_err(Status::internal)?;
        Ok(Response::new(metadata))
    }
}

/// Has `unit` answer `messages`.
pub(super) fn read(
    unit: &Unit,
    node: Arc<Node>,
    method: Method,
    messages: Vec<SeldonMessage>,
) -> Responded<SeldonMessage> {
    call::check(unit, method)?;
    let messages: Result<_, Problem> = messages.into_iter().map(convert::message).collect();
    respond(unit, node, method, messages?, convert::reply)
}

/// Tells of a `call` that asked a message with this name, and whether it is feedback.
fn tell<M: prost::Message + 'static>(
    call: Option<Call>,
    asked: Option<M>,
    reply: &Reply,
    (name, is_feedback): (&'static str, bool),
) {
    let (Some(call), Some(asked)) = (call, asked) else {
        return;
    };
    let answered = reply.as_ref().ok().map(|reply| reply.get_ref().clone());
    let size = asked.encoded_len() + answered.as_ref().map_or(0, SeldonMessage::encoded_len);
    call.tell("seldon", is_feedback, size, move || {
        let answered = answered.map(|answered| json("seldon.protos.SeldonMessage", &answered));
        (json(name, &asked), answered)
    });
}

fn json(name: &str, message: &impl prost::Message) -> Result<Vec<u8>, Problem> {
    let json = protojson::write(name, message).map_err(Problem::Internal)?;
    serde_json::to_vec(&json).map_err(|error| Problem::Internal(error.to_string()))
}

#[tonic::async_trait]
impl Model for Door {
    async fn predict(&self, request: Request<SeldonMessage>) -> Reply {
        self.call(Method::Predict, vec![request.into_inner()]).await
    }

    async fn send_feedback(&self, request: Request<Feedback>) -> Reply {
        self.feedback(request)
    }

    async fn metadata(&self, _: Request<()>) -> Reply<SeldonModelMetadata> {
        Self::metadata(self)
    }
}

#[tonic::async_trait]
impl Seldon for Door {
    async fn predict(&self, request: Request<SeldonMessage>) -> Reply {
        let start = Instant::now();
        let call = Call::of(self.0.events.as_ref(), request.metadata());
        let message = request.into_inner();
        let asked = call.is_some().then(|| message.clone());
        let reply = self.call(Method::Predict, vec![message]).await;
        served(&self.0, "/seldon.protos.Seldon/Predict", start, &reply);
        tell(call, asked, &reply, ("seldon.protos.SeldonMessage", false));
        reply
    }

    async fn send_feedback(&self, request: Request<Feedback>) -> Reply {
        let start = Instant::now();
        let call = Call::of(self.0.events.as_ref(), request.metadata());
        let asked = call.is_some().then(|| request.get_ref().clone());
        let reply = self.feedback(request);
        tell(call, asked, &reply, ("seldon.protos.Feedback", true));
        served(&self.0, "/seldon.protos.Seldon/SendFeedback", start, &reply);
        reply
    }

    async fn model_metadata(
        &self,
        _: Request<SeldonModelMetadataRequest>,
    ) -> Reply<SeldonModelMetadata> {
        self.metadata()
    }
}

#[tonic::async_trait]
impl Generic for Door {
    async fn transform_input(&self, request: Request<SeldonMessage>) -> Reply {
        Transformer::transform_input(self, request).await
    }

    async fn transform_output(&self, request: Request<SeldonMessage>) -> Reply {
        OutputTransformer::transform_output(self, request).await
    }

    async fn route(&self, request: Request<SeldonMessage>) -> Reply {
        Router::route(self, request).await
    }

    async fn aggregate(&self, request: Request<SeldonMessageList>) -> Reply {
        Combiner::aggregate(self, request).await
    }

    async fn send_feedback(&self, request: Request<Feedback>) -> Reply {
        self.feedback(request)
    }
}

#[tonic::async_trait]
impl Router for Door {
    async fn route(&self, request: Request<SeldonMessage>) -> Reply {
        self.call(Method::Route, vec![request.into_inner()]).await
    }

    async fn send_feedback(&self, request: Request<Feedback>) -> Reply {
        self.feedback(request)
    }
}

#[tonic::async_trait]
impl Transformer for Door {
    async fn transform_input(&self, request: Request<SeldonMessage>) -> Reply {
        let messages = vec![request.into_inner()];
        self.call(Method::TransformInput, messages).await
    }
}

#[tonic::async_trait]
impl OutputTransformer for Door {
    async fn transform_output(&self, request: Request<SeldonMessage>) -> Reply {
        let messages = vec![request.into_inner()];
        self.call(Method::TransformOutput, messages).await
    }
}

#[tonic::async_trait]
impl Combiner for Door {
    async fn aggregate(&self, request: Request<SeldonMessageList>) -> Reply {
        let messages = request.into_inner().seldon_messages;
        self.call(Method::Aggregate, messages).await
    }
}
