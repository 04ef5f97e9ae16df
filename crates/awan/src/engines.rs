//! `awan engine`: the programs of database engines on this machine. What they are and where they come from is the
//! business of [`rds::engines`]; here are the words for it.

use std::io::Write;
use std::path::PathBuf;

use anyhow::{Context, bail};
use rds::engines::{self, Build};
use rds::model::Engine;

pub const EXAMPLES: &str = "Examples:
  awan engine install postgresql 17           the newest PostgreSQL 17 there is, into ./cloud/engines
  awan engine install mariadb                 MariaDB as this operating system's packages have it
  awan engine list                            what runs here, packages of the operating system included
  awan engine remove postgresql 17.11         one that no instance uses any more

Servers run under users of their own: as root, give a --store that everybody can enter, for example
/var/lib/awan/engines.";

/// What to do with engines.
#[derive(clap::Subcommand)]
pub enum EngineCommand {
    /// Install an engine into the store
    #[command(after_help = "Examples:
  awan engine install postgresql 17
  awan engine install postgresql 17.11 --store /var/lib/awan/engines
  awan engine install mariadb

PostgreSQL 14 to 18 takes a python3 with pip; MariaDB takes apt-get and dpkg. Neither takes root. A version that is
there and fits is kept, and nothing is downloaded.")]
    Install {
        /// postgresql or mariadb
        #[arg(value_parser = engine)]
        engine: Engine,
        /// Its version, as 17 or 17.11 [default: the newest]
        version: Option<String>,
        #[command(flatten)]
        store: StoreArgs,
    },
    /// List the engines that run here
    #[command(after_help = "Example:\n  awan engine list --store /var/lib/awan/engines")]
    List {
        #[command(flatten)]
        store: StoreArgs,
    },
    /// Remove an engine from the store
    #[command(after_help = "Example:\n  awan engine remove postgresql 17.11")]
    Remove {
        /// postgresql or mariadb
        #[arg(value_parser = engine)]
        engine: Engine,
        /// Its exact version, as 17.11
        version: String,
        #[command(flatten)]
        store: StoreArgs,
    },
}

/// Where engines are.
#[derive(clap::Args)]
pub struct StoreArgs {
    /// The directory of installed engines [default: engines in the data directory]
    #[arg(long, value_name = "DIR")]
    store: Option<PathBuf>,
    /// Where the cloud keeps everything it has
    #[arg(long, value_name = "DIR", default_value = "./cloud")]
    data_dir: PathBuf,
}

impl StoreArgs {
    fn directory(&self) -> anyhow::Result<PathBuf> {
        let store = self.store.clone().unwrap_or_else(|| self.data_dir.join("engines"));
        std::path::absolute(&store).with_context(|| format!("find {}", store.display()))
    }
}

fn engine(word: &str) -> Result<Engine, String> {
    Engine::parse(word).ok_or_else(|| "the engines are postgresql and mariadb".to_owned())
}

/// Does it: progress to standard error, what was asked for to standard output.
pub fn run(command: &EngineCommand) -> anyhow::Result<()> {
    match command {
        EngineCommand::Install { engine, version, store } => {
            let mut progress = |step: &str| cli::output::talk(format_args!("{step}"));
            let store = store.directory()?;
            let build = engines::install(*engine, version.as_deref(), &store, &mut progress)?;
            print(&[build])
        }
        EngineCommand::List { store } => print(&engines::discover(&[], &store.directory()?)),
        EngineCommand::Remove { engine, version, store } => {
            engines::remove(*engine, version, &store.directory()?)?;
            cli::output::talk(format_args!("{} {version} is removed", engine.as_str()));
            Ok(())
        }
    }
}

fn print(builds: &[Build]) -> anyhow::Result<()> {
    if builds.is_empty() {
        bail!("no engine runs here; see: awan engine install --help");
    }
    write!(std::io::stdout(), "{}", table(builds))?;
    Ok(())
}

fn table(builds: &[Build]) -> String {
    let rows: Vec<Vec<String>> = builds
        .iter()
        .map(|build| {
            vec![
                build.engine.as_str().to_owned(),
                build.major.clone(),
                build.version.clone(),
                build.extensions.len().to_string(),
                build.settings.iter().filter(|setting| setting.tenant).count().to_string(),
                build.sha256.chars().take(12).collect(),
                build.programs.display().to_string(),
            ]
        })
        .collect();
    let headings = ["ENGINE", "MAJOR", "VERSION", "EXTENSIONS", "SETTINGS", "SHA-256", "PROGRAMS"];
    cli::output::table(&headings, &rows)
}
