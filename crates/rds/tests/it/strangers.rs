//! Nobody sees or changes what is another account's, or what no policy allows; and every action of this half is
//! tried.

use crate::world::{PG, World};

/// What every action takes at most, so that it gets as far as looking for the instance.
const PARAMS: &[(&str, &str)] = &[
    ("DBInstanceId", PG),
    ("AccountName", "app"),
    ("AccountPassword", "Rahasia-Negara-7"),
    ("AccountDescription", "x"),
    ("AccountPrivilege", "ReadOnly"),
    ("DBName", "toko"),
    ("DBNames", "toko"),
    ("Extensions", "pg_trgm"),
    ("DBDescription", "x"),
    ("Engine", "PostgreSQL"),
    ("EngineVersion", "17.0"),
    ("Parameters", r#"{"jit": "off"}"#),
    ("OpsType", "update"),
    ("HbaItem", "[]"),
    ("BackupId", "123456789"),
    (
        "TableMeta",
        r#"[{"name": "toko", "newname": "lain", "tables": [{"name": "a", "newname": "a"}]}]"#,
    ),
    ("Key", "CpuUsage"),
    ("StartTime", "2026-01-02T00:00Z"),
    ("EndTime", "2026-01-03T00:00Z"),
];

const ACTIONS: &[&str] = &[
    "CheckAccountNameAvailable",
    "CheckDBNameAvailable",
    "CloneDBInstance",
    "CreateAccount",
    "CreateBackup",
    "CreateDatabase",
    "CreatePostgresExtensions",
    "DeleteAccount",
    "DeleteBackup",
    "DeleteDatabase",
    "DeletePostgresExtensions",
    "DescribeAccounts",
    "DescribeAvailableRecoveryTime",
    "DescribeBackupPolicy",
    "DescribeBackupTasks",
    "DescribeBackups",
    "DescribeDBInstancePerformance",
    "DescribeDatabases",
    "DescribeErrorLogs",
    "DescribeLocalAvailableRecoveryTime",
    "DescribePGHbaConfig",
    "DescribeParameterTemplates",
    "DescribeParameters",
    "DescribePostgresExtensions",
    "DescribeResourceUsage",
    "DescribeSlowLogRecords",
    "DescribeSlowLogs",
    "GrantAccountPrivilege",
    "LockAccount",
    "ModifyAccountDescription",
    "ModifyBackupPolicy",
    "ModifyDBDescription",
    "ModifyPGHbaConfig",
    "ModifyParameter",
    "ResetAccount",
    "ResetAccountPassword",
    "RestoreTable",
    "RevokeAccountPrivilege",
    "UnlockAccount",
];

/// Actions on parameter groups, which are of no instance.
const OF_GROUPS: &[&str] = &[
    "CloneParameterGroup",
    "CreateParameterGroup",
    "DeleteParameterGroup",
    "DescribeParameterGroup",
    "DescribeParameterGroups",
    "ModifyParameterGroup",
];

/// Those of [`PARAMS`] and of `more` that an action takes together.
fn params<'a>(action: &str, more: &[(&'a str, &'a str)]) -> Vec<(&'a str, &'a str)> {
    let left_out = match action {
        "ModifyParameter" => "ParameterGroupId",
        "CreateBackup" => "DBName",
        _ => "",
    };
    let all = PARAMS.iter().chain(more);
    all.filter(|(name, _)| *name != left_out).copied().collect()
}

#[test]
fn another_accounts_instance_is_not_found() {
    let world = World::new();
    let before = world.state(PG);
    for action in ACTIONS {
        let error = world.call(&world.stranger, action, &params(action, &[]));
        let error = error.err().unwrap_or_else(|| panic!("{action} was answered"));
        assert_eq!(error.code(), "InvalidDBInstanceId.NotFound", "{action}: {error:?}");
    }
    assert_eq!(world.state(PG), before);
}

#[test]
fn a_user_without_a_policy_may_do_nothing() {
    let world = World::new();
    let nobody = testkit::user(1, "tamu");
    let groups = [
        ("RegionId", "ap-southeast-5"),
        ("TargetRegionId", "ap-southeast-5"),
        ("ParameterGroupId", "rpg-tiada"),
        ("ParameterGroupName", "grup-coba"),
    ];
    for action in ACTIONS.iter().chain(OF_GROUPS) {
        let error = world.call(&nobody, action, &params(action, &groups));
        let error = error.err().unwrap_or_else(|| panic!("{action} was answered"));
        assert_eq!(error.code(), "Forbidden.RAM", "{action}: {error:?}");
        let denied = error.access_denied().unwrap();
        assert_eq!(denied.action, format!("rds:{action}"));
    }
}

/// The store of a cloud on PostgreSQL takes no zero byte: what nobody can be called is not there, on any engine.
#[test]
fn a_zero_byte_in_a_name_is_not_found_and_breaks_nothing() {
    let world = World::new();
    let of = ("DBInstanceId", PG);
    for (action, params, code) in [
        ("DescribeAccounts", vec![("DBInstanceId", "a\0b")], "InvalidDBInstanceId.NotFound"),
        ("DescribeBackups", vec![("DBInstanceId", "a\0b")], "InvalidDBInstanceId.NotFound"),
        ("DeleteAccount", vec![of, ("AccountName", "a\0b")], "InvalidAccountName.NotFound"),
        ("DeleteDatabase", vec![of, ("DBName", "a\0b")], "InvalidDBName.NotFound"),
        ("DeleteBackup", vec![of, ("BackupId", "1\0")], "InvalidBackup.NotFound"),
        ("CloneDBInstance", vec![of, ("BackupId", "1\0")], "InvalidBackup.NotFound"),
        ("DescribeParameterGroup", vec![("ParameterGroupId", "\0")], "ParamGroupsNotExistError"),
        ("DescribeParameterGroups", vec![("RegionId", "\0")], "InvalidParameter.RegionId"),
    ] {
        assert_eq!(world.refused(action, &params), code, "{action}");
    }
}
