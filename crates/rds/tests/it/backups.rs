//! Backups as the API knows them, and their policy.

use rds::model::Status;
use rds::testing;

use crate::world::{FOLLOWER, PG, World, rows};

fn begin(world: &World) -> String {
    let made = world.ok("CreateBackup", &[("DBInstanceId", PG)]);
    made["BackupJobId"].as_str().unwrap().to_owned()
}

fn finish(world: &World, id: &str, lsn: u64) {
    let (id, now) = (id.to_owned(), world.now());
    world.write(move |tx| testing::finish_backup(tx, &id, lsn, now));
}

#[test]
fn a_backup_begins_as_a_task_is_one_at_a_time_and_is_listed_when_it_has_ended() {
    let world = World::new();
    let id = begin(&world);
    assert!(id.len() == 9 && id.parse::<i32>().is_ok(), "clients read a number of 32 bits: {id}");
    assert_eq!(world.tasks("rds.backup"), [(id.clone(), "\"Start\"".to_owned())]);
    assert_eq!(world.refused("CreateBackup", &[("DBInstanceId", PG)]), "BackupJobExists");
    let of = [("DBInstanceId", PG), ("BackupJobId", id.as_str())];
    let job = |world: &World| {
        let answer = world.ok("DescribeBackupTasks", &of);
        rows(&answer, "Items", "BackupJob")[0]["BackupStatus"].as_str().unwrap().to_owned()
    };
    assert_eq!(job(&world), "Uploading");
    let none = world.ok("DescribeBackups", &of[..1]);
    assert_eq!(none["Items"]["Backup"], serde_json::json!([]));

    world.pass(60);
    finish(&world, &id, 10);
    assert_eq!(job(&world), "Finished");
    let list = world.ok("DescribeBackups", &of[..1]);
    let row = &rows(&list, "Items", "Backup")[0];
    assert_eq!((&row["BackupId"], &row["BackupSize"]), (&id.as_str().into(), &1000.into()));
    assert_eq!(
        (&row["BackupStatus"], &row["BackupMode"], &row["BackupEndTime"]),
        (&"Success".into(), &"Manual".into(), &"2026-01-02T03:05:05Z".into())
    );
    assert_eq!((&list["TotalRecordCount"], &list["PageNumber"]), (&"1".into(), &"1".into()));
    let later = [of[0], ("StartTime", "2026-01-03T00:00Z"), ("EndTime", "2026-01-04T00:00Z")];
    assert_eq!(world.ok("DescribeBackups", &later)["TotalRecordCount"], "0");
    let bad = [of[0], ("StartTime", "kemarin")];
    assert_eq!(world.refused("DescribeBackups", &bad), "InvalidParameter.StartTime");
}

#[test]
fn a_backup_is_whole_of_a_running_instance_that_follows_nobody() {
    let world = World::new();
    for odd in [("BackupMethod", "Logical"), ("DBName", "toko")] {
        let refused = world.refused("CreateBackup", &[("DBInstanceId", PG), odd]);
        assert_eq!(refused, "InvalidParameter.BackupMethod");
    }
    let refused = world.refused("CreateBackup", &[("DBInstanceId", FOLLOWER)]);
    assert_eq!(refused, "OperationDenied.DBInstanceType");
    world.set_status(PG, Status::Stopped);
    let refused = world.refused("CreateBackup", &[("DBInstanceId", PG)]);
    assert_eq!(refused, "OperationDenied.DBInstanceStatus");
}

#[test]
fn a_backup_goes_but_not_the_newest_and_not_one_that_is_being_made() {
    let world = World::new();
    let old = begin(&world);
    let delete = |id: &str| {
        world.call(&world.owner, "DeleteBackup", &[("DBInstanceId", PG), ("BackupId", id)])
    };
    assert_eq!(delete(&old).unwrap_err().code(), "BackupJobExists");
    finish(&world, &old, 10);
    assert_eq!(delete(&old).unwrap_err().code(), "OperationDenied.LastBackup");
    world.pass(60);
    let new = begin(&world);
    finish(&world, &new, 20);
    world.pass(60);
    let failed = begin(&world);
    let (id, now) = (failed.clone(), world.now());
    world.write(move |tx| testing::fail_backup(tx, &id, now));
    assert_eq!(delete(&new).unwrap_err().code(), "OperationDenied.LastBackup");
    delete(&failed).unwrap();
    delete(&old).unwrap();
    assert!(world.tasks("rds.backup").contains(&(old.clone(), "\"Delete\"".to_owned())));
    assert_eq!(delete(&old).unwrap_err().code(), "InvalidBackup.NotFound");
    let list = world.ok("DescribeBackups", &[("DBInstanceId", PG)]);
    assert_eq!(list["TotalRecordCount"], "1");
    let other = [("DBInstanceId", "rm-dua"), ("BackupId", new.as_str())];
    assert_eq!(world.refused("DeleteBackup", &other), "InvalidBackup.NotFound");
}

