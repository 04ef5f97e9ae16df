//! What can be restored, new instances from it, and tables brought back.

use base::Time;
use rds::model::{Origin, Status};
use rds::testing;
use store::params;

use crate::world::{FOLLOWER, PG, World, rows};

/// An instance with a backup that ended at 03:05:05 and log up to 04:05:05. Gives the backup's id.
fn archived(world: &World) -> String {
    let made = world.ok("CreateBackup", &[("DBInstanceId", PG)]);
    let id = made["BackupJobId"].as_str().unwrap().to_owned();
    world.pass(60);
    let (of, now) = (id.clone(), world.now());
    world.write(move |tx| {
        testing::finish_backup(tx, &of, 10, now)?;
        let sql = "INSERT INTO rds_wal (instance, cluster_id, timeline, start_lsn, end_lsn, bytes, newest)
                   VALUES (?1, 0, 1, 5, 90, 77, ?2)";
        tx.execute(sql, params![PG, Time::from_secs(now.secs() + 3600)])?;
        Ok(())
    });
    world.pass(7200);
    id
}

#[test]
fn what_can_be_restored_goes_from_the_first_backup_to_the_newest_of_the_log() {
    let world = World::new();
    let of = [("DBInstanceId", PG)];
    let none = world.ok("DescribeLocalAvailableRecoveryTime", &of);
    assert_eq!((&none["RecoveryBeginTime"], &none["RecoveryEndTime"]), (&"".into(), &"".into()));
    archived(&world);
    let local = world.ok("DescribeLocalAvailableRecoveryTime", &of);
    assert_eq!(local["DBInstanceId"], PG);
    let remote = world.ok("DescribeAvailableRecoveryTime", &of);
    assert_eq!(remote["RegionId"], "ap-southeast-5");
    for answer in [local, remote] {
        assert_eq!(answer["RecoveryBeginTime"], "2026-01-02T03:05:05Z");
        assert_eq!(answer["RecoveryEndTime"], "2026-01-02T04:05:05Z");
    }
}

