//! From the template to the end.

use std::time::Duration;

use base::Time;
use engine::Caller;
use serde_json::{Value, json};
use terms::clauses::Text;
use terms::release::Tag;
use terms::{Release, redact, signature};
use testkit::{root, user};

use crate::harness::{
    BAWASLU, KPU, OPERATOR, World, named, operator, signer, tenant_signer, text, world,
};

const DAY: u64 = 86_400;

fn iso(text: &str) -> Time {
    Time::parse_iso(text).unwrap()
}

#[tokio::test]
async fn an_agreement_goes_from_the_template_to_service_and_stands_in_the_log() {
    let world = world().await;
    let key = tenant_signer(KPU).verifier().to_string();
    let template = [
        ("AccountId", "2"),
        ("TenantName", "Komisi Pemilihan Umum"),
        ("TenantKey", &key),
        ("TenantIdScheme", "ID-NPWP"),
        ("TenantId", "00.1"),
        ("Title", "Sirekap"),
    ];
    let made = world.ok(&root(KPU), "DescribeAgreementTemplate", &template).await;
    let document = made["Document"].as_str().unwrap();
    let release = Release::parse(document.as_bytes()).unwrap();
    assert_eq!(
        (release.tenant().scheme.as_str(), release.title().id.as_str()),
        ("ID-NPWP", "Sirekap")
    );
    let params = [("AccountId", "2"), ("Document", document)];
    let drafted = world.ok(&root(KPU), "CreateAgreement", &params).await;
    assert_eq!(drafted["Digest"], release.digest());
    assert_eq!(drafted["Statement"], signature::statement(&release));
    assert_eq!(world.ok(&operator(), "CreateAgreement", &params).await, drafted, "a repeat");

    assert_eq!(world.activate(&release).await.unwrap_err().code(), "OperationConflict.Agreement");
    let signed = world.sign(&operator(), &release, &world.provider).await.unwrap();
    assert_eq!(signed, json!({ "Provider": true, "Tenant": false, "State": "Draft" }));
    let early = world.refused(&operator(), "PublishAgreement", &named(&release)).await;
    assert_eq!(early, "OperationConflict.Agreement");
    let signed = world.sign(&root(KPU), &release, &tenant_signer(KPU)).await.unwrap();
    assert_eq!(signed, json!({ "Provider": true, "Tenant": true, "State": "Signed" }));
    assert_eq!(
        world.refused(&root(BAWASLU), "GetAgreementRelease", &named(&release)).await,
        "EntityNotExist.Agreement"
    );

    world.ok(&root(KPU), "PublishAgreement", &named(&release)).await;
    assert_eq!(world.may(KPU, "oss", "PutBucket").await, "Forbidden.NoAgreement");
    let seen = world.ok(&root(BAWASLU), "GetAgreementRelease", &named(&release)).await;
    assert_eq!((&seen["State"], &seen["Document"]), (&json!("Published"), &json!(document)));
    let active = world.activate(&release).await.unwrap();
    assert_eq!(active, json!({ "State": "Active", "ActiveSince": world.now().iso() }));
    assert_eq!(world.may(KPU, "oss", "PutBucket").await, "OK");
    assert_eq!(world.may(BAWASLU, "oss", "PutBucket").await, "Forbidden.NoAgreement");

    let told = world.ok(&root(KPU), "GetAgreement", &[]).await;
    let expected = json!({
        "AccountId": "0000000000000002", "Ocid": release.ocid(), "ReleaseId": "1", "Digest": release.digest(),
        "State": "Active", "ActiveSince": world.now().iso(), "Services": ["*"]
    });
    assert_eq!(told["Agreement"], expected);
    let published = world.facts("PublishAgreement").await;
    let activated = world.facts("ActivateAgreement").await;
    let [(refused, nothing), (done, facts)] = published.as_slice() else { panic!("{published:?}") };
    assert_eq!((refused.as_str(), nothing), ("OperationConflict.Agreement", &Value::Null));
    assert_eq!((done.as_str(), facts), ("OK", &activated.last().unwrap().1));
    assert_eq!(world.document(&facts["document"]).await.unwrap(), release.bytes());
    assert_eq!(facts["release"], "1");
}

