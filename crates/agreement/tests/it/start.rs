//! The first start, a restart, and a cloud from before there were documents.

use agreement::MIGRATIONS;
use base::AccountId;
use serde_json::json;
use store::{MigrationSet, Tx, params};
use terms::{Release, signature};
use testkit::root;

use crate::harness::{BAWASLU, OPERATOR, enforced, first_start, operator, signer, world};

#[tokio::test]
async fn a_new_cloud_serves_its_operator_under_a_published_agreement() {
    let world = world().await;
    assert_eq!(world.may(OPERATOR, "oss", "PutObject").await, "OK");
    let told = world.ok(&operator(), "GetAgreement", &[]).await["Agreement"].clone();
    assert_eq!(told["State"], "Active");
    assert_eq!(told["Services"], json!(["*"]));
    assert_eq!(told["AccountId"], "0000000000000001");
    let facts = world.facts("ActivateAgreement").await;
    let [(outcome, facts)] = facts.as_slice() else { panic!("one entry, not {facts:?}") };
    assert_eq!(outcome, "OK");
    assert_eq!((&facts["tenant"], &facts["tag"]), (&told["AccountId"], &json!("contract")));
    assert_eq!(facts["document"], told["Digest"]);
    let document = world.document(&facts["document"]).await.unwrap();
    let note = world.document(&facts["signatures"]).await.unwrap();
    let release = Release::parse(&document).unwrap();
    assert!(signature::verify(&release, &note).unwrap().both());
    assert_eq!(facts["ocid"], release.ocid());
}

#[tokio::test]
async fn a_restart_makes_no_second_agreement_and_notes_a_changed_provider() {
    let world = world().await;
    let mut start = first_start();
    start.provider.party.name = "Penyedia Baru".to_owned();
    agreement::first_start(&world.cloud, start).await.unwrap();
    assert_eq!(world.facts("ActivateAgreement").await.len(), 1);
    let key = signer("test.local/log/tenant/0000000000000003").verifier().to_string();
    let params = [("AccountId", "3"), ("TenantName", "Bawaslu"), ("TenantKey", key.as_str())];
    let made = world.ok(&root(BAWASLU), "DescribeAgreementTemplate", &params).await;
    let release = Release::parse(made["Document"].as_str().unwrap().as_bytes()).unwrap();
    assert_eq!(release.provider().name, "Penyedia Baru");
    assert_eq!(release.tenant().name, "Bawaslu");
    assert_eq!(release.terms().account, AccountId::new(BAWASLU));
}

#[tokio::test]
async fn a_cloud_from_before_documents_gives_its_operator_an_agreement_and_nobody_else() {
    let old = MigrationSet { name: MIGRATIONS.name, steps: &MIGRATIONS.steps[..1] };
    let fill = |tx: &mut Tx<'_>| {
        let sql = "INSERT INTO agreement (account, state, services, active_since) VALUES (?1, 'active', '*', 5)";
        tx.execute(sql, params![AccountId::new(OPERATOR)])?;
        tx.execute(sql, params![AccountId::new(BAWASLU)])
    };
    let test = testkit::cloud(&[], &[old]);
    let filled: Result<u64, store::Error> = test.cloud.db.write(fill).await;
    assert_eq!(filled.unwrap(), 1);
    test.cloud.db.migrate(&[engine::MIGRATIONS, MIGRATIONS]).unwrap();
    let cloud = enforced(&test, testkit::region());
    agreement::first_start(&cloud, first_start()).await.unwrap();
    let provider = first_start().provider_signer;
    let world = crate::harness::World { test, cloud, provider };
    assert_eq!(world.may(OPERATOR, "oss", "PutObject").await, "OK");
    assert_eq!(world.may(BAWASLU, "oss", "PutObject").await, "Forbidden.NoAgreement");
}
