//! The TXT records of a name, asked of the name servers of this machine (RFC 1035) by UDP.
//!
//! Not here: what a record proves (`http::cname`), and the addresses of names, which the system finds.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use base::Rng;
use tokio::net::UdpSocket;
use tokio::sync::Semaphore;

/// Where systems say which their name servers are.
const SERVERS: &str = "/etc/resolv.conf";
/// Name servers that are asked in turn.
const SERVERS_MAX: usize = 2;
/// How long one of them may take.
const TIMEOUT: Duration = Duration::from_secs(2);
/// Questions under way at a time; others wait so long.
const SLOTS: usize = 16;
const WAIT_MAX: Duration = Duration::from_secs(5);
/// The longest answer by UDP, bytes.
const ANSWER_BYTES_MAX: usize = 512;
const HEADER_BYTES: usize = 12;
/// The longest name, bytes.
const NAME_BYTES_MAX: usize = 253;
const TXT: u16 = 16;
const INTERNET: u16 = 1;

/// Asks name servers.
pub(crate) struct Names {
    /// Asked alone, where told; else those of the system.
    server: Option<SocketAddr>,
    rng: Arc<dyn Rng>,
    slots: Semaphore,
}

impl Names {
    pub(crate) fn new(server: Option<SocketAddr>, rng: Arc<dyn Rng>) -> Self {
        Self { server, rng, slots: Semaphore::new(SLOTS) }
    }

    /// The TXT records of a name; none where there is none, or nobody who says so.
    pub(crate) async fn texts(&self, name: &str) -> Vec<String> {
        let Ok(Ok(_slot)) = tokio::time::timeout(WAIT_MAX, self.slots.acquire()).await else {
            tracing::info!(name, "too many names are being asked for");
            return Vec::new();
        };
        let servers = match self.server {
            Some(server) => vec![server],
            None => servers(&tokio::fs::read_to_string(SERVERS).await.unwrap_or_default()),
        };
        for server in servers {
            let Some(query) = query(name, u16::from_be_bytes(self.rng.bytes())) else { break };
            match tokio::time::timeout(TIMEOUT, ask(server, &query)).await {
                Ok(Ok(texts)) => return texts,
                Ok(Err(error)) => tracing::info!(%error, %server, name, "ask a name server"),
                Err(_) => tracing::info!(%server, name, "a name server did not answer"),
            }
        }
        Vec::new()
    }
}

async fn ask(server: SocketAddr, query: &[u8]) -> std::io::Result<Vec<String>> {
    let any: IpAddr = match server {
        SocketAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
        SocketAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
    };
    let socket = UdpSocket::bind((any, 0)).await?;
    socket.connect(server).await?;
    socket.send(query).await?;
    let mut answer = [0; ANSWER_BYTES_MAX];
    loop {
        let read = socket.recv(&mut answer).await?;
        // What answers another question is somebody's guess.
        if let Some(texts) = read_texts(&answer[..read], query) {
            return Ok(texts);
        }
    }
}

/// The name servers that a `resolv.conf` names.
fn servers(text: &str) -> Vec<SocketAddr> {
    let server = |line: &str| {
        let mut words = line.split_whitespace();
        let address = words.next().filter(|word| *word == "nameserver").and(words.next())?;
        Some(SocketAddr::new(address.parse().ok()?, 53))
    };
    text.lines().filter_map(server).take(SERVERS_MAX).collect()
}

/// The question for the TXT records of a name; `None` for what is no name.
fn query(name: &str, id: u16) -> Option<Vec<u8>> {
    let mut query = Vec::with_capacity(HEADER_BYTES + name.len() + 6);
    // Recursion desired, one question.
    query.extend_from_slice(&id.to_be_bytes());
    query.extend_from_slice(&[1, 0, 0, 1, 0, 0, 0, 0, 0, 0]);
    if name.len() > NAME_BYTES_MAX {
        return None;
    }
    for label in name.split('.') {
        let len = u8::try_from(label.len()).ok().filter(|len| (1..64).contains(len))?;
        query.push(len);
        query.extend_from_slice(label.as_bytes());
    }
    query.push(0);
    query.extend_from_slice(&TXT.to_be_bytes());
    query.extend_from_slice(&INTERNET.to_be_bytes());
    Some(query)
}

/// The texts of an answer; `None` where it answers something else, or cannot be read.
fn read_texts(answer: &[u8], query: &[u8]) -> Option<Vec<String>> {
    let same = answer.get(..2)? == query.get(..2)?;
    let asked = query.get(HEADER_BYTES..)?;
    let echoed = answer.get(HEADER_BYTES..query.len())?.eq_ignore_ascii_case(asked);
    if !same || !echoed || answer[2] & 0x80 == 0 {
        return None;
    }
    // Cut short, or refused (there is no such name): there is nothing to be found in it.
    if answer[2] & 2 != 0 || answer[3] & 0xf != 0 {
        return Some(Vec::new());
    }
    let mut texts = Vec::new();
    let mut at = query.len();
    for _ in 0..number(answer, 6)? {
        at = behind_name(answer, at)?;
        let (kind, class) = (number(answer, at)?, number(answer, at + 2)?);
        let data = at + 10;
        at = data + usize::from(number(answer, at + 8)?);
        let data = answer.get(data..at)?;
        if (kind, class) == (TXT, INTERNET) {
            texts.push(joined(data)?);
        }
    }
    Some(texts)
}

