//! What the gateway needs to know of every PostgreSQL instance: names, the server that serves, who may reach it; and
//! word that it changed, for gateways of this process. Others look by themselves.

use std::sync::LazyLock;

use base::{AccountId, ApiError};
use serde::Deserialize;
use store::{Row, Tx, params};
use tokio::sync::watch;

use super::read;
use crate::hba::Rule;
use crate::model::{Engine, Status, Wanted};
use crate::node::api::Phase;

/// Counts commits that changed what [`all`] answers. One for the process, so that whoever changes rows needs to know
/// of no gateway; where it has several databases, as in tests, a gateway hears of others' changes and finds none.
static CHANGES: LazyLock<watch::Sender<u64>> = LazyLock::new(|| watch::channel(0).0);

/// This transaction changes what [`all`] answers.
pub(crate) fn changed(tx: &mut Tx<'_>) {
    tx.on_commit(|| CHANGES.send_modify(|count| *count += 1));
}

/// Changes with each such commit of this process, once it can be read.
pub(crate) fn changes() -> watch::Receiver<u64> {
    CHANGES.subscribe()
}

/// An instance, as the gateway sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// The instance.
    pub instance: String,
    /// The first labels of its host names.
    pub names: Vec<String>,
    /// Where it is in its life.
    pub status: Status,
    /// What it is to be.
    pub wanted: Wanted,
    /// Counts its primaries.
    pub term: i64,
    /// Where its server listens; empty until it does.
    pub host: String,
    /// The port; 0 until it listens.
    pub port: u16,
    /// What its server was doing when it was heard of last.
    pub phase: Phase,
    /// Whether that server had done by then everything that is asked of it.
    pub reached: bool,
    /// Whose it is.
    pub account: AccountId,
    /// Its class.
    pub class: String,
    /// Its white lists, each with commas in it.
    pub addresses: Vec<String>,
    /// Its own rules, first first.
    pub(crate) rules: Vec<Rule>,
}

/// Of the options only this: the others are read by those who need them.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Options {
    public_name: String,
}

/// Of what a node said only this.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Observed {
    phase: Phase,
    generation: i64,
}

type Raw = ([String; 6], [i64; 3], (Option<String>, Option<i64>, Option<String>));

fn raw(row: &Row<'_>) -> Result<Raw, store::Error> {
    Ok((
        [row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?, row.get(4)?, row.get(5)?],
        [row.get(6)?, row.get(7)?, row.get(8)?],
        (row.get(9)?, row.get(10)?, row.get(11)?),
    ))
}

fn understood(raw: Raw) -> Result<Place, ApiError> {
    let (texts, [account, term, generation], (host, port, observed)) = raw;
    let [instance, name, status, wanted, options, class] = texts;
    let strange =
        |what: &str| ApiError::internal(format!("instance {instance} has no known {what}"));
    let options: Options = read(&options)?;
    let observed: Observed = observed.as_deref().map(read).transpose()?.unwrap_or_default();
    Ok(Place {
        names: [name, options.public_name].into_iter().filter(|name| !name.is_empty()).collect(),
        status: Status::parse(&status).ok_or_else(|| strange("status"))?,
        wanted: Wanted::parse(&wanted).ok_or_else(|| strange("wish"))?,
        term,
        host: host.unwrap_or_default(),
        port: u16::try_from(port.unwrap_or_default()).unwrap_or_default(),
        phase: observed.phase,
        reached: observed.generation >= generation,
        account: AccountId::from_i64(account),
        class,
        addresses: Vec::new(),
        rules: Vec::new(),
        instance,
    })
}

/// All PostgreSQL instances, in order of their ids.
pub fn all(tx: &mut Tx<'_>) -> Result<Vec<Place>, ApiError> {
    let sql =
        "SELECT i.id, i.name, i.status, i.wanted, i.options, i.class, i.account, i.term, i.generation,
             m.host, m.port, m.observed
         FROM rds_instance i LEFT JOIN rds_member m ON m.instance = i.id AND m.role = 'primary'
         WHERE i.engine = ?1 ORDER BY i.id, m.site";
    let rows = tx.query(sql, params![Engine::Postgres.as_str()], raw)?;
    let mut places: Vec<Place> = Vec::with_capacity(rows.len());
    for row in rows {
        let place = understood(row)?;
        // Two primaries are on record for no moment that a commit leaves; the first would count.
        if places.last().is_none_or(|last| last.instance != place.instance) {
            places.push(place);
        }
    }
    lead(tx, &mut places)?;
    let sql = "SELECT instance, addresses FROM rds_ip_array ORDER BY instance, name";
    let arrays: Vec<(String, String)> =
        tx.query(sql, params![], |row| Ok((row.get(0)?, row.get(1)?)))?;
    for (instance, addresses) in arrays {
        if let Some(place) = at(&mut places, &instance) {
            place.addresses.push(addresses);
        }
    }
    let sql = "SELECT instance, rule FROM rds_hba ORDER BY instance, priority";
    let rules: Vec<(String, String)> =
        tx.query(sql, params![], |row| Ok((row.get(0)?, row.get(1)?)))?;
    for (instance, rule) in rules {
        if let Some(place) = at(&mut places, &instance) {
            place.rules.push(read(&rule)?);
        }
    }
    Ok(places)
}

fn at<'p>(places: &'p mut [Place], instance: &str) -> Option<&'p mut Place> {
    let found = places.binary_search_by(|place| place.instance.as_str().cmp(instance)).ok()?;
    places.get_mut(found)
}

/// The leaders of the clusters that Patroni keeps: their members have rows of their own.
fn lead(tx: &mut Tx<'_>, places: &mut [Place]) -> Result<(), ApiError> {
    let sql =
        "SELECT instance, host, port, observed FROM rds_patroni_member WHERE role = 'primary'";
    let rows: Vec<(String, String, i64, String)> =
        tx.query(sql, &[], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?)))?;
    for (instance, host, port, observed) in rows {
        let observed: Observed = read(&observed)?;
        if let Some(place) = at(places, &instance) {
            (place.host, place.phase) = (host, observed.phase);
            place.port = u16::try_from(port).unwrap_or_default();
        }
    }
    Ok(())
}
