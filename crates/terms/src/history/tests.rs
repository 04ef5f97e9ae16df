use super::*;

const BOTH: Signed = Signed { provider: true, tenant: true };

fn at(text: &str) -> Time {
    Time::parse_iso(&format!("2026-11-{text}Z")).expect("a time")
}

fn step(id: &str, tag: Tag, amends: Option<&str>) -> Step {
    Step {
        ocid: "o".to_owned(),
        id: id.to_owned(),
        digest: id.to_owned(),
        tag,
        start: at("01T00:00:00"),
        end: None,
        amends: amends.map(str::to_owned),
        notice_days: 10,
        tenant_key: "k".to_owned(),
        signed: BOTH,
    }
}

fn begun() -> History {
    let mut history = History::default();
    history
        .activate(step("c", Tag::Contract, None), (0, at("01T01:20:00")))
        .expect("a contract begins");
    history
}

/// The periods as `release from until`.
fn check(history: &History, expected: &[(&str, &str, &str)]) {
    let day = |time: Time| time.iso()[8..19].to_owned();
    let found: Vec<_> = history
        .periods()
        .iter()
        .map(|period| {
            let until = period.until.map_or_else(|| "-".to_owned(), day);
            (history.step(period).id.clone(), day(period.from), until)
        })
        .collect();
    let own = |(a, b, c): &(&str, &str, &str)| ((*a).to_owned(), (*b).to_owned(), (*c).to_owned());
    assert_eq!(found, expected.iter().map(own).collect::<Vec<_>>());
}

#[test]
fn an_amendment_binds_from_the_next_hour_and_a_termination_from_its_end() {
    let mut history = begun();
    let amendment = step("a", Tag::ContractAmendment, Some("c"));
    history.activate(amendment, (1, at("01T02:10:00"))).expect("it follows");
    check(&history, &[("c", "01T01:20:00", "01T03:00:00"), ("a", "01T03:00:00", "-")]);
    let end =
        Step { end: Some(at("20T00:00:00")), ..step("t", Tag::ContractTermination, Some("a")) };
    history.end(end, at("05T00:00:00")).expect("it follows");
    check(&history, &[("c", "01T01:20:00", "01T03:00:00"), ("a", "01T03:00:00", "20T00:00:00")]);
}

#[test]
fn a_contract_that_begins_later_and_ends_by_itself() {
    let mut history = History::default();
    let (start, end) = (at("10T00:00:00"), Some(at("12T00:00:00")));
    let contract = Step { start, end, ..step("c", Tag::Contract, None) };
    history.activate(contract, (0, at("01T01:20:00"))).expect("a contract begins");
    check(&history, &[("c", "10T00:00:00", "12T00:00:00")]);
    assert!(!history.periods()[0].covers(at("09T23:59:59")));
    assert!(history.periods()[0].covers(at("11T23:59:59")));
    assert!(!history.periods()[0].covers(at("12T00:00:00")));
}

#[test]
fn the_tenants_key_stays_the_same_as_long_as_the_agreement_lasts() {
    let other = |id, tag| Step { tenant_key: "evil".to_owned(), ..step(id, tag, Some("c")) };
    let mut history = begun();
    let refused =
        Err("release a names another key of the tenant than release c before it".to_owned());
    let amendment = other("a", Tag::ContractAmendment);
    assert_eq!(history.publish(amendment.clone()), refused);
    assert_eq!(history.activate(amendment, (1, at("02T00:00:00"))), refused);
    let refused =
        Err("release t names another key of the tenant than release c before it".to_owned());
    assert_eq!(history.end(other("t", Tag::ContractTermination), at("02T00:00:00")), refused);
    check(&history, &[("c", "01T01:20:00", "-")]);
}

#[test]
fn notice_is_that_of_the_release_that_is_ended() {
    let mut history = begun();
    let end = |notice_days, day| Step {
        notice_days,
        signed: Signed { provider: true, tenant: false },
        end: Some(at(day)),
        ..step("t", Tag::ContractTermination, Some("c"))
    };
    assert_eq!(
        history.end(end(0, "11T23:59:59"), at("02T00:00:00")),
        Err("release t: the provider ended it without the notice of 10 days".to_owned())
    );
    history.end(end(90, "12T00:00:00"), at("02T00:00:00")).expect("ten days are enough");
    check(&history, &[("c", "01T01:20:00", "12T00:00:00")]);
}
