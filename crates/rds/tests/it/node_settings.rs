//! Settings that a server does not start with: they cost the tenant the setting, and never the instance.

use std::collections::BTreeMap;

use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;
use rds::engines::{Setting, discover};
use rds::node::api::Phase;

use crate::node_lab::{Lab, PROGRAMS, ask, spec};

/// What no check of single values finds out, and what checks of values let through before there were any.
const REFUSED: [&[(&str, &str)]; 3] = [
    &[("TimeZone", "Mars")],
    &[("max_locks_per_transaction", "2147483647")],
    // Each by itself is well.
    &[("log_parser_stats", "on"), ("log_statement_stats", "on")],
];

fn with(base: &BTreeMap<String, String>, more: &[(&str, &str)]) -> BTreeMap<String, String> {
    let more = more.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    base.clone().into_iter().chain(more).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_setting_that_the_server_does_not_start_with_waits_and_everything_else_is_in_force() {
    let lab = Lab::new();
    let mut spec = spec("pgm-refuses");
    let good = with(&BTreeMap::new(), &[("max_prepared_transactions", "5"), ("work_mem", "7MB")]);
    spec.parameters.clone_from(&good);
    let first = lab.serve(&spec).await;
    ask(&first, "CREATE TABLE kept AS SELECT 1 AS one");
    for bad in REFUSED {
        spec.parameters = with(&with(&good, bad), &[("statement_timeout", "7s")]);
        (spec.generation, spec.restarts) = (spec.generation + 1, spec.restarts + 1);
        let seen = lab.put(&spec).await;
        assert_eq!((seen.phase, seen.generation), (Phase::Serving, spec.generation), "{bad:?}");
        let (name, _) = bad[bad.len() - 1];
        assert!(seen.trouble.contains("earlier settings"), "{bad:?}: {}", seen.trouble);
        assert!(seen.pending_restart.iter().any(|it| it == name), "{:?}", seen.pending_restart);
        assert_eq!(ask(&seen, "SHOW max_prepared_transactions"), "5");
        assert_eq!(ask(&seen, "SHOW statement_timeout"), "7s", "what takes no restart is there");
        assert_eq!(ask(&seen, "SELECT one FROM kept"), "1");
    }
    // What is asked meanwhile is done, and it stops and starts.
    (spec.generation, spec.running) = (spec.generation + 1, false);
    assert_eq!(lab.put(&spec).await.phase, Phase::Stopped);
    (spec.generation, spec.running) = (spec.generation + 1, true);
    assert_eq!(lab.put(&spec).await.generation, spec.generation);
    // Taken back, it is as it was.
    (spec.generation, spec.parameters) = (spec.generation + 1, good);
    spec.restarts += 1;
    let last = lab.serve(&spec).await;
    assert_eq!(last.pending_restart, Vec::<String>::new());
    assert_eq!(ask(&last, "SHOW work_mem"), "7MB");
    lab.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_instance_with_such_settings_runs_without_them() {
    let lab = Lab::new();
    for (number, bad) in REFUSED.iter().enumerate() {
        let mut spec = spec(&format!("pgm-new-{number}"));
        spec.parameters = with(&BTreeMap::new(), bad);
        let seen = lab.put(&spec).await;
        assert_eq!((seen.phase, seen.generation), (Phase::Serving, 1), "{bad:?}");
        assert!(seen.trouble.contains("no settings"), "{}", seen.trouble);
        assert_eq!(ask(&seen, "SHOW TimeZone"), "UTC");
    }
    lab.end().await;
}

/// Values at the ends of what a setting takes. Not those at which the test's machine has no memory.
fn extremes(setting: &Setting) -> Vec<String> {
    let bounded = |text: &String| {
        let number = text.parse::<f64>().unwrap_or_default();
        if setting.restart && number > 500.0 { "500".to_owned() } else { text.clone() }
    };
    match setting.kind.as_str() {
        "bool" => vec!["on".to_owned(), "off".to_owned()],
        "enum" => setting.values.clone(),
        "integer" | "real" => [&setting.min, &setting.max].into_iter().map(bounded).collect(),
        _ => Vec::new(),
    }
}

/// Whatever of it the server takes: it runs, does what is asked of it, and says that it did.
#[tokio::test(flavor = "multi_thread")]
async fn no_set_of_accepted_settings_keeps_an_instance_from_running() {
    let store = tempfile::tempdir().unwrap();
    let builds = discover(&[PROGRAMS.into()], store.path());
    let build = builds.iter().find(|build| build.major == "15").expect("PostgreSQL 15");
    let open: Vec<(String, Vec<String>)> = build
        .settings
        .iter()
        .filter(|setting| setting.tenant)
        .map(|setting| (setting.name.clone(), extremes(setting)))
        .filter(|(_, values)| !values.is_empty())
        .collect();
    assert!(open.len() > 100, "{} settings", open.len());
    let count = open.len();
    let one = proptest::sample::select(open)
        .prop_flat_map(|(name, values)| (Just(name), proptest::sample::select(values)));
    let sets = proptest::collection::btree_map(any::<u32>(), one, count / 4..count / 2);
    let lab = Lab::new();
    let mut spec = spec("pgm-any");
    spec.accounts.truncate(1);
    let mut runner = TestRunner::default();
    for round in 1..=8 {
        let set = sets.new_tree(&mut runner).unwrap().current();
        spec.parameters = set.into_values().collect();
        (spec.generation, spec.restarts) = (round, round);
        let seen = lab.put(&spec).await;
        let settled = (seen.phase, seen.generation);
        assert_eq!(settled, (Phase::Serving, round), "{}: {:?}", seen.trouble, spec.parameters);
    }
    lab.end().await;
}
