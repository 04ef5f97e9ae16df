//! Whether a base backup that was stored is what the server sent: every file of the server's manifest is in the
//! tar, with that size and that SHA-256. A stream without a manifest gets one of ours ([`Sum`]): its own size and SHA-256.

use std::collections::HashMap;
use std::io::{self, BufRead, BufReader, Read};

use lz4_flex::frame::FrameDecoder;
use ring::digest::{Context, SHA256};
use serde::{Deserialize, Serialize};

/// A manifest, as servers write it.
#[derive(Deserialize)]
struct Manifest {
    #[serde(rename = "Files")]
    files: Vec<File>,
}

#[derive(Deserialize)]
struct File {
    #[serde(rename = "Path")]
    path: Option<String>,
    /// In hexadecimal, where the name is not UTF-8.
    #[serde(rename = "Encoded-Path")]
    encoded: Option<String>,
    #[serde(rename = "Size")]
    size: u64,
    #[serde(rename = "Checksum")]
    checksum: String,
}

/// What was found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Checked {
    /// So many files are what the server sent.
    pub files: u64,
    /// Bytes in them.
    pub bytes: u64,
}

/// Adds up a stream as it is sent.
pub struct Sum {
    context: Context,
    length: u64,
}

impl Default for Sum {
    fn default() -> Self {
        Self { context: Context::new(&SHA256), length: 0 }
    }
}

/// The manifest of a stream, as stored.
#[derive(Serialize, Deserialize)]
struct Whole {
    #[serde(rename = "Stream-Size")]
    size: u64,
    #[serde(rename = "Stream-SHA256")]
    checksum: String,
}

impl Sum {
    /// The next bytes of it.
    pub fn add(&mut self, bytes: &[u8]) {
        self.context.update(bytes);
        self.length += bytes.len() as u64;
    }

    /// What is to be kept beside it.
    pub fn manifest(self) -> Vec<u8> {
        let (size, checksum) = self.finish();
        // Two plain fields always have a form in JSON.
        serde_json::to_vec(&Whole { size, checksum }).unwrap_or_default()
    }

    fn finish(self) -> (u64, String) {
        (self.length, ::base::text::hex(self.context.finish().as_ref()))
    }
}

/// What is read through it is added up.
struct Summing<R> {
    inner: R,
    sum: Sum,
}

impl<R: Read> Read for Summing<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.inner.read(buffer)?;
        self.sum.add(&buffer[..read]);
        Ok(read)
    }
}

/// Reads a stream of LZ4 frames to its end and compares it with the sum that it was sent with.
fn check_whole(expected: &Whole, stream: impl Read) -> io::Result<Checked> {
    let summing = Summing { inner: stream, sum: Sum::default() };
    let mut source = BufReader::with_capacity(64 << 10, summing);
    let mut bytes = 0;
    while !source.fill_buf()?.is_empty() {
        // Each frame has a decoder of its own: one takes no frames whose blocks differ in size.
        let mut frame = FrameDecoder::new(source);
        bytes += io::copy(&mut frame, &mut io::sink())?;
        source = frame.into_inner();
    }
    let (length, found) = source.into_inner().sum.finish();
    if length == 0 || length != expected.size || found != expected.checksum {
        let why = "the stream is not what the server sent";
        return Err(io::Error::new(io::ErrorKind::InvalidData, why));
    }
    Ok(Checked { files: 1, bytes })
}

/// Reads a tar (of LZ4 frames) and compares it with a manifest. Blocks.
///
/// # Errors
/// Where it does not read; where a file is not what the manifest says, or is not there.
pub fn check(manifest: &[u8], tar: impl Read) -> io::Result<Checked> {
    let wrong = |what: String| io::Error::new(io::ErrorKind::InvalidData, what);
    if let Ok(whole) = serde_json::from_slice::<Whole>(manifest) {
        return check_whole(&whole, tar);
    }
    let mut expected = expected(manifest)?;
    let mut archive = tar::Archive::new(FrameDecoder::new(tar));
    let mut checked = Checked::default();
    for entry in archive.entries()? {
        let mut entry = entry?;
        let path = entry.path_bytes().into_owned();
        let path = path.strip_prefix(b"./").unwrap_or(&path);
        let Some((size, checksum)) = expected.remove(path) else { continue };
        let (found, length) = digest(&mut entry)?;
        if length != size || !found.eq_ignore_ascii_case(&checksum) {
            let name = String::from_utf8_lossy(path);
            return Err(wrong(format!("{name} is not what the server sent")));
        }
        checked.files += 1;
        checked.bytes += length;
    }
    match expected.keys().next() {
        Some(path) => Err(wrong(format!("{} is missing", String::from_utf8_lossy(path)))),
        None => Ok(checked),
    }
}

