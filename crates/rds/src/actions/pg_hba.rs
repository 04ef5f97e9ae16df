//! Rules of who may connect to a PostgreSQL instance that its owner wrote. White lists are above them: see
//! [`crate::hba`].

use base::ApiError;
use engine::{Action, Cx, Meta};
use serde::{Deserialize, Serialize};

use super::parameters::OneInstance;
use super::{Done, ask, expect, read, write};
use crate::hba::{DEFAULT, Item, RULES_MAX, Rule};
use crate::model::Status;
use crate::requests::within::{invalid, postgres};
use crate::tables::hba;

/// Under which name an instance keeps when its rules were changed last.
const CHANGED: &str = "ModifyPGHbaConfig.ModifyTime";

/// Shows the rules.
pub(super) struct DescribePGHbaConfig;

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct DescribePGHbaConfigResponse {
    #[serde(rename = "DBInstanceId")]
    instance: String,
    last_modify_status: &'static str,
    modify_status_reason: &'static str,
    hba_modify_time: String,
    default_hba_items: Items,
    running_hba_items: Items,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Items {
    hba_item: Vec<Item>,
}

impl Action for DescribePGHbaConfig {
    const META: Meta = read("DescribePGHbaConfig");
    type Request = OneInstance;
    type Response = DescribePGHbaConfigResponse;

    fn run(cx: &mut Cx<'_>, request: OneInstance) -> Result<DescribePGHbaConfigResponse, ApiError> {
        let mut instance = postgres(cx, &request.instance)?;
        let rules = hba::of(cx.tx(), &instance.id)?;
        let default = vec![Item::of(0, &DEFAULT)];
        let running = if rules.is_empty() {
            default.clone()
        } else {
            rules.iter().map(|(priority, rule)| Item::of(*priority, rule)).collect()
        };
        let settled = instance.settled == instance.generation;
        Ok(DescribePGHbaConfigResponse {
            last_modify_status: if settled { "success" } else { "setting" },
            modify_status_reason: "",
            hba_modify_time: instance.options.told.remove(CHANGED).unwrap_or_default(),
            default_hba_items: Items { hba_item: default },
            running_hba_items: Items { hba_item: running },
            instance: instance.id,
        })
    }
}

/// Changes the rules: replaces all (`update`), adds some, replaces some by their priorities (`modify`), or removes
/// some by theirs (`delete`).
pub(super) struct ModifyPGHbaConfig;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct ModifyPGHbaConfigRequest {
    #[serde(rename = "DBInstanceId")]
    instance: String,
    ops_type: String,
    #[serde(default)]
    hba_item: Vec<Item>,
}

impl Action for ModifyPGHbaConfig {
    const META: Meta = write("ModifyPGHbaConfig").replay_by("ClientToken");
    type Request = ModifyPGHbaConfigRequest;
    type Response = Done;

    fn run(cx: &mut Cx<'_>, request: ModifyPGHbaConfigRequest) -> Result<Done, ApiError> {
        let given = understood(&request)?;
        let mut instance = postgres(cx, &request.instance)?;
        expect(&instance, &[Status::Running])?;
        let mut rules = hba::of(cx.tx(), &instance.id)?;
        change(&request.ops_type, &mut rules, given)?;
        hba::replace(cx.tx(), &instance.id, &rules)?;
        let told = &mut instance.options.told;
        told.insert(CHANGED.to_owned(), cx.now.iso());
        cx.audit_detail("OpsType", request.ops_type);
        ask(cx, &mut instance, Status::Running)?;
        Ok(Done {})
    }
}

/// The rules of a request with their priorities, which differ. Of those to remove only the priorities count.
fn understood(request: &ModifyPGHbaConfigRequest) -> Result<Vec<(i64, Rule)>, ApiError> {
    let mut out: Vec<(i64, Rule)> = Vec::new();
    for item in &request.hba_item {
        let rule = match request.ops_type.as_str() {
            "delete" => DEFAULT,
            _ => item.rule().map_err(|reason| invalid("HbaItem", reason))?,
        };
        if out.iter().any(|(priority, _)| *priority == item.priority) {
            return Err(invalid("HbaItem", "Two rules have the same PriorityId."));
        }
        out.push((item.priority, rule));
    }
    if out.is_empty() && request.ops_type != "update" {
        return Err(invalid("HbaItem", "There is no HbaItem."));
    }
    Ok(out)
}

fn change(
    ops: &str,
    rules: &mut Vec<(i64, Rule)>,
    given: Vec<(i64, Rule)>,
) -> Result<(), ApiError> {
    let known = |rules: &[(i64, Rule)]| {
        let known = |(priority, _): &&(i64, Rule)| rules.iter().any(|(it, _)| it == priority);
        given.iter().filter(known).count()
    };
    match ops {
        "update" => rules.clear(),
        "add" if known(rules) == 0 => {}
        "add" => return Err(invalid("HbaItem", "There is a rule of that PriorityId already.")),
        "modify" | "delete" if known(rules) == given.len() => {
            rules.retain(|(it, _)| !given.iter().any(|(priority, _)| it == priority));
        }
        "modify" | "delete" => {
            return Err(invalid("HbaItem", "There is no rule of that PriorityId."));
        }
        _ => return Err(invalid("OpsType", "OpsType is update, add, modify or delete.")),
    }
    if ops != "delete" {
        rules.extend(given);
    }
    rules.sort_by_key(|(priority, _)| *priority);
    if rules.len() > RULES_MAX {
        return Err(invalid("HbaItem", format!("An instance has at most {RULES_MAX} rules.")));
    }
    Ok(())
}
