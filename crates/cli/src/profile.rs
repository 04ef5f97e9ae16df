//! Where the cloud is and who asks: found in flags, a data directory, the environment or a profile
//! file, in this order. It reads files and variables, and never talks to the cloud.
//!
//! A key id and its secret are always taken from the same source, so that two halves of different
//! keys cannot meet. Secrets come from files and variables only: a command line is seen by everyone
//! on the machine.

use std::collections::BTreeMap;
use std::io::Write;
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use base::Secret;
use serde::{Deserialize, Serialize};

use crate::error::advise;

/// The region that a cloud is in unless something says otherwise.
const DEFAULT_REGION: &str = "ap-southeast-5";

/// The flags that say which cloud, shared by all client verbs.
#[derive(Clone, Debug, Default, clap::Args)]
#[command(next_help_heading = "Which cloud, and who asks")]
pub struct PlaceArgs {
    /// Data directory of a cloud on this machine: its cloud.json and root-key.json [env: AWAN_DATA_DIR]
    #[arg(long, global = true, value_name = "DIR")]
    pub data_dir: Option<PathBuf>,
    /// Profile written by `awan configure` [env: AWAN_PROFILE]
    #[arg(long, global = true, value_name = "NAME")]
    pub profile: Option<String>,
    /// Control API, as http://127.0.0.1:7100 [env: AWAN_ENDPOINT]
    #[arg(long, global = true, value_name = "URL")]
    pub endpoint: Option<String>,
    /// Object storage; one port above the control API unless given [env: AWAN_OSS_ENDPOINT]
    #[arg(long, global = true, value_name = "URL")]
    pub oss_endpoint: Option<String>,
    /// Region that signatures name [env: AWAN_REGION]
    #[arg(long, global = true, value_name = "REGION")]
    pub region: Option<String>,
    /// Certificate authority to trust, a PEM file [env: AWAN_CA_CERT]
    #[arg(long, global = true, value_name = "FILE")]
    pub ca_cert: Option<PathBuf>,
    /// Access key id; its secret is read from AWAN_ACCESS_KEY_SECRET
    #[arg(long, global = true, value_name = "ID")]
    pub access_key_id: Option<String>,
    /// JSON file with AccessKeyId and AccessKeySecret
    #[arg(long, global = true, value_name = "FILE")]
    pub key_file: Option<PathBuf>,
    /// Which key of a --key-file that holds several under names
    #[arg(long, global = true, value_name = "NAME", requires = "key_file")]
    pub key: Option<String>,
}

impl PlaceArgs {
    /// These flags, with those of `other` where one was not given.
    #[must_use]
    pub fn or(self, other: Self) -> Self {
        Self {
            data_dir: self.data_dir.or(other.data_dir),
            profile: self.profile.or(other.profile),
            endpoint: self.endpoint.or(other.endpoint),
            oss_endpoint: self.oss_endpoint.or(other.oss_endpoint),
            region: self.region.or(other.region),
            ca_cert: self.ca_cert.or(other.ca_cert),
            access_key_id: self.access_key_id.or(other.access_key_id),
            key_file: self.key_file.or(other.key_file),
            key: self.key.or(other.key),
        }
    }
}

/// An access key, or the temporary one of a role.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Credentials {
    /// Goes with every request.
    #[serde(rename = "AccessKeyId")]
    pub id: String,
    /// Signs; never leaves this machine.
    #[serde(rename = "AccessKeySecret")]
    pub secret: Secret<String>,
    /// Goes with the requests of a temporary key.
    #[serde(rename = "SecurityToken", default)]
    pub token: Option<String>,
}

impl Credentials {
    /// As the signing functions take it.
    pub fn signing(&self) -> wire::call::Credentials<'_> {
        wire::call::Credentials {
            key_id: &self.id,
            secret: &self.secret,
            token: self.token.as_deref(),
        }
    }
}

/// `cloud.json`, which a running cloud writes into its data directory.
#[derive(Clone, Debug, Deserialize)]
pub struct CloudFile {
    /// Region name.
    pub region: String,
    /// Zone names.
    #[serde(default)]
    pub zones: Vec<String>,
    /// PEM file of the cloud's own certificate authority.
    pub ca_cert: Option<PathBuf>,
    /// Verifier key of the transparency log, in the C2SP signed-note form.
    pub log_key: Option<String>,
    /// What runs, by name: `api`, `oss`, `metrics`, …
    pub endpoints: BTreeMap<String, String>,
}