#[test]
fn a_clone_is_a_new_instance_from_the_archive_that_nobody_may_reach_yet() {
    let world = World::new();
    let account =
        [("DBInstanceId", PG), ("AccountName", "app"), ("AccountPassword", "Rahasia-Negara-7")];
    world.ok("CreateAccount", &account);
    world.ok("CreateDatabase", &[account[0], account[1], ("DBName", "toko")]);
    world.ok("ModifyParameter", &[account[0], ("Parameters", r#"{"jit": "off"}"#)]);
    world.settle(PG);
    archived(&world);
    let token = ("ClientToken", "satu");
    let when = ("RestoreTime", "2026-01-02T03:30:00Z");
    let made = world.ok("CloneDBInstance", &[account[0], when, token]);
    let id = made["DBInstanceId"].as_str().unwrap().to_owned();
    assert!(id.starts_with("pgm-") && id != PG);
    assert_eq!(
        world.ok("CloneDBInstance", &[account[0], when, token])["DBInstanceId"],
        id.as_str()
    );
    assert!(world.tasks("rds.instance").contains(&(id.clone(), "\"Converge\"".to_owned())));

    let (of, cloud) = (id.clone(), world.test.cloud.clone());
    let (status, origin, parts) = world.write(move |tx| {
        let status = testing::state(tx, &of)?.0;
        Ok((status, testing::origin(tx, &of)?, testing::told(tx, &cloud, &of)?))
    });
    assert_eq!(status, Status::Restoring);
    let until = Time::parse_iso(when.1).map(Time::micros);
    assert_eq!(origin, Origin::Archive { instance: PG.to_owned(), backup: None, until });
    let (accounts, databases, grants, parameters, hba) = parts;
    assert_eq!((accounts.len(), databases.len(), grants.len()), (1, 1, 1));
    assert!(accounts[0].verifier.starts_with("SCRAM-SHA-256$"), "sealed anew for the clone");
    assert_eq!(parameters["jit"], "off");
    let hosts: Vec<_> = hba.iter().filter_map(|line| line.split(' ').nth(3)).collect();
    assert_eq!(
        hosts,
        ["127.77.0.1/32", "127.0.0.1/32"],
        "the gateway and the machine itself: {hba:?}"
    );
}

#[test]
fn a_clone_is_only_of_what_is_there_and_at_least_as_large() {
    let world = World::new();
    let backup = archived(&world);
    let of = ("DBInstanceId", PG);
    let by = ("BackupId", backup.as_str());
    for (wrong, code) in [
        (vec![of], "InvalidParameter.RestoreTime"),
        (vec![of, by, ("RestoreTime", "2026-01-02T03:30:00Z")], "InvalidParameter.RestoreTime"),
        (vec![of, ("RestoreTime", "2026-01-02T03:00:00Z")], "InvalidRestoreTime.NotFound"),
        (vec![of, ("RestoreTime", "2026-01-02T04:05:06Z")], "InvalidRestoreTime.NotFound"),
        (vec![of, ("RestoreTime", "tadi")], "InvalidParameter.RestoreTime"),
        (vec![of, by, ("ZoneId", "ap-southeast-5z")], "InvalidZoneId.NotFound"),
        (vec![of, by, ("RegionId", "ap-southeast-1")], "OperationDenied.NotSupported"),
        (vec![of, by, ("ServerlessConfig", "{}")], "OperationDenied.NotSupported"),
        (vec![of, ("BackupId", "123456789")], "InvalidBackup.NotFound"),
        (vec![("DBInstanceId", "rm-dua"), by], "InvalidBackup.NotFound"),
        (vec![("DBInstanceId", FOLLOWER), by], "OperationDenied.DBInstanceType"),
        (vec![of, by, ("DBInstanceStorage", "10")], "InvalidParameter.DBInstanceStorage"),
        (vec![of, by, ("DBInstanceClass", "pg.n9.8c.1m")], "InvalidDBInstanceClass.NotFound"),
        (vec![of, by, ("Category", "HighAvailability")], "InvalidParameter.Category"),
        (vec![of, by, ("Category", "Cluster")], "InvalidParameter.Category"),
        (vec![of, by, ("PayType", "Prepaid")], "InvalidParameter.PayType"),
        (vec![of, by, ("DbNames", "toko")], "InvalidParameter.RestoreTable"),
    ] {
        assert_eq!(world.refused("CloneDBInstance", &wrong), code, "{wrong:?}");
    }
    world.write(|tx| {
        let sql = "INSERT INTO rds_engine (site, engine, major, build, facts)
             SELECT 'jkt-b', engine, major, build, facts FROM rds_engine";
        tx.execute(sql, params![])?;
        Ok(())
    });
    let made = world.ok("CloneDBInstance", &[of, by, ("DBInstanceClass", "pg.n2.2c.2m")]);
    let id = made["DBInstanceId"].as_str().unwrap().to_owned();
    let sites: Vec<String> = world.write(move |tx| {
        let sql = "SELECT site FROM rds_member WHERE instance = ?1 ORDER BY site";
        Ok(tx.query(sql, params![&id], |row| row.get(0))?)
    });
    assert_eq!(sites, ["jkt-a", "jkt-b"]);
}

/// What a clone would be told: the names of its accounts and of its databases, and a setting.
fn told(world: &World, id: &str) -> (Vec<String>, Vec<String>, Option<String>) {
    let (of, cloud) = (id.to_owned(), world.test.cloud.clone());
    let (accounts, databases, _, parameters, _) =
        world.write(move |tx| testing::told(tx, &cloud, &of));
    assert!(accounts.iter().all(|it| it.verifier.starts_with("SCRAM-SHA-256$")));
    (
        accounts.into_iter().map(|it| it.name).collect(),
        databases.into_iter().map(|it| it.name).collect(),
        parameters.get("jit").cloned(),
    )
}

/// Deletes the instance that has an account, a database, a setting and a backup.
fn release(world: &World, policy: &str) -> String {
    let of = ("DBInstanceId", PG);
    let account = ("AccountName", "app");
    world.ok("CreateAccount", &[of, account, ("AccountPassword", "Rahasia-Negara-7")]);
    world.ok("CreateDatabase", &[of, account, ("DBName", "toko")]);
    world.ok("ModifyParameter", &[of, ("Parameters", r#"{"jit": "off"}"#)]);
    world.settle(PG);
    world.write(|tx| {
        tx.execute("DELETE FROM rds_instance WHERE parent = ?1", params![PG])?;
        Ok(())
    });
    let backup = archived(world);
    world.ok("DeleteDBInstance", &[of, ("ReleasedKeepPolicy", policy)]);
    world.block_on(testing::release(&world.test.cloud, PG)).unwrap();
    assert_eq!(world.refused("DescribeDBInstanceAttribute", &[of]), NOT_FOUND);
    backup
}

const NOT_FOUND: &str = "InvalidDBInstanceId.NotFound";

#[test]
fn a_deleted_instance_is_made_again_as_it_was_from_the_backup_that_is_kept() {
    let world = World::new();
    let backup = release(&world, "Lastest");
    let of = ("DBInstanceId", PG);
    let by = ("BackupId", backup.as_str());
    let span = world.ok("DescribeLocalAvailableRecoveryTime", &[of]);
    assert_eq!(span["RecoveryEndTime"], "", "no log is kept, though it may still be there");
    let when = ("RestoreTime", "2026-01-02T03:30:00Z");
    assert_eq!(world.refused("CloneDBInstance", &[of, when]), "InvalidRestoreTime.NotFound");
    let stranger = world.call(&world.stranger, "CloneDBInstance", &[of, by]).unwrap_err();
    assert_eq!(stranger.code(), NOT_FOUND);
    let smaller = [of, by, ("DBInstanceStorage", "10")];
    assert_eq!(world.refused("CloneDBInstance", &smaller), "InvalidParameter.DBInstanceStorage");

    let made = world.ok("CloneDBInstance", &[of, by]);
    let id = made["DBInstanceId"].as_str().unwrap().to_owned();
    let shown = world.ok("DescribeDBInstanceAttribute", &[("DBInstanceId", &id)]);
    let shown = &rows(&shown, "Items", "DBInstanceAttribute")[0];
    assert_eq!(
        [&shown["DBInstanceStatus"], &shown["EngineVersion"], &shown["DBInstanceClass"]],
        [&"Restoring", &"17.0", &"pg.n2.2c.1m"]
    );
    assert_eq!(shown["DBInstanceStorage"], 20);
    let wanted = (vec!["app".to_owned()], vec!["toko".to_owned()], Some("off".to_owned()));
    assert_eq!(told(&world, &id), wanted);

    // After the days of its policy, nothing of it is known.
    world.pass(8 * 86_400);
    assert_eq!(world.refused("CloneDBInstance", &[of, by]), NOT_FOUND);
}

#[test]
fn a_deleted_instance_of_which_all_is_kept_is_made_again_as_it_was_at_a_second() {
    let world = World::new();
    release(&world, "All");
    let of = ("DBInstanceId", PG);
    let span = world.ok("DescribeAvailableRecoveryTime", &[of]);
    assert_eq!(
        [&span["RecoveryBeginTime"], &span["RecoveryEndTime"]],
        [&"2026-01-02T03:05:05Z", &"2026-01-02T04:05:05Z"]
    );
    let when = ("RestoreTime", "2026-01-02T03:30:00Z");
    let made = world.ok("CloneDBInstance", &[of, when]);
    let id = made["DBInstanceId"].as_str().unwrap().to_owned();
    let origin = world.write(move |tx| testing::origin(tx, &id));
    let until = Time::parse_iso(when.1).map(Time::micros);
    assert_eq!(origin, Origin::Archive { instance: PG.to_owned(), backup: None, until });
    let meta =
        r#"[{"name": "toko", "newname": "lain", "tables": [{"name": "a", "newname": "a"}]}]"#;
    assert_eq!(world.refused("RestoreTable", &[of, when, ("TableMeta", meta)]), NOT_FOUND);
}

#[test]
fn a_deleted_instance_of_which_nothing_is_kept_is_not_found() {
    let world = World::new();
    let backup = release(&world, "None");
    let of = ("DBInstanceId", PG);
    let by = ("BackupId", backup.as_str());
    assert_eq!(world.refused("CloneDBInstance", &[of, by]), NOT_FOUND);
    assert_eq!(world.refused("DescribeLocalAvailableRecoveryTime", &[of]), NOT_FOUND);
    let left: i64 = world.write(|tx| {
        let sql = "SELECT COUNT(*) FROM rds_account WHERE instance = ?1";
        Ok(tx.query_opt(sql, params![PG], |row| row.get(0))?.unwrap_or(0))
    });
    assert_eq!(left, 0, "nobody needs its verifiers");
}

#[test]
fn deleted_instances_are_listed_for_who_asks_for_them_only() {
    let world = World::new();
    release(&world, "Lastest");
    let listed = |more: &[(&str, &str)]| -> Vec<(String, String)> {
        let answer = world.ok("DescribeDBInstances", more);
        let all = rows(&answer, "Items", "DBInstance");
        let text = |row: &serde_json::Value, field: &str| row[field].as_str().unwrap().to_owned();
        all.iter().map(|it| (text(it, "DBInstanceId"), text(it, "DestroyTime"))).collect()
    };
    assert!(listed(&[]).iter().all(|(id, _)| id != PG));
    let released = ("DBInstanceStatus", "Released");
    // Deleted at 05:05:05, kept for the seven days of its policy.
    assert_eq!(listed(&[released]), [(PG.to_owned(), "2026-01-09T05:05:05Z".to_owned())]);
    world.pass(8 * 86_400);
    assert_eq!(listed(&[released]), []);
}

#[test]
fn a_clone_has_the_major_version_that_its_backup_was_made_of() {
    let world = World::new();
    let backup = archived(&world);
    world.write(|tx| {
        tx.execute("UPDATE rds_instance SET major = '18' WHERE id = ?1", params![PG])?;
        Ok(())
    });
    world.ok("CreateDatabase", &[("DBInstanceId", PG), ("DBName", "lain")]);
    world.settle(PG);
    let meta =
        r#"[{"name": "toko", "newname": "lain", "tables": [{"name": "a", "newname": "a"}]}]"#;
    let tables = [("DBInstanceId", PG), ("BackupId", &backup), ("TableMeta", meta)];
    assert_eq!(world.refused("RestoreTable", &tables), "InvalidEngine.NotSupported");
    let made = world.ok("CloneDBInstance", &[("DBInstanceId", PG), ("BackupId", &backup)]);
    let of = [("DBInstanceId", made["DBInstanceId"].as_str().unwrap())];
    let shown = world.ok("DescribeDBInstanceAttribute", &of);
    assert_eq!(rows(&shown, "Items", "DBInstanceAttribute")[0]["EngineVersion"], "17.0");
    world.write(|tx| {
        tx.execute("DELETE FROM rds_engine", params![])?;
        Ok(())
    });
    let refused = world.refused("CloneDBInstance", &[("DBInstanceId", PG), ("BackupId", &backup)]);
    assert_eq!(refused, "InvalidEngineVersion.NotSupported", "it would wait for ever");
}

#[test]
fn an_account_that_was_deleted_since_is_dropped_from_a_clone() {
    let world = World::new();
    let of = ("DBInstanceId", PG);
    for name in ["bekas", "kembali"] {
        let account = ("AccountName", name);
        world.ok("CreateAccount", &[of, account, ("AccountPassword", "Rahasia-Negara-7")]);
        world.settle(PG);
    }
    let backup = archived(&world);
    for name in ["bekas", "kembali"] {
        world.ok("DeleteAccount", &[of, ("AccountName", name)]);
        world.settle(PG);
    }
    let again = ("AccountName", "kembali");
    world.ok("CreateAccount", &[of, again, ("AccountPassword", "Rahasia-Negara-8")]);
    world.settle(PG);
    let made = world.ok("CloneDBInstance", &[of, ("BackupId", &backup)]);
    let (id, cloud) = (made["DBInstanceId"].as_str().unwrap().to_owned(), world.test.cloud.clone());
    let (accounts, ..) = world.write(move |tx| testing::told(tx, &cloud, &id));
    let told: Vec<_> = accounts.iter().map(|it| (it.name.as_str(), it.wanted)).collect();
    assert_eq!(told, [("bekas", false), ("kembali", true)]);
}

#[test]
fn tables_are_wished_back_into_another_database_by_a_task() {
    let world = World::new();
    let backup = archived(&world);
    for database in ["toko", "toko_lama"] {
        world.ok("CreateDatabase", &[("DBInstanceId", PG), ("DBName", database)]);
        world.settle(PG);
    }
    let meta = |database: &str, to: &str| {
        format!(
            r#"[{{"type": "db", "name": "toko", "newname": "{database}",
                 "tables": [{{"type": "table", "name": "jual", "newname": "{to}"}}]}}]"#
        )
    };
    let (good, same, nowhere) =
        (meta("toko_lama", "jual"), meta("toko", "jual"), meta("lain", "jual"));
    let renamed = meta("toko_lama", "jual_lama");
    let of = [("DBInstanceId", PG), ("BackupId", backup.as_str())];
    world.ok("RestoreTable", &[of[0], of[1], ("TableMeta", &good)]);
    let tasks = world.tasks("rds.restore_table");
    assert_eq!((tasks.len(), tasks[0].1.as_str()), (1, "\"Begin\""));
    let id = tasks[0].0.clone();
    let wish: String = world.write(move |tx| {
        let sql = "SELECT wish FROM rds_job WHERE id = ?1 AND instance = ?2";
        Ok(tx.query_opt(sql, params![&id, PG], |row| row.get(0))?.unwrap())
    });
    assert!(wish.contains("toko_lama") && wish.contains(&backup), "{wish}");
    let refused = |meta: &str| world.refused("RestoreTable", &[of[0], of[1], ("TableMeta", meta)]);
    assert_eq!(refused(&good), "OperationDenied.DBInstanceStatus", "one at a time");
    let action = ("TaskAction", "RestoreTable");
    let told = |world: &World| {
        let tasks = world.ok("DescribeTasks", &[of[0], action]);
        rows(&tasks, "Items", "TaskProgressInfo")[0]["Status"].as_str().unwrap().to_owned()
    };
    assert_eq!(told(&world), "Processing");
    world.write(|tx| {
        tx.execute("UPDATE rds_job SET status = 'Failed'", params![])?;
        Ok(())
    });
    assert_eq!(told(&world), "Failed");
    assert_eq!(refused(&same), "InvalidParameter.TableMeta");
    assert_eq!(refused(&renamed), "InvalidParameter.TableMeta");
    assert_eq!(refused("rubbish"), "InvalidParameter.TableMeta");
    assert_eq!(refused(&nowhere), "InvalidDBName.NotFound");
    let never = [of[0], ("RestoreTime", "2020-01-01T00:00:00Z"), ("TableMeta", good.as_str())];
    assert_eq!(world.refused("RestoreTable", &never), "InvalidRestoreTime.NotFound");
    assert_eq!(rows(&world.ok("DescribeBackups", &of[..1]), "Items", "Backup").len(), 1);
}
