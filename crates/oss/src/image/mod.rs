//! Processing of images: what `image/...` asks for ([`parse`]), and doing it ([`run`]).
//!
//! Bytes from outside meet decoders here, so everything is bounded before it is done: the bytes that are read,
//! the pixels that a header promises, the memory of a decoder, the pixels of a result, the number of steps,
//! and how many images are worked on at a time. It runs on threads that may block.
//!
//! Not here: where the bytes come from and go to, and who may read them.

mod draw;
mod parse;
mod size;
mod watermark;

use std::io::Cursor;
use std::sync::{Arc, LazyLock};
use std::time::{Duration, Instant};

use ::image::codecs::jpeg::JpegEncoder;
use ::image::codecs::webp::WebPEncoder;
use ::image::{DynamicImage, ImageDecoder, ImageFormat, ImageReader, Limits};
use base::{ApiError, Code};
use bytes::Bytes;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use wire::object::error;

pub(crate) use parse::{BASE64, Plan, Wish, parse};
use parse::{Format, Quality, Step};

/// The largest image that is processed, bytes (20 MiB).
pub(crate) const SOURCE_BYTES_MAX: u64 = 20 << 20;
/// Pixels of an image, before and after each step.
const PIXELS_MAX: u64 = 40_000_000;
/// The longest side, pixels.
const SIDE_MAX: u32 = 16_384;
/// What a decoder may allocate besides the image, bytes.
const DECODER_BYTES_MAX: u64 = 256 << 20;
/// Images that are worked on at a time: so many times [`PIXELS_MAX`] are decoded at most, with a few copies of each.
const AT_A_TIME: usize = 2;
/// The largest result, bytes.
const RESULT_BYTES_MAX: usize = 32 << 20;
/// All results that clients have not taken yet, bytes.
const RESULTS_BYTES_MAX: usize = 256 << 20;
/// What results are counted in, bytes.
const RESULT_UNIT: usize = 64 << 10;
/// How long a result waits for others to be taken.
const ROOM_TIMEOUT: Duration = Duration::from_secs(5);
/// How long a request waits for its turn, and then for its image.
const TIMEOUT: Duration = Duration::from_secs(30);
/// Where nothing else is asked for.
const QUALITY: u8 = 80;

/// Status 400.
const BAD_IMAGE: Code = Code::new("BadRequest", 400, "This image format is not supported.");

/// An image as an answer, or what is known about one.
pub(crate) struct Rendered<B = Bytes> {
    pub(crate) bytes: B,
    pub(crate) content_type: &'static str,
}

/// An image that is encoded, with its share of the memory for results.
struct Kept {
    bytes: Vec<u8>,
    _share: OwnedSemaphorePermit,
}

