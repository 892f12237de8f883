//! Sentences of a few words, and a backbone that counts the words.

use onnx::{Attribute, Dim, ElementType, GraphBuilder};
use serde_json::json;

use super::Pfs;

/// Texts to the counts of some words, by a tokenizer of whole words.
pub(crate) fn with_words(pfs: Pfs) -> Pfs {
    let words = [
        "[PAD]", "[UNK]", "good", "bad", "fine", "awful", "the", "day",
    ];
    let mut graph = GraphBuilder::new("words", "");
    let shape = [Dim::Any("n"), Dim::Any("tokens")];
    let ids = graph.input("input_ids", ElementType::I64, &shape);
    let mask = graph.input("attention_mask", ElementType::I64, &shape);
    let rows: Vec<f32> = (0..64)
        .map(|i| if i % 9 == 0 { 1.0 } else { 0.0 })
        .collect();
    let table = graph.f32s("table", &[8, 8], &rows);
    let looked = graph.node("Gather", &[&table, &ids], vec![("axis", Attribute::Int(0))]);
    let to = vec![("to", Attribute::Int(1))];
    let mask = graph.node("Cast", &[&mask], to);
    let axes = graph.i64s("axes", &[1], &[2]);
    let mask = graph.node("Unsqueeze", &[&mask, &axes], vec![]);
    let kept = graph.node("Mul", &[&looked, &mask], vec![]);
    let axes = graph.i64s("over", &[1], &[1]);
    let keep = vec![("keepdims", Attribute::Int(0))];
    let sum = graph.node("ReduceSum", &[&kept, &axes], keep);
    let shape = [Dim::Any("n"), Dim::Fixed(8)];
    graph.output(&sum, "embedding", ElementType::F32, &shape);
    let vocabulary: serde_json::Map<_, _> = words
        .iter()
        .enumerate()
        .map(|(i, w)| ((*w).to_owned(), json!(i)))
        .collect();
    let tokenizer = json!({
        "version": "1.0", "truncation": null, "padding": null, "added_tokens": [],
        "normalizer": null, "pre_tokenizer": {"type": "Whitespace"}, "post_processor": null,
        "decoder": null,
        "model": {"type": "WordLevel", "vocab": vocabulary, "unk_token": "[UNK]"}
    });
    let input = |name: &str| json!({"name": name, "datatype": "INT64", "shape": [-1, -1]});
    let description = json!({
        "format": "pachyderm-seldon/backbone",
        "format_version": 1,
        "name": "words",
        "inputs": [input("input_ids"), input("attention_mask")],
        "output": {"name": "embedding", "datatype": "FP32", "shape": [-1, 8]},
        "preprocessing": {"kind": "text", "max_tokens": 6}
    });
    pfs.file("backbone/backbone.json", description.to_string())
        .file("backbone/tokenizer.json", tokenizer.to_string())
        .file(
            "backbone/backbone.onnx",
            onnx::encode(&graph.finish("test", "1")),
        )
}

/// Sixty sentences of three classes, as fields between tabs.
pub(crate) fn sentences() -> String {
    let mut rows = "\ttext\tlabel\n".to_owned();
    for number in 0..20 {
        let the = "the ".repeat(number % 4);
        rows += &format!("{number}\t{the}good day {number}\thappy\n");
        rows += &format!("{number}\t{the}awful bad day {number}\tsad\n");
        rows += &format!("{number}\t{the}day {number} {number}\tplain\n");
    }
    rows
}
