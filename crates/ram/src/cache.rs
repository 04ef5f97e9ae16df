//! What was read of keys and policies, kept for as long as it is true.
//!
//! A cache holds what belongs to one generation (`tables::generation`). The generation is read in
//! the reader's own transaction, and each change draws a number that never was before. So what a
//! transaction reads between its own change and its commit or rollback is filed under a number that
//! nobody else sees unless that very change is committed: a rollback leaves nothing behind.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{PoisonError, RwLock};

use base::ApiError;

/// Entries in one cache. Beyond, it begins anew: simple, and far above what one machine serves.
const CAPACITY: usize = 65_536;

/// Values of one generation by their keys.
pub(crate) struct Cache<K, V> {
    held: RwLock<Held<K, V>>,
}

struct Held<K, V> {
    generation: Option<i64>,
    values: HashMap<K, V>,
}

impl<K, V> Default for Cache<K, V> {
    fn default() -> Self {
        Self { held: RwLock::new(Held { generation: None, values: HashMap::new() }) }
    }
}

impl<K: Eq + Hash, V: Clone> Cache<K, V> {
    /// The value of `key` in a generation, from memory or from `load`. What does not exist is not
    /// kept: made-up keys must not push out real ones.
    pub(crate) fn get(
        &self,
        generation: i64,
        key: K,
        load: impl FnOnce(&K) -> Result<Option<V>, ApiError>,
    ) -> Result<Option<V>, ApiError> {
        {
            let held = self.held.read().unwrap_or_else(PoisonError::into_inner);
            if held.generation == Some(generation)
                && let Some(value) = held.values.get(&key)
            {
                return Ok(Some(value.clone()));
            }
        }
        let Some(value) = load(&key)? else { return Ok(None) };
        let mut held = self.held.write().unwrap_or_else(PoisonError::into_inner);
        if held.generation != Some(generation) || held.values.len() >= CAPACITY {
            *held = Held { generation: Some(generation), values: HashMap::new() };
        }
        held.values.insert(key, value.clone());
        Ok(Some(value))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_loaded_once_for_a_generation_and_nothing_is_not_kept() {
        let cache: Cache<&str, i32> = Cache::default();
        let ask = |generation, key, stored: Option<i32>| {
            cache.get(generation, key, |_| Ok(stored)).expect("it loads")
        };
        assert_eq!(ask(1, "a", None), None);
        assert_eq!(ask(1, "a", Some(10)), Some(10));
        assert_eq!(ask(1, "a", Some(20)), Some(10));
        assert_eq!(ask(7, "a", Some(30)), Some(30));
        assert_eq!(
            ask(1, "a", Some(40)),
            Some(40),
            "an older generation is not found under a newer one"
        );
        assert!(cache.get(1, "b", |_| Err(ApiError::internal("broken"))).is_err());
        assert_eq!(ask(1, "b", Some(1)), Some(1));
    }

    #[test]
    fn a_cache_does_not_grow_without_bound() {
        let cache: Cache<usize, ()> = Cache::default();
        for key in 0..=CAPACITY {
            cache.get(1, key, |_| Ok(Some(()))).expect("it loads");
        }
        assert!(cache.held.read().expect("nobody panicked").values.len() <= CAPACITY);
    }
}