fn number(bytes: &[u8], at: usize) -> Option<u16> {
    let pair = bytes.get(at..at + 2)?;
    Some(u16::from_be_bytes(pair.try_into().ok()?))
}

/// Where a name ends that begins there.
fn behind_name(bytes: &[u8], mut at: usize) -> Option<usize> {
    loop {
        match *bytes.get(at)? {
            0 => return Some(at + 1),
            // The rest is elsewhere.
            len if len & 0xc0 == 0xc0 => return Some(at + 2),
            len if len < 64 => at += 1 + usize::from(len),
            _ => return None,
        }
    }
}

/// The strings of a record, which are parts of one text.
fn joined(mut data: &[u8]) -> Option<String> {
    let mut text = Vec::new();
    while let [len, rest @ ..] = data {
        let (piece, behind) = rest.split_at_checked(usize::from(*len))?;
        text.extend_from_slice(piece);
        data = behind;
    }
    Some(String::from_utf8_lossy(&text).into_owned())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests may")]

    use proptest::prelude::*;

    use super::*;

    /// An answer with these records, each a name, a kind and its data.
    fn answer(query: &[u8], flags: [u8; 2], records: &[(&[u8], u16, &[u8])]) -> Vec<u8> {
        let mut bytes = query.to_vec();
        bytes[2..4].copy_from_slice(&flags);
        bytes[7] = u8::try_from(records.len()).unwrap();
        for (name, kind, data) in records {
            bytes.extend_from_slice(name);
            bytes.extend_from_slice(&kind.to_be_bytes());
            bytes.extend_from_slice(&[0, 1, 0, 0, 0, 9]);
            bytes.extend_from_slice(&u16::try_from(data.len()).unwrap().to_be_bytes());
            bytes.extend_from_slice(data);
        }
        bytes
    }

    #[test]
    fn texts_are_those_of_the_answer_to_the_question() {
        let asked = query("_dnsauth.a.id", 7).unwrap();
        let records: [(&[u8], u16, &[u8]); 3] = [
            (b"\xc0\x0c", 5, b"\x01b\0"),
            (b"\x01b\x02id\0", TXT, b"\x02ab\x01c"),
            (b"\xc0\x0c", TXT, b"\x01z"),
        ];
        let good = answer(&asked, [0x81, 0x80], &records);
        assert_eq!(read_texts(&good, &asked).unwrap(), ["abc", "z"]);
        assert_eq!(read_texts(&good, &query("_dnsauth.a.id", 8).unwrap()), None);
        assert_eq!(read_texts(&good, &query("_dnsauth.b.id", 7).unwrap()), None);
        assert_eq!(read_texts(&asked, &asked), None, "a question is no answer");
        assert_eq!(read_texts(&good[..good.len() - 1], &asked), None);
        for none in [[0x81, 0x83], [0x83, 0x80]] {
            assert_eq!(read_texts(&answer(&asked, none, &[]), &asked).unwrap(), [""; 0]);
        }
    }

    #[test]
    fn only_names_are_asked_for() {
        for wrong in ["", "a..b", &"a".repeat(64), &"a.".repeat(127)] {
            assert_eq!(query(wrong, 1), None, "{wrong}");
        }
        let asked = query("ab.c", 0x0102).unwrap();
        assert_eq!(asked, b"\x01\x02\x01\0\0\x01\0\0\0\0\0\0\x02ab\x01c\0\0\x10\0\x01");
    }

    #[test]
    fn the_systems_name_servers_are_asked() {
        let text = "# nameserver 9.9.9.9\nsearch a\nnameserver 10.0.0.1\nnameserver ::1 \nnameserver 1.1.1.1\n";
        let found: Vec<String> = servers(text).iter().map(ToString::to_string).collect();
        assert_eq!(found, ["10.0.0.1:53", "[::1]:53"]);
    }

    proptest! {
        #[test]
        fn any_answer_is_read_or_passed_over(
            behind in proptest::collection::vec(any::<u8>(), 0..80), records in 0_u8..4, name in "[a-z.]{0,20}"
        ) {
            if let Some(asked) = query(&name, 1) {
                let mut bytes = answer(&asked, [0x81, 0x80], &[]);
                bytes[7] = records;
                bytes.extend_from_slice(&behind);
                read_texts(&bytes, &asked);
            }
            read_texts(&behind, &behind);
        }
    }
}
