//! The same picture in every form in which servers take it.

use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use image::RgbImage;

use super::load::Request;

/// One form: for serve and what speaks Seldon's protocol, and for serve and what speaks
/// the Open Inference Protocol.
pub(crate) struct Form {
    pub(crate) name: &'static str,
    /// Of the picture as JSON.
    pub(crate) bytes: usize,
    pub(crate) seldon: Request,
    pub(crate) oip: Request,
}

/// The JPEG with the most pixels in `folder`.
pub(crate) fn largest(folder: &Path) -> PathBuf {
    let files = fs::read_dir(folder)
        .unwrap()
        .map(|file| file.unwrap().path());
    let pictures = files.filter(|path| path.extension().is_some_and(|end| end == "jpg"));
    let pixels = |path: &PathBuf| {
        let (width, height) = image::image_dimensions(path).unwrap();
        (u64::from(width) * u64::from(height), path.clone())
    };
    pictures.max_by_key(pixels).unwrap()
}

/// All forms of the JPEG.
pub(crate) fn forms(jpeg: &Path) -> [Form; 3] {
    let file = fs::read(jpeg).unwrap();
    let pixels = image::load_from_memory(&file).unwrap().to_rgb8();
    let (shape, encoded) = (shape(&pixels), STANDARD.encode(&file));
    let (flat, nested) = (flat(&pixels), nested(&pixels));
    let tensor = format!(r#""tensor":{{"shape":{shape},"values":{flat}}}"#);
    [
        Form {
            name: "JPEG",
            bytes: encoded.len(),
            seldon: seldon(&format!(r#""binData":"{encoded}""#)),
            oip: infer("[1]", "BYTES", &format!(r#"["{encoded}"]"#)),
        },
        Form {
            name: "tensor",
            bytes: flat.len(),
            seldon: seldon(&format!(r#""data":{{{tensor}}}"#)),
            oip: infer(&shape, "FP32", &flat),
        },
        Form {
            name: "ndarray",
            bytes: nested.len(),
            seldon: seldon(&format!(r#""data":{{"ndarray":{nested}}}"#)),
            oip: infer(&shape, "FP32", &nested),
        },
    ]
}

fn seldon(json: &str) -> Request {
    Request::post("/api/v1.0/predictions", &format!("{{{json}}}"))
}

fn infer(shape: &str, datatype: &str, data: &str) -> Request {
    let base64 = match datatype {
        "BYTES" => r#""parameters":{"content_type":"base64"},"#,
        _ => "",
    };
    Request::post(
        "/v2/models/pictures/infer",
        &format!(
            r#"{{"inputs":[{{"name":"picture","shape":{shape},"datatype":"{datatype}",{base64}"data":{data}}}]}}"#
        ),
    )
}

fn shape(pixels: &RgbImage) -> String {
    format!("[{},{},3]", pixels.height(), pixels.width())
}

/// As Python writes an array of floats.
fn number(value: u8) -> String {
    format!("{value}.0")
}

fn flat(pixels: &RgbImage) -> String {
    let numbers: Vec<String> = pixels.as_raw().iter().copied().map(number).collect();
    format!("[{}]", numbers.join(","))
}

fn nested(pixels: &RgbImage) -> String {
    let mut text = String::from("[");
    for (number_of_row, row) in pixels.rows().enumerate() {
        let pixel = |pixel: &image::Rgb<u8>| {
            let [red, green, blue] = pixel.0.map(number);
            format!("[{red},{green},{blue}]")
        };
        let row: Vec<String> = row.map(pixel).collect();
        let comma = if number_of_row == 0 { "" } else { "," };
        write!(text, "{comma}[{}]", row.join(",")).unwrap();
    }
    text + "]"
}
