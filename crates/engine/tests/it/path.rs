//! From signed bytes to answers.

use std::sync::Arc;
use std::time::Duration;

use base::{Secret, Time};
use engine::pipeline::{Peer, act, dispatch};
use engine::{Caller, audit};
use http::HeaderMap;
use serde_json::Value;
use testkit::{TestCloud, root, user};
use wire::Head;
use wire::acs3;
use wire::call::Credentials;

use crate::sample::{self, CountNotes, CreateNote, Note, Nothing};

pub fn cloud() -> TestCloud {
    let cloud = testkit::cloud(&[sample::ACTIONS, engine::actions::ACTIONS], &[sample::TABLES]);
    for caller in [root(1), root(2), user(1, "alice")] {
        cloud.keys.add(&caller);
    }
    cloud
}

/// One signed request, and what may be wrong with it.
struct Ask<'a> {
    caller: Caller,
    action: &'a str,
    params: &'a [(&'a str, &'a str)],
    nonce: &'a str,
    date: Option<Time>,
    secret: Option<&'a str>,
}

impl<'a> Ask<'a> {
    fn new(
        caller: &Caller,
        action: &'a str,
        params: &'a [(&'a str, &'a str)],
        nonce: &'a str,
    ) -> Self {
        Self { caller: caller.clone(), action, params, nonce, date: None, secret: None }
    }

    /// Sends it: status and JSON body.
    async fn send(self, test: &TestCloud) -> (u16, Value) {
        let query = wire::query::encode(self.params.iter().copied());
        let standing = format!("{}-secret", self.caller.key_id);
        let secret = Secret::new(self.secret.map_or(standing, str::to_owned));
        let request = acs3::Request {
            method: "POST",
            host: "127.0.0.1:7100",
            path: "/",
            query: self.params,
            content_type: None,
            body: b"",
            action: self.action,
            version: sample::VERSION,
            date: self.date.unwrap_or(test.cloud.clock.now()),
            nonce: self.nonce,
        };
        let credentials = Credentials { key_id: &self.caller.key_id, secret: &secret, token: None };
        let mut headers = HeaderMap::new();
        for (name, value) in acs3::sign(&request, &credentials) {
            headers.insert(name, value.parse().unwrap());
        }
        let head = Head { method: "POST", path: "/", query: &query, headers: &headers };
        let peer = Peer { ip: "127.0.0.1".to_owned(), secure: false };
        let body = dispatch(&test.cloud, head, b"", &peer).await;
        (body.status, serde_json::from_slice(&body.bytes).unwrap())
    }
}

/// The header lines of a signed request without parameters.
pub fn signed(test: &TestCloud, caller: &Caller, action: &str, nonce: &str) -> String {
    let secret = Secret::new(format!("{}-secret", caller.key_id));
    let request = acs3::Request {
        method: "POST",
        host: "x",
        path: "/",
        query: &[],
        content_type: None,
        body: b"",
        action,
        version: sample::VERSION,
        date: test.cloud.clock.now(),
        nonce,
    };
    let credentials = Credentials { key_id: &caller.key_id, secret: &secret, token: None };
    acs3::sign(&request, &credentials)
        .into_iter()
        .map(|(name, value)| format!("{name}: {value}\r\n"))
        .collect()
}

async fn notes(test: &TestCloud) -> i64 {
    act::<CountNotes>(&test.cloud, &root(1), Nothing {}).await.unwrap().count
}

async fn trail(test: &TestCloud, account: u64) -> Vec<(String, String)> {
    let account = base::AccountId::new(account);
    let entries =
        test.cloud.db.read(move |tx| audit::list(tx, account, i64::MAX, 100)).await.unwrap();
    entries.into_iter().rev().map(|entry| (entry.action, entry.outcome)).collect()
}

#[tokio::test]
async fn a_signed_write_leaves_its_effect_its_audit_entry_and_its_usage() {
    let test = cloud();
    let (status, body) =
        Ask::new(&root(1), "CreateNote", &[("Name", "a"), ("Size", "5")], "n1").send(&test).await;
    assert_eq!(status, 200, "{body}");
    assert_eq!(body["RequestId"].as_str().unwrap().len(), 36);
    assert_eq!(notes(&test).await, 1);
    assert_eq!(trail(&test, 1).await, [("CreateNote".to_owned(), "OK".to_owned())]);
    assert_eq!(test.cloud.metrics.answered("sample", "CreateNote", "OK"), 1);
}

