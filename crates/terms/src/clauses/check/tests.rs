#![allow(clippy::unwrap_used, reason = "a test may panic")]

use super::*;
use crate::clauses::{Credit, DataClass};
use crate::testing;

/// Changes the example's clauses and checks that they are refused, in words that begin with `expected`.
fn check(change: impl FnOnce(&mut Terms), expected: &str) {
    let mut terms = testing::full_draft().terms;
    terms.check().unwrap();
    change(&mut terms);
    let refusal = terms.check().unwrap_err();
    assert!(refusal.starts_with(expected), "{refusal}");
}

#[test]
fn services_are_names_each_once() {
    check(|terms| terms.version = 2, "version: ");
    check(|terms| terms.services.clear(), "services: it has product names");
    check(|terms| terms.services = vec!["OSS".to_owned()], "services: it has product names");
    check(|terms| terms.services.push("*".to_owned()), "services: nothing is in it twice");
}

#[test]
fn places_are_countries_with_a_rule_for_the_default_class() {
    check(|terms| terms.residency.rules[0].countries.clear(), "residency.rules (public): at least");
    check(
        |terms| terms.residency.rules[0].countries = vec!["Indonesia".to_owned()],
        "residency.rules (public): countries are ISO 3166-1",
    );
    check(
        |terms| terms.residency.rules[0].countries.push("ID".to_owned()),
        "residency.rules (public): nothing is in it twice",
    );
    check(
        |terms| terms.residency.rules[2].sites = vec!["Jakarta 1".to_owned()],
        "residency.rules (personal): a name has",
    );
    check(|terms| terms.residency.rules[3].zones_min = 0, "residency.rules (strategic): zonesMin");
    check(
        |terms| terms.residency.rules[3].class = DataClass::Public,
        "residency.rules (public): a class has one rule",
    );
    check(
        |terms| terms.residency.rules.retain(|rule| rule.class != DataClass::Internal),
        "residency.defaultClass: that class has a rule",
    );
}

#[test]
fn money_is_of_a_currency_that_is() {
    check(|terms| terms.price_book.currency = "ZZZ".to_owned(), "priceBook.currency: ");
    check(|terms| terms.price_book.prices[0].tiers.clear(), "priceBook: ");
    check(|terms| terms.spending_limit = Some(0), "spendingLimit: ");
}

#[test]
fn credits_rise_as_the_level_falls() {
    let level = "serviceLevels (oss.availability): ";
    check(|terms| terms.service_levels[0].target_ppm = 1_000_001, level);
    check(|terms| terms.service_levels[0].credits.reverse(), level);
    check(|terms| terms.service_levels[0].credits[0].below_ppm = 999_001, level);
    check(|terms| terms.service_levels[0].credits[1].percent = 10, level);
    check(|terms| terms.service_levels[0].credits[2].percent = 101, level);
    check(
        |terms| terms.service_levels[0].credits.push(Credit { below_ppm: 950_000, percent: 100 }),
        level,
    );
    check(|terms| terms.service_levels.push(terms.service_levels[0].clone()), level);
    check(|terms| terms.service_levels[0].name.en.clear(), level);
}

#[test]
fn periods_are_those_that_the_law_leaves() {
    check(|terms| terms.breach.notice_hours = 73, "breach.noticeHours: the law allows 1 to 72");
    check(|terms| terms.breach.notice_hours = 0, "breach.noticeHours: ");
    check(|terms| terms.breach.authority.clear(), "breach.authority: ");
    check(|terms| terms.retention.audit_days = 0, "retention.auditDays: ");
    check(|terms| terms.retention.billing_days = 0, "retention.billingDays: ");
    check(|terms| terms.exit.formats.clear(), "exit.formats: there is a way out");
    check(|terms| terms.audit.by.clear(), "audit.by: ");
    check(|terms| terms.privileged_access.hours_max = 0, "privilegedAccess.hoursMax: ");
}

#[test]
fn equipment_and_sides_say_something() {
    check(|terms| terms.infrastructure[0].site = "Rak 7".to_owned(), "infrastructure: site");
    check(
        |terms| terms.infrastructure[0].addresses = Disclosed::Shown(Vec::new()),
        "infrastructure: addresses",
    );
    check(|terms| terms.provider.rights.clear(), "provider: it has rights");
    check(|terms| terms.tenant.duties.clear(), "tenant: it has duties");
    check(|terms| terms.tenant.duties[0].id.clear(), "tenant: every text is in both languages");
}

#[test]
fn keys_are_the_parties_own_by_their_names() {
    check(|terms| terms.log.origin = "other.example/log".to_owned(), "log.key: ");
    check(|terms| terms.log.key = "key".to_owned(), "log.key: ");
    check(
        |terms| std::mem::swap(&mut terms.keys.provider, &mut terms.keys.tenant),
        "keys.provider: ",
    );
    check(|terms| terms.keys.tenant.clone_from(&terms.keys.provider), "keys.tenant: its name is");
    let own = |name: &str| {
        tlog::Signer::from_seed(name, base::Secret::new([2; 32])).unwrap().verifier().to_string()
    };
    let name = testing::tenant_key().verifier().name().to_owned();
    check(|terms| terms.keys.tenant = own(&name), "keys.tenant: it is not the provider's key");
}
