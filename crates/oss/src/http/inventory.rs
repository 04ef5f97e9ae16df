//! Inventories in both dialects: OSS names one by `inventoryId`, S3 by `id`.

use base::{ApiError, Code};
use http::StatusCode;
use wire::object::body::SMALL_BYTES_MAX;
use wire::object::error;

use super::call::{Call, Payload};
use super::respond::{empty, xml};
use super::{Answer, Storage};
use crate::config::inventory::Inventory;
use crate::config::root;
use crate::ops::NO_INVENTORY;

/// What S3 calls an inventory that there is not.
static NO_CONFIGURATION: Code =
    Code::new("NoSuchConfiguration", 404, "The specified configuration does not exist.");

impl Storage {
    /// One inventory, or (where the request names none) a page of all.
    pub(super) async fn inventory(&self, call: &Call<'_>) -> Answer {
        let Some(id) = call.inventory_id() else { return self.inventories(call).await };
        let found = self.oss.inventory(&call.ctx, &call.bucket, id).await;
        let inventory = found.map_err(|refused| call.without_inventory(refused))?;
        let mut document = root("InventoryConfiguration", call.dialect);
        inventory.render_into(&mut document, call.dialect);
        Ok(xml(document.finish()))
    }

    async fn inventories(&self, call: &Call<'_>) -> Answer {
        let token = call.text("continuation-token");
        let (page, more) = self.oss.inventories(&call.ctx, &call.bucket, token).await?;
        if page.is_empty() && call.is_oss() {
            return Err(ApiError::new(&NO_INVENTORY).field("BucketName", call.bucket.as_str()));
        }
        let mut document = root("ListInventoryConfigurationsResult", call.dialect);
        for inventory in &page {
            document.open("InventoryConfiguration");
            inventory.render_into(&mut document, call.dialect);
            document.close();
        }
        document.value("IsTruncated", more);
        document.text_opt("ContinuationToken", Some(token).filter(|token| !token.is_empty()));
        let next = page.last().filter(|_| more).map(|last| last.id.as_str());
        document.text_opt("NextContinuationToken", next);
        Ok(xml(document.finish()))
    }

    pub(super) async fn put_inventory(&self, call: &Call<'_>, payload: Payload) -> Answer {
        let body = call.read(payload, SMALL_BYTES_MAX).await?;
        let inventory = Inventory::parse(&body, call.dialect)?;
        if call.inventory_id() != Some(inventory.id.as_str()) {
            let why = "The inventory's id is not the one that the request names.";
            return Err(error::INVALID_ARGUMENT.error(why));
        }
        self.oss.set_inventory(&call.ctx, &call.bucket, inventory).await?;
        Ok(empty(StatusCode::OK))
    }

    pub(super) async fn delete_inventory(&self, call: &Call<'_>) -> Answer {
        let id = call.inventory_id().unwrap_or_default();
        match self.oss.delete_inventory(&call.ctx, &call.bucket, id).await {
            // To OSS, deleting what is not there is a success.
            Err(none) if call.is_oss() && none.is(&NO_INVENTORY) => {}
            done => done.map_err(|refused| call.without_inventory(refused))?,
        }
        Ok(empty(StatusCode::NO_CONTENT))
    }
}

impl Call<'_> {
    /// The inventory that the request names.
    fn inventory_id(&self) -> Option<&str> {
        let name = if self.is_oss() { "inventoryId" } else { "id" };
        self.query.get(name).filter(|id| !id.is_empty())
    }

    fn without_inventory(&self, refused: ApiError) -> ApiError {
        match refused.is(&NO_INVENTORY) && !self.is_oss() {
            true => ApiError::new(&NO_CONFIGURATION),
            false => refused,
        }
    }
}
