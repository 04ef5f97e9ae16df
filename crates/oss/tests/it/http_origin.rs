//! Fetching what is missing from another origin: a server of the test's own, over real sockets.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use terms::clauses::DataClass;

use super::http_client::{Answer, Server, Sign, check};
use crate::harness::{OWNER, residing, rule};

/// Answers each request with what `answer` makes of its head, and keeps the heads.
struct Origin {
    address: SocketAddr,
    heads: Arc<Mutex<Vec<String>>>,
}

impl Origin {
    fn start(answer: impl Fn(&str) -> String + Send + 'static) -> Self {
        // It could be reached by other addresses of this machine, were they allowed.
        let listener = TcpListener::bind("0.0.0.0:0").unwrap();
        let address = SocketAddr::from(([127, 0, 0, 1], listener.local_addr().unwrap().port()));
        let heads = Arc::new(Mutex::new(Vec::new()));
        let seen = Arc::clone(&heads);
        std::thread::spawn(move || {
            while let Ok((mut stream, _)) = listener.accept() {
                let head = head_of(&mut stream);
                let answer = answer(&head);
                seen.lock().unwrap().push(head);
                // Who asked may have gone.
                let _ = stream.write_all(answer.as_bytes());
            }
        });
        Self { address, heads }
    }

    /// The same for every request.
    fn always(answer: &'static str) -> Self {
        Self::start(move |_| answer.to_owned())
    }

    fn url(&self) -> String {
        format!("http://{}/", self.address)
    }

    fn hits(&self) -> usize {
        self.heads.lock().unwrap().len()
    }

    fn last(&self) -> String {
        self.heads.lock().unwrap().last().unwrap().to_ascii_lowercase()
    }
}

fn head_of(stream: &mut TcpStream) -> String {
    let mut bytes = Vec::new();
    while !bytes.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        if stream.read(&mut byte).unwrap() == 0 {
            break;
        }
        bytes.push(byte[0]);
    }
    String::from_utf8(bytes).unwrap()
}

fn ok(more: &str, body: &str) -> String {
    format!(
        "HTTP/1.1 200 OK\r\ncontent-length: {}\r\n{more}connection: close\r\n\r\n{body}",
        body.len()
    )
}

/// Sets a rule for what is missing and begins with `from/`.
fn mirror(server: &Server, url: &str, more: &str) {
    let body = format!(
        "<WebsiteConfiguration><IndexDocument><Suffix>index.html</Suffix></IndexDocument><ErrorDocument><Key>error.html\
         </Key></ErrorDocument><RoutingRules><RoutingRule><RuleNumber>1</RuleNumber><Condition><KeyPrefixEquals>from/\
         </KeyPrefixEquals><HttpErrorCodeReturnedEquals>404</HttpErrorCodeReturnedEquals></Condition><Redirect>\
         <RedirectType>Mirror</RedirectType><MirrorURL>{url}</MirrorURL>{more}</Redirect></RoutingRule></RoutingRules>\
         </WebsiteConfiguration>"
    );
    let set = server.ask("PUT", "/pemilu?website").body(body).send(Sign::OssV4);
    assert_eq!(set.status, 200, "{set:?}");
}

fn get(server: &Server, path: &str) -> Answer {
    server.ask("GET", path).send(Sign::OssV4)
}

/// The keys of the bucket, and how many bytes they are.
fn kept(server: &Server) -> (Vec<String>, String) {
    let listed = get(server, "/pemilu").text();
    let keys = listed.split("<Key>").skip(1);
    let keys = keys.map(|rest| rest.split('<').next().unwrap().to_owned()).collect();
    (keys, get(server, "/pemilu?stat").element("Storage"))
}

fn nothing(server: &Server) {
    assert_eq!(kept(server), (Vec::new(), "0".to_owned()));
}

