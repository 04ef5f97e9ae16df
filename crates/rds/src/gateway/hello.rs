//! The first message of a TLS client, read only as far as the name that it asks for: it stays as it came, and
//! whoever ends TLS checks all of it. Knows no sockets and ends no TLS.
//!
//! A message may come in many records and a record in many reads; what was read is never read again. Nothing
//! longer than [`BYTES_MAX`] is kept.

/// The longest hello that is taken, with the headers of its records. Those of clients are half a KiB to 2 KiB.
pub const BYTES_MAX: usize = 16 << 10;

/// A record may be no longer than this (RFC 8446, 5.1).
const RECORD_MAX: usize = 1 << 14;
const RECORD_HEADER: usize = 5;
const HANDSHAKE: u8 = 22;
const CLIENT_HELLO: u8 = 1;
const MESSAGE_HEADER: usize = 4;
const SERVER_NAME: u16 = 0;
const HOST_NAME: u8 = 0;
const ALPN: u16 = 16;
/// What a client of PostgreSQL offers to speak when it begins with TLS at once.
const PROTOCOL: &[u8] = b"postgresql";

/// What of a hello decides where it goes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Hello {
    /// The host name that the client asks for, in lower case; `None` where it gave none.
    pub name: Option<String>,
    /// Whether it offers to speak `postgresql`.
    pub postgresql: bool,
}

/// Bytes that begin no TLS connection that could be routed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no TLS client hello: {0}")]
pub struct Malformed(&'static str);

/// A hello while it arrives.
#[derive(Debug, Default)]
pub struct Reader {
    /// Everything that came, to be passed on as it is.
    raw: Vec<u8>,
    /// How much of it was taken apart.
    taken: usize,
    /// The message without the headers of its records.
    message: Vec<u8>,
}

impl Reader {
    /// Takes the next bytes. Returns what they say once the message is whole.
    ///
    /// # Errors
    /// [`Malformed`] where no more bytes can make a hello of it.
    pub fn push(&mut self, bytes: &[u8]) -> Result<Option<Hello>, Malformed> {
        self.raw.extend_from_slice(bytes);
        while let Some(record) = self.next_record()? {
            self.message.extend_from_slice(&self.raw[record.clone()]);
            self.taken = record.end;
            if let Some(body) = self.body()? {
                return parse(body).map(Some);
            }
        }
        if self.raw.len() >= BYTES_MAX {
            return Err(Malformed("it is too long"));
        }
        Ok(None)
    }

    /// Everything that came.
    pub fn into_bytes(self) -> Vec<u8> {
        self.raw
    }

    /// Where the content of the next whole record is.
    fn next_record(&self) -> Result<Option<std::ops::Range<usize>>, Malformed> {
        let rest = &self.raw[self.taken..];
        if rest.first().is_some_and(|kind| *kind != HANDSHAKE) {
            return Err(Malformed("a record is of another kind"));
        }
        if rest.get(1).is_some_and(|major| *major != 3) {
            return Err(Malformed("a record is of no known version"));
        }
        let Some(&[_, _, _, high, low]) = rest.first_chunk::<RECORD_HEADER>() else {
            return Ok(None);
        };
        let len = usize::from(u16::from_be_bytes([high, low]));
        if len == 0 || len > RECORD_MAX {
            return Err(Malformed("a record has no possible length"));
        }
        let start = self.taken + RECORD_HEADER;
        Ok((self.raw.len() >= start + len).then_some(start..start + len))
    }

    /// The message's body, once all of it is there.
    fn body(&self) -> Result<Option<&[u8]>, Malformed> {
        if self.message.first().is_some_and(|kind| *kind != CLIENT_HELLO) {
            return Err(Malformed("it is another message"));
        }
        let Some(&[_, a, b, c]) = self.message.first_chunk::<MESSAGE_HEADER>() else {
            return Ok(None);
        };
        let len = u32::from_be_bytes([0, a, b, c]) as usize;
        if len > BYTES_MAX {
            return Err(Malformed("it is too long"));
        }
        Ok(self.message.get(MESSAGE_HEADER..MESSAGE_HEADER + len))
    }
}

/// A cursor over fields that say their own length.
struct Fields<'a>(&'a [u8]);

