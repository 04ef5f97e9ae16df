//! What may become of a release, and when: drafted, signed by both parties, published, activated; later
//! superseded by an amendment, or ended. What a release says is never changed: a change is a new release.
//!
//! Each party puts its own signature in, so that nobody can make up a tenant's key; and a process keeps
//! the tenant's key for life, so that an amendment or an end is signed by whoever signed before.

use std::time::Duration;

use base::{AccountId, ApiError, Time, code};
use engine::Cx;
use store::Tx;
use terms::Release;
use terms::redact::{self, Opening};
use terms::release::Tag;
use terms::signature::{self, Signed};

use crate::covenant::{compile, parse_stored};
use crate::errors::{
    AGREEMENT_EXISTS, NO_AGREEMENT, NOTICE, STALE_SIGNATURE, WRONG_STATE, invalid,
};
use crate::tables::provider;
use crate::tables::release::{self, Row, Side, State};
use crate::tables::term::{self, Term};

const HOUR: Duration = Duration::from_secs(3600);
const DAY_SECS: u64 = 86_400;
/// Releases of one account that nobody has published: each keeps up to 60 kB.
const UNPUBLISHED_MAX: i64 = 50;
/// For how long a signature is an offer.
const OFFER_LIFE: Duration = Duration::from_secs(90 * DAY_SECS);

/// For which of the parties a caller may act.
#[derive(Clone, Copy)]
pub(crate) struct Sides {
    pub(crate) provider: bool,
    pub(crate) tenant: bool,
}

/// Requires permission on an agreement.
pub(crate) fn authorize(cx: &mut Cx<'_>, ocid: &str) -> Result<(), ApiError> {
    let own = cx.account();
    cx.authorize(&format!("acs:awan:*:{own}:agreement/{ocid}"))
}

/// For whom the caller acts in what concerns `tenant`; what is about others does not exist for it. The
/// entry will stand in the tenant's trail.
pub(crate) fn sides(cx: &mut Cx<'_>, tenant: AccountId) -> Result<Sides, ApiError> {
    let sides = Sides { provider: cx.caller.operator, tenant: cx.account() == tenant };
    if !sides.provider && !sides.tenant {
        return Err(NO_AGREEMENT.into());
    }
    cx.audit_account(tenant);
    Ok(sides)
}

/// Finds a release that the caller is a party to.
pub(crate) fn find(cx: &mut Cx<'_>, ocid: &str, id: &str) -> Result<(Row, Sides), ApiError> {
    authorize(cx, ocid)?;
    let row = release::find(cx.tx(), ocid, id)?.ok_or(ApiError::new(&NO_AGREEMENT))?;
    let sides = sides(cx, row.account)?;
    cx.audit_detail("Release", &row.digest);
    Ok((row, sides))
}

/// Reads the document that a row stands for.
pub(crate) fn read(tx: &mut Tx<'_>, row: &Row) -> Result<Release, ApiError> {
    parse_stored(&release::document(tx, &row.digest)?)
}

/// Reads a document that somebody sent, which must do what is asked.
pub(crate) fn parse(document: &str, tag: Tag) -> Result<Release, ApiError> {
    let release = Release::parse(document.as_bytes())
        .map_err(|error| invalid("Document", error.to_string()))?;
    if release.tag() != tag {
        let tag = tag.as_str();
        return Err(invalid("Document", format!("The tag of this release must be {tag}.")));
    }
    compile(&release).map_err(|error| invalid("Document", error))?;
    Ok(release)
}

/// Refuses a release that is not between this provider, with its present key and log, and `account`.
fn belongs(tx: &mut Tx<'_>, account: AccountId, release: &Release) -> Result<(), ApiError> {
    let (provider, terms) = (provider::get(tx)?, release.terms());
    let wrong = |what: &str| Err(invalid("Document", format!("{what} is not that of this cloud.")));
    if terms.account != account {
        return Err(invalid("Document", format!("The clauses are those of {}.", terms.account)));
    }
    if !names_account(release.ocid(), account) {
        let message =
            format!("The ocid is the prefix, '-', {account} and, where wanted, '-' and a number.");
        return Err(invalid("Document", message));
    }
    if terms.keys.provider != provider.key {
        return wrong("The provider's key");
    }
    if terms.log != provider.log {
        return wrong("The log");
    }
    Ok(())
}

/// Whether a contracting process is called after the account: `ocds-<prefix>-<account>`, or that with a number
/// behind it. Nobody takes the name of another's.
fn names_account(ocid: &str, account: AccountId) -> bool {
    let process = ocid.splitn(3, '-').nth(2).unwrap_or_default();
    let number = |text: &str| {
        (1..=9).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit())
    };
    process
        .strip_prefix(&account.to_string())
        .is_some_and(|rest| rest.is_empty() || rest.strip_prefix('-').is_some_and(number))
}

