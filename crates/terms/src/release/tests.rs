#![allow(clippy::unwrap_used, reason = "a test may panic")]

use expect_test::expect;
use proptest::prelude::*;

use super::*;
use crate::testing::{draft, full_draft, text};

fn built(draft: &Draft) -> Release {
    Release::build(draft).unwrap()
}

fn parsed(document: &Value) -> Result<Release, Error> {
    Release::parse(&serde_json::to_vec(document).unwrap())
}

/// Changes the full example and checks that it is refused with words that contain `expected`.
fn check(pointer: &str, value: Value, expected: &str) {
    let mut document = built(&full_draft()).document().clone();
    let (parent, name) = pointer.rsplit_once('/').unwrap();
    match document.pointer_mut(parent).unwrap() {
        Value::Object(fields) => {
            fields.insert(name.to_owned(), value);
        }
        Value::Array(all) => all[name.parse::<usize>().unwrap()] = value,
        other => panic!("{parent} is {other}"),
    }
    let refusal = parsed(&document).unwrap_err().to_string();
    assert!(refusal.contains(expected), "{pointer}: {refusal}");
}

#[test]
fn what_is_built_says_what_the_draft_said() {
    let draft = full_draft();
    let release = built(&draft);
    assert_eq!(release.ocid(), draft.ocid);
    assert_eq!(release.id(), draft.id);
    assert_eq!(release.tag(), draft.tag);
    assert_eq!(release.date(), draft.date);
    assert_eq!(release.start(), draft.start);
    assert_eq!(release.end(), draft.end);
    assert_eq!(release.title(), &draft.title);
    assert_eq!(release.rationale(), &draft.rationale);
    assert_eq!(release.provider(), &draft.provider);
    assert_eq!(release.tenant(), &draft.tenant);
    assert_eq!(release.amends(), draft.amends.as_ref());
    assert_eq!(**release.terms(), draft.terms);
}

#[test]
fn the_digest_is_that_of_the_canonical_bytes_in_every_spelling() {
    let release = built(&draft());
    // RFC 8785, as anybody else would compute it: if this changes, published digests no longer hold.
    expect!["5cc1adce5dfb502a71c5bf1c6fe54788c622d13bea0be3592b8289a759bdc3ef"]
        .assert_eq(release.digest());
    let pretty = serde_json::to_string_pretty(release.document()).unwrap();
    let spelled =
        pretty.replace("\"date\":", "\"\\u0064ate\":").replace("720 hours", "720\\u0020hours");
    assert_ne!(pretty, spelled);
    let again = Release::parse(spelled.as_bytes()).unwrap();
    assert_eq!(again.digest(), release.digest());
    assert_eq!(again.bytes(), release.bytes());
    assert_eq!(canonical::sha256(release.bytes()), release.digest());
}

#[test]
fn amounts_of_the_standards_fields_are_the_decimal_of_the_micro_units() {
    let release = built(&full_draft());
    let contract = &release.document()["contracts"][0];
    assert_eq!(contract["value"]["amount"].to_string(), "1250000000.5");
    assert_eq!(contract["items"][0]["unit"]["value"]["amount"].to_string(), "276.8");
    assert_eq!(contract["items"], release.document()["tender"]["items"]);
}

#[test]
fn terms_in_force_name_the_release() {
    let release = built(&draft());
    let until = Time::from_secs(3600);
    let terms = release.in_force(Time::from_secs(0), Some(until));
    assert_eq!((terms.ocid.as_str(), terms.release.as_str()), (release.ocid(), "1"));
    assert_eq!(terms.digest, release.digest());
    assert_eq!((terms.from, terms.until), (Time::from_secs(0), Some(until)));
    assert_eq!(&terms.terms, release.terms());
}

#[test]
fn the_package_holds_the_release_and_its_address_is_on_the_logs_host() {
    let release = built(&draft());
    let package = release.package();
    assert_eq!(package["releases"], json!([release.document()]));
    let address = format!("https://awan.example/documents/{}/package.json", release.digest());
    assert_eq!(package["uri"], address);
    assert_eq!(package["extensions"], json!(["https://awan.example/agreement/extension.json"]));
    assert_eq!(package["publisher"]["name"], "PT Awan Contoh");
    assert_eq!(package["publishedDate"], "2026-11-22T03:04:05Z");
}

