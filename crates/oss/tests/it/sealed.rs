//! Encryption at rest: what is on the disk, whose keys open it, and what was stored before there were keys.

use std::path::Path;
use std::sync::Arc;

use base::{Secret, SystemRng};
use engine::seal::Seal;
use oss::{
    CompleteOptions, CompleteParts, CopyOptions, CopySource, CustomerKey, Encryption, GetOptions,
    InitiateOptions, Limits, PartOptions, PutOptions, RangeSpec, ReadConditions, Wanted, Whole,
    WriteConditions,
};
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;
use store::params;
use wire::object::checksum::crc64;

use crate::harness::{BUCKET, OWNER, World, check, noise, root};

const MIB: usize = 1 << 20;

/// The bytes of all segments of a directory.
fn disk(dir: &Path) -> Vec<u8> {
    let files = std::fs::read_dir(dir.join("oss/segments")).unwrap();
    files.flat_map(|file| std::fs::read(file.unwrap().path()).unwrap()).collect()
}

fn contains(bytes: &[u8], piece: &[u8]) -> bool {
    bytes.windows(piece.len()).any(|window| window == piece)
}

fn kms(id: &str) -> Option<Wanted> {
    Some(Wanted::Managed(Encryption::Kms(id.to_owned())))
}

fn customer(byte: u8) -> CustomerKey {
    CustomerKey { key: Secret::new([byte; 32]), md5: format!("md5 of {byte}") }
}

fn reading(key: Option<CustomerKey>) -> GetOptions {
    let conditions = ReadConditions { customer_key: key, ..ReadConditions::default() };
    GetOptions { conditions, ..GetOptions::default() }
}

async fn put_sealed(world: &World, key: &str, body: &[u8], encryption: Option<Wanted>) {
    let options = PutOptions { encryption, ..PutOptions::default() };
    world.put_as(&root(OWNER), key, body, options).await.unwrap();
}

/// Uploads two parts, the second one small.
async fn upload(world: &World, key: &str, first: &[u8], last: &[u8], wanted: Option<Wanted>) {
    let ctx = root(OWNER);
    let customer_key = wanted.as_ref().and_then(Wanted::customer).cloned();
    let options = InitiateOptions { encryption: wanted, ..InitiateOptions::default() };
    let id = world.oss.initiate(&ctx, BUCKET, key, options).await.unwrap();
    for (number, body) in [(1, first), (2, last)] {
        let customer_key = customer_key.clone();
        let options = PartOptions { number, customer_key, ..PartOptions::default() };
        let body = Whole::new(body.to_vec());
        world.oss.upload_part(&ctx, (BUCKET, key, &id), options, body).await.unwrap();
    }
    let options = CompleteOptions {
        parts: CompleteParts::All,
        conditions: WriteConditions::default(),
        part_bytes_min: 1,
        crc64: None,
        checksums: Vec::new(),
        acl: None,
        customer_key: None,
    };
    world.oss.complete(&ctx, (BUCKET, key, &id), options).await.unwrap();
}

#[test]
fn plain_bytes_are_nowhere_on_the_disk() {
    check(Limits::default(), |world| async move {
        let (small, large, part) = (noise(100, 1), noise(3 * MIB + 5, 2), noise(MIB + 7, 3));
        put_sealed(&world, "small", &small, None).await;
        put_sealed(&world, "large", &large, None).await;
        put_sealed(&world, "named", &small, kms("a")).await;
        put_sealed(&world, "own", &small, Some(Wanted::Customer(customer(1)))).await;
        upload(&world, "parts", &part, &small, None).await;
        let disk = disk(world.dir.path());
        assert!(disk.len() > large.len() + part.len() + 3 * small.len());
        for body in [&small, &large, &part] {
            for piece in [&body[..32], &body[body.len() - 32..]] {
                assert!(!contains(&disk, piece));
            }
        }
        assert!(world.get("large").await.unwrap() == large);
        assert!(world.get("named").await.unwrap() == small);
        assert!(world.get("parts").await.unwrap() == [part, small].concat());
    });
}

