//! Which examples are held out, and the parts of a cross-validation. Classes keep
//! their shares, and what resembles each other stays together.

use std::collections::BTreeMap;

use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_xoshiro::Xoshiro256PlusPlus;

use crate::data::{Split, counts};

/// The groups of each class (that of their first member), shuffled by `seed`.
fn shuffled(codes: &[usize], groups: &[usize], classes: usize, seed: u64) -> Vec<Vec<Vec<usize>>> {
    let mut members: BTreeMap<usize, (usize, Vec<usize>)> = BTreeMap::new();
    for (index, (group, code)) in groups.iter().zip(codes).enumerate() {
        let (_, of) = members.entry(*group).or_insert((*code, Vec::new()));
        of.push(index);
    }
    let mut by_class = vec![Vec::new(); classes];
    for (code, of) in members.into_values() {
        if let Some(class) = by_class.get_mut(code) {
            class.push(of);
        }
    }
    let mut random = Xoshiro256PlusPlus::seed_from_u64(seed);
    for class in &mut by_class {
        class.shuffle(&mut random);
    }
    by_class
}

/// Holds out the given share of every class; each keeps something to learn from.
pub(super) fn split(
    codes: &[usize],
    groups: &[usize],
    classes: usize,
    share: f64,
    seed: u64,
) -> Split {
    let by_class = shuffled(codes, groups, classes, seed);
    let sizes: Vec<usize> = by_class
        .iter()
        .map(|c| c.iter().map(Vec::len).sum())
        .collect();
    let mut parts = Split {
        training: Vec::new(),
        held_out: Vec::new(),
        seen_once: Vec::new(),
    };
    for (class, (units, wanted)) in by_class.iter().zip(counts(&sizes, share)).enumerate() {
        let mut held = 0;
        for (left, unit) in units.iter().rev().enumerate().rev() {
            if left > 0 && held + unit.len() <= wanted {
                held += unit.len();
                parts.held_out.extend(unit);
            } else {
                parts.training.extend(unit);
            }
        }
        if units.len() == 1 {
            parts.seen_once.push(class);
        }
    }
    parts.training.sort_unstable();
    parts.held_out.sort_unstable();
    parts
}

/// The part of each example, from 0 to below `folds`.
pub(super) fn folds(
    codes: &[usize],
    groups: &[usize],
    classes: usize,
    folds: usize,
    seed: u64,
) -> Vec<usize> {
    let by_class = shuffled(codes, groups, classes, seed);
    let mut parts = vec![0; codes.len()];
    let units = by_class.iter().flatten().enumerate();
    for (position, unit) in units {
        for index in unit {
            if let Some(part) = parts.get_mut(*index) {
                *part = position % folds;
            }
        }
    }
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_stay_whole_and_classes_keep_their_share() {
        let codes: Vec<usize> = (0..60).map(|i| usize::from(i >= 40)).collect();
        // Neighbours resemble each other.
        let groups: Vec<usize> = (0..60).map(|i| i / 2 * 2).collect();
        let parts = split(&codes, &groups, 2, 0.25, 3);
        let second = parts.held_out.iter().filter(|i| **i >= 40).count();
        assert!((4..=5).contains(&second), "{second}");
        assert_eq!(parts.held_out.len() + parts.training.len(), 60);
        for index in &parts.held_out {
            assert!(parts.held_out.contains(&(index ^ 1)), "{index}");
        }
        let parts = folds(&codes, &groups, 2, 3, 0);
        for index in 0..60 {
            assert_eq!(parts[index], parts[index ^ 1]);
        }
        for part in 0..3 {
            assert_eq!(parts.iter().filter(|p| **p == part).count(), 20);
        }
        assert_eq!(split(&[0, 1], &[0, 1], 2, 0.5, 0).seen_once, [0, 1]);
    }
}
