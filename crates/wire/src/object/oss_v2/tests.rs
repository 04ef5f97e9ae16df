use super::*;

#[test]
fn additional_headers_are_lower_case_and_sorted() {
    assert_eq!(additional_headers("Range; if-modified-since;;"), ["if-modified-since", "range"]);
    assert!(additional_headers("").is_empty());
}

#[test]
fn the_resource_is_encoded_with_its_slashes() {
    let check = |bucket, key, expect: &[u8]| {
        let mut out = Vec::new();
        push_encoded_resource(&mut out, &Resource { bucket, key });
        assert_eq!(out, expect);
    };
    check(Some("b"), Some(&b"a/\xc3\xbc"[..]), b"%2Fb%2Fa%2F%C3%BC");
    check(Some("b"), None, b"%2Fb%2F");
    check(None, None, b"%2F");
}
