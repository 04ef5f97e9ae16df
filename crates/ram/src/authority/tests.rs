#![allow(clippy::unwrap_used, reason = "a test may fail loudly")]

use base::{AccountId, Rng, SystemRng};
use engine::RequestInfo;
use engine::ports::Decision;
use proptest::prelude::*;
use store::{Backend, Config, Db};

use super::*;
use crate::tables::attachment::PolicyName;
use crate::tables::policy::{Policy, Version};
use crate::tables::{Change, account, group, policy, user};
use crate::{MIGRATIONS, RootKey, first_start};

const NOW: Time = Time::from_secs(1_800_000_000);
const ALICE: &str = "2001";
const CREW: &str = "g-crew";

struct World {
    db: Db,
    seal: Arc<Seal>,
    ram: Arc<Ram>,
    account: AccountId,
    key_id: String,
}

/// One account with the user alice, who has a key and is in the group crew.
fn world() -> World {
    let db = Db::open(Config { backend: Backend::Memory, readers: 2 }).unwrap();
    db.migrate(&[MIGRATIONS]).unwrap();
    let seal = Arc::new(Seal::new(&[7; Seal::KEY_LEN], Arc::new(SystemRng)));
    let within = Arc::clone(&seal);
    let (account, key_id) = db
        .write_blocking(move |tx| {
            let root = RootKey::generate(&SystemRng);
            assert!(first_start(tx, &root, &within, NOW)?);
            let mut change = Change::new(tx, &SystemRng);
            insert_alice(&mut change, root.account_id)?;
            let key = access_key::create(&mut change, &within, root.account_id, ALICE, NOW)?;
            Ok::<_, ApiError>((root.account_id, key.id))
        })
        .unwrap();
    World { db, ram: Arc::new(Ram::new(Arc::clone(&seal))), seal, account, key_id }
}

fn insert_alice(change: &mut Change<'_, '_>, account: AccountId) -> Result<(), ApiError> {
    let text = String::new;
    let alice = user::User {
        id: ALICE.to_owned(),
        name: "alice".to_owned(),
        display_name: text(),
        mobile_phone: text(),
        email: text(),
        comments: text(),
        created: NOW,
        updated: NOW,
    };
    let crew = group::Group {
        id: CREW.to_owned(),
        name: "crew".to_owned(),
        comments: text(),
        created: NOW,
        updated: NOW,
    };
    user::insert(change, account, &alice)?;
    group::insert(change, account, &crew)?;
    group::join(change, CREW, ALICE, NOW)?;
    Ok(())
}

fn alice(account: AccountId) -> Caller {
    let kind = CallerKind::User { id: ALICE.to_owned(), name: "alice".to_owned() };
    Caller { account, kind, ..Caller::anonymous() }
}

fn system(name: &str) -> PolicyName {
    PolicyName { system: true, name: name.to_owned() }
}

fn entity(kind: Kind) -> Entity {
    Entity { kind, id: if kind == Kind::User { ALICE } else { CREW }.to_owned() }
}

fn decide(
    ram: &Ram,
    tx: &mut Tx<'_>,
    caller: &Caller,
    action: &str,
    owner: AccountId,
) -> Result<Decision, ApiError> {
    let request = RequestInfo::default();
    let resource = format!("acs:oss:*:{owner}:box/a");
    ram.decide(
        tx,
        caller,
        &Ask { action, resource: &resource, owner, now: NOW, request: &request, conditions: &[] },
    )
}

impl World {
    /// What alice may, on a snapshot of its own.
    fn may(&self, action: &'static str) -> Decision {
        let (ram, account) = (Arc::clone(&self.ram), self.account);
        self.db.read_blocking(move |tx| decide(&ram, tx, &alice(account), action, account)).unwrap()
    }

    fn find_key(&self) -> Result<Caller, ApiError> {
        let (ram, key) = (Arc::clone(&self.ram), self.key_id.clone());
        self.db.read_blocking(move |tx| ram.find_key(tx, &key, None, NOW)).map(|found| found.caller)
    }

