//! Relational databases: what the roles of the program need of them, joined.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, bail};
use engine::Cloud;
use engine::ports::Vault;
use engine::server::authority::Authority;
use engine::task::Runner;
use rds::Service;
use rds::backup::base::Copies;
use rds::backup::{Desk, Pace};
use rds::gateway::{self, Book, Tally};
use rds::nodes::{Nodes, Places};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::config::Config;
use crate::{ready, roles};

/// Where the nodes of the cloud of that directory are.
pub fn places(config: &Config, dir: &Path) -> anyhow::Result<Places> {
    Ok(Places {
        remote: config.rds.nodes.clone(),
        address: config.rds.listen,
        sites: config.data_centre.iter().map(|centre| centre.site.clone()).collect(),
        home: dir.join("rds"),
        program: std::env::current_exe().context("find this program")?,
        engines: config.rds.engines.clone(),
        store: config.rds.store.clone().unwrap_or_else(|| dir.join("engines")),
    })
}

/// The databases of this process.
pub struct Databases(Service);

impl Databases {
    /// Makes what talks to nodes. Starts none.
    pub fn open(
        config: &Config,
        dir: &Path,
        cloud: &Arc<Cloud>,
        authority: &Arc<Authority>,
        storage: Option<&oss::Oss>,
    ) -> anyhow::Result<Self> {
        rds::Settings {
            domain: config.rds.domain.clone(),
            postgres_port: config.port_base + roles::POSTGRES,
            instances_max: config.rds.instances_max.into(),
            address: config.rds.listen,
            nodes: config.rds.nodes.values().map(SocketAddr::ip).collect(),
            ..rds::Settings::default()
        }
        .tell();
        let places = places(config, dir)?;
        if let Some(site) = places.astray() {
            bail!(
                "rds.nodes names {site}, which has instances on this machine, in {}: move nothing by a line here; \
                 take the line away, delete those instances or restore them elsewhere first",
                places.home.join(site).display()
            );
        }
        let nodes = Nodes::new(places, Arc::clone(authority))
            .map_err(|error| anyhow::anyhow!("prepare to talk to database nodes: {error}"))?;
        let nodes = Arc::new(nodes);
        let desk = storage.map(|storage| {
            let vault = Arc::new(storage.clone()) as Arc<dyn Vault>;
            let pace = Pace {
                restore_test: Duration::from_secs(
                    config.rds.restore_test_hours.saturating_mul(3600),
                ),
                ..Pace::default()
            };
            let copies = Arc::clone(&nodes) as Arc<dyn Copies>;
            let (cloud, tls) = (Arc::clone(cloud), nodes.trust());
            Arc::new(Desk { cloud, vault, tls, pace, nodes: Some(copies) })
        });
        let own = ready::account_of(dir)?;
        let clusters = config.rds.patroni.iter().map(|cluster| cluster.open(own));
        let patroni = Arc::new(clusters.collect::<anyhow::Result<Vec<_>>>()?);
        Ok(Self(Service {
            patroni,
            cloud: Arc::clone(cloud),
            nodes,
            authority: Arc::clone(authority),
            desk,
        }))
    }

    /// Binds the gateway and serves it; answers where.
    pub async fn serve_gateway(
        &self,
        config: &Config,
        doors: &mut JoinSet<()>,
        stop: &watch::Receiver<bool>,
    ) -> anyhow::Result<String> {
        let address = SocketAddr::new(config.listen, config.port_base + roles::POSTGRES);
        let listener = TcpListener::bind(address).await.with_context(|| {
            format!("listen on {address} (postgres); is another cloud running? --port-base chooses other ports")
        })?;
        let address = listener.local_addr()?.to_string();
        let book = Book::new(self.0.cloud.db.clone());
        let tally = Arc::new(Tally::default());
        doors.spawn(Arc::clone(&book).run(stop.clone()));
        doors.spawn(publish(Arc::clone(&tally), Arc::clone(&self.0.cloud), stop.clone()));
        let limits = gateway::Limits::default();
        let serve = gateway::serve(listener, book, limits, tally, stop.clone());
        doors.spawn(async move {
            if let Err(error) = serve.await {
                tracing::error!(%error, "the gateway to PostgreSQL ended");
            }
        });
        Ok(address)
    }

    /// Adds the machines of databases to the runner, and starts what runs beside it.
    pub async fn start(
        &self,
        runner: Runner,
        tasks: &mut JoinSet<()>,
        stop: &watch::Receiver<bool>,
    ) -> anyhow::Result<Runner> {
        let runner = self.0.machines(runner).await?;
        self.0.start(tasks, stop);
        Ok(runner)
    }

    /// Stops the nodes of this machine, with their servers.
    pub async fn stop(&self) {
        self.0.nodes.stop().await;
    }
}

/// Shows every second what the gateway did.
async fn publish(tally: Arc<Tally>, cloud: Arc<Cloud>, mut stop: watch::Receiver<bool>) {
    loop {
        tally.publish(&cloud.metrics);
        tokio::select! {
            () = tokio::time::sleep(Duration::from_secs(1)) => {}
            _ = stop.changed() => return,
        }
    }
}
