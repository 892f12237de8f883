//! Whether the quotation marks of a CSV file open and close fields. The parser lets
//! others pass, and takes many rows for one field where one is left open.

use std::fmt;

/// A quotation mark that opens a field which does not end as it must.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Stray {
    /// Its line, from 1.
    pub(super) line: u64,
    /// The line and character after the mark that closes the field; none where no mark
    /// does.
    closed: Option<(u64, char)>,
}

/// Where a byte stands.
#[derive(Clone, Copy)]
enum State {
    /// Where a field begins.
    Begin,
    /// In a field without marks around it, in which they are characters.
    Plain,
    /// In a field that a mark has opened.
    Quoted,
    /// After a mark in such a field: the first of two, or its end.
    Mark,
    /// In space behind its end.
    After,
}

/// The first quotation mark of `content` that opens a field and is not closed before a
/// `delimiter` or the line's end.
pub(super) fn stray(content: &[u8], delimiter: u8) -> Option<Stray> {
    const MARK: u8 = b'"';
    if !content.contains(&MARK) {
        return None;
    }
    let (mut state, mut line, mut opened) = (State::Begin, 1, 1);
    let marked = content.strip_prefix(b"\xef\xbb\xbf").unwrap_or(content);
    for (place, byte) in marked.iter().enumerate() {
        let ends = *byte == delimiter || matches!(byte, b'\r' | b'\n');
        state = match state {
            State::Begin if *byte == MARK => {
                opened = line;
                State::Quoted
            }
            State::Quoted if *byte == MARK => State::Mark,
            State::Quoted => State::Quoted,
            State::Mark if *byte == MARK => State::Quoted,
            _ if ends => State::Begin,
            State::Begin | State::Plain => State::Plain,
            State::Mark | State::After if byte.is_ascii_whitespace() => State::After,
            State::Mark | State::After => {
                let closed = Some((line, first_character(marked.get(place..)?)));
                return Some(Stray {
                    line: opened,
                    closed,
                });
            }
        };
        line += u64::from(*byte == b'\n');
    }
    matches!(state, State::Quoted).then_some(Stray {
        line: opened,
        closed: None,
    })
}

fn first_character(bytes: &[u8]) -> char {
    let text = bytes.utf8_chunks().next().map(|chunk| chunk.valid());
    let first = text.and_then(|text| text.chars().next());
    first.unwrap_or(char::REPLACEMENT_CHARACTER)
}

impl fmt::Display for Stray {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some((line, next)) = self.closed else {
            return f.write_str(
                "a quotation mark opens a field and none closes it: remove it, or add the other",
            );
        };
        write!(
            f,
            "a quotation mark opens a field, and the one that closes it in line {line} stands before \
             {next:?}, where the field must end: remove both, or write marks within a field twice"
        )?;
        match next {
            ',' | ';' | '|' => write!(
                f,
                "; where {next:?} stands between fields, set `delimiter: {next:?}` in the experiment file"
            ),
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(text: &str) -> Option<(u64, Option<(u64, char)>)> {
        stray(text.as_bytes(), b',').map(|stray| (stray.line, stray.closed))
    }

    #[test]
    fn marks_that_are_well_placed_pass() {
        for text in [
            "x,y\n5\" pipe,a\n6,\"b\nc\"\n",
            "\u{feff}\"x\",\"y\"\r\n\"a \"\"b\"\", c\",\"\"\r\n",
            "x,y\n\"a\" ,\"b\"",
            "x\n\"\"\"\"\n",
            "x,y\na\"\"b,\"c\" \n",
        ] {
            assert_eq!(found(text), None, "{text:?}");
        }
    }

    #[test]
    fn marks_that_are_not_are_found_with_their_lines() {
        assert_eq!(found("x,y\n\"u\"x,1\n"), Some((2, Some((2, 'x')))));
        assert_eq!(
            found("x,y\n1,a\n2,\"b\n3,c\n4,\"ü\n"),
            Some((3, Some((5, 'ü'))))
        );
        assert_eq!(found("x,y\n1,\"\"\"a\n2,b\n"), Some((2, None)));
        assert_eq!(found("\"x\";\"y\"\n"), Some((1, Some((1, ';')))));
        assert_eq!(stray(b"x\ty\n\"u\"\t1\n\"v\",2\n", b'\t').unwrap().line, 3);
    }
}
