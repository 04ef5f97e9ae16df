//! New instances.

use base::ApiError;
use engine::{Action, Cx, Meta};
use serde::Deserialize;
use terms::clauses::DataClass;

use super::catalogue::{STORAGE_TYPES, no_engine, port, storage};
use super::paying::postpaid;
use super::{arn, attributes, tags, write};
use crate::classes::{self, Class};
use crate::errors::NO_CLASS;
use crate::model::{Category, Engine, Options, Origin, Status};
use crate::requests::forms::{
    Rest, description, invalid, major, not_supported, one_of, refuse_unprovided, word,
};
use crate::requests::make::{DEFAULT_ARRAY, Made, Plan, default_class, make};
use crate::requests::networks::{NOBODY, entries};
use crate::requests::place::{Spot, place};
use crate::tables::ip_array::IpArray;

/// The tag whose value is the class of the data in an instance. It is read when the instance is made.
pub(super) const CLASS_TAG: &str = "awan:data-class";

/// What may be asked for at the real service and is not there here, with the values that ask for nothing.
const UNPROVIDED: &[(&str, &[&str])] = &[
    ("Amount", &["1"]),
    ("AutoCreateProxy", &["false"]),
    ("AutoRenew", &["false"]),
    ("BabelfishConfig", &[]),
    ("BpeEnabled", &["0", "false"]),
    ("BurstingEnabled", &["false"]),
    ("ColdDataEnabled", &["false"]),
    ("ConnectionMode", &["Standard"]),
    ("ConnectionString", &[]),
    ("CreateStrategy", &["Atomicity"]),
    ("DBIsIgnoreCase", &["false", "0"]),
    ("DBParamGroupId", &[]),
    ("DedicatedHostGroupId", &[]),
    ("EncryptionKey", &[]),
    ("ExternalReplication", &["false"]),
    ("IoAccelerationEnabled", &["0", "false", "off"]),
    ("OptimizedWrites", &["none"]),
    ("PrivateIpAddress", &[]),
    ("PromotionCode", &[]),
    ("RoleARN", &[]),
    ("ServerlessConfig", &[]),
    ("StorageAutoScale", &["Disable"]),
    ("SystemDBCharset", &["utf8", "utf8mb4"]),
    ("TargetDedicatedHostIdForLog", &[]),
    ("TargetDedicatedHostIdForMaster", &[]),
    ("TargetDedicatedHostIdForSlave", &[]),
    ("TargetMinorVersion", &[]),
    ("UserBackupId", &[]),
    ("WhitelistTemplateList", &[]),
    ("ZoneIdSlave2", &["auto"]),
];

/// Makes an instance; its task starts it.
pub(super) struct CreateDBInstance;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Request {
    region_id: String,
    engine: String,
    engine_version: String,
    #[serde(rename = "DBInstanceClass")]
    class: String,
    #[serde(rename = "DBInstanceStorage")]
    storage: i64,
    #[serde(rename = "DBInstanceNetType", default)]
    net_type: String,
    #[serde(rename = "DBInstanceStorageType", default)]
    storage_type: String,
    #[serde(rename = "DBInstanceDescription", default)]
    description: String,
    #[serde(default)]
    category: String,
    #[serde(default)]
    pay_type: String,
    #[serde(rename = "SecurityIPList", default)]
    security_ip_list: String,
    #[serde(rename = "VPCId", default)]
    vpc: String,
    #[serde(rename = "VSwitchId", default)]
    vswitch: String,
    #[serde(default)]
    zone_id: String,
    #[serde(default)]
    zone_id_slave1: String,
    #[serde(default)]
    port: String,
    #[serde(rename = "DBTimeZone", default)]
    time_zone: String,
    #[serde(default)]
    deletion_protection: bool,
    #[serde(default)]
    auto_upgrade_minor_version: String,
    #[serde(default)]
    resource_group_id: String,
    #[serde(default)]
    tag: Vec<tags::Pair>,
    #[serde(flatten)]
    rest: Rest,
}

impl Action for CreateDBInstance {
    const META: Meta = write("CreateDBInstance").replay_by("ClientToken").dry_run();
    type Request = Request;
    type Response = Made;

