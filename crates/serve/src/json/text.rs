//! Texts in lists.

use std::borrow::Cow;

use serde::Deserialize;

/// A text, borrowed from the body unless it has escapes: of a bare `Cow` in a list, serde
/// makes a copy in any case.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Text<'a>(#[serde(borrow)] Cow<'a, str>);

impl AsRef<str> for Text<'_> {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

impl From<String> for Text<'_> {
    fn from(text: String) -> Self {
        Self(text.into())
    }
}
