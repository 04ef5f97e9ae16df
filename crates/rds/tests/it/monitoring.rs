//! Figures and logs: what nodes tell is kept for a while and shown.

use rds::monitor;
use rds::node::api::{Figures, LogLine};
use serde_json::Value;

use crate::world::{PG, World, rows};

fn record(world: &World, figures: Figures, lines: Vec<LogLine>) {
    let cloud = world.test.cloud.clone();
    world.block_on(monitor::record(&cloud, PG, figures, lines)).unwrap();
}

fn figures(world: &World, commits: u64) -> Figures {
    Figures {
        at: world.now().micros(),
        commits,
        cpu_us: commits * 10_000,
        data_bytes: 3 << 20,
        log_bytes: 1 << 20,
        sessions: 7,
        active_sessions: 2,
        ..Figures::default()
    }
}

fn line(world: &World, text: &str, millis: u64) -> LogLine {
    LogLine {
        at: world.now().micros(),
        severity: "ERROR".to_owned(),
        database: "toko".to_owned(),
        account: "app".to_owned(),
        client: "10.0.0.7".to_owned(),
        text: text.to_owned(),
        duration_us: millis * 1000,
    }
}

const DAY: [(&str, &str); 2] =
    [("StartTime", "2026-01-02T00:00Z"), ("EndTime", "2026-01-03T00:00Z")];

fn performance(world: &World, key: &str) -> Vec<String> {
    let params = [("DBInstanceId", PG), ("Key", key), DAY[0], DAY[1]];
    let answer = world.ok("DescribeDBInstancePerformance", &params);
    let keys = rows(&answer, "PerformanceKeys", "PerformanceKey");
    let values = rows(&keys[0], "Values", "PerformanceValue");
    values.iter().map(|value| value["Value"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn figures_become_rates_that_a_restart_does_not_turn_negative() {
    let world = World::new();
    for commits in [100, 700, 60] {
        record(&world, figures(&world, commits), Vec::new());
        world.pass(60);
    }
    assert_eq!(
        performance(&world, "PolarDBQPSTPS"),
        ["10.00&10.00&0.00&0.00", "1.00&1.00&0.00&0.00"]
    );
    assert_eq!(performance(&world, "PgSQL_Session"), ["2.00&7.00"; 3]);
    assert_eq!(performance(&world, "PgSQL_SpaceUsage"), ["4.00&3.00&1.00"; 3]);
    assert_eq!(performance(&world, "CpuUsage"), ["5.00", "0.50"], "of two cores");
    let params = [("DBInstanceId", PG), ("Key", "CpuUsage,PgSQL_IOPS"), DAY[0], DAY[1]];
    let answer = world.ok("DescribeDBInstancePerformance", &params);
    let keys = rows(&answer, "PerformanceKeys", "PerformanceKey");
    assert_eq!((keys.len(), &keys[1]["ValueFormat"]), (2, &"iops".into()));
    assert_eq!((&answer["Engine"], &answer["StartTime"]), (&"PostgreSQL".into(), &DAY[0].1.into()));
    for (key, value) in [("Key", "MySQL_IOPS"), ("StartTime", "x"), ("EndTime", "2026-01-01Z")] {
        let mut wrong = params.to_vec();
        wrong.retain(|(name, _)| *name != key);
        wrong.push((key, value));
        let refused = world.refused("DescribeDBInstancePerformance", &wrong);
        assert_eq!(refused, format!("InvalidParameter.{key}"));
    }
    let usage = world.ok("DescribeResourceUsage", &[("DBInstanceId", PG)]);
    assert_eq!((&usage["DiskUsed"], &usage["BackupSize"]), (&(4 << 20).into(), &0.into()));
}

fn list(world: &World, action: &str, item: &str, more: &[(&str, &str)]) -> Vec<Value> {
    let mut params = vec![("DBInstanceId", PG), DAY[0], DAY[1]];
    params.extend(more);
    rows(&world.ok(action, &params), "Items", item)
}

#[test]
fn errors_and_slow_statements_are_kept_once_and_shown_apart() {
    let world = World::new();
    let told = vec![
        line(&world, "relation \"x\" does not exist", 0),
        line(&world, "SELECT * FROM jual WHERE id = 7", 2500),
        line(&world, "SELECT * FROM jual WHERE id = 8", 3500),
        line(&world, "DELETE FROM jual", 900),
    ];
    record(&world, figures(&world, 1), told.clone());
    record(&world, figures(&world, 1), told);
    let errors = list(&world, "DescribeErrorLogs", "ErrorLog", &[]);
    assert_eq!(errors.len(), 1);
    assert_eq!(errors[0]["ErrorInfo"], "ERROR: relation \"x\" does not exist");
    assert_eq!(
        (&errors[0]["UserIp"], &errors[0]["Database"]),
        (&"10.0.0.7".into(), &"toko".into())
    );

    let records = list(&world, "DescribeSlowLogRecords", "SQLSlowRecord", &[]);
    assert_eq!(records.len(), 3);
    assert!(records.iter().any(|it| it["QueryTimeMS"] == 3500 && it["QueryTimes"] == 3));
    let slow = list(&world, "DescribeSlowLogs", "SQLSlowLog", &[]);
    assert_eq!(slow.len(), 2);
    assert_eq!(slow[0]["SQLText"], "SELECT * FROM jual WHERE id = ?");
    assert_eq!(
        (&slow[0]["MySQLTotalExecutionCounts"], &slow[0]["MaxExecutionTimeMS"]),
        (&2.into(), &3500.into())
    );
    let hash = slow[0]["SQLHASH"].as_str().unwrap();
    assert_eq!(
        list(&world, "DescribeSlowLogRecords", "SQLSlowRecord", &[("SQLHASH", hash)]).len(),
        2
    );
    assert_eq!(list(&world, "DescribeSlowLogs", "SQLSlowLog", &[("DBName", "lain")]).len(), 0);
    let page = [("PageSize", "2"), ("PageNumber", "2")];
    assert_eq!(list(&world, "DescribeSlowLogRecords", "SQLSlowRecord", &page).len(), 1);
    let long = [("DBInstanceId", PG), ("StartTime", "2025-01-02T00:00Z"), DAY[1]];
    assert_eq!(world.refused("DescribeErrorLogs", &long), "InvalidParameter.EndTime");
    let sort = [("DBInstanceId", PG), DAY[0], DAY[1], ("SortKey", "Colour")];
    assert_eq!(world.refused("DescribeSlowLogs", &sort), "InvalidParameter.SortKey");
}

fn counted(world: &World, table: &'static str) -> i64 {
    world.write(move |tx| {
        let sql = format!("SELECT CAST(COUNT(*) AS BIGINT) FROM {table}");
        Ok(tx.query_opt(&sql, &[], |row| row.get(0))?.unwrap())
    })
}

#[test]
fn what_was_kept_for_thirty_days_goes_and_all_of_a_gone_instance() {
    let world = World::new();
    record(&world, figures(&world, 1), vec![line(&world, "lama", 0), line(&world, "SELECT 1", 5)]);
    world.pass(31 * 24 * 3600);
    record(&world, figures(&world, 2), vec![line(&world, "baru", 0)]);
    assert_eq!((counted(&world, "rds_figure"), counted(&world, "rds_log")), (1, 1));
    let cloud = world.test.cloud.clone();
    world.block_on(monitor::forget(&cloud, PG)).unwrap();
    assert_eq!((counted(&world, "rds_figure"), counted(&world, "rds_log")), (0, 0));
}
