//! What the pages say, and the headers under which they say it.

use std::fs;

use portal::follow::Fault;
use terms::canonical;
use tlog::{Hash, Proof};

use crate::web::Web;
use crate::world::{COMMISSION, HOSTILE, OPERATOR, UNIVERSITY};

/// Every page in Indonesian; the English ones are below `/en`.
fn addresses(web: &Web) -> Vec<String> {
    let mut all: Vec<String> = [
        "/",
        "/agreements",
        "/places",
        "/tenants",
        "/access",
        "/refusals",
        "/checkpoints",
        "/verify",
        "/entries/0",
    ]
    .map(str::to_owned)
    .into();
    all.push(format!("/agreements/{}", web.world.ocid));
    all.push(format!("/agreements/{}/{COMMISSION}-1", web.world.ocid));
    all.push(format!("/agreements/ocds-sample-{UNIVERSITY}"));
    all.push(format!("/tenants/{COMMISSION}"));
    all.push(format!("/tenants/{UNIVERSITY}"));
    all
}

#[tokio::test(flavor = "multi_thread")]
async fn every_page_is_there_in_both_languages_small_and_guarded() {
    let web = Web::start().await;
    for path in addresses(&web) {
        for (prefix, lang) in [("", "id"), ("/en", "en")] {
            let path = format!("{prefix}{path}");
            let answer = web.get(&path).await;
            assert_eq!(answer.status, 200, "{path}");
            assert!(answer.body.contains(&format!("<html lang=\"{lang}\">")), "{path}");
            assert_eq!(answer.body.matches("<h1").count(), 1, "{path}");
            assert!(answer.body.contains("<main id=\"content\""), "{path}");
            assert!(answer.body.len() < 60_000, "{path} is {} bytes", answer.body.len());
            let header = |name: &str| answer.headers.get(name).map(String::as_str);
            let policy = header("content-security-policy").unwrap();
            assert!(policy.starts_with("default-src 'none'; script-src 'self';"), "{policy}");
            assert_eq!(header("x-content-type-options"), Some("nosniff"));
            assert_eq!(header("referrer-policy"), Some("no-referrer"));
            assert_eq!(header("content-type"), Some("text/html; charset=utf-8"));
            assert_eq!(header("set-cookie"), None);
            assert!(!answer.body.contains("style=\""), "{path}: the policy forbids inline styles");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_tenant_wrote_is_never_markup() {
    let web = Web::start().await;
    let mut seen = 0;
    for path in addresses(&web) {
        let body = web.page(&path).await;
        assert!(!body.contains(HOSTILE), "{path}");
        assert!(!body.contains("<script>"), "{path}: every script is a file");
        seen += body.matches("&lt;script&gt;").count();
    }
    assert!(seen > 5, "the hostile name and reason are shown, as text: {seen}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_front_page_counts_what_the_log_says() {
    let web = Web::start().await;
    let body = web.page("/en/").await;
    let figure = |words: &str| {
        let at = body.find(&format!("<dt>{words}</dt><dd>")).unwrap();
        let rest = &body[at..];
        let start = rest.find("<dd>").unwrap() + 4;
        rest[start..start + rest[start..].find('<').unwrap()].to_owned()
    };
    assert_eq!(figure("entries in the log"), web.world.len().to_string());
    assert_eq!(figure("agreements in force"), "3");
    assert_eq!(figure("data centres"), "6");
    // 700 objects, a fifth of them personal and so in two places.
    assert_eq!(figure("objects stored"), "840");
    assert_eq!(figure("refused for the place"), "1");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_agreement_is_shown_with_prices_places_and_checked_signatures() {
    let web = Web::start().await;
    let body = web.page(&format!("/en/agreements/{}", web.world.ocid)).await;
    for words in [
        "Cloud services for Komisi Pemilihan Contoh",
        "in force",
        "The spending limit is raised for election day.",
        "Rp\u{a0}750,000,000",
        "assumption",
        "99.9\u{a0}%",
        "Where data may be",
        "within 72 hours",
    ] {
        assert!(body.contains(words), "{words}");
    }
    assert_eq!(body.matches("<span class=\"mark good\">valid</span>").count(), 2);
    assert!(!body.contains("One operator signed for both sides."));
    let earlier = web.page(&format!("/en/agreements/{}/{COMMISSION}-1", web.world.ocid)).await;
    assert!(earlier.contains("not what holds now"), "an earlier release says so");
    assert!(earlier.contains("Rp\u{a0}500,000,000"));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_agreement_of_the_operator_with_itself_says_so() {
    let web = Web::start().await;
    let body = web.page(&format!("/agreements/ocds-sample-{OPERATOR}")).await;
    assert!(body.contains("Satu operator menandatangani untuk kedua pihak."), "{body}");
    assert!(web.page("/agreements").await.contains("satu operator untuk kedua pihak"));
}

#[tokio::test(flavor = "multi_thread")]
async fn places_say_which_permit_has_run_out() {
    let web = Web::start().await;
    let body = web.page("/en/places").await;
    assert_eq!(body.matches("run out: takes nothing new").count(), 1);
    assert!(body.contains("Not on this map: <bdi>Singapore</bdi>: <bdi>sg-1 (Singapore)</bdi>."));
    assert!(body.contains("<title id=\"map-title\">"));
    let csv = web.page("/places.csv").await;
    assert!(csv.contains(
        "btm-a,ap-southeast-5e,ID,Batam,Awan Nusantara,PT Pulau Data,PSE-0042/2026,2026-10-31,yes,"
    ));
    assert_eq!(csv.lines().count(), 7);
}

#[tokio::test(flavor = "multi_thread")]
async fn lists_for_spreadsheets_hold_what_the_pages_hold() {
    let web = Web::start().await;
    let refusals = web.get("/refusals.csv").await;
    assert_eq!(refusals.headers["content-type"], "text/csv; charset=utf-8; header=present");
    assert_eq!(refusals.body.lines().count(), 9, "{}", refusals.body);
    assert!(
        refusals.body.contains(&format!(
            "Forbidden.Residency,oss:PutBucket,{COMMISSION},personal,sg-1,SG\r\n"
        ))
    );
    let agreements = web.page("/agreements.csv").await;
    assert_eq!(agreements.lines().count(), 5, "four releases and a header");
    assert!(agreements.contains(&format!(",{OPERATOR},Awan Nusantara,Awan Nusantara,")));
}

#[tokio::test(flavor = "multi_thread")]
async fn documents_are_the_bytes_that_the_log_names() {
    let web = Web::start().await;
    let csv = web.page("/agreements.csv").await;
    let line = csv.lines().nth(2).unwrap();
    let digests: Vec<&str> = line.rsplit(',').take(2).collect();
    for (digest, ending, kind) in [
        (digests[1], ".json", "application/json"),
        (digests[1], "", "application/json"),
        (digests[0], ".txt", "text/plain; charset=utf-8"),
    ] {
        let answer = web.get(&format!("/documents/{digest}{ending}")).await;
        assert_eq!(answer.headers["content-type"], kind);
        assert_eq!(canonical::sha256(answer.body.as_bytes()), digest);
        assert!(answer.headers["cache-control"].contains("immutable"));
    }
    let package = web.page(&format!("/documents/{}/package.json", digests[1])).await;
    assert!(package.contains("\"version\":\"1.1\""), "{package}");
    for digest in ["00".repeat(32), "../cloud.db".to_owned(), "A".repeat(64)] {
        assert_eq!(web.get(&format!("/documents/{digest}")).await.status, 404);
    }
    let schema = web.page("/agreement/schema.json").await;
    assert_eq!(schema, terms::extension::SCHEMA);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_entry_is_shown_as_it_is_with_a_proof_to_take_away() {
    let web = Web::start().await;
    let body = web.page("/en/entries/2").await;
    assert!(body.contains("&quot;action&quot;:&quot;awan:DeclareDataCentre&quot;"), "{body}");
    let file = web.page("/entries/2.tlog-proof").await;
    let proof = Proof::parse(file.as_bytes()).unwrap();
    let extra: serde_json::Value = serde_json::from_slice(&proof.extra).unwrap();
    let leaf = Hash::leaf(extra["leaf"].as_str().unwrap().as_bytes());
    let checkpoint = proof.verify(leaf, &web.world.about().log_key).unwrap();
    assert_eq!(checkpoint.size, web.world.len() as u64);
    let beyond = web.world.len();
    assert_eq!(web.get(&format!("/entries/{beyond}")).await.status, 404);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_receipts_that_browsers_are_tested_with_are_right_ones() {
    let web = Web::start().await;
    let index = web.world.len() / 2;
    let proof = Proof::parse(web.world.receipt(index).as_bytes()).unwrap();
    let extra: serde_json::Value = serde_json::from_slice(&proof.extra).unwrap();
    let text = |name: &str| extra[name].as_str().unwrap();
    proof.verify(Hash::leaf(text("leaf").as_bytes()), &web.world.about().log_key).unwrap();
    let opened = [base::text::unhex(text("salt")).unwrap(), text("statement").into()].concat();
    assert!(text("leaf").contains(&canonical::sha256(&opened)));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_logs_own_files_are_served_and_nothing_else_of_the_directory() {
    let web = Web::start().await;
    let checkpoint = web.get("/log/checkpoint").await;
    assert_eq!(checkpoint.headers["cache-control"], "no-cache");
    let file = fs::read_to_string(web.dir.path().join("log/checkpoint")).unwrap();
    assert_eq!(checkpoint.body, file);
    let tile = web.get("/log/tile/0/000").await;
    assert_eq!((tile.status, tile.headers["content-length"].as_str()), (200, "8192"));
    assert!(tile.headers["cache-control"].contains("immutable"));
    for path in ["/log/.lock", "/log/../log/checkpoint", "/log/", "/log/tile/0/999"] {
        assert_eq!(web.get(path).await.status, 404, "{path}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn witnesses_are_named_and_checked_where_their_key_is_known() {
    let web = Web::start().await;
    let body = web.page("/en/checkpoints").await;
    assert!(body.contains("saksi.kampus.example/w1 <span class=\"mark good\">checked</span>"));
    assert!(body.contains("saksi.lain.example/w9 <span class=\"mark\">key not known here</span>"));
}

#[tokio::test(flavor = "multi_thread")]
async fn only_reading_is_answered_and_the_refusal_is_a_page() {
    let web = Web::start().await;
    for method in ["POST", "PUT", "DELETE", "OPTIONS", "PATCH"] {
        let answer = web.ask(method, "/en/places", "content-length: 0\r\n").await;
        assert_eq!((answer.status, answer.headers["allow"].as_str()), (405, "GET, HEAD"));
        assert!(answer.body.contains("This portal can only be read"));
    }
    let missing = web.get("/en/nothing").await;
    assert_eq!(missing.status, 404);
    assert!(missing.body.contains("There is no such page"));
    assert!(web.get("/tidak-ada").await.body.contains("Halaman ini tidak ada"));
    for path in ["/agreements/none", "/tenants/0", "/entries/x", "/assets/../Cargo.toml"] {
        assert_eq!(web.get(path).await.status, 404, "{path}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn head_is_get_without_the_body() {
    let web = Web::start().await;
    for path in ["/", "/places.csv", "/log/checkpoint", "/assets/style.css"] {
        let (head, get) = (web.ask("HEAD", path, "").await, web.get(path).await);
        assert_eq!((head.status, head.body.as_str()), (200, ""), "{path}");
        assert_eq!(head.headers["content-length"], get.body.len().to_string(), "{path}");
        assert_eq!(head.headers["etag"], get.headers["etag"], "{path}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_client_has_already_is_not_sent_again() {
    let web = Web::start().await;
    let first = web.get("/").await;
    let tag = &first.headers["etag"];
    let again = web.ask("GET", "/", &format!("if-none-match: \"x\", W/{tag}\r\n")).await;
    assert_eq!((again.status, again.body.as_str()), (304, ""));
    assert_eq!(again.headers["content-security-policy"], first.headers["content-security-policy"]);
    let other = web.ask("GET", "/en/", &format!("if-none-match: {tag}\r\n")).await;
    assert_eq!(other.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn assets_are_kept_for_ever_under_their_edition_only() {
    let web = Web::start().await;
    let home = web.page("/").await;
    let start = home.find("/assets/style.css?v=").unwrap();
    let address = home[start..].split('"').next().unwrap();
    assert!(web.get(address).await.headers["cache-control"].contains("immutable"));
    let old = web.get("/assets/style.css?v=000000000000").await;
    assert_eq!(old.headers["cache-control"], "public, max-age=5");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_that_was_altered_is_said_on_every_page_and_not_shown() {
    let web = Web::start().await;
    let path = web.dir.path().join("log/checkpoint");
    let good = fs::read_to_string(&path).unwrap();
    fs::write(&path, good.replacen('\n', "\n1", 1)).unwrap();
    assert!(matches!(web.look().await, Err(Fault::Checkpoint(_))));
    let body = web.page("/en/places").await;
    assert!(body.contains("role=\"alert\"") && body.contains("The log cannot be proven"), "{body}");
    assert!(body.contains("jkt-a"), "what was proven before stays");
    fs::write(&path, good).unwrap();
    web.look().await.unwrap();
    assert!(!web.page("/en/places").await.contains("role=\"alert\""));
}
