//! What a PostgreSQL says about itself: its version, and its settings with units, bounds and true defaults.
//!
//! Settings are read from `pg_settings` of an empty cluster in single-user mode (0.7 s once per build). The
//! `--describe-config` of the server would need no cluster, but it shows 0 and FALSE for every default that is
//! computed at start, and neither units nor what an enum takes. And a build that cannot make an empty cluster cannot
//! make an instance either.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use super::programs::{self, NOBODY};
use super::{Error, Setting};
use crate::values::text;

/// How long a program may take that asks or makes an empty cluster, on a busy machine.
const DEADLINE: Duration = Duration::from_secs(60);

/// The first column of each line that is meant, between the prompts of single-user mode.
const MARK: &str = "setting";

/// Asked on one line: single-user mode ends a statement at the end of the line.
const QUESTION: &str = "COPY (SELECT 'setting', name, category, context, vartype, unit, min_val, max_val, boot_val, \
    enumvals, short_desc FROM pg_settings ORDER BY name) TO STDOUT\n";

/// Major and exact version from what `postgres --version` prints; `None` for what is no PostgreSQL, or not released.
pub(super) fn version(said: &str) -> Option<(String, String)> {
    let exact = said.split_once("(PostgreSQL) ")?.1.split_whitespace().next()?;
    let (major, minor) = exact.split_once('.')?;
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    (digits(major) && digits(minor)).then(|| (major.to_owned(), exact.to_owned()))
}

/// Asks the programs in a directory for their settings; [`settings`] understands the answer.
///
/// # Errors
/// Where they cannot make an empty cluster or answer from it.
pub(super) fn describe(bin: &Path, libraries: Option<&Path>) -> Result<String, Error> {
    let cluster = Scratch::new()?;
    let mut initdb = programs::unprivileged(&bin.join("initdb"), libraries);
    initdb.args(["--no-sync", "--no-instructions", "--auth=reject", "--username=awan"]);
    initdb.args(["--locale=C", "--encoding=UTF8", "--pgdata"]).arg(&cluster.0);
    programs::output(&mut initdb, "", DEADLINE)?;
    let mut single = programs::unprivileged(&bin.join("postgres"), libraries);
    single.args(["--single", "-c", "fsync=off", "-D"]).arg(&cluster.0).arg("template1");
    programs::output(&mut single, QUESTION, DEADLINE)
}

/// A directory for the empty cluster, of the user without rights; gone with this value.
struct Scratch(PathBuf);

impl Scratch {
    fn new() -> Result<Self, Error> {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("awan-engine-{}-{count}", std::process::id());
        let path = std::env::temp_dir().join(name);
        let failed = |e| Error(format!("make {}: {e}", path.display()));
        std::fs::create_dir(&path).map_err(failed)?;
        let scratch = Self(path.clone());
        if programs::is_root() {
            std::os::unix::fs::chown(&path, Some(NOBODY), Some(NOBODY)).map_err(failed)?;
        }
        Ok(scratch)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        if let Err(error) = std::fs::remove_dir_all(&self.0) {
            tracing::warn!(path = %self.0.display(), %error, "an empty cluster stays behind");
        }
    }
}

/// The settings in the answer of [`describe`], with the rule of what is the tenant's. Lines that are none are left
/// out.
pub(super) fn settings(said: &str) -> Vec<Setting> {
    said.lines().filter_map(setting).collect()
}

fn setting(line: &str) -> Option<Setting> {
    // The prompt has no line end of its own.
    let line = line.trim_start_matches("backend> ");
    let fields: Vec<&str> = line.split('\t').collect();
    let [MARK, name, category, context, kind, unit, min, max, default, values, description] =
        fields[..]
    else {
        return None;
    };
    if name.is_empty() || context == "internal" {
        return None;
    }
    // A text that nobody has thought about may be one that the server does not start with.
    let tenant = is_tenants(name, category) && (kind != "string" || text::is_known(name));
    let mut values = array(&unescape(values));
    if name == "wal_level" {
        // Without the log there is no standby, and no restoring to a second.
        values.retain(|value| value != "minimal");
    }
    Some(Setting {
        name: unescape(name),
        kind: unescape(kind),
        unit: unescape(unit),
        min: unescape(min),
        max: unescape(max),
        values,
        default: unescape(default),
        restart: context == "postmaster",
        tenant,
        description: unescape(description),
    })
}

