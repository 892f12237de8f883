//! Chooses the rows that are held out for measuring.

use std::collections::{BTreeMap, BTreeSet};

use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_xoshiro::Xoshiro256PlusPlus;

use super::alike::members;
use super::{DataError, Target, classes_of};

/// The two parts of the rows, each in the order of the table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Split {
    /// The rows to learn from.
    pub(crate) training: Vec<usize>,
    /// The rows to measure with.
    pub(crate) held_out: Vec<usize>,
    /// The classes that have one row, or copies of one, in the training part.
    pub(crate) seen_once: Vec<usize>,
}

/// Holds out the given share of the rows, at least one, by the seed alone.
///
/// In a classification every class gives its share, as near as whole rows allow,
/// and keeps at least one row to learn from. Rows with the same number in `groups`
/// stay together, and the shares are as near as that allows.
///
/// # Errors
///
/// When no row can be held out.
pub(crate) fn split(
    (target, groups): (&Target, &[usize]),
    share: f64,
    seed: u64,
    name: &str,
) -> Result<Split, DataError> {
    let mut random = Xoshiro256PlusPlus::seed_from_u64(seed);
    let mut classes = match target {
        Target::Classes { labels, codes } => classes_of(codes, labels.len()),
        Target::Numbers(numbers) => vec![(0..numbers.len()).collect()],
    };
    let group = |row: &usize| groups.get(*row);
    let is_one = |rows: &[usize]| {
        let first = rows.first();
        first.is_some_and(|first| rows.iter().all(|row| group(row) == group(first)))
    };
    let of_class = classes.iter().enumerate();
    let seen_once = of_class
        .filter(|(_, rows)| !target.labels().is_empty() && is_one(rows))
        .map(|(class, _)| class)
        .collect();
    for rows in &mut classes {
        rows.shuffle(&mut random);
    }
    let held_out = Holding::new(target, groups, &classes, share).held_out(&classes);
    if held_out.is_empty() {
        return Err(DataError::Target {
            column: name.to_owned(),
            problem: "has too few rows: none can be held out for measuring".to_owned(),
        });
    }
    Ok(Split {
        training: (0..groups.len())
            .filter(|row| !held_out.contains(row))
            .collect(),
        held_out: held_out.into_iter().collect(),
        seen_once,
    })
}

/// Rows that are held out group by group.
struct Holding<'a> {
    target: &'a Target,
    groups: &'a [usize],
    /// The rows of each group that was not looked at yet.
    members: BTreeMap<usize, Vec<usize>>,
    /// How many rows of each class there are, are to be held out, and are.
    classes: Vec<[usize; 3]>,
}

impl<'a> Holding<'a> {
    fn new(target: &'a Target, groups: &'a [usize], classes: &[Vec<usize>], share: f64) -> Self {
        let sizes: Vec<usize> = classes.iter().map(Vec::len).collect();
        let wanted = counts(&sizes, share);
        let classes = sizes.into_iter().zip(wanted);
        Self {
            target,
            groups,
            members: members(groups),
            classes: classes.map(|(size, wanted)| [size, wanted, 0]).collect(),
        }
    }

    /// The rows, of `classes` in this order.
    fn held_out(mut self, classes: &[Vec<usize>]) -> BTreeSet<usize> {
        let mut held_out = BTreeSet::new();
        for (class, rows) in classes.iter().enumerate() {
            for row in rows {
                let group = self.groups.get(*row);
                let Some(rows) = group.and_then(|group| self.members.remove(group)) else {
                    continue;
                };
                if self.take(&rows, class) {
                    held_out.extend(rows);
                }
            }
        }
        held_out
    }

    /// Counts `rows` as held out, unless a class would then give more than its share, or
    /// has no row to learn from. The first rows of the `class` may be too many, where
    /// none would be as far from the share.
    fn take(&mut self, rows: &[usize], class: usize) -> bool {
        let mut more: BTreeMap<usize, usize> = BTreeMap::new();
        for row in rows {
            *more.entry(self.target.code(*row)).or_default() += 1;
        }
        let own = self.classes.get(class);
        let first = own.is_some_and(|[_, wanted, held]| *wanted > 0 && *held == 0);
        let (mut before, mut after) = (0, 0);
        for (code, more) in &more {
            let [size, wanted, held] = self.classes.get(*code).copied().unwrap_or_default();
            if held + more >= size || (held + more > wanted && !first) {
                return false;
            }
            before += wanted.abs_diff(held);
            after += wanted.abs_diff(held + more);
        }
        if after > before {
            return false;
        }
        for (code, more) in more {
            if let Some([_, _, held]) = self.classes.get_mut(code) {
                *held += more;
            }
        }
        true
    }
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

    /// With every row by itself.
    fn split(target: &Target, share: f64, seed: u64, name: &str) -> Result<Split, DataError> {
        let rows = match target {
            Target::Classes { codes, .. } => codes.len(),
            Target::Numbers(numbers) => numbers.len(),
        };
        let alone: Vec<usize> = (0..rows).collect();
        super::split((target, &alone), share, seed, name)
    }

    #[test]
    fn groups_stay_whole_and_classes_keep_their_share() {
        // Sixty rows of one class and forty of another; of both, in twos and fives.
        let target = classes(&[60, 40]);
        let groups: Vec<usize> = (0..100)
            .map(|row| {
                if row % 60 < 30 {
                    row / 2
                } else {
                    100 + row / 5
                }
            })
            .collect();
        for seed in 0..20 {
            let parts = super::split((&target, &groups), 0.2, seed, "y").unwrap();
            let held: BTreeSet<usize> = parts.held_out.iter().map(|row| groups[*row]).collect();
            assert!(
                parts
                    .training
                    .iter()
                    .all(|row| !held.contains(&groups[*row]))
            );
            let second = parts.held_out.iter().filter(|row| **row >= 60).count();
            assert!((7..=9).contains(&second), "{second}");
            assert!((18..=22).contains(&parts.held_out.len()));
        }
    }

    #[test]
    fn copies_of_one_row_are_seen_once() {
        let groups = [0, 0, 0, 3, 4, 5, 6];
        let parts = super::split((&classes(&[3, 4]), &groups), 0.5, 1, "y").unwrap();
        assert_eq!(parts.seen_once, [0]);
        assert!(parts.held_out.iter().all(|row| *row > 2));
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
