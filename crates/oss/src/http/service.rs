//! Operations on the service itself.

use base::ApiError;
use wire::object::error;

use super::call::Call;
use super::render::{self, Place, Style};
use super::respond::xml;
use super::{Answer, Storage};
use crate::model::Bucket;
use crate::ops::{ListBuckets, PAGE_MAX};

impl Storage {
    /// Where a bucket is, as documents tell it.
    pub(super) fn place_of<'s>(&'s self, bucket: &Bucket) -> Place<'s> {
        let region = &self.oss.cloud().region;
        let home = bucket.sites.first().and_then(|site| region.centre(site));
        let other = home.map(|centre| centre.region.as_str()).filter(|id| !id.is_empty());
        Place { region: other.unwrap_or(&region.id), endpoint: &self.config.endpoint }
    }

    /// The regions of this cloud, its own first.
    pub(super) fn regions(&self) -> Vec<&str> {
        let region = &self.oss.cloud().region;
        let mut ids = vec![region.id.as_str()];
        for centre in &region.data_centres {
            if !centre.region.is_empty() && !ids.contains(&centre.region.as_str()) {
                ids.push(&centre.region);
            }
        }
        ids
    }

    pub(super) async fn list_buckets(&self, call: &Call<'_>) -> Answer {
        let (marker, count, default) = if call.is_oss() {
            ("marker", "max-keys", 100)
        } else {
            ("continuation-token", "max-buckets", PAGE_MAX)
        };
        let (prefix, after) = (call.text("prefix"), call.text(marker));
        let limit = call.count(count, default, PAGE_MAX)?;
        let told = |name| call.query.get(name).filter(|text| !text.is_empty()).map(str::to_owned);
        let tag = told("tag-key").filter(|_| call.is_oss()).map(|key| (key, told("tag-value")));
        let query = ListBuckets { prefix: prefix.to_owned(), after: after.to_owned(), limit, tag };
        let page = self.oss.list_buckets(&call.ctx, query).await?;
        let (style, account) = (Style::plain(call.dialect), call.ctx.caller.account);
        let place = |bucket: &Bucket| self.place_of(bucket);
        Ok(xml(render::list_buckets(style, &place, account, (prefix, after, limit), &page)))
    }

    /// The regions; no secret, but told to callers who signed.
    pub(super) fn describe_regions(&self, call: &Call<'_>) -> Answer {
        if call.ctx.caller.is_anonymous() {
            return Err(ApiError::new(&error::ACCESS_DENIED));
        }
        let endpoint = &self.config.endpoint;
        let places: Vec<_> =
            self.regions().into_iter().map(|region| Place { region, endpoint }).collect();
        Ok(xml(render::regions(&places, call.text("regions"))))
    }
}
