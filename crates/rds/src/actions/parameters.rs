//! Settings of instances: what there is to set, what is set, and setting it.

use std::collections::{BTreeMap, BTreeSet};

use base::{ApiError, Time, code};
use engine::{Action, Cx, Meta};
use serde::{Deserialize, Serialize};

use super::{Done, ask, expect, owned, parameter_groups, read, write};
use crate::classes;
use crate::engines::{Build, Setting};
use crate::errors::PARAMETERS;
use crate::model::{Engine, Status};
use crate::requests::within::invalid;
use crate::tables::instance::{self, Instance};
use crate::tables::parameter::{self, Parameter};
use crate::tables::parameter_group::Group;
use crate::tables::{member, setting};
use crate::values::{self, room};

/// Under which names an instance keeps which group was applied to it, and when.
pub(super) const GROUP: &str = "ModifyParameter.ParameterGroupId";
pub(super) const GROUP_APPLIED: &str = "ModifyParameter.AppliedTime";

/// When settings may be changed. The status stays what it is, unless that takes a restart.
const CHANGEABLE: [Status; 5] = [
    Status::Running,
    Status::Rebooting,
    Status::Restoring,
    Status::Starting,
    Status::ClassChanging,
];

/// An engine and a major version from the API's words; PostgreSQL's `16.0` means 16.
pub(super) fn engine(engine: &str, version: &str) -> Result<(Engine, String), ApiError> {
    let engine = Engine::parse(engine)
        .ok_or_else(|| invalid("Engine", "Engine is PostgreSQL or MariaDB."))?;
    let major = match engine {
        Engine::Postgres => version.strip_suffix(".0").unwrap_or(version),
        Engine::MariaDb => version,
    };
    let sound = (1..=8).contains(&major.len())
        && major.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
    if sound {
        Ok((engine, major.to_owned()))
    } else {
        Err(invalid("EngineVersion", "EngineVersion is a version such as 17.0 or 10.11."))
    }
}

/// As the API spells a major version.
pub(super) fn version(engine: Engine, major: &str) -> String {
    match engine {
        Engine::Postgres => format!("{major}.0"),
        Engine::MariaDb => major.to_owned(),
    }
}

/// What that engine can be set to, preferably by the build at a data centre.
pub(super) fn build(
    cx: &mut Cx<'_>,
    engine: Engine,
    major: &str,
    site: &str,
) -> Result<Build, ApiError> {
    setting::build(cx.tx(), engine, major, site)?.ok_or_else(|| {
        code::UNAVAILABLE
            .error(format!("No data centre has told of {} {major} yet.", engine.as_str()))
    })
}

/// The settings in a JSON object, each checked; `None` asks for the default.
pub(super) fn checked(
    build: &Build,
    text: &str,
) -> Result<BTreeMap<String, Option<String>>, ApiError> {
    let bad = |reason: String| PARAMETERS.error(format!("Parameters: {reason}"));
    let mut out = BTreeMap::new();
    for (name, value) in values::parse(text).map_err(bad)? {
        let setting = find(build, &name).ok_or_else(|| {
            // What a client wrote goes into no message unless it is plain.
            let plain = name.len() <= 63
                && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"_.".contains(&b));
            bad(format!(
                "there is no setting {}.",
                if plain { &name } else { "of one of these names" }
            ))
        })?;
        let value = value.map(|value| values::check(setting, &value)).transpose().map_err(bad)?;
        out.insert(setting.name.clone(), value);
    }
    Ok(out)
}

fn find<'b>(build: &'b Build, name: &str) -> Option<&'b Setting> {
    let open = |setting: &&Setting| setting.tenant && setting.name.eq_ignore_ascii_case(name);
    build.settings.iter().find(open)
}

/// Where the primary of an instance is, which of its settings wait for a restart, and when its node said so.
fn primary(cx: &mut Cx<'_>, instance: &Instance) -> Result<(String, Vec<String>, Time), ApiError> {
    let members = member::of(cx.tx(), &instance.id)?;
    let first = members.into_iter().next();
    Ok(first.map_or_else(
        || (String::new(), Vec::new(), Time::from_micros(0)),
        |member| (member.site, member.observed.pending_restart, member.seen),
    ))
}

/// Lists what an instance is set to, as far as tenants may set it.
pub(super) struct DescribeParameters;

