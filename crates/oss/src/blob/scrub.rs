//! The scrub: reads every copy of everything that rows refer to, mends bad copies from good ones, and
//! names what no copy has.
//!
//! A reader finds only what it reads, and only in the first copy that is well. What is seldom read would
//! rot unseen until its last copy has. Rows are walked in pages, each on a snapshot of its own; the bodies
//! of a page are pinned as readers pin them. Which rows have bodies is [`tables::damage::SOURCES`]'s
//! business; how a copy is written anew is [`super::read`]'s, and how a lost file is, [`super::repair`]'s.

use std::fs::File;
use std::io;
use std::num::NonZeroU64;
use std::sync::Arc;
use std::time::Duration;

use base::{ApiError, Time};
use rustix::fs::{Advice, fadvise};
use tokio::time::Instant;

use super::pins::Pin;
use super::read::read_copy;
use super::segment::Copy;
use super::{Blobs, Body, Error, Extent, blocking};
use crate::model::ScrubReport;
use crate::tables::damage::{self, Place, Source};

/// Bodies looked up, and pinned, at a time.
const PAGE: usize = 16;

/// A place and the body that its row has.
struct Item {
    place: Place,
    body: Result<Body, ApiError>,
    /// Held until no thread reads or mends the body any more.
    pin: Option<Arc<Pin>>,
}

/// What reading the copies of one extent came to.
#[derive(Default)]
struct Checked {
    bytes: u64,
    damaged: u64,
    mended: u64,
    /// No copy has it.
    lost: bool,
}

/// One round under way.
struct Round<'a> {
    blobs: &'a Arc<Blobs>,
    begun: Time,
    started: Instant,
    /// Bytes a second; `None` is as fast as it goes.
    rate: Option<NonZeroU64>,
    report: ScrubReport,
}

impl Blobs {
    /// One round over everything, at so many bytes a second (`None`: as fast as it goes). `progress` gets what
    /// each page came to.
    pub(crate) async fn scrub(
        self: &Arc<Self>,
        rate: Option<NonZeroU64>,
        mut progress: impl FnMut(&ScrubReport),
    ) -> Result<ScrubReport, ApiError> {
        let (begun, started) = (self.clock.now(), Instant::now());
        let mut round = Round { blobs: self, begun, started, rate, report: ScrubReport::default() };
        for source in &damage::SOURCES {
            let mut after = Place::default();
            while let Some(last) = round.page(source, after).await? {
                after = last;
                progress(&round.report);
            }
        }
        self.db.write(move |tx| damage::forget_before(tx, begun)).await?;
        Ok(round.report)
    }

    /// Reads every copy of an extent. Blocks.
    fn check(&self, extent: &Extent) -> Result<Checked, Error> {
        let segment = match self.segment(extent.segment) {
            Err(Error::Io(error)) if error.kind() == io::ErrorKind::NotFound => {
                return Ok(Checked { damaged: 1, lost: true, ..Checked::default() });
            }
            segment => segment?,
        };
        let (mut checked, mut good, mut bad) = (Checked::default(), None, Vec::new());
        let mut away = false;
        for copy in segment.copies() {
            let mut buffer = self.buffers.take(extent.len as usize);
            if let Some(Copy::File(file)) = copy {
                forget_cached(file, extent);
            }
            match read_copy(self.dirs.disk, copy, extent, &mut buffer) {
                Ok(()) => good = Some(buffer),
                // Whether it has it, the next round will see.
                Err(Error::Away { .. }) => away = true,
                Err(_) => bad.push(copy), // it was logged
            }
            checked.bytes += copy.map_or(0, |_| u64::from(extent.len));
        }
        checked.damaged = bad.len() as u64;
        match good {
            Some(good) => checked.mended = self.mend(&segment, &bad, extent, good.as_ref()) as u64,
            None => checked.lost = !away,
        }
        Ok(checked)
    }
}

/// What the disk has is to be read, not what the page cache remembers of it. Whoever reads often finds it
/// in the cache again: the scrub has just read it.
fn forget_cached(file: &File, extent: &Extent) {
    let len = NonZeroU64::new(extent.len.into());
    // Where the file system takes no such advice, the cache is read.
    let _ = fadvise(file, extent.start.into(), len, Advice::DontNeed);
}

