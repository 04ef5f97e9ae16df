//! What lives in the databases themselves: roles, databases, rights. Everything is made so, whatever it was: it may
//! be done again and again.

use std::collections::{BTreeMap, BTreeSet};

use postgres_protocol::password::scram_sha_256;
use tokio_postgres::Client;

use super::super::api::{Account, Database, Grant, Privilege, Spec};
use super::super::driver::Seat;
use super::super::error::{Error, Result};
use super::admin::{connect, end_sessions_of, ident, literal};
use super::{ADMIN, OWNER, REPLICATOR, number};

/// Roles of the engine's that run programs, reach files and read verifiers: nobody is ever given them.
const GUARDED: [&str; 4] = [
    "pg_execute_server_program",
    "pg_read_server_files",
    "pg_write_server_files",
    "pg_read_all_data",
];

/// Before 16, whoever may make roles may also give away, and take, every role that is no superuser's. So the guarded
/// ones count as superusers'; this is the statement for it, where that version needs it.
pub fn guard(major: u32) -> Option<String> {
    let names = GUARDED.map(literal).join(", ");
    let sql = "UPDATE pg_authid SET rolsuper = true WHERE NOT rolsuper AND rolname IN";
    (major < 16).then(|| format!("{sql} ({names})"))
}

/// Takes from tenants' roles what they have of ours and of the guarded ones: before 16 they can give it to themselves,
/// and an upgrade takes it along. Ours count as superusers' nowhere, because then they would be.
async fn reclaim(client: &Client, major: u32) -> Result<()> {
    if let Some(guard) = guard(major) {
        client.batch_execute(&guard).await?;
    }
    let ours = [ADMIN, OWNER, REPLICATOR];
    let taken: Vec<&str> = GUARDED.into_iter().chain(ours).collect();
    let sql = "SELECT r.rolname::text, m.rolname::text, coalesce(g.rolname::text, '')
               FROM pg_auth_members a JOIN pg_roles r ON r.oid = a.roleid
                   JOIN pg_roles m ON m.oid = a.member LEFT JOIN pg_roles g ON g.oid = a.grantor
               WHERE r.rolname = ANY ($1::text[]) AND m.rolname <> ALL ($2::text[])
                   AND m.rolname NOT LIKE 'pg\\_%'";
    for row in client.query(sql, &[&taken, &ours.as_slice()]).await? {
        let (role, member, by): (String, String, String) = (row.get(0), row.get(1), row.get(2));
        tracing::warn!(role, member, "a tenant's role has what it may not have");
        let by = match major >= 16 {
            true => format!(" GRANTED BY {}", ident(&by)),
            false => String::new(),
        };
        let statement = format!("REVOKE {} FROM {}{by} CASCADE", ident(&role), ident(&member));
        client.batch_execute(&statement).await?;
        end_sessions_of(client, &member).await?;
    }
    Ok(())
}

/// Makes all of it so.
pub async fn apply(seat: &Seat, spec: &Spec) -> Result<()> {
    let client = connect(seat, "postgres").await?;
    reclaim(&client, number(&spec.major)).await?;
    replicator(&client, &spec.replicator).await?;
    for account in spec.accounts.iter().filter(|account| account.wanted) {
        self::account(&client, account, number(&spec.major)).await?;
    }
    for database in spec.databases.iter().filter(|database| database.wanted) {
        self::database(&client, database).await?;
    }
    grants(seat, spec).await?;
    for database in spec.databases.iter().filter(|database| !database.wanted) {
        drop_database(&client, &database.name).await?;
    }
    for account in spec.accounts.iter().filter(|account| !account.wanted) {
        drop_account(seat, &client, &account.name).await?;
    }
    Ok(())
}

/// Changes a role's verifier in a way that shows it to nobody: texts of statements are seen in `pg_stat_activity`.
async fn set_verifier(client: &Client, role: &str, verifier: &str) -> Result<()> {
    let remember = "SELECT set_config('awan.role', $1::text, false), set_config('awan.verifier', $2::text, false)";
    client.query(remember, &[&role, &verifier]).await?;
    client
        .batch_execute(
            "DO $$ BEGIN EXECUTE format('ALTER ROLE %I PASSWORD %L',
                current_setting('awan.role'), current_setting('awan.verifier')); END $$;
             RESET awan.verifier",
        )
        .await?;
    Ok(())
}

