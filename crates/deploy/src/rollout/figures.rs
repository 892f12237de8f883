//! How two versions answer, and which one is to stay.

use std::collections::BTreeMap;
use std::fmt;

/// What a predictor has answered in some time.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Figures {
    /// Requests answered.
    pub requests: f64,
    /// Those answered by a failure of the server, 5xx. A client's mistake says
    /// nothing about a version.
    pub errors: f64,
    /// Requests by the upper bound of their time, in microseconds, cumulative;
    /// the last bound is unlimited.
    pub buckets: BTreeMap<u64, f64>,
}

/// The bound of the last bucket of a histogram, `+Inf`.
pub const UNLIMITED: u64 = u64::MAX;

/// What is to become of a canary.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decision {
    /// It is watched on.
    Watch,
    /// It takes over.
    Promote,
    /// It goes; why.
    Withdraw(String),
}

/// An error rate may be this much above the old one's: a canary is not withdrawn
/// for one request in a hundred.
const TOLERATED_RATE: f64 = 0.01;

/// The 95th percentile may be this many times the old one's, and this much above
/// it: histograms are coarse, and very short times say little.
const TOLERATED_FACTOR: f64 = 1.5;
const TOLERATED_SECONDS: f64 = 0.01;

impl Figures {
    /// The share of errors among the answers.
    fn error_rate(&self) -> f64 {
        match self.requests > 0.0 {
            true => self.errors / self.requests,
            false => 0.0,
        }
    }

    /// The lower bound of the error rate's 95 % confidence interval (Wilson
    /// score): at least so bad is the version, as far as so few requests tell.
    fn error_rate_at_least(&self) -> f64 {
        const Z: f64 = 1.96;
        let n = self.requests;
        if n <= 0.0 {
            return 0.0;
        }
        let p = self.error_rate().min(1.0);
        let centre = p + Z * Z / (2.0 * n);
        let spread = Z * (p * (1.0 - p) / n + Z * Z / (4.0 * n * n)).sqrt();
        (centre - spread) / (1.0 + Z * Z / n)
    }

    /// The time in seconds within which 95 of 100 requests were answered, by
    /// linear interpolation in the histogram's bucket; none without requests.
    pub fn percentile_95(&self) -> Option<f64> {
        const MICROSECONDS: f64 = 1e6;
        let total = *self.buckets.values().last()?;
        if total <= 0.0 {
            return None;
        }
        let rank = 0.95 * total;
        let (mut lower, mut below) = (0.0, 0.0);
        for (bound, count) in &self.buckets {
            if *bound == UNLIMITED {
                break;
            }
            #[expect(clippy::cast_precision_loss, reason = "times of a request are small")]
            let upper = *bound as f64 / MICROSECONDS;
            if *count >= rank {
                let within = (rank - below) / (count - below).max(f64::MIN_POSITIVE);
                return Some(lower + (upper - lower) * within);
            }
            (lower, below) = (upper, *count);
        }
        Some(lower)
    }
}

impl fmt::Display for Figures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let rate = 100.0 * self.error_rate();
        write!(f, "{:.0} requests, {rate:.1} % errors", self.requests)?;
        match self.percentile_95() {
            Some(seconds) => write!(f, ", 95 % within {:.1} ms", seconds * 1000.0),
            None => Ok(()),
        }
    }
}

/// Decides by the figures of the `old` version and of the `new` one. While the
/// time is not over, only a canary that is clearly worse is decided upon.
pub fn decide(old: &Figures, new: &Figures, least_requests: u32, over: bool) -> Decision {
    let least = f64::from(least_requests);
    if new.requests < least {
        return match over {
            true => Decision::Withdraw(format!(
                "it answered {:.0} requests, too few to judge (at least {least_requests})",
                new.requests
            )),
            false => Decision::Watch,
        };
    }
    if new.error_rate_at_least() > old.error_rate() + TOLERATED_RATE {
        return Decision::Withdraw("its error rate is higher".to_owned());
    }
    if let (Some(old), Some(new)) = (old.percentile_95(), new.percentile_95())
        && new > old * TOLERATED_FACTOR + TOLERATED_SECONDS
    {
        return Decision::Withdraw("it is slower".to_owned());
    }
    match over {
        true => Decision::Promote,
        false => Decision::Watch,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn figures(requests: f64, errors: f64, seconds: f64) -> Figures {
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "small"
        )]
        let bound = (seconds * 1e6) as u64;
        let buckets = [(bound / 2, 0.0), (bound, requests), (UNLIMITED, requests)];
        Figures {
            requests,
            errors,
            buckets: BTreeMap::from(buckets),
        }
    }

    fn withdrawn(decision: &Decision) -> bool {
        matches!(decision, Decision::Withdraw(_))
    }

    #[test]
    fn as_good_is_promoted_when_the_time_is_over() {
        let (old, new) = (figures(900.0, 9.0, 0.02), figures(100.0, 1.0, 0.02));
        assert_eq!(decide(&old, &new, 50, false), Decision::Watch);
        assert_eq!(decide(&old, &new, 50, true), Decision::Promote);
    }

    #[test]
    fn clearly_worse_is_withdrawn_at_once() {
        let old = figures(900.0, 0.0, 0.02);
        assert!(withdrawn(&decide(
            &old,
            &figures(100.0, 20.0, 0.02),
            50,
            false
        )));
        assert!(withdrawn(&decide(
            &old,
            &figures(100.0, 0.0, 0.2),
            50,
            false
        )));
    }

    #[test]
    fn one_error_in_few_requests_proves_nothing() {
        let old = figures(900.0, 0.0, 0.02);
        assert_eq!(
            decide(&old, &figures(50.0, 1.0, 0.02), 50, true),
            Decision::Promote
        );
        assert_eq!(
            decide(&old, &figures(2.0, 2.0, 0.02), 50, false),
            Decision::Watch
        );
    }

    #[test]
    fn a_canary_that_nobody_asks_is_not_promoted() {
        let old = figures(900.0, 0.0, 0.02);
        let Decision::Withdraw(why) = decide(&old, &Figures::default(), 50, true) else {
            panic!()
        };
        assert!(why.contains("0 requests, too few"), "{why}");
    }

    #[test]
    fn percentiles_are_interpolated() {
        let buckets = [(10_000, 90.0), (20_000, 100.0), (UNLIMITED, 100.0)];
        let figures = Figures {
            requests: 100.0,
            errors: 0.0,
            buckets: BTreeMap::from(buckets),
        };
        let seconds = figures.percentile_95().unwrap();
        assert!((seconds - 0.015).abs() < 1e-9, "{seconds}");
        assert_eq!(Figures::default().percentile_95(), None);
    }
}
