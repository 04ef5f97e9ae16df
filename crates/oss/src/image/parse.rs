//! The language of `x-oss-process`: `image/STEP,ARGUMENT,.../STEP,...`, each argument `NAME_VALUE`.
//!
//! What is not done here is refused, never left out.

use ::image::{ImageFormat, Rgba};
use base::ApiError;
use base64::alphabet::URL_SAFE;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use wire::object::error;

use super::watermark::Watermark;

/// Clients leave the padding out, or not.
pub(crate) const BASE64: GeneralPurpose = GeneralPurpose::new(
    &URL_SAFE,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// Watermarks in one request, each an object that is read.
const WATERMARKS_MAX: usize = 3;
/// Steps in one request, with those of its watermarks.
const STEPS_MAX: usize = 20;
/// The longest side that can be asked for, pixels.
const LENGTH_MAX: u32 = 16_384;

/// What is to be done with an image.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Plan {
    pub(crate) wish: Wish,
}

/// What is to come of it.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Wish {
    /// What is known about it.
    Info,
    /// An image, after these steps.
    Image(Vec<Step>),
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Step {
    Resize(Resize),
    Crop(Crop),
    /// Degrees, clockwise.
    Rotate(u32),
    AutoOrient,
    FlipHorizontal,
    FlipVertical,
    Format(Format),
    Quality(Quality),
    Blur(f32),
    Bright(i32),
    Contrast(i32),
    Sharpen(u32),
    Circle(u32),
    RoundedCorners(u32),
    Watermark(Watermark),
}

impl Plan {
    /// The keys of the watermarks, in the order of their steps.
    pub(crate) fn watermarks(&self) -> impl Iterator<Item = &str> {
        self.marks().map(|mark| mark.key.as_str())
    }

    fn marks(&self) -> impl Iterator<Item = &Watermark> {
        let steps: &[Step] = match &self.wish {
            Wish::Info => &[],
            Wish::Image(steps) => steps,
        };
        steps.iter().filter_map(|step| match step {
            Step::Watermark(mark) => Some(mark),
            _ => None,
        })
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Format {
    Jpeg,
    Png,
    WebP,
    Bmp,
    Gif,
}

impl Format {
    pub(crate) fn of(format: ImageFormat) -> Option<Self> {
        Some(match format {
            ImageFormat::Jpeg => Self::Jpeg,
            ImageFormat::Png => Self::Png,
            ImageFormat::WebP => Self::WebP,
            ImageFormat::Bmp => Self::Bmp,
            ImageFormat::Gif => Self::Gif,
            _ => return None,
        })
    }

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Jpeg => "jpg",
            Self::Png => "png",
            Self::WebP => "webp",
            Self::Bmp => "bmp",
            Self::Gif => "gif",
        }
    }

    pub(crate) const fn content_type(self) -> &'static str {
        match self {
            Self::Jpeg => "image/jpeg",
            Self::Png => "image/png",
            Self::WebP => "image/webp",
            Self::Bmp => "image/bmp",
            Self::Gif => "image/gif",
        }
    }
}

/// How well a JPEG is to look, 1 to 100.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Quality {
    /// Of what it would be.
    Relative(u8),
    Absolute(u8),
}

