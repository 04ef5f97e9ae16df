//! The files that a server is configured by, all in the instance's `conf`, which only its user may read:
//!
//! | file | what |
//! |---|---|
//! | `my.cnf` | the server's settings: those of the class, the tenant's over them, the node's over both |
//! | `init.sql` | what the server does at each start: makes its administrator, lets in whom the white lists name; as a
//! |  | standby, follows |
//! | `admin.sql` | the first part of it alone, for work before the server serves |
//! | `admin.cnf` | the administrator's password, for clients |
//! | `reload.sql` | what makes changed settings take effect without a restart |
//! | `server-id` | the number that this member has among those who replicate |

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use base::{Rng, SystemRng};

use super::super::api::{Role, Spec};
use super::super::driver::{Change, Seat};
use super::super::error::{Error, Result};
use super::super::home;
use super::{ADMIN, REPLICATOR, sql, white};
use crate::engines::Build;

/// How many connections the node keeps for itself, besides those of tenants.
const OWN_CONNECTIONS: u64 = 10;

/// How long a standby may be away, or a binary log wait to be archived, seconds.
const BINLOG_SECONDS: u32 = 3 * 24 * 3600;

/// The server's file of settings.
pub fn server_file(seat: &Seat) -> PathBuf {
    seat.dir.conf().join("my.cnf")
}

/// The administrator's file of settings.
pub fn admin_file(seat: &Seat) -> PathBuf {
    seat.dir.conf().join("admin.cnf")
}

/// What makes the administrator at a start.
pub fn admin_sql(seat: &Seat) -> PathBuf {
    seat.dir.conf().join("admin.sql")
}

/// Where slow statements are logged.
pub fn slow_log(seat: &Seat) -> PathBuf {
    seat.dir.logs().join("slow.log")
}

/// Where clients reach the server.
fn socket(seat: &Seat) -> PathBuf {
    seat.dir.run().join("mariadb.sock")
}

/// The directory that a build's own directories are in.
pub fn base(build: &Build) -> PathBuf {
    build.programs.parent().unwrap_or(Path::new("/usr")).to_owned()
}

/// Where a build has its messages and system tables.
pub fn share(build: &Build) -> PathBuf {
    base(build).join("share/mysql")
}

/// What all members of an instance have in common in their GTIDs, and no other instance has (but by a chance of one
/// in four thousand million).
pub fn domain(id: &str) -> u32 {
    let digest = ring::digest::digest(&ring::digest::SHA256, id.as_bytes());
    let first = digest.as_ref().first_chunk::<4>().copied().unwrap_or_default();
    u32::from_be_bytes(first).max(1)
}

/// Writes all configuration.
///
/// # Errors
/// Where a setting holds what no file of settings can, or a file cannot be written.
pub fn write(seat: &Seat, spec: &Spec) -> Result<Change> {
    let conf = seat.dir.conf();
    home::make_dir(&conf.join("tmp"), 0o700, seat.user)?;
    let old = read(&server_file(seat));
    let mut changed = keys(seat)?;
    changed |= put(seat, "certificate.pem", &spec.certificate)?;
    changed |= put(seat, "key.pem", &spec.key)?;
    changed |= put(seat, "init.sql", &init_sql(&read(&admin_sql(seat)), spec))?;
    let settings = settings(seat, spec)?;
    let new = file(seat, spec, &settings)?;
    let before = parsed(&old);
    let reload = reload_sql(&before, &settings, &seat.build) + &white::statements(spec);
    put(seat, "reload.sql", &reload)?;
    put(seat, "my.cnf", &new)?;
    let now = parsed(&new);
    let names = before.keys().chain(now.keys());
    let differing: Vec<&String> =
        names.filter(|name| before.get(*name) != now.get(*name)).collect();
    if differing.iter().any(|name| !dynamic(&seat.build, name)) {
        return Ok(Change::Restart);
    }
    Ok(if changed || !differing.is_empty() { Change::Reload } else { Change::None })
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_default()
}

/// Writes a file of `conf`; true where it is another than before.
fn put(seat: &Seat, name: &str, content: &str) -> Result<bool> {
    let path = seat.dir.conf().join(name);
    if fs::read(&path).is_ok_and(|old| old == content.as_bytes()) {
        return Ok(false);
    }
    home::replace(&path, content.as_bytes(), 0o600, seat.user)?;
    Ok(true)
}

