//! Moves the data set: up through one dialect, back through the other, digests compared. The digests
//! are taken from the archive's bytes before they are sent, so that nothing on the way can hide.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::ops::ControlFlow;
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use base::text::hex;
use ring::digest;
use wire::object::checksum::Md5;

use super::archive::{Archives, Entry};
use super::census::{Census, EXPECTED};
use crate::error::Error;
use crate::object::{Body, Listing, Store};
use crate::parallel;
use crate::progress::Progress;

const TRIES: u32 = 5;
const FIRST_PAUSE: Duration = Duration::from_millis(100);

/// What was sent under a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Sent {
    sha256: [u8; 32],
    /// As a listing shows it: lower-case hexadecimal.
    md5: String,
    size: u64,
}

impl Sent {
    fn of(body: &[u8]) -> Self {
        let mut md5 = Md5::default();
        md5.update(body);
        Self { sha256: sha256(body), md5: hex(&md5.finish()), size: body.len() as u64 }
    }
}

fn sha256(body: &[u8]) -> [u8; 32] {
    let mut out = [0; 32];
    out.copy_from_slice(digest::digest(&digest::SHA256, body).as_ref());
    out
}

/// What one uploader gathers.
#[derive(Default)]
struct Load {
    census: Census,
    sent: Vec<(String, Sent)>,
}

/// Sends the first `limit` files, but not those that are `there` already with the same bytes.
pub(super) fn upload(
    store: &Store,
    bucket: &str,
    archives: &Archives,
    limit: usize,
    jobs: usize,
    there: &BTreeMap<String, (u64, String)>,
) -> Result<(Census, BTreeMap<String, Sent>)> {
    let total = (EXPECTED.region_files + EXPECTED.raw_files).min(limit as u64);
    let progress = Progress::new("   stored", "files", total);
    let loads = parallel::run(
        jobs,
        |feed| each(archives, limit, |entry| feed.put(entry)),
        |load: &mut Load, entry: Entry| {
            load.census.add(&entry)?;
            let sent = Sent::of(&entry.body);
            if there.get(&entry.key) != Some(&(sent.size, sent.md5.clone())) {
                let put = stubborn(|| {
                    store.put(
                        bucket,
                        &entry.key,
                        Body::Bytes(&entry.body),
                        Some("application/json"),
                    )
                });
                put.with_context(|| format!("store {}", entry.key))?;
            }
            progress.advance(sent.size);
            load.sent.push((entry.key, sent));
            Ok(())
        },
    )?;
    progress.finish();
    let mut census = Census::default();
    let mut sent = BTreeMap::new();
    for load in loads {
        census = census.plus(load.census);
        sent.extend(load.sent);
    }
    Ok((census, sent))
}

/// Hands over the first `limit` files.
fn each(archives: &Archives, limit: usize, mut put: impl FnMut(Entry) -> Result<()>) -> Result<()> {
    let mut left = limit;
    archives.read(|entry| {
        if left == 0 {
            return Ok(ControlFlow::Break(()));
        }
        left -= 1;
        put(entry).map(ControlFlow::Continue)
    })
}

/// Size and MD5 of everything in the bucket.
pub(super) fn list(store: &Store, bucket: &str) -> Result<BTreeMap<String, (u64, String)>> {
    let mut listed = BTreeMap::new();
    let walked = store.walk(bucket, Listing::default(), |page| {
        listed.extend(page.entries.into_iter().map(|entry| (entry.key, (entry.size, entry.etag))));
        Ok::<(), Error>(())
    });
    walked.with_context(|| format!("list the bucket {bucket}"))?;
    Ok(listed)
}

/// Every file that was sent must be listed, with its size and MD5.
pub(super) fn compare_listing(
    sent: &BTreeMap<String, Sent>,
    listed: &BTreeMap<String, (u64, String)>,
) -> Result<()> {
    for (key, sent) in sent {
        match listed.get(key) {
            None => bail!("{key} was stored and is not listed"),
            Some((size, md5)) if (*size, md5) != (sent.size, &sent.md5) => {
                bail!(
                    "{key} is listed with {size} bytes and MD5 {md5}, stored were {} and {}",
                    sent.size,
                    sent.md5
                )
            }
            Some(_) => {}
        }
    }
    Ok(())
}

