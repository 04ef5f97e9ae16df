#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::HashMap;
use std::io;

use base::Secret;
use serde_json::json;
use terms::clauses::{Keys, Log, Text};
use terms::release::{Amends, Draft, Party, Tag};
use terms::{canonical, defaults, signature};
use tlog::{Fetch, Signer};

use super::*;

const TENANT: &str = "1000000000000002";
const OCID: &str = "ocds-sample-1000000000000002";

fn at(text: &str) -> Time {
    Time::parse_iso(&format!("2026-11-{text}Z")).unwrap()
}

/// A log of agreements and their documents.
struct World {
    model: Model,
    documents: HashMap<String, Vec<u8>>,
    provider: Signer,
    tenant: Signer,
}

impl Fetch for World {
    fn fetch(&self, _: &str) -> io::Result<Option<Vec<u8>>> {
        Ok(None)
    }
}

impl Source for World {
    fn document(&self, digest: &str) -> io::Result<Option<Vec<u8>>> {
        Ok(self.documents.get(digest).cloned())
    }
}

impl World {
    fn new() -> Self {
        let key = |name: &str, seed| Signer::from_seed(name, Secret::new([seed; 32])).unwrap();
        let (provider, tenant) =
            (key("p.example/p/provider", 1), key(&format!("p.example/p/tenant/{TENANT}"), 2));
        Self { model: Model::default(), documents: HashMap::new(), provider, tenant }
    }

    fn draft(&self, id: &str, tag: Tag, amends: Option<&str>) -> Draft {
        let party = |name: &str| Party {
            name: name.to_owned(),
            scheme: "X-AWAN".to_owned(),
            id: name.to_owned(),
            additional: Vec::new(),
            contact: None,
        };
        let text = || Text { id: "uji".to_owned(), en: "test".to_owned() };
        let keys = Keys {
            provider: self.provider.verifier().to_string(),
            tenant: self.tenant.verifier().to_string(),
        };
        let log_key = Signer::from_seed("p.example/p", Secret::new([3; 32])).unwrap();
        let log_key = log_key.verifier().to_string();
        let log = Log { origin: "p.example/p".to_owned(), key: log_key };
        Draft {
            ocid: OCID.to_owned(),
            id: id.to_owned(),
            date: at("01T00:00:00"),
            tag,
            provider: party("P"),
            tenant: party("T"),
            title: text(),
            rationale: text(),
            procurement_method: "direct".to_owned(),
            start: at("01T00:00:00"),
            end: None,
            value_cap: None,
            amends: amends.map(|it| Amends { release: it.to_owned(), rationale: text() }),
            terms: defaults::terms(TENANT.parse().unwrap(), log, keys),
        }
    }

    /// Signs a release, and lets an entry of that moment do this with it.
    fn enter(&mut self, action: &str, when: Time, draft: &Draft) {
        let release = terms::Release::build(draft).unwrap();
        let sign = |signer| signature::sign(&release, signer).unwrap();
        let lines = [sign(&self.provider), sign(&self.tenant)];
        let note = signature::join(&release, &[&lines[0], &lines[1]]).unwrap();
        let leaf = json!({
            "v": 1, "at": when.iso(), "action": action, "outcome": "OK", "commitment": "00",
            "public": {
                "tenant": TENANT, "ocid": OCID, "release": draft.id, "tag": draft.tag.as_str(),
                "document": release.digest(), "signatures": canonical::sha256(&note),
            },
        });
        self.documents.insert(release.digest().to_owned(), release.bytes().to_vec());
        self.documents.insert(canonical::sha256(&note), note);
        self.model.apply(leaf.to_string().as_bytes());
    }

    fn standing(&self) -> Standing {
        Standing::of(&self.model, (&Documents::default(), self, None), TENANT)
    }

    fn state(&self, now: &str) -> State {
        self.standing().state((OCID, &self.model.agreements[OCID]), at(now))
    }
}

#[test]
fn a_termination_in_the_future_leaves_the_agreement_in_force_until_then() {
    let mut world = World::new();
    let contract = world.draft("1", Tag::Contract, None);
    world.enter("awan:PublishAgreement", at("01T00:30:00"), &contract);
    assert_eq!(world.state("01T00:40:00"), State::Published);
    world.enter("awan:ActivateAgreement", at("01T01:00:00"), &contract);
    assert_eq!(world.state("01T02:00:00"), State::InForce(at("01T01:00:00"), None));
    let end = Draft {
        end: Some(at("20T00:00:00")),
        ..world.draft("2", Tag::ContractTermination, Some("1"))
    };
    world.enter("awan:EndAgreement", at("05T00:00:00"), &end);
    let until = Some(at("20T00:00:00"));
    assert_eq!(world.state("19T23:59:59"), State::InForce(at("01T01:00:00"), until));
    assert_eq!(world.state("20T00:00:00"), State::Ended(at("20T00:00:00")));
    assert_eq!(world.standing().current(OCID, at("21T00:00:00")), Some("1"));
    assert!(world.standing().faults.is_empty());
}

#[test]
fn a_contract_that_begins_later_is_not_in_force_yet_and_its_term_runs_out() {
    let mut world = World::new();
    let contract = Draft {
        start: at("10T00:00:00"),
        end: Some(at("12T00:00:00")),
        ..world.draft("1", Tag::Contract, None)
    };
    world.enter("awan:ActivateAgreement", at("01T01:00:00"), &contract);
    assert_eq!(world.state("09T23:59:59"), State::Later(at("10T00:00:00")));
    let until = Some(at("12T00:00:00"));
    assert_eq!(world.state("10T00:00:00"), State::InForce(at("10T00:00:00"), until));
    assert_eq!(world.state("12T00:00:00"), State::Over(at("12T00:00:00")));
}

#[test]
fn an_amendment_is_what_holds_from_its_hour_on() {
    let mut world = World::new();
    let contract = world.draft("1", Tag::Contract, None);
    world.enter("awan:ActivateAgreement", at("01T01:00:00"), &contract);
    let amendment = world.draft("2", Tag::ContractAmendment, Some("1"));
    world.enter("awan:ActivateAgreement", at("01T02:10:00"), &amendment);
    let standing = world.standing();
    assert_eq!(standing.current(OCID, at("01T02:59:59")), Some("1"));
    assert_eq!(standing.current(OCID, at("01T03:00:00")), Some("2"));
    assert_eq!(standing.period(OCID, "2").unwrap().from, at("01T03:00:00"));
}

#[test]
fn what_the_documents_do_not_bear_out_is_not_called_in_force() {
    let mut world = World::new();
    let contract = world.draft("1", Tag::Contract, None);
    world.enter("awan:ActivateAgreement", at("01T01:00:00"), &contract);
    world.documents.clear();
    assert_eq!(world.state("02T00:00:00"), State::Unproven);
    assert_eq!(world.standing().faults, ["the document of release 1 is not here"]);
}
