//! Payments, balances and the ledger.

use serde_json::Value;

use crate::world::{DAY, DECEMBER, HOUR, NOVEMBER, World};

async fn used(world: &World) {
    // 90 × 3 + 100 × 2 = 470 before tax; with 11 % (51.7, so 52) it is 522.
    world.at(NOVEMBER + 60).count("a", 200).await;
    world.at(NOVEMBER + 2 * HOUR).rate().await;
}

async fn pay(world: &World, reference: &str, amount: &str) -> Value {
    let params = [("AccountId", "1"), ("Reference", reference), ("Amount", amount)];
    world.try_call(9, "RecordPayment", &params).await.unwrap()
}

async fn balance(world: &World) -> String {
    let answer = world.call("QueryAccountBalance", &[]).await;
    assert_eq!((&answer["Code"], &answer["Success"]), (&"Success".into(), &true.into()));
    assert_eq!(answer["Data"]["Currency"], "IDR");
    answer["Data"]["AvailableAmount"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn a_payment_is_recorded_once_for_its_reference() {
    let world = World::with_prices();
    used(&world).await;
    assert_eq!(balance(&world).await, "-0.00047");
    assert_eq!(pay(&world, "bank-1", "0.0005").await["Recorded"], true);
    assert_eq!(pay(&world, "bank-1", "0.0005").await["Recorded"], false);
    assert_eq!(balance(&world).await, "0.00003");
    let other = [("AccountId", "1"), ("Reference", "bank-1"), ("Amount", "7")];
    let refused = world.try_call(9, "RecordPayment", &other).await.unwrap_err();
    assert_eq!((refused.code(), refused.status()), ("PaymentReferenceReused", 409));
    let credit =
        [("AccountId", "1"), ("Reference", "sla-1"), ("Amount", "0.00001"), ("Kind", "Credit")];
    assert_eq!(world.try_call(9, "RecordPayment", &credit).await.unwrap()["Balance"], "0.00004");
    world.ledger_balances().await;
}

#[tokio::test]
async fn only_the_operator_records_payments_and_only_amounts() {
    let world = World::with_prices();
    let params = [("AccountId", "1"), ("Reference", "x"), ("Amount", "7")];
    assert_eq!(
        world.try_call(1, "RecordPayment", &params).await.unwrap_err().code(),
        "NoPermission"
    );
    for (name, value) in [
        ("Amount", "0"),
        ("Amount", "-7"),
        ("Amount", "1e9"),
        ("Amount", "0.0000001"),
        ("Reference", ""),
        ("Kind", "Gift"),
        ("Currency", "Rupiah"),
    ] {
        let mut params = params.to_vec();
        params.retain(|(known, _)| *known != name);
        params.push((name, value));
        let refused = world.try_call(9, "RecordPayment", &params).await.unwrap_err();
        assert!(refused.is(&base::code::INVALID_PARAMETER), "{name}={value}: {refused}");
    }
    assert_eq!(world.number("SELECT COUNT(*) FROM billing_ledger").await, 0);
}

#[tokio::test]
async fn tax_is_owed_when_the_bill_is_final_and_payments_settle_the_oldest_first() {
    let world = World::with_prices();
    used(&world).await;
    world.at(DECEMBER + 60).count("a", 20).await;
    world.at(DECEMBER + 3 * DAY).rate().await;
    assert_eq!(balance(&world).await, "-0.000552", "470 + 52 + 30");
    pay(&world, "bank-1", "0.0003").await;
    let bill = |month: &'static str| {
        let world = &world;
        async move { world.call("GetBill", &[("Month", month)]).await["PaidMicro"].as_i64().unwrap() }
    };
    assert_eq!((bill("2026-11").await, bill("2026-12").await), (300, 0));
    pay(&world, "bank-2", "0.000232").await;
    assert_eq!((bill("2026-11").await, bill("2026-12").await), (522, 10));
    pay(&world, "bank-3", "1").await;
    assert_eq!((bill("2026-11").await, bill("2026-12").await), (522, 33), "no more than is owed");
    world.ledger_balances().await;
}

#[tokio::test]
async fn transactions_are_told_newest_first_in_pages_by_number_and_by_token() {
    let world = World::with_prices();
    used(&world).await;
    for number in 1..=4 {
        world.at(NOVEMBER + DAY + number);
        pay(&world, &format!("bank-{number}"), "1").await;
    }
    let list = |answer: &Value| {
        let rows = answer["Data"]["AccountTransactionsList"]["AccountTransactionsList"].clone();
        rows.as_array().unwrap().clone()
    };
    let page = world.call("QueryAccountTransactions", &[("PageNum", "2"), ("PageSize", "2")]).await;
    assert_eq!(page["Data"]["TotalCount"], 5);
    let references: Vec<_> = list(&page).iter().map(|row| row["RecordID"].clone()).collect();
    assert_eq!(references, ["bank-2", "bank-1"]);
    let (mut all, mut token) = (Vec::new(), String::new());
    loop {
        let params = [("MaxResults", "2"), ("NextToken", token.as_str())];
        let page = world.call("QueryAccountTransactionDetails", &params).await;
        all.extend(list(&page));
        match page["Data"]["NextToken"].as_str() {
            Some(next) => token = next.to_owned(),
            None => break,
        }
    }
    assert_eq!(all.len(), 5);
    let first = &all[0];
    assert_eq!(
        [&first["Amount"], &first["Balance"], &first["TransactionFlow"], &first["TransactionType"]],
        ["1", "3.99953", "Income", "Payment"]
    );
    let last = &all[4];
    assert_eq!(
        [&last["Amount"], &last["Balance"], &last["TransactionFlow"], &last["TransactionType"]],
        ["0.00047", "-0.00047", "Expense", "Consumption"]
    );
    for (name, value, rows) in [
        ("TransactionType", "Consumption", 1),
        ("TransactionType", "Payment", 4),
        ("TransactionFlow", "Income", 4),
        ("CreateTimeStart", "2026-11-02T00:00:03Z", 2),
        ("CreateTimeEnd", "2026-11-02T00:00:00Z", 1),
        ("TransactionNumber", "1", 1),
        ("TransactionNumber", "none", 0),
    ] {
        let found = list(&world.call("QueryAccountTransactions", &[(name, value)]).await);
        assert_eq!(found.len(), rows, "{name}={value}");
    }
    for (name, value) in [("PageSize", "0"), ("PageNum", "999999"), ("TransactionType", "Gift")] {
        let refused = world.try_call(1, "QueryAccountTransactions", &[(name, value)]).await;
        assert!(refused.unwrap_err().is(&base::code::INVALID_PARAMETER), "{name}");
    }
    assert_eq!(list(&world.try_call(2, "QueryAccountTransactions", &[]).await.unwrap()).len(), 0);
}
