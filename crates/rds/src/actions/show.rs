//! Instances as they are shown.

use base::ApiError;
use engine::page::{ByNumber, ByToken, Page};
use engine::{Action, Cx, Meta};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::network::{hosts, port};
use super::{arn, owned, read};
use crate::classes::{self, Class};
use crate::deployment::Settings;
use crate::model::{Keeper, Status};
use crate::requests::forms::{List, Named, invalid, list, major, version};
use crate::tables::instance::{self, Instance};
use crate::tables::member::{self, Member};
use crate::tables::{self, backup, ip_array, tag};

/// Rows that are read at once.
const BATCH: usize = 500;

/// All instances of the caller's account, by id.
pub(super) fn all(cx: &mut Cx<'_>) -> Result<Vec<Instance>, ApiError> {
    let account = cx.account();
    let mut found: Vec<Instance> = Vec::new();
    loop {
        let after = found.last().map(|last| last.id.clone()).unwrap_or_default();
        let rows = instance::of_account(cx.tx(), account, &after, BATCH)?;
        let full = rows.len() == BATCH;
        found.extend(rows);
        if !full {
            return Ok(found);
        }
    }
}

/// Those of the account that are gone and can still be restored, by id.
fn released(cx: &mut Cx<'_>) -> Result<Vec<Instance>, ApiError> {
    let (account, now) = (cx.account(), cx.now);
    let kept = backup::released_of_account(cx.tx(), account)?;
    Ok(kept.into_iter().filter(|it| it.until > now).filter_map(Instance::of_released).collect())
}

#[derive(Serialize)]
pub(super) struct OnlyId {
    #[serde(rename = "DBInstanceId")]
    id: String,
}

/// What both views of an instance have in common.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Common {
    #[serde(rename = "DBInstanceId")]
    id: String,
    #[serde(rename = "DBInstanceDescription")]
    description: String,
    #[serde(rename = "DBInstanceStatus")]
    status: &'static str,
    #[serde(rename = "DBInstanceType")]
    kind: &'static str,
    #[serde(rename = "DBInstanceClass")]
    class: String,
    #[serde(rename = "DBInstanceCPU", skip_serializing_if = "Option::is_none")]
    cpu: Option<String>,
    #[serde(rename = "DBInstanceMemory", skip_serializing_if = "Option::is_none")]
    memory_mib: Option<u32>,
    #[serde(rename = "DBInstanceNetType")]
    net_type: &'static str,
    #[serde(rename = "DBInstanceStorageType")]
    storage_type: String,
    region_id: String,
    zone_id: String,
    engine: &'static str,
    engine_version: String,
    category: &'static str,
    pay_type: String,
    connection_mode: &'static str,
    connection_string: String,
    instance_network_type: &'static str,
    vpc_id: String,
    #[serde(rename = "VSwitchId")]
    vswitch_id: String,
    resource_group_id: String,
    lock_mode: &'static str,
    lock_reason: &'static str,
    deletion_protection: bool,
    expire_time: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    master_instance_id: Option<String>,
    #[serde(rename = "ReadOnlyDBInstanceIds")]
    read_only: List<OnlyId>,
    tips: String,
    tips_level: u32,
}

/// Whether nothing but their own settings holds its servers to their class.
const ADVISORY: &str = "Nothing but its own settings holds this instance to the processors and memory of its class: \
                        its node has no control groups.";

/// What an instance is whose servers the cloud does not keep.
const UNDER_PATRONI: &str = "Its operator keeps this cluster under Patroni: the cloud leads to the server that takes writes, restarts and \
                             switches over on request, and makes no backups.";

/// What a client should know of an instance, and whether that is a warning.
fn tips(instance: &Instance, members: &[Member]) -> (String, u32) {
    let given_up = &instance.options.given_up;
    if !given_up.is_empty() {
        return (format!("{given_up} was not carried out: the servers refused it."), 1);
    }
    if instance.keeper == Keeper::Patroni {
        return (UNDER_PATRONI.to_owned(), 0);
    }
    let advisory = members.iter().any(|member| member.observed.confinement == "advisory");
    (if advisory { ADVISORY.to_owned() } else { String::new() }, u32::from(advisory))
}

