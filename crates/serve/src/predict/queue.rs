//! The bounded queue before the compute threads.

use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Instant;
use std::{fmt, mem};

/// Tells works that one run can do together from all others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Key {
    /// The address of the model.
    pub(super) model: usize,
    /// Whether the thread that takes one of them may wait for others.
    pub(super) is_gathered: bool,
}

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
    /// The keys whose works are left to one thread, which waits for more of them.
    gathered: Vec<Key>,
    is_open: bool,
}

impl<W> State<W> {
    fn of(&self, key: Key) -> usize {
        let is_of = |(other, _): &&(Option<Key>, W)| *other == Some(key);
        self.waiting.iter().filter(is_of).count()
    }

    /// The first work that is left to no other thread.
    fn first(&mut self) -> Option<(Option<Key>, W)> {
        let is_free = |(key, _): &(Option<Key>, W)| {
            let gathered = |key: Key| self.gathered.contains(&key);
            !key.is_some_and(gathered)
        };
        let place = self.waiting.iter().position(is_free)?;
        self.waiting.remove(place)
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
    ///
    /// With a work whose key is gathered comes the right to wait for more: from the
    /// moment that one is taken, no other thread takes any, so that two threads never
    /// wait for each other's.
    pub(super) fn next(&self) -> Option<(W, Option<Gathering<'_, W>>)> {
        let mut state = self.state();
        loop {
            if let Some((key, work)) = state.first() {
                let key = key.filter(|key| key.is_gathered);
                state.gathered.extend(key);
                let gathering = key.map(|key| Gathering { queue: self, key });
                return Some((work, gathering));
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

    /// Takes the caller's share of the works of `key` that wait now, at most `most`.
    pub(super) fn share(&self, key: Key, most: usize) -> Vec<W> {
        let mut state = self.state();
        let share = state.of(key).div_ceil(self.threads.max(1));
        state.take(key, share.min(most))
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

/// The right to wait for works of one key, which ends when it is dropped.
pub(super) struct Gathering<'q, W> {
    queue: &'q Queue<W>,
    key: Key,
}

impl<W> Gathering<'_, W> {
    /// Takes what has come by `until`, at most `most` works; waits no longer than for
    /// those.
    pub(super) fn wait(self, most: usize, until: Instant) -> Vec<W> {
        let Queue { came, .. } = self.queue;
        let mut state = self.queue.state();
        while state.is_open && state.of(self.key) < most {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                break;
            }
            let woken = came.wait_timeout(state, left);
            state = woken.unwrap_or_else(PoisonError::into_inner).0;
        }
        state.take(self.key, most)
    }
}

impl<W> Drop for Gathering<'_, W> {
    fn drop(&mut self) {
        let mut state = self.queue.state();
        state.gathered.retain(|key| *key != self.key);
        if state.of(self.key) > 0 {
            // What is left is for all.
            self.queue.came.notify_all();
        }
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
    use std::thread;
    use std::time::Duration;

    use super::*;

    fn key(model: usize, is_gathered: bool) -> Option<Key> {
        Some(Key { model, is_gathered })
    }

    fn filled(threads: usize) -> Queue<u8> {
        let queue = Queue::new(threads, 6);
        for (model, work) in [(7, 1), (8, 2), (7, 3), (7, 4), (8, 5), (7, 6)] {
            queue.push(key(model, false), work).unwrap();
        }
        queue
    }

    fn next(queue: &Queue<u8>) -> Option<u8> {
        queue.next().map(|(work, _)| work)
    }

    #[test]
    fn works_of_a_key_are_taken_together_and_the_others_keep_their_order() {
        let queue = filled(1);
        let seven = key(7, false).unwrap();
        assert_eq!(queue.push(None, 9), Err(9), "it is full");
        assert_eq!(next(&queue), Some(1));
        assert_eq!(queue.share(seven, 2), [3, 4]);
        assert_eq!(queue.share(seven, 2), [6]);
        queue.close();
        assert_eq!(
            [next(&queue), next(&queue), next(&queue)],
            [Some(2), Some(5), None]
        );
    }

    #[test]
    fn a_thread_takes_no_more_than_its_share() {
        let queue = filled(3);
        let seven = key(7, false).unwrap();
        assert_eq!(queue.share(seven, 8), [1, 3]);
        assert_eq!(queue.of(seven), 2);
    }

    #[test]
    fn a_thread_that_waits_gets_what_comes() {
        let queue = Queue::new(2, 8);
        let until = Instant::now() + Duration::from_secs(60);
        queue.push(key(7, true), 1).unwrap();
        let (first, gathering) = queue.next().unwrap();
        assert_eq!(first, 1);
        queue.push(key(7, true), 2).unwrap();
        queue.push(key(8, true), 3).unwrap();
        assert_eq!(next(&queue), Some(3), "the second is left to the other");
        thread::scope(|scope| {
            let waiting = scope.spawn(|| gathering.unwrap().wait(2, until));
            queue.push(key(7, true), 4).unwrap();
            assert_eq!(waiting.join().unwrap(), [2, 4]);
        });
        queue.push(key(7, true), 5).unwrap();
        assert_eq!(next(&queue), Some(5), "nobody waits any more");
    }

    #[test]
    fn what_a_thread_does_not_want_is_left_to_the_next() {
        let queue = Queue::new(2, 8);
        for work in [1, 2, 3] {
            queue.push(key(7, true), work).unwrap();
        }
        let (_, gathering) = queue.next().unwrap();
        thread::scope(|scope| {
            let other = scope.spawn(|| next(&queue));
            drop(gathering);
            assert_eq!(other.join().unwrap(), Some(2));
        });
        assert_eq!(next(&queue), Some(3));
    }

    #[test]
    fn nobody_waits_longer_than_allowed() {
        let queue = Queue::new(1, 8);
        queue.push(key(7, true), 1).unwrap();
        let (_, gathering) = queue.next().unwrap();
        queue.push(key(7, true), 2).unwrap();
        let until = Instant::now() + Duration::from_millis(5);
        assert_eq!(gathering.unwrap().wait(2, until), [2]);
        assert!(Instant::now() >= until);
    }
}
