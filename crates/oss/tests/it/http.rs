//! What both dialects do, over real sockets.

use super::http_client::{BUCKET, Server, Sign, check};

const SIGNS: [Sign; 3] = [Sign::OssV1, Sign::OssV4, Sign::S3];

fn put(server: &Server, sign: Sign, key: &str, body: &str) {
    let done = server.ask("PUT", &format!("/{BUCKET}/{key}")).body(body).send(sign);
    assert_eq!(done.status, 200, "{done:?}");
}

#[test]
fn an_object_is_put_read_and_deleted_in_every_signature() {
    check(|server| {
        for sign in SIGNS {
            let (meta, prefix) = if sign == Sign::S3 {
                ("x-amz-meta-a", "x-amz")
            } else {
                ("x-oss-meta-a", "x-oss")
            };
            let target = "/pemilu/data/%C3%BC%2Bb%20c";
            let ask = |method| server.ask(method, target);
            let done = ask("PUT")
                .header(meta, "Papua é")
                .header("content-type", "text/x-tps")
                .body("hello")
                .send(sign);
            assert_eq!(done.status, 200, "{done:?}");
            let tag = "5d41402abc4b2a76b9719d911017c592";
            let tag = if sign == Sign::S3 {
                format!("\"{tag}\"")
            } else {
                format!("\"{}\"", tag.to_uppercase())
            };
            assert_eq!(done.header("etag"), Some(tag.as_str()));
            assert_eq!(done.header(&format!("{prefix}-request-id")).unwrap().len(), 24);

            let got = ask("GET").send(sign);
            assert_eq!((got.status, got.text().as_str()), (200, "hello"));
            for (name, value) in [
                ("content-type", "text/x-tps"),
                ("content-length", "5"),
                ("etag", &tag),
                ("last-modified", "Fri, 02 Jan 2026 03:04:05 GMT"),
                ("accept-ranges", "bytes"),
                ("server", "Awan"),
            ] {
                assert_eq!(got.header(name), Some(value), "{name}");
            }
            assert_eq!(got.header(meta).map(str::len), Some("Papua é".len()));
            if sign != Sign::S3 {
                assert_eq!(got.header("x-oss-hash-crc64ecma"), done.header("x-oss-hash-crc64ecma"));
                assert_eq!(got.header("x-oss-object-type"), Some("Normal"));
                assert!(got.header("x-oss-server-time").is_some());
            }
            let head = ask("HEAD").send(sign);
            assert_eq!((head.status, head.header("content-length")), (200, Some("5")));
            assert_eq!(ask("DELETE").send(sign).status, 204);
            assert_eq!(ask("DELETE").send(sign).status, 204);
            ask("GET").send(sign).refused(404, "NoSuchKey");
        }
    });
}

#[test]
fn what_one_dialect_writes_the_other_reads() {
    check(|server| {
        let written = server
            .ask("PUT", "/pemilu/a")
            .header("x-oss-meta-kelurahan", "Gambir")
            .body("x")
            .send(Sign::OssV4);
        assert_eq!(written.status, 200);
        let read = server.ask("GET", "/pemilu/a").send(Sign::S3);
        assert_eq!(
            (read.text().as_str(), read.header("x-amz-meta-kelurahan")),
            ("x", Some("Gambir"))
        );
        assert_eq!(read.header("content-type"), Some("binary/octet-stream"));
        let read = server.ask("GET", "/pemilu/a").send(Sign::OssV1);
        assert_eq!(read.header("content-type"), Some("application/octet-stream"));
        let class = server
            .ask("PUT", "/pemilu/b")
            .header("x-amz-storage-class", "STANDARD_IA")
            .body("x")
            .send(Sign::S3);
        assert_eq!(class.status, 200);
        let read = server.ask("HEAD", "/pemilu/b").send(Sign::OssV4);
        assert_eq!(read.header("x-oss-storage-class"), Some("IA"));
    });
}

#[test]
fn a_refusal_of_a_head_is_in_its_headers() {
    check(|server| {
        let refused = server.ask("HEAD", "/pemilu/gone").send(Sign::OssV4);
        assert_eq!((refused.status, refused.header("x-oss-ec")), (404, Some("0026-00000001")));
        assert!(
            refused.header("x-oss-err").is_some_and(|body| body.starts_with("PD94bWwg")),
            "{refused:?}"
        );
        let refused = server.ask("HEAD", "/pemilu/gone").send(Sign::S3);
        assert_eq!((refused.status, refused.body.len()), (404, 0));
    });
}

