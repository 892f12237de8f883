//! From texts to the numbers that the graph takes.
//!
//! The graph's inputs have the shape `[texts, tokens]`: `input_ids` holds the
//! numbers of the tokens, `attention_mask` 1 for a token and 0 for padding, and
//! `token_type_ids`, where the graph has it, 0. All texts of a batch are padded
//! on the right to the longest of them, and cut to the limit of the backbone.

use std::panic::catch_unwind;

use serde::de::IgnoredAny;
use serde::{Deserialize, Serialize};
use tokenizers::{PaddingParams, PaddingStrategy, PostProcessor, TruncationParams};

use crate::{Input, TOKENIZER_FILE, Tensor};

/// How texts become the graph's inputs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TextInput {
    /// The most tokens of a text, with the special ones at its begin and end;
    /// what is longer is cut at the end.
    pub max_tokens: usize,
}

/// Why texts cannot become the graph's inputs.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TextError {
    /// The file is not a tokenizer that this build knows.
    #[error("{TOKENIZER_FILE} is not a tokenizer: {0}")]
    Tokenizer(String),
    /// Nothing of a text would be left beside the special tokens.
    #[error("max_tokens is {max}, but the tokenizer adds {added} tokens to every text")]
    Limit {
        /// The limit.
        max: usize,
        /// Special tokens.
        added: usize,
    },
    /// The graph takes something that no tokenizer gives.
    #[error("the graph takes {0:?}; a text gives input_ids, attention_mask and token_type_ids")]
    Input(String),
    /// The tokenizer failed on a text.
    #[error("cannot tokenize text {position}: {reason}")]
    Encode {
        /// Its position in the batch, from 1.
        position: usize,
        /// The tokenizer's words.
        reason: String,
    },
}

/// A loaded tokenizer, to be used from any thread.
pub struct Tokenizer {
    inner: tokenizers::Tokenizer,
    padding: PaddingParams,
}

/// The tokens of some texts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tokens {
    /// The positions of the texts that were cut.
    pub cut: Vec<usize>,
    shape: Vec<usize>,
    ids: Vec<i32>,
    mask: Vec<i32>,
    types: Vec<i32>,
}

impl Tokenizer {
    /// Reads the `tokenizer.json` in `bytes`; its own truncation and padding give
    /// way to those of `input`.
    ///
    /// # Errors
    ///
    /// When it is not a tokenizer, or `input` leaves no room for a text.
    pub fn load(bytes: &[u8], input: &TextInput) -> Result<Self, TextError> {
        let failed = |e: tokenizers::Error| TextError::Tokenizer(e.to_string());
        let mut inner = parse(bytes)?;
        let added = inner
            .get_post_processor()
            .map_or(0, |p| p.added_tokens(false));
        let max = input.max_tokens;
        if max <= added {
            return Err(TextError::Limit { max, added });
        }
        let padding = inner.get_padding().cloned().unwrap_or_else(|| {
            let pad = inner.token_to_id("[PAD]").map(|id| ("[PAD]", id));
            let pad = pad.or_else(|| inner.token_to_id("<pad>").map(|id| ("<pad>", id)));
            let (pad_token, pad_id) = pad.unwrap_or(("[PAD]", 0));
            PaddingParams {
                pad_id,
                pad_token: pad_token.to_owned(),
                ..PaddingParams::default()
            }
        });
        let truncation = TruncationParams {
            max_length: max,
            ..TruncationParams::default()
        };
        inner.with_padding(None);
        inner.with_truncation(Some(truncation)).map_err(failed)?;
        let padding = PaddingParams {
            strategy: PaddingStrategy::BatchLongest,
            ..padding
        };
        Ok(Self { inner, padding })
    }

    /// The tokens of `texts`, which are padded to the longest of them.
    ///
    /// # Errors
    ///
    /// When the tokenizer fails on a text, as one without a token for what it
    /// does not know.
    pub fn encode<S: AsRef<str>>(&self, texts: &[S]) -> Result<Tokens, TextError> {
        let mut encodings = Vec::with_capacity(texts.len());
        for (index, text) in texts.iter().enumerate() {
            let encoding = self.inner.encode_fast(text.as_ref(), true);
            encodings.push(encoding.map_err(|e| TextError::Encode {
                position: index + 1,
                reason: e.to_string(),
            })?);
        }
        let cut = encodings.iter().enumerate();
        let cut = cut.filter(|(_, e)| !e.get_overflowing().is_empty());
        let cut = cut.map(|(index, _)| index).collect();
        tokenizers::pad_encodings(&mut encodings, &self.padding)
            .map_err(|e| TextError::Tokenizer(e.to_string()))?;
        let length = encodings.first().map_or(0, |e| e.get_ids().len());
        let numbers = |of: fn(&tokenizers::Encoding) -> &[u32]| {
            let all = encodings.iter().flat_map(|e| of(e).iter());
            all.map(|n| i32::try_from(*n).unwrap_or(i32::MAX)).collect()
        };
        Ok(Tokens {
            cut,
            shape: vec![encodings.len(), length],
            ids: numbers(tokenizers::Encoding::get_ids),
            mask: numbers(tokenizers::Encoding::get_attention_mask),
            types: numbers(tokenizers::Encoding::get_type_ids),
        })
    }
}

impl Tokens {
    /// The number of tokens that every text was padded to.
    pub fn length(&self) -> usize {
        self.shape.get(1).copied().unwrap_or(0)
    }

    /// The graph's input of this name, `[texts, tokens]`.
    ///
    /// # Errors
    ///
    /// When a text gives no such input.
    pub fn input(&self, name: &str) -> Result<Input, TextError> {
        let values = match name {
            "input_ids" => &self.ids,
            "attention_mask" => &self.mask,
            "token_type_ids" => &self.types,
            _ => return Err(TextError::Input(name.to_owned())),
        };
        Ok(Input::Integers(Tensor {
            shape: self.shape.clone(),
            values: values.clone(),
        }))
    }
}

impl std::fmt::Debug for Tokenizer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Tokenizer").finish_non_exhaustive()
    }
}

/// Reads the file. Of what is no JSON, and of a part that is damaged, the library says
/// so by a panic.
fn parse(bytes: &[u8]) -> Result<tokenizers::Tokenizer, TextError> {
    let failed = |reason: String| Err(TextError::Tokenizer(reason));
    if let Err(error) = serde_json::from_slice::<IgnoredAny>(bytes) {
        return failed(error.to_string());
    }
    match catch_unwind(|| tokenizers::Tokenizer::from_bytes(bytes)) {
        Ok(Ok(tokenizer)) => Ok(tokenizer),
        Ok(Err(error)) => failed(error.to_string()),
        Err(_) => failed("a part of it is damaged".to_owned()),
    }
}
