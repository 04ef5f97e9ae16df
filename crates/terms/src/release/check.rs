//! What holds of a release beyond the types of its fields.

use base::Time;
use serde_json::Value;

use super::ocds::{Contract, Document, Organization};
use super::{Amends, Error, Party, Tag, write};
use crate::clauses::{Disclosed, Terms, Text};
use crate::text::deceives;

/// What a release says besides its clauses.
#[derive(Clone, Debug)]
pub struct Head {
    pub ocid: String,
    pub id: String,
    pub tag: Tag,
    pub date: Time,
    pub start: Time,
    pub end: Option<Time>,
    pub title: Text,
    pub rationale: Text,
    pub provider: Party,
    pub tenant: Party,
    pub amends: Option<Amends>,
}

/// The code lists of the standard that are closed, as far as they can apply.
const METHODS: [&str; 4] = ["open", "selective", "limited", "direct"];
const CATEGORIES: [&str; 3] = ["goods", "works", "services"];
const TENDER_STATUSES: [&str; 7] =
    ["planning", "planned", "active", "cancelled", "unsuccessful", "complete", "withdrawn"];
const MILESTONE_STATUSES: [&str; 4] = ["scheduled", "met", "notMet", "partiallyMet"];

fn demand(holds: bool, field: &str, rule: &str) -> Result<(), Error> {
    if holds { Ok(()) } else { Err(Error::rule(field, rule)) }
}

fn one_of(codes: &[&str], code: &str, field: &str) -> Result<(), Error> {
    demand(codes.contains(&code), field, &format!("it is one of {}", codes.join(", ")))
}

fn time(text: &str, field: &str) -> Result<Time, Error> {
    Time::parse_iso(text)
        .ok_or_else(|| Error::rule(field, "it is a time in UTC, as 2026-11-22T00:00:00Z"))
}

/// Ids go into the text that is signed, one a line.
fn identifier(text: &str, field: &str) -> Result<(), Error> {
    let allowed = |b: u8| b.is_ascii_alphanumeric() || b"-._".contains(&b);
    let good = (1..=64).contains(&text.len()) && text.bytes().all(allowed);
    demand(good, field, "it is 1 to 64 letters, digits, '-', '.' and '_'")
}

fn only<'a, T>(all: &'a [T], field: &str) -> Result<&'a T, Error> {
    match all {
        [one] => Ok(one),
        _ => Err(Error::rule(field, "there is exactly one")),
    }
}

/// Checks every value of a document, whatever it is for.
///
/// Numbers must be the same after being a double, as they are in the canonical form and in every
/// JavaScript: two different clauses must never have one digest. Nothing is empty or null: the standard
/// leaves out what there is not. No text has characters that deceive
/// ([`crate::text`]).
pub fn values(value: &Value, pointer: &str) -> Result<(), Error> {
    match value {
        Value::Null => Err(Error::rule(pointer, "what there is not is left out")),
        Value::Bool(_) => Ok(()),
        Value::Number(number) => {
            let exact = match (number.as_i64(), number.as_u64()) {
                (Some(whole), _) => same_as_double(whole.unsigned_abs()),
                (None, Some(whole)) => same_as_double(whole),
                (None, None) => number.as_f64().is_some_and(f64::is_finite),
            };
            demand(exact, pointer, "a number is one that a double holds exactly")
        }
        Value::String(text) => {
            demand(!text.trim().is_empty(), pointer, "it is not empty")?;
            demand(
                !text.contains(deceives),
                pointer,
                "it has no control characters, and none that are invisible or turn the text",
            )
        }
        Value::Array(all) => {
            demand(!all.is_empty(), pointer, "it is not empty")?;
            let each = |(at, child)| values(child, &format!("{pointer}/{at}"));
            all.iter().enumerate().try_for_each(each)
        }
        Value::Object(all) => {
            demand(!all.is_empty(), pointer, "it is not empty")?;
            all.iter().try_for_each(|(name, child)| values(child, &format!("{pointer}/{name}")))
        }
    }
}