fn common(cx: &mut Cx<'_>, instance: &Instance, members: &[Member]) -> Result<Common, ApiError> {
    let followers = instance::followers(cx.tx(), &instance.id)?;
    let class = classes::find(&instance.class);
    let options = &instance.options;
    let (tips, tips_level) = tips(instance, members);
    Ok(Common {
        id: instance.id.clone(),
        description: options.description.clone(),
        status: instance.status.as_str(),
        kind: if instance.is_read_only() { "Readonly" } else { "Primary" },
        class: instance.class.clone(),
        cpu: class.map(|class| class.cpu.to_string()),
        memory_mib: class.map(|class| class.memory_gib * 1024),
        net_type: "Intranet",
        storage_type: options.storage_type.clone(),
        region_id: instance.region.clone(),
        zone_id: members.first().map(|member| member.zone.clone()).unwrap_or_default(),
        engine: instance.engine.as_str(),
        engine_version: version(instance.engine, &instance.major),
        category: instance.category.as_str(),
        pay_type: options.pay_type.clone(),
        connection_mode: "Standard",
        connection_string: match instance.status {
            Status::Released => String::new(),
            _ => Settings::told().host(&instance.name, instance.engine),
        },
        instance_network_type: if options.vpc.is_empty() { "Classic" } else { "VPC" },
        vpc_id: options.vpc.clone(),
        vswitch_id: options.vswitch.clone(),
        resource_group_id: options.resource_group.clone(),
        lock_mode: "Unlock",
        lock_reason: "",
        deletion_protection: options.deletion_protection,
        expire_time: "",
        master_instance_id: instance.parent.clone(),
        read_only: list(
            "ReadOnlyDBInstanceId",
            followers.into_iter().map(|follower| OnlyId { id: follower.id }),
        ),
        tips,
        tips_level,
    })
}

/// Lists instances.
pub(super) struct DescribeDBInstances;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct ListRequest {
    #[serde(flatten)]
    filter: Filter,
    #[serde(flatten)]
    by_number: ByNumber,
    #[serde(flatten)]
    by_token: ByToken,
}

/// What instances are asked for: every field that is not empty must fit.
#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Filter {
    region_id: String,
    #[serde(rename = "DBInstanceId")]
    id: String,
    #[serde(rename = "DBInstanceStatus")]
    status: String,
    #[serde(rename = "DBInstanceType")]
    kind: String,
    #[serde(rename = "DBInstanceClass")]
    class: String,
    engine: String,
    engine_version: String,
    category: String,
    pay_type: String,
    connection_mode: String,
    connection_string: String,
    search_key: String,
    expired: String,
    zone_id: String,
    vpc_id: String,
    #[serde(rename = "VSwitchId")]
    vswitch_id: String,
    instance_network_type: String,
    resource_group_id: String,
    tags: String,
}

impl Filter {
    /// Whether an instance fits, as far as its own row tells.
    fn fits(&self, instance: &Instance) -> bool {
        let same = |asked: &str, is: &str| asked.is_empty() || asked.eq_ignore_ascii_case(is);
        let options = &instance.options;
        let kind = if instance.is_read_only() { "Readonly" } else { "Primary" };
        let network = if options.vpc.is_empty() { "Classic" } else { "VPC" };
        let found = |key: &str| instance.id.contains(key) || options.description.contains(key);
        same(&self.region_id, &instance.region)
            && (self.id.is_empty() || self.id.split(',').any(|id| id.trim() == instance.id))
            && same(&self.status, instance.status.as_str())
            && same(&self.kind, kind)
            && same(&self.class, &instance.class)
            && same(&self.engine, instance.engine.as_str())
            && (self.engine_version.is_empty()
                || major(instance.engine, &self.engine_version) == instance.major)
            && same(&self.category, instance.category.as_str())
            && same(&self.pay_type, &options.pay_type)
            && same(&self.connection_mode, "Standard")
            && (self.connection_string.is_empty()
                || hosts(instance).contains(&self.connection_string))
            && (self.search_key.is_empty() || found(&self.search_key))
            && same(&self.expired, "False")
            && same(&self.vpc_id, &options.vpc)
            && same(&self.vswitch_id, &options.vswitch)
            && same(&self.instance_network_type, network)
            && same(&self.resource_group_id, &options.resource_group)
    }

