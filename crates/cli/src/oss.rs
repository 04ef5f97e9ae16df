//! `awan oss`: object storage from the command line. `oss://` speaks OSS, `s3://` speaks S3; both reach
//! the same buckets. Copying and syncing are in [`transfer`], the places they take in [`location`].
//! Exit codes: 0 all done, 1 something failed and was named, 2 the command line makes no sense.

use std::collections::BTreeMap;
use std::io::{self, IsTerminal, Write};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, Result};
use clap::builder::PossibleValuesParser;
use clap::{Args, Subcommand};
use serde_json::json;
use terms::clauses::DataClass;

use crate::error::{advise, report};
use crate::http::Http;
use crate::object::{Dialect, Listing, NewBucket, Page, Store};
use crate::output::{self, Format};
use crate::parallel;
use crate::profile::{PlaceArgs, Profile};
use crate::progress::Progress;

mod download;
mod glob;
pub mod location;
mod plan;
pub mod transfer;
mod tree;
mod upload;

use location::{Location, Url};
use transfer::{Failures, Stores, SyncOptions};

/// The longest that a presigned address may be good for, in both dialects.
const PRESIGN_SECONDS_MAX: u64 = 7 * 24 * 3600;

/// Arguments of `awan oss`.
#[derive(Clone, Debug, Args)]
#[command(
    after_help = "Examples:\n  awan oss mb oss://arsip\n  awan oss cp --recursive ./laporan oss://arsip/2024/\n  \
    awan oss ls s3://arsip/2024/\n  awan oss sync oss://arsip/2024 ./salinan"
)]
pub struct OssArgs {
    #[command(subcommand)]
    verb: Verb,
    #[command(flatten)]
    place: PlaceArgs,
}

