//! What `/metadata` tells about the model.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::described;
use crate::models::Echo;
use crate::predict::{Predictor, Takes};

/// The six keys of Seldon's model metadata.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Metadata {
    name: String,
    versions: Vec<String>,
    platform: String,
    inputs: Vec<Value>,
    outputs: Vec<Value>,
    custom: BTreeMap<String, String>,
}

/// `MODEL_METADATA`: keys that replace those of the model.
///
/// `versions` and the values of `custom` are texts even where they look like
/// numbers: the pipelines write them without quotes.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Overrides {
    name: Option<String>,
    versions: Option<Vec<String>>,
    platform: Option<String>,
    inputs: Option<Vec<Value>>,
    outputs: Option<Vec<Value>>,
    custom: Option<BTreeMap<String, String>>,
}

impl Overrides {
    /// Reads the YAML of `MODEL_METADATA`.
    ///
    /// # Errors
    ///
    /// When it is not YAML, has a key that is none of the six, or one of another
    /// type; when an input or output is described in another way than Seldon's.
    pub(crate) fn parse(yaml: &str) -> Result<Self, String> {
        let overrides: Self = serde_saphyr::from_str(yaml).map_err(|e| e.to_string())?;
        let (inputs, outputs) = (&overrides.inputs, &overrides.outputs);
        for (key, described) in [("inputs", inputs), ("outputs", outputs)] {
            for (index, value) in described.iter().flatten().enumerate() {
                described::check(value)
                    .map_err(|error| format!("{key}, entry {}: {error}", index + 1))?;
            }
        }
        Ok(overrides)
    }
}

impl Metadata {
    /// The metadata of the conformance model, with `overrides` over it.
    pub(crate) fn echo(overrides: Overrides) -> Self {
        let array = |schema: Value| vec![json!({"messagetype": "ndarray", "schema": schema})];
        Self {
            name: Echo::NAME.to_owned(),
            versions: vec![Echo::VERSION.to_owned()],
            platform: "seldon".to_owned(),
            inputs: array(json!({"names": ["a", "b"], "shape": [-1, 2]})),
            outputs: array(json!({"shape": [-1, 2]})),
            custom: BTreeMap::from([("author".to_owned(), "peer".to_owned())]),
        }
        .with(overrides)
    }

    /// The metadata of `predictor` with `notes` beside its digest, and `overrides`
    /// over it.
    pub(crate) fn new(
        predictor: &Predictor,
        notes: BTreeMap<String, String>,
        overrides: Overrides,
    ) -> Self {
        let names = match predictor.labels.as_slice() {
            [] => std::slice::from_ref(&predictor.target),
            labels => labels,
        };
        let array = |names: Value, width: usize| {
            let schema = json!({"names": names, "shape": [-1, width]});
            json!({"messagetype": "ndarray", "schema": schema})
        };
        let input = match &predictor.takes {
            Takes::Table(table) => {
                let columns: Vec<&str> = table.columns.iter().map(|c| c.name.as_str()).collect();
                array(json!(columns), columns.len())
            }
            Takes::Pictures(_) => json!({"messagetype": "binData", "schema": {
                "contentMediaType": "image/*", "tensor": {"shape": [-1, -1, 3]}
            }}),
            Takes::Texts(_) => json!({"messagetype": "strData", "schema": {"type": "string"}}),
        };
        let output = array(json!(names), names.len());
        let mut custom = notes;
        custom.insert("digest".to_owned(), predictor.digest.to_string());
        Self {
            name: predictor.name.clone(),
            versions: vec![predictor.version.clone()],
            platform: "onnx".to_owned(),
            inputs: vec![input],
            outputs: vec![output],
            custom,
        }
        .with(overrides)
    }

    /// The model's name.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// What else is known, the package's digest with it.
    pub(crate) fn custom(&self) -> &BTreeMap<String, String> {
        &self.custom
    }

    fn with(self, overrides: Overrides) -> Self {
        Self {
            name: overrides.name.unwrap_or(self.name),
            versions: overrides.versions.unwrap_or(self.versions),
            platform: overrides.platform.unwrap_or(self.platform),
            inputs: overrides.inputs.unwrap_or(self.inputs),
            outputs: overrides.outputs.unwrap_or(self.outputs),
            custom: overrides.custom.unwrap_or(self.custom),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_without_quotes_stay_texts() {
        for (yaml, version) in [
            ("versions: [ 2c0d5a ]", "2c0d5a"),
            ("versions: [ 20260101 ]", "20260101"),
            ("versions: [ 1e5 ]", "1e5"),
            (r#"{"versions": ["007"]}"#, "007"),
        ] {
            let overrides = Overrides::parse(yaml).unwrap();
            assert_eq!(overrides.versions, Some(vec![version.to_owned()]), "{yaml}");
        }
        let yaml = "name: iris\ncustom:\n  author: me\n  year: 2026";
        let custom = Overrides::parse(yaml).unwrap().custom.unwrap();
        assert_eq!(custom.get("year").map(String::as_str), Some("2026"));
    }

    #[test]
    fn inputs_that_nobody_could_read_are_refused() {
        for (yaml, part) in [
            ("inputs: [5]", "inputs, entry 1: "),
            ("inputs: [[a, FP32, [1]]]", "expected an object"),
            ("outputs: [{}]", "outputs, entry 1: "),
            ("inputs: [{messagetype: nonsense}]", "nonsense"),
            (
                "inputs: [{messagetype: ndarray, schema: {shape: [x]}}]",
                "shape",
            ),
            (
                "inputs: [{messagetype: tensor, schema: {names: [[a]]}}]",
                "names",
            ),
            ("inputs: [{messagetype: tensor, schema: 5}]", "schema"),
            (
                "inputs: [{messagetype: other}, {name: a, datatype: FP32, shape: [x]}]",
                "inputs, entry 2: ",
            ),
            ("inputs: [{name: a, datatype: FP32}]", "shape"),
            ("inputs: [{name: a, datatype: F32, shape: [1]}]", "F32"),
            (
                "inputs: [{name: a, datatype: FP32, shape: [1], size: 1}]",
                "size",
            ),
        ] {
            let error = Overrides::parse(yaml).unwrap_err();
            assert!(error.contains(part), "{yaml}: {error}");
        }
        for yaml in [
            "inputs: [{name: a, datatype: FP32, shape: [-1, 4]}]",
            "inputs: [{messagetype: ndarray, schema: {names: [a, b], shape: [-1, 2]}}]",
            "outputs: [{messagetype: jsonData, schema: {type: object, shape: x}}]",
            "inputs: [{messagetype: strData}, {messagetype: binData}]",
        ] {
            assert!(Overrides::parse(yaml).is_ok(), "{yaml}");
        }
    }

    #[test]
    fn other_keys_are_refused() {
        let error = Overrides::parse("author: me").unwrap_err();
        assert!(error.contains("author"), "{error}");
    }
}