    /// The tags that are asked for, each with its value or any.
    fn wanted_tags(&self) -> Result<Vec<(String, Option<String>)>, ApiError> {
        super::tags::sent_as_json("Tags", &self.tags)
    }
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct ListResponse {
    items: List<View>,
    page_number: u32,
    page_record_count: usize,
    total_record_count: usize,
    next_token: String,
}

/// An instance in a list.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct View {
    #[serde(flatten)]
    common: Common,
    create_time: String,
    destroy_time: String,
    auto_renewal: bool,
    #[serde(rename = "MutriORsignle")]
    multi_zone: bool,
}

impl Action for DescribeDBInstances {
    const META: Meta = read("DescribeDBInstances");
    type Request = ListRequest;
    type Response = ListResponse;

    fn run(cx: &mut Cx<'_>, request: ListRequest) -> Result<ListResponse, ApiError> {
        let arn = arn(cx, cx.account(), "*");
        cx.authorize(&arn)?;
        let fitting = fitting(cx, &request.filter)?;
        let total_record_count = fitting.len();
        let (number, page) = if request.by_token.is_asked() {
            let size = request.by_token.limit(30, 100)?;
            let after = request.by_token.after()?.unwrap_or_default();
            let rows = fitting.into_iter().filter(|instance| instance.id > after);
            (1, Page::cut(rows.take(size + 1).collect(), size, |row: &Instance| row.id.clone()))
        } else {
            let size = request.by_number.size(30, 100)?;
            let number = request.by_number.number();
            let skip = (number as usize - 1).saturating_mul(size);
            let rows: Vec<_> = fitting.into_iter().skip(skip).take(size + 1).collect();
            (number, Page::cut(rows, size, |row: &Instance| row.id.clone()))
        };
        let mut views = Vec::with_capacity(page.rows.len());
        for instance in &page.rows {
            views.push(view(cx, instance)?);
        }
        Ok(ListResponse {
            page_number: number,
            page_record_count: views.len(),
            total_record_count,
            next_token: page.next.unwrap_or_default(),
            items: list("DBInstance", views),
        })
    }
}

fn fitting(cx: &mut Cx<'_>, filter: &Filter) -> Result<Vec<Instance>, ApiError> {
    let wanted = filter.wanted_tags()?;
    let account = cx.account();
    let tags = if wanted.is_empty() { Vec::new() } else { tag::of_account(cx.tx(), account)? };
    // Those that are gone are told of only to who asks for them: clients take what is listed for what is there.
    let gone = filter.status.eq_ignore_ascii_case(Status::Released.as_str());
    let candidates = if gone { released(cx)? } else { all(cx)? };
    let mut found = Vec::new();
    for instance in candidates {
        let tagged = wanted.iter().all(|(key, value)| {
            tags.iter().any(|tag| {
                tag.instance == instance.id
                    && tag.key == *key
                    && value.as_ref().is_none_or(|value| *value == tag.value)
            })
        });
        if !tagged || !filter.fits(&instance) {
            continue;
        }
        if !filter.zone_id.is_empty() {
            let members = member::shown(cx.tx(), &instance)?;
            if !members.iter().any(|member| member.zone == filter.zone_id) {
                continue;
            }
        }
        found.push(instance);
    }
    Ok(found)
}

fn view(cx: &mut Cx<'_>, instance: &Instance) -> Result<View, ApiError> {
    let members = member::shown(cx.tx(), instance)?;
    let released = match instance.status {
        Status::Released => backup::find_released(cx.tx(), &instance.id)?,
        _ => None,
    };
    Ok(View {
        common: common(cx, instance, &members)?,
        create_time: instance.created.iso(),
        destroy_time: released.map(|it| it.until.iso()).unwrap_or_default(),
        auto_renewal: false,
        multi_zone: members.len() > 1,
    })
}

/// Shows everything about an instance.
pub(super) struct DescribeDBInstanceAttribute;

#[derive(Serialize)]
pub(super) struct AttributeResponse {
    #[serde(rename = "Items")]
    items: List<Attribute>,
}