#[tokio::test]
async fn what_is_refused_has_the_code_that_clients_know_and_no_effect() {
    let test = cloud();
    let week = Duration::from_secs(7 * 24 * 3600);
    let ask = |nonce| Ask::new(&root(1), "CreateNote", &[("Name", "a")], nonce);
    let stranger = Caller { key_id: "nobody".to_owned(), ..root(9) };
    let cases = [
        (Ask { secret: Some("wrong"), ..ask("1") }, 400, "SignatureDoesNotMatch"),
        (
            Ask { date: Some(test.cloud.clock.now().minus(week)), ..ask("2") },
            400,
            "InvalidTimeStamp.Expired",
        ),
        (
            Ask { date: Some(test.cloud.clock.now().plus(week)), ..ask("3") },
            400,
            "InvalidTimeStamp.Expired",
        ),
        (Ask { caller: stranger, ..ask("4") }, 400, "InvalidAccessKeyId.NotFound"),
        (Ask { action: "NoSuchThing", ..ask("5") }, 400, "InvalidAction.NotFound"),
        (Ask { params: &[], ..ask("6") }, 400, "MissingParameter"),
        (
            Ask { params: &[("Name", "a"), ("Size", "many")], ..ask("7") },
            400,
            "InvalidParameter.Size",
        ),
        (Ask { caller: user(1, "alice"), ..ask("8") }, 403, "NoPermission"),
        (Ask { action: "Careless", ..ask("9") }, 500, "InternalError"),
    ];
    for (ask, status, code) in cases {
        let (got, body) = ask.send(&test).await;
        assert_eq!((got, body["Code"].as_str().unwrap()), (status, code), "{body}");
        assert!(!body["Message"].as_str().unwrap().is_empty());
    }
    assert_eq!(notes(&test).await, 0);
    let refused = trail(&test, 1).await;
    assert!(refused.iter().all(|(_, outcome)| outcome != "OK"), "{refused:?}");
    assert!(refused.contains(&("CreateNote".to_owned(), "NoPermission".to_owned())), "{refused:?}");
    assert!(
        !refused.iter().any(|(_, outcome)| outcome == "SignatureDoesNotMatch"),
        "an unproven caller has no trail"
    );
}

#[tokio::test]
async fn a_user_who_was_allowed_may() {
    let test = cloud();
    test.keys.allow(&user(1, "alice"), "sample:CreateNote");
    let (status, _) =
        Ask::new(&user(1, "alice"), "createnote", &[("Name", "a")], "n").send(&test).await;
    assert_eq!(status, 200, "action names are compared without case");
}

#[tokio::test]
async fn a_nonce_is_accepted_once_also_after_a_restart() {
    let test = cloud();
    let (status, _) = Ask::new(&root(1), "CreateNote", &[("Name", "a")], "same").send(&test).await;
    assert_eq!(status, 200);
    let (status, body) =
        Ask::new(&root(1), "CreateNote", &[("Name", "b")], "same").send(&test).await;
    assert_eq!((status, body["Code"].as_str().unwrap()), (400, "SignatureNonceUsed"));
    let cloud =
        test.home.cloud(&test.clock, test.keys.clone(), &[sample::ACTIONS], &[sample::TABLES]);
    let test = TestCloud { cloud, ..test };
    let (status, body) =
        Ask::new(&root(1), "CreateNote", &[("Name", "c")], "same").send(&test).await;
    assert_eq!((status, body["Code"].as_str().unwrap()), (400, "SignatureNonceUsed"));
    assert_eq!(notes(&test).await, 1);
}

#[tokio::test]
async fn a_client_token_gives_one_effect_and_one_answer() {
    let test = cloud();
    let first = [("Name", "a"), ("ClientToken", "t")];
    let (status, one) = Ask::new(&root(1), "CreateNote", &first, "1").send(&test).await;
    assert_eq!(status, 200);
    let (status, two) = Ask::new(&root(1), "CreateNote", &first, "2").send(&test).await;
    assert_eq!((status, &two["NoteId"]), (200, &one["NoteId"]));
    let outcomes: Vec<String> =
        trail(&test, 1).await.into_iter().map(|(_, outcome)| outcome).collect();
    assert_eq!(outcomes, ["OK", "Repeat"], "what changed nothing does not say that it did");
    let other = [("Name", "b"), ("ClientToken", "t")];
    let (status, body) = Ask::new(&root(1), "CreateNote", &other, "3").send(&test).await;
    assert_eq!((status, body["Code"].as_str().unwrap()), (400, "IdempotentParameterMismatch"));
    assert_eq!(notes(&test).await, 1);
    // A token is its account's own, and a refused first try does not use it up.
    let refused = [("Name", "a"), ("ClientToken", "u")];
    assert_eq!(Ask::new(&root(2), "CreateNote", &refused, "4").send(&test).await.0, 409);
    let (status, _) = Ask::new(&root(2), "CreateNote", &[("Name", "c"), ("ClientToken", "u")], "5")
        .send(&test)
        .await;
    assert_eq!(status, 200);
}

