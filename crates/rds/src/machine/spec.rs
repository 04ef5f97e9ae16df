//! What nodes are told, made of the rows.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use base::{ApiError, Time};
use engine::Cloud;
use engine::task::StepError;
use store::Tx;

use super::parts;
use crate::backup::{self, ARCHIVE_NAME};
use crate::classes;
use crate::deployment::Settings;
use crate::model::{Category, Origin, Secrets, Wanted};
use crate::node::api::{
    Account, Database, ExtensionWish, Grant, Observed, Role, Seed, Spec, Upstream,
};
use crate::tables::extension;
use crate::tables::instance::{self, Instance};
use crate::tables::member::{self, Member};

/// A certificate is made anew when it is this old: long before it ends.
const FRESH: Duration = Duration::from_secs(270 * 24 * 3600);

/// Everything that the spec of a member is made of.
pub(super) struct Loaded {
    pub(super) instance: Instance,
    pub(super) members: Vec<Member>,
    pub(super) secrets: Secrets,
    /// Of a read-only instance: the primary that it follows, and the name in that one's certificate.
    upstream: Option<(Member, String)>,
    accounts: Vec<Account>,
    databases: Vec<Database>,
    grants: Vec<Grant>,
    parameters: BTreeMap<String, String>,
    hba: Vec<String>,
    slots: BTreeSet<String>,
    extensions: Vec<ExtensionWish>,
}

/// Reads an instance; `None` where it is gone.
pub(super) fn load(tx: &mut Tx<'_>, cloud: &Cloud, id: &str) -> Result<Option<Loaded>, ApiError> {
    let Some(instance) = instance::find(tx, id)? else { return Ok(None) };
    let members = member::of(tx, id)?;
    let (accounts, databases, grants, parameters, hba) = parts::spec_parts(tx, cloud, &instance)?;
    let extensions = extension::wished(tx, id)?;
    let mut secrets = instance.secrets(&cloud.seal)?;
    let mut upstream = None;
    if let Some(parent) = &instance.parent
        && let Some(parent) = instance::find(tx, parent)?
    {
        // A copy has the roles of what it was copied from.
        secrets.replicator = parent.secrets(&cloud.seal)?.replicator;
        let primary = member::of(tx, &parent.id)?.into_iter().find(|member| member.primary);
        upstream = primary.map(|primary| (primary, own_name(&parent)));
    }
    let slots = slots(tx, &instance, &members)?;
    Ok(Some(Loaded {
        instance,
        members,
        secrets,
        upstream,
        accounts,
        databases,
        grants,
        parameters,
        hba,
        slots,
        extensions,
    }))
}

/// The names that the server's certificate has to have, where it has not.
pub(super) fn names_to_certify(loaded: &Loaded, now: Time) -> Option<Vec<String>> {
    let names = host_names(&loaded.instance);
    let issued = Time::from_micros(loaded.secrets.issued);
    let good = loaded.secrets.names == names && now.since(issued) < FRESH;
    (!good).then_some(names)
}

/// The names by which clients reach it: through the gateway by those of its own, directly by the address.
fn host_names(instance: &Instance) -> Vec<String> {
    let settings = Settings::told();
    let second = Some(&instance.options.public_name).filter(|name| !name.is_empty());
    let own = std::iter::once(&instance.name).chain(second);
    let own = own.map(|name| settings.host(name, instance.engine));
    own.chain(["localhost".to_owned(), "127.0.0.1".to_owned()]).collect()
}

/// The name by which its servers know each other.
fn own_name(instance: &Instance) -> String {
    Settings::told().host(&instance.name, instance.engine)
}

