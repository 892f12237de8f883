//! From pictures and texts to embeddings, on all cores.
//!
//! Each example is embedded alone, on one core: so its numbers depend on nothing
//! but itself, and are the same whether they are kept or made again.

use std::fs;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{self, Sender};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow};
use backbone::{Backbone, Embedder};
use model::{Digest, Lane};
use ndarray::Array2;

use super::cache::{Cache, Embedding};
use super::examples::{Content, Example, Examples};
use crate::progress::{step, warn};
use crate::run::counted;

/// How long nothing is said.
const PAUSE: Duration = Duration::from_secs(5);

/// Broken examples that are named in the log.
const MOST_NAMED: usize = 20;

/// What all lanes share.
struct Work {
    embedder: Embedder,
    cache: Cache,
    items: Vec<Example>,
    next: AtomicUsize,
    kept: AtomicUsize,
}

type Found = Result<Embedding, String>;

/// Embeds every example, `[examples, width]`; those that cannot be are moved to
/// the broken ones.
pub(super) fn embed(
    embedder: Embedder,
    cache: Cache,
    examples: &mut Examples,
    backbone: &Backbone,
) -> Result<Array2<f32>> {
    let work = Arc::new(Work {
        embedder,
        cache,
        items: std::mem::take(&mut examples.items),
        next: AtomicUsize::new(0),
        kept: AtomicUsize::new(0),
    });
    let begin = Instant::now();
    let found = on_all_cores(&work)?;
    let work = Arc::into_inner(work).context("a lane has not ended")?;
    let mut values = Vec::new();
    for (item, found) in work.items.into_iter().zip(found) {
        match found.context("an example was left out: this is a fault of this program")? {
            Ok(embedding) => {
                values.extend(embedding.values);
                examples.cut += usize::from(embedding.cut);
                examples.items.push(item);
            }
            Err(reason) => examples.broken.push((item.name, reason)),
        }
    }
    let noun = examples.kind.noun();
    step(format_args!(
        "embedded {} in {:.1} s, {} of them kept from before",
        counted(examples.items.len(), noun),
        begin.elapsed().as_secs_f64(),
        work.kept.into_inner()
    ));
    tell(examples);
    let shape = (examples.items.len(), backbone.width());
    Ok(Array2::from_shape_vec(shape, values)?)
}

fn tell(examples: &Examples) {
    for (name, reason) in examples.broken.iter().take(MOST_NAMED) {
        warn(&format!("left out {name}: {reason}"));
    }
    let more = examples.broken.len().saturating_sub(MOST_NAMED);
    if more > 0 {
        warn(&format!("left out {more} more; the report lists all"));
    }
    if examples.cut > 0 {
        warn(&format!(
            "{} longer than the backbone reads: cut at the end",
            counted(examples.cut, "text")
        ));
    }
}

fn on_all_cores(work: &Arc<Work>) -> Result<Vec<Option<Found>>> {
    let (sender, receiver) = mpsc::channel();
    let cores = std::thread::available_parallelism().map_or(1, Into::into);
    let lane = |number: usize| {
        let (work, sender) = (Arc::clone(work), sender.clone());
        Lane::spawn(format!("embed-{number}"), move |lane| {
            work.run(lane, &sender)
        })
    };
    let lanes = (0..cores.min(work.items.len())).map(lane);
    let lanes = lanes
        .collect::<Result<Vec<_>, _>>()
        .context("cannot start a thread")?;
    drop(sender);
    let all = work.items.len();
    let mut found: Vec<Option<Found>> = vec![None; all];
    let begin = Instant::now();
    let mut last = begin;
    for (done, (index, result)) in receiver.into_iter().enumerate() {
        if let Some(slot) = found.get_mut(index) {
            *slot = Some(result);
        }
        if last.elapsed() > PAUSE {
            last = Instant::now();
            let share = (done + 1) as f64 / all as f64;
            let left = begin.elapsed().as_secs_f64() * (1.0 - share) / share;
            step(format_args!(
                "embedded {:.0} %, {left:.0} s left",
                share * 100.0
            ));
        }
    }
    for lane in lanes {
        lane.join()
            .map_err(|_| anyhow!("a thread that embeds has failed"))?;
    }
    Ok(found)
}

impl Work {
    fn run(&self, lane: &Lane, results: &Sender<(usize, Found)>) {
        loop {
            let index = self.next.fetch_add(1, Ordering::Relaxed);
            let Some(item) = self.items.get(index) else {
                return;
            };
            if results.send((index, self.embed(item, lane))).is_err() {
                return;
            }
        }
    }

    fn embed(&self, item: &Example, lane: &Lane) -> Found {
        let digest = match &item.content {
            Content::File(_, digest) => *digest,
            Content::Text(text) => Digest::of(text.as_bytes()),
        };
        if let Some(kept) = self.cache.get(digest) {
            self.kept.fetch_add(1, Ordering::Relaxed);
            return Ok(kept);
        }
        let made = one(&self.embedder, &item.content, Some(lane))?;
        self.cache.put(digest, &made);
        Ok(made)
    }
}

/// Embeds one picture or text.
fn one(embedder: &Embedder, content: &Content, lane: Option<&Lane>) -> Found {
    let made = match content {
        Content::File(path, digest) => {
            let bytes = fs::read(path).map_err(|e| format!("cannot read it: {e}"))?;
            if Digest::of(&bytes) != *digest {
                return Err("it has changed while it was read".to_owned());
            }
            let values = embedder.picture(&bytes, lane);
            values.map(|values| Embedding { values, cut: false })
        }
        Content::Text(text) => embedder
            .texts(&[text], lane)
            .map(|(values, cut)| Embedding {
                values,
                cut: !cut.is_empty(),
            }),
    };
    // A decoder's words may be several lines.
    let one_line = |text: String| text.split_whitespace().collect::<Vec<_>>().join(" ");
    let made = made.map_err(|e| one_line(e.to_string()))?;
    if made.values.iter().all(|value| value.is_finite()) {
        Ok(made)
    } else {
        Err("its embedding is not finite".to_owned())
    }
}
