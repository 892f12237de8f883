//! Reads the body of a request.

use std::fmt::Display;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use axum::body::{Bytes, HttpBody};
use http_body_util::BodyExt;
use hyper::body::Frame;
use tokio::time::{Instant, timeout_at};

use crate::problem::Problem;

/// A body as it comes from a client, in a box or not.
pub(crate) trait Readable: HttpBody<Data = Bytes, Error: Display> + Unpin {}

impl<B: HttpBody<Data = Bytes, Error: Display> + Unpin> Readable for B {}

/// Bytes per second that are not slow.
const PACE: u32 = 16 << 10;

/// The bytes of `body`, of which at most `limit` are taken. `patience` after it was waited
/// for, it must have come at 16 KiB a second on average.
///
/// # Errors
///
/// When it is longer, slower, or ends before its end.
pub(super) async fn collect<B: Readable>(
    mut body: B,
    limit: usize,
    patience: Duration,
) -> Result<Bytes, Problem> {
    let mut start = None;
    // Most bodies are one frame, which is taken as it is.
    let mut first = Bytes::new();
    let mut all = Vec::new();
    loop {
        let received = first.len().max(all.len());
        let frame = match there(&mut body) {
            Poll::Ready(frame) => Ok(frame),
            Poll::Pending => {
                let seconds = u32::try_from(received).unwrap_or(u32::MAX) / PACE;
                let start = *start.get_or_insert_with(Instant::now);
                let deadline = start + patience + Duration::from_secs(seconds.into());
                timeout_at(deadline, body.frame()).await
            }
        };
        let frame = match frame {
            Err(_) => return Err(Problem::TooSlow { received }),
            Ok(None) if all.is_empty() => return Ok(first),
            Ok(None) => return Ok(all.into()),
            Ok(Some(Err(error))) => {
                return Err(Problem::BadData(format!("the body ends early: {error}")));
            }
            Ok(Some(Ok(frame))) => frame,
        };
        let Ok(data) = frame.into_data() else {
            continue;
        };
        if data.len() > limit.saturating_sub(received) {
            return Err(Problem::TooLarge(limit));
        }
        if received == 0 {
            first = data;
            continue;
        }
        // It grows with what comes, however much is announced.
        if all.is_empty() {
            all.extend_from_slice(&std::mem::take(&mut first));
        }
        all.extend_from_slice(&data);
    }
}

/// What has come already, as most bodies have with their head: nothing has to watch the
/// time then.
fn there<B: Readable>(body: &mut B) -> Poll<Option<Result<Frame<Bytes>, B::Error>>> {
    let mut nobody = Context::from_waker(Waker::noop());
    Pin::new(body).poll_frame(&mut nobody)
}
