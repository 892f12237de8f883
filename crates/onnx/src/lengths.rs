//! Whether every part of a model lies within what holds it.
//!
//! Readers that take a length for granted allocate what it says, or go round in circles
//! when it stands for a step back. These messages have no more than their parts: what
//! is not named here is passed over, by a length that is checked.

use prost::Message;

use crate::DecodeError;

/// Checks the length of every message, text and list in the bytes of a model, down to
/// the dimensions of its values. No weight is copied.
///
/// # Errors
///
/// When one goes beyond what holds it, or has another type than the format says.
pub fn check_lengths(bytes: &[u8]) -> Result<(), DecodeError> {
    Model::decode(bytes)?;
    Ok(())
}

#[derive(Clone, PartialEq, Message)]
struct Model {
    #[prost(message, optional, tag = "7")]
    graph: Option<Graph>,
    #[prost(message, repeated, tag = "8")]
    opset_import: Vec<Leaf>,
    #[prost(message, repeated, tag = "14")]
    metadata_props: Vec<Leaf>,
}

#[derive(Clone, PartialEq, Message)]
struct Graph {
    #[prost(message, repeated, tag = "1")]
    node: Vec<Node>,
    #[prost(message, repeated, tag = "5")]
    initializer: Vec<Tensor>,
    #[prost(message, repeated, tag = "11")]
    input: Vec<ValueInfo>,
    #[prost(message, repeated, tag = "12")]
    output: Vec<ValueInfo>,
    #[prost(message, repeated, tag = "13")]
    value_info: Vec<ValueInfo>,
}

#[derive(Clone, PartialEq, Message)]
struct Node {
    #[prost(message, repeated, tag = "5")]
    attribute: Vec<Attribute>,
}

#[derive(Clone, PartialEq, Message)]
struct Attribute {
    #[prost(message, optional, tag = "5")]
    t: Option<Tensor>,
    #[prost(message, optional, tag = "6")]
    g: Option<Graph>,
}

#[derive(Clone, PartialEq, Message)]
struct Tensor {
    #[prost(message, repeated, tag = "13")]
    external_data: Vec<Leaf>,
}

#[derive(Clone, PartialEq, Message)]
struct ValueInfo {
    #[prost(message, optional, tag = "2")]
    r#type: Option<Type>,
}

#[derive(Clone, PartialEq, Message)]
struct Type {
    #[prost(message, optional, tag = "1")]
    tensor_type: Option<TensorType>,
    #[prost(message, optional, boxed, tag = "4")]
    sequence_type: Option<Box<Sequence>>,
}

#[derive(Clone, PartialEq, Message)]
struct TensorType {
    #[prost(message, optional, tag = "2")]
    shape: Option<Shape>,
}

#[derive(Clone, PartialEq, Message)]
struct Sequence {
    #[prost(message, optional, boxed, tag = "1")]
    elem_type: Option<Box<Type>>,
}

#[derive(Clone, PartialEq, Message)]
struct Shape {
    #[prost(message, repeated, tag = "1")]
    dim: Vec<Leaf>,
}

/// A message without messages.
#[derive(Clone, PartialEq, Message)]
struct Leaf {}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Dim, ElementType, GraphBuilder, encode};

    fn graph() -> Vec<u8> {
        let mut graph = GraphBuilder::new("g", "");
        let x = graph.input("x", ElementType::F32, &[Dim::Any("rows"), Dim::Fixed(2)]);
        let weights = graph.f32s("weights", &[2, 2], &[1.0, 0.0, 0.0, 1.0]);
        let y = graph.node("MatMul", &[&x, &weights], Vec::new());
        graph.output(
            &y,
            "y",
            ElementType::F32,
            &[Dim::Any("rows"), Dim::Fixed(2)],
        );
        encode(&graph.finish("test", "1"))
    }

    #[test]
    fn a_whole_model_passes() {
        assert!(check_lengths(&graph()).is_ok());
    }

    #[test]
    fn what_is_cut_off_is_refused() {
        let whole = graph();
        for end in 1..whole.len() {
            // Some ends are those of a field.
            if crate::ModelProto::decode(&whole[..end]).is_err() {
                assert!(check_lengths(&whole[..end]).is_err(), "{end}");
            }
        }
    }

    /// As rten takes them: back to the field before, or all memory there is.
    #[test]
    fn a_length_beyond_its_message_is_refused() {
        let length = [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01];
        let beyond = |tag: u8| [&[tag << 3 | 2][..], &length].concat();
        let within = |tag: u8, inner: Vec<u8>| {
            let size = u8::try_from(inner.len()).unwrap();
            [&[tag << 3 | 2, size][..], &inner].concat()
        };
        // A graph; its initializer; the raw data of that; the name of a node's attribute.
        for bytes in [
            beyond(7),
            within(7, beyond(5)),
            within(7, within(5, beyond(9))),
            within(7, within(1, within(5, beyond(1)))),
            beyond(3),
        ] {
            assert!(check_lengths(&bytes).is_err(), "{bytes:?}");
        }
    }
}
