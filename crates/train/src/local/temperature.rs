//! Whether the probabilities of a classification are too sure or not sure enough, as
//! rows tell that were not learned from.

use fit::softmax::{coolest, row_loss};
use ndarray::{Array1, Array2};

/// Fewer rows tell it by chance.
const FEWEST: usize = 50;

/// What `scores` `[rows, classes]` are to be divided by, so that probabilities mean what
/// they say of rows of the classes `codes`; 1 where these are too few.
pub(super) fn temperature(scores: &Array2<f64>, codes: &[usize]) -> f64 {
    let others = scores.ncols().saturating_sub(1);
    if codes.len() < FEWEST || others == 0 {
        return 1.0;
    }
    // As if one row more were of another class, which keeps scores finite where all
    // answers are right (Platt, 1999).
    let doubt = 1.0 / (codes.len() as f64 + 2.0);
    coolest(|temperature| {
        let mut cooled = Array1::zeros(scores.ncols());
        let losses = scores.outer_iter().zip(codes).map(|(row, code)| {
            cooled.assign(&row);
            cooled /= temperature;
            let own = row_loss(cooled.view(), *code);
            let all: f64 = (0..cooled.len())
                .map(|code| row_loss(cooled.view(), code))
                .sum();
            (1.0 - doubt) * own + doubt * (all - own) / others as f64
        });
        losses.sum::<f64>()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Sixty rows of two classes with the scores 3 and 0, of which so many are right.
    fn found(right: usize) -> f64 {
        let scores = Array2::from_shape_fn((60, 2), |(_, class)| [3.0, 0.0][class]);
        let codes: Vec<usize> = (0..60).map(|row| usize::from(row >= right)).collect();
        temperature(&scores, &codes)
    }

    #[test]
    fn probabilities_become_the_share_of_right_answers() {
        let share = |right| 1.0 / (1.0 + (-3.0 / found(right)).exp());
        assert!((share(45) - 0.75).abs() < 0.01, "{}", share(45));
        assert!((share(58) - 0.95).abs() < 0.02, "{}", share(58));
        // All right is no proof that none would be wrong.
        assert!((0.97..0.99).contains(&share(60)), "{}", share(60));
    }

    #[test]
    fn few_rows_tell_nothing() {
        assert_eq!(temperature(&Array2::zeros((40, 2)), &[0; 40]), 1.0);
    }
}
