//! What the cloud tells whoever started it: `cloud.json`, `root-key.json`, and a summary for people.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::Context;
use base::{AccountId, Secret};
use engine::files::write_whole;
use serde::{Deserialize, Serialize};

/// `cloud.json`: where the cloud answers. Only what runs is in it.
#[derive(Debug, Serialize)]
pub struct CloudFile {
    /// The region's id.
    pub region: String,
    /// Its zones.
    pub zones: Vec<String>,
    /// The certificate authority that clients trust.
    pub ca_cert: String,
    /// The log's verifier key, in the signed-note form.
    pub log_key: String,
    /// The provider's verifier key, with which it signs agreements, in the signed-note form.
    pub provider_key: String,
    /// The doors.
    pub endpoints: BTreeMap<&'static str, String>,
}

impl CloudFile {
    /// Writes it; whoever sees it sees it whole.
    pub fn write(&self, dir: &Path) -> anyhow::Result<()> {
        let text = serde_json::to_string_pretty(self)?;
        write_whole(&dir.join("cloud.json"), text.as_bytes(), 0o644).context("write cloud.json")
    }
}

/// Takes `cloud.json` away: the cloud does not answer any more, or not yet.
pub fn withdraw(dir: &Path) {
    let _ = std::fs::remove_file(dir.join("cloud.json"));
}

/// `root-key.json`: the first key of the account that runs the cloud.
#[derive(Deserialize, Serialize)]
#[serde(rename_all = "PascalCase")]
struct RootKeyFile {
    account_id: String,
    access_key_id: String,
    access_key_secret: String,
}

/// The account that this directory's root key is of.
pub fn account_of(dir: &Path) -> anyhow::Result<AccountId> {
    Ok(read_root_key(dir)?.0)
}

fn read_root_key(dir: &Path) -> anyhow::Result<(AccountId, RootKeyFile)> {
    let path = dir.join("root-key.json");
    let text =
        std::fs::read_to_string(&path).with_context(|| format!("read {}", path.display()))?;
    let file: RootKeyFile =
        serde_json::from_str(&text).with_context(|| format!("understand {}", path.display()))?;
    let account = file.account_id.parse();
    let account =
        account.map_err(|()| anyhow::anyhow!("{}: AccountId is no account id", path.display()))?;
    Ok((account, file))
}

/// Reads the root key's file, or at first start makes it from `key`. The file is written before the
/// account is, so that no crash can leave an account whose key nobody has.
pub fn root_key(dir: &Path, make: impl FnOnce() -> ram::RootKey) -> anyhow::Result<ram::RootKey> {
    let path = dir.join("root-key.json");
    if path.exists() {
        let (account_id, file) = read_root_key(dir)?;
        let access_key_secret = Secret::new(file.access_key_secret);
        return Ok(ram::RootKey {
            account_id,
            access_key_id: file.access_key_id,
            access_key_secret,
        });
    }
    let key = make();
    let file = RootKeyFile {
        account_id: key.account_id.to_string(),
        access_key_id: key.access_key_id.clone(),
        access_key_secret: key.access_key_secret.expose().clone(),
    };
    write_whole(&path, serde_json::to_string_pretty(&file)?.as_bytes(), 0o600)
        .context("write root-key.json")?;
    Ok(key)
}
