//! Host names of buckets, and the proof that their owners want them bound; the DNS is the test's own.

use std::time::Duration;

use testkit::root;

use super::http_client::{Answer, Ask, Server, Sign, check};

const HOST: &str = "data.kpu.example";

fn document(host: &str, more: &str) -> String {
    format!(
        "<BucketCnameConfiguration><Cname><Domain>{host}</Domain>{more}</Cname></BucketCnameConfiguration>"
    )
}

fn cname<'s>(server: &'s Server, comp: &str, bucket: &str) -> Ask<'s> {
    server.ask("POST", &format!("/{bucket}?cname&comp={comp}")).body(document(HOST, ""))
}

fn token(server: &Server, bucket: &str) -> Answer {
    server.ask("GET", &format!("/{bucket}?cname={HOST}&comp=token")).send(Sign::OssV4)
}

/// Answers one question with a TXT record, and says for which name it was.
fn answer(server: &Server, text: &str) -> std::thread::JoinHandle<String> {
    let (socket, text) = (server.names.try_clone().unwrap(), text.to_owned());
    socket.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    std::thread::spawn(move || {
        let mut asked = [0; 512];
        let (read, from) = socket.recv_from(&mut asked).unwrap();
        let mut told = asked[..read].to_vec();
        (told[2], told[7]) = (0x81, 1);
        let len = u8::try_from(text.len()).unwrap();
        told.extend_from_slice(&[0xc0, 12, 0, 16, 0, 1, 0, 0, 0, 9, 0, len + 1, len]);
        told.extend_from_slice(text.as_bytes());
        socket.send_to(&told, from).unwrap();
        let name = asked[12..read - 5].iter();
        name.map(|byte| if *byte < 32 { '.' } else { char::from(*byte) }).collect()
    })
}

#[test]
fn a_bucket_with_a_token_has_a_name_once_its_owner_proves_it() {
    check(|server| {
        token(server, "pemilu").refused(404, "NoSuchCnameToken");
        let made = cname(server, "token", "pemilu").send(Sign::OssV4);
        assert_eq!(made.status, 200, "{made:?}");
        assert_eq!(
            (made.element("Bucket").as_str(), made.element("Cname").as_str()),
            ("pemilu", HOST)
        );
        assert!(made.element("ExpireTime").ends_with(" GMT"), "{made:?}");
        let text = made.element("Token");
        assert_eq!((text.len(), token(server, "pemilu").element("Token")), (32, text.clone()));
        let again = cname(server, "token", "pemilu").send(Sign::OssV4);
        assert_eq!(again.element("Token"), text, "what is in the DNS stays good");

        let asked = answer(server, "another token");
        cname(server, "add", "pemilu").send(Sign::OssV4).refused(403, "NeedVerifyDomainOwnership");
        assert_eq!(asked.join().unwrap(), "._dnsauth.data.kpu.example");
        let asked = answer(server, &text);
        assert_eq!(cname(server, "add", "pemilu").send(Sign::OssV4).status, 200);
        asked.join().unwrap();
        assert_eq!(server.ask("GET", "/pemilu?cname").send(Sign::OssV4).element("Domain"), HOST);
        // It was used up.
        token(server, "pemilu").refused(404, "NoSuchCnameToken");
    });
}

#[test]
fn a_proof_takes_a_name_from_who_has_it_and_nothing_else_does() {
    check(|server| {
        assert_eq!(cname(server, "add", "pemilu").send(Sign::OssV4).status, 200);
        let other = root(1_000_000_000_000_002);
        server.test.keys.add(&other);
        let by = |ask: Ask<'_>| ask.by(&other).send(Sign::OssV4);
        assert_eq!(by(server.ask("PUT", "/other")).status, 200);
        by(cname(server, "add", "other")).refused(409, "CnameAlreadyExists");
        let text = by(cname(server, "token", "other")).element("Token");
        let asked = answer(server, &text);
        assert_eq!(by(cname(server, "add", "other")).status, 200);
        asked.join().unwrap();
        assert!(!server.ask("GET", "/pemilu?cname").send(Sign::OssV4).text().contains(HOST));
        assert_eq!(by(server.ask("GET", "/other?cname")).element("Domain"), HOST);
        // A token is its bucket's alone, and so is asking for one.
        by(cname(server, "token", "pemilu")).refused(403, "AccessDenied");
        by(server.ask("GET", &format!("/pemilu?cname={HOST}&comp=token")))
            .refused(403, "AccessDenied");
        by(cname(server, "add", "pemilu")).refused(403, "AccessDenied");
    });
}

#[test]
fn a_token_expires_and_is_given_up() {
    check(|server| {
        let first = cname(server, "token", "pemilu").send(Sign::OssV4).element("Token");
        assert_eq!(cname(server, "delete", "pemilu").send(Sign::OssV4).status, 200);
        cname(server, "delete", "pemilu").send(Sign::OssV4).refused(404, "NoSuchCname");
        let second = cname(server, "token", "pemilu").send(Sign::OssV4).element("Token");
        assert_ne!(first, second);
        server.test.clock.pass(Duration::from_secs(72 * 3600));
        token(server, "pemilu").refused(404, "NoSuchCnameToken");
        // Nobody is asked for what has expired: the first to bind a name has it.
        assert_eq!(cname(server, "add", "pemilu").send(Sign::OssV4).status, 200);
        let third = cname(server, "token", "pemilu").send(Sign::OssV4).element("Token");
        assert_ne!(second, third);
    });
}

#[test]
fn a_certificate_is_refused_and_none_is_no_certificate() {
    check(|server| {
        let put = |inner: &str| {
            let more = format!("<CertificateConfiguration>{inner}</CertificateConfiguration>");
            server
                .ask("POST", "/pemilu?cname&comp=add")
                .body(document(HOST, &more))
                .send(Sign::OssV4)
        };
        for inner in ["<Certificate>c</Certificate>", "<CertId>1</CertId><Force>true</Force>"] {
            let refused = put(inner);
            refused.refused(501, "NotImplemented");
            assert!(refused.element("Message").contains("CertificateConfiguration"), "{refused:?}");
        }
        assert!(!server.ask("GET", "/pemilu?cname").send(Sign::OssV4).text().contains(HOST));
        assert_eq!(put("<DeleteCertificate>true</DeleteCertificate>").status, 200);
    });
}