#[test]
fn ranges_are_cut_out_in_each_dialects_way() {
    check(|server| {
        put(server, Sign::OssV4, "r", "0123456789");
        let get =
            |range: &str, sign| server.ask("GET", "/pemilu/r").header("range", range).send(sign);
        for sign in SIGNS {
            for (range, expect, told) in [
                ("bytes=0-0", "0", "bytes 0-0/10"),
                ("bytes=-3", "789", "bytes 7-9/10"),
                ("bytes=8-99", "89", "bytes 8-9/10"),
            ] {
                let part = get(range, sign);
                assert_eq!((part.status, part.text().as_str()), (206, expect));
                assert_eq!(part.header("content-range"), Some(told));
            }
            let whole = get("bytes=0-1,3-4", sign);
            assert_eq!((whole.status, whole.text().as_str()), (200, "0123456789"));
        }
        assert_eq!(get("bytes=20-30", Sign::OssV4).status, 200);
        get("bytes=20-30", Sign::S3).refused(416, "InvalidRange");
        let strict = server
            .ask("GET", "/pemilu/r")
            .header("range", "bytes=20-")
            .header("x-oss-range-behavior", "standard");
        strict.send(Sign::OssV4).refused(416, "InvalidRange");
    });
}

#[test]
fn conditions_are_weighed() {
    check(|server| {
        put(server, Sign::OssV4, "c", "hello");
        let tag = "\"5d41402abc4b2a76b9719d911017c592\"";
        for sign in SIGNS {
            let get = |name: &str, value: &str| {
                server.ask("GET", "/pemilu/c").header(name, value).send(sign)
            };
            assert_eq!(get("if-match", tag).status, 200);
            let same = get("if-none-match", tag);
            assert_eq!((same.status, same.body.len()), (304, 0));
            assert!(same.header("etag").is_some());
            get("if-match", "\"0\"").refused(412, "PreconditionFailed");
            get("if-unmodified-since", "Thu, 01 Jan 2026 00:00:00 GMT")
                .refused(412, "PreconditionFailed");
            assert_eq!(get("if-modified-since", "Fri, 02 Jan 2026 03:04:05 GMT").status, 304);
        }
        let again = |name: &str, value: &str| {
            server.ask("PUT", "/pemilu/c").header(name, value).body("other")
        };
        again("x-oss-forbid-overwrite", "true").send(Sign::OssV4).refused(409, "FileAlreadyExists");
        again("if-none-match", "*").send(Sign::S3).refused(412, "PreconditionFailed");
        assert_eq!(again("if-match", tag).send(Sign::S3).status, 200);
    });
}

#[test]
fn a_copy_takes_or_replaces_the_meaning() {
    check(|server| {
        let made = server
            .ask("PUT", "/pemilu/from%20a")
            .header("x-oss-meta-a", "one")
            .body("copied")
            .send(Sign::OssV4);
        assert_eq!(made.status, 200);
        for (sign, prefix) in [(Sign::OssV4, "x-oss"), (Sign::S3, "x-amz")] {
            let header = |name: &str| format!("{prefix}-{name}");
            let copy = |to: &str| {
                server.ask("PUT", to).header(&header("copy-source"), "/pemilu/from%20a").body("")
            };
            let done = copy("/pemilu/to").send(sign);
            assert_eq!(done.status, 200, "{done:?}");
            assert!(done.element("LastModified").ends_with(".000Z"));
            let read = server.ask("GET", "/pemilu/to").send(sign);
            assert_eq!(
                (read.text().as_str(), read.header(&header("meta-a"))),
                ("copied", Some("one"))
            );
            let replace = copy("/pemilu/to").header(&header("metadata-directive"), "REPLACE");
            assert_eq!(replace.header(&header("meta-b"), "two").send(sign).status, 200);
            let read = server.ask("HEAD", "/pemilu/to").send(sign);
            assert_eq!(
                (read.header(&header("meta-a")), read.header(&header("meta-b"))),
                (None, Some("two"))
            );
            let unless = copy("/pemilu/to").header(&header("copy-source-if-match"), "\"0\"");
            unless.send(sign).refused(412, "PreconditionFailed");
        }
        let idle =
            server.ask("PUT", "/pemilu/to").header("x-amz-copy-source", "pemilu/to").body("");
        idle.send(Sign::S3).refused(400, "InvalidRequest");
    });
}

