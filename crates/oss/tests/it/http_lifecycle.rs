//! Lifecycles, restores and the switches beside them over real sockets, in both dialects.

use super::http_client::{Server, Sign, check};

const OSS: &str = "<LifecycleConfiguration><Rule><ID>r</ID><Prefix>a/</Prefix><Status>Enabled</Status>\
    <Expiration><Days>30</Days></Expiration><Transition><Days>3</Days><StorageClass>IA</StorageClass></Transition>\
    <Filter><Not><Prefix>a/b</Prefix></Not></Filter></Rule></LifecycleConfiguration>";
const S3: &str = "<LifecycleConfiguration><Rule><ID>r 1</ID><Filter><Prefix>a/</Prefix></Filter><Status>Enabled</Status>\
    <Expiration><Days>30</Days></Expiration></Rule></LifecycleConfiguration>";

fn put(server: &Server, sign: Sign, target: &str, body: &str) -> u16 {
    server.ask("PUT", target).body(body).send(sign).status
}

#[test]
fn rules_are_told_in_the_words_of_whoever_asks() {
    check(|server| {
        let get = |sign| server.ask("GET", "/pemilu?lifecycle").send(sign);
        get(Sign::OssV4).refused(404, "NoSuchLifecycle");
        get(Sign::S3).refused(404, "NoSuchLifecycleConfiguration");
        assert_eq!(put(server, Sign::OssV1, "/pemilu?lifecycle", OSS), 200);
        assert_eq!(get(Sign::OssV4).element("StorageClass"), "IA");
        assert_eq!(get(Sign::S3).element("StorageClass"), "STANDARD_IA");
        let wrong = server.ask("PUT", "/pemilu?lifecycle").body(OSS.replace("30", "0"));
        wrong.send(Sign::OssV4).refused(400, "InvalidArgument");
        assert_eq!(put(server, Sign::S3, "/pemilu?lifecycle", S3), 200);
        assert_eq!(get(Sign::OssV1).element("Prefix"), "a/");
        for _ in 0..2 {
            let done = server.ask("DELETE", "/pemilu?lifecycle").send(Sign::S3);
            assert_eq!(done.status, 204);
        }
        get(Sign::S3).refused(404, "NoSuchLifecycleConfiguration");
    });
}

#[test]
fn an_object_tells_when_it_will_end_and_one_that_no_rule_fits_does_not() {
    check(|server| {
        assert_eq!(put(server, Sign::S3, "/pemilu?lifecycle", S3), 200);
        for (sign, header) in [(Sign::S3, "x-amz-expiration"), (Sign::OssV4, "x-oss-expiration")] {
            for (key, told) in [("a/1", true), ("b/1", false)] {
                let target = format!("/pemilu/{key}");
                for ask in [
                    server.ask("PUT", &target).body("1"),
                    server.ask("GET", &target),
                    server.ask("HEAD", &target),
                ] {
                    let answer = ask.send(sign);
                    assert_eq!(answer.status, 200);
                    let text = answer.header(header).unwrap_or_default().to_owned();
                    assert_eq!(text.ends_with("GMT\", rule-id=\"r%201\""), told, "{key} {text}");
                }
            }
        }
    });
}

#[test]
fn what_is_archived_is_restored_before_it_is_read() {
    check(|server| {
        let cold = server.ask("PUT", "/pemilu/k").header("x-amz-storage-class", "GLACIER");
        assert_eq!(cold.body("frozen").send(Sign::S3).status, 200);
        for sign in [Sign::S3, Sign::OssV1, Sign::OssV4] {
            server.ask("GET", "/pemilu/k").send(sign).refused(403, "InvalidObjectState");
            assert_eq!(server.ask("HEAD", "/pemilu/k").send(sign).status, 200);
        }
        let restore =
            |sign, body: &str| server.ask("POST", "/pemilu/k?restore").body(body).send(sign);
        restore(Sign::S3, "<RestoreRequest/>").refused(400, "MalformedXML");
        let tiers = "<RestoreRequest><Days>1</Days><JobParameters><Tier>Bulk</Tier></JobParameters></RestoreRequest>";
        restore(Sign::OssV1, tiers).refused(400, "MalformedXML");
        assert_eq!(
            restore(Sign::S3, "<RestoreRequest><Days>1</Days></RestoreRequest>").status,
            202
        );
        restore(Sign::OssV4, "").refused(409, "RestoreAlreadyInProgress");
        let head = |sign| server.ask("HEAD", "/pemilu/k").send(sign);
        assert_eq!(head(Sign::S3).header("x-amz-restore"), Some("ongoing-request=\"true\""));
        assert_eq!(head(Sign::OssV4).header("x-oss-restore"), Some("ongoing-request=\"true\""));
        server
            .ask("POST", "/pemilu/k?cleanRestoredObject")
            .send(Sign::OssV1)
            .refused(409, "ArchiveRestoreNotFinished");
        server.ask("POST", "/pemilu/none?restore").send(Sign::OssV4).refused(404, "NoSuchKey");
    });
}