#[tokio::test]
async fn a_dry_run_says_so_changes_nothing_and_keeps_the_token_free() {
    let test = cloud();
    let dry = [("Name", "a"), ("ClientToken", "t"), ("DryRun", "True")];
    let (status, body) = Ask::new(&root(1), "CreateNote", &dry, "1").send(&test).await;
    assert_eq!((status, body["Code"].as_str().unwrap()), (400, "DryRunOperation"));
    assert_eq!(notes(&test).await, 0);
    assert!(trail(&test, 1).await.is_empty());
    let denied = Ask::new(&user(1, "alice"), "CreateNote", &dry, "2").send(&test).await;
    assert_eq!(denied.0, 403, "a dry run tells of a refusal");
    let (status, _) = Ask::new(&root(1), "CreateNote", &[("Name", "a"), ("ClientToken", "t")], "3")
        .send(&test)
        .await;
    assert_eq!(status, 200);
}

#[tokio::test]
async fn actions_are_plain_typed_rust_too() {
    let test = cloud();
    let note = Note { name: "typed".to_owned(), size: 1, labels: Vec::new() };
    let made = act::<CreateNote>(&test.cloud, &root(1), note.clone()).await.unwrap();
    assert_eq!(made.note_id.len(), 12);
    let again = act::<CreateNote>(&test.cloud, &root(1), note).await.unwrap_err();
    assert!(again.is(&sample::TAKEN));
}

#[tokio::test]
async fn location_tells_where_a_service_answers() {
    let test = cloud();
    let addresses =
        engine::Endpoints { api: "127.0.0.1:7100".to_owned(), oss: "127.0.0.1:7101".to_owned() };
    test.cloud.endpoints.set(addresses).unwrap();
    for (service, address) in [("sample", "127.0.0.1:7100"), ("oss", "127.0.0.1:7101")] {
        let params = [("Id", "ap-southeast-5"), ("ServiceCode", service)];
        let body = engine::pipeline::call(
            &test.cloud,
            &root(1),
            "2015-06-12",
            "DescribeEndpoints",
            &params,
        )
        .await
        .unwrap();
        let endpoint = &body["Endpoints"]["Endpoint"][0];
        assert_eq!(
            (endpoint["Endpoint"].as_str(), endpoint["SerivceCode"].as_str()),
            (Some(address), Some(service))
        );
    }
    let params = [("Id", "ap-southeast-5"), ("ServiceCode", "nothing")];
    let body =
        engine::pipeline::call(&test.cloud, &root(1), "2015-06-12", "DescribeEndpoints", &params)
            .await
            .unwrap();
    assert_eq!(body["Endpoints"]["Endpoint"], serde_json::json!([]));
}

