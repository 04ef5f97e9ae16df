//! Read-only instances, and high availability.

use rds::node::api::{Observed, Phase};
use serde_json::json;
use terms::clauses::DataClass;

use crate::control::{World, field, serving, text};

const MIB: u64 = 1 << 20;

fn follower<'a>(parent: &'a str, changes: &[(&'a str, &'a str)]) -> Vec<(&'a str, &'a str)> {
    let given = [
        ("DBInstanceId", parent),
        ("RegionId", "ap-southeast-5"),
        ("ZoneId", "ap-southeast-5c"),
        ("EngineVersion", "17.0"),
        ("DBInstanceClass", "pg.n2.2c.1m"),
        ("DBInstanceStorage", "20"),
        ("PayType", "Postpaid"),
    ];
    let kept =
        given.into_iter().filter(|(name, _)| !changes.iter().any(|(other, _)| other == name));
    kept.chain(changes.iter().copied()).collect()
}

#[test]
fn a_read_only_instance_follows_where_it_was_asked_for() {
    let world = World::new();
    let parent = world.instance(&[("SecurityIPList", "10.0.0.0/8")]);
    let token = [("ClientToken", "once")];
    let made = world.ok("CreateReadOnlyDBInstance", &follower(&parent, &token));
    assert_eq!(world.ok("CreateReadOnlyDBInstance", &follower(&parent, &token)), made);
    let id = text(&made["DBInstanceId"]);
    assert!(id.starts_with("pgr-"), "{id}");
    let shown = world.attribute(&id);
    assert_eq!(
        (&shown["DBInstanceType"], &shown["DBInstanceStatus"]),
        (&json!("Readonly"), &json!("Creating"))
    );
    assert_eq!(
        (&shown["MasterInstanceId"], &shown["ZoneId"]),
        (&json!(parent), &json!("ap-southeast-5c"))
    );
    assert_eq!(shown["SecurityIPList"], "10.0.0.0/8");
    let shown = world.attribute(&parent);
    assert_eq!(
        shown["ReadOnlyDBInstanceIds"]["ReadOnlyDBInstanceId"],
        json!([{ "DBInstanceId": id }])
    );
    assert_eq!(shown["Extra"]["DBInstanceIds"]["DBInstanceId"], json!([id]));
    let origin = world.rows("SELECT origin FROM rds_instance WHERE parent IS NOT NULL");
    assert!(origin[0].contains("Follow"), "{origin:?}");

    let this = [("DBInstanceId", parent.as_str())];
    for action in ["DeleteDBInstance", "StopDBInstance"] {
        assert_eq!(world.code(action, &this), "OperationDenied.ReadDBInstance", "{action}");
    }
    world.settle(&id);
    assert_eq!(
        world.code("CreateReadOnlyDBInstance", &follower(&id, &[])),
        "OperationDenied.NotSupported"
    );
    world.ok("DeleteDBInstance", &[("DBInstanceId", &id)]);
    world.settle(&id);
    world.ok("DeleteDBInstance", &this);
}

#[test]
fn what_cannot_follow_is_refused() {
    let world = World::new();
    let parent = world.instance(&[]);
    for (change, code) in [
        (("EngineVersion", "16.0"), "InvalidParameter.EngineVersion"),
        (("DBInstanceStorage", "15"), "InvalidParameter.DBInstanceStorage"),
        (("DBInstanceClass", "pg.n2.2c.2m"), "InvalidParameter.DBInstanceClass"),
        (("DBInstanceClass", "pg.none"), "InvalidDBInstanceClass.NotFound"),
        (("RegionId", "cn-hangzhou"), "OperationDenied.NotSupported"),
        (("ZoneId", "ap-southeast-5z"), "InvalidZoneId.NotFound"),
        (("PayType", "Prepaid"), "OperationDenied.NotSupported"),
        (("DBInstanceId", "pgm-none"), "InvalidDBInstanceId.NotFound"),
        (("IsAnalyticReadOnlyIns", "true"), "OperationDenied.NotSupported"),
    ] {
        assert_eq!(
            world.code("CreateReadOnlyDBInstance", &follower(&parent, &[change])),
            code,
            "{change:?}"
        );
    }
    let major = [("DBInstanceId", parent.as_str()), ("EngineVersion", "18.0")];
    world.offer("jkt-a", rds::model::Engine::Postgres, "18", "18.3");
    world.ok("CreateReadOnlyDBInstance", &follower(&parent, &[]));
    assert_eq!(
        world.code("UpgradeDBInstanceEngineVersion", &major),
        "OperationDenied.ReadDBInstance"
    );
}