impl Round<'_> {
    /// The next page of a source; says where it ended, `None` where nothing was left.
    async fn page(
        &mut self,
        source: &'static Source,
        after: Place,
    ) -> Result<Option<Place>, ApiError> {
        // Before the snapshot, as readers do: one for each body that may be found.
        let look_ups: Vec<_> = (0..PAGE).map(|_| self.blobs.pins.look_up()).collect();
        let places = self.blobs.db.read(move |tx| {
            let places = (source.after)(tx, &after, PAGE)?;
            let item = |place: Place| {
                let body = (source.body)(tx, &place).transpose()?;
                Some(Item { place, body, pin: None })
            };
            Ok::<_, ApiError>(places.into_iter().filter_map(item).collect::<Vec<_>>())
        });
        let items = places.await?;
        let last = items.last().map(|item| item.place.clone());
        let pin = |(item, look_up): (Item, super::pins::LookUp)| {
            let pin = item.body.as_ref().ok().and_then(|body| look_up.hold(body)).map(Arc::new);
            Item { pin, ..item }
        };
        let pinned: Vec<_> = items.into_iter().zip(look_ups).map(pin).collect();
        for item in pinned {
            self.item(source, &item).await?;
        }
        Ok(last)
    }

    async fn item(&mut self, source: &'static Source, item: &Item) -> Result<(), ApiError> {
        let body = match &item.body {
            Ok(body) => body,
            Err(error) => return self.name_row(&item.place, error).await,
        };
        let blob = match body {
            Body::Inline(extents) => return self.extents(source, item, extents).await,
            Body::Blob(blob) => *blob,
        };
        let mut after = -1;
        loop {
            let row =
                self.blobs.db.read(move |tx| Ok::<_, ApiError>(damage::extents(tx, blob, after)));
            match row.await? {
                Ok(Some((start, extents))) => {
                    self.extents(source, item, &extents).await?;
                    after = start;
                }
                Ok(None) => return Ok(()),
                Err(error) => return self.name_row(&item.place, &error).await,
            }
        }
    }

    /// Reads every copy of each extent, and names those that no copy has.
    async fn extents(
        &mut self,
        source: &'static Source,
        item: &Item,
        extents: &[Extent],
    ) -> Result<(), ApiError> {
        let mut lost = Vec::new();
        for extent in extents.iter().copied() {
            let (blobs, pin) = (Arc::clone(self.blobs), item.pin.clone());
            let check = move || {
                let _held = pin;
                blobs.check(&extent)
            };
            let checked = blocking(check).await?;
            self.report.bytes += checked.bytes;
            self.report.damaged += checked.damaged;
            self.report.mended += checked.mended;
            if checked.lost {
                lost.push(extent);
            }
            self.keep_pace().await;
        }
        if lost.is_empty() { Ok(()) } else { self.name(source, item, lost).await }
    }

    /// Waits until no more was read than the rate lets be read.
    async fn keep_pace(&self) {
        if let Some(rate) = self.rate {
            let due = Duration::from_secs_f64(self.report.bytes as f64 / rate.get() as f64);
            tokio::time::sleep_until(self.started + due).await;
        }
    }

    /// Records extents that no copy has, unless the body is no longer the one of its place: then its bytes may
    /// have been given back meanwhile, as those of parts that became an object are when that is deleted.
    async fn name(
        &mut self,
        source: &'static Source,
        item: &Item,
        lost: Vec<Extent>,
    ) -> Result<(), ApiError> {
        let (place, body, now) = (item.place.clone(), item.body.clone().ok(), self.begun);
        let count = lost.len() as u64;
        let extents = lost.clone();
        let named = self.blobs.db.write(move |tx| {
            if (source.body)(tx, &place)? != body {
                return Ok::<_, ApiError>(None);
            }
            for Extent { segment, start, len, .. } in &extents {
                damage::insert(tx, &place, (*segment, *start, *len), now)?;
            }
            damage::bucket_name(tx, place.bucket).map(Some)
        });
        let Some(bucket) = named.await? else { return Ok(()) };
        self.report.lost += count;
        let Place { key, version, part, .. } = &item.place;
        let key = String::from_utf8_lossy(key);
        for Extent { segment, start, len, .. } in lost {
            tracing::error!(%bucket, %key, upload = version, part, segment, start, len, "no copy has these bytes");
        }
        Ok(())
    }

    /// Records a place whose row does not read.
    async fn name_row(&mut self, place: &Place, error: &ApiError) -> Result<(), ApiError> {
        let (row, now) = (place.clone(), self.begun);
        let named = self.blobs.db.write(move |tx| {
            damage::insert(tx, &row, (0, 0, 0), now)?;
            damage::bucket_name(tx, row.bucket)
        });
        let bucket = named.await?;
        self.report.rows += 1;
        let Place { key, version, part, .. } = place;
        let key = String::from_utf8_lossy(key);
        tracing::error!(%bucket, %key, upload = version, part, ?error, "the row of a body does not read");
        Ok(())
    }
}
