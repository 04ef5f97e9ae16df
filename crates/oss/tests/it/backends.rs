//! Bytes in stores outside of the program: the same promises, also where such a store is away, late, or holds
//! what nobody asked for.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use async_trait::async_trait;
use futures_util::TryStreamExt;
use futures_util::stream::{BoxStream, StreamExt};
use object_store::memory::InMemory;
use object_store::path::Path;
use object_store::{
    CopyOptions, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta, ObjectStore,
    ObjectStoreExt, PutMultipartOptions, PutOptions, PutPayload, PutResult, Result,
};
use oss::{Backend, DeleteKey, Limits, Options};

use crate::harness::{BUCKET, OWNER, World, check_on, noise, root, storage_at};
use crate::mirror::{self, home, mirror, segments};

const MIB: usize = 1 << 20;

/// A store in memory that can be away.
#[derive(Clone, Debug, Default)]
struct Shed {
    store: Arc<InMemory>,
    away: Arc<AtomicBool>,
}

impl fmt::Display for Shed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "shed")
    }
}

impl Shed {
    fn there(&self) -> Result<()> {
        if !self.away.load(Ordering::SeqCst) {
            return Ok(());
        }
        Err(object_store::Error::Generic { store: "shed", source: "nobody answers".into() })
    }

    fn set_away(&self, away: bool) {
        self.away.store(away, Ordering::SeqCst);
        if !away {
            // A backend that failed is left alone for a second.
            std::thread::sleep(std::time::Duration::from_millis(1100));
        }
    }

    fn backend(&self, name: &str, site: &str) -> Backend {
        Backend::over(name, site, Arc::new(self.clone()))
    }

    async fn objects(&self) -> Vec<ObjectMeta> {
        self.store.list(None).try_collect().await.unwrap()
    }

    async fn bytes(&self) -> u64 {
        self.objects().await.iter().map(|object| object.size).sum()
    }
}

#[async_trait]
impl ObjectStore for Shed {
    async fn put_opts(&self, at: &Path, bytes: PutPayload, how: PutOptions) -> Result<PutResult> {
        self.there()?;
        self.store.put_opts(at, bytes, how).await
    }

    async fn put_multipart_opts(
        &self,
        at: &Path,
        how: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        self.store.put_multipart_opts(at, how).await
    }

    async fn get_opts(&self, at: &Path, how: GetOptions) -> Result<GetResult> {
        self.there()?;
        self.store.get_opts(at, how).await
    }

    fn delete_stream(
        &self,
        all: BoxStream<'static, Result<Path>>,
    ) -> BoxStream<'static, Result<Path>> {
        match self.there() {
            Ok(()) => self.store.delete_stream(all),
            Err(error) => futures_util::stream::once(async { Err(error) }).boxed(),
        }
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        match self.there() {
            Ok(()) => self.store.list(prefix),
            Err(error) => futures_util::stream::once(async { Err(error) }).boxed(),
        }
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        self.there()?;
        self.store.list_with_delimiter(prefix).await
    }

    async fn copy_opts(&self, from: &Path, to: &Path, how: CopyOptions) -> Result<()> {
        self.store.copy_opts(from, to, how).await
    }
}

fn small() -> Limits {
    Limits { segment_bytes_max: 4 << 20, ..Limits::default() }
}

/// A test whose first data centre has the store.
fn check<F: Future<Output = ()>>(test: impl FnOnce(World, Shed) -> F) {
    let shed = Shed::default();
    let also = shed.clone();
    let backends = Arc::new(move || vec![also.backend("shed", "jkt-1")]);
    check_on(small(), backends, |world| test(world, shed));
}

async fn delete(world: &World, key: &str) {
    let key = DeleteKey { key: key.to_owned(), ..DeleteKey::default() };
    world.oss.delete(&root(OWNER), BUCKET, key).await.unwrap();
}