impl<'a> Fields<'a> {
    fn take(&mut self, len: usize) -> Result<&'a [u8], Malformed> {
        let (field, rest) = self.0.split_at_checked(len).ok_or(Malformed("it ends too early"))?;
        self.0 = rest;
        Ok(field)
    }

    fn u8(&mut self) -> Result<u8, Malformed> {
        Ok(self.take(1)?[0])
    }

    fn u16(&mut self) -> Result<u16, Malformed> {
        let bytes = self.take(2)?;
        Ok(u16::from_be_bytes([bytes[0], bytes[1]]))
    }

    /// A field behind one byte of length.
    fn short(&mut self) -> Result<&'a [u8], Malformed> {
        let len = self.u8()?;
        self.take(usize::from(len))
    }

    /// A field behind two bytes of length.
    fn long(&mut self) -> Result<&'a [u8], Malformed> {
        let len = self.u16()?;
        self.take(usize::from(len))
    }

    fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// Reads the body of the message. Extensions that are not known, among them those that clients make up so that
/// nobody depends on a fixed list, are passed over.
fn parse(body: &[u8]) -> Result<Hello, Malformed> {
    let mut fields = Fields(body);
    fields.take(2 + 32)?; // version, random
    fields.short()?; // session
    fields.long()?; // cipher suites
    fields.short()?; // compression
    let mut hello = Hello::default();
    if fields.is_empty() {
        return Ok(hello); // before extensions were invented
    }
    let mut extensions = Fields(fields.long()?);
    while !extensions.is_empty() {
        let kind = extensions.u16()?;
        let content = extensions.long()?;
        match kind {
            SERVER_NAME if hello.name.is_some() => return Err(Malformed("it has two names")),
            SERVER_NAME => hello.name = host_name(content)?,
            ALPN => hello.postgresql = offers_postgresql(content)?,
            _ => {}
        }
    }
    Ok(hello)
}

fn host_name(content: &[u8]) -> Result<Option<String>, Malformed> {
    let mut list = Fields(Fields(content).long()?);
    while !list.is_empty() {
        let kind = list.u8()?;
        let name = list.long()?;
        if kind == HOST_NAME {
            let plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"-._".contains(byte);
            if name.is_empty() || name.len() > 255 || !name.iter().all(plain) {
                return Err(Malformed("its name is no host name"));
            }
            return Ok(Some(String::from_utf8_lossy(name).to_ascii_lowercase()));
        }
    }
    Ok(None)
}

