//! Objects of other kinds, parts and images, over real sockets.

use std::io::Cursor;

use image::{ImageFormat, Rgb, RgbImage};

use super::http_client::{Server, Sign, check};

fn crc(body: &[u8]) -> String {
    wire::object::checksum::crc64(body).to_string()
}

#[test]
fn an_append_says_where_the_next_begins() {
    check(|server| {
        for sign in [Sign::OssV1, Sign::OssV4] {
            let key = format!("/pemilu/log{}", sign == Sign::OssV1);
            let append = |at: &str, body: &str| {
                server.ask("POST", &format!("{key}?append&position={at}")).body(body)
            };
            let done = append("0", "hello").header("x-oss-tagging", "a=b").send(sign);
            assert_eq!((done.status, done.header("x-oss-next-append-position")), (200, Some("5")));
            assert_eq!(done.header("x-oss-hash-crc64ecma"), Some(crc(b"hello").as_str()));
            let wrong = append("3", "x").send(sign);
            assert_eq!(wrong.header("x-oss-next-append-position"), Some("5"));
            wrong.refused(409, "PositionNotEqualToLength");
            // What the object is was said before; that these are too many does not matter now.
            let tags = (0..11).map(|at| format!("k{at}=v")).collect::<Vec<_>>().join("&");
            let done = append("5", " world").header("x-oss-tagging", &tags).send(sign);
            assert_eq!(done.header("x-oss-hash-crc64ecma"), Some(crc(b"hello world").as_str()));
            let head = server.ask("HEAD", &key).send(sign);
            assert_eq!(head.header("x-oss-object-type"), Some("Appendable"));
            assert_eq!(head.header("x-oss-next-append-position"), Some("11"));
            let got = server.ask("GET", &key).send(sign);
            assert_eq!(
                (got.text().as_str(), got.header("x-oss-tagging-count")),
                ("hello world", Some("1"))
            );
            for at in ["", "-1", "+1", "x"] {
                append(at, "x").send(sign).refused(400, "InvalidArgument");
            }
        }
        server.ask("PUT", "/pemilu/plain").body("x").send(Sign::OssV4);
        let to_plain = server.ask("POST", "/pemilu/plain?append&position=1").body("x");
        to_plain.send(Sign::OssV4).refused(409, "ObjectNotAppendable");
        let listed = server.ask("GET", "/pemilu?prefix=log").send(Sign::OssV4);
        assert_eq!(listed.element("Type"), "Appendable");
    });
}

#[test]
fn a_link_tells_its_target_percent_encoded() {
    check(|server| {
        server.ask("PUT", "/pemilu/t%20%C3%BC").body("hello").send(Sign::OssV4);
        let made = server
            .ask("PUT", "/pemilu/l?symlink")
            .header("x-oss-symlink-target", "t%20%C3%BC")
            .header("x-oss-meta-key1", "value1")
            .send(Sign::OssV4);
        assert_eq!(made.status, 200, "{made:?}");
        let link = server.ask("GET", "/pemilu/l?symlink").send(Sign::OssV1);
        assert_eq!(link.header("x-oss-symlink-target"), Some("t%20%C3%BC"));
        let got = server.ask("GET", "/pemilu/l").send(Sign::OssV4);
        assert_eq!(
            (got.text().as_str(), got.header("x-oss-object-type")),
            ("hello", Some("Symlink"))
        );
        assert_eq!(got.header("etag"), Some("\"5D41402ABC4B2A76B9719D911017C592\""));
        assert_eq!(got.header("x-oss-meta-key1"), Some("value1"));
        let listed = server.ask("GET", "/pemilu?prefix=l").send(Sign::OssV4);
        assert_eq!(listed.element("Type"), "Symlink");
        let bare = server.ask("PUT", "/pemilu/l?symlink").send(Sign::OssV4);
        bare.refused(400, "InvalidArgument");
        server
            .ask("GET", "/pemilu/t%20%C3%BC?symlink")
            .send(Sign::OssV4)
            .refused(400, "NotSymlink");
        server.ask("DELETE", "/pemilu/t%20%C3%BC").send(Sign::OssV4);
        server.ask("GET", "/pemilu/l").send(Sign::OssV4).refused(404, "SymlinkTargetNotExist");
    });
}

/// Parts of 5 MiB and 10 bytes.
fn upload(server: &Server) -> [Vec<u8>; 2] {
    let begun = server.ask("POST", "/pemilu/parts?uploads").send(Sign::S3);
    let id = begun.element("UploadId");
    let bodies = [vec![b'a'; 5 << 20], vec![b'b'; 10]];
    let mut document = String::from("<CompleteMultipartUpload>");
    for (number, body) in [1, 2].into_iter().zip(&bodies) {
        let target = format!("/pemilu/parts?partNumber={number}&uploadId={id}");
        let done = server.ask("PUT", &target).body(body.clone()).send(Sign::S3);
        let tag = done.header("etag").unwrap();
        document
            .push_str(&format!("<Part><PartNumber>{number}</PartNumber><ETag>{tag}</ETag></Part>"));
    }
    document.push_str("</CompleteMultipartUpload>");
    let done = server.ask("POST", &format!("/pemilu/parts?uploadId={id}")).body(document);
    assert_eq!(done.send(Sign::S3).status, 200);
    bodies
}

