//! Requests from their bytes to those of the answer.

use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use axum::body::Bytes;
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderValue, Request};
use prost::Message;

use super::call::Method;
use super::source::{self, Source};
use super::{feedback, grpc, routes};
use crate::fuzzing::{check_json, judge, units};
use crate::proto::seldon::protos::{Feedback, SeldonMessage, SeldonMessageList};

/// JSON as a message, as the messages of an aggregate, and as feedback.
pub(crate) fn json(body: &[u8]) {
    answer(&Source::Json(Bytes::copy_from_slice(body)));
}

/// A body of any content type.
pub(crate) fn form(content_type: &[u8], body: &[u8]) {
    let Ok(content_type) = HeaderValue::from_bytes(content_type) else {
        return;
    };
    let (mut parts, ()) = Request::new(()).into_parts();
    parts.headers.insert(CONTENT_TYPE, content_type);
    let found = pin!(source::find(&parts, Bytes::copy_from_slice(body)));
    // All of the body is there: there is nothing to wait for.
    let Poll::Ready(found) = found.poll(&mut Context::from_waker(Waker::noop())) else {
        unreachable!("the form waits");
    };
    if let Some(source) = judge(found) {
        answer(&source);
    }
}

/// A message, a list of messages, and feedback.
pub(crate) fn message(bytes: &[u8]) {
    let units = units();
    let node = &units.node;
    let ask = |messages: Vec<SeldonMessage>, method| {
        for unit in &units.all {
            let messages = messages.clone();
            let read = || grpc::read(unit, Arc::clone(node), method, messages);
            let reply = units.ask(unit, read);
            reply.map(|(reply, _)| reply.encode_to_vec());
        }
    };
    if let Ok(message) = SeldonMessage::decode(bytes) {
        ask(vec![message.clone()], Method::TransformInput);
        ask(vec![message], Method::Predict);
    }
    if let Ok(list) = SeldonMessageList::decode(bytes) {
        ask(list.seldon_messages, Method::Aggregate);
    }
    if let Ok(feedback) = Feedback::decode(bytes) {
        judge(feedback::reply(node, feedback)).map(|reply| reply.encode_to_vec());
    }
}

fn answer(source: &Source) {
    let units = units();
    for unit in &units.all {
        for method in [Method::Predict, Method::TransformInput, Method::Aggregate] {
            let node = Arc::clone(&units.node);
            let reply = units.ask(unit, || routes::read(unit, node, method, source));
            if let Some((json, _)) = reply {
                check_json(&json);
            }
        }
    }
    let feedback = feedback::read(source);
    let reply = feedback.and_then(|feedback| feedback::reply(&units.node, feedback));
    if let Some(json) = judge(reply.and_then(|reply| feedback::write(&reply))) {
        check_json(&json);
    }
}