async fn verifier_of(client: &Client, role: &str) -> Result<Option<(String, bool, bool)>> {
    let sql = "SELECT coalesce(rolpassword, ''), rolcanlogin, rolsuper OR rolreplication
               FROM pg_authid WHERE rolname = $1::text";
    let row = client.query_opt(sql, &[&role]).await?;
    Ok(row.map(|row| (row.get(0), row.get(1), row.get(2))))
}

async fn replicator(client: &Client, password: &str) -> Result<()> {
    let now = verifier_of(client, REPLICATOR).await?;
    if now.is_some_and(|(verifier, ..)| knows(&verifier, password)) {
        return Ok(());
    }
    set_verifier(client, REPLICATOR, &scram_sha_256(password.as_bytes())).await
}

/// True where that verifier (`SCRAM-SHA-256$iterations:salt$stored:server`) is of that password.
fn knows(verifier: &str, password: &str) -> bool {
    use base64::Engine as _;
    let base64 = base64::engine::general_purpose::STANDARD;
    let parts = || {
        let (head, keys) = verifier.strip_prefix("SCRAM-SHA-256$")?.split_once('$')?;
        let (rounds, salt) = head.split_once(':')?;
        let stored = base64.decode(keys.split_once(':')?.0).ok()?;
        Some((rounds.parse().ok()?, base64.decode(salt).ok()?, stored))
    };
    let Some((rounds, salt, stored)) = parts() else { return false };
    let mut salted = [0; 32];
    let algorithm = ring::pbkdf2::PBKDF2_HMAC_SHA256;
    ring::pbkdf2::derive(algorithm, rounds, &salt, password.as_bytes(), &mut salted);
    let key = ring::hmac::Key::new(ring::hmac::HMAC_SHA256, &salted);
    let client = ring::hmac::sign(&key, b"Client Key");
    ring::digest::digest(&ring::digest::SHA256, client.as_ref()).as_ref() == stored
}

/// Names that no tenant may have.
fn refuse_reserved(name: &str) -> Result<()> {
    let reserved = name.starts_with("pg_")
        || [ADMIN, OWNER, REPLICATOR].contains(&name)
        || ["", "postgres", "template0", "template1", "public", "none"].contains(&name);
    if reserved || name.len() > 63 || name.contains('\0') {
        return Err(Error::Failed(format!("{name:?} is no name for a tenant's role or database")));
    }
    Ok(())
}

async fn account(client: &Client, account: &Account, major: u32) -> Result<()> {
    refuse_reserved(&account.name)?;
    let role = ident(&account.name);
    let now = verifier_of(client, &account.name).await?;
    if now.as_ref().is_some_and(|(_, _, power)| *power) {
        return Err(Error::Failed(format!("the role {role} is not a tenant's")));
    }
    if now.is_none() {
        client.batch_execute(&format!("CREATE ROLE {role} NOLOGIN")).await?;
    }
    let (verifier, login) =
        now.map_or_else(|| (String::new(), false), |(verifier, login, _)| (verifier, login));
    if verifier != account.verifier {
        set_verifier(client, &account.name, &account.verifier).await?;
    }
    let can = if account.locked { "NOLOGIN" } else { "LOGIN" };
    let may = if account.privileged { "" } else { "NO" };
    client.batch_execute(&format!("ALTER ROLE {role} {can} {may}CREATEDB {may}CREATEROLE")).await?;
    powers(client, account, major).await?;
    if login && (account.locked || verifier != account.verifier) {
        end_sessions_of(client, &account.name).await?;
    }
    Ok(())
}

/// What a privileged account may do beyond its own things. From 16 on it may give only what it was given to give.
/// `pg_read_all_data` is not among it: it reads the verifiers in `pg_authid` too.
async fn powers(client: &Client, account: &Account, major: u32) -> Result<()> {
    let roles = ["pg_monitor", "pg_signal_backend", "pg_checkpoint", "pg_maintain"];
    let sql = "SELECT r.rolname::text, EXISTS (
                   SELECT 1 FROM pg_auth_members m JOIN pg_roles g ON g.oid = m.member
                   WHERE m.roleid = r.oid AND g.rolname = $1::text)
               FROM pg_roles r WHERE r.rolname = ANY ($2::text[])";
    for row in client.query(sql, &[&account.name, &roles.as_slice()]).await? {
        let (power, has): (String, bool) = (row.get(0), row.get(1));
        let role = ident(&account.name);
        let admin = if major >= 16 { " WITH ADMIN OPTION" } else { "" };
        let statement = match (account.privileged, has) {
            (true, false) => format!("GRANT {power} TO {role}{admin}"),
            (false, true) => format!("REVOKE {power} FROM {role}"),
            _ => continue,
        };
        client.batch_execute(&statement).await?;
    }
    Ok(())
}

