//! `awan receipt`, and `awan verify` of what it wrote.

use std::process::ExitCode;

use base::text::hex;
use ring::digest::{SHA256, digest};
use serde_json::{Value, json};

use crate::World;

/// Records a request in the log of the world; answers what the cloud says of it.
fn record(world: &World) -> Value {
    let statement = json!({
        "action": "oss:PutObject", "at": 1_795_305_723_000_000_i64, "outcome": "OK", "request": "R-1",
    })
    .to_string();
    let commitment = hex(digest(&SHA256, &[&[0x00, 0xff], statement.as_bytes()].concat()).as_ref());
    let leaf = json!({
        "v": 1, "at": base::Time::from_secs(1_795_305_723).iso(), "action": "oss:PutObject",
        "outcome": "OK", "commitment": commitment,
    })
    .to_string();
    world.log.borrow_mut().publish([&leaf]).unwrap();
    json!({"LogIndex": 1, "Leaf": leaf, "Statement": statement, "Salt": "00ff"})
}

fn success(world: &World, words: &[&str]) -> bool {
    let code = world.awan(words).unwrap();
    format!("{code:?}") == format!("{:?}", ExitCode::SUCCESS)
}

#[test]
fn a_receipt_is_a_file_that_proves_itself_without_the_cloud() {
    let world = World::new();
    world.server.receipts("R-1", json!([record(&world)]));
    let file = world.name("r.tlog-proof");
    assert!(success(&world, &["receipt", "R-1", "-o", &file]));
    let verify = ["verify", "--no-memory", "--receipt", &file];
    assert!(success(&world, &verify));

    let text = std::fs::read_to_string(&file).unwrap();
    std::fs::write(&file, text.replace("index 1", "index 0")).unwrap();
    assert!(!success(&world, &verify));
}

#[test]
fn a_receipt_that_is_not_there_yet_is_waited_for_with_an_end() {
    let world = World::new();
    let unknown = world.refused(&["receipt", "R-0"]);
    assert_eq!(unknown, "no receipt R-0 is known to this account");
    let mut row = record(&world);
    row["LogIndex"] = json!(7);
    world.server.receipts("R-1", json!([row]));
    let late = world.refused(&["receipt", "R-1", "--wait", "0"]);
    assert_eq!(late, "after 0 seconds still waiting until a checkpoint covers the entry");
    row["LogIndex"] = Value::Null;
    world.server.receipts("R-1", json!([row]));
    let late = world.refused(&["receipt", "R-1", "--wait", "0"]);
    assert_eq!(late, "after 0 seconds still waiting until the entry gets its place in the log");
}

#[test]
fn a_receipt_of_another_entry_than_its_own_is_refused() {
    let world = World::new();
    let mut row = record(&world);
    row["LogIndex"] = json!(0);
    world.server.receipts("R-1", json!([row]));
    assert!(!success(&world, &["receipt", "R-1", "-o", &world.name("r")]));
}

#[test]
fn the_log_is_verified_and_what_was_seen_is_kept_where_it_is_asked_for() {
    let world = World::new();
    let seen = world.name("seen");
    assert!(success(&world, &["verify", "--seen", &seen]));
    record(&world);
    assert!(success(&world, &["verify", "--seen", &seen]));
    let kept = std::fs::read_to_string(&seen).unwrap();
    assert!(kept.starts_with("awan.test/log\n2\n"), "{kept}");

    let checkpoint = world.path("log/checkpoint");
    std::fs::write(&checkpoint, kept.replace("\n2\n", "\n3\n")).unwrap();
    assert!(!success(&world, &["verify", "--no-memory"]));
    std::fs::remove_file(&checkpoint).unwrap();
    assert!(world.refused(&["verify", "--no-memory"]).contains("there is no checkpoint"));
}
