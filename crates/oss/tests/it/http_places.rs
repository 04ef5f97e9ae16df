//! Data classes, places and their refusals, in both dialects over real sockets.

use terms::clauses::DataClass;

use super::http_client::{Ask, Server, Sign, check};
use crate::harness::{OWNER, residing, rule};

const BOTH: [Sign; 2] = [Sign::OssV4, Sign::S3];

fn configuration(children: &str) -> String {
    format!("<CreateBucketConfiguration>{children}</CreateBucketConfiguration>")
}

fn location(sign: Sign, region: &str) -> String {
    let prefix = if sign == Sign::S3 { "" } else { "oss-" };
    configuration(&format!("<LocationConstraint>{prefix}{region}</LocationConstraint>"))
}

/// Only at home, personal data in two zones.
fn bind(server: &Server) {
    let rules =
        [rule(DataClass::Internal, &["ID"], &[], 1), rule(DataClass::Personal, &["ID"], &[], 2)];
    server.test.home.covenant.bind(OWNER, residing(DataClass::Internal, &rules));
}

fn put_bucket<'s>(server: &'s Server, name: &str) -> Ask<'s> {
    server.ask("PUT", &format!("/{name}"))
}

#[test]
fn a_bucket_tells_its_class_and_its_place() {
    check(|server| {
        for (sign, name) in [(Sign::OssV4, "one"), (Sign::S3, "two")] {
            let made = put_bucket(server, name).header("x-awan-data-class", "strategic").send(sign);
            assert_eq!(made.status, 200, "{made:?}");
            let head = server.ask("HEAD", &format!("/{name}")).send(sign);
            assert_eq!(head.header("x-awan-data-class"), Some("strategic"));
            assert_eq!(head.header("x-awan-site"), Some("jkt-1"));
            let info = server.ask("GET", &format!("/{name}?bucketInfo")).send(Sign::OssV4);
            assert_eq!(info.element("DataClass"), "strategic");
            assert_eq!(info.header("x-awan-data-class"), Some("strategic"));
            put_bucket(server, "three")
                .header("x-awan-data-class", "secret")
                .send(sign)
                .refused(400, "InvalidArgument");
        }
        let info = server.ask("GET", "/pemilu?bucketInfo").send(Sign::OssV4);
        assert_eq!(info.element("DataClass"), "internal");
    });
}

#[test]
fn a_bucket_abroad_tells_its_own_region_and_takes_signatures_for_it() {
    check(|server| {
        for (sign, name) in [(Sign::OssV4, "one"), (Sign::S3, "two")] {
            let made = put_bucket(server, name).body(location(sign, "ap-southeast-1")).send(sign);
            assert_eq!(made.status, 200, "{made:?}");
            let told = server.ask("GET", &format!("/{name}?location")).send(sign);
            let prefix = if sign == Sign::S3 { "" } else { "oss-" };
            assert_eq!(told.element("LocationConstraint"), format!("{prefix}ap-southeast-1"));
            let ask = |method| server.ask(method, &format!("/{name}")).region("ap-southeast-1");
            let head = ask("HEAD").send(sign);
            let header =
                if sign == Sign::S3 { "x-amz-bucket-region" } else { "x-oss-bucket-region" };
            assert_eq!(head.header(header), Some("ap-southeast-1"), "{head:?}");
            assert_eq!(ask("DELETE").region("ap-southeast-9").send(sign).status / 100, 4);
            let named = put_bucket(server, "named").header("x-awan-site", "sg-2").send(sign);
            assert_eq!(named.status, 200, "{named:?}");
            let head = server.ask("HEAD", "/named").send(sign);
            assert_eq!(head.header("x-awan-site"), Some("sg-2"));
            assert_eq!(server.ask("DELETE", "/named").send(sign).status, 204);
        }
        let listed = server.ask("GET", "/").send(Sign::OssV4).text();
        assert!(listed.contains("<Region>ap-southeast-1</Region>"), "{listed}");
        assert!(listed.contains("<Region>ap-southeast-5</Region>"), "{listed}");
        let regions = server.ask("GET", "/?regions").send(Sign::OssV4).text();
        assert!(regions.contains("<Region>oss-ap-southeast-1</Region>"), "{regions}");
    });
}