#[test]
fn a_multipart_upload_becomes_one_object() {
    check(|server| {
        for (sign, size) in [(Sign::OssV4, 100 << 10), (Sign::S3, 5 << 20)] {
            let begun = server.ask("POST", "/pemilu/m?uploads").body("").send(sign);
            let id = begun.element("UploadId");
            let part = |number: u32, body: Vec<u8>| {
                let done = server
                    .ask("PUT", &format!("/pemilu/m?partNumber={number}&uploadId={id}"))
                    .body(body)
                    .send(sign);
                assert_eq!(done.status, 200, "{done:?}");
                format!(
                    "<Part><PartNumber>{number}</PartNumber><ETag>{}</ETag></Part>",
                    done.header("etag").unwrap()
                )
            };
            let (one, two) = (part(1, vec![b'1'; size]), part(2, b"tail".to_vec()));
            let listed = server.ask("GET", &format!("/pemilu/m?uploadId={id}")).send(sign);
            assert_eq!(listed.text().matches("<Part>").count(), 2, "{listed:?}");
            let complete = |parts: &[&str]| {
                let document = format!(
                    "<CompleteMultipartUpload>{}</CompleteMultipartUpload>",
                    parts.concat()
                );
                server.ask("POST", &format!("/pemilu/m?uploadId={id}")).body(document).send(sign)
            };
            complete(&[&two, &one]).refused(400, "InvalidPartOrder");
            let done = complete(&[&one, &two]);
            assert!(done.element("ETag").contains("-2"), "{done:?}");
            let read = server
                .ask("GET", "/pemilu/m")
                .header("range", &format!("bytes={}-", size - 1))
                .send(sign);
            assert_eq!(read.text(), "1tail");
            // Who did not hear the answer asks again.
            assert_eq!(complete(&[&one, &two]).status, 200);
        }
    });
}

#[test]
fn parts_are_copied_and_all_of_them_completed() {
    check(|server| {
        put(server, Sign::OssV4, "source", "0123456789");
        let id =
            server.ask("POST", "/pemilu/m?uploads").body("").send(Sign::OssV4).element("UploadId");
        let target = format!("/pemilu/m?partNumber=1&uploadId={id}");
        let copy =
            server.ask("PUT", &target).header("x-oss-copy-source", "/pemilu/source").body("");
        let copied = copy.header("x-oss-copy-source-range", "bytes=2-4").send(Sign::OssV4);
        assert_eq!(copied.status, 200, "{copied:?}");
        let complete = server
            .ask("POST", &format!("/pemilu/m?uploadId={id}"))
            .header("x-oss-complete-all", "yes");
        assert_eq!(complete.body("").send(Sign::OssV4).status, 200);
        assert_eq!(server.ask("GET", "/pemilu/m").send(Sign::S3).text(), "234");
    });
}

