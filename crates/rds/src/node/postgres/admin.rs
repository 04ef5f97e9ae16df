//! What the administrator asks a running server, through its unix socket.

use std::time::Duration;

use tokio_postgres::{Client, Config, NoTls};

use super::super::api::{Figures, Observed};
use super::super::driver::Seat;
use super::super::error::{Error, Result};
use super::{ADMIN, OWNER, TOOL, number};

/// How long a statement may wait for another's lock.
const LOCK: &str = "5s";

/// Costs are a tenant's to set, also to where the planner finds no plan at all.
const PLANNER: &str = "-c geqo=off -c jit=off -c cpu_tuple_cost=0.01 -c cpu_index_tuple_cost=0.005 \
    -c cpu_operator_cost=0.0025 -c seq_page_cost=1 -c random_page_cost=1.1 -c work_mem=4MB \
    -c max_parallel_workers_per_gather=0 -c client_min_messages=notice";

/// Connects as the administrator. What he does waits for no standby, calls no function that a tenant made, is in no
/// log and no statistics (it may hold verifiers), and is neither ended by the time limits nor planned by the costs that
/// a tenant sets.
pub async fn connect(seat: &Seat, database: &str) -> Result<Client> {
    let limit = if number(&seat.build.major) >= 17 { " -c transaction_timeout=0" } else { "" };
    let mut config = Config::new();
    config
        .host_path(seat.dir.run())
        .port(seat.port)
        .user(ADMIN)
        .dbname(database)
        .application_name("awan")
        .connect_timeout(Duration::from_secs(5))
        .options(format!(
            "-c search_path=pg_catalog -c synchronous_commit=local -c lock_timeout={LOCK} \
             -c log_statement=none -c log_min_duration_statement=-1 -c log_min_error_statement=panic \
             -c pg_stat_statements.track=none -c default_transaction_read_only=off \
             -c statement_timeout=0 -c idle_session_timeout=0 -c idle_in_transaction_session_timeout=0 \
             -c default_transaction_isolation=read\\ committed{limit} {PLANNER}"
        ));
    let (client, connection) = config.connect(NoTls).await?;
    tokio::spawn(connection);
    Ok(client)
}

