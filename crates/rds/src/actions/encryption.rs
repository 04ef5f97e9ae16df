//! Encryption: TLS, which is always on; of tables and disks by tenants' keys, which is not there and is told so.

use base::ApiError;
use engine::{Action, Cx, Meta};
use serde::{Deserialize, Serialize};

use super::network::{forget_certificate, hosts};
use super::{Done, ask, owned, read, running, write};
use crate::errors::NO_HOST;
use crate::model::{Engine, Status};
use crate::requests::forms::{List, Named, Rest, list, not_supported, refuse_unprovided};

/// Shows how an instance's connections are encrypted.
pub(super) struct DescribeDBInstanceSSL;

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct TlsResponse {
    #[serde(rename = "SSLEnabled")]
    enabled: &'static str,
    connection_string: String,
    #[serde(rename = "CAType")]
    ca: &'static str,
    server_cert: String,
    require_update: &'static str,
    require_update_reason: &'static str,
    force_encryption: &'static str,
    last_modify_status: &'static str,
    modify_status_reason: &'static str,
    #[serde(rename = "SSLExpireTime")]
    expires: &'static str,
    #[serde(rename = "ClientCACert")]
    client_ca: &'static str,
    client_cert_revocation_list: &'static str,
    #[serde(rename = "ACL")]
    acl: &'static str,
    #[serde(rename = "ReplicationACL")]
    replication_acl: &'static str,
    #[serde(rename = "ServerCAUrl")]
    ca_url: &'static str,
}

impl Action for DescribeDBInstanceSSL {
    const META: Meta = read("DescribeDBInstanceSSL");
    type Request = Named;
    type Response = TlsResponse;

    fn run(cx: &mut Cx<'_>, request: Named) -> Result<TlsResponse, ApiError> {
        let instance = owned(cx, &request.id)?;
        let certificate = instance.secrets(&cx.cloud.seal)?.certificate;
        let changing = instance.status == Status::SslModifying || certificate.is_empty();
        // Each engine has its own word for yes and no in this answer.
        let (enabled, require_update) = match instance.engine {
            Engine::Postgres => ("on", "0"),
            Engine::MariaDb => ("Yes", "No"),
        };
        Ok(TlsResponse {
            enabled,
            connection_string: hosts(&instance).into_iter().next().unwrap_or_default(),
            ca: "aliyun",
            server_cert: certificate,
            require_update,
            require_update_reason: "",
            force_encryption: "1",
            last_modify_status: if changing { "setting" } else { "success" },
            modify_status_reason: "",
            expires: "",
            client_ca: "",
            client_cert_revocation_list: "",
            acl: "",
            replication_acl: "",
            ca_url: "",
        })
    }
}

/// Gives an instance's server another certificate of the cloud's authority. TLS itself cannot be switched off.
pub(super) struct ModifyDBInstanceSSL;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct TlsRequest {
    #[serde(rename = "DBInstanceId")]
    id: String,
    #[serde(default)]
    connection_string: String,
    #[serde(rename = "SSLEnabled")]
    enabled: Option<u8>,
    #[serde(flatten)]
    rest: Rest,
}

/// Certificates of tenants, with the values that ask for none.
const OWN_CERTIFICATES: &[(&str, &[&str])] = &[
    ("ACL", &["prefer"]),
    ("CAType", &["aliyun"]),
    ("Certificate", &[]),
    ("ClientCACert", &[]),
    ("ClientCAEnabled", &["0"]),
    ("ClientCertRevocationList", &[]),
    ("ClientCrlEnabled", &["0"]),
    ("ForceEncryption", &["1"]),
    ("PassWord", &[]),
    ("ReplicationACL", &["prefer"]),
    ("ServerCert", &[]),
    ("ServerKey", &[]),
    ("TlsVersion", &["1.2", "1.3"]),
];

impl Action for ModifyDBInstanceSSL {
    const META: Meta = write("ModifyDBInstanceSSL");
    type Request = TlsRequest;
    type Response = Done;

    fn run(cx: &mut Cx<'_>, request: TlsRequest) -> Result<Done, ApiError> {
        let mut instance = running(cx, &request.id)?;
        let own = |host: &String| *host == request.connection_string;
        if !request.connection_string.is_empty() && !hosts(&instance).iter().any(own) {
            return Err(NO_HOST.into());
        }
        refuse_unprovided(&request.rest, OWN_CERTIFICATES)?;
        match request.enabled {
            Some(0) => Err(not_supported("Connections that are not encrypted are")),
            // It is on; the certificate names every host name of the instance already.
            None | Some(1) => {
                cx.audit_detail("SSLEnabled", "1");
                Ok(Done {})
            }
            Some(_) => {
                forget_certificate(cx, &mut instance)?;
                ask(cx, &mut instance, Status::SslModifying)?;
                cx.audit_detail("SSLEnabled", "2");
                Ok(Done {})
            }
        }
    }
}

/// Shows that tables are not encrypted by the engine.
pub(super) struct DescribeDBInstanceTDE;

#[derive(Serialize)]
pub(super) struct TdeResponse {
    #[serde(rename = "TDEStatus")]
    status: &'static str,
    #[serde(rename = "TDEMode")]
    mode: &'static str,
    #[serde(rename = "EncryptionKey")]
    key: &'static str,
    #[serde(rename = "Databases")]
    databases: List<()>,
}

impl Action for DescribeDBInstanceTDE {
    const META: Meta = read("DescribeDBInstanceTDE");
    type Request = Named;
    type Response = TdeResponse;

    fn run(cx: &mut Cx<'_>, request: Named) -> Result<TdeResponse, ApiError> {
        owned(cx, &request.id)?;
        let databases = list("Database", []);
        Ok(TdeResponse { status: "Disabled", mode: "", key: "", databases })
    }
}

/// Refuses to have tables encrypted by the engine; says yes to what is so.
pub(super) struct ModifyDBInstanceTDE;

#[derive(Deserialize)]
pub(super) struct TdeRequest {
    #[serde(rename = "DBInstanceId")]
    id: String,
    #[serde(rename = "TDEStatus")]
    status: String,
}

impl Action for ModifyDBInstanceTDE {
    const META: Meta = write("ModifyDBInstanceTDE");
    type Request = TdeRequest;
    type Response = Done;

    fn run(cx: &mut Cx<'_>, request: TdeRequest) -> Result<Done, ApiError> {
        owned(cx, &request.id)?;
        if !request.status.eq_ignore_ascii_case("Disabled") {
            return Err(not_supported("Encryption of tables by the engine (TDE) is"));
        }
        cx.audit_detail("TDEStatus", "Disabled");
        Ok(Done {})
    }
}

/// Shows that disks are not encrypted by a tenant's key.
pub(super) struct DescribeDBInstanceEncryptionKey;

#[derive(Default, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct KeyResponse {
    encryption_key: &'static str,
    encryption_key_status: &'static str,
    key_usage: &'static str,
    origin: &'static str,
    creator: &'static str,
    description: &'static str,
    delete_date: &'static str,
    material_expire_time: &'static str,
    encryption_key_list: Vec<()>,
}

impl Action for DescribeDBInstanceEncryptionKey {
    const META: Meta = read("DescribeDBInstanceEncryptionKey");
    type Request = Named;
    type Response = KeyResponse;

    fn run(cx: &mut Cx<'_>, request: Named) -> Result<KeyResponse, ApiError> {
        owned(cx, &request.id)?;
        Ok(KeyResponse::default())
    }
}