#[test]
fn listings_go_on_where_they_stopped() {
    check(|server| {
        for key in ["a", "b/1", "b/2", "c+c", "d"] {
            put(server, Sign::OssV4, key, "x");
        }
        for sign in [Sign::OssV4, Sign::S3] {
            let (mut seen, mut token) = (Vec::new(), String::new());
            loop {
                let target = format!(
                    "/pemilu?list-type=2&max-keys=1&delimiter=%2F&encoding-type=url{token}"
                );
                let page = server.ask("GET", &target).send(sign);
                assert_eq!(page.element("KeyCount"), "1");
                let folded = page.text().contains("<CommonPrefixes>");
                let text = page.text();
                let rest = if folded {
                    text.split_once("<CommonPrefixes>")
                } else {
                    text.split_once("<Contents>")
                }
                .unwrap()
                .1;
                seen.push(rest.split_once('>').unwrap().1.split_once('<').unwrap().0.to_owned());
                if page.element("IsTruncated") == "false" {
                    break;
                }
                token = format!("&continuation-token={}", page.element("NextContinuationToken"));
            }
            let prefix = if sign == Sign::S3 { "b/" } else { "b%2F" };
            assert_eq!(seen, ["a", prefix, "c%2Bc", "d"]);
            server
                .ask("GET", "/pemilu?list-type=2&continuation-token=nonsense")
                .send(sign)
                .refused(400, "InvalidArgument");
        }
        server
            .ask("GET", "/pemilu?max-keys=1001")
            .send(Sign::OssV4)
            .refused(400, "InvalidArgument");
        assert_eq!(
            server.ask("GET", "/pemilu?max-keys=1001").send(Sign::S3).element("MaxKeys"),
            "1000"
        );
        assert_eq!(server.ask("GET", "/pemilu").send(Sign::OssV4).element("MaxKeys"), "100");
        let versions = server.ask("GET", "/pemilu?versions").send(Sign::OssV4);
        assert_eq!(versions.text().matches("<VersionId>null</VersionId>").count(), 5);
    });
}

#[test]
fn many_objects_are_deleted_at_once() {
    check(|server| {
        for sign in [Sign::OssV4, Sign::S3] {
            put(server, sign, "a", "x");
            put(server, sign, "b", "x");
            let document = |quiet: bool| {
                format!(
                    "<Delete><Quiet>{quiet}</Quiet><Object><Key>a</Key></Object><Object><Key>b</Key></Object></Delete>"
                )
            };
            let done = server.ask("POST", "/pemilu?delete").body(document(false)).send(sign);
            assert_eq!(done.text().matches("<Deleted>").count(), 2, "{done:?}");
            let quiet = server.ask("POST", "/pemilu?delete").body(document(true)).send(sign);
            assert!(quiet.status == 200 && !quiet.text().contains("<Deleted>"), "{quiet:?}");
        }
    });
}

#[test]
fn buckets_tell_about_themselves() {
    check(|server| {
        let info = server.ask("GET", "/pemilu?bucketInfo").send(Sign::OssV4);
        assert_eq!(info.element("ExtranetEndpoint"), "http://oss.example");
        assert_eq!(info.element("Location"), "oss-ap-southeast-5");
        put(server, Sign::OssV4, "a", "12345");
        let stat = server.ask("GET", "/pemilu?stat").send(Sign::OssV4);
        assert_eq!(
            (stat.element("Storage"), stat.element("ObjectCount")),
            ("5".to_owned(), "1".to_owned())
        );
        let list = server.ask("GET", "/").send(Sign::OssV1);
        assert_eq!(
            (list.element("Name").as_str(), list.element("MaxKeys").as_str()),
            (BUCKET, "100")
        );
        assert_eq!(server.ask("GET", "/").send(Sign::S3).element("Name"), BUCKET);
        let regions = server.ask("GET", "/?regions").send(Sign::OssV4);
        assert_eq!(regions.element("Region"), "oss-ap-southeast-5");
        let head = server.ask("HEAD", "/pemilu").send(Sign::S3);
        assert_eq!(head.header("x-amz-bucket-region"), Some("ap-southeast-5"));
        server.ask("DELETE", "/pemilu").send(Sign::S3).refused(409, "BucketNotEmpty");
        server
            .ask("PUT", "/pemilu")
            .body("")
            .send(Sign::S3)
            .refused(409, "BucketAlreadyOwnedByYou");
        assert_eq!(server.ask("PUT", "/pemilu").body("").send(Sign::OssV4).status, 200);
        server
            .ask("PUT", "/Not_a_bucket")
            .body("")
            .send(Sign::OssV4)
            .refused(400, "InvalidBucketName");
    });
}

