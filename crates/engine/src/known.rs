//! Things as they were at a version of the database: what is asked for many times between two commits is looked up
//! once.
//!
//! An entry counts only while [`store::Db::version`] is what it was before the entry was read. A read whose snapshot
//! may be newer than what it took from here runs again without it ([`crate::Cx`]); writes look everything up in their own
//! transaction in any case.

use std::any::{Any, TypeId};
use std::collections::HashMap;
use std::sync::{PoisonError, RwLock};

/// Things kept of a type. Beyond, it begins anew.
const KEPT_MAX: usize = 1024;

/// A thing, and the version that it was looked up at.
type Entry = (u64, Box<dyn Any + Send + Sync>);

/// Things by type and name.
#[derive(Default)]
pub(crate) struct Known(RwLock<HashMap<TypeId, HashMap<String, Entry>>>);

impl Known {
    /// The thing as it is at this version, if it was looked up at it.
    pub(crate) fn get<T: Clone + 'static>(&self, version: u64, name: &str) -> Option<T> {
        let known = self.0.read().unwrap_or_else(PoisonError::into_inner);
        let (at, thing) = known.get(&TypeId::of::<T>())?.get(name)?;
        thing.downcast_ref().filter(|_| *at == version).cloned()
    }

    /// Keeps what was looked up on a snapshot that began when the version was this one, or later.
    pub(crate) fn put<T: Send + Sync + 'static>(&self, version: u64, name: &str, thing: T) {
        let mut known = self.0.write().unwrap_or_else(PoisonError::into_inner);
        let known = known.entry(TypeId::of::<T>()).or_default();
        if known.len() >= KEPT_MAX && !known.contains_key(name) {
            known.clear();
        }
        known.insert(name.to_owned(), (version, Box::new(thing)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thing_counts_at_its_version_only_and_few_are_kept() {
        let known = Known::default();
        known.put(7, "a", 'x');
        assert_eq!(known.get(7, "a"), Some('x'));
        assert_eq!((known.get::<char>(8, "a"), known.get::<char>(6, "a")), (None, None));
        assert_eq!(known.get::<char>(7, "b"), None);
        assert_eq!(known.get::<u32>(7, "a"), None, "of another type");
        for id in 0..2 * KEPT_MAX {
            known.put(7, &id.to_string(), 'y');
        }
        let kept = known.0.read().map(|known| known[&TypeId::of::<char>()].len());
        assert!(kept.is_ok_and(|kept| kept <= KEPT_MAX));
    }
}
