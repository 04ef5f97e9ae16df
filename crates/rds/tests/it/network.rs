//! Host names and white lists.

use rds::model::Engine;
use serde_json::{Value, json};

use crate::control::{World, field, serving, spec, text};

fn infos(world: &World, id: &str) -> Value {
    let told = world.ok("DescribeDBInstanceNetInfo", &[("DBInstanceId", id)]);
    assert_eq!(told["SecurityIPMode"], "normal");
    told["DBInstanceNetInfos"]["DBInstanceNetInfo"].clone()
}

#[test]
fn an_instance_is_reached_by_its_name_and_by_its_own_door() {
    let world = World::new();
    let id = world.instance(&[("SecurityIPList", "10.0.0.0/8")]);
    let told = infos(&world, &id);
    let host = format!("{id}.pg.rds.localhost");
    assert_eq!(field(&told, "ConnectionString"), [host.as_str()]);
    assert_eq!((&told[0]["Port"], &told[0]["IPType"]), (&json!("5432"), &json!("Private")));
    let groups = json!({ "securityIPGroup": [{ "SecurityIPGroupName": "default", "SecurityIPs": "10.0.0.0/8" }] });
    assert_eq!(told[0]["SecurityIPGroups"], groups);
    world.observe(&id, "jkt-a", 40_007, &serving("17.9"));
    let told = infos(&world, &id);
    assert_eq!(field(&told, "ConnectionString"), [host.as_str(), "127.0.0.1"]);
    assert_eq!(field(&told, "Port"), ["5432", "40007"]);
}

#[test]
fn a_public_name_is_given_changed_and_taken() {
    let world = World::new();
    let id = world.instance(&[]);
    let this = ("DBInstanceId", id.as_str());
    let allocate = "AllocateInstancePublicConnection";
    let prefix = |prefix| [this, ("ConnectionStringPrefix", prefix)];
    for bad in ["abc", "1pemilu", "Pemilu-db", "pemilu-", "pemilu.db", ""] {
        assert_eq!(
            world.code(allocate, &prefix(bad)),
            "InvalidParameter.ConnectionStringPrefix",
            "{bad}"
        );
    }
    assert_eq!(world.code(allocate, &prefix(&id)), "InvalidConnectionString.Duplicate");
    let other_port = [this, ("ConnectionStringPrefix", "pemilu"), ("Port", "3306")];
    assert_eq!(world.code(allocate, &other_port), "OperationDenied.NotSupported");
    let with_port = [this, ("ConnectionStringPrefix", "pemilu"), ("Port", "5432")];
    let given = world.ok(allocate, &with_port);
    assert_eq!(given["ConnectionString"], "pemilu.pg.rds.localhost");
    assert_eq!(world.status(&id), "DBInstanceNetTypeChanging");
    world.settle(&id);
    assert_eq!(field(&infos(&world, &id), "IPType"), ["Private", "Public"]);
    assert_eq!(world.code(allocate, &prefix("another")), "NetTypeExists");

    let change = "ModifyDBInstanceConnectionString";
    let to = |current, prefix| {
        [this, ("CurrentConnectionString", current), ("ConnectionStringPrefix", prefix)]
    };
    let unknown = to("other.pg.rds.localhost", "hasil");
    assert_eq!(world.code(change, &unknown), "InvalidCurrentConnectionString.NotFound");
    world.ok(change, &to("pemilu.pg.rds.localhost", "hasil"));
    world.settle(&id);
    let own = format!("{id}.pg.rds.localhost");
    world.ok(change, &to(&own, "utama"));
    world.settle(&id);
    let hosts = ["utama.pg.rds.localhost", "hasil.pg.rds.localhost"];
    assert_eq!(field(&infos(&world, &id), "ConnectionString"), hosts);
    assert_eq!(world.attribute(&id)["ConnectionString"], hosts[0]);
    world.ok(change, &to(hosts[0], &id));
    world.settle(&id);
    world.ok(change, &to(&own, "utama"));
    world.settle(&id);

    let release = "ReleaseInstancePublicConnection";
    let first = [this, ("CurrentConnectionString", hosts[0])];
    assert_eq!(world.code(release, &first), "InvalidCurrentConnectionString.NotFound");
    world.ok(release, &[this, ("CurrentConnectionString", hosts[1])]);
    world.settle(&id);
    assert_eq!(field(&infos(&world, &id), "ConnectionString"), hosts[..1]);
    // What was given back may be had by others.
    let other = world.instance(&[]);
    let again = [("DBInstanceId", other.as_str()), ("ConnectionStringPrefix", "hasil")];
    world.ok(allocate, &again);
}

