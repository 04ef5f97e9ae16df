//! A node: the process that is the parent of database servers in one data centre (`awan serve --role db-node`).
//! It knows no database of the cloud, no account and no agreement; it makes true what it is told ([`api`]).
//!
//! | module | owns |
//! |---|---|
//! | `home` | the layout of its directory |
//! | `process` | programs as its own children, which do not outlive it |
//! | `confinement` | control groups |
//! | `driver` | what an engine has to know; `postgres` knows it |
//! | `keeper`, `converge` | one instance: what is wanted of it, and the task that makes it true |
//! | `lease` | the right of primaries to serve |
//! | `server` | the routes |
//! | `trust` | certificates: its own, and whom it answers |

pub mod api;
pub mod confinement;
mod converge;
pub mod driver;
pub mod error;
pub mod home;
pub mod keeper;
pub mod lease;
pub mod mariadb;
pub mod pool;
pub mod postgres;
pub mod process;
pub mod server;
pub mod stream;
pub mod trust;

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use engine::server::{Door, Limits};
use serde::{Deserialize, Serialize};
use tokio::sync::watch;

use self::api::{Observed, Spec};
use self::driver::Driver;
use self::error::{Doing, Error, Result};
use self::home::Home;
use self::keeper::Keeper;
use self::lease::Leases;
use self::pool::{Find, Network, Pool};
use self::process::Programs;
use self::trust::Trust;

/// What a node reads from `node-config.json` in its directory. Paths are below that directory where they are relative.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// What it is called.
    pub name: String,
    /// The data centre that it is in.
    pub site: String,
    /// Where it listens; port 0 for any, told in `node.json`.
    pub listen: SocketAddr,
    /// The address that its database servers listen on, and are told to be at [default: that of `listen`].
    #[serde(default)]
    pub advertise: Option<IpAddr>,
    /// Whose certificates the control plane shows: a file, PEM.
    pub ca: PathBuf,
    /// What it shows itself: a file, PEM chain.
    pub cert: PathBuf,
    /// That certificate's key: a file, PEM.
    pub key: PathBuf,
    /// Where programs of engines are, besides the usual places.
    #[serde(default)]
    pub engines: Vec<PathBuf>,
    /// The engine store.
    #[serde(default)]
    pub store: PathBuf,
    /// Numbers of users for servers where it runs as root, first and one past the last. Nodes that share a machine
    /// take different ones.
    #[serde(default = "uid_range")]
    pub uid_range: (u32, u32),
}

fn uid_range() -> (u32, u32) {
    (800_000, 900_000)
}

impl Config {
    /// Reads it from a node's directory.
    ///
    /// # Errors
    /// Where it is not there or does not read.
    pub fn read(root: &Path) -> Result<Self> {
        let path = root.join("node-config.json");
        let bytes = std::fs::read(&path).doing(path.display())?;
        let mut config: Self = serde_json::from_slice(&bytes).doing(path.display())?;
        let files = [&mut config.ca, &mut config.cert, &mut config.key, &mut config.store];
        for path in files.into_iter().chain(&mut config.engines) {
            *path = root.join(&path);
        }
        Ok(config)
    }
}

/// What `node.json` tells while the node answers.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Running {
    /// Where.
    pub address: SocketAddr,
    /// Its process.
    pub pid: u32,
}

/// A node.
pub struct Node {
    pool: Arc<Pool>,
    leases: Leases,
    keepers: Mutex<BTreeMap<String, Keeper>>,
    _lock: std::fs::File,
}

impl Node {
    /// Opens a node's directory and takes up every instance that is in it.
    ///
    /// # Errors
    /// Where another node has it, or it does not read.
    pub fn open(
        root: &Path,
        network: Network,
        uids: Range<u32>,
        builds: Find,
        drivers: Vec<Arc<dyn Driver>>,
    ) -> Result<Self> {
        let home = Home::open(root)?;
        let lock = home.lock()?;
        if rustix::process::geteuid().is_root() && !uids.is_empty() {
            home.passable()?;
        }
        let pool = Pool::new(home, builds, drivers, Programs::new()?, network, uids);
        let node = Self {
            pool: Arc::new(pool),
            leases: Leases::new()?,
            keepers: Mutex::default(),
            _lock: lock,
        };
        for id in node.pool.home.ids()? {
            let keeper =
                Keeper::start(&id, node.pool.home.instance(&id)?, &node.pool, &node.leases);
            // One that does not read is not all of them.
            match keeper {
                Ok(keeper) => drop(node.keepers().insert(id, keeper)),
                Err(error) => tracing::error!(instance = %id, %error, "take an instance up"),
            }
        }
        Ok(node)
    }

