//! Bytes to a model and back.

use prost::Message;

use crate::proto::{GraphProto, ModelProto, TensorProto};

/// Why some bytes are not accepted as a model.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DecodeError {
    /// They are no protobuf message of this kind.
    #[error("this is not an ONNX file")]
    NotOnnx(#[from] prost::DecodeError),
    /// The message holds no graph.
    #[error("the ONNX file holds no graph")]
    NoGraph,
    /// The graph uses a part of the format that cannot be kept.
    #[error("the ONNX file uses {0}; {1}")]
    Unsupported(&'static str, &'static str),
}

/// Reads a model whose every part this crate can write again.
///
/// # Errors
///
/// When `bytes` are not an ONNX file, or hold weights in other files, sparse
/// tensors, type attributes, inputs that are no tensors, or functions.
pub fn decode(bytes: &[u8]) -> Result<ModelProto, DecodeError> {
    let mut model = ModelProto::decode(bytes)?;
    if !model.functions.is_empty() {
        return Err(DecodeError::Unsupported(
            "functions of its own",
            "inline them with onnx.inliner.inline_local_functions",
        ));
    }
    let graph = model.graph.as_mut().ok_or(DecodeError::NoGraph)?;
    if graph.name.is_empty() {
        "graph".clone_into(&mut graph.name);
    }
    check(graph)?;
    let typed = |v: &crate::proto::ValueInfoProto| {
        v.r#type.as_ref().is_some_and(|t| t.tensor_type.is_some())
    };
    if !graph.input.iter().chain(&graph.output).all(typed) {
        return Err(DecodeError::Unsupported(
            "an input or output that is not a tensor",
            "export the model with tensors alone",
        ));
    }
    Ok(model)
}

/// The bytes of a model. The same model gives the same bytes.
pub fn encode(model: &ModelProto) -> Vec<u8> {
    model.encode_to_vec()
}

fn check(graph: &GraphProto) -> Result<(), DecodeError> {
    if !graph.sparse_initializer.is_empty() {
        return Err(sparse());
    }
    graph.initializer.iter().try_for_each(check_tensor)?;
    for attribute in graph.node.iter().flat_map(|node| &node.attribute) {
        if attribute.sparse_tensor.is_some() {
            return Err(sparse());
        }
        if attribute.tp.is_some() {
            return Err(DecodeError::Unsupported(
                "a type as an attribute",
                "export the model with tensors alone",
            ));
        }
        attribute
            .t
            .iter()
            .chain(&attribute.tensors)
            .try_for_each(check_tensor)?;
        let bodies = attribute.g.as_deref().into_iter();
        bodies.chain(&attribute.graphs).try_for_each(check)?;
    }
    Ok(())
}

fn sparse() -> DecodeError {
    DecodeError::Unsupported("sparse tensors", "make them dense before the export")
}

fn check_tensor(tensor: &TensorProto) -> Result<(), DecodeError> {
    if tensor.data_location == 0 && tensor.external_data.is_empty() {
        return Ok(());
    }
    Err(DecodeError::Unsupported(
        "weights in another file",
        "save it as one file with onnx.save_model(..., save_as_external_data=False)",
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Attribute, Dim, ElementType, GraphBuilder};

    fn model() -> ModelProto {
        let mut graph = GraphBuilder::new("g", "");
        let x = graph.input("x", ElementType::F32, &[Dim::Any("n"), Dim::Fixed(3)]);
        let shift = graph.f32s("shift", &[3], &[1.0, -2.0, 0.5]);
        let y = graph.node("Add", &[&x, &shift], vec![]);
        let settings = vec![
            ("axes", Attribute::Ints(vec![1, 300])),
            ("alpha", Attribute::Float(0.5)),
            ("words", Attribute::Texts(vec!["a".to_owned()])),
            ("scales", Attribute::Floats(vec![1.0, 2.0])),
            ("mode", Attribute::Text("m".to_owned())),
            ("flag", Attribute::Int(-1)),
        ];
        let z = graph.node("Custom", &[&y], settings);
        graph.output(&z, "z", ElementType::F32, &[Dim::Any("n")]);
        graph.finish("test", "1")
    }

    #[test]
    fn a_model_comes_back_unchanged() {
        let bytes = encode(&model());
        assert_eq!(decode(&bytes).unwrap(), model());
        assert_eq!(encode(&decode(&bytes).unwrap()), bytes);
    }

    /// Field 1 of TensorProto with wire type 0 (one number each), not 2 (packed).
    #[test]
    fn repeated_numbers_are_unpacked() {
        let tensor = TensorProto::f32s("", &[2, 1], &[1.0, 2.0]);
        assert_eq!(tensor.encode_to_vec()[..4], [0x08, 2, 0x08, 1]);
    }

    #[test]
    fn what_cannot_be_kept_is_refused() {
        let refused = |change: fn(&mut ModelProto)| {
            let mut model = model();
            change(&mut model);
            decode(&encode(&model)).unwrap_err().to_string()
        };
        assert!(refused(|m| m.graph = None).contains("no graph"));
        assert!(refused(|m| m.functions.push(Default::default())).contains("functions of its own"));
        let outside = refused(|m| {
            let graph = m.graph.as_mut().unwrap();
            graph.initializer[0].data_location = 1;
        });
        assert!(outside.contains("another file"), "{outside}");
        let value = refused(|m| m.graph.as_mut().unwrap().input[0].r#type = None);
        assert!(value.contains("not a tensor"), "{value}");
    }

    #[test]
    fn damaged_bytes_are_refused_without_a_panic() {
        let bytes = encode(&model());
        for end in 1..bytes.len() {
            let _ = decode(&bytes[..end]);
        }
        for at in 0..bytes.len() {
            let mut flipped = bytes.clone();
            flipped[at] ^= 0xff;
            let _ = decode(&flipped);
        }
        assert!(decode(b"not a model at all").is_err());
        assert!(matches!(decode(b""), Err(DecodeError::NoGraph)));
    }
}