    /// Runs a change with a look at the authority right after it, and keeps it or not.
    fn change(
        &self,
        keep: bool,
        change: impl Fn(&mut Change<'_, '_>, AccountId) -> Result<(), ApiError> + Send + 'static,
    ) -> Decision {
        let (ram, account, key) = (Arc::clone(&self.ram), self.account, self.key_id.clone());
        let seen = Arc::new(Mutex::new(Decision::ImplicitDeny));
        let within = Arc::clone(&seen);
        let result = self.db.write_blocking(move |tx| {
            change(&mut Change::new(tx, &SystemRng), account)?;
            *within.lock().unwrap() = decide(&ram, tx, &alice(account), "oss:GetObject", account)?;
            // Either answer is fine; what counts is that nothing false is kept.
            let _ = ram.find_key(tx, &key, None, NOW);
            if keep { Ok(()) } else { Err(ApiError::internal("rolled back on purpose")) }
        });
        assert_eq!(result.is_ok(), keep);
        *seen.lock().unwrap()
    }
}

fn attach(
    kind: Kind,
    name: &'static str,
) -> impl Fn(&mut Change<'_, '_>, AccountId) -> Result<(), ApiError> {
    move |change, account| {
        attachment::insert(change, account, &entity(kind), &system(name), NOW).map(|_| ())
    }
}

fn detach(
    kind: Kind,
    name: &'static str,
) -> impl Fn(&mut Change<'_, '_>, AccountId) -> Result<(), ApiError> {
    move |change, _| attachment::delete(change, &entity(kind), &system(name)).map(|_| ())
}

#[test]
fn what_was_rolled_back_was_never_so() {
    let world = world();
    assert_eq!(world.may("oss:GetObject"), Decision::ImplicitDeny);
    let inside = world.change(false, attach(Kind::User, "AdministratorAccess"));
    assert_eq!(inside, Decision::Allow, "a transaction sees its own change");
    assert_eq!(
        world.may("oss:GetObject"),
        Decision::ImplicitDeny,
        "and nobody else does after its rollback"
    );
    world.change(true, attach(Kind::User, "AdministratorAccess"));
    assert_eq!(world.may("oss:GetObject"), Decision::Allow);
    world.change(false, detach(Kind::User, "AdministratorAccess"));
    assert_eq!(world.may("oss:GetObject"), Decision::Allow);
}

#[test]
fn a_policy_of_a_user_and_of_its_groups_is_evaluated_once() {
    let world = world();
    let check = |wanted: usize| {
        let ram = Arc::clone(&world.ram);
        let found = world.db.read_blocking(move |tx| ram.policies_of(tx, entity(Kind::User)));
        assert_eq!(found.unwrap().len(), wanted);
    };
    world.change(true, attach(Kind::User, "AliyunOSSFullAccess"));
    world.change(true, attach(Kind::Group, "AliyunOSSFullAccess"));
    check(1);
    world.change(true, attach(Kind::Group, "AliyunRAMReadOnlyAccess"));
    check(2);
    world.change(true, detach(Kind::User, "AliyunOSSFullAccess"));
    check(2);
    assert_eq!(world.may("oss:GetObject"), Decision::Allow);
}

#[test]
fn a_change_is_not_mistaken_for_the_one_rolled_back_before_it() {
    let world = world();
    // Nothing is read between the two: a counter would give both the same number.
    world.change(false, attach(Kind::User, "AdministratorAccess"));
    let inside = world.change(true, attach(Kind::User, "AliyunRAMReadOnlyAccess"));
    assert_eq!(inside, Decision::ImplicitDeny);
    assert_eq!(world.may("oss:GetObject"), Decision::ImplicitDeny);
}

