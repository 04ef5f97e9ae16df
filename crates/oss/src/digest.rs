//! The digests of one body, made together while it passes: MD5 and CRC-64/XZ always, others where
//! they were asked for. What they are compared with is [`crate::model::Expected`].

mod lanes;

use base::ApiError;
use serde::{Deserialize, Serialize};
pub use wire::object::checksum::Algorithm;
use wire::object::checksum::{Hasher, Md5, base64, crc64_combine};

pub(crate) use self::lanes::{Coming, Md5Pool};
use crate::error;
use crate::model::Expected;

/// Bodies up to this size are digested each for itself.
const ALONE_BYTES_MAX: usize = 64 << 10;

/// The value of an additional checksum.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checksum {
    /// Which one.
    pub algorithm: Algorithm,
    /// Its bytes (a CRC in big-endian order).
    pub value: Vec<u8>,
    /// 0 where it is of the whole body; else it is of the checksums of that many parts.
    pub parts: u32,
}

impl Checksum {
    /// A checksum of a whole body.
    pub fn whole(algorithm: Algorithm, value: Vec<u8>) -> Self {
        Self { algorithm, value, parts: 0 }
    }

    /// The text form: Base64, with `-N` where it is of N parts.
    pub fn text(&self) -> String {
        let value = base64(&self.value);
        if self.parts == 0 { value } else { format!("{value}-{}", self.parts) }
    }
}

/// As stored: name, hexadecimal value, number of parts.
#[derive(Serialize, Deserialize)]
struct Written(String, String, u32);

impl Serialize for Checksum {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let name = self.algorithm.name().to_owned();
        Written(name, base::text::hex(&self.value), self.parts).serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Checksum {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let Written(name, value, parts) = Written::deserialize(deserializer)?;
        let algorithm = Algorithm::from_name(&name);
        let (Some(algorithm), Some(value)) = (algorithm, base::text::unhex(&value)) else {
            return Err(serde::de::Error::custom("not a checksum"));
        };
        Ok(Self { algorithm, value, parts })
    }
}

/// What a multipart upload's checksum covers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Coverage {
    /// The whole body, combined from the parts' (CRCs only).
    FullObject,
    /// The parts' checksums, one after another.
    Composite,
}

/// The MD5 of a body in the making.
enum Md5Of {
    Small(Md5),
    Large(lanes::Md5),
}

/// Digests in the making.
pub(crate) struct Digests {
    md5: Md5Of,
    crc64: u64,
    size: u64,
    payload: Option<Hasher>,
    more: Vec<Hasher>,
}

/// Digests of a body that has passed.
#[derive(Clone, Debug)]
pub(crate) struct Digested {
    pub(crate) size: u64,
    pub(crate) md5: [u8; 16],
    pub(crate) crc64: u64,
    pub(crate) checksums: Vec<Checksum>,
    payload: Option<Vec<u8>>,
}

impl Digests {
    pub(crate) fn new(expected: &Expected) -> Self {
        let mut wanted: Vec<Algorithm> = expected.compute.clone();
        wanted.extend(expected.checksums.iter().map(|checksum| checksum.algorithm));
        let mut more: Vec<Hasher> = Vec::new();
        for algorithm in wanted {
            if more.iter().all(|known| known.algorithm() != algorithm) {
                more.push(Hasher::new(algorithm));
            }
        }
        let payload = expected.sha256.is_some().then(|| Hasher::new(Algorithm::Sha256));
        Self { md5: Md5Of::Small(Md5::default()), crc64: 0, size: 0, payload, more }
    }

