//! Every action of instances, as called by whom it is not for: a user without a policy, another account.

use rds::node::api::Observed;
use serde_json::Value;
use testkit::user;

use crate::control::{SPEC, World, entries, serving, text};

/// Stands for the id of the tenant's instance.
pub(crate) const ID: &str = "{id}";

/// Actions that concern one instance, with parameters that are right.
pub(crate) const OF_ONE: [(&str, &[(&str, &str)]); 54] = [
    ("AddTagsToResource", &[("DBInstanceId", ID), ("Tags", r#"{"app":"other"}"#)]),
    (
        "AllocateInstancePublicConnection",
        &[("DBInstanceId", ID), ("ConnectionStringPrefix", "other")],
    ),
    (
        "CreateReadOnlyDBInstance",
        &[("DBInstanceId", ID), ("DBInstanceClass", "pg.n2.2c.1m"), ("DBInstanceStorage", "20")],
    ),
    ("DeleteDBInstance", &[("DBInstanceId", ID)]),
    ("DescribeDBInstanceAttribute", &[("DBInstanceId", ID)]),
    ("DescribeDBInstanceEncryptionKey", &[("DBInstanceId", ID)]),
    ("DescribeDBInstanceHAConfig", &[("DBInstanceId", ID)]),
    ("DescribeDBInstanceIPArrayList", &[("DBInstanceId", ID)]),
    ("DescribeDBInstanceMonitor", &[("DBInstanceId", ID)]),
    ("DescribeDBInstanceNetInfo", &[("DBInstanceId", ID)]),
    ("DescribeDBInstanceSSL", &[("DBInstanceId", ID)]),
    ("DescribeDBInstanceTDE", &[("DBInstanceId", ID)]),
    ("DescribeHADiagnoseConfig", &[("DBInstanceId", ID)]),
    ("DescribeHASwitchConfig", &[("DBInstanceId", ID)]),
    ("DescribeInstanceAutoRenewalAttribute", &[("DBInstanceId", ID)]),
    ("DescribeInstanceLinkedWhitelistTemplate", &[("InsName", ID)]),
    ("DescribeReadDBInstanceDelay", &[("DBInstanceId", ID)]),
    ("DescribeSQLCollectorPolicy", &[("DBInstanceId", ID)]),
    ("DescribeSQLCollectorRetention", &[("DBInstanceId", ID)]),
    ("DescribeSecurityGroupConfiguration", &[("DBInstanceId", ID)]),
    ("DescribeTags", &[("DBInstanceId", ID)]),
    ("DescribeTasks", &[("DBInstanceId", ID)]),
    ("MigrateSecurityIPMode", &[("DBInstanceId", ID)]),
    ("ModifyCollationTimeZone", &[("DBInstanceId", ID), ("Timezone", "UTC")]),
    (
        "ModifyDBInstanceAutoUpgradeMinorVersion",
        &[("DBInstanceId", ID), ("AutoUpgradeMinorVersion", "Auto")],
    ),
    (
        "ModifyDBInstanceConfig",
        &[("DBInstanceId", ID), ("ConfigName", "pgbouncer"), ("ConfigValue", "false")],
    ),
    (
        "ModifyDBInstanceConnectionString",
        &[
            ("DBInstanceId", ID),
            ("CurrentConnectionString", "x"),
            ("ConnectionStringPrefix", "other"),
        ],
    ),
    ("ModifyDBInstanceDeletionProtection", &[("DBInstanceId", ID), ("DeletionProtection", "true")]),
    ("ModifyDBInstanceDescription", &[("DBInstanceId", ID), ("DBInstanceDescription", "other")]),
    ("ModifyDBInstanceHAConfig", &[("DbInstanceId", ID), ("HAMode", "RTO"), ("SyncMode", "Sync")]),
    ("ModifyDBInstanceMaintainTime", &[("DBInstanceId", ID), ("MaintainTime", "01:00Z-02:00Z")]),
    ("ModifyDBInstanceMonitor", &[("DBInstanceId", ID), ("Period", "5")]),
    ("ModifyDBInstanceSSL", &[("DBInstanceId", ID), ("SSLEnabled", "2")]),
    ("ModifyDBInstanceSpec", &[("DBInstanceId", ID), ("DBInstanceStorage", "30")]),
    ("ModifyDBInstanceTDE", &[("DBInstanceId", ID), ("TDEStatus", "Disabled")]),
    ("ModifyDasInstanceConfig", &[("DBInstanceId", ID), ("StorageAutoScale", "Disable")]),
    ("ModifyHADiagnoseConfig", &[("DBInstanceId", ID), ("TcpConnectionType", "LONG")]),
    ("ModifyHASwitchConfig", &[("DBInstanceId", ID), ("HAConfig", "Manual")]),
    ("ModifyInstanceAutoRenewalAttribute", &[("DBInstanceId", ID), ("AutoRenew", "False")]),
    ("ModifyResourceGroup", &[("DBInstanceId", ID), ("ResourceGroupId", "rg-1")]),
    ("ModifySQLCollectorPolicy", &[("DBInstanceId", ID), ("SQLCollectorStatus", "Disabled")]),
    ("ModifySQLCollectorRetention", &[("DBInstanceId", ID), ("ConfigValue", "0")]),
    ("ModifySecurityGroupConfiguration", &[("DBInstanceId", ID)]),
    ("ModifySecurityIps", &[("DBInstanceId", ID), ("SecurityIps", "0.0.0.0/0")]),
    ("ReleaseInstancePublicConnection", &[("DBInstanceId", ID), ("CurrentConnectionString", "x")]),
    ("RemoveTagsFromResource", &[("DBInstanceId", ID), ("Tags", r#"{"app":""}"#)]),
    ("RenewInstance", &[("DBInstanceId", ID)]),
    ("RestartDBInstance", &[("DBInstanceId", ID)]),
    ("StartDBInstance", &[("DBInstanceId", ID)]),
    ("StopDBInstance", &[("DBInstanceId", ID)]),
    ("SwitchDBInstanceHA", &[("DBInstanceId", ID), ("NodeId", "jkt-b")]),
    ("TransformDBInstancePayType", &[("DBInstanceId", ID), ("PayType", "Postpaid")]),
    ("UpgradeDBInstanceEngineVersion", &[("DBInstanceId", ID), ("EngineVersion", "18.0")]),
    ("UpgradeDBInstanceKernelVersion", &[("DBInstanceId", ID)]),
];

/// Those that name instances in a list.
const OF_SOME: [(&str, &[(&str, &str)]); 2] = [
    (
        "TagResources",
        &[
            ("ResourceType", "INSTANCE"),
            ("ResourceId.1", ID),
            ("Tag.1.Key", "app"),
            ("Tag.1.Value", "x"),
        ],
    ),
    ("UntagResources", &[("ResourceType", "INSTANCE"), ("ResourceId.1", ID), ("All", "true")]),
];

/// Those that concern an account or nobody.
const OF_ALL: [(&str, &[(&str, &str)]); 8] = [
    ("CreateDBInstance", &SPEC),
    ("DescribeAvailableClasses", &[("Engine", "PostgreSQL")]),
    ("DescribeAvailableZones", &[("Engine", "PostgreSQL")]),
    ("DescribeDBInstances", &[]),
    (
        "DescribePrice",
        &[
            ("Engine", "PostgreSQL"),
            ("DBInstanceClass", "pg.n2.2c.1m"),
            ("DBInstanceStorage", "20"),
        ],
    ),
    ("DescribeRegions", &[]),
    ("ListClasses", &[]),
    ("ListTagResources", &[("ResourceType", "INSTANCE")]),
];

/// All that is stored of instances.
const STATE: &str = "SELECT id || status || wanted || class || storage_gib || major || name || options || generation
    FROM rds_instance UNION ALL SELECT instance || name || addresses FROM rds_ip_array
    UNION ALL SELECT instance || name || value FROM rds_tag UNION ALL SELECT name || instance FROM rds_host
    UNION ALL SELECT instance || site || role FROM rds_member ORDER BY 1";

struct Seeded {
    world: World,
    id: String,
}

/// A tenant with an instance to which every action may be done.
fn seeded() -> Seeded {
    let world = World::new();
    let id = world.instance(&[("DBInstanceClass", "pg.n2.2c.2m"), ("Tag.1.Key", "app")]);
    let observed = Observed { trouble: String::new(), ..serving("17.1") };
    world.observe(&id, "jkt-a", 40_000, &observed);
    world.offer("jkt-a", rds::model::Engine::Postgres, "18", "18.3");
    Seeded { world, id }
}

impl Seeded {
    fn params<'a>(&'a self, params: &[(&'a str, &'a str)]) -> Vec<(&'a str, &'a str)> {
        let of = |value: &'a str| if value == ID { self.id.as_str() } else { value };
        params.iter().map(|(name, value)| (*name, of(value))).collect()
    }
}

fn every() -> impl Iterator<Item = (&'static str, &'static [(&'static str, &'static str)])> {
    OF_ONE.into_iter().chain(OF_SOME).chain(OF_ALL)
}

#[test]
fn a_user_without_a_policy_is_denied_everything_and_changes_nothing() {
    let seeded = seeded();
    let world = &seeded.world;
    let nobody = user(1_000_000_000_000_001, "nobody");
    let before = world.rows(STATE);
    for (action, params) in every() {
        assert!(entries().any(|entry| entry.meta.name == action), "{action}");
        let refused = world.call(&nobody, action, &seeded.params(params)).expect_err(action);
        assert_eq!((refused.status(), refused.code()), (403, "Forbidden.RAM"), "{action}");
    }
    assert_eq!(world.rows(STATE), before);
    let allowed = user(1_000_000_000_000_001, "reader");
    world.test.keys.allow(&allowed, "rds:DescribeDBInstanceAttribute");
    world.call(&allowed, "DescribeDBInstanceAttribute", &[("DBInstanceId", &seeded.id)]).unwrap();
}

#[test]
fn another_accounts_instance_is_not_there() {
    let seeded = seeded();
    let world = &seeded.world;
    let before = world.rows(STATE);
    for (action, params) in OF_ONE.into_iter().chain(OF_SOME) {
        let params = seeded.params(params);
        let refused = world.call(&world.stranger, action, &params).expect_err(action);
        assert_eq!(
            (refused.status(), refused.code()),
            (404, "InvalidDBInstanceId.NotFound"),
            "{action}"
        );
    }
    assert_eq!(world.rows(STATE), before);
    for (action, list) in [("DescribeDBInstances", "Items"), ("ListTagResources", "TagResources")] {
        let params = [("ResourceType", "INSTANCE")];
        let told = world.call(&world.stranger, action, &params).unwrap();
        let rows = told[list].as_object().unwrap().values().next().unwrap();
        assert_eq!(*rows, Value::Array(Vec::new()), "{action}");
    }
    let tags = world.call(&world.stranger, "DescribeTags", &[]).unwrap();
    assert!(!tags.to_string().contains(&seeded.id));
}

#[test]
fn what_is_written_is_in_the_trail_and_no_secret_is() {
    let seeded = seeded();
    let world = &seeded.world;
    let writes = [
        ("ModifySecurityIps", &[("DBInstanceId", ID), ("SecurityIps", "10.9.8.7")][..], "10.9.8.7"),
        ("ModifyDBInstanceSpec", &[("DBInstanceId", ID), ("DBInstanceStorage", "30")], "30"),
        ("DeleteDBInstance", &[("DBInstanceId", ID), ("ReleasedKeepPolicy", "None")], "None"),
    ];
    for (action, params, trace) in writes {
        world.ok(action, &seeded.params(params));
        let rows =
            world.rows("SELECT action || ' ' || resource || ' ' || detail FROM audit ORDER BY id");
        let last = rows.last().unwrap();
        assert!(
            last.contains(action) && last.contains(&seeded.id) && last.contains(trace),
            "{last}"
        );
        world.settle(&seeded.id);
    }
    let trail = world.rows("SELECT detail FROM audit").join("");
    assert!(!trail.contains("replicator"));
    let made = world.ok("CreateDBInstance", &SPEC);
    assert!(text(&made["DBInstanceId"]).len() == 21);
    let stored = world.rows("SELECT secrets FROM rds_instance").join("");
    assert!(!stored.contains("replicator"), "they are sealed");
}
