//! One graph out of a backbone and a head.

use std::collections::BTreeSet;

use crate::builder::value_info;
use crate::proto::{DimensionProto, GraphProto, ModelProto, NodeProto, ValueInfoProto};
use crate::{Dim, ElementType};

/// Operators that mean the same in every default operator set from
/// [`OLDEST_OPSET`] on when they are given two-dimensional tensors, and so may
/// stand in a head whatever the backbone was written in.
const HEAD_OPERATORS: [&str; 10] = [
    "Add", "Div", "Exp", "Gemm", "Identity", "MatMul", "Mul", "Relu", "Softmax", "Sub",
];

/// The oldest default operator set of a backbone that is accepted.
const OLDEST_OPSET: i64 = 11;

/// Why two graphs cannot be joined.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum JoinError {
    /// One of the two holds no graph.
    #[error("the {0} holds no graph")]
    NoGraph(&'static str),
    /// The backbone has no output of this name.
    #[error("the backbone has no output {wanted:?}; it has {found}")]
    NoOutput {
        /// The name asked for.
        wanted: String,
        /// The names there are.
        found: String,
    },
    /// The output cannot be what the head takes.
    #[error(
        "the backbone's output {name:?} has the shape [{shape}], expected two dimensions of 32-bit floats"
    )]
    Shape {
        /// The output's name.
        name: String,
        /// Its dimensions.
        shape: String,
    },
    /// The head does not have exactly one input.
    #[error("the head has {0} inputs, expected 1")]
    HeadInputs(usize),
    /// The head uses an operator whose meaning depends on the operator set.
    #[error("the head uses the operator {0:?}, which not every operator set knows alike")]
    HeadOperator(String),
    /// The backbone is too old.
    #[error(
        "the backbone is written in operator set {0}, expected at least {OLDEST_OPSET}: convert it with onnx.version_converter"
    )]
    Opset(i64),
    /// Both graphs use the same name.
    #[error("the backbone and the head both use the name {0:?}: rename it in the backbone")]
    Collision(String),
}

/// Puts `head` on the `output` of `backbone`.
///
/// The joined graph takes what the backbone takes. It gives what the head gives,
/// and after that the value between the two, under the name of the head's input; or the
/// backbone's output `shown`, under its own name.
///
/// # Errors
///
/// When `output` is not an output of the backbone with two dimensions of 32-bit
/// floats, a name stands in both graphs, the backbone's operator set is older
/// than 11, or the head has other than one input or an operator that changed
/// between operator sets.
pub fn join(
    backbone: ModelProto,
    output: &str,
    head: ModelProto,
    shown: Option<&str>,
) -> Result<ModelProto, JoinError> {
    let mut joined = backbone;
    let opset = joined.opset_import.iter().find(|o| o.domain.is_empty());
    let version = opset.map_or(0, |o| o.version);
    if version < OLDEST_OPSET {
        return Err(JoinError::Opset(version));
    }
    let graph = joined
        .graph
        .as_mut()
        .ok_or(JoinError::NoGraph("backbone"))?;
    let head = head.graph.ok_or(JoinError::NoGraph("head"))?;
    let between = take_output(graph, output)?;
    let shown = shown.map(|name| take_output(graph, name)).transpose()?;
    let wanted = head_input(&head)?;
    refuse_collisions(graph, &head, output, &wanted)?;
    graph.output = head.output;
    if wanted != output {
        graph.node.push(identity(output, &wanted));
    }
    graph.output.push(shown.unwrap_or(ValueInfoProto {
        name: wanted,
        ..between
    }));
    graph.node.extend(head.node);
    graph.initializer.extend(head.initializer);
    Ok(joined)
}

fn take_output(graph: &GraphProto, name: &str) -> Result<ValueInfoProto, JoinError> {
    let found = graph.output.iter().find(|value| value.name == name);
    let value = found.ok_or_else(|| JoinError::NoOutput {
        wanted: name.to_owned(),
        found: names(&graph.output),
    })?;
    let tensor = value.r#type.as_ref().and_then(|t| t.tensor_type.as_ref());
    let dims = tensor.and_then(|t| t.shape.as_ref()).map(|s| &s.dim[..]);
    let float = tensor.is_some_and(|t| t.elem_type == ElementType::F32 as i32);
    match dims {
        Some([_, _]) if float => Ok(value.clone()),
        // An output of unknown rank is taken at its word: the runtime will tell.
        None if float => Ok(value_info(
            name,
            ElementType::F32,
            &[Dim::Any("batch"), Dim::Any("embedding")],
        )),
        _ => Err(JoinError::Shape {
            name: name.to_owned(),
            shape: describe(dims.unwrap_or_default()),
        }),
    }
}

fn head_input(head: &GraphProto) -> Result<String, JoinError> {
    let known = |node: &&NodeProto| {
        node.domain.is_empty() && HEAD_OPERATORS.contains(&node.op_type.as_str())
    };
    if let Some(node) = head.node.iter().find(|node| !known(node)) {
        return Err(JoinError::HeadOperator(node.op_type.clone()));
    }
    match &head.input[..] {
        [input] => Ok(input.name.clone()),
        inputs => Err(JoinError::HeadInputs(inputs.len())),
    }
}

