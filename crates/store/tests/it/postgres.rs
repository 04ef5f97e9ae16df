//! What only PostgreSQL has: connections that break, and text it refuses.

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
