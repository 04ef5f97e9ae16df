//! The schema's history.

use std::thread;

use store::{Db, Error, MigrationSet, params};

use crate::engines::{Store, on_both_engines};

on_both_engines! {
    upgrading_step_by_step_gives_the_fresh_schema
    a_step_is_applied_once
    an_edited_step_is_refused
    a_database_newer_than_the_program_is_refused
    a_failing_step_leaves_nothing_and_keeps_the_steps_before_it
    processes_that_start_together_apply_each_step_once
    migrating_inside_a_runtime_works
}

const STEPS: &[&str] = &[
    "CREATE TABLE person (id AUTOID, name TEXT NOT NULL);
     CREATE INDEX person_name ON person (name);",
    "ALTER TABLE person ADD COLUMN age INTEGER;
     INSERT INTO person (name, age) VALUES ('first; of all', 1);",
    "CREATE TABLE pet (owner INTEGER REFERENCES person (id), name TEXT, PRIMARY KEY (owner, name)) /*rowless*/;
     ALTER TABLE person ADD COLUMN photo BLOB",
];

fn people(steps: &'static [&'static str]) -> [MigrationSet; 1] {
    [MigrationSet { name: "people", steps }]
}

/// Every column of every table, as the engine describes it, and the one row.
fn describe(db: &Db) -> Vec<String> {
    let sqlite = "SELECT m.name || '.' || c.name || ' ' || c.type || c.\"notnull\" || c.pk
        FROM sqlite_schema m, pragma_table_info(m.name) c ORDER BY 1";
    let postgres = "SELECT table_name || '.' || column_name || ' ' || data_type || is_nullable
        || COALESCE(collation_name, '') || is_identity FROM information_schema.columns
        WHERE table_schema = current_schema() ORDER BY 1";
    let read = |sql: &'static str| {
        db.read_blocking(move |tx| tx.query(sql, params![], |row| row.get::<String>(0)))
    };
    let columns = read(sqlite).or_else(|_| read(postgres)).unwrap();
    [columns, read("SELECT name FROM person").unwrap()].concat()
}

/// How often each step of `people` is on record.
fn applied(db: &Db) -> Vec<i64> {
    let sql = "SELECT step FROM migration WHERE name = 'people' ORDER BY step";
    db.read_blocking(|tx| tx.query(sql, params![], |row| row.get(0))).unwrap()
}

fn upgrading_step_by_step_gives_the_fresh_schema(store: &Store) {
    for steps in 1..=STEPS.len() {
        store.reopened().migrate(&people(&STEPS[..steps])).unwrap();
    }
    let upgraded = describe(&store.db);
    assert!(upgraded.iter().any(|column| column.starts_with("person.photo")), "{upgraded:?}");
    assert!(upgraded.contains(&"first; of all".to_owned()), "{upgraded:?}");

    let fresh = store.another();
    fresh.db.migrate(&people(STEPS)).unwrap();
    assert_eq!(describe(&fresh.db), upgraded);
}

fn a_step_is_applied_once(store: &Store) {
    for _ in 0..2 {
        store.db.migrate(&people(STEPS)).unwrap();
    }
    assert_eq!(applied(&store.db), [1, 2, 3]);
    let sql = "SELECT name FROM person";
    let names = store.db.read_blocking(|tx| tx.query(sql, params![], |row| row.get::<String>(0)));
    assert_eq!(names.unwrap(), ["first; of all"]);
}

#[track_caller]
fn refuses(store: &Store, steps: &'static [&'static str], reason: &str) {
    match store.db.migrate(&people(steps)) {
        Err(Error::Other(text)) => assert!(text.contains(reason), "{text}"),
        other => panic!("{other:?}"),
    }
    assert_eq!(applied(&store.db), [1, 2]);
}

fn an_edited_step_is_refused(store: &Store) {
    store.db.migrate(&people(&STEPS[..2])).unwrap();
    const EDITED: &[&str] = &["CREATE TABLE person (id AUTOID)", STEPS[1], STEPS[2]];
    refuses(store, EDITED, "step 1 of people");
}

fn a_database_newer_than_the_program_is_refused(store: &Store) {
    store.db.migrate(&people(&STEPS[..2])).unwrap();
    refuses(store, &STEPS[..1], "newer");
}

fn a_failing_step_leaves_nothing_and_keeps_the_steps_before_it(store: &Store) {
    const BROKEN: &[&str] =
        &[STEPS[0], STEPS[1], "CREATE TABLE half (n INTEGER); INSERT INTO nowhere VALUES (1)"];
    refuses(store, BROKEN, "nowhere");
    let half = store
        .db
        .read_blocking(|tx| tx.query("SELECT n FROM half", params![], |row| row.get::<i64>(0)));
    assert!(half.is_err());
    store.db.migrate(&people(STEPS)).unwrap();
    assert_eq!(applied(&store.db), [1, 2, 3]);
}

fn processes_that_start_together_apply_each_step_once(store: &Store) {
    let copies = store.copies();
    thread::scope(|scope| {
        for copy in &copies {
            scope.spawn(|| copy.migrate(&people(STEPS)).unwrap());
        }
    });
    assert_eq!(applied(&store.db), [1, 2, 3]);
}

fn migrating_inside_a_runtime_works(store: &Store) {
    crate::engines::runtime().block_on(async {
        let db = store.reopened();
        db.migrate(&people(STEPS)).unwrap();
        assert_eq!(
            db.read(|tx| tx.query("SELECT name FROM pet", params![], |row| row.get::<String>(0)))
                .await,
            Ok(vec![])
        );
    });
}
