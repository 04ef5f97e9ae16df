#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod agreements;
mod bill;
mod memory;
mod placements;
mod receipt;
mod tampering;
mod world;

use serde_json::json;

use super::trail::opens;
use world::{World, commitment};

#[test]
fn an_audit_row_opens_its_own_entry_and_no_other() {
    let row = |statement: &str| json!({"Statement": statement, "Salt": "00ff", "RequestId": "R"});
    let mine = row("{\"a\":1}");
    let leaf = |commitment: String| {
        json!({"v": 1, "at": "2026-11-22T00:00:00Z", "action": "a:B", "outcome": "OK", "commitment": commitment})
            .to_string()
    };
    let mut world = World::new();
    world.append(&[leaf(commitment("00ff", "{\"a\":1}")), "not JSON".to_owned(), "{}".to_owned()]);
    let log = world.open();
    assert!(opens(&log, 0, &mine).is_ok());
    let why = opens(&log, 0, &row("{\"a\":2}")).unwrap_err();
    assert_eq!(why, "entry 0 of the log commits to something else");
    assert!(opens(&log, 1, &mine).unwrap_err().starts_with("entry 1: it is no leaf"));
    // A row without a salt must not match a leaf without a commitment.
    assert!(opens(&log, 2, &json!({})).is_err());
}

#[test]
fn what_an_operator_may_show_is_shown_as_a_policy_wants() {
    use tlog::cosign::Cosigner;
    let mut world = World::new();
    world.append(&["first"]);
    let witness = Cosigner::generate(&base::SystemRng, "witness.test").unwrap();
    let policy = format!("witness w {}\nquorum w\n", witness.key());
    let policy = tlog::policy::Policy::parse(policy.as_bytes()).unwrap();
    let verdict = |world: &World| {
        let mut findings = super::Findings::default();
        super::receipt::cosigners(&world.open().note(), Some(&policy), &mut findings);
        (findings.checked, findings.defects)
    };
    let (_, defects) = verdict(&world);
    assert_eq!(
        defects,
        ["the checkpoint does not satisfy the policy: the quorum w is not met without w"]
    );

    let note = world.open().note();
    let at = base::Time::from_secs(1_700_000_000);
    let line = witness.cosign(&note, at);
    let cosigned = note.with_signatures([line]);
    std::fs::write(world.log_dir().join("checkpoint"), cosigned.to_string()).unwrap();
    let (checked, defects) = verdict(&world);
    assert_eq!(
        (checked, defects.len()),
        (vec!["cosigned  by w, which satisfies the policy".to_owned()], 0)
    );
}
