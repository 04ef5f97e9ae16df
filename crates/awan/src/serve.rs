//! `awan serve`: opens the cloud, binds its doors, says so, and drains on a signal.

use std::collections::BTreeMap;
use std::fs;
use std::io::{IsTerminal, Write};
use std::net::SocketAddr;
use std::os::unix::fs::DirBuilderExt;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use engine::Endpoints;
use engine::server::authority::Authority;
use engine::server::control::Control;
use engine::server::tls::Tls;
use engine::server::{Door, Handler, Limits};
use engine::task::{Housekeeping, Runner};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::config::Config;
use crate::databases::Databases;
use crate::ready::{self, CloudFile};
use crate::roles::{self, Role};
use crate::wiring::{self, Joined};
use crate::{config, doors, lock};

/// How often the last uses of keys are written down.
const FLUSH: Duration = Duration::from_secs(10);

#[derive(clap::Args, Clone, Debug)]
#[command(after_help = "Examples:
  awan serve --data-dir ./cloud
  awan serve --data-dir /var/lib/awan --config /etc/awan.toml
  awan serve --data-dir ./cloud --port-base 8100 --role api,oss")]
pub struct ServeArgs {
    #[command(flatten)]
    config: config::ConfigArgs,
    /// What this process does [default: everything]
    #[arg(long, value_enum, value_delimiter = ',', value_name = "ROLE")]
    role: Vec<Role>,
    /// Write the log as JSON lines
    #[arg(long)]
    log_json: bool,
}

/// Runs the cloud until it is told to stop.
pub fn run(args: &ServeArgs) -> anyhow::Result<()> {
    start_log(args.log_json);
    if args.role.contains(&Role::DbNode) {
        anyhow::ensure!(args.role.len() == 1, "--role db-node goes with no other role");
        return run_node(&args.config.data_dir);
    }
    let config = Config::load(&args.config)?;
    let dir = open_directory(&args.config.data_dir)?;
    let _lock = lock::take(&dir)?;
    ready::withdraw(&dir);
    let roles = if args.role.is_empty() { Role::ALL_OF_ONE.to_vec() } else { args.role.clone() };
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .context("start the runtime")?;
    let result = runtime.block_on(serve(&config, &dir, &roles));
    ready::withdraw(&dir);
    result
}

/// Runs the database servers of one data centre until it is told to stop.
fn run_node(dir: &Path) -> anyhow::Result<()> {
    let dir = open_directory(dir)?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .context("start the runtime")?;
    runtime.block_on(async {
        let stop = Stop::listen()?;
        let config = rds::node::Config::read(&dir).context("read what this node is")?;
        let (asked, stopped) = watch::channel(false);
        tokio::spawn(async move {
            stop.asked().await;
            asked.send_replace(true);
        });
        let (engines, store) = (config.engines.clone(), config.store.clone());
        let find = Arc::new(move || rds::engines::discover(&engines, &store));
        rds::node::run(&dir, config, find, rds::node::drivers(), stopped)
            .await
            .context("run a node of databases")
    })
}

fn open_directory(dir: &Path) -> anyhow::Result<std::path::PathBuf> {
    let made = fs::DirBuilder::new().recursive(true).mode(0o700).create(dir);
    made.with_context(|| format!("make the data directory {}", dir.display()))?;
    fs::canonicalize(dir).with_context(|| format!("find the data directory {}", dir.display()))
}

fn start_log(json: bool) {
    let filter =
        tracing_subscriber::EnvFilter::try_from_env("AWAN_LOG").unwrap_or_else(|_| "info".into());
    let format = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_target(false);
    if json {
        format.json().init();
    } else {
        format.with_ansi(std::io::stderr().is_terminal()).init();
    }
}

async fn open_storage(config: &Config, joined: &Joined) -> anyhow::Result<oss::Oss> {
    let cloud = Arc::clone(&joined.cloud);
    let pace = oss::Pace {
        day_seconds: config.oss.lifecycle_day_seconds.max(1).into(),
        restore_seconds: config.oss.restore_seconds.into(),
    };
    let options = oss::Options {
        limits: config.storage_limits(),
        pace,
        disks: config.oss.disks.clone(),
        backends: config.backends()?,
    };
    let open = move || oss::Oss::open_with(cloud, options);
    let open = tokio::task::spawn_blocking(open).await?;
    open.context("open the object storage")
}

/// The bound doors and the running roles.
struct Running {
    doors: JoinSet<()>,
    tasks: JoinSet<()>,
    endpoints: BTreeMap<&'static str, String>,
}