/// What to do.
#[derive(Clone, Debug, Subcommand)]
enum Verb {
    /// List buckets, or what is in one
    #[command(after_help = "Example: awan oss ls oss://arsip/2024/")]
    Ls {
        /// oss://, oss://BUCKET or oss://BUCKET/PREFIX
        #[arg(default_value = "oss://")]
        url: String,
        /// Everything below, not only this level
        #[arg(long, short)]
        recursive: bool,
        /// ETags too
        #[arg(long, short)]
        long: bool,
        /// Sizes in KiB, MiB, …
        #[arg(long, short = 'H')]
        human: bool,
        /// How the listing is written
        #[arg(long, value_enum, default_value = "table")]
        output: Format,
    },
    /// Copy files to the cloud, from it, or within it
    #[command(after_help = "Examples:\n  awan oss cp --recursive ./laporan oss://arsip/2024/\n  \
        pg_dump arsip | awan oss cp - oss://arsip/dump.sql\n\n\
        A large file that was interrupted goes on where it was when the same command is run again.")]
    Cp {
        /// A path, - for standard input, or oss://BUCKET/KEY
        from: String,
        /// A path, - for standard output, or oss://BUCKET/KEY
        to: String,
        /// Everything in a directory or below a prefix
        #[arg(long, short)]
        recursive: bool,
        /// Connections to use at once
        #[arg(long, short, default_value_t = 8, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=256))]
        jobs: u16,
    },
    /// Make a directory or prefix hold what another one holds
    #[command(after_help = "Examples:\n  awan oss sync --delete ./laporan oss://arsip/2024\n  \
        awan oss sync --dry-run --exclude '*.tmp' ./laporan oss://arsip/2024")]
    Sync {
        /// A directory, or oss://BUCKET/PREFIX
        from: String,
        /// A directory, or oss://BUCKET/PREFIX
        to: String,
        /// Remove from the destination what the source does not have
        #[arg(long)]
        delete: bool,
        /// Say what would be done, and do nothing
        #[arg(long)]
        dry_run: bool,
        /// Compare checksums of the bytes, not times
        #[arg(long)]
        checksum: bool,
        /// Leave names alone that match; * stays in one segment, ** does not
        #[arg(long, value_name = "GLOB")]
        exclude: Vec<String>,
        /// Take names that match although excluded; without --exclude, only those
        #[arg(long, value_name = "GLOB")]
        include: Vec<String>,
        /// Connections to use at once
        #[arg(long, short, default_value_t = 8, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=256))]
        jobs: u16,
    },
    /// Write an object to standard output
    #[command(after_help = "Examples:\n  awan oss cat oss://arsip/2024/ringkasan.json\n  \
        awan oss cat --range 0-1023 oss://arsip/besar.bin")]
    Cat {
        /// oss://BUCKET/KEY
        url: String,
        /// Only these bytes, counted from 0, both included; FIRST- goes to the end
        #[arg(long, value_name = "FIRST-LAST", value_parser = byte_range)]
        range: Option<(u64, Option<u64>)>,
    },
    /// Remove an object, or everything below a prefix
    #[command(after_help = "Example: awan oss rm --recursive --yes oss://arsip/2023/")]
    Rm {
        /// oss://BUCKET/KEY, or with --recursive a prefix
        url: String,
        /// Everything that starts with this
        #[arg(long, short)]
        recursive: bool,
        /// Do not ask
        #[arg(long, short)]
        yes: bool,
        /// Connections to use at once
        #[arg(long, short, default_value_t = 8, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=256))]
        jobs: u16,
    },
    /// Make a bucket
    #[command(after_help = "Examples:\n  awan oss mb oss://arsip\n  \
        awan oss mb oss://pemilih --data-class personal --redundancy ZRS\n  \
        awan oss mb s3://arsip --region ap-southeast-5 --site jkt-2\n\n\
        With --region the bucket is made in that region of the cloud.")]
    Mb {
        /// oss://BUCKET
        url: String,
        /// How sensitive what is in it may be; what the agreement says unless given
        #[arg(long, value_name = "CLASS",
              value_parser = PossibleValuesParser::new(DataClass::ALL.map(DataClass::as_str)))]
        data_class: Option<String>,
        /// LRS keeps it in one zone, ZRS in as many as the agreement demands, at least two
        #[arg(long, value_name = "TYPE", value_parser = ["LRS", "ZRS"])]
        redundancy: Option<String>,
        /// Data centre that holds it, or its first copy
        #[arg(long)]
        site: Option<String>,
    },
    /// Remove an empty bucket
    #[command(after_help = "Example: awan oss rb oss://arsip")]
    Rb {
        /// oss://BUCKET
        url: String,
    },
    /// Show what the cloud knows about a bucket or an object
    #[command(
        after_help = "Examples:\n  awan oss stat oss://arsip\n  awan oss stat oss://arsip/2024/ringkasan.json"
    )]
    Stat {
        /// oss://BUCKET or oss://BUCKET/KEY
        url: String,
    },
    /// Make an address that lets anyone read (or write) an object for a while
    #[command(after_help = "Example: curl \"$(awan oss presign oss://arsip/2024/ringkasan.json)\"")]
    Presign {
        /// oss://BUCKET/KEY
        url: String,
        /// Seconds that the address is good for, at most seven days
        #[arg(long, default_value_t = 3600, value_name = "SECONDS",
              value_parser = clap::value_parser!(u64).range(1..=PRESIGN_SECONDS_MAX))]
        expires: u64,
        /// To write instead of to read
        #[arg(long)]
        put: bool,
    },
    /// Count objects and bytes below a prefix, by the next level
    #[command(after_help = "Example: awan oss du oss://arsip/2024/")]
    Du {
        /// oss://BUCKET or oss://BUCKET/PREFIX
        url: String,
    },
}

impl Verb {
    const fn jobs(&self) -> u16 {
        match self {
            Self::Cp { jobs, .. } | Self::Sync { jobs, .. } | Self::Rm { jobs, .. } => *jobs,
            _ => 1,
        }
    }
}

