//! A picture as people look at it in a page.

use image::ExtendedColorType;
use image::codecs::jpeg::JpegEncoder;

use super::decode::decode;
use super::resize::cropped_and_resized;
use super::{ImageError, ImageInput, MAX_PIXELS, Resampling};

/// From 1 to 100.
const QUALITY: u8 = 80;

/// The picture in `bytes` (a whole JPEG, PNG or WebP file), turned as its EXIF data says,
/// as a JPEG file of which no side is longer than `side` pixels.
///
/// # Errors
///
/// When the bytes are no picture, are damaged or have too many pixels.
pub fn thumbnail(bytes: &[u8], side: u32) -> Result<Vec<u8>, ImageError> {
    let picture = decode(bytes, MAX_PIXELS)?;
    let (width, height) = fitted((picture.width(), picture.height()), side);
    let pixels = cropped_and_resized(
        &picture,
        &ImageInput {
            width,
            height,
            crop: 1.0,
            resampling: Resampling::Bilinear,
            mean: [0.0; 3],
            std: [1.0; 3],
            max_pixels: MAX_PIXELS,
        },
    )?;
    let mut file = Vec::new();
    JpegEncoder::new_with_quality(&mut file, QUALITY)
        .encode(&pixels, width, height, ExtendedColorType::Rgb8)
        .map_err(|e| ImageError::Settings(e.to_string()))?;
    Ok(file)
}

/// The size with the same proportions whose longer side is at most `side`.
fn fitted((width, height): (u32, u32), side: u32) -> (u32, u32) {
    let longer = u64::from(width.max(height).max(1));
    let kept = u64::from(side).min(longer);
    let scaled = |size: u32| {
        let size = (u64::from(size) * kept).div_ceil(longer);
        u32::try_from(size).unwrap_or(side).max(1)
    };
    (scaled(width), scaled(height))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn proportions_are_kept_and_nothing_is_enlarged() {
        assert_eq!(fitted((400, 300), 200), (200, 150));
        assert_eq!(fitted((30, 40), 200), (30, 40));
        assert_eq!(fitted((1, 5000), 200), (1, 200));
    }

    #[test]
    fn a_thumbnail_is_a_small_picture_of_the_same() {
        let mut png = std::io::Cursor::new(Vec::new());
        let red = image::RgbImage::from_pixel(90, 60, image::Rgb([220, 20, 30]));
        red.write_to(&mut png, image::ImageFormat::Png).unwrap();
        let file = thumbnail(png.get_ref(), 45).unwrap();
        let seen = image::load_from_memory(&file).unwrap().to_rgb8();
        assert_eq!(seen.dimensions(), (45, 30));
        let image::Rgb([red, green, _]) = *seen.get_pixel(20, 10);
        assert!(red > 200 && green < 50, "{red} {green}");
        assert_eq!(thumbnail(b"GIF", 45), Err(ImageError::UnknownFormat));
    }
}
