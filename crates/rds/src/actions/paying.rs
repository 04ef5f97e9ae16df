//! How instances are paid for: by use, after use, as the agreement's price book says. Nothing is sold in advance, and
//! nothing is renewed.

use base::ApiError;
use engine::{Action, Cx, Meta};
use serde::{Deserialize, Serialize};

use super::{Done, owned, read, write};
use crate::requests::forms::{List, Named, invalid, list, not_supported};

/// Refuses every way to pay but the one there is.
pub(super) fn postpaid(pay_type: &str) -> Result<(), ApiError> {
    match pay_type {
        "" | "Postpaid" | "PostPaid" => Ok(()),
        "Prepaid" | "PrePaid" => {
            Err(not_supported("Instances are paid for by use: a payment in advance is"))
        }
        "Serverless" | "SERVERLESS" => Err(not_supported("A serverless instance is")),
        _ => Err(invalid("PayType", "The specified PayType must be Postpaid.")),
    }
}

/// Changes how an instance is paid for, if that were another way than it is.
pub(super) struct TransformDBInstancePayType;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct TransformRequest {
    #[serde(flatten)]
    named: Named,
    pay_type: String,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct TransformResponse {
    #[serde(rename = "DBInstanceId")]
    id: String,
    charge_type: String,
    expired_time: String,
}

impl Action for TransformDBInstancePayType {
    const META: Meta = write("TransformDBInstancePayType").replay_by("ClientToken");
    type Request = TransformRequest;
    type Response = TransformResponse;

    fn run(cx: &mut Cx<'_>, request: TransformRequest) -> Result<TransformResponse, ApiError> {
        let instance = owned(cx, &request.named.id)?;
        postpaid(&request.pay_type)?;
        cx.audit_detail("PayType", &instance.options.pay_type);
        Ok(TransformResponse {
            id: instance.id,
            charge_type: instance.options.pay_type,
            expired_time: String::new(),
        })
    }
}

/// Refuses: what is paid for by use has no end that could be put off.
pub(super) struct RenewInstance;

impl Action for RenewInstance {
    const META: Meta = write("RenewInstance").replay_by("ClientToken");
    type Request = Named;
    type Response = Done;

    fn run(cx: &mut Cx<'_>, request: Named) -> Result<Done, ApiError> {
        owned(cx, &request.id)?;
        Err(not_supported("The instance is paid for by use and does not expire: a renewal is"))
    }
}

/// Shows that an instance does not expire, and so is not renewed.
pub(super) struct DescribeInstanceAutoRenewalAttribute;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct AutoRenewalRequest {
    #[serde(rename = "DBInstanceId", default)]
    id: String,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct AutoRenewalResponse {
    items: List<AutoRenewal>,
    page_number: u32,
    page_record_count: usize,
    total_record_count: usize,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct AutoRenewal {
    #[serde(rename = "DBInstanceId")]
    id: String,
    region_id: String,
    auto_renew: &'static str,
    duration: u32,
    status: &'static str,
}

impl Action for DescribeInstanceAutoRenewalAttribute {
    const META: Meta = read("DescribeInstanceAutoRenewalAttribute");
    type Request = AutoRenewalRequest;
    type Response = AutoRenewalResponse;

    fn run(cx: &mut Cx<'_>, request: AutoRenewalRequest) -> Result<AutoRenewalResponse, ApiError> {
        if request.id.is_empty() {
            return Err(invalid(
                "DBInstanceId",
                "The specified DBInstanceId must name an instance.",
            ));
        }
        let instance = owned(cx, &request.id)?;
        let item = AutoRenewal {
            id: instance.id,
            region_id: instance.region,
            auto_renew: "False",
            duration: 0,
            status: "Normal",
        };
        Ok(AutoRenewalResponse {
            items: list("Item", [item]),
            page_number: 1,
            page_record_count: 1,
            total_record_count: 1,
        })
    }
}

/// Refuses to renew an instance by itself; says yes to not doing it.
pub(super) struct ModifyInstanceAutoRenewalAttribute;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct ModifyAutoRenewalRequest {
    #[serde(rename = "DBInstanceId")]
    id: String,
    #[serde(default)]
    auto_renew: String,
}

impl Action for ModifyInstanceAutoRenewalAttribute {
    const META: Meta = write("ModifyInstanceAutoRenewalAttribute").replay_by("ClientToken");
    type Request = ModifyAutoRenewalRequest;
    type Response = Done;

    fn run(cx: &mut Cx<'_>, request: ModifyAutoRenewalRequest) -> Result<Done, ApiError> {
        owned(cx, &request.id)?;
        if request.auto_renew.eq_ignore_ascii_case("false") {
            cx.audit_detail("AutoRenew", "False");
            return Ok(Done {});
        }
        Err(not_supported("The instance is paid for by use and does not expire: a renewal is"))
    }
}