async fn database(client: &Client, database: &Database) -> Result<()> {
    refuse_reserved(&database.name)?;
    let owner = if database.owner.is_empty() { OWNER } else { &database.owner };
    let sql = "SELECT pg_get_userbyid(datdba)::text FROM pg_database WHERE datname = $1::text";
    let name = ident(&database.name);
    match client.query_opt(sql, &[&database.name]).await? {
        Some(row) if row.get::<_, String>(0) == owner => {}
        Some(_) => {
            client
                .batch_execute(&format!("ALTER DATABASE {name} OWNER TO {}", ident(owner)))
                .await?;
        }
        None => {
            let mut statement = format!("CREATE DATABASE {name} OWNER {}", ident(owner));
            // Another locale or character set than the template's needs the empty template.
            let own = [&database.collation, &database.ctype].iter().any(|text| !text.is_empty());
            if own || !["", "UTF8"].contains(&database.charset.as_str()) {
                statement += " TEMPLATE template0";
            }
            for (word, text) in [
                ("ENCODING", &database.charset),
                ("LC_COLLATE", &database.collation),
                ("LC_CTYPE", &database.ctype),
            ] {
                if !text.is_empty() {
                    statement += &format!(" {word} {}", literal(text));
                }
            }
            client.batch_execute(&statement).await?;
        }
    }
    Ok(())
}

async fn drop_database(client: &Client, name: &str) -> Result<()> {
    refuse_reserved(name)?;
    let statement = format!("DROP DATABASE IF EXISTS {} WITH (FORCE)", ident(name));
    Ok(client.batch_execute(&statement).await?)
}

async fn names(client: &Client, sql: &str) -> Result<BTreeSet<String>> {
    Ok(client.query(sql, &[]).await?.into_iter().map(|row| row.get(0)).collect())
}

const DATABASES: &str =
    "SELECT datname::text FROM pg_database WHERE datallowconn AND NOT datistemplate";

/// Drops a role: what it owned goes to the node's own role without powers, never to the superuser, in whose name
/// the functions among it would run.
async fn drop_account(seat: &Seat, client: &Client, name: &str) -> Result<()> {
    refuse_reserved(name)?;
    if verifier_of(client, name).await?.is_none() {
        return Ok(());
    }
    let role = ident(name);
    client.batch_execute(&format!("ALTER ROLE {role} NOLOGIN")).await?;
    end_sessions_of(client, name).await?;
    for database in names(client, DATABASES).await? {
        let there = connect(seat, &database).await?;
        there
            .batch_execute(&format!("REASSIGN OWNED BY {role} TO {OWNER}; DROP OWNED BY {role}"))
            .await?;
    }
    Ok(client.batch_execute(&format!("DROP ROLE {role}")).await?)
}

/// Gives and takes rights, database by database.
async fn grants(seat: &Seat, spec: &Spec) -> Result<()> {
    let client = connect(seat, "postgres").await?;
    let databases = names(&client, DATABASES).await?;
    let roles = names(&client, "SELECT rolname::text FROM pg_roles").await?;
    let mut by_database: BTreeMap<&str, Vec<&Grant>> = BTreeMap::new();
    for grant in &spec.grants {
        if databases.contains(&grant.database) && roles.contains(&grant.account) {
            refuse_reserved(&grant.account)?;
            by_database.entry(&grant.database).or_default().push(grant);
        }
    }
    // Who may make tables there: default rights belong to the one who makes.
    let makers: Vec<&str> = spec
        .accounts
        .iter()
        .filter(|account| account.wanted)
        .map(|account| account.name.as_str())
        .chain([OWNER])
        .collect();
    for (database, mut grants) in by_database {
        // What is taken first: who has lost one right may keep another that overlaps.
        grants.sort_by_key(|grant| grant.wanted);
        let there = connect(seat, database).await?;
        let schemas = names(&there, SCHEMAS).await?;
        for grant in grants {
            let script = if grant.wanted {
                give(grant, &schemas, &makers)
            } else {
                take(grant, &schemas, &makers)
            };
            there.batch_execute(&script).await?;
        }
    }
    Ok(())
}

