//! Operations on the service itself.

use std::collections::BTreeMap;

use base::ApiError;
use wire::object::error;

use super::call::Call;
use super::render::{self, Place, Style};
use super::respond::xml;
use super::{Answer, Storage};
use crate::model::Bucket;
use crate::ops::{ListBuckets, PAGE_MAX};

/// Reads `"key":"value","key":"value"`, as the parameter `tagging` has tags.
///
/// Errors: `InvalidArgument`.
fn listed(text: &str) -> Result<impl Iterator<Item = (String, Option<String>)>, ApiError> {
    let tags: BTreeMap<String, String> =
        serde_json::from_str(&format!("{{{text}}}")).map_err(|_| {
            error::INVALID_ARGUMENT
                .error("The tagging must be of the form \"key\":\"value\",…")
                .field("ArgumentName", "tagging")
        })?;
    Ok(tags.into_iter().map(|(key, value)| (key, Some(value))))
}

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
        let tags = if call.is_oss() {
            let one = told("tag-key").map(|key| (key, told("tag-value")));
            one.into_iter().chain(listed(call.text("tagging"))?).collect()
        } else {
            Vec::new()
        };
        let group = call.head.header("x-oss-resource-group-id").filter(|_| call.is_oss());
        let resource_group = group.filter(|group| !group.is_empty()).map(str::to_owned);
        let (prefix_of, after_of) = (prefix.to_owned(), after.to_owned());
        let query = ListBuckets { prefix: prefix_of, after: after_of, limit, tags, resource_group };
        let page = self.oss.list_buckets(&call.ctx, query).await?;
        let (style, account) = (Style::plain(call.dialect), call.ctx.caller.account);
        let place = |bucket: &Bucket| self.place_of(bucket);
        Ok(xml(render::list_buckets(style, &place, account, (prefix, after, limit), &page)))
    }

    /// Nobody has a box of the cloud at home; told to whoever may list the account's buckets.
    pub(super) async fn list_cloud_boxes(&self, call: &Call<'_>) -> Answer {
        let limit = call.count("max-keys", 100, PAGE_MAX)?;
        self.oss.list_buckets(&call.ctx, ListBuckets::default()).await?;
        let asked = (call.text("prefix"), call.text("marker"), limit);
        Ok(xml(render::cloud_boxes(call.ctx.caller.account, asked)))
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

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests may")]

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn tags_are_listed_in_quotes() {
        let read = |text| listed(text).map(Iterator::collect::<Vec<_>>);
        assert_eq!(read("").unwrap(), []);
        let two = [("env".to_owned(), Some("a,b".to_owned())), ("team".to_owned(), None)];
        assert_eq!(read(r#""env":"a,b""#).unwrap(), two[..1]);
        for wrong in ["env:test", r#""env""#, r#""env":1"#, r#"},{"#] {
            assert_eq!(read(wrong).unwrap_err().code(), "InvalidArgument", "{wrong}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_taken(text: String) {
            drop(listed(&text).map(Iterator::count));
        }
    }
}
