//! One instance: the newest spec, stored before anything is done for it, and the task that makes it true.
//!
//! The task is in [`super::converge`]; here is what others may ask of an instance at any time.

use std::collections::BTreeMap;
use std::fs;
use std::io::ErrorKind;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};
use tokio::sync::{Notify, watch};

use super::api::{
    Figures, InstalledExtension, Observed, Phase, Promote, RefusedExtension, Role, Spec, Upstream,
};
use super::confinement::Confinement;
use super::converge::Worker;
use super::driver::{Driver, Seat, Stream};
use super::error::{Doing, Error, Result};
use super::home::{self, InstanceDir};
use super::lease::Leases;
use super::pool::Pool;

/// How long a server may take to say how it is.
const ANSWER: Duration = Duration::from_secs(5);
/// How long where the answer renews a lease: less than those who grant them wait.
const PULSE: Duration = Duration::from_millis(700);
/// For how long the size of a directory is not counted anew.
const SIZE_AGE: Duration = Duration::from_secs(15);

/// What is wanted.
#[derive(Clone, Default)]
pub(super) struct Wish {
    /// What it is to be; `None` until the first word of it.
    pub spec: Option<Arc<Spec>>,
    /// It is to go.
    pub gone: bool,
}

/// What outlives the process, besides the spec.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct State {
    /// Its port: kept as long as nobody else has it when it starts; 0 until it is chosen.
    pub port: u16,
    /// The user that it runs as; 0 for whoever we are.
    pub uid: u32,
    /// Restarts that were done.
    pub restarts: i64,
    /// Up to which generation everything was done.
    pub generation: i64,
    /// It had data once: should that be missing, nothing new takes its place.
    pub seeded: bool,
    /// Whom its directory was made ready to follow; `None` for a primary.
    pub following: Option<Upstream>,
    /// See [`Observed::made`].
    pub made: Vec<(String, u64)>,
    /// The tenant's settings that the server started with last.
    pub proven: BTreeMap<String, String>,
}

/// What the task says of itself.
#[derive(Clone, Default)]
pub(super) struct Status {
    pub state: State,
    pub phase: Phase,
    pub trouble: String,
    pub pid: u32,
    /// Of a server that ended in order: see [`Observed::lsn`].
    pub end: u64,
    /// The generation (and the wish as a whole) that was last worked on to its end, well or not.
    pub settled: bool,
    /// It is gone.
    pub gone: bool,
    /// How to reach its server; `None` until it has a seat.
    pub seat: Option<(Arc<dyn Driver>, Seat)>,
    pub confinement: Option<Confinement>,
    /// See [`Observed::extensions`].
    pub extensions: BTreeMap<String, Vec<InstalledExtension>>,
    /// See [`Observed::refused`].
    pub refused: Vec<RefusedExtension>,
}

/// What a keeper shares with its task.
pub(super) struct Shared {
    pub id: String,
    pub dir: InstanceDir,
    pub pool: Arc<Pool>,
    pub leases: Leases,
    pub wish: watch::Sender<Wish>,
    pub status: watch::Sender<Status>,
    /// A seed has come, or something else that the wish does not say.
    pub nudge: Notify,
    size: Arc<Measured>,
}

/// The size of a directory, which takes long to count: one count at a time, and nobody waits for it.
#[derive(Default)]
struct Measured {
    last: Mutex<Size>,
}

#[derive(Default)]
struct Size {
    bytes: u64,
    at: Option<Instant>,
    /// It is being counted.
    counting: bool,
}

impl Measured {
    /// The size that is known. Where it is older than [`SIZE_AGE`], `count` begins to find out the present one.
    fn bytes(self: &Arc<Self>, count: impl FnOnce() -> u64 + Send + 'static) -> u64 {
        let mut last = lock(&self.last);
        let fresh = last.at.is_some_and(|at| at.elapsed() < SIZE_AGE);
        if !fresh && !std::mem::replace(&mut last.counting, true) {
            let measured = Arc::clone(self);
            tokio::task::spawn_blocking(move || {
                let bytes = count();
                *lock(&measured.last) = Size { bytes, at: Some(Instant::now()), counting: false };
            });
        }
        last.bytes
    }
}

