//! Who may reach an instance: its white lists. Groups and templates of other services are not there, and are told so.

use base::ApiError;
use engine::{Action, Cx, Meta};
use serde::{Deserialize, Serialize};

use super::{Done, ask, expect, owned, read, write};
use crate::model::Status;
use crate::requests::forms::{List, Named, OneId, invalid, list, not_supported, one_of};
use crate::requests::make::DEFAULT_ARRAY;
use crate::requests::networks::{ENTRIES_MAX, NOBODY, entries, is_v6};
use crate::tables::ip_array::{self, IpArray};

/// Arrays of one instance, at most.
const ARRAYS_MAX: usize = 50;

/// Shows the white lists.
pub(super) struct DescribeDBInstanceIPArrayList;

#[derive(Serialize)]
pub(super) struct ArraysResponse {
    #[serde(rename = "Items")]
    items: List<ArrayView>,
}

#[derive(Serialize)]
pub(super) struct ArrayView {
    #[serde(rename = "DBInstanceIPArrayName")]
    name: String,
    #[serde(rename = "DBInstanceIPArrayAttribute")]
    attribute: String,
    #[serde(rename = "SecurityIPType")]
    kind: &'static str,
    #[serde(rename = "SecurityIPList")]
    addresses: String,
}

impl Action for DescribeDBInstanceIPArrayList {
    const META: Meta = read("DescribeDBInstanceIPArrayList");
    type Request = Named;
    type Response = ArraysResponse;

    fn run(cx: &mut Cx<'_>, request: Named) -> Result<ArraysResponse, ApiError> {
        let instance = owned(cx, &request.id)?;
        let arrays = ip_array::of(cx.tx(), &instance.id)?;
        let views = arrays.into_iter().map(|array| ArrayView {
            kind: if is_v6(&array.addresses) { "IPv6" } else { "IPv4" },
            name: array.name,
            attribute: array.attribute,
            addresses: array.addresses,
        });
        Ok(ArraysResponse { items: list("DBInstanceIPArray", views) })
    }
}

/// Changes one white list.
pub(super) struct ModifySecurityIps;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct ModifyRequest {
    #[serde(rename = "DBInstanceId")]
    id: String,
    security_ips: String,
    #[serde(rename = "DBInstanceIPArrayName", default = "default_array")]
    name: String,
    #[serde(rename = "DBInstanceIPArrayAttribute", default)]
    attribute: String,
    #[serde(default = "cover")]
    modify_mode: String,
    #[serde(rename = "SecurityIPType", default)]
    kind: String,
    #[serde(default)]
    fresh_white_list_readins: String,
}

fn default_array() -> String {
    DEFAULT_ARRAY.to_owned()
}

fn cover() -> String {
    "Cover".to_owned()
}

impl Action for ModifySecurityIps {
    const META: Meta = write("ModifySecurityIps");
    type Request = ModifyRequest;
    type Response = Done;

    fn run(cx: &mut Cx<'_>, request: ModifyRequest) -> Result<Done, ApiError> {
        array_name("DBInstanceIPArrayName", &request.name)?;
        let mode = one_of("ModifyMode", &request.modify_mode, &["Cover", "Append", "Delete"])?;
        let given = entries("SecurityIps", &request.security_ips)?;
        if !request.kind.is_empty() {
            let v6 = one_of("SecurityIPType", &request.kind, &["IPv4", "IPv6"])? == "IPv6";
            if given.iter().any(|entry| is_v6(entry) != v6) {
                let message = format!("Not every address in the list is {}.", request.kind);
                return Err(invalid("SecurityIps", message));
            }
        }
        if !matches!(request.attribute.as_str(), "" | "hidden") {
            let message = "The specified DBInstanceIPArrayAttribute must be hidden or empty.";
            return Err(invalid("DBInstanceIPArrayAttribute", message));
        }
        if !request.fresh_white_list_readins.is_empty() {
            return Err(not_supported(
                "A change of the lists of other instances along with this one is",
            ));
        }
        let mut instance = owned(cx, &request.id)?;
        expect(&instance, &[Status::Running, Status::Stopped])?;
        let arrays = ip_array::of(cx.tx(), &instance.id)?;
        let before = arrays.iter().find(|array| array.name == request.name);
        let addresses = changed(mode, before, given)?;
        check_size(&arrays, &request.name, &addresses)?;
        store(cx, &instance.id, &request, before, &addresses)?;
        cx.audit_detail("DBInstanceIPArrayName", &request.name);
        cx.audit_detail("SecurityIps", addresses.join(","));
        let status = instance.status;
        ask(cx, &mut instance, status)?;
        Ok(Done {})
    }
}

/// What the list has after the change. Nobody is not among those that are added or left.
fn changed(
    mode: &str,
    before: Option<&IpArray>,
    given: Vec<String>,
) -> Result<Vec<String>, ApiError> {
    let present = match before {
        Some(array) => entries("SecurityIps", &array.addresses)?,
        None => Vec::new(),
    };
    let mut addresses = match mode {
        "Append" => {
            let added: Vec<_> = given.into_iter().filter(|it| !present.contains(it)).collect();
            present.into_iter().chain(added).collect()
        }
        "Delete" => present.into_iter().filter(|it| !given.contains(it)).collect(),
        _ => given,
    };
    if mode == "Append" && addresses.len() > 1 {
        addresses.retain(|entry| entry != NOBODY);
    }
    Ok(addresses)
}

