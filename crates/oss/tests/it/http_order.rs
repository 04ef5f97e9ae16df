//! What is told first where more than one thing is wrong, and to whom: that somebody may not comes before all that a
//! request says, and what somebody could find out anyway is not withheld.

use super::http_client::{Answer, Ask, Server, Sign, check};

const OTHER: u64 = 1_000_000_000_000_002;

const ALGORITHM: &str = "x-amz-server-side-encryption-customer-algorithm";
/// Keys of clients, and their MD5.
const KEY: (&str, &str) =
    ("a2tra2tra2tra2tra2tra2tra2tra2tra2tra2tra2s=", "mT2HRsMGJ5IX5C+0rreZ8Q==");
const WRONG: (&str, &str) =
    ("d3d3d3d3d3d3d3d3d3d3d3d3d3d3d3d3d3d3d3d3d3c=", "6++bmrHdmk1S7rop5AIfTg==");

fn policy(server: &Server, statement: &str) {
    let body = format!(r#"{{"Version":"2012-10-17","Statement":{statement}}}"#);
    let set = server.ask("PUT", "/pemilu?policy").body(body).send(Sign::S3);
    assert!(set.status < 300, "{set:?}");
}

fn under<'s>(ask: Ask<'s>, (key, md5): (&str, &str)) -> Ask<'s> {
    ask.header(ALGORITHM, "AES256")
        .header("x-amz-server-side-encryption-customer-key", key)
        .header("x-amz-server-side-encryption-customer-key-md5", md5)
}

#[test]
fn who_may_not_write_is_told_that_before_what_is_wrong_with_the_request() {
    check(|server| {
        let other = testkit::root(OTHER);
        server.test.keys.add(&other);
        let (header, word) = ("x-amz-server-side-encryption", "AES192");
        for target in ["/pemilu/k", "/pemilu/k?uploads"] {
            let method = if target.ends_with("uploads") { "POST" } else { "PUT" };
            let ask = || server.ask(method, target).header(header, word).body("");
            ask().send(Sign::S3).refused(400, "InvalidArgument");
            ask().by(&other).send(Sign::S3).refused(403, "AccessDenied");
        }
        // A policy may ask for the very header.
        policy(
            server,
            r#"{"Effect":"Deny","Principal":"*","Action":"s3:PutObject","Resource":"arn:aws:s3:::pemilu/*",
            "Condition":{"StringNotEquals":{"s3:x-amz-server-side-encryption":"AES256"}}}"#,
        );
        let ask = |word| server.ask("PUT", "/pemilu/k").header(header, word).body("x");
        ask(word).send(Sign::S3).refused(403, "AccessDenied");
        assert_eq!(ask("AES256").send(Sign::S3).status, 200);
    });
}

#[test]
fn who_may_list_a_key_is_told_that_it_is_not_there_and_nobody_else_is() {
    check(|server| {
        let other = testkit::root(OTHER);
        server.test.keys.add(&other);
        policy(
            server,
            r#"{"Effect":"Allow","Principal":{"AWS":"*"},"Action":"s3:ListBucket","Resource":"arn:aws:s3:::*",
            "Condition":{"StringLike":{"s3:prefix":"public/*"}}}"#,
        );
        assert_eq!(server.ask("PUT", "/pemilu/public/there").body("x").send(Sign::S3).status, 200);
        for (target, status, code) in [
            ("/pemilu/public/none", 404, "NoSuchKey"),
            ("/pemilu/public/there", 403, "AccessDenied"),
            ("/pemilu/private/none", 403, "AccessDenied"),
        ] {
            server.ask("GET", target).by(&other).send(Sign::S3).refused(status, code);
            let tags = format!("{target}?tagging");
            server.ask("GET", &tags).by(&other).send(Sign::S3).refused(status, code);
            // To change something that is not there is refused as ever.
            let tags = server.ask("DELETE", &tags).by(&other).send(Sign::S3);
            assert_eq!(tags.status, status, "{tags:?}");
        }
    });
}