/// The release that an amendment or an end follows: the last of its process, and still to have an
/// effect; with its term.
fn followed(
    tx: &mut Tx<'_>,
    account: AccountId,
    release: &Release,
    now: Time,
) -> Result<(Release, Term), ApiError> {
    let none = || WRONG_STATE.error("No agreement of that account is in force.");
    let term = term::last(tx, account)?.filter(|term| !term.over(now)).ok_or_else(none)?;
    let before = parse_stored(&release::document(tx, &term.digest)?)?;
    if before.ocid() != release.ocid() {
        return Err(none());
    }
    if release.amends().is_none_or(|amends| amends.release != before.id()) {
        let id = before.id();
        return Err(invalid("Document", format!("The release to amend or to end is {id}.")));
    }
    if release.terms().keys.tenant != before.terms().keys.tenant {
        let message = "The tenant's key stays the same as long as the agreement lasts.";
        return Err(invalid("Document", message));
    }
    if release.terms().price_book.currency != before.terms().price_book.currency {
        let message = "The currency stays the same as long as the agreement lasts.";
        return Err(invalid("Document", message));
    }
    Ok((before, term))
}

/// Adds a release as a draft, or finds it where the same was added before.
pub(crate) fn draft(
    cx: &mut Cx<'_>,
    account: AccountId,
    release: &Release,
    openings: Option<&str>,
) -> Result<Row, ApiError> {
    let openings = check_openings(release, openings)?;
    belongs(cx.tx(), account, release)?;
    if release.tag() == Tag::ContractAmendment {
        let now = cx.now;
        followed(cx.tx(), account, release, now)?;
    }
    if let Some(row) = release::find(cx.tx(), release.ocid(), release.id())? {
        let same = row.digest == release.digest() && row.account == account;
        return if same { Ok(row) } else { Err(AGREEMENT_EXISTS.into()) };
    }
    if release.tag() == Tag::Contract && release::owner(cx.tx(), release.ocid())?.is_some() {
        return Err(AGREEMENT_EXISTS.into());
    }
    let (_, unpublished) = release::count(cx.tx(), account)?;
    if unpublished >= UNPUBLISHED_MAX {
        return Err(code::QUOTA_EXCEEDED
            .error(format!("An account has {UNPUBLISHED_MAX} unpublished releases at most.")));
    }
    let row = Row { openings, ..row(account, release, State::Draft) };
    release::insert(cx.tx(), &row, release.bytes())?;
    Ok(row)
}

/// The row of a release that nobody signed.
pub(crate) fn row(account: AccountId, release: &Release, state: State) -> Row {
    Row {
        number: 0,
        ocid: release.ocid().to_owned(),
        id: release.id().to_owned(),
        account,
        tag: release.tag().as_str().to_owned(),
        state,
        digest: release.digest().to_owned(),
        date: release.date(),
        provider: release.provider().name.clone(),
        tenant: release.tenant().name.clone(),
        signed_provider: String::new(),
        signed_tenant: String::new(),
        signed_provider_at: Time::from_secs(0),
        signed_tenant_at: Time::from_secs(0),
        openings: String::new(),
    }
}

/// Checks that openings open what the release withholds.
fn check_openings(release: &Release, openings: Option<&str>) -> Result<String, ApiError> {
    let Some(text) = openings.filter(|text| !text.is_empty()) else { return Ok(String::new()) };
    let refused = |why: String| invalid("Openings", why);
    let openings: Vec<Opening> =
        serde_json::from_str(text).map_err(|error| refused(error.to_string()))?;
    for opening in &openings {
        redact::open(release.document(), opening).map_err(|error| refused(error.to_string()))?;
    }
    serde_json::to_string(&openings).map_err(ApiError::internal)
}

/// Whose signature a line is. A party puts in its own only.
fn signed_by(release: &Release, line: &str, sides: Sides) -> Result<Signed, ApiError> {
    let refused = |error: signature::Error| invalid("SignatureLine", error.to_string());
    let note = signature::join(release, &[line]).map_err(refused)?;
    let signed = signature::verify(release, &note).map_err(refused)?;
    if signed.provider && !sides.provider || signed.tenant && !sides.tenant {
        return Err(invalid("SignatureLine", "Each party puts in its own signature."));
    }
    Ok(signed)
}

/// Takes a party's signature; answers who has signed by now.
pub(crate) fn sign(
    cx: &mut Cx<'_>,
    row: &mut Row,
    sides: Sides,
    line: &str,
) -> Result<(), ApiError> {
    if !matches!(row.state, State::Draft | State::Signed) {
        return Err(WRONG_STATE.error("A release is signed before it is published."));
    }
    let release = read(cx.tx(), row)?;
    let (line, signed) = (line.trim_end(), signed_by(&release, line, sides)?);
    if signed.provider {
        set_signature(cx, row, Side::Provider, line)?;
    }
    if signed.tenant {
        set_signature(cx, row, Side::Tenant, line)?;
    }
    if row.signatures().len() == 2 {
        set_state(cx.tx(), row, State::Signed)?;
    }
    Ok(())
}