#[derive(Deserialize)]
pub(super) struct OneInstance {
    #[serde(rename = "DBInstanceId")]
    pub(super) instance: String,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct DescribeParametersResponse {
    engine: &'static str,
    engine_version: String,
    running_parameters: List,
    config_parameters: List,
    param_group_info: GroupInfo,
}

#[derive(Serialize)]
struct List {
    #[serde(rename = "DBInstanceParameter")]
    rows: Vec<View>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct View {
    parameter_name: String,
    parameter_value: String,
    parameter_description: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    parameter_default_value: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    parameter_value_range: Option<String>,
}

#[derive(Default, Serialize)]
#[serde(rename_all = "PascalCase")]
struct GroupInfo {
    param_group_id: String,
    parameter_group_name: String,
    parameter_group_desc: String,
    parameter_group_type: &'static str,
}

impl View {
    fn of(setting: &Setting, value: &str) -> Self {
        Self {
            parameter_name: setting.name.clone(),
            parameter_value: value.to_owned(),
            parameter_description: setting.description.clone(),
            parameter_default_value: Some(setting.default.clone()),
            parameter_value_range: Some(values::range(setting)),
        }
    }

    /// Of one that waits: clients have fewer names for it.
    fn waiting(setting: &Setting, value: &str) -> Self {
        let (parameter_default_value, parameter_value_range) = (None, None);
        Self { parameter_default_value, parameter_value_range, ..Self::of(setting, value) }
    }
}

impl Action for DescribeParameters {
    const META: Meta = read("DescribeParameters");
    type Request = OneInstance;
    type Response = DescribeParametersResponse;

