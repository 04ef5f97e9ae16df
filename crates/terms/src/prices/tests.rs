#![allow(clippy::unwrap_used, reason = "tests")]

use proptest::prelude::*;

use super::*;

/// Egress as the default book has it: 100 GB free, then cheaper from 50 TB on. Sizes are small here.
fn sample() -> Price {
    price(10, 100, &[(Some(150), 3_000), (Some(1000), 2_000), (None, 1)])
}

fn price(unit_size: i64, free: i64, tiers: &[(Option<i64>, i64)]) -> Price {
    Price {
        id: "NetworkOut".into(),
        product: "oss".into(),
        meter: "oss.egress".into(),
        name: Text::default(),
        unit: "GB".into(),
        unit_size,
        free,
        tiers: tiers.iter().map(|&(up_to, price)| Tier { up_to, price }).collect(),
        source: "test".into(),
        assumption: true,
    }
}

fn book(prices: Vec<Price>) -> PriceBook {
    PriceBook {
        id: "test".into(),
        currency: "IDR".into(),
        tax_percent: 11,
        conversion: String::new(),
        prices,
    }
}

/// The exact cost as a fraction over the unit size, one unit of the meter after the other.
fn by_single_units(price: &Price, quantity: i64) -> i128 {
    let mut numerator = 0_i128;
    for one in 0..quantity {
        let tier = price.tiers.iter().find(|tier| tier.up_to.is_none_or(|bound| one < bound));
        if one >= price.free {
            numerator += i128::from(tier.unwrap().price);
        }
    }
    numerator.div_euclid(i128::from(price.unit_size))
}

#[test]
fn what_is_free_costs_nothing_and_each_tier_prices_its_own_part() {
    let price = sample();
    assert_eq!(price.cost(0, 100), 0);
    assert_eq!(price.cost(0, 150), 50 * 3_000 / 10);
    assert_eq!(price.cost(0, 1000), (50 * 3_000 + 850 * 2_000) / 10);
    assert_eq!(price.cost(0, 1001), (50 * 3_000 + 850 * 2_000 + 1) / 10);
    assert_eq!(price.cost(0, -5), 0);
}

#[test]
fn an_hour_that_crosses_a_bound_is_split_there() {
    let slice = |quantity, price, amount| Slice { quantity, price, amount };
    let wanted = [slice(10, 0, 0), slice(50, 3_000, 15_000), slice(20, 2_000, 4_000)];
    assert_eq!(sample().slices(90, 170), wanted);
    let back: Vec<_> =
        wanted.iter().rev().map(|s| slice(-s.quantity, s.price, -s.amount)).collect();
    assert_eq!(sample().slices(170, 90), back);
    assert_eq!(sample().slices(5, 5), []);
}

#[test]
fn the_largest_numbers_do_not_overflow() {
    let price = price(1, 0, &[(None, i64::MAX)]);
    let most = i128::from(i64::MAX);
    assert_eq!(price.cost(0, most), most * most);
    assert_eq!(price.cost(0, i128::MAX), i128::MAX, "it stays at the largest number");
    assert_eq!(price.cost(i128::MAX, 0), -i128::MAX);
    let odd = super::tests::price(i64::MAX, 0, &[(Some(7), i64::MAX), (None, i64::MAX)]);
    assert_eq!(odd.cost(0, most * 3), most * 3);
    assert_eq!(odd.cost(0, most * 3 - 1), most * 3 - 1);
}

#[test]
fn a_book_that_cannot_be_reckoned_with_says_why() {
    let check = |change: fn(&mut Price)| {
        let mut price = sample();
        change(&mut price);
        book(vec![price]).check()
    };
    assert_eq!(check(|_| ()), Ok(()));
    let broken: [fn(&mut Price); 10] = [
        |price| price.unit_size = 0,
        |price| price.free = -1,
        |price| price.tiers.clear(),
        |price| price.tiers[2].up_to = Some(2000),
        |price| price.tiers[1].up_to = None,
        |price| price.tiers[1].up_to = Some(150),
        |price| price.tiers[0].up_to = Some(100),
        |price| price.tiers[1].price = -1,
        |price| price.unit_size = 1 << 53,
        |price| price.meter.clear(),
    ];
    for (at, change) in broken.into_iter().enumerate() {
        assert!(check(change).is_err(), "{at}");
    }
    assert!(book(vec![sample(), sample()]).check().unwrap_err().contains("two prices"));
    let mut same_name = sample();
    same_name.meter = "other".into();
    assert!(book(vec![sample(), same_name]).check().is_err());
    assert!(PriceBook { currency: "Rp".into(), ..book(vec![]) }.check().is_err());
    assert!(PriceBook { tax_percent: 101, ..book(vec![]) }.check().is_err());
}

#[test]
fn a_clause_that_nobody_would_apply_is_refused() {
    // A minimum duration (as of archive storage) is not reckoned, so no book may seem to have one.
    let mut json = serde_json::to_value(sample()).unwrap();
    assert!(serde_json::from_value::<Price>(json.clone()).is_ok());
    json["minimumDays"] = 30.into();
    assert!(serde_json::from_value::<Price>(json).is_err());
}

#[test]
fn a_second_book_goes_on_where_the_first_stopped() {
    let (cheap, dear) =
        (book(vec![price(1, 10, &[(None, 5)])]), book(vec![price(1, 10, &[(None, 7)])]));
    let used = |quantity: i128| BTreeMap::from([("oss.egress".to_owned(), quantity)]);
    let (first, second) = (used(8), used(8));
    let periods = [Period { book: &cheap, used: &first }, Period { book: &dear, used: &second }];
    let costs = month(&periods);
    // Two of the second book's eight are still free: the month has ten free ones, not each book.
    assert_eq!(costs[0]["oss.egress"], 0);
    assert_eq!(costs[1]["oss.egress"], 6 * 7);
    let unpriced = BTreeMap::from([("other".to_owned(), 3_i128)]);
    assert_eq!(month(&[Period { book: &dear, used: &unpriced }])[0]["other"], 0);
}

