//! Audit rows become leaves of a log that verifies.

use std::path::Path;

use engine::pipeline::act;
use engine::sequencer::Sequencer;
use testkit::root;
use tlog::{Directory, Reader, Signer, Verifier};

use crate::path::cloud;
use crate::sample::{CreateNote, Note};

async fn write(test: &testkit::TestCloud, from: usize, until: usize) {
    for number in from..until {
        let note = Note { name: format!("note {number}"), size: 1, labels: Vec::new() };
        act::<CreateNote>(&test.cloud, &root(1), note).await.unwrap();
    }
}

/// Checks every leaf and tile; says how many leaves there are.
fn verify(dir: &Path, key: &Verifier) -> u64 {
    let audit = Reader::open(Directory::new(dir), key).unwrap().verify_all();
    assert!(audit.faults.is_empty(), "{:?}", audit.faults);
    audit.entries
}

#[tokio::test]
async fn every_committed_change_is_a_leaf_once_also_after_a_restart() {
    let test = cloud();
    let dir = test.home.path().join("log");
    let signer = Signer::generate(&*test.cloud.rng, "test.local/log").unwrap();
    write(&test, 0, 300).await;
    Sequencer::new(dir.clone(), &signer).publish_pending(&test.cloud).await.unwrap();
    assert_eq!(verify(&dir, signer.verifier()), 300);
    write(&test, 300, 310).await;
    // A new sequencer, as after a restart, goes on where the files end.
    let again = Sequencer::new(dir.clone(), &signer);
    again.publish_pending(&test.cloud).await.unwrap();
    again.publish_pending(&test.cloud).await.unwrap();
    assert_eq!(verify(&dir, signer.verifier()), 310);
}

#[tokio::test]
async fn a_crash_between_assigning_and_publishing_loses_and_doubles_nothing() {
    let test = cloud();
    let dir = test.home.path().join("log");
    let signer = Signer::generate(&*test.cloud.rng, "test.local/log").unwrap();
    write(&test, 0, 20).await;
    // A directory that cannot be made stands for a crash: the places are given, nothing is published.
    std::fs::write(&dir, b"in the way").unwrap();
    assert!(Sequencer::new(dir.clone(), &signer).publish_pending(&test.cloud).await.is_err());
    std::fs::remove_file(&dir).unwrap();
    write(&test, 20, 25).await;
    Sequencer::new(dir.clone(), &signer).publish_pending(&test.cloud).await.unwrap();
    assert_eq!(verify(&dir, signer.verifier()), 25);
}

#[tokio::test]
async fn a_database_older_than_its_log_gives_no_place_a_second_time() {
    let test = cloud();
    let dir = test.home.path().join("log");
    let signer = Signer::generate(&*test.cloud.rng, "test.local/log").unwrap();
    write(&test, 0, 20).await;
    Sequencer::new(dir.clone(), &signer).publish_pending(&test.cloud).await.unwrap();
    // As after a restore of the database alone.
    let restored: Result<u64, store::Error> = test
        .cloud
        .db
        .write(|tx| {
            tx.execute("UPDATE log_state SET assigned = 5, published = 5", &[])?;
            tx.execute("DELETE FROM audit WHERE log_index >= 5", &[])
        })
        .await;
    assert_eq!(restored.unwrap(), 15);
    write(&test, 20, 23).await;
    let refused = Sequencer::new(dir.clone(), &signer).publish_pending(&test.cloud).await;
    assert!(refused.unwrap_err().reason.contains("older than the log"));
    assert_eq!(verify(&dir, signer.verifier()), 20);
}

#[tokio::test]
async fn a_leaf_tells_nothing_of_the_tenant_and_the_row_opens_it() {
    let test = cloud();
    write(&test, 0, 1).await;
    let entries = test
        .cloud
        .db
        .read(|tx| engine::audit::list(tx, base::AccountId::new(1), i64::MAX, 10))
        .await
        .unwrap();
    let entry = &entries[0];
    let leaf = String::from_utf8(entry.leaf()).unwrap();
    for private in ["note 0", "0000000000000001", "root"] {
        assert!(!leaf.contains(private), "{leaf}");
    }
    let mut opened = entry.salt.clone();
    opened.extend_from_slice(entry.statement().as_bytes());
    let digest = ring::digest::digest(&ring::digest::SHA256, &opened);
    assert!(leaf.contains(&base::text::hex(digest.as_ref())), "{leaf}");
}

/// These bytes are hashed into logs that exist: they may never change.
#[test]
fn a_row_gives_the_leaf_that_it_always_gave() {
    let mut entry = engine::audit::Entry {
        id: 1,
        at: base::Time::from_secs(1_767_323_045),
        request_id: "R".to_owned(),
        account: base::AccountId::new(1),
        principal: "acs:ram::0000000000000001:root".to_owned(),
        key_id: "K".to_owned(),
        source_ip: "127.0.0.1".to_owned(),
        product: "oss".to_owned(),
        action: "PutObject".to_owned(),
        resource: "acs:oss:*:1:b/k".to_owned(),
        outcome: "OK".to_owned(),
        detail: String::new(),
        salt: vec![7; 16],
        public: String::new(),
        log_index: None,
    };
    let leaf = |entry: &engine::audit::Entry| String::from_utf8(entry.leaf()).unwrap();
    let silent = expect_test::expect![[
        r#"{"v":1,"at":"2026-01-02T03:04:05Z","action":"oss:PutObject","outcome":"OK","commitment":"56faaabee362ccb21774335ee2db43f038f2561cc6956d4e4f3b423b1b77badd"}"#
    ]];
    silent.assert_eq(&leaf(&entry));
    entry.public = r#"{"tenant":"0000000000000001","placed":[]}"#.to_owned();
    let stated = expect_test::expect![[
        r#"{"v":1,"at":"2026-01-02T03:04:05Z","action":"oss:PutObject","outcome":"OK","commitment":"56faaabee362ccb21774335ee2db43f038f2561cc6956d4e4f3b423b1b77badd","public":{"tenant":"0000000000000001","placed":[]}}"#
    ]];
    stated.assert_eq(&leaf(&entry));
}

#[tokio::test]
async fn an_account_reads_its_own_trail_page_by_page_newest_first() {
    let test = cloud();
    write(&test, 0, 5).await;
    let mut seen = Vec::new();
    let mut token = String::new();
    loop {
        let params = [("MaxResults", "2"), ("NextToken", token.as_str())];
        let page = engine::pipeline::call(
            &test.cloud,
            &root(1),
            "2026-01-01",
            "ListAuditEntries",
            &params,
        )
        .await
        .unwrap();
        let entries = page["Entries"]["Entry"].as_array().unwrap();
        seen.extend(entries.iter().map(|entry| entry["Resource"].as_str().unwrap().to_owned()));
        match page["NextToken"].as_str() {
            Some(next) => token = next.to_owned(),
            None => break,
        }
    }
    let expected =
        (0..5).rev().map(|number| format!("acs:sample:*:0000000000000001:note/note {number}"));
    assert_eq!(seen, expected.collect::<Vec<_>>());
    let call = async |caller| {
        engine::pipeline::call(&test.cloud, &caller, "2026-01-01", "ListAuditEntries", &[]).await
    };
    assert_eq!(call(root(2)).await.unwrap()["Entries"]["Entry"], serde_json::json!([]));
    assert!(call(testkit::user(1, "alice")).await.unwrap_err().is(&base::code::NO_PERMISSION));
}
