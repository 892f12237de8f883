//! How many objects a body has, told before it is read.
//!
//! An empty object is three bytes in a list and hundreds in memory, as a message or a
//! record, so that the bound on the bytes of a body bounds nothing.

use memchr::{memchr_iter, memchr2_iter};

use crate::problem::Problem;

/// Objects that any body may have: they take hundreds of megabytes.
const MOST: usize = 1 << 20;

/// A longer body may have one in so many bytes.
const BYTES: usize = 64;

/// Refuses a body whose `parts`, each JSON, have too many objects together.
///
/// # Errors
///
/// With their number.
pub(crate) fn check<'a>(parts: impl Iterator<Item = &'a [u8]> + Clone) -> Result<(), Problem> {
    let sum = |of: fn(&[u8]) -> usize| parts.clone().map(of).sum::<usize>();
    let bytes = sum(<[u8]>::len);
    let most = MOST.max(bytes / BYTES);
    // Braces in texts count too, which is no matter mostly, and fast.
    if bytes / 2 <= most || sum(|part| memchr_iter(b'{', part).count()) <= most {
        return Ok(());
    }
    match sum(count) {
        objects if objects > most => Err(Problem::TooManyParts(format!(
            "the body has {objects} objects, more than the {most} that this server reads at a \
             time; send fewer, or a list of lists instead of records"
        ))),
        _ => Ok(()),
    }
}

/// The opening braces in `body` outside of texts.
fn count(body: &[u8]) -> usize {
    let mut objects = 0;
    let mut end_of_text = 0;
    for place in memchr2_iter(b'{', b'"', body) {
        match body.get(place) {
            _ if place < end_of_text => {}
            Some(b'{') => objects += 1,
            _ => end_of_text = place + 1 + text(body.get(place + 1..).unwrap_or_default()),
        }
    }
    objects
}

/// The bytes of a text with its closing quote, which `rest` begins with.
fn text(rest: &[u8]) -> usize {
    let mut escaped = None;
    for place in memchr2_iter(b'\\', b'"', rest) {
        if escaped == Some(place) {
            continue;
        }
        match rest.get(place) {
            Some(b'"') => return place + 1,
            _ => escaped = Some(place + 1),
        }
    }
    rest.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn objects_outside_of_texts() {
        assert_eq!(count(br#"{"a{": [{}, {"b": "\"{\\"}, {}]}"#), 4);
        assert_eq!(count(br#"{"unfinished {{{"#), 1);
        assert_eq!(count(br#"{"unfinished \"#), 1);
        assert_eq!(count(b""), 0);
    }

    #[test]
    fn as_many_as_allowed() {
        let body = |count: usize, unit: &str| format!("[{}0]", unit.repeat(count)).into_bytes();
        let check = |parts: &[Vec<u8>]| check(parts.iter().map(Vec::as_slice));
        assert_eq!(check(&[body(MOST, "{},")]), Ok(()));
        assert_eq!(check(&[body(MOST - 1, "{},"), body(1, "{},")]), Ok(()));
        assert!(check(&[body(MOST, "{},"), body(1, "{},")]).is_err());
        let refused = check(&[body(MOST + 1, "{},")]).unwrap_err();
        let text = refused.to_string();
        assert!(
            text.contains("1048577 objects, more than the 1048576"),
            "{text}"
        );
        assert_eq!(check(&[body(MOST + 1, "\"{\",")]), Ok(()));
    }
}