#[test]
fn tax_is_rounded_once_and_half_up() {
    assert_eq!(tax(&[(50, 11)]), 6, "5.5");
    assert_eq!(tax(&[(49, 11)]), 5, "5.39");
    assert_eq!(tax(&[(5, 10), (5, 10)]), 1, "0.5 + 0.5, rounded after the sum");
    assert_eq!(tax(&[(-50, 11)]), -5, "half up, not away from zero");
    assert_eq!(tax(&[]), 0);
}

#[test]
fn a_digest_does_not_depend_on_the_order_in_which_lines_are_listed() {
    let line = |resource: &str, hour: u32, quantity: &str| UsageLine {
        resource: resource.into(),
        meter: "m".into(),
        hour: format!("2026-11-22T{hour:02}:00:00Z"),
        quantity: quantity.into(),
    };
    let lines = [line("b", 1, "2"), line("a", 3, "9007199254740993"), line("a", 2, "0")];
    let digest = usage_digest(lines.to_vec());
    let text = r#"[{"hour":"2026-11-22T03:00:00Z","meter":"m","quantity":"9007199254740993","resource":"a"},{"hour":"2026-11-22T01:00:00Z","meter":"m","quantity":"2","resource":"b"}]"#;
    assert_eq!(digest, canonical::sha256(text.as_bytes()));
    assert_eq!(usage_digest(lines.into_iter().rev().collect()), digest);
    let bill = |revision: &str, amount: &str| BillLine {
        resource: "a".into(),
        meter: "m".into(),
        hour: "2026-11-22T03:00:00Z".into(),
        revision: revision.into(),
        ocid: "o".into(),
        release: "r".into(),
        quantity: "1".into(),
        amount: amount.into(),
        currency: "IDR".into(),
    };
    let lines = vec![bill("10", "3"), bill("9", "2")];
    let text = r#"[{"amount":"2","currency":"IDR","hour":"2026-11-22T03:00:00Z","meter":"m","ocid":"o","quantity":"1","release":"r","resource":"a","revision":"9"},{"amount":"3","currency":"IDR","hour":"2026-11-22T03:00:00Z","meter":"m","ocid":"o","quantity":"1","release":"r","resource":"a","revision":"10"}]"#;
    assert_eq!(bill_digest(lines), canonical::sha256(text.as_bytes()));
}

prop_compose! {
    fn any_price()(
        unit_size in prop_oneof![1..50_i64, Just(i64::MAX), 1..=i64::MAX],
        free in prop_oneof![Just(0), 0..300_i64],
        widths in prop::collection::vec((1..200_i64, 0..5_000_i64), 0..4),
        last in prop_oneof![0..5_000_i64, Just(i64::MAX)],
    ) -> Price {
        let mut bound = free;
        let mut tiers = Vec::new();
        for (width, price) in widths {
            bound += width;
            tiers.push((Some(bound), price));
        }
        tiers.push((None, last));
        price(unit_size, free, &tiers)
    }
}

proptest! {
    #[test]
    fn the_cost_is_what_counting_single_units_gives(
        mut price in any_price(), size in 1..50_i64, quantity in 0..1_500_i64,
    ) {
        price.unit_size = size;
        prop_assert_eq!(price.cost(0, quantity.into()), by_single_units(&price, quantity));
    }

    #[test]
    fn parts_add_up_to_the_whole_however_they_are_cut(
        price in any_price(),
        parts in prop::collection::vec(prop_oneof![0..400_i64, Just(i64::MAX)], 0..12),
    ) {
        let (mut at, mut sum) = (0_i128, 0_i128);
        for part in &parts {
            let slices = price.slices(at, at + i128::from(*part));
            prop_assert_eq!(slices.iter().map(|s| s.quantity).sum::<i128>(), i128::from(*part));
            let cost = price.cost(at, at + i128::from(*part));
            prop_assert_eq!(slices.iter().map(|s| s.amount).sum::<i128>(), cost);
            prop_assert!(cost >= 0);
            sum += cost;
            at += i128::from(*part);
        }
        prop_assert_eq!(sum, price.cost(0, at));
    }

    #[test]
    fn more_never_costs_less(price in any_price(), less: i64, more: i64) {
        let (less, more) = (i128::from(less.min(more)), i128::from(less.max(more)));
        prop_assert!(price.cost(0, less) <= price.cost(0, more));
        prop_assert_eq!(price.cost(less, more), -price.cost(more, less));
    }

    #[test]
    fn a_month_does_not_depend_on_how_one_book_is_divided_into_periods(
        price in any_price(), parts in prop::collection::vec(0..500_i64, 1..6),
    ) {
        let book = book(vec![price]);
        let used: Vec<_> = parts
            .iter()
            .map(|part| BTreeMap::from([("oss.egress".to_owned(), i128::from(*part))]))
            .collect();
        let periods: Vec<_> = used.iter().map(|used| Period { book: &book, used }).collect();
        let whole = BTreeMap::from([("oss.egress".to_owned(), parts.iter().map(|p| i128::from(*p)).sum())]);
        let sum: i128 = month(&periods).iter().map(|cost| cost["oss.egress"]).sum();
        prop_assert_eq!(sum, month(&[Period { book: &book, used: &whole }])[0]["oss.egress"]);
    }
}
