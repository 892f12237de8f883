//! The bounded queue before the compute threads.

use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Instant;
use std::{fmt, mem};

/// Tells works that one run can do together from all others.
pub(super) type Key = usize;

/// Works in the order in which they came, of which those of one key can be taken
/// together.
pub(super) struct Queue<W> {
    state: Mutex<State<W>>,
    came: Condvar,
    /// Works that may wait.
    most: usize,
    /// Threads that take from it.
    threads: usize,
}

struct State<W> {
    waiting: VecDeque<(Option<Key>, W)>,
    /// The keys for which a thread waits: what comes is left to it.
    gathered: Vec<Key>,
    is_open: bool,
}

impl<W> State<W> {
    fn of(&self, key: Key) -> usize {
        let is_of = |(other, _): &&(Option<Key>, W)| *other == Some(key);
        self.waiting.iter().filter(is_of).count()
    }

    /// The first work that no thread waits for.
    fn first(&mut self) -> Option<W> {
        let is_free = |(key, _): &(Option<Key>, W)| {
            let gathered = |key: Key| self.gathered.contains(&key);
            !key.is_some_and(gathered)
        };
        let place = self.waiting.iter().position(is_free)?;
        self.waiting.remove(place).map(|(_, work)| work)
    }

    /// The first `count` works of `key`.
    fn take(&mut self, key: Key, count: usize) -> Vec<W> {
        let mut taken = Vec::with_capacity(count);
        let mut rest = VecDeque::with_capacity(self.waiting.len());
        for (other, work) in mem::take(&mut self.waiting) {
            match other == Some(key) && taken.len() < count {
                true => taken.push(work),
                false => rest.push_back((other, work)),
            }
        }
        self.waiting = rest;
        taken
    }
}

impl<W> Queue<W> {
    /// For `threads` threads and at most `most` works that wait.
    pub(super) fn new(threads: usize, most: usize) -> Self {
        Self {
            state: Mutex::new(State {
                waiting: VecDeque::new(),
                gathered: Vec::new(),
                is_open: true,
            }),
            came: Condvar::new(),
            most,
            threads,
        }
    }

    /// Adds a work; gives it back when the queue is full.
    pub(super) fn push(&self, key: Option<Key>, work: W) -> Result<(), W> {
        let mut state = self.state();
        if state.waiting.len() >= self.most {
            return Err(work);
        }
        state.waiting.push_back((key, work));
        match state.gathered.is_empty() {
            true => self.came.notify_one(),
            // The one that wakes may be the one that waits for other works.
            false => self.came.notify_all(),
        }
        Ok(())
    }

    /// Waits for the next work; `None` once the queue is closed and empty.
    pub(super) fn next(&self) -> Option<W> {
        let mut state = self.state();
        loop {
            if let Some(work) = state.first() {
                return Some(work);
            }
            if !state.is_open {
                return None;
            }
            state = self
                .came
                .wait(state)
                .unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Takes more works of `key`, at most `most`: the caller's share of what waits
    /// now, or, where it may wait until `until`, all that have come by then.
    pub(super) fn more(&self, key: Key, most: usize, until: Option<Instant>) -> Vec<W> {
        let mut state = self.state();
        let Some(until) = until else {
            let share = state.of(key).div_ceil(self.threads.max(1));
            return state.take(key, share.min(most));
        };
        state.gathered.push(key);
        while state.is_open && state.of(key) < most {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                break;
            }
            let woken = self.came.wait_timeout(state, left);
            state = woken.unwrap_or_else(PoisonError::into_inner).0;
        }
        if let Some(place) = state.gathered.iter().position(|other| *other == key) {
            state.gathered.swap_remove(place);
        }
        // What is left is for all.
        self.came.notify_all();
        state.take(key, most)
    }

    /// Works of `key` that wait.
    pub(super) fn of(&self, key: Key) -> usize {
        self.state().of(key)
    }

    /// Works that wait.
    pub(super) fn len(&self) -> usize {
        self.state().waiting.len()
    }

    /// Lets the threads end once there is nothing to do.
    pub(super) fn close(&self) {
        self.state().is_open = false;
        self.came.notify_all();
    }

    fn state(&self) -> MutexGuard<'_, State<W>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<W> fmt::Debug for Queue<W> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Queue")
            .field("most", &self.most)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::thread;
    use std::time::Duration;

    use super::*;

    fn filled(threads: usize) -> Queue<u8> {
        let queue = Queue::new(threads, 6);
        for (key, work) in [(7, 1), (8, 2), (7, 3), (7, 4), (8, 5), (7, 6)] {
            queue.push(Some(key), work).unwrap();
        }
        queue
    }

    #[test]
    fn works_of_a_key_are_taken_together_and_the_others_keep_their_order() {
        let queue = filled(1);
        assert_eq!(queue.push(None, 9), Err(9), "it is full");
        assert_eq!(queue.next(), Some(1));
        assert_eq!(queue.more(7, 2, None), [3, 4]);
        assert_eq!(queue.more(7, 2, None), [6]);
        queue.close();
        let rest = [queue.next(), queue.next(), queue.next()];
        assert_eq!(rest, [Some(2), Some(5), None]);
    }

    #[test]
    fn a_thread_takes_no_more_than_its_share() {
        let queue = filled(3);
        assert_eq!(queue.more(7, 8, None), [1, 3]);
        assert_eq!(queue.of(7), 2);
    }

    #[test]
    fn a_thread_that_waits_gets_what_comes() {
        let queue = Arc::new(Queue::new(2, 8));
        let waits = Arc::clone(&queue);
        let until = Instant::now() + Duration::from_secs(60);
        let waiting = thread::spawn(move || waits.more(7, 2, Some(until)));
        while queue.state().gathered.is_empty() {
            thread::yield_now();
        }
        queue.push(Some(7), 1).unwrap();
        queue.push(Some(8), 2).unwrap();
        assert_eq!(queue.next(), Some(2), "the first is left to the other");
        queue.push(Some(7), 3).unwrap();
        assert_eq!(waiting.join().unwrap(), [1, 3]);
    }

    #[test]
    fn nobody_waits_longer_than_allowed() {
        let queue = Queue::new(1, 8);
        queue.push(Some(7), 1).unwrap();
        let until = Instant::now() + Duration::from_millis(5);
        assert_eq!(queue.more(7, 2, Some(until)), [1]);
        assert!(Instant::now() >= until);
    }
}
