//! A cloud that does not exist: its log, its documents and its receipts, the same at every run. Used by
//! the example, by the integration tests and by the tests in the browser.

#![allow(clippy::unwrap_used, reason = "sample data that cannot be made is a defect of the sample")]

use std::collections::HashMap;
use std::io;
use std::path::Path;

use base::{AccountId, Secret, Time};
use portal::{About, Source};
use serde_json::{Value, json};
use terms::clauses::{DataClass, Keys, Log, Terms, Text};
use terms::release::{Amends, Draft, Party, Tag};
use terms::{Release, canonical, defaults, signature};
use tlog::{
    Cosigner, Directory, DirectoryWriter, Fetch, Note, Publisher, Reader, Signer, Verifier,
};

pub const ORIGIN: &str = "portal.awan.example/log";
pub const OPERATOR: &str = "1000000000000001";
pub const COMMISSION: &str = "1000000000000002";
pub const UNIVERSITY: &str = "1000000000000003";
/// A name that would run a script where it is not escaped.
pub const HOSTILE: &str = "<script>alert('x')</script>";

/// The public data.
pub struct World {
    log: Directory,
    documents: HashMap<String, Vec<u8>>,
    log_key: Verifier,
    witness: Cosigner,
    /// What opens each entry: statement and salt in hexadecimal.
    openings: Vec<(String, String)>,
    /// `ocid` of the commission's agreement.
    pub ocid: String,
}

impl Fetch for World {
    fn fetch(&self, path: &str) -> io::Result<Option<Vec<u8>>> {
        self.log.fetch(path)
    }
}

impl Source for World {
    fn document(&self, digest: &str) -> io::Result<Option<Vec<u8>>> {
        Ok(self.documents.get(digest).cloned())
    }
}

fn signer(name: &str, seed: u8) -> Signer {
    Signer::from_seed(name, Secret::new([seed; 32])).unwrap()
}

/// Collects entries.
#[derive(Default)]
struct Entries {
    leaves: Vec<Vec<u8>>,
    openings: Vec<(String, String)>,
    at: i64,
}

impl Entries {
    fn add(&mut self, action: &str, outcome: &str, public: Value) {
        let account = if outcome == "OK" { public["tenant"].as_str() } else { None };
        let account = account.unwrap_or(COMMISSION).to_owned();
        self.state(action, (outcome, outcome), &account, public);
    }

    /// An entry with this outcome, which commits to a statement with that one.
    fn state(&mut self, action: &str, (outcome, said): (&str, &str), account: &str, public: Value) {
        self.at += 53;
        let number = self.leaves.len();
        let at = Time::from_secs(self.at);
        let statement = json!({
            "account": account, "action": action, "at": at.micros() + 4711, "detail": "", "key": "AK-SAMPLE",
            "outcome": said, "principal": format!("acs:ram::{COMMISSION}:user/siti"),
            "request": format!("SAMPLE-{number}"), "resource": "acs:oss:*:*:sample/object", "source": "192.0.2.7",
        })
        .to_string();
        let salt = [u8::try_from(number % 251).unwrap(); 16];
        let commitment = canonical::sha256(&[&salt[..], statement.as_bytes()].concat());
        let mut leaf = json!({"v": 1, "at": at.iso(), "action": action, "outcome": outcome, "commitment": commitment});
        if !public.is_null() {
            leaf["public"] = public;
        }
        self.leaves.push(leaf.to_string().into_bytes());
        self.openings.push((statement, base::text::hex(&salt)));
    }

    fn ok(&mut self, action: &str, public: Value) {
        self.add(action, "OK", public);
    }
}

