//! What an object promises: by which signs its rollout is recognised.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::json::{items, named, text};

/// The kinds of object that are rolled out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// `machinelearning.seldon.io/v1` SeldonDeployment.
    SeldonDeployment,
    /// `serving.kserve.io/v1beta1` InferenceService.
    InferenceService,
}

/// The signs of one object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Expected {
    /// The kind of the object.
    pub kind: Kind,
    /// Its name.
    pub name: String,
    /// The protocol that its service speaks, `seldon` or `v2`.
    pub protocol: String,
    /// The predictors; an InferenceService has one without a name.
    pub predictors: Vec<Predictor>,
}

/// One predictor of an object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Predictor {
    /// Its name.
    pub name: String,
    /// The container of the model server.
    pub container: String,
    /// That container's image.
    pub image: String,
    /// The variables that the object gives that container, without those that
    /// come from elsewhere.
    pub env: BTreeMap<String, String>,
    /// The model version, where the object states it.
    pub version: Option<String>,
}

impl Expected {
    /// Reads the signs from `object`, be it ours or somebody else's.
    pub fn of(object: &Value) -> Self {
        let kind = match text(object, "/kind") {
            "InferenceService" => Kind::InferenceService,
            _ => Kind::SeldonDeployment,
        };
        let (protocol, predictors) = match kind {
            Kind::InferenceService => ("v2", vec![kserve_predictor(object)]),
            Kind::SeldonDeployment => {
                let predictors = items(object, "/spec/predictors");
                let protocol = match text(object, "/spec/protocol") {
                    "v2" | "kfserving" => "v2",
                    _ => "seldon",
                };
                (protocol, predictors.iter().map(seldon_predictor).collect())
            }
        };
        Self {
            kind,
            name: text(object, "/metadata/name").to_owned(),
            protocol: protocol.to_owned(),
            predictors,
        }
    }

    /// The predictor that takes the traffic, when there is only one.
    pub fn only_predictor(&self) -> Option<&Predictor> {
        match self.predictors.as_slice() {
            [only] => Some(only),
            _ => None,
        }
    }
}

fn seldon_predictor(predictor: &Value) -> Predictor {
    let container = text(predictor, "/graph/name");
    let spec = items(predictor, "/componentSpecs")
        .iter()
        .find_map(|component| named(component, "/spec/containers", container))
        .unwrap_or(&Value::Null);
    let parameters = items(predictor, "/graph/parameters").iter();
    let version = parameters
        .filter(|parameter| text(parameter, "/name") == "model_version")
        .map(|parameter| text(parameter, "/value").to_owned())
        .next();
    Predictor {
        name: text(predictor, "/name").to_owned(),
        container: container.to_owned(),
        image: text(spec, "/image").to_owned(),
        env: environment(spec),
        version,
    }
}

fn kserve_predictor(object: &Value) -> Predictor {
    let containers = items(object, "/spec/predictor/containers");
    let spec = containers.first().unwrap_or(&Value::Null);
    let annotations = object.pointer("/metadata/annotations");
    let version = annotations
        .and_then(|all| all.get("model/version"))
        .and_then(Value::as_str);
    Predictor {
        name: String::new(),
        container: text(spec, "/name").to_owned(),
        image: text(spec, "/image").to_owned(),
        env: environment(spec),
        version: version.map(str::to_owned),
    }
}

/// The variables of a container that have a plain value.
pub(super) fn environment(container: &Value) -> BTreeMap<String, String> {
    let plain = |variable: &Value| {
        let value = variable.get("value")?.as_str()?;
        Some((text(variable, "/name").to_owned(), value.to_owned()))
    };
    items(container, "/env").iter().filter_map(plain).collect()
}
