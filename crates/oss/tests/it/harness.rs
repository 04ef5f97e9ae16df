//! A cloud with nothing in it but object storage, on a database and a directory of its own.

use std::path::Path;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex};

use base::region::{DataCentre, Region};
use base::{AccountId, ApiError, Clock, RequestId, SystemRng, Time};
use bytes::Bytes;
use engine::action::Registry;
use engine::cloud::Parts;
use engine::ports::{Ask, Authority, Covenant, Decision, KeyMaterial, Privilege};
use engine::seal::Seal;
use engine::{Caller, CallerKind, Cloud, RequestInfo};
use oss::{
    Backend, CreateBucket, Fetched, GetOptions, Limits, Options, Oss, PutOptions, RequestCtx,
    Source, Stored, Whole,
};
use serde_json::{Value, json};
use store::{Config, Db, Tx, params};
use tempfile::TempDir;
use terms::InForce;
use terms::clauses::{DataClass, Residence};
use testkit::Granted;

/// The account that owns what the tests make, and another.
pub const OWNER: AccountId = AccountId::new(1_000_000_000_000_001);
pub const STRANGER: AccountId = AccountId::new(1_000_000_000_000_002);
/// The account that runs the cloud.
pub const OPERATOR: AccountId = AccountId::new(1_000_000_000_000_009);
/// An account without an agreement.
pub const UNBOUND: AccountId = AccountId::new(1_000_000_000_000_003);
pub const BUCKET: &str = "pemilu";

/// A clock that goes on only when told to.
pub struct Hand(AtomicI64);

impl Hand {
    pub fn forward(&self, seconds: i64) {
        self.0.fetch_add(seconds * 1_000_000, Ordering::SeqCst);
    }
}

impl Clock for Hand {
    fn now(&self) -> Time {
        Time::from_micros(self.0.load(Ordering::SeqCst))
    }
}

/// Root may all within its account; the user `reader` may read there; `writer` may make buckets and
/// put objects, but not their ACLs or tags; `barred` is denied explicitly.
struct Policies;

impl Authority for Policies {
    fn find_key(
        &self,
        _: &mut Tx<'_>,
        _: &str,
        _: Option<&str>,
        _: Time,
    ) -> Result<KeyMaterial, ApiError> {
        Err(ApiError::internal("the tests sign nothing"))
    }

    fn decide(&self, _: &mut Tx<'_>, caller: &Caller, ask: &Ask<'_>) -> Result<Decision, ApiError> {
        let own = caller.account == ask.owner;
        Ok(match &caller.kind {
            CallerKind::User { name, .. } if name == "barred" => Decision::ExplicitDeny,
            CallerKind::User { name, .. } if own && name == "writer" => match ask.action {
                "oss:PutObject" | "oss:PutBucket" => Decision::Allow,
                _ => Decision::ImplicitDeny,
            },
            CallerKind::User { .. } if own && ask.action.starts_with("oss:Get") => Decision::Allow,
            CallerKind::Root if own => Decision::Allow,
            CallerKind::System => Decision::Allow,
            _ => Decision::ImplicitDeny,
        })
    }

    fn key_used(&self, _: &Caller, _: &str, _: Time) {}
}

/// What was scripted, and nothing at all for [`UNBOUND`].
#[derive(Default)]
pub struct Agreements(pub Granted, Mutex<Option<(usize, InForce)>>);

impl Agreements {
    /// Binds the owner by other terms once so many places more have been asked for.
    pub fn amend_after(&self, places: usize, terms: InForce) {
        *self.1.lock().unwrap() = Some((places, terms));
    }

    fn place_asked(&self) {
        let mut amendment = self.1.lock().unwrap();
        match &mut *amendment {
            Some((left, _)) if *left > 0 => *left -= 1,
            due => drop(due.take().map(|(_, terms)| self.0.bind(OWNER, terms))),
        }
    }
}

impl Covenant for Agreements {
    fn check(
        &self,
        tx: &mut Tx<'_>,
        account: AccountId,
        product: &str,
        action: &str,
        now: Time,
    ) -> Result<(), ApiError> {
        if account == UNBOUND {
            return Err(ApiError::new(&base::code::NO_AGREEMENT));
        }
        self.0.check(tx, account, product, action, now)
    }

    fn may_place(
        &self,
        tx: &mut Tx<'_>,
        account: AccountId,
        class: DataClass,
        centre: &DataCentre,
        now: Time,
    ) -> Result<(), ApiError> {
        self.place_asked();
        self.0.may_place(tx, account, class, centre, now)
    }

    fn in_force(
        &self,
        tx: &mut Tx<'_>,
        account: AccountId,
        at: Time,
    ) -> Result<Option<Arc<InForce>>, ApiError> {
        self.0.in_force(tx, account, at)
    }

