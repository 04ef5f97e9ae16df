//! Servers of which it is not certain that they take clients in: one that refused a connection, or that ended a session
//! by itself, may be on its way down or up. Such a server is asked before a client is given to it, because what it says
//! to the client is sealed. Here is who is asked and when, and how; who waits meanwhile is `session`'s.

use std::collections::HashMap;
use std::io;
use std::net::SocketAddr;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::Instant;

/// How long a doubt lasts that nothing has confirmed since: longer than a client waits.
const LASTS: Duration = Duration::from_secs(20);
/// How often one server is asked, however many clients wait for it: until it serves, each time is a line in its log.
const ASK_EVERY: Duration = Duration::from_millis(50);
/// Who asks: a role that no server has (`node::postgres` lets it try a password from where the gateway dials).
pub(crate) const ASKS_AS: &str = "awan_gateway";
/// A server that lost a process notices it after its client does: it is not asked sooner.
pub(super) const NOTICES: Duration = Duration::from_millis(200);
/// Longer answers are not read.
const ANSWER_MAX: usize = 8 << 10;

/// What a client that wants to a server has to do first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Turn {
    /// Nothing.
    Go,
    /// Ask whether it serves, with [`serves`], and say what came out.
    Ask,
    /// Wait: somebody else is asking, or it is too soon.
    Wait,
}

/// A doubt.
struct Doubt {
    since: Instant,
    /// Nobody asks before that.
    ask_at: Instant,
}

/// The doubtful servers.
#[derive(Default)]
pub(super) struct Doubts(Mutex<HashMap<SocketAddr, Doubt>>);

impl Doubts {
    /// Notes that it is uncertain whether a server serves, and that it does not know itself before `notices` is over. A
    /// doubt that is there already is asked about no later for it: sessions that end all the time keep nobody out.
    pub(super) fn cast(&self, server: SocketAddr, now: Instant, notices: Duration) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.retain(|_, doubt| now.duration_since(doubt.since) < LASTS);
        all.entry(server).or_insert(Doubt { since: now, ask_at: now + notices }).since = now;
    }

    /// Notes that it does.
    pub(super) fn clear(&self, server: SocketAddr) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(&server);
    }

    /// What is to be done before a client is given to that server.
    pub(super) fn turn(&self, server: SocketAddr, now: Instant) -> Turn {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(doubt) = all.get_mut(&server) else { return Turn::Go };
        if now.duration_since(doubt.since) >= LASTS {
            all.remove(&server);
            return Turn::Go;
        }
        if now < doubt.ask_at {
            return Turn::Wait;
        }
        doubt.ask_at = now + ASK_EVERY;
        Turn::Ask
    }
}

/// Asks a server over a connection of its own whether it takes clients in: false where it says that it starts up or
/// shuts down. It is asked in clear, by a role without rights, and never gets as far as a password.
///
/// # Errors
/// Where the connection ends before it has said anything.
pub(super) async fn serves(mut server: TcpStream) -> io::Result<bool> {
    let text =
        [&[0, 3, 0, 0][..], b"user\0", ASKS_AS.as_bytes(), b"\0database\0postgres\0\0"].concat();
    let len = u32::try_from(text.len() + 4).map_err(io::Error::other)?;
    server.write_all(&[&len.to_be_bytes()[..], &text].concat()).await?;
    let mut head = [0; 5];
    server.read_exact(&mut head).await?;
    let [kind, len @ ..] = head;
    // All of it is read: a connection that is closed on bytes unread looks broken, which servers log.
    let len = usize::try_from(u32::from_be_bytes(len)).map_err(io::Error::other)?;
    let mut body = vec![0; len.saturating_sub(4).min(ANSWER_MAX)];
    server.read_exact(&mut body).await?;
    Ok(kind != b'E' || !cannot_connect_now(&body))
}

/// Whether an `ErrorResponse` is of the code 57P03. Any other one is for the client to hear from the server itself.
fn cannot_connect_now(fields: &[u8]) -> bool {
    fields.split(|byte| *byte == 0).any(|field| field == b"C57P03")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn only_servers_that_start_or_stop_are_waited_for() {
        assert!(cannot_connect_now(
            b"SFATAL\0VFATAL\0C57P03\0Mthe database system is starting up\0\0"
        ));
        assert!(!cannot_connect_now(b"SFATAL\0C28000\0MC57P03 is no code of this\0\0"));
        assert!(!cannot_connect_now(b""));
    }

    #[test]
    fn a_doubtful_server_is_asked_by_one_at_a_time_until_it_is_certain() {
        let doubts = Doubts::default();
        let (one, other) = (([127, 0, 0, 1], 1).into(), ([127, 0, 0, 1], 2).into());
        let now = Instant::now();
        assert_eq!(doubts.turn(one, now), Turn::Go);
        doubts.cast(one, now, Duration::ZERO);
        assert_eq!(doubts.turn(one, now), Turn::Ask);
        assert_eq!(doubts.turn(one, now), Turn::Wait);
        assert_eq!(doubts.turn(other, now), Turn::Go);
        assert_eq!(doubts.turn(one, now + ASK_EVERY), Turn::Ask);
        doubts.clear(one);
        assert_eq!(doubts.turn(one, now), Turn::Go);
        doubts.cast(one, now, NOTICES);
        assert_eq!(doubts.turn(one, now), Turn::Wait, "it has not noticed itself yet");
        doubts.cast(one, now + NOTICES, NOTICES);
        assert_eq!(
            doubts.turn(one, now + NOTICES),
            Turn::Ask,
            "another end makes nobody wait longer"
        );
        assert_eq!(
            doubts.turn(one, now + NOTICES + LASTS),
            Turn::Go,
            "what nothing confirmed is over"
        );
        assert!(doubts.0.lock().is_ok_and(|all| all.is_empty()), "and forgotten");
    }

    proptest! {
        #[test]
        fn no_answer_panics(bytes: Vec<u8>) {
            cannot_connect_now(&bytes);
        }
    }
}
