//! The files that PostgreSQL reads: settings, who may connect, certificate. They lie outside of the data directory,
//! so that no backup carries them.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::net::IpAddr;
use std::path::Path;

use super::super::api::{Role, Spec, Upstream};
use super::super::driver::{Change, Seat};
use super::super::error::{Error, Result};
use super::super::home;
use super::{ADMIN, OWNER, REPLICATOR, number};
use crate::deployment::NEAR;
use crate::gateway::doubts::ASKS_AS;

/// Settings that are the node's alone: of files, paths, replication and who may connect.
const OWNED: &[&str] = &[
    "allow_alter_system",
    "cluster_name",
    "config_file",
    "data_directory",
    "dynamic_library_path",
    "event_source",
    "external_pid_file",
    "fsync",
    "full_page_writes",
    "hba_file",
    "hot_standby",
    "ident_file",
    "include",
    "include_dir",
    "include_if_exists",
    "krb_server_keyfile",
    "listen_addresses",
    "local_preload_libraries",
    "log_destination",
    "log_directory",
    "log_file_mode",
    "log_filename",
    "log_timezone",
    "logging_collector",
    "max_connections",
    "password_encryption",
    "port",
    "primary_conninfo",
    "primary_slot_name",
    "session_preload_libraries",
    "shared_preload_libraries",
    "superuser_reserved_connections",
    "synchronous_standby_names",
    "syslog_facility",
    "unix_socket_directories",
    "unix_socket_group",
    "unix_socket_permissions",
    "wal_log_hints",
    "wal_retrieve_retry_interval",
];
/// Likewise, by the beginning of their names.
const OWNED_PREFIXES: &[&str] = &[
    "archive_",
    "recovery_",
    "restore_command",
    "ssl",
    "log_rotation",
    "log_truncate",
    "zero_damaged",
];

/// What our programs call themselves at an upstream.
const COPIES: &str = "awan_copies";
/// The file of the authority's certificate.
const AUTHORITY: &str = "authority.crt";
/// The machine itself, which a server's own tools come from.
const LOOPBACK: [&str; 2] = ["127.0.0.0/8", "::1/128"];

/// Connections beside those of tenants: ours, and whoever still ends.
const RESERVE: u32 = 8;

/// Writes everything; says what that takes.
///
/// # Errors
/// Where a file cannot be written, or `spec` has something that is no setting.
pub fn write(seat: &Seat, spec: &Spec) -> Result<Change> {
    let conf = seat.dir.conf();
    let files = [
        ("postgresql.conf", settings(seat, spec)?),
        ("pg_hba.conf", hba(spec)?),
        ("pg_ident.conf", ident()),
        ("server.crt", spec.certificate.clone()),
        ("server.key", spec.key.clone()),
        (AUTHORITY, seat.authority.to_string()),
        ("pgpass", format!("*:*:*:{REPLICATOR}:{}\n", escaped(&spec.replicator))),
    ];
    let mut change = Change::None;
    for (name, text) in files {
        let path = conf.join(name);
        if std::fs::read(&path).is_ok_and(|now| now == text.as_bytes()) {
            continue;
        }
        home::replace(&path, text.as_bytes(), 0o600, seat.user)?;
        change = Change::Reload;
    }
    Ok(change)
}

/// In a file of passwords, colons and backslashes are escaped.
fn escaped(password: &str) -> String {
    password.replace('\\', "\\\\").replace(':', "\\:")
}

fn settings(seat: &Seat, spec: &Spec) -> Result<String> {
    let mut all = from_limits(spec);
    for (name, value) in &spec.parameters {
        let name = name.to_ascii_lowercase();
        let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_' || c == '.';
        let owned = OWNED.contains(&name.as_str())
            || OWNED_PREFIXES.iter().any(|prefix| name.starts_with(prefix));
        if name.is_empty() || !name.chars().all(plain) || value.contains(['\n', '\r', '\0']) {
            return Err(Error::Failed(format!("{name:?} is no setting")));
        }
        if !owned {
            all.insert(name, value.clone());
        }
    }
    all.extend(owned(seat, spec));
    let mut text = String::from("# Written by the node; changes are lost.\n");
    for (name, value) in all {
        let _ = writeln!(text, "{name} = {}", quoted(&value));
    }
    Ok(text)
}

/// A text as a value of a setting.
pub fn quoted(value: &str) -> String {
    format!("'{}'", value.replace('\\', "\\\\").replace('\'', "''"))
}

