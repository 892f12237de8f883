//! The service of the HTTP port.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::http::Request;
use axum::response::Response;
use hyper::body::Incoming;
use hyper::service::Service;
use hyper_util::service::TowerToHyperService;
use percent_encoding::percent_decode_str;
use tokio::time::timeout;

use super::around::Around;
use super::router::{in_shape_of, router};
use crate::app::App;
use crate::problem::Problem;
use crate::trace::traced;
use crate::{oip, seldon};

/// Answers what comes in at the HTTP port.
///
/// Calls to models, which are nearly all requests, go to their handlers at once: a
/// router puts a request, its answer and each step between them into boxes, which
/// together cost a small request more than its prediction.
#[derive(Debug, Clone)]
pub(crate) struct Front(Arc<Inside>);

#[derive(Debug)]
struct Inside {
    app: Arc<App>,
    /// The longest time of a request.
    longest: Option<Duration>,
    /// All paths, those of calls to models among them.
    router: TowerToHyperService<Router>,
}

impl Front {
    /// The paths of the HTTP port, the page for people with them if it is `with_page`;
    /// a request takes at most `longest`.
    pub(crate) fn new(app: &Arc<App>, longest: Option<Duration>, with_page: bool) -> Self {
        Self(Arc::new(Inside {
            app: Arc::clone(app),
            longest,
            router: TowerToHyperService::new(router(app, with_page)),
        }))
    }
}

impl Service<Request<Incoming>> for Front {
    type Response = Response;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Response, Infallible>> + Send>>;

    fn call(&self, request: Request<Incoming>) -> Self::Future {
        let inside = Arc::clone(&self.0);
        Box::pin(async move {
            let next = async |request| inside.around(request).await;
            Ok(traced(inside.app.tracing.as_ref(), request, next).await)
        })
    }
}

impl Inside {
    async fn around(&self, mut request: Request<Incoming>) -> Response {
        let around = Around::begin(&self.app, &mut request);
        let response = match self.longest {
            None => self.answer(request).await,
            Some(longest) => self.answer_within(longest, request).await,
        };
        around.end(&self.app, response).await
    }

    /// Ends a request that takes longer than the deployment allows: what is dropped
    /// before its turn comes is not computed.
    async fn answer_within(&self, longest: Duration, request: Request<Incoming>) -> Response {
        let uri = request.uri().clone();
        let answer = timeout(longest, self.answer(request)).await;
        answer.unwrap_or_else(|_| in_shape_of(uri.path(), &Problem::Deadline))
    }

    async fn answer(&self, request: Request<Incoming>) -> Response {
        let (method, path) = (request.method(), request.uri().path());
        if let Some(method) = seldon::called(method, path) {
            return seldon::message(&self.app, request, method).await;
        }
        // The names outlive the request.
        let uri = request.uri().clone();
        if let Some(named) = oip::called(request.method(), uri.path()) {
            return oip::infer(&self.app, named, request).await;
        }
        // The router would say so in the shape of no protocol.
        if percent_decode_str(uri.path()).decode_utf8().is_err() {
            let text = format!("the path {:?} is not UTF-8, write it in UTF-8", uri.path());
            return in_shape_of(uri.path(), &Problem::BadData(text));
        }
        match self.router.call(request.map(Body::new)).await {
            Ok(response) => response,
            Err(never) => match never {},
        }
    }
}
