//! `GetReceipt`: the id of a request opens its own leaf, for those whom it concerns.

use base::text::unhex;
use engine::Caller;
use engine::pipeline::{act, call};
use engine::sequencer::Sequencer;
use serde_json::Value;
use testkit::{TestCloud, root};
use tlog::{Directory, Reader, Signer};

use crate::path::cloud;
use crate::sample::{CreateNote, Note};

async fn receipts(test: &TestCloud, caller: &Caller, id: &str) -> Vec<Value> {
    let asked = [("ReceiptId", id)];
    let answer = call(&test.cloud, caller, "2026-01-01", "GetReceipt", &asked).await.unwrap();
    answer["Receipts"]["Receipt"].as_array().unwrap().clone()
}

/// Writes a note; answers the id of the request that did.
async fn write(test: &TestCloud) -> String {
    let note = Note { name: "a note".to_owned(), size: 1, labels: Vec::new() };
    act::<CreateNote>(&test.cloud, &root(1), note).await.unwrap();
    let entries = test
        .cloud
        .db
        .read(|tx| engine::audit::list(tx, base::AccountId::new(1), i64::MAX, 1))
        .await
        .unwrap();
    entries[0].request_id.clone()
}

#[tokio::test]
async fn a_receipt_opens_the_leaf_that_the_log_has() {
    let test = cloud();
    let id = write(&test).await;
    let before = receipts(&test, &root(1), &id).await;
    assert_eq!((before.len(), before[0].get("LogIndex")), (1, None));

    let dir = test.home.path().join("log");
    let signer = Signer::generate(&*test.cloud.rng, "test.local/log").unwrap();
    Sequencer::new(dir.clone(), &signer).publish_pending(&test.cloud).await.unwrap();
    let receipt = receipts(&test, &root(1), &id).await.remove(0);
    let leaf = Reader::open(Directory::new(dir), signer.verifier())
        .unwrap()
        .entry(receipt["LogIndex"].as_u64().unwrap())
        .unwrap();
    assert_eq!(leaf, receipt["Leaf"].as_str().unwrap().as_bytes());

    let mut opened = unhex(receipt["Salt"].as_str().unwrap()).unwrap();
    opened.extend_from_slice(receipt["Statement"].as_str().unwrap().as_bytes());
    let digest = ring::digest::digest(&ring::digest::SHA256, &opened);
    let leaf: Value = serde_json::from_slice(&leaf).unwrap();
    assert_eq!(leaf["commitment"], base::text::hex(digest.as_ref()));
}

#[tokio::test]
async fn nobody_else_gets_a_receipt_and_no_request_has_none() {
    let test = cloud();
    let id = write(&test).await;
    assert!(receipts(&test, &root(2), &id).await.is_empty());
    assert!(receipts(&test, &root(1), "00000000-0000-0000-0000-000000000000").await.is_empty());
    let asked = [("ReceiptId", id.as_str())];
    let user = testkit::user(1, "alice");
    let refused = call(&test.cloud, &user, "2026-01-01", "GetReceipt", &asked).await.unwrap_err();
    assert!(refused.is(&base::code::NO_PERMISSION));
}