#[test]
fn what_is_missing_is_fetched_once_stored_and_answered_from_then_on() {
    check(|server| {
        let origin =
            Origin::start(|_| ok("content-type: text/plain\r\nx-oss-meta-a: b\r\n", "from afar"));
        mirror(server, &origin.url(), "");
        // What is asked by others than GET is not fetched, nor what the rule is not about.
        assert_eq!(server.ask("HEAD", "/pemilu/from/a%20b").send(Sign::OssV4).status, 404);
        get(server, "/pemilu/other").refused(404, "NoSuchKey");
        get(server, "/pemilu/from/a?versionId=null").refused(404, "NoSuchVersion");
        assert_eq!(origin.hits(), 0);
        let first = get(server, "/pemilu/from/a%20b");
        assert_eq!((first.status, first.text().as_str()), (200, "from afar"));
        assert_eq!(first.header("content-type"), Some("text/plain"));
        assert_eq!(first.header("x-oss-meta-a"), None);
        assert!(first.header("etag").is_some());
        assert!(origin.last().starts_with("get /from/a%20b http/1.1\r\n"), "{}", origin.last());
        assert_eq!(get(server, "/pemilu/from/a%20b").text(), "from afar");
        let part = server.ask("GET", "/pemilu/from/a%20b").header("range", "bytes=0-3");
        assert_eq!(part.send(Sign::OssV1).text(), "from");
        assert_eq!(server.ask("HEAD", "/pemilu/from/a%20b").send(Sign::OssV4).status, 200);
        assert_eq!(origin.hits(), 1);
        assert_eq!(kept(server), (vec!["from/a b".to_owned()], "9".to_owned()));
        // A part of what is missing is a part of the whole, which is stored.
        let part = server.ask("GET", "/pemilu/from/p").header("range", "bytes=5-");
        let part = part.send(Sign::OssV4);
        assert_eq!((part.status, part.text().as_str()), (206, "afar"));
        assert!(!origin.last().contains("range"), "{}", origin.last());
        assert_eq!(get(server, "/pemilu/from/p").text(), "from afar");
    });
}

#[test]
fn who_may_not_read_what_is_missing_has_nothing_fetched() {
    check(|server| {
        let origin = Origin::start(|_| ok("", "x"));
        mirror(server, &origin.url(), "");
        let visit =
            |path| server.ask("GET", path).host("pemilu.oss.localhost", "pemilu").send(Sign::No);
        visit("/from/a").refused(403, "AccessDenied");
        assert_eq!(origin.hits(), 0);
        let public = server.ask("PUT", "/pemilu?acl").header("x-oss-acl", "public-read");
        assert_eq!(public.send(Sign::OssV4).status, 200);
        assert_eq!(visit("/from/a").text(), "x");
        assert_eq!(origin.hits(), 1);
        // It is the bucket's, whoever asked first.
        let acl = get(server, "/pemilu/from/a?acl");
        assert_eq!(acl.element("ID"), OWNER.to_string());
        assert_eq!(acl.element("Grant"), "default");
    });
}

#[test]
fn who_may_only_list_has_nothing_fetched_and_learns_nothing_of_the_origin() {
    check(|server| {
        let origin = Origin::always("HTTP/1.1 404 No\r\ncontent-length: 4\r\n\r\ngone");
        let codes = "<TransparentMirrorResponseCodes>404</TransparentMirrorResponseCodes>";
        mirror(server, &origin.url(), codes);
        let policy = r#"{"Version":"1","Statement":[{"Effect":"Allow","Principal":["*"],"Action":["oss:ListObjects"],"Resource":["acs:oss:*:*:pemilu"]}]}"#;
        let put = server.ask("PUT", "/pemilu?policy").body(policy).send(Sign::OssV4);
        assert_eq!(put.status, 200, "{put:?}");
        let visit = server.ask("GET", "/from/a").host("pemilu.oss.localhost", "pemilu");
        visit.send(Sign::No).refused(404, "NoSuchKey");
        assert_eq!(origin.hits(), 0);
        assert_eq!(get(server, "/pemilu/from/a").text(), "gone");
        assert_eq!(origin.hits(), 1);
    });
}