    fn keepers(&self) -> MutexGuard<'_, BTreeMap<String, Keeper>> {
        self.keepers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What its instances share.
    pub fn pool(&self) -> &Pool {
        &self.pool
    }

    /// Its leases.
    pub fn leases(&self) -> &Leases {
        &self.leases
    }

    /// An instance.
    ///
    /// # Errors
    /// [`Error::Unknown`] where there is none of that id.
    pub fn keeper(&self, id: &str) -> Result<Keeper> {
        let keeper = self.keepers().get(id).cloned();
        keeper.ok_or_else(|| Error::Unknown(format!("no instance {id:?}")))
    }

    /// Makes an instance what `spec` says, and answers how it is once that is done or the wait is over.
    ///
    /// # Errors
    /// [`Error::Conflict`] for an older spec, [`Error::Unknown`] for an engine that is not here.
    pub async fn put(&self, id: &str, spec: Spec, wait: Duration) -> Result<Observed> {
        if spec.id != id {
            return Err(Error::Conflict(format!("{id:?} is not {:?}", spec.id)));
        }
        self.pool.build(spec.engine, &spec.major)?;
        let dir = self.pool.home.instance(id)?;
        let keeper = {
            let mut keepers = self.keepers();
            match keepers.get(id) {
                Some(keeper) => keeper.clone(),
                None => {
                    let keeper = Keeper::start(id, dir, &self.pool, &self.leases)?;
                    keepers.insert(id.to_owned(), keeper.clone());
                    keeper
                }
            }
        };
        keeper.put(spec)?;
        keeper.settled(wait).await;
        Ok(keeper.observed().await)
    }

    /// Leaves nothing of an instance; there need be nothing.
    ///
    /// # Errors
    /// [`Error::Conflict`] for an older term, [`Error::Later`] where it takes longer.
    pub async fn delete(&self, id: &str, term: i64, limit: Duration) -> Result<()> {
        let dir = self.pool.home.instance(id)?;
        let keeper = self.keepers().get(id).cloned();
        if let Some(keeper) = keeper {
            keeper.delete(term, limit).await?;
            self.keepers().remove(id);
            return Ok(());
        }
        tokio::task::spawn_blocking(move || dir.remove()).await.doing("delete")?
    }

    /// How all instances are.
    pub async fn all_observed(&self) -> Vec<Observed> {
        let mut asked = tokio::task::JoinSet::new();
        for keeper in self.keepers().values() {
            let keeper = keeper.clone();
            asked.spawn(async move { keeper.observed().await });
        }
        let mut all = asked.join_all().await;
        all.sort_by(|a, b| a.id.cmp(&b.id));
        all
    }

    /// Stops all servers; every instance stays what it is.
    pub async fn close(&self) {
        let mut closing = tokio::task::JoinSet::new();
        for keeper in self.keepers().values() {
            let keeper = keeper.clone();
            closing.spawn(async move { keeper.close().await });
        }
        closing.join_all().await;
    }
}

/// All engines that a node knows.
pub fn drivers() -> Vec<Arc<dyn Driver>> {
    vec![Arc::new(postgres::Postgres), Arc::new(mariadb::MariaDb)]
}

/// Runs the node of that directory until `stop` turns true; then stops its servers.
///
/// # Errors
/// Where it cannot begin; what goes wrong with an instance is told in [`Observed::trouble`].
pub async fn run(
    root: &Path,
    config: Config,
    builds: Find,
    drivers: Vec<Arc<dyn Driver>>,
    stop: watch::Receiver<bool>,
) -> Result<()> {
    let trust = Trust::read(&config)?;
    let network = Network {
        address: config.advertise.unwrap_or(config.listen.ip()),
        authority: Arc::clone(&trust.authority),
    };
    let tls = trust.acceptor()?;
    let uids = config.uid_range.0..config.uid_range.1;
    let node = Arc::new(Node::open(root, network, uids, builds, drivers)?);
    let door = Door::bind(config.listen, Some(tls), Limits::default()).await?;
    let running = Running { address: door.address()?, pid: std::process::id() };
    let told = node.pool.home.root().join("node.json");
    home::replace(&told, &serde_json::to_vec(&running).doing("node.json")?, 0o644, None)?;
    tracing::info!(name = %config.name, site = %config.site, address = %running.address, "a node of databases answers");
    let warner = tokio::spawn(trust.warn(config.site));
    door.serve(Arc::clone(&node), stop).await;
    warner.abort();
    home::remove_file(&told)?;
    node.close().await;
    Ok(())
}
