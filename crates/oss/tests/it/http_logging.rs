//! Access logging over real sockets: configured in both dialects, recorded, delivered.

use std::io::Read as _;
use std::time::Duration;

use super::http_client::{Answer, Server, Sign, check};

const HOUR: Duration = Duration::from_secs(3601);

fn make(server: &Server, bucket: &str) {
    let target: &'static str = Box::leak(format!("/{bucket}").into_boxed_str());
    assert_eq!(server.ask("PUT", target).send(Sign::OssV4).status, 200);
}

fn status(target: &str, more: &str) -> String {
    format!(
        "<BucketLoggingStatus><LoggingEnabled><TargetBucket>{target}</TargetBucket>\
         <TargetPrefix>log/</TargetPrefix>{more}</LoggingEnabled></BucketLoggingStatus>"
    )
}

fn put(server: &Server, body: &str, sign: Sign) -> Answer {
    server.ask("PUT", "/pemilu?logging").body(body).send(sign)
}

fn policy(server: &Server, principal: &str, source: &str) {
    let body = format!(
        r#"{{"Version":"2012-10-17","Statement":[{{"Effect":"Allow","Principal":{principal},"Action":"s3:PutObject",
        "Resource":"arn:aws:s3:::logs/log/*","Condition":{{"ArnLike":{{"aws:SourceArn":"arn:aws:s3:::{source}"}}}}}}]}}"#
    );
    let set = server.ask("PUT", "/logs?policy").body(body).send(Sign::S3);
    assert!(set.status < 300, "{set:?}");
}

/// The records that were delivered so far: key and text of each object.
fn delivered(server: &Server) -> Vec<(String, String)> {
    let listed = server.ask("GET", "/logs?list-type=2").send(Sign::S3).text();
    let keys = listed.split("<Key>").skip(1).map(|rest| rest.split('<').next().unwrap().to_owned());
    let get = |key: String| {
        let path: &'static str = Box::leak(format!("/logs/{key}").into_boxed_str());
        let text = server.ask("GET", path).send(Sign::S3).text();
        (key, text)
    };
    keys.map(get).collect()
}

fn deliver(server: &Server) -> usize {
    server.block(async {
        server.oss.flush_access_log().await;
        server.test.clock.pass(HOUR);
        server.oss.deliver_access_logs().await.unwrap()
    })
}

#[test]
fn every_request_to_a_logged_bucket_is_delivered_as_a_record_of_oss() {
    check(|server| {
        make(server, "logs");
        assert_eq!(put(server, &status("logs", ""), Sign::OssV4).status, 200);
        let told = server.ask("GET", "/pemilu?logging").send(Sign::OssV1);
        assert_eq!(
            (told.element("TargetBucket"), told.element("TargetPrefix")),
            ("logs".into(), "log/".into())
        );
        let made = server.ask("PUT", "/pemilu/a%20b").body("four").send(Sign::OssV4);
        assert_eq!(made.status, 200);
        server.ask("GET", "/pemilu/none").send(Sign::No).refused(403, "AccessDenied");
        assert_eq!(server.ask("GET", "/logs/none").send(Sign::OssV4).status, 404);
        assert_eq!(delivered(server), []);
        assert_eq!(deliver(server), 1);
        let objects = delivered(server);
        let [(key, text)] = objects.as_slice() else { panic!("{objects:?}") };
        assert!(key.starts_with("log/pemilu20"), "{key}");
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines.len(), 3, "{text}");
        assert!(lines[0].contains("\"GetBucketLogging\""), "{text}");
        let put = lines.iter().find(|line| line.contains("\"PutObject\"")).unwrap();
        assert!(put.contains("\"pemilu\" \"a%20b\" 4 "), "{put}");
        assert!(put.contains(&format!("\"{}\"", server.owner.key_id)), "{put}");
        let refused = lines.iter().find(|line| line.contains("\"GetObject\"")).unwrap();
        assert!(refused.contains(" 403 ") && refused.contains("\"AccessDenied\""), "{refused}");
        // What was delivered is not delivered again.
        assert_eq!(deliver(server), 0);
        assert_eq!(server.ask("DELETE", "/pemilu?logging").send(Sign::OssV4).status, 204);
    });
}

