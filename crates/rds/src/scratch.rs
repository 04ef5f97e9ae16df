//! Scratch members: what an archive has, restored beside its instance where nobody reaches it, for as long as somebody
//! needs it. Not here: what it is needed for (`prove`, `machine::restore_table`).

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use base::{ApiError, Time};
use store::Tx;
use tokio::time::Instant;

use crate::backup::Desk;
use crate::backup::restore::{self, From};
use crate::classes;
use crate::model::Secrets;
use crate::node::api::{Limits, Phase, Role, Seed, Spec};
use crate::nodes::{Hosts, Nodes};
use crate::tables::instance::{self, Instance};
use crate::tables::{job, member};

/// How long a scratch member may take to be made, and again to recover.
const STEP: Duration = Duration::from_secs(600);

/// The name of the one in which an instance's backups are tested.
pub(crate) fn of_test(instance: &str) -> String {
    format!("{instance}{TEST}")
}

/// What names of those end with.
const TEST: &str = "-test";
/// What ids of jobs begin with, by which members for bringing tables back are called.
pub(crate) const JOB: &str = "rt-";

/// Makes scratch members on the nodes of the instances themselves.
pub(crate) struct Scratch {
    pub(crate) desk: Arc<Desk>,
    pub(crate) nodes: Arc<Nodes>,
}

/// A scratch member: where it is or is to be, and what it is made like.
pub(crate) struct Member {
    /// What its node knows it by.
    pub(crate) name: String,
    /// The data centre.
    pub(crate) site: String,
    instance: Instance,
    secrets: Secrets,
}

impl Scratch {
    /// A member of that name at the data centre of an instance's primary. Makes nothing yet.
    ///
    /// # Errors
    /// Where the instance is gone.
    pub(crate) async fn beside(&self, instance: &str, name: String) -> Result<Member, ApiError> {
        let (id, cloud) = (instance.to_owned(), Arc::clone(&self.desk.cloud));
        self.desk.cloud.db.read(move |tx| place(tx, &cloud, &id, &name)).await
    }

    /// Restores into it, and waits until it serves. What was there under its name goes first, so that it may be asked
    /// again after a crash.
    ///
    /// # Errors
    /// Those of the archive, of the vault and of the node.
    pub(crate) async fn restore(&self, member: &Member, from: &From) -> Result<(), ApiError> {
        self.remove(&member.site, &member.name).await?;
        let until = from.until.map(Time::micros);
        self.reach(member, &spec(member, until, false), Phase::Seeding).await?;
        restore::send(&self.desk, from, (&*self.nodes, &member.site, &member.name)).await?;
        self.serve(member, from).await
    }

    /// Waits until a restored one serves, which its node's end may have stopped.
    ///
    /// # Errors
    /// Those of the node.
    pub(crate) async fn serve(&self, member: &Member, from: &From) -> Result<(), ApiError> {
        let until = from.until.map(Time::micros);
        self.reach(member, &spec(member, until, true), Phase::Serving).await
    }

    /// Removes one. Harmless where there is none.
    ///
    /// # Errors
    /// Those of the node.
    pub(crate) async fn remove(&self, site: &str, name: &str) -> Result<(), ApiError> {
        self.nodes.delete(site, name, i64::MAX).await.map_err(ApiError::internal)
    }

    async fn reach(&self, member: &Member, spec: &Spec, phase: Phase) -> Result<(), ApiError> {
        let until = Instant::now() + STEP;
        loop {
            let seen = self.nodes.put(&member.site, spec, Duration::from_secs(5)).await;
            let seen = seen.map_err(ApiError::internal)?;
            if seen.phase == phase {
                return Ok(());
            }
            if Instant::now() > until {
                return Err(ApiError::internal(format!("{}: {}", spec.id, seen.trouble)));
            }
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    }
}

/// Removes those that nobody needs: a crash ended what did, and forgot it. No test may be under way. Nodes that do not
/// run are not started for it.
///
/// # Errors
/// Those of the database. What a node does not remove is left for the next time.
pub(crate) async fn sweep(cloud: &engine::Cloud, nodes: &dyn Hosts) -> Result<(), ApiError> {
    for centre in &cloud.region.data_centres {
        let site = centre.site.as_str();
        let Ok(there) = nodes.observe_all(site).await else { continue };
        let names: Vec<String> = there.into_iter().map(|it| it.id).collect();
        for name in cloud.db.read(move |tx| unneeded(tx, &names)).await? {
            match nodes.delete(site, &name, i64::MAX).await {
                Ok(()) => tracing::warn!(site, name, "removed a scratch member of nobody's"),
                Err(error) => tracing::warn!(site, name, %error, "a scratch member stays"),
            }
        }
    }
    Ok(())
}

/// Of those names, the ones of scratch members that no job is at.
fn unneeded(tx: &mut Tx<'_>, names: &[String]) -> Result<Vec<String>, ApiError> {
    let mut unneeded = Vec::new();
    for name in names {
        let stays = match name.starts_with(JOB) {
            true => job::find(tx, name)?.is_some_and(|job| job.status == "Running"),
            false => !name.ends_with(TEST) || instance::find(tx, name)?.is_some(),
        };
        if !stays {
            unneeded.push(name.clone());
        }
    }
    Ok(unneeded)
}

fn place(tx: &mut Tx<'_>, cloud: &engine::Cloud, id: &str, name: &str) -> Result<Member, ApiError> {
    let gone = || ApiError::internal(format!("{id} is gone"));
    let instance = instance::find(tx, id)?.ok_or_else(gone)?;
    let primary = member::of(tx, id)?.into_iter().find(|member| member.primary).ok_or_else(gone)?;
    let secrets = instance.secrets(&cloud.seal)?;
    Ok(Member { name: name.to_owned(), site: primary.site, instance, secrets })
}

/// A member that nobody but its node reaches: it has no rule that lets anybody in.
fn spec(member: &Member, until: Option<i64>, complete: bool) -> Spec {
    let Member { name, instance, secrets, .. } = member;
    let limits = classes::find(&instance.class).map(|class| class.limits(instance.storage_gib));
    Spec {
        id: name.clone(),
        generation: 1 + i64::from(complete),
        term: 1,
        engine: instance.engine,
        major: instance.major.clone(),
        running: true,
        restarts: 0,
        role: Role::Primary,
        seed: Seed::Sent { until, complete },
        listen: vec![IpAddr::from([127, 0, 0, 1])],
        limits: limits.unwrap_or(Limits {
            memory_mib: 1024,
            cpu_milli: 1000,
            storage_gib: instance.storage_gib.unsigned_abs(),
            connections: 20,
        }),
        parameters: BTreeMap::new(),
        hba: Vec::new(),
        accounts: Vec::new(),
        databases: Vec::new(),
        grants: Vec::new(),
        replicator: secrets.replicator.clone(),
        peers: Vec::new(),
        certificate: secrets.certificate.clone(),
        key: secrets.key.clone(),
        leased: false,
        synchronous: String::new(),
        slots: None,
        extensions: Vec::new(),
        time_zone: String::new(),
    }
}
