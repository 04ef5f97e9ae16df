//! `awan oss`: object storage from the command line. `oss://` speaks OSS, `s3://` speaks S3; both reach
//! the same buckets. Copying and syncing are in [`transfer`], the places they take in [`location`].

use std::io::{self, Write};
use std::time::Duration;

use anyhow::{Context, Result};
use clap::builder::PossibleValuesParser;
use clap::{Args, Subcommand};
use serde_json::json;
use terms::clauses::DataClass;

use crate::error::advise;
use crate::http::Http;
use crate::object::{Dialect, Listing, NewBucket, Page, Store};
use crate::output::{self, Format};
use crate::parallel;
use crate::profile::{PlaceArgs, Profile};
use crate::progress::Progress;

pub mod location;
pub mod transfer;

use location::{Location, Url};
use transfer::Stores;

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
        /// How the listing is written
        #[arg(long, value_enum, default_value = "table")]
        output: Format,
    },
    /// Copy files to the cloud, from it, or within it
    #[command(after_help = "Example: awan oss cp --recursive ./laporan oss://arsip/2024/")]
    Cp {
        /// A path, or oss://BUCKET/KEY
        from: String,
        /// A path, or oss://BUCKET/KEY
        to: String,
        /// Everything in a directory or below a prefix
        #[arg(long, short)]
        recursive: bool,
        /// Connections to use at once
        #[arg(long, short, default_value_t = 8, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=256))]
        jobs: u16,
    },
    /// Make a directory or prefix hold what another one holds
    #[command(after_help = "Example: awan oss sync --delete ./laporan oss://arsip/2024")]
    Sync {
        /// A directory, or oss://BUCKET/PREFIX
        from: String,
        /// A directory, or oss://BUCKET/PREFIX
        to: String,
        /// Remove from the destination what the source does not have
        #[arg(long)]
        delete: bool,
        /// Connections to use at once
        #[arg(long, short, default_value_t = 8, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=256))]
        jobs: u16,
    },
    /// Write an object to standard output
    #[command(after_help = "Example: awan oss cat oss://arsip/2024/ringkasan.json")]
    Cat {
        /// oss://BUCKET/KEY
        url: String,
    },
    /// Remove an object, or everything below a prefix
    #[command(after_help = "Example: awan oss rm --recursive oss://arsip/2023/")]
    Rm {
        /// oss://BUCKET/KEY, or with --recursive a prefix
        url: String,
        /// Everything that starts with this
        #[arg(long, short)]
        recursive: bool,
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
    /// Show what the cloud knows about an object
    #[command(after_help = "Example: awan oss stat oss://arsip/2024/ringkasan.json")]
    Stat {
        /// oss://BUCKET/KEY
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
    /// Count objects and bytes below a prefix
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

/// Does what the verb says.
///
/// # Errors
/// Where a place cannot be read, or the cloud refuses.
pub fn run(args: &OssArgs) -> Result<()> {
    let profile = Profile::resolve(&args.place)?;
    let http = Http::new(&profile, args.verb.jobs().into())?;
    let stores = Stores {
        oss: Store::new(&http, &profile, Dialect::Oss)?,
        s3: Store::new(&http, &profile, Dialect::S3)?,
    };
    match &args.verb {
        Verb::Ls { url, recursive, output } => list(&stores, &url.parse()?, *recursive, *output),
        Verb::Cp { from, to, recursive, jobs } => {
            transfer::copy(&stores, &from.parse()?, &to.parse()?, *recursive, (*jobs).into())
        }
        Verb::Sync { from, to, delete, jobs } => {
            let (from, to): (Location, Location) = (from.parse()?, to.parse()?);
            transfer::sync(&stores, &from, &to, *delete, (*jobs).into())
        }
        Verb::Cat { url } => cat(&stores, &url.parse()?),
        Verb::Rm { url, recursive, jobs } => {
            remove(&stores, &url.parse()?, *recursive, (*jobs).into())
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
        Verb::Stat { url } => stat(&stores, &url.parse()?),
        Verb::Presign { url, expires, put } => {
            let url: Url = url.parse()?;
            let (bucket, key) = url.object()?;
            let method = if *put { http::Method::PUT } else { http::Method::GET };
            let address =
                stores.of(&url).presign(&method, bucket, key, Duration::from_secs(*expires))?;
            Ok(output::line(address)?)
        }
        Verb::Du { url } => du(&stores, &url.parse()?),
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

fn list(stores: &Stores, url: &Url, recursive: bool, format: Format) -> Result<()> {
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
        Format::Table => show_page(&page),
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

fn show_page(page: &Page) -> Result<()> {
    for prefix in &page.prefixes {
        output::line(format_args!("{:>24}  {:>12}  {prefix}", "", "-"))?;
    }
    for entry in &page.entries {
        output::line(format_args!("{:>24}  {:>12}  {}", entry.modified, entry.size, entry.key))?;
    }
    Ok(())
}

fn cat(stores: &Stores, url: &Url) -> Result<()> {
    let (bucket, key) = url.object()?;
    let mut out = io::stdout().lock();
    stores.of(url).get(bucket, key, &mut out).with_context(|| format!("read {url}"))?;
    Ok(out.flush()?)
}

fn remove(stores: &Stores, url: &Url, recursive: bool, jobs: usize) -> Result<()> {
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
    let progress = Progress::new("remove", "objects", keys.len() as u64);
    parallel::run(
        jobs,
        |feed| keys.into_iter().try_for_each(|key| feed.put(key)),
        |(): &mut (), key| {
            store.delete(bucket, &key).with_context(|| format!("remove {key}"))?;
            progress.advance(0);
            Ok(())
        },
    )?;
    progress.finish();
    Ok(())
}

fn stat(stores: &Stores, url: &Url) -> Result<()> {
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

fn du(stores: &Stores, url: &Url) -> Result<()> {
    let (mut objects, mut bytes) = (0_u64, 0_u64);
    let listing = Listing { prefix: &url.key, ..Listing::default() };
    stores
        .of(url)
        .walk(url.bucket()?, listing, |page| {
            objects += page.entries.len() as u64;
            bytes += page.entries.iter().map(|entry| entry.size).sum::<u64>();
            Ok::<(), crate::error::Error>(())
        })
        .with_context(|| format!("list {url}"))?;
    let row =
        vec![output::count(objects), output::count(bytes), output::size(bytes), url.to_string()];
    let table = output::table(&["Objects", "Bytes", "Size", "Place"], &[row]);
    Ok(io::stdout().lock().write_all(table.as_bytes())?)
}
