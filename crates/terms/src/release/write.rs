//! The document of a draft.

use base::Time;
use serde_json::{Number, Value as Json};
use std::time::Duration;

use super::ocds::{
    Amendment, Award, ContactPoint, Contract, Document, Identifier, Implementation, Item,
    Milestone, Organization, Paper, Period, Reference, Tender, Unit, Value,
};
use super::{Draft, Error, Party, Tag};
use crate::clauses::Disclosed;
use crate::prices::PriceBook;

const AWARD: &str = "award-1";
const MICRO: i64 = 1_000_000;

/// Writes a draft down; nothing is checked yet.
pub fn document(draft: &Draft) -> Result<Json, Error> {
    let tenant = reference(&draft.tenant);
    let document = Document {
        ocid: draft.ocid.clone(),
        id: draft.id.clone(),
        date: draft.date.iso(),
        tag: vec![draft.tag.as_str().to_owned()],
        initiation_type: "tender".to_owned(),
        language: "id".to_owned(),
        parties: vec![
            organization(&draft.provider, &["supplier", "payee"]),
            organization(&draft.tenant, &["buyer", "procuringEntity", "payer"]),
        ],
        buyer: tenant,
        planning: None,
        tender: tender(draft),
        awards: vec![award(draft)],
        contracts: vec![contract(draft)],
    };
    serde_json::to_value(document).map_err(|error| Error::Form(error.to_string()))
}

/// The id of a party within the document.
fn party_id(party: &Party) -> String {
    format!("{}-{}", party.scheme, party.id)
}

fn reference(party: &Party) -> Reference {
    Reference { id: party_id(party), name: party.name.clone() }
}

fn organization(party: &Party, roles: &[&str]) -> Organization {
    let additional = |(scheme, id): &(String, String)| Identifier {
        scheme: scheme.clone(),
        id: id.clone(),
        legal_name: None,
    };
    Organization {
        id: party_id(party),
        name: party.name.clone(),
        identifier: Identifier {
            scheme: party.scheme.clone(),
            id: party.id.clone(),
            legal_name: Some(party.name.clone()),
        },
        additional_identifiers: party.additional.iter().map(additional).collect(),
        address: None,
        contact_point: party.contact.as_ref().map(|name| {
            Disclosed::Shown(ContactPoint { name: name.clone(), email: None, telephone: None })
        }),
        roles: roles.iter().map(|&role| role.to_owned()).collect(),
    }
}

fn tender(draft: &Draft) -> Tender {
    Tender {
        id: "tender-1".to_owned(),
        title: draft.title.id.clone(),
        title_en: Some(draft.title.en.clone()),
        status: "complete".to_owned(),
        procuring_entity: reference(&draft.tenant),
        items: items(&draft.terms.price_book),
        procurement_method: draft.procurement_method.clone(),
        procurement_method_rationale: draft.rationale.id.clone(),
        procurement_method_rationale_en: Some(draft.rationale.en.clone()),
        main_procurement_category: "services".to_owned(),
    }
}

fn award(draft: &Draft) -> Award {
    Award {
        id: AWARD.to_owned(),
        status: "active".to_owned(),
        date: None,
        suppliers: vec![reference(&draft.provider)],
        value: None,
    }
}

fn contract(draft: &Draft) -> Contract {
    let book = &draft.terms.price_book;
    let amendment = draft.amends.as_ref().map(|amends| Amendment {
        id: draft.id.clone(),
        date: draft.date.iso(),
        rationale: amends.rationale.id.clone(),
        rationale_en: Some(amends.rationale.en.clone()),
        amends_release_id: amends.release.clone(),
        release_id: draft.id.clone(),
    });
    Contract {
        id: "contract-1".to_owned(),
        award_id: AWARD.to_owned(),
        title: draft.title.id.clone(),
        title_en: Some(draft.title.en.clone()),
        status: status(draft.tag).to_owned(),
        period: Period { start_date: draft.start.iso(), end_date: draft.end.map(Time::iso) },
        value: draft.value_cap.map(|cap| money(cap, &book.currency)),
        items: items(book),
        date_signed: None,
        documents: documents(),
        milestones: milestones(draft),
        implementation: Some(Implementation { documents: records(draft), milestones: Vec::new() }),
        amendments: amendment.into_iter().collect(),
        sovereign: draft.terms.clone(),
    }
}

