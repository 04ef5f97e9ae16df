//! Host names and ports of instances. Who resolves and routes them is the gateway.

use base::ApiError;
use engine::{Action, Cx, Meta};
use serde::{Deserialize, Serialize};

use super::catalogue;
use super::{Done, ask, owned, read, running, write};
use crate::deployment::Settings;
use crate::errors::{HAS_PUBLIC_HOST, HOST_TAKEN, NO_HOST};
use crate::model::{Engine, Keeper, Status};
use crate::requests::forms::{List, Named, invalid, list, not_supported};
use crate::tables::instance::{self, Instance};
use crate::tables::ip_array;
use crate::tables::member::{self, Member};
use crate::tables::{self};

/// The port that is told of an instance: names of PostgreSQL share the gateway's; a server of MariaDB, which speaks
/// first and so cannot be routed by name, has one of its own once it listens.
pub(super) fn port(instance: &Instance, primary: Option<&Member>) -> u16 {
    let own = primary.map(|member| member.port).filter(|port| *port != 0);
    match (instance.engine, own) {
        (Engine::MariaDb, Some(port)) => port,
        _ => Settings::told().port(instance.engine),
    }
}

/// The host names of an instance: its own first, then the public one where there is one.
pub(super) fn hosts(instance: &Instance) -> Vec<String> {
    let settings = Settings::told();
    let second = Some(&instance.options.public_name).filter(|name| !name.is_empty());
    let labels = std::iter::once(&instance.name).chain(second);
    labels.map(|label| settings.host(label, instance.engine)).collect()
}

