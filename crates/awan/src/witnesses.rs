//! The log's witnesses as the operator names them in a policy file, and the road to them over HTTP.
//! Whom to ask, what to ask and what is enough is `engine::sequencer`'s part.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Context;
use cli::witness::client::Client;
use engine::sequencer::{Sequencer, Witnesses};
use tlog::{CosignerKey, Policy, Signer};

/// Carries requests over HTTP.
struct Web(Client);

impl Witnesses for Web {
    fn add_checkpoint(&self, url: &str, body: &str) -> Result<(u16, Vec<u8>), String> {
        self.0.add_checkpoint(url, body).map_err(|error| error.to_string())
    }
}

/// The sequencer of the log in `dir`; with a policy file it publishes what the policy's witnesses let
/// through.
///
/// # Errors
/// Where the policy cannot be read, or never be met.
pub fn sequencer(
    dir: PathBuf,
    signer: &Signer,
    policy: Option<&Path>,
) -> anyhow::Result<Arc<Sequencer>> {
    let Some(file) = policy else { return Ok(Sequencer::new(dir, signer)) };
    let policy = read(file)?;
    let urls: Vec<&str> =
        policy.witnesses().iter().filter_map(|witness| witness.url.as_deref()).collect();
    for url in &urls {
        cli::http::authority(url).with_context(|| format!("understand {}", file.display()))?;
    }
    let web = Web(Client::new(&urls, None)?);
    Sequencer::witnessed(dir, signer, policy, Arc::new(web))
        .map_err(anyhow::Error::msg)
        .with_context(|| format!("go by the policy {}", file.display()))
}

/// The keys of the policy's witnesses.
///
/// # Errors
/// Where the policy cannot be read.
pub fn keys(policy: Option<&Path>) -> anyhow::Result<Vec<CosignerKey>> {
    let Some(file) = policy else { return Ok(Vec::new()) };
    Ok(read(file)?.witnesses().iter().map(|witness| witness.key.clone()).collect())
}

fn read(file: &Path) -> anyhow::Result<Policy> {
    let bytes =
        std::fs::read(file).with_context(|| format!("read the policy {}", file.display()))?;
    Policy::parse(&bytes).with_context(|| format!("understand {}", file.display()))
}
