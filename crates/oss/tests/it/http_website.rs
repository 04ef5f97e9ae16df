//! Websites over real sockets.

use super::http_client::{Answer, Server, Sign, check};

const SITE: &str = "pemilu.s3-website.localhost";

fn page(server: &Server, key: &str, body: &str) {
    let path: &'static str = Box::leak(format!("/pemilu/{key}").into_boxed_str());
    let put = server.ask("PUT", path).header("x-oss-object-acl", "public-read");
    let put = put.header("content-type", "text/html").body(body);
    assert_eq!(put.send(Sign::OssV4).status, 200);
}

fn set(server: &Server, inner: &str, sign: Sign) {
    let body = format!("<WebsiteConfiguration>{inner}</WebsiteConfiguration>");
    let set = server.ask("PUT", "/pemilu?website").body(body).send(sign);
    assert_eq!(set.status, 200, "{set:?}");
}

fn visit(server: &Server, path: &'static str) -> Answer {
    server.ask("GET", path).host(SITE, "pemilu").send(Sign::No)
}

const PAGES: &str = "<IndexDocument><Suffix>index.html</Suffix></IndexDocument>\
    <ErrorDocument><Key>error.html</Key></ErrorDocument>";

#[test]
fn an_s3_website_answers_with_its_pages() {
    check(|server| {
        let none = visit(server, "/");
        assert_eq!(
            (none.status, none.header("content-type")),
            (404, Some("text/html; charset=utf-8"))
        );
        assert!(none.text().contains("NoSuchWebsiteConfiguration"), "{none:?}");
        for (key, body) in [
            ("index.html", "root"),
            ("docs/index.html", "docs"),
            ("error.html", "oh"),
            ("a.html", "a"),
        ] {
            page(server, key, body);
        }
        set(server, PAGES, Sign::S3);
        for (path, status, body) in [
            ("/", 200, "root"),
            ("/a.html", 200, "a"),
            ("/docs/", 200, "docs"),
            ("/docs", 302, ""),
            ("/none", 403, "oh"),
        ] {
            let found = visit(server, path);
            assert_eq!((found.status, found.text().as_str()), (status, body), "{path} {found:?}");
        }
        assert_eq!(visit(server, "/docs").header("location"), Some("/docs/"));
        let head = server.ask("HEAD", "/none").host(SITE, "pemilu").send(Sign::No);
        assert_eq!(head.status, 403, "{head:?}");
        let put = server.ask("PUT", "/x").host(SITE, "pemilu").body("x").send(Sign::No);
        assert_eq!(put.status, 405);
        // The same bucket by its own name has no pages.
        server.ask("GET", "/pemilu/none").send(Sign::S3).refused(404, "NoSuchKey");
        assert_eq!(server.ask("DELETE", "/pemilu?website").send(Sign::S3).status, 204);
        assert_eq!(visit(server, "/").status, 404);
    });
}

#[test]
fn an_s3_website_sends_visitors_elsewhere() {
    check(|server| {
        let rules = "<IndexDocument><Suffix>index.html</Suffix></IndexDocument><RoutingRules><RoutingRule>\
            <Condition><KeyPrefixEquals>old/</KeyPrefixEquals></Condition><Redirect><ReplaceKeyPrefixWith>new/\
            </ReplaceKeyPrefixWith></Redirect></RoutingRule><RoutingRule><Condition><HttpErrorCodeReturnedEquals>403\
            </HttpErrorCodeReturnedEquals></Condition><Redirect><HostName>else.example</HostName><Protocol>https\
            </Protocol><HttpRedirectCode>307</HttpRedirectCode></Redirect></RoutingRule></RoutingRules>";
        set(server, rules, Sign::S3);
        let ruled = visit(server, "/old/a%20b");
        let wanted = format!("http://{SITE}/new/a%20b");
        assert_eq!((ruled.status, ruled.header("location")), (301, Some(wanted.as_str())));
        let missing = visit(server, "/x");
        assert_eq!(
            (missing.status, missing.header("location")),
            (307, Some("https://else.example/x"))
        );
        let own = server.ask("PUT", "/pemilu/own").header("x-amz-acl", "public-read").body("x");
        let own = own.header("x-amz-website-redirect-location", "/there").send(Sign::S3);
        assert_eq!(own.status, 200);
        let told = server.ask("HEAD", "/pemilu/own").send(Sign::S3);
        assert_eq!(told.header("x-amz-website-redirect-location"), Some("/there"));
        let sent = visit(server, "/own");
        assert_eq!((sent.status, sent.header("location")), (301, Some("/there")));
        let wrong = server.ask("PUT", "/pemilu/own").body("x");
        let wrong = wrong.header("x-amz-website-redirect-location", "there").send(Sign::S3);
        wrong.refused(400, "InvalidRedirectLocation");
        let all = "<RedirectAllRequestsTo><HostName>new.example</HostName></RedirectAllRequestsTo>";
        set(server, all, Sign::S3);
        let sent = visit(server, "/a%20b?c");
        assert_eq!(
            (sent.status, sent.header("location")),
            (301, Some("http://new.example/a%20b?c"))
        );
    });
}

