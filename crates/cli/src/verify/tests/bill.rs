use serde_json::{Value, json};
use terms::prices::{BillLine, UsageLine, bill_digest, tax, usage_digest};
use terms::release::Tag;

use super::world::{OCID, World, at};
use crate::bill::books::{Bill, Usage};
use crate::bill::month::Month;
use crate::verify::Findings;
use crate::verify::bill::Check;
use crate::verify::history::Histories;

const PUT: &str = "oss.requests.put";
const DAY: &str = "2026-11-22";
const ACCOUNT: &str = "1234567890123456";

/// A bill as a cloud would write it, and the log in which it committed to it.
struct Books {
    world: World,
    usage: Vec<Usage>,
    bill: Value,
}

fn hour(number: u32) -> String {
    format!("{DAY}T{number:02}:00:00Z")
}

/// One resource that put requests in each hour, priced by the contract until six, by an amendment then.
fn books() -> Books {
    let mut world = World::new();
    let contract = world.release("contract-1", Tag::Contract, |draft| {
        let prices = &mut draft.terms.price_book.prices;
        let put = prices.iter_mut().find(|price| price.meter == PUT).unwrap();
        put.free = 1_000;
    });
    world.publish_and_activate(&contract, at("01:00:00"));
    let amendment = world.release("amendment-1", Tag::ContractAmendment, |draft| {
        for price in &mut draft.terms.price_book.prices {
            price.tiers[0].price *= 3;
        }
    });
    world.publish_and_activate(&amendment, at("05:10:00"));
    let (mut usage, mut lines, mut before) = (Vec::new(), Vec::new(), 0_i128);
    for number in 1..10 {
        let release = if number < 6 { &contract } else { &amendment };
        let price = release.terms().price_book.price(PUT).unwrap();
        let quantity = 777 * i64::from(number);
        let slices = price.slices(before, before + i128::from(quantity));
        before += i128::from(quantity);
        let line = |quantity| Usage {
            resource: "pemilu".to_owned(),
            meter: PUT.to_owned(),
            hour: hour(number),
            quantity,
        };
        usage.push(line(quantity));
        let amount: i128 = slices.iter().map(|slice| slice.amount).sum();
        let tiers: Vec<Value> = slices
            .iter()
            .map(|slice| json!({"Quantity": slice.quantity as i64, "PriceMicro": slice.price, "AmountMicro": slice.amount as i64}))
            .collect();
        lines.push(json!({
            "LineId": number, "Bill": "2026-11", "Hour": hour(number), "Resource": "pemilu", "Meter": PUT,
            "Revision": 0, "Quantity": quantity, "UnitSize": price.unit_size, "AmountMicro": amount as i64,
            "Currency": "IDR", "Ocid": OCID, "ReleaseId": release.id(), "Tiers": {"Tier": tiers},
        }));
    }
    let amount: i64 = lines.iter().map(|line| line["AmountMicro"].as_i64().unwrap()).sum();
    let stated = json!({
        "AccountId": ACCOUNT, "Month": "2026-11", "Currency": "IDR", "Status": "Open",
        "BilledUntil": "2026-11-24T01:00:00Z", "AmountMicro": amount,
        "TaxMicro": tax(&[(amount.into(), 11)]) as i64,
    });
    let bill = json!({"Stated": stated, "Lines": lines, "Commitments": []});
    let mut books = Books { world, usage, bill };
    books.commit();
    // The log goes on, so that the day is due.
    books.world.leaf(
        "ram:CreateUser",
        at("00:00:00").plus(std::time::Duration::from_secs(2 * 86_400)),
        "OK",
        &json!({}),
    );
    books
}