/// A value of COPY's text form; `\N` is empty.
fn unescape(field: &str) -> String {
    if field == "\\N" {
        return String::new();
    }
    let mut text = String::with_capacity(field.len());
    let mut rest = field.chars();
    while let Some(next) = rest.next() {
        match next {
            '\\' => text.push(match rest.next() {
                Some('t') => '\t',
                Some('n') => '\n',
                Some('r') => '\r',
                Some('b') => '\u{8}',
                Some('f') => '\u{c}',
                Some('v') => '\u{b}',
                Some(other) => other,
                None => '\\',
            }),
            other => text.push(other),
        }
    }
    text
}

/// The elements of an array of plain words: `{on,off,"read only"}`.
fn array(text: &str) -> Vec<String> {
    let inner = text.strip_prefix('{').and_then(|text| text.strip_suffix('}')).unwrap_or_default();
    let words = inner.split(',').map(|word| word.trim_matches('"').to_owned());
    words.filter(|word| !word.is_empty()).collect()
}

/// Groups of settings that are the tenant's. What a later version adds is not, until somebody has thought about it.
const OPEN_GROUPS: &[&str] = &[
    "Autovacuum",
    "Client Connection Defaults / Locale and Formatting",
    "Client Connection Defaults / Other Defaults",
    "Client Connection Defaults / Statement Behavior",
    "Connections and Authentication / TCP Settings",
    "Lock Management",
    "Query Tuning",
    "Reporting and Logging / What to Log",
    "Reporting and Logging / When to Log",
    "Resource Usage",
    "Statistics",
    "Vacuuming",
    "Version and Platform Compatibility",
    "Write-Ahead Log / Checkpoints",
    "Write-Ahead Log / Settings",
];

/// Settings of other groups that are the tenant's all the same.
const OPEN: &[&str] = &[
    // In 14 and 15 these are in the group of addresses and sockets.
    "client_connection_check_interval",
    "tcp_keepalives_count",
    "tcp_keepalives_idle",
    "tcp_keepalives_interval",
    "tcp_user_timeout",
];

/// Settings of open groups that are not the tenant's, and why.
const CLOSED: &[(&str, &[&str])] = &[
    (
        "names files, libraries or places on the server's disks",
        &[
            "default_tablespace",
            "dynamic_library_path",
            "extension_control_path",
            "stats_temp_directory",
            "temp_tablespaces",
            "timezone_abbreviations",
        ],
    ),
    (
        "what is committed stays, and standbys and backups are exact: that is promised, not chosen",
        &[
            "fsync",
            "full_page_writes",
            "wal_init_zero",
            "wal_log_hints",
            "wal_recycle",
            "wal_sync_method",
        ],
    ),
    (
        "memory, files and processes that the class of the instance gives, and its neighbours rely on",
        &[
            "dynamic_shared_memory_type",
            "huge_page_size",
            "huge_pages",
            "huge_pages_status",
            "file_copy_method",
            "io_max_combine_limit",
            "io_max_concurrency",
            "io_method",
            "io_workers",
            "max_files_per_process",
            "max_notify_queue_pages",
            "max_stack_depth",
            "min_dynamic_shared_memory",
            "shared_buffers",
            "shared_memory_type",
            "temp_file_limit",
        ],
    ),
    (
        "room on the disk that the node keeps",
        &["max_slot_wal_keep_size", "max_wal_size", "min_wal_size", "wal_keep_size"],
    ),
    (
        "the node reads the log, and needs its form",
        &[
            "application_name",
            "log_hostname",
            "log_line_prefix",
            "log_replication_commands",
            "log_startup_progress_interval",
            "log_timezone",
        ],
    ),
    ("goes past the stored parameters", &["allow_alter_system"]),
    ("switches foreign keys and triggers off for everybody", &["session_replication_role"]),
    (
        "holds for one transaction only",
        &["transaction_deferrable", "transaction_isolation", "transaction_read_only"],
    ),
];

/// Whether tenants may set it. Theirs is how statements are planned, run, logged and vacuumed; the node's is
/// everything about files, libraries, addresses, who may connect, replication, the archive and recovery.
fn is_tenants(name: &str, category: &str) -> bool {
    let group = OPEN_GROUPS.iter().any(|group| category.starts_with(group));
    let closed = CLOSED.iter().any(|(_, names)| names.contains(&name));
    (group || OPEN.contains(&name)) && !closed
}

#[cfg(test)]
mod tests;
