//! A body on its way out: verified extents, one at a time.

use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use base::ApiError;
use bytes::Bytes;
use hyper::body::{Body as HttpBody, Frame, SizeHint};

use super::Source;
use super::encryption::{Keys, customer_key};
use crate::blob::pins::Pin as BodyPin;
use crate::blob::{Body, BodyKey, Error, Extent};
use crate::meter::{EGRESS, Payer};
use crate::model::{Encryption, ObjectInfo, ReadConditions};
use crate::tables::extent::ExtentRow;
use crate::{Oss, tables};

/// Rows of a large body fetched at a time: 256 extents each.
const ROWS: usize = 2;

/// What a reader gets at a time where memory is scarce.
const PIECE_BYTES: usize = 128 << 10;

/// The bytes of an object, or of a range of it: an [`hyper::body::Body`] whose frames are extents
/// (at most 1 MiB each). While it lives, its bytes stay where they are. Damaged bytes end it with an
/// error before they leave; what leaves is metered when it is dropped.
pub struct ObjectStream {
    oss: Oss,
    queue: VecDeque<Slice>,
    rest: Option<Rest>,
    left: u64,
    state: State,
    opening: Opening,
    payer: Option<Payer>,
    sent: u64,
    /// Read before anybody asked for it.
    ahead: Option<Bytes>,
    /// Shared with whoever reads from a disk.
    pin: Option<Arc<BodyPin>>,
}

/// The wanted part of an extent.
struct Slice {
    extent: Extent,
    from: usize,
    to: usize,
}

/// The rows of a large body that are still to be fetched.
struct Rest {
    blob: i64,
    next: u64,
    end: u64,
}

/// What a body opens under.
pub(super) struct Opening {
    encryption: Option<Encryption>,
    /// The key that was used last: all but bodies of old parts have one only.
    key: Option<BodyKey>,
}

impl Opening {
    /// What an object opens under that may be read on these conditions.
    pub(super) fn of(info: &ObjectInfo, conditions: &ReadConditions) -> Self {
        let key = customer_key(conditions.customer_key.as_ref());
        Self { encryption: info.facts.encryption.clone(), key }
    }

    /// Whether the key of an extent is at hand.
    fn opens(&mut self, extent: &Extent, keys: &Keys) -> bool {
        let number = extent.seal;
        if number != 0 && self.key.as_ref().is_none_or(|key| key.number != number) {
            self.key = keys.cached(number, self.encryption.as_ref());
            return self.key.is_some();
        }
        true
    }
}

type Job<T> = Pin<Box<dyn Future<Output = Result<T, ApiError>> + Send>>;

enum State {
    Idle,
    Fetching(Job<Vec<ExtentRow>>),
    Unlocking(Job<BodyKey>),
    Reading(Job<Bytes>),
    Failed,
}

impl ObjectStream {
    /// `len` bytes of a body from byte `from`. What leaves is metered to `payer`, if there is one.
    pub(super) fn new(
        oss: Oss,
        (body, opening): (Body, Opening),
        (from, len): (u64, u64),
        pin: Option<BodyPin>,
        payer: impl Into<Option<Payer>>,
    ) -> Self {
        let mut stream = Self {
            oss,
            queue: VecDeque::new(),
            rest: None,
            left: len,
            state: State::Idle,
            opening,
            payer: payer.into(),
            sent: 0,
            ahead: None,
            pin: pin.map(Arc::new),
        };
        match body {
            Body::Inline(extents) => drop(stream.enqueue(&extents, 0, from, from + len)),
            Body::Blob(blob) => stream.rest = Some(Rest { blob, next: from, end: from + len }),
        }
        stream
    }

    /// Queues what of these extents, which begin at byte `at` of the body, is wanted.
    fn enqueue(&mut self, extents: &[Extent], mut at: u64, from: u64, end: u64) -> u64 {
        for extent in extents {
            let next = at + u64::from(extent.plain_len());
            if next > from && at < end {
                let within = |position: u64| (position.clamp(at, next) - at) as usize;
                self.queue.push_back(Slice {
                    extent: *extent,
                    from: within(from),
                    to: within(end),
                });
            }
            at = next;
        }
        at
    }

    fn fetch(&self, blob: i64, from: u64) -> Job<Vec<ExtentRow>> {
        let db = self.oss.0.cloud.db.clone();
        Box::pin(async move { db.read(move |tx| tables::extent::rows(tx, blob, from, ROWS)).await })
    }

    fn unlock(&self, number: i64) -> Job<BodyKey> {
        let (oss, facts) = (self.oss.clone(), self.opening.encryption.clone());
        Box::pin(async move { oss.opening_key(number, facts).await })
    }

    fn fetched(&mut self, rows: &[ExtentRow]) -> Result<(), ApiError> {
        let Some(Rest { next, end, .. }) = self.rest else { return Ok(()) };
        let mut reached = next;
        for row in rows {
            reached = self.enqueue(&row.extents, row.start.cast_unsigned(), next, end);
        }
        if self.queue.is_empty() {
            return Err(Error::Row("a body ends before its size".to_owned()).into());
        }
        self.rest = self.rest.take().map(|rest| Rest { next: reached, ..rest });
        Ok(())
    }