fn set_signature(cx: &mut Cx<'_>, row: &mut Row, side: Side, line: &str) -> Result<(), ApiError> {
    let now = cx.now;
    release::set_signature(cx.tx(), &row.digest, side, (line, now))?;
    let (kept, at) = match side {
        Side::Provider => (&mut row.signed_provider, &mut row.signed_provider_at),
        Side::Tenant => (&mut row.signed_tenant, &mut row.signed_tenant_at),
    };
    (*kept, *at) = (line.to_owned(), now);
    Ok(())
}

/// Takes the caller's signature back from a release that does not bind yet. One that is published stays
/// so, and can never bind: a new one takes its place.
pub(crate) fn withdraw(cx: &mut Cx<'_>, row: &mut Row, sides: Sides) -> Result<(), ApiError> {
    let published = row.state == State::Published;
    let offer = matches!(row.state, State::Draft | State::Signed) || published;
    if !offer || row.tag == Tag::ContractTermination.as_str() {
        return Err(WRONG_STATE.error("A signature is taken back before the release binds."));
    }
    let mut withdrawn = Vec::new();
    for (mine, signed, side) in [
        (sides.provider, !row.signed_provider.is_empty(), Side::Provider),
        (sides.tenant, !row.signed_tenant.is_empty(), Side::Tenant),
    ] {
        if mine && signed {
            set_signature(cx, row, side, "")?;
            withdrawn.push(side.name());
        }
    }
    if withdrawn.is_empty() {
        return Err(WRONG_STATE.error("There is no signature of this party to take back."));
    }
    if published {
        cx.public("tenant", row.account.to_string());
        cx.public("ocid", row.ocid.as_str());
        cx.public("release", row.id.as_str());
        cx.public("withdrawn", withdrawn);
    }
    let state = if published { State::Withdrawn } else { State::Draft };
    set_state(cx.tx(), row, state)
}

fn set_state(tx: &mut Tx<'_>, row: &mut Row, state: State) -> Result<(), ApiError> {
    row.state = state;
    release::set_state(tx, &row.digest, state)
}

/// Publishes the document and its signatures and states them in the leaf.
fn state_publicly(cx: &mut Cx<'_>, row: &Row, release: &Release) -> Result<Signed, ApiError> {
    let broken = |error: signature::Error| ApiError::internal(format!("a kept signature: {error}"));
    let note = signature::join(release, &row.signatures()).map_err(broken)?;
    let signed = signature::verify(release, &note).map_err(broken)?;
    let (document, signatures) = (cx.publish(release.bytes())?, cx.publish(&note)?);
    cx.public("tenant", row.account.to_string());
    cx.public("ocid", row.ocid.as_str());
    cx.public("release", row.id.as_str());
    cx.public("tag", row.tag.as_str());
    cx.public("document", document);
    cx.public("signatures", signatures);
    Ok(signed)
}

/// Publishes a release that both parties signed.
pub(crate) fn publish(cx: &mut Cx<'_>, row: &mut Row) -> Result<(), ApiError> {
    match row.state {
        State::Signed => {}
        State::Draft => {
            return Err(WRONG_STATE.error("Both parties sign a release before it is published."));
        }
        _ => return Err(WRONG_STATE.error("The release is published already.")),
    }
    let release = read(cx.tx(), row)?;
    state_publicly(cx, row, &release)?;
    set_state(cx.tx(), row, State::Published)
}

/// Makes a release bind, and publishes it where it is not yet: from now on, from its start, or, where
/// another release binds in that hour, from the hour after. What it supersedes binds until then.
pub(crate) fn activate(cx: &mut Cx<'_>, row: &mut Row) -> Result<Term, ApiError> {
    match row.state {
        State::Signed | State::Published => {}
        State::Draft => {
            return Err(WRONG_STATE.error("Both parties sign a release before it binds them."));
        }
        State::Withdrawn => {
            return Err(WRONG_STATE.error("A party took its signature back: make a new release."));
        }
        _ => return Err(WRONG_STATE.error("The release has been active already.")),
    }
    let release = read(cx.tx(), row)?;
    if !state_publicly(cx, row, &release)?.both() {
        return Err(WRONG_STATE.error("Both parties sign a release before it binds them."));
    }
    let (account, now) = (row.account, cx.now);
    let tx = cx.tx();
    belongs(tx, account, &release)?;
    refuse_stale(tx, row, now)?;
    match release.tag() {
        Tag::Contract => refuse_second(tx, account, now)?,
        Tag::ContractAmendment => drop(followed(tx, account, &release, now)?),
        Tag::ContractTermination => {
            return Err(WRONG_STATE.error("An agreement is ended by EndAgreement."));
        }
    }
    let begins = binding_moment(tx, account, (now.max(release.start()), now))?;
    let term = Term { begins, ends: release.end(), digest: row.digest.clone(), amended: false };
    if term.over(begins) {
        return Err(code::AGREEMENT_ENDED.error("The term of this release is over."));
    }
    for superseded in term::cut(tx, account, begins, true)? {
        release::set_state(tx, &superseded, State::Superseded)?;
    }
    term::insert(tx, account, &term)?;
    set_state(tx, row, State::Active)?;
    Ok(term)
}