#[test]
fn a_field_that_is_not_of_the_standard_or_breaks_a_rule_is_refused() {
    check("/ocid", json!("ocds-AWAN01-1"), "ocid: it is ocds-");
    check("/ocid", json!("ocds-awan01-"), "ocid: it is ocds-");
    check("/ocid", json!("ocds-awan01-1\n2"), "ocid: it is 1 to 64 letters");
    check("/id", json!("a b"), "id: it is 1 to 64 letters");
    check("/date", json!("22 November 2026"), "date: it is a time in UTC");
    check("/tag", json!(["contract", "award"]), "tag: there is exactly one");
    check("/tag", json!(["tender"]), "tag: contract, contractAmendment");
    check("/initiationType", json!("auction"), "initiationType: it is tender");
    check("/language", json!("en"), "language: it is id");
    check("/remark", json!("unread"), "unknown field `remark`");
    check("/buyer/id", json!("ID-NIB-1234567890123"), "buyer.id: ");
    check("/parties/0/roles", json!(["payee"]), "parties (role supplier): there is exactly one");
    check("/parties/1/roles", json!(["buyer", "supplier"]), "parties (role supplier)");
    check("/parties/0/roles", json!(["supplier", "buyer"]), "parties (role buyer)");
    check("/parties/1/id", json!("ID-NIB-1234567890123"), "parties.id: each party has its own");
    check("/parties/1/name", json!(" "), "/parties/1/name: it is not empty");
    check("/tender/procurementMethod", json!("friends"), "it is one of open, selective");
    check("/tender/procurementMethodRationale", json!(""), "it is not empty");
    check("/tender/procuringEntity/id", json!("other"), "tender.procuringEntity.id");
    check("/tender/status", json!("done"), "tender.status: it is one of");
    check("/awards/0/status", json!("pending"), "awards.status: it is active");
    check("/awards/0/suppliers/0/id", json!("other"), "awards.suppliers.id");
    check("/awards/0/date", json!("today"), "awards.date: it is a time");
}

#[test]
fn a_contract_that_breaks_a_rule_is_refused() {
    let contract = built(&full_draft()).document()["contracts"][0].clone();
    check("/contracts", json!([]), "/contracts: it is not empty");
    check("/contracts", json!([contract, contract]), "contracts: there is exactly one");
    let at = |rest: &str| format!("/contracts/0/{rest}");
    check(&at("awardID"), json!("other"), "contracts.awardID: it is the id of the award");
    check(&at("status"), json!("terminated"), "contracts.status: it is one of active");
    check(&at("dateSigned"), json!("today"), "contracts.dateSigned: it is a time");
    check(&at("period/startDate"), json!("now"), "contracts.period.startDate: it is a time");
    check(&at("period/endDate"), json!("2026-12-01T00:00:00Z"), "it is after the start");
    check(&at("period/maxExtentDate"), json!("2026-12-01T00:00:00Z"), "unknown field");
    check(&at("value/currency"), json!("USD"), "its currency is the price book's");
    check(&at("value/amount"), json!(-1), "it is not negative");
    check(&at("value/amount"), json!("a lot"), "not the form of a release");
    check(&at("milestones/0/status"), json!("soon"), "contracts.milestones.status");
    check(&at("milestones/0/dueDate"), json!("soon"), "contracts.milestones.dueDate");
    check(&at("amendments/0/releaseID"), json!("3"), "releaseID is the id of this release");
    check(&at("amendments/0/amendsReleaseID"), json!("2"), "does not amend itself");
    check(
        &at("items/0/unit/value/amount"),
        json!(1),
        "contracts.items: they are one for each price",
    );
    check(
        "/tender/items/0/description",
        json!("Lain"),
        "tender.items: they are one for each price",
    );
    check(&at("sovereign/spendingLimit"), Value::Null, "what there is not is left out");
    check(
        &at("sovereign/spendingLimit"),
        json!(9_007_199_254_740_993_i64),
        "a double holds exactly",
    );
    check(&at("sovereign/version"), json!(2), "contracts.sovereign: version");
    check(&at("sovereign/secretClause"), json!(true), "unknown field `secretClause`");
    let cheap = json!(1);
    check(&at("sovereign/priceBook/prices/0/tiers/0/price"), cheap, "contracts.items");
}

