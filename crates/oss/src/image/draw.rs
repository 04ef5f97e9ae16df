//! Images of the same size, or nearly so, whose pixels are others.

use ::image::{DynamicImage, Rgb, RgbImage, Rgba, RgbaImage};
use base::ApiError;

use super::check_pixels;

const WHITE: Rgba<u8> = Rgba([255; 4]);

/// Turns an image clockwise; around one that is turned askew there is white.
///
/// # Errors
/// `ImageTooLarge`.
pub(super) fn rotate(image: &DynamicImage, degrees: u32) -> Result<DynamicImage, ApiError> {
    Ok(match degrees {
        0 | 360 => image.clone(),
        90 => image.rotate90(),
        180 => image.rotate180(),
        270 => image.rotate270(),
        askew => turned(&image.to_rgba8(), f64::from(askew).to_radians())?.into(),
    })
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "sides are at most 16,384 and positions are checked"
)]
fn turned(image: &RgbaImage, angle: f64) -> Result<RgbaImage, ApiError> {
    let (sin, cos) = angle.sin_cos();
    let (width, height) = (f64::from(image.width()), f64::from(image.height()));
    let across = (width * cos.abs() + height * sin.abs()).round().max(1.0);
    let down = (width * sin.abs() + height * cos.abs()).round().max(1.0);
    check_pixels(across as u32, down as u32)?;
    Ok(RgbaImage::from_fn(across as u32, down as u32, |x, y| {
        let (x, y) = (f64::from(x) + 0.5 - across / 2.0, f64::from(y) + 0.5 - down / 2.0);
        let from_x = x * cos + y * sin + width / 2.0;
        let from_y = y * cos - x * sin + height / 2.0;
        if from_x < 0.0 || from_y < 0.0 || from_x >= width || from_y >= height {
            return WHITE;
        }
        *image.get_pixel(from_x as u32, from_y as u32)
    }))
}

/// Makes edges stand out; 50 to 399.
pub(super) fn sharpen(image: &DynamicImage, strength: u32) -> DynamicImage {
    #[expect(clippy::cast_precision_loss, reason = "it is 50 to 399")]
    let sigma = strength as f32 / 100.0;
    image.unsharpen(sigma, 0)
}

/// The circle in the middle of an image, without what is around it.
pub(super) fn circle(image: &DynamicImage, radius: u32) -> DynamicImage {
    let side = image.width().min(image.height());
    let radius = radius.min(side / 2).max(1);
    let side = (2 * radius).min(side);
    let (x, y) = ((image.width() - side) / 2, (image.height() - side) / 2);
    rounded(&image.crop_imm(x, y, side, side), radius)
}

/// Cuts the corners off, as quarters of a circle.
pub(super) fn rounded(image: &DynamicImage, radius: u32) -> DynamicImage {
    let mut image = image.to_rgba8();
    let (width, height) = image.dimensions();
    let radius = radius.min(width.min(height) / 2);
    let reach = u64::from(2 * radius);
    // In half pixels, from the centre of the nearest corner's circle; nothing on the straight sides.
    let beyond = |at: u32, len: u32| {
        let edge = u64::from(at.min(len - 1 - at)) * 2 + 1;
        reach.saturating_sub(edge)
    };
    for (x, y, pixel) in image.enumerate_pixels_mut() {
        let (across, down) = (beyond(x, width), beyond(y, height));
        if across * across + down * down > reach * reach {
            pixel.0[3] = 0;
        }
    }
    image.into()
}

/// An image without transparency, for formats that have none.
pub(super) fn on_white(image: &DynamicImage) -> DynamicImage {
    if !image.color().has_alpha() {
        return image.to_rgb8().into();
    }
    let image = image.to_rgba8();
    let blend = |value: u8, alpha: u8| {
        let (value, alpha) = (u16::from(value), u16::from(alpha));
        let mixed = (value * alpha + 255 * (255 - alpha) + 127) / 255;
        u8::try_from(mixed).unwrap_or(u8::MAX)
    };
    RgbImage::from_fn(image.width(), image.height(), |x, y| {
        let [red, green, blue, alpha] = image.get_pixel(x, y).0;
        Rgb([blend(red, alpha), blend(green, alpha), blend(blue, alpha)])
    })
    .into()
}