/// Makes what is made once: the administrator's password and this member's number.
fn keys(seat: &Seat) -> Result<bool> {
    let rng: &dyn Rng = &SystemRng;
    let mut made = false;
    if !admin_file(seat).is_file() || !admin_sql(seat).is_file() {
        let password = rng.alphanumeric(40);
        let user = format!(
            "SET SESSION sql_log_bin=0;\nCREATE OR REPLACE USER '{ADMIN}'@'localhost' IDENTIFIED BY '{password}';\n\
             GRANT ALL PRIVILEGES ON *.* TO '{ADMIN}'@'localhost' WITH GRANT OPTION;\n"
        );
        made |= put(seat, "admin.sql", &user)?;
        let file = format!(
            "[client]\nuser={ADMIN}\npassword={password}\nsocket={}\nprotocol=socket\ndefault-character-set=utf8mb4\n",
            socket(seat).display()
        );
        made |= put(seat, "admin.cnf", &file)?;
    }
    if !seat.dir.conf().join("server-id").is_file() {
        let number = u32::from_be_bytes(rng.bytes::<4>()).max(1);
        made |= put(seat, "server-id", &number.to_string())?;
    }
    Ok(made)
}

/// What the server does at each start, one statement a line.
fn init_sql(admin: &str, spec: &Spec) -> String {
    let mut statements = admin.to_owned();
    statements.push_str(&white::statements(spec));
    if let Role::Standby { upstream, .. } = &spec.role {
        // A primary that becomes a standby goes on from what it has written itself; whether that is a part of the
        // upstream's history, the upstream says.
        let _ = writeln!(
            statements,
            "CHANGE MASTER TO MASTER_HOST={}, MASTER_PORT={}, MASTER_USER='{REPLICATOR}', MASTER_PASSWORD={}, \
             MASTER_CONNECT_RETRY=1, MASTER_SSL=1, MASTER_SSL_VERIFY_SERVER_CERT=0, MASTER_USE_GTID=slave_pos, \
             MASTER_DEMOTE_TO_SLAVE=1;\nSTART SLAVE;",
            sql::literal(&upstream.host),
            upstream.port,
            sql::literal(&spec.replicator)
        );
    }
    statements
}

/// Settings that follow from the class, and the tenant's over them; in the form that the server shows.
fn settings(seat: &Seat, spec: &Spec) -> Result<BTreeMap<String, String>> {
    const MIB: u64 = 1 << 20;
    let pool = (spec.limits.memory_mib / 2).max(16) * MIB;
    let log = (pool / 4).clamp(32 * MIB, 1024 * MIB);
    let connections = u64::from(spec.limits.connections) + OWN_CONNECTIONS;
    let mut all: BTreeMap<String, String> = [
        ("innodb_buffer_pool_size", pool.to_string()),
        ("innodb_log_file_size", log.to_string()),
        ("max_connections", connections.to_string()),
        ("character_set_server", "utf8mb4".to_owned()),
        ("key_buffer_size", (8 * MIB).to_string()),
        ("aria_pagecache_buffer_size", (16 * MIB).to_string()),
        ("performance_schema", "OFF".to_owned()),
        ("long_query_time", "1".to_owned()),
        ("default_time_zone", zone(&spec.time_zone).to_owned()),
    ]
    .into_iter()
    .map(|(name, value)| (name.to_owned(), value))
    .collect();
    for (name, given) in &spec.parameters {
        let tenants = seat.build.settings.iter().any(|it| it.tenant && it.name == *name);
        if !tenants || given.contains(['\n', '\r', '\0', '#', '"', '\'', '\\']) {
            return Err(Error::Conflict(format!("{name} cannot be set to that")));
        }
        all.insert(name.clone(), plain(given));
    }
    Ok(all)
}

/// A time zone as the server takes it: its tables of names are empty.
fn zone(name: &str) -> &str {
    if ["", "UTC"].contains(&name) { "+00:00" } else { name }
}