#[test]
fn what_was_stored_in_clear_still_reads_also_beside_what_is_sealed() {
    check(Limits::default(), |world| async move {
        let (first, last) = (noise(MIB + 9, 4), noise(100, 5));
        put_sealed(&world, "single", &last, None).await;
        upload(&world, "parts", &first, &last, None).await;
        let clear = [
            (
                "SELECT extents FROM oss_object WHERE key = ?1",
                "UPDATE oss_object SET seal = 0, extents = ?2 WHERE key = ?1",
                b"single".to_vec(),
            ),
            (
                "SELECT extents FROM oss_extent WHERE part = 2 AND ?1 = ?1",
                "UPDATE oss_extent SET seal = 0, extents = ?2 WHERE part = 2 AND ?1 = ?1",
                Vec::new(),
            ),
        ];
        for (find, change, key) in clear {
            let (dir, plain) = (world.dir.path().to_owned(), last.clone());
            let rewrite = move |tx: &mut store::Tx<'_>| {
                let found = tx.query_opt(find, params![&key], |row| row.get::<Vec<u8>>(0))?;
                let mut packed = found.unwrap();
                let word = |at: usize| u32::from_le_bytes(packed[at..at + 4].try_into().unwrap());
                let (segment, start, len) = (word(0), word(4), word(8));
                assert_eq!(len as usize, plain.len() + 32);
                let mut files = std::fs::read_dir(dir.join("oss/segments")).unwrap();
                let named = |path: &std::path::PathBuf| {
                    path.file_stem().unwrap().to_str().unwrap().parse() == Ok(segment)
                };
                let path = files.find_map(|file| Some(file.unwrap().path()).filter(named)).unwrap();
                let file = std::fs::OpenOptions::new().write(true).open(path).unwrap();
                std::os::unix::fs::FileExt::write_all_at(&file, &plain, start.into()).unwrap();
                packed[8..12].copy_from_slice(&(len - 32).to_le_bytes());
                packed[12..20].copy_from_slice(&crc64(&plain).to_le_bytes());
                tx.execute(change, params![&key, &packed])?;
                Ok::<_, base::ApiError>(())
            };
            world.cloud.db.write(rewrite).await.unwrap();
        }
        assert!(contains(&disk(world.dir.path()), &last), "it is in clear now");
        assert!(world.get("single").await.unwrap() == last);
        assert!(world.get("parts").await.unwrap() == [first, last].concat());
    });
}

#[test]
fn a_clients_key_is_all_that_opens_what_it_sealed() {
    check(Limits::default(), |world| async move {
        let (ctx, body, last) = (root(OWNER), noise(MIB + 1, 6), noise(10, 7));
        put_sealed(&world, "k", &body, Some(Wanted::Customer(customer(1)))).await;
        put_sealed(&world, "ours", &body, None).await;
        upload(&world, "parts", &body, &last, Some(Wanted::Customer(customer(1)))).await;
        let get = async |key: &str, by| world.get_as(&ctx, key, reading(by)).await;
        assert!(get("k", Some(customer(1))).await.unwrap() == body);
        assert!(get("parts", Some(customer(1))).await.unwrap() == [&body[..], &last].concat());
        for (key, by, code) in [
            ("k", None, "InvalidRequest"),
            ("k", Some(customer(2)), "InvalidRequest"),
            ("parts", None, "InvalidRequest"),
            ("parts", Some(customer(2)), "InvalidRequest"),
            ("ours", Some(customer(1)), "InvalidRequest"),
        ] {
            assert_eq!(get(key, by.clone()).await, Err(code.to_owned()));
            let conditions = reading(by).conditions;
            let head = world.oss.head(&ctx, BUCKET, key, &conditions).await;
            assert_eq!(head.unwrap_err().code(), code);
        }
        let copy = async |by, encryption| {
            let source = CopySource {
                bucket: BUCKET.to_owned(),
                key: "k".to_owned(),
                version: None,
                conditions: reading(by).conditions,
            };
            let options = CopyOptions { encryption, ..CopyOptions::default() };
            world.oss.copy(&ctx, source, BUCKET, "copy", options).await.map(drop)
        };
        assert_eq!(copy(None, None).await.unwrap_err().code(), "InvalidRequest");
        copy(Some(customer(1)), None).await.unwrap();
        assert!(world.get("copy").await.unwrap() == body);
        copy(Some(customer(1)), Some(Wanted::Customer(customer(2)))).await.unwrap();
        assert!(get("copy", Some(customer(2))).await.unwrap() == body);
        let database = std::fs::read(world.dir.path().join("cloud.db")).unwrap();
        assert!(!contains(&database, &[1; 32]) && !contains(&database, &[2; 32]));
    });
}

#[test]
fn a_copy_onto_itself_changes_the_key_where_it_asks_for_another() {
    check(Limits::default(), |world| async move {
        let (ctx, body) = (root(OWNER), noise(1_000, 8));
        put_sealed(&world, "k", &body, None).await;
        let copy = async |encryption| {
            let (bucket, key) = (BUCKET.to_owned(), "k".to_owned());
            let source = CopySource { bucket, key, ..CopySource::default() };
            let options = CopyOptions { encryption, ..CopyOptions::default() };
            world.oss.copy(&ctx, source, BUCKET, "k", options).await.unwrap().0.encryption
        };
        let before = disk(world.dir.path()).len();
        assert_eq!(copy(None).await, Some(Encryption::Account));
        assert_eq!(disk(world.dir.path()).len(), before, "only the row changes");
        assert_eq!(copy(kms("a")).await, Some(Encryption::Kms("a".to_owned())));
        assert!(disk(world.dir.path()).len() > before);
        assert!(world.get("k").await.unwrap() == body);
    });
}

