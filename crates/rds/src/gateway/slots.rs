//! Counts what is there at once, by key, up to a bound. Waits for nothing.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Arc, Mutex, PoisonError};

/// Slots by key. Clones share them.
pub(super) struct Slots<K> {
    max: usize,
    taken: Arc<Mutex<HashMap<K, usize>>>,
}

impl<K: Hash + Eq + Clone> Slots<K> {
    pub(super) fn new(max: usize) -> Self {
        Self { max, taken: Arc::default() }
    }

    /// A slot of that key, given back when it is dropped; `None` where all are taken.
    pub(super) fn take(&self, key: &K) -> Option<Slot<K>> {
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        let count = taken.get(key).copied().unwrap_or(0);
        if count >= self.max {
            return None;
        }
        taken.insert(key.clone(), count + 1);
        Some(Slot { key: key.clone(), taken: Arc::clone(&self.taken) })
    }
}

/// A slot that was taken.
pub(super) struct Slot<K: Hash + Eq> {
    key: K,
    taken: Arc<Mutex<HashMap<K, usize>>>,
}

impl<K: Hash + Eq> Drop for Slot<K> {
    fn drop(&mut self) {
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        match taken.get_mut(&self.key) {
            Some(count) if *count > 1 => *count -= 1,
            _ => {
                taken.remove(&self.key);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slots_are_bounded_by_key_and_given_back() {
        let slots = Slots::new(2);
        let (first, second) = (slots.take(&'a'), slots.take(&'a'));
        assert!(first.is_some() && second.is_some());
        assert!(slots.take(&'a').is_none());
        assert!(slots.take(&'b').is_some());
        drop(first);
        assert!(slots.take(&'a').is_some());
        drop(second);
        let left = slots.taken.lock().map(|taken| taken.len());
        assert!(left.is_ok_and(|left| left == 0), "nothing is kept of what is gone");
    }
}
