//! Texts become padded and cut tokens.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    missing_docs
)]

use model::{Input, TextError, TextInput, Tokenizer, Tokens};
use serde_json::json;

/// A small tokenizer of the kind that BERT uses, cut and padded as files have it.
fn file() -> Vec<u8> {
    let words = [
        "[PAD]", "[UNK]", "[CLS]", "[SEP]", "profit", "rose", "fell", "##s",
    ];
    let vocabulary: serde_json::Map<_, _> = words
        .iter()
        .enumerate()
        .map(|(id, word)| ((*word).to_owned(), json!(id)))
        .collect();
    let special = |name: &str| json!({"id": name, "type_id": 0});
    let ids = |name: &str, id: u32| json!({"id": name, "ids": [id], "tokens": [name]});
    json!({
        "version": "1.0",
        "truncation": {"max_length": 128, "strategy": "LongestFirst", "stride": 0},
        "padding": {
            "strategy": {"Fixed": 128}, "direction": "Right", "pad_to_multiple_of": null,
            "pad_id": 0, "pad_type_id": 0, "pad_token": "[PAD]"
        },
        "added_tokens": [],
        "normalizer": {
            "type": "BertNormalizer", "clean_text": true, "handle_chinese_chars": true,
            "strip_accents": null, "lowercase": true
        },
        "pre_tokenizer": {"type": "BertPreTokenizer"},
        "post_processor": {
            "type": "TemplateProcessing",
            "single": [
                {"SpecialToken": special("[CLS]")},
                {"Sequence": special("A")},
                {"SpecialToken": special("[SEP]")}
            ],
            "pair": [],
            "special_tokens": {"[CLS]": ids("[CLS]", 2), "[SEP]": ids("[SEP]", 3)}
        },
        "decoder": null,
        "model": {
            "type": "WordPiece", "unk_token": "[UNK]", "continuing_subword_prefix": "##",
            "max_input_chars_per_word": 100, "vocab": vocabulary
        }
    })
    .to_string()
    .into_bytes()
}

fn tokenizer(max_tokens: usize) -> Result<Tokenizer, TextError> {
    Tokenizer::load(&file(), &TextInput { max_tokens })
}

fn values(tokens: &Tokens, name: &str) -> (Vec<usize>, Vec<i32>) {
    match tokens.input(name).unwrap() {
        Input::Integers(tensor) => (tensor.shape, tensor.values),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_batch_is_padded_to_its_longest_text() {
    let tokens = tokenizer(8).unwrap().encode(&["Profits ROSE", "fell", ""]);
    let tokens = tokens.unwrap();
    assert_eq!(tokens.length(), 5);
    assert_eq!(
        values(&tokens, "input_ids"),
        (
            vec![3, 5],
            vec![2, 4, 7, 5, 3, 2, 6, 3, 0, 0, 2, 3, 0, 0, 0]
        )
    );
    assert_eq!(
        values(&tokens, "attention_mask").1,
        [1, 1, 1, 1, 1, 1, 1, 1, 0, 0, 1, 1, 0, 0, 0]
    );
    assert_eq!(values(&tokens, "token_type_ids").1, [0; 15]);
    assert!(tokens.cut.is_empty());
    let error = tokens.input("pixel_values").unwrap_err().to_string();
    assert!(error.contains("pixel_values"), "{error}");
}

#[test]
fn a_long_text_is_cut_and_named() {
    let tokens = tokenizer(4).unwrap();
    let tokens = tokens.encode(&["fell", "rose rose fell fell"]).unwrap();
    assert_eq!(tokens.cut, [1]);
    assert_eq!(
        values(&tokens, "input_ids"),
        (vec![2, 4], vec![2, 6, 3, 0, 2, 5, 5, 3])
    );
}

#[test]
fn what_is_no_tokenizer_is_refused() {
    let input = TextInput { max_tokens: 8 };
    // The library panics at these two.
    let cut = br#"{"decoder": {"type": "#;
    let damaged = br#"{"normalizer": {"type": "Precompiled", "precompiled_charsmap": "AAAA"}}"#;
    for bytes in [&b""[..], b"{}", b"\xff", &file()[..200], cut, damaged] {
        let error = Tokenizer::load(bytes, &input).unwrap_err();
        assert!(matches!(error, TextError::Tokenizer(_)), "{error}");
    }
    let error = tokenizer(2).unwrap_err().to_string();
    assert!(error.contains("adds 2 tokens"), "{error}");
}

#[test]
fn no_text_is_too_odd() {
    let tokenizer = tokenizer(16).unwrap();
    let long = "a".repeat(100_000);
    let odd = [
        "\u{0}\u{1}",
        "\u{202e}x\u{fffd}",
        "🏳️‍🌈👩🏽‍🚀",
        "e\u{301}\u{301}",
        &long,
        "\r\n\t",
    ];
    assert!(tokenizer.encode(&odd).unwrap().length() <= 16);
    assert_eq!(tokenizer.encode::<&str>(&[]).unwrap().length(), 0);
}