#[test]
fn what_is_stored_reads_back_and_what_is_deleted_leaves_no_object() {
    check(|world, shed| async move {
        let bodies = [0, 1, 70_000, MIB, 3 * MIB + 5, 9 * MIB];
        for (at, len) in bodies.into_iter().enumerate() {
            world.put(&at.to_string(), &noise(len, at as u64)).await;
        }
        assert!(segments(&home(world.dir.path())).is_empty(), "nothing is in a file");
        let extents: u64 = bodies.iter().map(|len| len.div_ceil(MIB) as u64).sum();
        let plain: u64 = bodies.iter().map(|len| *len as u64).sum();
        assert_eq!(shed.objects().await.len() as u64, extents);
        assert_eq!(shed.bytes().await, plain + 32 * extents, "and a salt and a tag each");
        for (at, len) in bodies.into_iter().enumerate() {
            assert!(world.get(&at.to_string()).await.unwrap() == noise(len, at as u64), "{at}");
        }
        let report = world.oss.scrub().await.unwrap();
        assert_eq!((report.bytes, report.damaged), (plain + 32 * extents, 0));
        for at in 0..bodies.len() {
            delete(&world, &at.to_string()).await;
        }
        world.oss.reclaim().await.unwrap();
        assert_eq!(shed.objects().await, []);
        assert_eq!(world.number("SELECT COUNT(*) FROM oss_free").await, 0);
    });
}

#[test]
fn the_store_only_ever_sees_sealed_bytes() {
    check(|world, shed| async move {
        let body = b"suara sah: 1.234 ".repeat(10_000);
        world.put("c1", &body).await;
        for object in shed.objects().await {
            let stored = shed.store.get(&object.location).await.unwrap().bytes().await.unwrap();
            assert!(!stored.windows(9).any(|piece| piece == b"suara sah"), "{}", object.location);
        }
    });
}

#[test]
fn a_store_that_is_away_refuses_writes_whole_and_reads_go_on_when_it_is_back() {
    check(|mut world, shed| async move {
        world.put("kept", &noise(2 * MIB, 1)).await;
        shed.set_away(true);
        for len in [10, 2 * MIB] {
            let (owner, body) = (root(OWNER), noise(len, 2));
            let put = world.put_as(&owner, "lost", &body, oss::PutOptions::default());
            let refused = put.await.unwrap_err();
            assert_eq!((refused.code(), refused.status()), ("ServiceUnavailable", 503));
        }
        assert_eq!(world.get("lost").await, Err("NoSuchKey".to_owned()));
        // Before an answer has begun.
        let get = world.oss.get(&root(OWNER), BUCKET, "kept", oss::GetOptions::default()).await;
        assert_eq!(
            get.err().map(|error| error.code().to_owned()).as_deref(),
            Some("ServiceUnavailable")
        );
        // A start asks nothing of it.
        world = world.crash().await;
        let report = world.oss.scrub().await.unwrap();
        assert_eq!((report.damaged, report.lost), (0, 0), "away is not damaged");
        delete(&world, "kept").await;
        world.put("new", &[]).await;
        world.oss.reclaim().await.unwrap();
        assert_eq!(shed.objects().await.len(), 2, "nothing can be deleted yet");
        shed.set_away(false);
        assert_eq!(world.get("new").await, Ok(Vec::new()));
        world.oss.reclaim().await.unwrap();
        world.oss.sweep().await.unwrap();
        assert_eq!(shed.objects().await, []);
    });
}

#[test]
fn what_a_crash_leaves_and_what_arrives_late_is_swept_and_nothing_else() {
    check(|mut world, shed| async move {
        for round in 0..3_u64 {
            world.put(&format!("kept-{round}"), &noise(2 * MIB, round)).await;
            // Durable, and nobody's: the commit fails since the bucket is gone by then.
            let source = crate::harness::Pieces::new(
                &noise(3 * MIB, 9),
                100_000,
                crate::harness::End::Broken,
            );
            let (owner, options) = (root(OWNER), oss::PutOptions::default());
            let put = world.oss.put(&owner, BUCKET, "broken", options, source);
            assert!(put.await.is_err());
            world = world.crash().await;
        }
        let live = 3 * 2;
        assert!(shed.objects().await.len() > live, "the crashes left something");
        // As a request that was given up and arrived after all; in a folder of its own and in one with a row.
        let some = shed.objects().await.remove(0).location;
        let cloud = some.parts().next().unwrap();
        let folder = some.parts().nth(1).unwrap();
        for late in [
            Path::from_iter([cloud.clone(), folder.clone(), "4000000000".into()]),
            Path::from_iter([cloud.clone(), "0000000077-late".into(), "0000000000".into()]),
        ] {
            shed.store.put(&late, "late".into()).await.unwrap();
        }
        let foreign = Path::from("another-cloud/0000000001-x/0000000000");
        shed.store.put(&foreign, "foreign".into()).await.unwrap();
        assert!(world.oss.sweep().await.unwrap() >= 2);
        assert_eq!(
            shed.objects().await.len(),
            live + 1,
            "what is live, and what is another cloud's"
        );
        assert_eq!(world.oss.sweep().await.unwrap(), 0);
        for round in 0..3_u64 {
            let key = format!("kept-{round}");
            assert!(world.get(&key).await.unwrap() == noise(2 * MIB, round), "{key}");
            delete(&world, &key).await;
        }
        world.oss.reclaim().await.unwrap();
        assert_eq!(shed.objects().await.len(), 1);
    });
}

