//! Commit, rollback, isolation, and what a closure may rely on.

use std::ops::ControlFlow;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use store::{Db, Error, Row, Tx, params};

use crate::engines::{Store, eventually, insert, names, on_both_engines, runtime, start};

on_both_engines! {
    an_error_rolls_back
    a_panic_rolls_back_and_reaches_the_caller
    a_failed_statement_ends_its_transaction
    a_row_that_does_not_read_leaves_its_transaction_alive
    unique_and_foreign_keys_are_conflicts
    a_read_sees_one_snapshot
    uncommitted_rows_are_invisible
    a_read_cannot_write
    hooks_run_after_the_commit_only
    sixteen_writers_lose_no_increment
    a_hundred_tasks_write_and_read_at_once
    visit_shows_every_row_in_order_and_stops_early
    a_write_nobody_waits_for_commits_whole
    a_closed_database_says_so
    closing_finishes_what_was_started
    what_is_remembered_lasts_until_the_next_change
}

fn an_error_rolls_back(store: &Store) {
    let answer = store.db.write_blocking(|tx| {
        insert(tx, "a")?;
        Err::<(), _>(Error::Other("no".to_owned()))
    });
    assert_eq!(answer, Err(Error::Other("no".to_owned())));
    assert!(store.names().is_empty());
}

fn a_panic_rolls_back_and_reaches_the_caller(store: &Store) {
    let panic = catch_unwind(AssertUnwindSafe(|| {
        store.db.write_blocking(|tx| -> Result<(), Error> {
            insert(tx, "a")?;
            panic!("on purpose");
        })
    }));
    assert_eq!(panic.unwrap_err().downcast_ref(), Some(&"on purpose"));
    let read = catch_unwind(AssertUnwindSafe(|| {
        store.db.read_blocking(|_| -> Result<(), Error> { panic!("on purpose") })
    }));
    assert!(read.is_err());
    store.db.write_blocking(|tx| insert(tx, "b")).unwrap();
    assert_eq!(store.names(), ["b"]);
}

fn a_failed_statement_ends_its_transaction(store: &Store) {
    store.db.write_blocking(|tx| insert(tx, "a")).unwrap();
    let answer = store.db.write_blocking(|tx| {
        insert(tx, "b")?;
        let first = insert(tx, "a").unwrap_err();
        assert_eq!(insert(tx, "c").unwrap_err(), first);
        Ok(())
    });
    assert!(matches!(answer, Err(Error::Conflict(_))), "{answer:?}");
    assert_eq!(store.names(), ["a"]);
}

fn a_row_that_does_not_read_leaves_its_transaction_alive(store: &Store) {
    let answer = store.db.write_blocking(|tx| {
        insert(tx, "a")?;
        let sql = "SELECT name FROM item";
        assert!(tx.query(sql, params![], |row| row.get::<i64>(0)).is_err());
        assert!(tx.query_opt(sql, params![], |row| row.get::<String>(1)).is_err());
        insert(tx, "b")
    });
    assert_eq!(answer, Ok(1));
    assert_eq!(store.names(), ["a", "b"]);
}

fn unique_and_foreign_keys_are_conflicts(store: &Store) {
    let fails = |sql: &'static str| {
        store.db.write_blocking(move |tx| tx.execute(sql, params![])).unwrap_err()
    };
    store.db.write_blocking(|tx| insert(tx, "a")).unwrap();
    let child = "INSERT INTO item (name, amount, parent) VALUES ('b', 0, 'a')";
    store.db.write_blocking(move |tx| tx.execute(child, params![])).unwrap();
    for sql in [
        "INSERT INTO item (name, amount) VALUES ('a', 1)",
        "INSERT INTO item (name, amount, parent) VALUES ('c', 1, 'nobody')",
        "DELETE FROM item WHERE name = 'a'",
    ] {
        assert!(matches!(fails(sql), Error::Conflict(_)), "{sql}: {:?}", fails(sql));
    }
    for sql in [
        "INSERT INTO item (name, amount) VALUES ('c', -1)",
        "INSERT INTO item (name) VALUES ('c')",
        "INSERT INTO nowhere (name) VALUES ('c')",
        "INSERT INTO item (name, amount) VALUES ('c'",
    ] {
        assert!(matches!(fails(sql), Error::Other(_)), "{sql}: {:?}", fails(sql));
    }
    assert_eq!(store.names(), ["a", "b"]);
}

