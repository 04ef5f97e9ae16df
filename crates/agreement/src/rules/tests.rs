#![allow(clippy::unwrap_used, reason = "tests")]

use std::time::{Duration, Instant};

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::{select, subsequence};
use terms::clauses::{Keys, Log, Residency};
use terms::defaults;

use super::*;

const TENANT: AccountId = AccountId::new(7);
/// Names that break out of a literal if they are let to.
const NASTY: &str = "a\" || true //\\";

fn terms(services: Vec<String>, rules: Vec<Residence>, spending_limit: Option<i64>) -> Terms {
    let log = Log { origin: String::new(), key: String::new() };
    let keys = Keys { provider: String::new(), tenant: String::new() };
    let residency = Residency { default_class: DataClass::Internal, rules };
    Terms { services, residency, spending_limit, ..defaults::terms(TENANT, log, keys) }
}

fn names(from: &'static [&'static str]) -> impl Strategy<Value = Vec<String>> {
    let owned: Vec<String> = from.iter().map(|name| (*name).to_owned()).collect();
    subsequence(owned, 0..=from.len())
}

fn residence(class: DataClass) -> impl Strategy<Value = Option<Residence>> {
    let rule = (names(&["ID", "SG", "MY"]), names(&["jkt-a", "jkt-b", "sg-1", NASTY]), 1..3_u32);
    let rule = rule.prop_map(move |(countries, sites, zones_min)| Residence {
        class,
        countries,
        sites,
        zones_min,
    });
    option::weighted(0.7, rule)
}

fn any_terms() -> impl Strategy<Value = Terms> {
    let services = prop_oneof![
        3 => names(&["oss", "ecs", "rds", "ram", NASTY]),
        1 => Just(vec![ALL.to_owned()]),
    ];
    let rules = DataClass::ALL.map(residence);
    (services, rules, option::of(0..1000_i64)).prop_map(|(services, rules, limit)| {
        terms(services, rules.into_iter().flatten().collect(), limit)
    })
}

fn any_question() -> impl Strategy<Value = Question<'static>> {
    let using =
        (select(vec!["oss", "ecs", "rds", "ram", "edge", NASTY, ""]), any::<bool>(), 0..1200_i64);
    let placing = (
        select(DataClass::ALL.to_vec()),
        select(vec!["ID", "SG", "MY", "US"]),
        select(vec!["jkt-a", "jkt-b", "sg-1", "us-1", NASTY]),
    );
    prop_oneof![
        using.prop_map(|(service, begins, spent)| Question::Use { service, begins, spent }),
        placing.prop_map(|(class, country, site)| Question::Place { class, country, site }),
    ]
}

