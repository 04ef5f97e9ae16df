use base::Time;
use serde_json::json;
use terms::release::Tag;

use super::world::{World, at};
use crate::verify::{Findings, placements};

const TENANT: &str = "1234567890123456";

fn ask(world: &World, country: Option<&str>) -> Findings {
    world.ask(|log, histories, findings| {
        placements::check(log, histories, TENANT, country, findings)
    })
}

fn declare(world: &mut World, site: &str, country: &str) {
    declare_at(world, at("00:10:00"), site, country);
}

fn declare_at(world: &mut World, when: Time, site: &str, country: &str) {
    let zone = format!("z-{site}");
    let facts = json!({"site": site, "zone": zone, "country": country, "city": "c", "permit_until": "2026-11-22"});
    world.leaf("awan:DeclareDataCentre", when, "OK", &facts);
}

fn state(world: &mut World, action: &str, placed: &serde_json::Value) {
    let facts = json!({"tenant": TENANT, "class": "internal", "placed": placed});
    world.leaf(action, at("02:00:00"), "OK", &facts);
}

fn place(world: &mut World, action: &str, when: Time, site: &str, country: &str, objects: i64) {
    let placed = json!([{"site": site, "country": country, "objects": objects}]);
    let facts = json!({"tenant": TENANT, "class": "internal", "placed": placed});
    world.leaf(action, when, "OK", &facts);
}

/// A tenant whose data may be in Indonesia, from one o'clock on.
fn world() -> World {
    let mut world = World::new();
    declare(&mut world, "jkt-a", "ID");
    declare(&mut world, "sg-1", "SG");
    let contract = world.release("contract-1", Tag::Contract, |_| {});
    world.publish_and_activate(&contract, at("01:00:00"));
    world
}

#[test]
fn objects_are_counted_by_place_and_refusals_by_what_was_wanted() {
    let mut world = world();
    place(&mut world, "oss:PutObject", at("01:00:00"), "jkt-a", "ID", 1);
    place(&mut world, "oss:PutObject", at("02:00:00"), "jkt-a", "ID", 1);
    place(&mut world, "oss:PutObject", at("02:00:01"), "jkt-a", "ID", 0);
    place(&mut world, "oss:DeleteObject", at("03:00:00"), "jkt-a", "ID", -1);
    let wanted = json!({"tenant": TENANT, "class": "internal", "wanted": [{"site": "sg-1", "country": "SG"}]});
    world.leaf("oss:PutBucket", at("03:00:00"), "Forbidden.Residency", &wanted);
    for country in [None, Some("ID")] {
        let findings = ask(&world, country);
        assert!(findings.is_sound(), "{:?}", findings.defects);
        assert_eq!(
            findings.checked,
            [
                "place     ID  jkt-a  1 objects now, after 3 placements",
                "refused   1 times Forbidden.Residency: sg-1 in SG"
            ]
        );
        assert!(
            findings.proven[0].starts_with("all 3 placements of 1234567890123456 lie "),
            "{findings:?}"
        );
    }
}

#[test]
fn a_placement_abroad_is_named_with_its_entry() {
    let mut world = world();
    place(&mut world, "oss:PutObject", at("02:00:00"), "sg-1", "SG", 1);
    assert_eq!(
        ask(&world, Some("ID")).defects,
        [
            "entry 5 (oss:PutObject, 2026-11-22T02:00:00Z): sg-1 in SG, expected ID",
            "at the log's end sg-1 is in SG, and holds 1 objects of class \"internal\": expected ID"
        ]
    );
    assert_eq!(
        ask(&world, None).defects,
        [
            "entry 5 (oss:PutObject, 2026-11-22T02:00:00Z): sg-1 in SG, expected ID for internal data by release contract-1",
            "at the log's end sg-1 is in SG, and holds 1 objects of class \"internal\": expected ID for internal data by release contract-1"
        ]
    );
    assert!(ask(&world, Some("SG")).is_sound());
}

#[test]
fn a_place_that_the_log_declared_elsewhere_or_never() {
    let mut world = world();
    place(&mut world, "oss:PutObject", at("02:00:00"), "sg-1", "ID", 1);
    place(&mut world, "oss:PutObject", at("02:00:00"), "sub-1", "ID", 1);
    assert_eq!(
        ask(&world, Some("ID")).defects,
        [
            "entry 5 (oss:PutObject, 2026-11-22T02:00:00Z): sg-1 in ID, but the log declared sg-1 in SG",
            "entry 6 (oss:PutObject, 2026-11-22T02:00:00Z): sub-1 in ID, a data centre that the log never declared",
            "at the log's end sg-1 is in SG, and holds 1 objects of class \"internal\": expected ID",
            "at the log's end sub-1 is in ID, and holds 1 objects of class \"internal\": the log declares it nowhere"
        ]
    );
}

