//! Pictures become what Pillow makes of them, and hostile ones become errors.
//!
//! `pictures/record.py` made the pictures and what is expected of them.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    missing_docs
)]

use std::fs;
use std::path::PathBuf;

use model::{ImageError, ImageInput, MAX_PIXELS, Resampling};

fn picture(name: &str) -> Vec<u8> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/pictures");
    fs::read(folder.join(name)).unwrap()
}

/// The whole picture in a size of its own, as values 0 to 255.
fn plain(width: u32, height: u32) -> ImageInput {
    ImageInput {
        width,
        height,
        crop: 1.0,
        resampling: Resampling::Bicubic,
        mean: [0.0; 3],
        std: [1.0; 3],
        max_pixels: MAX_PIXELS,
    }
}

fn encode(input: &ImageInput, bytes: &[u8]) -> Result<Vec<f32>, ImageError> {
    let mut out = Vec::new();
    input.encode(bytes, &mut out)?;
    assert_eq!(out.len(), input.len());
    Ok(out)
}

/// Width and height in the header of a PNG file.
fn size(png: &[u8]) -> (u32, u32) {
    let number = |at: usize| u32::from_be_bytes(png[at..at + 4].try_into().unwrap());
    (number(16), number(20))
}

/// The largest and the mean difference of two pictures.
fn difference(a: &[f32], b: &[f32]) -> (f32, f32) {
    assert_eq!(a.len(), b.len());
    let all: Vec<f32> = a.iter().zip(b).map(|(a, b)| (a - b).abs()).collect();
    let largest = all.iter().copied().fold(0.0, f32::max);
    (largest, all.iter().sum::<f32>() / all.len() as f32)
}

#[test]
fn every_kind_of_picture_shows_what_pillow_shows() {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/pictures");
    let mut seen = 0;
    for entry in fs::read_dir(folder).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        let Some(source) = name.strip_suffix(".rgb.png") else {
            continue;
        };
        let expected = picture(&name);
        let (width, height) = size(&expected);
        let input = plain(width, height);
        let expected = encode(&input, &expected).unwrap();
        let found = encode(&input, &picture(source)).unwrap();
        let (largest, mean) = difference(&found, &expected);
        // JPEG decoders may round, and smooth the halved colour planes, differently.
        let lossy = source.ends_with(".jpg") || source.starts_with("lossy");
        let (most, mean_most) = if lossy { (8.0, 0.5) } else { (0.0, 0.0) };
        assert!(
            largest <= most && mean <= mean_most,
            "{source}: {largest}, {mean}"
        );
        seen += 1;
    }
    assert_eq!(seen, 22);
}

#[test]
fn the_crop_and_the_filter_are_those_of_pillow() {
    let scene = picture("scene.png");
    for side in [16, 64, 224] {
        let cropped = ImageInput {
            crop: 0.875,
            ..plain(side, side)
        };
        let found = encode(&cropped, &scene).unwrap();
        let expected = picture(&format!("scene-{side}.png"));
        let expected = encode(&plain(side, side), &expected).unwrap();
        let (largest, mean) = difference(&found, &expected);
        assert!(largest <= 2.0 && mean < 0.01, "{side}: {largest}, {mean}");
    }
}

#[test]
fn channels_are_planes_and_normalised() {
    let input = ImageInput {
        mean: [127.0, 0.0, 0.0],
        std: [128.0, 1.0, 2.0],
        ..plain(40, 24)
    };
    let bytes = picture("colour.png");
    let (plain, found) = (encode(&plain(40, 24), &bytes), encode(&input, &bytes));
    let (plain, found) = (plain.unwrap(), found.unwrap());
    let plane = 40 * 24;
    // The red of the scene grows to the right, the same in every row.
    assert_eq!(plain[0], 0.0);
    assert_eq!(plain[39], (39 * 255 / 40) as f32);
    assert_eq!(plain[40], 0.0);
    assert_eq!(found[39], (plain[39] - 127.0) / 128.0);
    assert_eq!(found[plane + 7], plain[plane + 7]);
    assert_eq!(found[2 * plane + 7], plain[2 * plane + 7] / 2.0);
}

#[test]
fn refusals_say_why_and_append_nothing() {
    let refused = |input: &ImageInput, bytes: &[u8]| {
        let mut out = vec![1.0];
        let error = input.encode(bytes, &mut out).unwrap_err();
        assert_eq!(out, [1.0]);
        error.to_string()
    };
    let input = plain(8, 8);
    assert!(refused(&input, b"").contains("empty"));
    assert!(refused(&input, b"GIF89a trailing").contains("no JPEG, PNG or WebP"));
    assert!(refused(&input, b"hello").contains("no JPEG, PNG or WebP"));
    let half = &picture("colour.png")[..120];
    assert!(refused(&input, half).starts_with("the PNG picture is damaged"));
    let small = ImageInput {
        max_pixels: 900,
        ..plain(8, 8)
    };
    assert_eq!(
        refused(&small, &picture("turned-6.jpg")),
        "the picture has 40 x 24 pixels, more than the 900 that are decoded"
    );
    let settings = ImageInput {
        crop: 0.0,
        ..plain(8, 8)
    };
    assert!(refused(&settings, &picture("grey.jpg")).contains("crop"));
}
