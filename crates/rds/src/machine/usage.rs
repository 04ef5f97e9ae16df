//! What an instance costs: levels of what it has, opened and closed in the commit that changes what it is.

use std::collections::BTreeMap;

use engine::Cx;

use crate::classes::{self, STORAGE_METER};
use crate::model::Wanted;
use crate::tables::instance::Instance;

/// Brings the levels to what the instance is now.
pub(crate) fn keep(cx: &mut Cx<'_>, instance: &mut Instance) {
    let running = instance.wanted == Wanted::Running;
    let levels = classes::find(&instance.class).map(|class| class.levels(instance.storage_gib));
    // A stopped one holds nothing but its disk.
    let held = |(meter, _): &(&'static str, i64)| running || *meter == STORAGE_METER;
    let due = levels.into_iter().flatten().filter(held).collect();
    level(cx, instance, due);
}

/// Brings the levels to nothing.
pub(super) fn close(cx: &mut Cx<'_>, instance: &mut Instance) {
    level(cx, instance, BTreeMap::new());
}

fn level(cx: &mut Cx<'_>, instance: &mut Instance, due: BTreeMap<&'static str, i64>) {
    for meter in classes::METERS {
        let before = instance.options.metered.get(meter).copied().unwrap_or_default();
        let change = due.get(meter).copied().unwrap_or_default() - before;
        if change != 0 {
            cx.level(instance.account, &instance.id, meter, change);
        }
    }
    instance.options.metered =
        due.into_iter().map(|(meter, amount)| (meter.to_owned(), amount)).collect();
}
