//! Picture files.

use model::{ImageInput, Resampling};

/// Small, so that what a file costs is found by a file that costs little to try.
const MAX_PIXELS: u64 = 1 << 20;

/// A picture file, which becomes a graph's input or an error.
pub fn picture(file: &[u8]) {
    let [square, wide] = [
        (8, 8, 0.875, Resampling::Bicubic),
        (24, 5, 1.0, Resampling::Bilinear),
    ]
    .map(|(width, height, crop, resampling)| ImageInput {
        width,
        height,
        crop,
        resampling,
        mean: [127.0; 3],
        std: [128.0; 3],
        max_pixels: MAX_PIXELS,
    });
    for input in [square, wide] {
        let mut out = Vec::new();
        match input.encode(file, &mut out) {
            Ok(()) => assert_eq!(out.len(), input.len()),
            Err(error) => assert!(out.is_empty(), "{error}"),
        }
        assert!(out.iter().all(|value| value.is_finite()), "{out:?}");
    }
}
