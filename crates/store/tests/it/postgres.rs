//! What only PostgreSQL has: connections that break, and text it refuses.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use store::{Error, params};

use crate::engines::{Store, insert};

#[test]
fn a_lost_connection_is_replaced() {
    let Some(store) = Store::postgres() else { return };
    store.db.write_blocking(|tx| insert(tx, "a")).unwrap();
    let terminate = format!(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = '{}'",
        store.schema()
    );
    store.administer(&terminate);
    assert_eq!(store.db.write_blocking(|tx| insert(tx, "b")), Ok(1));
    assert_eq!(store.names(), ["a", "b"]);
    assert!(store.db.counters().retries > 0);
}

#[test]
fn a_connection_lost_inside_a_transaction_is_replaced_and_the_closure_run_again() {
    let Some(store) = Store::postgres() else { return };
    let mut runs = 0;
    let answer = store.db.write_blocking(move |tx| {
        runs += 1;
        insert(tx, "a")?;
        if runs == 1 {
            tx.execute("SELECT pg_terminate_backend(pg_backend_pid())", params![])?;
        }
        Ok::<_, Error>(runs)
    });
    assert_eq!(answer, Ok(2));
    assert_eq!(store.names(), ["a"]);
}

/// A long write that reads what many short ones change meanwhile would be given up for them for ever.
#[test]
fn a_long_write_comes_to_its_end_beside_many_short_ones() {
    let Some(store) = Store::postgres() else { return };
    store.db.write_blocking(|tx| insert(tx, "a")).unwrap();
    const RAISE: &str = "UPDATE item SET amount = amount + 1 WHERE name = 'a'";
    let ended = AtomicBool::new(false);
    let (answer, short) = std::thread::scope(|scope| {
        let hammer = || {
            let mut done = 0_i64;
            while !ended.load(Ordering::Relaxed) {
                let raised = store.db.write_blocking(|tx| tx.execute(RAISE, params![]));
                done += i64::from(raised.is_ok());
            }
            done
        };
        let short: Vec<_> = (0..4).map(|_| scope.spawn(hammer)).collect();
        let answer = store.db.write_blocking(|tx| {
            let amount = "SELECT amount FROM item WHERE name = 'a'";
            tx.query_opt(amount, params![], |row| row.get::<i64>(0))?;
            std::thread::sleep(Duration::from_millis(60));
            tx.execute(RAISE, params![])
        });
        ended.store(true, Ordering::Relaxed);
        (answer, short.into_iter().map(|thread| thread.join().unwrap()).sum::<i64>())
    });
    assert_eq!(answer, Ok(1));
    let amount = |tx: &mut store::Tx<'_>| {
        let sql = "SELECT amount FROM item WHERE name = 'a'";
        tx.query_opt(sql, params![], |row| row.get::<i64>(0))
    };
    assert_eq!(store.db.read_blocking(amount), Ok(Some(short + 1)));
}

/// Whoever waited for a write that cannot reach the database would fail later, and one after the other.
#[test]
fn a_write_whose_connections_break_keeps_no_other_waiting() {
    let Some(store) = Store::postgres() else { return };
    let (db, mut breaks) = (store.db.clone(), 8);
    let answer = store.db.write_blocking(move |tx| {
        insert(tx, "a")?;
        if breaks > 0 {
            breaks -= 1;
            tx.execute("SELECT pg_terminate_backend(pg_backend_pid())", params![])?;
        }
        let (sender, other) = std::sync::mpsc::channel();
        let db = db.clone();
        std::thread::spawn(move || sender.send(db.write_blocking(|tx| insert(tx, "b"))));
        Ok::<_, Error>(other.recv_timeout(Duration::from_secs(10)))
    });
    assert_eq!(answer, Ok(Ok(Ok(1))));
}

#[test]
fn a_zero_byte_in_text_is_an_error() {
    let Some(store) = Store::postgres() else { return };
    let answer = store.db.write_blocking(|tx| insert(tx, "a\0b"));
    assert!(matches!(answer, Err(Error::Other(_))), "{answer:?}");
    assert_eq!(store.db.write_blocking(|tx| insert(tx, "a")), Ok(1));
}

#[test]
fn a_server_that_is_not_there_is_reported_as_unavailable() {
    let conninfo = base::Secret::new("host=/nonexistent user=nobody".to_owned());
    let config = store::Config::new(store::Backend::Postgres(conninfo));
    let error = store::Db::open(config).err().unwrap();
    assert!(matches!(error, Error::Unavailable(_)), "{error:?}");
}