#[test]
fn an_origin_that_fails_leaves_nothing_behind() {
    check(|server| {
        for url in [
            // Nobody there, no such name, and addresses that are not public nor allowed.
            "http://127.0.0.1:9/",
            "http://no.such.invalid/",
            "http://10.0.0.1/",
            "http://[::1]/",
        ] {
            mirror(server, url, "");
            get(server, "/pemilu/from/a").refused(424, "MirrorFailed");
        }
        for answer in [
            "HTTP/1.1 500 Oops\r\ncontent-length: 1\r\n\r\nx",
            "HTTP/1.1 403 No\r\ncontent-length: 0\r\n\r\n",
            // It ends before it said it would.
            "HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nx",
            "no http",
        ] {
            let origin = Origin::always(answer);
            mirror(server, &origin.url(), "");
            get(server, "/pemilu/from/a").refused(424, "MirrorFailed");
            assert_eq!(origin.hits(), 1, "{answer}");
        }
        let origin = Origin::always("HTTP/1.1 404 None\r\ncontent-length: 1\r\n\r\nx");
        mirror(server, &format!("http://127.0.0.2:{}/", origin.address.port()), "");
        let forbidden = get(server, "/pemilu/from/a");
        assert!(forbidden.element("Message").contains("not public"), "{forbidden:?}");
        assert_eq!(origin.hits(), 0);
        mirror(server, &origin.url(), "");
        get(server, "/pemilu/from/a").refused(404, "NoSuchKey");
        assert_eq!(origin.hits(), 1);
        nothing(server);
    });
}

#[test]
fn what_does_not_have_the_sum_that_the_origin_says_is_not_kept() {
    check(|server| {
        let lie = "content-md5: XUFAKrxLKna5cZ2REBfFkg==\r\n";
        let origin = Origin::start(move |_| ok(lie, "not hello"));
        mirror(server, &origin.url(), "<MirrorCheckMd5>true</MirrorCheckMd5>");
        get(server, "/pemilu/from/a").refused(424, "MirrorFailed");
        nothing(server);
        let honest = Origin::start(move |_| ok(lie, "hello"));
        mirror(server, &honest.url(), "<MirrorCheckMd5>true</MirrorCheckMd5>");
        assert_eq!(get(server, "/pemilu/from/a").text(), "hello");
        mirror(server, &origin.url(), "");
        assert_eq!(get(server, "/pemilu/from/b").text(), "not hello");
    });
}

#[test]
fn redirections_are_followed_to_where_it_is_allowed_or_handed_on() {
    check(|server| {
        let target = Origin::start(|_| ok("", "there"));
        let to = |url: String| {
            Origin::start(move |_| {
                format!("HTTP/1.1 302 Found\r\nlocation: {url}\r\ncontent-length: 0\r\n\r\n")
            })
        };
        let leads = to(format!("{}x", target.url()));
        mirror(server, &leads.url(), "");
        assert_eq!(get(server, "/pemilu/from/a").text(), "there");
        assert!(target.last().starts_with("get /x "), "{}", target.last());
        mirror(server, &leads.url(), "<MirrorFollowRedirect>false</MirrorFollowRedirect>");
        let handed = get(server, "/pemilu/from/b");
        let there = format!("{}x", target.url());
        assert_eq!((handed.status, handed.header("location")), (302, Some(there.as_str())));
        // To where callers may not reach, without an end, and to no web address.
        let port = target.address.port();
        for url in [format!("http://127.0.0.2:{port}/"), "file:///etc/passwd".to_owned()] {
            mirror(server, &to(url).url(), "");
            get(server, "/pemilu/from/b").refused(424, "MirrorFailed");
        }
        let round = to("/again".to_owned());
        mirror(server, &round.url(), "");
        get(server, "/pemilu/from/b").refused(424, "MirrorFailed");
        assert_eq!((round.hits(), target.hits()), (11, 1));
        assert_eq!(kept(server).0, ["from/a"]);
    });
}

