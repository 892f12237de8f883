//! Puts a graph together.

use model::TensorSignature;
use ndarray::Array2;
use prost::Message;

use super::onnx::{
    Attribute, DataType, Dimension, Graph, Model, Node, OperatorSet, Shape, Tensor, TensorType,
    Type, Value,
};

/// ONNX IR and operator set versions that runtimes since 2021 know.
const IR_VERSION: i64 = 8;
const OPSET_VERSION: i64 = 17;

/// A graph in the making. Every function gives the name of what it has added.
#[derive(Default)]
pub(super) struct Builder {
    nodes: Vec<Node>,
    initializers: Vec<Tensor>,
}

impl Builder {
    /// A node without attributes.
    pub(super) fn node(&mut self, operator: &str, inputs: &[&str], output: &str) -> String {
        self.node_with(operator, inputs, output, &[])
    }

    /// A node with whole numbers as attributes.
    pub(super) fn node_with(
        &mut self,
        operator: &str,
        inputs: &[&str],
        output: &str,
        attributes: &[(&str, i64)],
    ) -> String {
        self.nodes.push(Node {
            input: inputs.iter().map(|name| (*name).to_owned()).collect(),
            output: vec![output.to_owned()],
            name: output.to_owned(),
            op_type: operator.to_owned(),
            attribute: attributes
                .iter()
                .map(|(name, value)| Attribute::int(name, *value))
                .collect(),
        });
        output.to_owned()
    }

    /// The columns of `input` at `positions`; one position may come many times.
    pub(super) fn take(&mut self, input: &str, name: &str, positions: Vec<usize>) -> String {
        let dims = vec![size(positions.len())];
        let bytes = positions
            .into_iter()
            .flat_map(|p| size(p).to_le_bytes())
            .collect();
        let indices = self.initializer(name, DataType::Int64, dims, bytes);
        self.node_with(
            "Gather",
            &[input, &indices],
            &format!("{name}_values"),
            &[("axis", 1)],
        )
    }

    /// Truth values as 0 and 1.
    pub(super) fn float(&mut self, input: &str, output: &str) -> String {
        self.node_with("Cast", &[input], output, &[("to", DataType::Float as i64)])
    }

    /// A constant number.
    pub(super) fn scalar(&mut self, name: &str, value: f32) -> String {
        self.initializer(
            name,
            DataType::Float,
            Vec::new(),
            value.to_le_bytes().to_vec(),
        )
    }

    /// Constants by column.
    pub(super) fn vector(&mut self, name: &str, values: Vec<f32>) -> String {
        let dims = vec![size(values.len())];
        let bytes = values.into_iter().flat_map(f32::to_le_bytes).collect();
        self.initializer(name, DataType::Float, dims, bytes)
    }

    /// A constant matrix.
    pub(super) fn matrix(&mut self, name: &str, values: &Array2<f32>) -> String {
        let dims = values.shape().iter().map(|length| size(*length)).collect();
        let bytes = values
            .iter()
            .flat_map(|value| value.to_le_bytes())
            .collect();
        self.initializer(name, DataType::Float, dims, bytes)
    }

    fn initializer(
        &mut self,
        name: &str,
        kind: DataType,
        dims: Vec<i64>,
        raw_data: Vec<u8>,
    ) -> String {
        let name = name.to_owned();
        self.initializers.push(Tensor {
            dims,
            data_type: kind as i32,
            name: name.clone(),
            raw_data,
        });
        name
    }

    /// The bytes of the graph with this input and output.
    pub(super) fn finish(self, input: &TensorSignature, output: &TensorSignature) -> Vec<u8> {
        let graph = Graph {
            node: self.nodes,
            name: "model".to_owned(),
            initializer: self.initializers,
            input: vec![value(input)],
            output: vec![value(output)],
        };
        let model = Model {
            ir_version: IR_VERSION,
            producer_name: env!("CARGO_PKG_NAME").to_owned(),
            producer_version: env!("CARGO_PKG_VERSION").to_owned(),
            graph: Some(graph),
            opset_import: vec![OperatorSet {
                domain: String::new(),
                version: OPSET_VERSION,
            }],
        };
        model.encode_to_vec()
    }
}

fn value(signature: &TensorSignature) -> Value {
    let dim = signature.shape.iter().map(|length| match length {
        -1 => Dimension {
            value: None,
            param: Some("rows".to_owned()),
        },
        length => Dimension {
            value: Some(*length),
            param: None,
        },
    });
    let tensor = TensorType {
        elem_type: DataType::Float as i32,
        shape: Some(Shape { dim: dim.collect() }),
    };
    Value {
        name: signature.name.clone(),
        r#type: Some(Type {
            tensor_type: Some(tensor),
        }),
    }
}

fn size(length: usize) -> i64 {
    i64::try_from(length).unwrap_or(i64::MAX)
}
