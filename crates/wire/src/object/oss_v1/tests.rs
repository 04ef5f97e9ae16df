#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use super::super::tests::headers;
use super::*;

#[test]
fn sub_resources_are_sorted_so_that_the_search_finds_each() {
    assert!(SUB_RESOURCES.is_sorted_by(|a, b| a < b));
}

fn text(target: &str, resource: Resource<'_>, pairs: &[(&str, &str)]) -> String {
    let headers = headers(pairs);
    let mut text = start("GET", &headers);
    push_line(&mut text, headers.get(DATE));
    finish(&mut text, &headers, &resource, &Pairs::parse(target));
    String::from_utf8(text).unwrap()
}

#[test]
fn the_text_holds_lines_headers_and_resource() {
    let pairs = [
        ("date", "D"),
        ("x-oss-b", " 2 "),
        ("x-oss-a", "1"),
        ("x-oss-a", "3"),
        ("content-md5", "M"),
    ];
    let resource = Resource { bucket: Some("b"), key: Some(b"a k") };
    assert_eq!(
        text("uploads&prefix=x&acl=&response-expires=a%20b", resource, &pairs),
        "GET\nM\n\nD\nx-oss-a:1,3\nx-oss-b:2\n/b/a k?acl&response-expires=a b&uploads"
    );
    assert_eq!(text("", Resource { bucket: Some("b"), key: None }, &[]), "GET\n\n\n\n/b/");
    assert_eq!(text("prefix=x", Resource::default(), &[]), "GET\n\n\n\n/");
}
