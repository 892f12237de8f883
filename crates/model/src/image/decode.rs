//! A picture's bytes to upright pixels, within bounds.

use std::io::Cursor;

use image::codecs::{jpeg::JpegDecoder, png::PngDecoder, webp::WebPDecoder};
use image::metadata::Orientation;
use image::{DynamicImage, ImageDecoder, ImageFormat, Limits};

use super::ImageError;

/// A decoder may take this many bytes a pixel beside the pixels themselves: the
/// coefficients of a progressive JPEG, a WebP's planes.
const WORKING_BYTES: u64 = 9;

/// What a decoder may take whatever the picture's size: tables, text chunks.
const WORKING_BASE: u64 = 16 << 20;

/// The picture in `bytes`, turned as its EXIF data says.
pub(super) fn decode(bytes: &[u8], max_pixels: u64) -> Result<DynamicImage, ImageError> {
    let input = Cursor::new(bytes);
    let format = match image::guess_format(bytes) {
        _ if bytes.is_empty() => return Err(ImageError::Empty),
        Ok(format) => format,
        Err(_) => return Err(ImageError::UnknownFormat),
    };
    match format {
        ImageFormat::Jpeg => read("JPEG", JpegDecoder::new(input), max_pixels),
        ImageFormat::Png => {
            let limits = limits(max_pixels);
            read("PNG", PngDecoder::with_limits(input, limits), max_pixels)
        }
        ImageFormat::WebP => read("WebP", WebPDecoder::new(input), max_pixels),
        _ => Err(ImageError::UnknownFormat),
    }
}

fn limits(max_pixels: u64) -> Limits {
    let mut limits = Limits::default();
    let bytes = max_pixels.saturating_mul(WORKING_BYTES);
    limits.max_alloc = Some(bytes.saturating_add(WORKING_BASE));
    limits
}

fn read<D: ImageDecoder>(
    format: &'static str,
    decoder: Result<D, image::ImageError>,
    max: u64,
) -> Result<DynamicImage, ImageError> {
    let damaged = |e: image::ImageError| ImageError::Damaged {
        format,
        reason: e.to_string(),
    };
    let mut decoder = decoder.map_err(damaged)?;
    let (width, height) = decoder.dimensions();
    if u64::from(width) * u64::from(height) > max {
        return Err(ImageError::TooLarge { width, height, max });
    }
    decoder.set_limits(limits(max)).map_err(damaged)?;
    // Damaged EXIF data says nothing about the pixels.
    let orientation = decoder.orientation().unwrap_or(Orientation::NoTransforms);
    let mut picture = DynamicImage::from_decoder(decoder).map_err(damaged)?;
    picture.apply_orientation(orientation);
    Ok(picture)
}
