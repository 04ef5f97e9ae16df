//! Instances: made, shown, listed, restarted, stopped, started, resized, upgraded, deleted.

use serde_json::{Value, json};
use terms::clauses::DataClass;

use crate::control::{World, field, serving, spec, text};

fn id(made: &Value) -> String {
    text(&made["DBInstanceId"])
}

#[test]
fn a_new_instance_is_told_at_once_and_its_task_waits() {
    let world = World::new();
    let changes = [
        ("DBInstanceDescription", "hasil pemilu"),
        ("SecurityIPList", "10.0.0.0/8, 192.0.2.1"),
        ("ZoneId", "ap-southeast-5b"),
        ("VPCId", "vpc-1"),
        ("Tag.1.Key", "app"),
        ("Tag.1.Value", "pemilu"),
        ("DeletionProtection", "True"),
        ("BurstingEnabled", "false"),
        ("DBTimeZone", "Asia/Jakarta"),
    ];
    let made = world.ok("CreateDBInstance", &spec(&changes));
    let id = id(&made);
    assert!(id.len() == 21 && id.starts_with("pgm-"), "{id}");
    assert_eq!(made["ConnectionString"], format!("{id}.pg.rds.localhost"));
    assert_eq!(made["Port"], "5432");
    assert_eq!(text(&made["OrderId"]).len(), 15);

    let shown = world.attribute(&id);
    let expected = json!({
        "DBInstanceId": id, "DBInstanceStatus": "Creating", "DBInstanceType": "Primary", "Engine": "PostgreSQL",
        "EngineVersion": "17.0", "DBInstanceClass": "pg.n2.2c.1m", "DBInstanceCPU": "2", "DBInstanceMemory": 4096,
        "DBInstanceStorage": 20, "MaxConnections": 400, "Category": "Basic", "PayType": "Postpaid", "ZoneId": "ap-southeast-5b",
        "DBInstanceDescription": "hasil pemilu", "DeletionProtection": true, "SecurityIPList": "10.0.0.0/8,192.0.2.1",
        "TimeZone": "Asia/Jakarta", "VpcId": "vpc-1", "InstanceNetworkType": "VPC", "Port": "5432", "LockMode": "Unlock",
        "ConnectionString": format!("{id}.pg.rds.localhost"), "RegionId": "ap-southeast-5", "MaintainTime": "18:00Z-22:00Z",
        "SlaveZones": { "SlaveZone": [] }, "ReadOnlyDBInstanceIds": { "ReadOnlyDBInstanceId": [] },
    });
    for (name, value) in expected.as_object().unwrap() {
        assert_eq!(shown[name], *value, "{name}");
    }
    assert_eq!(world.rows("SELECT kind FROM task"), ["Text(\"rds.instance\")"]);
    let placed = world.rows("SELECT public FROM audit WHERE action = 'CreateDBInstance'");
    assert!(placed[0].contains("jkt-b") && placed[0].contains("instances"), "{placed:?}");
}