#[test]
fn tags_are_kept_in_both_dialects() {
    check(|server| {
        let tags = "<Tagging><TagSet><Tag><Key>a</Key><Value>1</Value></Tag></TagSet></Tagging>";
        let made = server
            .ask("PUT", "/pemilu/k")
            .header("x-oss-tagging", "b=2")
            .body("x")
            .send(Sign::OssV4);
        assert_eq!(made.status, 200);
        assert_eq!(server.ask("GET", "/pemilu/k?tagging").send(Sign::S3).element("Key"), "b");
        server.ask("GET", "/pemilu?tagging").send(Sign::S3).refused(404, "NoSuchTagSet");
        for target in ["/pemilu?tagging", "/pemilu/k?tagging"] {
            let put = server.ask("PUT", target).body(tags).send(Sign::S3);
            assert!(put.status < 300, "{put:?}");
            assert_eq!(server.ask("GET", target).send(Sign::OssV4).element("Value"), "1");
            assert_eq!(server.ask("DELETE", target).send(Sign::OssV4).status, 204);
        }
        let long = format!("{}=1", "k".repeat(129));
        server
            .ask("PUT", "/pemilu/k")
            .header("x-oss-tagging", &long)
            .body("x")
            .send(Sign::OssV4)
            .refused(400, "InvalidTag");
    });
}

#[test]
fn what_is_not_served_is_said_to_be_so() {
    check(|server| {
        let ask = |method, target: &str, sign| server.ask(method, target).body("").send(sign);
        ask("PUT", "/pemilu?redundancyTransition", Sign::OssV4).refused(501, "NotImplemented");
        ask("PUT", "/pemilu?replication", Sign::OssV4).refused(501, "NotImplemented");
        ask("GET", "/pemilu?lifecycle", Sign::OssV4).refused(404, "NoSuchLifecycle");
        ask("GET", "/pemilu?lifecycle", Sign::S3).refused(404, "NoSuchLifecycleConfiguration");
        ask("GET", "/nowhere?lifecycle", Sign::S3).refused(404, "NoSuchBucket");
        ask("PUT", "/pemilu/k?live", Sign::OssV4).refused(501, "NotImplemented");
        ask("POST", "/pemilu/k?x-oss-async-process", Sign::OssV4).refused(501, "NotImplemented");
        ask("PATCH", "/pemilu/k", Sign::S3).refused(405, "MethodNotAllowed");
        let sealed = server
            .ask("PUT", "/pemilu/k")
            .header("x-amz-server-side-encryption", "aws:kms:dsse")
            .body("x");
        sealed.send(Sign::S3).refused(501, "NotImplemented");
    });
}

#[test]
fn a_missing_bucket_is_told_before_a_wrong_key() {
    check(|server| {
        let stranger = testkit::root(7);
        for sign in SIGNS {
            server.ask("GET", "/nowhere/a").by(&stranger).send(sign).refused(404, "NoSuchBucket");
            server
                .ask("GET", "/pemilu/a")
                .by(&stranger)
                .send(sign)
                .refused(403, "InvalidAccessKeyId");
            server
                .ask("PUT", "/nowhere")
                .body("")
                .by(&stranger)
                .send(sign)
                .refused(403, "InvalidAccessKeyId");
        }
    });
}

#[test]
fn a_presigned_url_opens_one_object_for_a_while() {
    check(|server| {
        put(server, Sign::OssV4, "p", "given");
        for sign in SIGNS {
            let url =
                server.ask("GET", "/pemilu/p?response-content-type=text%2Fx-a").presigned(sign);
            let got = url.clone().go();
            assert_eq!((got.status, got.text().as_str()), (200, "given"), "{got:?}");
            assert_eq!(got.header("content-type"), Some("text/x-a"));
            let before = server.ask("GET", "/pemilu/p").presigned(sign);
            server.test.clock.pass(std::time::Duration::from_secs(61));
            before.go().refused(403, "AccessDenied");
        }
    });
}