#[test]
fn items_may_be_left_out() {
    let mut document = built(&draft()).document().clone();
    document["contracts"][0].as_object_mut().unwrap().remove("items");
    document["tender"].as_object_mut().unwrap().remove("items");
    parsed(&document).unwrap();
}

#[test]
fn text_that_shows_other_than_it_says_is_refused() {
    for hidden in ["\u{1b}[2J", "\u{202e}", "\u{2066}", "\u{0}", "\u{85}", "\r"] {
        check("/contracts/0/title", json!(format!("Perjanjian{hidden}")), "no control characters");
    }
}

#[test]
fn a_field_given_twice_is_refused() {
    let text = String::from_utf8(built(&draft()).bytes().to_vec()).unwrap();
    let twice = text.replacen("\"spendingLimit\":", "", 1).replacen(
        "\"taxPercent\":11",
        "\"taxPercent\":11,\"taxPercent\":12",
        1,
    );
    assert_ne!(text, twice);
    let refusal = Release::parse(twice.as_bytes()).unwrap_err().to_string();
    assert!(refusal.contains("duplicate field `taxPercent`"), "{refusal}");
}

#[test]
fn a_document_that_is_too_long_is_refused() {
    let mut draft = draft();
    draft.terms.provider.duties = vec![text(&"a".repeat(500), &"b".repeat(500)); 50];
    assert!(matches!(Release::build(&draft), Err(Error::TooLong)));
    let spaces = [vec![b' '; DOCUMENT_BYTES_MAX], built(&self::draft()).bytes().to_vec()].concat();
    assert!(matches!(Release::parse(&spaces), Err(Error::TooLong)));
}

#[test]
fn each_tag_has_its_form() {
    let mut first = draft();
    first.amends = full_draft().amends;
    let refusal = Release::build(&first).unwrap_err().to_string();
    assert!(refusal.contains("a first release amends nothing"), "{refusal}");

    let mut end = full_draft();
    end.tag = Tag::ContractTermination;
    let release = built(&end);
    assert_eq!(release.document()["contracts"][0]["status"], "terminated");
    assert_eq!(release.document()["tag"], json!(["contractTermination"]));
    end.end = None;
    let refusal = Release::build(&end).unwrap_err().to_string();
    assert!(refusal.contains("a termination says when"), "{refusal}");
    for tag in [Tag::ContractAmendment, Tag::ContractTermination] {
        let reasonless = Draft { tag, amends: None, ..full_draft() };
        let refusal = Release::build(&reasonless).unwrap_err().to_string();
        assert!(refusal.contains("contracts.amendments: there is exactly one"), "{refusal}");
    }
}

/// Pointers to every value that has no values in it.
fn leaves(value: &Value, pointer: &str, found: &mut Vec<String>) {
    match value {
        Value::Array(all) => {
            let each = all.iter().enumerate();
            each.for_each(|(at, child)| leaves(child, &format!("{pointer}/{at}"), found));
        }
        Value::Object(all) => {
            all.iter().for_each(|(name, child)| leaves(child, &format!("{pointer}/{name}"), found));
        }
        _ => found.push(pointer.to_owned()),
    }
}

/// The smallest change of a value.
fn nudge(value: &mut Value) {
    *value = match value {
        Value::Bool(so) => json!(!*so),
        Value::Number(number) => json!(number.as_i64().unwrap() + 1),
        Value::String(text) => json!(format!("{text}a")),
        other => panic!("{other} is a leaf"),
    };
}

#[test]
fn any_change_of_any_clause_is_refused_or_changes_the_digest_and_the_terms() {
    let release = built(&full_draft());
    let mut pointers = Vec::new();
    leaves(
        &release.document()["contracts"][0]["sovereign"],
        "/contracts/0/sovereign",
        &mut pointers,
    );
    assert!(pointers.len() > 150, "{}", pointers.len());
    let mut read = 0;
    for pointer in pointers {
        let mut changed = release.document().clone();
        nudge(changed.pointer_mut(&pointer).unwrap());
        assert_ne!(canonical::bytes(&changed).unwrap(), release.bytes(), "{pointer}");
        let Ok(other) = parsed(&changed) else { continue };
        assert_ne!(other.digest(), release.digest(), "{pointer}");
        assert_ne!(other.terms(), release.terms(), "{pointer}");
        read += 1;
    }
    assert!(read > 100, "{read} changes made another agreement");
}