impl World {
    /// Makes it in a directory, with this many stored objects.
    pub fn make(dir: &Path, objects: usize) -> Self {
        let log = signer(ORIGIN, 1);
        let log_key = log.verifier().clone();
        let mut documents = HashMap::new();
        let mut entries = Entries {
            at: Time::parse_iso("2026-11-20T01:00:00Z").unwrap().secs(),
            ..Entries::default()
        };
        let provider = signer(&format!("{ORIGIN}/provider"), 2);
        declare(&mut entries, &log_key, provider.verifier());
        let mut ocid = String::new();
        for (account, name, seed) in [
            (OPERATOR, "Awan Nusantara", 3),
            (COMMISSION, "Komisi Pemilihan Contoh", 4),
            (UNIVERSITY, HOSTILE, 5),
        ] {
            let tenant = signer(&format!("{ORIGIN}/tenant/{account}"), seed);
            let draft = draft(account, name, &log_key, &provider, &tenant);
            let release = publish(&mut entries, &mut documents, &draft, &[&provider, &tenant]);
            if account == COMMISSION {
                ocid = release.ocid().to_owned();
                let amended = amendment(&draft);
                publish(&mut entries, &mut documents, &amended, &[&provider, &tenant]);
            }
        }
        store(&mut entries, objects);
        refuse_and_read(&mut entries);
        contradict(&mut entries);
        let witness = Cosigner::from_seed("saksi.kampus.example/w1", Secret::new([6; 32])).unwrap();
        let files = dir.join("log");
        let mut publisher =
            Publisher::open(DirectoryWriter::open(&files).unwrap(), log, 0).unwrap();
        for part in entries.leaves.chunks(1024) {
            publisher.publish(part).unwrap();
        }
        drop(publisher);
        let world = Self {
            log: Directory::new(files),
            documents,
            log_key,
            witness,
            openings: entries.openings,
            ocid,
        };
        world.cosign(dir);
        world
    }

    /// Puts a witness's and a stranger's cosignature under the checkpoint.
    fn cosign(&self, dir: &Path) {
        let path = dir.join("log/checkpoint");
        let note = Note::parse(&std::fs::read(&path).unwrap()).unwrap();
        let stranger = Cosigner::from_seed("saksi.lain.example/w9", Secret::new([7; 32])).unwrap();
        let at = Time::parse_iso("2026-11-23T06:50:00Z").unwrap();
        let more = [self.witness.cosign(&note, at), stranger.cosign(&note, at)];
        std::fs::write(path, note.with_signatures(more).to_string()).unwrap();
    }

    /// What the pages are told about the cloud.
    pub fn about(&self) -> About {
        About {
            log_key: self.log_key.clone(),
            operator: Some(OPERATOR.parse::<AccountId>().unwrap()),
            witnesses: vec![self.witness.key().clone()],
        }
    }

    /// The receipt of the entry at a place.
    pub fn receipt(&self, index: usize) -> String {
        let reader = Reader::open(&self.log, &self.log_key).unwrap();
        let place = u64::try_from(index).unwrap();
        let mut proof = reader.proof(place).unwrap();
        let leaf = String::from_utf8(reader.entry(place).unwrap()).unwrap();
        let (statement, salt) = &self.openings[index];
        proof.extra =
            json!({"leaf": leaf, "statement": statement, "salt": salt}).to_string().into();
        proof.to_string()
    }

    /// How many entries there are.
    pub fn len(&self) -> usize {
        self.openings.len()
    }
}

