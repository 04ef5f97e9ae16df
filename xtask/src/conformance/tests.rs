#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

use super::*;
use crate::workspace::Scratch;
use junit::Outcome;

#[test]
fn a_run_is_good_only_if_nothing_of_the_list_is_lost() {
    let scratch = Scratch::new("conformance-test").unwrap();
    let path = scratch.path().join("suite.passes");
    write(&path, "m::a\n").unwrap();
    let report = |a| Report::from([("m::a".to_owned(), a), ("m::b".to_owned(), Outcome::Passed)]);
    assert_eq!(judge(&path, &report(Outcome::Failed), true, false), Ok(false));
    assert_eq!(judge(&path, &report(Outcome::Passed), true, false), Ok(true));
    assert_eq!(read(&path).unwrap(), "m::a\n");
    assert_eq!(judge(&path, &report(Outcome::Passed), true, true), Ok(true));
    assert_eq!(read(&path).unwrap(), "m::a\nm::b\n");
}

#[test]
fn a_reason_of_a_test_that_passes_fails_the_run_and_an_update_takes_it_away() {
    let scratch = Scratch::new("conformance-test").unwrap();
    let (path, reasons) =
        (scratch.path().join("suite.passes"), scratch.path().join("suite.reasons"));
    write(&path, "").unwrap();
    write(&reasons, "m::a\tA client.\nm::b\tAnother.\n").unwrap();
    let report = |a| Report::from([("m::a".to_owned(), a), ("m::b".to_owned(), Outcome::Failed)]);
    assert_eq!(judge(&path, &report(Outcome::Failed), true, false), Ok(true));
    assert_eq!(judge(&path, &report(Outcome::Passed), true, false), Ok(false));
    assert_eq!(judge(&path, &report(Outcome::Passed), true, true), Ok(true));
    assert_eq!(read(&reasons).unwrap(), "m::b\tAnother.\n");
}

#[test]
fn each_way_to_run_a_suite_has_a_list_of_its_own() {
    let workspace = Workspace::find().unwrap();
    let name = |signature: &str, virtual_host| {
        let plan = Plan {
            suite: Suite::named("oss2").unwrap(),
            dir: PathBuf::new(),
            filter: None,
            workers: "1".to_owned(),
            signature: signature.to_owned(),
            virtual_host,
            only_listed: None,
            report: None,
        };
        plan.golden_path(&workspace).file_name().unwrap().to_str().unwrap().to_owned()
    };
    assert_eq!(name("v4", false), "oss2.passes");
    assert_eq!(name("v1", false), "oss2-v1.passes");
    assert_eq!(name("v2", true), "oss2-v2-host.passes");
    assert!(Suite::named("unknown").is_err());
}
