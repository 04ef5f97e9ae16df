#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use proptest::prelude::*;

use super::*;

const DIALECTS: [Dialect; 2] = [Dialect::Oss, Dialect::S3];

fn modes() -> impl Strategy<Value = LockMode> {
    prop_oneof![Just(LockMode::Governance), Just(LockMode::Compliance)]
}

fn locks() -> impl Strategy<Value = ObjectLock> {
    let period =
        prop_oneof![(1..=DAYS_MAX).prop_map(Period::Days), (1..=YEARS_MAX).prop_map(Period::Years)];
    let default = (modes(), period).prop_map(|(mode, period)| DefaultRetention { mode, period });
    prop::option::of(default).prop_map(|default| ObjectLock { default })
}

fn told(rule: &str) -> Result<ObjectLock, String> {
    let document = format!(
        "<ObjectLockConfiguration><ObjectLockEnabled>Enabled</ObjectLockEnabled>{rule}</ObjectLockConfiguration>"
    );
    object_lock(document.as_bytes(), Dialect::S3).map_err(|refused| refused.code().to_owned())
}

fn rule(mode: &str, period: &str) -> String {
    format!("<Rule><DefaultRetention><Mode>{mode}</Mode>{period}</DefaultRetention></Rule>")
}

#[test]
fn only_a_rule_of_one_period_is_one() {
    for (rule, code) in [
        (rule("GOVERNANCE", "<Days>1</Days><Years>1</Years>"), "MalformedXML"),
        (rule("GOVERNANCE", ""), "MalformedXML"),
        (rule("GOVERNANCE", "<Days>one</Days>"), "MalformedXML"),
        (rule("governance", "<Days>1</Days>"), "MalformedXML"),
        (rule("GOVERNANCE", "<Days>0</Days>"), "InvalidRetentionPeriod"),
        (rule("GOVERNANCE", "<Years>-1</Years>"), "InvalidRetentionPeriod"),
        (rule("GOVERNANCE", "<Days>36501</Days>"), "InvalidRetentionPeriod"),
        (rule("COMPLIANCE", "<Years>101</Years>"), "InvalidRetentionPeriod"),
        ("<Rule></Rule>".to_owned(), "MalformedXML"),
    ] {
        assert_eq!(told(&rule), Err(code.to_owned()), "{rule}");
    }
    assert_eq!(told(""), Ok(ObjectLock::default()));
}

#[test]
fn moments_are_read_with_any_fraction_and_never_too_early() {
    let second = Time::parse_iso("2030-01-01T00:00:00Z").unwrap();
    for (text, micros) in [
        ("2030-01-01T00:00:00Z", 0),
        ("2030-01-01T00:00:00.5Z", 500_000),
        ("2030-01-01T00:00:00.000Z", 0),
        ("2030-01-01T00:00:00.123456Z", 123_456),
        ("2030-01-01T00:00:00.000000001Z", 1),
    ] {
        assert_eq!(moment(text).unwrap().micros() - second.micros(), micros, "{text}");
    }
    for text in ["", "2030-01-01", "2030-01-01T00:00:00.Z", "2030-01-01T00:00:00.1", "1.2Z"] {
        assert_eq!(moment(text), None, "{text}");
    }
}

#[test]
fn a_mode_needs_a_date_and_a_date_a_mode() {
    let date = Some("2030-01-01T00:00:00Z");
    assert!(lock(Some("GOVERNANCE"), date, Some("ON")).is_ok());
    assert_eq!(lock(None, None, None).unwrap(), Lock::default());
    for (mode, until, hold) in [
        (Some("GOVERNANCE"), None, None),
        (None, date, None),
        (Some("governance"), date, None),
        (Some("GOVERNANCE"), Some("tomorrow"), None),
        (None, None, Some("on")),
    ] {
        assert_eq!(lock(mode, until, hold).unwrap_err().code(), "InvalidArgument");
    }
}

proptest! {
    #[test]
    fn documents_come_back(wanted in locks(), mode in modes(), secs in 0..4_000_000_000_i64, on: bool) {
        let until = Retention::new(mode, Time::from_secs(secs));
        for dialect in DIALECTS {
            prop_assert_eq!(object_lock(&render_object_lock(&wanted, dialect), dialect).unwrap(), wanted);
            prop_assert_eq!(retention(&render_retention(&until, dialect)).unwrap(), Some(until));
            prop_assert_eq!(legal_hold(&render_legal_hold(on, dialect)).unwrap(), on);
        }
    }

    #[test]
    fn any_bytes_are_read_or_refused(bytes: Vec<u8>, text: String) {
        for dialect in DIALECTS {
            prop_assert!(object_lock(&bytes, dialect).is_err());
        }
        prop_assert!(retention(&bytes).is_err() && legal_hold(&bytes).is_err());
        prop_assert!(worm_days(&bytes, "InitiateWormConfiguration").is_err());
        let _ = (moment(&text), lock(Some(&text), Some(&text), Some(&text)));
    }

    #[test]
    fn any_words_in_documents_are_read_or_refused(word in "[^<&]{0,30}") {
        let _ = told(&rule("GOVERNANCE", &format!("<Days>{word}</Days>")));
        let _ = retention(format!("<Retention><Mode>{word}</Mode><RetainUntilDate>{word}</RetainUntilDate></Retention>").as_bytes());
        let days = format!("<E><RetentionPeriodInDays>{word}</RetentionPeriodInDays></E>");
        if let Ok(days) = worm_days(days.as_bytes(), "E") {
            prop_assert_eq!(word.trim().parse::<u32>().ok(), Some(days));
        }
    }
}