#[test]
fn a_placement_outside_the_term_and_one_that_says_no_place() {
    let mut world = world();
    place(&mut world, "oss:PutObject", at("00:59:59"), "jkt-a", "ID", 1);
    world.leaf("oss:PutObject", at("02:00:00"), "OK", &json!({}));
    assert_eq!(
        ask(&world, None).defects,
        [
            "the log as a whole: 1 entries put bytes somewhere and say neither whose nor where; the first is entry 6 (oss:PutObject)",
            "entry 5 (oss:PutObject, 2026-11-22T00:59:59Z): jkt-a in ID, when no agreement was in force",
        ]
    );
    // Taking away is allowed at any time.
    let mut world = self::world();
    place(&mut world, "oss:PutObject", at("02:00:00"), "jkt-a", "ID", 1);
    place(&mut world, "oss:DeleteObject", at("00:59:59"), "jkt-a", "ID", -1);
    assert!(ask(&world, None).is_sound());
}

#[test]
fn the_rule_is_the_one_in_force_at_that_moment() {
    let mut world = world();
    place(&mut world, "oss:PutObject", at("01:30:00"), "jkt-a", "ID", 1);
    let amendment = world.release("amendment-1", Tag::ContractAmendment, |draft| {
        for rule in &mut draft.terms.residency.rules {
            rule.countries = vec!["SG".to_owned()];
        }
    });
    world.publish_and_activate(&amendment, at("01:40:00"));
    place(&mut world, "oss:PutObject", at("01:59:59"), "jkt-a", "ID", 1);
    place(&mut world, "oss:PutObject", at("02:00:01"), "jkt-a", "ID", 1);
    place(&mut world, "oss:PutObject", at("02:00:01"), "sg-1", "SG", 1);
    assert_eq!(
        ask(&world, None).defects,
        [
            "entry 9 (oss:PutObject, 2026-11-22T02:00:01Z): jkt-a in ID, expected SG for internal data by release amendment-1",
            "at the log's end jkt-a is in ID, and holds 3 objects of class \"internal\": expected SG for internal data by release amendment-1"
        ]
    );
}

/// Expects these defects, in this order, each of which says at least this.
fn refused(world: &World, country: Option<&str>, expected: &[&str]) {
    let defects = ask(world, country).defects;
    assert_eq!(defects.len(), expected.len(), "{defects:#?}");
    for (defect, expected) in defects.iter().zip(expected) {
        assert!(defect.contains(expected), "{defect:?} lacks {expected:?}");
    }
}

#[test]
fn numbers_are_judged_and_not_the_actions_name() {
    let at_sea = |change: serde_json::Value| {
        let mut placed = json!({"site": "sg-1", "country": "SG"});
        for (name, value) in change.as_object().unwrap() {
            placed[name] = value.clone();
        }
        json!([placed])
    };
    let end = "at the log's end sg-1 is in SG";
    for (action, change, more) in [
        ("oss:PutObject", json!({"objects": 1, "parts": -1}), vec![end, "more was removed"]),
        ("oss:DeleteObject", json!({"objects": 7}), vec![end]),
        ("oss:DeleteObject", json!({}), vec![]),
        ("oss:PutObject", json!({"objects": 0, "parts": -2}), vec!["more was removed"]),
        ("oss:Replicate", json!({"parts": 1}), vec![end]),
        (
            "rds:CreateDBInstance",
            json!({"instances": 2}),
            vec!["is in SG, and holds 0 objects, 2 databases of class"],
        ),
        ("rds:Task", json!({"instances": 1}), vec![end]),
    ] {
        let mut world = world();
        state(&mut world, action, &at_sea(change));
        let judged = format!("entry 5 ({action}, 2026-11-22T02:00:00Z): sg-1 in SG, expected ID");
        let mut expected = vec![judged.as_str()];
        expected.extend(more);
        refused(&world, None, &expected);
        refused(&world, Some("ID"), &expected);
    }
    // What was never there cannot be taken away.
    let mut world = world();
    state(&mut world, "oss:Replicate", &at_sea(json!({"objects": -1})));
    refused(&world, None, &["at the log's end sg-1 holds -1 objects: more was removed"]);
}