async fn serve(config: &Config, dir: &Path, roles: &[Role]) -> anyhow::Result<()> {
    // Before anybody can know that this process is there: a stop asked for while it starts is a drain too.
    let stop = Stop::listen()?;
    let (config_, dir_) = (config.clone(), dir.to_owned());
    let join = tokio::task::spawn_blocking(move || wiring::join(&config_, &dir_));
    let (joined, agreement) = join.await??;
    wiring::declare(&joined, agreement).await?;
    let (stop_doors, doors_stop) = watch::channel(false);
    let (stop_tasks, tasks_stop) = watch::channel(false);
    let hosts = oss_hosts(config);
    let names: Vec<String> = config
        .tls_names
        .iter()
        .chain(&hosts)
        .filter(|name| *name != "localhost")
        .cloned()
        .collect();
    let clock = &joined.cloud.clock;
    let authority = Arc::new(Authority::open(&make_tls_dir(dir)?, Arc::clone(clock))?);
    let tls = Tls::open(Arc::clone(&authority), &names, &hosts, Arc::clone(clock))?;
    let storage =
        if roles.contains(&Role::Oss) { Some(open_storage(config, &joined).await?) } else { None };
    let databases = Databases::open(config, dir, &joined.cloud, &authority, storage.as_ref())?;
    let mut running =
        Running { doors: JoinSet::new(), tasks: JoinSet::new(), endpoints: BTreeMap::new() };
    running.bind(config, roles, &joined, storage.as_ref(), &tls, dir, &doors_stop).await?;
    if roles.contains(&Role::Gateway) {
        let address = databases.serve_gateway(config, &mut running.doors, &doors_stop).await?;
        running.endpoints.insert("postgres", address);
    }
    running.start_tasks(roles, &joined, storage, &databases, &tasks_stop).await?;
    let file = CloudFile {
        region: config.region.clone(),
        zones: config.region().zones(),
        ca_cert: authority.certificate.display().to_string(),
        log_key: joined.log_key.clone(),
        provider_key: joined.provider_key.clone(),
        endpoints: running.endpoints.clone(),
    };
    file.write(dir)?;
    summary(&file, dir)?;
    let broken = tokio::select! {
        () = stop.asked() => None,
        ended = running.tasks.join_next() => Some(ended),
    };
    if let Some(ended) = &broken {
        tracing::error!(?ended, "a background task ended by itself; stopping");
    }
    tracing::info!("draining");
    ready::withdraw(dir);
    // Doors first: what they still accept may need the tasks.
    let _ = stop_doors.send(true);
    while running.doors.join_next().await.is_some() {}
    let _ = stop_tasks.send(true);
    while running.tasks.join_next().await.is_some() {}
    if roles.contains(&Role::Tasks) {
        databases.stop().await;
    }
    if roles.contains(&Role::Tasks) {
        joined
            .sequencer
            .publish_pending(&joined.cloud)
            .await
            .map_err(|error| anyhow::anyhow!("publish the last leaves: {}", error.reason))?;
    }
    anyhow::ensure!(broken.is_none(), "a background task ended by itself; the log says why");
    tracing::info!("stopped");
    Ok(())
}

impl Running {
    #[allow(clippy::too_many_arguments, reason = "everything that a door can need, once")]
    async fn bind(
        &mut self,
        config: &Config,
        roles: &[Role],
        joined: &Joined,
        storage: Option<&oss::Oss>,
        tls: &Tls,
        dir: &Path,
        stop: &watch::Receiver<bool>,
    ) -> anyhow::Result<()> {
        let mut addresses = Endpoints::default();
        if roles.contains(&Role::Api) {
            let control = Control(Arc::clone(&joined.cloud));
            addresses.api = self.open(config, "api", roles::API, Some(tls), control, stop).await?;
        }
        if let Some(storage) = storage {
            let bound = SocketAddr::new(config.listen, config.port_base + roles::OSS);
            let endpoint = config.oss.endpoint.clone().unwrap_or_else(|| format!("http://{bound}"));
            let callback_networks = callback_networks(config)?;
            let hosts = oss_hosts(config);
            let skin = oss::http::Config { hosts, endpoint, callback_networks, name_server: None };
            let skin = oss::http::Storage::new(storage.clone(), skin);
            addresses.oss = self.open(config, "oss", roles::OSS, Some(tls), skin, stop).await?;
        }
        if roles.contains(&Role::Portal) {
            let portal = wiring::portal(joined, dir);
            self.doors.spawn(portal.clone().follow(stop.clone()));
            self.open(config, "console", roles::PORTAL, Some(tls), portal, stop).await?;
        }
        let metrics = doors::Metrics(Arc::clone(&joined.cloud));
        self.open(config, "metrics", roles::METRICS, None, metrics, stop).await?;
        let _ = joined.cloud.endpoints.set(addresses);
        Ok(())
    }