impl Books {
    /// Commits to what usage and lines say now.
    fn commit(&mut self) {
        let text = |line: &Value, name: &str| match &line[name] {
            Value::String(text) => text.clone(),
            other => other.to_string(),
        };
        let used = self.usage.iter().map(|line| UsageLine {
            resource: line.resource.clone(),
            meter: line.meter.clone(),
            hour: line.hour.clone(),
            quantity: line.quantity.to_string(),
        });
        let lines = self.bill["Lines"].as_array().unwrap().iter().map(|line| BillLine {
            resource: text(line, "Resource"),
            meter: text(line, "Meter"),
            hour: text(line, "Hour"),
            revision: text(line, "Revision"),
            ocid: text(line, "Ocid"),
            release: text(line, "ReleaseId"),
            quantity: text(line, "Quantity"),
            amount: text(line, "AmountMicro"),
            currency: text(line, "Currency"),
        });
        let (usage, bill) = (usage_digest(used.collect()), bill_digest(lines.collect()));
        let detail = json!({"day": DAY, "usage": usage, "bill": bill});
        let public = json!({"tenant": ACCOUNT, "day": DAY});
        let row = self.world.committed("awan:CommitUsage", at("23:59:59"), &detail, &public);
        self.bill["Commitments"].as_array_mut().unwrap().push(row);
    }

    fn check(&self) -> Findings {
        let mut findings = Findings::default();
        let log = self.world.open();
        let histories = Histories::read(&log, &self.world.documents(), &mut findings);
        assert!(findings.is_sound(), "{findings:?}");
        let bill: Bill = serde_json::from_value(self.bill.clone()).unwrap();
        let month = Month::parse("2026-11").unwrap();
        let check = Check::new(&month, &self.usage, &bill, &histories.of[ACCOUNT]).unwrap();
        check.run(&log, &mut findings);
        findings
    }

    fn line(&mut self, number: usize) -> &mut Value {
        &mut self.bill["Lines"][number - 1]
    }
}

/// Expects these defects, in this order.
fn refused(change: impl FnOnce(&mut Books), expected: &[&str]) {
    let mut books = books();
    change(&mut books);
    let defects = books.check().defects;
    assert_eq!(defects.len(), expected.len(), "{defects:#?}");
    for (defect, expected) in defects.iter().zip(expected) {
        assert!(defect.contains(expected), "{defect:?} lacks {expected:?}");
    }
}

fn add(value: &mut Value, more: i64) {
    *value = json!(value.as_i64().unwrap() + more);
}

#[test]
fn a_bill_that_follows_from_usage_and_prices_passes() {
    let findings = books().check();
    assert!(findings.is_sound(), "{:#?}", findings.defects);
    assert!(
        findings.proven[0].starts_with("the bill of 1234567890123456 for 2026-11, IDR "),
        "{findings:?}"
    );
    assert!(
        findings.checked.iter().any(|line| line.contains("committed to 1 days in 1 entries")),
        "{findings:?}"
    );
}

#[test]
fn what_was_used_without_an_agreement_costs_nothing_and_is_committed_to() {
    let mut books = books();
    books.usage.push(Usage {
        resource: "pemilu".to_owned(),
        meter: PUT.to_owned(),
        hour: hour(0),
        quantity: 5,
    });
    let unpriced = json!({
        "LineId": 0, "Bill": "2026-11", "Hour": hour(0), "Resource": "pemilu", "Meter": PUT, "Revision": 0,
        "Quantity": 5, "AmountMicro": 0, "Currency": "", "Ocid": "", "ReleaseId": "",
    });
    books.bill["Lines"].as_array_mut().unwrap().push(unpriced);
    books.commit();
    assert!(books.check().is_sound(), "{:#?}", books.check().defects);
    // A bill in rupiah does not list what has no currency.
    books.bill["Lines"].as_array_mut().unwrap().pop();
    assert!(books.check().is_sound(), "{:#?}", books.check().defects);
}

#[test]
fn one_micro_unit_too_much_is_found() {
    let more = |books: &mut Books| {
        add(&mut books.line(3)["AmountMicro"], 1);
        add(&mut books.line(3)["Tiers"]["Tier"][0]["AmountMicro"], 1);
        add(&mut books.bill["Stated"]["AmountMicro"], 1);
        // The operator commits to it, too.
        books.commit();
    };
    refused(more, &["oss.requests.put under release contract-1: the published prices make IDR"]);
}

#[test]
fn a_line_that_was_changed_after_its_commitment() {
    let changed = |books: &mut Books| books.line(3)["Resource"] = json!("another");
    refused(changed, &["2026-11-22: entry 5 of the log commits to bill lines with the digest"]);
}

