//! Parameter groups: settings that an account keeps under a name, to apply them to its instances.

use std::collections::BTreeMap;

use base::{ApiError, code};
use engine::{Action, Cx, Meta};
use serde::{Deserialize, Serialize};

use super::parameters::{GROUP, GROUP_APPLIED, build, checked, engine, version};
use super::{Done, is_plain, read, write};
use crate::engines::Build;
use crate::errors::{GROUP_EXISTS, NO_GROUP};
use crate::names;
use crate::requests::within::invalid;
use crate::tables::instance;
use crate::tables::parameter_group::{self, Group};

/// The most groups of an account in a region.
const GROUPS_MAX: usize = 200;
/// Instances that are read at once where all of an account are looked through.
const CHUNK: usize = 100;

/// The group of that id, if it is the caller's.
pub(super) fn lookup(cx: &mut Cx<'_>, id: &str) -> Result<Option<Group>, ApiError> {
    let account = cx.account();
    if !is_plain(id) {
        return Ok(None);
    }
    Ok(parameter_group::find(cx.tx(), id)?.filter(|group| group.account == account))
}

/// As [`lookup`]; another account's is not found.
pub(super) fn find(cx: &mut Cx<'_>, id: &str) -> Result<Group, ApiError> {
    lookup(cx, id)?.ok_or_else(|| ApiError::new(&NO_GROUP))
}

fn authorize(cx: &mut Cx<'_>, id: &str) -> Result<(), ApiError> {
    let arn = format!("acs:rds:{}:{}:pg/{id}", cx.cloud.region.id, cx.account());
    cx.authorize(&arn)
}

/// A region of this cloud.
fn region(cx: &Cx<'_>, asked: &str) -> Result<String, ApiError> {
    if cx.cloud.region.centres(asked).next().is_some() {
        return Ok(asked.to_owned());
    }
    Err(invalid("RegionId", "There is no such region."))
}

fn check_name(name: &str) -> Result<(), ApiError> {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"_-.".contains(&byte);
    let letter = name.as_bytes().first().is_some_and(u8::is_ascii_alphabetic);
    if letter && (8..=64).contains(&name.len()) && name.bytes().all(plain) {
        return Ok(());
    }
    let message = "ParameterGroupName is 8 to 64 letters, digits, _, - and ., a letter first.";
    Err(invalid("ParameterGroupName", message))
}

/// Refuses a name that another group of the account in that region has.
fn refuse_taken(cx: &mut Cx<'_>, region: &str, name: &str, but: &str) -> Result<(), ApiError> {
    let account = cx.account();
    let groups = parameter_group::of(cx.tx(), account, region)?;
    if groups.iter().any(|group| group.name == name && group.id != but) {
        return Err(ApiError::new(&GROUP_EXISTS));
    }
    if but.is_empty() && groups.len() >= GROUPS_MAX {
        let message = format!("An account has at most {GROUPS_MAX} parameter groups in a region.");
        return Err(code::QUOTA_EXCEEDED.error(message).suffix("ParameterGroup"));
    }
    Ok(())
}

fn new_id(cx: &Cx<'_>) -> String {
    format!("rpg-{}", cx.rng().string(b"abcdefghijklmnopqrstuvwxyz0123456789", 16))
}

