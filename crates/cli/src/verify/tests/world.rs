//! A log with its documents, in a directory of its own, written as a cloud writes it.

use std::path::{Path, PathBuf};

use base::text::{hex, unhex};
use base::{AccountId, SystemRng, Time};
use ring::digest::{SHA256, digest};
use serde_json::{Value, json};
use terms::clauses::{Keys, Log as LogClause, Text};
use terms::release::{Amends, Draft, Party, Tag};
use terms::{Release, Terms, canonical, signature};
use tlog::{Directory, DirectoryWriter, Publisher, Signer};

use crate::verify::Findings;
use crate::verify::documents::Documents;
use crate::verify::history::Histories;
use crate::verify::log::{Files, Log};
use crate::verify::memory::Memory;

pub const TENANT: u64 = 1_234_567_890_123_456;
pub const OCID: &str = "ocds-awan00-1234567890123456-1";

pub struct World {
    pub dir: tempfile::TempDir,
    pub signer: Signer,
    pub provider: Signer,
    pub tenant: Signer,
    /// Whether the log has the provider's key.
    pub declared: bool,
    publisher: Option<Publisher<DirectoryWriter>>,
}

/// The commitment of a leaf.
pub fn commitment(salt: &str, statement: &str) -> String {
    let mut bytes = unhex(salt).unwrap();
    bytes.extend_from_slice(statement.as_bytes());
    hex(digest(&SHA256, &bytes).as_ref())
}

/// A moment on the 22nd of November 2026.
pub fn at(clock: &str) -> Time {
    Time::parse_iso(&format!("2026-11-22T{clock}Z")).unwrap()
}

impl World {
    pub fn new() -> Self {
        let key = |name: &str| Signer::generate(&SystemRng, name).unwrap();
        let world = Self {
            dir: tempfile::tempdir().unwrap(),
            signer: key("awan.test/log"),
            provider: key("awan.test/log/provider"),
            tenant: key("awan.test/log/tenant/1234567890123456"),
            declared: false,
            publisher: None,
        };
        std::fs::create_dir_all(world.dir.path().join("documents")).unwrap();
        world
    }

    /// Another log of the same key: what an operator would need to rewrite the past.
    pub fn rewritten(&self) -> Self {
        let copy = |signer: &Signer| Signer::parse(&signer.text()).unwrap();
        Self {
            dir: tempfile::tempdir().unwrap(),
            signer: copy(&self.signer),
            provider: copy(&self.provider),
            tenant: copy(&self.tenant),
            declared: false,
            publisher: None,
        }
    }

    pub fn log_dir(&self) -> PathBuf {
        self.dir.path().join("log")
    }

    pub fn append<E: AsRef<[u8]>>(&mut self, entries: &[E]) {
        let dir = self.log_dir();
        let publisher = self.publisher.get_or_insert_with(|| {
            let signer = Signer::parse(&self.signer.text()).unwrap();
            Publisher::open(DirectoryWriter::open(dir).unwrap(), signer, 0).unwrap()
        });
        publisher.publish(entries).unwrap();
    }

    pub fn try_open(&self) -> anyhow::Result<Log> {
        let files = Files::Directory(Directory::new(self.log_dir()));
        Log::read(files, self.signer.verifier().clone())
    }

    pub fn open(&self) -> Log {
        self.try_open().unwrap()
    }

    pub fn documents(&self) -> Documents {
        Documents::in_directory(&self.dir.path().join("documents"))
    }

    pub fn memory(&self, state: &Path) -> Memory {
        Memory::below(state, self.signer.verifier())
    }

    /// All that a plain `awan verify` says is wrong.
    pub fn defects(&self, state: &Path) -> Vec<String> {
        match self.try_open() {
            Ok(log) => {
                let mut findings = crate::verify::check(&log);
                self.memory(state).check(&log, &mut findings).unwrap();
                findings.defects
            }
            Err(error) => vec![format!("{error:#}")],
        }
    }

    /// What one question about log and agreements finds.
    pub fn ask(&self, question: impl Fn(&Log, &Histories, &mut Findings)) -> Findings {
        let mut findings = Findings::default();
        let log = self.open();
        let histories = Histories::read(&log, &self.documents(), &mut findings);
        question(&log, &histories, &mut findings);
        findings
    }

    /// Appends a leaf.
    pub fn leaf(&mut self, action: &str, at: Time, outcome: &str, public: &Value) {
        let leaf = json!({
            "v": 1, "at": at.iso(), "action": action, "outcome": outcome,
            "commitment": "c", "public": public,
        });
        self.append(&[leaf.to_string()]);
    }

