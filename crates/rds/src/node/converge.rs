//! The task of one instance: takes it from what it is to what the newest spec says, restarts its server when that
//! ends by itself, and fences it when its lease ends. It alone owns the server.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::watch;

use super::api::{Phase, Role, Seed, Spec, Upstream};
use super::confinement::Confinement;
use super::driver::{Change, Driver, Seat, Stop};
use super::error::{Error, Result};
use super::home;
use super::keeper::{Shared, State, Status, Wish, in_databases, store};
use super::pool::{free_port, is_free};
use super::process::{Server, kill_tree};

/// How long a server may take to end when it was asked to; then it is asked more firmly.
const STOP_FAST: Duration = Duration::from_secs(60);
const STOP_IMMEDIATE: Duration = Duration::from_secs(10);
/// A server that ended after less than this has not really run: the next start waits.
const LIVED: Duration = Duration::from_secs(60);
/// The longest wait between two tries.
const BACKOFF_MAX: Duration = Duration::from_secs(30);
/// How often a standby is asked whether it still follows, and a fenced primary looks for a lease.
const STANDBY_LOOK: Duration = Duration::from_secs(10);
const LEASE_LOOK: Duration = Duration::from_millis(200);
/// How often a starting server is asked whether it is ready, at first and at last.
const READY_LOOK: Duration = Duration::from_millis(5);
const READY_LOOK_MAX: Duration = Duration::from_millis(200);

/// How far a pass came.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Done {
    /// Everything is as wanted.
    Settled,
    /// It waits for somebody else: a seed, a lease.
    Waits,
}

/// See the module.
pub(super) struct Worker {
    shared: Arc<Shared>,
    wish: watch::Receiver<Wish>,
    state: State,
    server: Option<Server>,
    started: Option<Instant>,
    seat: Option<(Arc<dyn Driver>, Seat)>,
    confinement: Option<Confinement>,
    /// What was last applied to the databases.
    applied: Option<Arc<Spec>>,
    /// The standby can never catch up.
    lost: bool,
    /// Why the server runs without the settings that are wanted; empty where it has them.
    refused: String,
    /// Failures in a row.
    failures: u32,
    /// The last pass waits for somebody.
    waits: bool,
    /// The beginning of what is being made, and of its present part.
    clock: Option<Instant>,
}

impl Worker {
    pub(super) fn new(shared: Arc<Shared>) -> Self {
        let state = shared.status.borrow().state.clone();
        Self {
            wish: shared.wish.subscribe(),
            shared,
            state,
            server: None,
            started: None,
            seat: None,
            confinement: None,
            applied: None,
            lost: false,
            refused: String::new(),
            failures: 0,
            waits: false,
            clock: None,
        }
    }

    /// Until the instance is gone.
    pub(super) async fn run(mut self) {
        loop {
            let wish = self.wish.borrow_and_update().clone();
            if wish.gone {
                match self.remove().await {
                    Ok(()) => return self.set(|status| status.gone = true),
                    Err(error) => self.fail(&error),
                }
            } else if let Some(spec) = &wish.spec {
                let mut newer = self.wish.clone();
                let pass = tokio::select! {
                    pass = self.converge(spec) => pass,
                    () = overtaken(&mut newer, spec) => continue,
                };
                match pass {
                    Ok(done) => {
                        self.failures = 0;
                        self.waits = done == Done::Waits;
                        self.set(|status| status.trouble.clone_from(&self.refused));
                    }
                    Err(error) => self.fail(&error),
                }
                self.settle(spec);
            }
            self.rest().await;
        }
    }

    fn fail(&mut self, error: &Error) {
        self.failures += 1;
        tracing::warn!(instance = %self.shared.id, %error, failures = self.failures, "an instance does not go on");
        self.set(|status| status.trouble = error.to_string());
    }

    fn set(&self, change: impl FnOnce(&mut Status)) {
        self.shared.status.send_modify(change);
    }

    fn phase(&self, phase: Phase) {
        self.set(|status| status.phase = phase);
    }

    /// Says that the wish was worked on, unless there is another by now.
    fn settle(&self, spec: &Arc<Spec>) {
        self.shared.wish.send_if_modified(|wish| {
            if wish.spec.as_ref().is_some_and(|now| Arc::ptr_eq(now, spec)) {
                self.set(|status| status.settled = true);
            }
            false
        });
    }

    fn save(&mut self) -> Result<()> {
        store(&self.shared.dir, "state.json", &self.state)?;
        let state = self.state.clone();
        self.set(|status| status.state = state);
        Ok(())
    }

