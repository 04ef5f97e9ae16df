//! Reports of inventories: pages, versions, and what is billed to whom.

use std::io::Read as _;
use std::time::Duration;

use oss::{CreateBucket, DeleteKey, Limits, ListQuery, Versioning};

use super::harness::{BUCKET, OWNER, World, check, root};

async fn set(world: &World, versions: bool) {
    let document = serde_json::json!({
        "id": "all", "enabled": true, "versions": versions, "weekly": false, "fields": ["Size"],
        "filter": { "prefix": null, "begin": null, "end": null, "lower": null, "upper": null, "classes": null },
        "destination": { "bucket": "reports", "prefix": "", "account": null, "role": null, "encryption": null },
        "form": "Oss",
    });
    let document = document.to_string();
    let insert = move |tx: &mut store::Tx<'_>| {
        tx.execute(
            "INSERT INTO oss_inventory (bucket, id, due_at, document) SELECT id, 'all', 0, ?1 FROM oss_bucket WHERE name = 'pemilu'",
            store::params![document.as_str()],
        )
        .map_err(base::ApiError::from)
    };
    world.cloud.db.write(insert).await.unwrap();
}

/// The lines of all lists of the last report, in order.
async fn lines(world: &World) -> Vec<String> {
    assert_eq!(world.oss.write_due_inventories().await.unwrap(), 1);
    let query =
        ListQuery { prefix: "pemilu/all/data/".to_owned(), limit: 1000, ..ListQuery::default() };
    let page = world.oss.list(&root(OWNER), "reports", query).await.unwrap();
    let mut text = String::new();
    for object in page.objects {
        let packed = world.get_from("reports", &object.key).await;
        flate2::read::GzDecoder::new(packed.as_slice()).read_to_string(&mut text).unwrap();
    }
    text.lines().map(str::to_owned).collect()
}

#[test]
fn a_report_has_every_object_of_many_pages_once() {
    check(Limits::default(), |world| async move {
        world.bucket("reports", CreateBucket::default()).await.unwrap();
        for number in 0..2_003 {
            world.put(&format!("k{number:05}"), b"x").await;
        }
        set(&world, false).await;
        let lines = lines(&world).await;
        assert_eq!(lines.len(), 2_003);
        assert_eq!(lines[0], "\"pemilu\",\"k00000\",\"1\"");
        assert_eq!(lines[2_002], "\"pemilu\",\"k02002\",\"1\"");
        assert_eq!(world.oss.write_due_inventories().await.unwrap(), 0);
        world.clock.forward(86_400 + 1);
        assert_eq!(world.oss.write_due_inventories().await.unwrap(), 1);
    });
}

#[test]
fn a_report_of_versions_says_which_is_the_latest_and_which_a_delete_marker() {
    check(Limits::default(), |world| async move {
        world.bucket("reports", CreateBucket::default()).await.unwrap();
        world.oss.set_bucket_versioning(&root(OWNER), BUCKET, Versioning::Enabled).await.unwrap();
        for key in ["a", "b"] {
            world.put(key, b"1").await;
            world.put(key, b"22").await;
        }
        let key = DeleteKey { key: "b".to_owned(), ..DeleteKey::default() };
        world.oss.delete(&root(OWNER), BUCKET, key).await.unwrap();
        set(&world, true).await;
        let lines = lines(&world).await;
        let told: Vec<String> = lines
            .iter()
            .map(|line| {
                let fields: Vec<&str> =
                    line.split(',').map(|field| field.trim_matches('"')).collect();
                assert_eq!(fields[2].len(), 16, "{line}");
                [fields[1], fields[3], fields[4], fields[5]].join(" ")
            })
            .collect();
        let wanted = [
            "a true false 2",
            "a false false 1",
            "b true true ",
            "b false false 2",
            "b false false 1",
        ];
        assert_eq!(told, wanted);
    });
}

#[test]
fn a_report_that_its_destination_does_not_take_is_tried_again() {
    check(
        Limits { inventory_day: Duration::from_secs(100), ..Limits::default() },
        |world| async move {
            world.put("k", b"x").await;
            set(&world, false).await;
            // No such bucket: nothing is written, and nothing fails.
            assert_eq!(world.oss.write_due_inventories().await.unwrap(), 1);
            world.bucket("reports", CreateBucket::default()).await.unwrap();
            assert_eq!(world.oss.write_due_inventories().await.unwrap(), 0);
            world.clock.forward(101);
            assert_eq!(lines(&world).await.len(), 1);
        },
    );
}
