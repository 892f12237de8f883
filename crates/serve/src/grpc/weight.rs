//! What a message takes in memory, told before it is decoded.
//!
//! An empty message in a list is two bytes on the wire and hundreds in memory, so that
//! the bound on the bytes of a message bounds nothing; prost has no other.

use std::collections::HashMap;
use std::sync::OnceLock;

use prost::encoding::{DecodeContext, WireType, decode_key, decode_varint, skip_field};
use prost_reflect::{FieldDescriptor, Kind, MessageDescriptor};

use crate::proto;

/// Bytes of a `String`, `Vec` or `Bytes`.
const LIST: usize = 32;
/// Bytes of what the allocator gives at least.
const ALLOCATED: usize = 16;
/// Bytes of a `HashMap`.
const MAP: usize = 48;
/// Messages in messages: prost decodes no more of them either.
const DEPTH: u32 = 100;

/// A message whose parts take more than allowed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct TooHeavy;

/// Adds up what the strings and messages in `bytes`, a message with the full `name`,
/// take when they are decoded.
///
/// Numbers are not counted: they take at most eight times their bytes. What is no
/// message is for the decoder to refuse, and counts as far as it can be read.
///
/// # Errors
///
/// When that is more than `most` bytes, after reading only so much.
pub(super) fn weigh(name: &str, bytes: &[u8], most: usize) -> Result<(), TooHeavy> {
    static LAYOUTS: OnceLock<Layouts> = OnceLock::new();
    let layouts = LAYOUTS.get_or_init(Layouts::new);
    let Some(layout) = layouts.by_name.get(name) else {
        return Ok(());
    };
    let mut scales = Scales {
        layouts,
        left: most,
    };
    scales.message(*layout, bytes, DEPTH)
}

/// How the messages of all protocols are laid out.
#[derive(Default)]
struct Layouts {
    by_name: HashMap<String, usize>,
    layouts: Vec<Layout>,
}

struct Layout {
    /// Bytes of the struct, without what it points to; not less than they are.
    size: usize,
    /// The fields that point to more, by their numbers.
    parts: Vec<(u32, Part)>,
}

#[derive(Clone, Copy)]
enum Part {
    /// The message with this place among the layouts.
    Message(usize),
    Bytes,
}

impl Layouts {
    fn new() -> Self {
        let mut layouts = Self::default();
        let Some(pool) = proto::pool() else {
            return layouts;
        };
        for (place, message) in pool.all_messages().enumerate() {
            let name = message.full_name().to_owned();
            layouts.by_name.insert(name, place);
        }
        for message in pool.all_messages() {
            let part = |field: FieldDescriptor| Some((field.number(), layouts.part(&field)?));
            let layout = Layout {
                size: size(&message, &mut Vec::new()),
                parts: message.fields().filter_map(part).collect(),
            };
            layouts.layouts.push(layout);
        }
        layouts
    }

    fn part(&self, field: &FieldDescriptor) -> Option<Part> {
        match field.kind() {
            Kind::Message(message) => {
                let place = self.by_name.get(message.full_name())?;
                Some(Part::Message(*place))
            }
            Kind::String | Kind::Bytes => Some(Part::Bytes),
            _ => None,
        }
    }
}

/// The bytes of the struct that `message` becomes, which is inside of those of `around`.
fn size(message: &MessageDescriptor, around: &mut Vec<String>) -> usize {
    around.push(message.full_name().to_owned());
    let mut bytes = 0;
    for field in message.fields() {
        if field.containing_oneof().is_none() {
            bytes += field_size(&field, around);
        }
    }
    for oneof in message.oneofs() {
        let sizes = oneof.fields().map(|field| field_size(&field, around));
        bytes += sizes.max().unwrap_or(0) + 8;
    }
    around.pop();
    bytes
}

fn field_size(field: &FieldDescriptor, around: &mut Vec<String>) -> usize {
    if field.is_map() {
        return MAP;
    }
    match field.kind() {
        _ if field.is_list() => LIST,
        Kind::String | Kind::Bytes => LIST,
        // A message in itself is behind a pointer.
        Kind::Message(message) if !around.iter().any(|name| name == message.full_name()) => {
            size(&message, around) + 8
        }
        _ => 8,
    }
}

struct Scales<'l> {
    layouts: &'l Layouts,
    /// Bytes that may be added.
    left: usize,
}

