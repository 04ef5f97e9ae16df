#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use proptest::prelude::*;

use super::*;

const BOTH: [Dialect; 2] = [Dialect::Oss, Dialect::S3];

fn body(rules: &str) -> String {
    format!("<CORSConfiguration>{rules}</CORSConfiguration>")
}

fn rules(inside: &str) -> Result<Cors, ApiError> {
    Cors::parse(body(&format!("<CORSRule>{inside}</CORSRule>")).as_bytes(), Dialect::S3)
}

#[test]
fn what_no_rule_may_say_is_refused() {
    let fine = "<AllowedOrigin>*</AllowedOrigin><AllowedMethod>GET</AllowedMethod>";
    assert!(rules(fine).is_ok());
    for (inside, code) in [
        ("<AllowedOrigin>*</AllowedOrigin>", "MalformedXML"),
        ("<AllowedMethod>GET</AllowedMethod>", "MalformedXML"),
        ("<AllowedOrigin>*</AllowedOrigin><AllowedMethod>PATCH</AllowedMethod>", "InvalidRequest"),
        (
            "<AllowedOrigin>http://*.*</AllowedOrigin><AllowedMethod>GET</AllowedMethod>",
            "InvalidRequest",
        ),
        (&format!("{fine}<AllowedHeader>*-*</AllowedHeader>"), "InvalidRequest"),
        (&format!("{fine}<ExposeHeader>x-*</ExposeHeader>"), "InvalidRequest"),
        (&format!("{fine}<ExposeHeader>a&#10;b</ExposeHeader>"), "MalformedXML"),
        (&format!("{fine}<MaxAgeSeconds>-1</MaxAgeSeconds>"), "MalformedXML"),
    ] {
        assert_eq!(rules(inside).unwrap_err().code(), code, "{inside}");
    }
}

#[test]
fn each_dialect_has_its_own_limit_of_rules() {
    let rule =
        "<CORSRule><AllowedOrigin>*</AllowedOrigin><AllowedMethod>GET</AllowedMethod></CORSRule>";
    let parse = |count, dialect| Cors::parse(body(&rule.repeat(count)).as_bytes(), dialect);
    for (dialect, most) in [(Dialect::Oss, 10), (Dialect::S3, 100)] {
        assert_eq!(parse(most, dialect).unwrap().rules.len(), most);
        for count in [0, most + 1] {
            assert_eq!(parse(count, dialect).unwrap_err().code(), "MalformedXML");
        }
    }
}

#[test]
fn a_star_stands_for_any_text_and_nothing_else_does() {
    for (pattern, text, expect) in [
        ("*", "https://a.example", true),
        ("https://*.example", "https://a.example", true),
        ("https://*.example", "https://a.example.org", false),
        ("https://a.example", "https://A.example", false),
        ("ab*ba", "aba", false),
        ("ab*ba", "abba", true),
    ] {
        assert_eq!(fits(pattern, text), expect, "{pattern} {text}");
    }
}

fn a_rule() -> impl Strategy<Value = Rule> {
    let texts = |least| prop::collection::vec("[!-)+-~é]{1,8}", least..3);
    (
        prop::option::of("[!-~]{1,9}"),
        texts(1),
        prop::collection::vec(prop::sample::select(&METHODS[..]).prop_map(str::to_owned), 1..4),
        texts(0),
        texts(0),
        prop::option::of(0..=SECONDS_MAX),
    )
        .prop_map(|(id, origins, methods, headers, exposed, seconds)| Rule {
            id,
            origins,
            methods,
            headers,
            exposed,
            seconds,
        })
}

proptest! {
    #[test]
    fn any_bytes_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        for dialect in BOTH {
            let _ = Cors::parse(&bytes, dialect);
        }
    }

    #[test]
    fn any_text_in_the_places_of_values_is_read_or_refused(text in "\\PC{0,30}") {
        let _ = rules(&format!("<AllowedOrigin>{text}</AllowedOrigin><AllowedMethod>{text}</AllowedMethod>"));
    }

    #[test]
    fn what_is_told_is_read_the_same(rules in prop::collection::vec(a_rule(), 1..=10), vary: bool) {
        let cors = Cors { rules, vary };
        let mut of_oss = cors.clone();
        let headers = of_oss.rules.iter_mut().flat_map(|rule| &mut rule.headers);
        headers.for_each(|header| header.make_ascii_lowercase());
        prop_assert_eq!(Cors::parse(&cors.render(Dialect::Oss), Dialect::Oss).unwrap(), of_oss);
        let of_s3 = Cors { vary: false, ..cors.clone() };
        prop_assert_eq!(Cors::parse(&cors.render(Dialect::S3), Dialect::S3).unwrap(), of_s3);
    }
}
