//! Where a character of a string stands among the bytes of a file.

use std::ops::Range;

/// A string as a reader sees it, with the bytes of each character.
pub(crate) struct Plain {
    pub(crate) text: String,
    /// For each byte of `text`: the bytes of the file its character is made of.
    bytes: Vec<Range<usize>>,
}

impl Plain {
    /// The bytes of the file that stand for `range` of `text`.
    pub(crate) fn bytes(&self, range: &Range<usize>) -> Option<Range<usize>> {
        let first = self.bytes.get(range.start)?;
        let last = self.bytes.get(range.end.checked_sub(1)?)?;
        Some(first.start..last.end)
    }
}

/// Reads the bytes of a value, quotes and all. With `escapes`, `\/` and the
/// numbered escapes of JSON and YAML are the character they stand for, and any
/// other escape is a blank: it is no part of a reference.
pub(crate) fn read(file: &str, span: &Range<usize>, escapes: bool) -> Plain {
    let raw = file.get(span.clone()).unwrap_or_default();
    let mut plain = Plain {
        text: String::with_capacity(raw.len()),
        bytes: Vec::with_capacity(raw.len()),
    };
    let mut rest = raw;
    while let Some(c) = rest.chars().next() {
        let (c, length) = if escapes && c == '\\' {
            escape(rest)
        } else {
            (Some(c), c.len_utf8())
        };
        let start = span.start + (raw.len() - rest.len());
        if let Some(c) = c {
            plain.text.push(c);
            let bytes = std::iter::repeat_n(start..start + length, c.len_utf8());
            plain.bytes.extend(bytes);
        }
        rest = rest.get(length..).unwrap_or_default();
    }
    plain
}

/// The character that an escape stands for, if any, and the escape's length.
fn escape(rest: &str) -> (Option<char>, usize) {
    let mut chars = rest.chars().skip(1);
    let digits = match chars.next() {
        Some('/') => return (Some('/'), 2),
        Some('x') => 2,
        Some('u') => 4,
        Some('U') => 8,
        // YAML: the line goes on in the next one, behind its indentation.
        Some('\n' | '\r') => {
            let indentation = rest.get(1..).unwrap_or_default();
            let next = indentation.trim_start_matches([' ', '\t', '\r', '\n']);
            return (None, rest.len() - next.len());
        }
        Some(other) => return (Some(' '), 1 + other.len_utf8()),
        None => return (Some(' '), 1),
    };
    let number = rest.get(2..2 + digits);
    let number = number.and_then(|digits| u32::from_str_radix(digits, 16).ok());
    match number {
        // Half of a surrogate pair is no character; nor part of a reference.
        Some(number) => (Some(char::from_u32(number).unwrap_or(' ')), 2 + digits),
        None => (Some(' '), 2),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_keep_their_bytes() {
        let file = r#"x"a\/b\u0030.1\n" "#;
        let plain = read(file, &(1..file.len() - 1), true);
        assert_eq!(plain.text, "\"a/b0.1 \"");
        let version = plain.text.find("0.1").unwrap();
        let bytes = plain.bytes(&(version..version + 3)).unwrap();
        assert_eq!(file.get(bytes), Some(r"\u0030.1"));
    }

    #[test]
    fn a_continued_line_is_one_word() {
        let file = "\"p/serve:\\\n   0.0.1\"";
        let plain = read(file, &(0..file.len()), true);
        assert_eq!(plain.text, "\"p/serve:0.0.1\"");
    }
}
