//! From the bytes of a picture to the numbers that the graph takes.
//!
//! The graph's input has the shape `[pictures, 3, height, width]`: the channels
//! red, green and blue one after the other, each row by row from the top. The
//! picture is decoded ([`decode()`]), turned as its EXIF data says, laid on white,
//! cropped at the centre, resized with an antialiasing filter, and normalised.

mod decode;
mod resize;
mod thumbnail;

use ::image::{DynamicImage, RgbImage};
use serde::{Deserialize, Serialize};

use self::decode::decode;
use self::resize::cropped_and_resized;
pub use self::thumbnail::thumbnail;

/// The most pixels of a picture that is decoded, if not set otherwise. Decoding
/// takes at most about nine bytes a pixel (a progressive JPEG).
pub const MAX_PIXELS: u64 = 50_000_000;

/// The largest side of a graph's input that is accepted.
const MAX_SIDE: u32 = 4096;

/// How a picture becomes the graph's input.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ImageInput {
    /// Columns of the graph's input.
    pub width: u32,
    /// Rows of the graph's input.
    pub height: u32,
    /// How much of the largest centred box with the input's proportions is kept:
    /// above 0, at most 1.
    pub crop: f64,
    /// The filter.
    pub resampling: Resampling,
    /// For red, green and blue, what is subtracted from the values 0 to 255.
    pub mean: [f32; 3],
    /// For red, green and blue, what the difference is divided by.
    pub std: [f32; 3],
    /// The most pixels of a picture that is decoded.
    #[serde(default = "default_max_pixels")]
    pub max_pixels: u64,
}

fn default_max_pixels() -> u64 {
    MAX_PIXELS
}

/// How pixels are interpolated. Both filters are widened when a picture is made
/// smaller, as in Pillow and in torchvision with antialiasing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Resampling {
    /// A triangle over two pixels.
    Bilinear,
    /// Keys' cubic with a = -0.5 over four pixels.
    Bicubic,
}

/// Why a picture cannot become the graph's input.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum ImageError {
    /// There is nothing.
    #[error("the picture is empty (0 bytes)")]
    Empty,
    /// The first bytes are not those of a known format.
    #[error("this is no JPEG, PNG or WebP picture")]
    UnknownFormat,
    /// Decoding it would take too much memory.
    #[error("the picture has {width} x {height} pixels, more than the {max} that are decoded")]
    TooLarge {
        /// Columns.
        width: u32,
        /// Rows.
        height: u32,
        /// The limit.
        max: u64,
    },
    /// The picture is damaged.
    #[error("the {format} picture is damaged: {reason}")]
    Damaged {
        /// `JPEG`, `PNG` or `WebP`.
        format: &'static str,
        /// The decoder's words.
        reason: String,
    },
    /// The pixels do not fill the size.
    #[error("{values} values are no picture of {width} x {height} pixels with three values each")]
    Pixels {
        /// Columns.
        width: u32,
        /// Rows.
        height: u32,
        /// Values given.
        values: usize,
    },
    /// The description asks for what cannot be done.
    #[error("the preprocessing is not valid: {0}")]
    Settings(String),
}

impl ImageInput {
    /// How many numbers one picture becomes: 3 × height × width.
    pub fn len(&self) -> usize {
        3 * self.width as usize * self.height as usize
    }

    /// Whether a picture becomes nothing, which [`Self::check`] refuses.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Looks at the settings alone.
    ///
    /// # Errors
    ///
    /// When a size is 0 or above 4096, `crop` is not in (0, 1], or a number is
    /// not finite or a divisor is 0.
    pub fn check(&self) -> Result<(), ImageError> {
        let wrong = |what: &str| Err(ImageError::Settings(what.to_owned()));
        let sides = 1..=MAX_SIDE;
        if !sides.contains(&self.width) || !sides.contains(&self.height) {
            return wrong(&format!("width and height must be 1 to {MAX_SIDE}"));
        }
        if !(self.crop > 0.0 && self.crop <= 1.0) {
            return wrong("crop must be above 0 and at most 1");
        }
        let finite = self.mean.iter().chain(&self.std).all(|v| v.is_finite());
        if !finite || self.std.contains(&0.0) {
            return wrong("mean and std must be finite, and std not 0");
        }
        Ok(())
    }

    /// Appends the picture in `bytes` (a whole JPEG, PNG or WebP file) to `out`,
    /// as [`Self::len`] numbers. Of an animation the first picture counts.
    ///
    /// # Errors
    ///
    /// When the bytes are no picture, are damaged or have too many pixels.
    /// Nothing is then appended.
    pub fn encode(&self, bytes: &[u8], out: &mut Vec<f32>) -> Result<(), ImageError> {
        self.check()?;
        self.normalise(&decode(bytes, self.max_pixels)?, out)
    }

    /// Appends the picture with these `pixels`, which are red, green and blue of
    /// each, row by row from the top, to `out` as [`Self::len`] numbers.
    ///
    /// # Errors
    ///
    /// When the values do not fill the size, or are too many pixels. Nothing is
    /// then appended.
    pub fn encode_pixels(
        &self,
        width: u32,
        height: u32,
        pixels: Vec<u8>,
        out: &mut Vec<f32>,
    ) -> Result<(), ImageError> {
        self.check()?;
        let max = self.max_pixels;
        if u64::from(width) * u64::from(height) > max {
            return Err(ImageError::TooLarge { width, height, max });
        }
        let values = pixels.len();
        let misfit = ImageError::Pixels {
            width,
            height,
            values,
        };
        let wanted = 3 * u64::from(width) * u64::from(height);
        if values == 0 || wanted != values as u64 {
            return Err(misfit);
        }
        let picture = RgbImage::from_raw(width, height, pixels).ok_or(misfit)?;
        self.normalise(&DynamicImage::ImageRgb8(picture), out)
    }

    fn normalise(&self, picture: &DynamicImage, out: &mut Vec<f32>) -> Result<(), ImageError> {
        let pixels = cropped_and_resized(picture, self)?;
        out.reserve(self.len());
        for (channel, (mean, std)) in self.mean.iter().zip(&self.std).enumerate() {
            let table: [f32; 256] = std::array::from_fn(|value| (value as f32 - mean) / std);
            let values = pixels.iter().skip(channel).step_by(3);
            out.extend(values.filter_map(|value| table.get(usize::from(*value))));
        }
        Ok(())
    }
}
