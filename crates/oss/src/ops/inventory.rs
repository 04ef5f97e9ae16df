//! The inventories of a bucket: set, tell, list, delete. What they have written is in `report`.

use base::{ApiError, Code};
use engine::Cx;
use policy::bucket::Says;

use super::bucket::{require_on, require_to_read};
use super::report::folder;
use super::{RequestCtx, find_bucket, meta};
use crate::access::{Need, says_of_service};
use crate::config;
use crate::config::inventory::{Form, Inventory};
use crate::meter::{GETS, LISTS, PUTS};
use crate::model::Bucket;
use crate::{Oss, error, tables};

/// Inventories of one bucket, at most.
const INVENTORIES_MAX: u64 = 1000;
/// Inventories that one page of a listing has.
const PAGE: usize = 100;
/// The service that writes reports, as policies of S3 name it.
pub(super) const SERVICE: &str = "s3.amazonaws.com";

/// There is no inventory of that id.
pub(crate) static NO_INVENTORY: Code =
    Code::new("NoSuchInventory", 404, "The bucket has no such inventory.");
static TOO_MANY: Code =
    Code::new("TooManyConfigurations", 400, "The bucket has as many inventories as it can have.");
static NO_DESTINATION: Code =
    Code::new("InvalidS3DestinationBucket", 400, "There is no such destination bucket.");

impl Oss {
    /// Sets an inventory. The first report of a new one is written soon.
    ///
    /// # Errors
    /// `NoSuchBucket`, `TooManyConfigurations`, `InvalidS3DestinationBucket`, and `AccessDenied`, also where
    /// reports may not be written to the destination.
    pub(crate) async fn set_inventory(
        &self,
        ctx: &RequestCtx,
        name: &str,
        inventory: Inventory,
    ) -> Result<(), ApiError> {
        let name = name.to_owned();
        let set = move |cx: &mut Cx<'_>| {
            let bucket = find_bucket(cx, &name)?;
            require_on(cx, &bucket, Need::Own)?;
            note(cx, &bucket, &inventory.id);
            let to = &inventory.destination.bucket;
            let target = tables::bucket::find(cx.tx(), to)?;
            let target = target
                .ok_or_else(|| ApiError::new(&NO_DESTINATION).field("Bucket", to.as_str()))?;
            if !may_write(&bucket, &target, &inventory, cx.now)? {
                let why = "The destination bucket does not let reports be written to it.";
                return Err(error::ACCESS_DENIED.error(why).field("Bucket", to.as_str()));
            }
            let known = tables::inventory::find(cx.tx(), bucket.id, &inventory.id)?.is_some();
            if !known && tables::inventory::count(cx.tx(), bucket.id)? >= INVENTORIES_MAX {
                return Err(ApiError::new(&TOO_MANY));
            }
            let document = serde_json::to_string(&inventory).map_err(ApiError::internal)?;
            let now = cx.now;
            tables::inventory::set(cx.tx(), bucket.id, &inventory.id, &document, now)
        };
        self.0.cloud.write(ctx.session(meta::PUT_BUCKET_INVENTORY), set).await
    }

    /// An inventory.
    ///
    /// # Errors
    /// `NoSuchBucket`, `NoSuchInventory`, `AccessDenied`.
    pub(crate) async fn inventory(
        &self,
        ctx: &RequestCtx,
        name: &str,
        id: &str,
    ) -> Result<Inventory, ApiError> {
        let (asked, id) = (name.to_owned(), id.to_owned());
        let find = move |cx: &mut Cx<'_>| {
            let bucket = find_bucket(cx, &asked)?;
            require_to_read(cx, &bucket, Need::Own)?;
            let found = tables::inventory::find(cx.tx(), bucket.id, &id)?;
            let document = found.ok_or_else(|| ApiError::new(&NO_INVENTORY))?;
            Ok((bucket, document))
        };
        let seen = self.read(ctx, (meta::GET_BUCKET_INVENTORY, GETS), name, find).await?;
        config::restore(&seen.found)
    }

    /// A page of a bucket's inventories after an id, and whether there are more.
    ///
    /// # Errors
    /// `NoSuchBucket`, `AccessDenied`.
    pub(crate) async fn inventories(
        &self,
        ctx: &RequestCtx,
        name: &str,
        after: &str,
    ) -> Result<(Vec<Inventory>, bool), ApiError> {
        let (asked, after) = (name.to_owned(), after.to_owned());
        let list = move |cx: &mut Cx<'_>| {
            let bucket = find_bucket(cx, &asked)?;
            require_to_read(cx, &bucket, Need::Own)?;
            let found = tables::inventory::list(cx.tx(), bucket.id, &after, PAGE + 1)?;
            Ok((bucket, found))
        };
        let mut found =
            self.read(ctx, (meta::LIST_BUCKET_INVENTORY, LISTS), name, list).await?.found;
        let more = found.len() > PAGE;
        found.truncate(PAGE);
        let page = found.iter().map(|(_, document)| config::restore(document));
        Ok((page.collect::<Result<_, _>>()?, more))
    }

    /// Deletes an inventory. The reports that it had written stay.
    ///
    /// # Errors
    /// `NoSuchBucket`, `NoSuchInventory`, `AccessDenied`.
    pub(crate) async fn delete_inventory(
        &self,
        ctx: &RequestCtx,
        name: &str,
        id: &str,
    ) -> Result<(), ApiError> {
        let (name, id) = (name.to_owned(), id.to_owned());
        let delete = move |cx: &mut Cx<'_>| {
            let bucket = find_bucket(cx, &name)?;
            require_on(cx, &bucket, Need::Own)?;
            note(cx, &bucket, &id);
            if tables::inventory::delete(cx.tx(), bucket.id, &id)? {
                return Ok(());
            }
            Err(ApiError::new(&NO_INVENTORY))
        };
        self.0.cloud.write(ctx.session(meta::DELETE_BUCKET_INVENTORY), delete).await
    }
}

/// What the audit and the usage say of a change.
fn note(cx: &mut Cx<'_>, bucket: &Bucket, id: &str) {
    cx.audit_account(bucket.owner);
    cx.audit_resource(bucket.arn());
    cx.audit_detail("inventory", id);
    cx.count(bucket.owner, &bucket.arn(), PUTS, 1);
}

/// Whether reports of a bucket may be written to another: within an account, and in S3 also where the other's
/// policy lets the service.
pub(super) fn may_write(
    bucket: &Bucket,
    target: &Bucket,
    inventory: &Inventory,
    now: base::Time,
) -> Result<bool, ApiError> {
    if target.owner == bucket.owner || inventory.form == Form::Oss {
        return Ok(target.owner == bucket.owner);
    }
    let from = (bucket.owner, bucket.name.as_str());
    // The place of what is written, which a policy may tell apart from what is beside it.
    let key = format!("{}/", folder(bucket, inventory));
    Ok(says_of_service(target, SERVICE, from, &key, now)? == Says::Allows)
}