/// Shows where an instance is reached.
pub(super) struct DescribeDBInstanceNetInfo;

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct NetInfoResponse {
    instance_network_type: &'static str,
    #[serde(rename = "SecurityIPMode")]
    security_ip_mode: &'static str,
    #[serde(rename = "DBInstanceNetInfos")]
    infos: List<NetInfo>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct NetInfo {
    connection_string: String,
    connection_string_type: &'static str,
    #[serde(rename = "IPType")]
    ip_type: &'static str,
    #[serde(rename = "IPAddress")]
    ip_address: String,
    port: String,
    #[serde(rename = "VPCId")]
    vpc: String,
    #[serde(rename = "VSwitchId")]
    vswitch: String,
    upgradeable: &'static str,
    expired_time: &'static str,
    #[serde(rename = "SecurityIPGroups")]
    groups: List<GroupView>,
    #[serde(rename = "DBInstanceWeights")]
    weights: List<()>,
}

#[derive(Clone, Serialize)]
pub(super) struct GroupView {
    #[serde(rename = "SecurityIPGroupName")]
    name: String,
    #[serde(rename = "SecurityIPs")]
    addresses: String,
}

impl Action for DescribeDBInstanceNetInfo {
    const META: Meta = read("DescribeDBInstanceNetInfo");
    type Request = Named;
    type Response = NetInfoResponse;

    fn run(cx: &mut Cx<'_>, request: Named) -> Result<NetInfoResponse, ApiError> {
        let instance = owned(cx, &request.id)?;
        let members = member::shown(cx.tx(), &instance)?;
        let primary = members.first();
        let arrays = ip_array::of(cx.tx(), &instance.id)?.into_iter();
        let groups: Vec<GroupView> = arrays
            .map(|array| GroupView { name: array.name, addresses: array.addresses })
            .collect();
        let info = |host: String, ip_type, ip_address: String, port: u16| NetInfo {
            connection_string: host,
            connection_string_type: "Normal",
            ip_type,
            ip_address,
            port: port.to_string(),
            vpc: instance.options.vpc.clone(),
            vswitch: instance.options.vswitch.clone(),
            upgradeable: "Disabled",
            expired_time: "",
            groups: list("securityIPGroup", groups.clone()),
            weights: list("DBInstanceWeight", []),
        };
        let shown = port(&instance, primary);
        let kinds = ["Private", "Public"].into_iter();
        let mut infos: Vec<NetInfo> = hosts(&instance)
            .into_iter()
            .zip(kinds)
            .map(|(host, kind)| info(host, kind, String::new(), shown))
            .collect();
        // The server's own door: no gateway holds connections there while it restarts or fails over. Where Patroni
        // keeps it, that is the operator's, and no white list of the cloud's holds there.
        let own = primary.filter(|it| it.port != 0 && instance.keeper == Keeper::Awan);
        if let Some(member) = own {
            infos.push(info(member.host.clone(), "Inner", member.host.clone(), member.port));
        }
        Ok(NetInfoResponse {
            instance_network_type: if instance.options.vpc.is_empty() { "Classic" } else { "VPC" },
            security_ip_mode: "normal",
            infos: list("DBInstanceNetInfo", infos),
        })
    }
}

/// Gives an instance a second, public host name.
pub(super) struct AllocateInstancePublicConnection;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct AllocateRequest {
    #[serde(rename = "DBInstanceId")]
    id: String,
    connection_string_prefix: String,
    #[serde(default)]
    port: String,
    #[serde(rename = "PGBouncerPort", default)]
    pgbouncer_port: String,
    #[serde(default)]
    babelfish_port: String,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct AllocateResponse {
    connection_string: String,
    db_instance_name: String,
}

impl Action for AllocateInstancePublicConnection {
    const META: Meta = write("AllocateInstancePublicConnection");
    type Request = AllocateRequest;
    type Response = AllocateResponse;

    fn run(cx: &mut Cx<'_>, request: AllocateRequest) -> Result<AllocateResponse, ApiError> {
        prefix("ConnectionStringPrefix", &request.connection_string_prefix)?;
        let mut instance = running(cx, &request.id)?;
        catalogue::port(instance.engine, &request.port)?;
        if !request.pgbouncer_port.is_empty() || !request.babelfish_port.is_empty() {
            return Err(not_supported("A port for a pooler or for another protocol is"));
        }
        if !instance.options.public_name.is_empty() {
            return Err(HAS_PUBLIC_HOST.into());
        }
        let name = request.connection_string_prefix;
        refuse_taken(cx, &instance.id, &name)?;
        tables::host::insert(cx.tx(), &name, &instance.id)?;
        instance.options.public_name.clone_from(&name);
        rename(cx, &mut instance)?;
        let host = Settings::told().host(&name, instance.engine);
        cx.audit_detail("ConnectionString", &host);
        Ok(AllocateResponse { connection_string: host, db_instance_name: instance.id })
    }
}

/// Gives one of an instance's host names another first label.
pub(super) struct ModifyDBInstanceConnectionString;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct ModifyHostRequest {
    #[serde(rename = "DBInstanceId")]
    id: String,
    current_connection_string: String,
    connection_string_prefix: String,
    #[serde(default)]
    port: String,
    #[serde(rename = "PGBouncerPort", default)]
    pgbouncer_port: String,
    #[serde(default)]
    babelfish_port: String,
    #[serde(rename = "TargetDBInstanceId", default)]
    target: String,
}

impl Action for ModifyDBInstanceConnectionString {
    const META: Meta = write("ModifyDBInstanceConnectionString");
    type Request = ModifyHostRequest;
    type Response = Done;

    fn run(cx: &mut Cx<'_>, request: ModifyHostRequest) -> Result<Done, ApiError> {
        let name = request.connection_string_prefix;
        prefix("ConnectionStringPrefix", &name)?;
        let mut instance = running(cx, &request.id)?;
        catalogue::port(instance.engine, &request.port)?;
        let others = [&request.pgbouncer_port, &request.babelfish_port, &request.target];
        if others.into_iter().any(|other| !other.is_empty()) {
            return Err(not_supported("Anything but another prefix is"));
        }
        let hosts = hosts(&instance);
        let which = hosts.iter().position(|host| *host == request.current_connection_string);
        let which = which.ok_or(ApiError::new(&NO_HOST))?;
        let public = which == 1;
        let current = if public { &instance.options.public_name } else { &instance.name };
        if *current == name {
            return Ok(Done {});
        }
        refuse_taken(cx, &instance.id, &name)?;
        if public {
            tables::host::remove(cx.tx(), &instance.id)?;
            tables::host::insert(cx.tx(), &name, &instance.id)?;
            instance.options.public_name.clone_from(&name);
        } else {
            instance.name.clone_from(&name);
        }
        rename(cx, &mut instance)?;
        cx.audit_detail("CurrentConnectionString", request.current_connection_string);
        cx.audit_detail("ConnectionString", Settings::told().host(&name, instance.engine));
        Ok(Done {})
    }
}

/// Takes the public host name from an instance.
pub(super) struct ReleaseInstancePublicConnection;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct ReleaseRequest {
    #[serde(rename = "DBInstanceId")]
    id: String,
    current_connection_string: String,
}

impl Action for ReleaseInstancePublicConnection {
    const META: Meta = write("ReleaseInstancePublicConnection");
    type Request = ReleaseRequest;
    type Response = Done;

    fn run(cx: &mut Cx<'_>, request: ReleaseRequest) -> Result<Done, ApiError> {
        let mut instance = running(cx, &request.id)?;
        let public = hosts(&instance).into_iter().nth(1);
        if public.is_none_or(|host| host != request.current_connection_string) {
            return Err(NO_HOST.into());
        }
        tables::host::remove(cx.tx(), &instance.id)?;
        instance.options.public_name.clear();
        rename(cx, &mut instance)?;
        cx.audit_detail("CurrentConnectionString", request.current_connection_string);
        Ok(Done {})
    }
}

/// A first label of a host name that a tenant may choose.
fn prefix(name: &str, label: &str) -> Result<(), ApiError> {
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    let letter = label.as_bytes().first().is_some_and(u8::is_ascii_lowercase);
    if (5..=40).contains(&label.len())
        && letter
        && label.bytes().all(plain)
        && !label.ends_with('-')
    {
        return Ok(());
    }
    let message = format!(
        "The specified {name} must have 5 to 40 lower-case letters, digits and hyphens, begin with a letter and not end \
         with a hyphen."
    );
    Err(invalid(name, message))
}

/// Refuses a name that another name is, and one that was made for another instance: whoever still asks for an instance
/// that is gone must not reach somebody else's.
fn refuse_taken(cx: &mut Cx<'_>, id: &str, label: &str) -> Result<(), ApiError> {
    let made = ["pgm-", "pgr-", "rm-", "rr-"].iter().any(|start| label.starts_with(start));
    if made && label != id || instance::named(cx.tx(), label)?.is_some() {
        return Err(HOST_TAKEN.into());
    }
    Ok(())
}

/// Has the new names served: the certificate is made anew, because it says the names.
fn rename(cx: &mut Cx<'_>, instance: &mut Instance) -> Result<(), ApiError> {
    forget_certificate(cx, instance)?;
    ask(cx, instance, Status::NetTypeChanging)
}

/// Has the instance's task make another certificate.
pub(super) fn forget_certificate(cx: &mut Cx<'_>, instance: &mut Instance) -> Result<(), ApiError> {
    let cloud = cx.cloud;
    let mut secrets = instance.secrets(&cloud.seal)?;
    secrets.certificate.clear();
    secrets.key.clear();
    instance.set_secrets(&cloud.seal, &secrets)
}
