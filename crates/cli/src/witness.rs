//! `awan witness`: a witness of transparency logs that anybody can run (c2sp.org/tlog-witness). It makes
//! its key at the first start, cosigns what its logs show it as long as they only grow, remembers the
//! last of it durably, and keeps the proof where a log shows two faces.
//!
//! | module | owns |
//! |---|---|
//! | [`memory`] | what was cosigned last, in files |
//! | [`evidence`] | the proof of a split view, in a file |
//! | [`server`] | HTTP |
//! | [`client`] | asking a witness, as a log does |
//!
//! What a witness decides is `tlog::witness`'s part. It serves plain HTTP: its answers are signed, and
//! whoever wants TLS puts a proxy before it.

use std::fs;
use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::{Context, Result};
use base::{Rng, Secret, SystemClock, SystemRng};
use clap::Args;
use tlog::{Cosigner, Verifier, Witness};

use crate::error::advise;
use crate::output;
use crate::profile::write_private;

pub mod client;
pub mod evidence;
pub(crate) mod memory;
mod server;

use memory::Memory;
use server::Service;

/// Arguments of `awan witness`.
#[derive(Clone, Debug, Args)]
#[command(after_help = "Examples:\n  \
    awan witness --dir ./witness --log awan.example/log+1a2b3c4d+AbC…\n  \
    awan witness --dir ./witness --listen 0.0.0.0:7180 --name witness.kampus.example --log KEY --log KEY\n\n\
    It prints its own key: whoever runs a log, and whoever reads one, puts it into a policy file:\n  \
    witness kampus KEY http://witness.kampus.example:7180")]
pub struct WitnessArgs {
    /// Where the witness keeps its key and what it cosigned
    #[arg(long, value_name = "DIR")]
    dir: PathBuf,
    /// The address to listen on
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:7180")]
    listen: SocketAddr,
    /// The key of a log to watch; may be given several times
    #[arg(long, value_name = "KEY", required = true)]
    log: Vec<Verifier>,
    /// The name under which a new key cosigns, a URL without scheme [default: one made up]
    #[arg(long, value_name = "NAME")]
    name: Option<String>,
    /// The file of the witness's key; made where there is none [default: DIR/witness.key]
    #[arg(long, value_name = "FILE")]
    key: Option<PathBuf>,
}

/// Runs the witness until it is told to stop.
///
/// # Errors
/// Where its directory, its key or the address cannot be used.
pub fn run(args: &WitnessArgs) -> Result<ExitCode> {
    let service = open(args)?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .context("start the runtime")?;
    runtime.block_on(server::serve(args.listen, service))?;
    Ok(ExitCode::SUCCESS)
}

fn open(args: &WitnessArgs) -> Result<Arc<Service>> {
    fs::create_dir_all(&args.dir)
        .with_context(|| format!("make the directory {}", args.dir.display()))?;
    let key = args.key.clone().unwrap_or_else(|| args.dir.join("witness.key"));
    let cosigner = open_key(&key, args.name.as_deref(), &SystemRng)?;
    let memory = Memory::open(&args.dir, &args.log)?;
    let witness = Witness::new(cosigner, args.log.clone(), memory);
    Ok(Arc::new(Service::new(witness, args.dir.clone(), Box::new(SystemClock))))
}

/// The witness's key; made where the file is not there.
fn open_key(path: &Path, name: Option<&str>, rng: &dyn Rng) -> Result<Cosigner> {
    let text = match fs::read_to_string(path) {
        Ok(text) => Secret::new(text.trim().to_owned()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            return make_key(path, name, rng);
        }
        Err(error) => return Err(error).with_context(|| format!("read {}", path.display())),
    };
    let cosigner = Cosigner::parse(&text)
        .with_context(|| format!("{} is not the key of a witness", path.display()))?;
    match name {
        Some(name) if name != cosigner.key().name() => Err(advise(
            format!("this witness is called {}, not {name}", cosigner.key().name()),
            "a witness keeps its name for life; another name needs another --dir",
        )),
        _ => Ok(cosigner),
    }
}

fn make_key(path: &Path, name: Option<&str>, rng: &dyn Rng) -> Result<Cosigner> {
    let made_up = || format!("witness.awan.local/{}", rng.string(b"0123456789abcdef", 8));
    let name = name.map_or_else(made_up, str::to_owned);
    let cosigner = Cosigner::generate(rng, &name).map_err(|_| {
        advise(
            format!("\"{name}\" is no name for a witness"),
            "take a URL without scheme, as witness.kampus.example: no spaces and no plus sign",
        )
    })?;
    write_private(path, cosigner.text().expose().as_bytes())?;
    let dir = path.parent().filter(|dir| !dir.as_os_str().is_empty()).unwrap_or(Path::new("."));
    // The name in the directory is to be as durable as the bytes: what this key cosigns, it stands for.
    let synced = fs::File::open(dir).and_then(|dir| dir.sync_all());
    synced.with_context(|| format!("keep {}", path.display()))?;
    output::talk(format_args!("made a key in {}; keep it, and keep it secret", path.display()));
    Ok(cosigner)
}

#[cfg(test)]
mod tests;