impl Scales<'_> {
    fn message(&mut self, place: usize, mut bytes: &[u8], depth: u32) -> Result<(), TooHeavy> {
        let layouts = self.layouts;
        let Some(layout) = layouts.layouts.get(place) else {
            return Ok(());
        };
        self.add(layout.size)?;
        while let Ok((number, wire)) = decode_key(&mut bytes) {
            if wire != WireType::LengthDelimited {
                if skip_field(wire, number, &mut bytes, DecodeContext::default()).is_err() {
                    break;
                }
                continue;
            }
            let length = decode_varint(&mut bytes).ok();
            let length = length.and_then(|length| usize::try_from(length).ok());
            let Some((inner, rest)) = length.and_then(|length| bytes.split_at_checked(length))
            else {
                break;
            };
            let part = layout.parts.iter().find(|(other, _)| *other == number);
            match part {
                Some((_, Part::Message(place))) if depth > 0 => {
                    self.message(*place, inner, depth - 1)?;
                }
                Some((_, Part::Bytes)) => self.add(LIST + inner.len().min(ALLOCATED))?,
                _ => {}
            }
            bytes = rest;
        }
        Ok(())
    }

    fn add(&mut self, bytes: usize) -> Result<(), TooHeavy> {
        self.left = self.left.checked_sub(bytes).ok_or(TooHeavy)?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use prost::{Message, Name};

    use super::super::codec::TIMES;
    use super::*;
    use crate::proto::inference as pb;
    use crate::proto::seldon::protos as seldon;

    /// No struct is larger than what is said of it, nor many times smaller.
    #[test]
    fn sizes_of_structs() {
        let pool = proto::pool().unwrap();
        let check = |name: &str, is: usize| {
            let message = pool.get_message_by_name(name).unwrap();
            let said = size(&message, &mut Vec::new());
            assert!((is..=3 * is).contains(&said), "{name}: {said}, {is}");
        };
        fn of<M: Name>(check: &impl Fn(&str, usize)) {
            check(&M::full_name(), size_of::<M>());
        }
        of::<pb::ModelInferRequest>(&check);
        of::<pb::model_infer_request::InferInputTensor>(&check);
        of::<pb::model_infer_request::InferRequestedOutputTensor>(&check);
        of::<pb::InferParameter>(&check);
        of::<pb::InferTensorContents>(&check);
        of::<seldon::SeldonMessage>(&check);
        of::<seldon::SeldonMessageList>(&check);
        of::<seldon::DefaultData>(&check);
        of::<seldon::Meta>(&check);
        of::<seldon::Metric>(&check);
        check("google.protobuf.Value", size_of::<prost_types::Value>());
        check(LIST_VALUE, size_of::<prost_types::ListValue>());
    }

    const LIST_VALUE: &str = "google.protobuf.ListValue";

    fn weighs<M: Name>(message: &M, most: usize) -> bool {
        weigh(&M::full_name(), &message.encode_to_vec(), most).is_ok()
    }

    #[test]
    fn empty_messages_weigh_what_they_take() {
        let inputs = vec![pb::model_infer_request::InferInputTensor::default(); 1000];
        let takes = size_of_val(inputs.as_slice());
        let message = pb::ModelInferRequest {
            inputs,
            ..Default::default()
        };
        assert!(message.encoded_len() < 2100);
        assert!(!weighs(&message, takes));
        assert!(weighs(&message, 3 * takes));
    }

    #[test]
    fn lists_in_lists_and_strings_are_counted() {
        let one = prost_types::Value::from(vec![prost_types::Value::from("a".to_owned()); 10]);
        let list = prost_types::ListValue {
            values: vec![one; 10],
        };
        let data = seldon::default_data::DataOneof::Ndarray(list);
        let message = seldon::SeldonMessage {
            data_oneof: Some(seldon::seldon_message::DataOneof::Data(
                seldon::DefaultData {
                    names: Vec::new(),
                    data_oneof: Some(data),
                },
            )),
            ..Default::default()
        };
        let least = 110 * size_of::<prost_types::Value>() + 100 * size_of::<String>();
        assert!(!weighs(&message, least));
        assert!(weighs(&message, 5 * least));
    }

    #[test]
    fn numbers_in_a_list_may_be_as_many_as_fit() {
        let message = prost_types::ListValue {
            values: vec![prost_types::Value::from(0.5); 1000],
        };
        let bytes = message.encode_to_vec();
        assert_eq!(weigh(LIST_VALUE, &bytes, TIMES * bytes.len()), Ok(()));
    }

    #[test]
    fn raw_tensors_and_numbers_weigh_next_to_nothing() {
        let contents = pb::InferTensorContents {
            fp32_contents: vec![1.0; 1 << 20],
            ..Default::default()
        };
        let message = pb::ModelInferRequest {
            inputs: vec![pb::model_infer_request::InferInputTensor {
                contents: Some(contents),
                ..Default::default()
            }],
            raw_input_contents: vec![vec![0; 1 << 20].into()],
            ..Default::default()
        };
        assert!(weighs(&message, 4096));
    }

    #[test]
    fn what_is_no_message_is_left_to_the_decoder() {
        let name = pb::ModelInferRequest::full_name();
        for bytes in [&[0xff; 20][..], &[0x2a, 0x7f, 1], &[0x08], &[0x0b, 0x0b]] {
            assert_eq!(weigh(&name, bytes, 4096), Ok(()));
        }
        assert_eq!(weigh("unknown", &[0x2a, 0], 0), Ok(()));
    }
}
