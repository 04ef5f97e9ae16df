#![allow(clippy::unwrap_used, reason = "tests")]

use std::collections::BTreeMap;

use proptest::prelude::*;
use terms::PriceBook;
use terms::clauses::Text;
use terms::prices::{self, Tier};

use super::*;

const METER: &str = "m";

fn price(unit_size: i64, free: i64, bound: i64, low: i64, high: i64) -> Price {
    let tier = |up_to, price| Tier { up_to, price };
    Price {
        id: "Item".into(),
        product: "p".into(),
        meter: METER.into(),
        name: Text::default(),
        unit: "u".into(),
        unit_size,
        free,
        tiers: vec![tier(Some(free + bound), low), tier(None, high)],
        source: "test".into(),
        assumption: true,
    }
}

fn under(number: usize) -> Under {
    Under { ocid: "o".into(), release: number.to_string() }
}

/// One history: what is used when, in the order in which it is told, and when releases begin.
#[derive(Clone, Debug)]
struct History {
    /// Price books, each from its hour on; the first from hour 0.
    books: Vec<(i64, Price)>,
    /// Hour, quantity.
    told: Vec<(i64, i64)>,
}

impl History {
    fn book_at(&self, hour: i64) -> usize {
        self.books.iter().rposition(|(from, _)| *from <= hour).unwrap()
    }

    /// The whole month at once, by the public definition.
    fn oracle(&self) -> i128 {
        let books: Vec<_> = self.books.iter().map(|(_, price)| book(price.clone())).collect();
        let used: Vec<_> = (0..books.len())
            .map(|number| {
                let told = self.told.iter().filter(|(hour, _)| self.book_at(*hour) == number);
                let sum = told.map(|(_, quantity)| i128::from(*quantity)).sum();
                BTreeMap::from([(METER.to_owned(), sum)])
            })
            .collect();
        let periods: Vec<_> =
            books.iter().zip(&used).map(|(book, used)| prices::Period { book, used }).collect();
        prices::month(&periods).iter().map(|cost| cost[METER]).sum()
    }

    /// The same, told one after the other.
    fn told(&self) -> (i128, Course) {
        let mut course = Course::default();
        let mut billed = 0;
        for (hour, quantity) in &self.told {
            let number = self.book_at(*hour);
            let price = &self.books[number].1;
            let changes = course.add(&under(number), *hour, Some(price), i128::from(*quantity));
            assert!(!changes[0].moved && changes[1..].iter().all(|change| change.moved));
            billed += changes.iter().map(|change| change.amount).sum::<i128>();
        }
        (billed, course)
    }
}

fn book(price: Price) -> PriceBook {
    PriceBook {
        id: "b".into(),
        currency: "IDR".into(),
        tax_percent: 11,
        conversion: String::new(),
        prices: vec![price],
    }
}

prop_compose! {
    fn any_history()(
        prices in prop::collection::vec((1..40_i64, 0..200_i64, 1..200_i64, 0..9_000_i64, 0..9_000_i64), 1..4),
        starts in prop::collection::btree_set(1..48_i64, 3),
        told in prop::collection::vec((0..48_i64, prop_oneof![0..100_i64, Just(i64::MAX)]), 0..30),
    ) -> History {
        let starts = std::iter::once(0).chain(starts);
        let books = starts
            .zip(prices)
            .map(|(from, (size, free, bound, low, high))| (from, price(size, free, bound, low, high)))
            .collect();
        History { books, told }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(10_000))]

    #[test]
    fn what_is_billed_in_any_order_is_what_the_whole_month_costs(history in any_history()) {
        let (billed, course) = history.told();
        prop_assert_eq!(billed, history.oracle());
        prop_assert_eq!(course.periods().iter().map(|period| period.amount).sum::<i128>(), billed);
    }
}

proptest! {
    #[test]
    fn a_stored_course_goes_on_as_if_it_had_not_been_stored(history in any_history(), cut in 0..30_usize) {
        let (whole, _) = history.told();
        let cut = cut.min(history.told.len());
        let mut first = history.clone();
        first.told.truncate(cut);
        let (mut billed, course) = first.told();
        let mut stored = course.periods().to_vec();
        stored.reverse();
        let mut course = Course::new(stored);
        for (hour, quantity) in &history.told[cut..] {
            let number = history.book_at(*hour);
            let price = &history.books[number].1;
            let changes = course.add(&under(number), *hour, Some(price), i128::from(*quantity));
            billed += changes.iter().map(|change| change.amount).sum::<i128>();
        }
        prop_assert_eq!(billed, whole);
    }
}

#[test]
fn what_is_late_for_the_first_release_moves_the_second_in_its_tiers() {
    let mut course = Course::default();
    let (first, second) = (price(1, 0, 10, 5, 1), price(1, 0, 10, 7, 2));
    assert_eq!(course.add(&under(0), 0, Some(&first), 4)[0].amount, 20);
    let change = course.add(&under(1), 9, Some(&second), 6);
    assert_eq!((change.len(), change[0].amount), (1, 42));
    let changes = course.add(&under(0), 3, Some(&first), 2);
    assert_eq!(changes[0].amount, 10);
    // Two of the second release's six now lie above the bound of ten.
    let moved = Change { under: under(1), since: 9, amount: -10, slices: vec![], moved: true };
    assert_eq!(changes[1..], [moved]);
}

#[test]
fn without_a_price_it_costs_nothing_and_still_counts_for_the_tiers() {
    let mut course = Course::default();
    assert_eq!(course.add(&under(0), 0, None, 10)[0].amount, 0);
    assert_eq!(course.add(&under(1), 5, Some(&price(1, 0, 10, 5, 1)), 1)[0].amount, 1);
}