/// An instance.
#[derive(Clone)]
pub struct Keeper {
    shared: Arc<Shared>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Keeper {
    /// Takes an instance up, with what is stored of it, and starts its task.
    pub(super) fn start(
        id: &str,
        dir: InstanceDir,
        pool: &Arc<Pool>,
        leases: &Leases,
    ) -> Result<Self> {
        let spec: Option<Spec> = stored(&dir, "spec.json")?;
        let state: State = stored(&dir, "state.json")?.unwrap_or_default();
        if state.uid != 0 {
            pool.user(id, state.uid)?;
        }
        let phase = if spec.is_some() { Phase::Working } else { Phase::Absent };
        let shared = Arc::new(Shared {
            id: id.to_owned(),
            dir,
            pool: Arc::clone(pool),
            leases: leases.clone(),
            wish: watch::Sender::new(Wish { spec: spec.map(Arc::new), gone: false }),
            status: watch::Sender::new(Status { state, phase, ..Status::default() }),
            nudge: Notify::new(),
            size: Arc::default(),
        });
        tokio::spawn(Worker::new(Arc::clone(&shared)).run());
        Ok(Self { shared })
    }

    /// The newest spec.
    pub fn spec(&self) -> Option<Arc<Spec>> {
        self.shared.wish.borrow().spec.clone()
    }

    /// Takes over a newer spec: durably, before anything is done for it.
    ///
    /// # Errors
    /// [`Error::Conflict`] where a newer one is known, or the instance is going.
    pub fn put(&self, spec: Spec) -> Result<()> {
        self.change(|now| {
            if let Some(now) = now {
                let (older, newer) = ((spec.term, spec.generation), (now.term, now.generation));
                if older < newer || spec.term < now.term {
                    return Err(Error::Conflict(format!(
                        "term {} generation {} is older than term {} generation {}",
                        older.0, older.1, newer.0, newer.1
                    )));
                }
                if spec.engine != now.engine {
                    return Err(Error::Conflict("an instance keeps its engine".to_owned()));
                }
            }
            Ok(spec)
        })
    }

    /// Makes it the primary of a new term, under its first lease.
    ///
    /// # Errors
    /// [`Error::Conflict`] where that term is not new; [`Error::Unknown`] where nothing is known of the instance;
    /// [`Error::Later`] where the lease is over: who asked may have appointed somebody else since.
    pub fn promote(&self, promote: &Promote) -> Result<()> {
        let ttl = Duration::from_millis(promote.ttl_ms);
        let from = self.shared.leases.moment(promote.from).filter(|from| from.elapsed() < ttl);
        let from = from.ok_or_else(|| Error::Later("that lease is over".to_owned()))?;
        self.change(|now| {
            let mut spec =
                now.ok_or_else(|| Error::Unknown("nothing to promote".to_owned()))?.clone();
            let again = promote.term == spec.term && spec.role == Role::Primary;
            if promote.term <= spec.term && !again {
                return Err(Error::Conflict(format!("term {} is not new", promote.term)));
            }
            spec.term = promote.term;
            spec.role = Role::Primary;
            spec.synchronous.clone_from(&promote.synchronous);
            Ok(spec)
        })?;
        self.shared.leases.grant(&self.shared.id, promote.term, from, ttl);
        self.shared.nudge.notify_one();
        Ok(())
    }

    fn change(&self, new: impl FnOnce(Option<&Spec>) -> Result<Spec>) -> Result<()> {
        let mut answer = Ok(());
        self.shared.wish.send_if_modified(|wish| {
            let changed = (|| {
                if wish.gone {
                    return Err(Error::Conflict("the instance is going".to_owned()));
                }
                let spec = new(wish.spec.as_deref())?;
                if wish.spec.as_deref() == Some(&spec) {
                    return Ok(false);
                }
                store(&self.shared.dir, "spec.json", &spec)?;
                if spec.leased {
                    self.shared.leases.supersede(&self.shared.id, spec.term);
                }
                wish.spec = Some(Arc::new(spec));
                Ok(true)
            })();
            // Under the watch's own lock: nobody is told of a wish before it says that it is unsettled.
            if changed.as_ref().is_ok_and(|changed| *changed) {
                self.shared.status.send_modify(|status| status.settled = false);
            }
            let told = changed.as_ref().is_ok_and(|changed| *changed);
            answer = changed.map(|_| ());
            told
        });
        answer
    }

    /// Waits until the newest wish was worked on to its end, well or not, or the time is over.
    pub async fn settled(&self, limit: Duration) {
        let mut status = self.shared.status.subscribe();
        let _ = tokio::time::timeout(limit, status.wait_for(|status| status.settled)).await;
    }

    /// Stops the server and removes everything.
    ///
    /// # Errors
    /// [`Error::Conflict`] where a newer term is known; otherwise where something stays.
    pub async fn delete(&self, term: i64, limit: Duration) -> Result<()> {
        if self.spec().is_some_and(|spec| term < spec.term) {
            return Err(Error::Conflict(format!("term {term} is not the newest")));
        }
        self.shared.wish.send_modify(|wish| wish.gone = true);
        let mut status = self.shared.status.subscribe();
        match tokio::time::timeout(limit, status.wait_for(|status| status.gone)).await {
            Ok(Ok(_)) => Ok(()),
            _ => {
                Err(Error::Later(format!("not gone yet: {}", self.shared.status.borrow().trouble)))
            }
        }
    }

    /// Stops the server because the node ends; the instance stays what it is.
    pub async fn close(&self) {
        self.shared.wish.send_modify(|wish| {
            if let Some(spec) = &wish.spec {
                wish.spec = Some(Arc::new(Spec { running: false, ..Spec::clone(spec) }));
            }
        });
        self.shared.status.send_modify(|status| status.settled = false);
        self.settled(Duration::from_secs(60)).await;
    }

    /// What is known of it, asking its server.
    pub async fn observed(&self) -> Observed {
        let (mut observed, _) = self.asked(ANSWER).await;
        let path = self.shared.dir.path().to_owned();
        observed.storage_bytes = self.shared.size.bytes(move || home::size(&path));
        observed.tick = self.shared.leases.tick();
        observed
    }

    /// The same within a moment, for whoever grants leases: without its size, and with a server that does not answer in
    /// that time counted as one that does not serve.
    pub async fn pulse(&self) -> Observed {
        let (mut observed, answered) = self.asked(PULSE).await;
        if observed.phase == Phase::Serving && !answered {
            observed.phase = Phase::Working;
        }
        // Last: a lease that is granted for this answer is the longer.
        observed.tick = self.shared.leases.tick();
        observed
    }

    /// What is known of it, and whether its server answered.
    async fn asked(&self, limit: Duration) -> (Observed, bool) {
        let status = self.shared.status.borrow().clone();
        let spec = self.spec();
        let mut observed = Observed {
            id: self.shared.id.clone(),
            generation: status.state.generation,
            term: spec.as_ref().map_or(0, |spec| spec.term),
            phase: status.phase,
            trouble: status.trouble,
            host: spec
                .and_then(|spec| {
                    self.shared.pool.network.listen(&spec).first().map(ToString::to_string)
                })
                .unwrap_or_default(),
            port: status.state.port,
            pid: status.pid,
            lsn: if status.phase == Phase::Stopped { status.end } else { 0 },
            confinement: status.confinement.map(|it| it.word().to_owned()).unwrap_or_default(),
            made: status.state.made,
            extensions: status.extensions,
            refused: status.refused,
            ..Observed::default()
        };
        let mut answered = false;
        if let Some((driver, seat)) = status.seat {
            observed.build.clone_from(&seat.build.version);
            if status.pid != 0 {
                let asked = tokio::time::timeout(limit, driver.observe(&seat, &mut observed)).await;
                let failed = match asked {
                    Ok(answer) => answer.err().map(|error| error.to_string()),
                    Err(_) => Some("the server does not answer".to_owned()),
                };
                answered = failed.is_none();
                if let Some(error) = failed
                    && observed.phase == Phase::Serving
                    && observed.trouble.is_empty()
                {
                    observed.trouble = error;
                }
            }
        }
        (observed, answered)
    }

    /// The instance's driver and seat.
    ///
    /// # Errors
    /// [`Error::Later`] until it has them.
    pub fn seat(&self) -> Result<(Arc<dyn Driver>, Seat)> {
        let status = self.shared.status.borrow();
        status.seat.clone().ok_or_else(|| Error::Later("the instance is not there yet".to_owned()))
    }

    /// Unpacks a seed.
    ///
    /// # Errors
    /// [`Error::Conflict`] where the instance has data already or what comes is no backup.
    pub async fn seed(&self, tar: Stream) -> Result<()> {
        let (driver, seat) = self.awaiting_seed()?;
        driver.unpack(&seat, tar).await?;
        self.shared.nudge.notify_one();
        Ok(())
    }

    /// Keeps a file of the log for recovery.
    ///
    /// # Errors
    /// As [`Self::seed`], and where that is no name of one.
    pub async fn keep_log(&self, name: &str, mut bytes: Stream) -> Result<()> {
        let (driver, seat) = self.awaiting_seed()?;
        if !driver.log_file(name) {
            return Err(Error::Conflict(format!("{name:?} is no file of the log")));
        }
        let path = seat.dir.wal().join(name);
        let part = seat.dir.wal().join(format!("{name}.part"));
        let mut file = tokio::fs::File::create(&part).await?;
        tokio::io::copy(&mut bytes, &mut file).await?;
        file.sync_all().await?;
        home::own(&part, seat.user)?;
        fs::rename(part, path)?;
        Ok(())
    }

    fn awaiting_seed(&self) -> Result<(Arc<dyn Driver>, Seat)> {
        let (driver, seat) = self.seat()?;
        if driver.major(&seat)?.is_some() {
            return Err(Error::Conflict("the instance has its data already".to_owned()));
        }
        Ok((driver, seat))
    }

    /// Counters.
    ///
    /// # Errors
    /// Where the server does not answer.
    pub async fn figures(&self) -> Result<Figures> {
        use base::Clock as _;
        let mut figures = Figures { at: base::SystemClock.now().micros(), ..Figures::default() };
        let (driver, seat) = self.seat()?;
        let status = self.shared.status.borrow().clone();
        let (data, log) = (seat.dir.data(), seat.dir.data().join("pg_wal"));
        let sizes =
            tokio::task::spawn_blocking(move || (home::size(&data), home::size(&log))).await;
        (figures.data_bytes, figures.log_bytes) = sizes.unwrap_or_default();
        figures.data_bytes = figures.data_bytes.saturating_sub(figures.log_bytes);
        super::pool::count_processes(status.pid, &mut figures);
        if let Some(confinement) = status.confinement {
            confinement.count(&mut figures);
        }
        if status.pid != 0 {
            driver.figures(&seat, &mut figures).await?;
            self.look_for_extensions(&*driver, &seat).await;
        }
        Ok(figures)
    }

    /// Tenants make extensions by SQL, too: whoever asks for figures every minute learns of them so.
    async fn look_for_extensions(&self, driver: &dyn Driver, seat: &Seat) {
        let Some(spec) = self.spec() else { return };
        let found = in_databases(driver, seat, &spec, |_| true).await;
        self.shared.status.send_modify(|status| status.extensions = found);
    }
}

/// The extensions in those databases of a spec that are asked for and have any. A database that cannot be asked now is
/// one that is going, or just coming.
pub(super) async fn in_databases(
    driver: &dyn Driver,
    seat: &Seat,
    spec: &Spec,
    asked: impl Fn(&str) -> bool,
) -> BTreeMap<String, Vec<InstalledExtension>> {
    let mut found = BTreeMap::new();
    for database in spec.databases.iter().filter(|database| database.wanted) {
        if !asked(&database.name) {
            continue;
        }
        match driver.extensions(seat, &database.name).await {
            Ok(installed) if !installed.is_empty() => {
                found.insert(database.name.clone(), installed);
            }
            Ok(_) => {}
            Err(error) => tracing::debug!(instance = spec.id, %error, "look for extensions"),
        }
    }
    found
}

/// Reads what was stored; `None` where nothing was.
fn stored<T: serde::de::DeserializeOwned>(dir: &InstanceDir, name: &str) -> Result<Option<T>> {
    match fs::read(dir.path().join(name)) {
        Ok(bytes) => serde_json::from_slice(&bytes).map(Some).doing(name),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error).doing(name),
    }
}

/// Stores durably, for our eyes only.
pub(super) fn store(dir: &InstanceDir, name: &str, what: &impl Serialize) -> Result<()> {
    home::make_dir(dir.path(), 0o711, None)?;
    let bytes = serde_json::to_vec(what).doing(name)?;
    home::replace(&dir.path().join(name), &bytes, 0o600, None)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use std::sync::mpsc;

    use super::*;

    #[tokio::test]
    async fn nobody_waits_for_a_size_and_it_is_counted_once_at_a_time() {
        let measured = Arc::new(Measured::default());
        let (go, wait) = mpsc::channel::<()>();
        let slow = move || {
            let _ = wait.recv();
            7
        };
        assert_eq!(measured.bytes(slow), 0, "nothing is known yet");
        assert_eq!(measured.bytes(|| 8), 0, "it is being counted");
        go.send(()).unwrap();
        let begin = Instant::now();
        while measured.bytes(|| 9) == 0 {
            assert!(begin.elapsed() < ANSWER, "it is never known");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        assert_eq!(measured.bytes(|| 9), 7, "a second count was begun");
    }
}
