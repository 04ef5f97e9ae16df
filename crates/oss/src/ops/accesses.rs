//! When objects were read: the day, noted where a bucket's access monitor is on. Counted in memory and written
//! together; what a crash loses is that somebody read, never an object.

use std::collections::HashSet;
use std::sync::{Mutex, PoisonError};

use base::{ApiError, Time};
use store::Tx;

use crate::model::{Bucket, ObjectInfo, Settings};
use crate::tables::object::Object;
use crate::{Oss, tables};

/// So many reads are remembered until they are written; those beyond are noted when they come again.
const PENDING_MAX: usize = 100_000;
/// So many are written in one transaction.
const BATCH: usize = 500;

/// A version that was read: its bucket, key and ordinal.
type Read = (i64, String, i64);

/// The reads that are not written yet.
#[derive(Default)]
pub(crate) struct Accesses(Mutex<HashSet<Read>>);

impl Accesses {
    fn take(&self) -> Vec<Read> {
        let mut pending = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        std::mem::take(&mut *pending).into_iter().collect()
    }
}

/// Since when nobody read an object, as far as is known; `None` where nobody notes it.
pub(super) fn last_access(settings: &Settings, info: &ObjectInfo) -> Option<Time> {
    let noted = settings.access_monitor?.max(info.facts.accessed.unwrap_or(0));
    Some(Time::from_secs(noted).max(Time::from_secs(info.modified.secs())))
}

impl Oss {
    /// Notes that a version is read, if that is to be known and is not for today.
    pub(super) fn note_access(&self, bucket: &Bucket, info: &ObjectInfo, ordinal: i64) {
        let today = self.0.pace.day_of(self.0.cloud.clock.now());
        if bucket.settings.access_monitor.is_none() || info.facts.accessed == Some(today) {
            return;
        }
        let mut pending = self.0.accesses.0.lock().unwrap_or_else(PoisonError::into_inner);
        if pending.len() < PENDING_MAX {
            pending.insert((bucket.id, info.key.clone(), ordinal));
        }
    }

    /// Writes on which day objects were read so far.
    pub async fn flush_accesses(&self) {
        let today = self.0.pace.day_of(self.0.cloud.clock.now());
        for batch in self.0.accesses.take().chunks(BATCH) {
            let batch = batch.to_vec();
            let write =
                move |tx: &mut Tx<'_>| batch.iter().try_for_each(|read| note(tx, read, today));
            if let Err(error) = self.0.cloud.db.write(write).await {
                tracing::error!(?error, "write when objects were read");
            }
        }
    }
}

fn note(tx: &mut Tx<'_>, (bucket, key, ordinal): &Read, today: i64) -> Result<(), ApiError> {
    let current = tables::object::find(tx, *bucket, key)?.filter(|it| it.ordinal == *ordinal);
    let found: Option<Object> = match current {
        Some(current) => Some(current),
        None => tables::version::of_age(tx, *bucket, key, -ordinal)?.map(|it| it.object),
    };
    let Some(object) = found else { return Ok(()) };
    let mut facts = object.info.facts.clone();
    facts.accessed = Some(today.max(facts.accessed.unwrap_or(0)));
    tables::object::set_facts(tx, *bucket, &object, &facts)
}
