//! From pictures and texts to embeddings, on all cores.
//!
//! Each example is embedded alone, on one core: so its numbers depend on nothing
//! but itself, and are the same whether they are kept or made again.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{self, Sender};
use std::time::Instant;

use anyhow::{Context, Result, anyhow, ensure};
use backbone::{Backbone, Embedder, Seen};
use model::{Digest, Lane};
use ndarray::{Array2, Axis};

use super::cache::{Cache, Embedding};
use super::examples::{Content, Example, Examples};
use crate::TrainingOptions;
use crate::progress::{Progress, step, warn};
use crate::run::counted;

/// Broken examples that are named in the log.
const MOST_NAMED: usize = 20;

/// The largest file of a picture, in bytes; larger ones are not read.
const LARGEST: u64 = 64 << 20;

/// What all lanes share.
struct Work {
    embedder: Embedder,
    cache: Cache,
    items: Vec<Example>,
    next: AtomicUsize,
    kept: AtomicUsize,
}

type Found = Result<Embedding, String>;

/// Whether each text was cut, or why there is no embedding.
type States = Vec<Option<Result<bool, String>>>;

/// Embeds every example; those that cannot be are moved to the broken ones. Gives the
/// embeddings where a head learns from something else, and what it learns from, both
/// `[examples, width]`.
pub(super) fn embed(
    embedder: Embedder,
    options: &TrainingOptions,
    examples: &mut Examples,
    backbone: &Backbone,
) -> Result<(Option<Array2<f32>>, Array2<f32>)> {
    let cache = Cache::open(options.cache.as_deref(), embedder.engine(), backbone);
    let work = Arc::new(Work {
        embedder,
        cache,
        items: std::mem::take(&mut examples.items),
        next: AtomicUsize::new(0),
        kept: AtomicUsize::new(0),
    });
    let begin = Instant::now();
    let width = backbone.seen_width();
    let (mut values, states) = on_all_cores(&work, width)?;
    let work = Arc::into_inner(work).context("a lane has not ended")?;
    for (index, (item, state)) in work.items.into_iter().zip(states).enumerate() {
        match state.context("an example was left out: this is a fault of this program")? {
            Ok(cut) => {
                let place = examples.items.len() * width;
                values.copy_within(index * width..(index + 1) * width, place);
                examples.cut += usize::from(cut);
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
    values.truncate(examples.items.len() * width);
    let all = Array2::from_shape_vec((examples.items.len(), width), values)?;
    if backbone.description.features.is_none() {
        return Ok((None, all));
    }
    let (embeddings, features) = all.view().split_at(Axis(1), backbone.width());
    Ok((Some(embeddings.to_owned()), features.to_owned()))
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

/// The embeddings one after the other, each in its place also where others are
/// missing.
fn on_all_cores(work: &Arc<Work>, width: usize) -> Result<(Vec<f32>, States)> {
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
    let mut values = vec![0.0; all * width];
    let mut states: States = vec![None; all];
    let progress = Progress::new("embedded", all);
    for (index, found) in receiver {
        let place = values.get_mut(index * width..(index + 1) * width);
        if let (Ok(found), Some(place)) = (&found, place) {
            ensure!(
                found.values.len() == width,
                "an embedding has another length"
            );
            place.copy_from_slice(&found.values);
        }
        if let Some(state) = states.get_mut(index) {
            *state = Some(found.map(|found| found.cut));
        }
        progress.advance(1);
    }
    for lane in lanes {
        lane.join()
            .map_err(|_| anyhow!("a thread that embeds has failed"))?;
    }
    Ok((values, states))
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
            Content::Text(text, _) => Digest::of(text.as_bytes()),
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
            let bytes = read(path)?;
            if Digest::of(&bytes) != *digest {
                return Err("it has changed while it was read".to_owned());
            }
            let values = embedder.picture(&bytes, lane);
            values.map(|seen| whole(seen, false))
        }
        Content::Text(text, _) => embedder
            .texts(&[text], lane)
            .map(|(seen, cut)| whole(seen, !cut.is_empty())),
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

/// The bytes of a picture's file, unless they are more than any picture has.
fn read(path: &Path) -> Result<Vec<u8>, String> {
    let unreadable = |e: io::Error| format!("cannot read it: {e}");
    let file = File::open(path).map_err(unreadable)?;
    let mut bytes = Vec::new();
    let read = file.take(LARGEST + 1).read_to_end(&mut bytes);
    read.map_err(unreadable)?;
    if bytes.len() as u64 > LARGEST {
        let most = LARGEST >> 20;
        return Err(format!("the file has more than {most} MiB"));
    }
    Ok(bytes)
}

/// The embedding of one example, and behind it what a head learns from.
fn whole(seen: Seen, cut: bool) -> Embedding {
    let mut values = seen.embeddings;
    values.extend(seen.features);
    Embedding { values, cut }
}
