//! `awan node`: nodes of databases on other machines, as their operator makes them. What a node is given is the business
//! of [`rds::nodes::enroll`]; here are the words for it.

use std::fs;
use std::io::Write;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, bail};
use base::{Clock, SystemClock};
use engine::server::authority::Authority;

use crate::config::Config;
use crate::{config, databases};

pub const EXAMPLES: &str = "Example:
  awan node enroll jkt-b --address 10.1.2.3:7300 --output ./jkt-b --data-dir ./cloud";

/// What to do with nodes.
#[derive(clap::Subcommand)]
pub enum NodeCommand {
    /// Make the directory that the node of a data centre on another machine starts from
    #[command(after_help = "Example:
  awan node enroll jkt-b --address 10.1.2.3:7300 --output ./jkt-b --data-dir ./cloud

The directory has the node's certificate, for a year, and its key: copy it over a way that nobody listens to. To renew
the certificate, enroll again into a new directory and copy node-cert.pem and node-key.pem over the old ones.")]
    Enroll(EnrollArgs),
}

/// Which node.
#[derive(clap::Args)]
pub struct EnrollArgs {
    /// The data centre, as the cloud's configuration names it
    site: String,
    /// The address at which the cloud and the machines of other nodes reach that machine, and the node's port
    #[arg(long, value_name = "ADDR:PORT")]
    address: SocketAddr,
    /// The directory to make
    #[arg(long, value_name = "DIR")]
    output: PathBuf,
    /// Where the cloud keeps everything it has
    #[arg(long, value_name = "DIR", default_value = "./cloud")]
    data_dir: PathBuf,
    /// The cloud's configuration file [default: awan.toml in its data directory, where there is one]
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
}

/// Does it, and says what to do next.
pub fn run(NodeCommand::Enroll(args): &NodeCommand) -> anyhow::Result<()> {
    let given = config::ConfigArgs {
        config: args.config.clone(),
        data_dir: args.data_dir.clone(),
        listen: None,
        port_base: None,
    };
    let config = Config::load(&given)?;
    let dir = fs::canonicalize(&args.data_dir)
        .with_context(|| format!("find the data directory {}", args.data_dir.display()))?;
    if !dir.join("tls/ca-key.pem").is_file() {
        bail!("{} has no certificate authority yet: start the cloud once first", dir.display());
    }
    let clock = Arc::new(SystemClock) as Arc<dyn Clock>;
    let authority = Authority::open(&dir.join("tls"), clock).context("open the authority")?;
    let places = databases::places(&config, &dir)?;
    rds::nodes::enroll(&places, &authority, &args.site, args.address, &args.output)?;
    write!(std::io::stdout(), "{}", next(args, &config, &args.output))?;
    Ok(())
}

fn next(args: &EnrollArgs, config: &Config, made: &Path) -> String {
    let (site, address, made) = (&args.site, args.address, made.display());
    let listen = match config.rds.listen {
        Some(listen) => format!("listen = \"{listen}\""),
        None => {
            "listen = \"…\"                  # this machine's address, as that machine reaches it"
                .to_owned()
        }
    };
    format!(
        "{made} is what the node of {site} starts from. It has a private key.
1. Copy it to that machine, as root and over a safe way, and remove it here:
     scp -rp {made} root@{ip}:/var/lib/awan/{site} && rm -r {made}
2. On that machine, where engines are that it does not have as packages, and then the node itself:
     awan engine install postgresql 17 --data-dir /var/lib/awan/{site}
     awan serve --role db-node --data-dir /var/lib/awan/{site}
3. In the configuration of the cloud, and start it again:
     [rds]
     {listen}
     [rds.nodes]
     {site} = \"{address}\"
The certificate lasts a year; the node says so in its log from 30 days before its end.
",
        ip = address.ip()
    )
}
