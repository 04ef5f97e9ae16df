//! The rows of a new instance, whatever it is made of, and the work that begins with them.

use std::sync::Arc;

use base::{ApiError, Time, code};
use engine::Cx;
use engine::places::{self, Placement};
use serde::Serialize;
use terms::clauses::DataClass;

use super::networks::NOBODY;
use crate::actions::arn;
use crate::classes::Class;
use crate::deployment::Settings;
use crate::machine;
use crate::model::{Engine, Keeper, Options, Origin, Secrets, Status};
use crate::node::api::Observed;
use crate::tables::instance::{self, New};
use crate::tables::ip_array::{self, IpArray};
use crate::tables::member::{self, Member};
use crate::tables::tag::{self, Tag};

/// The white list that every instance has.
pub(crate) const DEFAULT_ARRAY: &str = "default";

/// All that is decided about a new instance.
pub(crate) struct Plan {
    pub(crate) region: String,
    pub(crate) engine: Engine,
    pub(crate) major: String,
    pub(crate) class: &'static Class,
    pub(crate) storage_gib: i64,
    pub(crate) data_class: DataClass,
    pub(crate) placement: Placement,
    /// Of a read-only instance: which it follows.
    pub(crate) parent: Option<String>,
    pub(crate) status: Status,
    pub(crate) origin: Origin,
    pub(crate) options: Options,
    /// Keys and values.
    pub(crate) tags: Vec<(String, String)>,
    /// White lists; `default` is added where it is not among them.
    pub(crate) arrays: Vec<IpArray>,
}

/// What a client is told of its new instance.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Made {
    #[serde(rename = "DBInstanceId")]
    pub(crate) id: String,
    order_id: String,
    connection_string: String,
    port: String,
}

/// The class of data of which nobody says anything.
pub(crate) fn default_class(cx: &mut Cx<'_>) -> Result<DataClass, ApiError> {
    let (owner, now, covenant) = (cx.account(), cx.now, Arc::clone(&cx.cloud.covenant));
    let in_force = covenant.in_force(cx.tx(), owner, now)?;
    Ok(in_force.map_or(DataClass::Internal, |bound| bound.terms.residency.default_class))
}

/// The number under which a purchase is told and found in the audit trail.
pub(crate) fn order(cx: &Cx<'_>) -> String {
    format!("2{}", cx.rng().string(b"0123456789", 14))
}

/// Makes the instance: its rows, its place in the log, its task.
///
/// # Errors
/// `QuotaExceed.DBInstance`; those of the database.
pub(crate) fn make(cx: &mut Cx<'_>, mut plan: Plan) -> Result<Made, ApiError> {
    let (account, now, cloud) = (cx.account(), cx.now, cx.cloud);
    let most = Settings::told().instances_max;
    if instance::count(cx.tx(), account)? >= most {
        let message = format!("An account has at most {most} instances.");
        return Err(code::QUOTA_EXCEEDED.error(message).suffix("DBInstance"));
    }
    let id = id(cx, plan.engine, plan.parent.is_some());
    plan.options.asked = cx.meta.name.to_owned();
    plan.options.asked_at = now.micros();
    let new = New {
        id: id.clone(),
        account,
        region: plan.region,
        engine: plan.engine,
        major: plan.major,
        class: plan.class.name.clone(),
        storage_gib: plan.storage_gib,
        category: plan.class.category,
        data_class: plan.data_class,
        parent: plan.parent,
        keeper: Keeper::Awan,
        status: plan.status,
        name: id.clone(),
        origin: plan.origin,
        options: plan.options,
        secrets: Secrets { replicator: cx.rng().alphanumeric(32), ..Secrets::default() },
    };
    instance::insert(cx.tx(), &cloud.seal, &new, now)?;
    members(cx, &id, &plan.placement)?;
    arrays(cx, &id, plan.arrays)?;
    for (key, value) in plan.tags {
        tag::put(cx.tx(), &Tag { instance: id.clone(), key, value })?;
    }
    places::state(cx, &plan.placement, "instances", 1);
    cx.spawn(machine::KIND, id.clone(), machine::CONVERGE, now);
    let order_id = order(cx);
    audit(cx, &new, &plan.placement, &order_id);
    let settings = Settings::told();
    let connection_string = settings.host(&id, new.engine);
    Ok(Made { id, order_id, connection_string, port: settings.port(new.engine).to_string() })
}

fn audit(cx: &mut Cx<'_>, new: &New, placement: &Placement, order: &str) {
    let resource = arn(cx, new.account, &new.id);
    cx.audit_resource(resource);
    let sites: Vec<_> = placement.places().iter().map(places::Place::site).collect();
    cx.audit_detail("DBInstanceId", &new.id);
    cx.audit_detail("OrderId", order);
    cx.audit_detail("Engine", format!("{} {}", new.engine.as_str(), new.major));
    cx.audit_detail("DBInstanceClass", &new.class);
    cx.audit_detail("DBInstanceStorage", new.storage_gib.to_string());
    cx.audit_detail("class", new.data_class.as_str());
    cx.audit_detail("site", sites.join(" "));
}

fn id(cx: &Cx<'_>, engine: Engine, read_only: bool) -> String {
    let prefix = match (engine, read_only) {
        (Engine::Postgres, false) => "pgm",
        (Engine::Postgres, true) => "pgr",
        (Engine::MariaDb, false) => "rm",
        (Engine::MariaDb, true) => "rr",
    };
    format!("{prefix}-{}", cx.rng().string(b"0123456789abcdefghijklmnopqrstuvwxyz", 17))
}

fn members(cx: &mut Cx<'_>, id: &str, placement: &Placement) -> Result<(), ApiError> {
    for (at, place) in placement.places().iter().enumerate() {
        let new = Member {
            instance: id.to_owned(),
            site: place.site().to_owned(),
            zone: place.zone().to_owned(),
            primary: at == 0,
            host: String::new(),
            port: 0,
            observed: Observed::default(),
            seen: Time::default(),
        };
        member::put(cx.tx(), &new)?;
    }
    Ok(())
}

fn arrays(cx: &mut Cx<'_>, id: &str, mut arrays: Vec<IpArray>) -> Result<(), ApiError> {
    if !arrays.iter().any(|array| array.name == DEFAULT_ARRAY) {
        arrays.push(IpArray {
            name: DEFAULT_ARRAY.to_owned(),
            attribute: String::new(),
            addresses: NOBODY.to_owned(),
        });
    }
    for array in arrays {
        ip_array::put(cx.tx(), id, &array)?;
    }
    Ok(())
}
