use serde_json::json;
use terms::release::Tag;

use super::world::{OCID, World, at};
use crate::verify::agreements;

/// What is wrong with the agreements in the log.
fn defects(world: &World) -> Vec<String> {
    world.ask(|_, histories, findings| agreements::check(histories, "", findings)).defects
}

/// Expects exactly one defect, which says this.
fn check(world: &World, expected: &str) {
    let defects = defects(world);
    assert_eq!(defects.len(), 1, "{defects:#?}");
    assert!(defects[0].contains(expected), "{defects:?} lacks {expected:?}");
}

fn begun() -> World {
    let mut world = World::new();
    let contract = world.release("contract-1", Tag::Contract, |_| {});
    world.publish_and_activate(&contract, at("01:00:00"));
    world
}

#[test]
fn a_whole_history_is_told() {
    let mut world = begun();
    let amendment = world.release("amendment-1", Tag::ContractAmendment, |draft| {
        draft.terms.spending_limit = Some(1_000_000);
    });
    world.publish_and_activate(&amendment, at("02:30:00"));
    let histories = |world: &World| {
        let mut findings = crate::verify::Findings::default();
        let read = crate::verify::history::Histories::read(
            &world.open(),
            &world.documents(),
            &mut findings,
        );
        assert!(findings.is_sound(), "{:?}", findings.defects);
        let periods = &read.of["1234567890123456"].periods;
        let period = |period: &crate::verify::history::Period| {
            (
                period.published.release.id().to_owned(),
                period.from.iso()[11..16].to_owned(),
                period.until.map(|until| until.iso()[11..16].to_owned()),
            )
        };
        periods.iter().map(period).collect::<Vec<_>>()
    };
    let period = |id: &str, from: &str, until: Option<&str>| {
        (id.to_owned(), from.to_owned(), until.map(str::to_owned))
    };
    // An amendment binds from the next whole hour.
    let expected =
        [period("contract-1", "01:00", Some("03:00")), period("amendment-1", "03:00", None)];
    assert_eq!(histories(&world), expected);

    let end = world.release("termination-1", Tag::ContractTermination, |draft| {
        draft.amends.as_mut().unwrap().release = "amendment-1".to_owned();
    });
    let facts = world.signed(&end, false, true);
    world.leaf("awan:EndAgreement", at("20:00:00"), "OK", &facts);
    let expected = [
        period("contract-1", "01:00", Some("03:00")),
        period("amendment-1", "03:00", Some("20:00")),
    ];
    assert_eq!(histories(&world), expected);

    let findings = world.ask(|_, histories, findings| agreements::check(histories, OCID, findings));
    assert!(findings.is_sound());
    let text = findings.checked.join("\n");
    for said in [
        "contract contract-1 in entry 1, signed by both parties",
        "contractTermination termination-1 in entry 5, signed by the tenant alone",
        "in force  1234567890123456  nothing",
    ] {
        assert!(text.contains(said), "{text}\nlacks {said}");
    }
}

#[test]
fn a_document_that_was_changed_or_is_gone() {
    let world = begun();
    let contract = world.release("contract-1", Tag::Contract, |_| {});
    let file = world.dir.path().join("documents").join(format!("{}.json", contract.digest()));
    let text = std::fs::read_to_string(&file).unwrap();
    std::fs::write(&file, text.replace("PT Awan", "PT Bwan")).unwrap();
    let found = defects(&world);
    assert!(found[0].contains("was changed: what is there has the digest"), "{found:?}");
    std::fs::remove_file(file).unwrap();
    let found = defects(&world);
    assert!(
        found[0].starts_with(&format!(
            "entry 1 (awan:PublishAgreement): document {} is not there",
            contract.digest()
        )),
        "{found:?}"
    );
}

#[test]
fn a_release_that_lacks_a_signature() {
    let mut world = World::new();
    let contract = world.release("contract-1", Tag::Contract, |_| {});
    let facts = world.signed(&contract, true, false);
    world.leaf("awan:PublishAgreement", at("01:00:00"), "OK", &facts);
    let found = defects(&world);
    assert!(
        found[0].contains("release contract-1 was published without the signature of the tenant"),
        "{found:?}"
    );
}

#[test]
fn signatures_of_another_release() {
    let mut world = World::new();
    let contract = world.release("contract-1", Tag::Contract, |_| {});
    let other = world.release("contract-2", Tag::Contract, |_| {});
    let mut facts = world.facts(&contract);
    facts["signatures"] = world.facts(&other)["signatures"].clone();
    world.leaf("awan:PublishAgreement", at("01:00:00"), "OK", &facts);
    let found = defects(&world);
    assert!(found[0].contains("the signatures under release contract-1 are refused"), "{found:?}");
}

#[test]
fn a_leaf_that_says_something_else_than_its_document() {
    let mut world = World::new();
    let contract = world.release("contract-1", Tag::Contract, |_| {});
    let mut facts = world.facts(&contract);
    facts["tenant"] = json!("0000000000000002");
    world.leaf("awan:PublishAgreement", at("01:00:00"), "OK", &facts);
    let found = defects(&world);
    assert!(
        found[0].contains(
            "the tenant is \"0000000000000002\" in the log and \"1234567890123456\" in document"
        ),
        "{found:?}"
    );
}