impl Quality {
    pub(crate) fn of(self, usual: u8) -> u8 {
        match self {
            Self::Absolute(quality) => quality,
            Self::Relative(percent) => {
                let quality = u16::from(usual) * u16::from(percent) / 100;
                u8::try_from(quality).unwrap_or(usual).max(1)
            }
        }
    }
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Mode {
    /// As large as fits into the box.
    #[default]
    Fit,
    /// As small as covers the box.
    Cover,
    /// Covering the box, and what stands out cut off.
    Fill,
    /// Fitting into the box, and the rest of it coloured.
    Pad,
    /// Just the box.
    Fixed,
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Resize {
    pub(crate) mode: Mode,
    pub(crate) width: Option<u32>,
    pub(crate) height: Option<u32>,
    pub(crate) long: Option<u32>,
    pub(crate) short: Option<u32>,
    pub(crate) percent: Option<u32>,
    /// Whether an image may become larger.
    pub(crate) enlarge: bool,
    pub(crate) color: Rgba<u8>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Crop {
    pub(crate) width: Option<u32>,
    pub(crate) height: Option<u32>,
    pub(crate) x: u32,
    pub(crate) y: u32,
    /// Column and row of nine fields from whose corner `x` and `y` count.
    pub(crate) field: (u32, u32),
}

/// Reads what is to be done with an image.
///
/// # Errors
/// `NotImplemented` for what is not done here; `InvalidArgument` for what makes no sense.
pub(crate) fn parse(text: &str) -> Result<Plan, ApiError> {
    let Some(steps) = text.strip_prefix("image/") else { return Err(unknown(text)) };
    if steps == "info" {
        return Ok(Plan { wish: Wish::Info });
    }
    let steps: Vec<&str> = steps.split('/').collect();
    let too_many = || refused("There are too many steps.");
    let count = steps.len();
    if count > STEPS_MAX {
        return Err(too_many());
    }
    let steps = steps.into_iter().filter_map(|text| step(text).transpose());
    let plan = Plan { wish: Wish::Image(steps.collect::<Result<_, _>>()?) };
    if plan.watermarks().count() > WATERMARKS_MAX {
        return Err(refused("There are too many watermarks."));
    }
    // Each of them costs as much as one of the image's own.
    if count + plan.marks().map(Watermark::count).sum::<usize>() > STEPS_MAX {
        return Err(too_many());
    }
    Ok(plan)
}

pub(super) fn refused(why: &'static str) -> ApiError {
    error::INVALID_ARGUMENT.error(why).field("ArgumentName", "x-oss-process")
}

pub(super) fn unknown(what: &str) -> ApiError {
    ApiError::new(&error::NOT_IMPLEMENTED).field("Header", what)
}

/// The arguments of a step, each once.
pub(super) struct Arguments<'t>(Vec<(&'t str, &'t str)>);

impl<'t> Arguments<'t> {
    /// Errors: `InvalidArgument`; `NotImplemented` for a name that is not among `known`.
    pub(super) fn read(texts: &[&'t str], known: &[&str]) -> Result<Self, ApiError> {
        let mut read: Vec<(&str, &str)> = Vec::with_capacity(texts.len());
        for text in texts {
            let (name, value) = text
                .split_once('_')
                .ok_or_else(|| refused("An argument must be a name and a value with _ between."))?;
            if !known.contains(&name) {
                return Err(unknown(name));
            }
            if read.iter().any(|(other, _)| *other == name) {
                return Err(refused("An argument stands twice."));
            }
            read.push((name, value));
        }
        Ok(Self(read))
    }

    pub(super) fn text(&self, name: &str) -> Option<&'t str> {
        self.0.iter().find(|(known, _)| *known == name).map(|(_, value)| *value)
    }

    pub(super) fn number(&self, name: &str, min: u32, max: u32) -> Result<Option<u32>, ApiError> {
        self.text(name).map(|text| number(text, min, max)).transpose()
    }
}

pub(super) fn number<N: std::str::FromStr + PartialOrd>(
    text: &str,
    min: N,
    max: N,
) -> Result<N, ApiError> {
    let number = text.parse().ok().filter(|number| *number >= min && *number <= max);
    number.ok_or_else(|| refused("A number is none, or not within its bounds."))
}

/// Errors: `InvalidArgument` where there is not just one value.
fn only<'t>(arguments: &[&'t str]) -> Result<&'t str, ApiError> {
    match arguments {
        [value] => Ok(value),
        _ => Err(refused("The step takes one value.")),
    }
}

pub(super) fn step(text: &str) -> Result<Option<Step>, ApiError> {
    let mut words = text.split(',');
    let name = words.next().unwrap_or_default();
    let arguments: Vec<&str> = words.collect();
    let radius = || {
        let read = Arguments::read(&arguments, &["r"])?;
        read.number("r", 1, 4096)?.ok_or_else(|| refused("The radius is missing."))
    };
    Ok(Some(match name {
        "resize" => Step::Resize(resize(&arguments)?),
        "crop" => Step::Crop(crop(&arguments)?),
        "rotate" => Step::Rotate(number(only(&arguments)?, 0, 360)?),
        "auto-orient" => {
            return Ok((number(only(&arguments)?, 0, 1)? == 1).then_some(Step::AutoOrient));
        }
        "flip" => match only(&arguments)? {
            "h" | "horizontal" => Step::FlipHorizontal,
            "v" | "vertical" => Step::FlipVertical,
            _ => return Err(refused("A flip is h or v.")),
        },
        "format" => Step::Format(match only(&arguments)? {
            "jpg" | "jpeg" => Format::Jpeg,
            "png" => Format::Png,
            "webp" => Format::WebP,
            "bmp" => Format::Bmp,
            "gif" => Format::Gif,
            "src" => return Ok(None),
            other => return Err(unknown(other)),
        }),
        "quality" => Step::Quality(quality(&arguments)?),
        "blur" => {
            let read = Arguments::read(&arguments, &["r", "s"])?;
            read.number("r", 1, 50)?;
            let sigma =
                read.number("s", 1, 50)?.ok_or_else(|| refused("The deviation is missing."))?;
            #[expect(clippy::cast_precision_loss, reason = "it is 1 to 50")]
            let sigma = sigma as f32;
            Step::Blur(sigma)
        }
        "bright" => Step::Bright(number(only(&arguments)?, -100, 100)?),
        "contrast" => Step::Contrast(number(only(&arguments)?, -100, 100)?),
        "sharpen" => Step::Sharpen(number(only(&arguments)?, 50, 399)?),
        "circle" => Step::Circle(radius()?),
        "rounded-corners" => Step::RoundedCorners(radius()?),
        "watermark" => Step::Watermark(Watermark::read(&arguments)?),
        other => return Err(unknown(other)),
    }))
}

