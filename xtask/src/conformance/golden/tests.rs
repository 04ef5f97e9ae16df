#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

use super::*;
use crate::workspace::Scratch;

fn report(rows: &[(&str, Outcome)]) -> Report {
    rows.iter().map(|(name, outcome)| ((*name).to_owned(), *outcome)).collect()
}

fn names(rows: &[&str]) -> BTreeSet<String> {
    rows.iter().map(|name| (*name).to_owned()).collect()
}

#[test]
fn a_listed_test_that_fails_is_skipped_or_vanishes_is_lost() {
    let golden = names(&["m::fails", "m::gone", "m::passes", "m::skipped"]);
    let report = report(&[
        ("m::fails", Outcome::Failed),
        ("m::new", Outcome::Passed),
        ("m::passes", Outcome::Passed),
        ("m::skipped", Outcome::Skipped),
    ]);
    let whole = compare(&golden, &report, true);
    assert_eq!(whole.lost, ["m::fails", "m::gone", "m::skipped"]);
    assert_eq!(whole.gained, ["m::new"]);
    assert_eq!(compare(&golden, &report, false).lost, ["m::fails", "m::skipped"]);
}

#[test]
fn an_update_adds_to_the_list_and_takes_nothing_away() {
    let scratch = Scratch::new("golden-test").unwrap();
    let path = scratch.path().join("suite.passes");
    assert!(load(&path).unwrap().is_empty());
    write(&path, "m::b\n").unwrap();
    let report =
        report(&[("m::a", Outcome::Passed), ("m::b", Outcome::Failed), ("m::c", Outcome::Skipped)]);
    update(&path, &load(&path).unwrap(), &report).unwrap();
    assert_eq!(read(&path).unwrap(), "m::a\nm::b\n");
}

#[test]
fn a_kind_is_a_module_or_the_first_words_of_a_name() {
    assert_eq!(kind("s3tests.functional.test_s3::test_post_object_set_key"), "post_object");
    assert_eq!(kind("s3tests.functional.test_s3::test_atomic[1]"), "atomic");
    assert_eq!(kind("tests.test_bucket.TestBucket::test_bucket"), "bucket");
    assert_eq!(kind("alone"), "");
}

#[test]
fn the_table_counts_every_outcome_and_begins_with_what_fails_most() {
    let report = report(&[
        ("t.test_x::a", Outcome::Passed),
        ("t.test_y::a", Outcome::Failed),
        ("t.test_y::b", Outcome::Error),
        ("t.test_x::b", Outcome::Skipped),
    ]);
    let (table, sum) = table(&report);
    assert!(table.lines().nth(1).unwrap().starts_with("y "));
    assert_eq!(Counts::from(sum), Counts { passed: 1, failed: 2, skipped: 1 });
}
