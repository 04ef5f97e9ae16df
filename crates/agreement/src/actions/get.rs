//! Reading agreements: `GetAgreement`, `ListAgreements`, `GetAgreementRelease`.

use base::{AccountId, ApiError};
use engine::page::{ByToken, Page};
use engine::{Action, Cx, Meta};
use serde::{Deserialize, Serialize};
use terms::signature;

use super::{asked, listed, making, read};
use crate::errors::NO_AGREEMENT;
use crate::lifecycle;
use crate::tables::release::{self, Row, State};
use crate::tables::term;

/// What binds an account now; where nothing does, what did last, or what will next.
pub(super) struct GetAgreement;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct GetRequest {
    account_id: Option<AccountId>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct GetResponse {
    agreement: InForce,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct InForce {
    account_id: AccountId,
    ocid: String,
    release_id: String,
    digest: String,
    /// `Active` or `Ended`.
    state: &'static str,
    active_since: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    until: Option<String>,
    services: Vec<String>,
}

impl Action for GetAgreement {
    const META: Meta = read("GetAgreement");
    type Request = GetRequest;
    type Response = GetResponse;

    fn run(cx: &mut Cx<'_>, request: GetRequest) -> Result<GetResponse, ApiError> {
        let own = cx.account();
        cx.authorize(&format!("acs:awan:*:{own}:agreement"))?;
        let (account, now) = (asked(cx, request.account_id)?, cx.now);
        let term = match term::begun(cx.tx(), account, now)? {
            Some(term) => Some(term),
            None => term::last(cx.tx(), account)?,
        };
        let term = term.ok_or(ApiError::new(&NO_AGREEMENT))?;
        let row = release::by_digest(cx.tx(), &term.digest)?;
        let row = row.ok_or_else(|| ApiError::internal("a term without its release"))?;
        let services = lifecycle::read(cx.tx(), &row)?.terms().services.clone();
        let state = if term.over(now) { State::Ended } else { State::Active };
        Ok(GetResponse {
            agreement: InForce {
                account_id: account,
                ocid: row.ocid,
                release_id: row.id,
                digest: row.digest,
                state: state.name(),
                active_since: term.begins.iso(),
                until: term.ends.map(base::Time::iso),
                services,
            },
        })
    }
}

/// Lists releases in the order in which they were made.
pub(super) struct ListAgreements;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct ListRequest {
    account_id: Option<AccountId>,
    #[serde(flatten)]
    page: ByToken,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct ListResponse {
    agreements: Items,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_token: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Items {
    agreement: Vec<Item>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Item {
    ocid: String,
    release_id: String,
    account_id: AccountId,
    tag: String,
    state: &'static str,
    digest: String,
    date: String,
    provider: String,
    tenant: String,
    signed_by_provider: bool,
    signed_by_tenant: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    active_since: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    until: Option<String>,
}

impl Item {
    fn of(cx: &mut Cx<'_>, row: Row) -> Result<Self, ApiError> {
        let now = cx.now;
        let (state, term) = lifecycle::state(cx.tx(), &row, now)?;
        Ok(Self {
            ocid: row.ocid,
            release_id: row.id,
            account_id: row.account,
            tag: row.tag,
            state: state.name(),
            digest: row.digest,
            date: row.date.iso(),
            provider: row.provider,
            tenant: row.tenant,
            signed_by_provider: !row.signed_provider.is_empty(),
            signed_by_tenant: !row.signed_tenant.is_empty(),
            active_since: term.as_ref().map(|term| term.begins.iso()),
            until: term.and_then(|term| term.ends).map(base::Time::iso),
        })
    }
}

impl Action for ListAgreements {
    const META: Meta = read("ListAgreements");
    type Request = ListRequest;
    type Response = ListResponse;

    fn run(cx: &mut Cx<'_>, request: ListRequest) -> Result<ListResponse, ApiError> {
        lifecycle::authorize(cx, "*")?;
        let account = listed(cx, request.account_id)?;
        let limit = request.page.limit(50, 100)?;
        let after = request.page.after()?.and_then(|number| number.parse().ok()).unwrap_or(0);
        let rows = release::list(cx.tx(), account, after, limit + 1)?;
        let page = Page::cut(rows, limit, |row| row.number.to_string());
        let items = page.rows.into_iter().map(|row| Item::of(cx, row));
        let agreement = items.collect::<Result<_, _>>()?;
        Ok(ListResponse { agreements: Items { agreement }, next_token: page.next })
    }
}

/// One release, whole. Parties see all of it from the draft on, everybody else what is published.
pub(super) struct GetAgreementRelease;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct ReleaseRequest {
    ocid: String,
    release_id: String,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct ReleaseResponse {
    account_id: AccountId,
    state: &'static str,
    digest: String,
    /// The canonical document, as text.
    document: String,
    /// What the parties sign.
    statement: String,
    /// The signed note, as far as it is signed; empty before.
    signatures: String,
    /// What opens withheld fields, JSON; to the parties only.
    #[serde(skip_serializing_if = "String::is_empty")]
    openings: String,
}

impl Action for GetAgreementRelease {
    const META: Meta = read("GetAgreementRelease");
    type Request = ReleaseRequest;
    type Response = ReleaseResponse;

    fn run(cx: &mut Cx<'_>, request: ReleaseRequest) -> Result<ReleaseResponse, ApiError> {
        lifecycle::authorize(cx, &request.ocid)?;
        let row = release::find(cx.tx(), &request.ocid, &request.release_id)?;
        let row = row.ok_or(ApiError::new(&NO_AGREEMENT))?;
        let party = lifecycle::sides(cx, row.account).is_ok();
        if !party && matches!(row.state, State::Draft | State::Signed) {
            return Err(NO_AGREEMENT.into());
        }
        let now = cx.now;
        let (state, _) = lifecycle::state(cx.tx(), &row, now)?;
        let release = lifecycle::read(cx.tx(), &row)?;
        let signatures = match row.signatures() {
            lines if lines.is_empty() => Vec::new(),
            lines => signature::join(&release, &lines).map_err(ApiError::internal)?,
        };
        Ok(ReleaseResponse {
            account_id: row.account,
            state: state.name(),
            digest: row.digest,
            document: making::text(&release)?,
            statement: signature::statement(&release),
            signatures: String::from_utf8(signatures).map_err(ApiError::internal)?,
            openings: if party { row.openings } else { String::new() },
        })
    }
}
