//! Metering: levels integrate exactly, whatever the clock does.

use std::collections::BTreeMap;
use std::time::Duration;

use base::{AccountId, ApiError, Time};
use engine::meter::{Meters, usage};
use proptest::prelude::*;
use store::{Backend, Config, Db};

fn db() -> Db {
    let db = Db::open(Config { backend: Backend::Memory, readers: 1 }).unwrap();
    db.migrate(&[engine::MIGRATIONS]).unwrap();
    db
}

fn total(db: &Db, now: Time) -> BTreeMap<i64, i64> {
    let lines = db.read_blocking(move |tx| usage(tx, AccountId::new(1), 0, i64::MAX, now)).unwrap();
    lines.into_iter().map(|line| (line.hour, line.quantity)).collect()
}

/// The level of each whole second, added up by hour.
fn oracle(changes: &[(i64, i64)], until: i64) -> BTreeMap<i64, i64> {
    let mut hours = BTreeMap::new();
    let Some(&(first, _)) = changes.first() else { return hours };
    for second in first..until {
        let level: i64 =
            changes.iter().filter(|(at, _)| *at <= second).map(|(_, change)| change).sum();
        *hours.entry(second / 3600 * 3600).or_default() += level;
    }
    hours
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn a_level_adds_up_to_what_a_naive_count_of_seconds_gives(
        steps in prop::collection::vec((0u64..4000, 0i64..1000), 1..8),
        rest in 0u64..4000,
    ) {
        let db = db();
        let mut at = Time::from_secs(1_000_000);
        let mut changes = Vec::new();
        for (wait, change) in steps {
            at = at.plus(Duration::from_secs(wait));
            changes.push((at.secs(), change));
            let now = at;
            db.write_blocking(move |tx| {
                let mut meters = Meters::default();
                meters.level(AccountId::new(1), "thing", "stored", change);
                meters.write(tx, now)?;
                Ok::<_, ApiError>(())
            }).unwrap();
        }
        let until = at.plus(Duration::from_secs(rest));
        let mut got = total(&db, until);
        got.retain(|_, quantity| *quantity != 0);
        let mut wanted = oracle(&changes, until.secs());
        wanted.retain(|_, quantity| *quantity != 0);
        prop_assert_eq!(got, wanted);
    }
}

#[test]
fn a_clock_that_is_set_back_takes_nothing_back() {
    let db = db();
    let change = |at: i64, by: i64| {
        let done = db.write_blocking(move |tx| {
            let mut meters = Meters::default();
            meters.level(AccountId::new(1), "thing", "stored", by);
            meters.count(AccountId::new(1), "thing", "requests", 1);
            meters.write(tx, Time::from_secs(at))
        });
        done.unwrap();
    };
    change(1000, 10);
    change(1100, 5);
    change(900, -15);
    let lines = db
        .read_blocking(|tx| usage(tx, AccountId::new(1), 0, i64::MAX, Time::from_secs(3000)))
        .unwrap();
    let of = |meter: &str| {
        lines.iter().filter(|line| line.meter == meter).map(|line| line.quantity).sum::<i64>()
    };
    assert_eq!((of("stored"), of("requests")), (1000, 3));
}
