#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use serde_json::{Value, json};

use super::*;

/// A log in the making.
#[derive(Default)]
struct Log {
    model: Model,
    entries: Vec<Vec<u8>>,
}

impl Log {
    fn add(&mut self, action: &str, outcome: &str, public: Value) -> &mut Self {
        let at = Time::from_secs(1_763_800_000 + 60 * i64::try_from(self.entries.len()).unwrap());
        let mut leaf = json!({"v": 1, "at": at.iso(), "action": action, "outcome": outcome, "commitment": "00"});
        if !public.is_null() {
            leaf["public"] = public;
        }
        let entry = leaf.to_string().into_bytes();
        self.model.apply(&entry);
        self.entries.push(entry);
        self
    }

    fn ok(&mut self, action: &str, public: Value) -> &mut Self {
        self.add(action, "OK", public)
    }
}

fn put(site: &str, change: i64) -> Value {
    json!({"tenant": "7", "class": "internal", "placed": [{"site": site, "country": "ID", "objects": change}]})
}

fn objects(model: &Model, account: &str) -> Vec<(String, i64)> {
    let held = &model.tenants[account].held;
    held.iter().map(|(place, held)| (place.site.to_string(), held.objects)).collect()
}

#[test]
fn objects_are_counted_where_they_are_and_leave_when_they_are_removed() {
    let mut log = Log::default();
    log.ok("oss:PutObject", put("jkt-a", 1))
        .ok("oss:PutObject", put("jkt-a", 1))
        .ok("oss:PutObject", put("jkt-a", 0))
        .ok("oss:PutObject", put("sby-a", 1))
        .ok("oss:DeleteMultipleObjects", put("jkt-a", -2));
    assert_eq!(objects(&log.model, "7"), [("sby-a".to_owned(), 1)]);
    assert_eq!(log.model.objects_at("jkt-a"), 0);
    assert_eq!(log.model.objects_at("sby-a"), 1);
    assert_eq!(log.model.size, 5);
}

#[test]
fn a_copy_in_each_of_two_places_is_one_in_each() {
    let mut log = Log::default();
    let two = json!({"tenant": "7", "class": "personal", "placed": [
        {"site": "jkt-a", "country": "ID", "objects": 1}, {"site": "sby-a", "country": "ID", "objects": 1}]});
    log.ok("oss:PutObject", two);
    assert_eq!(objects(&log.model, "7"), [("jkt-a".to_owned(), 1), ("sby-a".to_owned(), 1)]);
}

#[test]
fn parts_of_uploads_are_not_objects() {
    let mut log = Log::default();
    let part = |parts: i64| json!({"tenant": "7", "class": "internal", "placed": [{"site": "jkt-a", "country": "ID", "parts": parts}]});
    log.ok("oss:UploadPart", part(1)).ok("oss:UploadPart", part(1));
    let held = *log.model.tenants["7"].held.values().next().unwrap();
    assert_eq!(held, Held { objects: 0, parts: 2, instances: 0 });
    log.ok("oss:AbortMultipartUpload", part(-2));
    assert!(log.model.tenants["7"].held.is_empty());
}

#[test]
fn what_was_refused_placed_nothing() {
    let mut log = Log::default();
    log.add(
        "oss:PutObject",
        "Forbidden.Residency",
        json!({"tenant": "7", "class": "personal", "wanted": [{"site": "sg-1", "country": "SG"}],
               "placed": [{"site": "sg-1", "country": "SG", "objects": 1}]}),
    );
    assert!(log.model.held.is_empty());
    let refusal = &log.model.tenants["7"].refusals[0];
    assert_eq!((refusal.ground, refusal.wanted[0].country.as_str()), (Ground::Residency, "SG"));
    assert_eq!(log.model.refusals.total[&Ground::Residency], 1);
    assert_eq!(log.model.refusals.days["2025-11-22"][&Ground::Residency], 1);
}

#[test]
fn refusals_that_no_agreement_made_are_only_counted() {
    let mut log = Log::default();
    log.add("oss:GetObject", "AccessDenied", Value::Null);
    assert_eq!((log.model.refusals.other, log.model.refusals.recent.len()), (1, 0));
}