#[test]
fn steps_that_are_out_of_order() {
    // An amendment of nothing.
    let mut world = World::new();
    let amendment = world.release("amendment-1", Tag::ContractAmendment, |_| {});
    let facts = world.facts(&amendment);
    world.leaf("awan:PublishAgreement", at("01:00:00"), "OK", &facts);
    let found = defects(&world);
    assert!(
        found[0].contains("amends process ocds-awan00-1234567890123456-1, which has no contract"),
        "{found:?}"
    );

    // Two agreements at once.
    let mut world = begun();
    let other = world.release("contract-2", Tag::Contract, |draft| draft.ocid.push('b'));
    world.publish_and_activate(&other, at("02:00:00"));
    check(&world, "two agreements at once");

    // The same twice.
    let mut world = begun();
    let contract = world.release("contract-1", Tag::Contract, |_| {});
    let facts = world.facts(&contract);
    world.leaf("awan:ActivateAgreement", at("02:00:00"), "OK", &facts);
    check(&world, "comes into force a second time");

    // An amendment of something else than what is in force.
    let mut world = begun();
    let first = world.release("amendment-1", Tag::ContractAmendment, |_| {});
    world.publish_and_activate(&first, at("02:30:00"));
    let second = world.release("amendment-2", Tag::ContractAmendment, |_| {});
    world.publish_and_activate(&second, at("03:30:00"));
    check(&world, "release amendment-2 does not follow release amendment-1, which is in force");

    // The end of nothing.
    let mut world = begun();
    let end =
        world.release("termination-1", Tag::ContractTermination, |draft| draft.ocid.push('b'));
    let facts = world.signed(&end, true, false);
    world.leaf("awan:EndAgreement", at("20:00:00"), "OK", &facts);
    check(&world, "which is not in force");

    // The provider gives notice first.
    let mut world = begun();
    let end = world.release("termination-1", Tag::ContractTermination, |_| {});
    let facts = world.signed(&end, true, false);
    world.leaf("awan:EndAgreement", at("20:00:00"), "OK", &facts);
    check(&world, "the provider ended it without the notice of 90 days");
}

#[test]
fn a_key_that_the_provider_never_declared() {
    let mut world = World::new();
    world.declared = true;
    let declared = json!({"role": "provider", "key": world.tenant.verifier().to_string()});
    world.leaf("awan:DeclareKey", at("00:30:00"), "OK", &declared);
    let contract = world.release("contract-1", Tag::Contract, |_| {});
    world.publish_and_activate(&contract, at("01:00:00"));
    let found = defects(&world);
    assert!(
        found[0].contains("names a provider's key that the log had not declared by then"),
        "{found:?}"
    );
}

#[test]
fn who_has_no_agreement_is_said_to_have_none() {
    let found = begun()
        .ask(|_, histories, findings| agreements::check(histories, "0000000000000007", findings));
    assert_eq!(found.defects, ["the log has no agreement 0000000000000007"]);
}

#[test]
fn a_key_counts_only_from_its_declaration_on() {
    let mut world = World::new();
    world.declared = true;
    let contract = world.release("contract-1", Tag::Contract, |_| {});
    world.publish_and_activate(&contract, at("01:00:00"));
    let key = world.provider.verifier().to_string();
    world.leaf("awan:DeclareKey", at("02:00:00"), "OK", &json!({"role": "provider", "key": key}));
    let found = defects(&world);
    assert!(found[0].contains("key that the log had not declared by then"), "{found:?}");
}

#[test]
fn an_amendment_under_another_key_of_the_tenant() {
    let mut world = begun();
    let evil =
        tlog::Signer::generate(&base::SystemRng, "awan.test/log/tenant/1234567890123456").unwrap();
    let amendment = world.release("amendment-1", Tag::ContractAmendment, |draft| {
        draft.terms.keys.tenant = evil.verifier().to_string();
    });
    let facts = world.facts_by(&amendment, &[&world.provider, &evil]);
    world.leaf("awan:ActivateAgreement", at("02:30:00"), "OK", &facts);
    check(&world, "release amendment-1 names another key of the tenant than release contract-1");
    // Nor does it end an agreement.
    let mut world = begun();
    let end = world.release("termination-1", Tag::ContractTermination, |draft| {
        draft.terms.keys.tenant = evil.verifier().to_string();
    });
    let facts = world.facts_by(&end, &[&evil]);
    world.leaf("awan:EndAgreement", at("20:00:00"), "OK", &facts);
    check(&world, "release termination-1 names another key of the tenant than release contract-1");
}

#[test]
fn a_termination_does_not_shorten_its_own_notice() {
    let mut world = begun();
    let end = world.release("termination-1", Tag::ContractTermination, |draft| {
        draft.terms.exit.notice_days = 0;
    });
    let facts = world.signed(&end, true, false);
    world.leaf("awan:EndAgreement", at("20:00:00"), "OK", &facts);
    check(&world, "the provider ended it without the notice of 90 days");
}
