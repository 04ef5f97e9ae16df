//! Counters of a running server.

use std::fs;

use super::super::api::Figures;
use super::super::driver::Seat;
use super::super::error::Result;
use super::super::home;
use super::{blocking, sql};

/// See [`super::super::driver::Driver::figures`].
pub async fn take(seat: &Seat, figures: &mut Figures) -> Result<()> {
    let shown = sql::ask(seat, "SHOW GLOBAL STATUS").await?;
    let count = |name: &str| -> u64 {
        let row = shown.iter().find(|row| row.get("Variable_name").is_some_and(|it| it == name));
        row.and_then(|row| row.get("Value")?.parse().ok()).unwrap_or_default()
    };
    let sessions = "SELECT COUNT(*) AS n, COALESCE(SUM(COMMAND <> 'Sleep'), 0) AS active FROM \
        information_schema.PROCESSLIST WHERE USER NOT LIKE 'awan\\_%' AND USER NOT IN ('system user', \
        'event_scheduler')";
    let row = sql::ask(seat, sessions).await?.into_iter().next().unwrap_or_default();
    let number = |name: &str| row.get(name).and_then(|text| text.parse().ok()).unwrap_or_default();
    figures.sessions = number("n");
    figures.active_sessions = number("active");
    figures.commits = count("Handler_commit");
    figures.rollbacks = count("Handler_rollback");
    figures.rows_read = count("Rows_sent");
    figures.rows_written =
        count("Handler_write") + count("Handler_update") + count("Handler_delete");
    figures.blocks_read = count("Innodb_buffer_pool_reads");
    figures.blocks_hit =
        count("Innodb_buffer_pool_read_requests").saturating_sub(figures.blocks_read);
    figures.deadlocks = count("Innodb_deadlocks");
    let sizes = "SELECT TABLE_SCHEMA AS name, SUM(DATA_LENGTH + INDEX_LENGTH) AS bytes FROM \
        information_schema.TABLES WHERE TABLE_SCHEMA NOT IN ('mysql', 'sys', 'information_schema', \
        'performance_schema') GROUP BY TABLE_SCHEMA";
    for row in sql::ask(seat, sizes).await? {
        if let Some(name) = row.get("name") {
            let bytes = row.get("bytes").and_then(|text| text.parse().ok()).unwrap_or_default();
            figures.databases.insert(name.clone(), bytes);
        }
    }
    let data = seat.dir.data();
    let (all, log) = blocking(move || {
        let entries = fs::read_dir(&data)?.flatten();
        let logs = entries.filter(|entry| {
            let name = entry.file_name();
            let name = name.to_string_lossy();
            ["binlog.", "relay.", "ib_logfile"].iter().any(|begin| name.starts_with(begin))
        });
        Ok((home::size(&data), logs.map(|entry| home::size(&entry.path())).sum::<u64>()))
    })
    .await?;
    figures.log_bytes = log;
    figures.data_bytes = all.saturating_sub(log);
    Ok(())
}
