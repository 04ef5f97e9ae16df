//! What OSS's own clients rely on, over real sockets: rules of buckets, words of answers, and what is refused.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;

use super::http_client::{Answer, Server, Sign, check};

fn put(server: &Server, target: &str, body: &str) -> Answer {
    server.ask("PUT", target).body(body).send(Sign::OssV4)
}

fn done(answer: &Answer) {
    assert!(answer.status / 100 == 2, "{answer:?}");
}

fn overwrites(principals: &str) -> String {
    format!(
        "<OverwriteConfiguration><Rule><ID>r</ID><Action>forbid</Action><Prefix>a/</Prefix>\
         <Suffix>.txt</Suffix>{principals}</Rule></OverwriteConfiguration>"
    )
}

#[test]
fn what_a_bucket_forbids_to_overwrite_is_written_once() {
    check(|server| {
        let rules = "/pemilu?overwriteConfig";
        server.ask("GET", rules).send(Sign::OssV4).refused(404, "NoSuchBucketOverwriteConfig");
        done(&put(server, rules, &overwrites("")));
        assert_eq!(server.ask("GET", rules).send(Sign::OssV4).element("Suffix"), ".txt");
        for key in ["/pemilu/a/1.txt", "/pemilu/a/1.jpg", "/pemilu/b/1.txt"] {
            done(&put(server, key, "first"));
        }
        put(server, "/pemilu/a/1.txt", "second").refused(409, "FileAlreadyExists");
        let copy = server.ask("PUT", "/pemilu/a/1.txt");
        let copy = copy.header("x-oss-copy-source", "/pemilu/b/1.txt").send(Sign::OssV4);
        copy.refused(409, "FileAlreadyExists");
        let s3 = server.ask("PUT", "/pemilu/a/1.txt").body("third").send(Sign::S3);
        s3.refused(412, "PreconditionFailed");
        let link = server.ask("PUT", "/pemilu/a/1.txt?symlink");
        let link = link.header("x-oss-symlink-target", "b/1.txt").send(Sign::OssV4);
        link.refused(409, "FileAlreadyExists");
        for key in ["/pemilu/a/1.jpg", "/pemilu/b/1.txt"] {
            done(&put(server, key, "second"));
        }
        assert_eq!(server.ask("GET", "/pemilu/a/1.txt").send(Sign::OssV4).text(), "first");
        // Others are forbidden, or nobody any more.
        let named =
            |id: &str| overwrites(&format!("<Principals><Principal>{id}</Principal></Principals>"));
        done(&put(server, rules, &named("1000000000000009")));
        done(&put(server, "/pemilu/a/1.txt", "second"));
        done(&put(server, rules, &named("1000000000000001")));
        put(server, "/pemilu/a/1.txt", "third").refused(409, "FileAlreadyExists");
        done(&server.ask("DELETE", rules).send(Sign::OssV4));
        done(&put(server, "/pemilu/a/1.txt", "third"));
    });
}

#[test]
fn a_bucket_holds_no_more_than_its_capacity() {
    check(|server| {
        let told = || server.ask("GET", "/pemilu?qos").send(Sign::OssV4).element("StorageCapacity");
        let set = |capacity: &str| {
            let body = format!("<StorageCapacity>{capacity}</StorageCapacity>");
            put(server, "/pemilu?qos", &format!("<BucketUserQos>{body}</BucketUserQos>"))
        };
        assert_eq!(told(), "-1");
        set("-2").refused(400, "InvalidArgument");
        done(&put(server, "/pemilu/k", "there before"));
        done(&set("0"));
        assert_eq!(told(), "0");
        put(server, "/pemilu/more", "x").refused(403, "QuotaExceeded");
        let append = server.ask("POST", "/pemilu/log?append&position=0").body("x");
        append.send(Sign::OssV4).refused(403, "QuotaExceeded");
        let begun = server.ask("POST", "/pemilu/parts?uploads").send(Sign::OssV4);
        let id = begun.element("UploadId");
        let part = format!("/pemilu/parts?partNumber=1&uploadId={id}");
        put(server, &part, "x").refused(403, "QuotaExceeded");
        // What takes less room is no more.
        assert_eq!(server.ask("GET", "/pemilu/k").send(Sign::OssV4).text(), "there before");
        done(&server.ask("DELETE", "/pemilu/k").send(Sign::OssV4));
        done(&set("1"));
        done(&put(server, "/pemilu/more", "x"));
        assert_eq!(told(), "1");
    });
}