fn refuse_collisions(
    backbone: &GraphProto,
    head: &GraphProto,
    output: &str,
    wanted: &str,
) -> Result<(), JoinError> {
    let mut taken = BTreeSet::new();
    collect(backbone, &mut taken);
    let mut new = BTreeSet::new();
    collect(head, &mut new);
    if wanted == output {
        new.remove(wanted);
    }
    match taken.intersection(&new).next() {
        Some(name) => Err(JoinError::Collision((*name).to_owned())),
        None => Ok(()),
    }
}

/// Every name of a value or node in `graph` and in the bodies of its nodes.
fn collect<'a>(graph: &'a GraphProto, names: &mut BTreeSet<&'a str>) {
    let values = graph.input.iter().chain(&graph.output);
    names.extend(values.map(|value| value.name.as_str()));
    names.extend(graph.initializer.iter().map(|tensor| tensor.name.as_str()));
    for node in &graph.node {
        names.extend(node.output.iter().map(String::as_str));
        names.insert(&node.name);
        for attribute in &node.attribute {
            let bodies = attribute.g.as_deref().into_iter();
            bodies
                .chain(&attribute.graphs)
                .for_each(|body| collect(body, names));
        }
    }
    // An unnamed node or a left-out optional output.
    names.remove("");
}

fn identity(from: &str, to: &str) -> NodeProto {
    NodeProto {
        input: vec![from.to_owned()],
        output: vec![to.to_owned()],
        name: format!("{to}.node"),
        op_type: "Identity".to_owned(),
        ..NodeProto::default()
    }
}

fn names(values: &[ValueInfoProto]) -> String {
    let names: Vec<String> = values.iter().map(|v| format!("{:?}", v.name)).collect();
    names.join(", ")
}

fn describe(dims: &[DimensionProto]) -> String {
    let dims: Vec<String> = dims.iter().map(ToString::to_string).collect();
    dims.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::GraphBuilder;

    const SHAPE: [Dim<'_>; 2] = [Dim::Any("batch"), Dim::Fixed(2)];

    fn twice(prefix: &str, input: &str, output: &str) -> ModelProto {
        let mut graph = GraphBuilder::new("twice", prefix);
        let x = graph.input(input, ElementType::F32, &SHAPE);
        let two = graph.f32s("two", &[], &[2.0]);
        let y = graph.node("Mul", &[&x, &two], vec![]);
        graph.output(&y, output, ElementType::F32, &SHAPE);
        graph.finish("test", "1")
    }

    fn outputs(model: &ModelProto) -> Vec<&str> {
        let graph = model.graph.as_ref().unwrap();
        graph.output.iter().map(|v| v.name.as_str()).collect()
    }

    #[test]
    fn the_value_between_becomes_the_last_output() {
        let head = || twice("head.", "embedding", "probabilities");
        for between in ["embedding", "features"] {
            let joined = join(twice("", "pixels", between), between, head(), None).unwrap();
            assert_eq!(outputs(&joined), ["probabilities", "embedding"]);
            let graph = joined.graph.unwrap();
            assert_eq!(names(&graph.input), "\"pixels\"");
            assert_eq!(graph.initializer.len(), 2);
        }
    }

    #[test]
    fn another_output_of_the_backbone_may_be_shown() {
        let mut backbone = twice("", "pixels", "embedding");
        let graph = backbone.graph.as_mut().unwrap();
        graph
            .output
            .push(value_info("features", ElementType::F32, &SHAPE));
        graph.node.push(identity("embedding", "features"));
        let head = twice("head.", "features", "probabilities");
        let joined = join(backbone, "features", head, Some("embedding")).unwrap();
        assert_eq!(outputs(&joined), ["probabilities", "embedding"]);
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        let head = || twice("head.", "embedding", "probabilities");
        let error = |backbone, output: &str, head| join(backbone, output, head, None).unwrap_err();
        let missing = error(twice("", "pixels", "features"), "logits", head());
        assert!(missing.to_string().contains("it has \"features\""));
        let same = error(twice("head.", "x", "embedding"), "embedding", head());
        assert_eq!(same, JoinError::Collision("head.Mul_0".to_owned()));
        let inner = error(twice("", "embedding", "features"), "features", head());
        assert_eq!(inner, JoinError::Collision("embedding".to_owned()));
        let mut old = twice("", "x", "embedding");
        old.opset_import[0].version = 9;
        assert_eq!(error(old, "embedding", head()), JoinError::Opset(9));
        let mut odd = head();
        odd.graph.as_mut().unwrap().node[0].op_type = "ReduceMean".to_owned();
        let odd = error(twice("", "x", "embedding"), "embedding", odd);
        assert_eq!(odd, JoinError::HeadOperator("ReduceMean".to_owned()));
        let mut long = twice("", "x", "embedding");
        let shape = &mut long.graph.as_mut().unwrap().output[0].r#type;
        let tensor = shape.as_mut().unwrap().tensor_type.as_mut().unwrap();
        tensor
            .shape
            .as_mut()
            .unwrap()
            .dim
            .push(DimensionProto::default());
        let long = error(long, "embedding", head());
        assert!(long.to_string().contains("[batch, 2, ?]"), "{long}");
    }
}