#[tokio::test]
async fn each_party_puts_in_its_own_signature_under_what_it_names() {
    let world = world().await;
    let release = world.take_in(&world.draft(KPU)).await;
    let wrong = "InvalidParameter.SignatureLine";
    let by = |caller: Caller, key: &'static str| {
        let (release, world) = (&release, &world);
        async move {
            let key = if key == "tenant" {
                tenant_signer(KPU)
            } else {
                signer("test.local/log/provider")
            };
            world.sign(&caller, release, &key).await.map_err(|error| error.code().to_owned())
        }
    };
    assert_eq!(
        by(operator(), "tenant").await.unwrap_err(),
        wrong,
        "the operator has no tenant's key"
    );
    assert_eq!(by(root(KPU), "provider").await.unwrap_err(), wrong);
    assert_eq!(by(root(BAWASLU), "tenant").await.unwrap_err(), "EntityNotExist.Agreement");
    assert_eq!(by(user(KPU, "ani"), "tenant").await.unwrap_err(), "NoPermission");
    let other = world.take_in(&world.draft(BAWASLU)).await;
    let elsewhere = signature::sign(&other, &tenant_signer(BAWASLU)).unwrap();
    for line in [elsewhere.as_str(), "", "— x y", "— test.local/log/provider AAAA"] {
        let [ocid, id] = named(&release);
        let params = [ocid, id, ("SignatureLine", line)];
        assert_eq!(world.refused(&root(KPU), "SignAgreement", &params).await, wrong, "{line}");
    }
    by(root(KPU), "tenant").await.unwrap();
    by(operator(), "provider").await.unwrap();
    world.activate(&release).await.unwrap();
    assert_eq!(by(root(KPU), "tenant").await.unwrap_err(), "OperationConflict.Agreement");
    let again = world.activate(&release).await.unwrap_err();
    assert_eq!(again.code(), "OperationConflict.Agreement");
}

#[tokio::test]
async fn a_document_must_be_between_this_provider_and_that_account() {
    let world = world().await;
    let create = async |account: &str, document: &str| {
        let params = [("AccountId", account), ("Document", document)];
        world.refused(&operator(), "CreateAgreement", &params).await
    };
    let built = |draft| text(&Release::build(&draft).unwrap());
    let wrong = "InvalidParameter.Document";
    assert_eq!(create("3", &built(world.draft(KPU))).await, wrong, "another account's");
    assert_eq!(create("2", "{}").await, wrong);
    let mut draft = world.draft(KPU);
    draft.terms.keys.provider = tenant_signer(KPU).verifier().to_string();
    assert!(Release::build(&draft).is_err(), "a key of another name makes no release");
    draft = world.draft(KPU);
    let impostor = tlog::Signer::from_seed("test.local/log/provider", base::Secret::new([9; 32]));
    draft.terms.keys.provider = impostor.unwrap().verifier().to_string();
    assert_eq!(create("2", &built(draft)).await, wrong, "another provider's key");
    draft = world.draft(KPU);
    let fork = tlog::Signer::from_seed("test.local/log", base::Secret::new([9; 32])).unwrap();
    draft.terms.log.key = fork.verifier().to_string();
    assert_eq!(create("2", &built(draft)).await, wrong, "another log");
    let amendment = world.following(KPU, Tag::ContractAmendment, "2", "1");
    assert_eq!(create("2", &built(amendment)).await, wrong, "not a first release");

    let params = [("AccountId", "2"), ("Document", &built(world.draft(KPU)))]
        .map(|(a, b)| (a, b.to_owned()));
    let params: Vec<_> = params.iter().map(|(a, b)| (*a, b.as_str())).collect();
    assert_eq!(
        world.refused(&root(BAWASLU), "CreateAgreement", &params).await,
        "EntityNotExist.Agreement"
    );
    world.take_in(&world.draft(KPU)).await;
    let mut same_name = world.draft(KPU);
    same_name.terms.spending_limit = Some(1);
    assert_eq!(create("2", &built(same_name)).await, "EntityAlreadyExists.Agreement");
    let (kpu, bawaslu) = ("0000000000000002", "0000000000000003");
    for process in
        [kpu, &format!("{bawaslu}-"), &format!("{bawaslu}-a"), &format!("{bawaslu}1"), "3"]
    {
        let mut other = world.draft(BAWASLU);
        other.ocid = format!("ocds-test00-{process}");
        assert_eq!(create("3", &built(other)).await, wrong, "{process}");
    }
    let mut again = world.draft(KPU);
    again.id = "9".to_owned();
    assert_eq!(create("2", &built(again)).await, "EntityAlreadyExists.Agreement");
}

