//! Restore tests: a backup is restored into a scratch member beside its instance, everything in it is read, and it
//! goes again.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use base::ApiError;
use http_body_util::BodyExt;
use store::Tx;
use tokio::time::Instant;

use crate::backup::Desk;
use crate::backup::restore::{self, From};
use crate::backup::restore_test::{Proof, Prover};
use crate::classes;
use crate::model::Secrets;
use crate::node::api::{Dump, Observed, Phase, Role, Seed, Spec};
use crate::nodes::{Hosts, Nodes};
use crate::tables::instance::{self, Instance};
use crate::tables::member;

/// How long the scratch member may take for one step.
const STEP: Duration = Duration::from_secs(600);

/// Restores into scratch members on the nodes of the instances themselves.
pub(crate) struct Scratch {
    pub(crate) desk: Arc<Desk>,
    pub(crate) nodes: Arc<Nodes>,
}

/// Where the scratch member of an instance is, and what it is made like.
struct Place {
    instance: Instance,
    site: String,
    secrets: Secrets,
}

#[async_trait]
impl Prover for Scratch {
    async fn prove(&self, from: &From) -> Result<Proof, ApiError> {
        let began = Instant::now();
        let (id, cloud) = (from.instance.clone(), Arc::clone(&self.desk.cloud));
        let find = move |tx: &mut Tx<'_>| place(tx, &cloud, &id);
        let place = self.desk.cloud.db.read(find).await?;
        let name = format!("{}-test", from.instance);
        let outcome = self.restored(from, &place, &name).await;
        let removed = self.nodes.delete(&place.site, &name, i64::MAX).await;
        removed.map_err(ApiError::internal)?;
        let (databases, tables) = outcome?;
        Ok(Proof { took: began.elapsed(), databases, tables })
    }
}

impl Scratch {
    async fn restored(
        &self,
        from: &From,
        place: &Place,
        name: &str,
    ) -> Result<(u64, u64), ApiError> {
        let until = from.until.map(base::Time::micros);
        let wait = |complete| spec(place, name, until, complete);
        self.reach(place, &wait(false), Phase::Seeding).await?;
        restore::send(&self.desk, from, (&*self.nodes, &place.site, name)).await?;
        self.reach(place, &wait(true), Phase::Serving).await?;
        let figures = self.nodes.figures(&place.site, name).await.map_err(ApiError::internal)?;
        let mut read = 0;
        for database in figures.databases.keys() {
            let what = Dump { database: database.clone(), tables: Vec::new() };
            let mut dump =
                self.nodes.dump(&place.site, name, &what).await.map_err(ApiError::internal)?;
            // A dump reads every row; where one cannot be read its stream breaks.
            while let Some(frame) = dump.frame().await {
                frame.map_err(ApiError::internal)?;
            }
            read += 1;
        }
        Ok((read, read))
    }

    async fn reach(&self, place: &Place, spec: &Spec, phase: Phase) -> Result<Observed, ApiError> {
        let until = Instant::now() + STEP;
        loop {
            let seen = self.nodes.put(&place.site, spec, Duration::from_secs(5)).await;
            let seen = seen.map_err(ApiError::internal)?;
            if seen.phase == phase {
                return Ok(seen);
            }
            if Instant::now() > until {
                return Err(ApiError::internal(format!("{}: {}", spec.id, seen.trouble)));
            }
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    }
}

fn place(tx: &mut Tx<'_>, cloud: &engine::Cloud, id: &str) -> Result<Place, ApiError> {
    let gone = || ApiError::internal(format!("{id} is gone"));
    let instance = instance::find(tx, id)?.ok_or_else(gone)?;
    let primary = member::of(tx, id)?.into_iter().find(|member| member.primary).ok_or_else(gone)?;
    let secrets = instance.secrets(&cloud.seal)?;
    Ok(Place { instance, site: primary.site, secrets })
}

/// A member that nobody but its node reaches: it has no rule that lets anybody in.
fn spec(place: &Place, name: &str, until: Option<i64>, complete: bool) -> Spec {
    let Place { instance, secrets, .. } = place;
    let limits = classes::find(&instance.class).map(|class| class.limits(instance.storage_gib));
    Spec {
        id: name.to_owned(),
        generation: 1 + i64::from(complete),
        term: 1,
        engine: instance.engine,
        major: instance.major.clone(),
        running: true,
        restarts: 0,
        role: Role::Primary,
        seed: Seed::Sent { until, complete },
        listen: vec![IpAddr::from([127, 0, 0, 1])],
        limits: limits.unwrap_or(crate::node::api::Limits {
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
        certificate: secrets.certificate.clone(),
        key: secrets.key.clone(),
        leased: false,
        synchronous: String::new(),
    }
}
