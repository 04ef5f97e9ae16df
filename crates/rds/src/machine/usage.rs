//! What an instance costs: levels of what it has, opened and closed in the commit that changes what it is.

use engine::Cx;

use crate::classes;
use crate::model::{Category, Metered, Wanted};
use crate::tables::instance::Instance;

/// Thousandths of a core that are held for a running instance, all members together.
pub const CPU: &str = "rds.cpu";
/// MiB of memory that are held for a running instance, all members together.
pub const MEMORY: &str = "rds.memory";
/// GiB of disk that are held for an instance, running or not, all members together.
pub const STORAGE: &str = "rds.storage";

/// Brings the levels to what the instance is now.
pub(super) fn keep(cx: &mut Cx<'_>, instance: &mut Instance) {
    let target = due(instance);
    level(cx, instance, target);
}

/// Brings the levels to nothing.
pub(super) fn close(cx: &mut Cx<'_>, instance: &mut Instance) {
    level(cx, instance, Metered::default());
}

fn due(instance: &Instance) -> Metered {
    let members = match instance.category {
        Category::Basic => 1,
        Category::HighAvailability => 2,
    };
    let running = i64::from(instance.wanted == Wanted::Running) * members;
    let class = classes::find(&instance.class);
    Metered {
        cpu: class.as_ref().map_or(0, |class| class.cpu_milli) * running,
        memory: class.as_ref().map_or(0, |class| class.memory_mib) * running,
        storage: instance.storage_gib * members,
    }
}

fn level(cx: &mut Cx<'_>, instance: &mut Instance, target: Metered) {
    let before = instance.options.metered;
    let changes = [
        (CPU, target.cpu - before.cpu),
        (MEMORY, target.memory - before.memory),
        (STORAGE, target.storage - before.storage),
    ];
    for (meter, change) in changes {
        if change != 0 {
            cx.level(instance.account, &instance.id, meter, change);
        }
    }
    instance.options.metered = target;
}
