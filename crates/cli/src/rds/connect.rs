//! Where an instance is reached, and psql there. The connection is TLS with the instance's certificate checked against
//! its name and the cloud's authority; nothing here makes a weaker one.

use std::net::{SocketAddr, ToSocketAddrs};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use clap::Args;
use serde_json::Value;

use super::{Cloud, text};
use crate::api::items;
use crate::error::advise;
use crate::profile::Profile;

/// The door of PostgreSQL in `cloud.json`.
const DOOR: &str = "postgres";

/// Arguments of `awan rds connect`.
#[derive(Clone, Debug, Args)]
pub(super) struct ConnectArgs {
    /// The instance, by its name or id
    #[arg(value_name = "NAME")]
    name: String,
    /// Whose session; the privileged account unless given
    #[arg(long)]
    account: Option<String>,
    /// Which database; the first of the instance unless given
    #[arg(long)]
    database: Option<String>,
    /// Where the gateway is; what cloud.json says unless given
    #[arg(long, value_name = "HOST:PORT")]
    gateway: Option<String>,
    /// The file with the password; NAME.pgpass where that exists
    #[arg(long, value_name = "FILE")]
    passfile: Option<PathBuf>,
    /// What psql gets besides, after --
    #[arg(last = true, value_name = "PSQL ARGUMENTS")]
    psql: Vec<String>,
}

/// How an instance is reached.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Target {
    /// The name that its certificate has.
    pub(super) host: String,
    /// The address, where names do not lead there.
    pub(super) address: Option<String>,
    /// The port.
    pub(super) port: String,
    /// The authority that signed its certificate.
    pub(super) authority: Option<PathBuf>,
}

impl Target {
    /// That of an instance as the API describes it, at the gateway that is given or that `cloud.json` names.
    ///
    /// # Errors
    /// Where the instance has no host name yet, or the gateway's is no address.
    pub(super) fn of(profile: &Profile, attribute: &Value, gateway: Option<&str>) -> Result<Self> {
        let host = text(attribute, "ConnectionString").to_owned();
        if host.is_empty() {
            return Err(advise(
                "the instance has no host name yet",
                "`awan rds show` says what it is doing",
            ));
        }
        let known = profile.cloud.as_ref().and_then(|(_, cloud)| cloud.endpoints.get(DOOR));
        let gateway = gateway.or(known.map(String::as_str)).map(address).transpose()?;
        let port =
            gateway.map_or_else(|| text(attribute, "Port").to_owned(), |it| it.port().to_string());
        Ok(Self {
            host,
            address: gateway.map(|it| it.ip().to_string()),
            port,
            authority: profile.ca_cert.clone(),
        })
    }

    /// As libpq takes it, without the password.
    pub(super) fn conninfo(&self, account: &str, database: &str) -> String {
        let mut parts = vec![("host", self.host.as_str())];
        parts.extend(self.address.as_deref().map(|address| ("hostaddr", address)));
        parts.extend([("port", self.port.as_str()), ("user", account), ("dbname", database)]);
        parts.push(("sslmode", "verify-full"));
        let authority = self.authority.as_ref().map(|path| path.display().to_string());
        parts.extend(authority.as_deref().map(|path| ("sslrootcert", path)));
        let word = |(name, value): (&str, &str)| format!("{name}={}", quoted(value));
        parts.into_iter().map(word).collect::<Vec<_>>().join(" ")
    }

    /// As libraries take it, without the password.
    pub(super) fn url(&self, account: &str, database: &str) -> String {
        let part = |text: &str| base::text::percent_encode(text);
        let mut url = format!(
            "postgresql://{}@{}:{}/{}?sslmode=verify-full",
            part(account),
            self.host,
            self.port,
            part(database)
        );
        if let Some(address) = &self.address {
            url.push_str(&format!("&hostaddr={}", part(address)));
        }
        if let Some(path) = &self.authority {
            url.push_str(&format!("&sslrootcert={}", part(&path.display().to_string())));
        }
        url
    }
}