fn count(tx: &mut Tx<'_>) -> Result<i64, Error> {
    let sql = "SELECT CAST(COUNT(*) AS BIGINT) FROM item";
    tx.query_opt(sql, params![], |row| row.get(0)).map(Option::unwrap)
}

fn a_read_sees_one_snapshot(store: &Store) {
    let db = store.db.clone();
    let counts = store.db.read_blocking(move |tx| {
        let before = count(tx)?;
        db.write_blocking(|tx| insert(tx, "later"))?;
        Ok::<_, Error>((before, count(tx)?))
    });
    assert_eq!(counts, Ok((0, 0)));
    assert_eq!(store.names(), ["later"]);
}

fn uncommitted_rows_are_invisible(store: &Store) {
    let db = store.db.clone();
    let seen = store.db.write_blocking(move |tx| {
        insert(tx, "a")?;
        assert_eq!(count(tx)?, 1);
        db.read_blocking(count)
    });
    assert_eq!(seen, Ok(0));
    assert_eq!(store.names(), ["a"]);
}

fn a_read_cannot_write(store: &Store) {
    let answer = store.db.read_blocking(|tx| insert(tx, "a"));
    assert!(matches!(answer, Err(Error::Full(_))), "{answer:?}");
    let returning = "INSERT INTO item (name, amount) VALUES ('a', 1) RETURNING name";
    let answer = store
        .db
        .read_blocking(move |tx| tx.query(returning, params![], |row| row.get::<String>(0)));
    assert!(matches!(answer, Err(Error::Full(_))), "{answer:?}");
    assert!(store.names().is_empty());
}

fn hooks_run_after_the_commit_only(store: &Store) {
    let seen = Arc::new(AtomicUsize::new(0));
    let write = |fails: bool| {
        let (db, seen) = (store.db.clone(), Arc::clone(&seen));
        store.db.write_blocking(move |tx| {
            insert(tx, if fails { "b" } else { "a" })?;
            let (db, seen) = (db.clone(), Arc::clone(&seen));
            tx.on_commit(move || {
                seen.fetch_add(names(&db).len(), Ordering::SeqCst);
            });
            tx.on_commit(|| panic!("a hook that panics harms nobody"));
            if fails { Err(Error::Other("no".to_owned())) } else { Ok(()) }
        })
    };
    assert!(write(true).is_err());
    assert_eq!(seen.load(Ordering::SeqCst), 0);
    assert_eq!(write(false), Ok(()));
    // It ran before the answer, and the row was there when it ran.
    assert_eq!(seen.load(Ordering::SeqCst), 1);
}

fn increment(tx: &mut Tx<'_>) -> Result<(), Error> {
    let sql = "SELECT amount FROM item WHERE name = 'a'";
    let amount: i64 = tx.query_opt(sql, params![], |row| row.get(0))?.unwrap();
    tx.execute("UPDATE item SET amount = ?1 WHERE name = 'a'", params![amount + 1])?;
    Ok(())
}

fn amount_of_a(db: &Db) -> i64 {
    let sql = "SELECT amount FROM item WHERE name = 'a'";
    db.read_blocking(|tx| tx.query_opt(sql, params![], |row| row.get(0))).unwrap().unwrap()
}

fn sixteen_writers_lose_no_increment(store: &Store) {
    store.db.write_blocking(|tx| insert(tx, "a")).unwrap();
    thread::scope(|scope| {
        for _ in 0..16 {
            scope.spawn(|| {
                for _ in 0..20 {
                    store.db.write_blocking(increment).unwrap();
                }
            });
        }
    });
    assert_eq!(amount_of_a(&store.db), 320);
}

