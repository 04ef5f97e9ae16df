//! What a MariaDB says about itself: its version, and its settings by `mariadbd --no-defaults --verbose --help`.
//!
//! The help has no groups and does not tell what takes a restart; so what tenants may set is a list of names
//! ([`TENANTS`]), each group of which says whether it takes one. Everything else is the node's.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use super::programs;
use super::{Error, Setting};

/// How long the server may take to print its help, on a busy machine.
const DEADLINE: Duration = Duration::from_secs(30);

/// Major and exact version from what `mariadbd --version` prints; `None` for what is no MariaDB.
pub(super) fn version(said: &str) -> Option<(String, String)> {
    let exact = said.split_once("Ver ")?.1.split_once("-MariaDB")?.0;
    let parts: Vec<&str> = exact.split('.').collect();
    let digits = |text: &&str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    match parts[..] {
        [major, minor, _] if parts.iter().all(digits) => {
            Some((format!("{major}.{minor}"), exact.to_owned()))
        }
        _ => None,
    }
}

/// Asks a server program for its settings; [`settings`] understands the answer.
///
/// # Errors
/// Where it does not answer.
pub(super) fn describe(server: &Path, libraries: Option<&Path>) -> Result<String, Error> {
    let mut help = programs::unprivileged(server, libraries);
    programs::output(help.args(["--no-defaults", "--verbose", "--help"]), "", DEADLINE)
}

/// The settings in what [`describe`] gave.
pub(super) fn settings(said: &str) -> Vec<Setting> {
    // The table of values follows the options.
    let (options, table) = said.split_once("\nVariables (").unwrap_or((said, ""));
    let described = descriptions(options);
    let rows = table.lines().skip_while(|line| !line.starts_with("---")).skip(1);
    rows.take_while(|line| !line.trim().is_empty())
        .filter_map(|row| setting(row, &described))
        .collect()
}

/// An option in the help: how it takes a value, and what it is for.
#[derive(Default)]
struct Described {
    number: bool,
    text: String,
}

/// By option: what the help says of it.
fn descriptions(options: &str) -> BTreeMap<String, Described> {
    let mut all = BTreeMap::new();
    let mut current: Option<(String, Described)> = None;
    for line in options.lines() {
        let indent = line.len() - line.trim_start().len();
        let begun = if (1..20).contains(&indent) { option(line) } else { None };
        match (begun, &mut current) {
            (Some(next), _) => all.extend(current.replace(next)),
            (None, Some((_, described))) if indent >= 20 => {
                described.text.push(' ');
                described.text.push_str(line.trim());
            }
            (None, _) => all.extend(current.take()),
        }
    }
    all.extend(current);
    all
}

/// The first line of an option: `  -C, --character-set-server=name Set the …`.
fn option(line: &str) -> Option<(String, Described)> {
    let line = line.trim_start();
    let long = if line.starts_with("--") { line } else { line.split_once(", ")?.1.trim_start() };
    let (word, text) = long.strip_prefix("--")?.split_once(' ').unwrap_or((long, ""));
    let name = word.split(['=', '[']).next()?.trim_start_matches("--");
    let number = word.contains("=#") || word.contains("[=#");
    Some((underscored(name), Described { number, text: text.trim().to_owned() }))
}

/// A row of the table: the option and its value.
fn setting(row: &str, described: &BTreeMap<String, Described>) -> Option<Setting> {
    let (name, value) = row.split_once(' ').unwrap_or((row, ""));
    if name.is_empty() || !name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-') {
        return None;
    }
    let value = value.trim();
    let name = underscored(name);
    let nothing = Described::default();
    let about = described.get(&name).unwrap_or(&nothing);
    let values = choices(&about.text);
    let kind = match value {
        "TRUE" | "FALSE" => "bool",
        _ if !values.is_empty() => "enum",
        _ if value.contains('.') && about.number => "real",
        _ if about.number => "integer",
        _ => "string",
    };
    let rule = TENANTS.iter().find(|(_, names)| names.contains(&name.as_str()));
    let first = about.text.split_once(". ").map_or(about.text.as_str(), |(first, _)| first);
    Some(Setting {
        kind: kind.to_owned(),
        values,
        default: if value == "(No default value)" { String::new() } else { value.to_owned() },
        restart: rule.is_none_or(|(takes, _)| *takes == Takes::Restart),
        tenant: rule.is_some(),
        description: first.trim().trim_end_matches('.').to_owned(),
        name,
        ..Setting::default()
    })
}