/// An instance as a whole.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Attribute {
    #[serde(flatten)]
    common: Common,
    creation_time: String,
    #[serde(rename = "DBInstanceStorage")]
    storage: i64,
    #[serde(rename = "DBInstanceDiskUsed")]
    disk_used: String,
    #[serde(rename = "DBInstanceClassType", skip_serializing_if = "Option::is_none")]
    class_type: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_connections: Option<u32>,
    port: String,
    maintain_time: String,
    auto_upgrade_minor_version: String,
    current_kernel_version: String,
    latest_kernel_version: String,
    time_zone: String,
    master_zone: String,
    slave_zones: List<ZoneView>,
    #[serde(rename = "SecurityIPList")]
    security_ip_list: String,
    #[serde(rename = "SecurityIPMode")]
    security_ip_mode: &'static str,
    #[serde(rename = "IPType")]
    ip_type: &'static str,
    super_permission_mode: &'static str,
    #[serde(rename = "PGBouncerEnabled")]
    pgbouncer_enabled: &'static str,
    bursting_enabled: bool,
    cold_data_enabled: bool,
    io_acceleration_enabled: &'static str,
    extra: Value,
    #[serde(rename = "DBClusterNodes")]
    nodes: List<()>,
}

#[derive(Serialize)]
pub(super) struct ZoneView {
    #[serde(rename = "ZoneId")]
    zone: String,
}

impl Action for DescribeDBInstanceAttribute {
    const META: Meta = read("DescribeDBInstanceAttribute");
    type Request = Named;
    type Response = AttributeResponse;

    fn run(cx: &mut Cx<'_>, request: Named) -> Result<AttributeResponse, ApiError> {
        if request.id.is_empty() {
            return Err(invalid(
                "DBInstanceId",
                "The specified DBInstanceId must name an instance.",
            ));
        }
        let instance = owned(cx, &request.id)?;
        Ok(AttributeResponse { items: list("DBInstanceAttribute", [attribute(cx, &instance)?]) })
    }
}

fn attribute(cx: &mut Cx<'_>, instance: &Instance) -> Result<Attribute, ApiError> {
    let members = member::shown(cx.tx(), instance)?;
    let common = common(cx, instance, &members)?;
    let arrays = ip_array::of(cx.tx(), &instance.id)?;
    let addresses: Vec<_> = arrays.into_iter().map(|array| array.addresses).collect();
    let primary = members.first();
    let latest = match primary {
        Some(member) => {
            tables::engine::find(cx.tx(), &member.site, instance.engine, &instance.major)?
        }
        None => None,
    };
    let class = classes::find(&instance.class);
    let group = |class: &Class| if class.dedicated { "x" } else { "s" };
    let read_only = common.read_only.values().flatten().map(|it| it.id.clone());
    Ok(Attribute {
        extra: serde_json::json!({ "DBInstanceIds": { "DBInstanceId": read_only.collect::<Vec<_>>() } }),
        creation_time: instance.created.iso(),
        storage: instance.storage_gib,
        disk_used: primary.map_or(0, |it| it.observed.storage_bytes).to_string(),
        class_type: class.map(group),
        max_connections: class.map(|class| class.connections),
        port: port(instance, primary).to_string(),
        maintain_time: instance.options.maintain_time.clone(),
        auto_upgrade_minor_version: instance.options.auto_upgrade_minor_version.clone(),
        current_kernel_version: primary.map(|it| it.observed.build.clone()).unwrap_or_default(),
        latest_kernel_version: latest.map(|build| build.version).unwrap_or_default(),
        time_zone: instance.options.time_zone.clone(),
        master_zone: common.zone_id.clone(),
        slave_zones: list(
            "SlaveZone",
            members.iter().skip(1).map(|member| ZoneView { zone: member.zone.clone() }),
        ),
        security_ip_list: addresses.join(","),
        security_ip_mode: "normal",
        ip_type: "IPv4",
        super_permission_mode: "disabled",
        pgbouncer_enabled: "false",
        bursting_enabled: false,
        cold_data_enabled: false,
        io_acceleration_enabled: "0",
        nodes: list("DBClusterNode", []),
        common,
    })
}