/// The contract's status after a release (codelist `contractStatus`).
pub const fn status(tag: Tag) -> &'static str {
    match tag {
        Tag::Contract | Tag::ContractAmendment => "active",
        Tag::ContractTermination => "terminated",
    }
}

/// One item for each price. Where the price falls with the volume, the first tier's.
pub fn items(book: &PriceBook) -> Vec<Item> {
    let item = |price: &crate::prices::Price| Item {
        id: price.meter.clone(),
        description: price.name.id.clone(),
        description_en: price.name.en.clone(),
        unit: Unit {
            name: price.unit.clone(),
            value: money(price.tiers.first().map_or(0, |tier| tier.price), &book.currency),
        },
    };
    book.prices.iter().map(item).collect()
}

/// Micro-units as the decimal number that the standard wants.
fn money(micros: i64, currency: &str) -> Value {
    let whole = micros / MICRO;
    let amount = if micros % MICRO == 0 {
        Number::from(whole)
    } else {
        // The nearest double to the decimal text, so that it is written back as that text.
        let sign = if micros < 0 { "-" } else { "" };
        let text = format!("{sign}{}.{:06}", whole.abs(), (micros % MICRO).abs());
        text.parse().ok().and_then(Number::from_f64).unwrap_or_else(|| Number::from(whole))
    };
    Value { amount, currency: currency.to_owned() }
}

fn paper(id: &str, kind: &str, (title, title_en): (&str, &str), text: &str, format: &str) -> Paper {
    Paper {
        id: id.to_owned(),
        document_type: kind.to_owned(),
        title: title.to_owned(),
        title_en: Some(title_en.to_owned()),
        description: Some(text.to_owned()),
        format: Some(format.to_owned()),
        language: Some("id".to_owned()),
    }
}

fn documents() -> Vec<Paper> {
    vec![
        paper(
            "signatures",
            "contractSigned",
            ("Tanda tangan kedua pihak", "Signatures of both parties"),
            "Catatan bertanda tangan (C2SP signed-note) atas nilai hash SHA-256 rilis ini; nilai hash \
             catatan itu ada di log publik.",
            "text/plain",
        ),
        paper(
            "clauses",
            "contractSchedule",
            ("Klausul", "Clauses"),
            "Bagian `sovereign` dari kontrak ini: layanan, tempat data, harga, tingkat layanan, hak dan \
             kewajiban.",
            "application/json",
        ),
    ]
}

/// Where anybody sees how the contract is kept.
fn records(draft: &Draft) -> Vec<Paper> {
    let log = format!(
        "Log {} mencatat perjanjian, penempatan data, akses istimewa, penolakan, pemakaian dan tagihan.",
        draft.terms.log.origin
    );
    vec![paper(
        "log",
        "physicalProgressReport",
        ("Log transparansi", "Transparency log"),
        &log,
        "text/plain",
    )]
}

fn milestone(id: &str, kind: &str, (title, title_en): (&str, &str), due: Time) -> Milestone {
    Milestone {
        id: id.to_owned(),
        title: title.to_owned(),
        title_en: Some(title_en.to_owned()),
        kind: kind.to_owned(),
        due_date: due.iso(),
        status: "scheduled".to_owned(),
    }
}

fn milestones(draft: &Draft) -> Vec<Milestone> {
    let start = ("Layanan dimulai", "Service starts");
    let mut milestones = vec![milestone("service-start", "delivery", start, draft.start)];
    if let Some(end) = draft.end {
        const DAY: u64 = 86_400;
        let kept = Duration::from_secs(u64::from(draft.terms.retention.after_end_days) * DAY);
        let deleted = (
            "Data penyewa dihapus dan penghapusannya dicatat",
            "Tenant data deleted, and recorded",
        );
        milestones.push(milestone(
            "term-end",
            "delivery",
            ("Layanan berakhir", "Service ends"),
            end,
        ));
        milestones.push(milestone("deletion", "delivery", deleted, end.plus(kept)));
    }
    milestones
}