fn declare(entries: &mut Entries, log: &Verifier, provider: &Verifier) {
    entries.ok("awan:DeclareKey", json!({"role": "log", "key": log.to_string()}));
    entries.ok("awan:DeclareKey", json!({"role": "provider", "key": provider.to_string()}));
    let iso = "SNI ISO/IEC 27001:2022";
    for (site, zone, country, city, owner, until, certificates) in [
        (
            "jkt-a",
            "ap-southeast-5a",
            "ID",
            "Jakarta",
            "PT Pusat Data Contoh",
            "2029-06-30",
            json!([iso, "Uptime Tier III"]),
        ),
        ("jkt-b", "ap-southeast-5b", "ID", "Bekasi", "PT Gedung Awan", "2028-01-31", json!([iso])),
        (
            "sby-a",
            "ap-southeast-5c",
            "ID",
            "Surabaya",
            "Pemerintah Kota Contoh",
            "2027-12-31",
            json!([iso]),
        ),
        (
            "mks-a",
            "ap-southeast-5d",
            "ID",
            "Makassar",
            "Universitas Contoh",
            "2028-03-31",
            json!([]),
        ),
        ("btm-a", "ap-southeast-5e", "ID", "Batam", "PT Pulau Data", "2026-10-31", json!([])),
        ("sg-1", "ap-southeast-1a", "SG", "Singapore", "Example Colo Pte Ltd", "", json!([])),
    ] {
        entries.ok(
            "awan:DeclareDataCentre",
            json!({"site": site, "zone": zone, "country": country, "city": city, "operator": "Awan Nusantara",
                   "owner": owner, "permit": "PSE-0042/2026", "permit_until": until, "certificates": certificates}),
        );
    }
}

fn draft(account: &str, name: &str, log: &Verifier, provider: &Signer, tenant: &Signer) -> Draft {
    let text = |id: &str, en: &str| Text { id: id.to_owned(), en: en.to_owned() };
    let party = |name: &str, scheme: &str, id: &str| Party {
        name: name.to_owned(),
        scheme: scheme.to_owned(),
        id: id.to_owned(),
        additional: Vec::new(),
        contact: None,
    };
    let keys =
        Keys { provider: provider.verifier().to_string(), tenant: tenant.verifier().to_string() };
    let log = Log { origin: ORIGIN.to_owned(), key: log.to_string() };
    let mut terms: Terms = defaults::terms(account.parse().unwrap(), log, keys);
    for rule in &mut terms.residency.rules {
        if rule.class == DataClass::Personal {
            rule.zones_min = 2;
        }
    }
    terms.spending_limit = Some(500_000_000_000_000);
    Draft {
        ocid: format!("ocds-sample-{account}"),
        id: format!("{account}-1"),
        date: Time::parse_iso("2026-11-20T00:30:00Z").unwrap(),
        tag: Tag::Contract,
        provider: party("Awan Nusantara", "ID-NIB", "9120001234567"),
        tenant: party(name, "X-AWAN", account),
        title: text(&format!("Layanan cloud untuk {name}"), &format!("Cloud services for {name}")),
        rationale: text(
            "Satu-satunya penyedia yang menyimpan data di Indonesia dengan log publik.",
            "The only provider that keeps data in Indonesia under a public log.",
        ),
        procurement_method: "direct".to_owned(),
        start: Time::parse_iso("2026-11-20T01:00:00Z").unwrap(),
        end: Some(Time::parse_iso("2027-11-20T00:00:00Z").unwrap()),
        value_cap: None,
        amends: None,
        terms,
    }
}

fn amendment(draft: &Draft) -> Draft {
    let mut amended = draft.clone();
    amended.id = format!("{}-2", draft.terms.account);
    amended.tag = Tag::ContractAmendment;
    amended.date = Time::parse_iso("2026-11-20T01:30:00Z").unwrap();
    amended.terms.spending_limit = Some(750_000_000_000_000);
    amended.amends = Some(Amends {
        release: draft.id.clone(),
        rationale: Text {
            id: "Batas belanja dinaikkan untuk hari pemungutan suara.".to_owned(),
            en: "The spending limit is raised for election day.".to_owned(),
        },
    });
    amended
}