const SCHEMAS: &str = "SELECT nspname::text FROM pg_namespace
    WHERE nspname NOT LIKE 'pg\\_%' AND nspname <> 'information_schema'";

/// What each right is, on the database, on schemas, on tables and on sequences; empty for nothing.
fn rights(privilege: Privilege) -> [&'static str; 4] {
    match privilege {
        Privilege::Owner => ["ALL", "ALL", "ALL", "ALL"],
        Privilege::ReadWrite => [
            "CONNECT, TEMPORARY",
            "USAGE",
            "SELECT, INSERT, UPDATE, DELETE, TRUNCATE",
            "USAGE, SELECT, UPDATE",
        ],
        Privilege::ReadOnly => ["CONNECT", "USAGE", "SELECT", "SELECT"],
        Privilege::DdlOnly => ["CONNECT, CREATE", "USAGE, CREATE", "", ""],
        Privilege::DmlOnly => {
            ["CONNECT", "USAGE", "SELECT, INSERT, UPDATE, DELETE", "USAGE, SELECT, UPDATE"]
        }
    }
}

/// The statements that give a right, for what there is and for what will be.
fn give(grant: &Grant, schemas: &BTreeSet<String>, makers: &[&str]) -> String {
    let role = ident(&grant.account);
    let [database, schema, tables, sequences] = rights(grant.privilege);
    let mut sql = format!("GRANT {database} ON DATABASE {} TO {role};", ident(&grant.database));
    for name in schemas.iter().map(|name| ident(name)) {
        sql += &format!("GRANT {schema} ON SCHEMA {name} TO {role};");
        for (rights, things) in [(tables, "TABLES"), (sequences, "SEQUENCES")] {
            if !rights.is_empty() {
                sql += &format!("GRANT {rights} ON ALL {things} IN SCHEMA {name} TO {role};");
            }
        }
    }
    for maker in makers.iter().filter(|maker| **maker != grant.account) {
        for (rights, things) in [(schema, "SCHEMAS"), (tables, "TABLES"), (sequences, "SEQUENCES")]
        {
            if !rights.is_empty() {
                let maker = ident(maker);
                sql += &format!(
                    "ALTER DEFAULT PRIVILEGES FOR ROLE {maker} GRANT {rights} ON {things} TO {role};"
                );
            }
        }
    }
    sql
}

/// The statements that take every right back.
fn take(grant: &Grant, schemas: &BTreeSet<String>, makers: &[&str]) -> String {
    let role = ident(&grant.account);
    let mut sql = format!("REVOKE ALL ON DATABASE {} FROM {role};", ident(&grant.database));
    for name in schemas.iter().map(|name| ident(name)) {
        for things in ["TABLES", "SEQUENCES", "FUNCTIONS"] {
            sql += &format!("REVOKE ALL ON ALL {things} IN SCHEMA {name} FROM {role};");
        }
        sql += &format!("REVOKE ALL ON SCHEMA {name} FROM {role};");
    }
    for maker in makers.iter().filter(|maker| **maker != grant.account) {
        for things in ["SCHEMAS", "TABLES", "SEQUENCES"] {
            let maker = ident(maker);
            sql += &format!(
                "ALTER DEFAULT PRIVILEGES FOR ROLE {maker} REVOKE ALL ON {things} FROM {role};"
            );
        }
    }
    sql
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_verifier_is_known_by_its_password_only() {
        let verifier = scram_sha_256(b"correct");
        assert!(knows(&verifier, "correct"));
        assert!(!knows(&verifier, "wrong"));
    }

    #[test]
    fn reserved_names_are_refused() {
        for name in ["awan_admin", "awan_owner", "pg_monitor", "postgres", "public", ""] {
            assert!(refuse_reserved(name).is_err(), "{name}");
        }
        assert!(refuse_reserved("shop").is_ok());
    }

    #[test]
    fn the_guard_is_for_the_versions_that_need_it() {
        assert!(guard(15).is_some_and(|sql| sql.contains("'pg_execute_server_program'")));
        assert_eq!((guard(16), guard(17)), (None, None));
    }

    proptest! {
        #[test]
        fn no_text_is_a_verifier_by_panic(text in "(SCRAM-SHA-256\\$)?[0-9a-zA-Z:$+/=]{0,60}") {
            prop_assert!(!knows(&text, "x") || text.starts_with("SCRAM"));
        }
    }
}