type Expected = HashMap<Vec<u8>, (u64, String)>;

fn expected(manifest: &[u8]) -> io::Result<Expected> {
    let wrong = || io::Error::new(io::ErrorKind::InvalidData, "the manifest does not read");
    let manifest: Manifest = serde_json::from_slice(manifest).map_err(|_| wrong())?;
    let mut expected = HashMap::with_capacity(manifest.files.len());
    for file in manifest.files {
        let path = match (file.path, file.encoded) {
            (Some(path), _) => path.into_bytes(),
            (None, Some(encoded)) => unhex(&encoded).ok_or_else(wrong)?,
            (None, None) => return Err(wrong()),
        };
        expected.insert(path, (file.size, file.checksum));
    }
    if expected.is_empty() { Err(wrong()) } else { Ok(expected) }
}

fn unhex(text: &str) -> Option<Vec<u8>> {
    let pairs = text.as_bytes().chunks(2);
    pairs.map(|pair| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()).collect()
}

fn digest(bytes: &mut impl Read) -> io::Result<(String, u64)> {
    let (mut context, mut length) = (Context::new(&SHA256), 0);
    let mut buffer = vec![0; 64 << 10];
    loop {
        let read = bytes.read(&mut buffer)?;
        if read == 0 {
            return Ok((::base::text::hex(context.finish().as_ref()), length));
        }
        context.update(&buffer[..read]);
        length += read as u64;
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use proptest::prelude::*;

    use super::super::wal::pack;
    use super::*;

    fn tar(files: &[(&str, &[u8])]) -> Vec<u8> {
        let mut tar = tar::Builder::new(Vec::new());
        for (name, bytes) in files {
            let mut header = tar::Header::new_gnu();
            header.set_size(bytes.len() as u64);
            header.set_mode(0o600);
            header.set_cksum();
            tar.append_data(&mut header, name, *bytes).unwrap();
        }
        pack(&tar.into_inner().unwrap())
    }

    fn manifest(files: &[(&str, &[u8])]) -> Vec<u8> {
        let line = |(name, bytes): &(&str, &[u8])| {
            let sum = base::text::hex(ring::digest::digest(&SHA256, bytes).as_ref());
            serde_json::json!({ "Path": name, "Size": bytes.len(), "Checksum": sum })
        };
        let files: Vec<_> = files.iter().map(line).collect();
        serde_json::json!({ "Files": files }).to_string().into_bytes()
    }

    #[test]
    fn every_file_must_be_there_and_be_what_the_manifest_says() {
        let files: [(&str, &[u8]); 2] = [("base/1/2", b"two"), ("global/3", b"")];
        let sent = manifest(&files);
        let checked = check(&sent, &tar(&files)[..]).unwrap();
        assert_eq!(checked, Checked { files: 2, bytes: 3 });
        assert!(check(&sent, &tar(&files[..1])[..]).is_err(), "one is missing");
        let other: [(&str, &[u8]); 2] = [("base/1/2", b"twp"), ("global/3", b"")];
        assert!(check(&sent, &tar(&other)[..]).is_err(), "one is another");
        assert!(check(b"{}", &tar(&files)[..]).is_err(), "a manifest of nothing proves nothing");
    }

    #[test]
    fn a_stream_is_what_was_sent_or_is_refused() {
        let stream = [pack(b"one"), pack(b"and more")].concat();
        let mut sum = Sum::default();
        sum.add(&stream);
        let manifest = sum.manifest();
        assert_eq!(check(&manifest, &stream[..]).unwrap(), Checked { files: 1, bytes: 11 });
        let first = pack(b"one");
        assert!(check(&manifest, &first[..]).is_err(), "a frame less");
        assert!(check(&manifest, &stream[..stream.len() - 1]).is_err(), "a byte less");
        assert!(check(&manifest, &[][..]).is_err(), "nothing");
        let other = [pack(b"one"), pack(b"and m0re")].concat();
        assert!(check(&manifest, &other[..]).is_err(), "others");
        assert!(check(&Sum::default().manifest(), &[][..]).is_err(), "nothing is no backup");
    }

    proptest! {
        #[test]
        fn no_manifest_and_no_tar_are_too_strange(text in "\\PC{0,80}", bytes: Vec<u8>) {
            let _ = (check(text.as_bytes(), &bytes[..]), unhex(&text));
        }
    }
}