#[test]
fn what_a_rule_has_the_origin_sent_goes_to_no_other_host() {
    check(|server| {
        let target = Origin::start(|_| ok("", "there"));
        let url = target.url();
        let origin = Origin::start(move |head| {
            let to = if head.starts_with("GET /again") { url.as_str() } else { "/again" };
            format!("HTTP/1.1 302 Found\r\nlocation: {to}\r\ncontent-length: 0\r\n\r\n")
        });
        let headers = "<MirrorHeaders><PassAll>true</PassAll><Set><Key>X-Set</Key><Value>secret</Value></Set>\
            </MirrorHeaders>";
        mirror(server, &origin.url(), headers);
        let got = server.ask("GET", "/pemilu/from/a").header("x-mine", "1").send(Sign::OssV4);
        assert_eq!(got.text(), "there");
        let (first, other) = (origin.last(), target.last());
        assert!(first.starts_with("get /again "), "{first}");
        for name in ["x-set: secret", "x-mine: 1"] {
            assert!(first.contains(name) && !other.contains(name), "{name} in {other}");
        }
        for name in ["cdn-loop: ", "accept-encoding: identity"] {
            assert!(first.contains(name) && other.contains(name), "{name} in {other}");
        }
    });
}

#[test]
fn the_origin_is_sent_what_the_rule_says_and_no_signature() {
    check(|server| {
        let origin = Origin::start(|_| ok("", "x"));
        mirror(server, &origin.url(), "");
        let ask = |target: &str| {
            let ask = server.ask("GET", target).header("x-mine", "1").header("x-yours", "2");
            ask.header("cookie", "c=d")
                .header("accept-encoding", "gzip")
                .header("if-none-match", "\"x\"")
        };
        assert_eq!(ask("/pemilu/from/a?q=1").send(Sign::OssV4).status, 200);
        let head = origin.last();
        assert!(head.starts_with("get /from/a http/1.1\r\n"), "{head}");
        for absent in ["x-mine", "cookie", "authorization", "if-none-match"] {
            assert!(!head.contains(absent), "{absent} in {head}");
        }
        assert!(head.contains("\r\nuser-agent: awan-oss-mirror\r\n"), "{head}");
        let headers = "<MirrorPassQueryString>true</MirrorPassQueryString><MirrorHeaders><PassAll>true</PassAll>\
            <Remove>X-Yours</Remove><Set><Key>X-Set</Key><Value>s t</Value></Set></MirrorHeaders>\
            <EnableReplacePrefix>true</EnableReplacePrefix><ReplaceKeyPrefixWith>to/</ReplaceKeyPrefixWith>";
        mirror(server, &origin.url(), headers);
        for sign in [Sign::OssV1, Sign::OssV4] {
            let path =
                if sign == Sign::OssV1 { "/pemilu/from/b?q=1&r" } else { "/pemilu/from/c?q=1&r" };
            let got = ask(path).presigned(sign).go();
            assert_eq!(got.status, 200, "{got:?}");
            let head = origin.last();
            let key = &path[13..14];
            assert!(head.starts_with(&format!("get /to/{key}?q=1&r http/1.1\r\n")), "{head}");
            for present in ["x-mine: 1\r\n", "x-set: s t\r\n", "accept-encoding: identity\r\n"] {
                assert!(head.contains(present), "{present} not in {head}");
            }
            for absent in ["x-yours", "signature", "x-oss", "if-none-match", "cookie"] {
                assert!(!head.contains(absent), "{absent} in {head}");
            }
        }
        // What is fetched under another name is kept under the one that was asked for.
        assert_eq!(kept(server).0, ["from/a", "from/b", "from/c"]);
    });
}

#[test]
fn many_who_ask_at_once_have_it_fetched_once() {
    check(|server| {
        let origin = Origin::start(|_| {
            std::thread::sleep(Duration::from_millis(300));
            ok("", "once")
        });
        mirror(server, &origin.url(), "");
        std::thread::scope(|scope| {
            let asked: Vec<_> =
                (0..8).map(|_| scope.spawn(|| get(server, "/pemilu/from/a").text())).collect();
            for one in asked {
                assert_eq!(one.join().unwrap(), "once");
            }
        });
        assert_eq!(origin.hits(), 1);
    });
}

#[test]
fn a_large_object_passes_through_whole() {
    check(|server| {
        let large = "0123456789abcdef".repeat(5 << 16);
        let sent = large.clone();
        let origin = Origin::start(move |_| ok("", &sent));
        mirror(server, &origin.url(), "");
        let got = get(server, "/pemilu/from/a");
        assert!(got.text() == large, "{} bytes of {}", got.body.len(), large.len());
    });
}

