//! Listing against a naive oracle.

use std::collections::BTreeSet;

use oss::{InitiateOptions, Limits, ListQuery, UploadQuery};
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::{Config, TestRunner};

use crate::harness::{BUCKET, OWNER, World, check, root};

/// What a listing says, keys and prefixes in one order.
fn oracle(keys: &BTreeSet<String>, query: &ListQuery) -> (Vec<String>, bool) {
    let mut lines: Vec<String> = Vec::new();
    for key in keys {
        let Some(rest) = key.strip_prefix(&query.prefix) else { continue };
        let found = if query.delimiter.is_empty() { None } else { rest.find(&query.delimiter) };
        let line = match found {
            Some(at) => key[..query.prefix.len() + at + query.delimiter.len()].to_owned(),
            None => key.clone(),
        };
        // A prefix is shown where a key under it is behind the marker, unless it is the marker.
        if key.as_str() > query.after.as_str() && line != query.after && lines.last() != Some(&line)
        {
            lines.push(line);
        }
    }
    let more = query.limit > 0 && lines.len() > query.limit;
    lines.truncate(query.limit);
    (lines, more)
}

async fn listed(world: &World, query: &ListQuery) -> (Vec<String>, Option<String>) {
    let page = world.oss.list(&root(OWNER), BUCKET, query.clone()).await.unwrap();
    let mut lines: Vec<String> = page.objects.into_iter().map(|object| object.key).collect();
    lines.extend(page.prefixes);
    lines.sort();
    (lines, page.next)
}

fn keys() -> impl Strategy<Value = BTreeSet<String>> {
    // Few letters, so that prefixes are shared; one of several bytes; one that has no successor.
    let key = proptest::collection::vec(
        prop_oneof![Just("a"), Just("b"), Just("/"), Just("é"), Just("\u{10ffff}")],
        1..7,
    );
    proptest::collection::btree_set(key.prop_map(|letters| letters.concat()), 0..60)
}

fn query() -> impl Strategy<Value = ListQuery> {
    let text = || {
        prop_oneof![
            Just(""),
            Just("a"),
            Just("a/"),
            Just("/"),
            Just("b/a"),
            Just("\u{10ffff}"),
            Just("ab")
        ]
    };
    let delimiter = prop_oneof![Just(""), Just("/"), Just("a/"), Just("é")];
    (text(), delimiter, text(), 0usize..9).prop_map(|(prefix, delimiter, after, limit)| ListQuery {
        prefix: prefix.to_owned(),
        delimiter: delimiter.to_owned(),
        after: after.to_owned(),
        limit,
    })
}

#[test]
fn a_listing_is_what_the_oracle_says_and_its_pages_are_the_whole() {
    check(Limits::default(), |world| async move {
        let mut runner =
            TestRunner::new(Config { cases: 24, failure_persistence: None, ..Config::default() });
        let strategy = (keys(), proptest::collection::vec(query(), 12));
        for _ in 0..24 {
            let (keys, queries) = strategy.new_tree(&mut runner).unwrap().current();
            for key in &keys {
                world.put(key, b"").await;
            }
            for query in queries {
                compare(&world, &keys, query).await;
            }
            let keys = keys
                .into_iter()
                .map(|key| oss::DeleteKey { key, ..oss::DeleteKey::default() })
                .collect::<Vec<_>>();
            if !keys.is_empty() {
                world.oss.delete_many(&root(OWNER), BUCKET, keys).await.unwrap();
            }
        }
    });
}

async fn compare(world: &World, keys: &BTreeSet<String>, mut query: ListQuery) {
    let (lines, next) = listed(world, &query).await;
    let expected = oracle(keys, &query);
    assert_eq!((lines, next.is_some()), expected, "{query:?} of {keys:?}");
    // All pages from the start, each going on where the last ended.
    query.after.clear();
    query.limit += 1;
    let whole = oracle(keys, &ListQuery { limit: usize::MAX, ..query.clone() }).0;
    let mut paged = Vec::new();
    loop {
        let (lines, next) = listed(world, &query).await;
        paged.extend(lines);
        match next {
            Some(next) => query.after = next,
            None => break,
        }
    }
    assert_eq!(paged, whole, "{query:?} of {keys:?}");
}

#[test]
fn a_prefix_with_many_keys_under_it_is_one_line() {
    check(Limits::default(), |world| async move {
        for at in 0..200 {
            world.put(&format!("many/{at:03}"), b"").await;
        }
        world.put("after", b"").await;
        world.put("zebra", b"").await;
        let query = ListQuery { delimiter: "/".to_owned(), limit: 1000, ..ListQuery::default() };
        assert_eq!(
            listed(&world, &query).await,
            (vec!["after".to_owned(), "many/".to_owned(), "zebra".to_owned()], None)
        );
        let first = ListQuery { limit: 2, ..query };
        assert_eq!(listed(&world, &first).await.1, Some("many/".to_owned()));
        let rest = ListQuery { after: "many/".to_owned(), ..first };
        assert_eq!(listed(&world, &rest).await, (vec!["zebra".to_owned()], None));
    });
}

#[test]
fn pages_of_one_line_go_through_a_big_prefix_in_one_step() {
    check(Limits::default(), |world| async move {
        let owner = root(OWNER);
        let many = (0..60).map(|at| format!("many/{at:03}"));
        let keys: Vec<String> = many.chain(["after", "zebra"].map(str::to_owned)).collect();
        for key in &keys {
            world.put(key, b"").await;
            world.oss.initiate(&owner, BUCKET, key, InitiateOptions::default()).await.unwrap();
        }
        let delimiter = "/".to_owned();
        let mut query = ListQuery { delimiter, limit: 1, ..ListQuery::default() };
        let mut uploads =
            UploadQuery { delimiter: query.delimiter.clone(), limit: 1, ..UploadQuery::default() };
        for (line, more) in [("after", true), ("many/", true), ("zebra", false)] {
            let (lines, next) = listed(&world, &query).await;
            assert_eq!((lines, next.is_some()), (vec![line.to_owned()], more));
            query.after = next.unwrap_or_default();
            let page = world.oss.list_uploads(&owner, BUCKET, uploads.clone()).await.unwrap();
            let keys = page.uploads.into_iter().map(|upload| upload.key);
            let lines: Vec<String> = keys.chain(page.prefixes).collect();
            assert_eq!((lines, page.next.is_some()), (vec![line.to_owned()], more));
            (uploads.after_key, uploads.after_upload) = page.next.unwrap_or_default();
        }
    });
}
