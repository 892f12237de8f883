//! How messages are read: as tonic does by default, but not before it is known what
//! they take.

use std::marker::PhantomData;

use prost::bytes::Buf as _;
use prost::{Message, Name};
use tonic::Status;
use tonic::codec::{self, DecodeBuf};
use tonic_prost::{ProstDecoder, ProstEncoder};

use super::weight::weigh;

/// Messages up to so many bytes are not weighed: whatever is in them, they take a few
/// megabytes.
const SMALL: usize = 64 << 10;

/// Bytes that the parts of any message may take.
const PARTS: usize = 512 << 20;

/// As many times its own bytes may a message take: a list of numbers in the Seldon
/// protocol, 11 bytes each, takes less.
pub(super) const TIMES: usize = 8;

/// Writes a `T`, reads a `U`.
#[derive(Debug, Clone)]
pub(crate) struct Codec<T, U>(PhantomData<(T, U)>);

impl<T, U> Default for Codec<T, U> {
    fn default() -> Self {
        Self(PhantomData)
    }
}

impl<T, U> codec::Codec for Codec<T, U>
where
    T: Message + Send + 'static,
    U: Message + Name + Default + Send + 'static,
{
    type Encode = T;
    type Decode = U;
    type Encoder = ProstEncoder<T>;
    type Decoder = Decoder<U>;

    fn encoder(&mut self) -> Self::Encoder {
        ProstEncoder::default()
    }

    fn decoder(&mut self) -> Self::Decoder {
        Decoder(ProstDecoder::default())
    }
}

/// Reads a `U` that does not take too much.
#[derive(Debug, Clone)]
pub(crate) struct Decoder<U>(ProstDecoder<U>);

impl<U: Message + Name + Default> codec::Decoder for Decoder<U> {
    type Item = U;
    type Error = Status;

    fn decode(&mut self, buf: &mut DecodeBuf<'_>) -> Result<Option<U>, Status> {
        // tonic has the whole message in one piece.
        let message = buf.chunk();
        let most = PARTS.max(message.len().saturating_mul(TIMES));
        if message.len() > SMALL && weigh(&U::full_name(), message, most).is_err() {
            return Err(Status::resource_exhausted(format!(
                "the message of {} bytes has so many parts that they take more than {} MiB; \
                 send fewer at a time",
                message.len(),
                most >> 20
            )));
        }
        self.0.decode(buf)
    }
}
