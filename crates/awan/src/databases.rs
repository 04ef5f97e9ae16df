//! Relational databases: what the roles of the program need of them, joined.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use engine::Cloud;
use engine::server::authority::Authority;
use engine::task::Runner;
use rds::nodes::{Nodes, Places};
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::config::Config;
use crate::roles;

/// How often the engines of the nodes are looked at: what was installed meanwhile can be had then.
const LOOK: Duration = Duration::from_secs(30);

/// The databases of this process.
pub struct Databases {
    cloud: Arc<Cloud>,
    nodes: Arc<Nodes>,
    places: Places,
    authority: Arc<Authority>,
    vault: Option<Arc<dyn engine::ports::Vault>>,
}

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
            ..rds::Settings::default()
        }
        .tell();
        let places = Places {
            remote: config.rds.nodes.clone(),
            home: dir.join("rds"),
            program: std::env::current_exe().context("find this program")?,
            engines: config.rds.engines.clone(),
            store: config.rds.store.clone().unwrap_or_else(|| dir.join("engines")),
        };
        let nodes = Nodes::new(places.clone(), Arc::clone(authority))
            .map_err(|error| anyhow::anyhow!("prepare to talk to database nodes: {error}"))?;
        let vault = storage.map(|storage| Arc::new(storage.clone()) as Arc<dyn engine::ports::Vault>);
        Ok(Self {
            cloud: Arc::clone(cloud),
            nodes: Arc::new(nodes),
            places,
            authority: Arc::clone(authority),
            vault,
        })
    }

    /// Binds the gateway and serves it; answers where.
    pub async fn serve_gateway(
        &self,
        config: &Config,
        doors: &mut JoinSet<()>,
        stop: &watch::Receiver<bool>,
    ) -> anyhow::Result<String> {
        let address = std::net::SocketAddr::new(config.listen, config.port_base + roles::POSTGRES);
        let listener = tokio::net::TcpListener::bind(address).await.with_context(|| {
            format!("listen on {address} (postgres); is another cloud running? --port-base chooses other ports")
        })?;
        let address = listener.local_addr()?.to_string();
        let book = rds::gateway::Book::new(Arc::clone(&self.cloud));
        doors.spawn(Arc::clone(&book).follow(stop.clone()));
        doors.spawn(rds::gateway::serve(
            listener,
            book,
            rds::gateway::Limits::default(),
            Arc::clone(&self.cloud),
            stop.clone(),
        ));
        Ok(address)
    }

    /// Adds the machines of databases to the runner, and what runs beside it.
    pub async fn start(
        &self,
        runner: Runner,
        tasks: &mut JoinSet<()>,
        stop: &watch::Receiver<bool>,
    ) -> anyhow::Result<Runner> {
        let (cloud, nodes) = (Arc::clone(&self.cloud), Arc::clone(&self.nodes));
        let runner = rds::machines(runner, cloud, nodes, Arc::clone(&self.authority), self.vault.clone()).await?;
        let (cloud, nodes, places) = (Arc::clone(&self.cloud), Arc::clone(&self.nodes), self.places.clone());
        tasks.spawn(keep_engines_known(cloud, nodes, places, stop.clone()));
        Ok(runner)
    }

    /// Stops the nodes of this machine.
    pub async fn stop(&self) {
        self.nodes.stop().await;
    }
}

async fn keep_engines_known(
    cloud: Arc<Cloud>,
    nodes: Arc<Nodes>,
    places: Places,
    mut stop: watch::Receiver<bool>,
) {
    loop {
        if let Err(error) = rds::look_at_engines(&cloud, &nodes, &places).await {
            tracing::warn!(?error, "look at the engines of the nodes");
        }
        tokio::select! {
            () = tokio::time::sleep(LOOK) => {}
            _ = stop.changed() => return,
        }
    }
}
