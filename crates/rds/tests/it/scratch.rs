//! Scratch members that a crash left on nodes: copies of tenants' data that nobody looks after.

use std::time::Duration;

use rds::nodes::Hosts;
use store::Tx;

use crate::hosts::{Fakes, Fault};
use crate::node_lab;

const JOB: &str = "INSERT INTO rds_job (id, instance, kind, wish, status, created)
    VALUES ('rt-live', 'pgm-own', 'rds.restore_table', '{}', 'Running', 1),
        ('rt-done', 'pgm-own', 'rds.restore_table', '{}', 'Failed', 1)";

#[tokio::test]
async fn what_a_crash_left_goes_and_nothing_else() {
    let test = testkit::cloud(&[], &[rds::MIGRATIONS]);
    let cloud = &test.cloud;
    let write = |tx: &mut Tx<'_>| tx.execute(JOB, &[]);
    let _: u64 = cloud.db.write(write).await.map_err(|e: store::Error| e).unwrap();
    let fakes = Fakes::new(Fault::None);
    // One that is not scratch may be of a row that this look came before.
    let stay = ["pgm-own", "pgm-other", "rt-live", "pgm-test-own"];
    let go = ["pgm-own-test", "pgm-gone-test", "rt-dead", "rt-done"];
    let sites: Vec<_> = cloud.region.data_centres.iter().map(|it| it.site.clone()).collect();
    assert!(sites.len() > 1);
    for site in &sites {
        for id in stay.iter().chain(&go) {
            fakes.put(site, &node_lab::spec(id), Duration::ZERO).await.unwrap();
        }
    }
    fakes.cut_off(&sites[0]);
    rds::testing::sweep(cloud, &*fakes).await.unwrap();
    fakes.reach_all();
    let mut wanted = stay.map(str::to_owned);
    wanted.sort();
    for (number, site) in sites.iter().enumerate() {
        let there = fakes.observe_all(site).await.unwrap();
        let there: Vec<_> = there.into_iter().map(|it| it.id).collect();
        match number {
            0 => assert_eq!(there.len(), 8, "it was not reached"),
            _ => assert_eq!(there, wanted),
        }
    }
    rds::testing::sweep(cloud, &*fakes).await.unwrap();
    assert_eq!(fakes.observe_all(&sites[0]).await.unwrap().len(), stay.len(), "the next time");
}