#[test]
fn the_parts_of_an_upload_are_known_afterwards() {
    check(|server| {
        let bodies = upload(server);
        let attributes = |key: &str, marker: &str| {
            server
                .ask("GET", &format!("/pemilu/{key}?attributes"))
                .header("x-amz-object-attributes", "ETag,ObjectParts,StorageClass,ObjectSize")
                .header("x-amz-part-number-marker", marker)
                .header("x-amz-max-parts", "1")
                .send(Sign::S3)
        };
        let told = attributes("parts", "0");
        let fields = ["PartsCount", "IsTruncated", "NextPartNumberMarker", "Size", "ObjectSize"];
        let size = bodies[0].len().to_string();
        let whole = (bodies[0].len() + bodies[1].len()).to_string();
        assert_eq!(fields.map(|name| told.element(name)), ["2", "true", "1", &size, &whole]);
        let last = attributes("parts", "1");
        assert_eq!(fields.map(|name| last.element(name)), ["2", "false", "2", "10", &whole]);
        for (number, body) in [(1, &bodies[0]), (2, &bodies[1])] {
            let target = format!("/pemilu/parts?partNumber={number}");
            let got = server.ask("GET", &target).send(Sign::S3);
            assert_eq!((got.status, got.header("x-amz-mp-parts-count")), (206, Some("2")));
            assert!(got.body == *body);
            let head = server.ask("HEAD", &target).send(Sign::S3);
            let length = body.len().to_string();
            assert_eq!(head.header("content-length"), Some(length.as_str()));
        }
        server.ask("GET", "/pemilu/parts?partNumber=3").send(Sign::S3).refused(400, "InvalidPart");
        server.ask("PUT", "/pemilu/plain").body("body").send(Sign::S3);
        let plain = server.ask("GET", "/pemilu/plain?partNumber=1").send(Sign::S3);
        assert_eq!(plain.text(), "body");
        server.ask("GET", "/pemilu/plain?partNumber=2").send(Sign::S3).refused(400, "InvalidPart");
        assert!(!attributes("plain", "0").text().contains("ObjectParts"));
        let nothing = server.ask("GET", "/pemilu/plain?attributes").send(Sign::S3);
        nothing.refused(400, "InvalidArgument");
    });
}

fn picture() -> Vec<u8> {
    let mut out = Cursor::new(Vec::new());
    RgbImage::from_pixel(40, 20, Rgb([200, 10, 10])).write_to(&mut out, ImageFormat::Png).unwrap();
    out.into_inner()
}

