//! The routes as they follow the rows.

use std::sync::Arc;
use std::time::{Duration, Instant};

use base::{AccountId, ApiError};
use rds::gateway::{Book, Door, Route, Routes};
use rds::model::{Engine, Status};
use store::{Db, params};
use tokio::sync::watch;

async fn insert(db: &Db, id: &'static str) {
    db.write(move |tx| {
        tx.execute(
            "INSERT INTO rds_instance (id, account, region, engine, major, class, storage_gib, category, data_class,
                 status, wanted, generation, settled, restarts, term, name, origin, options, secrets, created)
             VALUES (?1, 1, 'id-jakarta', 'PostgreSQL', '17', 'pg.n2.2c.1m', 20, 'Basic', 'public', 'Creating',
                 'running', 1, 0, 0, 1, ?1, '\"Template\"', '{\"public_name\": \"umum\"}', ?2, 0)",
            params![id, &b"x"[..]],
        )?;
        tx.execute(
            "INSERT INTO rds_ip_array (instance, name, attribute, addresses) VALUES (?1, 'default', '', '10.0.0.0/8')",
            params![id],
        )?;
        Ok::<_, ApiError>(())
    })
    .await
    .unwrap();
}

async fn run(db: &Db, sql: &'static str) {
    db.write(move |tx| tx.execute(sql, params![]).map_err(ApiError::from)).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_book_follows_the_rows_and_looks_again_for_what_it_misses() {
    let test = testkit::cloud(&[], &[rds::MIGRATIONS]);
    let db = test.cloud.db.clone();
    let book = Book::new(db.clone());
    let (stop, stopped) = watch::channel(false);
    let task = tokio::spawn(Arc::clone(&book).run(stopped));
    book.refresh().await;
    assert_eq!(book.route("pgm-1"), Route::Unknown);

    insert(&db, "pgm-1").await;
    let start = Instant::now();
    book.refresh().await;
    assert!(start.elapsed() < Duration::from_millis(400), "sooner than it looks by itself");
    assert!(matches!(book.route("umum"), Route::Hold { instance, .. } if instance == "pgm-1"));

    let mut changes = book.changes();
    changes.borrow_and_update();
    run(&db, "UPDATE rds_instance SET status = 'Running'").await;
    run(
        &db,
        "INSERT INTO rds_member (instance, site, zone, role, host, port, observed, seen)
         VALUES ('pgm-1', 'jkt-1', 'jkt-1a', 'primary', '127.0.0.1', 5433, '{\"phase\": \"Serving\"}', 0),
                ('pgm-1', 'jkt-2', 'jkt-2a', 'standby', '127.0.0.1', 5434, '{\"phase\": \"Serving\"}', 0)",
    )
    .await;
    let followed = changes.wait_for(|_| matches!(book.route("pgm-1"), Route::To { .. }));
    tokio::time::timeout(Duration::from_secs(5), followed).await.expect("in time").unwrap();
    let Route::To { address, allow, version, .. } = book.route("pgm-1") else { panic!("gone") };
    assert_eq!((address.port(), version), (5433, 1));
    assert_eq!(*allow, Door::open_to(&["10.0.0.0/8"]));

    // By itself, without being told.
    run(&db, "DELETE FROM rds_instance").await;
    let followed = changes.wait_for(|_| book.route("pgm-1") == Route::Unknown);
    tokio::time::timeout(Duration::from_secs(5), followed).await.expect("in time").unwrap();
    stop.send_replace(true);
    task.await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_book_hears_at_once_of_what_this_process_commits() {
    let test = testkit::cloud(&[], &[rds::MIGRATIONS]);
    let (db, cloud) = (test.cloud.db.clone(), Arc::clone(&test.cloud));
    db.write(move |tx| {
        let made = ("pgm-1", AccountId::from_i64(1));
        rds::testing::instance(tx, &cloud, made, Engine::Postgres, None)
    })
    .await
    .unwrap();
    let book = Book::new(db.clone());
    let (stop, stopped) = watch::channel(false);
    let task = tokio::spawn(Arc::clone(&book).run(stopped));
    book.refresh().await;
    let mut changes = book.changes();
    let start = Instant::now();
    for _ in 0..10 {
        for (status, stops) in [(Status::Stopped, true), (Status::Running, false)] {
            db.write(move |tx| rds::testing::set_status(tx, "pgm-1", status)).await.unwrap();
            let is = |_: &u64| (book.route("pgm-1") == Route::Stopped) == stops;
            let told = changes.wait_for(is);
            tokio::time::timeout(Duration::from_secs(5), told).await.expect("in time").unwrap();
        }
    }
    let took = start.elapsed();
    assert!(
        took < Duration::from_secs(5),
        "20 changes took {took:?}: by itself it looks twice a second"
    );
    stop.send_replace(true);
    task.await.unwrap();
}
