//! Lists, owners, blocks and payment as both protocols ask for them and tell them.

use crate::http_client::{Sign, check};

const OTHER: u64 = 1_000_000_000_000_002;

#[test]
fn a_list_of_grants_comes_back_and_the_other_protocol_tells_the_nearest_word() {
    check(|server| {
        assert_eq!(server.ask("PUT", "/warung").send(Sign::S3).status, 200);
        let put = server
            .ask("PUT", "/warung/k")
            .header("x-amz-grant-read", "uri=\"http://acs.amazonaws.com/groups/global/AllUsers\"")
            .header("x-amz-grant-full-control", "id=1000000000000002")
            .body("x");
        assert_eq!(put.send(Sign::S3).status, 200);
        let told = server.ask("GET", "/warung/k?acl").send(Sign::S3).text();
        assert_eq!(told.matches("<Grant>").count(), 2, "{told}");
        assert!(told.contains("<ID>1000000000000002</ID>"), "{told}");
        let word = server.ask("GET", "/warung/k?acl").send(Sign::OssV4).element("Grant");
        assert_eq!(word, "public-read");
        assert_eq!(server.ask("GET", "/warung/k").send(Sign::No).text(), "x");
        server.ask("PUT", "/warung/k").body("y").send(Sign::No).refused(403, "AccessDenied");
        let again = server.ask("PUT", "/warung/k?acl").header("x-oss-object-acl", "private");
        assert_eq!(again.body("").send(Sign::OssV4).status, 200);
        let told = server.ask("GET", "/warung/k?acl").send(Sign::S3).text();
        assert_eq!(told.matches("<Grant>").count(), 1, "the list is gone: {told}");
        server.ask("GET", "/warung/k").send(Sign::No).refused(403, "AccessDenied");
    });
}

#[test]
fn ownership_is_set_told_and_taken_back() {
    check(|server| {
        let target = "/pemilu?ownershipControls";
        let none = (404, "OwnershipControlsNotFoundError");
        server.ask("GET", target).send(Sign::S3).refused(none.0, none.1);
        let document = "<OwnershipControls><Rule><ObjectOwnership>BucketOwnerEnforced</ObjectOwnership></Rule></OwnershipControls>";
        assert_eq!(server.ask("PUT", target).body(document).send(Sign::S3).status, 200);
        let told = server.ask("GET", target).send(Sign::S3);
        assert_eq!(told.element("ObjectOwnership"), "BucketOwnerEnforced");
        for (sign, header) in [(Sign::S3, "x-amz-acl"), (Sign::OssV4, "x-oss-object-acl")] {
            let put = server.ask("PUT", "/pemilu/k").header(header, "private").body("x");
            put.send(sign).refused(400, "AccessControlListNotSupported");
        }
        assert_eq!(server.ask("DELETE", target).send(Sign::S3).status, 204);
        server.ask("GET", target).send(Sign::S3).refused(none.0, none.1);
        let made = server.ask("PUT", "/warung").header("x-amz-object-ownership", "Somebody");
        made.send(Sign::S3).refused(400, "InvalidArgument");
    });
}

#[test]
fn an_account_blocks_what_is_public_in_all_its_buckets() {
    check(|server| {
        let put = server.ask("PUT", "/pemilu/k").header("x-oss-object-acl", "public-read");
        assert_eq!(put.body("x").send(Sign::OssV4).status, 200);
        let told =
            |target| server.ask("GET", target).send(Sign::OssV4).element("BlockPublicAccess");
        assert_eq!(
            (told("/?publicAccessBlock"), told("/pemilu?publicAccessBlock")),
            ("false".into(), "false".into())
        );
        let document = "<PublicAccessBlockConfiguration><BlockPublicAccess>true</BlockPublicAccess></PublicAccessBlockConfiguration>";
        let block = |target| server.ask("PUT", target).body(document).send(Sign::OssV4).status;
        assert_eq!(block("/?publicAccessBlock"), 200);
        assert_eq!(
            (told("/?publicAccessBlock"), told("/pemilu?publicAccessBlock")),
            ("true".into(), "false".into())
        );
        server.ask("GET", "/pemilu/k").send(Sign::No).refused(403, "AccessDenied");
        let put = server.ask("PUT", "/pemilu?acl").header("x-oss-acl", "public-read").body("");
        put.send(Sign::OssV4).refused(403, "AccessDenied");
        assert_eq!(server.ask("DELETE", "/?publicAccessBlock").send(Sign::OssV4).status, 204);
        assert_eq!(server.ask("GET", "/pemilu/k").send(Sign::No).text(), "x");
        assert_eq!(block("/pemilu?publicAccessBlock"), 200);
        server.ask("GET", "/pemilu/k").send(Sign::No).refused(403, "AccessDenied");
    });
}

#[test]
fn who_offers_to_pay_is_told_that_it_did_where_it_did() {
    check(|server| {
        let other = testkit::root(OTHER);
        server.test.keys.add(&other);
        let put = server.ask("PUT", "/pemilu/k").header("x-oss-object-acl", "public-read");
        assert_eq!(put.body("x").send(Sign::OssV4).status, 200);
        for (sign, payer, charged) in [
            (Sign::OssV4, "x-oss-request-payer", "x-oss-request-charged"),
            (Sign::S3, "x-amz-request-payer", "x-amz-request-charged"),
        ] {
            let set = |payer: &str| {
                let document = format!(
                    "<RequestPaymentConfiguration><Payer>{payer}</Payer></RequestPaymentConfiguration>"
                );
                server.ask("PUT", "/pemilu?requestPayment").body(document).send(sign).status
            };
            let get = || server.ask("GET", "/pemilu/k").by(&other);
            assert_eq!(get().header(payer, "requester").send(sign).header(charged), None);
            assert_eq!(set("Requester"), 200);
            get().send(sign).refused(403, "AccessDenied");
            server.ask("GET", "/pemilu/k").send(Sign::No).refused(403, "AccessDenied");
            let got = get().header(payer, "requester").send(sign);
            assert_eq!((got.status, got.header(charged)), (200, Some("requester")), "{got:?}");
            assert_eq!(server.ask("GET", "/pemilu/k").send(sign).header(charged), None);
            assert_eq!(set("BucketOwner"), 200);
        }
    });
}

#[test]
fn who_did_not_sign_sends_no_long_list_to_a_bucket_that_is_not_everybodys() {
    check(|server| {
        let list = |keys: usize| {
            let keys: String = (0..keys)
                .map(|at| format!("<Object><Key>{}{at:04}</Key></Object>", "k".repeat(100)))
                .collect();
            format!("<Delete><Quiet>true</Quiet>{keys}</Delete>")
        };
        let long = list(900);
        assert!(long.len() > 100_000);
        let ask = |body: &str, sign| server.ask("POST", "/pemilu?delete").body(body).send(sign);
        ask(&long, Sign::No).refused(400, "MaxMessageLengthExceeded");
        // Its head is enough to refuse it.
        let head = server
            .ask("POST", "/pemilu?delete")
            .header("content-length", "8000000")
            .header("expect", "100-continue")
            .send(Sign::No);
        head.refused(400, "MaxMessageLengthExceeded");
        ask(&list(5), Sign::No).refused(403, "AccessDenied");
        assert_eq!(ask(&long, Sign::OssV4).status, 200);
        let open = server.ask("PUT", "/pemilu?acl").header("x-oss-acl", "public-read-write");
        assert_eq!(open.send(Sign::OssV4).status, 200);
        assert_eq!(ask(&long, Sign::No).status, 200);
    });
}
