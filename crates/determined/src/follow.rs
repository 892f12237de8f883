//! Waiting for an experiment, with its logs.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Semaphore, mpsc};
use tokio::task::JoinSet;
use tokio::time::Instant;

use crate::{Client, Error, Experiment, Job, LogLine, Phase};

/// How [`Client::follow`] waits.
#[derive(Debug, Clone, Copy)]
pub struct FollowOptions {
    /// The time between two looks at the experiment. The Python SDK takes 5 s.
    pub interval: Duration,
    /// How long the master may be away before waiting for it is given up.
    pub patience: Duration,
    /// How long the logs may take to end after the experiment has. They close
    /// some five seconds after the task.
    pub log_grace: Duration,
}

impl Default for FollowOptions {
    fn default() -> Self {
        Self {
            interval: Duration::from_secs(5),
            patience: Duration::from_secs(15 * 60),
            log_grace: Duration::from_secs(15),
        }
    }
}

/// What [`Follow::next`] tells.
#[derive(Debug)]
#[non_exhaustive]
pub enum Event {
    /// The experiment as it is now, each time it is looked at; and its place in
    /// the queue, if it waits there.
    Looked(Box<Experiment>, Option<Job>),
    /// A line of the log of one of its trials.
    Log(LogLine),
    /// A trial's log cannot be read further. Training goes on.
    LogLost {
        /// The trial.
        trial: i64,
        /// Why.
        error: Error,
    },
    /// The master does not answer for now; it is asked again.
    Away(Error),
}

/// How many trials' logs are read at once.
const LOGS_AT_ONCE: usize = 16;

/// An experiment being followed. Dropped, it is followed no longer.
#[derive(Debug)]
pub struct Follow {
    events: mpsc::Receiver<Result<Event, Error>>,
    _watcher: JoinSet<()>,
}

impl Client {
    /// Follows an experiment until it ends: its state at intervals, and the logs of
    /// all its trials from their beginning.
    ///
    /// Must be called within a Tokio runtime, on which it goes on.
    pub fn follow(&self, id: i64, options: FollowOptions) -> Follow {
        let (sender, events) = mpsc::channel(64);
        let mut watcher = JoinSet::new();
        watcher.spawn(
            Watcher {
                client: self.clone(),
                id,
                options,
                sender,
                slots: Arc::new(Semaphore::new(LOGS_AT_ONCE)),
                readers: JoinSet::new(),
                known: HashSet::new(),
            }
            .run(),
        );
        Follow {
            events,
            _watcher: watcher,
        }
    }
}

impl Follow {
    /// The next event. The last one is the [`Event::Looked`] that shows a
    /// completed or failed experiment; it comes after the last line of the logs.
    /// Then `None`.
    ///
    /// Nothing is lost when the future is dropped before it is ready, so it can
    /// stand beside a signal in `tokio::select!`. A paused experiment is reported
    /// like any other state: whether to wait on is the caller's choice.
    ///
    /// # Errors
    ///
    /// When the master refuses to show the experiment, or was away for longer
    /// than [`FollowOptions::patience`]. Then it is followed no longer.
    pub async fn next(&mut self) -> Result<Option<Event>, Error> {
        self.events.recv().await.transpose()
    }
}

/// The task that looks and reads.
struct Watcher {
    client: Client,
    id: i64,
    options: FollowOptions,
    sender: mpsc::Sender<Result<Event, Error>>,
    slots: Arc<Semaphore>,
    readers: JoinSet<()>,
    known: HashSet<i64>,
}

impl Watcher {
    async fn run(mut self) {
        let mut last_answer = Instant::now();
        loop {
            let event = match self.client.experiment_and_job(self.id).await {
                Ok((experiment, job)) => {
                    last_answer = Instant::now();
                    self.read_logs(&experiment);
                    let event = Event::Looked(Box::new(experiment), job);
                    if has_ended(&event) {
                        self.wait_for_logs().await;
                        let _ = self.sender.send(Ok(event)).await;
                        return;
                    }
                    Ok(event)
                }
                Err(error)
                    if error.is_transient() && last_answer.elapsed() < self.options.patience =>
                {
                    Ok(Event::Away(error))
                }
                Err(error) => Err(error),
            };
            let failed = event.is_err();
            if self.sender.send(event).await.is_err() || failed {
                return;
            }
            tokio::time::sleep(self.options.interval).await;
        }
    }

    /// Starts to read the logs of trials that are new.
    fn read_logs(&mut self, experiment: &Experiment) {
        for &trial in &experiment.trial_ids {
            if self.known.insert(trial) {
                let (client, sender) = (self.client.clone(), self.sender.clone());
                let slots = Arc::clone(&self.slots);
                self.readers.spawn(async move {
                    let _slot = slots.acquire().await;
                    read_log(&client, trial, &sender).await;
                });
            }
        }
    }

    async fn wait_for_logs(&mut self) {
        let all = async { while self.readers.join_next().await.is_some() {} };
        if tokio::time::timeout(self.options.log_grace, all)
            .await
            .is_err()
        {
            tracing::debug!("the logs have not ended in time");
            self.readers.abort_all();
        }
    }
}

fn has_ended(event: &Event) -> bool {
    let Event::Looked(experiment, _) = event else {
        return false;
    };
    matches!(experiment.state.phase(), Phase::Completed | Phase::Failed)
}

async fn read_log(client: &Client, trial: i64, sender: &mpsc::Sender<Result<Event, Error>>) {
    let mut log = client.trial_log(trial);
    loop {
        let event = match log.next().await {
            Ok(Some(line)) => Event::Log(line),
            Ok(None) => return,
            Err(error) => {
                let _ = sender.send(Ok(Event::LogLost { trial, error })).await;
                return;
            }
        };
        if sender.send(Ok(event)).await.is_err() {
            return;
        }
    }
}
