//! A new instance with its account and its database, and one that is made of another's backups.

use std::path::PathBuf;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use base::text::hex;
use base::{Rng, Secret, SystemRng};
use clap::Args;
use clap::builder::PossibleValuesParser;
use serde_json::Value;
use terms::clauses::DataClass;

use super::connect::{Target, passfile};
use super::{Cloud, Step, password, text, wait};
use crate::api::items;
use crate::error::{Error, advise};
use crate::output;

/// The class of an instance of which nothing is said: two cores with 2 GiB each.
const CLASS: &str = "pg.n2.2c.1m";
/// How long a cloud may take to try out the engines of its machine after its start.
const ENGINES_WAIT: Duration = Duration::from_secs(15);
/// Whose value says how sensitive the data is.
const CLASS_TAG: &str = "awan:data-class";

/// Arguments of `awan rds create`.
#[derive(Clone, Debug, Args)]
pub(super) struct CreateArgs {
    /// What it is called
    #[arg(value_name = "NAME")]
    name: String,
    /// PostgreSQL or MariaDB
    #[arg(long, default_value = "PostgreSQL", value_parser = ["PostgreSQL", "MariaDB"], ignore_case = true)]
    engine: String,
    /// Major version; the newest that runs here unless given
    #[arg(long)]
    version: Option<String>,
    /// How much of a machine it gets: `awan call rds ListClasses` shows all; names that end in 2m have a standby
    #[arg(long)]
    class: Option<String>,
    /// Storage
    #[arg(long, value_name = "GIB", default_value_t = 20)]
    storage: u32,
    /// Zone; any that the agreement allows unless given
    #[arg(long)]
    zone: Option<String>,
    /// How sensitive what is in it may be; what the agreement says unless given
    #[arg(long, value_name = "CLASS",
          value_parser = PossibleValuesParser::new(DataClass::ALL.map(DataClass::as_str)))]
    data_class: Option<String>,
    /// Address or network that may reach it, as 10.0.0.0/8; nobody may unless given
    #[arg(long, value_name = "NETWORK")]
    allow: Vec<String>,
    /// Make this account, which may make others
    #[arg(long, value_name = "ACCOUNT")]
    account: Option<String>,
    /// Make this database, owned by the account
    #[arg(long, value_name = "DATABASE", requires = "account")]
    database: Option<String>,
    /// Ask for the account's password instead of making one
    #[arg(long, requires = "account")]
    ask_password: bool,
    /// Where the password is written; NAME.pgpass unless given
    #[arg(long, value_name = "FILE", requires = "account")]
    passfile: Option<PathBuf>,
    /// How long to wait until it serves
    #[arg(long, value_name = "MINUTES", default_value_t = 10)]
    wait_minutes: u64,
}

/// Arguments of `awan rds restore`.
#[derive(Clone, Debug, Args)]
pub(super) struct RestoreArgs {
    /// The instance whose past is wanted, by its name or id; it may have been deleted
    #[arg(value_name = "NAME")]
    name: String,
    /// The moment: what was committed later is not there
    #[arg(long, value_name = "TIME", required_unless_present = "backup", value_parser = moment)]
    to: Option<String>,
    /// A backup as it was when it ended, instead of a moment
    #[arg(long, value_name = "ID", conflicts_with = "to")]
    backup: Option<String>,
    /// What the new instance is called; NAME-restored unless given
    #[arg(long = "as", value_name = "NEW")]
    new: Option<String>,
    /// Another class than that of the instance
    #[arg(long)]
    class: Option<String>,
    /// How long to wait until it serves
    #[arg(long, value_name = "MINUTES", default_value_t = 60)]
    wait_minutes: u64,
}

/// A moment in UTC, to the second.
fn moment(text: &str) -> Result<String, String> {
    match base::Time::parse_iso(text) {
        Some(time) => Ok(time.iso()),
        None => Err("write it in UTC, as 2026-11-23T20:00:00Z".to_owned()),
    }
}

