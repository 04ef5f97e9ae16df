//! A cloud whose agreements are real, its provider's key, and tenants with keys of their own.

use std::sync::Arc;

use agreement::{Agreements, FirstStart, Provider};
use base::region::Region;
use base::{AccountId, ApiError, Clock, Time};
use engine::cloud::Parts;
use engine::pipeline::call;
use engine::ports::Covenant;
use engine::{Caller, Cloud, action::Registry};
use serde_json::Value;
use store::Tx;
use terms::clauses::{Keys, Log, Text};
use terms::release::{Amends, Draft, Party, Tag};
use terms::{InForce, Release, defaults, signature};
use testkit::{TestCloud, root};
use tlog::Signer;

pub const ORIGIN: &str = "test.local/log";
/// The account that runs the cloud, and two tenants.
pub const OPERATOR: u64 = 1;
pub const KPU: u64 = 2;
pub const BAWASLU: u64 = 3;

pub struct World {
    pub test: TestCloud,
    pub cloud: Arc<Cloud>,
    pub provider: Signer,
}

/// The key of that name; the same name always gives the same key.
pub fn signer(name: &str) -> Signer {
    let mut seed = [0; 32];
    for (at, byte) in name.bytes().enumerate() {
        seed[at % 32] ^= byte.rotate_left(u32::try_from(at / 32).unwrap());
    }
    Signer::from_seed(name, base::Secret::new(seed)).unwrap()
}

pub fn tenant_signer(account: u64) -> Signer {
    signer(&agreement::tenant_key_name(ORIGIN, AccountId::new(account)))
}

pub fn log() -> Log {
    Log { origin: ORIGIN.to_owned(), key: signer(ORIGIN).verifier().to_string() }
}

pub fn party(name: &str, id: &str) -> Party {
    Party {
        name: name.to_owned(),
        scheme: "X-AWAN".to_owned(),
        id: id.to_owned(),
        additional: vec![("ID-PSE".to_owned(), "001".to_owned())],
        contact: None,
    }
}

pub fn first_start() -> FirstStart {
    let provider_signer = signer(&agreement::provider_key_name(ORIGIN));
    FirstStart {
        provider: Provider {
            party: party("Penyedia", ORIGIN),
            key: provider_signer.verifier().to_string(),
            log: log(),
        },
        provider_signer,
        account: AccountId::new(OPERATOR),
        tenant_name: "Operator".to_owned(),
        tenant_signer: tenant_signer(OPERATOR),
    }
}

/// The same cloud in another region; its agreements are enforced.
pub fn enforced(test: &TestCloud, region: Region) -> Arc<Cloud> {
    let from = &test.cloud;
    Cloud::new(Parts {
        db: from.db.clone(),
        clock: Arc::clone(&from.clock),
        rng: Arc::clone(&from.rng),
        authority: Arc::clone(&from.authority),
        covenant: Arc::new(Agreements::default()),
        seal: Arc::clone(&from.seal),
        region,
        registry: Registry::new(&[agreement::ACTIONS]),
        data_dir: from.data_dir.clone(),
        requests_per_second: 0,
    })
}

/// A cloud that was started.
pub async fn world() -> World {
    let test = testkit::cloud(&[], &[agreement::MIGRATIONS]);
    let cloud = enforced(&test, testkit::region());
    let provider = first_start().provider_signer;
    agreement::first_start(&cloud, first_start()).await.unwrap();
    World { test, cloud, provider }
}

pub fn operator() -> Caller {
    Caller { operator: true, ..root(OPERATOR) }
}

impl World {
    pub fn now(&self) -> Time {
        self.test.clock.now()
    }

    pub fn pass(&self, seconds: u64) {
        self.test.clock.pass(std::time::Duration::from_secs(seconds));
    }

    pub async fn call(
        &self,
        caller: &Caller,
        action: &str,
        params: &[(&str, &str)],
    ) -> Result<Value, ApiError> {
        call(&self.cloud, caller, "2026-01-01", action, params).await
    }

    /// Calls an action that must succeed.
    pub async fn ok(&self, caller: &Caller, action: &str, params: &[(&str, &str)]) -> Value {
        let done = self.call(caller, action, params).await;
        done.unwrap_or_else(|error| panic!("{action}: {error:?}"))
    }

    /// Calls an action that must be refused; answers the code.
    pub async fn refused(&self, caller: &Caller, action: &str, params: &[(&str, &str)]) -> String {
        let refused = self.call(caller, action, params).await;
        refused.expect_err(action).code().to_owned()
    }

    /// The default agreement of a tenant, for a test to change.
    pub fn draft(&self, account: u64) -> Draft {
        let id = AccountId::new(account);
        let keys = Keys {
            provider: self.provider.verifier().to_string(),
            tenant: tenant_signer(account).verifier().to_string(),
        };
        let text = |text: &str| Text { id: text.to_owned(), en: text.to_owned() };
        Draft {
            ocid: format!("ocds-test00-{id}"),
            id: "1".to_owned(),
            date: self.now(),
            tag: Tag::Contract,
            provider: party("Penyedia", ORIGIN),
            tenant: party("Penyewa", &id.to_string()),
            title: text("Perjanjian"),
            rationale: text("Karena"),
            procurement_method: "direct".to_owned(),
            start: self.now(),
            end: None,
            value_cap: None,
            amends: None,
            terms: defaults::terms(id, log(), keys),
        }
    }