#[test]
fn the_default_of_a_bucket_is_for_what_asks_for_nothing() {
    check(Limits::default(), |world| async move {
        let ctx = root(OWNER);
        let default = Some(Encryption::Kms("b".to_owned()));
        world.oss.set_bucket_encryption(&ctx, BUCKET, default.clone()).await.unwrap();
        assert_eq!(world.oss.bucket_encryption(&ctx, BUCKET).await.unwrap(), default);
        put_sealed(&world, "default", b"x", None).await;
        put_sealed(&world, "asked", b"x", Some(Wanted::Managed(Encryption::Aes256))).await;
        upload(&world, "parts", b"x", b"y", None).await;
        let sealed = async |key: &str| {
            let info = world.oss.head(&ctx, BUCKET, key, &ReadConditions::default()).await;
            info.unwrap().unwrap().facts.encryption
        };
        assert_eq!(sealed("default").await, default);
        assert_eq!(sealed("parts").await, default);
        assert_eq!(sealed("asked").await, Some(Encryption::Aes256));
        assert_eq!(world.get("parts").await.unwrap(), b"xy");
    });
}

#[test]
fn keys_outlive_a_crash_but_not_the_master_key() {
    check(Limits::default(), |world| async move {
        let body = noise(MIB + 1, 9);
        put_sealed(&world, "k", &body, None).await;
        put_sealed(&world, "named", &body, kms("a")).await;
        let world = world.crash().await;
        assert!(world.get("k").await.unwrap() == body);
        assert!(world.get("named").await.unwrap() == body);
        assert_eq!(world.number("SELECT COUNT(*) FROM oss_key").await, 1);
        // As another master key would have sealed it.
        let other = Seal::new(&[8; 32], Arc::new(SystemRng));
        let sealed = other.seal(&format!("oss.key/{OWNER}"), &[0; 32]);
        let change = move |tx: &mut store::Tx<'_>| {
            tx.execute("UPDATE oss_key SET sealed = ?1", params![&sealed])?;
            Ok::<_, base::ApiError>(())
        };
        world.cloud.db.write(change).await.unwrap();
        let world = world.crash().await;
        assert_eq!(world.get("k").await, Err("InternalError".to_owned()));
    });
}

#[test]
fn a_flipped_byte_is_found() {
    check(Limits::default(), |world| async move {
        put_sealed(&world, "k", &noise(1_000, 10), None).await;
        let len = disk(world.dir.path()).len();
        for at in [0, 15, 16, 500, len - 1] {
            let flip = move |dir: &Path| {
                for file in std::fs::read_dir(dir.join("oss/segments")).unwrap() {
                    let path = file.unwrap().path();
                    let mut bytes = std::fs::read(&path).unwrap();
                    if let Some(byte) = bytes.get_mut(at) {
                        *byte ^= 1;
                        std::fs::write(&path, bytes).unwrap();
                    }
                }
            };
            flip(world.dir.path());
            assert_eq!(world.get("k").await, Err("InternalError".to_owned()), "byte {at}");
            flip(world.dir.path());
            assert_eq!(world.get("k").await.map(|body| body.len()), Ok(1_000));
        }
    });
}

#[test]
fn any_range_of_a_sealed_body_is_that_of_the_plain_one() {
    check(Limits::default(), |world| async move {
        let (first, last) = (noise(2 * MIB + 77, 11), noise(70_000, 12));
        let body = [&first[..], &last].concat();
        put_sealed(&world, "single", &body, None).await;
        upload(&world, "parts", &first, &last, None).await;
        let size = body.len() as u64;
        let ranges = (0..size, 0..size, any::<bool>()).prop_map(|(one, other, edge)| {
            // Many begin or end where an extent does.
            let near = |at: u64| if edge { at - at % MIB as u64 } else { at };
            (near(one.min(other)), one.max(other))
        });
        let mut runner = TestRunner::default();
        for _ in 0..100 {
            let range = ranges.new_tree(&mut runner).unwrap().current();
            let range_spec = RangeSpec::From(range.0, Some(range.1));
            for key in ["single", "parts"] {
                let options = GetOptions { range: Some(range_spec), ..GetOptions::default() };
                let got = world.get_as(&root(OWNER), key, options).await.unwrap();
                assert!(got == body[range.0 as usize..=range.1 as usize], "{key} {range:?}");
            }
        }
    });
}
