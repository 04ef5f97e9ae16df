#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use super::*;

#[test]
fn numbers_are_written_as_each_language_does() {
    let check = |number: i64, id: &str, en: &str| {
        assert_eq!(Lang::Id.number(number), id);
        assert_eq!(Lang::En.number(number), en);
    };
    check(0, "0", "0");
    check(999, "999", "999");
    check(1000, "1.000", "1,000");
    check(-1_234_567, "−1.234.567", "−1,234,567");
}

#[test]
fn money_keeps_its_micro_units_and_drops_zeros() {
    assert_eq!(Lang::Id.money("IDR", 279_500_000), "Rp\u{a0}279,5");
    assert_eq!(Lang::En.money("IDR", 1_000_000_000_000), "Rp\u{a0}1,000,000");
    assert_eq!(Lang::En.money("USD", 24), "USD\u{a0}0.000024");
    assert_eq!(Lang::En.money("USD", -500_000), "USD\u{a0}−0.5");
    assert_eq!(Lang::Id.money("USD", 0), "USD\u{a0}0");
}

#[test]
fn parts_of_a_unit_are_decimals() {
    assert_eq!(Lang::En.ratio(5 << 30, 1 << 30, 3), "5");
    assert_eq!(Lang::En.ratio(3 << 29, 1 << 30, 3), "1.5");
    assert_eq!(Lang::Id.ratio(1, 3, 3), "0,333");
    assert_eq!(Lang::Id.ratio(7, 0, 3), "7");
    assert_eq!(Lang::Id.percent(999_500), "99,95\u{a0}%");
}

#[test]
fn dates_are_words_and_what_is_none_stays() {
    let time = Time::parse_iso("2026-08-07T06:05:04Z").unwrap();
    assert_eq!(Lang::Id.day(time), "7\u{a0}Agustus\u{a0}2026");
    assert_eq!(Lang::En.day(time), "7\u{a0}August\u{a0}2026");
    assert_eq!(Lang::En.date("2026-08-07"), "7\u{a0}August\u{a0}2026");
    assert_eq!(Lang::En.date("<soon>"), "<soon>");
    let shown = Lang::Id.time(time).into_string();
    assert_eq!(
        shown,
        "<time datetime=\"2026-08-07T06:05:04Z\">7\u{a0}Agustus\u{a0}2026, 06.05.04\u{a0}UTC</time>"
    );
}

#[test]
fn a_missing_translation_is_the_other_language() {
    let text = Text { id: String::new(), en: "Only English".to_owned() };
    assert_eq!(Lang::Id.text(&text), "Only English");
}

#[test]
fn the_english_pages_are_below_en() {
    assert_eq!(Lang::Id.path("/places"), "/places");
    assert_eq!(Lang::En.path("/places"), "/en/places");
    assert_eq!(Lang::En.path("/"), "/en/");
}