    /// A release that follows another of the same agreement.
    pub fn following(&self, account: u64, tag: Tag, id: &str, before: &str) -> Draft {
        let rationale = Text { id: "Berubah".to_owned(), en: "A change".to_owned() };
        Draft {
            id: id.to_owned(),
            tag,
            amends: Some(Amends { release: before.to_owned(), rationale }),
            ..self.draft(account)
        }
    }

    /// Takes a draft in; the operator does.
    pub async fn take_in(&self, draft: &Draft) -> Release {
        let release = Release::build(draft).unwrap();
        let document = text(&release);
        let account = release.terms().account.to_string();
        if draft.tag == Tag::Contract {
            let params = [("AccountId", account.as_str()), ("Document", &document)];
            self.ok(&operator(), "CreateAgreement", &params).await;
        } else {
            let params = [("Ocid", release.ocid()), ("Document", &document)];
            self.ok(&operator(), "AmendAgreement", &params).await;
        }
        release
    }

    pub async fn sign(
        &self,
        caller: &Caller,
        release: &Release,
        signer: &Signer,
    ) -> Result<Value, ApiError> {
        let line = signature::sign(release, signer).unwrap();
        let [ocid, id] = named(release);
        self.call(caller, "SignAgreement", &[ocid, id, ("SignatureLine", &line)]).await
    }

    pub async fn sign_both(&self, release: &Release) {
        let account = release.terms().account.number();
        self.sign(&operator(), release, &self.provider).await.unwrap();
        let signed = self.sign(&root(account), release, &tenant_signer(account)).await.unwrap();
        assert_eq!(signed["State"], "Signed");
    }

    pub async fn activate(&self, release: &Release) -> Result<Value, ApiError> {
        self.call(&operator(), "ActivateAgreement", &named(release)).await
    }

    /// Takes in, signs and activates.
    pub async fn agree(&self, draft: &Draft) -> Release {
        let release = self.take_in(draft).await;
        self.sign_both(&release).await;
        self.activate(&release).await.unwrap();
        release
    }

    pub async fn end(
        &self,
        caller: &Caller,
        draft: &Draft,
        signer: &Signer,
    ) -> Result<Value, ApiError> {
        let release = Release::build(draft).unwrap();
        let line = signature::sign(&release, signer).unwrap();
        let (document, line) = (text(&release), ("SignatureLine", line.as_str()));
        let params = [("Ocid", release.ocid()), ("Document", &document), line];
        self.call(caller, "EndAgreement", &params).await
    }

    /// Asks the agreements something.
    pub async fn ask<T: Send + 'static>(
        &self,
        ask: impl Fn(&dyn Covenant, &mut Tx<'_>, Time) -> Result<T, ApiError> + Send + 'static,
    ) -> Result<T, ApiError> {
        let (cloud, now) = (Arc::clone(&self.cloud), self.now());
        self.cloud.db.write(move |tx| ask(&*cloud.covenant, tx, now)).await
    }

    /// Whether an account may do an action now: `OK`, or the code of the refusal.
    pub async fn may(&self, account: u64, product: &'static str, action: &'static str) -> String {
        self.may_at(account, product, action, self.now()).await
    }

    /// As [`Self::may`], at another moment.
    pub async fn may_at(
        &self,
        account: u64,
        product: &'static str,
        action: &'static str,
        at: Time,
    ) -> String {
        let account = AccountId::new(account);
        let asked =
            self.ask(move |covenant, tx, _| covenant.check(tx, account, product, action, at));
        asked.await.map_or_else(|error| error.code().to_owned(), |()| "OK".to_owned())
    }

    pub async fn in_force(&self, account: u64, at: Time) -> Option<Arc<InForce>> {
        let account = AccountId::new(account);
        self.ask(move |covenant, tx, _| covenant.in_force(tx, account, at)).await.unwrap()
    }

    /// Outcome and public facts of the latest audit entries of an action, oldest first.
    pub async fn facts(&self, action: &'static str) -> Vec<(String, Value)> {
        let read = move |tx: &mut Tx<'_>| {
            let sql = "SELECT outcome, public FROM audit WHERE action = ?1 ORDER BY id";
            tx.query(sql, store::params![action], |row| Ok((row.get(0)?, row.get(1)?)))
        };
        let rows: Result<Vec<(String, String)>, store::Error> = self.cloud.db.read(read).await;
        let value = |text: String| serde_json::from_str(&text).unwrap_or(Value::Null);
        rows.unwrap().into_iter().map(|(outcome, public)| (outcome, value(public))).collect()
    }

    /// A public document.
    pub async fn document(&self, digest: &Value) -> Option<Vec<u8>> {
        let digest = digest.as_str().unwrap().to_owned();
        self.cloud.db.read(move |tx| engine::public::find(tx, &digest)).await.unwrap()
    }

    /// How a release is listed: its state.
    pub async fn state(&self, release: &Release) -> Value {
        let told = self.ok(&operator(), "GetAgreementRelease", &named(release)).await;
        told["State"].clone()
    }
}

/// The parameters that name a release.
pub fn named(release: &Release) -> [(&str, &str); 2] {
    [("Ocid", release.ocid()), ("ReleaseId", release.id())]
}

pub fn text(release: &Release) -> String {
    String::from_utf8(release.bytes().to_vec()).unwrap()
}
