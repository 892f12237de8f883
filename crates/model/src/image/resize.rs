//! Upright pixels to the graph's size, in 8-bit RGB on white.

use std::borrow::Cow;
use std::error::Error;

use fast_image_resize::images::{TypedCroppedImage, TypedImage, TypedImageRef};
use fast_image_resize::pixels::U8x3;
use fast_image_resize::{FilterType, ResizeAlg, ResizeOptions, Resizer};
use image::{DynamicImage, GenericImageView, RgbImage, Rgba};

use super::{ImageError, ImageInput, Resampling};

/// The centre of `picture` in the size that `wanted` says: RGB, row by row.
pub(super) fn cropped_and_resized(
    picture: &DynamicImage,
    wanted: &ImageInput,
) -> Result<Vec<u8>, ImageError> {
    let rgb = match picture {
        DynamicImage::ImageRgb8(rgb) => Cow::Borrowed(rgb),
        other => Cow::Owned(on_white(other)),
    };
    resize(&rgb, centre(picture.dimensions(), wanted), wanted)
        .map_err(|e| ImageError::Settings(e.to_string()))
}

/// Filters the rows and then the columns, each rounded to 8 bits, as Pillow does:
/// in one call the library would take the columns first.
fn resize(rgb: &RgbImage, kept: [u32; 4], wanted: &ImageInput) -> Result<Vec<u8>, Box<dyn Error>> {
    let filter = match wanted.resampling {
        Resampling::Bilinear => FilterType::Bilinear,
        Resampling::Bicubic => FilterType::CatmullRom,
    };
    let (width, height) = (wanted.width, wanted.height);
    let [.., rows] = kept;
    let narrow = filtered(rgb.as_raw(), rgb.dimensions(), kept, (width, rows), filter)?;
    let all = [0, 0, width, rows];
    filtered(&narrow, (width, rows), all, (width, height), filter)
}

/// The part `[left, top, width, height]` of `pixels`, in the size of `target`. The part is
/// cut first: the filter must not see what lies outside.
///
/// All types are named: `Resizer::resize` compiles the filters for each kind of pixel
/// that there is, which takes minutes.
fn filtered(
    pixels: &[u8],
    (width, height): (u32, u32),
    [left, top, columns, rows]: [u32; 4],
    target: (u32, u32),
    filter: FilterType,
) -> Result<Vec<u8>, Box<dyn Error>> {
    let all = TypedImageRef::<U8x3>::from_buffer(width, height, pixels)?;
    let part = TypedCroppedImage::new(all, left, top, columns, rows)?;
    let mut made = vec![0; target.0 as usize * target.1 as usize * 3];
    let mut image = TypedImage::<U8x3>::from_buffer(target.0, target.1, &mut made)?;
    let options = ResizeOptions::new().resize_alg(ResizeAlg::Convolution(filter));
    Resizer::new().resize_typed(&part, &mut image, &options)?;
    Ok(made)
}

/// Left, top, width and height of the part that is kept. Rounded as TensorFlow's
/// EfficientNet rounds: the size down, the offsets up.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "both factors are positive and the product is at most the side"
)]
fn centre((width, height): (u32, u32), wanted: &ImageInput) -> [u32; 4] {
    let proportion = f64::from(wanted.width) / f64::from(wanted.height);
    let (w, h) = (f64::from(width), f64::from(height));
    let columns = (wanted.crop * w.min(h * proportion)) as u32;
    let rows = (wanted.crop * h.min(w / proportion)) as u32;
    let (columns, rows) = (columns.clamp(1, width), rows.clamp(1, height));
    let offset = |side: u32, part: u32| (side - part).div_ceil(2);
    [offset(width, columns), offset(height, rows), columns, rows]
}

/// Any picture in 8-bit RGB; what is transparent shows white.
fn on_white(picture: &DynamicImage) -> RgbImage {
    if !picture.color().has_alpha() {
        return picture.to_rgb8();
    }
    let rgba = picture.to_rgba8();
    let mut rgb = RgbImage::new(rgba.width(), rgba.height());
    for (to, Rgba([r, g, b, alpha])) in rgb.pixels_mut().zip(rgba.pixels()) {
        to.0 = [*r, *g, *b].map(|value| blend(value, *alpha));
    }
    rgb
}

fn blend(value: u8, alpha: u8) -> u8 {
    let (value, alpha) = (u32::from(value), u32::from(alpha));
    let sum = value * alpha + 255 * (255 - alpha);
    u8::try_from((sum + 127) / 255).unwrap_or(u8::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::image::MAX_PIXELS;

    fn wanted(width: u32, height: u32, crop: f64) -> ImageInput {
        ImageInput {
            width,
            height,
            crop,
            resampling: Resampling::Bicubic,
            mean: [0.0; 3],
            std: [1.0; 3],
            max_pixels: MAX_PIXELS,
        }
    }

    #[test]
    fn the_centre_has_the_proportions_of_the_input() {
        let square = wanted(224, 224, 0.875);
        assert_eq!(centre((301, 217), &square), [56, 14, 189, 189]);
        assert_eq!(centre((256, 256), &square), [16, 16, 224, 224]);
        assert_eq!(centre((1, 1), &square), [0, 0, 1, 1]);
        assert_eq!(centre((1, 5000), &square), [0, 2500, 1, 1]);
        assert_eq!(centre((100, 100), &wanted(20, 10, 1.0)), [0, 25, 100, 50]);
        assert_eq!(centre((300, 50), &wanted(20, 10, 1.0)), [100, 0, 100, 50]);
    }

    #[test]
    fn transparency_shows_white() {
        assert_eq!([blend(0, 0), blend(9, 255), blend(100, 128)], [255, 9, 177]);
    }
}
