//! Whatever is agreed, amended and ended, and whenever: one release at most binds at any moment, and no
//! hour has two price books.

use std::sync::atomic::{AtomicU64, Ordering};

use base::{AccountId, Time};
use proptest::collection::vec;
use proptest::prelude::*;
use store::params;
use terms::release::Tag;
use testkit::root;

use crate::harness::{World, tenant_signer, world};

const HOUR: i64 = 3600;

#[derive(Clone, Debug)]
enum Step {
    /// Time goes by, seconds.
    Pass(u64),
    /// Both agree on an amendment that starts so many seconds from now.
    Amend(i64),
    /// The tenant ends it in so many seconds.
    End(i64),
    /// Both agree anew.
    Renew(i64),
}

fn any_step() -> impl Strategy<Value = Step> {
    let offset = || prop_oneof![2 => Just(0), 3 => -HOUR..3 * HOUR, 1 => Just(HOUR)];
    prop_oneof![
        3 => prop_oneof![Just(0), Just(55), 1..5000_u64].prop_map(Step::Pass),
        4 => offset().prop_map(Step::Amend),
        1 => offset().prop_map(Step::End),
        2 => offset().prop_map(Step::Renew),
    ]
}

/// One tenant, through many steps.
struct Life<'w> {
    world: &'w World,
    account: u64,
    release: u32,
    ocid: String,
    /// The release that an amendment or an end follows.
    last: String,
    /// What bound at moments that are past.
    seen: Vec<(Time, Option<String>)>,
}

impl Life<'_> {
    fn at(&self, offset: i64) -> Time {
        Time::from_secs(self.world.now().secs() + offset)
    }

    async fn take(&mut self, step: &Step) {
        self.release += 1;
        let id = self.release.to_string();
        let account = self.account;
        match *step {
            Step::Pass(seconds) => self.world.pass(seconds),
            Step::Renew(offset) => {
                let mut draft = self.world.draft(account);
                draft.ocid = format!("{}-{id}", draft.ocid);
                (draft.id, draft.start) = (id.clone(), self.at(offset));
                let release = self.world.take_in(&draft).await;
                self.world.sign_both(&release).await;
                if self.world.activate(&release).await.is_ok() {
                    (self.ocid, self.last) = (draft.ocid, id);
                }
            }
            Step::Amend(offset) => {
                let mut draft = self.following(Tag::ContractAmendment, &id);
                draft.start = self.at(offset);
                let release = terms::Release::build(&draft).unwrap();
                let document = crate::harness::text(&release);
                let params = [("Ocid", release.ocid()), ("Document", document.as_str())];
                if self.world.call(&root(account), "AmendAgreement", &params).await.is_ok() {
                    self.world.sign_both(&release).await;
                    self.world.activate(&release).await.unwrap();
                    self.last = id;
                }
            }
            Step::End(offset) => {
                let mut draft = self.following(Tag::ContractTermination, &id);
                (draft.start, draft.end) = (Time::from_secs(0), Some(self.at(offset)));
                let _ = self.world.end(&root(account), &draft, &tenant_signer(account)).await;
            }
        }
    }

    fn following(&self, tag: Tag, id: &str) -> terms::release::Draft {
        let mut draft = self.world.following(self.account, tag, id, &self.last);
        draft.ocid = self.ocid.clone();
        draft
    }

    /// What bound stays known, whatever comes after.
    async fn look_back(&mut self) {
        let past = Time::from_micros(self.world.now().micros() - 1);
        let bound =
            async |at| self.world.in_force(self.account, at).await.map(|it| it.release.clone());
        for (at, was) in &self.seen {
            assert_eq!(&bound(*at).await, was, "what bound at {at} has changed");
        }
        let now = bound(past).await;
        self.seen.push((past, now));
    }

    /// The terms there are, checked.
    async fn check(&self) {
        let account = AccountId::new(self.account);
        let read = move |tx: &mut store::Tx<'_>| {
            let sql = "SELECT begins, ends FROM agreement_term WHERE account = ?1 ORDER BY begins";
            tx.query(sql, params![account], |row| Ok((row.get(0)?, row.get(1)?)))
        };
        let terms: Result<Vec<(Time, Option<Time>)>, store::Error> =
            self.world.cloud.db.read(read).await;
        let terms = terms.unwrap();
        for pair in terms.windows(2) {
            let ((_, ends), (begins, _)) = (pair[0], pair[1]);
            let ends = ends.expect("what another follows has an end");
            assert!(ends <= begins, "{terms:?} overlap");
            let last = Time::from_micros(ends.micros() - 1);
            assert!(last.hour() < begins.hour(), "{terms:?} share an hour");
        }
        for (begins, ends) in terms {
            assert!(ends.is_none_or(|ends| begins < ends), "a term of no time");
            let bound = self.world.in_force(self.account, begins).await.unwrap();
            assert_eq!((bound.from, bound.until), (begins, ends));
            if let Some(ends) = ends {
                let next = self.world.in_force(self.account, ends).await;
                assert!(next.is_none_or(|next| next.from == ends));
            }
        }
    }
}

#[test]
fn terms_never_overlap_and_never_share_an_hour() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let world = runtime.block_on(world());
    let accounts = AtomicU64::new(100);
    let config = ProptestConfig { cases: 40, max_shrink_iters: 50, ..ProptestConfig::default() };
    proptest!(config, |(steps in vec(any_step(), 1..16))| {
           let account = accounts.fetch_add(1, Ordering::Relaxed);
           let mut life = Life { world: &world, account, release: 0, ocid: String::new(), last: String::new(),
    seen: Vec::new() };
           runtime.block_on(async {
               life.take(&Step::Renew(0)).await;
               for step in &steps {
                   life.take(step).await;
                   life.check().await;
                   life.look_back().await;
               }
           });
       });
}
