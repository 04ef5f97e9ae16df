//! awan 2026-01-01 `ListDamagedObjects`: what scrubs found in no copy and is still so, by bucket and key. For
//! the operator only. It names keys, and shows nothing of what is in the objects.

use base::ApiError;
use engine::page::ByToken;
use engine::{Action, Cx, Meta};
use serde::{Deserialize, Serialize};

use crate::model::Damage;
use crate::tables;

const ITEMS_MAX: u32 = 1_000;

pub(super) struct ListDamagedObjects;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Request {
    #[serde(flatten)]
    page: ByToken,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Response {
    is_truncated: bool,
    damaged_objects: Items,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Items {
    damaged_object: Vec<Item>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Item {
    bucket: String,
    key: String,
    /// The age of a version behind the current one, or the id of an upload; empty for the current object.
    version: String,
    /// The part's number; 0 outside uploads.
    part: u32,
    /// 0 where the row itself does not read.
    segment: u32,
    start: u32,
    length: u32,
    found_at: String,
}

impl From<Damage> for Item {
    fn from(damage: Damage) -> Self {
        Self {
            bucket: damage.bucket,
            key: damage.key,
            version: damage.upload,
            part: damage.part,
            segment: damage.segment,
            start: damage.start,
            length: damage.length,
            found_at: damage.found_at.iso(),
        }
    }
}

impl Action for ListDamagedObjects {
    const META: Meta = Meta::read("awan", "2026-01-01", "ListDamagedObjects");
    type Request = Request;
    type Response = Response;

    fn run(cx: &mut Cx<'_>, request: Request) -> Result<Response, ApiError> {
        let limit = request.page.limit(ITEMS_MAX, ITEMS_MAX)?;
        let operator = cx.account();
        cx.require_operator(&format!("acs:awan:*:{operator}:damage"))?;
        let mut found = tables::damage::list(cx.tx(), limit + 1)?;
        let is_truncated = found.len() > limit;
        found.truncate(limit);
        let damaged_object = found.into_iter().map(Item::from).collect();
        Ok(Response { is_truncated, damaged_objects: Items { damaged_object } })
    }
}
