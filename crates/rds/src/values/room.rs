//! How much shared memory a PostgreSQL server takes for its settings, roughly and rather too much. It is taken when
//! the server starts: what does not fit keeps it from starting, or from anything else afterwards.

use std::collections::BTreeMap;

use super::amount;
use crate::classes::Class;
use crate::engines::Setting;

/// Bytes of a lock with its share of the tables that it is found in; two kinds of them.
const LOCK: f64 = 300.0;
const PREDICATE_LOCK: f64 = 400.0;
/// Bytes of a process besides the text of its statement: its state, semaphores and statistics.
const PROCESS: f64 = 24_576.0;
/// Bytes of a block.
const BLOCK: f64 = 8192.0;
/// More processes than this no server has; far more it refuses.
const PROCESSES_MAX: f64 = 50_000.0;
/// Connections and processes that the node adds to those of tenants.
const OURS: f64 = 28.0;

/// Settings whose unit of memory is a block of the shared memory.
const BLOCKS: [&str; 8] = [
    "commit_timestamp_buffers",
    "multixact_member_buffers",
    "multixact_offset_buffers",
    "notify_buffers",
    "serializable_buffers",
    "subtransaction_buffers",
    "transaction_buffers",
    "wal_buffers",
];
/// Each of these is a process.
const WORKERS: [&str; 3] =
    ["autovacuum_max_workers", "autovacuum_worker_slots", "max_worker_processes"];

/// Settings that are counted for each process or transaction.
const OTHERS: [&str; 4] = [
    "max_locks_per_transaction",
    "max_pred_locks_per_transaction",
    "max_prepared_transactions",
    "track_activity_query_size",
];

/// Whether shared memory is taken for that setting.
pub(crate) fn takes_some(name: &str) -> bool {
    [&BLOCKS[..], &WORKERS, &OTHERS].iter().any(|names| names.contains(&name))
}

/// Whether the settings of a PostgreSQL instance fit into its class: an eighth of the memory, beside the quarter that
/// is for blocks of tables.
///
/// # Errors
/// How much too much it is, for the client.
pub(crate) fn check(
    settings: &[Setting],
    given: &BTreeMap<String, String>,
    class: &Class,
) -> Result<(), String> {
    let value = |name: &str| {
        let setting = settings.iter().find(|it| it.name == name)?;
        amount(setting, given.get(name).unwrap_or(&setting.default)).map(|value| value.max(0.0))
    };
    let value = |name: &str| value(name).unwrap_or_default();
    let workers: f64 = WORKERS.iter().map(|name| value(name)).sum();
    let processes = f64::from(class.connections) + OURS + workers;
    let transactions = processes + value("max_prepared_transactions");
    if transactions > PROCESSES_MAX {
        return Err("These settings ask for more processes than a server may have.".to_owned());
    }
    let locks = value("max_locks_per_transaction") * LOCK
        + value("max_pred_locks_per_transaction") * PREDICATE_LOCK;
    let blocks: f64 = BLOCKS.iter().map(|name| value(name)).sum();
    let bytes =
        transactions * (locks + PROCESS + value("track_activity_query_size")) + blocks * BLOCK;
    let (takes, has) = (bytes / 1_048_576.0, f64::from(class.memory_gib) * 1024.0 / 8.0);
    if takes > has {
        return Err(format!(
            "These settings take {takes:.0} MiB of shared memory, and the class has {has:.0} MiB for it."
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::classes;

    fn settings() -> Vec<Setting> {
        let one = |(name, unit, default): (&str, &str, &str)| Setting {
            name: name.to_owned(),
            kind: "integer".to_owned(),
            unit: unit.to_owned(),
            default: default.to_owned(),
            ..Setting::default()
        };
        [
            ("autovacuum_max_workers", "", "3"),
            ("max_worker_processes", "", "8"),
            ("max_prepared_transactions", "", "0"),
            ("max_locks_per_transaction", "", "64"),
            ("max_pred_locks_per_transaction", "", "64"),
            ("track_activity_query_size", "B", "1024"),
            ("wal_buffers", "8kB", "-1"),
        ]
        .map(one)
        .to_vec()
    }

    #[test]
    fn what_every_class_has_by_itself_fits() {
        for class in classes::all() {
            assert_eq!(check(&settings(), &BTreeMap::new(), class), Ok(()), "{}", class.name);
        }
    }

    #[test]
    fn what_a_small_class_has_no_room_for_a_great_one_takes() {
        let fits = |class: &str, name: &str, value: &str| {
            let given = BTreeMap::from([(name.to_owned(), value.to_owned())]);
            check(&settings(), &given, classes::find(class).expect("it is one")).is_ok()
        };
        for (name, small, great) in [
            ("max_locks_per_transaction", "1000", "20000"),
            ("max_pred_locks_per_transaction", "1000", "10000"),
            ("max_prepared_transactions", "200", "10000"),
            ("max_worker_processes", "100", "5000"),
            ("wal_buffers", "16MB", "1GB"),
        ] {
            assert!(takes_some(name), "{name}");
            assert!(fits("pg.n1e.1c.1m", name, small), "{name}");
            assert!(!fits("pg.n1e.1c.1m", name, great), "{name}");
            assert!(fits("pg.x8.2xlarge.1", name, small), "{name}");
        }
        for (name, never) in
            [("max_locks_per_transaction", "2147483647"), ("max_worker_processes", "262143")]
        {
            assert!(!fits("pg.x8.2xlarge.1", name, never), "{name}");
        }
    }
}