    fn run(cx: &mut Cx<'_>, request: Request) -> Result<Made, ApiError> {
        let arn = arn(cx, cx.account(), "*");
        cx.authorize(&arn)?;
        refuse_unprovided(&request.rest, UNPROVIDED)?;
        let engine = Engine::parse(&request.engine).ok_or_else(|| no_engine(&request.engine))?;
        let class = class(engine, &request.class, &request.category)?;
        storage("DBInstanceStorage", request.storage)?;
        postpaid(&request.pay_type)?;
        port(engine, &request.port)?;
        if request.net_type.eq_ignore_ascii_case("Internet") {
            return Err(not_supported("A public host name without a private one is"));
        }
        let tags = tags::checked(request.tag.iter())?;
        let data_class = match tags.iter().find(|(key, _)| key == CLASS_TAG) {
            Some((_, value)) => data_class(value)?,
            None => default_class(cx)?,
        };
        let addresses = entries("SecurityIPList", &request.security_ip_list)?.join(",");
        let options = options(engine, &request)?;
        let known = major(engine, &request.engine_version);
        let spot = Spot {
            region: &request.region_id,
            zone: &request.zone_id,
            standby_zone: match request.zone_id_slave1.as_str() {
                "Auto" | "auto" => "",
                zone => zone,
            },
            category: class.category,
            beside: &[],
        };
        let placement = place(cx, data_class, (engine, known), &spot)?;
        let plan = Plan {
            engine,
            major: known.to_owned(),
            class,
            storage_gib: request.storage,
            data_class,
            placement,
            parent: None,
            status: Status::Creating,
            origin: Origin::Template,
            options,
            tags,
            arrays: vec![IpArray {
                name: DEFAULT_ARRAY.to_owned(),
                attribute: String::new(),
                addresses: if addresses.is_empty() { NOBODY.to_owned() } else { addresses },
            }],
            region: request.region_id,
        };
        make(cx, plan)
    }
}

/// The class of that name for an engine, which decides the category.
pub(super) fn class(
    engine: Engine,
    name: &str,
    category: &str,
) -> Result<&'static Class, ApiError> {
    let found = classes::find(name).filter(|class| class.engine == engine);
    let class = found.ok_or(ApiError::new(&NO_CLASS))?;
    if category.is_empty() || Category::parse(category) == Some(class.category) {
        return Ok(class);
    }
    if Category::parse(category).is_none() {
        return Err(not_supported("A category other than Basic and HighAvailability is"));
    }
    let message = format!("The class {name} is of the category {}.", class.category.as_str());
    Err(invalid("Category", message))
}

fn data_class(value: &str) -> Result<DataClass, ApiError> {
    DataClass::parse(value).ok_or_else(|| {
        let classes = DataClass::ALL.map(DataClass::as_str).join(", ");
        invalid("Tag", format!("The value of the tag {CLASS_TAG} must be one of: {classes}."))
    })
}

fn options(engine: Engine, request: &Request) -> Result<Options, ApiError> {
    let mut options = Options {
        description: request.description.clone(),
        deletion_protection: request.deletion_protection,
        vpc: request.vpc.clone(),
        vswitch: request.vswitch.clone(),
        resource_group: request.resource_group_id.clone(),
        ..Options::default()
    };
    description("DBInstanceDescription", &request.description)?;
    word("VPCId", &request.vpc)?;
    word("VSwitchId", &request.vswitch)?;
    word("ResourceGroupId", &request.resource_group_id)?;
    if !request.storage_type.is_empty() {
        let known = one_of("DBInstanceStorageType", &request.storage_type, &STORAGE_TYPES)?;
        known.clone_into(&mut options.storage_type);
    }
    if !request.auto_upgrade_minor_version.is_empty() {
        let words = ["Auto", "Manual"];
        let word = one_of("AutoUpgradeMinorVersion", &request.auto_upgrade_minor_version, &words)?;
        word.clone_into(&mut options.auto_upgrade_minor_version);
    }
    if !request.time_zone.is_empty() {
        options.time_zone = attributes::time_zone("DBTimeZone", engine, &request.time_zone)?;
    }
    Ok(options)
}