#[test]
fn an_object_that_rots_or_vanishes_is_found_and_mended_from_the_other_zone() {
    let sheds = [Shed::default(), Shed::default()];
    let also = sheds.clone();
    let backends = Arc::new(move || {
        vec![also[0].backend("first", "jkt-1"), also[1].backend("second", "jkt-2")]
    });
    check_on(small(), backends, |world| async move {
        mirror::zoned(&world).await;
        for at in 0..4 {
            mirror::put(&world, &at.to_string(), noise(MIB + 9, at)).await;
        }
        assert_eq!(sheds[0].bytes().await, sheds[1].bytes().await);
        let objects = sheds[0].objects().await;
        sheds[0].store.put(&objects[0].location, "rotten".into()).await.unwrap();
        sheds[0].store.delete(&objects[3].location).await.unwrap();
        let report = world.oss.scrub().await.unwrap();
        assert_eq!((report.damaged, report.mended, report.lost), (2, 2, 0));
        assert_eq!(world.oss.scrub().await.unwrap().damaged, 0);
        for at in 0..4 {
            assert!(mirror::get(&world, &at.to_string()).await.unwrap() == noise(MIB + 9, at));
            mirror::delete(&world, &at.to_string()).await;
        }
        world.oss.reclaim().await.unwrap();
        assert!(sheds[0].objects().await.is_empty() && sheds[1].objects().await.is_empty());
    });
}

#[test]
fn one_zone_may_have_files_and_the_other_a_store() {
    let shed = Shed::default();
    let also = shed.clone();
    let backends = Arc::new(move || vec![also.backend("shed", "jkt-2")]);
    check_on(small(), backends, |mut world| async move {
        mirror::zoned(&world).await;
        for at in 0..4 {
            mirror::put(&world, &at.to_string(), noise(MIB + 9, at)).await;
        }
        assert!(!mirror(world.dir.path()).exists(), "nothing of the second is in a file");
        // The first zone loses everything; reads go on, and fill its files again.
        world = world
            .crash_and(|dir| {
                for (name, _) in segments(&home(dir)) {
                    std::fs::remove_file(home(dir).join(name)).unwrap();
                }
            })
            .await;
        for at in 0..4 {
            assert!(mirror::get(&world, &at.to_string()).await.unwrap() == noise(MIB + 9, at));
        }
        shed.set_away(true);
        for at in 0..4 {
            assert!(mirror::get(&world, &at.to_string()).await.unwrap() == noise(MIB + 9, at));
        }
        shed.set_away(false);
        for at in 0..4 {
            mirror::delete(&world, &at.to_string()).await;
        }
        world.oss.reclaim().await.unwrap();
        assert_eq!(shed.objects().await, []);
    });
}

#[test]
fn a_store_that_is_away_keeps_nothing_elsewhere_from_being_given_back() {
    check(|world, shed| async move {
        world.put("far", &noise(MIB, 1)).await;
        let options = oss::CreateBucket {
            region: Some("ap-southeast-1".to_owned()),
            ..oss::CreateBucket::default()
        };
        world.bucket("near", options).await.unwrap();
        let put = |body: Vec<u8>| {
            let options = oss::PutOptions::default();
            async { world.oss.put(&root(OWNER), "near", "k", options, oss::Whole::new(body)).await }
        };
        put(noise(MIB, 2)).await.unwrap();
        shed.set_away(true);
        delete(&world, "far").await;
        put(Vec::new()).await.unwrap();
        assert_eq!(world.number("SELECT COUNT(*) FROM oss_free").await, 2);
        world.oss.reclaim().await.unwrap();
        assert_eq!(world.number("SELECT COUNT(*) FROM oss_free").await, 1, "the one that is away");
        shed.set_away(false);
        world.oss.reclaim().await.unwrap();
        assert_eq!(world.number("SELECT COUNT(*) FROM oss_free").await, 0);
        assert_eq!(shed.objects().await, []);
    });
}

