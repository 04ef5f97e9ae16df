//! The machine of instances over nodes that fail on demand: it comes to rest whatever goes wrong at whichever call, a
//! deletion wins from anywhere, and in the end rows, nodes and the bill say the same.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use base::ApiError;
use engine::task::Runner;
use engine::{Caller, meter};
use rds::ha::Watch;
use rds::node::api::Seed;
use rds::nodes::Hosts;
use serde_json::Value;
use testkit::TestCloud;
use tokio::sync::watch;

use crate::hosts::{Fakes, Fault};
use crate::stage;

/// How long of the cloud's own time passes between two looks.
const TICK: Duration = Duration::from_secs(3);

pub(crate) struct Play {
    pub(crate) test: TestCloud,
    tenant: Caller,
    pub(crate) fakes: Arc<Fakes>,
    /// The fakes, or what stands between them and the machines.
    hosts: Arc<dyn Hosts>,
    runner: Option<(tokio::task::JoinHandle<()>, watch::Sender<bool>)>,
    /// What was seen to be held, by meter: unit-seconds.
    expected: BTreeMap<String, i64>,
    watch: bool,
}

impl Play {
    async fn new(fault: Fault, watch: bool) -> Self {
        let fakes = Fakes::new(fault);
        Self::over(Arc::clone(&fakes), fakes, watch).await
    }

    pub(crate) async fn over(fakes: Arc<Fakes>, hosts: Arc<dyn Hosts>, watch: bool) -> Self {
        let (test, tenant) = stage::cloud();
        stage::offer_engines(&test.cloud).await;
        let mut play =
            Self { test, tenant, fakes, hosts, runner: None, expected: BTreeMap::new(), watch };
        play.start().await;
        play
    }

    async fn start(&mut self) {
        let cloud = Arc::clone(&self.test.cloud);
        let hosts = Arc::clone(&self.hosts);
        let mut runner =
            Runner::new(Arc::clone(&cloud)).with(stage::machine(&cloud, Arc::clone(&hosts)));
        if self.watch {
            runner = runner.with_one(Watch::new(hosts), &()).await.unwrap();
        }
        let (stop, stopped) = watch::channel(false);
        self.runner = Some((tokio::spawn(runner.run(stopped)), stop));
    }

    async fn call(&self, action: &str, params: &[(&str, &str)]) -> Result<Value, ApiError> {
        stage::call(&self.test.cloud, &self.tenant, action, params).await
    }

    async fn create(&self, class: &str) -> String {
        let made = self.call("CreateDBInstance", &stage::wish(class)).await.unwrap();
        made["DBInstanceId"].as_str().unwrap().to_owned()
    }

    pub(crate) async fn status(&self, id: &str) -> Option<String> {
        let shown = self.call("DescribeDBInstanceAttribute", &[("DBInstanceId", id)]).await;
        let shown = match shown {
            Ok(shown) => shown,
            Err(error) if error.code() == "InvalidDBInstanceId.NotFound" => return None,
            Err(error) => panic!("{error:?}"),
        };
        let first = &shown["Items"]["DBInstanceAttribute"][0];
        Some(first["DBInstanceStatus"].as_str().unwrap().to_owned())
    }

    /// Lets time pass, keeping count of what is held, and takes up the work of a runner that died.
    pub(crate) async fn tick(&mut self) {
        tokio::time::sleep(Duration::from_millis(5)).await;
        if self.fakes.crashed.swap(false, Ordering::SeqCst) {
            let (running, _) = self.runner.take().unwrap();
            running.abort();
            let _ = running.await;
            self.pass(Duration::from_secs(61)).await; // its lease ends
            self.start().await;
        }
        self.pass(TICK).await;
    }

