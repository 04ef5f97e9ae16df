//! The requests of each scenario: signed anew for every ticket, written as bytes.

use std::fs;
use std::io::Write;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use base::text::{hex, percent_encode_keeping};
use base::{Clock, Rng, SystemClock, SystemRng};
use http::{HeaderMap, HeaderValue, header};
use ring::digest::{SHA256, digest};
use wire::object::{Draft, Resource, Signer, oss_v4, sigv4};
use wire::{acs3, query};

use super::{Kind, LoadArgs, plain_address};
use crate::api;
use crate::demo::Archives;
use crate::error::advise;
use crate::object::Dialect;
use crate::profile::{Credentials, Profile};

/// Keys on a page of a listing: as many as both protocols allow.
const PAGE: u64 = 1000;
/// What S3 clients send in the place of a body's digest where they do not sign it.
const UNSIGNED: &str = "UNSIGNED-PAYLOAD";

/// One object to send.
struct Item {
    key: String,
    body: Vec<u8>,
    sha256: String,
}

impl Item {
    fn new(key: String, body: Vec<u8>) -> Self {
        let sha256 = hex(digest(&SHA256, &body).as_ref());
        Self { key, body, sha256 }
    }

    fn unsigned(self) -> Self {
        Self { sha256: UNSIGNED.to_owned(), ..self }
    }
}

/// Everything that is needed to write request number `ticket`.
pub(super) struct Work {
    kind: Kind,
    address: String,
    region: String,
    credentials: Credentials,
    dialect: Dialect,
    bucket: String,
    keys: u64,
    /// Makes the names of users new in every run.
    run: String,
    /// The one body of `put` and `get`, or every file of `ingest`.
    items: Vec<Item>,
    /// What is sent where there is no body.
    nothing: Item,
}

impl Work {
    pub(super) fn prepare(args: &LoadArgs, profile: &Profile) -> Result<Self> {
        let rng: &dyn Rng = &SystemRng;
        let control = matches!(args.scenario.kind, Kind::GetCallerIdentity | Kind::CreateUser);
        let mut items = match args.scenario.kind {
            Kind::GetCallerIdentity | Kind::CreateUser => Vec::new(),
            Kind::List => vec![Item::new(String::new(), Vec::new())],
            Kind::Put | Kind::Get => {
                let mut body = vec![0; args.size()];
                rng.fill(&mut body);
                vec![Item::new(String::new(), body)]
            }
            Kind::Ingest => {
                let tree = args.tree.as_deref();
                read_tree(
                    tree.ok_or_else(|| advise("what to ingest is not known", "give --tree DIR"))?,
                )?
            }
        };
        if args.unsigned_payload {
            items = items.into_iter().map(Item::unsigned).collect();
        }
        Ok(Self {
            kind: args.scenario.kind,
            address: plain_address(if control { profile.api()? } else { profile.oss()? })?,
            region: profile.region.clone(),
            credentials: profile.credentials()?.clone(),
            dialect: args.dialect,
            bucket: args.bucket.clone(),
            keys: args.keys(),
            run: rng.alphanumeric(8),
            items,
            nothing: Item::new(String::new(), Vec::new()),
        })
    }

    /// Where to connect to.
    pub(super) fn address(&self) -> &str {
        &self.address
    }

    /// How many requests there are at all, where the scenario ends by itself.
    pub(super) fn requests_max(&self) -> Option<u64> {
        (self.kind == Kind::Ingest).then_some(self.items.len() as u64)
    }

    /// The body that `get` will read back.
    pub(super) fn sample(&self) -> &[u8] {
        self.items.first().map_or(&[], |item| &item.body)
    }

    /// Writes the head of a request to `out` and answers its body.
    pub(super) fn write(&self, ticket: u64, out: &mut Vec<u8>) -> &[u8] {
        match self.kind {
            Kind::GetCallerIdentity => self.call(api::STS, "GetCallerIdentity", &[], out),
            Kind::CreateUser => {
                let name = format!("load-{}-{ticket}", self.run);
                self.call(api::RAM, "CreateUser", &[("UserName", &name)], out)
            }
            Kind::Put => self.object("PUT", &key(ticket % self.keys), &self.items[0], out),
            Kind::Get => self.object("GET", &key(ticket % self.keys), &self.nothing, out),
            Kind::List => self.page(ticket % self.keys.div_ceil(PAGE), out),
            Kind::Ingest => {
                let index = usize::try_from(ticket).expect("a ticket is below the number of files");
                let item = &self.items[index];
                self.object("PUT", &item.key, item, out)
            }
        }
    }

