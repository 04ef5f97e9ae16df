//! What goes in comes out, and the SQL that is said to work on both engines does.

use base::{AccountId, Time};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use store::{Db, Error, MigrationSet, Tx, Value, params};

use crate::engines::{Store, insert, on_both_engines};

on_both_engines! {
    values_come_back
    the_types_of_the_domain_come_back
    text_is_ordered_by_its_bytes
    like_is_case_sensitive
    a_first_null_does_not_fix_a_parameter_s_type
    generated_ids_count_up
    upserts_say_what_they_did
    pages_continue_after_a_key_of_two_columns
    a_partial_index_binds_its_rows_only
    wrong_calls_are_errors
    types_are_strict
    truth_is_an_integer
}

const TABLES: MigrationSet = MigrationSet {
    name: "values",
    steps: &["
        CREATE TABLE one (id INTEGER PRIMARY KEY, i INTEGER, t TEXT, b BLOB);
        CREATE TABLE many (id AUTOID, a TEXT NOT NULL, n INTEGER NOT NULL);
        CREATE UNIQUE INDEX many_once ON many (a) WHERE n = 0;
        CREATE TABLE pair (a TEXT, n INTEGER, hits INTEGER NOT NULL, PRIMARY KEY (a, n)) /*rowless*/;
    "],
};

fn tables(store: &Store) -> &Db {
    store.db.migrate(&[TABLES]).unwrap();
    &store.db
}

type Cells = (Option<i64>, Option<String>, Option<Vec<u8>>);

/// Writes three cells and reads them back.
fn through(db: &Db, cells: &Cells) -> Result<Cells, Error> {
    let cells = cells.clone();
    db.write_blocking(move |tx| {
        let (i, t, b) = &cells;
        let sql = "INSERT INTO one (id, i, t, b) VALUES (1, ?1, ?2, ?3) ON CONFLICT (id)
            DO UPDATE SET i = excluded.i, t = excluded.t, b = excluded.b";
        tx.execute(sql, params![*i, t.as_deref(), b.as_deref()])
    })?;
    let sql = "SELECT i, t, b FROM one WHERE id = 1";
    db.read_blocking(|tx| {
        tx.query_opt(sql, params![], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))
    })
    .map(Option::unwrap)
}

fn values_come_back(store: &Store) {
    let db = tables(store);
    let text = "[^\0]{0,40}".prop_map(Some).boxed();
    let cells = (any::<Option<i64>>(), prop_oneof![text, Just(None)], any::<Option<Vec<u8>>>());
    let mut runner =
        TestRunner::new(Config { failure_persistence: None, ..Config::with_cases(64) });
    let outcome = runner.run(&cells, |cells| {
        prop_assert_eq!(through(db, &cells), Ok(cells.clone()));
        Ok(())
    });
    outcome.unwrap();
    let edges = (Some(i64::MIN), Some(String::new()), Some(Vec::new()));
    assert_eq!(through(db, &edges), Ok(edges.clone()));
}

fn the_types_of_the_domain_come_back(store: &Store) {
    let (time, account) = (Time::from_micros(-1), AccountId::new(1_234_567_890_123_456));
    let sql = "INSERT INTO pair (a, n, hits) VALUES (?1, ?2, ?3) RETURNING n, hits, a";
    let read = tables(store).write_blocking(move |tx| {
        tx.query_opt(sql, params!["x", time, account], |row| {
            assert_eq!((row.text(2)?, row.value(0)?), ("x", Value::Int(-1)));
            Ok((row.get::<Time>(0)?, row.get::<AccountId>(1)?, row.get::<Option<u64>>(1)?))
        })
    });
    assert_eq!(read, Ok(Some((time, account, Some(account.number())))));
}

fn text_is_ordered_by_its_bytes(store: &Store) {
    let names = ["é", "b", "B", "a", "~", "/", "😀", "ﬀ"];
    store
        .db
        .write_blocking(move |tx| names.iter().try_for_each(|name| insert(tx, name).map(drop)))
        .unwrap();
    let mut expected = names.map(str::to_owned);
    expected.sort();
    assert_eq!(store.names(), expected);
    let sql = "SELECT name FROM item WHERE name > ?1 ORDER BY name LIMIT ?2";
    let page = |tx: &mut Tx<'_>| tx.query(sql, params!["B", 2_i64], |row| row.get::<String>(0));
    assert_eq!(store.db.read_blocking(page).unwrap(), ["a", "b"]);
}

fn like_is_case_sensitive(store: &Store) {
    store.db.write_blocking(|tx| insert(tx, "Ab%")).unwrap();
    let matches = |pattern: &'static str| {
        let sql = "SELECT name FROM item WHERE name LIKE ?1 ESCAPE '!'";
        let find =
            move |tx: &mut Tx<'_>| tx.query_opt(sql, params![pattern], |row| row.get::<String>(0));
        store.db.read_blocking(find).unwrap().is_some()
    };
    assert!(matches("A%") && matches("Ab!%"));
    assert!(!matches("a%") && !matches("A!%"));
}

