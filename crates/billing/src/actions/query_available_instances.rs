//! bssopenapi 2017-12-14 `QueryAvailableInstances`: what the account has that is metered while it exists.
//! Everything is paid as it is used, so a question for subscriptions is answered with an empty list.

use std::collections::BTreeMap;

use base::ApiError;
use engine::{Action, Cx, Meta, meter};
use serde::Deserialize;
use serde_json::{Value, json};

use super::bss_read;
use crate::bss;
use crate::month::{hour_of, iso};
use crate::pricing::product_of;
use crate::request;
use crate::tables::rated;

pub struct QueryAvailableInstances;

#[derive(Deserialize, Default)]
#[serde(rename_all = "PascalCase", default)]
pub struct Request {
    create_time_start: Option<String>,
    create_time_end: Option<String>,
    #[serde(rename = "InstanceIDs")]
    instance_ids: Option<String>,
    product_code: Option<String>,
    product_type: Option<String>,
    region: Option<String>,
    subscription_type: Option<String>,
    renew_status: Option<String>,
    page_num: Option<u32>,
    page_size: Option<u32>,
}

impl Request {
    /// Whether nothing of ours can be meant.
    fn excludes_all(&self, region: &str) -> bool {
        let other = |asked: &Option<String>, ours: &str| {
            asked.as_deref().is_some_and(|asked| !asked.is_empty() && asked != ours)
        };
        other(&self.subscription_type, "PayAsYouGo")
            || other(&self.region, region)
            || other(&self.product_type, "")
            || other(&self.renew_status, "")
    }
}

impl Action for QueryAvailableInstances {
    const META: Meta = bss_read("QueryAvailableInstances");
    type Request = Request;
    type Response = Value;

    fn run(cx: &mut Cx<'_>, request: Request) -> Result<Value, ApiError> {
        let from = request::moment("CreateTimeStart", request.create_time_start.as_deref(), 0)?;
        let until = request::moment("CreateTimeEnd", request.create_time_end.as_deref(), i64::MAX)?;
        let account = bss::authorize(cx)?;
        let region = cx.cloud.region.id.clone();
        let mut found = BTreeMap::new();
        if !request.excludes_all(&region) {
            for level in meter::levels(cx.tx(), account)? {
                if level.quantity > 0 {
                    found.entry(level.resource).or_insert((level.meter, level.since));
                }
            }
        }
        let ids = request.instance_ids.as_deref().filter(|ids| !ids.is_empty());
        let code = request.product_code.as_deref().filter(|code| !code.is_empty());
        found.retain(|resource, (meter, _)| {
            ids.is_none_or(|ids| ids.split(',').any(|id| id.trim() == resource))
                && code.is_none_or(|code| code.eq_ignore_ascii_case(product_of(meter)))
        });
        let mut rows = Vec::new();
        for (resource, (meter, since)) in found {
            let first = rated::first_hour(cx.tx(), account, &resource)?;
            let created = first.unwrap_or_else(|| hour_of(since));
            if (from..until).contains(&created) {
                rows.push(row(account.number(), &resource, product_of(&meter), created, &region));
            }
        }
        let (rows, mut data) = bss::page_by_number(rows, request.page_num, request.page_size)?;
        data.insert("InstanceList".to_owned(), Value::Array(rows));
        Ok(bss::success(Value::Object(data)))
    }
}

/// `CreateTime` is the first hour that was billed: the nearest thing to it that bills know.
fn row(owner: u64, resource: &str, product: &str, created: i64, region: &str) -> Value {
    json!({
        "CreateTime": iso(created), "EndTime": "", "ExpectedReleaseTime": "", "InstanceID": resource,
        "OwnerId": owner, "ProductCode": product, "ProductType": "", "Region": region,
        "ReleaseTime": "", "RenewStatus": "", "RenewalDuration": 0, "RenewalDurationUnit": "",
        "Seller": "", "SellerId": 0, "Status": "Normal", "StopTime": "", "SubStatus": "Normal",
        "SubscriptionType": "PayAsYouGo",
    })
}