#[test]
fn a_backend_that_holds_data_can_neither_leave_nor_move_but_retire() {
    let shed = Shed::default();
    let (first, also) = (shed.clone(), shed.clone());
    let backends = Arc::new(move || vec![first.backend("shed", "jkt-1")]);
    check_on(small(), backends, |world| async move {
        world.put("a", &noise(MIB, 1)).await;
        let reopen = |backends: Vec<Backend>| {
            let cloud = Arc::clone(&world.cloud);
            tokio::task::spawn_blocking(move || {
                let options = Options { backends, ..small().into() };
                oss::Oss::open_with(cloud, options)
            })
        };
        let gone = reopen(Vec::new()).await.unwrap().err().unwrap();
        assert_eq!(gone.code(), "OperationConflict.Backend");
        let moved = reopen(vec![also.backend("shed", "jkt-2")]).await.unwrap().err().unwrap();
        assert_eq!(moved.code(), "OperationConflict.Backend");
        let world = world.crash_onto(move || vec![also.backend("shed", "jkt-1").retired()]).await;
        world.put("b", &noise(MIB, 2)).await;
        assert!(world.get("a").await.unwrap() == noise(MIB, 1));
        assert_eq!(shed.objects().await.len(), 1, "the second is in a file");
        delete(&world, "a").await;
        world.oss.reclaim().await.unwrap();
        assert_eq!(shed.objects().await, []);
    });
}

/// On PostgreSQL each commit takes one of a few connections, and the task that is given one a thread to go on.
#[test]
fn many_segments_begin_in_a_backend_at_once_whatever_the_database() {
    let (home, shed) = (testkit::Home::new(), Shed::default());
    let limits = Limits {
        segment_bytes_max: MIB as u64,
        buffered_bytes_max: usize::MAX,
        ..Limits::default()
    };
    let backends = vec![shed.backend("shed", "jkt-1")];
    let oss = storage_at(&home, Options { backends, ..limits.into() });
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(async {
        let near = oss::CreateBucket {
            region: Some("ap-southeast-1".to_owned()),
            ..oss::CreateBucket::default()
        };
        for (name, options) in [(BUCKET, oss::CreateBucket::default()), ("near", near)] {
            oss.create_bucket(&root(OWNER), name, options).await.unwrap();
        }
        let put = |bucket: &'static str, key: String, len: usize| {
            let oss = oss.clone();
            async move {
                let (options, body) = (oss::PutOptions::default(), oss::Whole::new(noise(len, 1)));
                oss.put(&root(OWNER), bucket, &key, options, body).await.map(drop)
            }
        };
        put("near", "first".to_owned(), 3000).await.unwrap();
        let mut puts = tokio::task::JoinSet::new();
        for at in 0..64 {
            puts.spawn(put(BUCKET, at.to_string(), 700_000));
        }
        // These are written right on the tasks that would have to be given a thread.
        for at in 0..8 {
            let all = (0..8).map(|n| put("near", format!("{at}-{n}"), 3000)).collect::<Vec<_>>();
            puts.spawn(async move {
                for put in all {
                    put.await?;
                }
                Ok(())
            });
        }
        let all = async {
            while let Some(put) = puts.join_next().await {
                put.unwrap().unwrap();
            }
        };
        tokio::time::timeout(std::time::Duration::from_secs(60), all).await.unwrap();
        assert_eq!(shed.objects().await.len(), 64);
        // Each has a segment of its own, and no number was given twice.
        let sql = "SELECT COUNT(*) FROM oss_remote";
        let rows = oss
            .cloud()
            .db
            .read(move |tx| tx.query_opt(sql, store::params![], |row| row.get::<i64>(0)));
        let rows: std::result::Result<_, store::Error> = rows.await;
        assert_eq!(rows.unwrap(), Some(64));
    });
    runtime.shutdown_timeout(std::time::Duration::from_secs(5));
}