    fn call(
        &self,
        version: &str,
        action: &str,
        params: &[(&str, &str)],
        out: &mut Vec<u8>,
    ) -> &[u8] {
        let nonce = hex(&(&SystemRng as &dyn Rng).bytes::<16>());
        let request = acs3::Request {
            method: "POST",
            host: &self.address,
            path: "/",
            query: params,
            content_type: None,
            body: b"",
            action,
            version,
            date: SystemClock.now(),
            nonce: &nonce,
        };
        let query = query::encode(params.iter().copied());
        let _ = write!(
            out,
            "POST /?{query} HTTP/1.1\r\naccept: application/json\r\ncontent-length: 0\r\n"
        );
        for (name, value) in acs3::sign(&request, &self.credentials.signing()) {
            let _ = write!(out, "{name}: {value}\r\n");
        }
        out.extend_from_slice(b"\r\n");
        &[]
    }

    /// The page that begins behind the last key of the one before it.
    fn page(&self, page: u64, out: &mut Vec<u8>) -> &[u8] {
        let path = format!("/{}/", self.bucket);
        let after = (page * PAGE).checked_sub(1).map(key).unwrap_or_default();
        let max_keys = PAGE.to_string();
        // In the order in which they are signed.
        let query = query::encode([
            ("list-type", "2"),
            ("max-keys", max_keys.as_str()),
            ("start-after", after.as_str()),
        ]);
        let resource = Resource { bucket: Some(&self.bucket), key: None };
        self.send(
            &Draft { method: "GET", path: &path, query: &query, resource },
            &self.nothing,
            out,
        )
    }

    fn object<'a>(&self, method: &str, key: &str, item: &'a Item, out: &mut Vec<u8>) -> &'a [u8] {
        let path = format!("/{}/{}", self.bucket, percent_encode_keeping(key, b"/"));
        let resource = Resource { bucket: Some(&self.bucket), key: Some(key.as_bytes()) };
        self.send(&Draft { method, path: &path, query: "", resource }, item, out)
    }

    fn send<'a>(&self, draft: &Draft<'_>, item: &'a Item, out: &mut Vec<u8>) -> &'a [u8] {
        let signer = Signer {
            key_id: &self.credentials.id,
            secret: &self.credentials.secret,
            token: self.credentials.token.as_deref(),
            region: &self.region,
            now: SystemClock.now(),
        };
        let mut headers = HeaderMap::with_capacity(8);
        headers.insert(
            header::HOST,
            HeaderValue::from_str(&self.address).expect("an address that was connected to"),
        );
        headers.insert(header::CONTENT_LENGTH, HeaderValue::from(item.body.len()));
        let signed = match self.dialect {
            Dialect::Oss => oss_v4::sign(&signer, draft, &mut headers),
            Dialect::S3 => sigv4::sign(&signer, draft, &item.sha256, &mut headers),
        };
        signed.expect("a key that has signed the preparation");
        let Draft { method, path, query, .. } = draft;
        let mark = if query.is_empty() { "" } else { "?" };
        let _ = write!(out, "{method} {path}{mark}{query} HTTP/1.1\r\n");
        for (name, value) in &headers {
            out.extend_from_slice(name.as_str().as_bytes());
            out.extend_from_slice(b": ");
            out.extend_from_slice(value.as_bytes());
            out.extend_from_slice(b"\r\n");
        }
        out.extend_from_slice(b"\r\n");
        &item.body
    }
}

/// Key number `index` of `put` and `get`.
pub(super) fn key(index: u64) -> String {
    format!("load/{index:010}")
}

/// Every file of a directory, or of the packed election data in it, in memory: reading it is not what
/// is measured.
fn read_tree(dir: &Path) -> Result<Vec<Item>> {
    let mut items = Vec::new();
    if let Ok(archives) = Archives::find(Some(dir)) {
        archives.read(|entry| {
            items.push(Item::new(entry.key, entry.body));
            Ok(ControlFlow::Continue(()))
        })?;
        return Ok(items);
    }
    let mut dirs = vec![dir.to_path_buf()];
    while let Some(next) = dirs.pop() {
        read_dir(dir, &next, &mut dirs, &mut items)?;
    }
    if items.is_empty() {
        return Err(advise(
            format!("{} holds no files", dir.display()),
            "give --tree a directory with files",
        ));
    }
    Ok(items)
}

fn read_dir(root: &Path, dir: &Path, dirs: &mut Vec<PathBuf>, items: &mut Vec<Item>) -> Result<()> {
    for entry in
        fs::read_dir(dir).with_context(|| format!("read the directory {}", dir.display()))?
    {
        let entry = entry?;
        let (kind, path) = (entry.file_type()?, entry.path());
        if kind.is_dir() {
            dirs.push(path);
        } else if kind.is_file() {
            let body = fs::read(&path).with_context(|| format!("read {}", path.display()))?;
            let name = path.strip_prefix(root).unwrap_or(&path);
            items.push(Item::new(name.to_string_lossy().into_owned(), body));
        }
    }
    Ok(())
}