#[test]
fn a_callback_is_found_under_its_name() {
    check(|server| {
        let at = "/pemilu?policy&comp=callback";
        server.ask("GET", at).send(Sign::OssV1).refused(404, "BucketCallbackPolicyNotExist");
        // Nothing listens there, which says that it was called.
        let callback =
            BASE64.encode(r#"{"callbackUrl":"http://127.0.0.1:9/x","callbackBody":"a=${x:a}"}"#);
        let vars = BASE64.encode(r#"{"x:a":"1"}"#);
        let policy = format!(
            "<BucketCallbackPolicy><PolicyItem><PolicyName>mine</PolicyName><Callback>{callback}</Callback>\
             <CallbackVar>{vars}</CallbackVar></PolicyItem></BucketCallbackPolicy>"
        );
        done(&put(server, at, &policy));
        assert_eq!(server.ask("GET", at).send(Sign::OssV4).element("Callback"), callback);
        // It is not the bucket's policy.
        server.ask("GET", "/pemilu?policy").send(Sign::OssV4).refused(404, "NoSuchBucketPolicy");
        let named = |name: &str| {
            let named = BASE64.encode(format!(r#"{{"callbackPolicy":"{name}"}}"#));
            let put = server.ask("PUT", "/pemilu/k").header("x-oss-callback", &named);
            put.body("x").send(Sign::OssV4)
        };
        named("mine").refused(203, "CallbackFailed");
        named("other").refused(400, "InvalidArgument");
        done(&put(server, at, "<BucketCallbackPolicy/>"));
        named("mine").refused(400, "InvalidArgument");
        assert_eq!(server.ask("DELETE", at).send(Sign::OssV4).status, 204);
        server.ask("GET", at).send(Sign::OssV4).refused(404, "BucketCallbackPolicyNotExist");
    });
}

#[test]
fn variables_of_other_names_are_none() {
    check(|server| {
        let json = r#"{"callbackUrl":"http://127.0.0.1:9/","callbackBody":"b"}"#;
        let put = server
            .ask("PUT", "/pemilu/k")
            .header("x-oss-callback", &BASE64.encode(json))
            .header("x-oss-callback-var", &BASE64.encode(json));
        put.body("x").send(Sign::OssV4).refused(203, "CallbackFailed");
    });
}

#[test]
fn text_leaves_compressed_for_those_who_ask() {
    use std::io::Read as _;
    check(|server| {
        let text = "suara ".repeat(400);
        let stored = |key: &str, kind: &str, body: &str| {
            let put = server.ask("PUT", key).header("content-type", kind).body(body);
            done(&put.send(Sign::OssV4));
        };
        stored("/pemilu/t", "text/plain; charset=utf-8", &text);
        stored("/pemilu/small", "text/plain", "short");
        stored("/pemilu/image", "image/png", &text);
        let get = |key: &str, sign| {
            server.ask("GET", key).header("accept-encoding", "gzip, deflate").send(sign)
        };
        for sign in [Sign::OssV1, Sign::OssV4] {
            let got = get("/pemilu/t", sign);
            assert_eq!(got.header("content-encoding"), Some("gzip"));
            assert_eq!(got.header("transfer-encoding"), Some("chunked"));
            assert_eq!((got.header("etag"), got.header("content-length")), (None, None));
            let mut read = String::new();
            flate2::read::GzDecoder::new(got.body.as_slice()).read_to_string(&mut read).unwrap();
            assert_eq!(read, text);
        }
        for (key, sign) in [
            ("/pemilu/small", Sign::OssV4),
            ("/pemilu/image", Sign::OssV4),
            ("/pemilu/t", Sign::S3),
        ] {
            assert_eq!(get(key, sign).header("content-encoding"), None, "{key}");
        }
        let range = server.ask("GET", "/pemilu/t").header("accept-encoding", "gzip");
        let range = range.header("range", "bytes=0-4").send(Sign::OssV4);
        assert_eq!((range.status, range.text().as_str()), (206, "suara"));
        assert_eq!(server.ask("GET", "/pemilu/t").send(Sign::OssV4).text(), text);
    });
}

#[test]
fn what_leaves_compressed_is_metered_as_what_left() {
    check(|server| {
        let text = "a".repeat(100_000);
        let put = server.ask("PUT", "/pemilu/t").header("content-type", "text/plain").body(text);
        done(&put.send(Sign::OssV4));
        let got = server.ask("GET", "/pemilu/t").header("accept-encoding", "gzip");
        assert!(got.send(Sign::OssV4).body.len() < 2_000);
        let used = server.block(async {
            // The meter is told once the body is dropped, which is after its last byte arrived.
            loop {
                server.oss.flush_reads().await;
                let now = base::Clock::now(&*server.test.clock);
                let read = move |tx: &mut store::Tx<'_>| {
                    engine::meter::usage(
                        tx,
                        base::AccountId::new(1_000_000_000_000_001),
                        0,
                        i64::MAX,
                        now,
                    )
                };
                let lines = server.test.cloud.db.read(read).await.unwrap();
                let egress: i64 = lines
                    .iter()
                    .filter(|line| line.meter == "oss.egress")
                    .map(|line| line.quantity)
                    .sum();
                if egress > 0 {
                    break egress;
                }
                tokio::time::sleep(std::time::Duration::from_millis(10)).await;
            }
        });
        assert!(used < 2_000, "{used}");
    });
}

#[test]
fn listings_tell_what_is_being_restored() {
    check(|server| {
        let cold = server.ask("PUT", "/pemilu/cold").header("x-oss-storage-class", "Archive");
        done(&cold.body("x").send(Sign::OssV4));
        let lists = ["/pemilu", "/pemilu?list-type=2", "/pemilu?versions"];
        for list in lists {
            assert!(!server.ask("GET", list).send(Sign::OssV4).text().contains("RestoreInfo"));
        }
        done(&server.ask("POST", "/pemilu/cold?restore").send(Sign::OssV4));
        for list in lists {
            let told = server.ask("GET", list).send(Sign::OssV4).element("RestoreInfo");
            assert_eq!(told, "ongoing-request=&quot;true&quot;", "{list}");
            assert!(!server.ask("GET", list).send(Sign::S3).text().contains("RestoreInfo"));
        }
    });
}

#[test]
fn statistics_are_told_by_class() {
    check(|server| {
        let stat = || server.ask("GET", "/pemilu?stat").send(Sign::OssV4);
        assert_eq!(stat().element("LastModifiedTime"), "0");
        let cold = server.ask("PUT", "/pemilu/cold").header("x-oss-storage-class", "ColdArchive");
        done(&cold.body("12345").send(Sign::OssV4));
        done(&put(server, "/pemilu/k", "123"));
        let begun = server.ask("POST", "/pemilu/parts?uploads").send(Sign::OssV4);
        let part = format!("/pemilu/parts?partNumber=1&uploadId={}", begun.element("UploadId"));
        done(&put(server, &part, "1234567"));
        let told = stat();
        for (name, number) in [
            ("Storage", "15"),
            ("StandardStorage", "3"),
            ("StandardObjectCount", "1"),
            ("ColdArchiveStorage", "5"),
            ("ColdArchiveRealStorage", "5"),
            ("ColdArchiveObjectCount", "1"),
            ("ArchiveObjectCount", "0"),
            ("MultipartUploadCount", "1"),
            ("MultipartPartCount", "1"),
        ] {
            assert_eq!(told.element(name), number, "{name}");
        }
        assert_ne!(told.element("LastModifiedTime"), "0");
    });
}

#[test]
fn buckets_are_listed_by_group_and_by_tags() {
    check(|server| {
        done(&put(server, "/surabaya", ""));
        let group = "<BucketResourceGroupConfiguration><ResourceGroupId>rg-east</ResourceGroupId></BucketResourceGroupConfiguration>";
        done(&put(server, "/surabaya?resourceGroup", group));
        let info = server.ask("GET", "/surabaya?bucketInfo").send(Sign::OssV4);
        assert_eq!(info.element("ResourceGroupId"), "rg-east");
        let of = |group: &str| {
            let list = server.ask("GET", "/").header("x-oss-resource-group-id", group);
            list.send(Sign::OssV4).text()
        };
        assert!(of("rg-east").contains("<Name>surabaya<"));
        assert!(!of("rg-east").contains("<Name>pemilu<"));
        assert!(of("rg-default").contains("<Name>pemilu<"));
        let tags = "<Tagging><TagSet><Tag><Key>a</Key><Value>1</Value></Tag><Tag><Key>b</Key><Value>2</Value></Tag></TagSet></Tagging>";
        done(&put(server, "/pemilu?tagging", tags));
        let tagged = |query: &str| {
            let query = base::text::percent_encode(query);
            server.ask("GET", &format!("/?tagging={query}")).send(Sign::OssV4)
        };
        assert!(tagged(r#""a":"1","b":"2""#).text().contains("<Name>pemilu<"));
        assert!(!tagged(r#""a":"1","b":"3""#).text().contains("<Name>"));
        tagged("a=1").refused(400, "InvalidArgument");
        let left = |keys: &str| {
            let target = format!("/pemilu?tagging={keys}");
            assert_eq!(server.ask("DELETE", &target).send(Sign::OssV4).status, 204);
            server.ask("GET", "/pemilu?tagging").send(Sign::OssV4).text()
        };
        let text = left("a%2Cnone");
        assert!(text.contains("<Key>b<") && !text.contains("<Key>a<"), "{text}");
        assert!(!left("b").contains("<Key>"));
    });
}

#[test]
fn an_acl_given_at_the_end_of_an_upload_is_the_objects() {
    check(|server| {
        let begun = server.ask("POST", "/pemilu/k?uploads").send(Sign::OssV4);
        let id = begun.element("UploadId");
        let part = put(server, &format!("/pemilu/k?partNumber=1&uploadId={id}"), "x");
        let tag = part.header("etag").unwrap().to_owned();
        let body = format!(
            "<CompleteMultipartUpload><Part><PartNumber>1</PartNumber><ETag>{tag}</ETag></Part></CompleteMultipartUpload>"
        );
        let complete = |acl: &str| {
            let complete = server.ask("POST", &format!("/pemilu/k?uploadId={id}"));
            complete.header("x-oss-object-acl", acl).body(body.as_str()).send(Sign::OssV4)
        };
        complete("none").refused(400, "InvalidArgument");
        done(&complete("public-read"));
        let acl = server.ask("GET", "/pemilu/k?acl").send(Sign::OssV4);
        assert_eq!(acl.element("Grant"), "public-read");
        assert_eq!(server.ask("GET", "/pemilu/k").send(Sign::No).text(), "x");
    });
}

#[test]
fn what_a_client_encrypted_is_told_of_its_upload_and_kept_by_copies() {
    check(|server| {
        let names = ["cek-alg", "data-size", "part-size"];
        let values = ["AES/CTR/NoPadding", "300", "100"];
        let mut begin = server.ask("POST", "/pemilu/k?uploads");
        for (name, value) in names.iter().zip(values) {
            begin = begin.header(&format!("x-oss-meta-client-side-encryption-{name}"), value);
        }
        let id = begin.send(Sign::OssV4).element("UploadId");
        let listed = server.ask("GET", &format!("/pemilu/k?uploadId={id}")).send(Sign::OssV4);
        assert_eq!(listed.element("ClientEncryptionCekAlg"), values[0]);
        assert_eq!(listed.element("ClientEncryptionDataSize"), "300");
        assert_eq!(listed.element("ClientEncryptionPartSize"), "100");
        let key = "x-oss-meta-client-side-encryption-key";
        let put = server.ask("PUT", "/pemilu/s").header(key, "sealed").header("x-oss-meta-a", "1");
        done(&put.body("x").send(Sign::OssV4));
        let copy = server.ask("PUT", "/pemilu/c").header("x-oss-copy-source", "/pemilu/s");
        let copy = copy.header("x-oss-metadata-directive", "REPLACE").header("x-oss-meta-b", "2");
        done(&copy.send(Sign::OssV4));
        let head = server.ask("HEAD", "/pemilu/c").send(Sign::OssV4);
        assert_eq!(head.header(key), Some("sealed"));
        assert_eq!((head.header("x-oss-meta-a"), head.header("x-oss-meta-b")), (None, Some("2")));
    });
}

#[test]
fn what_oss_does_not_take_is_refused_in_its_words() {
    check(|server| {
        let wrong_region = server.ask("HEAD", "/pemilu/k").region("mars-1").send(Sign::OssV4);
        assert_eq!(wrong_region.status, 400);
        assert_eq!(wrong_region.header("x-oss-ec"), Some("0002-00000226"));
        let url = server.ask("GET", "/pemilu/k").region("mars-1").presigned(Sign::OssV4).go();
        assert_eq!(url.element("Message"), "The signing region in credential is invalid.");
        let long = "a".repeat(1024);
        for query in [
            format!("versions&prefix={long}"),
            format!("versions&delimiter={long}"),
            format!("versions&key-marker={long}"),
            format!("prefix={long}"),
            format!("marker={long}"),
            "max-keys=1001".to_owned(),
        ] {
            let list = |sign| server.ask("GET", &format!("/pemilu?{query}")).send(sign);
            list(Sign::OssV4).refused(400, "InvalidArgument");
            assert_eq!(list(Sign::S3).status, 200, "{query:.40}");
        }
        let versions = "<Delete><Object><Key>k</Key><VersionId>234</VersionId></Object></Delete>";
        let delete = server.ask("POST", "/pemilu?delete").body(versions).send(Sign::OssV4);
        delete.refused(400, "InvalidArgument");
        done(&put(server, "/pemilu/k", "x"));
        let copy = server.ask("PUT", "/pemilu/c");
        let copy = copy.header("x-oss-copy-source", "/pemilu/k?versionId=").send(Sign::OssV4);
        copy.refused(400, "InvalidArgument");
        let tags =
            "<Tagging><TagSet><Tag><Key>%@abc</Key><Value>1</Value></Tag></TagSet></Tagging>";
        put(server, "/pemilu/k?tagging", tags).refused(400, "InvalidTag");
        let header = server.ask("PUT", "/pemilu/k").header("x-oss-tagging", "a=%25");
        header.body("x").send(Sign::OssV4).refused(400, "InvalidTag");
        let s3 = server.ask("PUT", "/pemilu/k?tagging").body(tags).send(Sign::S3);
        assert_eq!(s3.status, 200, "{s3:?}");
        let rule = "<LifecycleConfiguration><Rule><Prefix>a</Prefix><Status>Enabled</Status><Tag><Key>%&amp;</Key>\
            <Value>1</Value></Tag><Expiration><Days>3</Days></Expiration></Rule></LifecycleConfiguration>";
        put(server, "/pemilu?lifecycle", rule).refused(400, "InvalidTag");
        // Signed as no form is.
        let unknown = server.ask("POST", "/pemilu?MetaQuery&action=createDataset");
        unknown.send(Sign::OssV4).refused(405, "MethodNotAllowed");
        let point = "/pemilu?publicAccessBlock&x-oss-access-point-name=p";
        server.ask("GET", point).send(Sign::OssV4).refused(404, "NoSuchAccessPoint");
        server.ask("GET", point).send(Sign::No).refused(403, "AccessDenied");
        // Whose key is wrong is not told what there is not.
        let mut stranger = server.owner.clone();
        stranger.key_id = "LTAIunknown".to_owned();
        let ask = |by| server.ask("POST", "/pemilu?x-oss-none=1&delete").by(by).send(Sign::OssV4);
        ask(&server.owner).refused(501, "NotImplemented");
        ask(&stranger).refused(403, "InvalidAccessKeyId");
    });
}

#[test]
fn a_read_that_announces_a_body_and_sends_none_ends_its_connection() {
    use std::io::{Read as _, Write as _};
    check(|server| {
        done(&put(server, "/pemilu/k", "hello"));
        let get = server.ask("GET", "/pemilu/k").header("content-length", "9").signed(Sign::OssV4);
        let mut stream = server.connect();
        stream.write_all(&get.head()).unwrap();
        let got = Answer::read(&mut stream, false);
        assert_eq!((got.status, got.header("connection")), (200, Some("close")));
        // What came next on it would be taken for the body.
        assert_eq!(stream.read(&mut [0; 1]).unwrap(), 0);
    });
}

#[test]
fn boxes_are_listed_to_who_has_none() {
    check(|server| {
        let list = |sign| server.ask("GET", "/?cloudboxes&max-keys=7").send(sign);
        let told = list(Sign::OssV4);
        assert!(told.text().contains("<ListCloudBoxResult>"), "{told:?}");
        assert_eq!(
            (told.element("MaxKeys").as_str(), told.element("IsTruncated").as_str()),
            ("7", "false")
        );
        list(Sign::No).refused(403, "AccessDenied");
    });
}

#[test]
fn a_link_is_deleted_as_any_object_is() {
    check(|server| {
        done(&put(server, "/pemilu/k", "x"));
        let link = server.ask("PUT", "/pemilu/l?symlink").header("x-oss-symlink-target", "k");
        done(&link.send(Sign::OssV4));
        assert_eq!(server.ask("DELETE", "/pemilu/l?symlink").send(Sign::OssV4).status, 204);
        server.ask("GET", "/pemilu/l").send(Sign::OssV4).refused(404, "NoSuchKey");
        assert_eq!(server.ask("GET", "/pemilu/k").send(Sign::OssV4).text(), "x");
    });
}

#[test]
fn an_algorithm_that_there_is_not_has_a_code_of_its_own() {
    check(|server| {
        let wrong = server.ask("PUT", "/pemilu/k").header("x-oss-server-side-encryption", "ROT13");
        wrong.body("x").send(Sign::OssV4).refused(400, "InvalidEncryptionAlgorithmError");
        let wrong = server.ask("PUT", "/pemilu/k").header("x-amz-server-side-encryption", "ROT13");
        wrong.body("x").send(Sign::S3).refused(400, "InvalidArgument");
    });
}

#[test]
fn rules_of_other_origins_are_told_as_oss_tells_them() {
    check(|server| {
        let cors = |more: &str| {
            let rule = format!(
                "<CORSConfiguration><CORSRule><AllowedOrigin>*</AllowedOrigin><AllowedMethod>GET</AllowedMethod>\
                 <AllowedHeader>X-Any</AllowedHeader>{more}</CORSRule></CORSConfiguration>"
            );
            put(server, "/pemilu?cors", &rule)
        };
        let wrong = cors("<MaxAgeSeconds>-1</MaxAgeSeconds>");
        wrong.refused(400, "InvalidArgument");
        assert_eq!(wrong.element("ArgumentName"), "MaxAgeSeconds");
        assert_eq!(wrong.element("ArgumentValue"), "-1");
        done(&cors(""));
        let told = server.ask("GET", "/pemilu?cors").send(Sign::OssV4);
        assert_eq!(told.element("AllowedHeader"), "x-any");
        let ask = server.ask("OPTIONS", "/pemilu/k").header("origin", "http://a.example");
        let ask = ask.header("access-control-request-method", "GET");
        let ask = ask.header("access-control-request-headers", "X-ANY");
        assert_eq!(ask.send(Sign::No).status, 200);
    });
}

#[test]
fn a_policy_without_a_principal_is_kept_and_lets_nobody_in() {
    check(|server| {
        let policy = r#"{"Version":"1","Statement":[{"Action":["oss:GetObject"],"Effect":"Allow","Resource":["acs:oss:*:*:*/*"]}]}"#;
        done(&put(server, "/pemilu/k", "x"));
        done(&put(server, "/pemilu?policy", policy));
        assert_eq!(server.ask("GET", "/pemilu?policy").send(Sign::OssV4).text(), policy);
        server.ask("GET", "/pemilu/k").send(Sign::No).refused(403, "AccessDenied");
        let status = server.ask("GET", "/pemilu?policyStatus").send(Sign::OssV4);
        assert_eq!(status.element("IsPublic"), "false");
        let deny = policy.replace("Allow", "Deny");
        done(&put(server, "/pemilu?policy", &deny));
        server.ask("GET", "/pemilu/k").send(Sign::OssV4).refused(403, "AccessDenied");
    });
}