    /// Lets time pass. Within a transaction: nothing else is committed between the look at what is held and the end
    /// of that time, so that what is held is exact.
    async fn pass(&mut self, time: Duration) {
        let (account, clock) = (self.tenant.account, Arc::clone(&self.test.clock));
        let look = move |tx: &mut store::Tx<'_>| {
            let held = meter::levels(tx, account)?;
            clock.pass(time);
            Ok::<_, ApiError>(held)
        };
        let held = self.test.cloud.db.write(look).await.unwrap();
        let seconds = i64::try_from(time.as_secs()).unwrap();
        for level in held.into_iter().filter(|level| level.meter.starts_with("rds.")) {
            *self.expected.entry(level.meter).or_default() += level.quantity * seconds;
        }
        self.test.cloud.wakes.wake("rds.none");
    }

    pub(crate) async fn rest(&mut self, id: &str, wanted: Option<&str>) {
        for _ in 0..400 {
            if self.status(id).await.as_deref() == wanted {
                return;
            }
            self.tick().await;
        }
        panic!("{id} is {:?}, not {wanted:?}", self.status(id).await);
    }

    /// Calls until it is not refused for the instance's present status.
    pub(crate) async fn insist(&mut self, action: &str, params: &[(&str, &str)]) {
        for _ in 0..400 {
            match self.call(action, params).await {
                Ok(_) => return,
                Err(error) if error.code() == "OperationDenied.DBInstanceStatus" => {
                    self.tick().await
                }
                Err(error) => panic!("{action}: {error:?}"),
            }
        }
        panic!("{action} was refused for ever");
    }

    /// Nodes are as the rows are, and the levels as both.
    async fn agrees(&self, id: &str, running: bool, members: usize) {
        {
            let world = self.fakes.world.lock().unwrap();
            let held: Vec<_> = world.held.values().filter(|held| held.spec.id == id).collect();
            assert_eq!(held.len(), members);
            assert!(held.iter().all(|held| held.spec.running == running));
        }
        let account = self.tenant.account;
        let levels = self.test.cloud.db.read(move |tx| meter::levels(tx, account)).await.unwrap();
        for meter in ["rds.cpu", "rds.memory", "rds.storage"] {
            let level =
                levels.iter().find(|level| level.meter == meter).map_or(0, |it| it.quantity);
            assert_eq!(level > 0, running || meter == "rds.storage", "{meter} is {level}");
        }
    }

    /// Nothing is left of it anywhere, and the bill is what was held and no more.
    async fn is_gone(&self, id: &str) {
        assert!(self.fakes.world.lock().unwrap().held.is_empty(), "something is left on a node");
        let rows = stage::rows_of(&self.test.cloud, id).await;
        assert_eq!(rows, Vec::<String>::new());
        let (account, now) = (self.tenant.account, base::Clock::now(&*self.test.clock));
        let used = move |tx: &mut store::Tx<'_>| meter::usage(tx, account, 0, i64::MAX, now);
        let mut metered: BTreeMap<String, i64> = BTreeMap::new();
        for line in self.test.cloud.db.read(used).await.unwrap() {
            if line.meter.starts_with("rds.") {
                *metered.entry(line.meter).or_default() += line.quantity;
            }
        }
        metered.retain(|_, quantity| *quantity != 0);
        let mut expected = self.expected.clone();
        expected.retain(|_, quantity| *quantity != 0);
        assert_eq!(metered, expected, "billed time is running time");
    }
}

/// A life with everything in it.
async fn live(fault: Fault) -> usize {
    let mut play = Play::new(fault, false).await;
    let id = play.create("pg.n2.2c.1m").await;
    let named = [("DBInstanceId", id.as_str())];
    play.rest(&id, Some("Running")).await;
    play.agrees(&id, true, 1).await;
    play.insist("RestartDBInstance", &named).await;
    play.rest(&id, Some("Running")).await;
    play.insist("StopDBInstance", &named).await;
    play.rest(&id, Some("Stopped")).await;
    play.agrees(&id, false, 1).await;
    play.insist("StartDBInstance", &named).await;
    play.rest(&id, Some("Running")).await;
    let resize = [
        ("DBInstanceId", id.as_str()),
        ("DBInstanceClass", "pg.n2.4c.1m"),
        ("PayType", "Postpaid"),
    ];
    play.insist("ModifyDBInstanceSpec", &resize).await;
    play.rest(&id, Some("Running")).await;
    play.agrees(&id, true, 1).await;
    play.insist("DeleteDBInstance", &named).await;
    play.rest(&id, None).await;
    play.is_gone(&id).await;
    play.fakes.calls()
}

#[tokio::test]
async fn an_instance_comes_to_rest_whatever_call_fails_is_unheard_or_is_its_callers_last() {
    let calls = live(Fault::None).await;
    assert!(calls >= 6, "{calls} calls");
    for number in 1..=calls {
        for fault in [Fault::Before(number), Fault::After(number), Fault::Crash(number)] {
            live(fault).await;
        }
    }
}