/// A double has 53 bits for the digits; zeros at the end cost none.
const fn same_as_double(whole: u64) -> bool {
    whole == 0 || u64::BITS - whole.leading_zeros() - whole.trailing_zeros() <= 53
}

/// Checks and reads everything but the clauses.
pub fn head(document: &Document) -> Result<Head, Error> {
    let ocid = &document.ocid;
    identifier(ocid, "ocid")?;
    let prefixed = ocid.strip_prefix("ocds-").and_then(|rest| rest.split_once('-'));
    demand(
        prefixed.is_some_and(|(prefix, rest)| {
            let lower = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit();
            prefix.len() == 6 && prefix.bytes().all(lower) && !rest.is_empty()
        }),
        "ocid",
        "it is ocds-, the publisher's prefix of six letters or digits, '-', and the process",
    )?;
    identifier(&document.id, "id")?;
    let tag = Tag::parse(only(&document.tag, "tag")?)
        .ok_or_else(|| Error::rule("tag", "contract, contractAmendment or contractTermination"))?;
    demand(document.initiation_type == "tender", "initiationType", "it is tender")?;
    demand(document.language == "id", "language", "it is id: the Indonesian text binds")?;
    let (provider, tenant) = parties(document)?;
    tender(document, tenant)?;
    let contract = contract(document, tag, provider)?;
    let (start, end) = period(contract, tag)?;
    Ok(Head {
        ocid: ocid.clone(),
        id: document.id.clone(),
        tag,
        date: time(&document.date, "date")?,
        start,
        end,
        title: both(&contract.title, contract.title_en.as_ref()),
        rationale: both(
            &document.tender.procurement_method_rationale,
            document.tender.procurement_method_rationale_en.as_ref(),
        ),
        provider: party(provider),
        tenant: party(tenant),
        amends: amends(document, contract, tag)?,
    })
}

fn both(id: &str, en: Option<&String>) -> Text {
    Text { id: id.to_owned(), en: en.map_or(id, String::as_str).to_owned() }
}

/// The one party that supplies, and the one that buys.
fn parties(document: &Document) -> Result<(&Organization, &Organization), Error> {
    for party in &document.parties {
        let same = document.parties.iter().filter(|other| other.id == party.id).count();
        demand(same == 1, "parties.id", "each party has its own")?;
    }
    let with = |role: &str| -> Vec<&Organization> {
        let has = |party: &&Organization| party.roles.iter().any(|own| own == role);
        document.parties.iter().filter(has).collect()
    };
    let provider = *only(&with("supplier"), "parties (role supplier)")?;
    let tenant = *only(&with("buyer"), "parties (role buyer)")?;
    demand(provider.id != tenant.id, "parties", "the provider is not the tenant")?;
    demand(document.buyer.id == tenant.id, "buyer.id", "it is that of the party with role buyer")?;
    Ok((provider, tenant))
}

fn party(of: &Organization) -> Party {
    let contact = of.contact_point.as_ref().and_then(Disclosed::shown);
    Party {
        name: of.name.clone(),
        scheme: of.identifier.scheme.clone(),
        id: of.identifier.id.clone(),
        additional: of
            .additional_identifiers
            .iter()
            .map(|other| (other.scheme.clone(), other.id.clone()))
            .collect(),
        contact: contact.map(|contact| contact.name.clone()),
    }
}

fn tender(document: &Document, tenant: &Organization) -> Result<(), Error> {
    let tender = &document.tender;
    demand(
        tender.procuring_entity.id == tenant.id,
        "tender.procuringEntity.id",
        "it is that of the party with role buyer",
    )?;
    one_of(&METHODS, &tender.procurement_method, "tender.procurementMethod")?;
    one_of(&TENDER_STATUSES, &tender.status, "tender.status")?;
    one_of(&CATEGORIES, &tender.main_procurement_category, "tender.mainProcurementCategory")
}

