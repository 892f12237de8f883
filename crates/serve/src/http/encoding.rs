//! Compressed bodies, in both directions.

use std::io::{Read, Write};

use axum::http::header::{ACCEPT_ENCODING, CONTENT_ENCODING};
use axum::http::{HeaderMap, HeaderValue};
use flate2::Compression;
use flate2::read::{MultiGzDecoder, ZlibDecoder};
use flate2::write::{GzEncoder, ZlibEncoder};

use crate::problem::Problem;

/// Answers that are shorter, in bytes, gain nothing.
pub(super) const SHORT: u64 = 1400;

/// How a body is compressed. What HTTP calls `deflate` is the zlib format
/// (RFC 9110, 8.4.1.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Encoding {
    Gzip,
    Deflate,
}

impl Encoding {
    const ALL: [Self; 2] = [Self::Gzip, Self::Deflate];

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Gzip => "gzip",
            Self::Deflate => "deflate",
        }
    }

    fn named(name: &str) -> Option<Self> {
        let name = name.trim().to_ascii_lowercase();
        let plain = name.strip_prefix("x-").unwrap_or(&name);
        let mut all = Self::ALL.into_iter();
        all.find(|encoding| encoding.name() == plain)
    }

    /// That of a request's body, if it is compressed.
    ///
    /// # Errors
    ///
    /// When it is compressed in another way, or more than once.
    pub(super) fn of(headers: &HeaderMap) -> Result<Option<Self>, Problem> {
        let Some(value) = headers.get(CONTENT_ENCODING) else {
            return Ok(None);
        };
        let text = value.to_str().unwrap_or_default();
        match Self::named(text) {
            Some(encoding) => Ok(Some(encoding)),
            None if text.trim().eq_ignore_ascii_case("identity") => Ok(None),
            None => Err(Problem::MediaType(format!(
                "the content encoding {value:?} is not read, \
                 send the body as gzip, deflate or uncompressed"
            ))),
        }
    }

    /// The one that the client of a request wants most, if any, and no less than the
    /// answer as it is.
    pub(super) fn wanted(headers: &HeaderMap) -> Option<Self> {
        let lists = headers.get_all(ACCEPT_ENCODING).iter();
        let items = lists.filter_map(|list| list.to_str().ok());
        let items = items.flat_map(|list| list.split(','));
        let (mut best, mut most, mut plain) = (None, 0.0, 0.0);
        for (name, weight) in items.filter_map(weighed) {
            match Self::named(name) {
                Some(encoding) if weight > most => (best, most) = (Some(encoding), weight),
                None if name.trim().eq_ignore_ascii_case("identity") => plain = weight,
                _ => {}
            }
        }
        best.filter(|_| most >= plain)
    }

    /// What `body` is a compression of, if that has at most `limit` bytes: more
    /// is not even unpacked.
    ///
    /// # Errors
    ///
    /// When it is longer, or not such a compression.
    pub(super) fn decode(self, body: &[u8], limit: usize) -> Result<Vec<u8>, Problem> {
        let most = u64::try_from(limit).unwrap_or(u64::MAX).saturating_add(1);
        let mut plain = Vec::new();
        let outcome = match self {
            Self::Gzip => MultiGzDecoder::new(body).take(most).read_to_end(&mut plain),
            Self::Deflate => ZlibDecoder::new(body).take(most).read_to_end(&mut plain),
        };
        outcome.map_err(|error| {
            let name = self.name();
            Problem::BadData(format!(
                "the body is not {name}, as its header says: {error}"
            ))
        })?;
        match plain.len() > limit {
            true => Err(Problem::TooLarge(limit)),
            false => Ok(plain),
        }
    }

    /// `body` compressed: fast rather than small.
    ///
    /// # Errors
    ///
    /// Never but when there is no memory.
    pub(super) fn encode(self, body: &[u8]) -> std::io::Result<Vec<u8>> {
        let packed = Vec::with_capacity(body.len() / 2);
        match self {
            Self::Gzip => {
                let mut encoder = GzEncoder::new(packed, Compression::fast());
                encoder.write_all(body)?;
                encoder.finish()
            }
            Self::Deflate => {
                let mut encoder = ZlibEncoder::new(packed, Compression::fast());
                encoder.write_all(body)?;
                encoder.finish()
            }
        }
    }
}

/// The name in an item of `Accept-Encoding`, and its weight; `None` where that is no
/// number. The name of the weight is of any case (RFC 9110, 5.6.6).
fn weighed(item: &str) -> Option<(&str, f32)> {
    let (name, parameters) = item.split_once(';').unwrap_or((item, ""));
    let weight = parameters.trim().split_at_checked(2);
    let weight = weight.filter(|(key, _)| key.eq_ignore_ascii_case("q="));
    Some((
        name,
        weight.map_or(Some(1.0), |(_, text)| text.parse().ok())?,
    ))
}

impl From<Encoding> for HeaderValue {
    fn from(encoding: Encoding) -> Self {
        Self::from_static(encoding.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wanted(list: &str) -> Option<Encoding> {
        let mut headers = HeaderMap::new();
        headers.insert(ACCEPT_ENCODING, list.parse().unwrap());
        Encoding::wanted(&headers)
    }

    #[test]
    fn the_client_chooses() {
        for (list, expected) in [
            ("", None),
            ("br, zstd", None),
            ("gzip, deflate", Some(Encoding::Gzip)),
            ("deflate", Some(Encoding::Deflate)),
            ("gzip;q=0.5, deflate;q=0.8", Some(Encoding::Deflate)),
            ("gzip;q=0", None),
            ("gzip;Q=0", None),
            ("gzip ; Q=0.000", None),
            ("gzip;q=0.5, identity;q=1", None),
            ("Identity, gzip;q=0.9", None),
            ("gzip;q=0.5, identity;q=0.5", Some(Encoding::Gzip)),
            ("identity;q=0.5, gzip;q=0.8", Some(Encoding::Gzip)),
            ("gzip, identity;q=0", Some(Encoding::Gzip)),
            ("gzip; q=1.0", Some(Encoding::Gzip)),
            ("X-GZIP", Some(Encoding::Gzip)),
            ("gzip;q=x", None),
        ] {
            assert_eq!(wanted(list), expected, "{list}");
        }
    }

    #[test]
    fn what_is_packed_is_unpacked_up_to_the_limit() {
        let body = vec![b'a'; 100_000];
        for encoding in Encoding::ALL {
            let packed = encoding.encode(&body).unwrap();
            assert!(packed.len() < 2000);
            assert_eq!(encoding.decode(&packed, body.len()).unwrap(), body);
            let more = encoding.decode(&packed, body.len() - 1);
            assert_eq!(more, Err(Problem::TooLarge(body.len() - 1)));
            let half = encoding.decode(&packed[..packed.len() / 2], body.len());
            assert!(matches!(half, Err(Problem::BadData(_))), "{half:?}");
        }
    }
}
