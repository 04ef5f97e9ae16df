//! What was used, as its account sees it.

use std::time::Duration;

use base::{AccountId, ApiError, Clock, code};
use engine::meter::Meters;
use engine::pipeline::call;
use serde_json::Value;
use testkit::{TestCloud, root, user};

async fn note(test: &TestCloud, account: u64, resource: &'static str, count: i64, level: i64) {
    let now = test.clock.now();
    let done = test.cloud.db.write(move |tx| {
        let mut meters = Meters::default();
        meters.count(AccountId::new(account), resource, "test.requests", count);
        meters.level(AccountId::new(account), resource, "test.stored", level);
        meters.write(tx, now)
    });
    done.await.unwrap();
}

async fn list(test: &TestCloud, params: &[(&str, &str)]) -> Result<Value, ApiError> {
    call(&test.cloud, &root(1), "2026-01-01", "ListUsage", params).await
}

fn lines(answer: &Value) -> Vec<(String, String, i64)> {
    let text = |item: &Value, name: &str| item[name].as_str().unwrap().to_owned();
    let line = |item: &Value| {
        (text(item, "Resource"), text(item, "Meter"), item["Quantity"].as_i64().unwrap())
    };
    answer["Items"]["Item"].as_array().unwrap().iter().map(line).collect()
}

#[tokio::test]
async fn usage_is_told_up_to_now_and_only_to_its_account() {
    let test = testkit::cloud(&[billing::ACTIONS], &[]);
    note(&test, 1, "a", 3, 100).await;
    note(&test, 2, "b", 7, 0).await;
    test.clock.pass(Duration::from_secs(10));
    let told = list(&test, &[]).await.unwrap();
    let expected = [("a", "test.requests", 3), ("a", "test.stored", 1000)];
    assert_eq!(
        lines(&told),
        expected.map(|(resource, meter, quantity)| (resource.into(), meter.into(), quantity))
    );
    let refused = call(&test.cloud, &user(1, "alice"), "2026-01-01", "ListUsage", &[]).await;
    assert!(refused.unwrap_err().is(&code::NO_PERMISSION));
}

#[tokio::test]
async fn pages_together_are_the_whole_list() {
    let test = testkit::cloud(&[billing::ACTIONS], &[]);
    for resource in ["a", "b", "c", "d", "e"] {
        note(&test, 1, resource, 1, 5).await;
    }
    test.clock.pass(Duration::from_secs(2 * 3600));
    let whole = lines(&list(&test, &[]).await.unwrap());
    assert_eq!(whole.len(), 5 * 4, "a count, and a level in three hours, of each");
    let mut paged = Vec::new();
    let mut token = String::new();
    loop {
        let page = list(&test, &[("MaxResults", "3"), ("NextToken", &token)]).await.unwrap();
        paged.extend(lines(&page));
        match page["NextToken"].as_str() {
            Some(next) => token = next.to_owned(),
            None => break,
        }
    }
    assert_eq!(paged, whole);
}

#[tokio::test]
async fn hours_and_bad_parameters() {
    let test = testkit::cloud(&[billing::ACTIONS], &[]);
    note(&test, 1, "a", 1, 0).await;
    test.clock.pass(Duration::from_secs(3600));
    note(&test, 1, "a", 2, 0).await;
    let told = list(&test, &[("From", "2026-01-02T04:00:00Z")]).await.unwrap();
    assert_eq!(lines(&told), [("a".to_owned(), "test.requests".to_owned(), 2)]);
    for (name, value) in [
        ("From", "yesterday"),
        ("MaxResults", "0"),
        ("MaxResults", "5000"),
        ("NextToken", "zz"),
        ("NextToken", "00"),
    ] {
        let error = list(&test, &[(name, value)]).await.unwrap_err();
        assert!(error.is(&code::INVALID_PARAMETER), "{name}={value}: {error}");
    }
}