fn offers_postgresql(content: &[u8]) -> Result<bool, Malformed> {
    let mut list = Fields(Fields(content).long()?);
    while !list.is_empty() {
        if list.short()? == PROTOCOL {
            return Ok(true);
        }
    }
    Ok(false)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use proptest::prelude::*;

    use super::*;

    /// A vector behind its length in `N` bytes.
    fn sized<const N: usize>(content: &[u8]) -> Vec<u8> {
        let len = (content.len() as u32).to_be_bytes();
        [&len[4 - N..], content].concat()
    }

    fn extension(kind: u16, content: &[u8]) -> Vec<u8> {
        [&kind.to_be_bytes()[..], &sized::<2>(content)].concat()
    }

    fn name(host: &str) -> Vec<u8> {
        let entry = [&[HOST_NAME][..], &sized::<2>(host.as_bytes())].concat();
        extension(SERVER_NAME, &sized::<2>(&entry))
    }

    fn alpn(protocols: &[&str]) -> Vec<u8> {
        let list: Vec<u8> = protocols.iter().flat_map(|it| sized::<1>(it.as_bytes())).collect();
        extension(ALPN, &sized::<2>(&list))
    }

    fn message(extensions: &[Vec<u8>]) -> Vec<u8> {
        let mut body = vec![3, 3];
        body.extend([7; 32]);
        body.extend(sized::<1>(&[9; 32]));
        body.extend(sized::<2>(&[0x0a, 0x0a, 0x13, 0x01])); // the first is made up
        body.extend(sized::<1>(&[0]));
        body.extend(sized::<2>(&extensions.concat()));
        [vec![CLIENT_HELLO], sized::<3>(&body)].concat()
    }

    /// The message in records of at most so many bytes.
    fn records(message: &[u8], len: usize) -> Vec<u8> {
        message
            .chunks(len)
            .flat_map(|part| [vec![HANDSHAKE, 3, 1], sized::<2>(part)].concat())
            .collect()
    }

    fn read(bytes: &[u8], step: usize) -> Result<Option<Hello>, Malformed> {
        let mut reader = Reader::default();
        for part in bytes.chunks(step) {
            if let Some(hello) = reader.push(part)? {
                return Ok(Some(hello));
            }
        }
        Ok(None)
    }

    #[test]
    fn a_hello_without_a_name_or_without_extensions_is_read_as_such() {
        let grease = extension(0x3a3a, &[]);
        let hello =
            read(&records(&message(&[grease, alpn(&["h2"])]), 4096), 4096).unwrap().unwrap();
        assert_eq!(hello, Hello { name: None, postgresql: false });
        let mut bare = message(&[]);
        bare.truncate(bare.len() - 2);
        bare[3] -= 2;
        assert_eq!(read(&records(&bare, 4096), 4096).unwrap(), Some(Hello::default()));
    }

    #[test]
    fn what_cannot_become_a_hello_is_refused_at_its_first_wrong_byte() {
        for (bytes, why) in [
            (&b"GET / HTTP/1.1"[..], "another kind"),
            (&[HANDSHAKE, 9], "no known version"),
            (&[HANDSHAKE, 3, 1, 0, 0], "no possible length"),
            (&[HANDSHAKE, 3, 1, 0x40, 1], "no possible length"),
            (&[HANDSHAKE, 3, 1, 0, 1, 2], "another message"),
            (&[HANDSHAKE, 3, 1, 0, 4, 1, 1, 0, 0], "too long"),
        ] {
            let error = read(bytes, 1).unwrap_err().to_string();
            assert!(error.contains(why), "{error}: {why}");
        }
        let two = records(&message(&[name("a.b"), name("c.d")]), 4096);
        assert!(read(&two, 4096).unwrap_err().to_string().contains("two names"));
        let odd = records(&message(&[name("a b")]), 4096);
        assert!(read(&odd, 4096).unwrap_err().to_string().contains("no host name"));
    }

    #[test]
    fn no_more_than_the_bound_is_kept() {
        // Records of one byte each that never end.
        let flood = [HANDSHAKE, 3, 1, 0, 1, 1].repeat(BYTES_MAX);
        let mut reader = Reader::default();
        let ended = flood.chunks(1000).find_map(|part| reader.push(part).err());
        assert!(ended.is_some());
        assert!(reader.raw.len() < BYTES_MAX + 1000);
    }

    proptest! {
        #[test]
        fn the_name_is_found_however_the_bytes_arrive(
            host in "[A-Za-z0-9-]{1,30}(\\.[a-z0-9]{1,10}){0,4}",
            postgresql: bool,
            noise in proptest::collection::vec((20u16..60000, proptest::collection::vec(any::<u8>(), 0..40)), 0..10),
            record in 1usize..600,
            step in 1usize..600,
            more in proptest::collection::vec(any::<u8>(), 0..50),
        ) {
            let mut extensions: Vec<Vec<u8>> =
                noise.iter().map(|(kind, content)| extension(*kind, content)).collect();
            extensions.insert(extensions.len() / 2, name(&host));
            extensions.push(alpn(if postgresql { &["h2", "postgresql"] } else { &["h2"] }));
            let mut bytes = records(&message(&extensions), record);
            bytes.extend(&more);
            let hello = read(&bytes, step).unwrap().unwrap();
            prop_assert_eq!(hello, Hello { name: Some(host.to_ascii_lowercase()), postgresql });
        }

        #[test]
        fn a_part_of_a_hello_is_never_taken_for_a_whole_one(record in 1usize..300, cut in 0usize..1000) {
            let bytes = records(&message(&[name("pgm-1.pg.rds.example.id")]), record);
            let cut = cut % bytes.len();
            prop_assert_eq!(read(&bytes[..cut], 7).unwrap(), None);
        }

        #[test]
        fn no_bytes_panic(bytes in proptest::collection::vec(any::<u8>(), 0..600), step in 1usize..600) {
            let _ = read(&bytes, step);
            let _ = read(&records(&[&[CLIENT_HELLO, 0, 1, 0][..], &bytes].concat(), 100), step);
            let _ = parse(&bytes);
        }
    }
}