#[test]
fn switches_are_told_as_they_were_set() {
    check(|server| {
        let kinds = [
            (
                "accessmonitor",
                "AccessMonitorConfiguration",
                "<Status>Enabled</Status>",
                "Status",
                "Enabled",
            ),
            (
                "bucketArchiveDirectRead",
                "ArchiveDirectReadConfiguration",
                "<Enabled>true</Enabled>",
                "Enabled",
                "true",
            ),
            (
                "transferAcceleration",
                "TransferAccelerationConfiguration",
                "<Enabled>true</Enabled>",
                "Enabled",
                "true",
            ),
            (
                "resourceGroup",
                "BucketResourceGroupConfiguration",
                "<ResourceGroupId>rg-1</ResourceGroupId>",
                "ResourceGroupId",
                "rg-1",
            ),
            (
                "httpsConfig",
                "HttpsConfiguration",
                "<TLS><Enable>true</Enable><TLSVersion>TLSv1.3</TLSVersion></TLS>",
                "TLSVersion",
                "TLSv1.3",
            ),
        ];
        for (name, root, inside, element, value) in kinds {
            let target = format!("/pemilu?{name}");
            assert_eq!(
                put(server, Sign::OssV4, &target, &format!("<{root}>{inside}</{root}>")),
                200,
                "{name}"
            );
            let told = server.ask("GET", &target).send(Sign::OssV4);
            assert_eq!(told.element(element), value, "{name}");
            let wrong = server.ask("PUT", &target).body(format!("<{root}><A/><"));
            wrong.send(Sign::OssV4).refused(400, "MalformedXML");
        }
        let told = server.ask("GET", "/pemilu?accelerate").send(Sign::S3);
        assert_eq!(told.element("Status"), "Enabled");
        let info = server.ask("GET", "/pemilu?bucketInfo").send(Sign::OssV4);
        assert_eq!(info.element("AccessMonitor"), "Enabled");
        assert_eq!(info.element("TransferAcceleration"), "Enabled");
        server
            .ask("PUT", "/pemilu?redundancyTransition")
            .send(Sign::OssV4)
            .refused(501, "NotImplemented");
    });
}

#[test]
fn styles_are_kept_by_name() {
    check(|server| {
        let body = "<Style><Content>image/resize,w_200</Content></Style>";
        assert_eq!(put(server, Sign::OssV4, "/pemilu?style&styleName=small", body), 200);
        let get = |name: &str| {
            server.ask("GET", &format!("/pemilu?style&styleName={name}")).send(Sign::OssV4)
        };
        assert_eq!(get("small").element("Content"), "image/resize,w_200");
        get("big").refused(404, "NoSuchStyle");
        let empty =
            server.ask("PUT", "/pemilu?style&styleName=big").body("<Style><Content/></Style>");
        empty.send(Sign::OssV4).refused(400, "InvalidArgument");
        let list = server.ask("GET", "/pemilu?style").send(Sign::OssV4);
        assert_eq!(list.element("Name"), "small");
        assert_eq!(
            server.ask("DELETE", "/pemilu?style&styleName=small").send(Sign::OssV4).status,
            204
        );
        get("small").refused(404, "NoSuchStyle");
    });
}
