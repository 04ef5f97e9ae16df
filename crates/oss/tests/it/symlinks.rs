//! Objects that stand for others.

use oss::{
    Acl, CopyOptions, CopySource, Limits, ListQuery, PutOptions, Versioning, WriteConditions,
};

use crate::harness::{BUCKET, OWNER, World, anybody, check, root};

async fn link(world: &World, key: &str, target: &str, options: PutOptions) -> Result<(), String> {
    let made = world.oss.put_symlink(&root(OWNER), (BUCKET, key), target, options).await;
    made.map(drop).map_err(|error| error.code().to_owned())
}

#[test]
fn a_link_reads_as_its_target_whatever_that_is_by_then() {
    check(Limits::default(), |world| async move {
        link(&world, "l", "t", PutOptions::default()).await.unwrap();
        assert_eq!(world.get("l").await.unwrap_err(), "SymlinkTargetNotExist");
        let put = world.put("t", b"hello").await;
        assert_eq!(world.get("l").await.unwrap(), b"hello");
        let ctx = root(OWNER);
        let head = world.oss.head(&ctx, BUCKET, "l", &Default::default()).await.unwrap().unwrap();
        assert_eq!((head.size, head.etag, head.object_type()), (5, put.etag, "Symlink"));
        world.put("t", b"changed").await;
        assert_eq!(world.get("l").await.unwrap(), b"changed");
        let (own, target) = world.oss.symlink(&ctx, BUCKET, "l").await.unwrap();
        assert_eq!((own.size, target.as_str()), (0, "t"));
        let none = world.oss.symlink(&ctx, BUCKET, "t").await.unwrap_err();
        assert_eq!(none.code(), "NotSymlink");
        let stat = world.oss.bucket_stat(&ctx, BUCKET).await.unwrap().1;
        assert_eq!((stat.objects, stat.bytes), (2, 7));
    });
}

#[test]
fn a_link_to_a_link_is_not_followed() {
    check(Limits::default(), |world| async move {
        world.put("t", b"hello").await;
        link(&world, "one", "t", PutOptions::default()).await.unwrap();
        link(&world, "two", "one", PutOptions::default()).await.unwrap();
        link(&world, "self", "self", PutOptions::default()).await.unwrap();
        assert_eq!(world.get("two").await.unwrap_err(), "InvalidTargetType");
        assert_eq!(world.get("self").await.unwrap_err(), "InvalidTargetType");
    });
}

#[test]
fn a_public_link_is_no_way_to_a_private_target() {
    check(Limits::default(), |world| async move {
        world.put("t", b"secret").await;
        let public = || PutOptions { acl: Some(Acl::PublicRead), ..PutOptions::default() };
        link(&world, "l", "t", public()).await.unwrap();
        let read = world.get_as(&anybody(), "l", Default::default()).await;
        assert_eq!(read.unwrap_err(), "AccessDenied");
        link(&world, "m", "missing", public()).await.unwrap();
        let read = world.get_as(&anybody(), "m", Default::default()).await;
        assert_eq!(read.unwrap_err(), "AccessDenied", "nor what there is");
        world.put_as(&root(OWNER), "t", b"open", public()).await.unwrap();
        assert_eq!(world.get_as(&anybody(), "l", Default::default()).await.unwrap(), b"open");
    });
}

#[test]
fn a_link_is_written_listed_copied_and_versioned_as_an_object() {
    check(Limits::default(), |world| async move {
        let ctx = root(OWNER);
        world.put("t", b"hello").await;
        let conditions = WriteConditions { forbid_overwrite: true, ..WriteConditions::default() };
        let careful = PutOptions { conditions, ..PutOptions::default() };
        assert_eq!(link(&world, "t", "x", careful).await.unwrap_err(), "FileAlreadyExists");
        assert_eq!(
            link(&world, "l", "", PutOptions::default()).await.unwrap_err(),
            "InvalidObjectName"
        );
        link(&world, "l", "t", PutOptions::default()).await.unwrap();
        let source =
            CopySource { bucket: BUCKET.to_owned(), key: "l".to_owned(), ..CopySource::default() };
        world.oss.copy(&ctx, source, BUCKET, "copy", CopyOptions::default()).await.unwrap();
        let page = world
            .oss
            .list(&ctx, BUCKET, ListQuery { limit: 9, ..Default::default() })
            .await
            .unwrap();
        let types: Vec<_> =
            page.objects.iter().map(|object| (object.key.as_str(), object.object_type())).collect();
        assert_eq!(types, [("copy", "Symlink"), ("l", "Symlink"), ("t", "Normal")]);
        assert_eq!(world.get("copy").await.unwrap(), b"hello");
        world.oss.set_bucket_versioning(&ctx, BUCKET, Versioning::Enabled).await.unwrap();
        world.put("l", b"own bytes").await;
        assert_eq!(world.get("l").await.unwrap(), b"own bytes");
        let at = oss::At { key: "l", version: Some(oss::VersionId::NULL) };
        assert_eq!(world.oss.symlink(&ctx, BUCKET, at).await.unwrap().1, "t");
    });
}
