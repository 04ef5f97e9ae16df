//! `kill -9` while tenants agree, and while the provider asks for leave to read what they own.
//!
//! Every step of every tenant is either done or not: an agreement whose activation was acknowledged
//! binds after a restart, one that is half-made gives no service, and each step that was done is one
//! entry of the log. `AWAN_CRASH_SEED` and `AWAN_CRASH_KILLS` repeat and lengthen a run.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use base::{Secret, SystemRng};
use cli::api::{AWAN, Api};
use cli::error::Error;
use cli::object::{Dialect, Store};
use cli::profile::{Credentials, Profile};
use serde_json::{Value, json};
use terms::{Release, signature, statement};
use tlog::Signer;

use crate::dice::{Dice, variable};
use crate::server::{self, Server, awan};

/// What is done with each tenant, in order. The account comes before.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Stage {
    Account,
    Drafted,
    SignedByOne,
    Signed,
    Published,
    Active,
    Asked,
    Approved,
    Over,
}

use Stage::{Account, Active, Approved, Asked, Drafted, Over, Published, Signed, SignedByOne};

const STAGES: [Stage; 9] =
    [Account, Drafted, SignedByOne, Signed, Published, Active, Asked, Approved, Over];

/// The entries of the log that a step leaves, by the stage that it leads to.
const LEAVES: [(Stage, &str); 5] = [
    (Published, "awan:PublishAgreement"),
    (Active, "awan:ActivateAgreement"),
    (Asked, "awan:RequestPrivilegedAccess"),
    (Approved, "awan:ApprovePrivilegedAccess"),
    (Over, "awan:EndPrivilegedAccess"),
];

struct Tenant {
    id: String,
    credentials: Credentials,
    signer: Signer,
    release: Option<Release>,
    stage: Stage,
    /// The next step was asked for, and no answer came.
    pending: bool,
}

/// The operator's side.
struct Desk {
    operator: Api,
    profile: Profile,
    provider: Signer,
}

impl Desk {
    fn of(server: &Server, dir: &Path) -> Self {
        let key = std::fs::read_to_string(dir.join("provider.key")).unwrap();
        let provider = Signer::parse(&Secret::new(key.trim().to_owned())).unwrap();
        Self { operator: server.api(), profile: server.profile.clone(), provider }
    }

    fn call(&self, action: &str, params: &[(&str, &str)]) -> Result<Value, Error> {
        self.operator.call(AWAN, action, params)
    }

    fn api(&self, tenant: &Tenant) -> Api {
        let profile = self.profile.with_credentials(tenant.credentials.clone());
        Api::new(&cli::http::Http::new(&profile, 1).unwrap(), &profile).unwrap()
    }

    fn store(&self, tenant: &Tenant) -> Store {
        let profile = self.profile.with_credentials(tenant.credentials.clone());
        let http = cli::http::Http::new(&profile, 1).unwrap();
        Store::new(&http, &profile, Dialect::Oss).unwrap()
    }

    /// A new account. One whose key got lost on the way is nobody's.
    fn admit(&self, name: &str) -> Result<Tenant, Error> {
        let answer = self.call("CreateAccount", &[("AccountName", name)])?;
        let id = answer["Account"]["AccountId"].as_str().unwrap().to_owned();
        let credentials = serde_json::from_value(answer["AccessKey"].clone()).unwrap();
        let signer = Signer::generate(&SystemRng, &format!("awan.local/log/tenant/{id}")).unwrap();
        Ok(Tenant { id, credentials, signer, release: None, stage: Account, pending: false })
    }

    /// Takes the tenant's next step.
    fn step(&self, tenant: &mut Tenant) -> Result<(), Error> {
        if tenant.release.is_none() {
            tenant.release = Some(self.draft(tenant)?);
        }
        let release = tenant.release.as_ref().unwrap();
        let named = [("Ocid", release.ocid()), ("ReleaseId", release.id())];
        let text = std::str::from_utf8(release.bytes()).unwrap();
        tenant.pending = true;
        match tenant.stage {
            Account => {
                self.call("CreateAgreement", &[("AccountId", &tenant.id), ("Document", text)])
            }
            Drafted => sign(&self.operator, release, &self.provider),
            SignedByOne => sign(&self.api(tenant), release, &tenant.signer),
            Signed => self.call("PublishAgreement", &named),
            Published => self.call("ActivateAgreement", &named),
            Active => {
                let asked =
                    [("AccountId", tenant.id.as_str()), ("Reason", "Tiket 17"), ("Hours", "2")];
                self.call("RequestPrivilegedAccess", &asked)
            }
            Asked => {
                let id = self.access(tenant)?.0;
                let account = tenant.id.parse().unwrap();
                let text = statement::privileged_access(&id, account, "Tiket 17", 2);
                let line = statement::sign(&text, &tenant.signer).unwrap();
                let params = [("AccessId", id.as_str()), ("SignatureLine", &line)];
                self.api(tenant).call(AWAN, "ApprovePrivilegedAccess", &params)
            }
            Approved => {
                let id = self.access(tenant)?.0;
                self.call("EndPrivilegedAccess", &[("AccessId", &id)])
            }
            Over => Ok(json!({})),
        }?;
        tenant.pending = false;
        tenant.stage = next(tenant.stage);
        Ok(())
    }

