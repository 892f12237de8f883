//! Writes tiny ONNX graphs: the few messages of onnx.proto that they need.
//!
//! Repeated numbers are written unpacked, as the Python `onnx` package does and
//! the runtime requires.

use prost::Message;

const FLOAT: i32 = 1;
const INT64: i32 = 7;
const INTS: i32 = 7;
const IR_VERSION: i64 = 8;
const OPSET: i64 = 17;

#[derive(Clone, PartialEq, Message)]
struct ModelProto {
    #[prost(int64, tag = "1")]
    ir_version: i64,
    #[prost(message, optional, tag = "7")]
    graph: Option<GraphProto>,
    #[prost(message, repeated, tag = "8")]
    opset_import: Vec<OperatorSetIdProto>,
}

#[derive(Clone, PartialEq, Message)]
struct OperatorSetIdProto {
    #[prost(string, tag = "1")]
    domain: String,
    #[prost(int64, tag = "2")]
    version: i64,
}

#[derive(Clone, PartialEq, Message)]
struct GraphProto {
    #[prost(message, repeated, tag = "1")]
    node: Vec<NodeProto>,
    #[prost(string, tag = "2")]
    name: String,
    #[prost(message, repeated, tag = "5")]
    initializer: Vec<TensorProto>,
    #[prost(message, repeated, tag = "11")]
    input: Vec<ValueInfoProto>,
    #[prost(message, repeated, tag = "12")]
    output: Vec<ValueInfoProto>,
}

#[derive(Clone, PartialEq, Message)]
struct NodeProto {
    #[prost(string, repeated, tag = "1")]
    input: Vec<String>,
    #[prost(string, repeated, tag = "2")]
    output: Vec<String>,
    #[prost(string, tag = "3")]
    name: String,
    #[prost(string, tag = "4")]
    op_type: String,
    #[prost(message, repeated, tag = "5")]
    attribute: Vec<AttributeProto>,
}

#[derive(Clone, PartialEq, Message)]
struct AttributeProto {
    #[prost(string, tag = "1")]
    name: String,
    #[prost(int64, repeated, packed = "false", tag = "8")]
    ints: Vec<i64>,
    #[prost(int32, tag = "20")]
    kind: i32,
}

#[derive(Clone, PartialEq, Message)]
struct TensorProto {
    #[prost(int64, repeated, packed = "false", tag = "1")]
    dims: Vec<i64>,
    #[prost(int32, tag = "2")]
    data_type: i32,
    #[prost(string, tag = "8")]
    name: String,
    #[prost(bytes = "vec", tag = "9")]
    raw_data: Vec<u8>,
}

#[derive(Clone, PartialEq, Message)]
struct ValueInfoProto {
    #[prost(string, tag = "1")]
    name: String,
    #[prost(message, optional, tag = "2")]
    r#type: Option<TypeProto>,
}

#[derive(Clone, PartialEq, Message)]
struct TypeProto {
    #[prost(message, optional, tag = "1")]
    tensor_type: Option<TensorTypeProto>,
}

/// Of any shape.
#[derive(Clone, PartialEq, Message)]
struct TensorTypeProto {
    #[prost(int32, tag = "1")]
    elem_type: i32,
}

/// The graph `output = fill_missing(columns) · weights + bias`, where `weights`
/// has a row for each column, and a missing value is taken for `fill`.
///
/// It is linear so that tests can expect exact numbers: with powers of two, no
/// order of operations changes a bit.
pub(crate) fn linear(weights: &[&[f32]], bias: &[f32], fill: &[f32], output: &str) -> Vec<u8> {
    let (columns, width) = (weights.len(), bias.len());
    let graph = GraphProto {
        name: "linear".to_owned(),
        node: vec![
            node("IsNaN", &["columns"], "missing"),
            node("Where", &["missing", "fill", "columns"], "filled"),
            node("MatMul", &["filled", "weights"], "product"),
            node("Add", &["product", "bias"], output),
        ],
        initializer: vec![
            tensor("fill", &[1, columns], fill),
            tensor("weights", &[columns, width], &weights.concat()),
            tensor("bias", &[width], bias),
        ],
        input: vec![value("columns")],
        output: vec![value(output)],
    };
    encode(graph)
}

/// The graph `prediction = factor · columns` of one column, by way of `layers` layers
/// of `width` numbers, each of which is multiplied by all of a square of weights: much
/// to read from memory for one row, and not more for some.
pub(crate) fn deep(width: usize, layers: usize, factor: f32) -> Vec<u8> {
    let mut square = vec![0.0; width * width];
    square
        .iter_mut()
        .step_by(width + 1)
        .for_each(|one| *one = 1.0);
    let mut last = vec![0.0; width];
    last[0] = factor;
    let names: Vec<String> = (0..=layers).map(|layer| format!("layer{layer}")).collect();
    let mut nodes = vec![node("MatMul", &["columns", "first"], &names[0])];
    nodes.extend(
        names
            .windows(2)
            .map(|pair| node("MatMul", &[&pair[0], "square"], &pair[1])),
    );
    nodes.push(node("MatMul", &[&names[layers], "last"], "prediction"));
    encode(GraphProto {
        name: "deep".to_owned(),
        node: nodes,
        initializer: vec![
            tensor("first", &[1, width], &vec![1.0; width]),
            tensor("square", &[width, width], &square),
            tensor("last", &[width, 1], &last),
        ],
        input: vec![value("columns")],
        output: vec![value("prediction")],
    })
}

