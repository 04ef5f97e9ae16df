//! Callbacks, to a server of the test's own.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::thread::JoinHandle;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;

use super::http_client::{Server, Sign, check};

/// Answers once, and says what it was sent.
fn listen(status: &'static str, body: &'static str) -> (String, JoinHandle<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/back?to=us", listener.local_addr().unwrap());
    let serve = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut bytes = Vec::new();
        let sent = loop {
            let mut piece = [0; 4096];
            let read = stream.read(&mut piece).unwrap();
            bytes.extend_from_slice(&piece[..read]);
            let text = String::from_utf8(bytes.clone()).unwrap();
            let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
            let length = head.lines().find_map(|line| {
                line.to_ascii_lowercase().strip_prefix("content-length:")?.trim().parse().ok()
            });
            if body.len() == length.unwrap_or(0) {
                break text;
            }
        };
        let length = body.len();
        write!(stream, "HTTP/1.1 {status}\r\ncontent-length: {length}\r\n\r\n{body}").unwrap();
        sent
    });
    (url, serve)
}

fn callback(url: &str, body: &str, kind: &str) -> String {
    let told = serde_json::json!({
        "callbackUrl": url,
        "callbackBody": body,
        "callbackBodyType": kind,
    });
    BASE64.encode(told.to_string())
}

const FORM: &str = "application/x-www-form-urlencoded";

fn stored(server: &Server, body: &str) {
    let got = server.ask("GET", "/pemilu/a%20b").send(Sign::OssV4);
    assert_eq!((got.status, got.text().as_str()), (200, body));
}

#[test]
fn an_upload_is_answered_with_what_the_callback_answers() {
    check(|server| {
        let (url, back) = listen("200 OK", r#"{"done":true}"#);
        let body = "b=${bucket}&o=${object}&e=${etag}&s=${size}&m=${mimeType}&v=${x:v}&n=${x:none}";
        let done = server
            .ask("PUT", "/pemilu/a%20b")
            .header("content-type", "text/plain")
            .header("x-oss-callback", &callback(&url, body, FORM))
            .header("x-oss-callback-var", &BASE64.encode(r#"{"x:v":"1&2"}"#))
            .body("hello")
            .send(Sign::OssV4);
        assert_eq!((done.status, done.text().as_str()), (200, r#"{"done":true}"#));
        assert_eq!(done.header("content-type"), Some("application/json"));
        assert_eq!(done.header("etag"), Some("\"5D41402ABC4B2A76B9719D911017C592\""));
        let sent = back.join().unwrap();
        assert!(sent.starts_with("POST /back?to=us HTTP/1.1\r\n"), "{sent}");
        assert!(
            sent.ends_with("\r\n\r\nb=pemilu&o=a%20b&e=5D41402ABC4B2A76B9719D911017C592&s=5&m=text%2Fplain&v=1%262&n="),
            "{sent}"
        );
        stored(server, "hello");
    });
}

#[test]
fn a_signed_url_brings_its_callback_as_parameters() {
    check(|server| {
        for sign in [Sign::OssV1, Sign::OssV4] {
            let (url, back) = listen("200 OK", "{}");
            let json = r#"{"size":${size},"object":${object}}"#;
            let asked = callback(&url, json, "application/json");
            let encoded = base::text::percent_encode(&asked);
            let put = server.ask("PUT", &format!("/pemilu/a%20b?callback={encoded}")).body("hi");
            assert_eq!(put.presigned(sign).go().status, 200);
            assert!(back.join().unwrap().ends_with(r#"{"size":2,"object":"a b"}"#));
        }
        stored(server, "hi");
    });
}

#[test]
fn what_a_callback_fails_with_leaves_the_object_stored() {
    check(|server| {
        let put = |url: &str| {
            let asked = callback(url, "a", FORM);
            server.ask("PUT", "/pemilu/a%20b").header("x-oss-callback", &asked).body("kept")
        };
        for (status, body) in [("500 Oops", "{}"), ("302 Found", "{}"), ("200 OK", "no json")] {
            let (url, back) = listen(status, body);
            put(&url).send(Sign::OssV4).refused(203, "CallbackFailed");
            back.join().unwrap();
            stored(server, "kept");
        }
        // Nobody there, no such name, and an address that is not public nor allowed.
        for url in
            ["http://127.0.0.1:9/", "http://no.such.invalid/", "http://10.0.0.1/", "http://[::1]/"]
        {
            put(url).send(Sign::OssV4).refused(203, "CallbackFailed");
        }
        // The next address is tried.
        let (url, back) = listen("200 OK", "{}");
        assert_eq!(put(&format!("http://127.0.0.1:9/;{url}")).send(Sign::OssV4).status, 200);
        back.join().unwrap();
    });
}

#[test]
fn a_callback_that_makes_no_sense_is_refused_before_anything_is_stored() {
    check(|server| {
        for wrong in ["no base64!", "e30=", "W10="] {
            let put = server.ask("PUT", "/pemilu/wrong").header("x-oss-callback", wrong).body("x");
            put.send(Sign::OssV4).refused(400, "InvalidArgument");
        }
        let named = BASE64.encode(r#"{"callbackPolicy":"p"}"#);
        let put = server.ask("PUT", "/pemilu/wrong").header("x-oss-callback", &named).body("x");
        // The bucket keeps none of that name.
        put.send(Sign::OssV4).refused(400, "InvalidArgument");
        // Who may not put is not told so.
        let put = server.ask("PUT", "/wrong").host("pemilu.oss.localhost", "pemilu").body("x");
        let refused = put.header("x-oss-callback", &named).send(Sign::No);
        refused.refused(403, "AccessDenied");
        server.ask("GET", "/pemilu/wrong").send(Sign::OssV4).refused(404, "NoSuchKey");
        // An append has none, and does not say otherwise.
        let asked = callback("http://127.0.0.1:9/", "a", FORM);
        let append = server.ask("POST", "/pemilu/wrong?append&position=0").body("x");
        append.header("x-oss-callback", &asked).send(Sign::OssV4).refused(501, "NotImplemented");
    });
}

#[test]
fn a_completed_upload_calls_back_too() {
    check(|server| {
        let begun = server.ask("POST", "/pemilu/a%20b?uploads").send(Sign::OssV4);
        let id = begun.element("UploadId");
        let part = server.ask("PUT", &format!("/pemilu/a%20b?partNumber=1&uploadId={id}"));
        assert_eq!(part.body("whole").send(Sign::OssV4).status, 200);
        let (url, back) = listen("200 OK", "{}");
        let done = server
            .ask("POST", &format!("/pemilu/a%20b?uploadId={id}"))
            .header("x-oss-complete-all", "yes")
            .header("x-oss-callback", &callback(&url, "o=${operation}&s=${size}", FORM))
            .send(Sign::OssV4);
        assert_eq!((done.status, done.text().as_str()), (200, "{}"));
        assert!(back.join().unwrap().ends_with("o=CompleteMultipartUpload&s=5"));
        stored(server, "whole");
    });
}
