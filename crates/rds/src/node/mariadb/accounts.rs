//! Makes users, databases and rights what they are to be. Reads first what there is: a statement that changes nothing
//! would still go to the binary log and to every standby.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use super::super::api::{Account, Database, Privilege, Role, Spec};
use super::super::driver::Seat;
use super::super::error::{Error, Result};
use super::{ADMIN, REPLICATOR, sql, white};

/// What the replicator may: follow, and read everything for a copy.
const REPLICATES: &str = "REPLICATION SLAVE, BINLOG MONITOR, SELECT, RELOAD, PROCESS, LOCK TABLES, SHOW VIEW, EVENT, \
    TRIGGER, CONNECTION ADMIN";

/// Databases that are the server's.
const SYSTEM: [&str; 4] = ["mysql", "sys", "information_schema", "performance_schema"];

const READS: &[&str] = &["SELECT", "SHOW VIEW"];
const WRITES: &[&str] = &[
    "SELECT",
    "INSERT",
    "UPDATE",
    "DELETE",
    "CREATE TEMPORARY TABLES",
    "LOCK TABLES",
    "EXECUTE",
    "SHOW VIEW",
];
const CHANGES: &[&str] = &["SELECT", "INSERT", "UPDATE", "DELETE"];
const DEFINES: &[&str] = &[
    "CREATE",
    "DROP",
    "INDEX",
    "ALTER",
    "CREATE TEMPORARY TABLES",
    "LOCK TABLES",
    "CREATE VIEW",
    "SHOW VIEW",
    "CREATE ROUTINE",
    "ALTER ROUTINE",
];
const EVERYTHING: &[&str] = &[
    "SELECT",
    "INSERT",
    "UPDATE",
    "DELETE",
    "CREATE",
    "DROP",
    "REFERENCES",
    "INDEX",
    "ALTER",
    "CREATE TEMPORARY TABLES",
    "LOCK TABLES",
    "EXECUTE",
    "CREATE VIEW",
    "SHOW VIEW",
    "CREATE ROUTINE",
    "ALTER ROUTINE",
    "EVENT",
    "TRIGGER",
    "DELETE HISTORY",
];

fn rights(privilege: Privilege) -> &'static [&'static str] {
    match privilege {
        Privilege::Owner => EVERYTHING,
        Privilege::ReadWrite => WRITES,
        Privilege::ReadOnly => READS,
        Privilege::DdlOnly => DEFINES,
        Privilege::DmlOnly => CHANGES,
    }
}

/// See [`super::super::driver::Driver::apply`].
pub async fn apply(seat: &Seat, spec: &Spec) -> Result<()> {
    for account in &spec.accounts {
        check(account)?;
    }
    let present = Present::read(seat).await?;
    if spec.role == Role::Primary {
        let statements = statements(spec, &present)?;
        if !statements.is_empty() {
            sql::run(seat, &statements).await?;
        }
    }
    let ended = ended_sessions(spec, &present);
    // The session may end by itself meanwhile: `--force` would hide other errors, so each is asked for alone.
    for name in ended {
        let _ = sql::run(seat, &format!("KILL CONNECTION USER {name};\n")).await;
    }
    white::end_others(seat, spec).await
}

/// Refuses what would be somebody else's user, or no verifier.
fn check(account: &Account) -> Result<()> {
    let name = account.name.as_str();
    let own = [ADMIN, REPLICATOR, "root", "mariadb.sys", ""].contains(&name);
    let digits = account.verifier.strip_prefix('*').unwrap_or_default();
    let verifier = digits.len() == 40 && digits.bytes().all(|byte| byte.is_ascii_hexdigit());
    if own || name.contains('\0') || (account.wanted && !verifier) {
        return Err(Error::Conflict(format!("the account {name:?} cannot be made")));
    }
    Ok(())
}

/// What the server has of it.
#[derive(Default)]
struct Present {
    /// By user: the verifier, and whether it is locked.
    users: BTreeMap<String, (String, bool)>,
    databases: BTreeSet<String>,
    /// By user and database (as patterns are written): rights, and whether they may be given on.
    rights: BTreeMap<(String, String), BTreeSet<String>>,
    /// Users with global rights of a privileged account.
    privileged: BTreeSet<String>,
    /// Users who have sessions.
    sessions: BTreeSet<String>,
}

/// What marks a right that may be given on, among rights.
const GIVES_ON: &str = "GRANT OPTION";

