#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use base::AccountId;
use proptest::prelude::*;

use super::*;
use crate::model::{Acl, Redundancy, StorageClass};

const NOW: i64 = 1_000_000_000;

fn bucket(worm: Option<Worm>) -> Bucket {
    Bucket {
        id: 1,
        name: "b".to_owned(),
        owner: AccountId::new(1),
        sites: vec!["here".to_owned()],
        class: terms::clauses::DataClass::Internal,
        created: Time::default(),
        acl: Acl::Private,
        storage_class: StorageClass::Standard,
        redundancy: Redundancy::Local,
        settings: Settings { worm, ..Settings::default() },
    }
}

proptest! {
    /// Against the sentence that it is: a version may go when there is no hold, no retention that has not
    /// ended, and no retention of the bucket that it is too young for.
    #[test]
    fn a_version_may_go_once_nothing_keeps_it(
        hold in prop::option::of(any::<bool>()),
        retention in prop::option::of((any::<bool>(), NOW - 5..NOW + 5)),
        worm in prop::option::of((any::<bool>(), 1..5_u32, 0..4 * 86_400_i64)),
        age in 0..5 * 86_400_i64,
    ) {
        let own = retention.map(|(governance, until)| {
            let mode = if governance { LockMode::Governance } else { LockMode::Compliance };
            Retention::new(mode, Time::from_secs(until))
        });
        let lock = Lock { retention: own, legal_hold: hold };
        let (stored, now) = (Time::from_secs(NOW - age), Time::from_secs(NOW));
        let of_bucket = worm.map(|(locked, days, since)| {
            let mut worm = Worm::new("id".to_owned(), days, Time::from_secs(NOW - since));
            worm.locked = locked;
            worm
        });
        let kept_by_bucket = worm.is_some_and(|(locked, days, since)| {
            (locked || since < 86_400) && age < i64::from(days) * 86_400
        });
        let kept_itself = retention.is_some_and(|(_, until)| until > NOW);
        let kept = hold == Some(true) || kept_itself || kept_by_bucket;
        let bucket = bucket(of_bucket);
        prop_assert_eq!(may_remove(&bucket, lock, stored, now), !kept);
        // Governance is what it is kept by only where nothing stronger is.
        let by = held(&bucket.settings, lock, stored, now);
        let weak = matches!(by, Some(Held::Own(Retention { mode: LockMode::Governance, .. })));
        let governance = retention.is_some_and(|(governance, until)| governance && until > NOW);
        prop_assert_eq!(weak, governance && hold != Some(true) && !kept_by_bucket);
    }
}
