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
    let made = world.ok("CloneDBInstance", &[of, by, ("DBInstanceClass", "pg.n2.2c.2m")]);
    let id = made["DBInstanceId"].as_str().unwrap().to_owned();
    let sites: Vec<String> = world.write(move |tx| {
        let sql = "SELECT site FROM rds_member WHERE instance = ?1 ORDER BY site";
        Ok(tx.query(sql, params![&id], |row| row.get(0))?)
    });
    assert_eq!(sites, ["jkt-a", "jkt-b"]);
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
    assert_eq!(refused(&same), "InvalidParameter.TableMeta");
    assert_eq!(refused(&renamed), "InvalidParameter.TableMeta");
    assert_eq!(refused("rubbish"), "InvalidParameter.TableMeta");
    assert_eq!(refused(&nowhere), "InvalidDBName.NotFound");
    let never = [of[0], ("RestoreTime", "2020-01-01T00:00:00Z"), ("TableMeta", good.as_str())];
    assert_eq!(world.refused("RestoreTable", &never), "InvalidRestoreTime.NotFound");
    assert_eq!(rows(&world.ok("DescribeBackups", &of[..1]), "Items", "Backup").len(), 1);
}