/// What binds KPU at a moment, as the release's id.
async fn bound(world: &World, at: &str) -> Option<String> {
    world.in_force(KPU, iso(at)).await.map(|it| it.release.clone())
}

#[tokio::test]
async fn an_amendment_binds_from_the_next_whole_hour_and_the_past_stays_known() {
    let world = world().await;
    assert_eq!(world.now().iso(), "2026-01-02T03:04:05Z");
    let first = world.agree(&world.draft(KPU)).await;
    world.pass(60);
    let mut draft = world.following(KPU, Tag::ContractAmendment, "2", "1");
    draft.terms.services = vec!["ram".to_owned()];
    let second = world.agree(&draft).await;
    assert_eq!(world.may(KPU, "oss", "PutObject").await, "OK", "until the hour is over");
    assert_eq!(world.state(&first).await, "Active");
    assert_eq!(bound(&world, "2026-01-02T03:59:59.999Z").await.as_deref(), Some("1"));
    let next = world.in_force(KPU, iso("2026-01-02T04:00:00Z")).await.unwrap();
    assert_eq!(
        (next.release.as_str(), next.from.iso(), next.until),
        ("2", "2026-01-02T04:00:00Z".to_owned(), None)
    );
    assert_eq!(next.digest, second.digest());

    world.pass(3600);
    assert_eq!(world.may(KPU, "oss", "PutObject").await, "Forbidden.ServiceNotGranted");
    assert_eq!(world.may(KPU, "ram", "CreateUser").await, "OK");
    assert_eq!(
        (world.state(&first).await, world.state(&second).await),
        (json!("Superseded"), json!("Active"))
    );
    assert_eq!(bound(&world, "2026-01-02T03:30:00Z").await.as_deref(), Some("1"));
    assert_eq!(bound(&world, "2026-01-02T03:04:04Z").await, None, "before there was any");
    let past = world.in_force(KPU, iso("2026-01-02T03:30:00Z")).await.unwrap();
    assert_eq!(past.until.unwrap().iso(), "2026-01-02T04:00:00Z");
}

#[tokio::test]
async fn an_amendment_of_the_future_waits_and_another_before_it_takes_its_place() {
    let world = world().await;
    world.agree(&world.draft(KPU)).await;
    let mut later = world.following(KPU, Tag::ContractAmendment, "2", "1");
    later.start = iso("2026-02-01T00:30:00Z");
    let waiting = world.agree(&later).await;
    assert_eq!(bound(&world, "2026-02-01T00:59:59Z").await.as_deref(), Some("1"));
    assert_eq!(bound(&world, "2026-02-01T01:00:00Z").await.as_deref(), Some("2"));
    // What it amends is the last that was agreed, not the one that happens to bind.
    let stale = Release::build(&world.following(KPU, Tag::ContractAmendment, "3", "1")).unwrap();
    let params =
        [("Ocid", stale.ocid()), ("Document", &text(&stale))].map(|(a, b)| (a, b.to_owned()));
    let params: Vec<_> = params.iter().map(|(a, b)| (*a, b.as_str())).collect();
    assert_eq!(
        world.refused(&operator(), "AmendAgreement", &params).await,
        "InvalidParameter.Document"
    );
    world.agree(&world.following(KPU, Tag::ContractAmendment, "3", "2")).await;
    assert_eq!(world.state(&waiting).await, "Superseded", "it never bound anybody");
    assert_eq!(bound(&world, "2026-02-01T01:00:00Z").await.as_deref(), Some("3"));
    assert_eq!(bound(&world, "2026-01-02T03:30:00Z").await.as_deref(), Some("1"));
}