/// The graph `probabilities = pixels`, `embedding = -pixels` for pictures of one
/// pixel.
pub(crate) fn pixel() -> Vec<u8> {
    encode(pixel_graph())
}

/// As [`pixel()`], in a form of ONNX that is still to come. The built-in engine takes
/// it, ONNX Runtime does not.
pub(crate) fn later_pixel() -> Vec<u8> {
    encode_as(pixel_graph(), 99)
}

/// The graph `prediction = columns` for positive numbers, by an operator that the
/// built-in engine does not have.
pub(crate) fn celu() -> Vec<u8> {
    encode(GraphProto {
        name: "celu".to_owned(),
        node: vec![node("Celu", &["columns"], "prediction")],
        initializer: Vec::new(),
        input: vec![value("columns")],
        output: vec![value("prediction")],
    })
}

fn pixel_graph() -> GraphProto {
    GraphProto {
        name: "pixel".to_owned(),
        node: vec![
            node("Flatten", &["pixels"], "probabilities"),
            node("Neg", &["probabilities"], "embedding"),
        ],
        initializer: Vec::new(),
        input: vec![value("pixels")],
        output: vec![value("probabilities"), value("embedding")],
    }
}

/// The graph of `layers` convolutions of three by three pixels to `depth` numbers each,
/// and their means.
pub(crate) fn convolutions(depth: usize, layers: usize) -> Vec<u8> {
    let names: Vec<String> = (0..=layers).map(|layer| format!("layer{layer}")).collect();
    let convolution = |input: &str, weights: &str, output: &str| NodeProto {
        attribute: [("strides", 2), ("dilations", 2), ("pads", 4)]
            .map(|(name, count)| AttributeProto {
                name: name.to_owned(),
                ints: vec![1; count],
                kind: INTS,
            })
            .into(),
        ..node("Conv", &[input, weights], output)
    };
    let mut nodes = vec![convolution("pixels", "first", &names[0])];
    nodes.extend(
        names
            .windows(2)
            .map(|pair| convolution(&pair[0], "more", &pair[1])),
    );
    nodes.push(node("GlobalAveragePool", &[&names[layers]], "means"));
    nodes.push(node("Flatten", &["means"], "probabilities"));
    let small = |count: usize| -> Vec<f32> {
        let part = |index: usize| f32::from((index % 7) as u8) / 256.0 - 0.01;
        (0..count).map(part).collect()
    };
    encode(GraphProto {
        name: "convolutions".to_owned(),
        node: nodes,
        initializer: vec![
            tensor("first", &[depth, 3, 3, 3], &small(27 * depth)),
            tensor("more", &[depth, depth, 3, 3], &small(9 * depth * depth)),
        ],
        input: vec![value("pixels")],
        output: vec![value("probabilities")],
    })
}

/// The graph that sums the row of `scores` of each token.
pub(crate) fn token_sum(scores: &[&[f32]], width: usize) -> Vec<u8> {
    let axes = TensorProto {
        dims: vec![1],
        data_type: INT64,
        name: "axes".to_owned(),
        raw_data: 1i64.to_le_bytes().to_vec(),
    };
    encode(GraphProto {
        name: "token_sum".to_owned(),
        node: vec![
            node("Gather", &["scores", "input_ids"], "tokens"),
            node("ReduceSum", &["tokens", "axes"], "sum"),
            node("Flatten", &["sum"], "probabilities"),
        ],
        initializer: vec![
            tensor("scores", &[scores.len(), width], &scores.concat()),
            axes,
        ],
        input: vec![typed("input_ids", INT64)],
        output: vec![value("probabilities")],
    })
}

fn encode(graph: GraphProto) -> Vec<u8> {
    encode_as(graph, IR_VERSION)
}

fn encode_as(graph: GraphProto, ir_version: i64) -> Vec<u8> {
    let opset = OperatorSetIdProto {
        domain: String::new(),
        version: OPSET,
    };
    let model = ModelProto {
        ir_version,
        graph: Some(graph),
        opset_import: vec![opset],
    };
    model.encode_to_vec()
}

fn node(op_type: &str, input: &[&str], output: &str) -> NodeProto {
    NodeProto {
        input: input.iter().map(|&name| name.to_owned()).collect(),
        output: vec![output.to_owned()],
        name: format!("{op_type}_{output}"),
        op_type: op_type.to_owned(),
        attribute: Vec::new(),
    }
}

fn tensor(name: &str, shape: &[usize], values: &[f32]) -> TensorProto {
    assert_eq!(shape.iter().product::<usize>(), values.len(), "{name}");
    TensorProto {
        dims: shape.iter().map(|&size| size.try_into().unwrap()).collect(),
        data_type: FLOAT,
        name: name.to_owned(),
        raw_data: values.iter().flat_map(|v| v.to_le_bytes()).collect(),
    }
}

fn value(name: &str) -> ValueInfoProto {
    typed(name, FLOAT)
}

fn typed(name: &str, elem_type: i32) -> ValueInfoProto {
    let tensor_type = Some(TensorTypeProto { elem_type });
    ValueInfoProto {
        name: name.to_owned(),
        r#type: Some(TypeProto { tensor_type }),
    }
}