    /// Takes the next bytes, which are those of `buffer` from `from` on; their CRC-64 the caller has made for the
    /// extent that they become. May block for as long as digesting takes.
    pub(crate) fn update(
        &mut self,
        (buffer, from): (&mut Vec<u8>, usize),
        crc64: u64,
        pool: &Md5Pool,
    ) {
        let bytes = buffer.get(from..).unwrap_or_default();
        let len = bytes.len() as u64;
        if self.size == 0 && bytes.len() > ALONE_BYTES_MAX {
            self.md5 = Md5Of::Large(lanes::Md5::default());
        }
        self.crc64 = if self.size == 0 { crc64 } else { crc64_combine(self.crc64, crc64, len) };
        self.size += len;
        for hasher in self.more.iter_mut().chain(self.payload.as_mut()) {
            hasher.update(bytes);
        }
        match &mut self.md5 {
            Md5Of::Small(md5) => md5.update(bytes),
            // At once, since that may be on a task.
            Md5Of::Large(md5) if bytes.len() <= ALONE_BYTES_MAX => md5.update(bytes),
            Md5Of::Large(md5) => pool.digest(md5, buffer, from),
        }
    }

    pub(crate) fn finish(self) -> Digested {
        let checksum = |hasher: Hasher| Checksum::whole(hasher.algorithm(), hasher.finish());
        Digested {
            size: self.size,
            md5: match self.md5 {
                Md5Of::Small(md5) => md5.finish(),
                Md5Of::Large(md5) => md5.finish(),
            },
            crc64: self.crc64,
            checksums: self.more.into_iter().map(checksum).collect(),
            payload: self.payload.map(Hasher::finish),
        }
    }
}

impl Digested {
    /// Compares with what was promised, in headers and in trailers.
    ///
    /// The values protect from accidents and are known to whoever sent the body, so an ordinary
    /// comparison will do.
    pub(crate) fn check(&self, expected: &Expected, trailers: &[Checksum]) -> Result<(), ApiError> {
        let md5 = expected.md5.is_none_or(|md5| md5 == self.md5);
        let crc64 = expected.crc64.is_none_or(|crc64| crc64 == self.crc64);
        let payload = match (&expected.sha256, &self.payload) {
            (Some(promised), Some(found)) => promised[..] == found[..],
            _ => true,
        };
        let promised = expected.checksums.iter().chain(trailers);
        let wrong = promised
            .filter(|promised| self.checksums.iter().all(|found| found != *promised))
            .count();
        if !payload {
            return Err(ApiError::new(&error::SHA256_MISMATCH));
        }
        let failed = match (md5, crc64, wrong) {
            (false, ..) => "The Content-MD5 you specified did not match what was received.",
            (_, false, _) => "The CRC-64 you specified did not match what was received.",
            (true, true, 0) => return Ok(()),
            _ => "A checksum you specified did not match what was received.",
        };
        Err(error::BAD_DIGEST.error(failed))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digests_of_pieces_are_those_of_the_whole() {
        let body: Vec<u8> = (0..200_000u32).map(|at| at.to_le_bytes()[0]).collect();
        let wanted = Expected {
            compute: Algorithm::ALL.to_vec(),
            sha256: Some([0; 32]),
            ..Expected::default()
        };
        let digest = |size: usize| {
            let mut digests = Digests::new(&wanted);
            for piece in body.chunks(size) {
                let crc64 = wire::object::checksum::crc64(piece);
                digests.update((&mut [b"-", piece].concat(), 1), crc64, &Md5Pool::default());
            }
            digests.finish()
        };
        let (whole, pieces) = (digest(body.len()), digest(777));
        assert_eq!(whole.md5, pieces.md5);
        assert_eq!(whole.crc64, pieces.crc64);
        assert_eq!(whole.checksums, pieces.checksums);
        assert_eq!(whole.payload, pieces.payload);
        assert!(pieces.check(&wanted, &[]).is_err(), "the payload's digest is not all zeros");
    }

    #[test]
    fn a_checksum_comes_back_from_its_stored_form() {
        let checksum =
            Checksum { algorithm: Algorithm::Crc32c, value: vec![1, 2, 3, 255], parts: 3 };
        let text = serde_json::to_string(&checksum).expect("a checksum has a text form");
        assert_eq!(text, r#"["CRC32C","010203ff",3]"#);
        assert_eq!(serde_json::from_str::<Checksum>(&text).expect("it was just written"), checksum);
    }
}
