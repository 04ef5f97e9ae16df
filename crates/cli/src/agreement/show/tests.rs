#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use base::{AccountId, SystemRng, Time};
use terms::clauses::{Keys, Log};
use terms::release::{Draft, Party, Tag};
use tlog::Signer;

use super::*;

fn release(change: impl FnOnce(&mut Draft)) -> Release {
    let key = |name: &str| Signer::generate(&SystemRng, name).unwrap().verifier().to_string();
    let party = |name: &str| Party {
        name: name.to_owned(),
        scheme: "X-AWAN".to_owned(),
        id: name.len().to_string(),
        additional: Vec::new(),
        contact: None,
    };
    let text = |id: &str, en: &str| Text { id: id.to_owned(), en: en.to_owned() };
    let log = Log { origin: "awan.test/log".to_owned(), key: key("awan.test/log") };
    let keys = Keys {
        provider: key("awan.test/log/provider"),
        tenant: key("awan.test/log/tenant/0000000000000007"),
    };
    let mut draft = Draft {
        ocid: "ocds-awan00-7-1".to_owned(),
        id: "contract-1".to_owned(),
        date: Time::from_secs(1_795_000_000),
        tag: Tag::Contract,
        provider: party("PT Awan"),
        tenant: party("KPU"),
        title: text("Perjanjian awan", "Cloud agreement"),
        rationale: text("uji", "test"),
        procurement_method: "direct".to_owned(),
        start: Time::from_secs(1_795_000_000),
        end: None,
        value_cap: None,
        amends: None,
        terms: terms::defaults::terms(AccountId::new(7), log, keys),
    };
    change(&mut draft);
    Release::build(&draft).unwrap()
}

#[test]
fn what_one_signs_names_parties_places_prices_limit_and_term() {
    let text = summary(&release(|draft| {
        draft.terms.spending_limit = Some(2_500_000_000_000);
        draft.terms.residency.rules[0].sites = vec!["jkt-a".to_owned()];
    }))
    .join("\n");
    for said in [
        "Perjanjian awan\nCloud agreement",
        "Penyedia / Provider: PT Awan (X-AWAN 7)",
        "akun / account 0000000000000007",
        "sampai diakhiri / until ended",
        "public    ID, hanya / only jkt-a, zona / zones ≥ 1",
        "internal  ID, zona / zones ≥ 1 (baku / default)",
        "per GB-month (asumsi / assumption)",
        "Batas belanja / Spending limit: IDR 2,500,000.00 sebulan / a month",
    ] {
        assert!(text.contains(said), "{text}\nlacks {said}");
    }
}

#[test]
fn every_clause_is_shown_in_both_languages() {
    let release = release(|_| {});
    let terms = release.terms();
    let text = details(terms).join("\n");
    for side in [&terms.provider, &terms.tenant] {
        for clause in side.rights.iter().chain(&side.duties) {
            assert!(text.contains(&clause.id) && text.contains(&clause.en), "{clause:?}");
        }
    }
    assert!(text.contains("oss.availability ≥ 99.9 %"), "{text}");
    assert!(text.contains("Kebocoran / Breach: 72 jam / hours"), "{text}");
}

#[test]
fn quantities_are_shown_in_the_units_of_their_price() {
    let release = release(|_| {});
    let price = |meter: &str| release.terms().price_book.price(meter).unwrap().clone();
    let storage = price("oss.storage");
    assert_eq!(units(storage.unit_size * 5 / 2, &storage), "2.5 GB-month");
    assert_eq!(units(0, &storage), "0 GB-month");
    let put = price("oss.requests.put");
    assert_eq!(units(20_000_000, &put), "2,000 × 10,000 requests");
    assert_eq!(
        (percent(999_000), percent(1_000_000), percent(5)),
        ("99.9".to_owned(), "100".to_owned(), "0.0005".to_owned())
    );
}
