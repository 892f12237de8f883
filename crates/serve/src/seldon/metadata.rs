//! What `/metadata` tells about the model.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::predict::Predictor;

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
    /// type.
    pub(crate) fn parse(yaml: &str) -> Result<Self, String> {
        serde_saphyr::from_str(yaml).map_err(|e| e.to_string())
    }
}

impl Metadata {
    /// The metadata of `predictor`, with `overrides` over it.
    pub(crate) fn new(predictor: &Predictor, overrides: Overrides) -> Self {
        let columns: Vec<&str> = predictor
            .table
            .columns
            .iter()
            .map(|column| column.name.as_str())
            .collect();
        let names = match predictor.labels.as_slice() {
            [] => std::slice::from_ref(&predictor.target),
            labels => labels,
        };
        let array = |names: Value, width: usize| {
            let schema = json!({"names": names, "shape": [-1, width]});
            json!({"messagetype": "ndarray", "schema": schema})
        };
        let input = array(json!(columns), columns.len());
        let output = array(json!(names), names.len());
        let digest = predictor.digest.to_string();
        let custom = BTreeMap::from([("digest".to_owned(), digest)]);
        Self {
            name: overrides.name.unwrap_or_else(|| predictor.name.clone()),
            versions: overrides
                .versions
                .unwrap_or_else(|| vec![predictor.version.clone()]),
            platform: overrides.platform.unwrap_or_else(|| "onnx".to_owned()),
            inputs: overrides.inputs.unwrap_or_else(|| vec![input]),
            outputs: overrides.outputs.unwrap_or_else(|| vec![output]),
            custom: overrides.custom.unwrap_or(custom),
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
    fn other_keys_are_refused() {
        let error = Overrides::parse("author: me").unwrap_err();
        assert!(error.contains("author"), "{error}");
    }
}