    /// Starts on the next slice: at once where the page cache has it.
    fn begin(&mut self) -> Result<Option<Bytes>, ApiError> {
        let Some(slice) = self.queue.front() else {
            let Some(Rest { blob, next, .. }) = self.rest else {
                return Err(Error::Row("a body ends before its size".to_owned()).into());
            };
            self.state = State::Fetching(self.fetch(blob, next));
            return Ok(None);
        };
        let extent = slice.extent;
        if !self.opening.opens(&extent, &self.oss.0.keys) {
            self.state = State::Unlocking(self.unlock(extent.seal));
            return Ok(None);
        }
        let key = self.opening.key.clone().filter(|_| extent.seal != 0);
        let blobs = &self.oss.0.blobs;
        if let Some(bytes) = blobs.read_cached(&extent, key.as_ref()) {
            return Ok(Some(self.cut(bytes)));
        }
        let (blobs, pin) = (blobs.clone(), self.pin.clone());
        let read = async move { Ok(blobs.read(extent, key, pin).await?) };
        self.state = State::Reading(Box::pin(read));
        Ok(None)
    }

    /// The wanted part of the extent at the head of the queue; where memory is scarce, its beginning, and the rest is
    /// read again when the client has taken that.
    fn cut(&mut self, bytes: Bytes) -> Bytes {
        let crowded = self.oss.0.blobs.is_crowded();
        let bytes = match self.queue.front_mut() {
            None => return bytes,
            Some(slice) if crowded && slice.to - slice.from > PIECE_BYTES => {
                let piece = slice.from..slice.from + PIECE_BYTES;
                slice.from = piece.end;
                // A copy, which keeps nothing else in memory.
                Bytes::copy_from_slice(&bytes[piece])
            }
            Some(&mut Slice { from, to, .. }) => {
                self.queue.pop_front();
                bytes.slice(from..to)
            }
        };
        self.left -= bytes.len() as u64;
        self.sent += bytes.len() as u64;
        bytes
    }

    fn poll_next(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<Bytes, ApiError>>> {
        if let Some(bytes) = self.ahead.take() {
            return Poll::Ready(Some(Ok(bytes)));
        }
        if self.left == 0 {
            return Poll::Ready(None);
        }
        loop {
            let step = match &mut self.state {
                State::Failed => return Poll::Ready(None),
                State::Idle => self.begin(),
                State::Fetching(job) => {
                    let rows = ready!(job.as_mut().poll(context));
                    self.state = State::Idle;
                    rows.and_then(|rows| self.fetched(&rows)).map(|()| None)
                }
                State::Unlocking(job) => {
                    let key = ready!(job.as_mut().poll(context));
                    self.state = State::Idle;
                    key.map(|key| self.opening.key = Some(key)).map(|()| None)
                }
                State::Reading(job) => {
                    let bytes = ready!(job.as_mut().poll(context));
                    self.state = State::Idle;
                    bytes.map(|bytes| Some(self.cut(bytes)))
                }
            };
            match step {
                Ok(Some(bytes)) => return Poll::Ready(Some(Ok(bytes))),
                Ok(None) => {}
                Err(error) => {
                    self.state = State::Failed;
                    return Poll::Ready(Some(Err(error)));
                }
            }
        }
    }

    /// Reads the first bytes now: where they are in a backend that is away, there is still time to say so in an
    /// answer.
    ///
    /// # Errors
    /// As [`Self::next`].
    pub(super) async fn start(mut self) -> Result<Self, ApiError> {
        if self.oss.0.blobs.has_backends() {
            self.ahead = self.next().await.transpose()?;
        }
        Ok(self)
    }

    /// The next bytes; `None` at the end.
    ///
    /// # Errors
    /// `InternalError` where the bytes cannot be read or are damaged; the log says which.
    pub async fn next(&mut self) -> Option<Result<Bytes, ApiError>> {
        std::future::poll_fn(|context| self.poll_next(context)).await
    }
}

impl ObjectStream {
    /// Whom what leaves is metered to, for a caller who meters it: nothing of this is then.
    pub(crate) fn take_payer(&mut self) -> Option<Payer> {
        self.payer.take()
    }

    /// All of it, for something to be made of it. What of that leaves is metered then, to whom this says:
    /// nothing of this is.
    ///
    /// # Errors
    /// As [`Self::next`].
    pub(crate) async fn whole(mut self) -> Result<(Vec<u8>, Option<Payer>), ApiError> {
        let payer = self.take_payer();
        let mut bytes = Vec::with_capacity(usize::try_from(self.left).unwrap_or(0));
        while let Some(some) = self.next().await.transpose()? {
            bytes.extend_from_slice(&some);
        }
        Ok((bytes, payer))
    }
}

impl Oss {
    /// Meters bytes that leave besides those of a stream.
    pub(crate) fn count_egress(&self, payer: Option<&Payer>, bytes: u64) {
        if let Some(payer) = payer {
            self.0.reads.count(payer, EGRESS, bytes);
        }
    }
}

impl HttpBody for ObjectStream {
    type Data = Bytes;
    type Error = ApiError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, ApiError>>> {
        self.poll_next(context).map(|next| next.map(|bytes| bytes.map(Frame::data)))
    }

    fn is_end_stream(&self) -> bool {
        self.left == 0 && self.ahead.is_none()
    }

    fn size_hint(&self) -> SizeHint {
        let ahead = self.ahead.as_ref().map_or(0, |bytes| bytes.len() as u64);
        SizeHint::with_exact(self.left + ahead)
    }
}

impl Source for ObjectStream {
    async fn next(&mut self) -> Result<Option<Bytes>, ApiError> {
        Self::next(self).await.transpose()
    }
}

impl Drop for ObjectStream {
    fn drop(&mut self) {
        if let Some(payer) = self.payer.as_ref().filter(|_| self.sent > 0) {
            self.oss.0.reads.count(payer, EGRESS, self.sent);
        }
    }
}
