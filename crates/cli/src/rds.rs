//! `awan rds`: relational databases from the command line, through the same API as any client. An instance is named by
//! its id, or by the name that it was made with (the API calls that its description).
//!
//! | module | owns |
//! |---|---|
//! | [`create`] | a new instance, its account and its database; a restored one |
//! | [`connect`] | where an instance is reached, and psql there |
//! | [`password`] | passwords: made, asked for, kept in a file for libpq |
//! | [`show`] | what there is, logs, backups |

use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use clap::{Args, Subcommand};
use serde_json::Value;

use crate::api::{Api, items};
use crate::error::{Error, advise};
use crate::http::Http;
use crate::output;
use crate::profile::{PlaceArgs, Profile};

mod connect;
mod create;
mod password;
mod show;

/// Version of the RDS API.
const RDS: &str = "2014-08-15";

/// How often the state of an instance is asked for: at first often, since a new one is there in a second.
const ASK_EVERY: Duration = Duration::from_millis(150);
const ASK_SELDOM: Duration = Duration::from_secs(2);
/// Without a terminal, a line this often says that it goes on.
const TALK_EVERY: Duration = Duration::from_secs(15);
/// Instances asked for at once.
const PAGE: &str = "100";

/// Arguments of `awan rds`.
#[derive(Clone, Debug, Args)]
#[command(
    after_help = "Examples:\n  awan rds create arsip --account app --database arsip --allow 10.0.0.0/8\n  \
    awan rds connect arsip -- -c 'select version()'\n  awan rds restore arsip --to 2026-11-23T20:00:00Z --as arsip-lama\n  \
    awan rds logs arsip --kind slow"
)]
pub struct RdsArgs {
    #[command(subcommand)]
    verb: Verb,
    #[command(flatten)]
    place: PlaceArgs,
}

/// What to do.
#[derive(Clone, Debug, Subcommand)]
enum Verb {
    /// Make an instance, and wait until it serves
    #[command(
        after_help = "Examples:\n  awan rds create arsip --account app --database arsip --allow 10.0.0.0/8\n  \
        awan rds create pemilih --version 17 --class pg.n2.2c.2m --data-class personal\n\n\
        The account's password is made and written to NAME.pgpass (only its owner can read it), where psql and\n\
        `awan rds connect` find it; with --ask-password it is read from the terminal or standard input."
    )]
    Create(create::CreateArgs),
    /// List the instances
    #[command(after_help = "Examples:\n  awan rds list --output json\n  awan rds list --deleted")]
    List(show::ListArgs),
    /// Show an instance and how it is reached
    #[command(after_help = "Example: awan rds show arsip")]
    Show(show::ShowArgs),
    /// Open psql on an instance, with its certificate checked
    #[command(
        after_help = "Examples:\n  awan rds connect arsip\n  awan rds connect arsip --account app --database arsip -- -c 'select 1'\n\n\
        psql reads the password from NAME.pgpass where that exists, else from PGPASSFILE, else it asks."
    )]
    Connect(connect::ConnectArgs),
    /// Make a new instance with what was committed up to a moment, and wait until it serves
    #[command(
        after_help = "Examples:\n  awan rds restore arsip --to 2026-11-23T20:00:00Z --as arsip-lama\n  \
        awan rds restore arsip --backup 123456789 --as arsip-lama\n\n\
        The instance itself is left as it is, or was deleted and has backups that are kept (`awan rds list --deleted`).\n\
        Accounts and passwords are those that it has now, or had in the end."
    )]
    Restore(create::RestoreArgs),
    /// Make a backup now, and wait for it; or list those that there are
    #[command(
        after_help = "Examples:\n  awan rds backup arsip\n  awan rds backup arsip --list\n\n\
        Backups are made every day and the log is kept in between without being asked; this makes one more."
    )]
    Backup(show::BackupArgs),
    /// Show errors or slow statements, newest last
    #[command(
        after_help = "Examples:\n  awan rds logs arsip\n  awan rds logs arsip --kind slow --hours 24"
    )]
    Logs(show::LogsArgs),
    /// Remove an instance
    #[command(after_help = "Example: awan rds delete arsip\n\n\
        Its last backup is kept for as long as its backup policy says, and `awan rds restore` takes it.")]
    Delete(DeleteArgs),
}

