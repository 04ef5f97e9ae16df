//! `awan configure`: keeps where a cloud is and who asks, in a file that only its owner can read.

use anyhow::Result;
use base::Secret;
use clap::Args;

use crate::error::advise;
use crate::output;
use crate::profile::{Credentials, PlaceArgs, Profile, store};

/// Arguments of `awan configure`.
#[derive(Clone, Debug, Args)]
#[command(after_help = "Examples:\n  awan configure --data-dir ./cloud\n  \
    awan configure --profile kpu --endpoint https://api.awan.example --ca-cert ca.pem\n\n\
    Without a key at hand it asks for one; the answers may also be piped in, id and secret on a line each.")]
pub struct ConfigureArgs {
    #[command(flatten)]
    place: PlaceArgs,
}

/// Writes the profile; asks for what is not known.
///
/// # Errors
/// Where there is no address, or the file cannot be written.
pub fn run(args: &ConfigureArgs) -> Result<()> {
    let name = args.place.profile.clone().unwrap_or_else(|| "default".to_owned());
    // The profile is about to be made, so it must not be looked for.
    let mut place = PlaceArgs { profile: None, ..args.place.clone() };
    let id = place.access_key_id.clone();
    if id.is_some() && crate::profile::variable("AWAN_ACCESS_KEY_SECRET").is_none() {
        place.access_key_id = None;
    }
    let asked_id = id.filter(|_| place.access_key_id.is_none());
    let mut profile = Profile::resolve(&place)?;
    profile.api()?;
    if asked_id.is_some() || profile.credentials().is_err() {
        profile = profile.with_credentials(ask(asked_id)?);
    }
    let path = store(&name, &profile)?;
    output::talk(format_args!("profile \"{name}\" is in {}", path.display()));
    let flag = if name == "default" { String::new() } else { format!(" --profile {name}") };
    output::hint(format_args!("try it: awan call sts GetCallerIdentity{flag}"));
    Ok(())
}

fn ask(id: Option<String>) -> Result<Credentials> {
    let id = match id {
        Some(id) => id,
        None => output::ask("Access key id")?,
    };
    let secret = output::ask("Access key secret (it is shown as you type)")?;
    if id.is_empty() || secret.is_empty() {
        return Err(advise(
            "a key has an id and a secret",
            "the account's owner makes one: CreateAccessKey",
        ));
    }
    Ok(Credentials { id, secret: Secret::new(secret), token: None })
}
