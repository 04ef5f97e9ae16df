//! What a sync will do, decided before anything is touched: a pure function of two inventories.

use std::collections::BTreeMap;

use anyhow::Result;
use base::Time;

/// What an inventory knows of one item.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Item {
    /// Bytes.
    pub size: u64,
    /// When it was last written.
    pub modified: Time,
    /// In the cloud, its ETag.
    pub etag: Option<String>,
}

/// What must happen so that the destination holds what the source holds. Names, in order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Plan {
    /// To be copied.
    pub transfer: Vec<String>,
    /// There already.
    pub unchanged: Vec<String>,
    /// Only in the destination.
    pub surplus: Vec<String>,
}

/// Compares two inventories. `same` is asked only where both have the name and the sizes agree.
///
/// # Errors
/// Those of `same`.
pub fn plan(
    from: &BTreeMap<String, Item>,
    to: &BTreeMap<String, Item>,
    mut same: impl FnMut(&str, &Item, &Item) -> Result<bool>,
) -> Result<Plan> {
    let mut plan = Plan::default();
    for (name, item) in from {
        let there = to.get(name).filter(|there| there.size == item.size);
        let unchanged = there.map(|there| same(name, item, there)).transpose()?.unwrap_or(false);
        let list = if unchanged { &mut plan.unchanged } else { &mut plan.transfer };
        list.push(name.clone());
    }
    plan.surplus = to.keys().filter(|name| !from.contains_key(*name)).cloned().collect();
    Ok(plan)
}

/// What listings alone say of two items of one size: the same where both have an MD5 and it agrees,
/// else where the destination was written after the source. `None` where only the bytes can tell.
pub fn at_a_glance(from: &Item, to: &Item) -> Option<bool> {
    // An ETag with a dash is of an object made of parts: it depends on how it was cut.
    let md5 = |item: &Item| item.etag.clone().filter(|etag| etag.len() == 32);
    match (md5(from), md5(to)) {
        (Some(ours), Some(theirs)) => Some(ours == theirs),
        _ => (to.modified >= from.modified).then_some(true),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;
    use proptest::prelude::*;

    fn item(size: u64, secs: i64, etag: Option<&str>) -> Item {
        Item { size, modified: Time::from_secs(secs), etag: etag.map(str::to_owned) }
    }

    #[test]
    fn a_glance_trusts_an_md5_over_a_time_and_an_older_copy_not_at_all() {
        let (a, b) = ("a".repeat(32), "b".repeat(32));
        assert_eq!(at_a_glance(&item(1, 9, Some(&a)), &item(1, 1, Some(&a))), Some(true));
        assert_eq!(at_a_glance(&item(1, 1, Some(&a)), &item(1, 9, Some(&b))), Some(false));
        assert_eq!(at_a_glance(&item(1, 1, None), &item(1, 1, Some(&b))), Some(true));
        assert_eq!(at_a_glance(&item(1, 2, None), &item(1, 1, Some(&b))), None);
        assert_eq!(at_a_glance(&item(1, 2, Some("x-2")), &item(1, 1, Some("x-3"))), None);
    }

    fn inventory() -> impl Strategy<Value = BTreeMap<String, Item>> {
        let item = (0..3_u64, 0..3_i64).prop_map(|(size, secs)| item(size, secs, None));
        proptest::collection::btree_map("[a-e]", item, 0..6)
    }

    proptest! {
        /// The oracle does it: after the plan, the destination is the source.
        #[test]
        fn a_plan_carried_out_makes_the_destination_the_source(from in inventory(), to in inventory()) {
            let plan = plan(&from, &to, |_, a, b| Ok(a == b)).unwrap();
            for name in &plan.transfer {
                prop_assert_ne!(to.get(name), from.get(name), "{} was there", name);
            }
            let mut after = to.clone();
            after.extend(plan.transfer.iter().map(|name| (name.clone(), from[name].clone())));
            for name in &plan.surplus {
                prop_assert!(after.remove(name).is_some());
            }
            prop_assert_eq!(&after, &from);
            let again = super::plan(&from, &after, |_, a, b| Ok(a == b)).unwrap();
            prop_assert!(again.transfer.is_empty() && again.surplus.is_empty());
        }
    }
}
