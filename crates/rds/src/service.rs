//! What runs beside the actions wherever the program has the role `tasks`: the machines, the archive, the collector of
//! figures, and the look at which engines there are.

use std::collections::{BTreeSet, HashSet};
use std::sync::Arc;
use std::time::Duration;

use base::{ApiError, Time};
use engine::Cloud;
use engine::server::authority::Authority;
use engine::task::Runner;
use store::Tx;
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::backup::Desk;
use crate::backup::archive::Archiver;
use crate::backup::base::Backups;
use crate::backup::restore::{Restores, Seeds};
use crate::backup::restore_test::RestoreTests;
use crate::backup::schedule::{Removal, Schedule};
use crate::ha::Watch;
use crate::machine::restore_table::RestoreTables;
use crate::machine::{self, Instances};
use crate::model::{Status, Wanted};
use crate::nodes::{Hosts, Nodes};
use crate::prove::Reading;
use crate::scratch::Scratch;
use crate::tables::{engine as offers, figure, instance, member};
use crate::{engines, monitor, patroni};

/// How often engines are looked for: what was installed meanwhile can be had then.
const LOOK: Duration = Duration::from_secs(30);
/// How often figures and log lines are taken.
const COLLECT: Duration = Duration::from_secs(60);
/// How often is looked whether the nodes of this machine run.
const MISS: Duration = Duration::from_secs(1);
/// Instances read at a time.
const PAGE: usize = 200;

/// What the machines and the loops need.
#[derive(Clone)]
pub struct Service {
    /// What the whole program shares.
    pub cloud: Arc<Cloud>,
    /// The nodes.
    pub nodes: Arc<Nodes>,
    /// Signs what servers show.
    pub authority: Arc<Authority>,
    /// The clusters that Patroni keeps.
    pub patroni: Arc<Vec<patroni::Cluster>>,
    /// What backups are made with; without one, there are none in this process.
    pub desk: Option<Arc<Desk>>,
}