fn quality(arguments: &[&str]) -> Result<Quality, ApiError> {
    let read = Arguments::read(arguments, &["q", "Q"])?;
    let percent = |name| -> Result<Option<u8>, ApiError> {
        Ok(read.number(name, 1, 100)?.and_then(|percent| u8::try_from(percent).ok()))
    };
    match (percent("q")?, percent("Q")?) {
        (_, Some(absolute)) => Ok(Quality::Absolute(absolute)),
        (Some(relative), None) => Ok(Quality::Relative(relative)),
        (None, None) => Err(refused("The quality is missing.")),
    }
}

fn resize(arguments: &[&str]) -> Result<Resize, ApiError> {
    let read = Arguments::read(arguments, &["m", "w", "h", "l", "s", "p", "limit", "color"])?;
    let mode = match read.text("m") {
        None | Some("lfit") => Mode::Fit,
        Some("mfit") => Mode::Cover,
        Some("fill") => Mode::Fill,
        Some("pad") => Mode::Pad,
        Some("fixed") => Mode::Fixed,
        Some(_) => return Err(refused("There is no such mode of resizing.")),
    };
    let length = |name| read.number(name, 1, LENGTH_MAX);
    let resize = Resize {
        mode,
        width: length("w")?,
        height: length("h")?,
        long: length("l")?,
        short: length("s")?,
        percent: read.number("p", 1, 1000)?,
        enlarge: read.number("limit", 0, 1)? == Some(0),
        color: read.text("color").map_or(Ok(Rgba([255; 4])), color)?,
    };
    let sides = [resize.width, resize.height, resize.long, resize.short, resize.percent];
    if sides.iter().all(Option::is_none) {
        return Err(refused("A size is missing."));
    }
    Ok(resize)
}

fn color(text: &str) -> Result<Rgba<u8>, ApiError> {
    match base::text::unhex(&text.to_ascii_lowercase()).as_deref() {
        Some([red, green, blue]) => Ok(Rgba([*red, *green, *blue, 255])),
        _ => Err(refused("A colour is six hexadecimal digits.")),
    }
}

/// Column and row of the part of an image that is called so.
///
/// Errors: `InvalidArgument`.
pub(super) fn field(name: &str) -> Result<(u32, u32), ApiError> {
    Ok(match name {
        "nw" => (0, 0),
        "north" => (1, 0),
        "ne" => (2, 0),
        "west" => (0, 1),
        "center" => (1, 1),
        "east" => (2, 1),
        "sw" => (0, 2),
        "south" => (1, 2),
        "se" => (2, 2),
        _ => return Err(refused("There is no such part of an image.")),
    })
}

fn crop(arguments: &[&str]) -> Result<Crop, ApiError> {
    let read = Arguments::read(arguments, &["w", "h", "x", "y", "g", "r"])?;
    let field = match (read.text("g"), read.number("r", 1, 9)?) {
        (Some(name), _) => field(name)?,
        (None, Some(number)) => ((number - 1) % 3, (number - 1) / 3),
        (None, None) => (0, 0),
    };
    Ok(Crop {
        width: read.number("w", 1, LENGTH_MAX)?,
        height: read.number("h", 1, LENGTH_MAX)?,
        x: read.number("x", 0, LENGTH_MAX)?.unwrap_or(0),
        y: read.number("y", 0, LENGTH_MAX)?.unwrap_or(0),
        field,
    })
}