impl AsRef<[u8]> for Kept {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

static RESULTS: LazyLock<Arc<Semaphore>> =
    LazyLock::new(|| Arc::new(Semaphore::new(RESULTS_BYTES_MAX / RESULT_UNIT)));

/// Takes a share of the memory for results, until the bytes are dropped.
///
/// # Errors
/// `ServiceUnavailable` where clients that are slow to read have all of it.
async fn keep(
    results: &Arc<Semaphore>,
    bytes: Vec<u8>,
    wait_max: Duration,
) -> Result<Bytes, ApiError> {
    let units = u32::try_from(bytes.len().div_ceil(RESULT_UNIT)).map_err(ApiError::internal)?;
    let share = Arc::clone(results).acquire_many_owned(units);
    match tokio::time::timeout(wait_max, share).await {
        Ok(Ok(share)) => Ok(Bytes::from_owner(Kept { bytes, _share: share })),
        _ => Err(busy()),
    }
}

static TURNS: LazyLock<Arc<Semaphore>> = LazyLock::new(|| Arc::new(Semaphore::new(AT_A_TIME)));

/// The right to have an image in memory.
pub(crate) struct Turn(#[expect(dead_code, reason = "it is held")] OwnedSemaphorePermit);

fn busy() -> ApiError {
    ApiError::new(&error::SERVICE_UNAVAILABLE)
}

/// Waits for a turn.
///
/// # Errors
/// `ServiceUnavailable` where it does not come.
pub(crate) async fn turn() -> Result<Turn, ApiError> {
    match tokio::time::timeout(TIMEOUT, Arc::clone(&TURNS).acquire_owned()).await {
        Ok(Ok(permit)) => Ok(Turn(permit)),
        _ => Err(busy()),
    }
}

/// Carries a plan out on an image, on a thread for it; `marks` are what its watermarks are.
///
/// # Errors
/// `BadRequest` for what is no image that is known, `ImageTooLarge`; `InvalidArgument` for steps that do not
/// fit it; `ServiceUnavailable` where it takes too long.
pub(crate) async fn process(
    turn: Turn,
    (bytes, marks): (Vec<u8>, Vec<Vec<u8>>),
    plan: Plan,
) -> Result<Rendered, ApiError> {
    // The turn is kept until the thread is done, also where nobody waits for it any more; and then until there is
    // room for the result.
    let work = tokio::task::spawn_blocking(move || (run(&bytes, &marks, &plan), turn));
    let done = tokio::time::timeout(TIMEOUT, work).await.map_err(|_| busy())?;
    let (made, _turn) = done.map_err(ApiError::internal)?;
    let Rendered { bytes, content_type } = made?;
    Ok(Rendered { bytes: keep(&RESULTS, bytes, ROOM_TIMEOUT).await?, content_type })
}

/// An image and what its file is.
struct Source {
    image: DynamicImage,
    format: Format,
}

fn run(bytes: &[u8], marks: &[Vec<u8>], plan: &Plan) -> Result<Rendered<Vec<u8>>, ApiError> {
    let steps = match &plan.wish {
        Wish::Info => return info(bytes),
        Wish::Image(steps) => steps,
    };
    let oriented = steps.contains(&Step::AutoOrient);
    let Source { mut image, format } = decode(bytes, oriented)?;
    let (mut target, mut quality) = (format, None);
    let until = Instant::now() + TIMEOUT;
    let mut marks = marks.iter();
    for step in steps {
        check_time(until)?;
        match step {
            Step::Format(wanted) => target = *wanted,
            Step::Quality(wanted) => quality = Some(*wanted),
            Step::AutoOrient => {}
            Step::Watermark(mark) => {
                let bytes = marks.next().ok_or_else(|| ApiError::new(&BAD_IMAGE))?;
                image = mark.put(image, bytes, until)?;
            }
            step => image = apply(image, step)?,
        }
    }
    encode(&image, target, quality)
}

/// Errors: `ServiceUnavailable` where nobody waits for the image any more, but others for its turn.
fn check_time(until: Instant) -> Result<(), ApiError> {
    if Instant::now() > until { Err(busy()) } else { Ok(()) }
}

fn apply(image: DynamicImage, step: &Step) -> Result<DynamicImage, ApiError> {
    Ok(match step {
        Step::Resize(resize) => size::resize(&image, resize)?,
        Step::Crop(crop) => size::crop(&image, crop)?,
        Step::Rotate(degrees) => draw::rotate(&image, *degrees)?,
        Step::FlipHorizontal => image.fliph(),
        Step::FlipVertical => image.flipv(),
        Step::Blur(sigma) => image.fast_blur(*sigma),
        Step::Bright(by) => image.brighten(by * 255 / 100),
        Step::Contrast(by) => {
            #[expect(clippy::cast_precision_loss, reason = "it is -100 to 100")]
            let by = *by as f32;
            image.adjust_contrast(by)
        }
        Step::Sharpen(strength) => draw::sharpen(&image, *strength),
        Step::Circle(radius) => draw::circle(&image, *radius),
        Step::RoundedCorners(radius) => draw::rounded(&image, *radius),
        Step::Format(_) | Step::Quality(_) | Step::AutoOrient | Step::Watermark(_) => image,
    })
}

fn too_large() -> ApiError {
    ApiError::new(&error::IMAGE_TOO_LARGE)
}

/// Errors: `ImageTooLarge`.
fn check_pixels(width: u32, height: u32) -> Result<(), ApiError> {
    let fits = width <= SIDE_MAX
        && height <= SIDE_MAX
        && u64::from(width) * u64::from(height) <= PIXELS_MAX;
    if fits { Ok(()) } else { Err(too_large()) }
}

fn damaged(error: ::image::ImageError) -> ApiError {
    match error {
        ::image::ImageError::Limits(_) => too_large(),
        other => BAD_IMAGE.error("The image cannot be read.").detail(other),
    }
}

/// The decoder of what the bytes themselves say that they are, within the limits.
fn decoder(bytes: &[u8]) -> Result<(impl ImageDecoder + '_, Format), ApiError> {
    let reader = ImageReader::new(Cursor::new(bytes)).with_guessed_format();
    let mut reader =
        reader.map_err(|error| BAD_IMAGE.error("The image cannot be read.").detail(error))?;
    let format = reader.format().and_then(Format::of);
    let format = format.ok_or_else(|| ApiError::new(&BAD_IMAGE))?;
    let mut limits = Limits::default();
    limits.max_image_width = Some(SIDE_MAX);
    limits.max_image_height = Some(SIDE_MAX);
    limits.max_alloc = Some(DECODER_BYTES_MAX);
    reader.limits(limits);
    let decoder = reader.into_decoder().map_err(damaged)?;
    let (width, height) = decoder.dimensions();
    check_pixels(width, height)?;
    Ok((decoder, format))
}

fn decode(bytes: &[u8], oriented: bool) -> Result<Source, ApiError> {
    let (mut decoder, format) = decoder(bytes)?;
    let orientation = decoder.orientation().ok().filter(|_| oriented);
    let mut image = DynamicImage::from_decoder(decoder).map_err(damaged)?;
    if let Some(orientation) = orientation {
        image.apply_orientation(orientation);
    }
    Ok(Source { image, format })
}

/// What `image/info` tells.
fn info(bytes: &[u8]) -> Result<Rendered<Vec<u8>>, ApiError> {
    let (mut decoder, format) = decoder(bytes)?;
    let (width, height) = decoder.dimensions();
    let value = |text: String| serde_json::json!({ "value": text });
    let mut told = serde_json::Map::new();
    told.insert("FileSize".to_owned(), value(bytes.len().to_string()));
    told.insert("Format".to_owned(), value(format.name().to_owned()));
    told.insert("ImageHeight".to_owned(), value(height.to_string()));
    told.insert("ImageWidth".to_owned(), value(width.to_string()));
    if let Ok(orientation) = decoder.orientation()
        && orientation.to_exif() != 1
    {
        told.insert("Orientation".to_owned(), value(orientation.to_exif().to_string()));
    }
    let bytes = serde_json::Value::Object(told).to_string().into_bytes();
    Ok(Rendered { bytes, content_type: "application/json" })
}

fn encode(
    image: &DynamicImage,
    format: Format,
    quality: Option<Quality>,
) -> Result<Rendered<Vec<u8>>, ApiError> {
    let failed = |error: ::image::ImageError| ApiError::internal(error);
    let mut out = Cursor::new(Vec::new());
    match format {
        Format::Jpeg => {
            let quality = quality.map_or(QUALITY, |quality| quality.of(QUALITY));
            let flat = draw::on_white(image);
            let encoder = JpegEncoder::new_with_quality(&mut out, quality);
            flat.write_with_encoder(encoder).map_err(failed)?;
        }
        Format::WebP => {
            let encoder = WebPEncoder::new_lossless(&mut out);
            DynamicImage::from(image.to_rgba8()).write_with_encoder(encoder).map_err(failed)?;
        }
        Format::Bmp => {
            draw::on_white(image).write_to(&mut out, ImageFormat::Bmp).map_err(failed)?;
        }
        Format::Png => image.write_to(&mut out, ImageFormat::Png).map_err(failed)?,
        Format::Gif => {
            DynamicImage::from(image.to_rgba8())
                .write_to(&mut out, ImageFormat::Gif)
                .map_err(failed)?;
        }
    }
    let bytes = out.into_inner();
    // Clients may take their time to read it.
    if bytes.len() > RESULT_BYTES_MAX {
        return Err(too_large());
    }
    Ok(Rendered { bytes, content_type: format.content_type() })
}

#[cfg(test)]
mod tests;
