#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use serde_json::json;

use super::books;

#[test]
fn a_commitments_row_says_its_day() {
    let detail = json!({"day": "2026-11-22", "usage": "u"}).to_string();
    let row = json!({"Statement": json!({"detail": detail}).to_string()});
    assert_eq!(books::detail_of(&row).unwrap()["day"], "2026-11-22");
    for row in [json!({}), json!({"Statement": "x"}), json!({"Statement": "{\"detail\":\"\"}"})] {
        assert!(books::detail_of(&row).is_none(), "{row}");
    }
}