#[test]
fn a_read_only_instance_has_room_for_all_that_it_follows() {
    let world = World::new();
    let parent = world.instance(&[]);
    let made = world.ok("CreateReadOnlyDBInstance", &follower(&parent, &[]));
    let id = text(&made["DBInstanceId"]);
    world.settle(&id);
    let resize = |id: &str, gib: &str| {
        let params = [("DBInstanceId", id), ("DBInstanceStorage", gib)];
        let done = world.call(&world.tenant, "ModifyDBInstanceSpec", &params);
        world.settle(id);
        done.map(drop).map_err(|error| error.code().to_owned())
    };
    let refused = Err("InvalidParameter.DBInstanceStorage".to_owned());
    assert_eq!(resize(&parent, "30"), refused);
    assert_eq!(resize(&id, "30"), Ok(()));
    assert_eq!(resize(&parent, "30"), Ok(()));
    assert_eq!(resize(&id, "25"), refused);
}

#[test]
fn the_zones_of_its_primary_count_for_a_read_only_instance_but_its_own_place_is_decided() {
    let world = World::new();
    world.bind(DataClass::Internal, &["jkt-a", "jkt-b"], 2);
    let parent = world.instance(&[("DBInstanceClass", "pg.n2.2c.2m")]);
    let there = follower(&parent, &[("ZoneId", "ap-southeast-5b")]);
    world.ok("CreateReadOnlyDBInstance", &there);
    let elsewhere = follower(&parent, &[("ZoneId", "ap-southeast-5c")]);
    assert_eq!(world.code("CreateReadOnlyDBInstance", &elsewhere), "Forbidden.Residency");
    let placed = world.rows(
        "SELECT public FROM audit WHERE action = 'CreateReadOnlyDBInstance' AND outcome = 'OK'",
    );
    assert!(placed[0].contains("jkt-b") && !placed[0].contains("jkt-a"), "{placed:?}");
    let members = world.rows("SELECT m.site FROM rds_member m JOIN rds_instance i ON i.id = m.instance WHERE i.parent IS NOT NULL");
    assert_eq!(members, ["Text(\"jkt-b\")"]);
}

#[test]
fn the_delay_of_those_that_serve_is_told() {
    let world = World::new();
    let parent = world.instance(&[]);
    let make =
        || text(&world.ok("CreateReadOnlyDBInstance", &follower(&parent, &[]))["DBInstanceId"]);
    let (serves, silent) = (make(), make());
    let primary = Observed { lsn: 100 * MIB, ..serving("17.9") };
    world.observe(&parent, "jkt-a", 40_000, &primary);
    let behind =
        Observed { lsn: 99 * MIB, replayed: 97 * MIB, lag_seconds: 1.25, ..serving("17.9") };
    world.observe(&serves, "jkt-c", 40_001, &behind);
    let told = world.ok("DescribeReadDBInstanceDelay", &[("DBInstanceId", &parent)]);
    assert_eq!((&told["DBInstanceId"], &told["DelayTime"]), (&json!(parent), &json!(2)));
    let item = &told["Items"]["Items"][0];
    assert_eq!(item["ReadDBInstanceNames"], json!({ "ReadDBInstanceName": [serves] }));
    assert_eq!(item["ReadDelayTimes"], json!({ "ReadDelayTime": ["2"] }));
    let delay = &item["ReadonlyInstanceDelay"]["ReadonlyInstanceDelay"][0];
    let figures = (&delay["FlushLatency"], &delay["ReplayLatency"], &delay["ReplayLag"]);
    assert_eq!(figures, (&json!("1.00"), &json!("3.00"), &json!("1.250")));
    let one = [("DBInstanceId", parent.as_str()), ("ReadInstanceId", silent.as_str())];
    let told = world.ok("DescribeReadDBInstanceDelay", &one);
    assert!(told.get("DelayTime").is_none(), "nobody knows: {told}");
    let none = [("DBInstanceId", parent.as_str()), ("ReadInstanceId", "pgr-none")];
    assert_eq!(world.code("DescribeReadDBInstanceDelay", &none), "InvalidDBInstanceId.NotFound");
}

