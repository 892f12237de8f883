//! A request on its way through the steps between which the model runs.

use std::sync::Arc;
use std::time::{Duration, Instant};

use model::Lane;
use tokio::sync::oneshot;

use super::features::Features;
use super::pool::{PoolError, guarded};
use super::predictor::{Prediction, Predictor};
use super::takes::PredictError;
use crate::problem::Problem;

/// How far a request comes without the model.
pub(crate) enum Step<T> {
    /// To its answer, with the number of rows predicted.
    Done(usize, T),
    /// To what the model is asked, and how its prediction becomes the answer.
    Ask(Features, Finish<T>),
}

/// Makes the answer from what the model says.
pub(crate) type Finish<T> = Box<dyn FnOnce(&Predictor, Prediction) -> Result<T, Problem> + Send>;

/// What became of a request.
#[derive(Debug)]
pub(crate) struct Answered<T> {
    /// The answer.
    pub(crate) outcome: Result<T, Problem>,
    /// Rows that were predicted.
    pub(crate) rows: usize,
    /// What it has cost a thread; not known where others have shared the run.
    pub(crate) time: Option<Duration>,
    /// The run of the model, where there was one.
    pub(crate) run: Option<Run>,
}

/// A run of a model.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Run {
    pub(crate) start: Instant,
    pub(crate) time: Duration,
    /// The requests that it has answered.
    pub(crate) requests: usize,
}

impl Run {
    /// The run that has begun at `start` and ends now.
    pub(super) fn since(start: Instant, requests: usize) -> Self {
        Self {
            start,
            time: start.elapsed(),
            requests,
        }
    }
}

impl<T> Answered<T> {
    fn new(outcome: Result<(usize, T), Problem>, time: Option<Duration>, run: Option<Run>) -> Self {
        let (rows, outcome) = match outcome {
            Ok((rows, answer)) => (rows, Ok(answer)),
            Err(problem) => (0, Err(problem)),
        };
        Self {
            outcome,
            rows,
            time,
            run,
        }
    }
}

/// Answers a request to `predictor` on the calling thread, which is `lane`.
///
/// # Errors
///
/// When the work panics.
pub(crate) fn at_once<T>(
    lane: &Lane,
    predictor: Option<&Predictor>,
    work: impl FnOnce() -> Result<Step<T>, Problem>,
) -> Result<Answered<T>, PoolError> {
    let start = Instant::now();
    let mut run = None;
    let outcome = guarded(|| match work()? {
        Step::Done(rows, answer) => Ok((rows, answer)),
        Step::Ask(features, finish) => {
            let predictor = predictor.ok_or_else(no_model)?;
            let start = Instant::now();
            let prediction = predictor.predict(lane, features);
            run = Some(Run::since(start, 1));
            let prediction = prediction?;
            Ok((prediction.rows, finish(predictor, prediction)?))
        }
    });
    Ok(Answered::new(outcome?, Some(start.elapsed()), run))
}

/// A request in the hands of a compute thread, whatever its answer is.
pub(super) trait Asked: Send {
    /// The model that it asks, if it does.
    fn predictor(&self) -> Option<&Arc<Predictor>>;

    /// Whether anybody waits for the answer.
    fn is_wanted(&self) -> bool;

    /// When it was asked.
    fn since(&self) -> Instant;

    /// Reads the request; gives what the model is asked, or answers it.
    fn open(&mut self) -> Option<Features>;

    /// Answers with what the model says in `run`, if it came to that.
    fn close(&mut self, prediction: Result<Prediction, PredictError>, run: Option<Run>);

    /// Says why it is not answered.
    fn refuse(&mut self, why: PoolError);
}

/// What is sent to whoever waits.
pub(super) type Reply<T> = Result<Answered<T>, PoolError>;

/// A request whose answer is a `T`.
pub(super) struct Request<T, W> {
    predictor: Option<Arc<Predictor>>,
    since: Instant,
    work: Option<W>,
    finish: Option<Finish<T>>,
    /// What reading has taken.
    time: Duration,
    reply: Option<oneshot::Sender<Reply<T>>>,
}

impl<T, W> Request<T, W> {
    /// The request whose first step is `work`, and where its answer comes.
    pub(super) fn new(
        predictor: Option<Arc<Predictor>>,
        work: W,
    ) -> (Self, oneshot::Receiver<Reply<T>>) {
        let (reply, answer) = oneshot::channel();
        let request = Self {
            predictor,
            since: Instant::now(),
            work: Some(work),
            finish: None,
            time: Duration::ZERO,
            reply: Some(reply),
        };
        (request, answer)
    }

    fn tell(&mut self, reply: Reply<T>) {
        if let Some(sender) = self.reply.take() {
            // The client may hang up while its work is done: nobody to tell.
            let _gone = sender.send(reply);
        }
    }

    fn answer(
        &mut self,
        outcome: Result<(usize, T), Problem>,
        time: Option<Duration>,
        run: Option<Run>,
    ) {
        self.tell(Ok(Answered::new(outcome, time, run)));
    }
}

impl<T, W> Asked for Request<T, W>
where
    T: Send,
    W: FnOnce() -> Result<Step<T>, Problem> + Send,
{
    fn predictor(&self) -> Option<&Arc<Predictor>> {
        self.predictor.as_ref()
    }

    fn is_wanted(&self) -> bool {
        self.reply.as_ref().is_some_and(|reply| !reply.is_closed())
    }

    fn since(&self) -> Instant {
        self.since
    }

    fn open(&mut self) -> Option<Features> {
        let start = Instant::now();
        let work = self.work.take()?;
        let step = work();
        self.time = start.elapsed();
        let outcome = match step {
            Ok(Step::Ask(features, finish)) => {
                self.finish = Some(finish);
                return Some(features);
            }
            Ok(Step::Done(rows, answer)) => Ok((rows, answer)),
            Err(problem) => Err(problem),
        };
        self.answer(outcome, Some(self.time), None);
        None
    }

    fn close(&mut self, prediction: Result<Prediction, PredictError>, run: Option<Run>) {
        let start = Instant::now();
        let outcome = match (prediction, &self.predictor, self.finish.take()) {
            (Ok(prediction), Some(predictor), Some(finish)) => {
                let rows = prediction.rows;
                finish(predictor, prediction).map(|answer| (rows, answer))
            }
            (Ok(_), ..) => Err(no_model()),
            (Err(error), ..) => Err(error.into()),
        };
        let own = run.filter(|run| run.requests == 1);
        let time = own.map(|run| self.time + run.time + start.elapsed());
        self.answer(outcome, time, run);
    }

    fn refuse(&mut self, why: PoolError) {
        self.tell(Err(why));
    }
}

fn no_model() -> Problem {
    Problem::Internal("the request asks no model".to_owned())
}