#[test]
fn every_ground_has_a_code_and_every_code_of_an_agreement_a_ground() {
    for code in [
        &code::RESIDENCY,
        &code::PERMIT_LAPSED,
        &code::ZONES_REQUIRED,
        &code::SPENDING_LIMIT,
        &code::SERVICE_NOT_GRANTED,
        &code::NO_AGREEMENT,
        &code::AGREEMENT_ENDED,
    ] {
        assert!(Ground::of(code.name).is_some_and(|ground| Ground::ALL.contains(&ground)));
    }
    assert_eq!(Ground::of("InternalError"), None);
}

#[test]
fn only_recent_refusals_are_kept_and_all_are_counted() {
    let mut log = Log::default();
    for number in 0..REFUSALS_MAX + 20 {
        let facts = json!({"tenant": "7", "class": number.to_string()});
        log.add("oss:PutBucket", "Forbidden.Residency", facts);
    }
    let refusals = &log.model.refusals;
    assert_eq!(refusals.recent.len(), REFUSALS_MAX);
    assert_eq!(refusals.recent[0].class.as_deref(), Some("20"));
    assert_eq!(refusals.total[&Ground::Residency], u64::try_from(REFUSALS_MAX + 20).unwrap());
    assert_eq!(log.model.tenants["7"].refusals.len(), TENANT_REFUSALS_MAX);
    assert_eq!(log.model.tenants["7"].refused, u64::try_from(REFUSALS_MAX + 20).unwrap());
}

#[test]
fn an_agreement_is_its_releases_in_order_and_ends_once() {
    let facts = |release: &str, tag: &str| json!({"tenant": "7", "ocid": "o-7", "release": release, "tag": tag, "document": "d", "signatures": "s"});
    let mut log = Log::default();
    log.ok("awan:PublishAgreement", facts("1", "contract"))
        .ok("awan:ActivateAgreement", facts("1", "contract"))
        .ok("awan:PublishAgreement", facts("2", "contractAmendment"));
    let latest = |model: &Model| model.agreements["o-7"].latest().map(|it| it.id.to_string());
    assert_eq!(latest(&log.model).as_deref(), Some("1"), "the amendment is only published");
    log.ok("awan:ActivateAgreement", facts("2", "contractAmendment"));
    log.ok("awan:EndAgreement", facts("3", "contractTermination"));
    assert_eq!(latest(&log.model).as_deref(), Some("2"), "what it said stays readable");
    let agreement = &log.model.agreements["o-7"];
    assert_eq!((agreement.ocid.as_str(), agreement.releases.len()), ("o-7", 3));
    assert_eq!(agreement.ended.unwrap().index, 4);
    assert_eq!(agreement.releases[2].ended, agreement.ended);
    assert!(log.model.tenants.contains_key("7"));
}

#[test]
fn what_is_held_moves_with_its_data_centre_and_is_in_one_country() {
    let centre =
        |country: &str| json!({"site": "jkt-a", "zone": "z", "country": country, "city": "c"});
    let mut log = Log::default();
    log.ok("awan:DeclareDataCentre", centre("ID")).ok("oss:PutObject", put("jkt-a", 2));
    log.ok("awan:DeclareDataCentre", centre("SG"));
    let moved = |model: &Model| {
        let moved = &model.centres["jkt-a"].moved;
        moved.iter().map(|(from, stamp)| (from.to_string(), stamp.index)).collect::<Vec<_>>()
    };
    assert_eq!(log.model.country_of("jkt-a"), "SG");
    assert_eq!(moved(&log.model), [("ID".to_owned(), 2)]);
    let gone = json!({"tenant": "7", "class": "internal", "placed": [{"site": "jkt-a", "country": "SG", "objects": -2}]});
    log.ok("oss:DeleteObject", gone);
    assert!(log.model.tenants["7"].held.is_empty(), "no country is left with a negative number");
    assert!(log.model.centres["jkt-a"].contradicted.is_none());
    // An entry that puts something into another country than the declared one is shown to.
    log.ok("oss:PutObject", put("jkt-a", 1));
    let (country, stamp) = log.model.centres["jkt-a"].contradicted.clone().unwrap();
    assert_eq!((country.as_str(), stamp.index), ("ID", 4));
    log.ok("awan:RemoveDataCentre", json!({"site": "jkt-a"}))
        .ok("awan:DeclareDataCentre", centre("ID"));
    assert_eq!(moved(&log.model), [("ID".to_owned(), 2), ("SG".to_owned(), 6)]);
}

#[test]
fn what_an_entry_says_cannot_turn_the_text_around_it() {
    let mut log = Log::default();
    log.ok("awan:DeclareDataCentre", json!({"site": "a\u{202e}b", "city": "x\ny"}));
    let (site, centre) = log.model.centres.first_key_value().unwrap();
    assert_eq!((site.as_str(), centre.city.as_str()), ("a\\u202eb", "x\\u000ay"));
}

