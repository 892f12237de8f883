//! What a compute thread does with a request: alone, or joined with others that wait
//! for the same model.
//!
//! Nobody waits while a thread is there for him, unless the deployment allows it: a
//! thread that takes a request takes its share of those behind it too, reads them all,
//! and runs the graph once. Each keeps its own answer, error, outlier score and
//! deadline.

use std::mem;
use std::sync::Arc;
use std::time::{Duration, Instant};

use model::{Lane, SessionError};

use super::asked::{Asked, Run};
use super::features::Features;
use super::pays::Way;
use super::pool::{PoolError, guarded};
use super::predictor::{Prediction, Predictor};
use super::queue::{Gathering, Key, Queue};
use super::takes::PredictError;

/// Two answers that differ by more, beside the larger of 1 and the value, are not the
/// same.
const TOLERANCE: f32 = 1e-6;

/// The queue of all requests.
pub(super) type Waiting = Queue<Box<dyn Asked>>;

/// A request that a thread has taken, and maybe the right to wait for others.
pub(super) type Taken<'q> = (Box<dyn Asked>, Option<Gathering<'q, Box<dyn Asked>>>);

/// The key of requests to `predictor`, which lives as long as one of them.
pub(super) fn key(predictor: &Arc<Predictor>) -> Key {
    Key {
        model: Arc::as_ptr(predictor).addr(),
        is_gathered: !predictor.joining.delay.is_zero(),
    }
}

/// A request that has been read.
struct Member {
    asked: Box<dyn Asked>,
    features: Features,
    rows: usize,
}

type Outcome = Result<Prediction, PredictError>;

/// Answers `first`, and others of the `queue` with it where that pays, for which it
/// waits where it has the right. What is older than `patience` is refused.
pub(super) fn serve(
    queue: &Waiting,
    lane: &Lane,
    patience: Duration,
    (first, gathering): Taken<'_>,
) {
    let Some(predictor) = first.predictor().map(Arc::clone) else {
        // All that needs no model is done when it is read.
        open(first, patience);
        return;
    };
    let since = first.since();
    let Some(first) = open(first, patience) else {
        return;
    };
    let (joining, key) = (&predictor.joining, key(&predictor));
    let room = joining.most.saturating_sub(first.rows);
    let is_chance = room > 0 && first.rows > 0 && (gathering.is_some() || queue.of(key) > 0);
    let way = match is_chance {
        true => joining.way(),
        false => Way::Alone,
    };
    if way == Way::Alone {
        drop(gathering);
        let rows = first.rows;
        if let Some(time) = alone(lane, &predictor, first)
            && is_chance
        {
            joining.took_alone(rows, time);
        }
        return;
    }
    let mut members = vec![first];
    let more = match gathering {
        Some(gathering) => gathering.wait(room, since + joining.delay),
        None => queue.share(key, room),
    };
    members.extend(more.into_iter().filter_map(|asked| open(asked, patience)));
    // Reading may have taken long.
    members.retain(|member| member.asked.is_wanted());
    let rest = overflow(&mut members, joining.most);
    match (members.len(), way) {
        (0 | 1, _) => alone_each(lane, &predictor, members),
        (_, Way::Trial) => trial(lane, &predictor, members),
        _ => joined(lane, &predictor, members),
    }
    alone_each(lane, &predictor, rest);
}

/// Reads a request. `None` if that is all there is to do: nobody waits for it, it has
/// waited too long, or it is answered.
fn open(mut asked: Box<dyn Asked>, patience: Duration) -> Option<Member> {
    if !asked.is_wanted() {
        return None;
    }
    if asked.since().elapsed() > patience {
        asked.refuse(PoolError::Stale);
        return None;
    }
    // When it panics, it is dropped, which tells its client.
    let features = guarded(|| asked.open()).ok().flatten()?;
    let rows = asked.predictor()?.takes.count(&features);
    Some(Member {
        asked,
        features,
        rows,
    })
}

/// Takes out what would make more than `most` rows.
fn overflow(members: &mut Vec<Member>, most: usize) -> Vec<Member> {
    let mut rows = 0;
    let fits = |member: &mut Member| {
        let fits = member.rows > 0 && rows + member.rows <= most;
        rows += if fits { member.rows } else { 0 };
        !fits
    };
    members.extract_if(.., fits).collect()
}

fn alone_each(lane: &Lane, predictor: &Predictor, members: Vec<Member>) {
    for member in members {
        alone(lane, predictor, member);
    }
}