fn publish(
    entries: &mut Entries,
    documents: &mut HashMap<String, Vec<u8>>,
    draft: &Draft,
    signers: &[&Signer],
) -> Release {
    let release = Release::build(draft).unwrap();
    let lines: Vec<String> =
        signers.iter().map(|signer| signature::sign(&release, signer).unwrap()).collect();
    let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
    let note = signature::join(&release, &lines).unwrap();
    let note_digest = canonical::sha256(&note);
    let facts = json!({
        "tenant": draft.terms.account.to_string(), "ocid": release.ocid(), "release": release.id(),
        "tag": release.tag().as_str(), "document": release.digest(), "signatures": note_digest,
    });
    documents.insert(release.digest().to_owned(), release.bytes().to_vec());
    documents.insert(note_digest, note);
    entries.ok("awan:PublishAgreement", facts.clone());
    entries.ok("awan:ActivateAgreement", facts);
    release
}

fn store(entries: &mut Entries, objects: usize) {
    let sites = ["jkt-a", "jkt-b", "sby-a", "mks-a"];
    for number in 0..objects {
        let (account, class) = match number % 5 {
            0 => (UNIVERSITY, "public"),
            1 => (COMMISSION, "personal"),
            _ => (COMMISSION, "internal"),
        };
        let site = sites[number * 7 % sites.len()];
        let mut placed = vec![json!({"site": site, "country": "ID", "objects": 1})];
        if class == "personal" {
            placed.push(json!({"site": "sby-a", "country": "ID", "objects": 1}));
        }
        entries.ok("oss:PutObject", json!({"tenant": account, "class": class, "placed": placed}));
        if number % 11 == 0 {
            entries.ok("ram:CreateUser", Value::Null);
        }
    }
    entries.ok(
        "oss:UploadPart",
        json!({"tenant": COMMISSION, "class": "internal", "placed": [{"site": "jkt-a", "country": "ID", "parts": 1}]}),
    );
    for day in ["2026-11-20", "2026-11-21", "2026-11-22"] {
        for tenant in [COMMISSION, UNIVERSITY] {
            entries.ok("awan:CommitUsage", json!({"tenant": tenant, "day": day}));
        }
    }
}

/// Two entries that say something else than what they commit to, and one that leaves out what may be a
/// tenant's own word.
fn contradict(entries: &mut Entries) {
    let denied = ("AccessDenied", "AccessDenied.ByNobody");
    entries.state("oss:GetObject", denied, COMMISSION, Value::Null);
    let public = json!({"tenant": UNIVERSITY});
    entries.state("oss:PutObjectTagging", ("OK", "OK"), COMMISSION, public);
    let parameter = ("InvalidParameter", "InvalidParameter.Class");
    entries.state("oss:PutBucket", parameter, COMMISSION, Value::Null);
}

fn refuse_and_read(entries: &mut Entries) {
    for (number, code, site, country) in [
        (1, "Forbidden.Residency", "sg-1", "SG"),
        (4, "Forbidden.PermitLapsed", "btm-a", "ID"),
        (2, "Forbidden.ZoneRedundancyRequired", "jkt-a", "ID"),
    ] {
        for _ in 0..number {
            entries.add(
                "oss:PutBucket",
                code,
                json!({"tenant": COMMISSION, "class": "personal", "wanted": [{"site": site, "country": country}]}),
            );
            entries.at += 20_000;
        }
    }
    entries.add("oss:PutObject", "Forbidden.NoAgreement", Value::Null);
    entries.add("oss:GetObject", "AccessDenied", Value::Null);
    for (access, reason, answer) in [
        ("pa-0001", "Keluhan 4711: objek yang tidak dapat dibaca", "awan:ApprovePrivilegedAccess"),
        ("pa-0002", HOSTILE, "awan:DenyPrivilegedAccess"),
    ] {
        let facts = json!({"tenant": COMMISSION, "access": access, "reason": reason, "until": "2026-11-24T08:00:00Z"});
        entries.ok("awan:RequestPrivilegedAccess", facts.clone());
        entries.ok(answer, facts.clone());
        if answer.contains("Approve") {
            entries.ok("oss:GetObject", facts.clone());
            entries.ok("oss:GetObject", facts);
        }
    }
}
