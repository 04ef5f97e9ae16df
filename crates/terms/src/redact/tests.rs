#![allow(clippy::unwrap_used, reason = "a test may panic")]

use proptest::prelude::*;

use super::*;
use crate::Release;
use crate::testing::{full_draft, text};

const CONTACT: &str = "/parties/1/contactPoint";
const PLACE: &str = "/contracts/0/sovereign/infrastructure/0/location";
const ADDRESSES: &str = "/contracts/0/sovereign/infrastructure/1/addresses";
const SALT: [u8; 16] = [9; 16];

fn document() -> Value {
    Release::build(&full_draft()).unwrap().document().clone()
}

fn ground() -> Text {
    text(
        "Putusan Komisi Informasi Pusat, April 2024",
        "Ruling of the Information Commission, April 2024",
    )
}

fn parse(document: &Value) -> Result<Release, String> {
    Release::parse(&serde_json::to_vec(document).unwrap()).map_err(|error| error.to_string())
}

/// Withholds one field of the example, or says why not.
fn check(pointer: &str) -> Result<(), String> {
    let mut document = document();
    withhold(&mut document, pointer, &ground(), SALT).map_err(|error| error.to_string())?;
    parse(&document).map(|_| ())
}

#[test]
fn what_the_ruling_allows_can_be_withheld_and_opened() {
    for pointer in [CONTACT, PLACE, ADDRESSES] {
        let mut document = document();
        let value = document.pointer(pointer).unwrap().clone();
        let opening = withhold(&mut document, pointer, &ground(), SALT).unwrap();
        assert_eq!(opening.value, value);
        assert!(!document.to_string().contains(&value.to_string()), "{pointer}");
        open(&document, &opening).unwrap();
        let release = parse(&document).unwrap();
        open(release.document(), &opening).unwrap();
    }
}

#[test]
fn the_commitment_is_the_hash_of_salt_and_canonical_value() {
    let mut document = document();
    withhold(&mut document, CONTACT, &ground(), SALT).unwrap();
    let expected = [&SALT[..], br#"{"name":"Kepala Bagian Data"}"#].concat();
    let shown = document.pointer(CONTACT).unwrap();
    assert_eq!(shown["withheld"]["commitment"], canonical::sha256(&expected));
    assert_eq!(shown["withheld"]["ground"]["id"], ground().id);
}

#[test]
fn nothing_else_can_be_withheld() {
    for pointer in [
        "",
        "/",
        "/ocid",
        "/parties",
        "/parties/1",
        "/parties/1/name",
        "/parties/contactPoint",
        "/parties/1/contactPoint/name",
        "/contracts/0/value",
        "/contracts/0/sovereign",
        "/contracts/0/sovereign/priceBook/prices/0/tiers/0/price",
        "/contracts/0/sovereign/residency/rules/0/countries",
        "/contracts/0/sovereign/infrastructure/0",
        "/contracts/0/sovereign/infrastructure/0/site",
        "/contracts/0/sovereign/infrastructure/0/location/0",
        "/contracts/0/sovereign/provider/duties/0",
    ] {
        assert_eq!(check(pointer), Err(format!("{pointer} may not be withheld")));
    }
}

#[test]
fn what_is_absent_or_already_withheld_or_without_ground_is_refused() {
    assert_eq!(
        check("/parties/0/contactPoint"),
        Err("there is no /parties/0/contactPoint".to_owned())
    );
    let mut document = document();
    let refused = withhold(&mut document, CONTACT, &text("Putusan", " "), SALT);
    assert!(matches!(refused, Err(Error::Malformed(_))));
    withhold(&mut document, CONTACT, &ground(), SALT).unwrap();
    let again = withhold(&mut document, CONTACT, &ground(), SALT);
    assert!(matches!(again, Err(Error::Already(_))));
}

#[test]
fn a_release_that_withholds_what_it_may_not_is_refused() {
    let mut document = document();
    withhold(&mut document, CONTACT, &ground(), SALT).unwrap();
    let withheld = document.pointer(CONTACT).unwrap().clone();
    let bare = json!({"withheld": {"commitment": "0", "ground": ground()}});
    for (pointer, value, expected) in [
        ("/contracts/0/sovereign/audit", &withheld, "unknown field"),
        ("/tender/title", &withheld, "invalid type"),
        (CONTACT, &bare, "has a commitment"),
    ] {
        let mut document = document.clone();
        *document.pointer_mut(pointer).unwrap() = value.clone();
        let refusal = parse(&document).unwrap_err();
        assert!(refusal.contains(expected), "{pointer}: {refusal}");
        assert!(super::check(&document).is_err(), "{pointer}");
    }
}

#[test]
fn what_is_withheld_is_listed_with_its_ground() {
    let mut document = document();
    for pointer in [CONTACT, ADDRESSES] {
        withhold(&mut document, pointer, &ground(), SALT).unwrap();
    }
    let mut listed: Vec<_> = withheld(&document).into_iter().map(|(pointer, _)| pointer).collect();
    listed.sort();
    assert_eq!(listed, [ADDRESSES, CONTACT]);
    assert!(withheld(&document).iter().all(|(_, field)| field.withheld.ground == ground()));
}

#[test]
fn an_opening_reads_back() {
    let opening = withhold(&mut document(), PLACE, &ground(), SALT).unwrap();
    let text = serde_json::to_string(&opening).unwrap();
    assert_eq!(serde_json::from_str::<Opening>(&text).unwrap(), opening);
}

fn pointers() -> impl Strategy<Value = &'static str> {
    prop::sample::select(vec![CONTACT, PLACE, ADDRESSES])
}

proptest! {
    #[test]
    fn only_the_right_salt_and_value_open(
        pointer in pointers(), salt: [u8; 16], other_salt: [u8; 16], other_value in ".{0,9}",
    ) {
        let mut document = document();
        let opening = withhold(&mut document, pointer, &ground(), salt).unwrap();
        prop_assert!(open(&document, &opening).is_ok());
        let resalted = Opening { salt: hex(&other_salt), ..opening.clone() };
        prop_assert_eq!(open(&document, &resalted).is_ok(), salt == other_salt);
        let forged = Opening { value: json!(other_value), ..opening.clone() };
        prop_assert!(open(&document, &forged).is_err());
        let elsewhere = Opening { pointer: "/ocid".to_owned(), ..opening };
        prop_assert!(open(&document, &elsewhere).is_err());
    }

    #[test]
    fn any_opening_and_any_pointer_are_taken_without_panic(
        pointer: String, path in "(/([a-z]{1,9}|[0-9]|~[012]?)){0,6}", salt: String, value: String,
    ) {
        let mut document = document();
        for pointer in [pointer, path] {
            prop_assert!(withhold(&mut document, &pointer, &ground(), SALT).is_err());
            let opening = Opening { pointer, salt: salt.clone(), value: json!(value) };
            prop_assert!(open(&document, &opening).is_err());
        }
    }
}
