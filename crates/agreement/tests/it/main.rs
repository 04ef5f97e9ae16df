//! Without an agreement there is no service.

#![allow(clippy::unwrap_used, reason = "tests")]

use agreement::Agreements;
use base::{AccountId, ApiError, code};
use engine::pipeline::call;
use engine::ports::Covenant;
use store::params;
use testkit::{TestCloud, root, user};

fn cloud() -> TestCloud {
    testkit::cloud(&[agreement::ACTIONS], &[agreement::MIGRATIONS])
}

async fn open(test: &TestCloud, account: u64) {
    let now = base::Clock::now(&*test.clock);
    let done =
        test.cloud.db.write(move |tx| Agreements.account_opened(tx, AccountId::new(account), now));
    done.await.unwrap();
}

async fn check(test: &TestCloud, account: u64, product: &'static str) -> Result<(), ApiError> {
    test.cloud
        .db
        .read(move |tx| Agreements.check(tx, AccountId::new(account), product, "Any"))
        .await
}

async fn set(test: &TestCloud, account: i64, state: &'static str, services: &'static str) {
    let sql = "UPDATE agreement SET state = ?2, services = ?3 WHERE account = ?1";
    let done: Result<u64, store::Error> =
        test.cloud.db.write(move |tx| tx.execute(sql, params![account, state, services])).await;
    assert_eq!(done.unwrap(), 1);
}

#[tokio::test]
async fn service_is_what_the_active_agreement_of_the_account_grants() {
    let test = cloud();
    open(&test, 1).await;
    open(&test, 2).await;
    assert!(check(&test, 1, "oss").await.is_ok());
    assert!(check(&test, 3, "oss").await.is_err_and(|error| error.is(&code::NO_AGREEMENT)));
    set(&test, 1, "active", "ram,oss").await;
    assert!(check(&test, 1, "oss").await.is_ok());
    assert!(check(&test, 1, "ecs").await.is_err_and(|error| error.is(&code::NO_AGREEMENT)));
    set(&test, 1, "ended", "*").await;
    assert!(check(&test, 1, "oss").await.is_err_and(|error| error.is(&code::NO_AGREEMENT)));
    assert!(check(&test, 2, "oss").await.is_ok(), "another account's agreement stands");
}

#[tokio::test]
async fn who_has_no_agreement_can_still_see_so() {
    let test = cloud();
    for product in ["awan", "sts", "location"] {
        assert!(check(&test, 9, product).await.is_ok(), "{product}");
    }
}

#[tokio::test]
async fn get_agreement_tells_its_own_account_and_nobody_else() {
    let test = cloud();
    open(&test, 1).await;
    let get = async |caller| call(&test.cloud, &caller, "2026-01-01", "GetAgreement", &[]).await;
    let told = get(root(1)).await.unwrap();
    assert_eq!(told["Agreement"]["State"], "active");
    assert_eq!(told["Agreement"]["Services"], serde_json::json!(["*"]));
    assert_eq!(told["Agreement"]["AccountId"], "0000000000000001");
    assert_eq!(get(root(2)).await.unwrap_err().code(), "EntityNotExist.Agreement");
    assert!(get(user(1, "alice")).await.unwrap_err().is(&code::NO_PERMISSION));
}
