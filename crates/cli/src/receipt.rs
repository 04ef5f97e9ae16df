//! `awan receipt`: the file that proves, to anybody and without a network, that a request was
//! recorded in the public log and what was recorded. The request's id is the receipt's id.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use clap::Args;
use serde_json::Value;

use crate::api::{self, Api};
use crate::error::advise;
use crate::http::Http;
use crate::output;
use crate::profile::{PlaceArgs, Profile, write_private};
use crate::verify::receipt::{self, Opening, Secret, Trust};
use crate::verify::{Findings, Log, LogArgs, show};

/// A cloud publishes within seconds; between two looks at it.
const LOOK_EVERY: Duration = Duration::from_millis(300);
/// How often a person who waits is told so.
const TELL_EVERY: Duration = Duration::from_secs(5);

/// Arguments of `awan receipt`.
#[derive(Clone, Debug, Args)]
#[command(
    after_help = "Examples:\n  awan receipt 5D1F3A0C-8E5B-4C57-9A70-3D4E6B1C2F10 --data-dir ./cloud\n  \
    awan receipt 5D1F3A0C-8E5B-4C57-9A70-3D4E6B1C2F10 -o upload.tlog-proof --log https://portal.awan.example/log --log-key …\n\n\
    Every answer of the cloud names its request id (x-oss-request-id, x-amz-request-id, RequestId).\n\
    `awan verify --receipt FILE` checks the file anywhere."
)]
pub struct ReceiptArgs {
    /// The id of the request
    #[arg(value_name = "REQUEST_ID")]
    id: String,
    /// The file to write; REQUEST_ID.tlog-proof unless given
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// How long to wait until the log has the entry, seconds
    #[arg(long, default_value_t = 30, value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(0..=3600))]
    wait: u64,
    #[command(flatten)]
    log: LogArgs,
    #[command(flatten)]
    place: PlaceArgs,
}

/// Fetches, proves and writes the receipts of a request, and says what each proves.
///
/// # Errors
/// Where the request is not known, or is not published in time.
pub fn run(args: &ReceiptArgs) -> Result<ExitCode> {
    let profile = Profile::resolve(&args.place)?;
    let api = Api::new(&Http::new(&profile, 1)?, &profile)?;
    let waits = Waits { start: Instant::now(), limit: Duration::from_secs(args.wait) };
    let rows = waits.for_places(&api, &args.id)?;
    let newest = rows.iter().filter_map(|row| row["LogIndex"].as_u64()).max().unwrap_or(0);
    let log = waits.for_checkpoint(args, &profile, newest)?;
    let mut code = ExitCode::SUCCESS;
    for (at, row) in rows.iter().enumerate() {
        let bytes = prove(&log, row)?;
        let file = file_of(args, at);
        write_private(&file, &bytes)?;
        let mut findings = Findings::default();
        let trust = Trust { key: log.key(), policy: None };
        receipt::check(&receipt::read(&bytes)?, &trust, &mut findings);
        if !findings.is_sound() {
            code = ExitCode::FAILURE;
        }
        show(&findings)?;
        output::talk(format_args!("the receipt is in {}", file.display()));
    }
    output::hint(
        "`awan verify --receipt FILE --log-key KEY` checks it anywhere, without a network",
    );
    Ok(code)
}

/// The first receipt gets the name that was asked for, others of the same request a number.
fn file_of(args: &ReceiptArgs, at: usize) -> PathBuf {
    let name = args.output.clone();
    // The id comes from the command line, and only its last part may name a file here.
    let own = || Path::new(&args.id).file_name().map_or("receipt".into(), PathBuf::from);
    let name = name.unwrap_or_else(|| own().with_extension("tlog-proof"));
    if at == 0 {
        return name;
    }
    let stem = name.file_stem().unwrap_or_default().to_string_lossy().into_owned();
    name.with_file_name(format!("{stem}-{}.tlog-proof", at + 1))
}

/// The receipts that the cloud has of a request; some may have no place in the log yet.
///
/// # Errors
/// Where the cloud refuses.
pub(crate) fn rows(api: &Api, id: &str) -> Result<Vec<Value>> {
    let answer = api.call(api::AWAN, "GetReceipt", &[("ReceiptId", id)]);
    Ok(api::items(&answer.context("ask for the receipt")?).to_vec())
}

/// The bytes of the receipt of one row, whose entry the log has.
///
/// # Errors
/// Where the row is not the log's entry.
pub(crate) fn prove(log: &Log, row: &Value) -> Result<Vec<u8>> {
    let text = |name: &str| {
        row[name]
            .as_str()
            .map(str::to_owned)
            .with_context(|| format!("the receipt lacks its {name}"))
    };
    let index = row["LogIndex"].as_u64().context("the entry has no place in the log yet")?;
    let mut proof = log.proof(index).with_context(|| format!("prove entry {index}"))?;
    let opening = Opening {
        leaf: text("Leaf")?,
        secret: Some(Secret { statement: text("Statement")?, salt: text("Salt")? }),
    };
    proof.extra = opening.to_bytes()?;
    Ok(proof.to_string().into_bytes())
}

/// Waiting for the log, with an end.
struct Waits {
    start: Instant,
    limit: Duration,
}

impl Waits {
    /// The rows of a request, once all have their places in the log.
    fn for_places(&self, api: &Api, id: &str) -> Result<Vec<Value>> {
        self.until("the entry gets its place in the log", || {
            let rows = rows(api, id)?;
            if rows.is_empty() {
                return Err(advise(
                    format!("no receipt {id} is known to this account"),
                    "reads leave no entry in the log; a change's receipt is seen by the account that it concerns and by who made it",
                ));
            }
            Ok(rows.iter().all(|row| row["LogIndex"].is_u64()).then_some(rows))
        })
    }

    /// The log, once a checkpoint covers an entry.
    fn for_checkpoint(&self, args: &ReceiptArgs, profile: &Profile, index: u64) -> Result<Log> {
        self.until("a checkpoint covers the entry", || {
            let log = args.log.open(profile)?;
            Ok((log.checkpoint().size > index).then_some(log))
        })
    }

    fn until<T>(&self, what: &str, mut look: impl FnMut() -> Result<Option<T>>) -> Result<T> {
        let mut told = Duration::ZERO;
        loop {
            if let Some(found) = look()? {
                return Ok(found);
            }
            let waited = self.start.elapsed();
            if waited >= self.limit {
                bail!("after {} seconds still waiting until {what}", self.limit.as_secs());
            }
            if waited >= told {
                output::talk(format_args!("waiting until {what} …"));
                told = waited + TELL_EVERY;
            }
            std::thread::sleep(LOOK_EVERY);
        }
    }
}
