//! Data centres that change between two starts.

use std::collections::BTreeMap;
use std::sync::Arc;

use base::ApiError;
use base::region::Region;
use engine::places::declare;
use engine::ports::Authority;
use testkit::TestCloud;

use crate::path::cloud;

/// The next start of the cloud, with its configuration changed and so many buckets with data at each place.
async fn start(
    test: &TestCloud,
    held: &[(&str, u64)],
    change: impl FnOnce(&mut Region),
) -> Result<(), ApiError> {
    let keys = Arc::clone(&test.keys) as Arc<dyn Authority>;
    let mut cloud = test.home.cloud(&test.clock, keys, &[], &[]);
    change(&mut Arc::get_mut(&mut cloud).unwrap().region);
    let held: BTreeMap<String, u64> =
        held.iter().map(|(site, buckets)| ((*site).to_owned(), *buckets)).collect();
    declare(&cloud, &held).await
}

/// How many changes of data centres the log has.
async fn recorded(test: &TestCloud) -> i64 {
    let count = "SELECT COUNT(*) FROM audit WHERE action LIKE '%DataCentre'";
    let read = test.cloud.db.read(move |tx| tx.query_opt(count, &[], |row| row.get(0)));
    read.await.map_err(|error: store::Error| ApiError::from(error)).unwrap().unwrap()
}

fn abroad(region: &mut Region) {
    region.data_centres[0].country = "SG".to_owned();
}

fn gone(region: &mut Region) {
    region.data_centres.remove(0);
}

#[tokio::test]
async fn a_data_centre_that_holds_data_stays_in_its_country() {
    let test = cloud();
    start(&test, &[], |_| {}).await.unwrap();
    assert_eq!(recorded(&test).await, 3);
    for (change, buckets, words) in [
        (abroad as fn(&mut Region), 2, ["jkt-a", "ID", "SG", "2 buckets"]),
        (gone, 1, ["jkt-a", "no longer in the configuration", "1 bucket has", "new site name"]),
    ] {
        let refused = start(&test, &[("jkt-a", buckets)], change).await.unwrap_err();
        assert!(refused.is(&engine::places::DATA_CENTRE_IN_USE));
        for word in words {
            assert!(refused.text().contains(word), "{word}: {}", refused.text());
        }
        assert_eq!(recorded(&test).await, 3, "nothing is recorded of what is refused");
    }
    start(&test, &[("jkt-a", 2)], |region| region.data_centres[0].city = "Depok".to_owned())
        .await
        .unwrap();
    assert_eq!(recorded(&test).await, 4, "what else changes is recorded");
}

#[tokio::test]
async fn a_data_centre_without_data_may_move_and_go() {
    let test = cloud();
    start(&test, &[], |_| {}).await.unwrap();
    start(&test, &[("jkt-b", 1)], abroad).await.unwrap();
    assert_eq!(recorded(&test).await, 4);
    start(&test, &[("jkt-b", 1)], gone).await.unwrap();
    assert_eq!(recorded(&test).await, 5);
}