/// A value of a connection string; one with spaces or quotes stands in quotes.
fn quoted(value: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:".contains(c);
    if !value.is_empty() && value.chars().all(plain) {
        return value.to_owned();
    }
    format!("'{}'", value.replace('\\', "\\\\").replace('\'', "\\'"))
}

/// The address in `scheme://host:port` or `host:port`.
fn address(text: &str) -> Result<SocketAddr> {
    let rest = text.split_once("://").map_or(text, |(_, rest)| rest);
    let host = rest.split('/').next().unwrap_or(rest);
    let found = host.to_socket_addrs().with_context(|| format!("find the gateway {host}"))?;
    // Servers listen on IPv4 where a name has both.
    let mut found: Vec<SocketAddr> = found.collect();
    found.sort_by_key(SocketAddr::is_ipv6);
    found.into_iter().next().with_context(|| format!("{host} has no address"))
}

/// The password file of an instance, unless another one is given: where `create` wrote it.
pub(super) fn passfile(name: &str) -> PathBuf {
    Path::new(&format!("{}.pgpass", name.replace(['/', '\0'], "_"))).to_owned()
}

/// Becomes psql.
pub(super) fn connect(cloud: &Cloud, args: &ConnectArgs) -> Result<()> {
    let id = cloud.id(&args.name)?;
    let attribute = cloud.attribute(&id).with_context(|| format!("look at {id}"))?;
    if text(&attribute, "Engine") != "PostgreSQL" {
        return Err(advise(
            format!("{id} is a {}, which psql does not speak", text(&attribute, "Engine")),
            format!(
                "mariadb -h {} -P {} --ssl-verify-server-cert",
                text(&attribute, "ConnectionString"),
                text(&attribute, "Port")
            ),
        ));
    }
    let target = Target::of(&cloud.profile, &attribute, args.gateway.as_deref())?;
    let account = match &args.account {
        Some(account) => account.clone(),
        None => account_of(cloud, &id)?,
    };
    let database = match &args.database {
        Some(database) => database.clone(),
        None => database_of(cloud, &id)?,
    };
    let mut conninfo = target.conninfo(&account, &database);
    let given =
        args.passfile.clone().or_else(|| Some(passfile(&args.name)).filter(|it| it.exists()));
    if let Some(file) = given {
        conninfo.push_str(&format!(" passfile={}", quoted(&file.display().to_string())));
    }
    let error = psql(&conninfo, &args.psql).exec();
    let found = error.kind() != std::io::ErrorKind::NotFound;
    let hint = if found { "" } else { "install it with the system's package postgresql-client" };
    Err(advise(format!("psql cannot be run: {error}"), hint))
}

#[allow(clippy::disallowed_methods, reason = "the verb's purpose is to become this program")]
fn psql(conninfo: &str, more: &[String]) -> std::process::Command {
    let mut command = std::process::Command::new("psql");
    command.arg(conninfo).args(more);
    command
}

/// The privileged account, or the only one.
fn account_of(cloud: &Cloud, id: &str) -> Result<String> {
    let answer =
        cloud.call("DescribeAccounts", &[("DBInstanceId", id)]).context("list the accounts")?;
    let accounts = items(&answer);
    let privileged = accounts.iter().find(|it| text(it, "AccountType") == "Super");
    match (privileged, accounts) {
        (Some(one), _) | (None, [one]) => Ok(text(one, "AccountName").to_owned()),
        (None, []) => Err(advise(
            format!("{id} has no account"),
            "`awan rds create --account` makes one with the instance; later the API's CreateAccount does",
        )),
        (None, several) => {
            let names: Vec<&str> = several.iter().map(|it| text(it, "AccountName")).collect();
            Err(advise("which account?", format!("--account, one of: {}", names.join(", "))))
        }
    }
}

/// The first database, else the one that every server has.
fn database_of(cloud: &Cloud, id: &str) -> Result<String> {
    let answer =
        cloud.call("DescribeDatabases", &[("DBInstanceId", id)]).context("list the databases")?;
    let first = items(&answer).first().map(|it| text(it, "DBName").to_owned());
    Ok(first.filter(|name| !name.is_empty()).unwrap_or_else(|| "postgres".to_owned()))
}