/// Reads everything that was sent and compares the SHA-256.
pub(super) fn read_back(
    store: &Store,
    bucket: &str,
    sent: &BTreeMap<String, Sent>,
    jobs: usize,
) -> Result<()> {
    let progress = Progress::new("   read back", "files", sent.len() as u64);
    parallel::run(
        jobs,
        |feed| sent.iter().try_for_each(|item| feed.put(item)),
        |(): &mut (), (key, sent)| {
            let (size, sum) = read(store, bucket, key)?;
            if (size, sum) != (sent.size, sent.sha256) {
                bail!(
                    "{key} came back with {size} bytes and SHA-256 {}, stored were {} and {}",
                    hex(&sum),
                    sent.size,
                    hex(&sent.sha256)
                );
            }
            progress.advance(size);
            Ok(())
        },
    )?;
    progress.finish();
    Ok(())
}

fn read(store: &Store, bucket: &str, key: &str) -> Result<(u64, [u8; 32])> {
    let got = stubborn(|| {
        let mut sum = Summing(digest::Context::new(&digest::SHA256));
        let size = store.get(bucket, key, &mut sum)?;
        let mut out = [0; 32];
        out.copy_from_slice(sum.0.finish().as_ref());
        Ok((size, out))
    });
    got.with_context(|| format!("read {key}"))
}

/// Writes the first files through one store and reads each back through the other.
pub(super) fn cross(
    (writer, reader): (&Store, &Store),
    bucket: &str,
    archives: &Archives,
    limit: usize,
    jobs: usize,
) -> Result<()> {
    let progress = Progress::new("   crossed", "files", limit as u64);
    parallel::run(
        jobs,
        |feed| each(archives, limit, |entry| feed.put(entry)),
        |(): &mut (), entry: Entry| {
            let key = format!("lewat-{}/{}", writer.dialect(), entry.key);
            let put = stubborn(|| {
                writer.put(bucket, &key, Body::Bytes(&entry.body), Some("application/json"))
            });
            put.with_context(|| format!("store {key}"))?;
            let (_, sum) = read(reader, bucket, &key)?;
            if sum != sha256(&entry.body) {
                bail!("{key} came back changed");
            }
            progress.advance(entry.body.len() as u64);
            Ok(())
        },
    )?;
    progress.finish();
    Ok(())
}

/// Tries again where no answer came: each of these requests may be sent twice without harm. An answer,
/// whatever it says, is final.
fn stubborn<T>(mut request: impl FnMut() -> Result<T, Error>) -> Result<T, Error> {
    let mut pause = FIRST_PAUSE;
    for _ in 1..TRIES {
        match request() {
            Err(error) if error.is_transport() => thread::sleep(pause),
            done => return done,
        }
        pause *= 2;
    }
    request()
}

/// Digests what is written to it.
struct Summing(digest::Context);

impl Write for Summing {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.update(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn broken() -> Error {
        Error::Transport { url: String::new(), source: Box::new(ureq::Error::HostNotFound) }
    }

    #[test]
    fn only_a_missing_answer_is_tried_again() {
        let mut tries = 0;
        let done = stubborn(|| {
            tries += 1;
            if tries < 3 { Err(broken()) } else { Ok(tries) }
        });
        assert!(matches!(done, Ok(3)));
        let mut tries = 0;
        let done = stubborn(|| {
            tries += 1;
            Err::<(), _>(Error::Corrupt(String::new()))
        });
        assert!(done.is_err());
        assert_eq!(tries, 1);
    }

    #[test]
    fn a_listing_must_have_every_file_as_it_was_sent() {
        let sent = BTreeMap::from([("k".to_owned(), Sent::of(b"123456789"))]);
        let listing =
            |size: u64, md5: &str| BTreeMap::from([("k".to_owned(), (size, md5.to_owned()))]);
        let md5 = "25f9e794323b453885f5181f1b624d0b";
        assert!(compare_listing(&sent, &listing(9, md5)).is_ok());
        assert!(compare_listing(&sent, &listing(8, md5)).is_err());
        assert!(compare_listing(&sent, &listing(9, &md5.replace('2', "3"))).is_err());
        assert!(compare_listing(&sent, &BTreeMap::new()).is_err());
    }
}