impl Present {
    async fn read(seat: &Seat) -> Result<Self> {
        let mut present = Self::default();
        let users = "SELECT User, JSON_VALUE(Priv, '$.authentication_string') AS verifier, \
            JSON_VALUE(Priv, '$.account_locked') AS locked FROM mysql.global_priv WHERE Host = '%'";
        let get = |row: &sql::Row, name: &str| row.get(name).cloned().unwrap_or_default();
        for row in sql::ask(seat, users).await? {
            let locked = ["1", "true"].contains(&get(&row, "locked").as_str());
            present.users.insert(get(&row, "User"), (get(&row, "verifier"), locked));
        }
        for row in sql::ask(seat, "SHOW DATABASES").await? {
            present.databases.insert(get(&row, "Database"));
        }
        let rights = "SELECT GRANTEE, TABLE_SCHEMA, PRIVILEGE_TYPE, IS_GRANTABLE FROM \
            information_schema.SCHEMA_PRIVILEGES";
        for row in sql::ask(seat, rights).await? {
            let key = (get(&row, "GRANTEE"), get(&row, "TABLE_SCHEMA"));
            let set = present.rights.entry(key).or_default();
            set.insert(get(&row, "PRIVILEGE_TYPE"));
            if get(&row, "IS_GRANTABLE") == "YES" {
                set.insert(GIVES_ON.to_owned());
            }
        }
        let process = "SELECT GRANTEE FROM information_schema.USER_PRIVILEGES WHERE PRIVILEGE_TYPE = 'PROCESS'";
        present.privileged =
            sql::ask(seat, process).await?.iter().map(|row| get(row, "GRANTEE")).collect();
        let sessions = "SELECT DISTINCT USER FROM information_schema.PROCESSLIST";
        present.sessions =
            sql::ask(seat, sessions).await?.iter().map(|row| get(row, "USER")).collect();
        Ok(present)
    }
}

/// All that it takes, in an order in which it works.
fn statements(spec: &Spec, present: &Present) -> Result<String> {
    let mut all = String::new();
    replicator(&mut all, spec, present);
    for account in &spec.accounts {
        user(&mut all, account, present);
    }
    for wanted in &spec.databases {
        database(&mut all, wanted, present)?;
    }
    for ((name, pattern), rights) in wanted_rights(spec) {
        let empty = BTreeSet::new();
        let has = present.rights.get(&(grantee(&name), pattern.clone())).unwrap_or(&empty);
        let missing: Vec<&str> =
            rights.iter().map(String::as_str).filter(|it| !has.contains(*it)).collect();
        let extra: Vec<&str> =
            has.iter().map(String::as_str).filter(|it| !rights.contains(*it)).collect();
        let (on, user) = (sql::identifier(&pattern), user_name(&name));
        if !extra.is_empty() {
            let _ = writeln!(all, "REVOKE {} ON {on}.* FROM {user};", extra.join(", "));
        }
        let plain: Vec<&str> = missing.iter().copied().filter(|it| *it != GIVES_ON).collect();
        if !missing.is_empty() {
            let list = if plain.is_empty() { "USAGE".to_owned() } else { plain.join(", ") };
            let gives = if rights.contains(GIVES_ON) { " WITH GRANT OPTION" } else { "" };
            let _ = writeln!(all, "GRANT {list} ON {on}.* TO {user}{gives};");
        }
    }
    Ok(all)
}

/// By account and pattern of a database: the rights that it is to have. Only pairs that somebody asked for: what
/// a tenant's owner granted itself is left alone.
fn wanted_rights(spec: &Spec) -> BTreeMap<(String, String), BTreeSet<String>> {
    let mut all: BTreeMap<(String, String), BTreeSet<String>> = BTreeMap::new();
    let there = |name: &str| spec.accounts.iter().any(|it| it.wanted && it.name == name);
    let exists = |name: &str| spec.databases.iter().any(|it| it.wanted && it.name == name);
    for grant in spec.grants.iter().filter(|it| there(&it.account) && exists(&it.database)) {
        let set = all.entry((grant.account.clone(), pattern(&grant.database))).or_default();
        if grant.wanted {
            set.extend(rights(grant.privilege).iter().map(|it| (*it).to_owned()));
        }
    }
    for database in spec.databases.iter().filter(|it| it.wanted) {
        let owns = |account: &&Account| account.privileged || account.name == database.owner;
        for account in spec.accounts.iter().filter(|it| it.wanted).filter(owns) {
            let set = all.entry((account.name.clone(), pattern(&database.name))).or_default();
            set.extend(EVERYTHING.iter().map(|it| (*it).to_owned()));
            set.insert(GIVES_ON.to_owned());
        }
    }
    all
}

fn replicator(all: &mut String, spec: &Spec, present: &Present) {
    let verifier = hash(&spec.replicator);
    if present.users.get(REPLICATOR).is_some_and(|(has, _)| *has == verifier) {
        return;
    }
    let user = user_name(REPLICATOR);
    let _ = writeln!(all, "CREATE USER IF NOT EXISTS {user};");
    let _ = writeln!(
        all,
        "ALTER USER {user} IDENTIFIED VIA mysql_native_password USING '{verifier}' REQUIRE SSL;"
    );
    let _ = writeln!(all, "GRANT {REPLICATES} ON *.* TO {user};");
}

