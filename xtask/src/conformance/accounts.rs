//! The accounts that a suite signs with. Each has an agreement that both sides signed, as the cloud
//! serves nobody without one.

use std::path::Path;
use std::process::Command;

use crate::Result;
use crate::json::Json;
use crate::process;
use crate::workspace::{read, write};

/// An account with a root key.
pub(super) struct Account {
    /// Its name, which is also its displayed name.
    pub(super) name: String,
    pub(super) id: String,
    pub(super) key_id: String,
    pub(super) secret: String,
}

impl Account {
    /// The account that the cloud was born with.
    pub(super) fn operator(data_dir: &Path) -> Result<Self> {
        let root = Json::parse(&read(&data_dir.join("root-key.json"))?)?;
        Self::of("main", &root, &root)
    }

    fn of(name: &str, account: &Json, key: &Json) -> Result<Self> {
        Ok(Self {
            name: name.to_owned(),
            id: text(account, "AccountId")?,
            key_id: text(key, "AccessKeyId")?,
            secret: text(key, "AccessKeySecret")?,
        })
    }
}

/// The program `awan` as the operator of a running cloud.
pub(super) struct Operator<'a> {
    pub(super) awan: &'a Path,
    pub(super) data_dir: &'a Path,
    /// Where keys and documents are put.
    pub(super) scratch: &'a Path,
}

impl Operator<'_> {
    /// Makes an account and agrees with it on everything.
    pub(super) fn make(&self, name: &str) -> Result<Account> {
        let words = ["call", "awan", "CreateAccount", "--AccountName", name, "--DisplayName", name];
        let made = Json::parse(&self.run(|awan| awan.args(words))?)?;
        let part = |part: &str| made.get(part).ok_or_else(|| format!("no {part} was made"));
        let account = Account::of(name, part("Account")?, part("AccessKey")?)?;
        self.agree(&account)?;
        Ok(account)
    }

    fn agree(&self, account: &Account) -> Result<()> {
        let file = |kind: &str| self.scratch.join(format!("{}.{kind}", account.name));
        let (document, sign_key, key) = (file("agreement"), file("sign"), file("key"));
        write(
            &key,
            format!(
                "{{\"AccountId\": \"{}\", \"AccessKeyId\": \"{}\", \"AccessKeySecret\": \"{}\"}}",
                account.id, account.key_id, account.secret
            ),
        )?;
        self.agreement("new", |awan| {
            awan.args(["--account", &account.id, "--tenant-name", &account.name]);
            awan.arg("--sign-key").arg(&sign_key).arg("-o").arg(&document)
        })?;
        self.agreement("submit", |awan| awan.arg(&document))?;
        let release = Json::parse(&read(&document)?)?;
        let which = [text(&release, "ocid")?, text(&release, "id")?];
        self.agreement("sign", |awan| awan.args(["--yes", "--as", "provider"]).args(&which))?;
        self.agreement("sign", |awan| {
            awan.arg("--yes").args(&which).arg("--sign-key").arg(&sign_key);
            awan.arg("--key-file").arg(&key)
        })?;
        self.agreement("activate", |awan| awan.args(&which))
    }

    fn agreement(
        &self,
        verb: &str,
        point: impl FnOnce(&mut Command) -> &mut Command,
    ) -> Result<()> {
        self.run(|awan| point(awan.args(["agreement", verb]))).map(drop)
    }

    fn run(&self, point: impl FnOnce(&mut Command) -> &mut Command) -> Result<String> {
        let mut awan = Command::new(self.awan);
        process::output(point(&mut awan).arg("--data-dir").arg(self.data_dir))
    }
}

fn text(json: &Json, name: &str) -> Result<String> {
    let text = json.get(name).and_then(Json::text);
    text.map(str::to_owned).ok_or_else(|| format!("there is no {name}"))
}