fn check_size(arrays: &[IpArray], name: &str, addresses: &[String]) -> Result<(), ApiError> {
    let others = || arrays.iter().filter(|array| array.name != name);
    let entries: usize = others().map(|array| array.addresses.split(',').count()).sum();
    if others().count() >= ARRAYS_MAX || entries + addresses.len() > ENTRIES_MAX {
        let message = format!(
            "An instance has at most {ARRAYS_MAX} lists with {ENTRIES_MAX} addresses together."
        );
        return Err(invalid("SecurityIps", message));
    }
    Ok(())
}

/// Stores a list. An empty one goes, and the default one then lets nobody in.
fn store(
    cx: &mut Cx<'_>,
    instance: &str,
    request: &ModifyRequest,
    before: Option<&IpArray>,
    addresses: &[String],
) -> Result<(), ApiError> {
    let attribute = match before {
        Some(array) if request.attribute.is_empty() => array.attribute.clone(),
        _ => request.attribute.clone(),
    };
    let mut addresses = addresses.join(",");
    if addresses.is_empty() {
        if request.name != DEFAULT_ARRAY {
            return ip_array::remove(cx.tx(), instance, &request.name);
        }
        NOBODY.clone_into(&mut addresses);
    }
    let array = IpArray { name: request.name.clone(), attribute, addresses };
    ip_array::put(cx.tx(), instance, &array)
}

fn array_name(name: &str, value: &str) -> Result<(), ApiError> {
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_';
    let letter = value.as_bytes().first().is_some_and(u8::is_ascii_lowercase);
    if (2..=32).contains(&value.len())
        && letter
        && value.bytes().all(plain)
        && !value.ends_with('_')
    {
        return Ok(());
    }
    let message = format!(
        "The specified {name} must have 2 to 32 lower-case letters, digits and underscores, begin with a letter and not \
         end with an underscore."
    );
    Err(invalid(name, message))
}

/// Shows that no security group opens an instance.
pub(super) struct DescribeSecurityGroupConfiguration;

#[derive(Serialize)]
pub(super) struct GroupsResponse {
    #[serde(rename = "DBInstanceName")]
    name: String,
    #[serde(rename = "Items")]
    items: List<()>,
}

impl Action for DescribeSecurityGroupConfiguration {
    const META: Meta = read("DescribeSecurityGroupConfiguration");
    type Request = Named;
    type Response = GroupsResponse;

    fn run(cx: &mut Cx<'_>, request: Named) -> Result<GroupsResponse, ApiError> {
        let name = owned(cx, &request.id)?.id;
        Ok(GroupsResponse { name, items: list("EcsSecurityGroupRelation", []) })
    }
}

/// Refuses to open an instance to a security group; says yes to none.
pub(super) struct ModifySecurityGroupConfiguration;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct ModifyGroupsRequest {
    #[serde(rename = "DBInstanceId")]
    id: String,
    #[serde(default)]
    security_group_id: String,
}

impl Action for ModifySecurityGroupConfiguration {
    const META: Meta = write("ModifySecurityGroupConfiguration");
    type Request = ModifyGroupsRequest;
    type Response = GroupsResponse;

    fn run(cx: &mut Cx<'_>, request: ModifyGroupsRequest) -> Result<GroupsResponse, ApiError> {
        let name = owned(cx, &request.id)?.id;
        if !request.security_group_id.is_empty() {
            return Err(not_supported("Access by security groups (white lists are) is"));
        }
        cx.audit_detail("SecurityGroupId", "");
        Ok(GroupsResponse { name, items: list("EcsSecurityGroupRelation", []) })
    }
}

/// Shows that no template of white lists hangs on an instance.
pub(super) struct DescribeInstanceLinkedWhitelistTemplate;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct LinkedRequest {
    ins_name: String,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct LinkedResponse {
    code: &'static str,
    http_status_code: u16,
    message: &'static str,
    success: bool,
    data: Linked,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Linked {
    ins_name: String,
    templates: Vec<()>,
}

impl Action for DescribeInstanceLinkedWhitelistTemplate {
    const META: Meta = read("DescribeInstanceLinkedWhitelistTemplate");
    type Request = LinkedRequest;
    type Response = LinkedResponse;

    fn run(cx: &mut Cx<'_>, request: LinkedRequest) -> Result<LinkedResponse, ApiError> {
        let ins_name = owned(cx, &request.ins_name)?.id;
        Ok(LinkedResponse {
            code: "200",
            http_status_code: 200,
            message: "Successful",
            success: true,
            data: Linked { ins_name, templates: Vec::new() },
        })
    }
}

/// Refuses: there is one kind of white list.
pub(super) struct MigrateSecurityIPMode;

impl Action for MigrateSecurityIPMode {
    const META: Meta = write("MigrateSecurityIPMode");
    type Request = Named;
    type Response = OneId;

    fn run(cx: &mut Cx<'_>, request: Named) -> Result<OneId, ApiError> {
        owned(cx, &request.id)?;
        Err(not_supported("A mode that tells kinds of networks apart in white lists is"))
    }
}