#[tokio::test]
async fn the_currency_lasts_as_long_as_the_agreement() {
    let world = world().await;
    world.agree(&world.draft(KPU)).await;
    let mut draft = world.following(KPU, Tag::ContractAmendment, "2", "1");
    draft.terms.price_book.currency = "USD".to_owned();
    let release = Release::build(&draft).unwrap();
    let document = text(&release);
    let params = [("Ocid", release.ocid()), ("Document", document.as_str())];
    let refused = world.refused(&operator(), "AmendAgreement", &params).await;
    assert_eq!(refused, "InvalidParameter.Document");
}

#[tokio::test]
async fn a_tenants_key_lasts_as_long_as_its_agreement() {
    let world = world().await;
    world.agree(&world.draft(KPU)).await;
    let mut draft = world.following(KPU, Tag::ContractAmendment, "2", "1");
    let name = "test.local/log/tenant/0000000000000002";
    let stolen = tlog::Signer::from_seed(name, base::Secret::new([9; 32])).unwrap();
    draft.terms.keys.tenant = stolen.verifier().to_string();
    let release = Release::build(&draft).unwrap();
    let document = text(&release);
    let params = [("Ocid", release.ocid()), ("Document", document.as_str())];
    for caller in [operator(), root(KPU)] {
        assert_eq!(
            world.refused(&caller, "AmendAgreement", &params).await,
            "InvalidParameter.Document"
        );
    }
    assert_eq!(
        world.refused(&root(BAWASLU), "AmendAgreement", &params).await,
        "EntityNotExist.Agreement"
    );
}

#[tokio::test]
async fn one_agreement_of_an_account_is_in_force_at_a_time_and_only_the_operator_puts_it_there() {
    let world = world().await;
    let first = world.agree(&world.draft(KPU)).await;
    let mut draft = world.draft(KPU);
    draft.ocid.push_str("-2");
    let second = world.take_in(&draft).await;
    world.sign_both(&second).await;
    assert_eq!(
        world.refused(&root(KPU), "ActivateAgreement", &named(&second)).await,
        "NoPermission"
    );
    assert_eq!(world.activate(&second).await.unwrap_err().code(), "OperationConflict.Agreement");
    let mut end = world.following(KPU, Tag::ContractTermination, "2", "1");
    end.end = Some(world.now().plus(std::time::Duration::from_secs(1)));
    world.end(&root(KPU), &end, &tenant_signer(KPU)).await.unwrap();
    world.pass(2);
    assert_eq!(world.state(&first).await, "Ended");
    assert_eq!(
        world.activate(&second).await.unwrap_err().code(),
        "OperationConflict.StaleSignature",
        "what was signed while the first lasted is no offer any more"
    );
    world.sign(&operator(), &second, &world.provider).await.unwrap();
    assert_eq!(
        world.activate(&second).await.unwrap_err().code(),
        "OperationConflict.StaleSignature",
        "both sign again"
    );
    world.sign_both(&second).await;
    // The hour in which the first ended has its price book.
    world.activate(&second).await.unwrap();
    assert_eq!(world.may(KPU, "oss", "PutObject").await, "Forbidden.AgreementEnded");
    assert_eq!(bound(&world, "2026-01-02T04:00:00Z").await.as_deref(), Some("1"));
    let told = world.in_force(KPU, iso("2026-01-02T04:00:00Z")).await.unwrap();
    assert_eq!(told.ocid, second.ocid());
}

#[tokio::test]
async fn a_term_that_is_over_refuses_and_a_release_whose_term_is_over_never_binds() {
    let world = world().await;
    let mut draft = world.draft(KPU);
    draft.end = Some(world.now().plus(std::time::Duration::from_secs(DAY)));
    let first = world.agree(&draft).await;
    draft.ocid.push_str("-2");
    let late = world.take_in(&draft).await;
    world.sign_both(&late).await;
    world.pass(DAY - 1);
    assert_eq!(world.may(KPU, "oss", "PutObject").await, "OK");
    world.pass(1);
    assert_eq!(world.may(KPU, "oss", "PutObject").await, "Forbidden.AgreementEnded");
    assert_eq!(world.may(KPU, "awan", "GetAgreement").await, "OK");
    assert_eq!(world.state(&first).await, "Ended");
    let told = world.ok(&root(KPU), "GetAgreement", &[]).await;
    assert_eq!(told["Agreement"]["State"], "Ended");
    world.sign_both(&late).await;
    assert_eq!(world.activate(&late).await.unwrap_err().code(), "Forbidden.AgreementEnded");
}

