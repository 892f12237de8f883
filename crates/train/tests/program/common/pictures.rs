//! Small pictures, and a backbone that takes them.

use model::{Package, Preprocessing, Session, Tensor};
use onnx::{Attribute, Dim, ElementType, GraphBuilder};
use serde_json::json;

use super::Pfs;

/// The settings that go with them.
pub(crate) const EXPERIMENT: &str = "backbone: /pfs/backbone\nsearch: {folds: 3}\n";

/// Pictures of 2 × 2 to the mean of each channel.
pub(crate) fn with_means(pfs: Pfs) -> Pfs {
    let mut graph = GraphBuilder::new("means", "");
    let shape = [Dim::Any("n"), Dim::Fixed(3), Dim::Fixed(2), Dim::Fixed(2)];
    let pixels = graph.input("pixels", ElementType::F32, &shape);
    let pooled = graph.node("GlobalAveragePool", &[&pixels], vec![]);
    let flat = graph.node("Flatten", &[&pooled], vec![("axis", Attribute::Int(1))]);
    let shape = [Dim::Any("n"), Dim::Fixed(3)];
    graph.output(&flat, "embedding", ElementType::F32, &shape);
    let description = json!({
        "format": "pachyderm-seldon/backbone",
        "format_version": 1,
        "name": "means",
        "inputs": [{"name": "pixels", "datatype": "FP32", "shape": [-1, 3, 2, 2]}],
        "output": {"name": "embedding", "datatype": "FP32", "shape": [-1, 3]},
        "preprocessing": {
            "kind": "image", "width": 2, "height": 2, "crop": 1.0, "resampling": "bilinear",
            "mean": [0.0, 0.0, 0.0], "std": [1.0, 1.0, 1.0]
        },
        "licence": {"weights": "CC0-1.0", "stated_in": []}
    });
    pfs.file("backbone/backbone.json", description.to_string())
        .file(
            "backbone/backbone.onnx",
            onnx::encode(&graph.finish("test", "1")),
        )
}

/// A PNG of one colour with a little noise in its first pixel.
pub(crate) fn png(colour: [u8; 3], noise: u8) -> Vec<u8> {
    square(4, colour, noise)
}

/// The same with so many pixels on each side.
pub(crate) fn square(side: u8, colour: [u8; 3], noise: u8) -> Vec<u8> {
    let mut data = Vec::new();
    for y in 0..side {
        data.push(0);
        for x in 0..side {
            let more = if (x, y) == (0, 0) { noise } else { 0 };
            data.extend(colour.map(|c| c.saturating_add(more)));
        }
    }
    with_header(u32::from(side), &stored(&data))
}

/// A PNG whose header promises so many pixels on each side, with this as its data.
pub(crate) fn with_header(side: u32, stream: &[u8]) -> Vec<u8> {
    let mut file = b"\x89PNG\r\n\x1a\n".to_vec();
    let mut header = side.to_be_bytes().repeat(2);
    header.extend([8, 2, 0, 0, 0]);
    chunk(&mut file, *b"IHDR", &header);
    chunk(&mut file, *b"IDAT", stream);
    chunk(&mut file, *b"IEND", &[]);
    file
}

fn chunk(file: &mut Vec<u8>, kind: [u8; 4], body: &[u8]) {
    file.extend(u32::try_from(body.len()).unwrap().to_be_bytes());
    let start = file.len();
    file.extend(kind);
    file.extend(body);
    let mut crc = u32::MAX;
    for byte in &file[start..] {
        crc ^= u32::from(*byte);
        for _ in 0..8 {
            crc = (crc >> 1) ^ if crc & 1 == 1 { 0xedb8_8320 } else { 0 };
        }
    }
    file.extend((!crc).to_be_bytes());
}

/// A zlib stream that does not compress.
fn stored(data: &[u8]) -> Vec<u8> {
    let length = u16::try_from(data.len()).unwrap();
    let mut stream = vec![0x78, 0x01, 0x01];
    stream.extend(length.to_le_bytes());
    stream.extend((!length).to_le_bytes());
    stream.extend(data);
    let (mut a, mut b) = (1_u32, 0_u32);
    for byte in data {
        a = (a + u32::from(*byte)) % 65_521;
        b = (b + a) % 65_521;
    }
    stream.extend(((b << 16) | a).to_be_bytes());
    stream
}

/// Thirty pictures, red and blue, under the names that `name` gives.
pub(crate) fn colours(name: fn(&str, u8) -> String) -> Pfs {
    let mut pfs = with_means(Pfs::new()).file("experiment.yaml", EXPERIMENT);
    for number in 0..15_u8 {
        let shade = number * 6;
        let red = png([200 - shade / 3, 10 + shade, 5], number);
        let blue = png([10 + shade / 2, shade, 210], number);
        pfs = pfs.file(&format!("data/{}", name("red", number)), red);
        pfs = pfs.file(&format!("data/{}", name("blue", number)), blue);
    }
    pfs
}

/// Probabilities and embedding of one picture, as serving makes them.
pub(crate) fn look(package: &Package, picture: &[u8]) -> (Vec<f32>, Vec<f32>) {
    let manifest = &package.manifest;
    let Preprocessing::Image(image) = &manifest.preprocessing else {
        panic!("{:?}", manifest.preprocessing)
    };
    let session =
        Session::open(package.graph.clone(), &manifest.inputs, &manifest.outputs).unwrap();
    let mut values = Vec::new();
    image.encode(picture, &mut values).unwrap();
    let shape = vec![1, 3, image.height as usize, image.width as usize];
    let outputs = session.run(Tensor { shape, values }).unwrap();
    (outputs[0].values.clone(), outputs[1].values.clone())
}