    fn spent(
        &self,
        tx: &mut Tx<'_>,
        account: AccountId,
        month: Time,
        amount: i64,
    ) -> Result<(), ApiError> {
        self.0.spent(tx, account, month, amount)
    }

    fn tenant_signed(
        &self,
        tx: &mut Tx<'_>,
        account: AccountId,
        text: &str,
        line: &str,
        now: Time,
    ) -> Result<(), ApiError> {
        self.0.tenant_signed(tx, account, text, line, now)
    }

    fn privilege(
        &self,
        tx: &mut Tx<'_>,
        caller: &Caller,
        tenant: AccountId,
        now: Time,
    ) -> Result<Option<Privilege>, ApiError> {
        self.0.privilege(tx, caller, tenant, now)
    }
}

/// Terms that say nothing of interest but where data may be.
pub fn residing(default: DataClass, rules: &[Residence]) -> InForce {
    let text = json!({ "id": "", "en": "" });
    let side = json!({ "rights": [text], "duties": [text] });
    let terms = json!({
        "version": 1,
        "account": OWNER.to_string(),
        "services": ["*"],
        "residency": { "defaultClass": default, "rules": rules },
        "priceBook": { "id": "none", "currency": "IDR", "taxPercent": 0, "prices": [] },
        "serviceLevels": [],
        "retention": { "auditDays": 1, "billingDays": 1, "afterEndDays": 1 },
        "exit": { "noticeDays": 1, "formats": [], "freeEgress": true },
        "breach": { "noticeHours": 72, "authority": "" },
        "audit": { "by": [], "noticeDays": 1 },
        "privilegedAccess": { "permitted": true, "tenantApproval": true, "hoursMax": 1 },
        "provider": side,
        "tenant": side,
        "log": { "origin": "", "key": "" },
        "keys": { "provider": "", "tenant": "" },
    });
    InForce {
        ocid: "ocds-1".to_owned(),
        release: "1".to_owned(),
        digest: String::new(),
        from: Time::from_secs(0),
        until: None,
        terms: Arc::new(serde_json::from_value(terms).unwrap()),
    }
}

/// A rule: data of a class may be in these countries, in these data centres (any where none is named).
pub fn rule(class: DataClass, countries: &[&str], sites: &[&str], zones_min: u32) -> Residence {
    let owned = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect();
    Residence { class, countries: owned(countries), sites: owned(sites), zones_min }
}

/// Three zones at home and two abroad, all of them declared.
pub fn region() -> Region {
    let centre = |site: &str, region: &str, zone: &str, country: &str| DataCentre {
        site: site.to_owned(),
        zone: zone.to_owned(),
        region: region.to_owned(),
        country: country.to_owned(),
        ..DataCentre::default()
    };
    let data_centres = vec![
        centre("jkt-1", "", "ap-southeast-5a", "ID"),
        centre("jkt-2", "", "ap-southeast-5b", "ID"),
        centre("jkt-3", "", "ap-southeast-5b", "ID"),
        centre("sg-1", "ap-southeast-1", "ap-southeast-1a", "SG"),
        centre("sg-2", "ap-southeast-1", "ap-southeast-1b", "SG"),
    ];
    Region { id: "ap-southeast-5".to_owned(), data_centres }
}

/// What makes the backends of a world, anew at each start.
pub type Backends = Arc<dyn Fn() -> Vec<Backend> + Send + Sync>;

pub struct World {
    pub backends: Backends,
    pub dir: TempDir,
    pub clock: Arc<Hand>,
    pub limits: Limits,
    pub agreements: Arc<Agreements>,
    pub cloud: Arc<Cloud>,
    pub oss: Oss,
}

/// Runs a test in a world of its own, with the owner's bucket in it.
pub fn check<F: Future<Output = ()>>(limits: Limits, test: impl FnOnce(World) -> F) {
    check_on(limits, Arc::new(Vec::new), test);
}

/// As [`check`], with backends.
pub fn check_on<F: Future<Output = ()>>(
    limits: Limits,
    backends: Backends,
    test: impl FnOnce(World) -> F,
) {
    let world = World::on(TempDir::new().unwrap(), limits, backends);
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(async {
        world.oss.create_bucket(&root(OWNER), BUCKET, CreateBucket::default()).await.unwrap();
        test(world).await;
    });
}

fn open(
    dir: &TempDir,
    clock: &Arc<Hand>,
    limits: Limits,
    agreements: &Arc<Agreements>,
    backends: &Backends,
) -> (Arc<Cloud>, Oss) {
    let db = Db::open(Config::new(store::Backend::Sqlite(dir.path().join("cloud.db")))).unwrap();
    db.migrate(&[engine::MIGRATIONS, oss::MIGRATIONS]).unwrap();
    let cloud = cloud_on(db, dir.path(), clock, agreements);
    let options = Options { limits, backends: backends(), ..Options::default() };
    let oss = Oss::open_with(Arc::clone(&cloud), options).unwrap();
    (cloud, oss)
}

