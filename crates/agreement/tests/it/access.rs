//! The provider's people reading a tenant's data.

use base::{AccountId, ApiError};
use engine::ports::Privilege;
use engine::{Caller, CallerKind};
use serde_json::{Value, json};
use terms::release::Tag;
use terms::statement::{self, Signer};
use testkit::root;

use crate::harness::{BAWASLU, KPU, OPERATOR, World, operator, tenant_signer, world};

const HOUR: u64 = 3600;

/// A user of the operator who may do everything there.
fn support(world: &World) -> Caller {
    let kind = CallerKind::User { id: "1".to_owned(), name: "ani".to_owned() };
    let ani = Caller { kind, operator: true, key_id: "ani".to_owned(), ..root(OPERATOR) };
    world.test.keys.allow(&ani, "awan:RequestPrivilegedAccess");
    ani
}

/// The tenant's approval, signed with a key.
async fn approve_by(world: &World, id: &str, signer: &Signer) -> Result<Value, ApiError> {
    let listed = world.ok(&root(KPU), "ListPrivilegedAccess", &[]).await;
    let rows = listed["Accesses"]["Access"].as_array().unwrap();
    let row = rows.iter().find(|row| row["AccessId"] == id).unwrap();
    let hours = u32::try_from(row["Hours"].as_u64().unwrap()).unwrap();
    let reason = row["Reason"].as_str().unwrap();
    let text = statement::privileged_access(id, AccountId::new(KPU), reason, hours);
    let line = statement::sign(&text, signer).unwrap();
    let params = [("AccessId", id), ("SignatureLine", line.as_str())];
    world.call(&root(KPU), "ApprovePrivilegedAccess", &params).await
}

async fn approve(world: &World, id: &str) -> Value {
    approve_by(world, id, &tenant_signer(KPU)).await.unwrap()
}

async fn privilege(world: &World, caller: &Caller, tenant: u64) -> Option<Privilege> {
    let (caller, tenant) = (caller.clone(), AccountId::new(tenant));
    world.ask(move |covenant, tx, now| covenant.privilege(tx, &caller, tenant, now)).await.unwrap()
}