#[tokio::test]
async fn a_deletion_wins_from_any_state() {
    for ticks in 0..8 {
        for action in ["RestartDBInstance", "StopDBInstance", ""] {
            let mut play = Play::new(Fault::None, false).await;
            let id = play.create("pg.n2.2c.1m").await;
            let named = [("DBInstanceId", id.as_str())];
            for tick in 0..ticks {
                if tick == 3 && !action.is_empty() {
                    let _ = play.call(action, &named).await;
                }
                play.tick().await;
            }
            play.insist("DeleteDBInstance", &named).await;
            play.rest(&id, None).await;
            play.is_gone(&id).await;
        }
    }
}

#[tokio::test]
async fn what_is_asked_while_a_node_is_away_is_done_when_it_is_back() {
    let mut play = Play::new(Fault::None, false).await;
    let id = play.create("pg.n2.2c.1m").await;
    play.rest(&id, Some("Running")).await;
    let site = play.fakes.world.lock().unwrap().held.keys().next().unwrap().0.clone();
    play.fakes.cut_off(&site);
    play.insist("StopDBInstance", &[("DBInstanceId", id.as_str())]).await;
    for _ in 0..5 {
        play.tick().await;
    }
    assert_eq!(play.status(&id).await.as_deref(), Some("Stopping"));
    play.fakes.reach_all();
    play.rest(&id, Some("Stopped")).await;
    play.agrees(&id, false, 1).await;
}

/// Its node lost its directory, or was given an empty one: what it is told has it say so instead of making a new one.
#[tokio::test]
async fn an_instance_that_served_once_is_never_begun_anew() {
    let mut play = Play::new(Fault::None, false).await;
    let id = play.create("pg.n2.2c.1m").await;
    let seeds = |play: &Play| -> Vec<Seed> {
        play.fakes.world.lock().unwrap().held.values().map(|held| held.spec.seed.clone()).collect()
    };
    play.rest(&id, Some("Running")).await;
    assert_eq!(seeds(&play), [Seed::Template]);
    play.fakes.world.lock().unwrap().held.clear();
    play.insist("RestartDBInstance", &[("DBInstanceId", id.as_str())]).await;
    play.rest(&id, Some("Running")).await;
    assert_eq!(seeds(&play), [Seed::Copy], "a primary is copied from nobody");
}

/// A highly available instance that runs, and the watch has seen its standby well. Gives the site of its primary.
async fn pair() -> (Play, String, String) {
    let mut play = Play::new(Fault::None, true).await;
    let (id, first) = play.pair().await;
    (play, id, first)
}

impl Play {
    /// A highly available instance that runs, and the watch has seen its standby well. Gives its id and the site of
    /// its primary.
    pub(crate) async fn pair(&mut self) -> (String, String) {
        let id = self.create("pg.n2.2c.2m").await;
        for _ in 0..400 {
            if self.status(&id).await.as_deref() == Some("Running")
                && self.fakes.writable(&id).len() == 1
            {
                break;
            }
            self.tick().await;
        }
        let first = self.fakes.writable(&id);
        assert_eq!(first.len(), 1);
        tokio::time::sleep(Duration::from_millis(1200)).await;
        (id, first[0].clone())
    }

    /// The site of the member that is not there.
    pub(crate) fn other(&self, id: &str, site: &str) -> String {
        let world = self.fakes.world.lock().unwrap();
        let other = world.held.keys().find(|(at, held)| *held == id && *at != site);
        other.unwrap().0.clone()
    }

    /// Lets little time pass, in which never two accept writes; gives the site that does.
    pub(crate) async fn one_writer(&self, id: &str) -> Option<String> {
        let writable = self.fakes.writable(id);
        assert!(writable.len() < 2, "two accept writes: {writable:?}");
        self.test.clock.pass(Duration::from_millis(20));
        self.test.cloud.wakes.wake("rds.none");
        tokio::time::sleep(Duration::from_millis(5)).await;
        writable.first().cloned()
    }

    /// Until another than `first` accepts writes, which it gives.
    pub(crate) async fn succeeded(&self, id: &str, first: &str) -> String {
        let began = tokio::time::Instant::now();
        loop {
            if let Some(site) = self.one_writer(id).await.filter(|site| site != first) {
                return site;
            }
            assert!(began.elapsed() < Duration::from_secs(18), "nobody takes over");
        }
    }