#[test]
fn an_oss_website_is_the_buckets_own_host_to_who_does_not_sign() {
    check(|server| {
        for (key, body) in
            [("index.html", "root"), ("docs/index.html", "docs"), ("error.html", "oh")]
        {
            page(server, key, body);
        }
        let visit = |path: &'static str| {
            server.ask("GET", path).host("pemilu.oss.localhost", "pemilu").send(Sign::No)
        };
        visit("/").refused(403, "AccessDenied");
        set(server, PAGES, Sign::OssV4);
        assert_eq!((visit("/").status, visit("/").text()), (200, "root".to_owned()));
        // Without folders of their own, every folder has the root's page.
        assert_eq!(visit("/docs/").text(), "root");
        assert_eq!(server.ask("GET", "/pemilu/docs/").send(Sign::OssV1).text(), "root");
        let error = visit("/none");
        assert_eq!((error.status, error.text()), (403, "oh".to_owned()));
        server.ask("GET", "/pemilu/none").send(Sign::OssV4).refused(404, "NoSuchKey");
        let listed = server.ask("GET", "/pemilu").send(Sign::OssV4);
        assert!(listed.text().contains("<Key>index.html</Key>"), "{listed:?}");
        for (kind, status, body) in [(0, 302, ""), (1, 404, "oh"), (2, 200, "docs")] {
            let inner = format!(
                "<IndexDocument><Suffix>index.html</Suffix><SupportSubDir>true</SupportSubDir><Type>{kind}</Type>\
                 </IndexDocument><ErrorDocument><Key>error.html</Key><HttpStatus>404</HttpStatus></ErrorDocument>"
            );
            set(server, &inner, Sign::OssV4);
            assert_eq!(visit("/docs/").text(), "docs");
            let bare = visit("/docs");
            assert_eq!((bare.status, bare.text().as_str()), (status, body), "{kind}");
        }
    });
}

#[test]
fn what_nothing_here_does_is_refused_once_it_is_known_who_asks() {
    check(|server| {
        for target in [
            "/pemilu?replication",
            "/pemilu?metaQuery",
            "/pemilu?qosInfo",
            "/pemilu?processConfiguration",
        ] {
            let put = || server.ask("PUT", target).body("<A/>");
            put().send(Sign::OssV4).refused(501, "NotImplemented");
            let mut forged = put();
            forged.caller.key_id = "nobody".to_owned();
            forged.send(Sign::OssV4).refused(403, "InvalidAccessKeyId");
        }
        let get = |target| server.ask("GET", target).send(Sign::OssV4);
        assert!(get("/pemilu?replicationLocation").text().contains("<ReplicationLocation"));
        get("/pemilu?replicationProgress").refused(404, "NoSuchReplicationConfiguration");
        get("/pemilu?metaQuery").refused(404, "MetaQueryNotExist");
        let s3 = |method, target| server.ask(method, target);
        for list in ["/pemilu?analytics", "/pemilu?metrics", "/pemilu?intelligent-tiering"] {
            assert_eq!(s3("GET", list).send(Sign::S3).element("IsTruncated"), "false", "{list}");
        }
        s3("GET", "/pemilu?metrics&id=1").send(Sign::S3).refused(404, "NoSuchConfiguration");
        let empty = s3("PUT", "/pemilu?notification").body("<NotificationConfiguration/>");
        assert_eq!(empty.send(Sign::S3).status, 200);
        let one = "<NotificationConfiguration><TopicConfiguration/></NotificationConfiguration>";
        s3("PUT", "/pemilu?notification").body(one).send(Sign::S3).refused(501, "NotImplemented");
    });
}