/// Answers a request by a run of its own; gives the time of the run.
fn alone(lane: &Lane, predictor: &Predictor, member: Member) -> Option<Duration> {
    let Member {
        mut asked,
        features,
        ..
    } = member;
    let answered = guarded(|| {
        let start = Instant::now();
        let outcome = predictor.predict(lane, features);
        let run = Run::since(start, 1);
        asked.close(outcome, Some(run));
        run.time
    });
    answered.ok()
}

/// Answers all by one run; each by its own if that fails, so that only those fail
/// whose fault it is.
fn joined(lane: &Lane, predictor: &Predictor, members: Vec<Member>) {
    let members = prepared(predictor, members);
    let (outcome, run) = run_joined(lane, predictor, &members);
    match outcome {
        Ok(predictions) => {
            predictor.joining.took_joined(rows(&members), run.time);
            predictor.joining.ran(members.len());
            close(predictor, members, predictions.into_iter().map(Ok), run);
        }
        Err(reason) => {
            let (outcomes, run) = run_each(lane, predictor, &members);
            if outcomes.iter().all(Result::is_ok) {
                predictor.joining.forbid(&reason);
            }
            close(predictor, members, outcomes, run);
        }
    }
}

/// Answers each by a run of its own, and compares that with one run for all.
fn trial(lane: &Lane, predictor: &Predictor, members: Vec<Member>) {
    let members = prepared(predictor, members);
    let (each, alone) = run_each(lane, predictor, &members);
    let right: Result<Vec<&Prediction>, _> = each.iter().map(Result::as_ref).collect();
    if let Ok(right) = right
        && right.len() > 1
    {
        let is_same = |all: &[Prediction]| {
            let mut pairs = right.iter().zip(all);
            pairs.all(|(one, other)| one.is_close(other, TOLERANCE))
        };
        let joining = &predictor.joining;
        match run_joined(lane, predictor, &members) {
            (Ok(all), joined) if is_same(&all) => {
                joining.tried(rows(&members), alone.time, joined.time);
            }
            (Ok(_), _) => joining.forbid("beside other rows, a row has another answer"),
            (Err(reason), _) => joining.forbid(&reason),
        }
    }
    close(predictor, members, each, alone);
}

fn rows(members: &[Member]) -> usize {
    members.iter().map(|member| member.rows).sum()
}

/// Decodes what is left to decode, and answers those whose content is wrong.
fn prepared(predictor: &Predictor, members: Vec<Member>) -> Vec<Member> {
    let prepare = |mut member: Member| {
        let features = mem::take(&mut member.features);
        match guarded(|| predictor.takes.prepare(features)) {
            Ok(Ok(features)) => {
                member.features = features;
                Some(member)
            }
            Ok(Err(error)) => {
                member.asked.close(Err(error), None);
                None
            }
            Err(panicked) => {
                member.asked.refuse(panicked);
                None
            }
        }
    };
    members.into_iter().filter_map(prepare).collect()
}

/// Runs the graph once for each.
fn run_each(lane: &Lane, predictor: &Predictor, members: &[Member]) -> (Vec<Outcome>, Run) {
    let start = Instant::now();
    let run = |member: &Member| {
        predictor.joining.ran(1);
        let outcome = guarded(|| predictor.infer(Some(lane), member.features.clone()));
        let panicked = |error: PoolError| Err(SessionError::Run(error.to_string()).into());
        outcome.unwrap_or_else(panicked)
    };
    let outcomes = members.iter().map(run).collect();
    (outcomes, Run::since(start, members.len()))
}

/// Runs the graph once for all, or says why that cannot be done.
fn run_joined(
    lane: &Lane,
    predictor: &Predictor,
    members: &[Member],
) -> (Result<Vec<Prediction>, String>, Run) {
    let start = Instant::now();
    let features: Vec<&Features> = members.iter().map(|member| &member.features).collect();
    let counts: Vec<usize> = members.iter().map(|member| member.rows).collect();
    let outcome = guarded(|| predictor.infer_joined(lane, &features, &counts));
    let outcome = match outcome {
        Ok(outcome) => outcome.map_err(|error| error.to_string()),
        Err(panicked) => Err(panicked.to_string()),
    };
    (outcome, Run::since(start, members.len()))
}

/// Answers each with its outcome.
fn close(
    predictor: &Predictor,
    members: Vec<Member>,
    outcomes: impl IntoIterator<Item = Outcome>,
    run: Run,
) {
    for (mut member, outcome) in members.into_iter().zip(outcomes) {
        let outcome = outcome.map(|prediction| predictor.watched(&member.features, prediction));
        // When it panics, it is dropped, which tells its client.
        let _told = guarded(|| member.asked.close(outcome, Some(run)));
    }
}
