//! What requests to a model cost.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// The largest request, in bytes, that may be a cheap one.
const SMALL: usize = 8 << 10;

/// A request that takes less, in nanoseconds, costs less than handing it to another
/// thread and back, or not much more.
const LOW: u64 = 100_000;

/// The time of one request beyond which it does not matter, in nanoseconds: a thread
/// may be interrupted in its work for long.
const LONG: u64 = 4 * LOW;

/// How long small requests to a model take, the last ones above all.
#[derive(Debug, Default)]
pub(crate) struct Cost {
    /// Nothing follows from the size of a request.
    varies: bool,
    /// A moving average in nanoseconds; 0 while it is not known.
    average: AtomicU64,
}

impl Cost {
    /// Of a model whose small requests may become large ones: few bytes may be a
    /// picture of many pixels.
    pub(crate) fn varying() -> Self {
        Self {
            varies: true,
            ..Self::default()
        }
    }

    /// Whether a request of `size` bytes will cost little.
    pub(crate) fn is_low(&self, size: usize) -> bool {
        !self.varies && size <= SMALL && (1..LOW).contains(&self.average.load(Ordering::Relaxed))
    }

    /// Takes note that a request of `size` bytes took `time`.
    pub(crate) fn add(&self, size: usize, time: Duration) {
        if size > SMALL {
            return;
        }
        let time = u64::try_from(time.as_nanos()).unwrap_or(LONG);
        let time = time.clamp(1, LONG);
        let average = match self.average.load(Ordering::Relaxed) {
            0 => time,
            // What another thread adds meanwhile may be lost.
            before => before - before / 8 + time / 8,
        };
        self.average.store(average.max(1), Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FAST: Duration = Duration::from_micros(20);

    #[test]
    fn only_what_is_small_and_known_is_cheap() {
        let cost = Cost::default();
        assert!(!cost.is_low(10), "nothing is known");
        cost.add(SMALL + 1, FAST);
        assert!(!cost.is_low(10), "that was a large one");
        cost.add(10, FAST);
        assert!(cost.is_low(SMALL) && !cost.is_low(SMALL + 1));
    }

    #[test]
    fn one_interruption_does_not_matter_and_a_slow_model_does() {
        let cost = Cost::default();
        (0..10).for_each(|_| cost.add(10, FAST));
        cost.add(10, Duration::from_secs(1));
        assert!(cost.is_low(10));
        (0..10).for_each(|_| cost.add(10, Duration::from_millis(1)));
        assert!(!cost.is_low(10));
    }
}