#[test]
fn a_key_disabled_in_a_rolled_back_change_stays_enabled() {
    let world = world();
    let key = world.key_id.clone();
    let disable = move |change: &mut Change<'_, '_>, account| {
        access_key::set_active(change, account, ALICE, &key, false).map(|_| ())
    };
    world.find_key().unwrap();
    world.change(false, disable.clone());
    assert_eq!(world.find_key().unwrap().kind, alice(world.account).kind);
    world.change(true, disable);
    assert_eq!(world.find_key().unwrap_err().code(), "InvalidAccessKeyId.Inactive");
}

#[test]
fn a_key_whose_user_is_gone_is_not_the_accounts_own() {
    let world = world();
    world.change(true, |change, _| {
        group::leave(change, CREW, ALICE)?;
        user::delete(change, ALICE).map(|_| ())
    });
    assert_eq!(world.find_key().unwrap_err().code(), "InvalidAccessKeyId.NotFound");
}

#[test]
fn keys_of_a_suspended_account_are_refused() {
    let world = world();
    world.change(true, |change, account| account::set_suspended(change, account, true).map(|_| ()));
    assert_eq!(world.find_key().unwrap_err().code(), "Forbidden.AccountSuspended");
    world
        .change(true, |change, account| account::set_suspended(change, account, false).map(|_| ()));
    assert!(world.find_key().is_ok());
}

#[test]
fn a_key_id_that_is_none_is_not_found() {
    let world = world();
    for id in ["", "LTAI5tnothing", "a\0b", "a b", &"x".repeat(5000)] {
        let (ram, id) = (Arc::clone(&world.ram), id.to_owned());
        let refused =
            world.db.read_blocking(move |tx| ram.find_key(tx, &id, None, NOW)).unwrap_err();
        assert_eq!(refused.code(), "InvalidAccessKeyId.NotFound");
    }
}

#[test]
fn a_secret_opens_only_for_its_own_key() {
    let world = world();
    let other = Arc::new(Ram::new(Arc::new(Seal::new(&[8; Seal::KEY_LEN], Arc::new(SystemRng)))));
    let key = world.key_id.clone();
    let refused =
        world.db.read_blocking(move |tx| other.find_key(tx, &key, None, NOW)).unwrap_err();
    assert_eq!(refused.code(), "InternalError");
    let stored = world
        .db
        .read_blocking(|tx| {
            tx.query("SELECT secret FROM ram_access_key", &[], |row| row.get::<Vec<u8>>(0))
        })
        .unwrap();
    let (ram, key) = (Arc::clone(&world.ram), world.key_id.clone());
    let secret =
        world.db.read_blocking(move |tx| ram.find_key(tx, &key, None, NOW)).unwrap().secret;
    let secret = secret.expose().as_bytes();
    assert!(stored.iter().all(|sealed| !sealed.windows(secret.len()).any(|part| part == secret)));
}

#[test]
fn own_policies_give_nothing_of_another_account_but_may_deny_it() {
    let world = world();
    world.change(true, attach(Kind::User, "AdministratorAccess"));
    let (ram, account, foreign) = (Arc::clone(&world.ram), world.account, AccountId::new(9));
    let check = move |caller: Caller| {
        let ram = Arc::clone(&ram);
        world
            .db
            .read_blocking(move |tx| decide(&ram, tx, &caller, "oss:GetObject", foreign))
            .unwrap()
    };
    let root = Caller { account, kind: CallerKind::Root, ..Caller::anonymous() };
    assert_eq!(check(alice(account)), Decision::ImplicitDeny);
    assert_eq!(check(root), Decision::ImplicitDeny);
    assert_eq!(check(Caller::anonymous()), Decision::ImplicitDeny);
    assert_eq!(check(Caller::system()), Decision::Allow);
}