fn contract<'a>(
    document: &'a Document,
    tag: Tag,
    provider: &Organization,
) -> Result<&'a Contract, Error> {
    let award = only(&document.awards, "awards")?;
    let contract = only(&document.contracts, "contracts")?;
    demand(award.status == "active", "awards.status", "it is active")?;
    let supplier = only(&award.suppliers, "awards.suppliers")?;
    demand(supplier.id == provider.id, "awards.suppliers.id", "it is that of the supplier")?;
    if let Some(date) = &award.date {
        time(date, "awards.date")?;
    }
    demand(contract.award_id == award.id, "contracts.awardID", "it is the id of the award")?;
    one_of(&[write::status(tag)], &contract.status, "contracts.status")?;
    if let Some(date) = &contract.date_signed {
        time(date, "contracts.dateSigned")?;
    }
    money(document, contract)?;
    milestones(contract)?;
    Ok(contract)
}

/// Amounts are of the price book's currency, and the items are those of the price book: nobody reads
/// one price in the standard's fields and pays another.
fn money(document: &Document, contract: &Contract) -> Result<(), Error> {
    let book = &contract.sovereign.price_book;
    let budget = document.planning.as_ref().and_then(|plan| plan.budget.as_ref());
    let values = [
        (contract.value.as_ref(), "contracts.value"),
        (document.awards.first().and_then(|award| award.value.as_ref()), "awards.value"),
        (budget.and_then(|budget| budget.amount.as_ref()), "planning.budget.amount"),
    ];
    for (value, field) in values {
        let Some(value) = value else { continue };
        demand(value.currency == book.currency, field, "its currency is the price book's")?;
        demand(value.amount.as_f64().is_some_and(|n| n >= 0.0), field, "it is not negative")?;
    }
    let expected = write::items(book);
    let rule = "they are one for each price of the price book, in order, or left out";
    for (items, field) in
        [(&contract.items, "contracts.items"), (&document.tender.items, "tender.items")]
    {
        demand(items.is_empty() || *items == expected, field, rule)?;
    }
    Ok(())
}

fn milestones(contract: &Contract) -> Result<(), Error> {
    let done = contract.implementation.as_ref();
    let milestones =
        contract.milestones.iter().chain(done.into_iter().flat_map(|done| &done.milestones));
    for milestone in milestones {
        one_of(&MILESTONE_STATUSES, &milestone.status, "contracts.milestones.status")?;
        time(&milestone.due_date, "contracts.milestones.dueDate")?;
    }
    Ok(())
}

fn period(contract: &Contract, tag: Tag) -> Result<(Time, Option<Time>), Error> {
    let start = time(&contract.period.start_date, "contracts.period.startDate")?;
    let end = contract.period.end_date.as_ref();
    let end = end.map(|end| time(end, "contracts.period.endDate")).transpose()?;
    let later = end.is_none_or(|end| end > start);
    demand(later, "contracts.period.endDate", "it is after the start")?;
    let said = tag != Tag::ContractTermination || end.is_some();
    demand(said, "contracts.period.endDate", "a termination says when")?;
    Ok((start, end))
}

fn amends(document: &Document, contract: &Contract, tag: Tag) -> Result<Option<Amends>, Error> {
    let field = "contracts.amendments";
    if tag == Tag::Contract {
        demand(contract.amendments.is_empty(), field, "a first release amends nothing")?;
        return Ok(None);
    }
    let amendment = only(&contract.amendments, field)?;
    demand(amendment.release_id == document.id, field, "releaseID is the id of this release")?;
    identifier(&amendment.amends_release_id, "contracts.amendments.amendsReleaseID")?;
    demand(amendment.amends_release_id != document.id, field, "a release does not amend itself")?;
    time(&amendment.date, "contracts.amendments.date")?;
    Ok(Some(Amends {
        release: amendment.amends_release_id.clone(),
        rationale: both(&amendment.rationale, amendment.rationale_en.as_ref()),
    }))
}

/// Takes the clauses out and checks them.
pub fn terms(document: Document) -> Result<Terms, Error> {
    let contract = document.contracts.into_iter().next();
    let Contract { sovereign, .. } =
        contract.ok_or_else(|| Error::rule("contracts", "there is exactly one"))?;
    sovereign.check().map_err(|rule| Error::rule("contracts.sovereign", rule))?;
    Ok(sovereign)
}