/// Makes the instance, and says how it is reached.
pub(super) fn create(cloud: &Cloud, args: &CreateArgs) -> Result<()> {
    refuse_taken(cloud, &args.name)?;
    let file = args.passfile.clone().unwrap_or_else(|| passfile(&args.name));
    if args.account.is_some() && file.exists() {
        return Err(advise(
            format!("{} is there already, and would be overwritten", file.display()),
            "--passfile names another file",
        ));
    }
    // Asked before anything is made, so that nobody waits for a question.
    let secret = match &args.account {
        Some(account) if args.ask_password => Some(password::ask(account)?),
        Some(_) => Some(password::make(&SystemRng)),
        None => None,
    };
    let version = match &args.version {
        Some(version) => version.clone(),
        None => newest(cloud, &args.engine)?,
    };
    let params = wanted(cloud, args, &version);
    let params: Vec<(&str, &str)> =
        params.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    let made =
        cloud.call("CreateDBInstance", &params).with_context(|| format!("make {}", args.name))?;
    let id = text(&made, "DBInstanceId").to_owned();
    output::talk(format_args!("{} is {id}", args.name));
    let attribute = cloud.wait_running(&id, args.wait_minutes)?;
    if let (Some(account), Some(secret)) = (&args.account, &secret) {
        // Written before it counts: an account whose password nobody has is of no use.
        password::keep(&file, text(&attribute, "ConnectionString"), account, secret)?;
        make_account(cloud, &id, account, secret)?;
        if let Some(database) = &args.database {
            make_database(cloud, &id, database, account)?;
        }
    }
    if args.allow.is_empty() {
        output::hint(format_args!(
            "nobody may reach it yet: awan call rds ModifySecurityIps --DBInstanceId {id} --SecurityIps 10.0.0.0/8"
        ));
    }
    told(
        cloud,
        &attribute,
        args.account.as_deref().map(|account| (account, file)),
        args.database.as_deref(),
    )
}

/// The parameters of the instance that is wanted.
fn wanted(cloud: &Cloud, args: &CreateArgs, version: &str) -> Vec<(String, String)> {
    let mariadb = args.engine.eq_ignore_ascii_case("MariaDB");
    let class = match &args.class {
        Some(class) => class.clone(),
        None if mariadb => CLASS.replacen("pg", "mariadb", 1),
        None => CLASS.to_owned(),
    };
    let nonce = hex(&(&SystemRng as &dyn Rng).bytes::<16>());
    let mut params = vec![
        ("RegionId", cloud.profile.region.clone()),
        ("Engine", args.engine.clone()),
        ("EngineVersion", version.to_owned()),
        ("DBInstanceClass", class),
        ("DBInstanceStorage", args.storage.to_string()),
        ("DBInstanceNetType", "Intranet".to_owned()),
        ("PayType", "Postpaid".to_owned()),
        ("DBInstanceDescription", args.name.clone()),
        ("SecurityIPList", args.allow.join(",")),
        ("ClientToken", nonce),
    ];
    params.extend(args.zone.clone().map(|zone| ("ZoneId", zone)));
    if let Some(data_class) = &args.data_class {
        params.push(("Tag.1.Key", CLASS_TAG.to_owned()));
        params.push(("Tag.1.Value", data_class.clone()));
    }
    params.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}

/// Two instances of one name could not be told apart here.
fn refuse_taken(cloud: &Cloud, name: &str) -> Result<()> {
    let there = cloud.instances()?;
    let taken = there.iter().find(|it| text(it, "DBInstanceDescription") == name);
    taken.map_or(Ok(()), |it| {
        Err(advise(
            format!("there is an instance {name} already: {}", text(it, "DBInstanceId")),
            "another name, or `awan rds delete` first",
        ))
    })
}

/// The newest version of an engine that runs in this cloud. One that was started just now may still be trying out what
/// it found.
fn newest(cloud: &Cloud, engine: &str) -> Result<String> {
    let asked = [("RegionId", cloud.profile.region.as_str()), ("Engine", engine)];
    let begun = Instant::now();
    loop {
        let zones = cloud.call("DescribeAvailableZones", &asked).context("list the engines")?;
        if let Some(version) = newest_of(items(&zones)) {
            return Ok(version);
        }
        if begun.elapsed() > ENGINES_WAIT {
            return Err(advise(
                format!("no {engine} runs in this cloud"),
                "the operator installs one: awan engine install postgresql 17",
            ));
        }
        thread::sleep(Duration::from_millis(250));
    }
}

fn newest_of(zones: &[Value]) -> Option<String> {
    let each = |value: &Value, field: &str| value[field].as_array().cloned().unwrap_or_default();
    let engines = zones.iter().flat_map(|zone| each(zone, "SupportedEngines"));
    let versions = engines.flat_map(|engine| each(&engine, "SupportedEngineVersions"));
    let number = |version: &String| -> Vec<u32> {
        version.split('.').map(|part| part.parse().unwrap_or(0)).collect()
    };
    versions.map(|version| text(&version, "Version").to_owned()).max_by_key(number)
}

fn make_account(cloud: &Cloud, id: &str, account: &str, secret: &Secret<String>) -> Result<()> {
    let params = [
        ("DBInstanceId", id),
        ("AccountName", account),
        ("AccountPassword", secret.expose()),
        ("AccountType", "Super"),
    ];
    cloud.call("CreateAccount", &params).with_context(|| format!("make the account {account}"))?;
    let what = format!("account {account}");
    let asked = [("DBInstanceId", id), ("AccountName", account)];
    wait(&what, 5, || there(cloud.call("DescribeAccounts", &asked)?, "AccountStatus", "Available"))
}

