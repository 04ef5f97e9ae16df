//! Keys as they were at a version of the database: one who asks many times between two commits is looked up once.
//!
//! Nothing is ever old here: an entry counts only while [`store::Db::version`] is what it was before the entry
//! was read. Writes look the key up again in their own transaction in any case.

use std::collections::HashMap;
use std::sync::{PoisonError, RwLock};

use crate::ports::KeyMaterial;

/// Keys kept. Beyond, it begins anew.
const KEPT_MAX: usize = 1024;

#[derive(Default)]
pub(crate) struct KnownKeys(RwLock<HashMap<String, (u64, KeyMaterial)>>);

impl KnownKeys {
    /// The key as it is at this version, if it was looked up at it.
    pub(crate) fn get(&self, version: u64, key_id: &str) -> Option<KeyMaterial> {
        let known = self.0.read().unwrap_or_else(PoisonError::into_inner);
        known.get(key_id).filter(|(at, _)| *at == version).map(|(_, key)| key.clone())
    }

    /// Keeps a key that was looked up when the version was this one, or later.
    pub(crate) fn put(&self, version: u64, key_id: &str, key: &KeyMaterial) {
        let mut known = self.0.write().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= KEPT_MAX && !known.contains_key(key_id) {
            known.clear();
        }
        known.insert(key_id.to_owned(), (version, key.clone()));
    }
}

#[cfg(test)]
mod tests {
    use base::Secret;

    use super::*;
    use crate::Caller;

    #[test]
    fn a_key_counts_at_its_version_only_and_few_are_kept() {
        let known = KnownKeys::default();
        let key = KeyMaterial { secret: Secret::new("s".to_owned()), caller: Caller::anonymous() };
        known.put(7, "a", &key);
        assert!(known.get(7, "a").is_some());
        assert!(known.get(8, "a").is_none() && known.get(6, "a").is_none());
        assert!(known.get(7, "b").is_none());
        for id in 0..2 * KEPT_MAX {
            known.put(7, &id.to_string(), &key);
        }
        assert!(known.0.read().is_ok_and(|known| known.len() <= KEPT_MAX));
    }
}