#[test]
fn what_is_not_there_is_refused_when_an_instance_is_made() {
    let world = World::new();
    let cases = [
        (("RegionId", "cn-hangzhou"), "InvalidRegionId.NotFound"),
        (("Engine", "MySQL"), "InvalidEngine.NotFound"),
        (("EngineVersion", "9.6"), "InvalidEngineVersion.NotSupported"),
        (("DBInstanceClass", "pg.n9.2c.1m"), "InvalidDBInstanceClass.NotFound"),
        (("DBInstanceClass", "mariadb.n2.2c.1m"), "InvalidDBInstanceClass.NotFound"),
        (("DBInstanceStorage", "4"), "InvalidParameter.DBInstanceStorage"),
        (("DBInstanceStorage", "22"), "InvalidParameter.DBInstanceStorage"),
        (("DBInstanceStorage", "6005"), "InvalidParameter.DBInstanceStorage"),
        (("DBInstanceStorage", "much"), "InvalidParameter.DBInstanceStorage"),
        (("Engine", ""), "MissingParameter"),
        (("PayType", "Prepaid"), "OperationDenied.NotSupported"),
        (("PayType", "Serverless"), "OperationDenied.NotSupported"),
        (("Category", "cluster"), "OperationDenied.NotSupported"),
        (("Category", "HighAvailability"), "InvalidParameter.Category"),
        (("ZoneId", "ap-southeast-5z"), "InvalidZoneId.NotFound"),
        (("SecurityIPList", "10.0.0.0/8,example.id"), "InvalidParameter.SecurityIPList"),
        (("Port", "1433"), "OperationDenied.NotSupported"),
        (("EncryptionKey", "key-1"), "OperationDenied.NotSupported"),
        (("ServerlessConfig.MaxCapacity", "4"), "OperationDenied.NotSupported"),
        (("BurstingEnabled", "True"), "OperationDenied.NotSupported"),
        (("DBTimeZone", "Asia/Atlantis"), "InvalidParameter.DBTimeZone"),
        (("DBInstanceStorageType", "tape"), "InvalidParameter.DBInstanceStorageType"),
    ];
    for (change, code) in cases {
        assert_eq!(world.code("CreateDBInstance", &spec(&[change])), code, "{change:?}");
    }
    let tag = [("Tag.1.Key", "awan:data-class"), ("Tag.1.Value", "secret")];
    assert_eq!(world.code("CreateDBInstance", &spec(&tag)), "InvalidParameter.Tag");
    let there = [("EngineVersion", "18.0"), ("ZoneId", "ap-southeast-5a")];
    assert_eq!(world.code("CreateDBInstance", &spec(&there)), "InvalidEngineVersion.NotSupported");
    assert!(world.rows("SELECT id FROM rds_instance").is_empty());
}

#[test]
fn a_repeat_makes_nothing_and_a_dry_run_makes_nothing() {
    let world = World::new();
    let token = [("ClientToken", "once")];
    let dry = [("ClientToken", "once"), ("DryRun", "true")];
    assert_eq!(world.code("CreateDBInstance", &spec(&dry)), "DryRunOperation");
    assert!(world.rows("SELECT id FROM rds_instance").is_empty());
    let made = world.ok("CreateDBInstance", &spec(&token));
    assert_eq!(world.ok("CreateDBInstance", &spec(&token)), made);
    assert_eq!(world.rows("SELECT id FROM rds_instance").len(), 1);
    let other = [token[0], ("DBInstanceStorage", "25")];
    assert_eq!(world.code("CreateDBInstance", &spec(&other)), "IdempotentParameterMismatch");
    let bad = [("DryRun", "true"), ("DBInstanceStorage", "1")];
    assert_eq!(world.code("CreateDBInstance", &spec(&bad)), "InvalidParameter.DBInstanceStorage");
}

#[test]
fn a_standby_is_in_another_zone_and_where_it_was_asked_for() {
    let world = World::new();
    let zones = |changes: &[(&str, &str)]| {
        let class = ("DBInstanceClass", "pg.n2.2c.2m");
        let shown = world.attribute(&world.instance(&[changes, &[class]].concat()));
        assert_eq!(shown["Category"], "HighAvailability");
        let standbys = field(&shown["SlaveZones"]["SlaveZone"], "ZoneId");
        format!("{} {}", text(&shown["ZoneId"]), standbys.join(" "))
    };
    assert_eq!(zones(&[]), "ap-southeast-5a ap-southeast-5b");
    assert_eq!(zones(&[("ZoneId", "ap-southeast-5c")]), "ap-southeast-5c ap-southeast-5a");
    let both = [("ZoneId", "ap-southeast-5c"), ("ZoneIdSlave1", "ap-southeast-5b")];
    assert_eq!(zones(&both), "ap-southeast-5c ap-southeast-5b");
    let same = [
        ("DBInstanceClass", "pg.n2.2c.2m"),
        ("ZoneId", "ap-southeast-5c"),
        ("ZoneIdSlave1", "ap-southeast-5c"),
    ];
    assert_eq!(world.code("CreateDBInstance", &spec(&same)), "OperationDenied.OutofUsage");
    let alone = [("DBInstanceClass", "pg.n2.2c.2m"), ("EngineVersion", "18.0")];
    assert_eq!(world.code("CreateDBInstance", &spec(&alone)), "OperationDenied.OutofUsage");
}

