#![allow(clippy::unwrap_used, reason = "a test may panic")]

use expect_test::expect;

use super::*;
use crate::Release;
use crate::release::DOCUMENT_BYTES_MAX;
use crate::testing;

#[test]
fn the_default_clauses_are_whole() {
    testing::terms().check().unwrap();
}

#[test]
fn the_default_agreement_fits_a_document_written_for_people() {
    let release = Release::build(&testing::draft()).unwrap();
    let pretty = serde_json::to_string_pretty(release.document()).unwrap();
    assert!(pretty.len() < DOCUMENT_BYTES_MAX * 3 / 4, "{}", pretty.len());
    Release::parse(pretty.as_bytes()).unwrap();
}

#[test]
fn prices_are_list_prices_at_the_stated_rate() {
    let mut lines = String::new();
    for price in price_book().prices {
        let tiers: Vec<_> = price.tiers.iter().map(|tier| (tier.up_to, tier.price)).collect();
        let Price { meter, unit, unit_size, free, .. } = price;
        lines += &format!("{meter}: {unit} of {unit_size}, {free} free, {tiers:?}\n");
    }
    expect![[r#"
        oss.storage: GB-month of 2783138807808000, 0 free, [(None, 276800000)]
        oss.storage.ia: GB-month of 2783138807808000, 0 free, [(None, 160000000)]
        oss.storage.archive: GB-month of 2783138807808000, 0 free, [(None, 72000000)]
        oss.storage.cold-archive: GB-month of 2783138807808000, 0 free, [(None, 36800000)]
        oss.storage.deep-cold-archive: GB-month of 2783138807808000, 0 free, [(None, 19200000)]
        oss.requests.put: 10,000 requests of 10000, 0 free, [(None, 25600000)]
        oss.requests.get: 10,000 requests of 10000, 0 free, [(None, 20800000)]
        oss.requests.list: 10,000 requests of 10000, 0 free, [(None, 25600000)]
        oss.egress: GB of 1073741824, 107374182400 free, [(Some(54975581388800), 1728000000), (Some(109951162777600), 1504000000), (Some(1125899906842624), 1264000000), (None, 1152000000)]
        rds.cpu: core-hour of 3600, 0 free, [(None, 640000000)]
        rds.memory: GiB-hour of 3600, 0 free, [(None, 80000000)]
        rds.storage: GiB-month of 2592000, 0 free, [(None, 1920000000)]
    "#]].assert_eq(&lines);
}

#[test]
fn every_price_says_where_it_comes_from_and_none_claims_a_list_price() {
    for price in price_book().prices {
        assert!(price.assumption && !price.source.is_empty(), "{}", price.id);
    }
}

#[test]
fn data_of_every_class_may_be_in_indonesia_only() {
    let residency = testing::terms().residency;
    for class in DataClass::ALL {
        assert_eq!(residency.rule(class).unwrap().countries, ["ID"]);
    }
}

#[test]
fn the_words_say_the_figures_of_the_clauses() {
    let terms = testing::terms();
    let said = |side: &crate::clauses::Side| {
        side.rights
            .iter()
            .chain(&side.duties)
            .map(|text| format!("{} {}\n", text.id, text.en))
            .collect::<String>()
    };
    let all = said(&terms.provider) + &said(&terms.tenant);
    for figure in [
        format!("{} jam", terms.breach.notice_hours),
        format!("{} hours", terms.breach.notice_hours),
        terms.breach.authority.clone(),
        format!("{} hari", terms.retention.billing_days),
        format!("{} hari", terms.retention.after_end_days),
        format!("{} hari", terms.exit.notice_days),
        format!("{} jam", terms.privileged_access.hours_max),
        terms.exit.formats.join(", "),
        format!("{} days' notice", terms.audit.notice_days),
    ] {
        assert!(all.contains(&figure), "{figure}");
    }
}

#[test]
fn the_words_about_access_follow_the_clause() {
    let access = |permitted, tenant_approval| {
        let clause = PrivilegedAccess { permitted, tenant_approval, hours_max: 5 };
        let terms = testing::terms();
        let Terms { exit, retention, breach, audit, .. } = &terms;
        let (provider, _) =
            words::sides(&words::Figures { exit, retention, breach }, audit, &clause);
        provider.duties.into_iter().map(|text| text.en).collect::<String>()
    };
    assert!(access(false, true).contains("Not to read the content"));
    assert!(
        access(true, true)
            .contains("approved by the tenant beforehand, that lasts at most 5 hours")
    );
    let without = access(true, false);
    assert!(without.contains("a written reason that lasts at most 5 hours"));
    assert!(!without.contains("beforehand"));
}