#[test]
fn anybody_reads_what_is_public_and_nothing_else() {
    check(|server| {
        put(server, Sign::OssV4, "open", "o");
        put(server, Sign::OssV4, "shut", "s");
        server.ask("GET", "/pemilu/open").send(Sign::No).refused(403, "AccessDenied");
        let opened = server
            .ask("PUT", "/pemilu/open?acl")
            .header("x-oss-object-acl", "public-read")
            .body("");
        assert_eq!(opened.send(Sign::OssV4).status, 200);
        assert_eq!(server.ask("GET", "/pemilu/open").send(Sign::No).text(), "o");
        server
            .ask("GET", "/pemilu/open?response-content-type=text%2Fhtml")
            .send(Sign::No)
            .refused(400, "InvalidRequest");
        server.ask("GET", "/pemilu/shut").send(Sign::No).refused(403, "AccessDenied");
        server.ask("PUT", "/pemilu/open").body("x").send(Sign::No).refused(403, "AccessDenied");
        server.ask("GET", "/").send(Sign::No).refused(403, "AccessDenied");
        let opened = server.ask("PUT", "/pemilu?acl").header("x-amz-acl", "public-read").body("");
        assert_eq!(opened.send(Sign::S3).status, 200);
        assert_eq!(server.ask("GET", "/pemilu/shut").send(Sign::No).text(), "s");
        let grants = server.ask("GET", "/pemilu?acl").send(Sign::S3).text();
        assert!(
            grants.contains("<URI>http://acs.amazonaws.com/groups/global/AllUsers</URI>"),
            "{grants}"
        );
        assert_eq!(
            server.ask("GET", "/pemilu?acl").send(Sign::OssV4).element("Grant"),
            "public-read"
        );
    });
}

#[test]
fn a_bucket_may_be_in_the_host_name() {
    check(|server| {
        put(server, Sign::OssV4, "dir/a", "host");
        for host in ["pemilu.localhost", "pemilu.oss.localhost:7101"] {
            for sign in SIGNS {
                let got = server.ask("GET", "/dir/a").host(host, BUCKET).send(sign);
                assert_eq!(got.text(), "host", "{host}");
            }
        }
    });
}

#[test]
fn a_host_name_can_be_bound_to_a_bucket() {
    check(|server| {
        put(server, Sign::OssV4, "dir/a", "bound");
        let document = |host: &str| {
            format!(
                "<BucketCnameConfiguration><Cname><Domain>{host}</Domain></Cname></BucketCnameConfiguration>"
            )
        };
        let change = |comp: &str, bucket: &str, host: &str| {
            server
                .ask("POST", &format!("/{bucket}?cname&comp={comp}"))
                .body(document(host))
                .send(Sign::OssV4)
        };
        let get = || server.ask("GET", "/dir/a").host("data.kpu.example", BUCKET).send(Sign::OssV4);
        get().refused(404, "NoSuchBucket");
        assert_eq!(change("add", BUCKET, "Data.KPU.example").status, 200);
        assert_eq!(get().text(), "bound");
        let listed = server.ask("GET", "/pemilu?cname").send(Sign::OssV4);
        assert_eq!(listed.element("Domain"), "data.kpu.example");
        assert_eq!(server.ask("PUT", "/other").body("").send(Sign::OssV4).status, 200);
        change("add", "other", "data.kpu.example").refused(409, "CnameAlreadyExists");
        change("delete", "other", "data.kpu.example").refused(404, "NoSuchCname");
        for ours in ["a.oss.localhost", "127.0.0.1", "x", "oss.example", "a.oss.example"] {
            change("add", BUCKET, ours).refused(400, "InvalidArgument");
        }
        assert_eq!(change("delete", BUCKET, "data.kpu.example").status, 200);
        get().refused(404, "NoSuchBucket");
        assert_eq!(change("add", "other", "data.kpu.example").status, 200);
        assert_eq!(server.ask("DELETE", "/other").send(Sign::OssV4).status, 204);
        assert_eq!(
            change("add", BUCKET, "data.kpu.example").status,
            200,
            "a deleted bucket lets go of its names"
        );
    });
}

#[test]
fn what_was_answered_is_counted_by_operation_and_code() {
    check(|server| {
        put(server, Sign::OssV4, "a", "x");
        server.ask("GET", "/pemilu/gone").send(Sign::S3).refused(404, "NoSuchKey");
        let metrics = &server.test.cloud.metrics;
        assert_eq!(metrics.answered("oss", "PutObject", "OK"), 1);
        assert_eq!(metrics.answered("oss", "GetObject", "NoSuchKey"), 1);
    });
}

