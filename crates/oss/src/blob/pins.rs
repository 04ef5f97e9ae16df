//! Who reads what: keeps the reclaimer off bodies that a reader still needs.
//!
//! A reader announces itself before its snapshot begins (a *look-up*) and then either leaves or
//! holds one body. The reclaimer lists freed bodies, lets every look-up that began before that end
//! (they last as long as a read transaction), and then spares the bodies that are held. A look-up
//! that begins later sees a snapshot in which the listed bodies are gone.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::blob::Body;

/// What tells bodies apart: the blob's number, or where the first extent is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum BodyId {
    Blob(i64),
    Extent(u32, u32),
}

impl BodyId {
    /// `None` for an empty body, which nothing can be taken from.
    pub(crate) fn of(body: &Body) -> Option<Self> {
        match body {
            Body::Blob(id) => Some(Self::Blob(*id)),
            Body::Inline(extents) => {
                extents.first().map(|first| Self::Extent(first.segment, first.start))
            }
        }
    }
}

#[derive(Default)]
pub(crate) struct Pins(Mutex<State>);

#[derive(Default)]
struct State {
    epoch: u64,
    lookups: BTreeMap<u64, usize>,
    held: HashMap<BodyId, usize>,
}

impl Pins {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Announces a reader. Take it before the read transaction.
    pub(crate) fn look_up(self: &Arc<Self>) -> LookUp {
        let mut state = self.lock();
        let epoch = state.epoch;
        *state.lookups.entry(epoch).or_default() += 1;
        drop(state);
        LookUp { pins: Arc::clone(self), epoch }
    }

    /// Draws a line after every look-up so far.
    pub(crate) fn line(&self) -> u64 {
        let mut state = self.lock();
        state.epoch += 1;
        state.epoch - 1
    }

    /// True once every look-up before the line has ended.
    pub(crate) fn passed(&self, line: u64) -> bool {
        self.lock().lookups.first_key_value().is_none_or(|(oldest, _)| *oldest > line)
    }

    pub(crate) fn is_held(&self, body: &BodyId) -> bool {
        self.lock().held.contains_key(body)
    }
}

fn release<K: std::hash::Hash + Eq>(counts: &mut HashMap<K, usize>, key: &K) {
    if let Some(count) = counts.get_mut(key) {
        *count -= 1;
        if *count == 0 {
            counts.remove(key);
        }
    }
}

/// A reader that does not yet know what it reads.
pub(crate) struct LookUp {
    pins: Arc<Pins>,
    epoch: u64,
}

impl LookUp {
    /// Holds the body that was found.
    pub(crate) fn hold(self, body: &Body) -> Option<Pin> {
        let id = BodyId::of(body)?;
        *self.pins.lock().held.entry(id).or_default() += 1;
        // The look-up itself ends only now, when `self` is dropped.
        Some(Pin { pins: Arc::clone(&self.pins), id })
    }
}

impl Drop for LookUp {
    fn drop(&mut self) {
        let mut state = self.pins.lock();
        let Some(count) = state.lookups.get_mut(&self.epoch) else { return };
        *count -= 1;
        if *count == 0 {
            state.lookups.remove(&self.epoch);
        }
    }
}

/// A body that is being read.
pub(crate) struct Pin {
    pins: Arc<Pins>,
    id: BodyId,
}

impl Drop for Pin {
    fn drop(&mut self) {
        release(&mut self.pins.lock().held, &self.id);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_passed_when_the_look_ups_before_it_ended_and_a_held_body_stays_held() {
        let pins = Arc::new(Pins::default());
        let body = Body::Blob(7);
        let before = pins.look_up();
        let line = pins.line();
        let after = pins.look_up();
        assert!(!pins.passed(line));
        let pin = before.hold(&body);
        assert!(pins.passed(line), "the look-up became a pin");
        assert!(pins.is_held(&BodyId::Blob(7)));
        drop(after);
        drop(pin);
        assert!(!pins.is_held(&BodyId::Blob(7)));
        assert!(pins.passed(pins.line()));
    }
}