    fn run(cx: &mut Cx<'_>, request: OneInstance) -> Result<DescribeParametersResponse, ApiError> {
        let instance = owned(cx, &request.instance)?;
        let (site, pending, seen) = primary(cx, &instance)?;
        let given = parameter::of(cx.tx(), &instance.id)?;
        let build = setting::build(cx.tx(), instance.engine, &instance.major, &site)?;
        let settings: Vec<Setting> = build.map(|build| build.settings).unwrap_or_default();
        let value = |setting: &Setting| given.iter().find(|row| row.name == setting.name);
        let waits = |row: &Parameter| {
            pending.contains(&row.name)
                || instance.settled < instance.generation && row.changed > seen
        };
        let (mut running, mut config) = (Vec::new(), Vec::new());
        for setting in settings.iter().filter(|setting| setting.tenant) {
            match value(setting) {
                // What it was before is not known: of what waits only that is told.
                Some(row) if waits(row) => config.push(View::waiting(setting, &row.value)),
                Some(row) => running.push(View::of(setting, &row.value)),
                None => running.push(View::of(setting, &setting.default)),
            }
        }
        let param_group_info = group_info(cx, &instance)?;
        Ok(DescribeParametersResponse {
            engine: instance.engine.as_str(),
            engine_version: version(instance.engine, &instance.major),
            running_parameters: List { rows: running },
            config_parameters: List { rows: config },
            param_group_info,
        })
    }
}

fn group_info(cx: &mut Cx<'_>, instance: &Instance) -> Result<GroupInfo, ApiError> {
    let Some(id) = instance.options.told.get(GROUP) else { return Ok(GroupInfo::default()) };
    let Some(group) = parameter_groups::lookup(cx, id)? else { return Ok(GroupInfo::default()) };
    Ok(GroupInfo {
        param_group_id: group.id,
        parameter_group_name: group.name,
        parameter_group_desc: group.description,
        parameter_group_type: "1",
    })
}

/// Lists what an engine can be set to by tenants.
pub(super) struct DescribeParameterTemplates;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct DescribeParameterTemplatesRequest {
    engine: String,
    engine_version: String,
    #[serde(rename = "DBInstanceId", default)]
    instance: String,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct DescribeParameterTemplatesResponse {
    engine: &'static str,
    engine_version: String,
    parameter_count: String,
    parameters: Templates,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Templates {
    template_record: Vec<Template>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Template {
    parameter_name: String,
    parameter_value: String,
    parameter_description: String,
    checking_code: String,
    force_modify: &'static str,
    force_restart: &'static str,
}

impl Action for DescribeParameterTemplates {
    const META: Meta = read("DescribeParameterTemplates");
    type Request = DescribeParameterTemplatesRequest;
    type Response = DescribeParameterTemplatesResponse;

    fn run(
        cx: &mut Cx<'_>,
        request: DescribeParameterTemplatesRequest,
    ) -> Result<DescribeParameterTemplatesResponse, ApiError> {
        let (engine, major) = engine(&request.engine, &request.engine_version)?;
        let site = if request.instance.is_empty() {
            let arn = super::arn(cx, cx.account(), "*");
            cx.authorize(&arn)?;
            String::new()
        } else {
            let instance = owned(cx, &request.instance)?;
            primary(cx, &instance)?.0
        };
        let build = build(cx, engine, &major, &site)?;
        let shown = |setting: &Setting| Template {
            parameter_name: setting.name.clone(),
            parameter_value: setting.default.clone(),
            parameter_description: setting.description.clone(),
            checking_code: values::range(setting),
            force_modify: "true",
            force_restart: if setting.restart { "true" } else { "false" },
        };
        let rows: Vec<_> =
            build.settings.iter().filter(|setting| setting.tenant).map(shown).collect();
        Ok(DescribeParameterTemplatesResponse {
            engine: engine.as_str(),
            engine_version: version(engine, &major),
            parameter_count: rows.len().to_string(),
            parameters: Templates { template_record: rows },
        })
    }
}

/// Sets an instance, by a JSON object or by a parameter group. What takes a restart waits for one, unless
/// `Forcerestart` asks for it now.
pub(super) struct ModifyParameter;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct ModifyParameterRequest {
    #[serde(rename = "DBInstanceId")]
    instance: String,
    #[serde(default)]
    parameters: String,
    #[serde(default)]
    parameter_group_id: String,
    #[serde(default)]
    forcerestart: bool,
    #[serde(default)]
    switch_time_mode: String,
}

impl Action for ModifyParameter {
    const META: Meta = write("ModifyParameter").replay_by("ClientToken");
    type Request = ModifyParameterRequest;
    type Response = Done;

    fn run(cx: &mut Cx<'_>, request: ModifyParameterRequest) -> Result<Done, ApiError> {
        if !matches!(request.switch_time_mode.as_str(), "" | "Immediate" | "0") {
            return Err(invalid(
                "SwitchTimeMode",
                "SwitchTimeMode is Immediate: settings change now.",
            ));
        }
        if request.parameters.is_empty() == request.parameter_group_id.is_empty() {
            return Err(invalid("Parameters", "Give either Parameters or ParameterGroupId."));
        }
        let mut instance = owned(cx, &request.instance)?;
        // Also while it restarts or is made: settings that hold that up must not be there for good.
        expect(&instance, &CHANGEABLE)?;
        let (site, ..) = primary(cx, &instance)?;
        let build = build(cx, instance.engine, &instance.major, &site)?;
        let asked = if request.parameters.is_empty() {
            let group = parameter_groups::find(cx, &request.parameter_group_id)?;
            adopt(cx, &mut instance, &group)?;
            serde_json::to_string(&group.parameters).map_err(ApiError::internal)?
        } else {
            request.parameters
        };
        let wanted = checked(&build, &asked)?;
        let changed = store(cx, &instance, wanted)?;
        if changed.iter().any(|name| room::takes_some(name)) {
            fit(cx, &instance, &build)?;
        }
        if changed.is_empty() {
            instance::save(cx.tx(), &instance)?;
            return Ok(Done {});
        }
        let restart = build.settings.iter().any(|it| it.restart && changed.contains(&it.name));
        let mut status = instance.status;
        if restart && request.forcerestart {
            instance.restarts += 1;
            if status == Status::Running {
                status = Status::Rebooting;
            }
        }
        let names: Vec<_> = changed.into_iter().collect();
        cx.audit_detail("Parameters", names.join(","));
        ask(cx, &mut instance, status)?;
        Ok(Done {})
    }
}

/// Refuses settings for which the class has no memory.
fn fit(cx: &mut Cx<'_>, instance: &Instance, build: &Build) -> Result<(), ApiError> {
    let Some(class) = classes::find(&instance.class) else { return Ok(()) };
    if instance.engine != Engine::Postgres {
        return Ok(());
    }
    let given = parameter::of(cx.tx(), &instance.id)?;
    let given = given.into_iter().map(|row| (row.name, row.value)).collect();
    room::check(&build.settings, &given, class)
        .map_err(|reason| PARAMETERS.error(format!("Parameters: {reason}")))
}

/// Notes that a group is applied to an instance.
fn adopt(cx: &Cx<'_>, instance: &mut Instance, group: &Group) -> Result<(), ApiError> {
    if (group.engine, &group.major) != (instance.engine, &instance.major) {
        let message = "The parameter group is for another engine or version.";
        return Err(invalid("ParameterGroupId", message));
    }
    instance.options.told.insert(GROUP.to_owned(), group.id.clone());
    instance.options.told.insert(GROUP_APPLIED.to_owned(), cx.now.iso());
    Ok(())
}

/// Stores what differs from what was asked before; answers its names.
fn store(
    cx: &mut Cx<'_>,
    instance: &Instance,
    wanted: BTreeMap<String, Option<String>>,
) -> Result<BTreeSet<String>, ApiError> {
    let now = cx.now;
    let before: BTreeMap<String, String> = parameter::of(cx.tx(), &instance.id)?
        .into_iter()
        .map(|row| (row.name, row.value))
        .collect();
    let mut changed = BTreeSet::new();
    for (name, value) in wanted {
        if before.get(&name) == value.as_ref() {
            continue;
        }
        match value {
            Some(value) => parameter::put(cx.tx(), &instance.id, &name, &value, now)?,
            None => parameter::unset(cx.tx(), &instance.id, &name)?,
        }
        changed.insert(name);
    }
    Ok(changed)
}
