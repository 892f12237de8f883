//! A thousand damaged pictures end in errors or pictures, never in a panic, and
//! within bounds of memory. Alone in its file: it measures its process.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    missing_docs
)]

use std::fs;
use std::path::PathBuf;

use model::{ImageError, ImageInput, Resampling};

const SOURCES: [&str; 10] = [
    "turned-6.jpg",
    "progressive.jpg",
    "grey.jpg",
    "cmyk.jpg",
    "colour.png",
    "palette-clear.png",
    "deep.png",
    "clear.webp",
    "lossy.webp",
    "lossless.webp",
];

fn input(max_pixels: u64) -> ImageInput {
    ImageInput {
        width: 32,
        height: 32,
        crop: 0.875,
        resampling: Resampling::Bicubic,
        mean: [127.0; 3],
        std: [128.0; 3],
        max_pixels,
    }
}

fn picture(name: &str) -> Vec<u8> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/pictures");
    fs::read(folder.join(name)).unwrap()
}

/// Marsaglia's xorshift: the same damage on every run.
struct Random(u64);

impl Random {
    fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % end as u64) as usize
    }
}

/// Cut short, bytes changed anywhere, or bytes changed in the header.
fn damage(bytes: &mut Vec<u8>, random: &mut Random) {
    let kind = random.below(4);
    if kind == 0 {
        bytes.truncate(random.below(bytes.len()));
        return;
    }
    let reach = if kind == 1 {
        bytes.len()
    } else {
        96.min(bytes.len())
    };
    for _ in 0..=random.below(6) {
        // The first bytes stay: they choose the decoder.
        let at = 4 + random.below(reach - 4);
        bytes[at] = match random.below(3) {
            0 => 0xff,
            1 => 0,
            _ => random.below(256) as u8,
        };
    }
}

/// The most memory that this process has ever held, in bytes.
fn peak() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|l| l.starts_with("VmHWM:")).unwrap();
    let kilobytes = line.split_whitespace().nth(1).unwrap();
    kilobytes.parse::<u64>().unwrap() * 1024
}

#[test]
fn a_thousand_damaged_pictures() {
    let (mut shown, mut refused) = (0, 0);
    let before = peak();
    let input = input(4_000_000);
    for seed in 1..=100 {
        for (index, name) in SOURCES.iter().enumerate() {
            let mut random = Random(seed * 1000 + index as u64);
            let mut bytes = picture(name);
            damage(&mut bytes, &mut random);
            let mut out = Vec::new();
            match input.encode(&bytes, &mut out) {
                Ok(()) => {
                    assert_eq!(out.len(), input.len());
                    assert!(out.iter().all(|v| v.is_finite()));
                    shown += 1;
                }
                Err(error) => {
                    assert!(out.is_empty(), "{error}");
                    assert!(!error.to_string().is_empty());
                    refused += 1;
                }
            }
        }
    }
    assert_eq!(shown + refused, 1000);
    assert!(refused > 300, "the damage is too mild: {refused} refused");
    let grown = peak() - before;
    // Nine bytes a pixel of work and four for the result, and the base.
    assert!(grown < 13 * 4_000_000 + (32 << 20), "{grown} bytes");
}

/// Headers that promise more than anyone has, in files that are otherwise whole.
#[test]
fn bombs_are_refused_by_their_header() {
    let too_large = |bytes: &[u8]| {
        let error = input(50_000_000)
            .encode(bytes, &mut Vec::new())
            .unwrap_err();
        assert!(matches!(error, ImageError::TooLarge { .. }), "{error}");
    };
    let mut jpeg = picture("turned-1.jpg");
    let frame = jpeg.windows(2).position(|w| w == [0xff, 0xc0]).unwrap();
    jpeg[frame + 5..frame + 9].copy_from_slice(&[0xff, 0xdc, 0xff, 0xdc]);
    too_large(&jpeg);
    let mut webp = picture("lossless.webp");
    // VP8L: 14 bits of width - 1 and of height - 1 after the signature.
    let header = webp.windows(4).position(|w| w == b"VP8L").unwrap() + 9;
    webp[header..header + 4].copy_from_slice(&[0xff, 0xff, 0xff, 0x0f]);
    let error = input(50_000_000).encode(&webp, &mut Vec::new());
    assert!(
        matches!(error, Err(ImageError::Damaged { .. })),
        "{error:?}"
    );
    too_large(&picture("bomb.png"));
}