/// A signature is no offer for ever: not after 90 days, and, for a new agreement, not beyond the end of the
/// one before it, which the parties may have had their reasons for.
fn refuse_stale(tx: &mut Tx<'_>, row: &Row, now: Time) -> Result<(), ApiError> {
    let offered = row.offered();
    let ended = term::last(tx, row.account)?.and_then(|term| term.ends).filter(|end| *end <= now);
    let outlived = row.tag == Tag::Contract.as_str() && ended.is_some_and(|end| offered < end);
    if outlived || offered.plus(OFFER_LIFE) < now {
        return Err(STALE_SIGNATURE.into());
    }
    Ok(())
}

fn refuse_second(tx: &mut Tx<'_>, account: AccountId, now: Time) -> Result<(), ApiError> {
    match term::last(tx, account)? {
        Some(term) if !term.over(now) => Err(WRONG_STATE
            .error("An agreement of that account is in force, or will be: amend it or end it.")),
        _ => Ok(()),
    }
}

/// No hour has two price books: where any release binds earlier in the hour, another binds from the next.
fn binding_moment(
    tx: &mut Tx<'_>,
    account: AccountId,
    (wanted, now): (Time, Time),
) -> Result<Time, ApiError> {
    // This very moment is the past: what binds now has been acted on.
    let past = Duration::from_micros(1);
    let (hour, until) = (wanted.hour(), wanted.max(now.plus(past)));
    let shared = hour < until && term::any_within(tx, account, (hour, until))?;
    Ok(if shared { hour.plus(HOUR) } else { wanted })
}

/// Ends an agreement by a termination that one party signed: at once where it is the tenant, with the
/// notice of the agreement where it is the provider.
pub(crate) fn end(
    cx: &mut Cx<'_>,
    account: AccountId,
    release: &Release,
    (line, sides): (&str, Sides),
) -> Result<(Row, Time), ApiError> {
    let now = cx.now;
    belongs(cx.tx(), account, release)?;
    if release::find(cx.tx(), release.ocid(), release.id())?.is_some() {
        return Err(AGREEMENT_EXISTS.into());
    }
    let (before, term) = followed(cx.tx(), account, release, now)?;
    let signed = signed_by(release, line, sides)?;
    let asked = release.end().unwrap_or(now);
    let ends = if signed.tenant { asked.max(now) } else { with_notice(&before, asked, now)? };
    if term.over(ends) {
        return Err(invalid("Document", "The agreement ends before that anyway."));
    }
    let line = line.trim_end().to_owned();
    let mut row = row(account, release, State::Published);
    if signed.tenant {
        row.signed_tenant = line;
    } else {
        row.signed_provider = line;
    }
    release::insert(cx.tx(), &row, release.bytes())?;
    state_publicly(cx, &row, release)?;
    for ended in term::cut(cx.tx(), account, ends, false)? {
        release::set_state(cx.tx(), &ended, State::Ended)?;
    }
    Ok((row, ends))
}

fn with_notice(before: &Release, asked: Time, now: Time) -> Result<Time, ApiError> {
    let days = before.terms().exit.notice_days;
    let earliest = now.plus(Duration::from_secs(u64::from(days) * DAY_SECS));
    if asked >= earliest {
        return Ok(asked);
    }
    Err(NOTICE.error(format!(
        "The provider ends this agreement with {days} days of notice: not before {earliest}."
    )))
}

/// The state of a release as it is now, and its term where it has or had one.
pub(crate) fn state(
    tx: &mut Tx<'_>,
    row: &Row,
    now: Time,
) -> Result<(State, Option<Term>), ApiError> {
    let term = term::of_release(tx, &row.digest)?;
    let state = match (&term, row.state) {
        (Some(term), State::Active) if term.over(now) && term.amended => State::Superseded,
        (Some(term), State::Active) if term.over(now) => State::Ended,
        (_, state) => state,
    };
    Ok((state, term))
}
