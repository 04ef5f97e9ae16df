//! Puts one object in the place of the pieces of a segment that is whole.

use std::collections::BTreeSet;
use std::sync::Arc;

use ::base::ApiError;
use engine::meter::Meters;
use engine::ports::OnePiece;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use super::super::wal::{self, Lsn, SEGMENT};
use super::super::{BACKUP_BYTES, Desk, arn, key, owner};
use crate::tables::wal::{self as spans, Span};

/// A piece as stored is at most so long, bytes: a segment that does not compress, and its frame.
const PACKED_MAX: usize = (SEGMENT as usize) + (1 << 20);

/// Starts the compaction of a span: first what an earlier stream left, then the segments whose beginnings are sent.
/// It ends when nobody sends any more.
pub(super) fn start(
    desk: &Arc<Desk>,
    bucket: &str,
    span: &Span,
) -> (mpsc::UnboundedSender<Lsn>, JoinHandle<()>) {
    let (send, mut segments) = mpsc::unbounded_channel();
    let (desk, bucket, span) = (Arc::clone(desk), bucket.to_owned(), span.clone());
    let work = async move {
        match left(&desk, &bucket, &span).await {
            Ok(left) => {
                for segment in left {
                    compact_or_say(&desk, &bucket, &span, segment).await;
                }
            }
            Err(error) => tracing::warn!(?error, instance = span.instance, "look for pieces"),
        }
        while let Some(segment) = segments.recv().await {
            compact_or_say(&desk, &bucket, &span, segment).await;
        }
    };
    (send, tokio::spawn(work))
}

async fn compact_or_say(desk: &Desk, bucket: &str, span: &Span, segment: Lsn) {
    if let Err(error) = compact(desk, bucket, span, segment).await {
        // Nothing is lost: the pieces stay, and the next stream tries again.
        tracing::warn!(?error, instance = span.instance, %segment, "compact a segment later");
    }
}

/// The whole segments of a span that are still in pieces.
async fn left(desk: &Desk, bucket: &str, span: &Span) -> Result<BTreeSet<Lsn>, ApiError> {
    let prefix = key::pieces(&span.instance, span.cluster, span.timeline);
    let mut segments = BTreeSet::new();
    desk.each(bucket, &prefix, "", |kept| {
        let start = key::start(&kept.key).map(Lsn::segment);
        segments.extend(start.filter(|start| start.next_segment() <= span.end));
        true
    })
    .await?;
    Ok(segments)
}

/// Compacts one segment, if it is whole. Harmless when repeated.
async fn compact(desk: &Desk, bucket: &str, span: &Span, segment: Lsn) -> Result<(), ApiError> {
    let prefix = key::pieces_of(&span.instance, span.cluster, span.timeline, segment);
    let pieces = desk.keys(bucket, &prefix).await?;
    let name = wal::segment_name(span.timeline, segment);
    let file = key::file(&span.instance, span.cluster, &name);
    let assembled = assemble(desk, bucket, &prefix, segment).await?;
    let mut change = 0;
    if assembled.filled == SEGMENT {
        let body = Box::new(OnePiece::new(wal::pack(&assembled.bytes)));
        change += size(desk.vault.put(bucket, &file, body).await?);
    } else if desk.vault.get(bucket, &file).await?.is_none() {
        // A gap is in it: what there is stays as it is.
        return Ok(());
    }
    for some in pieces.chunks(super::super::PAGE) {
        let keys = some.iter().map(|piece| piece.key.clone()).collect();
        desk.vault.delete(bucket, keys).await?;
        change -= some.iter().map(|piece| size(piece.size)).sum::<i64>();
    }
    resize(desk, span, change).await
}

fn size(bytes: u64) -> i64 {
    i64::try_from(bytes).unwrap_or(i64::MAX)
}

/// Notes that a span takes more or less than before.
async fn resize(desk: &Desk, span: &Span, change: i64) -> Result<(), ApiError> {
    let (span, now) = (span.clone(), desk.cloud.clock.now());
    let note = move |tx: &mut store::Tx<'_>| {
        let Some((account, region)) = owner(tx, &span.instance)? else { return Ok(()) };
        if spans::resize(tx, &span, change)? {
            let arn = arn(&region, account, &span.instance);
            let mut meters = Meters::default();
            meters.level(account, &arn, BACKUP_BYTES, change);
            meters.write(tx, now)?;
        }
        Ok::<_, ApiError>(())
    };
    desk.cloud.db.write(note).await
}

/// A segment as it was put together.
pub(in super::super) struct Assembled {
    /// A whole segment, with zeros where nothing was.
    pub(in super::super) bytes: Vec<u8>,
    /// So many bytes from its beginning on are there.
    pub(in super::super) filled: u64,
}

/// Puts a segment together of the pieces under `prefix`, which are its own.
///
/// # Errors
/// Those of the vault; a piece that does not read.
pub(in super::super) async fn assemble(
    desk: &Desk,
    bucket: &str,
    prefix: &str,
    segment: Lsn,
) -> Result<Assembled, ApiError> {
    let mut bytes = Vec::with_capacity(usize::try_from(SEGMENT).unwrap_or_default());
    for kept in desk.keys(bucket, prefix).await? {
        let place = key::start(&kept.key).map(|start| start.0.wrapping_sub(segment.0));
        let Some(at) = place.and_then(|at| usize::try_from(at).ok()) else { continue };
        if at > bytes.len() {
            break; // what follows a gap is of no use
        }
        let Some(packed) = desk.whole(bucket, &kept.key, PACKED_MAX).await? else { continue };
        let piece = wal::unpack(&packed, SEGMENT)
            .map_err(|error| ApiError::internal(format!("{}: {error}", kept.key)))?;
        // Where two overlap, the later one was written after a restart, and says the same and more.
        bytes.truncate(at);
        bytes.extend_from_slice(&piece);
    }
    let filled = bytes.len() as u64;
    bytes.resize(usize::try_from(SEGMENT).unwrap_or_default(), 0);
    Ok(Assembled { bytes, filled })
}