    /// Until `former` follows and the instance runs.
    pub(crate) async fn follows(&mut self, id: &str, former: &str) {
        for _ in 0..400 {
            self.one_writer(id).await;
            let role = {
                let world = self.fakes.world.lock().unwrap();
                world.held[&(former.to_owned(), id.to_owned())].spec.role.clone()
            };
            let running = self.status(id).await.as_deref() == Some("Running");
            if running && matches!(role, rds::node::api::Role::Standby { .. }) {
                return;
            }
            self.tick().await;
        }
        panic!("{former} does not follow");
    }
}

/// The lease of a primary that nobody reaches ends before its standby is promoted, so that at no moment two accept
/// writes; and when it is reached again it is told to follow.
#[tokio::test]
async fn a_primary_that_is_cut_off_is_succeeded_after_its_lease_and_never_before() {
    let (mut play, id, first) = pair().await;
    play.fakes.cut_off(&first);
    let second = play.succeeded(&id, &first).await;
    play.fakes.reach_all();
    play.follows(&id, &first).await;
    assert_eq!(play.fakes.writable(&id), [second]);
}

/// A node on another machine freezes, is sent grants, and reads them when another is the primary: they are over.
#[tokio::test]
async fn a_primary_that_was_frozen_finds_only_leases_that_are_over() {
    let (mut play, id, first) = pair().await;
    play.fakes.freeze(&first);
    let second = play.succeeded(&id, &first).await;
    assert!(play.fakes.wake() > 0, "no grant was kept for it");
    assert_eq!(play.fakes.writable(&id), std::slice::from_ref(&second));
    play.follows(&id, &first).await;
    assert_eq!(play.fakes.writable(&id), [second]);
}

/// Its node answers all the time and may get its server up at any moment: also at the worst one.
#[tokio::test]
async fn a_primary_that_comes_back_just_when_it_was_given_up_is_not_a_second_one() {
    let (mut play, id, first) = pair().await;
    play.fakes.set_broken(&first, true);
    let began = tokio::time::Instant::now();
    while play.status(&id).await.as_deref() != Some("GuardSwitching") {
        assert!(began.elapsed() < Duration::from_secs(18), "it is not given up");
        play.one_writer(&id).await;
    }
    play.fakes.set_broken(&first, false);
    let second = play.succeeded(&id, &first).await;
    play.follows(&id, &first).await;
    assert_eq!(play.fakes.writable(&id), [second]);
}

#[tokio::test]
async fn a_planned_switch_stops_the_old_primary_before_the_new_one_takes_writes() {
    let (mut play, id, first) = pair().await;
    let standby = play.other(&id, &first);
    let switch = [("DBInstanceId", id.as_str()), ("NodeId", standby.as_str())];
    play.insist("SwitchDBInstanceHA", &switch).await;
    assert_eq!(play.succeeded(&id, &first).await, standby);
    play.follows(&id, &first).await;
    assert_eq!(play.fakes.writable(&id), [standby]);
}

#[tokio::test]
async fn a_planned_switch_to_a_standby_that_is_away_leaves_the_primary_serving() {
    let (mut play, id, first) = pair().await;
    let standby = play.other(&id, &first);
    play.fakes.cut_off(&standby);
    let switch = [("DBInstanceId", id.as_str()), ("NodeId", standby.as_str())];
    play.insist("SwitchDBInstanceHA", &switch).await;
    let began = tokio::time::Instant::now();
    while began.elapsed() < Duration::from_secs(6) {
        assert_eq!(play.one_writer(&id).await.as_ref(), Some(&first), "the primary went");
    }
    play.fakes.reach_all();
    assert_eq!(play.succeeded(&id, &first).await, standby);
}

