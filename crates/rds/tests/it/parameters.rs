//! Settings, parameter groups, and rules of who may connect.

use rds::model::Status;
use rds::testing;
use serde_json::{Value, json};

use crate::world::{FOLLOWER, MARIA, PG, World, rows};

fn told(world: &World) -> rds_parts::Parts {
    let cloud = world.test.cloud.clone();
    let (_, _, _, parameters, hba) = world.write(move |tx| testing::told(tx, &cloud, PG));
    (parameters, hba)
}

mod rds_parts {
    /// Settings, and lines of who may connect.
    pub type Parts = (std::collections::BTreeMap<String, String>, Vec<String>);
}

fn value(answer: &Value, list: &str, name: &str) -> Option<String> {
    let found = rows(answer, list, "DBInstanceParameter")
        .into_iter()
        .find(|row| row["ParameterName"] == name)?;
    found["ParameterValue"].as_str().map(str::to_owned)
}

#[test]
fn settings_are_listed_set_and_left_to_their_defaults_again() {
    let world = World::new();
    let of = ("DBInstanceId", PG);
    let engine = [("Engine", "PostgreSQL"), ("EngineVersion", "17.0")];
    let templates = world.ok("DescribeParameterTemplates", &engine);
    assert_eq!(templates["ParameterCount"], "3");
    let records = rows(&templates, "Parameters", "TemplateRecord");
    assert!(records.iter().all(|row| row["ParameterName"] != "data_directory"));
    assert_eq!(
        (&records[2]["CheckingCode"], &records[1]["ForceRestart"]),
        (&"[on|off]".into(), &"true".into())
    );

    let generation = world.state(PG).2;
    let set = [of, ("Parameters", r#"{"statement_timeout": "5s", "jit": false}"#)];
    world.ok("ModifyParameter", &set);
    assert_eq!(world.state(PG), (Status::Running, 0, generation + 1));
    assert_eq!(told(&world).0["statement_timeout"], "5s");
    assert_eq!(told(&world).0["jit"], "off");
    world.settle(PG);
    let shown = world.ok("DescribeParameters", &[of]);
    assert_eq!(value(&shown, "RunningParameters", "statement_timeout").as_deref(), Some("5s"));
    assert_eq!((&shown["Engine"], &shown["EngineVersion"]), (&"PostgreSQL".into(), &"17.0".into()));
    world.ok("ModifyParameter", &set);
    assert_eq!(world.state(PG).2, generation + 1, "nothing was asked that is not so");
    world.ok("ModifyParameter", &[of, ("Parameters", r#"{"statement_timeout": null}"#)]);
    assert_eq!(told(&world).0.get("statement_timeout"), None);
}

#[test]
fn what_takes_a_restart_waits_for_one_unless_it_is_forced() {
    let world = World::new();
    let of = ("DBInstanceId", PG);
    let set = |count: &str| format!(r#"{{"max_prepared_transactions": "{count}"}}"#);
    world.ok("ModifyParameter", &[of, ("Parameters", &set("10"))]);
    assert_eq!((world.state(PG).0, world.state(PG).1), (Status::Running, 0));
    world.write(|tx| {
        let observed = json!({ "pending_restart": ["max_prepared_transactions"] }).to_string();
        let sql = "UPDATE rds_member SET observed = ?1 WHERE instance = ?2";
        tx.execute(sql, store::params![&observed, PG])?;
        Ok(())
    });
    world.settle(PG);
    let shown = world.ok("DescribeParameters", &[of]);
    let name = "max_prepared_transactions";
    assert_eq!(value(&shown, "ConfigParameters", name).as_deref(), Some("10"));
    assert_eq!(value(&shown, "RunningParameters", name), None);
    let waiting = &rows(&shown, "ConfigParameters", "DBInstanceParameter")[0];
    assert_eq!(waiting.get("ParameterValueRange"), None, "clients know no such name there");
    world.ok("ModifyParameter", &[of, ("Parameters", &set("20")), ("Forcerestart", "true")]);
    assert_eq!((world.state(PG).0, world.state(PG).1), (Status::Rebooting, 1));
}

#[test]
fn settings_are_changed_also_while_an_instance_does_not_come_up() {
    let world = World::new();
    let set = |value: &str| format!(r#"{{"statement_timeout": "{value}"}}"#);
    for (number, status) in
        [Status::Rebooting, Status::Restoring, Status::Starting, Status::ClassChanging]
            .into_iter()
            .enumerate()
    {
        world.set_status(PG, status);
        let (_, restarts, generation) = world.state(PG);
        let value = format!("{}s", number + 1);
        let asked = [("DBInstanceId", PG), ("Parameters", &set(&value)[..])];
        world.ok("ModifyParameter", &asked);
        assert_eq!(world.state(PG), (status, restarts, generation + 1));
        assert_eq!(told(&world).0["statement_timeout"], value);
    }
    let prepared = r#"{"max_prepared_transactions": "7"}"#;
    let forced = [("DBInstanceId", PG), ("Parameters", prepared), ("Forcerestart", "true")];
    let (status, restarts, _) = world.state(PG);
    world.ok("ModifyParameter", &forced);
    assert_eq!((world.state(PG).0, world.state(PG).1), (status, restarts + 1));
    for status in [Status::Creating, Status::Stopped, Status::Deleting] {
        world.set_status(PG, status);
        let asked = [("DBInstanceId", PG), ("Parameters", &set("9s")[..])];
        let code = world.refused("ModifyParameter", &asked);
        assert_eq!(code, "OperationDenied.DBInstanceStatus", "{status:?}");
    }
}

#[test]
fn settings_that_take_more_memory_than_the_class_has_are_refused() {
    let world = World::new();
    for (count, good) in [("200", true), ("262143", false), ("30000", false)] {
        let set = format!(r#"{{"max_prepared_transactions": "{count}"}}"#);
        let asked = [("DBInstanceId", PG), ("Parameters", &set[..])];
        if good {
            world.ok("ModifyParameter", &asked);
        } else {
            let code = world.refused("ModifyParameter", &asked);
            assert!(code.starts_with("InvalidParameter"), "{count}: {code}");
        }
    }
    assert_eq!(told(&world).0["max_prepared_transactions"], "200");
}

#[test]
fn settings_that_are_none_or_not_the_tenants_are_refused_as_a_whole() {
    let world = World::new();
    for bad in [
        "",
        "rubbish",
        "[]",
        "{}",
        r#"{"statement_timeout": "-5s"}"#,
        r#"{"statement_timeout": []}"#,
        r#"{"jit": "on", "data_directory": "/"}"#,
        r#"{"jit": "off", "no_such_setting": "1"}"#,
        r#"{"jit": "off\nx = 1"}"#,
    ] {
        let code = world.refused("ModifyParameter", &[("DBInstanceId", PG), ("Parameters", bad)]);
        assert!(code.starts_with("InvalidParameter"), "{bad}: {code}");
    }
    assert_eq!(told(&world).0.len(), 0);
    let later = [
        ("DBInstanceId", PG),
        ("Parameters", r#"{"jit": "off"}"#),
        ("SwitchTimeMode", "ScheduleTime"),
    ];
    assert_eq!(world.refused("ModifyParameter", &later), "InvalidParameter.SwitchTimeMode");
    let maria = [("DBInstanceId", MARIA), ("Parameters", r#"{"jit": "off"}"#)];
    assert_eq!(
        world.refused("ModifyParameter", &maria),
        "ServiceUnavailable",
        "no node told of it"
    );
    let odd = [("Engine", "Oracle"), ("EngineVersion", "17")];
    assert_eq!(world.refused("DescribeParameterTemplates", &odd), "InvalidParameter.Engine");
    // A follower has settings of its own.
    world.ok("ModifyParameter", &[("DBInstanceId", FOLLOWER), ("Parameters", r#"{"jit": "off"}"#)]);
}

#[test]
fn a_parameter_group_is_made_applied_copied_changed_and_goes() {
    let world = World::new();
    let region = ("RegionId", "ap-southeast-5");
    let new = [
        region,
        ("Engine", "PostgreSQL"),
        ("EngineVersion", "17.0"),
        ("ParameterGroupName", "toko-besar"),
        ("Parameters", r#"{"jit": "off", "max_prepared_transactions": "5"}"#),
    ];
    let made = world.ok("CreateParameterGroup", &new);
    let id = made["ParameterGroupId"].as_str().unwrap().to_owned();
    assert_eq!(world.refused("CreateParameterGroup", &new), "ParamGroupsNameExistError");
    let group = ("ParameterGroupId", id.as_str());
    world.ok("ModifyParameter", &[("DBInstanceId", PG), group]);
    assert_eq!(told(&world).0["jit"], "off");
    let shown = world.ok("DescribeParameters", &[("DBInstanceId", PG)]);
    assert_eq!(shown["ParamGroupInfo"]["ParamGroupId"], id);

    let one = world.ok("DescribeParameterGroup", &[region, group]);
    let first = &one["ParamGroup"]["ParameterGroup"][0];
    assert_eq!((&first["ForceRestart"], &first["ParamCounts"]), (&1.into(), &2.into()));
    assert_eq!(
        first["ParamDetail"]["ParameterDetail"][0],
        json!({"ParamName": "jit", "ParamValue": "off"})
    );
    assert_eq!(one["RelatedCustinsInfo"]["RelatedCustinsInfo"][0]["DBInstanceName"], PG);

    let change = [group, ("ModifyMode", "Individual"), ("Parameters", r#"{"jit": "on"}"#)];
    world.ok("ModifyParameterGroup", &change);
    assert_eq!(told(&world).0["jit"], "off", "what was applied stays");
    let copy = [group, ("TargetRegionId", region.1), ("ParameterGroupName", "salinan-toko")];
    world.ok("CloneParameterGroup", &copy);
    let taken = [group, ("ParameterGroupName", "salinan-toko")];
    assert_eq!(world.refused("ModifyParameterGroup", &taken), "ParamGroupsNameExistError");
    let list = world.ok("DescribeParameterGroups", &[region]);
    assert_eq!(rows(&list, "ParameterGroups", "ParameterGroup").len(), 2);
    world.ok("DeleteParameterGroup", &[region, group]);
    assert_eq!(
        world.refused("DescribeParameterGroup", &[region, group]),
        "ParamGroupsNotExistError"
    );
    let foreign = [("RegionId", "mars-1"), new[1], new[2], new[3], new[4]];
    assert_eq!(world.refused("CreateParameterGroup", &foreign), "InvalidParameter.RegionId");
    let none = [
        region,
        new[1],
        new[2],
        ("ParameterGroupName", "kosong-sekali"),
        ("Parameters", r#"{"jit": null}"#),
    ];
    assert_eq!(world.refused("CreateParameterGroup", &none), "InvalidParameter.Parameters");
}

#[test]
fn another_accounts_parameter_group_is_not_found() {
    let world = World::new();
    let new = [
        ("RegionId", "ap-southeast-5"),
        ("Engine", "PostgreSQL"),
        ("EngineVersion", "17.0"),
        ("ParameterGroupName", "toko-besar"),
        ("Parameters", r#"{"jit": "off"}"#),
    ];
    let made = world.ok("CreateParameterGroup", &new);
    let group = [
        ("RegionId", "ap-southeast-5"),
        ("ParameterGroupId", made["ParameterGroupId"].as_str().unwrap()),
        ("TargetRegionId", "ap-southeast-5"),
        ("ParameterGroupName", "nama-yang-lain"),
    ];
    for action in [
        "DescribeParameterGroup",
        "ModifyParameterGroup",
        "DeleteParameterGroup",
        "CloneParameterGroup",
    ] {
        let error = world.call(&world.stranger, action, &group).unwrap_err();
        assert_eq!(error.code(), "ParamGroupsNotExistError", "{action}");
    }
    let list = world.call(&world.stranger, "DescribeParameterGroups", &group[..1]).unwrap();
    assert_eq!(list["ParameterGroups"]["ParameterGroup"], json!([]));
}

fn items(rules: &[(&str, &str, &str, &str)]) -> String {
    let item = |(priority, user, address, method): &(&str, &str, &str, &str)| {
        json!({
            "PriorityId": priority.parse::<i64>().unwrap(), "Type": "hostssl", "Database": "all", "User": user,
            "Address": address, "Mask": "", "Method": method, "Option": "",
        })
    };
    Value::Array(rules.iter().map(item).collect()).to_string()
}

#[test]
fn rules_are_added_changed_removed_and_replaced_within_the_white_lists() {
    let world = World::new();
    let of = ("DBInstanceId", PG);
    let shown = world.ok("DescribePGHbaConfig", &[of]);
    assert_eq!(
        rows(&shown, "RunningHbaItems", "HbaItem"),
        rows(&shown, "DefaultHbaItems", "HbaItem")
    );
    assert_eq!(
        told(&world).1,
        [
            "hostssl all all 127.77.0.1/32 scram-sha-256",
            "hostssl all all 127.0.0.1/32 scram-sha-256",
            "hostssl all all 10.0.0.0/8 scram-sha-256",
            "hostssl all all 192.0.2.7/32 scram-sha-256",
        ]
    );
    let ops = |ops: &str, rules: &str| {
        world.call(&world.owner, "ModifyPGHbaConfig", &[of, ("OpsType", ops), ("HbaItem", rules)])
    };
    let scram = "scram-sha-256";
    ops(
        "update",
        &items(&[("2", "app", "10.1.0.0/16", scram), ("1", "all", "10.1.9.0/24", "reject")]),
    )
    .unwrap();
    assert_eq!(
        told(&world).1,
        [
            "hostssl all all 10.1.9.0/24 reject",
            "hostssl all \"app\" 127.77.0.1/32 scram-sha-256",
            "hostssl all \"app\" 10.1.0.0/16 scram-sha-256",
        ]
    );
    let shown = world.ok("DescribePGHbaConfig", &[of]);
    assert_eq!(
        (&shown["LastModifyStatus"], rows(&shown, "RunningHbaItems", "HbaItem").len()),
        (&"setting".into(), 2)
    );
    ops("add", &items(&[("3", "all", "198.51.100.0/24", scram)])).unwrap();
    assert_eq!(told(&world).1.len(), 4, "no white list has these addresses; the gateway asks them");
    ops("modify", &items(&[("2", "lain", "10.1.0.0/16", scram)])).unwrap();
    assert!(told(&world).1.iter().all(|line| !line.contains("app")));
    ops("delete", r#"[{"PriorityId": 1}]"#).unwrap();
    world.settle(PG);
    let shown = world.ok("DescribePGHbaConfig", &[of]);
    assert_eq!(shown["LastModifyStatus"], "success");
    let left: Vec<_> = rows(&shown, "RunningHbaItems", "HbaItem")
        .iter()
        .map(|row| row["PriorityId"].as_i64())
        .collect();
    assert_eq!(left, [Some(2), Some(3)]);
    ops("update", "[]").unwrap();
    assert_eq!(told(&world).1.len(), 4, "none is the default");
}

#[test]
fn a_rule_that_lets_in_more_than_it_may_is_refused() {
    let world = World::new();
    let of = ("DBInstanceId", PG);
    let ops = |ops: &str, rules: &str| {
        world.call(&world.owner, "ModifyPGHbaConfig", &[of, ("OpsType", ops), ("HbaItem", rules)])
    };
    let scram = "scram-sha-256";
    ops("update", &items(&[("3", "app", "10.1.0.0/16", scram)])).unwrap();
    for (kind, rules) in [
        ("add", items(&[("3", "all", "all", scram)])),
        ("modify", items(&[("9", "all", "all", scram)])),
        ("delete", items(&[("9", "all", "all", scram)])),
        ("add", items(&[("9", "all", "all", "trust")])),
        ("add", items(&[("9", "awan_replicator", "all", scram)])),
        ("add", items(&[("9", "all", "all", scram), ("9", "all", "all", scram)])),
        ("add", "[]".to_owned()),
    ] {
        let error = ops(kind, &rules).unwrap_err();
        assert_eq!(error.code(), "InvalidParameter.HbaItem", "{kind} {rules}");
    }
    assert_eq!(
        ops("drop", &items(&[("9", "all", "all", scram)])).unwrap_err().code(),
        "InvalidParameter.OpsType"
    );
    assert_eq!(
        world.refused("DescribePGHbaConfig", &[("DBInstanceId", MARIA)]),
        "InvalidEngine.NotSupported"
    );
}