#[test]
fn usage_that_was_changed_after_its_commitment() {
    let changed = |books: &mut Books| books.usage[0].quantity += 1;
    refused(
        changed,
        &[
            "oss.requests.put under release contract-1: the usage is 11656, and the bill's lines say 11655",
            "the published prices make",
            "entry 5 of the log commits to usage with the digest",
        ],
    );
}

#[test]
fn sums_and_tax_that_are_not_those_of_the_lines() {
    let changed = |books: &mut Books| {
        add(&mut books.bill["Stated"]["AmountMicro"], 5);
        add(&mut books.bill["Stated"]["TaxMicro"], -1);
    };
    refused(changed, &["the sum of the lines is IDR", "the tax on them is IDR"]);
    let changed = |books: &mut Books| {
        add(&mut books.line(9)["Tiers"]["Tier"][0]["AmountMicro"], 1);
    };
    refused(changed, &["line 9: its parts add up to"]);
}

#[test]
fn a_line_under_a_release_that_was_not_in_force() {
    let changed = |books: &mut Books| {
        books.line(6)["ReleaseId"] = json!("contract-1");
        books.commit();
    };
    refused(
        changed,
        &[
            "line 6: priced by release \"contract-1\", and \"amendment-1\" was in force in the hour of 2026-11-22T06:00:00Z",
            "oss.requests.put under release amendment-1: the usage is",
            "oss.requests.put under release amendment-1: the published prices",
            "oss.requests.put under release contract-1: the usage is",
            "oss.requests.put under release contract-1: the published prices",
        ],
    );
}

#[test]
fn commitments_that_are_hidden_forged_or_missing() {
    let hidden = |books: &mut Books| drop(books.bill["Commitments"].as_array_mut().unwrap().pop());
    refused(
        hidden,
        &[
            "entry 5 of the log commits to the usage of 2026-11-22, and the account was not shown what it says",
            "2026-11-22: something was used and the log has no commitment to it",
        ],
    );
    let forged = |books: &mut Books| books.bill["Commitments"][0]["Salt"] = json!("00fe");
    refused(
        forged,
        &[
            "the commitment in entry 5: entry 5 of the log commits to something else",
            "and the account was not shown what it says",
            "has no commitment to it",
        ],
    );
}

#[test]
fn a_commitment_that_was_exported_before_it_had_a_place_is_found_by_its_leaf() {
    let mut books = books();
    books.bill["Commitments"][0]["LogIndex"] = Value::Null;
    let findings = books.check();
    assert!(findings.is_sound(), "{:#?}", findings.defects);
    assert!(
        findings.checked.iter().any(|line| line.contains("committed to 1 days in 1 entries")),
        "{findings:?}"
    );
}

#[test]
fn only_the_clouds_own_commitment_to_that_day_and_tenant_counts() {
    let other = |action: &'static str, tenant: &'static str, day: &'static str| {
        move |books: &mut Books| {
            let row = books.bill["Commitments"][0].clone();
            let detail: Value = serde_json::from_str(row["Statement"].as_str().unwrap()).unwrap();
            let detail: Value = serde_json::from_str(detail["detail"].as_str().unwrap()).unwrap();
            let public = json!({"tenant": tenant, "day": day});
            let row = books.world.committed(action, at("23:59:59"), &detail, &public);
            books.bill["Commitments"].as_array_mut().unwrap().push(row);
        }
    };
    for (action, tenant, day) in [
        ("ram:CreateUser", ACCOUNT, DAY),
        ("awan:CommitUsage", "0000000000000007", DAY),
        ("awan:CommitUsage", ACCOUNT, "2026-10-22"),
    ] {
        let words = format!(
            "the commitment in entry 7: it is {action} of tenant \"{tenant}\" for day \"{day}\""
        );
        refused(other(action, tenant, day), &[&words]);
    }
}

#[test]
fn what_is_due_is_told_by_the_log_and_not_by_the_bill() {
    let late = |books: &mut Books| {
        books.bill["Commitments"].as_array_mut().unwrap().clear();
        books.bill["Stated"]["BilledUntil"] = json!("2026-11-22T10:00:00Z");
    };
    refused(
        late,
        &[
            "and the account was not shown what it says",
            "2026-11-22: something was used and the log has no commitment to it",
        ],
    );
}
