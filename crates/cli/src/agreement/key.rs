//! The parties' keys as files that only their owner can read: made once, then kept. A tenant's key is
//! named after the log and its account, so that a signature says whose it is.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use base::{AccountId, Secret, SystemRng};
use clap::{Args, ValueEnum};
use tlog::Signer;

use crate::error::advise;
use crate::output;
use crate::profile::{PlaceArgs, Profile, write_private};
use crate::verify::verifier;

/// Arguments of `awan agreement key`.
#[derive(Clone, Debug, Args)]
pub(super) struct KeyArgs {
    /// The tenant's account
    #[arg(long, value_name = "ACCOUNT")]
    account: String,
    /// The file to write; one that is there is kept, and its public half printed
    #[arg(short, long, value_name = "FILE", default_value = "tenant.key")]
    output: PathBuf,
    /// The log's key, whose name begins the tenant's; of cloud.json unless given
    #[arg(long, value_name = "KEY")]
    log_key: Option<String>,
    #[command(flatten)]
    place: PlaceArgs,
}

/// Whose key signs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Side {
    /// The provider: provider.key of the data directory
    Provider,
    /// The tenant: tenant.key of the data directory
    Tenant,
}

/// Which key signs.
#[derive(Clone, Debug, Args)]
#[group(required = true, multiple = false)]
pub(super) struct SignerArgs {
    /// The key's file
    #[arg(long, value_name = "FILE")]
    sign_key: Option<PathBuf>,
    /// The party whose key is in the data directory
    #[arg(long = "as", value_enum, value_name = "PARTY")]
    side: Option<Side>,
}

impl SignerArgs {
    /// Reads the key.
    ///
    /// # Errors
    /// Where there is none, or the file holds something else.
    pub fn read(&self, profile: &Profile) -> Result<Signer> {
        if let Some(file) = &self.sign_key {
            return read(file);
        }
        let Some((dir, _)) = &profile.cloud else {
            return Err(advise(
                "which data directory holds the key is not known",
                "give --data-dir DIR, or --sign-key FILE",
            ));
        };
        let name = match self.side {
            Some(Side::Provider) => "provider.key",
            _ => "tenant.key",
        };
        read(&dir.join(name))
    }
}

/// Makes the key where there is none, and prints its public half.
///
/// # Errors
/// Where the file cannot be written, or holds something else.
pub(super) fn run(args: &KeyArgs) -> Result<()> {
    let profile = Profile::resolve(&args.place)?;
    let signer = obtain(&args.output, &profile, args.log_key.as_deref(), &args.account)?;
    output::line(signer.verifier())?;
    Ok(())
}

/// The tenant's key in a file, made where it is missing.
///
/// # Errors
/// Where it cannot be read or made, or is the key of another account.
pub(crate) fn obtain(
    file: &Path,
    profile: &Profile,
    log_key: Option<&str>,
    account: &str,
) -> Result<Signer> {
    let account: AccountId = account.parse().map_err(|()| {
        advise(format!("\"{account}\" is not an account"), "an account is a number")
    })?;
    let log = verifier(profile, log_key)?;
    let name = format!("{}/tenant/{account}", log.name());
    if file.exists() {
        let signer = read(file)?;
        anyhow::ensure!(
            signer.verifier().name() == name,
            "{} holds the key {}, and {name} is wanted",
            file.display(),
            signer.verifier().name()
        );
        return Ok(signer);
    }
    let signer = Signer::generate(&SystemRng, &name).context("make the key")?;
    write_private(file, format!("{}\n", signer.text().expose()).as_bytes())?;
    output::talk(format_args!(
        "the key is in {}: keep it safe, whoever has it signs for the tenant",
        file.display()
    ));
    Ok(signer)
}

/// Reads a key.
pub(crate) fn read(file: &Path) -> Result<Signer> {
    let text = std::fs::read_to_string(file)
        .map(Secret::new)
        .with_context(|| format!("read the key in {}", file.display()))?;
    let text = Secret::new(text.expose().trim().to_owned());
    Signer::parse(&text).with_context(|| format!("{} is not a signing key", file.display()))
}