    /// Binds one door and serves it; returns its `host:port`.
    async fn open<H: Handler>(
        &mut self,
        config: &Config,
        name: &'static str,
        offset: u16,
        tls: Option<&Tls>,
        handler: H,
        stop: &watch::Receiver<bool>,
    ) -> anyhow::Result<String> {
        let address = SocketAddr::new(config.listen, config.port_base + offset);
        let idle = Duration::from_secs(config.limits.idle_seconds);
        let limits = Limits {
            connections_max: config.limits.connections_max,
            header_timeout: idle,
            idle,
            drain: Duration::from_secs(config.limits.drain_seconds),
            ..Limits::default()
        };
        let door = Door::bind(address, tls.map(|tls| tls.acceptor.clone()), limits).await.with_context(|| {
            format!("listen on {address} ({name}); is another cloud running? --port-base chooses other ports")
        })?;
        let address = door.address()?.to_string();
        self.endpoints.insert(name, format!("http://{address}"));
        self.doors.spawn(door.serve(Arc::new(handler), stop.clone()));
        Ok(address)
    }

    async fn start_tasks(
        &mut self,
        roles: &[Role],
        joined: &Joined,
        storage: Option<oss::Oss>,
        databases: &Databases,
        stop: &watch::Receiver<bool>,
    ) -> anyhow::Result<()> {
        let mut runner = Runner::new(Arc::clone(&joined.cloud));
        if roles.contains(&Role::Tasks) {
            runner = runner
                .with_one(Housekeeping, &())
                .await?
                .with_one(Arc::clone(&joined.sequencer), &())
                .await?
                .with_one(billing::Rating::default(), &())
                .await?;
            runner = databases.start(runner, &mut self.tasks, stop).await?;
        }
        self.tasks.spawn(runner.run(stop.clone()));
        if let Some(storage) = storage {
            let mut stopped = stop.clone();
            self.tasks.spawn(async move {
                let until = async move { drop(stopped.wait_for(|stop| *stop).await) };
                storage.run(until).await;
            });
        }
        self.tasks.spawn(flush_last_used(
            Arc::clone(&joined.ram),
            Arc::clone(&joined.cloud),
            stop.clone(),
        ));
        Ok(())
    }
}

/// Writes down now and then when keys were last used; what a crash loses of it, the next use mends.
async fn flush_last_used(
    ram: Arc<ram::Ram>,
    cloud: Arc<engine::Cloud>,
    mut stop: watch::Receiver<bool>,
) {
    loop {
        let stopping = tokio::select! {
            () = tokio::time::sleep(FLUSH) => false,
            _ = stop.changed() => true,
        };
        if let Err(error) = ram.flush_last_used(&cloud.db).await {
            tracing::error!(?error, "write down the last uses of keys");
        }
        if stopping {
            return;
        }
    }
}

fn make_tls_dir(dir: &Path) -> anyhow::Result<std::path::PathBuf> {
    let tls = dir.join("tls");
    fs::create_dir_all(&tls).context("make the directory for certificates")?;
    Ok(tls)
}

/// The names below which a bucket is a label.
fn oss_hosts(config: &Config) -> Vec<String> {
    let standing = [
        format!("oss-{}.localhost", config.region),
        "oss.localhost".to_owned(),
        "s3.localhost".to_owned(),
        "localhost".to_owned(),
    ];
    config.oss.hosts.iter().cloned().chain(standing).collect()
}

/// What callbacks may reach besides public addresses.
fn callback_networks(config: &Config) -> anyhow::Result<Vec<oss::Network>> {
    let read = |text: &String| text.parse().map_err(anyhow::Error::msg);
    let networks: anyhow::Result<_> = config.oss.callback_networks.iter().map(read).collect();
    networks.context("read oss.callback_networks")
}

/// The signals that ask for an orderly stop.
struct Stop {
    terminate: Signal,
    interrupt: Signal,
}

impl Stop {
    /// From here on the signals no longer end the process by themselves.
    fn listen() -> anyhow::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
        })
    }

    async fn asked(mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}

fn summary(file: &CloudFile, dir: &Path) -> anyhow::Result<()> {
    let mut out = std::io::stdout().lock();
    writeln!(
        out,
        "Awan {} is ready: region {}, zones {}.",
        env!("CARGO_PKG_VERSION"),
        file.region,
        file.zones.join(", ")
    )?;
    for (name, address) in &file.endpoints {
        writeln!(out, "  {name:<10} {address}")?;
    }
    writeln!(out, "  root key   {}", dir.join("root-key.json").display())?;
    writeln!(out, "  CA         {}", file.ca_cert)?;
    writeln!(out, "Try: awan status --data-dir {}", dir.display())?;
    out.flush()?;
    Ok(())
}
