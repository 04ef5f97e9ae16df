#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

use super::*;

#[test]
fn values_of_every_kind_are_read() {
    let json =
        r#" {"a": [1, -2.5e1, true, null], "b": {"c": "x\n\"\u00e9\ud83d\ude00"}, "d": []} "#;
    let json = Json::parse(json).unwrap();
    assert_eq!(json.get("a").unwrap().list()[1].number(), Some(-25.0));
    assert_eq!(json.get("a").unwrap().list()[2], Json::Bool(true));
    assert_eq!(json.get("b").unwrap().get("c").unwrap().text(), Some("x\n\"é😀"));
    assert_eq!(json.get("d").unwrap().list(), []);
}

#[test]
fn what_is_not_json_is_refused() {
    let deep = "[".repeat(100_000);
    for text in ["", "{", "{\"a\"}", "[1,]", "tru", "1 2", r#""\ud83d""#, r#""\u12"#, &deep] {
        assert!(Json::parse(text).is_err(), "{text:.20}");
    }
}