/// The default clauses keep the data for thirty days after the end: until then it is taken out, and
/// nothing is begun.
async fn taken_out_for_thirty_days(world: &World) {
    for (product, action, answer) in [
        ("oss", "GetObject", "OK"),
        ("oss", "ListObjects", "OK"),
        ("oss", "DeleteObject", "OK"),
        ("oss", "PutObject", "Forbidden.AgreementEnded"),
        ("oss", "PutBucket", "Forbidden.AgreementEnded"),
    ] {
        assert_eq!(world.may(KPU, product, action).await, answer, "{action}");
    }
    let ended = world.now();
    let last = ended.plus(Duration::from_secs(30 * 86_400));
    for (at, answer) in
        [(last.minus(Duration::from_secs(1)), "OK"), (last, "Forbidden.AgreementEnded")]
    {
        assert_eq!(world.may_at(KPU, "oss", "GetObject", at).await, answer);
    }
}

#[tokio::test]
async fn the_provider_ends_with_notice_and_the_tenant_at_once() {
    let world = world().await;
    world.agree(&world.draft(KPU)).await;
    let after = |seconds: u64| Some(world.now().plus(std::time::Duration::from_secs(seconds)));
    let mut end = world.following(KPU, Tag::ContractTermination, "2", "1");
    end.end = after(89 * DAY);
    let early = world.end(&operator(), &end, &world.provider).await.unwrap_err();
    assert_eq!(early.code(), "Forbidden.NoticePeriod");
    assert!(early.text().contains("90 days"), "{early}");
    end.end = after(90 * DAY);
    let ended = world.end(&operator(), &end, &world.provider).await.unwrap();
    assert_eq!(ended["Until"], after(90 * DAY).unwrap().iso());
    let told = world.ok(&root(KPU), "GetAgreement", &[]).await["Agreement"].clone();
    assert_eq!((&told["State"], &told["Until"]), (&json!("Active"), &ended["Until"]));

    end.id = "3".to_owned();
    end.end = after(1);
    let stranger = world.end(&root(BAWASLU), &end, &tenant_signer(KPU)).await.unwrap_err();
    assert_eq!(stranger.code(), "EntityNotExist.Agreement");
    let forged = world.end(&operator(), &end, &tenant_signer(KPU)).await.unwrap_err();
    assert_eq!(
        forged.code(),
        "InvalidParameter.SignatureLine",
        "the provider cannot end as the tenant"
    );
    world.pass(5);
    let ended = world.end(&root(KPU), &end, &tenant_signer(KPU)).await.unwrap();
    assert_eq!(ended["Until"], world.now().iso(), "what lies behind is now");
    taken_out_for_thirty_days(&world).await;
    let facts = world.facts("EndAgreement").await;
    let (outcome, facts) = facts.last().unwrap();
    assert_eq!((outcome.as_str(), &facts["tag"]), ("OK", &json!("contractTermination")));
    let document = world.document(&facts["document"]).await.unwrap();
    let note = world.document(&facts["signatures"]).await.unwrap();
    let signed = signature::verify(&Release::parse(&document).unwrap(), &note).unwrap();
    assert!(signed.tenant && !signed.provider);
    end.id = "4".to_owned();
    end.end = after(9);
    let over = world.end(&root(KPU), &end, &tenant_signer(KPU)).await.unwrap_err();
    assert_eq!(over.code(), "OperationConflict.Agreement");
}

