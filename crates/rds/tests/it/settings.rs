//! Settings one by one, what is paid, and what is told as absent.

use serde_json::{Value, json};

use crate::control::{World, text};

#[test]
fn settings_are_changed_and_shown() {
    let world = World::new();
    let id = world.instance(&[]);
    let this = ("DBInstanceId", id.as_str());
    let cases = [
        (
            "ModifyDBInstanceDescription",
            ("DBInstanceDescription", "hasil"),
            "DBInstanceDescription",
        ),
        ("ModifyDBInstanceMaintainTime", ("MaintainTime", "22:00Z-02:00Z"), "MaintainTime"),
        (
            "ModifyDBInstanceAutoUpgradeMinorVersion",
            ("AutoUpgradeMinorVersion", "Manual"),
            "AutoUpgradeMinorVersion",
        ),
        ("ModifyResourceGroup", ("ResourceGroupId", "rg-1"), "ResourceGroupId"),
        ("ModifyCollationTimeZone", ("Timezone", "Asia/Makassar"), "TimeZone"),
    ];
    for (action, change, shown) in cases {
        world.ok(action, &[this, change]);
        assert_eq!(world.attribute(&id)[shown], change.1, "{action}");
        assert_eq!(world.status(&id), "Running", "{action}");
    }
    world.ok("ModifyDBInstanceDeletionProtection", &[this, ("DeletionProtection", "true")]);
    assert_eq!(world.attribute(&id)["DeletionProtection"], true);
    assert_eq!(world.ok("DescribeDBInstanceMonitor", &[this])["Period"], "60");
    world.ok("ModifyDBInstanceMonitor", &[this, ("Period", "300")]);
    assert_eq!(world.ok("DescribeDBInstanceMonitor", &[this])["Period"], "300");
}

#[test]
fn settings_that_make_no_sense_are_refused() {
    let world = World::new();
    let id = world.instance(&[]);
    let long = "x".repeat(257);
    for (action, change, code) in [
        (
            "ModifyDBInstanceDescription",
            ("DBInstanceDescription", long.as_str()),
            "InvalidParameter.DBInstanceDescription",
        ),
        (
            "ModifyDBInstanceMaintainTime",
            ("MaintainTime", "night"),
            "InvalidParameter.MaintainTime",
        ),
        (
            "ModifyDBInstanceAutoUpgradeMinorVersion",
            ("AutoUpgradeMinorVersion", "Later"),
            "InvalidParameter.AutoUpgradeMinorVersion",
        ),
        ("ModifyDBInstanceMonitor", ("Period", "7"), "InvalidParameter.Period"),
        ("ModifyResourceGroup", ("ResourceGroupId", "a b"), "InvalidParameter.ResourceGroupId"),
        ("ModifyCollationTimeZone", ("Timezone", "Mars"), "InvalidParameter.Timezone"),
        ("ModifyCollationTimeZone", ("Collation", "C"), "OperationDenied.NotSupported"),
        (
            "ModifyDBInstanceDeletionProtection",
            ("DeletionProtection", "maybe"),
            "InvalidParameter.DeletionProtection",
        ),
    ] {
        assert_eq!(world.code(action, &[("DBInstanceId", &id), change]), code, "{action}");
    }
    world.ok("DeleteDBInstance", &[("DBInstanceId", &id)]);
    let late = [("DBInstanceId", id.as_str()), ("DBInstanceDescription", "late")];
    assert_eq!(
        world.code("ModifyDBInstanceDescription", &late),
        "OperationDenied.DBInstanceStatus"
    );
}

