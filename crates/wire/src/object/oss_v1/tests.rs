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
    finish(&mut text, &headers, &resource, &Pairs::parse(target), SUB_RESOURCES);
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

#[test]
fn what_no_client_signs_is_let_pass_beside_a_header_and_signed_in_a_url() {
    let secret = base::Secret::new("secret".to_owned());
    let now = base::Time::from_secs(1_770_000_000);
    let signer = Signer { key_id: "id", secret: &secret, token: None, region: "r", now };
    let resource = Resource { bucket: Some("b"), key: None };
    let accepted = |query: &str, headers: &HeaderMap| {
        let head = crate::Head { method: "GET", path: "/b/", query, headers };
        let dialect = super::super::Dialect::Oss;
        match super::super::auth::parse(&head, dialect, &resource, "r", now).unwrap() {
            super::super::auth::Auth::Signed(signed) => signed.verify(&secret).is_ok(),
            super::super::auth::Auth::Anonymous => false,
        }
    };
    let draft = |query| Draft { method: "GET", path: "/b/", query, resource };
    let mut headers = HeaderMap::new();
    sign(&signer, &draft(""), &mut headers).unwrap();
    assert!(accepted("", &headers) && accepted("accessmonitor", &headers));
    assert!(!accepted("acl", &headers));
    // Where a client does sign it, that is as good.
    let mut text = start("GET", &headers);
    push_line(&mut text, headers.get(DATE));
    finish(&mut text, &headers, &resource, &Pairs::parse("accessmonitor"), &all());
    let value = format!("OSS id:{}", mac(&signer, &text));
    headers.insert(AUTHORIZATION, HeaderValue::from_str(&value).unwrap());
    assert!(accepted("accessmonitor", &headers) && !accepted("", &headers));

    let none = HeaderMap::new();
    let minute = Duration::from_secs(60);
    let url = presign(&signer, &draft(""), &none, minute);
    assert!(accepted(&url, &none));
    assert!(!accepted(&format!("{url}&accessmonitor"), &none));
    let url = presign(&signer, &draft("accessmonitor"), &none, minute);
    assert!(accepted(&url, &none));
}