#[tokio::test]
async fn what_is_withheld_is_opened_to_the_parties_only() {
    let world = world().await;
    let mut draft = world.draft(KPU);
    draft.tenant.contact = Some("Ani".to_owned());
    let mut document = Release::build(&draft).unwrap().document().clone();
    let ground =
        Text { id: "UU 14/2008 pasal 17".to_owned(), en: "Law 14/2008, article 17".to_owned() };
    let at = document["parties"]
        .as_array()
        .unwrap()
        .iter()
        .position(|party| party["contactPoint"] != Value::Null);
    let pointer = format!("/parties/{}/contactPoint", at.unwrap());
    let opening = redact::withhold(&mut document, &pointer, &ground, [7; 16]).unwrap();
    let release = Release::parse(document.to_string().as_bytes()).unwrap();
    let (document, mut other) = (text(&release), opening.clone());
    other.salt = "00".repeat(16);
    let openings = |opening: &redact::Opening| serde_json::to_string(&[opening]).unwrap();
    let (right, wrong) = (openings(&opening), openings(&other));
    for openings in [wrong.as_str(), "{", "[1]"] {
        let params = [("AccountId", "2"), ("Document", &document), ("Openings", openings)];
        assert_eq!(
            world.refused(&operator(), "CreateAgreement", &params).await,
            "InvalidParameter.Openings"
        );
    }
    let params =
        [("AccountId", "2"), ("Document", document.as_str()), ("Openings", right.as_str())];
    world.ok(&operator(), "CreateAgreement", &params).await;
    world.sign_both(&release).await;
    world.activate(&release).await.unwrap();
    for (caller, told) in [(root(KPU), true), (operator(), true), (root(BAWASLU), false)] {
        let seen = world.ok(&caller, "GetAgreementRelease", &named(&release)).await;
        assert_eq!(seen["Document"], document.as_str());
        assert_eq!(seen["Openings"].as_str(), told.then_some(right.as_str()));
    }
    let signatures =
        world.ok(&root(KPU), "GetAgreementRelease", &named(&release)).await["Signatures"].clone();
    assert!(signature::verify(&release, signatures.as_str().unwrap().as_bytes()).unwrap().both());
}

#[tokio::test]
async fn a_list_has_ones_own_and_for_the_operator_all() {
    let world = world().await;
    for account in [KPU, BAWASLU] {
        world.agree(&world.draft(account)).await;
    }
    world.take_in(&world.following(KPU, Tag::ContractAmendment, "2", "1")).await;
    let list = async |caller: &Caller, params: &[(&str, &str)]| {
        let told = world.ok(caller, "ListAgreements", params).await;
        let rows = told["Agreements"]["Agreement"].as_array().unwrap().clone();
        let short = |row: &Value| {
            format!("{} {} {}", row["AccountId"], row["ReleaseId"], row["State"]).replace('"', "")
        };
        (rows.iter().map(short).collect::<Vec<_>>(), told["NextToken"].as_str().map(str::to_owned))
    };
    let kpu = ["0000000000000002 1 Active", "0000000000000002 2 Draft"];
    assert_eq!(list(&root(KPU), &[]).await, (kpu.map(str::to_owned).to_vec(), None));
    assert_eq!(list(&operator(), &[("AccountId", "2")]).await.0, kpu);
    let (mut all, mut token) = (Vec::new(), None::<String>);
    loop {
        let next = token.clone().unwrap_or_default();
        let (rows, more) = list(&operator(), &[("MaxResults", "3"), ("NextToken", &next)]).await;
        all.extend(rows);
        token = more;
        if token.is_none() {
            break;
        }
    }
    let expected = ["0000000000000001 1 Active", kpu[0], "0000000000000003 1 Active", kpu[1]];
    assert_eq!(all, expected);
    assert_eq!(
        world.refused(&root(KPU), "ListAgreements", &[("AccountId", "3")]).await,
        "EntityNotExist.Agreement"
    );
    assert_eq!(
        world.refused(&root(KPU), "GetAgreement", &[("AccountId", "3")]).await,
        "EntityNotExist.Agreement"
    );
    assert_eq!(world.refused(&root(9), "GetAgreement", &[]).await, "EntityNotExist.Agreement");
    assert_eq!(world.refused(&user(KPU, "ani"), "ListAgreements", &[]).await, "NoPermission");
    assert_eq!(world.may(OPERATOR, "oss", "PutObject").await, "OK");
}