#[tokio::test]
async fn a_clients_words_reach_no_code_and_no_leaf() {
    let test = cloud();
    let long = format!("Labels.{}", "x".repeat(70_000));
    let params = [("Name", "a"), (long.as_str(), "1")];
    let (status, body) = Ask::new(&root(1), "CreateNote", &params, "n1").send(&test).await;
    assert_eq!((status, body["Code"].as_str().unwrap()), (400, "InvalidParameter.Labels"));
    let account = base::AccountId::new(1);
    let entries = test.cloud.db.read(move |tx| audit::list(tx, account, i64::MAX, 10)).await;
    let leaf = String::from_utf8(entries.unwrap()[0].leaf()).unwrap();
    assert!(leaf.contains(r#""outcome":"InvalidParameter""#) && leaf.len() < 300, "{leaf}");
    assert_eq!(test.cloud.metrics.answered("sample", "CreateNote", "InvalidParameter"), 1);
}

#[tokio::test]
async fn a_write_begun_before_its_key_was_disabled_is_not_committed() {
    let test = cloud();
    let signed = Caller { signed: Some(engine::SignedBy { token: None }), ..root(9) };
    let note = Note { name: "late".to_owned(), size: 1, labels: Vec::new() };
    let refused = act::<CreateNote>(&test.cloud, &signed, note).await.unwrap_err();
    assert!(refused.is(&base::code::INVALID_KEY), "{refused}");
    assert_eq!(notes(&test).await, 0);
}

#[tokio::test]
async fn a_roa_action_is_found_by_its_path_with_or_without_its_name() {
    let test = cloud();
    let note = Note { name: "my note/1".to_owned(), size: 7, labels: Vec::new() };
    act::<CreateNote>(&test.cloud, &root(1), note).await.unwrap();
    let path = "/api/v1/notes/my%20note%2F1";
    for (nonce, action) in [("1", None), ("2", Some("GetNote"))] {
        let (status, body) = ask_roa(&test, path, nonce, action).await;
        assert_eq!((status, body["size"].as_i64()), (200, Some(7)), "{body}");
        assert_eq!(body["requestId"].as_str().unwrap().len(), 36);
    }
    let (status, body) = ask_roa(&test, "/api/v1/notes/none", "3", None).await;
    assert_eq!((status, body["Code"].as_str()), (404, Some("EntityNotExist.Note")));
    let (status, body) = ask_roa(&test, "/api/v1/nowhere", "4", None).await;
    assert_eq!((status, body["Code"].as_str()), (400, Some("InvalidAction.NotFound")));
}

/// A GET in ROA style, signed as the older clients do.
async fn ask_roa(test: &TestCloud, path: &str, nonce: &str, action: Option<&str>) -> (u16, Value) {
    let secret = Secret::new("root-1-secret".to_owned());
    let date = test.cloud.clock.now().http();
    let mut lines = vec![
        ("accept", "application/json"),
        ("date", date.as_str()),
        ("host", "x"),
        ("x-acs-signature-method", "HMAC-SHA1"),
        ("x-acs-signature-nonce", nonce),
        ("x-acs-signature-version", "1.0"),
        ("x-acs-version", sample::VERSION),
    ];
    lines.extend(action.map(|action| ("x-acs-action", action)));
    let credentials = Credentials { key_id: "root-1", secret: &secret, token: None };
    let mut headers = HeaderMap::new();
    for (name, value) in &lines {
        headers.insert(*name, value.parse().unwrap());
    }
    let signature = wire::roa_v1::sign("GET", path, &[], &lines, &credentials).unwrap();
    headers.insert("authorization", signature.parse().unwrap());
    let head = Head { method: "GET", path, query: "", headers: &headers };
    let peer = Peer { ip: "127.0.0.1".to_owned(), secure: false };
    let body = dispatch(&test.cloud, head, b"", &peer).await;
    (body.status, serde_json::from_slice(&body.bytes).unwrap())
}

#[tokio::test]
async fn what_was_known_before_a_commit_is_looked_up_again_by_a_read_that_sees_the_commit() {
    let test = cloud();
    let set = |db: store::Db, name: &'static str| {
        let sql = "UPDATE setting SET name = ?1";
        let write = move || db.write_blocking(move |tx| tx.execute(sql, store::params![name]));
        // A thread of its own, as other requests have.
        std::thread::spawn(write).join().unwrap().unwrap();
    };
    let table = "CREATE TABLE setting (name TEXT NOT NULL)";
    let first = "INSERT INTO setting (name) VALUES ('none')";
    let made = test.cloud.db.write(move |tx| tx.execute(table, &[]).and(tx.execute(first, &[])));
    made.await.unwrap();
    set(test.cloud.db.clone(), "old");
    let find = |tx: &mut store::Tx<'_>| {
        let now = "SELECT name FROM setting";
        Ok(tx.query_opt(now, &[], |row| row.get::<String>(0))?.unwrap_or_default())
    };
    let session = || {
        let request = engine::RequestInfo::default();
        Arc::new(engine::Session {
            meta: engine::Meta::read("t", "1", "Get"),
            caller: root(1),
            request,
        })
    };
    let asked = move |cx: &mut engine::Cx<'_>| {
        cx.decide("t:Get", "r", cx.account(), &[])?;
        cx.known("setting", find)
    };
    assert_eq!(test.cloud.read(session(), asked).await.unwrap(), "old");
    let (db, mut first) = (test.cloud.db.clone(), true);
    let read = move |cx: &mut engine::Cx<'_>| {
        if std::mem::take(&mut first) {
            set(db.clone(), "new");
        }
        asked(cx)
    };
    assert_eq!(test.cloud.read(session(), read).await.unwrap(), "new");
}
