//! Whether a base backup that was stored is what the server sent: every file of the server's manifest is in the
//! tar, with that size and that SHA-256.

use std::collections::HashMap;
use std::io::{self, Read};

use lz4_flex::frame::FrameDecoder;
use ring::digest::{Context, SHA256};
use serde::Deserialize;

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

/// Reads a tar (of LZ4 frames) and compares it with a manifest. Blocks.
///
/// # Errors
/// Where it does not read; where a file is not what the manifest says, or is not there.
pub fn check(manifest: &[u8], tar: impl Read) -> io::Result<Checked> {
    let wrong = |what: String| io::Error::new(io::ErrorKind::InvalidData, what);
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

    proptest! {
        #[test]
        fn no_manifest_and_no_tar_are_too_strange(text in "\\PC{0,80}", bytes: Vec<u8>) {
            let _ = (check(text.as_bytes(), &bytes[..]), unhex(&text));
        }
    }
}
