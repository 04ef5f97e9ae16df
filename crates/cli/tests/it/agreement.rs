//! `awan agreement` and `awan access`: from a template to an agreement in force, and to its end.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use serde_json::{Value, json};
use terms::release::Tag;

use crate::World;

const ACCOUNT: &str = "1234567890123456";
const OCID: &str = "ocds-awan00-1234567890123456";

impl World {
    fn states(&self) -> Vec<(String, &'static str)> {
        self.server.covenant(|covenant| covenant.states())
    }

    /// A submitted agreement, signed by nobody.
    fn drafted(&self) {
        let (key, file) = (self.name("tenant.key"), self.name("agreement.json"));
        let new = [
            "agreement",
            "new",
            "--account",
            ACCOUNT,
            "--tenant-name",
            "KPU",
            "--sign-key",
            &key,
            "-o",
            &file,
        ];
        self.awan(&new).unwrap();
        self.awan(&["agreement", "submit", &file]).unwrap();
    }

    /// An agreement in force.
    fn agreed(&self) {
        self.drafted();
        for party in ["provider", "tenant"] {
            self.awan(&["agreement", "sign", OCID, "contract-1", "--as", party, "--yes"]).unwrap();
        }
        self.awan(&["agreement", "activate", OCID, "contract-1"]).unwrap();
    }
}

fn edit(world: &World, file: &str, change: impl FnOnce(&mut Value)) {
    let mut document: Value = serde_json::from_slice(&fs::read(world.path(file)).unwrap()).unwrap();
    change(&mut document);
    fs::write(world.path(file), document.to_string()).unwrap();
}