fn user(all: &mut String, account: &Account, present: &Present) {
    let user = user_name(&account.name);
    if !account.wanted {
        if present.users.contains_key(&account.name) {
            let _ = writeln!(all, "DROP USER IF EXISTS {user};");
        }
        return;
    }
    let verifier = account.verifier.to_ascii_uppercase();
    let has = present.users.get(&account.name);
    if has.is_none_or(|(old, locked)| *old != verifier || *locked != account.locked) {
        let lock = if account.locked { "LOCK" } else { "UNLOCK" };
        let _ = writeln!(all, "CREATE USER IF NOT EXISTS {user} ACCOUNT LOCK;");
        let _ = writeln!(
            all,
            "ALTER USER {user} IDENTIFIED VIA mysql_native_password USING '{verifier}' REQUIRE SSL ACCOUNT {lock};"
        );
    }
    let privileged = present.privileged.contains(&grantee(&account.name));
    if account.privileged && !privileged {
        let _ = writeln!(all, "GRANT PROCESS, SHOW DATABASES, BINLOG MONITOR ON *.* TO {user};");
    } else if !account.privileged && privileged {
        let _ = writeln!(all, "REVOKE PROCESS, SHOW DATABASES, BINLOG MONITOR ON *.* FROM {user};");
    }
}

fn database(all: &mut String, database: &Database, present: &Present) -> Result<()> {
    let word = |text: &str| text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    if SYSTEM.contains(&database.name.to_ascii_lowercase().as_str())
        || !word(&database.charset)
        || !word(&database.collation)
    {
        return Err(Error::Conflict(format!("the database {:?} cannot be made so", database.name)));
    }
    let name = sql::identifier(&database.name);
    let there = present.databases.contains(&database.name);
    if there && !database.wanted {
        let _ = writeln!(all, "DROP DATABASE IF EXISTS {name};");
    }
    if database.wanted && !there {
        let charset = match database.charset.to_ascii_lowercase().as_str() {
            // What everybody means by it; MariaDB's own `utf8` lacks a part of it.
            "" | "utf8" => "utf8mb4".to_owned(),
            other => other.to_owned(),
        };
        let _ = write!(all, "CREATE DATABASE IF NOT EXISTS {name} CHARACTER SET {charset}");
        if !database.collation.is_empty() {
            let _ = write!(all, " COLLATE {}", database.collation);
        }
        all.push_str(";\n");
    }
    Ok(())
}

/// Users whose sessions have no ground any more: of locked, removed and changed accounts.
fn ended_sessions(spec: &Spec, present: &Present) -> Vec<String> {
    let changed = |account: &&Account| {
        let has = present.users.get(&account.name);
        let other =
            has.is_some_and(|(verifier, _)| !verifier.eq_ignore_ascii_case(&account.verifier));
        !account.wanted || account.locked || other
    };
    let ended = spec.accounts.iter().filter(changed);
    ended.filter(|it| present.sessions.contains(&it.name)).map(|it| user_name(&it.name)).collect()
}

fn user_name(name: &str) -> String {
    format!("{}@'%'", sql::literal(name))
}

/// A user as the server's tables of rights write it: without any escaping.
fn grantee(name: &str) -> String {
    format!("'{name}'@'%'")
}

/// A database's name as a pattern that means only it: in rights, `_` and `%` stand for others.
fn pattern(name: &str) -> String {
    name.replace('\\', "\\\\").replace('_', "\\_").replace('%', "\\%")
}

/// What `mysql_native_password` checks a password with.
fn hash(password: &str) -> String {
    use ring::digest::{SHA1_FOR_LEGACY_USE_ONLY, digest};
    let once = digest(&SHA1_FOR_LEGACY_USE_ONLY, password.as_bytes());
    let twice = digest(&SHA1_FOR_LEGACY_USE_ONLY, once.as_ref());
    twice.as_ref().iter().fold("*".to_owned(), |mut text, byte| {
        let _ = write!(text, "{byte:02X}");
        text
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;

    #[test]
    fn the_hash_is_what_mariadb_calls_password() {
        assert_eq!(hash("password"), "*2470C0C06DEE42FD1618BB99005ADCA2EC9D1E19");
    }

    #[test]
    fn a_right_on_one_database_means_no_other_whose_name_is_like_it() {
        assert_eq!(pattern("shop_1"), "shop\\_1");
        assert_eq!(pattern("a%"), "a\\%");
    }

    #[test]
    fn the_nodes_own_users_cannot_be_made_by_tenants() {
        let account = |name: &str, verifier: &str| Account {
            name: name.to_owned(),
            privileged: false,
            locked: false,
            verifier: verifier.to_owned(),
            wanted: true,
        };
        let good = hash("x");
        for name in ["awan_admin", "awan_replicator", "root", "mariadb.sys", ""] {
            assert!(check(&account(name, &good)).is_err(), "{name}");
        }
        assert!(check(&account("app", &good)).is_ok());
        assert!(check(&account("app", "*' OR 1")).is_err());
    }

    #[test]
    fn nothing_is_said_where_everything_is_as_it_is_to_be() {
        let mut present = Present::default();
        present.databases.insert("shop".to_owned());
        let mut all = String::new();
        let wanted = Database {
            name: "shop".to_owned(),
            owner: String::new(),
            charset: "UTF8".to_owned(),
            collation: String::new(),
            ctype: String::new(),
            wanted: true,
        };
        database(&mut all, &wanted, &present).unwrap();
        assert_eq!(all, "");
        let mysql = Database { name: "MySQL".to_owned(), ..wanted };
        assert!(database(&mut all, &mysql, &present).is_err());
    }
}
