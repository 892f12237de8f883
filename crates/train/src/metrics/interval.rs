//! How far a share that was measured on few rows may be from the true one.

use super::share;

/// The quantile of the normal distribution that leaves 2.5 % above it.
const QUANTILE: f64 = 1.959_963_984_540_054;

/// The ends of a 95 % confidence interval, the lower one first.
pub(crate) type Interval = [f64; 2];

/// The score interval of [Wilson] for `hits` of `all`; none of nothing.
///
/// Unlike the mean ± two deviations it stays between 0 and 1, and is not empty
/// where all or none were hit.
///
/// [Wilson]: https://doi.org/10.1080/01621459.1927.10502953
#[expect(clippy::cast_precision_loss, reason = "numbers of rows")]
pub(crate) fn wilson(hits: usize, all: usize) -> Option<Interval> {
    let (found, rows) = (share(hits, all)?, all as f64);
    let square = QUANTILE * QUANTILE;
    let centre = found + square / (2.0 * rows);
    let half = QUANTILE * (found * (1.0 - found) / rows + square / (4.0 * rows * rows)).sqrt();
    let end = |sign: f64| ((centre + sign * half) / (1.0 + square / rows)).clamp(0.0, 1.0);
    Some([end(-1.0), end(1.0)])
}

/// The interval of an F1 of `hits`, where `either` rows are of the class, or were
/// predicted as it, or both.
///
/// F1 grows with the share `hits / either`, which is a share of rows: so the ends
/// of its interval become those of F1.
pub(crate) fn of_f1(hits: usize, either: usize) -> Option<Interval> {
    Some(wilson(hits, either)?.map(|end| 2.0 * end / (1.0 + end)))
}

/// The 95 % interval by which a share exceeds `other`, both measured on different
/// rows: [Newcombe]'s, from the score intervals of the two.
///
/// [Newcombe]: https://doi.org/10.1002/(SICI)1097-0258(19980430)17:8%3C873::AID-SIM779%3E3.0.CO;2-I
pub(crate) fn difference(share: (f64, Interval), other: (f64, Interval)) -> Interval {
    let (own, [own_low, own_high]) = share;
    let (their, [their_low, their_high]) = other;
    [
        own - their - (own - own_low).hypot(their_high - their),
        own - their + (own_high - own).hypot(their - their_low),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Expected ends from statsmodels 0.15 (`proportion_confint`, `method="wilson"`).
    #[test]
    fn intervals_agree_with_statsmodels() {
        let cases = [
            ((8, 10), [0.490_162_47, 0.943_317_84]),
            ((0, 5), [0.0, 0.434_482_46]),
            ((30, 30), [0.886_486_61, 1.0]),
        ];
        for ((hits, all), expected) in cases {
            for (found, expected) in wilson(hits, all).unwrap().into_iter().zip(expected) {
                assert!((found - expected).abs() < 1e-7, "{hits}/{all}: {found}");
            }
        }
        assert_eq!(wilson(0, 0), None);
    }

    /// Expected ends from statsmodels 0.15 (`confint_proportions_2indep`,
    /// `method="newcomb"`).
    #[test]
    fn a_difference_agrees_with_statsmodels() {
        let share = |hits, all| (hits as f64 / all as f64, wilson(hits, all).unwrap());
        let [low, high] = difference(share(90, 100), share(80, 100));
        assert!((low - 0.000_149_025).abs() < 1e-8 && (high - 0.199_473_870).abs() < 1e-8);
    }

    #[test]
    fn an_f1_lies_in_its_interval() {
        // 8 hits, 2 missed, 5 wrongly found.
        let f1 = 16.0 / (10.0 + 13.0);
        let [low, high] = of_f1(8, 15).unwrap();
        assert!(low < f1 && f1 < high, "{low} {f1} {high}");
        assert!((of_f1(4, 4).unwrap()[1] - 1.0).abs() < 1e-9);
    }
}
