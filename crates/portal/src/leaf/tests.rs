#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use proptest::prelude::*;

use super::*;

fn says(entry: &str) -> Leaf {
    match read(entry.as_bytes()) {
        Read::Says(leaf) => *leaf,
        other => panic!("{entry} is read as {other:?}"),
    }
}

#[test]
fn an_entry_without_facts_is_not_parsed() {
    let entry = br#"{"v":1,"at":"2026-11-22T01:02:03Z","action":"ram:CreateUser","outcome":"OK","commitment":"00"}"#;
    assert_eq!(read(entry), Read::Plain);
}

#[test]
fn facts_of_a_placement_are_read() {
    let leaf = says(
        r#"{"v":1,"at":"2026-11-22T01:02:03Z","action":"oss:PutObject","outcome":"OK","commitment":"00","public":{"tenant":"1001","class":"internal","placed":[{"site":"jkt-a","country":"ID","objects":-2}]}}"#,
    );
    assert_eq!(leaf.at.iso(), "2026-11-22T01:02:03Z");
    assert_eq!(leaf.facts.tenant.as_deref(), Some("1001"));
    let placed =
        Placed { site: "jkt-a".into(), country: "ID".into(), objects: -2, parts: 0, instances: 0 };
    assert_eq!(leaf.facts.placed, [placed]);
}

#[test]
fn a_refusal_is_read_even_without_facts() {
    let leaf = says(
        r#"{"v":1,"at":"2026-11-22T01:02:03Z","action":"oss:PutObject","outcome":"Forbidden.NoAgreement","commitment":"00"}"#,
    );
    assert_eq!(leaf.outcome, "Forbidden.NoAgreement");
    assert_eq!(leaf.facts, Facts::default());
}

#[test]
fn facts_that_a_later_version_adds_are_passed_over() {
    let leaf = says(
        r#"{"v":1,"at":"2026-11-22T01:02:03Z","action":"a:B","outcome":"OK","commitment":"00","public":{"new":[1,{}],"site":"x"}}"#,
    );
    assert_eq!(leaf.facts.site.as_deref(), Some("x"));
}

#[test]
fn what_is_no_entry_of_this_form_is_unknown() {
    for entry in [
        "",
        "hello",
        "\u{0}",
        r#"{"v":2,"at":"2026-11-22T01:02:03Z","action":"a:B","outcome":"No","commitment":""}"#,
        r#"{"v":1,"at":"yesterday","action":"a:B","outcome":"No","commitment":""}"#,
        r#"{"v":1,"at":"2026-11-22T01:02:03Z","action":"a:B","outcome":"OK","public":{"tenant":7}}"#,
    ] {
        assert_eq!(read(entry.as_bytes()), Read::Unknown, "{entry}");
    }
    assert_eq!(read(&[0xff, 0xfe]), Read::Unknown);
}

#[test]
fn long_texts_are_cut_at_a_character() {
    let long = "é".repeat(2000);
    assert_eq!(Text::from(long.as_str()).chars().count(), TEXT_CHARS_MAX);
}

proptest! {
    #[test]
    fn any_bytes_are_taken_without_panic(bytes: Vec<u8>) {
        read(&bytes);
    }

    #[test]
    fn any_facts_are_taken_without_panic(facts: String, outcome in "[A-Za-z.\"]{0,12}") {
        let entry = format!(r#"{{"v":1,"at":"2026-11-22T01:02:03Z","action":"a:B","outcome":"{outcome}","public":{facts}}}"#);
        read(entry.as_bytes());
    }
}