/// A size without its suffix: `SET` takes only bare numbers.
fn plain(value: &str) -> String {
    let value = value.trim();
    let factor = match value.chars().last() {
        Some('k' | 'K') => 1_u64 << 10,
        Some('m' | 'M') => 1 << 20,
        Some('g' | 'G') => 1 << 30,
        _ => return value.to_owned(),
    };
    let number = value[..value.len() - 1].parse::<u64>().ok();
    number
        .and_then(|number| number.checked_mul(factor))
        .map_or(value.to_owned(), |it| it.to_string())
}

/// `my.cnf`. What comes last holds.
fn file(seat: &Seat, spec: &Spec, settings: &BTreeMap<String, String>) -> Result<String> {
    let mut lines = String::from("[mariadbd]\n");
    for (name, value) in settings.iter().chain(&own(seat, spec)?) {
        let _ = writeln!(lines, "{name}={value}");
    }
    Ok(lines)
}

/// What the node decides.
fn own(seat: &Seat, spec: &Spec) -> Result<BTreeMap<String, String>> {
    let conf = seat.dir.conf();
    let shown = |path: PathBuf| path.display().to_string();
    let listen: Vec<String> = seat.listen.iter().map(ToString::to_string).collect();
    let read_only = if spec.role == Role::Primary { "OFF" } else { "ON" };
    let own = [
        ("basedir", shown(base(&seat.build))),
        ("bind_address", listen.join(",")),
        ("binlog_expire_logs_seconds", BINLOG_SECONDS.to_string()),
        ("binlog_format", "ROW".to_owned()),
        ("datadir", shown(seat.dir.data())),
        ("gtid_domain_id", domain(&spec.id).to_string()),
        ("gtid_strict_mode", "ON".to_owned()),
        // Runs for everybody but the node's own users, and ends the session where it fails. `init.sql` opens.
        ("init_connect", format!("\"{}\"", white::NOBODY)),
        ("init_file", shown(conf.join("init.sql"))),
        ("innodb_flush_log_at_trx_commit", "1".to_owned()),
        ("lc_messages_dir", shown(share(&seat.build))),
        ("local_infile", "OFF".to_owned()),
        ("log_bin", "binlog".to_owned()),
        ("log_slave_updates", "ON".to_owned()),
        ("max_binlog_size", (64_u32 << 20).to_string()),
        ("pid_file", shown(seat.dir.run().join("mariadb.pid"))),
        ("port", seat.port.to_string()),
        ("read_only", read_only.to_owned()),
        ("relay_log", "relay".to_owned()),
        ("relay_log_recovery", "ON".to_owned()),
        ("require_secure_transport", "ON".to_owned()),
        // Empty: a directory where nothing is.
        ("secure_file_priv", shown(conf.join("tmp"))),
        ("server_id", read(&conf.join("server-id"))),
        // A client from 127.0.0.1 must not count as `localhost`, which is the administrator's.
        ("skip_name_resolve", "ON".to_owned()),
        ("skip_slave_start", "ON".to_owned()),
        ("slow_query_log", "ON".to_owned()),
        ("slow_query_log_file", shown(slow_log(seat))),
        ("socket", shown(socket(seat))),
        ("ssl_cert", shown(conf.join("certificate.pem"))),
        ("ssl_key", shown(conf.join("key.pem"))),
        ("symbolic_links", "OFF".to_owned()),
        ("sync_binlog", "1".to_owned()),
        ("tls_version", "TLSv1.2,TLSv1.3".to_owned()),
        ("tmpdir", shown(conf.join("tmp"))),
    ];
    Ok(own.into_iter().map(|(name, value)| (name.to_owned(), value)).collect())
}

/// The settings in a `my.cnf` of ours.
fn parsed(file: &str) -> BTreeMap<String, String> {
    let pairs = file.lines().filter_map(|line| line.split_once('='));
    pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
}

/// Whether a setting takes effect without a restart.
fn dynamic(build: &Build, name: &str) -> bool {
    const OWN: &[&str] = &[
        "default_time_zone",
        "innodb_buffer_pool_size",
        "key_buffer_size",
        "max_connections",
        "read_only",
    ];
    OWN.contains(&name)
        || build.settings.iter().any(|it| it.name == name && it.tenant && !it.restart)
}