/// Does what the verb says; answers the program's exit code.
///
/// # Errors
/// Where a place cannot be read, the cloud refuses, or anything of many failed.
pub fn run(args: &OssArgs) -> Result<ExitCode> {
    if let Err(error) = sensible(&args.verb) {
        report(&error);
        return Ok(ExitCode::from(2));
    }
    let profile = Profile::resolve(&args.place)?;
    let http = Http::new(&profile, args.verb.jobs().into())?;
    let stores = Stores {
        oss: Store::new(&http, &profile, Dialect::Oss)?,
        s3: Store::new(&http, &profile, Dialect::S3)?,
        cloud: profile.oss()?.to_owned(),
    };
    perform(&stores, args).map(|()| ExitCode::SUCCESS)
}

/// Whether the places make sense, before anything is asked of the cloud.
fn sensible(verb: &Verb) -> Result<()> {
    match verb {
        Verb::Cp { from, to, .. } | Verb::Sync { from, to, .. } => {
            match (from.parse()?, to.parse()?) {
                (Location::Local(_), Location::Local(_)) => Err(advise(
                    "both places are on this machine",
                    "one of them must start with oss:// or s3://",
                )),
                _ => Ok(()),
            }
        }
        Verb::Mb { url, .. } | Verb::Rb { url } => bucket_only(url).map(drop),
        Verb::Ls { url, .. } => url.parse::<Url>().map(drop),
        Verb::Stat { url } | Verb::Du { url } => url.parse::<Url>()?.bucket().map(drop),
        Verb::Cat { url, .. } | Verb::Presign { url, .. } => url.parse::<Url>()?.object().map(drop),
        Verb::Rm { url, recursive, yes, .. } => {
            let url: Url = url.parse()?;
            if !recursive {
                return url.object().map(drop);
            }
            url.bucket()?;
            if *yes || io::stdin().is_terminal() {
                return Ok(());
            }
            Err(advise(
                format!("everything below {url} would be removed, and nobody is there to be asked"),
                "--yes says that it is meant",
            ))
        }
    }
}

fn perform(stores: &Stores, args: &OssArgs) -> Result<()> {
    match &args.verb {
        Verb::Ls { url, recursive, long, human, output } => {
            let columns = Columns { long: *long, human: *human };
            list(stores, &url.parse()?, *recursive, columns, *output)
        }
        Verb::Cp { from, to, recursive, jobs } => {
            transfer::copy(stores, &from.parse()?, &to.parse()?, *recursive, (*jobs).into())
        }
        Verb::Sync { from, to, delete, dry_run, checksum, exclude, include, jobs } => {
            let filter = glob::Filter { exclude: exclude.clone(), include: include.clone() };
            let (delete, dry_run, checksum) = (*delete, *dry_run, *checksum);
            let options = SyncOptions { delete, dry_run, checksum, filter };
            transfer::sync(stores, &from.parse()?, &to.parse()?, &options, (*jobs).into())
        }
        Verb::Cat { url, range } => cat(stores, &url.parse()?, *range),
        Verb::Rm { url, recursive, yes, jobs } => {
            remove(stores, &url.parse()?, (*recursive, *yes), (*jobs).into())
        }
        Verb::Mb { url, data_class, redundancy, site } => {
            let new = NewBucket {
                region: args.place.region.as_deref(),
                site: site.as_deref(),
                data_class: data_class.as_deref(),
                redundancy: redundancy.as_deref(),
            };
            let url = bucket_only(url)?;
            stores.of(&url).make_bucket(url.bucket()?, &new).with_context(|| format!("make {url}"))
        }
        Verb::Rb { url } => {
            let url = bucket_only(url)?;
            stores.of(&url).delete_bucket(url.bucket()?).with_context(|| format!("remove {url}"))
        }
        Verb::Stat { url } => stat(stores, &url.parse()?),
        Verb::Presign { url, expires, put } => {
            let url: Url = url.parse()?;
            let (bucket, key) = url.object()?;
            let method = if *put { http::Method::PUT } else { http::Method::GET };
            let address =
                stores.of(&url).presign(&method, bucket, key, Duration::from_secs(*expires))?;
            Ok(output::line(address)?)
        }
        Verb::Du { url } => du(stores, &url.parse()?),
    }
}

