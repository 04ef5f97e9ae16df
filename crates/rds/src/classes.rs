//! The classes of instances: which there are, and what each may use. Who holds an instance to it is the node.
//!
//! A name is made by rule, after the names of ApsaraDB RDS: engine, family, cores, category. `pg.n2.2c.1m` is a
//! PostgreSQL of the general family with 2 GiB for each core, two cores, one data directory (`1m`; `2m` has a standby);
//! `pg.x4.large.2c` is a dedicated one with 4 GiB for each core, four cores and a standby (`1` has none).

use std::sync::LazyLock;

use crate::model::{Category, Engine};
use crate::node::api::Limits;

/// Storage of an instance, GiB: from, to, and in what steps.
pub const STORAGE_GIB: (i64, i64, i64) = (5, 6000, 5);

/// Usage of processors by running instances: a core for a second. A standby counts as much as its primary.
pub const CPU_METER: &str = "rds.cpu";
/// Usage of memory by running instances: a GiB for a second.
pub const MEMORY_METER: &str = "rds.memory";
/// Usage of storage by instances, running or not: a GiB for a second.
pub const STORAGE_METER: &str = "rds.storage";
/// All meters of instances.
pub const METERS: [&str; 3] = [CPU_METER, MEMORY_METER, STORAGE_METER];

/// A class.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Class {
    /// As the API names it: `pg.n2.2c.1m`.
    pub name: String,
    /// For which engine.
    pub engine: Engine,
    /// How many members its instances have.
    pub category: Category,
    /// True for those that share processors with nobody.
    pub dedicated: bool,
    /// Cores.
    pub cpu: u32,
    /// Memory, GiB.
    pub memory_gib: u32,
    /// Connections of tenants at once.
    pub connections: u32,
}

impl Class {
    /// What a member of such an instance may use.
    pub fn limits(&self, storage_gib: i64) -> Limits {
        Limits {
            memory_mib: u64::from(self.memory_gib) * 1024,
            cpu_milli: u64::from(self.cpu) * 1000,
            storage_gib: u64::try_from(storage_gib).unwrap_or_default(),
            connections: self.connections,
        }
    }

    /// What such an instance uses at every moment in which it runs, by meter: the levels that its usage is opened
    /// with. Of a stopped one only [`STORAGE_METER`].
    pub fn levels(&self, storage_gib: i64) -> [(&'static str, i64); 3] {
        let members = match self.category {
            Category::Basic => 1,
            Category::HighAvailability => 2,
        };
        [
            (CPU_METER, i64::from(self.cpu) * members),
            (MEMORY_METER, i64::from(self.memory_gib) * members),
            (STORAGE_METER, storage_gib * members),
        ]
    }
}

/// Every class, small ones first within a family.
pub fn all() -> &'static [Class] {
    static CLASSES: LazyLock<Vec<Class>> = LazyLock::new(catalogue);
    &CLASSES
}

/// The class of that name.
pub fn find(name: &str) -> Option<&'static Class> {
    all().iter().find(|class| class.name == name)
}

/// A hundred connections for each GiB from 4 GiB up; the two smallest have so few because a session of theirs
/// must still have memory to sort in.
fn connections(memory_gib: u32) -> u32 {
    match memory_gib {
        0..=1 => 20,
        2 => 50,
        more => more * 100,
    }
}

fn catalogue() -> Vec<Class> {
    const SMALL: [(&str, u32); 2] = [("n1e", 1), ("n2e", 2)];
    const GENERAL: [(&str, u32); 2] = [("n2", 2), ("n4", 4)];
    const DEDICATED: [(&str, u32); 3] = [("x2", 2), ("x4", 4), ("x8", 8)];
    const SIZES: [(&str, u32); 4] = [("medium", 2), ("large", 4), ("xlarge", 8), ("2xlarge", 16)];
    let mut classes = Vec::new();
    for (prefix, engine) in [("pg", Engine::Postgres), ("mariadb", Engine::MariaDb)] {
        let mut add = |name: String, category, dedicated, cpu: u32, gib: u32| {
            let (memory_gib, connections) = (cpu * gib, connections(cpu * gib));
            classes.push(Class { name, engine, category, dedicated, cpu, memory_gib, connections });
        };
        for (suffix, category) in [("1m", Category::Basic), ("2m", Category::HighAvailability)] {
            for (family, gib) in SMALL {
                add(format!("{prefix}.{family}.1c.{suffix}"), category, false, 1, gib);
            }
            for (family, gib) in GENERAL {
                for (_, cpu) in SIZES {
                    add(format!("{prefix}.{family}.{cpu}c.{suffix}"), category, false, cpu, gib);
                }
            }
        }
        for (suffix, category) in [("1", Category::Basic), ("2c", Category::HighAvailability)] {
            for (family, gib) in DEDICATED {
                for (size, cpu) in SIZES {
                    add(format!("{prefix}.{family}.{size}.{suffix}"), category, true, cpu, gib);
                }
            }
        }
    }
    classes
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Cores, GiB, connections.
    fn figures(name: &str) -> Option<(u32, u32, u32, Category)> {
        find(name).map(|class| (class.cpu, class.memory_gib, class.connections, class.category))
    }

    #[test]
    fn a_name_says_what_its_instances_may_use() {
        use Category::{Basic, HighAvailability};
        let expected = [
            ("pg.n1e.1c.1m", (1, 1, 20, Basic)),
            ("pg.n2e.1c.1m", (1, 2, 50, Basic)),
            ("pg.n2.2c.1m", (2, 4, 400, Basic)),
            ("pg.n2.4c.1m", (4, 8, 800, Basic)),
            ("pg.n4.2c.1m", (2, 8, 800, Basic)),
            ("pg.n4.8c.1m", (8, 32, 3200, Basic)),
            ("pg.x8.medium.1", (2, 16, 1600, Basic)),
            ("pg.n2.2c.2m", (2, 4, 400, HighAvailability)),
            ("mariadb.x4.large.2c", (4, 16, 1600, HighAvailability)),
        ];
        for (name, of) in expected {
            assert_eq!(figures(name), Some(of), "{name}");
        }
        assert_eq!(figures("mysql.n2.medium.1"), None);
    }

    #[test]
    fn no_two_classes_have_one_name() {
        let mut names: Vec<_> = all().iter().map(|class| &class.name).collect();
        let count = names.len();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), count);
    }

    #[test]
    fn a_standby_uses_as_much_as_its_primary() {
        let levels = |name| find(name).map(|class| class.levels(20));
        let basic = [(CPU_METER, 2), (MEMORY_METER, 4), (STORAGE_METER, 20)];
        assert_eq!(levels("pg.n2.2c.1m"), Some(basic));
        assert_eq!(levels("pg.n2.2c.2m"), Some(basic.map(|(meter, level)| (meter, level * 2))));
    }
}