    /// Waits for something to do.
    async fn rest(&mut self) {
        let backoff = Duration::from_millis(250 << self.failures.min(8)).min(BACKOFF_MAX);
        let pause = match (self.failures, self.waits, &self.state.following) {
            (1.., ..) => backoff,
            (_, true, _) => LEASE_LOOK,
            (_, _, Some(_)) if self.server.is_some() => STANDBY_LOOK,
            _ => Duration::from_secs(3600),
        };
        let lease = self.shared.leases.changed(&self.shared.id);
        let ended = async {
            match &mut self.server {
                Some(server) => server.wait().await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            _ = self.wish.changed() => {}
            status = ended => self.ended(status),
            () = lease.notified() => {}
            () = self.shared.nudge.notified() => {}
            () = tokio::time::sleep(pause) => self.look().await,
        }
    }

    /// The server has ended by itself, or was killed because its lease ended.
    fn ended(&mut self, status: Result<std::process::ExitStatus>) {
        self.shared.leases.unwatch(&self.shared.id);
        self.server = None;
        let lived = self.started.is_some_and(|started| started.elapsed() >= LIVED);
        // The first restart comes at once, and later ones too where it ran for a while.
        self.failures = if lived { 0 } else { self.failures };
        let status = status.map_or_else(|error| error.to_string(), |status| status.to_string());
        tracing::warn!(instance = %self.shared.id, %status, "a server ended");
        self.set(|to| {
            to.pid = 0;
            to.phase = Phase::Working;
        });
    }

    /// Looks whether a standby still follows.
    async fn look(&mut self) {
        if let (Some((driver, seat)), Some(_), Some(_)) =
            (&self.seat, &self.server, &self.state.following)
            && driver.lost(seat).await.unwrap_or(false)
        {
            tracing::warn!(instance = %self.shared.id, "the standby cannot catch up: it is copied anew");
            self.lost = true;
        }
    }

    /// One pass.
    async fn converge(&mut self, spec: &Arc<Spec>) -> Result<Done> {
        if !spec.running {
            self.stop(Stop::Fast).await?;
            self.state.generation = spec.generation;
            self.save()?;
            if self.shared.dir.data().exists() {
                let end = self.end(spec).await;
                self.set(|status| (status.phase, status.end) = (Phase::Stopped, end));
            } else {
                self.phase(Phase::Absent);
            }
            return Ok(Done::Settled);
        }
        let (driver, seat) = self.take_seat(spec)?;
        if self.server.is_none() {
            self.phase(Phase::Working);
        }
        if !self.ensure_data(&*driver, &seat, spec).await? {
            self.phase(Phase::Seeding);
            return Ok(Done::Waits);
        }
        if let Role::Standby { upstream, .. } = &spec.role {
            self.ensure_follows(&*driver, &seat, spec, upstream).await?;
        } else if spec.leased && !self.shared.leases.holds(&spec.id, spec.term) {
            self.fence().await?;
            return Ok(Done::Waits);
        }
        self.ensure_server(&driver, &seat, spec).await?;
        if spec.role == Role::Primary && self.state.following.is_some() {
            driver.promote(&seat, spec).await?;
            self.state.following = None;
            self.save()?;
            self.applied = None;
        }
        if self.applied.as_deref() != Some(&**spec) {
            driver.apply(&seat, spec).await?;
            self.extend(&*driver, &seat, spec).await?;
            self.applied = Some(Arc::clone(spec));
            self.mark("roles");
        }
        self.clock = None;
        self.state.generation = spec.generation;
        self.save()?;
        self.phase(Phase::Serving);
        Ok(Done::Settled)
    }

    /// What is wished of extensions; and says which there are, of all databases where nobody looked yet.
    async fn extend(&self, driver: &dyn Driver, seat: &Seat, spec: &Spec) -> Result<()> {
        let refused = match spec.role {
            Role::Primary => driver.extend(seat, spec).await?,
            Role::Standby { .. } => Vec::new(),
        };
        let first = self.applied.is_none();
        let touched = |name: &str| first || spec.extensions.iter().any(|it| it.database == name);
        let found = in_databases(driver, seat, spec, touched).await;
        self.set(|status| {
            status.refused = refused;
            let kept =
                |name: &String| spec.databases.iter().any(|it| it.wanted && it.name == *name);
            status.extensions.retain(|name, _| kept(name) && !touched(name));
            status.extensions.extend(found);
        });
        Ok(())
    }

    /// The end of what a stopped server wrote, for whoever has to have all of it; 0 where nobody can tell.
    async fn end(&mut self, spec: &Spec) -> u64 {
        let end = match self.take_seat(spec) {
            Ok((driver, seat)) => driver.end(&seat, spec).await,
            Err(error) => Err(error),
        };
        end.unwrap_or_else(|error| {
            tracing::warn!(instance = %self.shared.id, %error, "how a server ended");
            None
        })
        .unwrap_or_default()
    }

    /// Notes how long a part of making took.
    fn mark(&mut self, part: &str) {
        if let Some(clock) = &mut self.clock {
            let took = u64::try_from(clock.elapsed().as_micros()).unwrap_or(u64::MAX);
            self.state.made.push((part.to_owned(), took));
            *clock = Instant::now();
        }
    }

    /// Where it is and who knows how; kept while its server runs, which may be of an older build.
    fn take_seat(&mut self, spec: &Spec) -> Result<(Arc<dyn Driver>, Seat)> {
        if let Some((driver, seat)) = &self.seat
            && self.server.is_some()
            && seat.build.major == spec.major
        {
            if let Some(confinement) = &self.confinement {
                confinement.limit(spec.limits);
            }
            return Ok((Arc::clone(driver), seat.clone()));
        }
        let pool = &self.shared.pool;
        let driver = pool.driver(spec.engine)?;
        let user = pool.user(&spec.id, self.state.uid)?;
        self.state.uid = user.map_or(0, |user| user.uid);
        let listen = pool.network.listen(spec);
        // While it did not run, another process may have taken its port.
        if self.state.port == 0 || !is_free(&listen, self.state.port) {
            self.state.port = free_port(listen.first())?;
        }
        self.shared.dir.make(user)?;
        let seat = Seat {
            dir: self.shared.dir.clone(),
            build: pool.build(spec.engine, &spec.major)?,
            templates: pool.home.templates(),
            programs: pool.programs.clone(),
            user,
            listen,
            port: self.state.port,
            authority: Arc::clone(&pool.network.authority),
        };
        self.seat = Some((Arc::clone(&driver), seat.clone()));
        let known = self.seat.clone();
        self.set(|status| status.seat = known);
        self.save()?;
        Ok((driver, seat))
    }

    /// The name of its control groups: nodes of several data centres may share a machine.
    fn group(&self) -> String {
        format!("awan-db-{}", self.shared.dir.key())
    }

    /// Data of the right version. False: it waits for a seed.
    async fn ensure_data(&mut self, driver: &dyn Driver, seat: &Seat, spec: &Spec) -> Result<bool> {
        match driver.major(seat)? {
            Some(major) if major == spec.major => return Ok(true),
            Some(_) if spec.role != Role::Primary => {
                // A copy of the upgraded primary is an upgrade too, and the only one that follows it.
                self.stop(Stop::Fast).await?;
            }
            Some(major) => {
                self.stop(Stop::Fast).await?;
                let from = self.shared.pool.build(spec.engine, &major)?;
                driver.upgrade(seat, &from, spec).await?;
                return Ok(true);
            }
            None => {}
        }
        self.clock = Some(Instant::now());
        self.state.made.clear();
        self.state.following = None;
        match (&spec.role, &spec.seed) {
            (Role::Standby { upstream, .. }, _) => {
                driver.copy(seat, spec, upstream).await?;
                self.state.following = Some(upstream.clone());
            }
            (Role::Primary, _) if self.state.seeded => {
                return Err(Error::Failed("the instance's data is gone".to_owned()));
            }
            (Role::Primary, Seed::Copy) => {
                return Err(Error::Failed(
                    "its data is not here, and a primary is copied from nobody".to_owned(),
                ));
            }
            (Role::Primary, Seed::Template) => {
                let pool = Arc::clone(&self.shared.pool);
                {
                    let _one = pool.warming.lock().await;
                    driver.warm(&seat.build, &seat.templates, &seat.programs, None).await?;
                }
                self.mark("template");
                driver.make(seat, spec).await?;
            }
            (Role::Primary, Seed::Sent { complete: false, .. }) => return Ok(false),
            (Role::Primary, Seed::Sent { until, .. }) => driver.recover(seat, spec, *until).await?,
        }
        self.mark("data");
        self.state.seeded = true;
        self.save()?;
        Ok(true)
    }

    /// A directory that follows that upstream at the next start.
    async fn ensure_follows(
        &mut self,
        driver: &dyn Driver,
        seat: &Seat,
        spec: &Spec,
        upstream: &Upstream,
    ) -> Result<()> {
        let lost = std::mem::take(&mut self.lost);
        let follows = self.state.following.as_ref().is_some_and(|it| it.is_server_of(upstream));
        if follows && !lost {
            return Ok(());
        }
        self.stop(Stop::Fast).await?;
        self.phase(Phase::Working);
        if lost || !driver.follow(seat, spec, upstream).await? {
            driver.copy(seat, spec, upstream).await?;
        }
        self.state.following = Some(upstream.clone());
        self.save()
    }

    /// A running server with the newest configuration, restarted as often as was asked.
    async fn ensure_server(
        &mut self,
        driver: &Arc<dyn Driver>,
        seat: &Seat,
        spec: &Spec,
    ) -> Result<()> {
        let change = driver.configure(seat, spec).await?;
        if self.server.is_some() && self.state.restarts < spec.restarts {
            self.stop(Stop::Fast).await?;
            self.phase(Phase::Working);
        }
        if self.server.is_none() {
            self.start(driver, seat, spec).await?;
        } else {
            self.watch_lease(spec)?;
            if change != Change::None {
                driver.reload(seat).await?;
            }
        }
        if self.state.restarts < spec.restarts {
            self.state.restarts = spec.restarts;
            self.save()?;
        }
        Ok(())
    }

    /// Starts the server: with the settings that are wanted, else with those that it started with last, else with
    /// none of the tenant's. A setting that the server does not start with costs a tenant that setting, and never
    /// the instance. What is wanted stays written: what of it needs no restart is in force all the same, the rest
    /// waits, and the next start tries it again.
    async fn start(&mut self, driver: &Arc<dyn Driver>, seat: &Seat, spec: &Spec) -> Result<()> {
        self.refused.clear();
        let Some(reason) = self.launch(driver, seat, spec).await? else {
            self.state.proven.clone_from(&spec.parameters);
            return self.save();
        };
        let mut tried = vec![spec.parameters.clone()];
        for parameters in [self.state.proven.clone(), BTreeMap::new()] {
            if tried.contains(&parameters) {
                continue;
            }
            let modest = Spec { parameters: parameters.clone(), ..spec.clone() };
            driver.configure(seat, &modest).await?;
            if self.launch(driver, seat, &modest).await?.is_none() {
                let shown = if parameters.is_empty() { "no settings" } else { "earlier settings" };
                let refused =
                    format!("runs with {shown}, does not start with those wanted: {reason}");
                tracing::warn!(instance = %self.shared.id, refused, "a server refuses its settings");
                self.refused = refused;
                self.state.proven = parameters;
                self.save()?;
                driver.configure(seat, spec).await?;
                if let Err(error) = driver.reload(seat).await {
                    tracing::warn!(instance = %self.shared.id, %error, "wanted settings are not in force");
                }
                return Ok(());
            }
            tried.push(parameters);
        }
        // It is not for its settings.
        driver.configure(seat, spec).await?;
        Err(Error::Failed(reason))
    }

    /// Starts the server as it is configured. `None` once it is ready; its last words where it ended before.
    async fn launch(
        &mut self,
        driver: &Arc<dyn Driver>,
        seat: &Seat,
        spec: &Spec,
    ) -> Result<Option<String>> {
        let server = seat.programs.server(&driver.server(seat, spec), &seat.dir.log()).await?;
        let pid = server.pid();
        let confinement = Confinement::make(&self.group(), spec.limits);
        confinement.admit(pid);
        self.confinement = Some(confinement.clone());
        self.server = Some(server);
        self.started = Some(Instant::now());
        self.set(|status| {
            status.pid = pid.as_raw_nonzero().get().cast_unsigned();
            status.confinement = Some(confinement);
        });
        self.watch_lease(spec)?;
        let mut pause = READY_LOOK;
        while !driver.ready(seat).await.unwrap_or(false) {
            if let Some(status) = self.server.as_mut().and_then(Server::ended) {
                self.ended(Ok(status));
                return Ok(Some(format!("the server ended: {status}: {}", last_words(seat))));
            }
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(READY_LOOK_MAX);
        }
        self.mark("start");
        Ok(None)
    }

    /// A primary that serves under a lease dies with it.
    fn watch_lease(&mut self, spec: &Spec) -> Result<()> {
        let Some(server) = &self.server else { return Ok(()) };
        if !spec.leased || spec.role != Role::Primary {
            self.shared.leases.unwatch(&spec.id);
            return Ok(());
        }
        if self.shared.leases.watch(&spec.id, spec.term, server.pid()) {
            return Ok(());
        }
        kill_tree(server.pid());
        Err(Error::Later("the lease has ended".to_owned()))
    }

    /// Serves no more, at once, until there is a lease.
    async fn fence(&mut self) -> Result<()> {
        if let Some(server) = &self.server {
            kill_tree(server.pid());
            self.stop(Stop::Immediate).await?;
        }
        self.phase(Phase::Fenced);
        Ok(())
    }

    /// Ends the server, more and more firmly.
    async fn stop(&mut self, how: Stop) -> Result<()> {
        let Some(server) = &mut self.server else { return Ok(()) };
        let driver = self.seat.as_ref().map(|(driver, _)| Arc::clone(driver));
        let signal = |how| driver.as_ref().map(|driver| driver.signal(how));
        let steps = [(how, STOP_FAST), (Stop::Immediate, STOP_IMMEDIATE)];
        let mut stopped = false;
        for (how, limit) in steps {
            if let Some(signal) = signal(how) {
                server.signal(signal);
            }
            if tokio::time::timeout(limit, server.wait()).await.is_ok() {
                stopped = true;
                break;
            }
        }
        if !stopped {
            kill_tree(server.pid());
            server.wait().await?;
        }
        self.server = None;
        self.shared.leases.unwatch(&self.shared.id);
        let confinement = self.confinement.take();
        self.set(|status| (status.pid, status.confinement) = (0, None));
        // A node that ends leaves none behind: what is in the kernel's tree is of servers that run.
        let removed =
            tokio::task::spawn_blocking(move || confinement.map_or(Ok(()), |it| it.remove()));
        removed.await.map_err(|error| Error::Failed(error.to_string()))?
    }

    /// Leaves nothing of the instance.
    async fn remove(&mut self) -> Result<()> {
        // What it holds is not wanted any more, so nothing has to be written before.
        self.stop(Stop::Immediate).await?;
        let (dir, uid, group) = (self.shared.dir.clone(), self.state.uid, self.group());
        let removed = tokio::task::spawn_blocking(move || {
            // Of a server that another node process had started.
            Confinement::leftover(&group).remove()?;
            remove_shared_memory(uid);
            // Work that was interrupted may still be making files: it ends by finding no directory.
            let mut tries = (0..20).map(|_| {
                let removed = dir.remove();
                if removed.is_err() {
                    std::thread::sleep(Duration::from_millis(50));
                }
                removed
            });
            let first = tries.next().unwrap_or(Ok(()));
            if first.is_ok() { first } else { tries.find(Result::is_ok).unwrap_or(first) }
        });
        removed.await.map_err(|error| Error::Failed(error.to_string()))??;
        self.shared.pool.release(&self.shared.id);
        self.shared.leases.forget(&self.shared.id);
        Ok(())
    }
}

/// A killed server leaves its shared memory behind; where the user is the instance's own, it is all of that user's. A
/// process that this user still has is another cloud's on this machine, which counts its users from the same number.
fn remove_shared_memory(uid: u32) {
    use std::os::unix::fs::MetadataExt;
    let mut processes = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    if processes.any(|entry| entry.metadata().is_ok_and(|found| found.uid() == uid)) {
        return;
    }
    let entries = std::fs::read_dir("/dev/shm").into_iter().flatten().flatten();
    for entry in entries.filter(|_| uid != 0) {
        if entry.metadata().is_ok_and(|found| found.uid() == uid) {
            let _ = home::remove_file(&entry.path());
        }
    }
}

/// Waits for a wish that makes going on with that spec pointless.
async fn overtaken(wish: &mut watch::Receiver<Wish>, spec: &Spec) {
    let differs = |wish: &Wish| {
        wish.gone
            || wish.spec.as_ref().is_some_and(|now| {
                now.term != spec.term
                    || now.role != spec.role
                    || now.seed != spec.seed
                    || now.running != spec.running
            })
    };
    if wish.wait_for(differs).await.is_err() {
        std::future::pending::<()>().await;
    }
}

/// As much of it as has its last lines.
const LAST_WORDS_BYTES: u64 = 64 << 10;

/// The end of what a server wrote before it ended.
fn last_words(seat: &Seat) -> String {
    let text = home::read_end(&seat.dir.log(), LAST_WORDS_BYTES).unwrap_or_default();
    let lines: Vec<&str> = text.lines().rev().take(3).collect();
    lines.into_iter().rev().collect::<Vec<_>>().join("; ")
}