/// Everything a verb needs to know before it asks the cloud for something.
#[derive(Clone, Debug)]
pub struct Profile {
    api: Option<String>,
    oss: Option<String>,
    credentials: Option<Credentials>,
    /// Region that signatures name.
    pub region: String,
    /// Certificate authority to trust besides none.
    pub ca_cert: Option<PathBuf>,
    /// The data directory and what its `cloud.json` says, where one was given.
    pub cloud: Option<(PathBuf, CloudFile)>,
}

impl Profile {
    /// Finds the cloud by the flags, then what surrounds the process.
    ///
    /// # Errors
    /// Where a named file or profile cannot be read, or a key has no secret. A missing endpoint or
    /// key is an error only when a verb asks for it.
    pub fn resolve(args: &PlaceArgs) -> Result<Self> {
        Self::resolve_in(args, &Surroundings::of_process())
    }

    /// As [`Profile::resolve`], in surroundings that a test makes up.
    fn resolve_in(args: &PlaceArgs, around: &Surroundings<'_>) -> Result<Self> {
        let data_dir = args.data_dir.clone().or_else(|| {
            // A data directory of the environment must not win over an endpoint that was typed.
            let typed =
                args.endpoint.is_some() || args.oss_endpoint.is_some() || args.profile.is_some();
            around.var("AWAN_DATA_DIR").filter(|_| !typed).map(PathBuf::from)
        });
        let cloud = data_dir.map(|dir| read_cloud(&dir).map(|cloud| (dir, cloud))).transpose()?;
        let stored = around.profile(args.profile.as_deref())?;

        // A profile that was named on the command line stands above what the shell happens to hold.
        let ambient = |names: &[&str]| around.first(names).filter(|_| args.profile.is_none());
        let from_cloud =
            |name: &str| cloud.as_ref().and_then(|(_, file)| file.endpoints.get(name).cloned());
        let api = args.endpoint.clone().or_else(|| from_cloud("api"));
        let api = api.or_else(|| ambient(&["AWAN_ENDPOINT", "ALIBABA_CLOUD_ENDPOINT"]));
        let api = api.or_else(|| stored.endpoint.clone()).map(|url| with_scheme(&url));
        // Storage must belong to the same cloud as a typed control API, so nothing else is looked at.
        let elsewhere = || {
            let known = from_cloud("oss").or_else(|| ambient(&["AWAN_OSS_ENDPOINT"]));
            known.or_else(|| stored.oss_endpoint.clone()).filter(|_| args.endpoint.is_none())
        };
        let oss = args.oss_endpoint.clone().or_else(elsewhere).map(|url| with_scheme(&url));
        let oss = oss.or_else(|| api.as_deref().and_then(next_port));

        let region =
            args.region.clone().or_else(|| cloud.as_ref().map(|(_, file)| file.region.clone()));
        let region = region.or_else(|| ambient(&["AWAN_REGION", "ALIBABA_CLOUD_REGION_ID"]));
        let ca_cert = args
            .ca_cert
            .clone()
            .or_else(|| cloud.as_ref().and_then(|(_, file)| file.ca_cert.clone()));
        let ca_cert = ca_cert.or_else(|| ambient(&["AWAN_CA_CERT"]).map(PathBuf::from));
        Ok(Self {
            credentials: credentials(
                args,
                around,
                cloud.as_ref().map(|(dir, _)| dir.as_path()),
                &stored,
            )?,
            api,
            oss,
            region: region.or(stored.region).unwrap_or_else(|| DEFAULT_REGION.to_owned()),
            ca_cert: ca_cert.or(stored.ca_cert),
            cloud,
        })
    }

    /// The control API's address, without a slash at its end.
    ///
    /// # Errors
    /// Where nothing named one.
    pub fn api(&self) -> Result<&str> {
        self.api.as_deref().ok_or_else(|| nowhere("the control API"))
    }

    /// Object storage's address, without a slash at its end.
    ///
    /// # Errors
    /// Where nothing named one.
    pub fn oss(&self) -> Result<&str> {
        self.oss.as_deref().ok_or_else(|| nowhere("object storage"))
    }

    /// The key to sign with.
    ///
    /// # Errors
    /// Where nothing named one.
    pub fn credentials(&self) -> Result<&Credentials> {
        self.credentials.as_ref().ok_or_else(|| {
            advise(
                "no access key is known",
                "give --data-dir DIR of a cloud on this machine, or set AWAN_ACCESS_KEY_ID and AWAN_ACCESS_KEY_SECRET, \
                 or run `awan configure`",
            )
        })
    }

    /// The same cloud, asked by someone else.
    #[must_use]
    pub fn with_credentials(&self, credentials: Credentials) -> Self {
        Self { credentials: Some(credentials), ..self.clone() }
    }
}