#[test]
fn whoever_puts_bytes_says_where() {
    let mut world = world();
    state(&mut world, "oss:PutObject", &json!([]));
    let silent = json!({"tenant": TENANT, "class": "internal"});
    world.leaf("oss:CompleteMultipartUpload", at("02:00:00"), "OK", &silent);
    world.leaf("oss:PutBucket", at("02:00:00"), "OK", &silent);
    let expected = [
        "entry 5 (oss:PutObject) put bytes somewhere and does not say where",
        "entry 6 (oss:CompleteMultipartUpload) put bytes somewhere and does not say where",
        "entry 7 (oss:PutBucket) made a bucket and does not say where",
    ];
    refused(&world, None, &expected);
    refused(&world, Some("ID"), &expected);
    // Whose nobody says is wrong in the log and told once; what is silent of one tenant is not another's.
    world.leaf("oss:PutObject", at("02:00:00"), "OK", &json!({}));
    world.leaf("oss:UploadPart", at("02:00:00"), "OK", &json!({}));
    let other = world.ask(|log, histories, findings| {
        placements::check(log, histories, "0000000000000007", Some("ID"), findings);
    });
    assert_eq!(
        other.defects,
        [
            "the log as a whole: 2 entries put bytes somewhere and say neither whose nor where; the first is entry 8 (oss:PutObject)"
        ]
    );
}

#[test]
fn copies_are_in_as_many_zones_as_the_agreement_demands_and_permits_hold() {
    let mut world = World::new();
    for site in ["jkt-a", "sby-a"] {
        declare(&mut world, site, "ID");
    }
    // A second house in the same zone.
    let twin = json!({"site": "jkt-b", "zone": "z-jkt-a", "country": "ID", "city": "c"});
    world.leaf("awan:DeclareDataCentre", at("00:10:00"), "OK", &twin);
    let contract = world.release("contract-1", Tag::Contract, |draft| {
        draft.terms.residency.rules.iter_mut().for_each(|rule| rule.zones_min = 2);
    });
    world.publish_and_activate(&contract, at("01:00:00"));
    let one = |site: &str| json!({"site": site, "country": "ID", "objects": 1});
    state(&mut world, "oss:PutObject", &json!([one("jkt-a"), one("sby-a")]));
    assert!(ask(&world, None).is_sound(), "{:?}", ask(&world, None));
    state(&mut world, "oss:PutObject", &json!([one("jkt-a"), one("jkt-b")]));
    let zones = "1 zones, expected 2 for internal data by release contract-1";
    refused(&world, None, &[zones]);
    let facts =
        json!({"tenant": TENANT, "class": "internal", "placed": [one("jkt-a"), one("sby-a")]});
    let tomorrow = Time::parse_iso("2026-11-23T00:00:00Z").unwrap();
    world.leaf("oss:PutObject", tomorrow, "OK", &facts);
    let lapsed = "whose permit had run out on 2026-11-22";
    refused(&world, None, &[zones, lapsed, lapsed]);
    refused(&world, Some("ID"), &[lapsed, lapsed]);
}

#[test]
fn data_that_moves_abroad_with_its_data_centre() {
    let mut world = world();
    place(&mut world, "oss:PutObject", at("02:00:00"), "jkt-a", "ID", 2);
    declare_at(&mut world, at("03:00:00"), "jkt-a", "SG");
    let moved = "entry 6 (awan:DeclareDataCentre, 2026-11-22T03:00:00Z): jkt-a is now in SG, which was in ID, and holds 2 objects of class \"internal\": expected ID";
    let end = "at the log's end jkt-a is in SG, and holds 2 objects";
    refused(&world, None, &[moved, end]);
    refused(&world, Some("ID"), &[moved, end]);
    // Back home, and nothing is abroad at the end; and what is taken away is not there to move.
    declare_at(&mut world, at("04:00:00"), "jkt-a", "ID");
    refused(&world, None, &[moved]);
    place(&mut world, "oss:DeleteObject", at("05:00:00"), "jkt-a", "ID", -2);
    declare_at(&mut world, at("06:00:00"), "jkt-a", "SG");
    refused(&world, None, &[moved]);

    let mut world = self::world();
    place(&mut world, "oss:PutObject", at("02:00:00"), "jkt-a", "ID", 2);
    world.leaf("awan:RemoveDataCentre", at("03:00:00"), "OK", &json!({"site": "jkt-a"}));
    let removed = "entry 6 (awan:RemoveDataCentre, 2026-11-22T03:00:00Z): jkt-a is removed, and holds 2 objects of class \"internal\": the log declares it nowhere";
    refused(&world, None, &[removed, "at the log's end jkt-a is in ID, and holds 2 objects"]);
}
