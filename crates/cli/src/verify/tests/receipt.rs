use base::Time;
use serde_json::json;

use super::world::{World, commitment};
use crate::receipt::prove;
use crate::verify::Findings;
use crate::verify::receipt::{self, Trust};

const SALT: &str = "00112233445566778899aabbccddeeff";

fn statement() -> String {
    json!({
        "account": "1234567890123456", "action": "oss:PutObject",
        "at": Time::parse_iso("2026-11-22T01:02:03Z").unwrap().micros() + 999_999,
        "detail": "", "key": "K", "outcome": "OK", "principal": "acs:ram::1:root",
        "request": "R-1", "resource": "acs:oss:*:1:b/k", "source": "127.0.0.1",
    })
    .to_string()
}

/// A log with one real entry, and the receipt of it.
fn receipt_of(world: &mut World, statement: &str) -> Vec<u8> {
    receipt_with(world, statement, "OK")
}

fn receipt_with(world: &mut World, statement: &str, outcome: &str) -> Vec<u8> {
    let leaf = json!({
        "v": 1, "at": "2026-11-22T01:02:03Z", "action": "oss:PutObject", "outcome": outcome,
        "commitment": commitment(SALT, statement),
        "public": {"tenant": "1234567890123456", "placed": [{"site": "jkt-a", "country": "ID", "objects": 1}]},
    })
    .to_string();
    world.append(&["another", &leaf, "a third"]);
    let row = json!({"LogIndex": 1, "Leaf": leaf, "Statement": statement, "Salt": SALT});
    prove(&world.open(), &row).unwrap()
}

fn check(bytes: &[u8], world: &World) -> Findings {
    let mut findings = Findings::default();
    let trust = Trust { key: world.signer.verifier(), policy: None };
    receipt::check(&receipt::read(bytes).unwrap(), &trust, &mut findings);
    findings
}

#[test]
fn a_receipt_says_what_was_done_to_whom_and_by_whom() {
    let mut world = World::new();
    let bytes = receipt_of(&mut world, &statement());
    let findings = check(&bytes, &world);
    assert!(findings.is_sound(), "{:?}", findings.defects);
    let text = findings.checked.join("\n");
    for said in [
        "entry     1 of the 3 under",
        "action    oss:PutObject at 2026-11-22T01:02:03Z, outcome OK",
        "public    tenant: 1234567890123456",
        "request   R-1",
        "outcome   OK",
        "by        acs:ram::1:root",
        "resource  acs:oss:*:1:b/k",
    ] {
        assert!(text.contains(said), "{text}\nlacks {said}");
    }
    assert!(
        findings.proven[0].starts_with("entry 1 of awan.test/log is this"),
        "{:?}",
        findings.proven
    );
}

#[test]
fn any_changed_byte_of_a_receipt_is_refused() {
    let mut world = World::new();
    let bytes = receipt_of(&mut world, &statement());
    let text = String::from_utf8(bytes.clone()).unwrap();
    let end_of_text = text.find("\n\n").unwrap();
    for at in 0..text.len() {
        // The name in the log's signature line may become that of somebody unknown; nothing else may.
        let mut changed = bytes.clone();
        changed[at] = if changed[at] == b'A' { b'B' } else { b'A' };
        let mut findings = Findings::default();
        let trust = Trust { key: world.signer.verifier(), policy: None };
        let refused = match receipt::read(&changed) {
            Ok(receipt) => {
                receipt::check(&receipt, &trust, &mut findings);
                !findings.is_sound()
            }
            Err(_) => true,
        };
        assert!(refused, "byte {at} of {end_of_text}: {findings:?}");
    }
}

#[test]
fn a_leaf_that_says_something_else_than_its_statement_is_named() {
    let mut world = World::new();
    let other = statement().replace("PutObject", "GetObject");
    let bytes = receipt_of(&mut world, &other);
    let findings = check(&bytes, &world);
    assert_eq!(
        findings.defects,
        [
            "the leaf says oss:PutObject at 2026-11-22T01:02:03Z with outcome OK, and what it commits to says oss:GetObject at 2026-11-22T01:02:03Z with outcome OK"
        ]
    );
}

#[test]
fn a_receipt_of_a_stranger_or_of_another_statement_is_refused() {
    let mut world = World::new();
    let bytes = receipt_of(&mut world, &statement());
    let stranger = check(&bytes, &World::new());
    assert!(stranger.defects[0].contains("no signature by a known key"), "{stranger:?}");

    let leaf = String::from_utf8(world.open().reader.entry(1).unwrap()).unwrap();
    let row = json!({"LogIndex": 1, "Leaf": leaf, "Statement": "{}", "Salt": SALT});
    let findings = check(&prove(&world.open(), &row).unwrap(), &world);
    assert!(
        findings.defects[0]
            .starts_with("entry 1 commits to something else than the receipt's statement"),
        "{findings:?}"
    );
}

#[test]
fn two_checkpoints_of_one_size_are_evidence_without_the_log() {
    let state = tempfile::tempdir().unwrap();
    let mut world = World::new();
    let bytes = receipt_of(&mut world, &statement());
    let mut other = world.rewritten();
    other.append(&["one", "two", "three"]);
    assert_eq!(other.defects(state.path()), [""; 0]);

    let mut findings = Findings::default();
    let trust = Trust { key: world.signer.verifier(), policy: None };
    let receipt = receipt::read(&bytes).unwrap();
    let checkpoint = receipt::check(&receipt, &trust, &mut findings).unwrap();
    let proof = &receipt.0;
    let memory = world.memory(state.path());
    memory
        .check_alone(&proof.checkpoint, &checkpoint, world.signer.verifier(), &mut findings)
        .unwrap();
    assert!(
        findings.defects[0]
            .starts_with("a split view: the log signed two different roots for 3 entries"),
        "{findings:?}"
    );
}

#[test]
fn outcome_and_account_of_statement_and_leaf_are_the_same() {
    for (outcome, said, good) in [
        ("OK", "OK", true),
        ("InvalidParameter", "InvalidParameter.BucketName", true),
        ("AccessDenied", "AccessDenied", true),
        ("OK", "AccessDenied", false),
        ("AccessDenied", "OK", false),
        ("Access", "AccessDenied", false),
        ("OK", "", false),
    ] {
        let mut world = World::new();
        let statement =
            statement().replace("\"outcome\":\"OK\"", &format!("\"outcome\":\"{said}\""));
        let bytes = receipt_with(&mut world, &statement, outcome);
        let findings = check(&bytes, &world);
        assert_eq!(findings.is_sound(), good, "{outcome} {said}: {:?}", findings.defects);
    }
    let mut world = World::new();
    let other = statement().replace("1234567890123456", "0000000000000007");
    let bytes = receipt_of(&mut world, &other);
    assert_eq!(
        check(&bytes, &world).defects,
        [
            "the leaf is about tenant 1234567890123456, and what it commits to is of account 0000000000000007"
        ]
    );
    // Who is refused something at another's place has the refusal in its own trail.
    let mut world = World::new();
    let refused = other.replace("\"outcome\":\"OK\"", "\"outcome\":\"AccessDenied\"");
    let bytes = receipt_with(&mut world, &refused, "AccessDenied");
    assert!(check(&bytes, &world).is_sound());
}
