//! Examples that resemble each other so much that they must not stand on both
//! sides of a split.

use std::collections::BTreeMap;

use model::Digest;
use ndarray::{Array2, Axis, Slice};

use super::examples::{Content, Examples};
use crate::data::twins;
use crate::progress::step;
use crate::run::counted;

/// The cosine of two embeddings from which on they are taken as the same thing.
const ALIKE: f32 = 0.97;

/// More examples than this are compared by content alone: the time grows with the
/// square of their number.
const MOST_COMPARED: usize = 6000;

/// Shorter embeddings are alike by chance.
const LEAST_WIDTH: usize = 64;

/// Rows that are compared with the others at once.
const BLOCK: usize = 256;

/// For each example, the position of the first one that it resembles, directly or
/// by others; its own where there is none.
pub(super) fn groups(examples: &Examples, vectors: &Array2<f32>) -> Vec<usize> {
    let mut roots: Vec<usize> = (0..examples.items.len()).collect();
    let mut first = BTreeMap::new();
    for (index, item) in examples.items.iter().enumerate() {
        let digest = match &item.content {
            Content::File(_, digest) => *digest,
            Content::Text(text, _) => Digest::of(text.as_bytes()),
        };
        join(&mut roots, *first.entry(digest).or_insert(index), index);
    }
    let noun = examples.kind.noun();
    match why_not((examples.items.len(), noun), vectors.ncols()) {
        Some(reason) => step(format_args!(
            "only the same content is kept on one side of the split, and not what is nearly so: \
             {reason}"
        )),
        None => compare(vectors, &mut roots),
    }
    let groups: Vec<usize> = (0..roots.len()).map(|index| root(&roots, index)).collect();
    let twins: usize = twins(&groups).iter().map(Vec::len).sum();
    if twins > 0 {
        step(format_args!(
            "{} are alike or nearly so: they stay on one side of the split",
            counted(twins, noun)
        ));
    }
    groups
}

/// Why embeddings of so many examples, and of so many numbers each, are not compared.
fn why_not((count, noun): (usize, &str), width: usize) -> Option<String> {
    if count > MOST_COMPARED {
        return Some(format!(
            "{count} {noun}s take long to compare, {MOST_COMPARED} at most are"
        ));
    }
    (width < LEAST_WIDTH).then(|| {
        format!(
            "embeddings of {width} numbers are alike by chance, they are compared from \
             {LEAST_WIDTH} on"
        )
    })
}

fn compare(vectors: &Array2<f32>, roots: &mut [usize]) {
    let mut unit = vectors.clone();
    for mut row in unit.rows_mut() {
        let length = row.dot(&row).sqrt().max(f32::MIN_POSITIVE);
        row /= length;
    }
    for begin in (0..unit.nrows()).step_by(BLOCK) {
        let end = (begin + BLOCK).min(unit.nrows());
        let block = unit.slice_axis(Axis(0), Slice::from(begin..end));
        let cosines = block.dot(&unit.slice_axis(Axis(0), Slice::from(begin..)).t());
        for (index, row) in cosines.axis_iter(Axis(0)).enumerate() {
            let later = row.iter().enumerate().skip(index + 1);
            for (other, _) in later.filter(|(_, cosine)| **cosine >= ALIKE) {
                join(roots, begin + index, begin + other);
            }
        }
    }
}

fn root(roots: &[usize], mut index: usize) -> usize {
    while let Some(next) = roots.get(index).filter(|next| **next != index) {
        index = *next;
    }
    index
}

fn join(roots: &mut [usize], a: usize, b: usize) {
    let (a, b) = (root(roots, a), root(roots, b));
    if let Some(slot) = roots.get_mut(a.max(b)) {
        *slot = a.min(b);
    }
}

#[cfg(test)]
mod tests {
    use ndarray::array;

    use super::*;

    #[test]
    fn many_examples_and_short_embeddings_are_not_compared() {
        assert_eq!(why_not((6000, "text"), 64), None);
        let many = why_not((6001, "text"), 64).unwrap();
        assert!(many.starts_with("6001 texts take long"), "{many}");
        let short = why_not((2, "text"), 63).unwrap();
        assert!(short.starts_with("embeddings of 63 numbers"), "{short}");
    }

    #[test]
    fn what_is_alike_comes_together() {
        let mut roots: Vec<usize> = (0..5).collect();
        let vectors = array![[1.0, 0.0], [0.0, 2.0], [5.0, 0.1], [0.0, 0.0], [0.1, 9.0]];
        compare(&vectors, &mut roots);
        let groups: Vec<usize> = (0..5).map(|index| root(&roots, index)).collect();
        assert_eq!(groups, [0, 1, 0, 3, 1]);
        assert_eq!(twins(&groups), [vec![0, 2], vec![1, 4]]);
    }
}
