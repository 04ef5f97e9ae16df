//! The demonstration's tenant: the account, its two users with a policy each, their keys, the bucket.
//! Everything is made once and found again; keys are kept in one file that only its owner can read.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use serde_json::{Map, Value, json};

use super::covenant;
use crate::api::{self, Api};
use crate::error::{Error, advise};
use crate::http::Http;
use crate::object::{Dialect, Store};
use crate::output::plain;
use crate::profile::{Credentials, Profile, write_private};

const ACCOUNT: &str = "kpu";
/// Writes: *petugas* is an officer.
const OFFICER: &str = "petugas";
/// Reads: *pengamat* is an observer.
const OBSERVER: &str = "pengamat";

/// The tenant and those who act for it.
pub(super) struct Tenant {
    /// Of the account.
    pub(super) account_id: String,
    /// Where the data goes.
    pub(super) bucket: String,
    /// The file with the keys, by name.
    pub(super) keys: PathBuf,
    /// The account itself.
    pub(super) owner: Profile,
    /// May write objects, and nothing else.
    pub(super) officer: Profile,
    /// May list and read, and nothing else.
    pub(super) observer: Profile,
}

impl Tenant {
    /// Makes what is missing. `root` is the operator's own account.
    ///
    /// # Errors
    /// Where the cloud refuses, or the key file cannot be written.
    pub(super) fn prepare(http: &Http, root: &Profile, keys: PathBuf) -> Result<Self> {
        let mut ring = KeyRing::open(&keys)?;
        let (account_id, mut owner) = account(http, root, &mut ring).context("make the tenant")?;
        let tail = account_id.get(account_id.len().saturating_sub(6)..).unwrap_or(&account_id);
        let bucket = format!("pemilu2024-{tail}");
        // Without an agreement there is no service.
        let agreed =
            covenant::agree(http, root, &owner, &account_id).context("agree with the tenant")?;
        if agreed || !ring.renewed() {
            let answer = covenant::renew(http, root, &owner, &account_id)?;
            owner = owner.with_credentials(ring.keep_renewed(&account_id, &answer)?);
        }
        let store = Store::new(http, &owner, Dialect::Oss)?;
        done(store.create_bucket(&bucket)).with_context(|| format!("make the bucket {bucket}"))?;

        let api = Api::new(http, &owner)?;
        let objects = format!("acs:oss:*:*:{bucket}/*");
        let whole = format!("acs:oss:*:*:{bucket}");
        let writes =
            json!([{"Effect": "Allow", "Action": ["oss:PutObject"], "Resource": [objects]}]);
        let reads = json!([
            {"Effect": "Allow", "Action": ["oss:GetObject"], "Resource": [objects]},
            {"Effect": "Allow", "Action": ["oss:ListObjects"], "Resource": [whole]},
        ]);
        let mut user = |name: &str, statements: &Value| -> Result<Profile> {
            let key = user(http, &owner, &api, &mut ring, name, &bucket, statements);
            Ok(owner.with_credentials(key.with_context(|| format!("make the user {name}"))?))
        };
        let officer = user(OFFICER, &writes)?;
        let observer = user(OBSERVER, &reads)?;
        Ok(Self { account_id, bucket, keys, owner, officer, observer })
    }
}

/// The account's id and its own key.
fn account(http: &Http, root: &Profile, ring: &mut KeyRing<'_>) -> Result<(String, Profile)> {
    if let Some((id, profile)) = ring.working(http, root, ACCOUNT)? {
        return Ok((id, profile));
    }
    let api = Api::new(http, root)?;
    let params = [("AccountName", ACCOUNT), ("DisplayName", "Komisi Pemilihan Umum")];
    let (id, answer) = match api.call(api::AWAN, "CreateAccount", &params) {
        Ok(answer) => (plain(&answer["Account"]["AccountId"]), answer),
        Err(error) if exists(&error) => {
            let id = find_account(&api)?;
            if covenant::key_file(root).exists() {
                let answer = covenant::renew(http, root, root, &id)?;
                let key = ring.keep_renewed(&id, &answer)?;
                return Ok((id, root.with_credentials(key)));
            }
            let answer = api.call(api::AWAN, "CreateAccountAccessKey", &[("AccountId", &id)])?;
            (id, answer)
        }
        Err(error) => return Err(error.into()),
    };
    let key = ring.keep(ACCOUNT, &id, &answer)?;
    Ok((id, root.with_credentials(key)))
}

fn find_account(api: &Api) -> Result<String> {
    let mut found = None;
    api::pages(api, api::AWAN, "ListAccounts", &[], |page| {
        let mut accounts = api::items(page).iter();
        found = accounts
            .find(|account| account["AccountName"] == ACCOUNT)
            .map(|account| plain(&account["AccountId"]));
        if found.is_some() {
            std::ops::ControlFlow::Break(())
        } else {
            std::ops::ControlFlow::Continue(())
        }
    })?;
    found.context("the account exists and is not in the list of accounts")
}

/// Makes a user with one policy and answers its key.
fn user(
    http: &Http,
    owner: &Profile,
    api: &Api,
    ring: &mut KeyRing<'_>,
    name: &str,
    bucket: &str,
    statements: &Value,
) -> Result<Credentials> {
    done(api.call(api::RAM, "CreateUser", &[("UserName", name)]))?;
    let policy = format!("{bucket}-{name}");
    let document = json!({"Version": "1", "Statement": statements}).to_string();
    done(api.call(
        api::RAM,
        "CreatePolicy",
        &[("PolicyName", &policy), ("PolicyDocument", &document)],
    ))?;
    let attach = [("PolicyType", "Custom"), ("PolicyName", policy.as_str()), ("UserName", name)];
    done(api.call(api::RAM, "AttachPolicyToUser", &attach))?;
    if let Some((_, profile)) = ring.working(http, owner, name)? {
        return Ok(profile.credentials()?.clone());
    }
    // A user has room for two keys. Those of earlier runs whose file is gone are of no use to anyone.
    let keys = api.call(api::RAM, "ListAccessKeys", &[("UserName", name)])?;
    for key in api::items(&keys) {
        let id = plain(&key["AccessKeyId"]);
        api.call(api::RAM, "DeleteAccessKey", &[("UserName", name), ("UserAccessKeyId", &id)])?;
    }
    let answer = api.call(api::RAM, "CreateAccessKey", &[("UserName", name)])?;
    ring.keep(name, "", &answer)
}

