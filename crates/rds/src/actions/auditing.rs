//! Recording of tenants' statements, and storage that grows by itself: neither is there, and both are told so.

use base::ApiError;
use engine::{Action, Cx, Meta};
use serde::{Deserialize, Serialize};

use super::{Done, owned, read, write};
use crate::requests::forms::{Named, not_supported};

/// Shows that statements are not recorded.
pub(super) struct DescribeSQLCollectorPolicy;

#[derive(Serialize)]
pub(super) struct PolicyResponse {
    #[serde(rename = "SQLCollectorStatus")]
    status: &'static str,
    #[serde(rename = "StoragePeriod")]
    days: u32,
}

impl Action for DescribeSQLCollectorPolicy {
    const META: Meta = read("DescribeSQLCollectorPolicy");
    type Request = Named;
    type Response = PolicyResponse;

    fn run(cx: &mut Cx<'_>, request: Named) -> Result<PolicyResponse, ApiError> {
        owned(cx, &request.id)?;
        Ok(PolicyResponse { status: "Disabled", days: 0 })
    }
}

/// Refuses to record statements; says yes to what is so.
pub(super) struct ModifySQLCollectorPolicy;

#[derive(Deserialize)]
pub(super) struct PolicyRequest {
    #[serde(rename = "DBInstanceId")]
    id: String,
    #[serde(rename = "SQLCollectorStatus")]
    status: String,
}

impl Action for ModifySQLCollectorPolicy {
    const META: Meta = write("ModifySQLCollectorPolicy");
    type Request = PolicyRequest;
    type Response = Done;

    fn run(cx: &mut Cx<'_>, request: PolicyRequest) -> Result<Done, ApiError> {
        owned(cx, &request.id)?;
        if !["Disabled", "Disable"].contains(&request.status.as_str()) {
            return Err(not_supported("A record of every statement is"));
        }
        cx.audit_detail("SQLCollectorStatus", "Disabled");
        Ok(Done {})
    }
}

/// Shows for how many days recorded statements are kept: there are none.
pub(super) struct DescribeSQLCollectorRetention;

#[derive(Serialize)]
pub(super) struct RetentionResponse {
    #[serde(rename = "ConfigValue")]
    days: &'static str,
}

impl Action for DescribeSQLCollectorRetention {
    const META: Meta = read("DescribeSQLCollectorRetention");
    type Request = Named;
    type Response = RetentionResponse;

    fn run(cx: &mut Cx<'_>, request: Named) -> Result<RetentionResponse, ApiError> {
        owned(cx, &request.id)?;
        Ok(RetentionResponse { days: "0" })
    }
}

/// Refuses to keep what is not recorded.
pub(super) struct ModifySQLCollectorRetention;

#[derive(Deserialize)]
pub(super) struct RetentionRequest {
    #[serde(rename = "DBInstanceId")]
    id: String,
    #[serde(rename = "ConfigValue")]
    days: String,
}

impl Action for ModifySQLCollectorRetention {
    const META: Meta = write("ModifySQLCollectorRetention");
    type Request = RetentionRequest;
    type Response = Done;

    fn run(cx: &mut Cx<'_>, request: RetentionRequest) -> Result<Done, ApiError> {
        owned(cx, &request.id)?;
        if request.days != "0" {
            return Err(not_supported("A record of every statement is"));
        }
        cx.audit_detail("ConfigValue", "0");
        Ok(Done {})
    }
}

/// Refuses storage that grows by itself; says yes to what is so.
pub(super) struct ModifyDasInstanceConfig;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct DasRequest {
    #[serde(rename = "DBInstanceId")]
    id: String,
    #[serde(default)]
    storage_auto_scale: String,
}

impl Action for ModifyDasInstanceConfig {
    const META: Meta = write("ModifyDasInstanceConfig").replay_by("ClientToken");
    type Request = DasRequest;
    type Response = Done;

    fn run(cx: &mut Cx<'_>, request: DasRequest) -> Result<Done, ApiError> {
        owned(cx, &request.id)?;
        if !request.storage_auto_scale.eq_ignore_ascii_case("Disable") {
            return Err(not_supported("Storage that grows by itself is"));
        }
        cx.audit_detail("StorageAutoScale", "Disable");
        Ok(Done {})
    }
}