    pub fn terms(&self) -> Terms {
        let log = LogClause {
            origin: self.signer.verifier().name().to_owned(),
            key: self.signer.verifier().to_string(),
        };
        let keys = Keys {
            provider: self.provider.verifier().to_string(),
            tenant: self.tenant.verifier().to_string(),
        };
        terms::defaults::terms(AccountId::new(TENANT), log, keys)
    }

    /// Appends a leaf that commits to a statement; answers the row that opens it.
    pub fn committed(&mut self, action: &str, at: Time, detail: &Value, public: &Value) -> Value {
        let statement = json!({
            "action": action, "at": at.micros(), "detail": detail.to_string(), "outcome": "OK",
        })
        .to_string();
        let leaf = json!({
            "v": 1, "at": at.iso(), "action": action, "outcome": "OK",
            "commitment": commitment("00ff", &statement), "public": public,
        });
        let index = self.publisher.as_ref().map_or(0, Publisher::size);
        self.append(&[leaf.to_string()]);
        json!({"LogIndex": index, "Statement": statement, "Salt": "00ff"})
    }

    /// A release of [`OCID`], changed as the test likes.
    pub fn release(&self, id: &str, tag: Tag, change: impl FnOnce(&mut Draft)) -> Release {
        let party = |name: &str, scheme: &str, id: &str| Party {
            name: name.to_owned(),
            scheme: scheme.to_owned(),
            id: id.to_owned(),
            additional: Vec::new(),
            contact: None,
        };
        let text = |id: &str, en: &str| Text { id: id.to_owned(), en: en.to_owned() };
        let amends = Amends { release: "contract-1".to_owned(), rationale: text("sebab", "why") };
        let mut draft = Draft {
            ocid: OCID.to_owned(),
            id: id.to_owned(),
            date: at("00:00:00"),
            tag,
            provider: party("PT Awan", "ID-NIB", "1"),
            tenant: party("KPU", "X-AWAN", "1234567890123456"),
            title: text("Perjanjian", "Agreement"),
            rationale: text("uji", "test"),
            procurement_method: "direct".to_owned(),
            start: at("00:00:00"),
            end: (tag == Tag::ContractTermination).then(|| at("20:00:00")),
            value_cap: None,
            amends: (tag != Tag::Contract).then_some(amends),
            terms: self.terms(),
        };
        change(&mut draft);
        Release::build(&draft).unwrap()
    }

    /// Writes a document; answers its name.
    pub fn document(&self, bytes: &[u8]) -> String {
        let digest = canonical::sha256(bytes);
        std::fs::write(self.dir.path().join("documents").join(format!("{digest}.json")), bytes)
            .unwrap();
        digest
    }

    /// The facts of a leaf about a release that both signed.
    pub fn facts(&mut self, release: &Release) -> Value {
        self.signed(release, true, true)
    }

    /// The facts of a leaf about a release that these parties signed. As a cloud does, declares the provider's
    /// key first.
    pub fn signed(&mut self, release: &Release, provider: bool, tenant: bool) -> Value {
        if !self.declared {
            self.declared = true;
            let key = self.provider.verifier().to_string();
            let facts = json!({"role": "provider", "key": key});
            self.leaf("awan:DeclareKey", at("00:00:00"), "OK", &facts);
        }
        let signers = [(provider, &self.provider), (tenant, &self.tenant)];
        let signers: Vec<_> = signers.iter().filter(|it| it.0).map(|it| it.1).collect();
        self.facts_by(release, &signers)
    }

    /// The same, signed by anybody, and with no word about keys.
    pub fn facts_by(&self, release: &Release, signers: &[&Signer]) -> Value {
        let lines: Vec<String> =
            signers.iter().map(|signer| signature::sign(release, signer).unwrap()).collect();
        let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
        let note = signature::join(release, &lines).unwrap();
        json!({
            "tenant": release.terms().account.to_string(), "ocid": release.ocid(),
            "release": release.id(), "tag": release.tag().as_str(),
            "document": self.document(release.bytes()), "signatures": self.document(&note),
        })
    }

    /// Publishes a release with both signatures and brings it into force.
    pub fn publish_and_activate(&mut self, release: &Release, at: Time) {
        let facts = self.facts(release);
        self.leaf("awan:PublishAgreement", at, "OK", &facts);
        self.leaf("awan:ActivateAgreement", at, "OK", &facts);
    }
}
