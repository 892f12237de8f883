//! Chooses the rows that are held out for measuring.

use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_xoshiro::Xoshiro256PlusPlus;

use super::{DataError, Target, classes_of};

/// The two parts of the rows, each in the order of the table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Split {
    /// The rows to learn from.
    pub(crate) training: Vec<usize>,
    /// The rows to measure with.
    pub(crate) held_out: Vec<usize>,
    /// The classes that have one row, which is in the training part.
    pub(crate) seen_once: Vec<usize>,
}

/// Holds out the given share of the rows, at least one, by the seed alone.
///
/// In a classification every class gives its share, as near as whole rows allow,
/// and keeps at least one row to learn from.
///
/// # Errors
///
/// When no row can be held out.
pub(crate) fn split(
    target: &Target,
    share: f64,
    seed: u64,
    name: &str,
) -> Result<Split, DataError> {
    let mut random = Xoshiro256PlusPlus::seed_from_u64(seed);
    let (mut groups, classification) = match target {
        Target::Classes { labels, codes } => (classes_of(codes, labels.len()), true),
        Target::Numbers(numbers) => (vec![(0..numbers.len()).collect()], false),
    };
    let seen_once = groups
        .iter()
        .enumerate()
        .filter(|(_, rows)| classification && rows.len() == 1)
        .map(|(class, _)| class)
        .collect();
    let sizes: Vec<usize> = groups.iter().map(Vec::len).collect();
    let mut parts = Split {
        training: Vec::new(),
        held_out: Vec::new(),
        seen_once,
    };
    for (rows, count) in groups.iter_mut().zip(counts(&sizes, share)) {
        rows.shuffle(&mut random);
        let (held_out, training) = rows.split_at(count.min(rows.len()));
        parts.held_out.extend(held_out);
        parts.training.extend(training);
    }
    if parts.held_out.is_empty() {
        return Err(DataError::Target {
            column: name.to_owned(),
            problem: "has too few rows: none can be held out for measuring".to_owned(),
        });
    }
    parts.training.sort_unstable();
    parts.held_out.sort_unstable();
    Ok(parts)
}

/// How many rows each group holds out: the whole part of its share, and the rest
/// to those with the largest remainders.
#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "numbers of rows"
)]
pub(crate) fn counts(sizes: &[usize], share: f64) -> Vec<usize> {
    let exact: Vec<f64> = sizes.iter().map(|size| *size as f64 * share).collect();
    let most: Vec<usize> = sizes.iter().map(|size| size.saturating_sub(1)).collect();
    let mut counts: Vec<usize> = exact
        .iter()
        .zip(&most)
        .map(|(e, m)| (*e as usize).min(*m))
        .collect();
    let wanted = (exact.iter().sum::<f64>().round() as usize).max(1);
    let mut order: Vec<usize> = (0..sizes.len()).collect();
    let remainder = |group: &usize| exact.get(*group).map_or(0.0, |e| e.fract());
    order.sort_by(|a, b| remainder(b).total_cmp(&remainder(a)));
    let mut missing = wanted.saturating_sub(counts.iter().sum());
    for group in order {
        if let (Some(count), Some(most)) = (counts.get_mut(group), most.get(group))
            && missing > 0
            && *count < *most
        {
            *count += 1;
            missing -= 1;
        }
    }
    counts
}

#[cfg(test)]
mod tests {
    use super::*;

    fn classes(counts: &[usize]) -> Target {
        let codes = counts
            .iter()
            .enumerate()
            .flat_map(|(class, n)| vec![class; *n])
            .collect();
        Target::Classes {
            labels: (0..counts.len()).map(|c| c.to_string()).collect(),
            codes,
        }
    }

    #[test]
    fn classes_keep_their_share() {
        let Target::Classes { codes, .. } = classes(&[50, 30, 10, 1]) else {
            panic!()
        };
        let parts = split(&classes(&[50, 30, 10, 1]), 0.2, 1, "y").unwrap();
        let held: Vec<usize> = (0..4)
            .map(|c| parts.held_out.iter().filter(|r| codes[**r] == c).count())
            .collect();
        assert_eq!(held, [10, 6, 2, 0]);
        assert_eq!(parts.seen_once, [3]);
        assert_eq!(parts.training.len() + parts.held_out.len(), 91);
    }

    #[test]
    fn small_classes_share_the_remainder() {
        let parts = split(&classes(&[2; 500]), 0.2, 1, "y").unwrap();
        assert_eq!(parts.held_out.len(), 200);
        assert_eq!(
            split(&classes(&[2, 1]), 0.2, 1, "y")
                .unwrap()
                .held_out
                .len(),
            1
        );
        assert!(split(&classes(&[1, 1]), 0.2, 1, "y").is_err());
        assert!(split(&Target::Numbers(vec![1.0]), 0.5, 1, "y").is_err());
    }

    #[test]
    fn the_seed_decides() {
        let numbers = Target::Numbers((0..100_u8).map(f64::from).collect());
        let held = |seed| split(&numbers, 0.2, seed, "y").unwrap().held_out;
        assert_eq!(held(1), held(1));
        assert_ne!(held(1), held(2));
        assert_eq!(
            held(0)[..5],
            [0, 5, 6, 12, 21],
            "a changed generator changes every model"
        );
    }
}