#[test]
fn a_name_is_one_instances_in_the_whole_cloud() {
    let world = World::new();
    let id = world.instance(&[]);
    let params = [("DBInstanceId", id.as_str()), ("ConnectionStringPrefix", "pemilu")];
    world.ok("AllocateInstancePublicConnection", &params);
    let made = world.call(&world.stranger, "CreateDBInstance", &spec(&[])).unwrap();
    let theirs = text(&made["DBInstanceId"]);
    world.settle(&theirs);
    // Neither a name that is there nor one that an instance was made with, and be it gone.
    for taken in ["pemilu", id.as_str(), "pgm-0123456789abcdefg"] {
        let params = [("DBInstanceId", theirs.as_str()), ("ConnectionStringPrefix", taken)];
        let refused = world.call(&world.stranger, "AllocateInstancePublicConnection", &params);
        assert_eq!(refused.unwrap_err().code(), "InvalidConnectionString.Duplicate");
        let host = format!("{theirs}.pg.rds.localhost");
        let params = [&params[..], &[("CurrentConnectionString", host.as_str())]].concat();
        let refused = world.call(&world.stranger, "ModifyDBInstanceConnectionString", &params);
        assert_eq!(refused.unwrap_err().code(), "InvalidConnectionString.Duplicate");
    }
}

/// The white lists: name and addresses.
fn lists(world: &World, id: &str) -> Vec<(String, String)> {
    let told = world.ok("DescribeDBInstanceIPArrayList", &[("DBInstanceId", id)]);
    let rows = &told["Items"]["DBInstanceIPArray"];
    let (names, addresses) = (field(rows, "DBInstanceIPArrayName"), field(rows, "SecurityIPList"));
    names.into_iter().zip(addresses).collect()
}

fn pair(name: &str, addresses: &str) -> (String, String) {
    (name.to_owned(), addresses.to_owned())
}

#[test]
fn white_lists_are_covered_added_to_and_taken_from() {
    let world = World::new();
    let id = world.instance(&[]);
    assert_eq!(
        lists(&world, &id),
        [pair("default", "127.0.0.1")],
        "nobody, until somebody is let in"
    );
    let change = |params: &[(&str, &str)]| {
        let all = [params, &[("DBInstanceId", id.as_str())]].concat();
        world.ok("ModifySecurityIps", &all);
        assert_eq!(world.status(&id), "Running", "a change of lists interrupts nobody");
        lists(&world, &id)
    };
    assert_eq!(
        change(&[("SecurityIps", "10.0.0.0/8, 192.0.2.1")]),
        [pair("default", "10.0.0.0/8,192.0.2.1")]
    );
    let append = [("SecurityIps", "192.0.2.1,192.0.2.2"), ("ModifyMode", "Append")];
    assert_eq!(change(&append), [pair("default", "10.0.0.0/8,192.0.2.1,192.0.2.2")]);
    let delete = [("SecurityIps", "10.0.0.0/8"), ("ModifyMode", "Delete")];
    assert_eq!(change(&delete), [pair("default", "192.0.2.1,192.0.2.2")]);
    assert_eq!(change(&[("SecurityIps", "0.0.0.0/0")]), [pair("default", "0.0.0.0/0")]);

    let v6 = [
        ("DBInstanceIPArrayName", "office"),
        ("SecurityIps", "2001:db8::/32"),
        ("SecurityIPType", "IPv6"),
        ("DBInstanceIPArrayAttribute", "hidden"),
    ];
    assert_eq!(change(&v6), [pair("default", "0.0.0.0/0"), pair("office", "2001:db8::/32")]);
    let told = world.ok("DescribeDBInstanceIPArrayList", &[("DBInstanceId", &id)]);
    let office = &told["Items"]["DBInstanceIPArray"][1];
    assert_eq!(
        (&office["SecurityIPType"], &office["DBInstanceIPArrayAttribute"]),
        (&json!("IPv6"), &json!("hidden"))
    );

    let none = [("DBInstanceIPArrayName", "office"), ("SecurityIps", "")];
    assert_eq!(change(&none).len(), 1, "an empty list goes");
    assert_eq!(
        change(&[("SecurityIps", "")]),
        [pair("default", "127.0.0.1")],
        "the default one stays, and lets nobody in"
    );
    let first = [("SecurityIps", "10.0.0.1"), ("ModifyMode", "Append")];
    assert_eq!(change(&first), [pair("default", "10.0.0.1")]);
    assert!(
        world.rows("SELECT generation FROM rds_instance")[0].contains('9'),
        "each change is told to nodes"
    );
}