#[test]
fn s3_delivers_where_the_targets_policy_lets_it_and_no_longer() {
    check(|server| {
        make(server, "logs");
        let body = status("logs", "");
        put(server, &body, Sign::S3).refused(403, "AccessDenied");
        policy(server, r#"{"AWS":"*"}"#, "pemilu");
        put(server, &body, Sign::S3).refused(403, "AccessDenied");
        let service = r#"{"Service":"logging.s3.amazonaws.com"}"#;
        policy(server, service, "other");
        put(server, &body, Sign::S3).refused(403, "AccessDenied");
        policy(server, service, "pemilu");
        assert_eq!(put(server, &body, Sign::S3).status, 200);
        let told = server.ask("GET", "/pemilu?logging").send(Sign::S3).text();
        assert!(told.contains("<SimplePrefix"), "{told}");
        assert_eq!(server.ask("PUT", "/pemilu/k").body("x").send(Sign::S3).status, 200);
        assert_eq!(deliver(server), 1);
        let (_, text) = delivered(server).remove(0);
        assert!(text.lines().any(|line| line.contains(" REST.PUT.OBJECT k ")), "{text}");
        policy(server, service, "other");
        assert_eq!(server.ask("PUT", "/pemilu/k").body("x").send(Sign::S3).status, 200);
        assert_eq!(deliver(server), 0);
        assert_eq!(delivered(server).len(), 1);
    });
}

#[test]
fn a_target_that_cannot_be_one_is_refused() {
    check(|server| {
        make(server, "logs");
        policy(server, r#"{"Service":"logging.s3.amazonaws.com"}"#, "pemilu");
        put(server, &status("none", ""), Sign::S3).refused(404, "NoSuchKey");
        put(server, &status("none", ""), Sign::OssV4).refused(400, "InvalidTargetBucketForLogging");
        put(server, &status("pemilu", ""), Sign::S3).refused(400, "InvalidArgument");
        let source = "<TargetObjectKeyFormat><PartitionedPrefix><PartitionDateSource>kaboom\
            </PartitionDateSource></PartitionedPrefix></TargetObjectKeyFormat>";
        put(server, &status("logs", source), Sign::S3).refused(400, "MalformedXML");
        // OSS lets a bucket log to itself; what is delivered is not recorded.
        assert_eq!(put(server, &status("pemilu", ""), Sign::OssV4).status, 200);
        assert_eq!(server.ask("GET", "/pemilu").send(Sign::OssV4).status, 200);
        assert_eq!(deliver(server), 1);
        assert_eq!(deliver(server), 0);
    });
}

#[test]
fn records_that_wait_survive_the_configuration_and_a_restart() {
    check(|server| {
        make(server, "logs");
        assert_eq!(put(server, &status("logs", ""), Sign::OssV4).status, 200);
        assert_eq!(server.ask("PUT", "/pemilu/k").body("x").send(Sign::OssV4).status, 200);
        server.block(server.oss.flush_access_log());
        assert_eq!(server.ask("DELETE", "/pemilu?logging").send(Sign::OssV4).status, 204);
        // Another process of the same cloud.
        let other = oss::Oss::open(std::sync::Arc::clone(&server.test.cloud)).unwrap();
        server.test.clock.pass(HOUR);
        assert_eq!(server.block(other.deliver_access_logs()).unwrap(), 1);
        assert!(delivered(server)[0].1.contains("\"PutObject\""));
    });
}

#[test]
fn the_fields_of_the_owners_choice_are_kept_and_recorded() {
    check(|server| {
        make(server, "logs");
        let none = server.ask("GET", "/pemilu?userDefinedLogFieldsConfig").send(Sign::OssV4);
        none.refused(404, "NoSuchUserDefinedLogFieldsConfig");
        let body = "<UserDefinedLogFieldsConfiguration><HeaderSet><header>x-oss-meta-a</header></HeaderSet>\
            <ParamSet><parameter>p</parameter></ParamSet></UserDefinedLogFieldsConfiguration>";
        let set = server.ask("PUT", "/pemilu?userDefinedLogFieldsConfig").body(body);
        assert_eq!(set.send(Sign::OssV4).status, 200);
        let told = server.ask("GET", "/pemilu?userDefinedLogFieldsConfig").send(Sign::OssV1);
        assert_eq!(
            (told.element("header"), told.element("parameter")),
            ("x-oss-meta-a".into(), "p".into())
        );
        assert_eq!(put(server, &status("logs", ""), Sign::OssV4).status, 200);
        let get = server.ask("GET", "/pemilu/k?p=1").header("x-oss-meta-a", "2");
        assert_eq!(get.send(Sign::OssV4).status, 404);
        deliver(server);
        let (_, text) = delivered(server).remove(0);
        let line = text.lines().find(|line| line.contains("\"GetObject\"")).unwrap();
        let last = line.rsplit('"').nth(1).unwrap();
        // {"x-oss-meta-a":"2","p":"1"}
        assert_eq!(last, "eyJ4LW9zcy1tZXRhLWEiOiIyIiwicCI6IjEifQ==");
    });
}

#[test]
fn inventories_are_kept_listed_and_written_as_reports() {
    check(|server| {
        make(server, "logs");
        for sign in [Sign::OssV4, Sign::S3] {
            let (id, body) = inventory(sign);
            let target: &'static str =
                Box::leak(format!("/pemilu?inventory&{id}=daily").into_boxed_str());
            let none = server.ask("GET", target).send(sign);
            none.refused(
                404,
                if sign == Sign::S3 { "NoSuchConfiguration" } else { "NoSuchInventory" },
            );
            let wrong: &'static str =
                Box::leak(format!("/pemilu?inventory&{id}=x").into_boxed_str());
            server.ask("PUT", wrong).body(body.as_str()).send(sign).refused(400, "InvalidArgument");
            let set = server.ask("PUT", target).body(body.as_str()).send(sign);
            assert_eq!(set.status, 200, "{set:?}");
            let told = server.ask("GET", target).send(sign);
            assert_eq!(
                (told.element("Id"), told.element("Frequency")),
                ("daily".into(), "Daily".into())
            );
            assert!(
                server.ask("GET", "/pemilu?inventory").send(sign).text().contains("<Id>daily</Id>")
            );
            let put = server.ask("PUT", "/pemilu/a%20b/1").body("four").send(sign);
            assert_eq!(put.status, 200);
            assert_eq!(server.ask("PUT", "/pemilu/z").body("z").send(sign).status, 200);
            assert_eq!(server.block(server.oss.write_due_inventories()).unwrap(), 1);
            assert_eq!(server.block(server.oss.write_due_inventories()).unwrap(), 0);
            let report = delivered(server);
            let (_, manifest) =
                report.iter().find(|(key, _)| key.ends_with("/manifest.json")).unwrap();
            let manifest: serde_json::Value = serde_json::from_str(manifest).unwrap();
            assert_eq!(manifest["sourceBucket"], "pemilu");
            assert_eq!(manifest["fileSchema"], "Bucket, Key, Size, ETag, EncryptionStatus");
            let key = manifest["files"][0]["key"].as_str().unwrap();
            assert!(key.starts_with("of/pemilu/daily/data/") && key.ends_with(".csv.gz"), "{key}");
            let path: &'static str = Box::leak(format!("/logs/{key}").into_boxed_str());
            let list = server.ask("GET", path).send(sign);
            assert_eq!(manifest["files"][0]["size"], list.body.len());
            let mut text = String::new();
            flate2::read::GzDecoder::new(list.body.as_slice()).read_to_string(&mut text).unwrap();
            let tag = "8CBAD96ACED40B3838DD9F07F6EF5772";
            let wanted = match sign {
                Sign::S3 => {
                    format!("\"pemilu\",\"a%20b/1\",\"4\",\"{}\",\"SSE-S3\"\n", tag.to_lowercase())
                }
                _ => format!("\"pemilu\",\"a%20b/1\",\"4\",\"{tag}\",\"true\"\n"),
            };
            assert_eq!(text, wanted);
            assert_eq!(server.ask("DELETE", target).send(sign).status, 204);
            for (key, _) in report {
                let path: &'static str = Box::leak(format!("/logs/{key}").into_boxed_str());
                assert_eq!(server.ask("DELETE", path).send(sign).status, 204);
            }
        }
    });
}

fn inventory(sign: Sign) -> (&'static str, String) {
    let (id, kind, arn) = match sign {
        Sign::S3 => ("id", "S3BucketDestination", "arn:aws:s3:::"),
        _ => ("inventoryId", "OSSBucketDestination", "acs:oss:::"),
    };
    let body = format!(
        "<InventoryConfiguration><Id>daily</Id><IsEnabled>true</IsEnabled><Filter><Prefix>a</Prefix></Filter>\
         <Destination><{kind}><Format>CSV</Format><Bucket>{arn}logs</Bucket><Prefix>of</Prefix></{kind}></Destination>\
         <Schedule><Frequency>Daily</Frequency></Schedule><IncludedObjectVersions>Current</IncludedObjectVersions>\
         <OptionalFields><Field>Size</Field><Field>ETag</Field><Field>EncryptionStatus</Field></OptionalFields>\
         </InventoryConfiguration>"
    );
    (id, body)
}

#[test]
fn a_record_of_s3_tells_whether_it_took_a_list_to_let_the_request_in() {
    check(|server| {
        make(server, "logs");
        policy(server, r#"{"Service":"logging.s3.amazonaws.com"}"#, "pemilu");
        assert_eq!(put(server, &status("logs", ""), Sign::S3).status, 200);
        for (key, acl) in [("open", "public-read"), ("closed", "private")] {
            let path: &'static str = Box::leak(format!("/pemilu/{key}").into_boxed_str());
            let made = server.ask("PUT", path).header("x-amz-acl", acl).body("x").send(Sign::S3);
            assert_eq!(made.status, 200, "{made:?}");
            let got = server.ask("GET", path).send(Sign::No);
            assert_eq!(got.status, if key == "open" { 200 } else { 403 });
        }
        assert_eq!(deliver(server), 1);
        let (_, text) = delivered(server).remove(0);
        let last = |operation: &str| -> Vec<&str> {
            let lines = text.lines().filter(|line| line.contains(operation));
            lines.map(|line| line.rsplit(' ').next().unwrap()).collect()
        };
        assert_eq!(last(" REST.GET.OBJECT open "), ["Yes"], "{text}");
        assert_eq!(last(" REST.GET.OBJECT closed "), ["-"], "{text}");
        assert_eq!(last(" REST.PUT.OBJECT open "), ["-"], "{text}");
    });
}

#[test]
fn a_policy_may_name_the_prefix_alone_and_a_denial_of_what_is_below_it_stands() {
    check(|server| {
        make(server, "logs");
        let set = |deny: &str| {
            let body = format!(
                r#"{{"Version":"2012-10-17","Statement":[{{"Effect":"Allow","Principal":{{"Service":"logging.s3.amazonaws.com"}},
                "Action":"s3:PutObject","Resource":"arn:aws:s3:::logs/log/"}}{deny}]}}"#
            );
            let set = server.ask("PUT", "/logs?policy").body(body).send(Sign::S3);
            assert!(set.status < 300, "{set:?}");
        };
        set("");
        assert_eq!(put(server, &status("logs", ""), Sign::S3).status, 200);
        assert_eq!(server.ask("PUT", "/pemilu/k").body("x").send(Sign::S3).status, 200);
        assert_eq!(deliver(server), 1);
        set(
            r#",{"Effect":"Deny","Principal":{"Service":"logging.s3.amazonaws.com"},"Action":"s3:PutObject",
            "Resource":"arn:aws:s3:::logs/log/2*"}"#,
        );
        assert_eq!(server.ask("PUT", "/pemilu/k").body("x").send(Sign::S3).status, 200);
        assert_eq!(deliver(server), 0);
    });
}