#[test]
fn a_new_default_version_decides_at_once() {
    let world = world();
    let document = |effect: &str| {
        format!(
            r#"{{"Version":"1","Statement":[{{"Effect":"{effect}","Action":"oss:*","Resource":"*"}}]}}"#
        )
    };
    let (allow, deny) = (document("Allow"), document("Deny"));
    let mut own = Policy {
        name: "own".to_owned(),
        description: String::new(),
        default_version: 1,
        newest_version: 2,
        created: NOW,
        updated: NOW,
        attachments: 0,
    };
    let first = own.clone();
    world.change(true, move |change, account| {
        policy::insert(change, account, &first)?;
        for (number, document) in [(1, &allow), (2, &deny)] {
            let version = Version { number, document: document.clone(), created: NOW };
            policy::insert_version(change, account, "own", &version)?;
        }
        let own = PolicyName { system: false, name: "own".to_owned() };
        attachment::insert(change, account, &entity(Kind::Group), &own, NOW).map(|_| ())
    });
    assert_eq!(world.may("oss:GetObject"), Decision::Allow);
    own.default_version = 2;
    world.change(true, move |change, account| policy::update(change, account, &own).map(|_| ()));
    assert_eq!(world.may("oss:GetObject"), Decision::ExplicitDeny);
}

#[test]
fn last_uses_are_flushed_and_never_go_back() {
    let world = world();
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let caller = world.find_key().unwrap();
    let last_used = || {
        let account = world.account;
        world.db.read_blocking(move |tx| access_key::list(tx, account, ALICE)).unwrap()[0].last_used
    };
    assert_eq!(last_used(), None);
    for secs in [200, 100] {
        world.ram.key_used(&caller, "oss", Time::from_secs(secs));
        runtime.block_on(world.ram.flush_last_used(&world.db)).unwrap();
        assert_eq!(last_used(), Some(Time::from_secs(200)));
    }
    world.db.close();
    world.ram.key_used(&caller, "oss", Time::from_secs(300));
    assert!(runtime.block_on(world.ram.flush_last_used(&world.db)).is_err());
    assert_eq!(
        world.ram.used.lock().unwrap().get(&world.key_id),
        Some(&Time::from_secs(300)),
        "kept for the next time"
    );
}

#[derive(Clone, Copy, Debug)]
struct Step {
    attach: bool,
    group: bool,
    policy: usize,
    keep: bool,
    look: bool,
}

fn step() -> impl Strategy<Value = Step> {
    (any::<bool>(), any::<bool>(), 0..3usize, any::<bool>(), any::<bool>())
        .prop_map(|(attach, group, policy, keep, look)| Step { attach, group, policy, keep, look })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn the_caches_agree_with_an_authority_that_has_none(steps in prop::collection::vec(step(), 1..12)) {
        const POLICIES: [&str; 3] = ["AliyunOSSFullAccess", "AliyunOSSReadOnlyAccess", "AliyunRAMFullAccess"];
        const ACTIONS: [&str; 3] = ["oss:PutObject", "oss:GetObject", "ram:GetUser"];
        let mut world = world();
        for step in steps {
            let (kind, name) = (if step.group { Kind::Group } else { Kind::User }, POLICIES[step.policy]);
            if step.attach {
                world.change(step.keep, attach(kind, name));
            } else {
                world.change(step.keep, detach(kind, name));
            }
            if !step.look {
                continue;
            }
            let cached = ACTIONS.map(|action| world.may(action));
            let warm = std::mem::replace(&mut world.ram, Arc::new(Ram::new(Arc::clone(&world.seal))));
            prop_assert_eq!(cached, ACTIONS.map(|action| world.may(action)));
            world.ram = warm;
        }
    }
}

#[test]
fn new_ids_have_the_forms_that_clients_know() {
    let rng: &dyn Rng = &SystemRng;
    let key = crate::ids::access_key(rng);
    assert!(key.starts_with("LTAI5t") && key.len() == 24);
    assert_eq!(crate::ids::secret(rng).expose().len(), 30);
    assert_eq!(crate::ids::session_secret(rng).expose().len(), 44);
    assert_eq!(crate::ids::user(rng).len(), 18);
    assert_eq!(crate::ids::role(rng).len(), 18);
}