fn exists(error: &Error) -> bool {
    error.code().is_some_and(|code| {
        code.starts_with("EntityAlreadyExist") || code == "BucketAlreadyOwnedByYou"
    })
}

/// Takes "it is there already" for done.
fn done<T>(result: Result<T, Error>) -> Result<()> {
    match result {
        Ok(_) => Ok(()),
        Err(error) if exists(&error) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

/// The file with the demonstration's keys: an object of `AccountId`, `AccessKeyId`, `AccessKeySecret`
/// under each name, so that `--key-file FILE --key NAME` reads it.
struct KeyRing<'a> {
    path: &'a Path,
    keys: Map<String, Value>,
}

impl<'a> KeyRing<'a> {
    fn open(path: &'a Path) -> Result<Self> {
        let keys = match std::fs::read(path) {
            Ok(text) => serde_json::from_slice(&text).map_err(|_| {
                advise(
                    format!("{} is not a file of keys", path.display()),
                    "move it away, and new keys are made",
                )
            })?,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Map::new(),
            Err(error) => return Err(error).with_context(|| format!("read {}", path.display())),
        };
        Ok(Self { path, keys })
    }

    /// The kept key of that name, if the cloud still knows it, with the id of its account.
    fn working(
        &self,
        http: &Http,
        cloud: &Profile,
        name: &str,
    ) -> Result<Option<(String, Profile)>> {
        let Some(kept) = self.keys.get(name) else { return Ok(None) };
        let Ok(key) = serde_json::from_value::<Credentials>(kept.clone()) else { return Ok(None) };
        let profile = cloud.with_credentials(key);
        match Api::new(http, &profile)?.call(api::STS, "GetCallerIdentity", &[]) {
            Ok(identity) => Ok(Some((plain(&identity["AccountId"]), profile))),
            // A key of a cloud that was thrown away, or one that was deleted.
            Err(Error::Service(_)) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// Whether the account's key was made by the tenant's signature, so that nobody else knows it.
    fn renewed(&self) -> bool {
        self.keys.get(ACCOUNT).is_some_and(|kept| kept["Renewed"] == true)
    }

    /// Keeps the account's key that was just made by the tenant's signature.
    fn keep_renewed(&mut self, account: &str, answer: &Value) -> Result<Credentials> {
        let key = self.insert(ACCOUNT, account, answer)?;
        self.keys[ACCOUNT]["Renewed"] = true.into();
        self.write()?;
        Ok(key)
    }

    /// Keeps a key that was just made; it can never be asked for again.
    fn keep(&mut self, name: &str, account: &str, answer: &Value) -> Result<Credentials> {
        let key = self.insert(name, account, answer)?;
        self.write()?;
        Ok(key)
    }

    fn insert(&mut self, name: &str, account: &str, answer: &Value) -> Result<Credentials> {
        let made = &answer["AccessKey"];
        let key = serde_json::from_value(made.clone()).context("the answer holds no access key")?;
        let mut kept =
            json!({"AccessKeyId": made["AccessKeyId"], "AccessKeySecret": made["AccessKeySecret"]});
        if !account.is_empty() {
            kept["AccountId"] = account.into();
        }
        self.keys.insert(name.to_owned(), kept);
        Ok(key)
    }

    fn write(&self) -> Result<()> {
        let text = serde_json::to_vec_pretty(&self.keys).context("write the keys as JSON")?;
        write_private(self.path, &text)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn kept_keys_are_private_and_found_again() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("demo-keys.json");
        let answer =
            json!({"AccessKey": {"AccessKeyId": "i", "AccessKeySecret": "s", "Status": "Active"}});
        let mut ring = KeyRing::open(&path).unwrap();
        ring.keep(ACCOUNT, "42", &answer).unwrap();
        ring.keep(OFFICER, "", &answer).unwrap();
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        let again = KeyRing::open(&path).unwrap().keys;
        assert_eq!(
            again[ACCOUNT],
            json!({"AccessKeyId": "i", "AccessKeySecret": "s", "AccountId": "42"})
        );
        assert_eq!(again[OFFICER], json!({"AccessKeyId": "i", "AccessKeySecret": "s"}));
        assert!(ring.keep(OBSERVER, "", &json!({})).is_err());
        assert!(!ring.renewed());
        ring.keep_renewed("42", &answer).unwrap();
        assert!(KeyRing::open(&path).unwrap().renewed());
    }

    #[test]
    fn only_what_is_there_already_counts_as_done() {
        let answer = |code: &str| -> Result<(), Error> {
            Err(Error::Service(crate::error::Failure {
                status: 409,
                code: code.to_owned(),
                message: String::new(),
                request_id: String::new(),
            }))
        };
        for code in
            ["EntityAlreadyExists.User", "EntityAlreadyExist.Policy", "BucketAlreadyOwnedByYou"]
        {
            assert!(done(answer(code)).is_ok(), "{code}");
        }
        for code in ["BucketAlreadyExists", "NoPermission"] {
            assert!(done(answer(code)).is_err(), "{code}");
        }
    }
}