#[test]
fn headers_in_the_query_of_a_signed_url_are_acted_upon_or_refused() {
    check(|server| {
        let put = |query: &str, sign| {
            server.ask("PUT", &format!("/pemilu/q?{query}")).presigned(sign).body("x").go()
        };
        let kept = put("x-amz-acl=public-read&X-Amz-Meta-tps=7", Sign::S3);
        assert_eq!(kept.status, 200, "{kept:?}");
        let read = server.ask("GET", "/pemilu/q").send(Sign::No);
        assert_eq!((read.status, read.text().as_str()), (200, "x"));
        let read = server.ask("GET", "/pemilu/q").send(Sign::S3);
        assert_eq!(read.header("x-amz-meta-tps"), Some("7"));
        put("x-amz-server-side-encryption=aws%3Akms%3Adsse", Sign::S3)
            .refused(501, "NotImplemented");
        put("x-amz-meta-a=1&x-amz-meta-a=2", Sign::S3).refused(400, "InvalidArgument");
        put("x-amz-meta-a=%0A", Sign::S3).refused(400, "InvalidArgument");
        for sign in [Sign::OssV1, Sign::OssV4] {
            put("x-oss-ac-source-ip=192.0.2.1", sign).refused(501, "NotImplemented");
            assert_eq!(put("x-oss-traffic-limit=819200", sign).status, 200);
        }
        // Version 1 of OSS signs no such name.
        put("x-oss-object-acl=public-read", Sign::OssV1).refused(501, "NotImplemented");
        // Only version 4 signs names that are not lower case.
        let unsigned =
            server.ask("PUT", "/pemilu/q?X-Amz-Acl=public-read&AWSAccessKeyId=a").body("x");
        unsigned.go().refused(403, "AccessDenied");
    });
}

#[test]
fn keys_that_are_all_refused_are_told_as_each_dialects_clients_look_for_it() {
    check(|server| {
        put(server, Sign::OssV4, "a", "x");
        let user = testkit::user(1_000_000_000_000_001, "siti");
        server.test.keys.add(&user);
        let document = "<Delete><Object><Key>a</Key></Object></Delete>";
        let ask = |sign| server.ask("POST", "/pemilu?delete").by(&user).body(document).send(sign);
        ask(Sign::OssV4).refused(403, "AccessDenied");
        let told = ask(Sign::S3);
        assert_eq!((told.status, told.element("Code").as_str()), (200, "AccessDenied"), "{told:?}");
        assert_eq!(server.ask("GET", "/pemilu/a").send(Sign::OssV4).text(), "x");
    });
}

#[test]
fn what_is_sealed_is_told_in_each_dialect() {
    const KEY: &str = "AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE=";
    check(|server| {
        for (sign, name, id, kms) in [
            (
                Sign::S3,
                "x-amz-server-side-encryption",
                "x-amz-server-side-encryption-aws-kms-key-id",
                "aws:kms",
            ),
            (
                Sign::OssV4,
                "x-oss-server-side-encryption",
                "x-oss-server-side-encryption-key-id",
                "KMS",
            ),
        ] {
            // What nobody asked for is told by S3 alone.
            let put = server.ask("PUT", "/pemilu/sealed").body("x").send(sign);
            let told = if sign == Sign::S3 { Some("AES256") } else { None };
            assert_eq!((put.status, put.header(name)), (200, told), "{put:?}");
            let put = server.ask("PUT", "/pemilu/sealed").header(name, "AES256").body("x");
            assert_eq!(put.send(sign).header(name), Some("AES256"));
            let put =
                server.ask("PUT", "/pemilu/named").header(name, kms).header(id, "k1").body("x");
            assert_eq!(put.send(sign).header(id), Some("k1"));
            for method in ["GET", "HEAD"] {
                let read = server.ask(method, "/pemilu/named").send(sign);
                assert_eq!((read.header(name), read.header(id)), (Some(kms), Some("k1")));
            }
            let put = server.ask("PUT", "/pemilu/k").header(name, "ROT13").body("x");
            let oss = sign != Sign::S3;
            let code = if oss { "InvalidEncryptionAlgorithmError" } else { "InvalidArgument" };
            put.send(sign).refused(400, code);
        }
        // OSS names the account's default key, which is the same where it is named.
        let (name, id) = ("x-oss-server-side-encryption", "x-oss-server-side-encryption-key-id");
        let put = server.ask("PUT", "/pemilu/default").header(name, "KMS").body("x");
        let told = put.send(Sign::OssV4).header(id).unwrap().to_owned();
        let put = server.ask("PUT", "/pemilu/k").header(name, "KMS").header(id, &told).body("x");
        assert_eq!(put.send(Sign::OssV4).header(id), Some(told.as_str()));
        let md5 = wire_md5(KEY);
        let with = |method: &'static str, md5: &str| {
            server
                .ask(method, "/pemilu/own")
                .header("x-amz-server-side-encryption-customer-algorithm", "AES256")
                .header("x-amz-server-side-encryption-customer-key", KEY)
                .header("x-amz-server-side-encryption-customer-key-md5", md5)
                .body(if method == "PUT" { "secret" } else { "" })
                .send(Sign::S3)
        };
        with("PUT", "AAAAAAAAAAAAAAAAAAAAAA==").refused(400, "InvalidArgument");
        let told = "x-amz-server-side-encryption-customer-key-md5";
        assert_eq!(with("PUT", &md5).header(told), Some(md5.as_str()));
        let read = with("GET", &md5);
        assert_eq!((read.text().as_str(), read.header(told)), ("secret", Some(md5.as_str())));
        server.ask("GET", "/pemilu/own").send(Sign::S3).refused(400, "InvalidRequest");
    });
}