impl Service {
    /// Adds the machines to the runner. All instances are looked at once: a node of this machine may have died with it.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn machines(&self, runner: Runner) -> Result<Runner, ApiError> {
        let hosts = Arc::clone(&self.nodes) as Arc<dyn Hosts>;
        let restores = match &self.desk {
            Some(desk) => {
                Restores::new(Arc::clone(desk), Arc::clone(&self.nodes) as Arc<dyn Seeds>)
            }
            None => Restores::none(),
        };
        let instances = Instances::new(Arc::clone(&hosts), Arc::clone(&self.authority), restores);
        let mut runner = runner
            .with(instances)
            .with_one(Watch::new(hosts), &())
            .await?
            .with_one(patroni::Watch::new(&self.patroni), &())
            .await?;
        if let Some(desk) = &self.desk {
            let scratch =
                Arc::new(Scratch { desk: Arc::clone(desk), nodes: Arc::clone(&self.nodes) });
            runner = runner
                .with(RestoreTables::new(Arc::clone(&scratch)))
                .with(Backups::new(Arc::clone(desk)))
                .with(Removal::new(Arc::clone(desk)))
                .with_one(Schedule::new(Arc::clone(desk)), &())
                .await?;
            let tests = RestoreTests::new(Arc::clone(desk), Arc::new(Reading(scratch)));
            runner = runner.with_one(tests, &()).await?;
        }
        self.cloud.wakes.wake(machine::KIND);
        Ok(runner)
    }

    /// Starts what runs until `stop` turns true.
    pub fn start(&self, tasks: &mut JoinSet<()>, stop: &watch::Receiver<bool>) {
        tasks.spawn(until(stop.clone(), self.clone().keep_engines_known()));
        tasks.spawn(until(stop.clone(), self.clone().collect()));
        tasks.spawn(until(stop.clone(), self.clone().miss_nodes()));
        if let Some(desk) = &self.desk {
            tasks.spawn(Archiver::new(Arc::clone(desk)).run(stop.clone()));
        }
    }

    async fn keep_engines_known(self) {
        loop {
            if let Err(error) = self.look_at_engines().await {
                tracing::warn!(?error, "look for the engines of the nodes");
            }
            tokio::time::sleep(LOOK).await;
        }
    }

    /// Records which engines every data centre's node has. Those of this machine need not run for it.
    ///
    /// # Errors
    /// Those of the database. A node that is away keeps what was known of it.
    pub async fn look_at_engines(&self) -> Result<(), ApiError> {
        let places = self.nodes.places().clone();
        let here =
            tokio::task::spawn_blocking(move || engines::discover(&places.engines, &places.store));
        let here = here.await.map_err(ApiError::internal)?;
        let sites: Vec<String> =
            self.cloud.region.data_centres.iter().map(|centre| centre.site.clone()).collect();
        for site in sites {
            let builds = if self.nodes.is_remote(&site) {
                match self.nodes.engines(&site).await {
                    Ok(builds) => builds,
                    Err(error) => {
                        tracing::warn!(site, %error, "ask a node for its engines");
                        continue;
                    }
                }
            } else {
                here.clone()
            };
            let known = {
                let site = site.clone();
                self.cloud.db.read(move |tx| offers::at(tx, &site)).await?
            };
            if known != builds {
                self.cloud.db.write(move |tx| offers::replace(tx, &site, &builds)).await?;
            }
        }
        Ok(())
    }

    /// A node of this machine that died is started when somebody talks to it: the instances that it had are looked at
    /// as soon as it is missed.
    async fn miss_nodes(self) {
        let mut missed = HashSet::new();
        loop {
            tokio::time::sleep(MISS).await;
            let sites = match self.cloud.db.read(member::sites).await {
                Ok(sites) => sites,
                Err(error) => {
                    tracing::warn!(?error, "find out which nodes have instances");
                    continue;
                }
            };
            for site in sites {
                if self.nodes.is_remote(&site) || self.nodes.runs(&site).await {
                    missed.remove(&site);
                    continue;
                }
                self.cloud.wakes.wake(machine::KIND);
                if missed.insert(site.clone()) {
                    tracing::warn!(
                        site,
                        "a node of databases does not run; its instances are looked at"
                    );
                }
            }
        }
    }

    async fn collect(self) {
        loop {
            tokio::time::sleep(COLLECT).await;
            if let Err(error) = self.collect_once().await {
                tracing::warn!(?error, "collect figures of instances");
            }
        }
    }

    /// Takes the figures and new log lines of all that run.
    ///
    /// # Errors
    /// Those of the database. A node that is away leaves a gap.
    pub async fn collect_once(&self) -> Result<(), ApiError> {
        for (id, site) in self.cloud.db.read(running).await? {
            let last = {
                let id = id.clone();
                let ever = Time::from_micros(i64::MAX);
                self.cloud.db.read(move |tx| figure::before(tx, &id, ever)).await?
            };
            let Ok(figures) = self.nodes.figures(&site, &id).await else { continue };
            let since = last.map_or(0, |figures| figures.at);
            let mut lines = Vec::new();
            for kind in ["error", "slow"] {
                lines.extend(self.nodes.logs(&site, &id, kind, since).await.unwrap_or_default());
            }
            monitor::record(&self.cloud, &id, figures, lines).await?;
        }
        Ok(())
    }
}

/// Runs until it ends or has to.
async fn until(mut stop: watch::Receiver<bool>, work: impl Future<Output = ()> + Send) {
    tokio::select! {
        () = work => {}
        _ = stop.wait_for(|stop| *stop) => {}
    }
}

/// The instances that run, each with the data centre of its primary.
fn running(tx: &mut Tx<'_>) -> Result<BTreeSet<(String, String)>, ApiError> {
    let (mut found, mut after) = (BTreeSet::new(), String::new());
    loop {
        let page = instance::all(tx, &after, PAGE)?;
        let Some(last) = page.last() else { return Ok(found) };
        after.clone_from(&last.id);
        for instance in &page {
            if instance.status != Status::Running || instance.wanted != Wanted::Running {
                continue;
            }
            let primary = member::of(tx, &instance.id)?.into_iter().find(|member| member.primary);
            found.extend(primary.map(|member| (instance.id.clone(), member.site)));
        }
    }
}