    fn draft(&self, tenant: &Tenant) -> Result<Release, Error> {
        let key = tenant.signer.verifier().to_string();
        let params =
            [("AccountId", tenant.id.as_str()), ("TenantName", "KPU"), ("TenantKey", &key)];
        let answer = self.call("DescribeAgreementTemplate", &params)?;
        Ok(Release::parse(answer["Document"].as_str().unwrap().as_bytes()).unwrap())
    }

    /// Id and state of the one access that was asked for; empty where none was.
    fn access(&self, tenant: &Tenant) -> Result<(String, String), Error> {
        let listed = self.call("ListPrivilegedAccess", &[("AccountId", &tenant.id)])?;
        let all = listed["Accesses"]["Access"].as_array().unwrap();
        assert!(all.len() <= 1, "one access was asked for: {listed}");
        let text = |field: &str| all.first().map_or("", |one| one[field].as_str().unwrap());
        Ok((text("AccessId").to_owned(), text("State").to_owned()))
    }

    /// How far the cloud says that a tenant is.
    fn look(&self, tenant: &Tenant) -> Stage {
        let listed = self.call("ListAgreements", &[("AccountId", &tenant.id)]).unwrap();
        let all = listed["Agreements"]["Agreement"].as_array().unwrap();
        assert!(all.len() <= 1, "one agreement was made: {listed}");
        let Some(one) = all.first() else { return Account };
        let digest = tenant.release.as_ref().unwrap().digest();
        assert_eq!(one["Digest"], digest);
        let signed = [&one["SignedByProvider"], &one["SignedByTenant"]];
        match (one["State"].as_str().unwrap(), signed.map(|it| it.as_bool().unwrap())) {
            ("Draft", [false, false]) => Drafted,
            ("Draft", [true, false]) => SignedByOne,
            ("Signed", [true, true]) => Signed,
            ("Published", [true, true]) => Published,
            ("Active", [true, true]) => match self.access(tenant).unwrap().1.as_str() {
                "" => Active,
                "Requested" => Asked,
                "Granted" => Approved,
                "Ended" => Over,
                state => panic!("an access that is {state}"),
            },
            other => panic!("an agreement that is {other:?}"),
        }
    }

    /// After a restart: what was acknowledged is done, what was not is done or not.
    fn check(&self, tenant: &mut Tenant) {
        let found = self.look(tenant);
        let may_be = tenant.pending && found == next(tenant.stage);
        assert!(
            found == tenant.stage || may_be,
            "{}: {found:?} after {:?} (pending: {})",
            tenant.id,
            tenant.stage,
            tenant.pending
        );
        (tenant.stage, tenant.pending) = (found, false);
        let bucket = format!("of-{}", tenant.id);
        match self.store(tenant).create_bucket(&bucket) {
            Ok(()) => assert!(found >= Active, "{found:?} gives no service"),
            Err(error) => {
                assert!(error.to_string().contains("no active agreement"), "{error}");
                assert!(found < Active, "{found:?} binds: {error}");
            }
        }
    }

    /// Takes steps until the cloud is gone.
    fn work(&self, hand: u64, tenants: &mut Vec<Tenant>, admitted: &mut u64) {
        loop {
            let done = match tenants.iter_mut().find(|tenant| tenant.stage != Over) {
                Some(tenant) => self.step(tenant),
                None => {
                    *admitted += 1;
                    let name = format!("tenant-{hand}-{admitted}");
                    self.admit(&name).map(|tenant| tenants.push(tenant))
                }
            };
            match done {
                Ok(()) => {}
                Err(Error::Transport { .. }) => return,
                Err(other) => panic!("refused although nothing was wrong: {other}"),
            }
        }
    }
}

fn next(stage: Stage) -> Stage {
    let later = STAGES.iter().find(|later| **later > stage);
    later.copied().unwrap_or(stage)
}