#[test]
fn what_an_origin_says_is_handed_on_where_the_rule_says_so() {
    check(|server| {
        let origin = Origin::always(
            "HTTP/1.1 404 None\r\ncontent-type: text/x\r\ncontent-length: 4\r\n\r\ngone",
        );
        let codes = "<TransparentMirrorResponseCodes>404,500</TransparentMirrorResponseCodes>";
        mirror(server, &origin.url(), codes);
        let handed = get(server, "/pemilu/from/a");
        assert_eq!((handed.status, handed.text().as_str()), (404, "gone"));
        assert_eq!(handed.header("content-type"), Some("text/x"));
        nothing(server);
        let meta = Origin::start(|_| ok("x-oss-meta-a: b\r\n", "x"));
        mirror(server, &meta.url(), "<MirrorSaveOssMeta>true</MirrorSaveOssMeta>");
        assert_eq!(get(server, "/pemilu/from/a").header("x-oss-meta-a"), Some("b"));
    });
}

#[test]
fn the_other_origin_is_asked_where_the_probe_of_the_first_fails() {
    check(|server| {
        let first = Origin::start(|head| match head.contains("/probe") {
            true => "HTTP/1.1 503 No\r\ncontent-length: 0\r\n\r\n".to_owned(),
            false => ok("", "first"),
        });
        let other = Origin::start(|_| ok("", "other"));
        let rule = |probe: String| {
            let slave = other.url();
            let more = format!(
                "<MirrorURLSlave>{slave}</MirrorURLSlave><MirrorURLProbe>{probe}</MirrorURLProbe>"
            );
            mirror(server, &first.url(), &more);
        };
        rule(format!("{}probe", first.url()));
        assert_eq!(get(server, "/pemilu/from/a").text(), "other");
        rule(format!("{}fine", first.url()));
        assert_eq!(get(server, "/pemilu/from/b").text(), "first");
    });
}

#[test]
fn an_origin_that_leads_back_to_the_bucket_ends() {
    check(|server| {
        let public = server.ask("PUT", "/pemilu?acl").header("x-oss-acl", "public-read");
        assert_eq!(public.send(Sign::OssV4).status, 200);
        mirror(server, &format!("http://{}/pemilu/", server.address), "");
        get(server, "/pemilu/from/a").refused(404, "NoSuchKey");
        nothing(server);
    });
}

#[test]
fn what_may_not_be_placed_is_not_kept_and_not_answered() {
    check(|server| {
        let origin = Origin::start(|_| ok("", "x"));
        mirror(server, &origin.url(), "");
        let abroad = [rule(DataClass::Internal, &["SG"], &[], 1)];
        server.test.home.covenant.bind(OWNER, residing(DataClass::Internal, &abroad));
        let refused = get(server, "/pemilu/from/a");
        let put = server.ask("PUT", "/pemilu/own").body("x").send(Sign::OssV4);
        assert_eq!((refused.status, refused.element("Code")), (put.status, put.element("Code")));
        nothing(server);
    });
}

#[test]
fn the_rule_of_a_mirror_is_told_as_it_was_set() {
    check(|server| {
        mirror(server, "http://origin.example/", "<MirrorSNI>true</MirrorSNI>");
        let told = get(server, "/pemilu?website").text();
        for part in ["<MirrorURL>http://origin.example/</MirrorURL>", "<MirrorSNI>true</MirrorSNI>"]
        {
            assert!(told.contains(part), "{told}");
        }
        assert!(!server.ask("GET", "/pemilu?website").send(Sign::S3).text().contains("Mirror"));
        let role = "<WebsiteConfiguration><RoutingRules><RoutingRule><Redirect><RedirectType>Mirror</RedirectType>\
            <MirrorURL>http://a.id/</MirrorURL><MirrorRole>r</MirrorRole></Redirect></RoutingRule></RoutingRules>\
            <IndexDocument><Suffix>i</Suffix></IndexDocument></WebsiteConfiguration>";
        let refused = server.ask("PUT", "/pemilu?website").body(role).send(Sign::OssV4);
        refused.refused(501, "NotImplemented");
        assert!(refused.element("Message").contains("MirrorRole"), "{refused:?}");
    });
}
