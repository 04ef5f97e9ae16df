//! `x-oss-traffic-limit`: how fast the body of one request may pass, in either direction.
//!
//! A body that comes is read no faster, so that the client is held back by the connection itself; a body that
//! leaves does so in pieces of a tenth of a second.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use base::ApiError;
use bytes::Bytes;
use engine::server::Body;
use http::Response;
use http_body_util::BodyExt;
use hyper::body::{Body as HttpBody, Frame, SizeHint};
use tokio::time::{Instant, Sleep};
use wire::object::error;

use super::call::Call;

const NAME: &str = "x-oss-traffic-limit";
/// Bits per second: 100 KiB/s to 100 MiB/s.
const BITS_MIN: u64 = 819_200;
const BITS_MAX: u64 = 838_860_800;

/// Bytes that pass no faster than they may.
#[derive(Debug)]
pub(super) struct Pace {
    bytes_per_second: u64,
    began: Instant,
    passed: u64,
}

impl Pace {
    /// As fast as the request asks, if it does: in a header or as a parameter.
    ///
    /// Errors: `InvalidArgument` for what is no number of bits per second between the bounds.
    pub(super) fn asked(call: &Call<'_>) -> Result<Option<Self>, ApiError> {
        let asked = call.head.header(NAME).or_else(|| call.query.get(NAME));
        let Some(text) = asked.filter(|_| call.is_oss()) else { return Ok(None) };
        let bits = text.trim().parse().ok().filter(|bits| (BITS_MIN..=BITS_MAX).contains(bits));
        let bits = bits.ok_or_else(|| {
            error::INVALID_ARGUMENT
                .error(format!("The traffic limit must be {BITS_MIN} to {BITS_MAX} bits a second."))
                .field("ArgumentName", NAME)
                .field("ArgumentValue", text)
        })?;
        Ok(Some(Self::new(bits)))
    }

    fn new(bits_per_second: u64) -> Self {
        Self { bytes_per_second: bits_per_second / 8, began: Instant::now(), passed: 0 }
    }

    /// When so many bytes more may have passed.
    fn due(&mut self, bytes: usize) -> Instant {
        self.passed += bytes as u64;
        let micros = self.passed.saturating_mul(1_000_000) / self.bytes_per_second;
        self.began + Duration::from_micros(micros)
    }

    /// Waits until so many bytes more may have passed.
    pub(super) async fn pass(&mut self, bytes: usize) {
        tokio::time::sleep_until(self.due(bytes)).await;
    }

    /// The largest piece that leaves at once.
    fn piece(&self) -> usize {
        usize::try_from(self.bytes_per_second / 10).unwrap_or(usize::MAX)
    }
}

/// Lets the body of an answer leave as fast as the request asks.
///
/// Errors: as [`Pace::asked`].
pub(super) fn slowed(call: &Call<'_>, answer: Response<Body>) -> Result<Response<Body>, ApiError> {
    let Some(pace) = Pace::asked(call)? else { return Ok(answer) };
    Ok(answer.map(|body| Slow { body, held: Bytes::new(), pace, wait: None }.boxed_unsync()))
}

/// A body that leaves no faster than it may.
struct Slow {
    body: Body,
    /// Taken from the body and not passed on yet.
    held: Bytes,
    pace: Pace,
    wait: Option<Pin<Box<Sleep>>>,
}

impl HttpBody for Slow {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        if let Some(wait) = &mut self.wait {
            ready!(wait.as_mut().poll(cx));
            self.wait = None;
        }
        if self.held.is_empty() {
            match ready!(Pin::new(&mut self.body).poll_frame(cx)) {
                Some(Ok(frame)) => match frame.into_data() {
                    Ok(bytes) => self.held = bytes,
                    Err(trailers) => return Poll::Ready(Some(Ok(trailers))),
                },
                other => return Poll::Ready(other),
            }
        }
        let len = self.held.len().min(self.pace.piece());
        let piece = self.held.split_to(len);
        let due = self.pace.due(len);
        self.wait = Some(Box::pin(tokio::time::sleep_until(due)));
        Poll::Ready(Some(Ok(Frame::data(piece))))
    }

    fn is_end_stream(&self) -> bool {
        self.held.is_empty() && self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        let mut hint = self.body.size_hint();
        let held = self.held.len() as u64;
        match hint.exact() {
            Some(left) => hint.set_exact(left + held),
            None => hint.set_lower(hint.lower() + held),
        }
        hint
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests may")]

    use super::*;

    #[tokio::test]
    async fn a_body_takes_as_long_as_its_limit_says_and_stays_whole() {
        let body: Vec<u8> = (0..51_200_u32).map(|at| at.to_le_bytes()[0]).collect();
        let slow = Slow {
            body: engine::server::full(body.clone()),
            held: Bytes::new(),
            pace: Pace::new(BITS_MIN),
            wait: None,
        };
        assert_eq!(slow.size_hint().exact(), Some(51_200));
        let began = Instant::now();
        let sent = slow.collect().await.unwrap().to_bytes();
        // Half a second, less the last piece, which nothing has to wait for.
        assert!(began.elapsed() > Duration::from_millis(390), "{:?}", began.elapsed());
        assert_eq!(sent, body);
    }

    #[test]
    fn waiting_is_for_all_bytes_together() {
        let mut pace = Pace::new(BITS_MIN);
        let due: Vec<_> = (0..8).map(|_| pace.due(12_800) - pace.began).collect();
        assert_eq!(due.last(), Some(&Duration::from_secs(1)));
        assert_eq!(due.first(), Some(&Duration::from_millis(125)));
    }
}