/// Reads `FIRST-LAST` or `FIRST-`.
fn byte_range(text: &str) -> Result<(u64, Option<u64>), String> {
    let wrong = || "write it as FIRST-LAST or FIRST-, such as 0-1023".to_owned();
    let (first, last) = text.split_once('-').ok_or_else(wrong)?;
    let first = first.parse().map_err(|_| wrong())?;
    match last {
        "" => Ok((first, None)),
        last => match last.parse() {
            Ok(last) if last >= first => Ok((first, Some(last))),
            _ => Err(wrong()),
        },
    }
}

fn bucket_only(text: &str) -> Result<Url> {
    let url: Url = text.parse()?;
    url.bucket()?;
    match url.key.as_str() {
        "" => Ok(url),
        _ => Err(advise(
            format!("{url} names more than a bucket"),
            format!("oss://{} is the bucket", url.bucket),
        )),
    }
}

/// How a listing's lines are written.
#[derive(Clone, Copy)]
struct Columns {
    long: bool,
    human: bool,
}

fn list(
    stores: &Stores,
    url: &Url,
    recursive: bool,
    columns: Columns,
    format: Format,
) -> Result<()> {
    let store = stores.of(url);
    if url.bucket.is_empty() {
        let buckets = store.buckets().context("list the buckets")?;
        let items: Vec<_> = buckets
            .into_iter()
            .map(|(name, created)| json!({"Created": created, "Bucket": format!("{}://{name}", url.dialect)}))
            .collect();
        return Ok(output::listing(format, &["Created", "Bucket"], &items)?);
    }
    let delimiter = if recursive { "" } else { "/" };
    let listing = Listing { prefix: &url.key, delimiter, ..Listing::default() };
    // A table goes out page by page, since a bucket may be larger than memory; JSON is one document.
    let mut documents = Vec::new();
    let walked = store.walk(url.bucket()?, listing, |page| match format {
        Format::Table => show_page(&page, columns),
        Format::Json => {
            documents.extend(page.prefixes.iter().map(|prefix| json!({"Prefix": prefix})));
            documents.extend(page.entries.iter().map(|entry| {
                json!({"Key": entry.key, "Size": entry.size, "ETag": entry.etag, "LastModified": entry.modified})
            }));
            Ok::<(), anyhow::Error>(())
        }
    });
    walked.with_context(|| format!("list {url}"))?;
    if format == Format::Json {
        output::json(&serde_json::Value::Array(documents))?;
    }
    Ok(())
}

fn show_page(page: &Page, columns: Columns) -> Result<()> {
    let etag = |etag: &str| if columns.long { format!("{etag:>36}  ") } else { String::new() };
    for prefix in &page.prefixes {
        output::line(format_args!("{:>24}  {:>12}  {}{prefix}", "", "-", etag("-")))?;
    }
    for entry in &page.entries {
        let size = match columns.human {
            true => output::size(entry.size),
            false => entry.size.to_string(),
        };
        let etag = etag(&entry.etag);
        output::line(format_args!("{:>24}  {size:>12}  {etag}{}", entry.modified, entry.key))?;
    }
    Ok(())
}

fn cat(stores: &Stores, url: &Url, range: Option<(u64, Option<u64>)>) -> Result<()> {
    let (bucket, key) = url.object()?;
    let mut out = io::stdout().lock();
    match range {
        Some(range) => download::range(stores, url, range, &mut out),
        None => stores.of(url).get(bucket, key, &mut out).map(drop).map_err(Into::into),
    }
    .with_context(|| format!("read {url}"))?;
    Ok(out.flush()?)
}