#[test]
fn numbers_are_those_that_a_double_holds() {
    let exact = |number: Value| check::values(&number, "").is_ok();
    for held in
        [json!(0), json!(-5), json!(1_i64 << 53), json!(13_915_694_039_040_000_i64), json!(0.1)]
    {
        assert!(exact(held.clone()), "{held}");
    }
    for lost in [json!((1_i64 << 53) + 1), json!(i64::MAX), json!(u64::MAX)] {
        assert!(!exact(lost.clone()), "{lost}");
    }
}

fn words() -> impl Strategy<Value = String> {
    "[A-Za-z0-9 .,\"\\\\/é中😀-]{0,40}[a-z]"
}

prop_compose! {
    fn drafts()(
        names in prop::array::uniform4(words()),
        id in "[A-Za-z0-9._-]{1,64}",
        date in 0..4_000_000_000_i64,
        (start, days) in (0..4_000_000_000_i64, prop::option::of(1..9_000_i64)),
        cap in prop::option::of(0..1_i64 << 53),
        limit in prop::option::of(1..1_i64 << 53),
        contact in prop::option::of(words()),
        additional in prop::collection::vec((words(), words()), 0..3),
        full: bool,
    ) -> Draft {
        let mut draft = if full { full_draft() } else { draft() };
        let [provider, tenant, title, rationale] = names;
        draft.provider.name = provider;
        draft.tenant.name = tenant;
        draft.title = text(&title, &rationale);
        draft.rationale = text(&rationale, &title);
        draft.id = format!("r{}", &id[1..]);
        draft.date = Time::from_secs(date);
        draft.start = Time::from_secs(start);
        draft.end = days.map(|days| Time::from_secs(start + days * 86_400));
        draft.value_cap = cap;
        draft.terms.spending_limit = limit;
        draft.tenant.contact = contact;
        draft.provider.additional = additional;
        draft
    }
}

proptest! {
    #[test]
    fn what_is_built_reads_back_the_same(draft in drafts()) {
        let release = Release::build(&draft).unwrap();
        let again = Release::parse(release.bytes()).unwrap();
        prop_assert_eq!(again.bytes(), release.bytes());
        prop_assert_eq!(again.digest(), release.digest());
        prop_assert_eq!(&**again.terms(), &draft.terms);
        prop_assert_eq!(again.provider(), &draft.provider);
        prop_assert_eq!(again.tenant(), &draft.tenant);
        prop_assert_eq!((again.start(), again.end()), (draft.start, draft.end));
        prop_assert_eq!(again.amends(), draft.amends.as_ref());
    }

    #[test]
    fn any_bytes_are_taken_without_panic(bytes: Vec<u8>, text: String) {
        let _ = (Release::parse(&bytes), Release::parse(text.as_bytes()));
    }

    #[test]
    fn a_document_with_a_changed_byte_is_taken_without_panic(
        at in 0..30_000_usize, byte: u8, cut: bool,
    ) {
        let mut bytes = built(&full_draft()).bytes().to_vec();
        let at = at % bytes.len();
        if cut { bytes.truncate(at) } else { bytes[at] = byte }
        if let Ok(release) = Release::parse(&bytes) {
            let again = Release::parse(release.bytes()).unwrap();
            prop_assert_eq!(release.bytes(), again.bytes());
        }
    }

    #[test]
    fn a_document_with_another_value_anywhere_is_taken_without_panic(
        at: prop::sample::Index,
        value in prop_oneof![
            Just(Value::Null), Just(json!([])), Just(json!({})), Just(json!("")),
            any::<i64>().prop_map(|n| json!(n)), any::<f64>().prop_map(|n| json!(n)),
            any::<String>().prop_map(|text| json!(text)),
        ],
    ) {
        let mut document = built(&full_draft()).document().clone();
        let mut pointers = Vec::new();
        leaves(&document, "", &mut pointers);
        *document.pointer_mut(&pointers[at.index(pointers.len())]).unwrap() = value;
        if let Ok(release) = parsed(&document) {
            // -0.0 and 1.0 are written "0" and "1" in the canonical form: the bytes are compared.
            prop_assert_eq!(release.bytes(), canonical::bytes(&document).unwrap());
        }
    }
}
