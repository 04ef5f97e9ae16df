//! Images of another size: scaled, cut, padded.

use ::image::imageops::{self, FilterType};
use ::image::{DynamicImage, RgbaImage};
use base::ApiError;
use wire::object::error;

use super::check_pixels;
use super::parse::{Crop, Mode, Resize};

/// What a resize comes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Target {
    /// What the image is scaled to.
    scaled: (u32, u32),
    /// What is shown of it then, or shown around it.
    shown: (u32, u32),
}

/// Scales an image. One that would become larger stays as it is, unless that is asked for.
///
/// # Errors
/// `ImageTooLarge`.
pub(super) fn resize(image: &DynamicImage, asked: &Resize) -> Result<DynamicImage, ApiError> {
    let size = (image.width(), image.height());
    let Target { scaled, shown } = target(size, asked);
    if !asked.enlarge && (scaled.0 > size.0 || scaled.1 > size.1) {
        return Ok(image.clone());
    }
    check_pixels(scaled.0, scaled.1)?;
    check_pixels(shown.0, shown.1)?;
    // It is scaled down its columns first, which may be larger than either.
    check_pixels(size.0, scaled.1)?;
    let made = image.resize_exact(scaled.0, scaled.1, FilterType::CatmullRom);
    Ok(match asked.mode {
        _ if scaled == shown => made,
        Mode::Pad => {
            let mut canvas = RgbaImage::from_pixel(shown.0, shown.1, asked.color);
            let (x, y) = ((shown.0 - scaled.0) / 2, (shown.1 - scaled.1) / 2);
            imageops::overlay(&mut canvas, &made.to_rgba8(), x.into(), y.into());
            canvas.into()
        }
        _ => {
            let (x, y) = ((scaled.0 - shown.0) / 2, (scaled.1 - shown.1) / 2);
            made.crop_imm(x, y, shown.0, shown.1)
        }
    })
}

/// `length * of / by`, rounded, at least 1.
fn scale(length: u32, of: u32, by: u32) -> u32 {
    let (length, of, by) = (u64::from(length), u64::from(of), u64::from(by.max(1)));
    u32::try_from((length * of + by / 2) / by).unwrap_or(u32::MAX).max(1)
}

fn target(size @ (width, height): (u32, u32), asked: &Resize) -> Target {
    let plain = |scaled| Target { scaled, shown: scaled };
    if let Some(percent) = asked.percent {
        return plain((scale(width, percent, 100), scale(height, percent, 100)));
    }
    let is_wide = width >= height;
    let (long, short) = if is_wide { (width, height) } else { (height, width) };
    let (mut wanted_width, mut wanted_height) = (asked.width, asked.height);
    if wanted_width.is_none() && wanted_height.is_none() {
        let turned = |long, short| if is_wide { (long, short) } else { (short, long) };
        (wanted_width, wanted_height) = turned(asked.long, asked.short);
        debug_assert!(long >= short);
    }
    match (wanted_width, wanted_height) {
        (None, None) => plain(size),
        (Some(wanted), None) => plain((wanted, scale(height, wanted, width))),
        (None, Some(wanted)) => plain((scale(width, wanted, height), wanted)),
        (Some(x), Some(y)) => boxed(size, (x, y), asked.mode),
    }
}

fn boxed((width, height): (u32, u32), (x, y): (u32, u32), mode: Mode) -> Target {
    // By the width where the box is narrower than the image.
    let narrow = u64::from(x) * u64::from(height) <= u64::from(y) * u64::from(width);
    let by_width = (x, scale(height, x, width));
    let by_height = (scale(width, y, height), y);
    let within = if narrow { by_width } else { by_height };
    // Rounding must leave no gap within the box.
    let around = if narrow { by_height } else { by_width };
    let around = (around.0.max(x), around.1.max(y));
    let within = (within.0.min(x), within.1.min(y));
    match mode {
        Mode::Fixed => Target { scaled: (x, y), shown: (x, y) },
        Mode::Fit => Target { scaled: within, shown: within },
        Mode::Cover => Target { scaled: around, shown: around },
        Mode::Fill => Target { scaled: around, shown: (x, y) },
        Mode::Pad => Target { scaled: within, shown: (x, y) },
    }
}