#[test]
fn backups_of_an_instance_that_is_gone_are_listed_for_its_owner_only() {
    let world = World::new();
    let id = begin(&world);
    finish(&world, &id, 10);
    world.write(|tx| {
        tx.execute("DELETE FROM rds_instance WHERE id = ?1", store::params![PG])?;
        Ok(())
    });
    let of = [("DBInstanceId", PG)];
    assert_eq!(world.ok("DescribeBackups", &of)["TotalRecordCount"], "1");
    let error = world.call(&world.stranger, "DescribeBackups", &of).unwrap_err();
    assert_eq!(error.code(), "InvalidDBInstanceId.NotFound");
}

#[test]
fn a_policy_changes_in_what_is_named_and_nothing_goes_off_by_itself() {
    let world = World::new();
    let of = ("DBInstanceId", PG);
    let policy = world.ok("DescribeBackupPolicy", &[of]);
    assert_eq!(
        (&policy["BackupLog"], &policy["BackupRetentionPeriod"]),
        (&"Enable".into(), &7.into())
    );
    assert_eq!(policy["PreferredNextBackupTime"], "2026-01-02T18:00Z");
    let change = [
        of,
        ("PreferredBackupPeriod", "Sunday,Monday"),
        ("PreferredBackupTime", "02:00Z-03:00Z"),
        ("BackupRetentionPeriod", "30"),
        ("LogBackupRetentionPeriod", "14"),
        ("ReleasedKeepPolicy", "All"),
    ];
    world.ok("ModifyBackupPolicy", &change);
    world.ok("ModifyBackupPolicy", &[of, ("LocalLogRetentionHours", "18")]);
    let policy = world.ok("DescribeBackupPolicy", &[of]);
    assert_eq!(
        [
            &policy["PreferredBackupPeriod"],
            &policy["PreferredBackupTime"],
            &policy["ReleasedKeepPolicy"]
        ],
        [&"Monday,Sunday", &"02:00Z-03:00Z", &"All"]
    );
    assert_eq!(
        [
            &policy["BackupRetentionPeriod"],
            &policy["LogBackupRetentionPeriod"],
            &policy["LocalLogRetentionHours"]
        ],
        [&30, &14, &18]
    );
    assert_eq!(policy["EnableBackupLog"], "1", "nobody asked for that");
    let off = world.ok("ModifyBackupPolicy", &[of, ("EnableBackupLog", "0")]);
    assert_eq!((&off["EnableBackupLog"], &off["DBInstanceID"]), (&"0".into(), &PG.into()));
    world.ok("ModifyBackupPolicy", &[of, ("BackupLog", "Enable")]);
    world.ok("ModifyBackupPolicy", &[of, ("BackupRetentionPeriod", "7")]);
    let policy = world.ok("DescribeBackupPolicy", &[of]);
    assert_eq!([&policy["EnableBackupLog"]], [&"1"]);
    assert_eq!(policy["LogBackupRetentionPeriod"], 7, "a log without its backup is of no use");
    for (name, value) in [
        ("PreferredBackupPeriod", "Monday"),
        ("PreferredBackupTime", "02:00Z-04:00Z"),
        ("BackupRetentionPeriod", "6"),
        ("BackupRetentionPeriod", "731"),
        ("LogBackupRetentionPeriod", "8"),
        ("EnableBackupLog", "perhaps"),
        ("ReleasedKeepPolicy", "Some"),
        ("BackupPolicyMode", "Other"),
        ("EnableIncrementDataBackup", "true"),
        ("BackupInterval", "15"),
        ("LocalLogRetentionHours", "many"),
    ] {
        let code = world.refused("ModifyBackupPolicy", &[of, (name, value)]);
        assert_eq!(code, format!("InvalidParameter.{name}"), "{value}");
    }
}