/// What follows from what the instance may use. Tenants may change these.
fn from_limits(spec: &Spec) -> BTreeMap<String, String> {
    let memory = spec.limits.memory_mib.max(128);
    let disk = spec.limits.storage_gib.max(1) * 1024;
    let wal = (disk / 25).clamp(5 * 1024, 256 * 1024).min(disk / 4).max(96);
    let major = number(&spec.major);
    let zone = if spec.time_zone.is_empty() { "UTC" } else { &spec.time_zone };
    let settings = [
        ("shared_buffers", format!("{}MB", memory / 4)),
        ("effective_cache_size", format!("{}MB", memory * 3 / 4)),
        ("work_mem", format!("{}MB", (memory / 1024 / 8).max(1))),
        ("maintenance_work_mem", format!("{}MB", (memory / 16).max(8))),
        ("max_wal_size", format!("{wal}MB")),
        ("min_wal_size", format!("{}MB", (wal / 4).clamp(80, 1024).min(wal))),
        ("wal_keep_size", format!("{}MB", (disk / 20).min(512))),
        ("max_slot_wal_keep_size", format!("{}MB", (disk / 5).max(256))),
        ("max_parallel_workers", (spec.limits.cpu_milli / 1000).clamp(1, 64).to_string()),
        ("random_page_cost", "1.1".to_owned()),
        ("effective_io_concurrency", "200".to_owned()),
        ("checkpoint_completion_target", "0.9".to_owned()),
        ("default_toast_compression", "lz4".to_owned()),
        ("wal_level", "replica".to_owned()),
        ("wal_compression", if major >= 15 { "lz4" } else { "on" }.to_owned()),
        ("max_wal_senders", "20".to_owned()),
        ("max_replication_slots", "20".to_owned()),
        ("log_min_duration_statement", "1000".to_owned()),
        ("log_checkpoints", "off".to_owned()),
        ("log_lock_waits", "on".to_owned()),
        ("idle_in_transaction_session_timeout", "1h".to_owned()),
        ("track_io_timing", "on".to_owned()),
        ("timezone", zone.to_owned()),
    ];
    settings.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}

/// What is the node's own.
fn owned(seat: &Seat, spec: &Spec) -> BTreeMap<String, String> {
    let path = |path: &Path| path.display().to_string();
    let conf = seat.dir.conf();
    let addresses: Vec<String> = seat.listen.iter().map(ToString::to_string).collect();
    let major = number(&spec.major);
    let mut all: BTreeMap<String, String> = [
        ("data_directory", path(&seat.dir.data())),
        ("hba_file", path(&conf.join("pg_hba.conf"))),
        ("ident_file", path(&conf.join("pg_ident.conf"))),
        ("listen_addresses", addresses.join(",")),
        ("port", seat.port.to_string()),
        ("unix_socket_directories", path(seat.dir.run())),
        ("unix_socket_permissions", "0700".to_owned()),
        ("cluster_name", spec.id.clone()),
        ("max_connections", (spec.limits.connections + RESERVE).to_string()),
        ("superuser_reserved_connections", RESERVE.to_string()),
        ("password_encryption", "scram-sha-256".to_owned()),
        ("ssl", "on".to_owned()),
        ("ssl_cert_file", path(&conf.join("server.crt"))),
        ("ssl_key_file", path(&conf.join("server.key"))),
        ("hot_standby", "on".to_owned()),
        ("wal_log_hints", "on".to_owned()),
        // A standby whose primary was away for a moment is back soon: commits wait for it, or are in one place only.
        ("wal_retrieve_retry_interval", "200ms".to_owned()),
        ("archive_mode", "off".to_owned()),
        ("recovery_init_sync_method", "syncfs".to_owned()),
        ("synchronous_standby_names", spec.synchronous.clone()),
        ("logging_collector", "on".to_owned()),
        ("log_destination", "csvlog".to_owned()),
        ("log_directory", path(&seat.dir.logs())),
        // A ring of a week: each hour of it overwrites its own file.
        ("log_filename", "postgresql-%a-%H.log".to_owned()),
        ("log_truncate_on_rotation", "on".to_owned()),
        ("log_rotation_age", "60".to_owned()),
        ("log_rotation_size", "0".to_owned()),
        ("log_file_mode", "0600".to_owned()),
        ("log_timezone", "UTC".to_owned()),
    ]
    .into_iter()
    .map(|(name, value)| (name.to_owned(), value))
    .collect();
    if major >= 17 {
        all.insert("allow_alter_system".to_owned(), "off".to_owned());
    }
    if seat.build.extensions.iter().any(|name| name == "pg_stat_statements") {
        all.insert("shared_preload_libraries".to_owned(), "pg_stat_statements".to_owned());
    }
    if let Role::Standby { upstream, .. } = &spec.role {
        all.insert("primary_conninfo".to_owned(), conninfo(seat, upstream));
        all.insert("primary_slot_name".to_owned(), upstream.slot.clone());
    }
    all
}