#[test]
fn an_image_is_made_as_the_request_wants_it() {
    check(|server| {
        server.ask("PUT", "/pemilu/p.png").body(picture()).send(Sign::OssV4);
        for sign in [Sign::OssV1, Sign::OssV4] {
            let target = "/pemilu/p.png?x-oss-process=image%2Fresize%2Cw_20%2Fformat%2Cjpg";
            for got in [
                server.ask("GET", target).send(sign),
                server.ask("GET", target).presigned(sign).go(),
            ] {
                assert_eq!((got.status, got.header("content-type")), (200, Some("image/jpeg")));
                let made = image::load_from_memory(&got.body).unwrap();
                assert_eq!((made.width(), made.height()), (20, 10));
            }
        }
        let info = server.ask("GET", "/pemilu/p.png?x-oss-process=image%2Finfo").send(Sign::OssV4);
        assert_eq!(info.header("content-type"), Some("application/json"));
        assert!(info.text().contains(r#""ImageWidth":{"value":"40"}"#), "{}", info.text());
        server
            .ask("GET", "/pemilu/p.png?x-oss-process=image%2Finfo")
            .send(Sign::No)
            .refused(403, "AccessDenied");
        for other in ["style%2Fsmall", "video%2Fsnapshot%2Ct_1", "image%2Fwatermark%2Ctext_eA"] {
            let target = format!("/pemilu/p.png?x-oss-process={other}");
            server.ask("GET", &target).send(Sign::OssV4).refused(501, "NotImplemented");
        }
        // A watermark is read by who asks: its owner may, nobody may not, and what is not there is none.
        let marked = |mark: &str| {
            let mark = base64::Engine::encode(&base64::engine::general_purpose::URL_SAFE, mark);
            let process = base::text::percent_encode(format!("image/watermark,image_{mark},g_nw"));
            format!("/pemilu/p.png?x-oss-process={process}")
        };
        let got = server.ask("GET", &marked("p.png")).send(Sign::OssV4);
        assert_eq!((got.status, got.header("content-type")), (200, Some("image/png")));
        assert_ne!(got.body, picture());
        server.ask("GET", &marked("none.png")).send(Sign::OssV4).refused(400, "InvalidArgument");
        let public =
            server.ask("PUT", "/pemilu/p.png?acl").header("x-oss-object-acl", "public-read");
        assert_eq!(public.send(Sign::OssV4).status, 200);
        server.ask("PUT", "/pemilu/secret.png").body(picture()).send(Sign::OssV4);
        assert_eq!(server.ask("GET", &marked("p.png")).send(Sign::No).status, 200);
        server.ask("GET", &marked("secret.png")).send(Sign::No).refused(403, "AccessDenied");
        server.ask("PUT", "/pemilu/no.png").body("no image").send(Sign::OssV4);
        let none = server.ask("GET", "/pemilu/no.png?x-oss-process=image%2Finfo").send(Sign::OssV4);
        none.refused(400, "BadRequest");
    });
}

#[test]
fn an_image_can_be_stored_as_another_object() {
    check(|server| {
        server.ask("PUT", "/pemilu/p.png").body(picture()).send(Sign::OssV4);
        let body = "x-oss-process=image/resize,w_10|sys/saveas,o_c21hbGwucG5n,b_cGVtaWx1";
        let done = server.ask("POST", "/pemilu/p.png?x-oss-process").body(body).send(Sign::OssV4);
        let told: serde_json::Value = serde_json::from_slice(&done.body).unwrap();
        assert_eq!(
            (&told["bucket"], &told["object"], &told["status"]),
            (&"pemilu".into(), &"small.png".into(), &"OK".into())
        );
        let got = server.ask("GET", "/pemilu/small.png").send(Sign::OssV4);
        assert_eq!(got.header("content-type"), Some("image/png"));
        assert_eq!(told["fileSize"], got.body.len());
        assert_eq!(image::load_from_memory(&got.body).unwrap().width(), 10);
        for other in ["csv%2Fselect", "csv%2Fmeta", "json%2Fselect"] {
            let target = format!("/pemilu/p.png?x-oss-process={other}");
            let select = server.ask("POST", &target).body("<SelectRequest/>").send(Sign::OssV4);
            select.refused(501, "NotImplemented");
        }
        let asynchronous = server.ask("POST", "/pemilu/p.png?x-oss-async-process").body(body);
        asynchronous.send(Sign::OssV4).refused(501, "NotImplemented");
        let select = server.ask("POST", "/pemilu/p.png?select&select-type=2").body("<x/>");
        select.send(Sign::S3).refused(501, "NotImplemented");
        let live = server.ask("PUT", "/pemilu/channel?live").body("<x/>");
        live.send(Sign::OssV4).refused(501, "NotImplemented");
    });
}

#[test]
fn a_traffic_limit_holds_in_both_directions() {
    check(|server| {
        let body = "x".repeat(102_400);
        let limit = "819200";
        let took = |ask: &dyn Fn() -> super::http_client::Answer| {
            let began = std::time::Instant::now();
            let done = ask();
            assert_eq!(done.status, 200, "{done:?}");
            (began.elapsed().as_millis(), done)
        };
        let ask = |method, query: &str| server.ask(method, &format!("/pemilu/a{query}"));
        let (up, _) = took(&|| {
            ask("PUT", "").header("x-oss-traffic-limit", limit).body(body.clone()).send(Sign::OssV4)
        });
        assert!(up >= 900, "{up}");
        let (down, got) =
            took(&|| ask("GET", "").header("x-oss-traffic-limit", limit).send(Sign::OssV1));
        assert!(down >= 850 && got.text() == body, "{down}");
        for sign in [Sign::OssV1, Sign::OssV4] {
            let query = "?x-oss-traffic-limit=819200";
            let (down, _) = took(&|| ask("GET", query).presigned(sign).go());
            assert!(down >= 850, "{down}");
        }
        for wrong in ["819199", "838860801", "x", ""] {
            let put = ask("PUT", "").header("x-oss-traffic-limit", wrong).body("x");
            put.send(Sign::OssV4).refused(400, "InvalidArgument");
        }
    });
}

#[test]
fn a_signed_url_says_in_its_query_what_a_header_would() {
    check(|server| {
        let query = "/pemilu/a?x-oss-object-acl=public-read&x-oss-meta-a=b";
        let url = server.ask("PUT", query).body("x").presigned(Sign::OssV4);
        let done = url.go();
        assert_eq!(done.status, 200, "{done:?}");
        let got = server.ask("GET", "/pemilu/a").send(Sign::No);
        assert_eq!((got.status, got.header("x-oss-meta-a")), (200, Some("b")));
        // Version 1 does not sign it.
        let url = server.ask("PUT", query).body("x").presigned(Sign::OssV1);
        url.go().refused(501, "NotImplemented");
        let narrowed = server.ask("GET", "/pemilu/a?x-oss-ac-source-ip=10.0.0.1");
        narrowed.presigned(Sign::OssV4).go().refused(501, "NotImplemented");
    });
}
