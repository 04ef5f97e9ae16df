//! The election data as it is packed: a tar of small JSON files, and a tar with two zip files in it,
//! both under xz. Read as a stream, in the order of the archive; nothing is unpacked to disk.

use std::fs::{self, File};
use std::io::{self, Cursor, Read};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use base::text::hex;
use liblzma::read::XzDecoder;
use ring::digest;

use crate::error::advise;
use crate::profile::variable;

const REGIONS: &str = "ridwaanhall-pemilu2024.tar.xz";
const STATIONS: &str = "hendragunawanipb-sample-tps-json.tar.xz";
const SUMS: &str = "SHA256SUMS";
/// In the archive, the region tree lies below this; what comes before names the repository.
const REGION_ROOT: &str = "/secrets/data/wilayah/";
/// No file of the data set comes near this; an archive that holds one is not the data set.
const FILE_BYTES_MAX: u64 = 16 << 20;

/// What a file of the data set is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The regions that a region is divided into.
    Regions,
    /// The raw count of one polling station.
    Station,
}

/// One file of the data set.
#[derive(Debug)]
pub struct Entry {
    /// What it is.
    pub kind: Kind,
    /// The key that it gets as an object.
    pub key: String,
    /// Its bytes.
    pub body: Vec<u8>,
}

/// Takes a file of a tar, by its path in it, and says whether to go on.
type EachFile<'a> = dyn FnMut(&str, &mut dyn Read) -> Result<ControlFlow<()>> + 'a;
/// Takes a file of the data set, and says whether to go on.
type EachEntry<'a> = dyn FnMut(Entry) -> Result<ControlFlow<()>> + 'a;

/// Where the archives are.
#[derive(Clone, Debug)]
pub struct Archives {
    dir: PathBuf,
}

impl Archives {
    /// Finds the directory with the archives: as named, by `AWAN_EXAMPLES`, below the working
    /// directory, or where this program was built.
    ///
    /// # Errors
    /// Where it is in none of these.
    pub fn find(named: Option<&Path>) -> Result<Self> {
        let candidates = match named {
            Some(dir) => vec![dir.to_path_buf()],
            None => {
                let set = variable("AWAN_EXAMPLES").map(PathBuf::from);
                let below = set.map(|dir| [dir.join("pemilu2024"), dir]).into_iter().flatten();
                let built = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/pemilu2024");
                below.chain([PathBuf::from("examples/pemilu2024"), built]).collect()
            }
        };
        let complete =
            |dir: &&PathBuf| [REGIONS, STATIONS].iter().all(|name| dir.join(name).is_file());
        let found = candidates.iter().find(complete);
        found.map(|dir| Self { dir: dir.clone() }).ok_or_else(|| {
            let looked: Vec<String> =
                candidates.iter().map(|dir| dir.display().to_string()).collect();
            advise(
                format!("the election data is not in {}", looked.join(", nor in ")),
                "give --archives DIR, the directory examples/pemilu2024 of the source",
            )
        })
    }

    /// Compares the archives with the checksums beside them.
    ///
    /// # Errors
    /// Where one differs, or has no checksum.
    pub fn check_sums(&self) -> Result<()> {
        let path = self.dir.join(SUMS);
        let sums = fs::read_to_string(&path).with_context(|| format!("read {}", path.display()))?;
        for name in [REGIONS, STATIONS] {
            let path = self.dir.join(name);
            let expected = sums.lines().find_map(|line| line.strip_suffix(name)).map(str::trim);
            let found =
                sha256(File::open(&path)?).with_context(|| format!("read {}", path.display()))?;
            if expected != Some(found.as_str()) {
                return Err(advise(
                    format!("{} is not the file that SHA256SUMS names", path.display()),
                    "take the archives from the source again",
                ));
            }
        }
        Ok(())
    }

    /// Hands over every file, the region tree first, until `each` has enough.
    ///
    /// # Errors
    /// Where an archive is damaged, or `each` fails.
    pub fn read(&self, mut each: impl FnMut(Entry) -> Result<ControlFlow<()>>) -> Result<()> {
        if self.read_regions(&mut each)?.is_continue() {
            let _: ControlFlow<()> = self.read_stations(&mut each)?;
        }
        Ok(())
    }

    fn read_regions(&self, each: &mut EachEntry<'_>) -> Result<ControlFlow<()>> {
        self.read_tar(REGIONS, &mut |path, reader| {
            let Some((_, rest)) = path.split_once(REGION_ROOT).filter(|_| path.ends_with(".json"))
            else {
                return Ok(ControlFlow::Continue(()));
            };
            let key = format!("wilayah/{rest}");
            each(Entry { kind: Kind::Regions, key, body: bounded(reader)? })
        })
    }

    fn read_stations(&self, each: &mut EachEntry<'_>) -> Result<ControlFlow<()>> {
        self.read_tar(STATIONS, &mut |path, reader| {
            if !path.ends_with(".zip") {
                return Ok(ControlFlow::Continue(()));
            }
            // A zip is read from its end, so it must be in memory; the larger one is 640 KB.
            let zip = bounded(reader)?;
            read_zip(zip, each).with_context(|| format!("read {path}"))
        })
    }

    fn read_tar(&self, name: &str, each: &mut EachFile<'_>) -> Result<ControlFlow<()>> {
        let path = self.dir.join(name);
        let file = File::open(&path).with_context(|| format!("open {}", path.display()))?;
        let mut tar = tar::Archive::new(XzDecoder::new(file));
        let context = || format!("read {}", path.display());
        for entry in tar.entries().with_context(context)? {
            let mut entry = entry.with_context(context)?;
            if !entry.header().entry_type().is_file() {
                continue;
            }
            let inner = entry.path().with_context(context)?.to_string_lossy().into_owned();
            if each(&inner, &mut entry).with_context(context)?.is_break() {
                return Ok(ControlFlow::Break(()));
            }
        }
        Ok(ControlFlow::Continue(()))
    }
}

fn read_zip(bytes: Vec<u8>, each: &mut EachEntry<'_>) -> Result<ControlFlow<()>> {
    let mut zip = zip::ZipArchive::new(Cursor::new(bytes)).context("open the zip file")?;
    for index in 0..zip.len() {
        let mut file = zip.by_index(index).context("read the zip file")?;
        if !file.is_file() || !file.name().ends_with(".json") {
            continue;
        }
        let key = format!("tps/{}", file.name());
        if each(Entry { kind: Kind::Station, key, body: bounded(&mut file)? })?.is_break() {
            return Ok(ControlFlow::Break(()));
        }
    }
    Ok(ControlFlow::Continue(()))
}

/// Reads a whole file of an archive, which must not be longer than any of the data set.
fn bounded(reader: &mut dyn Read) -> io::Result<Vec<u8>> {
    let mut body = Vec::new();
    reader.take(FILE_BYTES_MAX + 1).read_to_end(&mut body)?;
    if body.len() as u64 > FILE_BYTES_MAX {
        return Err(io::Error::new(
            io::ErrorKind::InvalidData,
            "a file in the archive is too long",
        ));
    }
    Ok(body)
}

fn sha256(mut file: File) -> io::Result<String> {
    let mut sum = digest::Context::new(&digest::SHA256);
    let mut buffer = vec![0; 64 << 10];
    loop {
        match file.read(&mut buffer)? {
            0 => return Ok(hex(sum.finish().as_ref())),
            read => sum.update(&buffer[..read]),
        }
    }
}
