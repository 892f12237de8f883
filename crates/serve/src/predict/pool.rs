//! The threads that predict, and the bounded queue before them.

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, Sender, TrySendError, bounded};
use model::Lane;
use tokio::sync::oneshot;

type Job = Box<dyn FnOnce(&Lane) + Send>;

/// A fixed number of compute threads behind a queue of fixed length, in which
/// nothing grows older than a bound before it is refused: under a load that is too
/// high, what is answered is answered in time.
///
/// The threads that talk to clients never compute, so health checks are answered
/// in time however large the requests are. They end when the pool is dropped.
#[derive(Debug)]
pub(crate) struct Pool {
    jobs: Sender<Job>,
    patience: Duration,
}

/// Why work was not done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum PoolError {
    /// The queue is full.
    #[error("too many predictions are waiting, try again later")]
    Full,
    /// The work has waited longer than anybody should.
    #[error("the prediction has waited too long for a thread, try again later")]
    Stale,
    /// The work panicked.
    #[error("the prediction failed unexpectedly")]
    Panicked,
}

impl Pool {
    /// Starts `threads` threads with a queue of `queue` jobs, none of which is
    /// started after `patience`.
    ///
    /// # Errors
    ///
    /// When the system gives no more threads.
    pub(crate) fn start(threads: usize, queue: usize, patience: Duration) -> io::Result<Self> {
        let (jobs, waiting) = bounded(queue);
        for number in 0..threads {
            let waiting = waiting.clone();
            Lane::spawn(format!("compute-{number}"), move |lane| {
                work_off(&waiting, lane);
            })?;
        }
        Ok(Self { jobs, patience })
    }

    /// Does `work` on a compute thread. When the returned future is dropped
    /// before its turn comes, as it is when the client hangs up, the work is not
    /// started.
    ///
    /// # Errors
    ///
    /// At once when the queue is full; when its turn comes too late; and when the
    /// work panics.
    pub(crate) async fn run<T, F>(&self, work: F) -> Result<T, PoolError>
    where
        T: Send + 'static,
        F: FnOnce(&Lane) -> T + Send + 'static,
    {
        let (reply, result) = oneshot::channel();
        let (queued, patience) = (Instant::now(), self.patience);
        let job: Job = Box::new(move |lane| {
            if reply.is_closed() {
                return;
            }
            let outcome = match queued.elapsed() > patience {
                true => Err(PoolError::Stale),
                false => Ok(work(lane)),
            };
            // The client may hang up while its work is done: nobody to tell.
            let _gone = reply.send(outcome);
        });
        match self.jobs.try_send(job) {
            Ok(()) => result.await.map_err(|_| PoolError::Panicked).flatten(),
            Err(TrySendError::Full(_)) => Err(PoolError::Full),
            Err(TrySendError::Disconnected(_)) => Err(PoolError::Panicked),
        }
    }

    /// Jobs that wait for a thread.
    pub(crate) fn waiting(&self) -> usize {
        self.jobs.len()
    }
}

/// Does `work` on the calling thread.
///
/// # Errors
///
/// When it panics; the panic hook has written the message.
pub(crate) fn guarded<T>(work: impl FnOnce() -> T) -> Result<T, PoolError> {
    catch_unwind(AssertUnwindSafe(work)).map_err(|_| PoolError::Panicked)
}

fn work_off(waiting: &Receiver<Job>, lane: &Lane) {
    for job in waiting {
        // A panic drops the job's reply channel, which tells its client.
        let _reported = guarded(|| job(lane));
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, Ordering};
    use std::sync::{Arc, mpsc};

    use super::*;

    const LONG: Duration = Duration::from_secs(60);

    fn block_on<T>(future: impl Future<Output = T>) -> T {
        tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .build()
            .unwrap()
            .block_on(future)
    }

    /// A pool of one thread that is busy until the sender is dropped.
    fn busy_pool(queue: usize, patience: Duration) -> (Pool, mpsc::Sender<()>) {
        let pool = Pool::start(1, queue, patience).unwrap();
        let (release, released) = mpsc::channel::<()>();
        let (started, has_started) = mpsc::channel();
        let job: Job = Box::new(move |_| {
            started.send(()).unwrap();
            let _dropped = released.recv();
        });
        pool.jobs.send(job).unwrap();
        has_started.recv().unwrap();
        (pool, release)
    }

    #[test]
    fn a_full_queue_refuses_at_once() {
        let (pool, release) = busy_pool(1, LONG);
        let job: Job = Box::new(|_| {});
        pool.jobs.send(job).unwrap();
        assert_eq!(pool.waiting(), 1);
        assert_eq!(block_on(pool.run(|_| 1)), Err(PoolError::Full));
        drop(release);
    }

    #[test]
    fn work_nobody_waits_for_is_not_started() {
        let (pool, release) = busy_pool(8, LONG);
        let ran = Arc::new(AtomicBool::new(false));
        let flag = Arc::clone(&ran);
        block_on(async {
            let abandoned = pool.run(move |_| flag.store(true, Ordering::SeqCst));
            tokio::select! {
                biased;
                _ = abandoned => panic!("the only thread is busy"),
                () = tokio::task::yield_now() => {}
            }
        });
        drop(release);
        assert_eq!(block_on(pool.run(|_| 2)), Ok(2), "the next in the queue");
        assert!(!ran.load(Ordering::SeqCst));
    }

    #[test]
    fn work_that_has_waited_too_long_is_not_started() {
        let patience = Duration::from_millis(20);
        let (pool, release) = busy_pool(8, patience);
        let ran = Arc::new(AtomicBool::new(false));
        let flag = Arc::clone(&ran);
        let outcome = block_on(async {
            let late = pool.run(move |_| flag.store(true, Ordering::SeqCst));
            let end = async {
                tokio::time::sleep(3 * patience).await;
                drop(release);
            };
            tokio::join!(late, end).0
        });
        assert_eq!(outcome, Err(PoolError::Stale));
        assert!(!ran.load(Ordering::SeqCst));
        assert_eq!(block_on(pool.run(|_| 4)), Ok(4), "the next one is in time");
    }

    #[test]
    fn a_panic_costs_one_request_only() {
        let pool = Pool::start(1, 8, LONG).unwrap();
        let failed = block_on(pool.run(|_| -> u8 { panic!("on purpose") }));
        assert_eq!(failed, Err(PoolError::Panicked));
        assert_eq!(block_on(pool.run(|_| 3)), Ok(3));
    }
}