fn a_first_null_does_not_fix_a_parameter_s_type(store: &Store) {
    let db = tables(store);
    for cells in [
        (None, None, None),
        (Some(1), Some("t".to_owned()), Some(vec![1])),
        (Some(2), None, Some(vec![2])),
    ] {
        assert_eq!(through(db, &cells), Ok(cells.clone()));
    }
}

fn generated_ids_count_up(store: &Store) {
    let sql = "INSERT INTO many (a, n) VALUES (?1, ?2) RETURNING id";
    let ids = tables(store).write_blocking(move |tx| {
        (1..=3_i64).map(|n| tx.query_opt(sql, params!["a", n], |row| row.get::<i64>(0))).collect()
    });
    assert_eq!(ids, Ok::<Vec<_>, Error>(vec![Some(1), Some(2), Some(3)]));
}

fn upserts_say_what_they_did(store: &Store) {
    let hit = |tx: &mut Tx<'_>| {
        let sql = "INSERT INTO pair (a, n, hits) VALUES ('a', 1, 1)
            ON CONFLICT (a, n) DO UPDATE SET hits = pair.hits + 1 RETURNING hits";
        tx.query_opt(sql, params![], |row| row.get::<i64>(0))
    };
    let db = tables(store);
    assert_eq!(db.write_blocking(hit), Ok(Some(1)));
    assert_eq!(db.write_blocking(hit), Ok(Some(2)));
    let again = "INSERT INTO pair (a, n, hits) VALUES ('a', 1, 1) ON CONFLICT DO NOTHING";
    assert_eq!(db.write_blocking(move |tx| tx.execute(again, params![])), Ok(0));
    let all = "UPDATE pair SET hits = 0";
    assert_eq!(db.write_blocking(move |tx| tx.execute(all, params![])), Ok(1));
}

fn pages_continue_after_a_key_of_two_columns(store: &Store) {
    let db = tables(store);
    let keys = [("a", 1_i64), ("a", 2), ("b", 1), ("b", 2)];
    db.write_blocking(move |tx| {
        keys.iter().try_for_each(|&(a, n)| {
            let sql = "INSERT INTO pair (a, n, hits) VALUES (?1, ?2, 0)";
            tx.execute(sql, params![a, n]).map(drop)
        })
    })
    .unwrap();
    let sql = "SELECT a, n FROM pair WHERE (a, n) > (?1, ?2) ORDER BY a, n LIMIT 2";
    let page = |tx: &mut Tx<'_>| {
        tx.query(sql, params!["a", 1_i64], |row| Ok((row.get::<String>(0)?, row.get::<i64>(1)?)))
    };
    assert_eq!(db.read_blocking(page).unwrap(), [("a".to_owned(), 2), ("b".to_owned(), 1)]);
}

fn a_partial_index_binds_its_rows_only(store: &Store) {
    let db = tables(store);
    let add = |n: i64| {
        let sql = "INSERT INTO many (a, n) VALUES ('a', ?1)";
        db.write_blocking(move |tx| tx.execute(sql, params![n]))
    };
    assert_eq!((add(1), add(1), add(0)), (Ok(1), Ok(1), Ok(1)));
    assert!(matches!(add(0), Err(Error::Conflict(_))));
}

fn wrong_calls_are_errors(store: &Store) {
    let read = |sql: &'static str, params: &'static [Value<'static>]| {
        store.db.read_blocking(move |tx| tx.query(sql, params, |row| row.get::<i64>(0)))
    };
    for (sql, params) in [
        ("SELECT amount FROM item WHERE name = ?1", &[][..]),
        ("SELECT amount FROM item WHERE name = ?1", &[Value::Null, Value::Null]),
        ("SELECT nothing FROM item", &[]),
        ("SELECT", &[]),
    ] {
        assert!(matches!(read(sql, params), Err(Error::Other(_))), "{sql}");
    }
}

fn types_are_strict(store: &Store) {
    let db = tables(store);
    for sql in ["UPDATE one SET i = ?1", "UPDATE one SET b = ?1"] {
        through(db, &(None, None, None)).unwrap();
        let answer = db.write_blocking(move |tx| tx.execute(sql, params!["text"]));
        assert!(matches!(answer, Err(Error::Other(_))), "{sql}: {answer:?}");
    }
}

fn truth_is_an_integer(store: &Store) {
    store.db.write_blocking(|tx| insert(tx, "a")).unwrap();
    let sql = "SELECT EXISTS (SELECT 1 FROM item WHERE name = ?1), amount = 1 FROM item";
    let read = move |tx: &mut Tx<'_>| {
        tx.query_opt(sql, params!["a"], |row| Ok((row.get::<bool>(0)?, row.get::<bool>(1)?)))
    };
    assert_eq!(store.db.read_blocking(read), Ok(Some((true, false))));
}