/// Statements that make the dynamic settings what they are to be now; those that are no longer set get their default.
/// Whether the server takes writes is not among them: promoting is.
fn reload_sql(
    before: &BTreeMap<String, String>,
    now: &BTreeMap<String, String>,
    build: &Build,
) -> String {
    let mut statements = String::from("FLUSH SSL;\n");
    let tenants = |name: &String| build.settings.iter().any(|it| it.tenant && it.name == *name);
    for name in before.keys().filter(|name| !now.contains_key(*name) && tenants(name)) {
        if dynamic(build, name) {
            let _ = writeln!(statements, "SET GLOBAL {name}=DEFAULT;");
        }
    }
    for (name, value) in now.iter().filter(|(name, _)| dynamic(build, name)) {
        let number = value.parse::<f64>().is_ok();
        let value = if number { value.clone() } else { sql::literal(value) };
        // The one option whose variable has another name.
        let name = if name == "default_time_zone" { "time_zone" } else { name };
        let _ = writeln!(statements, "SET GLOBAL {name}={value};");
    }
    statements
}

/// Makes written configuration take effect.
pub async fn reload(seat: &Seat) -> Result<()> {
    sql::run(seat, &read(&seat.dir.conf().join("reload.sql"))).await
}

/// Settings in the file that take a restart and are not what the server has.
pub async fn pending(seat: &Seat) -> Result<Vec<String>> {
    let written = parsed(&read(&server_file(seat)));
    let waits = |name: &String| {
        let tenants =
            seat.build.settings.iter().any(|it| it.name == *name && it.tenant && it.restart);
        tenants || name == "innodb_log_file_size"
    };
    let mut pending = Vec::new();
    let shown = sql::ask(seat, "SHOW GLOBAL VARIABLES").await?;
    for row in shown {
        let [Some(name), Some(value)] = ["Variable_name", "Value"].map(|column| row.get(column))
        else {
            continue;
        };
        if let Some(wanted) = written.get(name).filter(|_| waits(name))
            && !same(wanted, value)
        {
            pending.push(name.clone());
        }
    }
    Ok(pending)
}

/// Whether two ways of writing a value mean the same.
fn same(one: &str, other: &str) -> bool {
    let word = |value: &str| match value.to_ascii_uppercase().as_str() {
        "1" | "TRUE" | "ON" => "ON".to_owned(),
        "0" | "FALSE" | "OFF" => "OFF".to_owned(),
        other => other.to_owned(),
    };
    word(one) == word(other)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_lose_their_suffix_and_words_stay() {
        for (given, meant) in [
            ("512M", "536870912"),
            ("1k", "1024"),
            ("ON", "ON"),
            ("READ-COMMITTED", "READ-COMMITTED"),
            ("-1", "-1"),
        ] {
            assert_eq!(plain(given), meant);
        }
        assert_eq!(plain("99999999999999999999G"), "99999999999999999999G", "never another number");
    }

    #[test]
    fn members_of_an_instance_share_a_domain_and_others_have_another() {
        assert_eq!(domain("rm-1"), domain("rm-1"));
        assert_ne!(domain("rm-1"), domain("rm-2"));
    }

    #[test]
    fn a_setting_that_is_no_longer_set_gets_its_default() {
        let setting = |name: &str, restart| crate::engines::Setting {
            name: name.to_owned(),
            tenant: true,
            restart,
            ..Default::default()
        };
        let build = Build {
            engine: crate::model::Engine::MariaDb,
            major: "10.11".to_owned(),
            version: "10.11.1".to_owned(),
            programs: PathBuf::from("/usr/bin"),
            libraries: None,
            sha256: String::new(),
            extensions: Vec::new(),
            offers: Vec::new(),
            settings: vec![
                setting("wait_timeout", false),
                setting("sql_mode", false),
                setting("back_log", true),
            ],
        };
        let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        let before = BTreeMap::from([
            pair("wait_timeout", "5"),
            pair("datadir", "/x"),
            pair("back_log", "9"),
        ]);
        let now = BTreeMap::from([pair("sql_mode", "ANSI"), pair("back_log", "10")]);
        let statements = reload_sql(&before, &now, &build);
        assert_eq!(
            statements,
            "FLUSH SSL;\nSET GLOBAL wait_timeout=DEFAULT;\nSET GLOBAL sql_mode='ANSI';\n"
        );
    }
}