fn sign(api: &Api, release: &Release, signer: &Signer) -> Result<Value, Error> {
    let line = signature::sign(release, signer).unwrap();
    let line = line.trim_end();
    let params = [("Ocid", release.ocid()), ("ReleaseId", release.id()), ("SignatureLine", line)];
    api.call(AWAN, "SignAgreement", &params)
}

/// How often each action that went well is in the log, by tenant.
fn leaves(profile: &Profile) -> BTreeMap<(String, String), usize> {
    let mut found = BTreeMap::new();
    server::each_leaf(profile, |leaf| {
        if leaf["outcome"] == "OK" {
            let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
            *found.entry((text(&leaf["public"]["tenant"]), text(&leaf["action"]))).or_default() +=
                1;
        }
    });
    found
}

#[test]
fn agreements_and_accesses_are_done_or_not_whenever_the_cloud_is_killed() {
    let kills = variable("AWAN_CRASH_KILLS").unwrap_or(30);
    let seed = variable("AWAN_CRASH_SEED").unwrap_or_else(|| u64::from(std::process::id()) * 7907);
    println!("tenants test: seed {seed}, {kills} kills");
    let mut dice = Dice(seed);
    let home = tempfile::TempDir::new().unwrap();
    let dir = home.path().join("cloud");
    let mut hands: [(Vec<Tenant>, u64); 3] = Default::default();
    for _ in 0..kills {
        let server = Server::start(&dir, &[]);
        let desk = Desk::of(&server, &dir);
        hands.iter_mut().flat_map(|(tenants, _)| tenants).for_each(|tenant| {
            // What is over stays over; it is looked at again at the end.
            if tenant.stage != Over {
                desk.check(tenant);
            }
        });
        let life = Duration::from_millis(5 + dice.roll(120));
        std::thread::scope(|scope| {
            for (hand, (tenants, admitted)) in (0_u64..).zip(&mut hands) {
                let desk = &desk;
                scope.spawn(move || desk.work(hand, tenants, admitted));
            }
            std::thread::sleep(life);
            server.kill();
        });
    }
    let server = Server::start(&dir, &[]);
    let desk = Desk::of(&server, &dir);
    let mut tenants: Vec<_> = hands.into_iter().flat_map(|(tenants, _)| tenants).collect();
    tenants.iter_mut().for_each(|tenant| desk.check(tenant));
    let profile = server.profile.clone();
    server.stop();
    let found = leaves(&profile);
    for tenant in &tenants {
        for (stage, action) in LEAVES {
            let times = found.get(&(tenant.id.clone(), action.to_owned())).copied();
            let expected = usize::from(tenant.stage >= stage);
            assert_eq!(times.unwrap_or(0), expected, "{action} of {}", tenant.id);
        }
    }
    let over = tenants.iter().filter(|tenant| tenant.stage == Over).count();
    println!("{} tenants, {over} went the whole way", tenants.len());
    assert!(over > 0, "the kills left no time for anything");
    // Every document that the log names is there and says what the log says.
    let server = Server::start(&dir, &[]);
    let place = dir.to_str().unwrap();
    awan(home.path(), &["verify", "--data-dir", place, "--agreements", "--no-memory"]).ok();
    server.stop();
}

/// What the first start makes (keys, an account, an agreement that is in force) is made once and
/// whole, whenever the power fails meanwhile.
#[test]
fn a_first_start_that_is_killed_is_begun_again_by_the_next() {
    let seed = variable("AWAN_CRASH_SEED").unwrap_or_else(|| u64::from(std::process::id()) * 7901);
    println!("first start test: seed {seed}");
    let mut dice = Dice(seed);
    for _ in 0..6 {
        let home = tempfile::TempDir::new().unwrap();
        let dir = home.path().join("cloud");
        for _ in 0..3 {
            let mut child = server::spawn(&dir, server::port_base(), &[]);
            std::thread::sleep(Duration::from_millis(dice.roll(150)));
            child.kill().unwrap();
            child.wait().unwrap();
        }
        let server = Server::start(&dir, &[]);
        server.store(Dialect::S3).create_bucket("first").unwrap();
        let profile = server.profile.clone();
        server.stop();
        let mut times = BTreeMap::<String, usize>::new();
        server::each_leaf(&profile, |leaf| {
            *times.entry(leaf["action"].as_str().unwrap().to_owned()).or_default() += 1;
        });
        for (action, expected) in [
            ("awan:DeclareKey", 2),
            ("awan:DeclareDataCentre", 3),
            ("awan:ActivateAgreement", 1),
            ("oss:PutBucket", 1),
        ] {
            assert_eq!(times.get(action), Some(&expected), "{action}: {times:?}");
        }
    }
}
