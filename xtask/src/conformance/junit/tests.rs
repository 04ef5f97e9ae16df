#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

use super::*;

const REPORT: &str = r#"<?xml version="1.0" encoding="utf-8"?><testsuites name="pytest tests">
<testsuite name="pytest" errors="1" failures="1" skipped="1" tests="5">
<testcase classname="tests.test_a.TestA" name="test_good" time="0.1" />
<testcase classname="tests.test_a.TestA" name="test_said" time="0.1"><system-out>&lt;failure&gt;</system-out></testcase>
<testcase classname="tests.test_a" name="test_bad[&quot;x&quot; &amp; y]" time="0.1"><failure message="a &lt; b">E</failure></testcase>
<testcase classname="tests.test_a" name="test_bad[&quot;x&quot; &amp; y]" time="0.1"><error message="clean-up">E</error></testcase>
<testcase classname="tests.test_b" name="test_left" time="0.0"><skipped type="pytest.skip" message="no" /></testcase>
</testsuite></testsuites>"#;

#[test]
fn a_report_gives_each_test_its_worst_outcome() {
    let report = parse(REPORT).unwrap();
    let outcome = |name: &str| report.get(name).copied();
    assert_eq!(report.len(), 4);
    assert_eq!(outcome("tests.test_a.TestA::test_good"), Some(Outcome::Passed));
    assert_eq!(outcome("tests.test_a.TestA::test_said"), Some(Outcome::Passed));
    assert_eq!(outcome("tests.test_a::test_bad[\"x\" & y]"), Some(Outcome::Error));
    assert_eq!(outcome("tests.test_b::test_left"), Some(Outcome::Skipped));
}

#[test]
fn a_report_without_tests_is_an_error() {
    assert!(parse("<testsuites></testsuites>").is_err());
    assert!(parse("").is_err());
    assert!(parse("<testcase time=\"1\"/>").is_err());
}

#[test]
fn a_report_cut_off_anywhere_is_read_or_refused_without_a_panic() {
    for end in (0..REPORT.len()).filter(|end| REPORT.is_char_boundary(*end)) {
        let _ = parse(&REPORT[..end]);
    }
}