fn nowhere(what: &str) -> anyhow::Error {
    advise(
        format!("the address of {what} is not known"),
        "give --data-dir DIR of a cloud on this machine, or --endpoint URL, or set AWAN_ENDPOINT, or run `awan configure`",
    )
}

fn credentials(
    args: &PlaceArgs,
    around: &Surroundings<'_>,
    data_dir: Option<&Path>,
    stored: &Stored,
) -> Result<Option<Credentials>> {
    if let Some(file) = &args.key_file {
        return read_key(file, args.key.as_deref()).map(Some);
    }
    let secret = || around.first(&["AWAN_ACCESS_KEY_SECRET", "ALIBABA_CLOUD_ACCESS_KEY_SECRET"]);
    let token = || around.first(&["AWAN_SECURITY_TOKEN", "ALIBABA_CLOUD_SECURITY_TOKEN"]);
    if let Some(id) = &args.access_key_id {
        let secret = secret().ok_or_else(|| {
            advise(
                format!("the secret of access key {id} is not known"),
                "set AWAN_ACCESS_KEY_SECRET, or give the whole key with --key-file FILE",
            )
        })?;
        return Ok(Some(Credentials {
            id: id.clone(),
            secret: Secret::new(secret),
            token: token(),
        }));
    }
    // The root key may have been moved to a safer place; then the next source counts.
    if let Some(file) = data_dir.map(|dir| dir.join("root-key.json")).filter(|file| file.exists()) {
        return read_key(&file, None).map(Some);
    }
    if args.profile.is_none() {
        let id = around.first(&["AWAN_ACCESS_KEY_ID", "ALIBABA_CLOUD_ACCESS_KEY_ID"]);
        if let (Some(id), Some(secret)) = (id, secret()) {
            return Ok(Some(Credentials { id, secret: Secret::new(secret), token: token() }));
        }
    }
    Ok(stored.credentials())
}

/// Reads a key from a JSON file: the file's own, or the one under `name`.
fn read_key(file: &Path, name: Option<&str>) -> Result<Credentials> {
    let text = std::fs::read(file)
        .with_context(|| format!("read the access key in {}", file.display()))?;
    let mut value: serde_json::Value =
        serde_json::from_slice(&text).with_context(|| format!("{} is not JSON", file.display()))?;
    if let Some(name) = name {
        value = value[name].take();
    }
    serde_json::from_value(value).map_err(|_| {
        let named = name.map(|name| format!(" under \"{name}\"")).unwrap_or_default();
        advise(
            format!("{} holds no AccessKeyId and AccessKeySecret{named}", file.display()),
            "--key NAME picks one of several keys in a file",
        )
    })
}

fn read_cloud(dir: &Path) -> Result<CloudFile> {
    let path = dir.join("cloud.json");
    let text = match std::fs::read(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            return Err(advise(
                format!("there is no cloud.json in {}", dir.display()),
                format!(
                    "`awan serve --data-dir {}` writes it when the cloud is ready",
                    dir.display()
                ),
            ));
        }
        Err(error) => return Err(error).with_context(|| format!("read {}", path.display())),
    };
    serde_json::from_slice(&text)
        .with_context(|| format!("{} is not what a cloud writes", path.display()))
}

/// Cuts a slash at the end and adds the scheme of a bare `host:port`.
fn with_scheme(url: &str) -> String {
    let url = url.trim().trim_end_matches('/');
    if url.contains("://") { url.to_owned() } else { format!("http://{url}") }
}

/// Object storage listens one port above the control API.
fn next_port(url: &str) -> Option<String> {
    let (rest, port) = url.rsplit_once(':')?;
    let port: u16 = port.parse().ok()?;
    Some(format!("{rest}:{}", port.checked_add(1)?))
}

/// What surrounds the process: variables and the profile file.
struct Surroundings<'a> {
    vars: &'a dyn Fn(&str) -> Option<String>,
}

impl Surroundings<'static> {
    fn of_process() -> Self {
        Self { vars: &|name| variable(name) }
    }
}

/// One environment variable; empty counts as not set.
#[allow(clippy::disallowed_methods, reason = "the client's one door to the environment")]
pub fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