#[test]
fn a_data_centre_is_what_was_declared_last_until_it_is_removed() {
    let facts = |city: &str, until: &str| json!({"site": "x-1", "zone": "z", "country": "ID", "city": city, "permit_until": until});
    let mut log = Log::default();
    log.ok("awan:DeclareDataCentre", facts("Jakarta", "2026-01-31"))
        .ok("awan:DeclareDataCentre", facts("Bogor", "2027-01-31"));
    assert_eq!(log.model.centres["x-1"].city.as_str(), "Bogor");
    let day = |iso: &str| Time::parse_iso(iso).unwrap();
    assert!(!log.model.centres["x-1"].lapsed(day("2027-01-31T23:59:59Z")), "the last day counts");
    assert!(log.model.centres["x-1"].lapsed(day("2027-02-01T00:00:00Z")));
    log.ok("awan:RemoveDataCentre", json!({"site": "x-1"}));
    assert_eq!(log.model.standing().count(), 0);
    assert_eq!(log.model.centres["x-1"].removed.unwrap().index, 2);
    log.ok("awan:DeclareDataCentre", facts("Bogor", ""));
    assert_eq!(log.model.standing().count(), 1, "it can come back");
}

#[test]
fn a_privileged_access_is_followed_from_request_to_end() {
    let facts = json!({"tenant": "7", "access": "pa-1", "reason": "a complaint", "until": "2026-11-22T08:00:00Z"});
    let mut log = Log::default();
    log.ok("awan:RequestPrivilegedAccess", facts.clone())
        .ok("awan:ApprovePrivilegedAccess", facts.clone())
        .ok("oss:GetObject", facts.clone())
        .ok("oss:ListObjects", facts.clone())
        .ok("awan:EndPrivilegedAccess", facts);
    let access = &log.model.accesses[0];
    assert_eq!((access.tenant.as_str(), access.reason.as_str()), ("7", "a complaint"));
    assert_eq!((access.reads, access.last_read.unwrap().index), (2, 3));
    assert_eq!((access.asked.unwrap().index, access.approved.unwrap().index), (0, 1));
    assert_eq!((access.ended.unwrap().index, access.denied), (4, None));
    assert_eq!(log.model.accesses_asked, 1);
}

#[test]
fn days_of_usage_and_keys_are_noted() {
    let mut log = Log::default();
    log.ok("awan:CommitUsage", json!({"tenant": "7", "day": "2026-11-22"}))
        .ok("awan:DeclareKey", json!({"role": "log", "key": "k"}));
    assert_eq!(log.model.tenants["7"].usage[0].0.as_str(), "2026-11-22");
    assert_eq!(log.model.keys[0].declared.index, 1);
}

#[test]
fn entries_that_say_nothing_or_are_foreign_move_the_count_only() {
    let mut log = Log::default();
    log.ok("ram:CreateUser", Value::Null);
    log.model.apply(b"not ours");
    assert_eq!((log.model.size, log.model.unknown, log.model.last), (2, 1, None));
}

#[test]
fn a_copy_of_the_model_goes_on_without_changing_the_first() {
    let mut log = Log::default();
    log.ok("oss:PutObject", put("jkt-a", 1));
    let before = log.model.clone();
    log.ok("oss:PutObject", put("jkt-a", 1));
    assert_eq!(objects(&before, "7"), [("jkt-a".to_owned(), 1)]);
    assert_eq!(objects(&log.model, "7"), [("jkt-a".to_owned(), 2)]);
}

#[test]
fn folding_the_same_entries_again_gives_the_same_counts() {
    let mut log = Log::default();
    for number in 0..600_i64 {
        let site = ["jkt-a", "jkt-b", "sby-a"][usize::try_from(number).unwrap() % 3];
        log.ok("oss:PutObject", put(site, if number % 5 == 4 { -1 } else { 1 }));
    }
    let mut again = Model::default();
    for entry in &log.entries {
        again.apply(entry);
    }
    assert_eq!(again.held, log.model.held);
    assert_eq!(again.size, 600);
    let naive: i64 = (0..600).map(|number| if number % 5 == 4 { -1 } else { 1 }).sum();
    assert_eq!(again.held.values().map(|held| held.objects).sum::<i64>(), naive);
}