fn a_hundred_tasks_write_and_read_at_once(store: &Store) {
    runtime().block_on(async {
        let tasks: Vec<_> = (0..100)
            .map(|number| {
                let db = store.db.clone();
                tokio::spawn(async move {
                    let name = format!("{number:03}");
                    let key = name.clone();
                    db.write(move |tx| insert(tx, &key)).await?;
                    let sql = "SELECT name FROM item WHERE name = ?1";
                    let own = move |tx: &mut Tx<'_>| {
                        tx.query_opt(sql, params![&name], |row| row.get::<String>(0))
                    };
                    db.read(own).await
                })
            })
            .collect();
        for (number, task) in tasks.into_iter().enumerate() {
            assert_eq!(task.await.unwrap(), Ok(Some(format!("{number:03}"))));
        }
    });
    assert_eq!(store.names().len(), 100);
}

fn visit_shows_every_row_in_order_and_stops_early(store: &Store) {
    const ROWS: usize = 600;
    store
        .db
        .write_blocking(|tx| (0..ROWS).try_for_each(|n| insert(tx, &format!("{n:03}")).map(drop)))
        .unwrap();
    let visit = |until: usize| {
        store.db.read_blocking(move |tx| {
            let mut seen = Vec::new();
            tx.visit("SELECT name FROM item ORDER BY name", params![], |row: &Row<'_>| {
                seen.push(row.text(0)?.to_owned());
                let enough = seen.len() >= until;
                Ok(if enough { ControlFlow::Break(()) } else { ControlFlow::Continue(()) })
            })?;
            // A visit that was left does not hold up the next statement.
            assert_eq!(count(tx)?, 600);
            Ok::<_, Error>(seen)
        })
    };
    assert_eq!(visit(usize::MAX), Ok(store.names()));
    assert_eq!(visit(2).unwrap(), ["000", "001"]);
    assert_eq!(visit(512).unwrap().len(), 512);
}

fn a_write_nobody_waits_for_commits_whole(store: &Store) {
    let runtime = runtime();
    let _guard = runtime.enter();
    drop(start(&store.db, |tx| {
        insert(tx, "a")?;
        insert(tx, "b")
    }));
    eventually(|| {
        let names = store.names();
        assert!(names.is_empty() || names == ["a", "b"], "half a write: {names:?}");
        !names.is_empty()
    });
}

fn a_closed_database_says_so(store: &Store) {
    let other = store.db.clone();
    store.db.close();
    store.db.close();
    assert!(matches!(other.write_blocking(|tx| insert(tx, "a")), Err(Error::Unavailable(_))));
    assert!(matches!(other.read_blocking(count), Err(Error::Unavailable(_))));
    assert!(names(&store.reopened()).is_empty());
}

fn closing_finishes_what_was_started(store: &Store) {
    let runtime = runtime();
    let _guard = runtime.enter();
    let started: Vec<_> =
        ["a", "b", "c"].map(|name| start(&store.db, move |tx| insert(tx, name))).into();
    store.db.close();
    for write in started {
        assert_eq!(runtime.block_on(write), Ok(1));
    }
    assert_eq!(names(&store.reopened()), ["a", "b", "c"]);
}

fn what_is_remembered_lasts_until_the_next_change(store: &Store) {
    let run = |tx: &mut Tx<'_>| {
        assert_eq!(tx.remembered::<i64>(), None, "each transaction begins with nothing");
        tx.remember(7_i64);
        assert_eq!(count(tx)?, 0);
        assert_eq!((tx.remembered::<i64>(), tx.remembered::<u8>()), (Some(&7), None));
        insert(tx, "a")?;
        assert_eq!(tx.remembered::<i64>(), None);
        tx.remember(8_i64);
        let gone =
            tx.query("DELETE FROM item RETURNING name", params![], |row| row.get::<String>(0))?;
        assert_eq!((gone.len(), tx.remembered::<i64>()), (1, None));
        tx.remember(9_i64);
        Ok::<_, Error>(())
    };
    assert_eq!(store.db.write_blocking(run), Ok(()));
    assert_eq!(store.db.write_blocking(run), Ok(()));
}