/// What the node of a member is told. `told` is what the members before it said.
pub(super) fn of(loaded: &Loaded, member: &Member, told: &[Observed]) -> Result<Spec, StepError> {
    let instance = &loaded.instance;
    let role = role(loaded, member, told)?;
    let class = classes::find(&instance.class)
        .ok_or_else(|| StepError::broken(format!("class {} is not known", instance.class)))?;
    let standby = loaded.members.iter().find(|other| !other.primary && member.primary);
    let synchronous = match standby {
        Some(standby) => synchronous(instance, standby),
        None if member.primary && backup::waits_for_archive(instance) => ARCHIVE_NAME.to_owned(),
        None => String::new(),
    };
    Ok(Spec {
        id: instance.id.clone(),
        generation: instance.generation,
        term: instance.term,
        engine: instance.engine,
        major: instance.major.clone(),
        running: instance.wanted == Wanted::Running,
        restarts: instance.restarts,
        seed: seed(instance, &role),
        role,
        listen: Vec::new(),
        limits: class.limits(instance.storage_gib),
        parameters: loaded.parameters.clone(),
        hba: loaded.hba.clone(),
        accounts: loaded.accounts.clone(),
        databases: loaded.databases.clone(),
        grants: loaded.grants.clone(),
        replicator: loaded.secrets.replicator.clone(),
        peers: Settings::told().peers(),
        certificate: loaded.secrets.certificate.clone(),
        key: loaded.secrets.key.clone(),
        leased: instance.category == Category::HighAvailability,
        synchronous,
        slots: Some(loaded.slots.clone()),
        extensions: loaded.extensions.clone(),
        time_zone: instance.options.time_zone.clone(),
    })
}

/// The slots that the primary of an instance has, whichever member that is.
fn slots(
    tx: &mut Tx<'_>,
    instance: &Instance,
    members: &[Member],
) -> Result<BTreeSet<String>, ApiError> {
    let mut slots: BTreeSet<String> = members.iter().map(|it| slot(instance, &it.site)).collect();
    for follower in instance::followers(tx, &instance.id)? {
        let members = member::of(tx, &follower.id)?;
        slots.extend(members.iter().map(|it| slot(&follower, &it.site)));
    }
    // Of an instance that is not archived, the archive removes it itself.
    slots.insert(ARCHIVE_NAME.to_owned());
    Ok(slots)
}

fn role(loaded: &Loaded, member: &Member, told: &[Observed]) -> Result<Role, StepError> {
    let slot = slot(&loaded.instance, &member.site);
    if let Some((upstream, name)) = &loaded.upstream {
        if upstream.port == 0 {
            return Err(StepError::transient("the instance that is followed does not listen yet"));
        }
        let (host, name) = (upstream.host.clone(), name.clone());
        let upstream = Upstream { host, port: upstream.port, slot, name };
        return Ok(Role::Standby { upstream, readable: true });
    }
    if member.primary {
        return Ok(Role::Primary);
    }
    let first =
        told.first().ok_or_else(|| StepError::transient("there is no primary to follow"))?;
    let name = own_name(&loaded.instance);
    let upstream = Upstream { host: first.host.clone(), port: first.port, slot, name };
    Ok(Role::Standby { upstream, readable: false })
}

fn seed(instance: &Instance, role: &Role) -> Seed {
    match (&instance.origin, role) {
        (_, Role::Standby { .. }) => Seed::Copy,
        (Origin::Archive { until, .. }, Role::Primary) => {
            Seed::Sent { until: *until, complete: instance.options.seeded }
        }
        // One that served once and is nowhere now is not begun anew: its node has lost its directory, or is another.
        _ if instance.settled > 0 => Seed::Copy,
        _ => Seed::Template,
    }
}

/// Whom commits of a primary with that standby wait for; empty for nobody.
pub(crate) fn synchronous(instance: &Instance, standby: &Member) -> String {
    if instance.options.sync_mode != "Sync" {
        return String::new();
    }
    slot(instance, &standby.site)
}

/// The name of a member as a standby, and of its slot: what PostgreSQL takes without quotes.
fn slot(instance: &Instance, site: &str) -> String {
    let plain = |c: char| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '_' };
    format!("awan_{}_{}", instance.id, site).chars().map(plain).collect()
}