impl Surroundings<'_> {
    fn var(&self, name: &str) -> Option<String> {
        (self.vars)(name).filter(|value| !value.is_empty())
    }

    fn first(&self, names: &[&str]) -> Option<String> {
        names.iter().find_map(|name| self.var(name))
    }

    fn config_path(&self) -> Option<PathBuf> {
        let own = self.var("AWAN_CONFIG").map(PathBuf::from);
        let base = || {
            let xdg = self.var("XDG_CONFIG_HOME").map(PathBuf::from);
            xdg.or_else(|| self.var("HOME").map(|home| Path::new(&home).join(".config")))
        };
        own.or_else(|| base().map(|base| base.join("awan/config.toml")))
    }

    /// The profile of that name; a name that was not asked for may be missing.
    fn profile(&self, named: Option<&str>) -> Result<Stored> {
        let named = named.map(str::to_owned).or_else(|| self.var("AWAN_PROFILE"));
        let file =
            self.config_path().map(|path| ConfigFile::read(&path)).transpose()?.unwrap_or_default();
        match named {
            Some(name) => file.profile.get(&name).cloned().ok_or_else(|| {
                let known: Vec<&str> = file.profile.keys().map(String::as_str).collect();
                advise(
                    format!("there is no profile \"{name}\" (known: {})", known.join(", ")),
                    format!("`awan configure --profile {name}` makes it"),
                )
            }),
            None => Ok(file.profile.get("default").cloned().unwrap_or_default()),
        }
    }
}

/// The profile file.
#[derive(Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct ConfigFile {
    #[serde(default)]
    profile: BTreeMap<String, Stored>,
}

/// One profile as it stands in the file.
#[derive(Clone, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Stored {
    #[serde(skip_serializing_if = "Option::is_none")]
    endpoint: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    oss_endpoint: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    region: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    ca_cert: Option<PathBuf>,
    #[serde(skip_serializing_if = "Option::is_none")]
    access_key_id: Option<String>,
    // Plain text here, because writing the file is what this type is for.
    #[serde(skip_serializing_if = "Option::is_none")]
    access_key_secret: Option<String>,
}

impl Stored {
    fn credentials(&self) -> Option<Credentials> {
        let (id, secret) = (self.access_key_id.clone()?, self.access_key_secret.clone()?);
        Some(Credentials { id, secret: Secret::new(secret), token: None })
    }
}

impl ConfigFile {
    fn read(path: &Path) -> Result<Self> {
        let text = match std::fs::read_to_string(path) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                return Ok(Self::default());
            }
            Err(error) => return Err(error).with_context(|| format!("read {}", path.display())),
        };
        let mode = std::fs::metadata(path).map(|meta| meta.permissions().mode())?;
        if mode & 0o077 != 0 {
            return Err(advise(
                format!("{} holds secrets and others can read it", path.display()),
                format!("chmod 600 {}", path.display()),
            ));
        }
        toml::from_str(&text).with_context(|| format!("{} is not a profile file", path.display()))
    }

    fn write(&self, path: &Path) -> Result<()> {
        let text = toml::to_string(self).context("write the profile as TOML")?;
        write_private(path, text.as_bytes())
    }
}

/// Writes a file that only its owner can read (mode 0600), whole or not at all.
///
/// # Errors
/// Where the directory or the file cannot be written.
pub fn write_private(path: &Path, bytes: &[u8]) -> Result<()> {
    let dir = path.parent().filter(|dir| !dir.as_os_str().is_empty()).unwrap_or(Path::new("."));
    std::fs::create_dir_all(dir)
        .with_context(|| format!("make the directory {}", dir.display()))?;
    let mut draft = path.as_os_str().to_owned();
    draft.push(format!(".{}", std::process::id()));
    let draft = PathBuf::from(draft);
    let written = std::fs::OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(&draft)
        .and_then(|mut file| file.write_all(bytes).and_then(|()| file.sync_all()))
        .and_then(|()| std::fs::rename(&draft, path));
    if written.is_err() {
        let _ = std::fs::remove_file(&draft);
    }
    written.with_context(|| format!("write {}", path.display()))
}

/// Stores where the cloud is and who asks under a profile name; answers the file's path.
///
/// # Errors
/// Where there is no home directory or the file cannot be written.
pub fn store(name: &str, profile: &Profile) -> Result<PathBuf> {
    store_in(&Surroundings::of_process(), name, profile)
}

fn store_in(around: &Surroundings<'_>, name: &str, profile: &Profile) -> Result<PathBuf> {
    let path = around.config_path().ok_or_else(|| {
        advise(
            "there is no place for the profile file",
            "set HOME, or AWAN_CONFIG to a file's path",
        )
    })?;
    let mut file = ConfigFile::read(&path)?;
    let stored = Stored {
        endpoint: profile.api.clone(),
        oss_endpoint: profile.oss.clone(),
        region: Some(profile.region.clone()),
        ca_cert: profile.ca_cert.clone(),
        access_key_id: profile.credentials.as_ref().map(|key| key.id.clone()),
        access_key_secret: profile.credentials.as_ref().map(|key| key.secret.expose().clone()),
    };
    file.profile.insert(name.to_owned(), stored);
    file.write(&path)?;
    Ok(path)
}

#[cfg(test)]
mod tests;