fn remove(stores: &Stores, url: &Url, (recursive, yes): (bool, bool), jobs: usize) -> Result<()> {
    let store = stores.of(url);
    if !recursive {
        let (bucket, key) = url.object()?;
        return store.delete(bucket, key).with_context(|| format!("remove {url}"));
    }
    let bucket = url.bucket()?;
    let mut keys = Vec::new();
    let listing = Listing { prefix: &url.key, ..Listing::default() };
    store
        .walk(bucket, listing, |page| {
            keys.extend(page.entries.into_iter().map(|entry| entry.key));
            Ok::<(), crate::error::Error>(())
        })
        .with_context(|| format!("list {url}"))?;
    if !yes {
        let question = format!("remove {} objects below {url}? (yes/no)", keys.len());
        if !matches!(output::ask(&question)?.as_str(), "yes" | "y") {
            output::talk("nothing was removed");
            return Ok(());
        }
    }
    let failures = Failures::default();
    let progress = Progress::new("remove", "objects", keys.len() as u64);
    parallel::run(
        jobs,
        |feed| keys.into_iter().try_for_each(|key| feed.put(key)),
        |(): &mut (), key| {
            let done = store.delete(bucket, &key).with_context(|| format!("remove {key}"));
            if failures.note(done) {
                progress.advance(0);
            }
            Ok(())
        },
    )?;
    progress.finish();
    failures.end()
}

fn stat(stores: &Stores, url: &Url) -> Result<()> {
    if url.key.is_empty() {
        return stat_bucket(stores, url);
    }
    let (bucket, key) = url.object()?;
    let meta = stores.of(url).head(bucket, key).with_context(|| format!("look at {url}"))?;
    let mut rows: Vec<Vec<String>> = meta
        .headers
        .iter()
        .filter(|(name, _)| !matches!(name.as_str(), "date" | "server" | "connection"))
        .map(|(name, value)| {
            vec![name.to_string(), String::from_utf8_lossy(value.as_bytes()).into_owned()]
        })
        .collect();
    rows.sort();
    Ok(io::stdout().lock().write_all(output::table(&["Header", "Value"], &rows).as_bytes())?)
}

/// Only the OSS dialect has documents about a bucket; both reach the same buckets.
fn stat_bucket(stores: &Stores, url: &Url) -> Result<()> {
    let mut rows = Vec::new();
    for view in ["bucketInfo", "stat"] {
        let facts = stores.oss.bucket_facts(url.bucket()?, view);
        let facts = facts.with_context(|| format!("look at {url}"))?;
        rows.extend(facts.into_iter().map(|(name, value)| vec![name, value]));
    }
    Ok(io::stdout().lock().write_all(output::table(&["Fact", "Value"], &rows).as_bytes())?)
}

fn du(stores: &Stores, url: &Url) -> Result<()> {
    let mut levels: BTreeMap<String, (u64, u64)> = BTreeMap::new();
    let (mut objects, mut bytes) = (0_u64, 0_u64);
    let listing = Listing { prefix: &url.key, ..Listing::default() };
    stores
        .of(url)
        .walk(url.bucket()?, listing, |page| {
            for entry in page.entries {
                objects += 1;
                bytes += entry.size;
                let rest = entry.key.strip_prefix(&url.key).unwrap_or_default();
                if let Some((level, _)) = rest.split_once('/') {
                    let sum = levels.entry(format!("{}{level}/", url.key)).or_default();
                    *sum = (sum.0 + 1, sum.1 + entry.size);
                }
            }
            Ok::<(), crate::error::Error>(())
        })
        .with_context(|| format!("list {url}"))?;
    let row = |objects: u64, bytes: u64, place: String| {
        vec![output::count(objects), output::count(bytes), output::size(bytes), place]
    };
    let below = |key| Url { key, ..url.clone() }.to_string();
    let mut rows: Vec<Vec<String>> =
        levels.into_iter().map(|(key, (objects, bytes))| row(objects, bytes, below(key))).collect();
    rows.push(row(objects, bytes, url.to_string()));
    let table = output::table(&["Objects", "Bytes", "Size", "Place"], &rows);
    Ok(io::stdout().lock().write_all(table.as_bytes())?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_has_a_first_byte_and_a_last_one_that_is_not_before_it() {
        assert_eq!(byte_range("0-9"), Ok((0, Some(9))));
        assert_eq!(byte_range("7-"), Ok((7, None)));
        for text in ["", "-", "-5", "5", "9-0", "a-b", "1-2-3"] {
            assert!(byte_range(text).is_err(), "{text}");
        }
    }
}