/// A naive reading of the clauses.
fn oracle(
    terms: &Terms,
    (start, end): (i64, Option<i64>),
    question: &Question<'_>,
    now: i64,
) -> Verdict {
    if now < start {
        return Verdict::Refused(&code::NO_AGREEMENT);
    }
    if let Some(end) = end
        && now >= end
    {
        return Verdict::Refused(&code::AGREEMENT_ENDED);
    }
    match *question {
        Question::Use { service, begins, spent } => {
            if let Some(limit) = terms.spending_limit
                && begins
                && spent >= limit
            {
                return Verdict::Refused(&code::SPENDING_LIMIT);
            }
            let mut granted = false;
            for name in &terms.services {
                granted = granted || name == "*" || name == service;
            }
            if granted { Verdict::Allowed } else { Verdict::Refused(&code::SERVICE_NOT_GRANTED) }
        }
        Question::Place { class, country, site } => {
            for rule in &terms.residency.rules {
                if rule.class != class {
                    continue;
                }
                let here = rule.countries.iter().any(|name| name == country);
                let this = rule.sites.is_empty() || rule.sites.iter().any(|name| name == site);
                if here && this {
                    return Verdict::Allowed;
                }
            }
            Verdict::Refused(&code::RESIDENCY)
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]

    /// 500 agreements with 24 questions each, all asked of the same compiled policies in any order, so
    /// that an answer kept for too long would be found: 12,000 comparisons.
    #[test]
    fn the_policies_say_what_a_naive_reading_of_the_clauses_says(
        terms in any_terms(),
        start in 0..100_i64,
        term in option::of(1..100_i64),
        asked in vec((any_question(), -10..210_i64), 24),
    ) {
        let end = term.map(|length| start + length);
        let rules = Rules::compile(
            &terms,
            Time::from_micros(start),
            end.map(Time::from_micros),
        ).unwrap();
        for (question, now) in &asked {
            let said = rules.ask(question, Time::from_micros(*now)).unwrap();
            prop_assert_eq!(said, oracle(&terms, (start, end), question, *now), "{:?} at {}", question, now);
        }
    }
}

const ALWAYS: (Time, Option<Time>) = (Time::from_micros(0), None);

fn hand_written(texts: &[(&str, &str)]) -> Result<Rules, String> {
    let owned: Vec<_> = texts.iter().map(|(id, text)| ((*id).into(), (*text).into())).collect();
    Rules::of(TENANT, &owned, ALWAYS, None)
}

const OSS: Question<'_> = Question::Use { service: "oss", begins: true, spent: 1 };

#[test]
fn a_clause_that_fails_to_evaluate_refuses_everything() {
    let grant = ("grant", "permit(principal, action, resource);");
    let rules = hand_written(&[grant]).unwrap();
    assert_eq!(rules.ask(&OSS, Time::from_micros(1)).unwrap(), Verdict::Allowed);
    let broken =
        "forbid(principal, action, resource) when { context.time + 9223372036854775807 < 0 };";
    let rules = hand_written(&[grant, ("broken", broken)]).unwrap();
    let failed = rules.ask(&OSS, Time::from_micros(1)).unwrap_err();
    assert!(failed.is(&code::INTERNAL_ERROR), "{failed:?}");
}

#[test]
fn a_clause_that_the_schema_does_not_know_does_not_compile() {
    for wrong in [
        "forbid(principal, action, resource) when { context.spent > 1 };",
        "permit(principal, action == Action::\"use\", resource) when { context.time == \"now\" };",
        "permit(principal, action == Action::\"own\", resource);",
        "permit(principal, action, resource",
    ] {
        assert!(hand_written(&[("wrong", wrong)]).is_err(), "{wrong}");
    }
    let twice = |class| Residence {
        class,
        countries: vec!["ID".to_owned()],
        sites: Vec::new(),
        zones_min: 1,
    };
    let two = vec![twice(DataClass::Public), twice(DataClass::Public)];
    assert!(Rules::compile(&terms(Vec::new(), two, None), ALWAYS.0, None).is_err());
}

#[test]
fn more_questions_than_are_kept_are_still_answered() {
    let rules =
        Rules::compile(&terms(vec!["s1".to_owned()], Vec::new(), None), ALWAYS.0, None).unwrap();
    for number in 0..KEPT_MAX + 10 {
        let service = format!("s{number}");
        let question = Question::Use { service: &service, begins: false, spent: 0 };
        let said = rules.ask(&question, Time::from_micros(1)).unwrap();
        assert_eq!(said == Verdict::Allowed, number == 1, "{service}");
    }
    assert!(rules.kept.read().unwrap().len() <= KEPT_MAX);
}

/// An answer from memory must be far cheaper than a decision; the figures are printed by
/// `cargo test -p agreement --lib kept_answer -- --nocapture`.
#[test]
#[allow(clippy::print_stderr, clippy::disallowed_methods, reason = "a measurement")]
fn a_kept_answer_costs_a_small_part_of_a_decision() {
    let rules = Rules::compile(&terms(vec!["oss".to_owned()], Vec::new(), Some(9)), ALWAYS.0, None)
        .unwrap();
    let now = Time::from_micros(1);
    let timed = |times: u32, ask: &dyn Fn()| {
        let began = Instant::now();
        (0..times).for_each(|_| ask());
        began.elapsed() / times
    };
    rules.ask(&OSS, now).unwrap();
    let decided = timed(500, &|| assert!(rules.decide(&OSS, now).is_ok()));
    let kept = timed(50_000, &|| assert!(rules.ask(&OSS, now).is_ok()));
    eprintln!("a decision by Cedar {decided:?}, the same from memory {kept:?}");
    assert!(kept < decided.max(Duration::from_micros(5)), "{kept:?} against {decided:?}");
}