#[test]
fn the_agreement_decides_where_an_instance_is() {
    let world = World::new();
    world.bind(DataClass::Personal, &["jkt-c"], 1);
    let at = world.instance(&[]);
    assert_eq!(world.attribute(&at)["ZoneId"], "ap-southeast-5c");
    assert_eq!(world.rows("SELECT data_class FROM rds_instance"), ["Text(\"personal\")"]);
    let elsewhere = spec(&[("ZoneId", "ap-southeast-5a")]);
    assert_eq!(world.code("CreateDBInstance", &elsewhere), "Forbidden.Residency");

    world.bind(DataClass::Internal, &["jkt-b", "jkt-c"], 2);
    assert_eq!(world.code("CreateDBInstance", &spec(&[])), "Forbidden.ZoneRedundancyRequired");
    let strategic = [
        ("DBInstanceClass", "pg.n2.2c.2m"),
        ("Tag.1.Key", "awan:data-class"),
        ("Tag.1.Value", "strategic"),
    ];
    let made = world.attribute(&world.instance(&strategic));
    assert_eq!(made["ZoneId"], "ap-southeast-5b");
    let classes = world.rows("SELECT data_class FROM rds_instance ORDER BY created, data_class");
    assert_eq!(classes, ["Text(\"personal\")", "Text(\"strategic\")"]);
}

#[test]
fn mariadb_is_called_by_its_name_and_shows_its_own_port_once_it_listens() {
    let world = World::new();
    let mariadb = [
        ("Engine", "MariaDB"),
        ("EngineVersion", "10.11"),
        ("DBInstanceClass", "mariadb.n2.2c.1m"),
        ("DBTimeZone", "+07:00"),
    ];
    let made = world.ok("CreateDBInstance", &spec(&mariadb));
    let id = id(&made);
    assert!(id.starts_with("rm-"), "{id}");
    assert_eq!(made["ConnectionString"], format!("{id}.mariadb.rds.localhost"));
    assert_eq!(
        (&made["Port"], &world.attribute(&id)["EngineVersion"]),
        (&json!("3306"), &json!("10.11"))
    );
    world.observe(&id, "jkt-a", 40_001, &serving("10.11.19"));
    assert_eq!(world.attribute(&id)["Port"], "40001");
}

#[test]
fn an_account_has_so_many_instances_at_most() {
    let world = World::new();
    for _ in 0..100 {
        world.ok("CreateDBInstance", &spec(&[]));
    }
    assert_eq!(world.code("CreateDBInstance", &spec(&[])), "QuotaExceed.DBInstance");
    world.call(&world.stranger, "CreateDBInstance", &spec(&[])).unwrap();
}