#[test]
fn what_is_no_white_list_is_refused() {
    let world = World::new();
    let id = world.instance(&[]);
    let long: Vec<String> = (0..1001).map(|n| format!("10.0.{}.{}", n / 256, n % 256)).collect();
    let long = long.join(",");
    let cases: [(&[(&str, &str)], &str); 8] = [
        (&[("SecurityIps", "10.0.0.0/33")], "InvalidParameter.SecurityIps"),
        (&[("SecurityIps", "example.id")], "InvalidParameter.SecurityIps"),
        (&[("SecurityIps", &long)], "InvalidParameter.SecurityIps"),
        (
            &[("SecurityIps", "10.0.0.1"), ("SecurityIPType", "IPv6")],
            "InvalidParameter.SecurityIps",
        ),
        (&[("SecurityIps", "10.0.0.1"), ("ModifyMode", "Replace")], "InvalidParameter.ModifyMode"),
        (
            &[("SecurityIps", "10.0.0.1"), ("DBInstanceIPArrayName", "X")],
            "InvalidParameter.DBInstanceIPArrayName",
        ),
        (
            &[("SecurityIps", "10.0.0.1"), ("FreshWhiteListReadins", "pgr-1")],
            "OperationDenied.NotSupported",
        ),
        (&[], "MissingParameter"),
    ];
    for (params, code) in cases {
        let all = [params, &[("DBInstanceId", id.as_str())]].concat();
        assert_eq!(world.code("ModifySecurityIps", &all), code);
    }
    world.ok("RestartDBInstance", &[("DBInstanceId", &id)]);
    let now = [("DBInstanceId", id.as_str()), ("SecurityIps", "10.0.0.1")];
    assert_eq!(world.code("ModifySecurityIps", &now), "OperationDenied.DBInstanceStatus");
    assert_eq!(lists(&world, &id), [pair("default", "127.0.0.1")]);
}

#[test]
fn groups_templates_and_modes_are_told_as_absent_and_cannot_be_had() {
    let world = World::new();
    let id = world.instance(&[]);
    let this = ("DBInstanceId", id.as_str());
    let none = json!({ "DBInstanceName": id, "Items": { "EcsSecurityGroupRelation": [] } });
    assert_eq!(world.ok("DescribeSecurityGroupConfiguration", &[this]), none);
    assert_eq!(
        world.ok("ModifySecurityGroupConfiguration", &[this, ("SecurityGroupId", "")]),
        none
    );
    let group = [this, ("SecurityGroupId", "sg-1")];
    assert_eq!(
        world.code("ModifySecurityGroupConfiguration", &group),
        "OperationDenied.NotSupported"
    );
    let told = world.ok("DescribeInstanceLinkedWhitelistTemplate", &[("InsName", &id)]);
    assert_eq!(told["Data"], json!({ "InsName": id, "Templates": [] }));
    assert_eq!(
        (&told["Success"], &told["Code"]),
        (&json!(true), &json!("200")),
        "else clients take it for an error"
    );
    assert_eq!(world.code("MigrateSecurityIPMode", &[this]), "OperationDenied.NotSupported");
}

#[test]
fn a_mariadb_takes_only_its_own_port() {
    let world = World::new();
    world.offer("jkt-b", Engine::MariaDb, "10.11", "10.11.19");
    let mariadb = |port| {
        spec(&[
            ("Engine", "MariaDB"),
            ("EngineVersion", "10.11"),
            ("DBInstanceClass", "mariadb.n2.2c.1m"),
            ("Port", port),
        ])
    };
    assert_eq!(world.code("CreateDBInstance", &mariadb("5432")), "OperationDenied.NotSupported");
    world.ok("CreateDBInstance", &mariadb("3306"));
}
