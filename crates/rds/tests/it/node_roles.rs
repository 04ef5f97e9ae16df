//! Accounts, databases and rights, as those see them who log in.

use rds::node::api::{Grant, Privilege};

use crate::node_lab::{Lab, account, administer, ask, database, spec, sql};

fn grant(account: &str, privilege: Privilege) -> Grant {
    Grant { account: account.to_owned(), database: "shop".to_owned(), privilege, wanted: true }
}

#[tokio::test(flavor = "multi_thread")]
async fn accounts_can_what_they_were_granted_and_nothing_more() {
    let lab = Lab::new();
    let mut spec = spec("pgm-roles");
    for name in ["ann", "reader", "writer", "builder"] {
        spec.accounts.push(account(name, false));
    }
    spec.databases = vec![database("shop", "ann"), database("spare", "")];
    spec.grants = vec![
        grant("reader", Privilege::ReadOnly),
        grant("writer", Privilege::ReadWrite),
        grant("builder", Privilege::DdlOnly),
    ];
    let it = lab.serve(&spec).await;
    let shop = |who: &str, text: &str| sql(&it, who, "shop", text);
    // Made after the rights were given: they hold for what will be.
    shop("ann", "CREATE TABLE items (id serial, name text); INSERT INTO items (name) VALUES ('a')")
        .unwrap();
    assert_eq!(shop("reader", "SELECT name FROM items").unwrap(), "a");
    assert!(shop("reader", "INSERT INTO items (name) VALUES ('b')").is_err());
    shop("writer", "INSERT INTO items (name) VALUES ('b'); DELETE FROM items WHERE name = 'a'")
        .unwrap();
    assert!(shop("writer", "CREATE TABLE mine (x int)").is_err());
    shop("builder", "CREATE TABLE built (x int)").unwrap();
    assert!(shop("builder", "SELECT * FROM items").is_err());

    assert_eq!(
        ask(&it, "SELECT string_agg(rolname, ',') FROM pg_roles WHERE rolsuper AND rolcanlogin"),
        "awan_admin"
    );
    for text in [
        "ALTER ROLE chief SUPERUSER",
        "COPY (SELECT 1) TO PROGRAM 'id'",
        "SELECT rolpassword FROM pg_authid",
        "GRANT pg_execute_server_program TO chief",
        "GRANT pg_read_server_files TO chief",
        "GRANT pg_read_all_data TO chief",
        "GRANT awan_admin TO chief",
        "ALTER ROLE awan_replicator PASSWORD 'x'",
        "ALTER ROLE awan_admin PASSWORD 'x'",
        "SET ROLE awan_admin",
        "ALTER SYSTEM SET work_mem = '1MB'",
    ] {
        assert!(sql(&it, "chief", "postgres", text).is_err(), "{text}");
    }
    ask(&it, "CREATE ROLE made_by_chief");
    ask(&it, "CREATE DATABASE by_chief");
    assert!(sql(&it, "awan_admin", "postgres", "SELECT 1").unwrap_err().contains("pg_hba.conf"));
    assert_eq!(
        ask(&it, "SELECT pg_get_userbyid(datdba) FROM pg_database WHERE datname = 'spare'"),
        "awan_owner"
    );
    lab.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_taken_away_is_gone_at_once() {
    let lab = Lab::new();
    let mut spec = spec("pgm-taken");
    spec.accounts.extend([account("ann", false), account("reader", false)]);
    spec.databases = vec![database("shop", "ann"), database("old", "ann")];
    spec.grants = vec![grant("reader", Privilege::ReadOnly)];
    let it = lab.serve(&spec).await;
    let function = "CREATE FUNCTION sly() RETURNS text LANGUAGE sql SECURITY DEFINER AS 'SELECT current_user::text'";
    sql(&it, "ann", "shop", &format!("CREATE TABLE items (id int); {function}")).unwrap();
    assert!(sql(&it, "reader", "shop", "SELECT * FROM items").is_ok());

    spec.generation = 2;
    spec.grants[0].wanted = false;
    spec.databases[1].wanted = false;
    spec.accounts[0].verifier = postgres_protocol::password::scram_sha_256(b"another");
    lab.serve(&spec).await;
    assert!(
        sql(&it, "reader", "shop", "SELECT * FROM items")
            .unwrap_err()
            .contains("permission denied")
    );
    assert!(sql(&it, "ann", "old", "SELECT 1").unwrap_err().contains("does not exist"));
    assert!(sql(&it, "chief", "postgres", "SELECT 1").unwrap_err().contains("password"));

    spec.generation = 3;
    spec.accounts[0].verifier = account("x", false).verifier;
    spec.accounts[1].wanted = false;
    spec.accounts[2].locked = true;
    lab.serve(&spec).await;
    assert!(
        sql(&it, "reader", "shop", "SELECT 1").unwrap_err().contains("not permitted to log in")
    );
    assert!(sql(&it, "ann", "shop", "SELECT 1").is_err());
    assert_eq!(ask(&it, "SELECT count(*) FROM pg_roles WHERE rolname = 'ann'"), "0");
    let owner = "SELECT pg_get_userbyid(proowner) FROM pg_proc WHERE proname = 'sly'";
    let owner = sql(&it, "chief", "shop", owner).unwrap();
    assert_eq!(owner, "awan_owner", "what a dropped role leaves never runs as the superuser");
    lab.end().await;
}

/// Before 16 who may make roles may take some that are ours, and an upgrade leaves the engine's own unguarded.
#[tokio::test(flavor = "multi_thread")]
async fn what_an_account_took_that_is_not_a_tenants_it_has_no_more_after_the_next_wish() {
    let lab = Lab::new();
    let mut spec = spec("pgm-taker");
    let it = lab.serve(&spec).await;
    administer(&lab, &it, "UPDATE pg_authid SET rolsuper = false WHERE rolname LIKE 'pg\\_%'");
    let chief = |text: &str| sql(&it, "chief", "postgres", text);
    chief("CREATE ROLE helper; GRANT awan_owner TO helper").unwrap();
    chief("GRANT awan_replicator, pg_execute_server_program TO chief WITH ADMIN OPTION").unwrap();
    chief("SET ROLE awan_replicator; SELECT pg_create_physical_replication_slot('mine')").unwrap();
    chief("COPY (SELECT 1) TO PROGRAM 'cat > /dev/null'").unwrap();
    // Ours is a member of tenants' roles while it loads what they dumped.
    administer(&lab, &it, "GRANT chief TO awan_owner");

    spec.generation = 2;
    lab.serve(&spec).await;
    for text in [
        "SET ROLE awan_replicator",
        "SELECT pg_drop_replication_slot('mine')",
        "COPY (SELECT 1) TO PROGRAM 'cat > /dev/null'",
        "GRANT pg_execute_server_program TO helper",
    ] {
        let refused = chief(text).unwrap_err();
        assert!(refused.contains("permission denied") || refused.contains("must be"), "{refused}");
    }
    let members = "SELECT string_agg(m.rolname || ' in ' || r.rolname, ',') FROM pg_auth_members a
        JOIN pg_roles r ON r.oid = a.roleid JOIN pg_roles m ON m.oid = a.member
        WHERE r.rolname LIKE 'awan%' OR m.rolname LIKE 'awan%'";
    assert_eq!(ask(&it, members), "awan_owner in chief");
    let guarded = "SELECT string_agg(rolname, ',' ORDER BY rolname) FROM pg_roles WHERE rolsuper";
    assert_eq!(
        ask(&it, guarded),
        "awan_admin,pg_execute_server_program,pg_read_all_data,pg_read_server_files,pg_write_server_files"
    );
    administer(&lab, &it, "SELECT pg_drop_replication_slot('mine')");
    lab.end().await;
}