async fn ask(world: &World, caller: &Caller, hours: &str) -> String {
    let params = [("AccountId", "2"), ("Reason", "Tiket 17: objek hilang"), ("Hours", hours)];
    let asked = world.ok(caller, "RequestPrivilegedAccess", &params).await;
    asked["Access"]["AccessId"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn data_is_read_with_a_reason_once_the_tenant_approves_and_for_so_long() {
    let world = world().await;
    world.agree(&world.draft(KPU)).await;
    let ani = support(&world);
    let id = ask(&world, &ani, "2").await;
    assert_eq!(privilege(&world, &ani, KPU).await, None, "not before the approval");
    let param = [("AccessId", id.as_str())];
    for caller in [operator(), root(BAWASLU)] {
        let refused = world.refused(&caller, "ApprovePrivilegedAccess", &param).await;
        assert!(refused.ends_with(".PrivilegedAccess"), "{refused}");
    }
    world.pass(60);
    let approved = approve(&world, &id).await;
    let until = world.now().plus(std::time::Duration::from_secs(2 * HOUR));
    assert_eq!(approved["Access"]["Until"], until.iso());
    let held = privilege(&world, &ani, KPU).await.unwrap();
    let reason = "Tiket 17: objek hilang".to_owned();
    assert_eq!(held, Privilege { access: id.clone(), reason, until });
    assert_eq!(privilege(&world, &operator(), KPU).await, None, "only she who asked");
    assert_eq!(privilege(&world, &ani, BAWASLU).await, None, "only what was asked");
    assert_eq!(privilege(&world, &root(KPU), KPU).await, None);

    world.pass(2 * HOUR);
    assert_eq!(privilege(&world, &ani, KPU).await, None, "it has run out");
    let listed = world.ok(&root(KPU), "ListPrivilegedAccess", &[]).await;
    let listed = &listed["Accesses"]["Access"][0];
    assert_eq!((&listed["State"], &listed["Principal"]), (&json!("Expired"), &json!(ani.arn())));
    let facts =
        json!({ "tenant": "0000000000000002", "access": id, "reason": "Tiket 17: objek hilang" });
    assert_eq!(world.facts("RequestPrivilegedAccess").await, [("OK".to_owned(), facts.clone())]);
    let mut with_end = facts;
    with_end["until"] = json!(until.iso());
    let last = world.facts("ApprovePrivilegedAccess").await.pop();
    assert_eq!(last, Some(("OK".to_owned(), with_end)));
}

#[tokio::test]
async fn an_access_is_denied_or_ended_and_then_it_is_over() {
    let world = world().await;
    world.agree(&world.draft(KPU)).await;
    let ani = support(&world);
    let (denied, ended) = (ask(&world, &ani, "1").await, ask(&world, &ani, "1").await);
    world.ok(&root(KPU), "DenyPrivilegedAccess", &[("AccessId", &denied)]).await;
    let over = "OperationConflict.PrivilegedAccess";
    assert_eq!(
        world.refused(&root(KPU), "ApprovePrivilegedAccess", &[("AccessId", &denied)]).await,
        over
    );
    approve(&world, &ended).await;
    assert!(privilege(&world, &ani, KPU).await.is_some());
    assert_eq!(
        world.refused(&root(BAWASLU), "EndPrivilegedAccess", &[("AccessId", &ended)]).await,
        "EntityNotExist.PrivilegedAccess"
    );
    world.ok(&root(KPU), "EndPrivilegedAccess", &[("AccessId", &ended)]).await;
    assert_eq!(privilege(&world, &ani, KPU).await, None);
    assert_eq!(
        world.refused(&operator(), "EndPrivilegedAccess", &[("AccessId", &ended)]).await,
        over
    );
    let taken_back = ask(&world, &ani, "1").await;
    world.ok(&operator(), "EndPrivilegedAccess", &[("AccessId", &taken_back)]).await;
    let facts = world.facts("EndPrivilegedAccess").await;
    assert_eq!(facts[1].1["until"], world.now().iso());
    assert_eq!(world.facts("DenyPrivilegedAccess").await[0].1["access"], denied);
    let pages = world.ok(&operator(), "ListPrivilegedAccess", &[("MaxResults", "2")]).await;
    let rest = [("NextToken", pages["NextToken"].as_str().unwrap())];
    let rest = world.ok(&operator(), "ListPrivilegedAccess", &rest).await;
    let states = |told: &Value| -> Vec<Value> {
        let rows = told["Accesses"]["Access"].as_array().unwrap();
        rows.iter().map(|row| row["State"].clone()).collect()
    };
    assert_eq!(
        (states(&pages), states(&rest)),
        (vec![json!("Ended"), json!("Ended")], vec![json!("Denied")])
    );
    assert_eq!(
        states(&world.ok(&root(BAWASLU), "ListPrivilegedAccess", &[]).await),
        Vec::<Value>::new()
    );
}

#[tokio::test]
async fn no_access_is_asked_for_that_the_agreement_does_not_permit() {
    let world = world().await;
    let ask = async |caller: Caller, reason: &str, hours: &str| {
        let params = [("AccountId", "2"), ("Reason", reason), ("Hours", hours)];
        world.refused(&caller, "RequestPrivilegedAccess", &params).await
    };
    assert_eq!(ask(operator(), "Tiket", "1").await, "Forbidden.PrivilegedAccess", "no agreement");
    world.agree(&world.draft(KPU)).await;
    assert_eq!(ask(root(KPU), "Tiket", "1").await, "NoPermission");
    for hours in ["0", "9"] {
        assert_eq!(ask(operator(), "Tiket", hours).await, "InvalidParameter.Hours");
    }
    for reason in ["", "  ", "a\nb", "a\u{202e}b", "a\u{200b}b", "a\u{2028}b", &"x".repeat(501)] {
        assert_eq!(ask(operator(), reason, "1").await, "InvalidParameter.Reason");
    }
    let mut draft = world.following(KPU, Tag::ContractAmendment, "2", "1");
    draft.terms.privileged_access.permitted = false;
    world.agree(&draft).await;
    world.pass(HOUR);
    assert_eq!(ask(operator(), "Tiket", "1").await, "Forbidden.PrivilegedAccess");
    let facts = world.facts("RequestPrivilegedAccess").await.pop().unwrap();
    let expected = json!({ "tenant": "0000000000000002", "reason": "Tiket" });
    assert_eq!(facts, ("Forbidden.PrivilegedAccess".to_owned(), expected));
}

#[tokio::test]
async fn without_approval_it_is_granted_at_once_and_ends_with_what_permits_it() {
    let world = world().await;
    let mut draft = world.draft(KPU);
    draft.terms.privileged_access.tenant_approval = false;
    world.agree(&draft).await;
    let ani = support(&world);
    ask(&world, &ani, "8").await;
    assert!(privilege(&world, &ani, KPU).await.is_some());
    let granted = world.facts("RequestPrivilegedAccess").await.pop().unwrap().1;
    assert!(granted["until"].is_string());
    let mut end = world.following(KPU, Tag::ContractTermination, "2", "1");
    end.end = Some(world.now().plus(std::time::Duration::from_secs(1)));
    world.end(&root(KPU), &end, &tenant_signer(KPU)).await.unwrap();
    world.pass(1);
    assert_eq!(privilege(&world, &ani, KPU).await, None);
}

#[tokio::test]
async fn an_approval_takes_the_tenants_key_and_not_an_api_key() {
    let world = world().await;
    world.agree(&world.draft(KPU)).await;
    let ani = support(&world);
    let (id, other) = (ask(&world, &ani, "1").await, ask(&world, &ani, "2").await);
    let forbidden = "Forbidden.TenantSignature";
    let param = [("AccessId", id.as_str())];
    assert_eq!(world.refused(&root(KPU), "ApprovePrivilegedAccess", &param).await, forbidden);
    let forger =
        Signer::from_seed(tenant_signer(KPU).verifier().name(), base::Secret::new([9; 32]));
    for signer in [&forger.unwrap(), &world.provider] {
        assert_eq!(approve_by(&world, &id, signer).await.unwrap_err().code(), forbidden);
    }
    let reason = "Tiket 17: objek hilang";
    let text = statement::privileged_access(&other, AccountId::new(KPU), reason, 2);
    let line = statement::sign(&text, &tenant_signer(KPU)).unwrap();
    let params = [("AccessId", id.as_str()), ("SignatureLine", line.as_str())];
    let refused = world.refused(&root(KPU), "ApprovePrivilegedAccess", &params).await;
    assert_eq!(refused, forbidden, "signed for another access");
    assert_eq!(privilege(&world, &ani, KPU).await, None);
    approve(&world, &id).await;
    assert!(privilege(&world, &ani, KPU).await.is_some());
}

#[tokio::test]
async fn leave_is_the_persons_and_not_the_names_or_a_sessions() {
    let world = world().await;
    world.agree(&world.draft(KPU)).await;
    let ani = support(&world);
    approve(&world, &ask(&world, &ani, "1").await).await;
    let like = |kind: CallerKind| Caller { kind, ..ani.clone() };
    let (name, session) = ("ani".to_owned(), "ani".to_owned());
    let renamed = like(CallerKind::User { id: "1".to_owned(), name: "ani.w".to_owned() });
    assert!(privilege(&world, &renamed, KPU).await.is_some(), "the same person");
    let namesake = like(CallerKind::User { id: "2".to_owned(), name: name.clone() });
    assert_eq!(namesake.arn(), ani.arn());
    assert_eq!(privilege(&world, &namesake, KPU).await, None, "another person of the same name");
    let role = like(CallerKind::AssumedRole { id: "1".to_owned(), name, session });
    assert_eq!(privilege(&world, &role, KPU).await, None);
    world.test.keys.allow(&role, "awan:RequestPrivilegedAccess");
    let params = [("AccountId", "2"), ("Reason", "Tiket"), ("Hours", "1")];
    let refused = world.refused(&role, "RequestPrivilegedAccess", &params).await;
    assert_eq!(refused, "Forbidden.PrivilegedAccess");
}

#[tokio::test]
async fn a_request_lapses_after_three_days() {
    let world = world().await;
    world.agree(&world.draft(KPU)).await;
    let ani = support(&world);
    let (answered, forgotten) = (ask(&world, &ani, "1").await, ask(&world, &ani, "1").await);
    world.pass(72 * HOUR - 1);
    approve(&world, &answered).await;
    world.pass(1);
    let over = "OperationConflict.PrivilegedAccess";
    assert_eq!(approve_by(&world, &forgotten, &tenant_signer(KPU)).await.unwrap_err().code(), over);
    for action in ["DenyPrivilegedAccess", "EndPrivilegedAccess"] {
        assert_eq!(world.refused(&root(KPU), action, &[("AccessId", &forgotten)]).await, over);
    }
    let listed = world.ok(&root(KPU), "ListPrivilegedAccess", &[]).await;
    assert_eq!(listed["Accesses"]["Access"][0]["State"], "Lapsed");
}

#[tokio::test]
async fn the_tenants_key_is_that_of_its_last_agreement_also_when_that_is_over() {
    let world = world().await;
    let line = statement::sign("a\n", &tenant_signer(KPU)).unwrap();
    let ask = async |text: &'static str| {
        let line = line.clone();
        let asked = world.ask(move |covenant, tx, now| {
            covenant.tenant_signed(tx, AccountId::new(KPU), text, &line, now)
        });
        asked.await.map_err(|error| error.code().to_owned())
    };
    assert_eq!(ask("a\n").await, Err("Forbidden.NoAgreement".to_owned()));
    world.agree(&world.draft(KPU)).await;
    assert_eq!(ask("a\n").await, Ok(()));
    assert_eq!(ask("b\n").await, Err("Forbidden.TenantSignature".to_owned()));
    let mut end = world.following(KPU, Tag::ContractTermination, "2", "1");
    end.end = Some(world.now().plus(std::time::Duration::from_secs(1)));
    world.end(&root(KPU), &end, &tenant_signer(KPU)).await.unwrap();
    world.pass(HOUR);
    assert_eq!(ask("a\n").await, Ok(()));
    assert_eq!(ask("b\n").await, Err("Forbidden.TenantSignature".to_owned()));
}