fn cloud_on(db: Db, dir: &Path, clock: &Arc<Hand>, agreements: &Arc<Agreements>) -> Arc<Cloud> {
    Cloud::new(Parts {
        db,
        clock: Arc::clone(clock) as Arc<dyn Clock>,
        rng: Arc::new(SystemRng),
        authority: Arc::new(Policies),
        covenant: Arc::clone(agreements) as Arc<dyn Covenant>,
        seal: Arc::new(Seal::new(&[7; 32], Arc::new(SystemRng))),
        region: region(),
        registry: Registry::new(&[oss::ACTIONS]),
        data_dir: dir.to_owned(),
        requests_per_second: 0,
    })
}

/// A storage on the database that the environment says ([`testkit::Home`]). Blocks.
pub fn storage_at(home: &testkit::Home, options: Options) -> Oss {
    let db = home.open();
    db.migrate(&[engine::MIGRATIONS, oss::MIGRATIONS]).unwrap();
    let clock = Arc::new(Hand(AtomicI64::new(1_767_323_045_000_000)));
    Oss::open_with(cloud_on(db, home.path(), &clock, &Arc::default()), options).unwrap()
}

/// Waits until nothing below the directory is open. A crash ends what is under way; here, what writes on a
/// thread of its own goes on, and would write into the next world. At most two seconds: a test may hold
/// something open on purpose.
fn wait_until_closed(dir: &Path) {
    let is_open = || {
        let files = std::fs::read_dir("/proc/self/fd").into_iter().flatten().flatten();
        let targets = files.filter_map(|file| std::fs::read_link(file.path()).ok());
        targets.into_iter().any(|target| target.starts_with(dir))
    };
    let until = std::time::Instant::now() + std::time::Duration::from_secs(2);
    while is_open() && std::time::Instant::now() < until {
        std::thread::sleep(std::time::Duration::from_millis(1));
    }
}

impl World {
    /// A world on what is in a directory. Blocks.
    pub fn at(dir: TempDir, limits: Limits) -> Self {
        Self::on(dir, limits, Arc::new(Vec::new))
    }

    fn on(dir: TempDir, limits: Limits, backends: Backends) -> Self {
        let clock = Arc::new(Hand(AtomicI64::new(1_767_323_045_000_000)));
        let agreements = Arc::default();
        let (cloud, oss) = open(&dir, &clock, limits, &agreements, &backends);
        Self { backends, dir, clock, limits, agreements, cloud, oss }
    }

    /// Ends this world as a crash would, but for what is in the page cache, and begins the next on
    /// the same disk.
    pub async fn crash(self) -> Self {
        self.crash_and(|_| {}).await
    }

    /// As [`Self::crash`]; the next one has other backends.
    pub async fn crash_onto(
        self,
        backends: impl Fn() -> Vec<Backend> + Send + Sync + 'static,
    ) -> Self {
        Self { backends: Arc::new(backends), ..self }.crash().await
    }

    /// As [`Self::crash`]; something happens to the disk before the next begins.
    pub async fn crash_and(self, between: impl FnOnce(&Path) + Send + 'static) -> Self {
        let Self { backends, dir, clock, limits, agreements, cloud, oss } = self;
        drop((cloud, oss));
        tokio::task::spawn_blocking(move || {
            wait_until_closed(dir.path());
            between(dir.path());
            let (cloud, oss) = open(&dir, &clock, limits, &agreements, &backends);
            Self { backends, dir, clock, limits, agreements, cloud, oss }
        })
        .await
        .unwrap()
    }

    pub async fn put(&self, key: &str, body: &[u8]) -> Stored {
        self.put_as(&root(OWNER), key, body, PutOptions::default()).await.unwrap()
    }

    pub async fn put_as(
        &self,
        ctx: &RequestCtx,
        key: &str,
        body: &[u8],
        options: PutOptions,
    ) -> Result<Stored, ApiError> {
        self.oss.put(ctx, BUCKET, key, options, Whole::new(body.to_vec())).await
    }

    /// The whole body, or the error's code.
    pub async fn get(&self, key: &str) -> Result<Vec<u8>, String> {
        self.get_as(&root(OWNER), key, GetOptions::default()).await
    }

    pub async fn get_as(
        &self,
        ctx: &RequestCtx,
        key: &str,
        options: GetOptions,
    ) -> Result<Vec<u8>, String> {
        self.get_in(ctx, BUCKET, key, options).await
    }