/// Begins an upload under [`KEY`], with a checksum or without, and uploads its part.
fn upload(server: &Server, key: &str, checksum: Option<&str>) -> (String, String) {
    let mut begin = under(server.ask("POST", &format!("/pemilu/{key}?uploads")), KEY).body("");
    if let Some(algorithm) = checksum {
        begin = begin.header("x-amz-checksum-algorithm", algorithm);
    }
    let id = begin.send(Sign::S3).element("UploadId");
    let target = format!("/pemilu/{key}?partNumber=1&uploadId={id}");
    let part = under(server.ask("PUT", &target), KEY).body("x").send(Sign::S3);
    assert_eq!(part.status, 200, "{part:?}");
    let document = format!(
        "<CompleteMultipartUpload><Part><PartNumber>1</PartNumber><ETag>{}</ETag></Part></CompleteMultipartUpload>",
        part.header("etag").unwrap()
    );
    (format!("/pemilu/{key}?uploadId={id}"), document)
}

#[test]
fn an_upload_under_a_clients_key_is_completed_with_no_other_and_with_a_checksum_not_without() {
    check(|server| {
        let end = |(target, document): &(String, String)| {
            server.ask("POST", target).body(document.as_str())
        };
        let summed = upload(server, "summed", Some("CRC32"));
        end(&summed).send(Sign::S3).refused(400, "InvalidRequest");
        under(end(&summed), WRONG).send(Sign::S3).refused(400, "InvalidRequest");
        assert_eq!(under(end(&summed), KEY).send(Sign::S3).status, 200);
        let plain = upload(server, "plain", None);
        under(end(&plain), WRONG).send(Sign::S3).refused(400, "InvalidRequest");
        assert_eq!(end(&plain).send(Sign::S3).status, 200);
        // That a part is not there is told without the key, what is in one that is there is not.
        let part = |number: u32| server.ask("GET", &format!("/pemilu/plain?partNumber={number}"));
        part(2).send(Sign::S3).refused(400, "InvalidPart");
        part(1).send(Sign::S3).refused(400, "InvalidRequest");
        assert_eq!(under(part(1), KEY).send(Sign::S3).text(), "x");
    });
}

#[test]
fn uploads_are_listed_with_whose_their_objects_are_to_be() {
    check(|server| {
        let other = testkit::root(OTHER);
        server.test.keys.add(&other);
        let made = server.ask("PUT", "/warung").header("x-amz-acl", "public-read-write");
        assert_eq!(made.send(Sign::S3).status, 200);
        for (target, by) in [("/warung/a?uploads", &server.owner), ("/warung/b?uploads", &other)] {
            let begun = server.ask("POST", target).by(by).body("").send(Sign::S3);
            assert_eq!(begun.status, 200, "{begun:?}");
        }
        let owners = |answer: Answer| -> Vec<String> {
            let text = answer.text();
            let owner = |rest: &str| rest.split("</ID>").next().unwrap().to_owned();
            text.split("<Owner><ID>").skip(1).map(owner).collect()
        };
        let told = owners(server.ask("GET", "/warung?uploads").send(Sign::S3));
        assert_eq!(told, [server.owner.account.to_string(), OTHER.to_string()]);
    });
}

#[test]
fn a_policy_may_ask_which_page_a_request_comes_from() {
    check(|server| {
        assert_eq!(server.ask("PUT", "/pemilu/k").body("x").send(Sign::S3).status, 200);
        policy(
            server,
            r#"{"Effect":"Allow","Principal":"*","Action":"s3:GetObject","Resource":"arn:aws:s3:::*/*",
            "Condition":{"StringLikeIfExists":{"aws:Referer":"http://kpu.example/*"}}}"#,
        );
        let from = |page| server.ask("GET", "/pemilu/k").header("referer", page).send(Sign::No);
        assert_eq!(from("http://kpu.example/hasil").text(), "x");
        from("http://else.example/").refused(403, "AccessDenied");
        assert_eq!(server.ask("GET", "/pemilu/k").send(Sign::No).text(), "x");
    });
}
