//! Counts what is there at once, by key, up to a bound. Waits for nothing.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Arc, Mutex, PoisonError};

/// Slots by key. Clones share them.
pub(super) struct Slots<K> {
    taken: Arc<Mutex<HashMap<K, usize>>>,
}

impl<K> Default for Slots<K> {
    fn default() -> Self {
        Self { taken: Arc::default() }
    }
}

impl<K: Hash + Eq + Clone> Slots<K> {
    /// A slot of that key, given back when it is dropped; `None` where `max` are taken.
    pub(super) fn take(&self, key: &K, max: usize) -> Option<Slot<K>> {
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        let count = taken.get(key).copied().unwrap_or(0);
        if count >= max {
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
        let slots = Slots::default();
        let (first, second) = (slots.take(&'a', 2), slots.take(&'a', 2));
        assert!(first.is_some() && second.is_some());
        assert!(slots.take(&'a', 2).is_none());
        assert!(slots.take(&'b', 2).is_some());
        drop(first);
        assert!(slots.take(&'a', 2).is_some());
        drop(second);
        let left = slots.taken.lock().map(|taken| taken.len());
        assert!(left.is_ok_and(|left| left == 0), "nothing is kept of what is gone");
    }
}
