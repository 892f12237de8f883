//! The threads that predict, and the bounded queue before them.

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

use model::Lane;

use super::asked::{Answered, Request, Step};
use super::batch::{Waiting, key, serve};
use super::predictor::Predictor;
use super::queue::Queue;
use crate::problem::Problem;

/// A fixed number of compute threads behind a queue of fixed length, in which
/// nothing grows older than a bound before it is refused: under a load that is too
/// high, what is answered is answered in time.
///
/// The threads that talk to clients never compute, so health checks are answered
/// in time however large the requests are. They end when the pool is dropped.
#[derive(Debug)]
pub(crate) struct Pool {
    queue: Arc<Waiting>,
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
        let queue = Arc::new(Queue::new(threads, queue));
        // What has started ends also when a later thread cannot be had.
        let pool = Self {
            queue: Arc::clone(&queue),
        };
        for number in 0..threads {
            let queue = Arc::clone(&queue);
            Lane::spawn(format!("compute-{number}"), move |lane| {
                while let Some(taken) = queue.next() {
                    // A panic drops the request, which tells its client.
                    let _reported = guarded(|| serve(&queue, lane, patience, taken));
                }
            })?;
        }
        Ok(pool)
    }

    /// Answers a request to `predictor`, whose first step is `work`, on a compute
    /// thread, maybe together with others. When the returned future is dropped before
    /// its turn comes, as it is when the client hangs up, the work is not started.
    ///
    /// # Errors
    ///
    /// At once when the queue is full; when its turn comes too late; and when the
    /// work panics.
    pub(crate) async fn ask<T, W>(
        &self,
        predictor: Option<Arc<Predictor>>,
        work: W,
    ) -> Result<Answered<T>, PoolError>
    where
        T: Send + 'static,
        W: FnOnce() -> Result<Step<T>, Problem> + Send + 'static,
    {
        let key = predictor.as_ref().map(key);
        let (request, answer) = Request::new(predictor, work);
        if self.queue.push(key, Box::new(request)).is_err() {
            return Err(PoolError::Full);
        }
        answer.await.map_err(|_| PoolError::Panicked).flatten()
    }

    /// Requests that wait for a thread.
    pub(crate) fn waiting(&self) -> usize {
        self.queue.len()
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        self.queue.close();
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

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, Ordering};
    use std::sync::mpsc;

    use super::*;

    const LONG: Duration = Duration::from_secs(60);

    fn block_on<T>(future: impl Future<Output = T>) -> T {
        tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .build()
            .unwrap()
            .block_on(future)
    }

    /// What `work` gives on a thread of `pool`.
    async fn run<T: Send + 'static>(
        pool: &Pool,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, PoolError> {
        let answered = pool.ask(None, move || Ok(Step::Done(0, work()))).await?;
        Ok(answered.outcome.unwrap())
    }

    /// A pool of one thread that is busy until the sender is dropped.
    fn busy_pool(queue: usize, patience: Duration) -> (Pool, mpsc::Sender<()>) {
        let pool = Pool::start(1, queue, patience).unwrap();
        let (release, released) = mpsc::channel::<()>();
        let (started, has_started) = mpsc::channel();
        occupy(&pool, move || {
            started.send(()).unwrap();
            let _dropped = released.recv();
        });
        has_started.recv().unwrap();
        (pool, release)
    }

    /// Has the pool do `work`, for whose end nobody waits.
    fn occupy(pool: &Pool, work: impl FnOnce() + Send + 'static) {
        let (request, answer) = Request::new(None, move || {
            work();
            Ok(Step::Done(0, ()))
        });
        assert!(pool.queue.push(None, Box::new(request)).is_ok());
        // Whose answer is not wanted is not started.
        std::mem::forget(answer);
    }

    #[test]
    fn a_full_queue_refuses_at_once() {
        let (pool, release) = busy_pool(1, LONG);
        occupy(&pool, || {});
        assert_eq!(pool.waiting(), 1);
        assert_eq!(block_on(run(&pool, || 1)), Err(PoolError::Full));
        drop(release);
    }

    #[test]
    fn work_nobody_waits_for_is_not_started() {
        let (pool, release) = busy_pool(8, LONG);
        let ran = Arc::new(AtomicBool::new(false));
        let flag = Arc::clone(&ran);
        block_on(async {
            let abandoned = run(&pool, move || flag.store(true, Ordering::SeqCst));
            tokio::select! {
                biased;
                _ = abandoned => panic!("the only thread is busy"),
                () = tokio::task::yield_now() => {}
            }
        });
        drop(release);
        assert_eq!(block_on(run(&pool, || 2)), Ok(2), "the next in the queue");
        assert!(!ran.load(Ordering::SeqCst));
    }

    #[test]
    fn work_that_has_waited_too_long_is_not_started() {
        let patience = Duration::from_millis(20);
        let (pool, release) = busy_pool(8, patience);
        let ran = Arc::new(AtomicBool::new(false));
        let flag = Arc::clone(&ran);
        let outcome = block_on(async {
            let late = run(&pool, move || flag.store(true, Ordering::SeqCst));
            let end = async {
                tokio::time::sleep(3 * patience).await;
                drop(release);
            };
            tokio::join!(late, end).0
        });
        assert_eq!(outcome, Err(PoolError::Stale));
        assert!(!ran.load(Ordering::SeqCst));
        assert_eq!(block_on(run(&pool, || 4)), Ok(4), "the next one is in time");
    }

    #[test]
    fn a_panic_costs_one_request_only() {
        let pool = Pool::start(1, 8, LONG).unwrap();
        let failed = block_on(run(&pool, || -> u8 { panic!("on purpose") }));
        assert_eq!(failed, Err(PoolError::Panicked));
        assert_eq!(block_on(run(&pool, || 3)), Ok(3));
    }
}
