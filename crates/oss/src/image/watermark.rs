//! Watermarks: another image that is put onto an image.
//!
//! Not here: texts, for which there is no font, and reading the other image, which whoever asks needs the right to.

use std::time::Instant;

use ::image::{DynamicImage, ImageDecoder, Rgba, imageops};
use base::ApiError;
use base64::Engine as _;

use super::parse::{Arguments, BASE64, Mode, Resize, Step, field, number, refused, step, unknown};
use super::{apply, check_time, damaged, decoder, size, too_large};

/// Pixels of a watermark as it is stored.
const PIXELS_MAX: u64 = 8_000_000;
/// Farthest from the edge, pixels.
const DISTANCE_MAX: u32 = 4096;
/// Where nothing else is asked for, pixels from the edge.
const DISTANCE: u32 = 10;
/// What stands between the key of a watermark and what is done with it before.
const BEFORE: &str = "?x-oss-process=";

/// Another image that is put onto one.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Watermark {
    /// The key of its object, in the same bucket.
    pub(crate) key: String,
    /// What is done with it before.
    steps: Vec<Step>,
    /// Its size, of a hundredth of the image's.
    percent: Option<u32>,
    /// 0 to 100.
    opacity: u32,
    /// Column and row of the nine fields where it is.
    field: (u32, u32),
    /// Pixels from the edges of the image.
    x: u32,
    y: u32,
}

impl Watermark {
    /// Reads the arguments of the step.
    ///
    /// # Errors
    /// `NotImplemented` for texts and what is not done here; `InvalidArgument` for what makes no sense.
    pub(super) fn read(arguments: &[&str]) -> Result<Self, ApiError> {
        let read = Arguments::read(arguments, &["image", "t", "g", "x", "y", "P"])?;
        let image = read.text("image").ok_or_else(|| refused("The watermark is missing."))?;
        let name = BASE64.decode(image).ok().and_then(|name| String::from_utf8(name).ok());
        let name = name.ok_or_else(|| refused("The watermark is not URL-safe Base64."))?;
        let (key, before) = name.split_once(BEFORE).unwrap_or((&name, ""));
        let mut mark = Self {
            key: key.to_owned(),
            steps: Vec::new(),
            percent: read.number("P", 1, 100)?,
            opacity: read.number("t", 0, 100)?.unwrap_or(100),
            field: read.text("g").map_or(Ok((2, 2)), field)?,
            x: read.number("x", 0, DISTANCE_MAX)?.unwrap_or(DISTANCE),
            y: read.number("y", 0, DISTANCE_MAX)?.unwrap_or(DISTANCE),
        };
        if !before.is_empty() {
            let steps = before.strip_prefix("image/").ok_or_else(|| unknown(before))?;
            steps.split('/').try_for_each(|text| mark.prepare(text))?;
        }
        Ok(mark)
    }

    /// One thing that is done with it before.
    fn prepare(&mut self, text: &str) -> Result<(), ApiError> {
        if let Some(percent) = text.strip_prefix("resize,P_") {
            self.percent = Some(number(percent, 1, 100)?);
            return Ok(());
        }
        match step(text)? {
            // A watermark of a watermark would have to be read too.
            Some(Step::Watermark(_)) => Err(unknown(text)),
            step => {
                self.steps.extend(step);
                Ok(())
            }
        }
    }

    /// How many things are done with it before.
    pub(super) const fn count(&self) -> usize {
        self.steps.len()
    }

    /// Puts it onto an image; what does not fit there is cut off.
    ///
    /// # Errors
    /// As those of the image itself; `ServiceUnavailable` where it takes longer than `until`.
    pub(super) fn put(
        &self,
        image: DynamicImage,
        bytes: &[u8],
        until: Instant,
    ) -> Result<DynamicImage, ApiError> {
        let (decoder, _) = decoder(bytes)?;
        let (width, height) = decoder.dimensions();
        if u64::from(width) * u64::from(height) > PIXELS_MAX {
            return Err(too_large());
        }
        let mut mark = DynamicImage::from_decoder(decoder).map_err(damaged)?;
        for step in &self.steps {
            check_time(until)?;
            mark = apply(mark, step)?;
        }
        if let Some(percent) = self.percent {
            mark = size::resize(&mark, &part_of(&image, percent))?;
        }
        let mut mark = mark.into_rgba8();
        if self.opacity < 100 {
            for Rgba([.., alpha]) in mark.pixels_mut() {
                let seen = u32::from(*alpha) * self.opacity / 100;
                *alpha = u8::try_from(seen).unwrap_or(u8::MAX);
            }
        }
        let mut canvas = image.into_rgba8();
        let at = |field, distance: u32, length: u32, own: u32| {
            let (distance, length, own) = (i64::from(distance), i64::from(length), i64::from(own));
            match field {
                0 => distance,
                1 => (length - own) / 2,
                _ => length - own - distance,
            }
        };
        let x = at(self.field.0, self.x, canvas.width(), mark.width());
        let y = at(self.field.1, self.y, canvas.height(), mark.height());
        imageops::overlay(&mut canvas, &mark, x, y);
        Ok(canvas.into())
    }
}

/// As large as fits into a part of an image.
fn part_of(image: &DynamicImage, percent: u32) -> Resize {
    let part = |side: u32| Some((side * percent / 100).max(1));
    Resize {
        mode: Mode::Fit,
        width: part(image.width()),
        height: part(image.height()),
        long: None,
        short: None,
        percent: None,
        enlarge: true,
        color: Rgba([255; 4]),
    }
}
