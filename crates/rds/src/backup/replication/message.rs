//! The bodies of the replication protocol's copy messages. Pure.

use ::base::Time;
use bytes::{Buf as _, Bytes};

use super::Error;
use crate::backup::wal::Lsn;

/// What a server says while it streams its log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Streamed {
    /// Bytes of the log.
    Log {
        /// The position of the first one.
        start: Lsn,
        /// Where its log ends: often far ahead.
        end: Lsn,
        /// When it sent this, by its own clock.
        at: Time,
        /// The bytes.
        bytes: Bytes,
    },
    /// It is there.
    Alive {
        /// The end of what it has sent.
        end: Lsn,
        /// When it sent this, by its own clock.
        at: Time,
        /// It wants an answer at once.
        reply: bool,
    },
}

/// What a server says while it streams a base backup (15 and later).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Sent {
    /// Another archive begins; the tablespace's path, empty for the data directory.
    Archive(String),
    /// The manifest begins.
    Manifest,
    /// Bytes of what began last.
    Data(Bytes),
    /// How far it is.
    Progress,
}

/// Seconds from 1970 to 2000, where servers begin to count.
const EPOCH_SECS: i64 = 946_684_800;

/// Reads a message of a stream of the log.
///
/// # Errors
/// `Malformed`.
pub fn streamed(mut body: Bytes) -> Result<Streamed, Error> {
    let short = Err(Error::Malformed("a message of the log stream"));
    if body.is_empty() {
        return short;
    }
    match (body.get_u8(), body.len()) {
        (b'w', 24..) => {
            let start = Lsn(body.get_u64());
            let (end, at) = (Lsn(body.get_u64()), moment(body.get_i64()));
            Ok(Streamed::Log { start, end, at, bytes: body })
        }
        (b'k', 17) => {
            let end = Lsn(body.get_u64());
            let at = moment(body.get_i64());
            Ok(Streamed::Alive { end, at, reply: body.get_u8() == 1 })
        }
        _ => short,
    }
}

/// A moment as servers count, from 2000 on.
fn moment(micros: i64) -> Time {
    Time::from_micros(micros.saturating_add(EPOCH_SECS * 1_000_000))
}

/// The word that everything before `durable` is safe. `now`: microseconds since 1970; `ask`: for an answer.
pub fn status(durable: Lsn, now: i64, ask: bool) -> [u8; 34] {
    let mut body = [0; 34];
    body[0] = b'r';
    // Written, flushed and applied: nothing counts before it is durable.
    for field in 0..3 {
        body[1 + 8 * field..][..8].copy_from_slice(&durable.0.to_be_bytes());
    }
    let clock = now.saturating_sub(EPOCH_SECS * 1_000_000);
    body[25..33].copy_from_slice(&clock.to_be_bytes());
    body[33] = u8::from(ask);
    body
}

/// Reads a message of a stream of a base backup.
///
/// # Errors
/// `Malformed`.
pub fn sent(mut body: Bytes) -> Result<Sent, Error> {
    let malformed = || Error::Malformed("a message of the backup stream");
    if body.is_empty() {
        return Err(malformed());
    }
    match body.get_u8() {
        b'n' => {
            text(&mut body).ok_or_else(malformed)?; // the archive's file name
            Ok(Sent::Archive(text(&mut body).ok_or_else(malformed)?))
        }
        b'm' => Ok(Sent::Manifest),
        b'd' => Ok(Sent::Data(body)),
        b'p' => Ok(Sent::Progress),
        _ => Err(malformed()),
    }
}

/// A text up to its zero byte.
fn text(body: &mut Bytes) -> Option<String> {
    let end = body.iter().position(|byte| *byte == 0)?;
    let text = String::from_utf8(body.split_to(end).to_vec()).ok()?;
    body.advance(1);
    Some(text)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn no_message_is_too_strange(body: Vec<u8>, tag in prop::sample::select(b"wknmdp".to_vec())) {
            let mut tagged = vec![tag];
            tagged.extend_from_slice(&body);
            for bytes in [body, tagged] {
                let _ = (streamed(Bytes::from(bytes.clone())), sent(Bytes::from(bytes)));
            }
        }

        #[test]
        fn bytes_of_the_log_come_with_their_position(start: u64, end: u64, at: i32, log: Vec<u8>) {
            let mut body = vec![b'w'];
            body.extend_from_slice(&start.to_be_bytes());
            body.extend_from_slice(&end.to_be_bytes());
            body.extend_from_slice(&i64::from(at).to_be_bytes());
            body.extend_from_slice(&log);
            let at = Time::from_micros(i64::from(at) + 946_684_800_000_000);
            let (start, end) = (Lsn(start), Lsn(end));
            let expected = Streamed::Log { start, end, at, bytes: Bytes::from(log) };
            prop_assert_eq!(streamed(Bytes::from(body)).unwrap(), expected);
        }

        #[test]
        fn archives_are_named(name in "[a-z0-9.]{0,20}", path in "[a-z/]{0,20}") {
            let body = Bytes::from(format!("n{name}\0{path}\0"));
            prop_assert_eq!(sent(body).unwrap(), Sent::Archive(path));
        }
    }

    #[test]
    fn a_server_that_wants_an_answer_says_so() {
        let mut body = vec![b'k'];
        body.extend_from_slice(&7_u64.to_be_bytes());
        body.extend_from_slice(&[0; 8]);
        body.push(1);
        let at = Time::from_secs(946_684_800);
        let alive = Streamed::Alive { end: Lsn(7), at, reply: true };
        assert_eq!(streamed(Bytes::from(body)).unwrap(), alive);
    }

    #[test]
    fn an_answer_states_what_is_durable_three_times_and_the_time_since_2000() {
        let body = status(Lsn(0x0102), 946_684_801_000_000, true);
        assert_eq!(body[0], b'r');
        for field in [1, 9, 17] {
            assert_eq!(body[field..field + 8], [0, 0, 0, 0, 0, 0, 1, 2]);
        }
        assert_eq!(body[25..33], 1_000_000_i64.to_be_bytes());
        assert_eq!(body[33], 1);
    }
}
