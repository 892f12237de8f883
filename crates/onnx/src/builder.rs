//! Builds a graph node by node.

use crate::proto::{
    AttributeProto, AttributeType, DimensionProto, DimensionValue, GraphProto, ModelProto,
    NodeProto, OperatorSetIdProto, TensorProto, TensorShapeProto, TensorTypeProto, TypeProto,
    ValueInfoProto,
};
use crate::{ElementType, OPSET};

/// The IR version that belongs to operator set 17.
const IR_VERSION: i64 = 8;

/// The size of one dimension of an input or output.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dim<'a> {
    /// Always this many.
    Fixed(usize),
    /// Any number, the same wherever this name stands.
    Any(&'a str),
}

/// A setting of a node.
#[derive(Debug, Clone, PartialEq)]
pub enum Attribute {
    /// A number.
    Float(f32),
    /// A whole number.
    Int(i64),
    /// Whole numbers.
    Ints(Vec<i64>),
    /// Numbers.
    Floats(Vec<f32>),
    /// A text.
    Text(String),
    /// Texts.
    Texts(Vec<String>),
}

/// A graph in the making.
///
/// A node's output gets a name made of the prefix, the operator and a running
/// number, so that the same calls give the same bytes.
///
/// ```
/// use onnx::{Dim, ElementType, GraphBuilder};
/// let mut graph = GraphBuilder::new("twice", "");
/// let x = graph.input("x", ElementType::F32, &[Dim::Any("batch")]);
/// let two = graph.f32s("two", &[], &[2.0]);
/// let y = graph.node("Mul", &[&x, &two], vec![]);
/// graph.output(&y, "y", ElementType::F32, &[Dim::Any("batch")]);
/// let model = graph.finish("example", "0.0.1");
/// assert_eq!(model.graph.unwrap().node.len(), 2);
/// ```
#[derive(Debug, Clone)]
pub struct GraphBuilder {
    graph: GraphProto,
    prefix: String,
}

impl GraphBuilder {
    /// Starts a graph; `prefix` (as `head.`) begins the name of every node,
    /// constant and inner value, so that two graphs can be joined.
    pub fn new(name: &str, prefix: &str) -> Self {
        let graph = GraphProto {
            name: name.to_owned(),
            ..GraphProto::default()
        };
        Self {
            graph,
            prefix: prefix.to_owned(),
        }
    }

    /// Adds an input under exactly this name, and returns the name.
    pub fn input(&mut self, name: &str, element: ElementType, dims: &[Dim<'_>]) -> String {
        self.graph.input.push(value_info(name, element, dims));
        name.to_owned()
    }

    /// Adds a constant of 32-bit floats and returns its name; `values` are in
    /// row-major order and fill `dims`, which is empty for a single number.
    pub fn f32s(&mut self, name: &str, dims: &[usize], values: &[f32]) -> String {
        self.constant(name, |name| TensorProto::f32s(name, dims, values))
    }

    /// As [`Self::f32s`], with 32-bit integers.
    pub fn i32s(&mut self, name: &str, dims: &[usize], values: &[i32]) -> String {
        self.constant(name, |name| TensorProto::i32s(name, dims, values))
    }

    /// As [`Self::f32s`], with 64-bit integers.
    pub fn i64s(&mut self, name: &str, dims: &[usize], values: &[i64]) -> String {
        self.constant(name, |name| TensorProto::i64s(name, dims, values))
    }

    fn constant(&mut self, name: &str, tensor: impl FnOnce(&str) -> TensorProto) -> String {
        let name = format!("{}{name}", self.prefix);
        self.graph.initializer.push(tensor(&name));
        name
    }

    /// Adds a node with one output and returns the output's name.
    pub fn node(
        &mut self,
        operator: &str,
        inputs: &[&str],
        attributes: Vec<(&str, Attribute)>,
    ) -> String {
        let number = self.graph.node.len();
        let output = format!("{}{operator}_{number}", self.prefix);
        self.push(operator, inputs, &output, attributes);
        output
    }

    fn push(
        &mut self,
        operator: &str,
        inputs: &[&str],
        output: &str,
        attributes: Vec<(&str, Attribute)>,
    ) {
        let attribute = attributes
            .into_iter()
            .map(|(name, value)| attribute(name, value))
            .collect();
        self.graph.node.push(NodeProto {
            input: inputs.iter().map(|&name| name.to_owned()).collect(),
            output: vec![output.to_owned()],
            name: format!("{output}.node"),
            op_type: operator.to_owned(),
            attribute,
            domain: String::new(),
        });
    }

    /// Makes `value` an output of the graph under exactly this name.
    pub fn output(&mut self, value: &str, name: &str, element: ElementType, dims: &[Dim<'_>]) {
        self.push("Identity", &[value], name, Vec::new());
        self.graph.output.push(value_info(name, element, dims));
    }

    /// The finished model, written in operator set [`OPSET`].
    pub fn finish(self, producer: &str, version: &str) -> ModelProto {
        ModelProto {
            ir_version: IR_VERSION,
            producer_name: producer.to_owned(),
            producer_version: version.to_owned(),
            graph: Some(self.graph),
            opset_import: vec![OperatorSetIdProto {
                domain: String::new(),
                version: OPSET,
            }],
            ..ModelProto::default()
        }
    }
}

fn attribute(name: &str, value: Attribute) -> AttributeProto {
    let mut proto = AttributeProto {
        name: name.to_owned(),
        ..AttributeProto::default()
    };
    let kind = match value {
        Attribute::Float(f) => {
            proto.f = Some(f);
            AttributeType::Float
        }
        Attribute::Int(i) => {
            proto.i = Some(i);
            AttributeType::Int
        }
        Attribute::Ints(ints) => {
            proto.ints = ints;
            AttributeType::Ints
        }
        Attribute::Floats(floats) => {
            proto.floats = floats;
            AttributeType::Floats
        }
        Attribute::Text(text) => {
            proto.s = Some(text.into_bytes());
            AttributeType::String
        }
        Attribute::Texts(texts) => {
            proto.strings = texts.into_iter().map(String::into_bytes).collect();
            AttributeType::Strings
        }
    };
    proto.set_type(kind);
    proto
}

pub(crate) fn value_info(name: &str, element: ElementType, dims: &[Dim<'_>]) -> ValueInfoProto {
    let dim = dims.iter().map(|dim| DimensionProto {
        value: Some(match dim {
            Dim::Fixed(size) => DimensionValue::Value(*size as i64),
            Dim::Any(name) => DimensionValue::Param((*name).to_owned()),
        }),
    });
    let shape = TensorShapeProto { dim: dim.collect() };
    let tensor = TensorTypeProto {
        elem_type: element as i32,
        shape: Some(shape),
    };
    ValueInfoProto {
        name: name.to_owned(),
        r#type: Some(TypeProto {
            tensor_type: Some(tensor),
        }),
    }
}