#[tokio::test]
async fn a_primary_has_slots_for_who_follows_it_and_for_nobody_else() {
    let mut play = Play::new(Fault::None, false).await;
    let id = play.create("pg.n2.2c.1m").await;
    play.rest(&id, Some("Running")).await;
    let told = |play: &Play, of: &str| {
        let world = play.fakes.world.lock().unwrap();
        let held = world.held.values().find(|held| held.spec.id == id).unwrap();
        let slots = held.spec.slots.clone().unwrap();
        assert!(slots.contains("awan_archive"), "{slots:?}");
        let of = format!("awan_{}", of.replace('-', "_"));
        slots.iter().filter(|slot| slot.starts_with(&of)).count()
    };
    let follower = [("DBInstanceId", id.as_str()), ("ZoneId", "ap-southeast-5c")];
    let wish = stage::wish("pg.n2.2c.1m");
    let rest = wish.iter().filter(|(name, _)| *name != "Engine" && *name != "SecurityIPList");
    let params: Vec<_> = follower.iter().chain(rest).copied().collect();
    let made = play.call("CreateReadOnlyDBInstance", &params).await.unwrap();
    let made = made["DBInstanceId"].as_str().unwrap().to_owned();
    play.rest(&made, Some("Running")).await;
    for (deleted, wanted) in [(false, 1), (true, 0)] {
        if deleted {
            play.insist("DeleteDBInstance", &[("DBInstanceId", made.as_str())]).await;
            play.rest(&made, None).await;
        }
        for tick in 0.. {
            if told(&play, &made) == wanted {
                break;
            }
            assert!(tick < 400, "its slots do not follow");
            play.tick().await;
        }
    }
    assert_eq!(told(&play, &id), 1, "its own, for when another is the primary");
}

/// The site of the other member.
fn standby_of(play: &Play, id: &str, first: &str) -> String {
    let world = play.fakes.world.lock().unwrap();
    let other = world.held.keys().find(|(site, held)| held == id && site != first);
    other.unwrap().0.clone()
}

#[tokio::test]
async fn a_standby_that_is_away_keeps_neither_clients_nor_the_owner_from_the_primary() {
    let (mut play, id, first) = pair().await;
    let standby = standby_of(&play, &id, &first);
    let named = [("DBInstanceId", id.as_str())];
    play.fakes.cut_off(&standby);
    let resize = [
        ("DBInstanceId", id.as_str()),
        ("DBInstanceClass", "pg.n2.4c.2m"),
        ("PayType", "Postpaid"),
    ];
    for (action, asked) in [("RestartDBInstance", &named[..]), ("ModifyDBInstanceSpec", &resize)] {
        play.insist(action, asked).await;
        play.rest(&id, Some("Running")).await;
        assert_eq!(play.fakes.writable(&id), [first.as_str()], "{action}");
    }
    let told = |site: &str| {
        let world = play.fakes.world.lock().unwrap();
        world.held[&(site.to_owned(), id.clone())].spec.generation
    };
    assert!(told(&standby) < told(&first), "it was not reached");
    play.fakes.reach_all();
    let began = tokio::time::Instant::now();
    while told(&standby) < told(&first) {
        assert!(began.elapsed() < Duration::from_secs(18), "the standby is forgotten");
        play.one_writer(&id).await;
        play.test.clock.pass(TICK);
    }
    // One that is to stop has stopped when both have.
    play.fakes.cut_off(&standby);
    play.insist("StopDBInstance", &named).await;
    for _ in 0..5 {
        play.tick().await;
    }
    assert_eq!(play.status(&id).await.as_deref(), Some("Stopping"));
    play.fakes.reach_all();
    play.rest(&id, Some("Stopped")).await;
    play.agrees(&id, false, 2).await;
}

#[tokio::test]
async fn an_instance_is_highly_available_once_it_has_a_standby_and_not_before() {
    let mut play = Play::new(Fault::None, true).await;
    let id = play.create("pg.n2.2c.2m").await;
    let of = id.clone();
    let standby = move |tx: &mut store::Tx<'_>| {
        let sql = "SELECT site FROM rds_member WHERE instance = ?1 AND role = 'standby'";
        Ok::<_, ApiError>(tx.query_opt(sql, store::params![&of], |row| row.get::<String>(0))?)
    };
    let standby = play.test.cloud.db.read(standby).await.unwrap().unwrap();
    play.fakes.cut_off(&standby);
    for _ in 0..400 {
        if !play.fakes.writable(&id).is_empty() {
            break;
        }
        play.tick().await;
    }
    assert_eq!(play.fakes.writable(&id).len(), 1);
    for _ in 0..5 {
        play.tick().await;
    }
    assert_eq!(play.status(&id).await.as_deref(), Some("Creating"));
    play.fakes.reach_all();
    play.rest(&id, Some("Running")).await;
}