/// Reads that clients make every time, what they are told, the write that would switch it on, and the one that leaves
/// it as it is.
#[test]
fn what_is_not_provided_is_told_as_off_and_cannot_be_switched_on() {
    let world = World::new();
    let id = world.instance(&[]);
    let this = ("DBInstanceId", id.as_str());
    let read = |action: &str| world.ok(action, &[this]);
    let tde = json!({ "TDEStatus": "Disabled", "TDEMode": "", "EncryptionKey": "", "Databases": { "Database": [] } });
    assert_eq!(read("DescribeDBInstanceTDE"), tde);
    assert_eq!(
        read("DescribeSQLCollectorPolicy"),
        json!({ "SQLCollectorStatus": "Disabled", "StoragePeriod": 0 })
    );
    assert_eq!(read("DescribeSQLCollectorRetention"), json!({ "ConfigValue": "0" }));
    assert_eq!(read("DescribeDBInstanceEncryptionKey")["EncryptionKey"], "");
    for (action, on, off) in [
        ("ModifyDBInstanceTDE", ("TDEStatus", "Enabled"), ("TDEStatus", "Disabled")),
        (
            "ModifySQLCollectorPolicy",
            ("SQLCollectorStatus", "Enable"),
            ("SQLCollectorStatus", "Disabled"),
        ),
        ("ModifySQLCollectorRetention", ("ConfigValue", "30"), ("ConfigValue", "0")),
        (
            "ModifyDasInstanceConfig",
            ("StorageAutoScale", "Enable"),
            ("StorageAutoScale", "Disable"),
        ),
        ("ModifyInstanceAutoRenewalAttribute", ("AutoRenew", "True"), ("AutoRenew", "False")),
        ("TransformDBInstancePayType", ("PayType", "Prepaid"), ("PayType", "Postpaid")),
    ] {
        assert_eq!(world.code(action, &[this, on]), "OperationDenied.NotSupported", "{action}");
        world.ok(action, &[this, off]);
    }
    let config = |name, value| [this, ("ConfigName", name), ("ConfigValue", value)];
    world.ok("ModifyDBInstanceConfig", &config("pgbouncer", "false"));
    for (name, value) in [("pgbouncer", "true"), ("encryptionKey", "key-1")] {
        let refused = world.code("ModifyDBInstanceConfig", &config(name, value));
        assert_eq!(refused, "OperationDenied.NotSupported", "{name}");
    }
    let code = world.code("ModifyDBInstanceConfig", &config("colour", "red"));
    assert_eq!(code, "InvalidParameter.ConfigName");
}

#[test]
fn instances_are_paid_for_by_use_and_never_renewed() {
    let world = World::new();
    let id = world.instance(&[]);
    let this = ("DBInstanceId", id.as_str());
    assert_eq!(
        world.code("RenewInstance", &[this, ("Period", "1")]),
        "OperationDenied.NotSupported"
    );
    let told = world.ok("DescribeInstanceAutoRenewalAttribute", &[this]);
    let item = json!({
        "DBInstanceId": id, "RegionId": "ap-southeast-5", "AutoRenew": "False", "Duration": 0, "Status": "Normal"
    });
    assert_eq!(told["Items"]["Item"], json!([item]));
    let paid = world.ok("TransformDBInstancePayType", &[this, ("PayType", "Postpaid")]);
    assert_eq!((&paid["ChargeType"], &paid["ExpiredTime"]), (&json!("Postpaid"), &json!("")));
}

#[test]
fn tls_is_on_and_stays_on() {
    let world = World::new();
    let id = world.instance(&[]);
    let host = format!("{id}.pg.rds.localhost");
    let this = ("DBInstanceId", id.as_str());
    let shown = || world.ok("DescribeDBInstanceSSL", &[this]);
    let told = shown();
    assert_eq!((&told["SSLEnabled"], &told["ForceEncryption"]), (&json!("on"), &json!("1")));
    assert_eq!(told["ConnectionString"], Value::from(host.clone()));
    assert_eq!(told["LastModifyStatus"], "setting", "its task has not made the certificate yet");
    let set = |more: &[(&'static str, &'static str)]| [more, &[("DBInstanceId", "")]].concat();
    let with = |more: &[(&'static str, &'static str)]| {
        let mut params: Vec<(&str, &str)> = set(more);
        params.pop();
        params.push(("ConnectionString", host.as_str()));
        params.push(this);
        params
    };
    let modify = "ModifyDBInstanceSSL";
    assert_eq!(world.code(modify, &with(&[("SSLEnabled", "0")])), "OperationDenied.NotSupported");
    for own in
        [("CAType", "custom"), ("ServerKey", "key"), ("ClientCAEnabled", "1"), ("ACL", "cert")]
    {
        let code = world.code(modify, &with(&[("SSLEnabled", "1"), own]));
        assert_eq!(code, "OperationDenied.NotSupported", "{own:?}");
    }
    world.ok(modify, &with(&[("SSLEnabled", "1"), ("CAType", "aliyun")]));
    assert_eq!(world.status(&id), "Running");
    world.ok(modify, &with(&[("SSLEnabled", "2")]));
    assert_eq!(world.status(&id), "SSL_MODIFYING");
    world.settle(&id);
    let other = [this, ("ConnectionString", "other.pg.rds.localhost"), ("SSLEnabled", "1")];
    assert_eq!(world.code(modify, &other), "InvalidCurrentConnectionString.NotFound");
    assert_eq!(text(&shown()["ServerCert"]), "");
    assert!(shown().get("ServerKey").is_none(), "the key is nobody's");
}