/// The settings of a group: all have a value.
fn values(build: &Build, text: &str) -> Result<BTreeMap<String, String>, ApiError> {
    let checked = checked(build, text)?;
    let all = checked.into_iter().map(|(name, value)| value.map(|value| (name, value)));
    all.collect::<Option<_>>()
        .ok_or_else(|| invalid("Parameters", "Every setting of a group has a value."))
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct OneId {
    parameter_group_id: String,
}

/// Makes a group.
pub(super) struct CreateParameterGroup;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct CreateParameterGroupRequest {
    region_id: String,
    engine: String,
    engine_version: String,
    parameter_group_name: String,
    #[serde(default)]
    parameter_group_desc: String,
    parameters: String,
}

impl Action for CreateParameterGroup {
    const META: Meta = write("CreateParameterGroup");
    type Request = CreateParameterGroupRequest;
    type Response = OneId;

    fn run(cx: &mut Cx<'_>, request: CreateParameterGroupRequest) -> Result<OneId, ApiError> {
        check_name(&request.parameter_group_name)?;
        names::description("ParameterGroupDesc", &request.parameter_group_desc)?;
        let (engine, major) = engine(&request.engine, &request.engine_version)?;
        let region = region(cx, &request.region_id)?;
        authorize(cx, "*")?;
        refuse_taken(cx, &region, &request.parameter_group_name, "")?;
        let build = build(cx, engine, &major, "")?;
        let group = Group {
            id: new_id(cx),
            account: cx.account(),
            region,
            engine,
            major,
            name: request.parameter_group_name,
            description: request.parameter_group_desc,
            parameters: values(&build, &request.parameters)?,
            created: cx.now,
            updated: cx.now,
        };
        parameter_group::put(cx.tx(), &group)?;
        cx.audit_detail("ParameterGroupId", &group.id);
        Ok(OneId { parameter_group_id: group.id })
    }
}

/// Changes what is given of a group; instances that it was applied to keep what they have.
pub(super) struct ModifyParameterGroup;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct ModifyParameterGroupRequest {
    parameter_group_id: String,
    parameter_group_name: Option<String>,
    parameter_group_desc: Option<String>,
    parameters: Option<String>,
    #[serde(default)]
    modify_mode: String,
}

impl Action for ModifyParameterGroup {
    const META: Meta = write("ModifyParameterGroup");
    type Request = ModifyParameterGroupRequest;
    type Response = OneId;

    fn run(cx: &mut Cx<'_>, request: ModifyParameterGroupRequest) -> Result<OneId, ApiError> {
        request.parameter_group_name.as_deref().map_or(Ok(()), check_name)?;
        let text = request.parameter_group_desc.as_deref().unwrap_or_default();
        names::description("ParameterGroupDesc", text)?;
        let whole = match request.modify_mode.as_str() {
            "" | "Collectivity" => true,
            "Individual" => false,
            _ => return Err(invalid("ModifyMode", "ModifyMode is Collectivity or Individual.")),
        };
        authorize(cx, &request.parameter_group_id)?;
        let mut group = find(cx, &request.parameter_group_id)?;
        if let Some(name) = request.parameter_group_name {
            refuse_taken(cx, &group.region.clone(), &name, &group.id)?;
            group.name = name;
        }
        group.description = request.parameter_group_desc.unwrap_or(group.description);
        if let Some(text) = request.parameters.filter(|text| !text.is_empty()) {
            let build = build(cx, group.engine, &group.major, "")?;
            let values = values(&build, &text)?;
            if whole {
                group.parameters.clear();
            }
            group.parameters.extend(values);
        }
        group.updated = cx.now;
        parameter_group::put(cx.tx(), &group)?;
        Ok(OneId { parameter_group_id: group.id })
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct GroupId {
    parameter_group_id: String,
}

/// Removes a group; instances that it was applied to keep what they have.
pub(super) struct DeleteParameterGroup;

impl Action for DeleteParameterGroup {
    const META: Meta = write("DeleteParameterGroup");
    type Request = GroupId;
    type Response = OneId;

    fn run(cx: &mut Cx<'_>, request: GroupId) -> Result<OneId, ApiError> {
        authorize(cx, &request.parameter_group_id)?;
        let group = find(cx, &request.parameter_group_id)?;
        parameter_group::remove(cx.tx(), &group.id)?;
        Ok(OneId { parameter_group_id: group.id })
    }
}

/// Copies a group under another name, to another region if asked.
pub(super) struct CloneParameterGroup;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct CloneParameterGroupRequest {
    parameter_group_id: String,
    target_region_id: String,
    parameter_group_name: String,
    #[serde(default)]
    parameter_group_desc: String,
}

impl Action for CloneParameterGroup {
    const META: Meta = write("CloneParameterGroup");
    type Request = CloneParameterGroupRequest;
    type Response = Done;

    fn run(cx: &mut Cx<'_>, request: CloneParameterGroupRequest) -> Result<Done, ApiError> {
        check_name(&request.parameter_group_name)?;
        names::description("ParameterGroupDesc", &request.parameter_group_desc)?;
        let region = region(cx, &request.target_region_id)?;
        authorize(cx, &request.parameter_group_id)?;
        let source = find(cx, &request.parameter_group_id)?;
        refuse_taken(cx, &region, &request.parameter_group_name, "")?;
        let copy = Group {
            id: new_id(cx),
            region,
            name: request.parameter_group_name,
            description: request.parameter_group_desc,
            created: cx.now,
            updated: cx.now,
            ..source
        };
        parameter_group::put(cx.tx(), &copy)?;
        cx.audit_detail("ParameterGroupId", &copy.id);
        Ok(Done {})
    }
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct View {
    parameter_group_id: String,
    parameter_group_name: String,
    parameter_group_desc: String,
    parameter_group_type: i32,
    engine: &'static str,
    engine_version: String,
    force_restart: i32,
    param_counts: usize,
    create_time: String,
    update_time: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    param_detail: Option<Details>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Details {
    parameter_detail: Vec<Detail>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Detail {
    param_name: String,
    param_value: String,
}

impl View {
    /// `build`: what its engine can be set to, where that is known.
    fn of(group: Group, build: Option<&Build>, detailed: bool) -> Self {
        let restart = build.is_some_and(|build| {
            let named = |name: &str| group.parameters.contains_key(name);
            build.settings.iter().any(|setting| setting.restart && named(&setting.name))
        });
        let engine_version = version(group.engine, &group.major);
        let param_counts = group.parameters.len();
        let details = group
            .parameters
            .into_iter()
            .map(|(param_name, param_value)| Detail { param_name, param_value });
        let details = Details { parameter_detail: details.collect() };
        Self {
            parameter_group_id: group.id,
            parameter_group_name: group.name,
            parameter_group_desc: group.description,
            parameter_group_type: 1,
            engine: group.engine.as_str(),
            engine_version,
            force_restart: i32::from(restart),
            param_counts,
            create_time: group.created.iso(),
            update_time: group.updated.iso(),
            param_detail: detailed.then_some(details),
        }
    }
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Views {
    parameter_group: Vec<View>,
}

/// Lists the groups of an account in a region by name.
pub(super) struct DescribeParameterGroups;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct DescribeParameterGroupsRequest {
    region_id: String,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct DescribeParameterGroupsResponse {
    parameter_groups: Views,
    signal_for_optimize_params: bool,
}

impl Action for DescribeParameterGroups {
    const META: Meta = read("DescribeParameterGroups");
    type Request = DescribeParameterGroupsRequest;
    type Response = DescribeParameterGroupsResponse;

    fn run(
        cx: &mut Cx<'_>,
        request: DescribeParameterGroupsRequest,
    ) -> Result<DescribeParameterGroupsResponse, ApiError> {
        let region = region(cx, &request.region_id)?;
        authorize(cx, "*")?;
        let account = cx.account();
        let mut views = Vec::new();
        for group in parameter_group::of(cx.tx(), account, &region)? {
            let build = crate::tables::setting::build(cx.tx(), group.engine, &group.major, "")?;
            views.push(View::of(group, build.as_ref(), false));
        }
        Ok(DescribeParameterGroupsResponse {
            parameter_groups: Views { parameter_group: views },
            signal_for_optimize_params: false,
        })
    }
}

/// Shows a group with its settings, and the instances that it was applied to last.
pub(super) struct DescribeParameterGroup;

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct DescribeParameterGroupResponse {
    param_group: Views,
    related_custins_info: Related,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Related {
    related_custins_info: Vec<Use>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Use {
    #[serde(rename = "DBInstanceName")]
    instance: String,
    applied_time: String,
}

impl Action for DescribeParameterGroup {
    const META: Meta = read("DescribeParameterGroup");
    type Request = GroupId;
    type Response = DescribeParameterGroupResponse;

    fn run(cx: &mut Cx<'_>, request: GroupId) -> Result<DescribeParameterGroupResponse, ApiError> {
        authorize(cx, &request.parameter_group_id)?;
        let group = find(cx, &request.parameter_group_id)?;
        let related_custins_info = uses(cx, &group.id)?;
        let build = crate::tables::setting::build(cx.tx(), group.engine, &group.major, "")?;
        let view = View::of(group, build.as_ref(), true);
        Ok(DescribeParameterGroupResponse {
            param_group: Views { parameter_group: vec![view] },
            related_custins_info: Related { related_custins_info },
        })
    }
}

fn uses(cx: &mut Cx<'_>, id: &str) -> Result<Vec<Use>, ApiError> {
    let (account, mut after, mut uses) = (cx.account(), String::new(), Vec::new());
    loop {
        let chunk = instance::of_account(cx.tx(), account, &after, CHUNK)?;
        let Some(last) = chunk.last() else { return Ok(uses) };
        after.clone_from(&last.id);
        for mut instance in chunk {
            if instance.options.told.get(GROUP).is_some_and(|applied| applied == id) {
                let applied_time = instance.options.told.remove(GROUP_APPLIED).unwrap_or_default();
                uses.push(Use { instance: instance.id, applied_time });
            }
        }
    }
}
