//! CORS over real sockets: configurations, preflights, and the headers of answers.

use super::http_client::{Answer, Server, Sign, check};

const RULES: &str = "<CORSConfiguration>\
    <CORSRule><AllowedOrigin>https://*.kpu.example</AllowedOrigin><AllowedMethod>GET</AllowedMethod>\
    <AllowedMethod>PUT</AllowedMethod><AllowedHeader>X-Oss-*</AllowedHeader>\
    <ExposeHeader>ETag</ExposeHeader><MaxAgeSeconds>60</MaxAgeSeconds></CORSRule>\
    <CORSRule><AllowedOrigin>*</AllowedOrigin><AllowedMethod>HEAD</AllowedMethod></CORSRule>\
    </CORSConfiguration>";
const PAGE: &str = "https://www.kpu.example";
const ALLOWED: &str = "access-control-allow-origin";

fn set(server: &Server, sign: Sign, rules: &str) -> Answer {
    server.ask("PUT", "/pemilu?cors").body(rules).send(sign)
}

#[test]
fn rules_set_in_one_dialect_are_told_in_the_other() {
    check(|server| {
        let get = |sign| server.ask("GET", "/pemilu?cors").send(sign);
        for (setter, reader) in [(Sign::OssV4, Sign::S3), (Sign::S3, Sign::OssV1)] {
            get(reader).refused(404, "NoSuchCORSConfiguration");
            assert_eq!(set(server, setter, RULES).status, 200);
            let told = get(reader);
            assert_eq!(told.element("AllowedOrigin"), "https://*.kpu.example");
            assert_eq!(told.element("MaxAgeSeconds"), "60");
            assert_eq!(told.text().contains("ResponseVary"), reader != Sign::S3);
            assert_eq!(server.ask("DELETE", "/pemilu?cors").send(setter).status, 204);
        }
        set(server, Sign::S3, "<CORSConfiguration/>").refused(400, "MalformedXML");
        set(server, Sign::S3, "none").refused(400, "MalformedXML");
        let stranger = testkit::root(7);
        server.test.keys.add(&stranger);
        let ask = server.ask("PUT", "/pemilu?cors").by(&stranger).body(RULES);
        ask.send(Sign::OssV4).refused(403, "AccessDenied");
    });
}

#[test]
fn a_preflight_is_answered_by_the_first_rule_that_fits() {
    check(|server| {
        let ask = |origin: &str, method: &str, headers: &str| {
            let ask = server.ask("OPTIONS", "/pemilu/k?OSSAccessKeyId=a&Signature=b&Expires=1");
            ask.header("origin", origin)
                .header("access-control-request-method", method)
                .header("access-control-request-headers", headers)
                .send(Sign::No)
        };
        ask(PAGE, "GET", "").refused(403, "AccessForbidden");
        assert_eq!(set(server, Sign::OssV4, RULES).status, 200);
        for (origin, method, headers, expect) in [
            (PAGE, "PUT", "x-oss-meta-a, X-OSS-Date", Some(PAGE)),
            (PAGE, "PUT", "", Some(PAGE)),
            (PAGE, "PUT", "authorization", None),
            (PAGE, "DELETE", "", None),
            ("https://kpu.example", "GET", "", None),
            ("https://else.example", "HEAD", "", Some("*")),
        ] {
            let told = ask(origin, method, headers);
            assert_eq!(told.header(ALLOWED), expect, "{origin} {method} {headers}: {told:?}");
            match expect {
                Some(_) => assert_eq!((told.status, told.body.len()), (200, 0)),
                None => told.refused(403, "AccessForbidden"),
            }
        }
        let told = ask(PAGE, "PUT", "x-oss-meta-a, X-OSS-Date");
        for (name, value) in [
            ("access-control-allow-methods", "GET, PUT"),
            ("access-control-allow-headers", "x-oss-meta-a, x-oss-date"),
            ("access-control-expose-headers", "ETag"),
            ("access-control-max-age", "60"),
            ("vary", "Origin"),
        ] {
            assert_eq!(told.header(name), Some(value), "{name}");
        }
        let bare = server.ask("OPTIONS", "/pemilu").header("origin", PAGE).send(Sign::No);
        bare.refused(400, "BadRequest");
    });
}

#[test]
fn answers_and_refusals_are_shared_with_the_origins_that_fit() {
    check(|server| {
        assert_eq!(server.ask("PUT", "/pemilu/k").body("x").send(Sign::OssV4).status, 200);
        let get = |target: &str, origin: &str, sign| {
            server.ask("GET", target).header("origin", origin).send(sign)
        };
        assert_eq!(get("/pemilu/k", PAGE, Sign::S3).header(ALLOWED), None);
        assert_eq!(set(server, Sign::OssV4, RULES).status, 200);
        for (target, status) in [("/pemilu/k", 200), ("/pemilu/gone", 404), ("/pemilu", 200)] {
            for sign in [Sign::OssV4, Sign::S3] {
                let told = get(target, PAGE, sign);
                assert_eq!((told.status, told.header(ALLOWED)), (status, Some(PAGE)));
                assert!(told.header("vary").unwrap().starts_with("Origin"));
                let credentials = told.header("access-control-allow-credentials");
                assert_eq!(credentials, (sign == Sign::S3).then_some("true"));
                let other = get(target, "https://else.example", sign);
                assert_eq!((other.status, other.header(ALLOWED)), (status, None));
            }
        }
        let asked = |method: &str| {
            let ask = server.ask("DELETE", "/pemilu/k").header("origin", PAGE);
            ask.header("access-control-request-method", method).send(Sign::No)
        };
        assert_eq!(asked("PUT").header(ALLOWED), Some(PAGE));
        assert_eq!(asked("DELETE").header(ALLOWED), None);
        let denied = get("/pemilu/k", PAGE, Sign::No);
        assert_eq!((denied.status, denied.header(ALLOWED)), (403, Some(PAGE)));
        let head = server.ask("HEAD", "/pemilu/k").header("origin", "null").send(Sign::S3);
        assert_eq!((head.status, head.header(ALLOWED)), (200, Some("*")));
        assert_eq!(head.header("access-control-allow-credentials"), None);
    });
}

#[test]
fn answers_say_that_they_vary_where_the_bucket_wants_it() {
    check(|server| {
        let ask = || server.ask("GET", "/pemilu/k").send(Sign::No);
        assert_eq!(set(server, Sign::OssV4, RULES).status, 200);
        assert_eq!(ask().header("vary"), None);
        let vary = "<ResponseVary>true</ResponseVary></CORSConfiguration>";
        let rules = RULES.replace("</CORSConfiguration>", vary);
        assert_eq!(set(server, Sign::OssV4, &rules).status, 200);
        assert_eq!(ask().header("vary"), Some("Origin"));
    });
}