    /// The whole body of an object of another bucket.
    pub async fn get_from(&self, bucket: &str, key: &str) -> Vec<u8> {
        self.get_in(&root(OWNER), bucket, key, GetOptions::default()).await.unwrap()
    }

    async fn get_in(
        &self,
        ctx: &RequestCtx,
        bucket: &str,
        key: &str,
        options: GetOptions,
    ) -> Result<Vec<u8>, String> {
        match self.oss.get(ctx, bucket, key, options).await {
            Ok(Fetched::Found { mut body, .. }) => {
                let mut bytes = Vec::new();
                while let Some(next) = body.next().await {
                    bytes.extend_from_slice(&next.map_err(|error| error.code().to_owned())?);
                }
                Ok(bytes)
            }
            Ok(Fetched::NotModified(_)) => Err("NotModified".to_owned()),
            Err(error) => Err(error.code().to_owned()),
        }
    }

    /// One integer out of the database.
    pub async fn number(&self, sql: &'static str) -> i64 {
        let read = self
            .cloud
            .db
            .read(move |tx| tx.query_opt(sql, params![], |row| row.get::<Option<i64>>(0)));
        read.await.unwrap().flatten().unwrap_or(0)
    }

    /// What the leaves so far say in public, oldest first: action, outcome, facts.
    pub async fn leaves(&self) -> Vec<(String, String, Value)> {
        let rows: Vec<(String, String, String)> = self
            .cloud
            .db
            .read(|tx| {
                let sql =
                    "SELECT action, outcome, public FROM audit WHERE public <> '' ORDER BY id";
                tx.query(sql, &[], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))
            })
            .await
            .map_err(|error: store::Error| ApiError::from(error))
            .unwrap();
        let facts = |text: String| serde_json::from_str(&text).unwrap();
        rows.into_iter().map(|(action, outcome, text)| (action, outcome, facts(text))).collect()
    }

    /// Makes a bucket of the owner's, or says why not.
    pub async fn bucket(&self, name: &str, options: CreateBucket) -> Result<(), String> {
        let made = self.oss.create_bucket(&root(OWNER), name, options).await;
        made.map(drop).map_err(|error| error.code().to_owned())
    }

    /// Bytes that objects and parts have, by their rows.
    pub async fn live(&self) -> i64 {
        self.number("SELECT CAST(COALESCE((SELECT SUM(size) FROM oss_object), 0) + COALESCE((SELECT SUM(size) FROM oss_version), 0) + COALESCE((SELECT SUM(size) FROM oss_part), 0) AS BIGINT)").await
    }
}

pub fn root(account: AccountId) -> RequestCtx {
    as_caller(Caller { account, kind: CallerKind::Root, ..Caller::anonymous() })
}

/// Somebody of the provider.
pub fn operator() -> RequestCtx {
    as_caller(Caller {
        account: OPERATOR,
        kind: CallerKind::Root,
        operator: true,
        ..Caller::anonymous()
    })
}

pub fn user(account: AccountId, name: &str) -> RequestCtx {
    let kind = CallerKind::User { id: "200000000000000001".to_owned(), name: name.to_owned() };
    as_caller(Caller { account, kind, ..Caller::anonymous() })
}

pub fn anybody() -> RequestCtx {
    as_caller(Caller::anonymous())
}

fn as_caller(caller: Caller) -> RequestCtx {
    RequestCtx {
        caller,
        request: RequestInfo { id: RequestId::random(&SystemRng), ..RequestInfo::default() },
    }
}

/// Bytes that look like no others.
pub fn noise(len: usize, seed: u64) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()
    };
    std::iter::repeat_with(next).flatten().take(len).collect()
}

/// A body in pieces that then ends as it is told to.
pub struct Pieces {
    pub pieces: std::vec::IntoIter<Bytes>,
    pub end: End,
}

pub enum End {
    /// The client goes away.
    Broken,
    /// The client says nothing more.
    Silent,
    /// The trailer is wrong.
    Refused,
}

impl Pieces {
    pub fn new(body: &[u8], size: usize, end: End) -> Self {
        let pieces: Vec<Bytes> = body.chunks(size).map(Bytes::copy_from_slice).collect();
        Self { pieces: pieces.into_iter(), end }
    }
}

impl Source for Pieces {
    async fn next(&mut self) -> Result<Option<Bytes>, ApiError> {
        match (self.pieces.next(), &self.end) {
            (Some(piece), _) => Ok(Some(piece)),
            (None, End::Broken) => Err(ApiError::new(&oss::error::INCOMPLETE_BODY)),
            (None, End::Silent) => std::future::pending().await,
            (None, End::Refused) => Ok(None),
        }
    }

    fn finish(&mut self) -> Result<Vec<oss::Checksum>, ApiError> {
        Err(ApiError::new(&base::code::SIGNATURE_MISMATCH))
    }
}
