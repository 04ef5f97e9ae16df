//! What the tests of several modules share: keys, parties, a draft with everything in it.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

use base::{AccountId, Secret, Time};
use tlog::Signer;

use crate::clauses::{Disclosed, Equipment, Keys, Log, Terms, Text};
use crate::defaults;
use crate::release::{Amends, Draft, Party, Tag};

pub(crate) const ACCOUNT: AccountId = AccountId::new(5_123_456_789_012_345);
pub(crate) const ORIGIN: &str = "awan.example/log";

pub(crate) fn text(id: &str, en: &str) -> Text {
    Text { id: id.to_owned(), en: en.to_owned() }
}

fn signer(seed: u8, name: &str) -> Signer {
    Signer::from_seed(name, Secret::new([seed; 32])).unwrap()
}

pub(crate) fn provider_key() -> Signer {
    signer(2, &format!("{ORIGIN}/provider"))
}

pub(crate) fn tenant_key() -> Signer {
    signer(3, &format!("{ORIGIN}/tenant/{ACCOUNT}"))
}

/// Another key by the tenant's name.
pub(crate) fn false_tenant_key() -> Signer {
    signer(4, &format!("{ORIGIN}/tenant/{ACCOUNT}"))
}

pub(crate) fn terms() -> Terms {
    let log = Log { origin: ORIGIN.to_owned(), key: signer(1, ORIGIN).verifier().to_string() };
    let keys = Keys {
        provider: provider_key().verifier().to_string(),
        tenant: tenant_key().verifier().to_string(),
    };
    defaults::terms(ACCOUNT, log, keys)
}

fn party(name: &str, scheme: &str, id: &str) -> Party {
    Party {
        name: name.to_owned(),
        scheme: scheme.to_owned(),
        id: id.to_owned(),
        additional: Vec::new(),
        contact: None,
    }
}

/// An agreement as the root account gets it, with little in it.
pub(crate) fn draft() -> Draft {
    Draft {
        ocid: format!("ocds-awan01-{ACCOUNT}"),
        id: "1".to_owned(),
        date: Time::parse_iso("2026-11-22T03:04:05Z").unwrap(),
        tag: Tag::Contract,
        provider: party("PT Awan Contoh", "ID-NIB", "1234567890123"),
        tenant: party("Badan Contoh", "ID-NPWP", "012345678901000"),
        title: text("Perjanjian layanan awan", "Cloud service agreement"),
        rationale: text(
            "Penunjukan langsung: satu-satunya penyedia di dalam negeri dengan log publik.",
            "Direct award: the only provider in the country with a public log.",
        ),
        procurement_method: "direct".to_owned(),
        start: Time::parse_iso("2026-12-01T00:00:00Z").unwrap(),
        end: None,
        value_cap: None,
        amends: None,
        terms: terms(),
    }
}

/// An amendment with every optional field.
pub(crate) fn full_draft() -> Draft {
    let mut draft = draft();
    draft.id = "2".to_owned();
    draft.tag = Tag::ContractAmendment;
    draft.amends = Some(Amends {
        release: "1".to_owned(),
        rationale: text("Batas belanja dan peralatan ditambahkan.", "Adds a limit and equipment."),
    });
    draft.provider.additional =
        vec![("ID-PSE".to_owned(), "001234.01/DJAI.PSE/11/2026".to_owned())];
    draft.tenant.contact = Some("Kepala Bagian Data".to_owned());
    draft.end = Some(Time::parse_iso("2027-12-01T00:00:00Z").unwrap());
    draft.value_cap = Some(1_250_000_000_500_000);
    draft.terms.spending_limit = Some(100_000_000_000_000);
    draft.terms.residency.rules[2].sites = vec!["jkt-1".to_owned(), "jkt-2".to_owned()];
    draft.terms.residency.rules[2].zones_min = 2;
    draft.terms.sub_processors = vec!["PT Pusat Data Contoh (jkt-2)".to_owned()];
    draft.terms.infrastructure = vec![
        equipment("jkt-1", "Lantai 2, rak 7", "192.0.2.17"),
        equipment("jkt-2", "Ruang B, rak 1", "198.51.100.4"),
    ];
    draft
}

fn equipment(site: &str, location: &str, address: &str) -> Equipment {
    Equipment {
        site: site.to_owned(),
        name: text("Peladen penyimpanan", "Storage servers"),
        location: Disclosed::Shown(location.to_owned()),
        addresses: Disclosed::Shown(vec![address.to_owned()]),
    }
}