#[test]
fn a_place_outside_the_agreement_is_refused_in_both_dialects() {
    check(|server| {
        bind(server);
        for sign in BOTH {
            let abroad = put_bucket(server, "one").body(location(sign, "ap-southeast-1"));
            abroad.send(sign).refused(403, "Forbidden.Residency");
            let named = put_bucket(server, "one").header("x-awan-site", "sg-1").send(sign);
            named.refused(403, "Forbidden.Residency");
            let unruled =
                put_bucket(server, "one").header("x-awan-data-class", "strategic").send(sign);
            unruled.refused(403, "Forbidden.Residency");
            let single =
                put_bucket(server, "one").header("x-awan-data-class", "personal").send(sign);
            single.refused(403, "Forbidden.ZoneRedundancyRequired");
            let nowhere = put_bucket(server, "one").body(location(sign, "mars-1")).send(sign);
            nowhere.refused(400, "InvalidLocationConstraint");
            assert_eq!(nowhere.element("LocationConstraint"), "mars-1");
            let unknown = put_bucket(server, "one").header("x-awan-site", "moon-1").send(sign);
            unknown.refused(400, "InvalidArgument");
            let both = put_bucket(server, "one")
                .header("x-awan-site", "jkt-1")
                .body(location(sign, "ap-southeast-1"));
            both.send(sign).refused(400, "InvalidLocationConstraint");
            assert_eq!(server.ask("HEAD", "/one").send(sign).status, 404);
        }
        let refused = server.ask("HEAD", "/one").send(Sign::OssV4);
        assert!(refused.header("x-oss-err").is_some());
    });
}

#[test]
fn a_write_after_the_agreement_forbids_the_place_is_refused_in_both_dialects() {
    check(|server| {
        let only = [rule(DataClass::Internal, &["ID"], &["jkt-2"], 1)];
        server.test.home.covenant.bind(OWNER, residing(DataClass::Internal, &only));
        for sign in BOTH {
            let put = server.ask("PUT", "/pemilu/k").body("x").send(sign);
            put.refused(403, "Forbidden.Residency");
            let begun = server.ask("POST", "/pemilu/k?uploads").body("").send(sign);
            begun.refused(403, "Forbidden.Residency");
        }
    });
}

#[test]
fn zone_redundancy_is_asked_for_in_each_dialects_way() {
    check(|server| {
        bind(server);
        let zrs = configuration("<DataRedundancyType>ZRS</DataRedundancyType>");
        let personal = |name| put_bucket(server, name).header("x-awan-data-class", "personal");
        for (name, sign, ask) in [
            ("one", Sign::OssV4, personal("one").body(zrs)),
            ("two", Sign::OssV4, personal("two").header("x-oss-data-redundancy-type", "ZRS")),
            ("three", Sign::S3, personal("three").header("x-awan-redundancy", "ZRS")),
        ] {
            let made = ask.send(sign);
            assert_eq!(made.status, 200, "{made:?}");
            let head = server.ask("HEAD", &format!("/{name}")).send(sign);
            assert_eq!(head.header("x-awan-site"), Some("jkt-1,jkt-2"));
            let put = server.ask("PUT", &format!("/{name}/k")).body("hello").send(sign);
            assert_eq!(put.status, 200, "{put:?}");
            assert_eq!(server.ask("GET", &format!("/{name}/k")).send(sign).text(), "hello");
        }
        let info = server.ask("GET", "/one?bucketInfo").send(Sign::OssV4);
        assert_eq!(info.element("DataRedundancyType"), "ZRS");
    });
}