#[derive(Clone, Debug, Args)]
struct DeleteArgs {
    /// The instance, by its name or id
    #[arg(value_name = "NAME")]
    name: String,
    /// Do not ask
    #[arg(long, short)]
    yes: bool,
}

/// Does what the verb says. `connect` does not return where it succeeds: it becomes psql.
///
/// # Errors
/// Where the cloud refuses, or waiting has taken too long.
pub fn run(args: &RdsArgs) -> Result<()> {
    let cloud = Cloud::open(&args.place)?;
    match &args.verb {
        Verb::Create(args) => create::create(&cloud, args),
        Verb::List(args) => show::list(&cloud, args),
        Verb::Show(args) => show::show(&cloud, args),
        Verb::Connect(args) => connect::connect(&cloud, args),
        Verb::Restore(args) => create::restore(&cloud, args),
        Verb::Backup(args) => show::backup(&cloud, args),
        Verb::Logs(args) => show::logs(&cloud, args),
        Verb::Delete(args) => delete(&cloud, args),
    }
}

/// The cloud that is asked.
struct Cloud {
    profile: Profile,
    api: Api,
}

impl Cloud {
    fn open(place: &PlaceArgs) -> Result<Self> {
        let profile = Profile::resolve(place)?;
        let api = Api::new(&Http::new(&profile, 1)?, &profile)?;
        Ok(Self { profile, api })
    }

    fn call(&self, action: &str, params: &[(&str, &str)]) -> Result<Value, Error> {
        self.api.call(RDS, action, params)
    }

    /// All instances of the account.
    fn instances(&self) -> Result<Vec<Value>> {
        self.listed("")
    }

    /// Those of the account that were deleted and can still be restored.
    fn deleted(&self) -> Result<Vec<Value>> {
        self.listed("Released")
    }

    fn listed(&self, status: &str) -> Result<Vec<Value>> {
        let mut all = Vec::new();
        for number in 1.. {
            let number = u32::to_string(&number);
            let page = [
                ("RegionId", self.profile.region.as_str()),
                ("PageSize", PAGE),
                ("PageNumber", &number),
                ("DBInstanceStatus", status),
            ];
            let answer = self.call("DescribeDBInstances", &page).context("list the instances")?;
            let found = items(&answer);
            all.extend(found.iter().cloned());
            let total = answer["TotalRecordCount"].as_u64().unwrap_or(0);
            if found.is_empty() || all.len() as u64 >= total {
                break;
            }
        }
        Ok(all)
    }

    /// The id of the instance of that name or id.
    fn id(&self, name: &str) -> Result<String> {
        pick(&self.instances()?, name)
    }

    /// The id of the instance of that name or id, also where it was deleted: one that is there comes first.
    fn id_of_any(&self, name: &str) -> Result<String> {
        let missing = match pick(&self.instances()?, name) {
            Ok(id) => return Ok(id),
            Err(error) => error,
        };
        let deleted = self.deleted()?;
        if deleted.iter().any(|it| is(it, name)) { pick(&deleted, name) } else { Err(missing) }
    }

    /// Everything about an instance.
    fn attribute(&self, id: &str) -> Result<Value, Error> {
        let answer = self.call("DescribeDBInstanceAttribute", &[("DBInstanceId", id)])?;
        items(&answer).first().cloned().ok_or_else(|| {
            Error::Corrupt("DescribeDBInstanceAttribute answers no attribute".to_owned())
        })
    }