/// Cuts a piece out of an image; what stands out of it is not there.
///
/// # Errors
/// `InvalidArgument` where the piece begins beyond the image.
pub(super) fn crop(image: &DynamicImage, asked: &Crop) -> Result<DynamicImage, ApiError> {
    let side = |size: u32, wanted: Option<u32>, field: u32, offset: u32| {
        let wanted = wanted.unwrap_or(size).min(size);
        let begin = ((size - wanted) * field / 2).saturating_add(offset);
        let len = size.checked_sub(begin).filter(|left| *left > 0)?.min(wanted);
        Some((begin, len))
    };
    let across = side(image.width(), asked.width, asked.field.0, asked.x);
    let down = side(image.height(), asked.height, asked.field.1, asked.y);
    let (Some((x, width)), Some((y, height))) = (across, down) else {
        return Err(error::INVALID_ARGUMENT.error("What is to be cut out is not in the image."));
    };
    Ok(image.crop_imm(x, y, width, height))
}

#[cfg(test)]
mod tests {
    use ::image::Rgba;

    use super::*;

    fn asked(mode: Mode, width: Option<u32>, height: Option<u32>) -> Resize {
        let color = Rgba([255; 4]);
        let (long, short, percent) = (None, None, None);
        Resize { mode, width, height, long, short, percent, enlarge: false, color }
    }

    #[test]
    fn each_mode_has_its_size() {
        let size = |mode, width, height| target((400, 267), &asked(mode, width, height)).shown;
        assert_eq!(size(Mode::Fit, Some(100), None), (100, 67));
        assert_eq!(size(Mode::Fit, None, Some(100)), (150, 100));
        assert_eq!(size(Mode::Fit, Some(100), Some(100)), (100, 67));
        assert_eq!(size(Mode::Cover, Some(100), Some(100)), (150, 100));
        assert_eq!(size(Mode::Fill, Some(100), Some(100)), (100, 100));
        assert_eq!(size(Mode::Pad, Some(100), Some(100)), (100, 100));
        assert_eq!(size(Mode::Fixed, Some(100), Some(100)), (100, 100));
        let side = |long, short| {
            let asked = Resize { long, short, ..asked(Mode::Fit, None, None) };
            (target((400, 200), &asked).shown, target((200, 400), &asked).shown)
        };
        assert_eq!(side(Some(100), None), ((100, 50), (50, 100)));
        assert_eq!(side(None, Some(100)), ((200, 100), (100, 200)));
        let half = Resize { percent: Some(50), ..asked(Mode::Fit, None, None) };
        assert_eq!(target((400, 267), &half).shown, (200, 134));
    }

    #[test]
    fn an_image_grows_only_where_it_is_asked_to() {
        let image = DynamicImage::new_rgb8(10, 10);
        let mut asked = asked(Mode::Fixed, Some(20), Some(20));
        assert_eq!(resize(&image, &asked).expect("it is small").width(), 10);
        asked.enlarge = true;
        assert_eq!(resize(&image, &asked).expect("it is small").width(), 20);
        asked = Resize { width: Some(16_384), height: Some(16_384), ..asked };
        assert_eq!(resize(&image, &asked).expect_err("it is large").code(), "ImageTooLarge");
    }

    #[test]
    fn a_piece_is_cut_where_it_is_and_no_further() {
        let image = DynamicImage::new_rgb8(400, 267);
        let cut = |crop: Crop| crop_size(&image, &crop);
        let some = Crop { width: Some(100), height: Some(100), x: 100, y: 100, field: (0, 0) };
        assert_eq!(cut(some.clone()), Some((100, 100)));
        assert_eq!(cut(Crop { x: 350, ..some.clone() }), Some((50, 100)));
        assert_eq!(cut(Crop { x: 400, ..some.clone() }), None);
        assert_eq!(cut(Crop { field: (2, 2), x: 0, y: 0, ..some }), Some((100, 100)));
        assert_eq!(cut(Crop::default()), Some((400, 267)));
    }

    fn crop_size(image: &DynamicImage, asked: &Crop) -> Option<(u32, u32)> {
        crop(image, asked).ok().map(|image| (image.width(), image.height()))
    }

    #[test]
    fn what_is_scaled_over_a_large_image_in_between_is_refused() {
        // Neither it nor what it becomes is too large; the columns of one with the rows of the other are.
        let image = DynamicImage::new_luma8(16_384, 100);
        let tall = Resize { enlarge: true, ..asked(Mode::Fixed, Some(100), Some(16_384)) };
        let refused = resize(&image, &tall).err();
        assert_eq!(refused.as_ref().map(ApiError::code), Some("ImageTooLarge"));
    }
}