#[test]
fn an_agreement_is_drafted_signed_by_both_and_brought_into_force() {
    let world = World::new();
    world.agreed();
    assert_eq!(world.states(), [("contract-1".to_owned(), "Active")]);
    let mode = fs::metadata(world.path("tenant.key")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let release = world.server.covenant(|covenant| covenant.release("contract-1"));
    assert!(release.terms().keys.tenant.starts_with("awan.test/log/tenant/1234567890123456+"));
    for words in [
        &["agreement", "show"][..],
        &["agreement", "show", "--json"],
        &["agreement", "show", OCID, "contract-1"],
        &["agreement", "list"],
        &["agreement", "publish", OCID, "contract-1"],
    ] {
        world.awan(words).unwrap();
    }
    // Neither an edited document nor a key is written over.
    let (key, file) = (world.name("tenant.key"), world.name("agreement.json"));
    let before = fs::read(&key).unwrap();
    let again = [
        "agreement",
        "new",
        "--account",
        ACCOUNT,
        "--tenant-name",
        "KPU",
        "--sign-key",
        &key,
        "-o",
        &file,
    ];
    assert!(world.refused(&again).contains("is there already"));
    world.awan(&["agreement", "key", "--account", ACCOUNT, "-o", &key]).unwrap();
    assert_eq!(fs::read(&key).unwrap(), before);
    let other = world.refused(&["agreement", "key", "--account", "7", "-o", &key]);
    assert!(other.contains("and awan.test/log/tenant/0000000000000007 is wanted"), "{other}");
}

#[test]
fn nobody_signs_what_the_cloud_merely_says() {
    let world = World::new();
    world.drafted();
    world.server.covenant(|covenant| covenant.lies = true);
    let refused =
        world.refused(&["agreement", "sign", OCID, "contract-1", "--as", "tenant", "--yes"]);
    assert!(
        refused.starts_with("the cloud calls the document's digest 0, and it is "),
        "{refused}"
    );
    assert_eq!(world.server.times("SignAgreement"), 0);
}

#[test]
fn a_key_of_neither_party_signs_nothing() {
    let world = World::new();
    world.drafted();
    let key = world.name("stranger.key");
    world.awan(&["agreement", "key", "--account", "7", "-o", &key]).unwrap();
    let refused =
        world.refused(&["agreement", "sign", OCID, "contract-1", "--sign-key", &key, "--yes"]);
    assert!(refused.contains("is neither party's"), "{refused}");
    fs::write(&key, "not a key").unwrap();
    let refused =
        world.refused(&["agreement", "sign", OCID, "contract-1", "--sign-key", &key, "--yes"]);
    assert!(refused.contains("is not a signing key"), "{refused}");
    // A release that was signed by one party comes no further.
    world.awan(&["agreement", "sign", OCID, "contract-1", "--as", "tenant", "--yes"]).unwrap();
    assert!(
        world
            .refused(&["agreement", "activate", OCID, "contract-1"])
            .contains("OperationConflict.Agreement")
    );
}

#[test]
fn an_amendment_follows_what_is_in_force_and_an_end_ends_it() {
    let world = World::new();
    world.agreed();
    let file = world.name("amendment.json");
    world
        .awan(&[
            "agreement",
            "amend",
            "--reason-id",
            "Batas baru",
            "--reason-en",
            "A new limit",
            "-o",
            &file,
        ])
        .unwrap();
    edit(&world, "amendment.json", |document| {
        document["contracts"][0]["sovereign"]["spendingLimit"] = json!(1_000_000);
    });
    world.awan(&["agreement", "submit", &file]).unwrap();
    let (action, _) = world.server.last_call();
    assert_eq!(action, "AmendAgreement");
    let (id, state) = world.states().pop().unwrap();
    assert_eq!(state, "Draft");
    let release = world.server.covenant(|covenant| covenant.release(&id));
    assert_eq!(
        (release.tag(), release.terms().spending_limit),
        (Tag::ContractAmendment, Some(1_000_000))
    );
    let amends = release.amends().unwrap();
    assert_eq!(
        (amends.release.as_str(), amends.rationale.en.as_str()),
        ("contract-1", "A new limit")
    );

    world.awan(&["agreement", "end", "--reason-id", "Selesai", "--as", "tenant", "--yes"]).unwrap();
    let (id, state) = world.states().pop().unwrap();
    let release = world.server.covenant(|covenant| covenant.release(&id));
    assert_eq!((release.tag(), state), (Tag::ContractTermination, "Ended"));
    assert!(release.end().is_some());
}

#[test]
fn mistakes_in_an_edited_document_show_before_it_is_sent() {
    let world = World::new();
    let (key, file) = (world.name("tenant.key"), world.name("agreement.json"));
    let new = [
        "agreement",
        "new",
        "--account",
        ACCOUNT,
        "--tenant-name",
        "KPU",
        "--sign-key",
        &key,
        "-o",
        &file,
    ];
    world.awan(&new).unwrap();
    edit(&world, "agreement.json", |document| {
        document["contracts"][0]["sovereign"]["unknownClause"] = json!(true);
    });
    let refused = world.refused(&["agreement", "submit", &file]);
    assert!(
        refused.contains("is not an agreement: ") && refused.contains("unknownClause"),
        "{refused}"
    );
    assert_eq!(world.server.times("CreateAgreement"), 0);
}

#[test]
fn privileged_access_is_asked_for_with_a_reason_and_decided_by_id() {
    let world = World::new();
    world
        .awan(&["access", "request", ACCOUNT, "--reason", "index repair", "--hours", "2"])
        .unwrap();
    let (action, params) = world.server.last_call();
    let expected = [("AccountId", ACCOUNT), ("Hours", "2"), ("Reason", "index repair")];
    assert_eq!(action, "RequestPrivilegedAccess");
    assert_eq!(params, expected.map(|(name, value)| (name.to_owned(), value.to_owned())));
    for (verb, action) in [("deny", "DenyPrivilegedAccess"), ("end", "EndPrivilegedAccess")] {
        world.awan(&["access", verb, "pa-1"]).unwrap();
        assert_eq!(world.server.times(action), 1);
        assert!(world.refused(&["access", verb, "pa-2"]).contains("EntityNotExist"));
    }
    world.awan(&["access", "list"]).unwrap();
}

#[test]
fn privileged_access_is_approved_by_the_key_of_the_agreement() {
    let world = World::new();
    world.agreed();
    let (key, other) = (world.name("tenant.key"), world.name("other.key"));
    world.awan(&["agreement", "key", "--account", ACCOUNT, "-o", &other]).unwrap();
    world.awan(&["access", "request", ACCOUNT, "--reason", "index repair"]).unwrap();
    let approve = |id: &'static str, key: &str, more: &[&str]| {
        let words = [&["access", "approve", id, "--sign-key", key], more].concat();
        world.awan(&words).map(|_| ()).map_err(|error| format!("{error:#}"))
    };
    assert!(approve("pa-1", &other, &["--yes"]).unwrap_err().contains("Forbidden.TenantSignature"));
    assert!(approve("pa-1", &key, &[]).unwrap_err().contains("nobody is there to be asked"));
    assert_eq!(world.server.times("ApprovePrivilegedAccess"), 1, "only the refused one was sent");
    approve("pa-1", &key, &["--yes"]).unwrap();
    assert_eq!(world.server.times("ApprovePrivilegedAccess"), 2);
    assert!(approve("pa-2", &key, &["--yes"]).unwrap_err().contains("there is no access pa-2"));
}

#[test]
fn a_new_root_key_is_made_by_the_key_of_the_agreement_and_kept_private() {
    let world = World::new();
    world.agreed();
    let (key, file, other) =
        (world.name("tenant.key"), world.name("root.json"), world.name("other.key"));
    world.awan(&["agreement", "key", "--account", ACCOUNT, "-o", &other]).unwrap();
    let make = |key: &str| {
        let words = ["agreement", "root-key", "--account", ACCOUNT, "--sign-key", key, "-o", &file];
        world.awan(&words).map(|_| ()).map_err(|error| format!("{error:#}"))
    };
    assert!(make(&other).unwrap_err().contains("Forbidden.TenantSignature"));
    assert!(!world.path("root.json").exists(), "nothing is left behind");
    make(&key).unwrap();
    let kept: Value = serde_json::from_slice(&fs::read(&file).unwrap()).unwrap();
    assert!(kept["AccessKeyId"].is_string() && kept["AccessKeySecret"].is_string());
    assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    assert!(make(&key).unwrap_err().contains("is there already"));
    assert_eq!(world.server.times("CreateAccountAccessKey"), 1);
}

#[test]
fn a_signature_is_taken_back() {
    let world = World::new();
    world.drafted();
    for party in ["provider", "tenant"] {
        world.awan(&["agreement", "sign", OCID, "contract-1", "--as", party, "--yes"]).unwrap();
    }
    world.awan(&["agreement", "withdraw", OCID, "contract-1"]).unwrap();
    assert_eq!(world.states(), [("contract-1".to_owned(), "Draft")]);
}