/// What follows `One of:` in a description.
fn choices(text: &str) -> Vec<String> {
    let Some((_, list)) = text.split_once("One of: ") else { return Vec::new() };
    let list = list.split(['.', ';']).next().unwrap_or_default();
    list.split(',').map(|word| word.trim().to_owned()).filter(|word| !word.is_empty()).collect()
}

/// Options are spelt with hyphens, variables with underscores; the API has variables.
fn underscored(name: &str) -> String {
    name.replace('-', "_")
}

/// When a setting takes effect.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Takes {
    Now,
    Restart,
}

/// What tenants may set: nothing of files, plugins, addresses, TLS, replication, the binary log's safety, memory that
/// the class gives (`innodb_buffer_pool_size`, `max_connections`), or sessions' rights (`local_infile`, `init_connect`).
const TENANTS: &[(Takes, &[&str])] = &[
    // How text, time and numbers are understood.
    (
        Takes::Now,
        &[
            "character_set_server",
            "collation_server",
            "default_week_format",
            "div_precision_increment",
            "explicit_defaults_for_timestamp",
            "group_concat_max_len",
            "lc_time_names",
            "sql_mode",
        ],
    ),
    // Sessions, transactions and locks.
    (
        Takes::Now,
        &[
            "auto_increment_increment",
            "auto_increment_offset",
            "autocommit",
            "completion_type",
            "connect_timeout",
            "idle_readonly_transaction_timeout",
            "idle_transaction_timeout",
            "idle_write_transaction_timeout",
            "innodb_deadlock_detect",
            "innodb_lock_wait_timeout",
            "innodb_print_all_deadlocks",
            "interactive_timeout",
            "lock_wait_timeout",
            "low_priority_updates",
            "max_allowed_packet",
            "max_connect_errors",
            "max_error_count",
            "max_password_errors",
            "max_prepared_stmt_count",
            "max_sp_recursion_depth",
            "max_statement_time",
            "max_user_connections",
            "net_read_timeout",
            "net_retry_count",
            "net_write_timeout",
            "sql_safe_updates",
            "wait_timeout",
        ],
    ),
    // Memory of one session or one statement.
    (
        Takes::Now,
        &[
            "bulk_insert_buffer_size",
            "join_buffer_size",
            "max_heap_table_size",
            "max_length_for_sort_data",
            "max_sort_length",
            "mrr_buffer_size",
            "preload_buffer_size",
            "query_alloc_block_size",
            "query_prealloc_size",
            "range_alloc_block_size",
            "read_buffer_size",
            "read_rnd_buffer_size",
            "sort_buffer_size",
            "stored_program_cache",
            "thread_cache_size",
            "tmp_disk_table_size",
            "tmp_memory_table_size",
            "tmp_table_size",
            "transaction_alloc_block_size",
            "transaction_prealloc_size",
        ],
    ),
    // How statements are planned.
    (
        Takes::Now,
        &[
            "analyze_sample_percentage",
            "eq_range_index_dive_limit",
            "expensive_subquery_limit",
            "histogram_size",
            "histogram_type",
            "in_predicate_conversion_threshold",
            "join_cache_level",
            "max_join_size",
            "max_recursive_iterations",
            "max_rowid_filter_size",
            "max_seeks_for_key",
            "optimizer_prune_level",
            "optimizer_search_depth",
            "optimizer_selectivity_sampling_limit",
            "optimizer_switch",
            "optimizer_use_condition_selectivity",
            "query_cache_limit",
            "query_cache_min_res_unit",
            "query_cache_type",
            "query_cache_wlock_invalidate",
            "use_stat_tables",
        ],
    ),
    // InnoDB, without what is about safety, files and the buffer pool.
    (
        Takes::Now,
        &[
            "innodb_adaptive_flushing",
            "innodb_adaptive_flushing_lwm",
            "innodb_adaptive_hash_index",
            "innodb_compression_algorithm",
            "innodb_compression_failure_threshold_pct",
            "innodb_compression_level",
            "innodb_compression_pad_pct_max",
            "innodb_default_row_format",
            "innodb_file_per_table",
            "innodb_fill_factor",
            "innodb_flush_neighbors",
            "innodb_flush_sync",
            "innodb_flushing_avg_loops",
            "innodb_force_primary_key",
            "innodb_ft_enable_stopword",
            "innodb_ft_num_word_optimize",
            "innodb_ft_result_cache_limit",
            "innodb_io_capacity",
            "innodb_lru_scan_depth",
            "innodb_max_dirty_pages_pct",
            "innodb_max_dirty_pages_pct_lwm",
            "innodb_max_purge_lag",
            "innodb_max_purge_lag_delay",
            "innodb_old_blocks_pct",
            "innodb_old_blocks_time",
            "innodb_online_alter_log_max_size",
            "innodb_optimize_fulltext_only",
            "innodb_purge_batch_size",
            "innodb_random_read_ahead",
            "innodb_read_ahead_threshold",
            "innodb_snapshot_isolation",
            "innodb_spin_wait_delay",
            "innodb_stats_auto_recalc",
            "innodb_stats_include_delete_marked",
            "innodb_stats_method",
            "innodb_stats_modified_counter",
            "innodb_stats_on_metadata",
            "innodb_stats_persistent",
            "innodb_stats_persistent_sample_pages",
            "innodb_stats_traditional",
            "innodb_stats_transient_sample_pages",
            "innodb_strict_mode",
            "innodb_sync_spin_loops",
            "innodb_table_locks",
        ],
    ),
    (
        Takes::Restart,
        &[
            // Its variable has another name in 10.11 (`tx_isolation`), so that only the option sets it.
            "transaction_isolation",
            "innodb_autoinc_lock_mode",
            "innodb_ft_cache_size",
            "innodb_ft_max_token_size",
            "innodb_ft_min_token_size",
            "innodb_ft_sort_pll_degree",
            "innodb_ft_total_cache_size",
            "innodb_read_io_threads",
            "innodb_rollback_on_timeout",
            "innodb_sort_buffer_size",
            "innodb_write_io_threads",
            "lower_case_table_names",
            "performance_schema",
        ],
    ),
    // Other engines, tables and events.
    (
        Takes::Now,
        &[
            "concurrent_insert",
            "default_storage_engine",
            "delay_key_write",
            "event_scheduler",
            "ft_boolean_syntax",
            "log_bin_trust_function_creators",
            "myisam_sort_buffer_size",
            "myisam_stats_method",
            "table_definition_cache",
            "table_open_cache",
            "updatable_views_with_limit",
            "userstat",
        ],
    ),
    (
        Takes::Restart,
        &[
            "back_log",
            "ft_max_word_len",
            "ft_min_word_len",
            "ft_query_expansion_limit",
            "table_open_cache_instances",
        ],
    ),
    // What is logged of slow statements; where it goes is the node's.
    (
        Takes::Now,
        &[
            "log_queries_not_using_indexes",
            "log_slow_admin_statements",
            "log_slow_filter",
            "log_slow_min_examined_row_limit",
            "log_slow_query_time",
            "log_slow_rate_limit",
            "log_slow_verbosity",
            "log_warnings",
            "long_query_time",
            "min_examined_row_limit",
        ],
    ),
    // What of a row is written into the binary log.
    (Takes::Now, &["binlog_row_image", "binlog_row_metadata", "binlog_annotate_row_events"]),
];

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const SAID: &str = "mariadbd  Ver 10.11.19-MariaDB for debian-linux-gnu\n\n\
        \x20 --alter-algorithm[=name] \n\
        \x20                     Specify the alter table algorithm. One of: DEFAULT, COPY,\n\
        \x20                     INPLACE, NOCOPY, INSTANT\n\
        \x20 -b, --basedir=name  Path to installation directory. All paths are usually\n\
        \x20                     resolved relative to this\n\
        \x20 --join-buffer-size=# \n\
        \x20                     The size of the buffer that is used for joins\n\
        \x20 --autocommit        Set default value for autocommit (0 or 1)\n\
        \n\
        Variables (--variable-name=value)\n\
        and boolean options {FALSE|TRUE}       Value (after reading options)\n\
        -------------------------------------- -------------\n\
        alter-algorithm                        DEFAULT\n\
        autocommit                             TRUE\n\
        basedir                                (No default value)\n\
        join-buffer-size                       262144\n\
        \n\
        To see what values a running server is using, type\n";

    #[test]
    fn versions_of_mariadb_are_understood_and_mysql_is_none() {
        let said =
            "/usr/sbin/mariadbd  Ver 10.11.19-MariaDB-0+deb12u1 for debian-linux-gnu on x86_64";
        assert_eq!(version(said), Some(("10.11".to_owned(), "10.11.19".to_owned())));
        assert_eq!(
            version("mysqld  Ver 8.0.36 for Linux on x86_64 (MySQL Community Server)"),
            None
        );
    }

    #[test]
    fn settings_have_the_names_of_variables_with_kind_and_default() {
        let settings = settings(SAID);
        let short: Vec<_> = settings
            .iter()
            .map(|it| (it.name.as_str(), it.kind.as_str(), it.default.as_str(), it.tenant))
            .collect();
        assert_eq!(
            short,
            [
                ("alter_algorithm", "enum", "DEFAULT", false),
                ("autocommit", "bool", "TRUE", true),
                ("basedir", "string", "", false),
                ("join_buffer_size", "integer", "262144", true),
            ]
        );
        assert_eq!(settings[0].values, ["DEFAULT", "COPY", "INPLACE", "NOCOPY", "INSTANT"]);
        assert_eq!(settings[3].description, "The size of the buffer that is used for joins");
    }

    #[test]
    fn what_the_node_relies_on_is_not_on_the_list() {
        let names: Vec<&str> =
            TENANTS.iter().flat_map(|(_, names)| names.iter().copied()).collect();
        for name in [
            "datadir",
            "plugin_dir",
            "secure_file_priv",
            "port",
            "bind_address",
            "log_bin",
            "sync_binlog",
            "ssl_key",
            "innodb_flush_log_at_trx_commit",
            "innodb_buffer_pool_size",
            "max_connections",
            "init_connect",
            "local_infile",
            "server_id",
            "gtid_domain_id",
            "skip_grant_tables",
            "require_secure_transport",
            "tmpdir",
        ] {
            assert!(!names.contains(&name), "{name}");
        }
        let mut once = names.clone();
        once.sort_unstable();
        once.dedup();
        assert_eq!(once.len(), names.len(), "each name is in one group");
    }

    proptest! {
        #[test]
        fn nothing_that_is_said_makes_the_parser_fail(said in "(  --|\nVariables \\(|---|One of: |[-=#\\[,. ]|.|\n){0,200}") {
            settings(&said);
            version(&said);
        }

        #[test]
        fn every_row_of_the_table_is_a_setting(rows in proptest::collection::btree_map("[a-z]{1,8}(-[a-z]{1,8}){0,3}", "[A-Za-z0-9/_.]{1,20}", 1..20)) {
            let mut said = "Variables (x)\n--- ---\n".to_owned();
            said.insert(0, '\n');
            for (name, value) in &rows {
                said.push_str(&format!("{name}   {value}\n"));
            }
            let read: BTreeMap<String, String> =
                settings(&said).into_iter().map(|it| (it.name, it.default)).collect();
            let expected: BTreeMap<String, String> =
                rows.into_iter().map(|(name, value)| (underscored(&name), value)).collect();
            prop_assert_eq!(read, expected);
        }
    }
}
