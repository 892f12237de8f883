//! How long a client may keep a connection waiting.

use std::io;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::time::{Instant, sleep_until};

use super::timer::{Alarm, wait};

/// Ends a wait for a client that takes too long.
///
/// A connection waits before each request, and seldom for long. So the alarm of one wait
/// is kept for the next, and set again only when it goes off too early: setting it each
/// time would wake the thread's event loop for every request.
#[derive(Debug)]
pub(super) struct Silence {
    longest: Duration,
    /// When the wait has begun, if there is one.
    since: Option<Instant>,
    /// Goes off at the end of the wait or before.
    alarm: Option<Alarm>,
}

impl Silence {
    pub(super) fn new(longest: Duration) -> Self {
        Self {
            longest,
            since: None,
            alarm: None,
        }
    }

    /// What the client did, which is nothing as long as `done` is pending; an error when
    /// that has lasted too long.
    pub(super) fn bounds<T>(
        &mut self,
        context: &mut Context<'_>,
        done: Poll<io::Result<T>>,
    ) -> Poll<io::Result<T>> {
        if done.is_ready() {
            self.since = None;
            return done;
        }
        let end = *self.since.get_or_insert_with(Instant::now) + self.longest;
        let alarm = self.alarm.get_or_insert_with(|| Box::pin(sleep_until(end)));
        wait(alarm, end, context).map(|()| Err(io::ErrorKind::TimedOut.into()))
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;

    use tokio::time::{sleep, timeout};

    use super::*;

    const LONGEST: Duration = Duration::from_secs(1);

    async fn waits(silence: &mut Silence) -> Duration {
        let start = Instant::now();
        let wait = poll_fn(|context| silence.bounds::<()>(context, Poll::Pending));
        let error = wait.await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        start.elapsed()
    }

    async fn hears(silence: &mut Silence, after: Duration) {
        let wait = poll_fn(|context| silence.bounds::<()>(context, Poll::Pending));
        assert!(timeout(after, wait).await.is_err());
        let heard = poll_fn(|context| silence.bounds(context, Poll::Ready(Ok(7))));
        assert_eq!(heard.await.unwrap(), 7);
    }

    #[tokio::test]
    async fn each_wait_has_the_whole_time() {
        let mut silence = Silence::new(LONGEST);
        for _ in 0..3 {
            hears(&mut silence, LONGEST / 2).await;
        }
        sleep(LONGEST).await;
        hears(&mut silence, LONGEST / 2).await;
        assert!(waits(&mut silence).await >= LONGEST);
    }
}
