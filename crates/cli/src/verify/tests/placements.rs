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
    let facts = json!({"site": site, "zone": "z", "country": country, "city": "c"});
    world.leaf("awan:DeclareDataCentre", at("00:10:00"), "OK", &facts);
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
        ["entry 4 (oss:PutObject, 2026-11-22T02:00:00Z): sg-1 in SG, expected ID"]
    );
    assert_eq!(
        ask(&world, None).defects,
        [
            "entry 4 (oss:PutObject, 2026-11-22T02:00:00Z): sg-1 in SG, expected ID for internal data by release contract-1"
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
            "entry 4 (oss:PutObject, 2026-11-22T02:00:00Z): sg-1 in ID, but the log declared sg-1 in SG",
            "entry 5 (oss:PutObject, 2026-11-22T02:00:00Z): sub-1 in ID, a data centre that the log never declared"
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
            "entry 4 (oss:PutObject, 2026-11-22T00:59:59Z): jkt-a in ID, when no agreement was in force",
            "entry 5 (oss:PutObject) put bytes somewhere and says neither whose nor where"
        ]
    );
    // Taking away is allowed at any time.
    let mut world = self::world();
    place(&mut world, "oss:DeleteObject", at("00:59:59"), "sg-1", "SG", -1);
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
            "entry 8 (oss:PutObject, 2026-11-22T02:00:01Z): jkt-a in ID, expected SG for internal data by release amendment-1"
        ]
    );
}