/// A name as SQL writes it.
pub fn ident(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// A text as SQL writes it, whatever `standard_conforming_strings` says.
pub fn literal(text: &str) -> String {
    let quoted = text.replace('\'', "''");
    if quoted.contains('\\') {
        format!("E'{}'", quoted.replace('\\', "\\\\"))
    } else {
        format!("'{quoted}'")
    }
}

/// A database's name as programs take it: not as a connection string, whatever it looks like.
pub fn database(name: &str) -> String {
    format!("dbname='{}'", name.replace('\\', "\\\\").replace('\'', "\\'"))
}

/// `schema.table` as a pattern that matches that table only.
pub fn pattern(table: &str) -> String {
    match table.split_once('.') {
        Some((schema, table)) => format!("{}.{}", ident(schema), ident(table)),
        None => ident(table),
    }
}

/// Makes the server read its configuration, and answers once new connections are judged by it.
pub async fn reload(seat: &Seat) -> Result<()> {
    let client = connect(seat, "postgres").await?;
    let loaded = "SELECT extract(epoch FROM pg_conf_load_time())::float8";
    let before: f64 = client.query_one(loaded, &[]).await?.get(0);
    client.batch_execute("SELECT pg_reload_conf()").await?;
    for _ in 0..200 {
        let now: f64 = connect(seat, "postgres").await?.query_one(loaded, &[]).await?.get(0);
        if now > before {
            let row = client.query_one(
                "SELECT coalesce((SELECT error FROM pg_hba_file_rules WHERE error IS NOT NULL LIMIT 1), '')",
                &[],
            );
            let error: String = row.await?.get(0);
            return match error.as_str() {
                "" => Ok(()),
                error => Err(Error::Failed(format!("the rules for connections: {error}"))),
            };
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    Err(Error::Later("the server has not read its configuration yet".to_owned()))
}

/// Ends sessions that came over the network and that the rules, as they are now, would refuse. The rules are those
/// that the server itself has parsed. What cannot be judged here (host names, `samenet`) stays.
pub async fn end_sessions_without_a_rule(seat: &Seat) -> Result<()> {
    connect(seat, "postgres").await?.batch_execute(SESSIONS_WITHOUT_A_RULE).await?;
    Ok(())
}

const SESSIONS_WITHOUT_A_RULE: &str = "
SELECT pg_terminate_backend(a.pid)
FROM pg_stat_activity a LEFT JOIN pg_stat_ssl s ON s.pid = a.pid
WHERE a.client_addr IS NOT NULL AND a.backend_type IN ('client backend', 'walsender')
  AND coalesce((
    SELECT r.auth_method = 'reject' FROM pg_hba_file_rules r
    WHERE r.error IS NULL
      AND (r.type = 'host' OR r.type = 'hostssl' AND s.ssl OR r.type = 'hostnossl' AND NOT s.ssl)
      AND CASE WHEN a.datname IS NULL THEN 'replication' = ANY (r.database)
               ELSE 'all' = ANY (r.database) OR a.datname = ANY (r.database)
                    OR 'sameuser' = ANY (r.database) AND a.datname = a.usename
                    OR 'samerole' = ANY (r.database) OR EXISTS (
                        SELECT 1 FROM unnest(r.database) d WHERE d LIKE '/%' AND a.datname ~ substr(d, 2)) END
      AND ('all' = ANY (r.user_name) OR a.usename = ANY (r.user_name) OR EXISTS (
            SELECT 1 FROM unnest(r.user_name) u JOIN pg_roles g ON g.rolname = substr(u, 2)
            WHERE u LIKE '+%' AND pg_has_role(a.usesysid, g.oid, 'member'))
          OR EXISTS (SELECT 1 FROM unnest(r.user_name) u WHERE u LIKE '/%' AND a.usename ~ substr(u, 2)))
      AND CASE WHEN r.netmask IS NULL THEN true
               WHEN family(r.address::inet) <> family(a.client_addr) THEN false
               ELSE (a.client_addr & r.netmask::inet) = (r.address::inet & r.netmask::inet) END
    ORDER BY r.line_number LIMIT 1), true)";

/// Ends the sessions of a role.
pub async fn end_sessions_of(client: &Client, role: &str) -> Result<()> {
    let sql = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = $1::text";
    client.query(sql, &[&role]).await?;
    Ok(())
}

/// What the server says of itself.
pub async fn observe(seat: &Seat, observed: &mut Observed) -> Result<()> {
    let client = connect(seat, "postgres").await?;
    let row = client
        .query_one(
            "SELECT r.standby,
                (SELECT system_identifier FROM pg_control_system()),
                CASE WHEN r.standby THEN coalesce((SELECT received_tli FROM pg_stat_wal_receiver),
                    (SELECT timeline_id FROM pg_control_checkpoint()))
                ELSE ('x' || substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8))::bit(32)::int END,
                (CASE WHEN r.standby
                    THEN greatest(pg_last_wal_receive_lsn(), pg_last_wal_replay_lsn())
                    ELSE pg_current_wal_flush_lsn() END - '0/0')::int8,
                coalesce((pg_last_wal_replay_lsn() - '0/0')::int8, 0),
                CASE WHEN NOT r.standby OR pg_last_wal_receive_lsn() = pg_last_wal_replay_lsn() THEN 0
                    ELSE coalesce(extract(epoch FROM now() - pg_last_xact_replay_timestamp()), 0) END::float8,
                coalesce((SELECT array_agg(s.name ORDER BY s.name) FROM pg_settings s
                    WHERE s.pending_restart OR lower(s.name) IN (
                        SELECT lower(f.name) FROM pg_file_settings f WHERE f.error IS NOT NULL)), '{}')
             FROM (SELECT pg_is_in_recovery() AS standby) r",
            &[],
        )
        .await?;
    observed.writable = !row.get::<_, bool>(0);
    observed.system_identifier = row.get::<_, i64>(1).cast_unsigned();
    observed.timeline = row.get::<_, i32>(2).cast_unsigned();
    observed.lsn = row.get::<_, Option<i64>>(3).unwrap_or_default().cast_unsigned();
    observed.replayed = row.get::<_, i64>(4).cast_unsigned();
    observed.lag_seconds = row.get(5);
    observed.pending_restart = row.get(6);
    Ok(())
}

/// Counters.
pub async fn figures(seat: &Seat, figures: &mut Figures) -> Result<()> {
    let client = connect(seat, "postgres").await?;
    let row = client
        .query_one(
            "SELECT coalesce(sum(xact_commit), 0)::int8, coalesce(sum(xact_rollback), 0)::int8,
                coalesce(sum(tup_returned), 0)::int8,
                coalesce(sum(tup_inserted + tup_updated + tup_deleted), 0)::int8,
                coalesce(sum(blks_hit), 0)::int8, coalesce(sum(blks_read), 0)::int8,
                coalesce(sum(deadlocks), 0)::int8, coalesce(sum(temp_bytes), 0)::int8,
                (SELECT count(*) FROM pg_stat_activity WHERE client_addr IS NOT NULL),
                (SELECT count(*) FROM pg_stat_activity WHERE client_addr IS NOT NULL AND state = 'active')
             FROM pg_stat_database",
            &[],
        )
        .await?;
    let number = |at: usize| row.get::<_, i64>(at).cast_unsigned();
    figures.commits = number(0);
    figures.rollbacks = number(1);
    figures.rows_read = number(2);
    figures.rows_written = number(3);
    figures.blocks_hit = number(4);
    figures.blocks_read = number(5);
    figures.deadlocks = number(6);
    figures.temp_bytes = number(7);
    figures.sessions = number(8);
    figures.active_sessions = number(9);
    let sizes = "SELECT datname::text, pg_database_size(oid) FROM pg_database WHERE datallowconn";
    for row in client.query(sizes, &[]).await? {
        figures.databases.insert(row.get(0), row.get::<_, i64>(1).cast_unsigned());
    }
    Ok(())
}

/// Makes [`OWNER`] a member of the owner of a database, and answers that owner's name.
pub async fn lend_owner(seat: &Seat, database: &str) -> Result<String> {
    let client = connect(seat, "postgres").await?;
    let sql = "SELECT pg_get_userbyid(datdba)::text FROM pg_database WHERE datname = $1::text";
    let row = tokio::time::timeout(TOOL, client.query_opt(sql, &[&database])).await;
    let row = row.map_err(|_| Error::Later("the server does not answer".to_owned()))??;
    let row = row.ok_or_else(|| Error::Unknown(format!("no database {database:?}")))?;
    let owner: String = row.get(0);
    if owner == ADMIN {
        return Err(Error::Conflict(format!("{database:?} is not a tenant's")));
    }
    if owner != OWNER {
        client.batch_execute(&format!("GRANT {} TO {OWNER}", ident(&owner))).await?;
    }
    Ok(owner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_texts_cannot_end_their_quotes() {
        assert_eq!(ident("a\"b"), "\"a\"\"b\"");
        assert_eq!(literal("it's"), "'it''s'");
        assert_eq!(literal("a\\'b"), "E'a\\\\''b'");
        assert_eq!(database("a b='c' host=evil"), "dbname='a b=\\'c\\' host=evil'");
        assert_eq!(pattern("s.T\"x"), "\"s\".\"T\"\"x\"");
    }
}