#[tokio::test]
async fn unpublished_releases_of_an_account_are_bounded() {
    let world = world().await;
    let mut draft = world.draft(KPU);
    let own = draft.ocid.clone();
    for number in 0..50 {
        draft.ocid = format!("{own}-{number}");
        world.take_in(&draft).await;
    }
    draft.ocid = format!("{own}-more");
    let document = text(&Release::build(&draft).unwrap());
    let params = [("AccountId", "2"), ("Document", document.as_str())];
    assert_eq!(
        world.refused(&root(KPU), "CreateAgreement", &params).await,
        "InvalidParameter.Document"
    );
    draft.ocid = format!("{own}-51");
    let document = text(&Release::build(&draft).unwrap());
    let params = [("AccountId", "2"), ("Document", document.as_str())];
    assert_eq!(world.refused(&root(KPU), "CreateAgreement", &params).await, "QuotaExceed");
    world.take_in(&world.draft(BAWASLU)).await;
}

#[tokio::test]
async fn a_signature_is_an_offer_for_ninety_days() {
    for (days, answer) in [(90, "OK"), (91, "OperationConflict.StaleSignature")] {
        let world = world().await;
        let release = world.take_in(&world.draft(KPU)).await;
        world.sign(&root(KPU), &release, &tenant_signer(KPU)).await.unwrap();
        world.pass(days * DAY);
        world.sign(&operator(), &release, &world.provider).await.unwrap();
        let done = world.activate(&release).await;
        let code = done.map_or_else(|error| error.code().to_owned(), |_| "OK".to_owned());
        assert_eq!(code, answer, "{days} days");
    }
}

#[tokio::test]
async fn a_party_takes_its_signature_back_until_the_release_binds() {
    let world = world().await;
    let release = world.take_in(&world.draft(KPU)).await;
    let conflict = "OperationConflict.Agreement";
    let withdraw =
        async |caller: Caller| world.call(&caller, "WithdrawSignature", &named(&release)).await;
    assert_eq!(withdraw(root(KPU)).await.unwrap_err().code(), conflict, "nothing is signed");
    world.sign_both(&release).await;
    assert_eq!(withdraw(root(BAWASLU)).await.unwrap_err().code(), "EntityNotExist.Agreement");
    assert_eq!(withdraw(root(KPU)).await.unwrap()["State"], "Draft");
    assert_eq!(world.activate(&release).await.unwrap_err().code(), conflict);
    assert_eq!(withdraw(root(KPU)).await.unwrap_err().code(), conflict, "once is enough");
    assert_eq!(withdraw(operator()).await.unwrap()["State"], "Draft");
    world.sign_both(&release).await;
    world.activate(&release).await.unwrap();
    assert_eq!(withdraw(root(KPU)).await.unwrap_err().code(), conflict, "it binds");
    let facts = world.facts("WithdrawSignature").await;
    assert!(
        facts.iter().all(|(_, facts)| facts.is_null()),
        "drafts are the parties' own: {facts:?}"
    );
}

#[tokio::test]
async fn a_published_release_whose_signature_is_taken_back_never_binds() {
    let world = world().await;
    let release = world.take_in(&world.draft(KPU)).await;
    world.sign_both(&release).await;
    world.ok(&operator(), "PublishAgreement", &named(&release)).await;
    let withdrawn = world.ok(&root(KPU), "WithdrawSignature", &named(&release)).await;
    assert_eq!(withdrawn["State"], "Withdrawn");
    let conflict = "OperationConflict.Agreement";
    assert_eq!(world.activate(&release).await.unwrap_err().code(), conflict);
    let again = world.sign(&root(KPU), &release, &tenant_signer(KPU)).await;
    assert_eq!(again.unwrap_err().code(), conflict);
    assert_eq!(world.refused(&operator(), "PublishAgreement", &named(&release)).await, conflict);
    let facts = json!({
        "tenant": "0000000000000002", "ocid": release.ocid(), "release": "1", "withdrawn": ["tenant"]
    });
    assert_eq!(world.facts("WithdrawSignature").await, [("OK".to_owned(), facts)]);
}
