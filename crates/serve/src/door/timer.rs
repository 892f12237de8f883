//! Deadlines of clients that seldom pass.

use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use hyper::rt::{Sleep, Timer};
use tokio::time::{self, sleep_until};

pub(super) type Alarm = Pin<Box<time::Sleep>>;

/// Waits for `deadline` by an `alarm` that goes off then or before, and is set again when
/// that was too early.
pub(super) fn wait(
    alarm: &mut Alarm,
    deadline: time::Instant,
    context: &mut Context<'_>,
) -> Poll<()> {
    loop {
        ready!(alarm.as_mut().poll(context));
        if alarm.deadline() >= deadline {
            return Poll::Ready(());
        }
        alarm.as_mut().reset(deadline);
    }
}

/// The time of one connection.
///
/// Each request has a deadline for its head, which nearly always comes long before.
/// So the alarm that was set for one request is kept for the next, and set again only
/// when it goes off too early: that costs a request less than entering a deadline
/// among those of all connections, and taking it out again.
#[derive(Debug, Clone, Default)]
pub(super) struct Patience {
    /// The alarm that nobody waits for.
    spare: Arc<Mutex<Option<Alarm>>>,
}

impl Patience {
    fn spare(&self) -> MutexGuard<'_, Option<Alarm>> {
        self.spare.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Timer for Patience {
    fn sleep(&self, duration: Duration) -> Pin<Box<dyn Sleep>> {
        self.sleep_until(self.now() + duration)
    }

    fn sleep_until(&self, deadline: Instant) -> Pin<Box<dyn Sleep>> {
        let deadline = deadline.into();
        let spare = self.spare().take();
        let spare = spare.filter(|alarm| alarm.deadline() <= deadline);
        Box::pin(Waiting {
            alarm: Some(spare.unwrap_or_else(|| Box::pin(sleep_until(deadline)))),
            deadline,
            of: self.clone(),
        })
    }
}

/// Somebody who waits for a deadline.
struct Waiting {
    /// Goes off at the deadline or before; there until this is dropped.
    alarm: Option<Alarm>,
    deadline: time::Instant,
    of: Patience,
}

impl Future for Waiting {
    type Output = ();

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        let this = self.get_mut();
        match &mut this.alarm {
            Some(alarm) => wait(alarm, this.deadline, context),
            None => Poll::Ready(()),
        }
    }
}

impl Sleep for Waiting {}

impl Drop for Waiting {
    fn drop(&mut self) {
        let alarm = self.alarm.take();
        *self.of.spare() = alarm;
    }
}
