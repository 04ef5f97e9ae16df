//! Referer protection over real sockets.

use super::http_client::{Server, Sign, check};

const PROTECTED: &str = "<RefererConfiguration><AllowEmptyReferer>false</AllowEmptyReferer><RefererList>\
    <Referer>https://*.kpu.example/*</Referer></RefererList></RefererConfiguration>";

fn set(server: &Server, body: &str) {
    let done = server.ask("PUT", "/pemilu?referer").body(body).send(Sign::OssV4);
    assert_eq!(done.status, 200, "{done:?}");
}

#[test]
fn only_the_named_pages_may_fetch_what_is_not_signed_in_a_header() {
    check(|server| {
        let made = server.ask("PUT", "/pemilu/k").header("x-oss-object-acl", "public-read");
        assert_eq!(made.body("x").send(Sign::OssV4).status, 200);
        let ask = |page: &str| server.ask("GET", "/pemilu/k").header("referer", page);
        assert_eq!(ask("https://else.example/").send(Sign::No).status, 200);
        set(server, PROTECTED);
        for (page, status) in
            [("https://www.kpu.example/a?b", 200), ("https://else.example/", 403), ("", 403)]
        {
            assert_eq!(ask(page).send(Sign::No).status, status, "{page}");
            for sign in [Sign::OssV1, Sign::OssV4, Sign::S3] {
                assert_eq!(ask(page).presigned(sign).go().status, status, "{page} {sign:?}");
                assert_eq!(ask(page).send(sign).status, 200, "{page} {sign:?}");
            }
        }
        server.ask("GET", "/pemilu/k").send(Sign::No).refused(403, "AccessDenied");
        assert_eq!(server.ask("HEAD", "/pemilu/k").send(Sign::No).status, 403);
        set(server, &PROTECTED.replace("false", "true"));
        assert_eq!(server.ask("GET", "/pemilu/k").send(Sign::No).status, 200);
    });
}

#[test]
fn the_protection_is_told_and_taken_away() {
    check(|server| {
        let get = || server.ask("GET", "/pemilu?referer").send(Sign::OssV1);
        assert_eq!(get().element("AllowEmptyReferer"), "true");
        set(server, PROTECTED);
        assert_eq!(get().element("Referer"), "https://*.kpu.example/*");
        assert_eq!(get().element("AllowTruncateQueryString"), "true");
        let wrong = server.ask("PUT", "/pemilu?referer").body("<RefererConfiguration/>");
        wrong.send(Sign::OssV4).refused(400, "MalformedXML");
        assert_eq!(server.ask("DELETE", "/pemilu?referer").send(Sign::OssV4).status, 204);
        assert_eq!(get().element("AllowEmptyReferer"), "true");
    });
}