fn wire_md5(key: &str) -> String {
    let mut md5 = wire::object::checksum::Md5::default();
    md5.update(&base64::Engine::decode(&base64::prelude::BASE64_STANDARD, key).unwrap());
    wire::object::checksum::base64(&md5.finish())
}

#[test]
fn the_default_encryption_of_a_bucket_is_set_told_and_deleted() {
    check(|server| {
        let ask = |method, body: &str, sign| {
            server.ask(method, "/pemilu?encryption").body(body).send(sign)
        };
        ask("GET", "", Sign::S3).refused(404, "ServerSideEncryptionConfigurationNotFoundError");
        ask("GET", "", Sign::OssV4).refused(404, "NoSuchServerSideEncryptionRule");
        let rule = "<ServerSideEncryptionRule><ApplyServerSideEncryptionByDefault><SSEAlgorithm>KMS</SSEAlgorithm>\
                    <KMSMasterKeyID>k2</KMSMasterKeyID></ApplyServerSideEncryptionByDefault></ServerSideEncryptionRule>";
        assert_eq!(ask("PUT", rule, Sign::OssV4).status, 200);
        assert!(ask("GET", "", Sign::OssV4).text().contains(rule));
        assert!(ask("GET", "", Sign::S3).text().contains("<SSEAlgorithm>aws:kms</SSEAlgorithm>"));
        let put = server.ask("PUT", "/pemilu/k").body("x").send(Sign::OssV4);
        assert_eq!(put.header("x-oss-server-side-encryption-key-id"), Some("k2"));
        ask("PUT", "<ServerSideEncryptionRule/>", Sign::OssV4).refused(400, "MalformedXML");
        assert_eq!(ask("DELETE", "", Sign::S3).status, 204);
        ask("GET", "", Sign::OssV4).refused(404, "NoSuchServerSideEncryptionRule");
    });
}

#[test]
fn buckets_are_listed_by_their_tags() {
    check(|server| {
        let tags = "<Tagging><TagSet><Tag><Key>env</Key><Value>a</Value></Tag></TagSet></Tagging>";
        for name in ["one", "two"] {
            server.ask("PUT", &format!("/{name}-b")).body("").send(Sign::OssV4);
            let put = server.ask("PUT", &format!("/{name}-b?tagging")).body(tags);
            assert_eq!(put.send(Sign::OssV4).status, 200);
        }
        let count = |query: &str| {
            let listed = server.ask("GET", &format!("/?{query}")).send(Sign::OssV4);
            (listed.text().matches("<Bucket>").count(), listed.element("IsTruncated"))
        };
        for (query, found, truncated) in [
            ("prefix=", 3, "false"),
            ("tag-key=env", 2, "false"),
            ("tag-key=env&tag-value=a", 2, "false"),
            ("tag-key=env&tag-value=a&max-keys=1", 1, "true"),
            ("tag-key=env&tag-value=b", 0, "false"),
            ("tag-key=other", 0, "false"),
        ] {
            assert_eq!(count(query), (found, truncated.to_owned()), "{query}");
        }
    });
}