fn make_database(cloud: &Cloud, id: &str, database: &str, account: &str) -> Result<()> {
    let params = [("DBInstanceId", id), ("DBName", database), ("AccountName", account)];
    cloud
        .call("CreateDatabase", &params)
        .with_context(|| format!("make the database {database}"))?;
    let what = format!("database {database}");
    let asked = [("DBInstanceId", id), ("DBName", database)];
    wait(&what, 5, || there(cloud.call("DescribeDatabases", &asked)?, "DBStatus", "Running"))
}

/// Whether the only thing that was asked for is in that state.
fn there(answer: Value, field: &str, ready: &str) -> Result<Step, Error> {
    let status = items(&answer).first().map(|it| text(it, field)).unwrap_or_default();
    Ok(if status == ready { Step::Done } else { Step::Now(status.to_owned()) })
}

/// Prints how the instance is reached: what a program may read goes to stdout, one thing in a line.
fn told(
    cloud: &Cloud,
    attribute: &Value,
    account: Option<(&str, PathBuf)>,
    database: Option<&str>,
) -> Result<()> {
    let target = Target::of(&cloud.profile, attribute, None)?;
    let line = |name: &str, value: &str| output::line(format_args!("{name:<10}{value}"));
    line("instance", text(attribute, "DBInstanceId"))?;
    line("host", &target.host)?;
    line("port", &target.port)?;
    let Some((account, file)) = account else { return Ok(()) };
    let database = database.unwrap_or("postgres");
    line("password", &file.display().to_string())?;
    if text(attribute, "Engine") == "PostgreSQL" {
        line("url", &target.url(account, database))?;
        line(
            "psql",
            &format!(
                "PGPASSFILE={} psql \"{}\"",
                file.display(),
                target.conninfo(account, database)
            ),
        )?;
    }
    Ok(())
}

/// Makes an instance of another's past.
pub(super) fn restore(cloud: &Cloud, args: &RestoreArgs) -> Result<()> {
    let new = args.new.clone().unwrap_or_else(|| format!("{}-restored", args.name));
    refuse_taken(cloud, &new)?;
    let id = cloud.id_of_any(&args.name)?;
    let nonce = hex(&(&SystemRng as &dyn Rng).bytes::<16>());
    let mut params = vec![
        ("RegionId", cloud.profile.region.as_str()),
        ("DBInstanceId", &id),
        ("DBInstanceDescription", &new),
        ("PayType", "Postpaid"),
        ("ClientToken", &nonce),
    ];
    params.extend(args.to.as_deref().map(|time| ("RestoreTime", time)));
    params.extend(args.backup.as_deref().map(|backup| ("BackupId", backup)));
    params.extend(args.class.as_deref().map(|class| ("DBInstanceClass", class)));
    let made = cloud.call("CloneDBInstance", &params).with_context(|| format!("restore {id}"))?;
    let made = text(&made, "DBInstanceId").to_owned();
    output::talk(format_args!("{new} is {made}"));
    let attribute = cloud.wait_running(&made, args.wait_minutes)?;
    told(cloud, &attribute, None, None)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use serde_json::json;

    use super::*;

    #[test]
    fn the_newest_version_is_so_by_number_and_not_by_letter() {
        let zone = |versions: &[&str]| {
            let versions: Vec<Value> = versions.iter().map(|it| json!({"Version": it})).collect();
            json!({"SupportedEngines": [{"Engine": "PostgreSQL", "SupportedEngineVersions": versions}]})
        };
        let zones = [zone(&["9.6", "14.0"]), zone(&["15.0", "10.0"])];
        assert_eq!(newest_of(&zones).as_deref(), Some("15.0"));
        assert_eq!(newest_of(&[]), None);
    }

    #[test]
    fn a_moment_is_in_utc_and_whole() {
        assert_eq!(moment("2026-11-23T20:00:00Z").unwrap(), "2026-11-23T20:00:00Z");
        for text in ["2026-11-23", "20:00", "yesterday"] {
            assert!(moment(text).unwrap_err().contains("UTC"), "{text}");
        }
    }

    #[test]
    fn what_was_asked_for_is_there_once_it_is_in_its_state() {
        let is = |answer| matches!(there(answer, "DBStatus", "Running"), Ok(Step::Done));
        assert!(is(json!({"Databases": {"Database": [{"DBStatus": "Running"}]}})));
        assert!(!is(json!({"Databases": {"Database": [{"DBStatus": "Creating"}]}})));
        assert!(!is(json!({"Databases": {"Database": []}})));
    }
}
