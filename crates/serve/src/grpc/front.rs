//! The service of the gRPC port.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;

use axum::http::{Request, Response};
use hyper::body::Incoming;
use hyper::service::Service;
use tonic::body::Body;
use tonic::codegen::Service as _;
use tonic::service::Routes;

use super::Limits;
use super::layer::{observed, service_and_method};
use crate::app::App;
use crate::trace::traced;
use crate::{oip, seldon};

/// Answers what comes in at the gRPC port.
///
/// Calls that predict, which are nearly all, go to their services at once, as those of
/// the HTTP port do: a router and layers around it put a call and its answer into boxes
/// that cost a small one more than its prediction.
#[derive(Debug, Clone)]
pub(super) struct Front(Arc<Inside>);

#[derive(Debug)]
struct Inside {
    app: Arc<App>,
    limits: Limits,
    inference: oip::Service,
    predicting: seldon::Predicting,
    others: Routes,
}

impl Front {
    /// The services of the protocols, and these `others`.
    pub(super) fn new(app: &Arc<App>, limits: Limits, others: Routes) -> Self {
        Self(Arc::new(Inside {
            app: Arc::clone(app),
            limits,
            inference: oip::service(app, limits.message),
            predicting: seldon::Predicting::new(app, limits.message),
            others: seldon::add_services(others, app, limits.message).prepare(),
        }))
    }
}

impl Service<Request<Incoming>> for Front {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Response<Body>, Infallible>> + Send>>;

    fn call(&self, request: Request<Incoming>) -> Self::Future {
        let inside = Arc::clone(&self.0);
        Box::pin(async move {
            let next = async |request| inside.around(request).await;
            Ok(traced(inside.app.tracing.as_ref(), request, next).await)
        })
    }
}

impl Inside {
    async fn around(&self, request: Request<Incoming>) -> Response<Body> {
        let next = async |request| self.answer(request).await;
        observed(&self.app, self.limits.call, request, next).await
    }

    async fn answer(&self, request: Request<Incoming>) -> Response<Body> {
        let (service, _) = service_and_method(request.uri().path());
        let answer = match service {
            oip::SERVICE => self.inference.clone().call(request).await,
            seldon::MODEL => self.predicting.model.clone().call(request).await,
            seldon::SELDON => self.predicting.seldon.clone().call(request).await,
            _ => self.others.clone().call(request).await,
        };
        match answer {
            Ok(response) => response,
            Err(never) => match never {},
        }
    }
}