    /// Waits until an instance serves; returns it as it is then.
    fn wait_running(&self, id: &str, minutes: u64) -> Result<Value> {
        let mut found = Value::Null;
        wait(id, minutes, || {
            found = self.attribute(id)?;
            let status = text(&found, "DBInstanceStatus").to_owned();
            Ok(if status == "Running" { Step::Done } else { Step::Now(status) })
        })?;
        Ok(found)
    }
}

/// What waiting comes to.
enum Step {
    Done,
    /// Not yet: it is doing this now.
    Now(String),
}

/// Asks until it is done, and says what it does meanwhile.
fn wait(what: &str, minutes: u64, mut ask: impl FnMut() -> Result<Step, Error>) -> Result<()> {
    let start = Instant::now();
    let limit = Duration::from_secs(minutes * 60);
    let (mut said, mut said_at) = (String::new(), start);
    loop {
        match ask() {
            Ok(Step::Done) => {
                output::talk(format_args!(
                    "{what}: done in {:.1} s",
                    start.elapsed().as_secs_f64()
                ));
                return Ok(());
            }
            Ok(Step::Now(status)) => {
                let again = said_at.elapsed() >= TALK_EVERY;
                if status != said || again {
                    let seconds = start.elapsed().as_secs();
                    output::talk(format_args!("{what}: {status} ({seconds} s)"));
                    (said, said_at) = (status, Instant::now());
                }
            }
            // The cloud may restart while one waits.
            Err(error) if error.is_transport() && start.elapsed() < limit => {}
            Err(error) => return Err(error).with_context(|| format!("wait for {what}")),
        }
        if start.elapsed() >= limit {
            return Err(advise(
                format!("{what} is not ready after {minutes} minutes ({said})"),
                "it goes on by itself: `awan rds show` says how far it is; --wait-minutes waits longer",
            ));
        }
        let fast = start.elapsed() < Duration::from_secs(10);
        std::thread::sleep(if fast { ASK_EVERY } else { ASK_SELDOM });
    }
}

/// The id of the instance of that id or, if it is the only one, of that name.
fn pick(instances: &[Value], name: &str) -> Result<String> {
    let found: Vec<&Value> = instances.iter().filter(|it| is(it, name)).collect();
    match found[..] {
        [one] => Ok(text(one, "DBInstanceId").to_owned()),
        [] => Err(advise(
            format!("there is no instance {name}"),
            "`awan rds list` shows those that there are",
        )),
        ref several => {
            let ids: Vec<&str> = several.iter().map(|it| text(it, "DBInstanceId")).collect();
            Err(advise(
                format!("{} instances have the name {name}", several.len()),
                format!("name one by its id: {}", ids.join(", ")),
            ))
        }
    }
}

/// Whether an instance has that id or name.
fn is(instance: &Value, name: &str) -> bool {
    ["DBInstanceId", "DBInstanceDescription"].iter().any(|of| text(instance, of) == name)
}

/// A field's text; empty where it has none.
fn text<'a>(value: &'a Value, field: &str) -> &'a str {
    value[field].as_str().unwrap_or_default()
}

fn delete(cloud: &Cloud, args: &DeleteArgs) -> Result<()> {
    let id = cloud.id(&args.name)?;
    if !args.yes {
        let question = format!("remove the instance {} ({id})? (yes/no)", args.name);
        if !matches!(output::ask(&question)?.as_str(), "yes" | "y") {
            output::talk("nothing was removed");
            return Ok(());
        }
    }
    cloud
        .call("DeleteDBInstance", &[("DBInstanceId", &id)])
        .with_context(|| format!("remove {id}"))?;
    wait(&id, 10, || match cloud.attribute(&id) {
        Ok(found) => Ok(Step::Now(text(&found, "DBInstanceStatus").to_owned())),
        Err(error) if error.status() == Some(404) => Ok(Step::Done),
        Err(error) => Err(error),
    })
}

#[cfg(test)]
mod tests;