/// How to reach an upstream as the replicator. The password is in a file. That it is the right server is known from the
/// name in its certificate; where there is none to compare, from its knowing that password, bound to the certificate.
pub fn conninfo(seat: &Seat, upstream: &Upstream) -> String {
    let quoted = |text: &str| format!("'{}'", text.replace('\\', "\\\\").replace('\'', "\\'"));
    let file = |name: &str| quoted(&seat.dir.conf().join(name).display().to_string());
    let place = if upstream.name.is_empty() || seat.authority.is_empty() {
        format!("host={} sslmode=require", quoted(&upstream.host))
    } else {
        format!(
            "host={} hostaddr={} sslmode=verify-full sslrootcert={}",
            quoted(&upstream.name),
            quoted(&upstream.host),
            file(AUTHORITY)
        )
    };
    format!(
        "{place} port={} user={REPLICATOR} dbname=postgres application_name={} \
         channel_binding=require connect_timeout=10 passfile={}",
        upstream.port,
        quoted(&upstream.slot),
        file("pgpass"),
    )
}

/// How our programs reach an upstream: under a name that no commit waits for. The one of the slot is that of the server,
/// whose copy is on its disk; what a program has is not yet.
pub fn tool_conninfo(seat: &Seat, upstream: &Upstream) -> String {
    conninfo(seat, &Upstream { slot: COPIES.to_owned(), ..upstream.clone() })
}

/// Who may connect: first match wins. The administrator comes through the unix socket only, as the user that we are; the
/// replicator from the machines of the cloud.
fn hba(spec: &Spec) -> Result<String> {
    let mut text = hba_of_node();
    text.push_str(&hba_of_replicator(&spec.peers));
    let _ = write!(
        text,
        "host all {ADMIN},{OWNER},{REPLICATOR} all reject\n\
         host replication all all reject\n"
    );
    let serves = !matches!(spec.role, Role::Standby { readable: false, .. });
    if serves {
        // Whether the server serves: no role has that name, so that nobody comes further than being asked a password.
        for from in std::iter::once(&IpAddr::V4(NEAR)).chain(&spec.peers).map(host) {
            let _ = writeln!(text, "host postgres {ASKS_AS} {from} scram-sha-256");
        }
        let _ = writeln!(text, "host all {ASKS_AS} all reject");
    }
    for line in spec.hba.iter().filter(|_| serves) {
        let kind = line.split_whitespace().next().unwrap_or_default();
        let network = ["host", "hostssl", "hostnossl"].contains(&kind);
        if !network || line.contains(['\n', '\r', '\0']) || line.ends_with('\\') {
            return Err(Error::Failed(format!("{line:?} is no rule for connections")));
        }
        let _ = writeln!(text, "{line}");
    }
    Ok(text)
}

/// One address, as a rule names it.
fn host(address: &IpAddr) -> String {
    format!("{address}/{}", if address.is_ipv4() { 32 } else { 128 })
}

/// The rules that let members copy and follow.
fn hba_of_replicator(peers: &[IpAddr]) -> String {
    let mut text = String::new();
    for from in LOOPBACK.into_iter().map(str::to_owned).chain(peers.iter().map(host)) {
        for database in ["replication", "postgres"] {
            let _ = writeln!(text, "hostssl {database} {REPLICATOR} {from} scram-sha-256");
        }
    }
    text
}

/// The rules that let only the node in.
pub fn hba_of_node() -> String {
    format!("local all {ADMIN},{OWNER} peer map=awan\nlocal all all reject\n")
}

/// Whom the operating system's users may be.
pub fn ident() -> String {
    let uid = rustix::process::geteuid().as_raw();
    let name = super::users::name_of(uid).unwrap_or_else(|| uid.to_string());
    format!("awan \"{name}\" {ADMIN}\nawan \"{name}\" {OWNER}\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_replicator_comes_from_machines_of_the_cloud_only_and_encrypted() {
        let peers = ["10.1.2.3", "2001:db8::7"].map(|peer| peer.parse().expect("an address"));
        assert_eq!(
            hba_of_replicator(&peers),
            "hostssl replication awan_replicator 127.0.0.0/8 scram-sha-256\n\
             hostssl postgres awan_replicator 127.0.0.0/8 scram-sha-256\n\
             hostssl replication awan_replicator ::1/128 scram-sha-256\n\
             hostssl postgres awan_replicator ::1/128 scram-sha-256\n\
             hostssl replication awan_replicator 10.1.2.3/32 scram-sha-256\n\
             hostssl postgres awan_replicator 10.1.2.3/32 scram-sha-256\n\
             hostssl replication awan_replicator 2001:db8::7/128 scram-sha-256\n\
             hostssl postgres awan_replicator 2001:db8::7/128 scram-sha-256\n"
        );
        assert!(!hba_of_replicator(&[]).contains(" all "));
    }
}