#[test]
fn instances_are_listed_by_page_by_token_and_by_what_they_are() {
    let world = World::new();
    let mut ids: Vec<String> = (0..5).map(|_| world.instance(&[])).collect();
    ids.sort_unstable();
    world.call(&world.stranger, "CreateDBInstance", &spec(&[])).unwrap();
    let list = |params: &[(&str, &str)]| world.ok("DescribeDBInstances", params);
    let shown = |answer: &Value| field(&answer["Items"]["DBInstance"], "DBInstanceId");
    let all = list(&[("RegionId", "ap-southeast-5")]);
    assert_eq!(shown(&all), ids);
    assert_eq!(
        (&all["TotalRecordCount"], &all["PageNumber"], &all["PageRecordCount"], &all["NextToken"]),
        (&json!(5), &json!(1), &json!(5), &json!(""))
    );
    let third = list(&[("PageSize", "2"), ("PageNumber", "3")]);
    assert_eq!(shown(&third), ids[4..]);
    assert_eq!((&third["PageRecordCount"], &third["TotalRecordCount"]), (&json!(1), &json!(5)));
    let first = list(&[("MaxResults", "3")]);
    assert_eq!(shown(&first), ids[..3]);
    let rest = list(&[("MaxResults", "3"), ("NextToken", &text(&first["NextToken"]))]);
    assert_eq!((shown(&rest).as_slice(), &rest["NextToken"]), (&ids[3..], &json!("")));

    let one = ids[2].as_str();
    world.ok(
        "ModifyDBInstanceDescription",
        &[("DBInstanceId", one), ("DBInstanceDescription", "hasil")],
    );
    let tag = [("Tag.1.Key", "app"), ("Tag.1.Value", "pemilu")];
    let resource = [("ResourceType", "INSTANCE"), ("ResourceId.1", one)];
    world.ok("TagResources", &[&resource[..], &tag[..]].concat());
    world.ok("StopDBInstance", &[("DBInstanceId", one)]);
    for filter in [
        ("DBInstanceId", one),
        ("SearchKey", "hasil"),
        ("SearchKey", one),
        ("Tags", r#"{"app":"pemilu"}"#),
        ("Tags", r#"{"app":null}"#),
        ("DBInstanceStatus", "Stopping"),
        ("ConnectionString", &format!("{one}.pg.rds.localhost")),
    ] {
        assert_eq!(shown(&list(&[filter])), [one], "{filter:?}");
    }
    for filter in [
        ("Engine", "MariaDB"),
        ("EngineVersion", "16.0"),
        ("ZoneId", "ap-southeast-5c"),
        ("DBInstanceType", "Readonly"),
        ("Tags", r#"{"app":"other"}"#),
        ("PayType", "Prepaid"),
        ("Expired", "True"),
        ("RegionId", "cn-hangzhou"),
    ] {
        let none = list(&[filter]);
        assert_eq!(none["Items"], json!({ "DBInstance": [] }), "{filter:?}");
        assert_eq!(none["TotalRecordCount"], 0, "{filter:?}");
    }
    assert_eq!(shown(&list(&[("EngineVersion", "17.0"), ("Category", "Basic")])).len(), 5);
    assert_eq!(world.code("DescribeDBInstances", &[("Tags", "app")]), "InvalidParameter.Tags");
    assert_eq!(
        world.code("DescribeDBInstances", &[("PageSize", "101")]),
        "InvalidParameter.PageSize"
    );
}

#[test]
fn a_life_has_the_statuses_that_clients_wait_for() {
    let world = World::new();
    let made = world.ok("CreateDBInstance", &spec(&[]));
    let id = id(&made);
    let this = [("DBInstanceId", id.as_str())];
    for action in ["RestartDBInstance", "StopDBInstance", "StartDBInstance"] {
        assert_eq!(world.code(action, &this), "OperationDenied.DBInstanceStatus", "{action}");
    }
    world.settle(&id);
    world.ok("RestartDBInstance", &this);
    assert_eq!(world.status(&id), "Rebooting");
    world.settle(&id);
    let node = [this[0], ("NodeId", "jkt-a")];
    assert_eq!(world.code("RestartDBInstance", &node), "OperationDenied.NotSupported");
    world.ok("StopDBInstance", &this);
    assert_eq!(world.status(&id), "Stopping");
    world.settle(&id);
    assert_eq!(world.status(&id), "Stopped");
    let moved = [this[0], ("TargetDBInstanceClass", "pg.n2.4c.1m")];
    assert_eq!(world.code("StartDBInstance", &moved), "OperationDenied.NotSupported");
    let started = world.ok("StartDBInstance", &this);
    assert!(started["TaskId"].is_i64());
    assert_eq!(world.status(&id), "Starting");
    world.settle(&id);
    assert_eq!(world.status(&id), "Running");
    assert_eq!(world.rows("SELECT restarts FROM rds_instance"), ["Int(1)"]);
}

#[test]
fn a_delete_is_seen_until_it_is_done_and_then_nothing_is_found() {
    let world = World::new();
    let id = world.instance(&[("DeletionProtection", "true")]);
    let this = [("DBInstanceId", id.as_str())];
    assert_eq!(world.code("DeleteDBInstance", &this), "OperationDenied.DeletionProtection");
    let off = [this[0], ("DeletionProtection", "false")];
    world.ok("ModifyDBInstanceDeletionProtection", &off);
    let wrong = [this[0], ("ReleasedKeepPolicy", "Some")];
    assert_eq!(world.code("DeleteDBInstance", &wrong), "InvalidParameter.ReleasedKeepPolicy");
    let answer = world.ok("DeleteDBInstance", &[this[0], ("ReleasedKeepPolicy", "All")]);
    assert_eq!(answer["RegionId"], "ap-southeast-5");
    assert_eq!(world.status(&id), "Deleting");
    assert_eq!(world.code("DeleteDBInstance", &this), "OperationDenied.DBInstanceStatus");
    let kept = world.rows("SELECT options FROM rds_instance");
    assert!(kept[0].contains("released_keep_policy\\\":\\\"All"), "{kept:?}");
    let tasks = world.ok("DescribeTasks", &this);
    let task = &tasks["Items"]["TaskProgressInfo"][0];
    assert_eq!(
        (&task["TaskAction"], &task["Status"]),
        (&json!("DeleteDBInstance"), &json!("Processing"))
    );
    world.settle(&id);
    for action in ["DescribeTasks", "DescribeDBInstanceAttribute", "DeleteDBInstance"] {
        assert_eq!(world.code(action, &this), "InvalidDBInstanceId.NotFound", "{action}");
    }
}

#[test]
fn a_delete_is_taken_in_every_state() {
    let world = World::new();
    let ask: [(&str, &[(&str, &str)]); 3] = [
        ("RestartDBInstance", &[]),
        ("StopDBInstance", &[]),
        ("ModifyDBInstanceSpec", &[("DBInstanceStorage", "25")]),
    ];
    for (action, params) in ask {
        let id = world.instance(&[]);
        world.ok(action, &[params, &[("DBInstanceId", id.as_str())]].concat());
        world.ok("DeleteDBInstance", &[("DBInstanceId", &id)]);
        assert_eq!(world.status(&id), "Deleting", "{action}");
    }
}

#[test]
fn tasks_tell_what_was_asked_last_and_whether_it_is_done() {
    let world = World::new();
    let id = world.instance(&[]);
    world.turn_clock(3600);
    world.ok("RestartDBInstance", &[("DBInstanceId", &id)]);
    let tasks = |params: &[(&str, &str)]| {
        let told = world.ok("DescribeTasks", &[params, &[("DBInstanceId", id.as_str())]].concat());
        assert_eq!(told["TotalRecordCount"], told["PageRecordCount"]);
        told["Items"]["TaskProgressInfo"].as_array().unwrap().clone()
    };
    let told = tasks(&[]);
    assert_eq!(told[0]["TaskAction"], "RestartDBInstance");
    assert_eq!(told[0]["Status"], "Processing");
    assert_eq!(told[0]["BeginTime"], "2026-01-02T04:04:05Z");
    let hour = [("StartTime", "2026-01-02T04:00Z"), ("EndTime", "2026-01-02T04:04Z")];
    assert_eq!(tasks(&hour).len(), 1);
    assert!(tasks(&[("EndTime", "2026-01-02T04:03Z")]).is_empty());
    assert!(tasks(&[("StartTime", "2026-01-02T04:05Z")]).is_empty());
    assert!(tasks(&[("TaskAction", "DeleteDBInstance")]).is_empty());
    world.settle(&id);
    assert_eq!(tasks(&[("Status", "Finished")])[0]["Progress"], "100.0");
    let bad = [("DBInstanceId", id.as_str()), ("StartTime", "yesterday")];
    assert_eq!(world.code("DescribeTasks", &bad), "InvalidParameter.StartTime");
}

#[test]
fn a_class_and_storage_change_together_or_one_by_one() {
    let world = World::new();
    let id = world.instance(&[]);
    let this = ("DBInstanceId", id.as_str());
    let answer = world.ok(
        "ModifyDBInstanceSpec",
        &[
            this,
            ("DBInstanceClass", "pg.n2.4c.1m"),
            ("DBInstanceStorage", "50"),
            ("PayType", "Postpaid"),
        ],
    );
    assert_eq!(answer["DBInstanceId"], id);
    assert!(answer["OrderId"].as_i64().unwrap() > 0);
    assert_eq!(world.status(&id), "DBInstanceClassChanging");
    let again = [this, ("DBInstanceStorage", "55")];
    assert_eq!(world.code("ModifyDBInstanceSpec", &again), "OperationDenied.DBInstanceStatus");
    world.settle(&id);
    let shown = world.attribute(&id);
    assert_eq!(
        (&shown["DBInstanceStorage"], &shown["DBInstanceMemory"]),
        (&json!(50), &json!(8192))
    );

    let mut full = serving("17.9");
    full.storage_bytes = 20 << 30;
    world.observe(&id, "jkt-a", 40_000, &full);
    let less = |gib| [this, ("DBInstanceStorage", gib)];
    assert_eq!(world.code("ModifyDBInstanceSpec", &less("20")), "OperationDenied.StorageInUse");
    world.ok("ModifyDBInstanceSpec", &less("25"));
    world.settle(&id);
    for (change, code) in [
        (("DBInstanceClass", "pg.n2.2c.2m"), "OperationDenied.NotSupported"),
        (("DBInstanceClass", "pg.big"), "InvalidDBInstanceClass.NotFound"),
        (("ZoneId", "ap-southeast-5b"), "OperationDenied.NotSupported"),
        (("EngineVersion", "16.0"), "OperationDenied.NotSupported"),
        (("EffectiveTime", "MaintainTime"), "OperationDenied.NotSupported"),
        (("PayType", "Prepaid"), "OperationDenied.NotSupported"),
        (("BurstingEnabled", "true"), "OperationDenied.NotSupported"),
        (("DBInstanceStorage", "23"), "InvalidParameter.DBInstanceStorage"),
    ] {
        assert_eq!(world.code("ModifyDBInstanceSpec", &[this, change]), code, "{change:?}");
    }
    let same =
        [("ZoneId", "ap-southeast-5a"), ("EngineVersion", "17.0"), ("EffectiveTime", "Immediate")];
    world.ok("ModifyDBInstanceSpec", &[&[this][..], &same[..]].concat());
}

#[test]
fn a_minor_version_comes_with_a_restart_once_there_is_a_newer_one() {
    let world = World::new();
    let id = world.instance(&[]);
    let this = ("DBInstanceId", id.as_str());
    world.observe(&id, "jkt-a", 40_000, &serving("17.9"));
    assert_eq!(
        world.code("UpgradeDBInstanceKernelVersion", &[this]),
        "OperationDenied.EngineVersion"
    );
    world.offer("jkt-a", rds::model::Engine::Postgres, "17", "17.11");
    let shown = world.attribute(&id);
    let versions = (&shown["CurrentKernelVersion"], &shown["LatestKernelVersion"]);
    assert_eq!(versions, (&json!("17.9"), &json!("17.11")));
    let later = [this, ("UpgradeTime", "MaintainTime")];
    assert_eq!(
        world.code("UpgradeDBInstanceKernelVersion", &later),
        "OperationDenied.NotSupported"
    );
    let other = [this, ("TargetMinorVersion", "17.10")];
    let code = world.code("UpgradeDBInstanceKernelVersion", &other);
    assert_eq!(code, "InvalidEngineVersion.NotSupported");
    let answer = world.ok("UpgradeDBInstanceKernelVersion", &[this, ("UpgradeTime", "Immediate")]);
    assert_eq!(
        (&answer["DBInstanceName"], &answer["TargetMinorVersion"]),
        (&json!(id), &json!("17.11"))
    );
    assert_eq!(world.status(&id), "EngineVersionUpgrading");
}

#[test]
fn a_major_version_goes_up_only_and_only_where_it_is() {
    let world = World::new();
    let id = world.instance(&[("EngineVersion", "16.0")]);
    let to = |version| [("DBInstanceId", id.as_str()), ("EngineVersion", version)];
    let upgrade = "UpgradeDBInstanceEngineVersion";
    assert_eq!(world.code(upgrade, &to("18.0")), "InvalidEngineVersion.NotSupported");
    assert_eq!(world.code(upgrade, &to("16.0")), "OperationDenied.EngineVersion");
    world.ok(upgrade, &to("17.0"));
    assert_eq!(world.status(&id), "EngineVersionUpgrading");
    world.settle(&id);
    assert_eq!(world.attribute(&id)["EngineVersion"], "17.0");
    assert_eq!(world.code(upgrade, &to("16.0")), "OperationDenied.EngineVersion");
    let mariadb = [
        ("Engine", "MariaDB"),
        ("EngineVersion", "10.11"),
        ("DBInstanceClass", "mariadb.n2.2c.1m"),
    ];
    let mariadb = world.instance(&mariadb);
    let params = [("DBInstanceId", mariadb.as_str()), ("EngineVersion", "11.4")];
    assert_eq!(world.code(upgrade, &params), "OperationDenied.NotSupported");
}

#[test]
fn limits_that_nothing_enforces_are_said_to_be_advice() {
    let world = World::new();
    let id = world.instance(&[]);
    assert_eq!(world.attribute(&id)["Tips"], "");
    let mut observed = serving("17.9");
    observed.confinement = "advisory".to_owned();
    world.observe(&id, "jkt-a", 40_000, &observed);
    assert!(text(&world.attribute(&id)["Tips"]).contains("control groups"));
}
