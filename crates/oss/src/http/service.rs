//! Operations on the service itself.

use base::ApiError;
use wire::object::error;

use super::call::Call;
use super::render::{self, Place, Style};
use super::respond::xml;
use super::{Answer, Storage};
use crate::ops::{ListBuckets, PAGE_MAX};

impl Storage {
    /// Where this service is, as documents tell it.
    pub(super) fn place(&self) -> Place<'_> {
        Place { region: &self.oss.cloud().region.id, endpoint: &self.config.endpoint }
    }

    pub(super) async fn list_buckets(&self, call: &Call<'_>) -> Answer {
        let (marker, count, default) = if call.is_oss() {
            ("marker", "max-keys", 100)
        } else {
            ("continuation-token", "max-buckets", PAGE_MAX)
        };
        let (prefix, after) = (call.text("prefix"), call.text(marker));
        let limit = call.count(count, default, PAGE_MAX)?;
        let query = ListBuckets { prefix: prefix.to_owned(), after: after.to_owned(), limit };
        let page = self.oss.list_buckets(&call.ctx, query).await?;
        let (style, account) = (Style::plain(call.dialect), call.ctx.caller.account);
        Ok(xml(render::list_buckets(style, &self.place(), account, (prefix, after, limit), &page)))
    }

    /// The one region there is; no secret, but told to callers who signed.
    pub(super) fn describe_regions(&self, call: &Call<'_>) -> Answer {
        if call.ctx.caller.is_anonymous() {
            return Err(ApiError::new(&error::ACCESS_DENIED));
        }
        Ok(xml(render::regions(&self.place(), call.text("regions"))))
    }
}