#[test]
fn a_standby_is_told_waited_for_and_switched_to() {
    let world = World::new();
    let id = world.instance(&[("DBInstanceClass", "pg.n2.2c.2m")]);
    let this = ("DBInstanceId", id.as_str());
    let standby = Observed { phase: Phase::Serving, lag_seconds: 5.0, ..Observed::default() };
    world.observe(&id, "jkt-b", 40_001, &standby);
    let told = world.ok("DescribeDBInstanceHAConfig", &[this]);
    assert_eq!((&told["SyncMode"], &told["HAMode"]), (&json!("Async"), &json!("RPO")));
    let nodes = &told["HostInstanceInfos"]["NodeInfo"];
    assert_eq!(field(nodes, "NodeId"), ["jkt-a", "jkt-b"]);
    assert_eq!(field(nodes, "NodeType"), ["Master", "Slave"]);
    assert_eq!(field(nodes, "SyncStatus"), ["NotAvailable", "Synchronized"]);
    assert_eq!(field(nodes, "DataSyncTime"), ["", "2026-01-02T03:03:15Z"]);

    let modes = |ha, sync| [("DbInstanceId", id.as_str()), ("HAMode", ha), ("SyncMode", sync)];
    world.ok("ModifyDBInstanceHAConfig", &modes("RTO", "Sync"));
    assert_eq!(world.ok("DescribeDBInstanceHAConfig", &[this])["SyncMode"], "Sync");
    assert_eq!(
        world.code("ModifyDBInstanceHAConfig", &modes("RTO", "Semi-sync")),
        "OperationDenied.NotSupported"
    );
    assert_eq!(
        world.code("ModifyDBInstanceHAConfig", &modes("Any", "Sync")),
        "InvalidParameter.HAMode"
    );

    let to = |node| [this, ("NodeId", node)];
    for node in ["jkt-a", "jkt-c", ""] {
        assert_eq!(
            world.code("SwitchDBInstanceHA", &to(node)),
            "InvalidParameter.NodeId",
            "{node}"
        );
    }
    let by_force = [this, ("NodeId", "jkt-b"), ("Force", "Yes")];
    assert_eq!(world.code("SwitchDBInstanceHA", &by_force), "OperationDenied.NotSupported");
    world.ok("SwitchDBInstanceHA", &to("jkt-b"));
    assert_eq!(world.status(&id), "GuardSwitching");
    assert!(world.rows("SELECT options FROM rds_instance")[0].contains("switch_to\\\":\\\"jkt-b"));
    assert_eq!(world.code("SwitchDBInstanceHA", &to("jkt-b")), "OperationDenied.DBInstanceStatus");
}

#[test]
fn a_take_over_can_be_put_off_until_a_moment() {
    let world = World::new();
    let id = world.instance(&[("DBInstanceClass", "pg.n2.2c.2m")]);
    let this = ("DBInstanceId", id.as_str());
    let shown = || {
        let told = world.ok("DescribeHASwitchConfig", &[this]);
        format!("{} {}", text(&told["HAConfig"]), text(&told["ManualHATime"]))
    };
    assert_eq!(shown(), "Auto ");
    let until = |time| [this, ("HAConfig", "Manual"), ("ManualHATime", time)];
    let past = until("2026-01-01T00:00:00Z");
    assert_eq!(world.code("ModifyHASwitchConfig", &past), "InvalidParameter.ManualHATime");
    world.ok("ModifyHASwitchConfig", &until("2026-01-02T04:00:00Z"));
    assert_eq!(shown(), "Manual 2026-01-02T04:00:00Z");
    world.turn_clock(3600);
    assert_eq!(shown(), "Auto ");
    world.ok("ModifyHASwitchConfig", &[this, ("HAConfig", "Manual")]);
    assert_eq!(shown(), "Manual ");
    world.ok("ModifyHASwitchConfig", &[this, ("HAConfig", "Auto")]);
    assert_eq!(shown(), "Auto ");

    assert_eq!(world.ok("DescribeHADiagnoseConfig", &[this])["TcpConnectionType"], "SHORT");
    world.ok("ModifyHADiagnoseConfig", &[this, ("TcpConnectionType", "LONG")]);
    assert_eq!(world.ok("DescribeHADiagnoseConfig", &[this])["TcpConnectionType"], "LONG");
    let bad = [this, ("TcpConnectionType", "UDP")];
    assert_eq!(world.code("ModifyHADiagnoseConfig", &bad), "InvalidParameter.TcpConnectionType");
}

#[test]
fn an_instance_without_a_standby_has_nothing_to_switch_to() {
    let world = World::new();
    let id = world.instance(&[]);
    let this = ("DBInstanceId", id.as_str());
    for (action, params) in [
        ("SwitchDBInstanceHA", vec![this, ("NodeId", "jkt-b")]),
        ("ModifyHASwitchConfig", vec![this, ("HAConfig", "Manual")]),
    ] {
        assert_eq!(world.code(action, &params), "OperationDenied.DBInstanceCategory", "{action}");
    }
    let told = world.ok("DescribeDBInstanceHAConfig", &[this]);
    assert_eq!(told["HostInstanceInfos"]["NodeInfo"].as_array().unwrap().len(), 1);
    // Commits may wait for the archive instead.
    world.ok("ModifyDBInstanceHAConfig", &[this, ("HAMode", "RPO"), ("SyncMode", "Sync")]);
    assert_eq!(world.ok("DescribeDBInstanceHAConfig", &[this])["SyncMode"], "Sync");
}
