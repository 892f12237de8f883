//! Options that hold several values in one text.

use std::collections::BTreeMap;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// Labels, annotations or selectors: `KEY=VALUE,KEY=VALUE` as a flag, a map in
/// YAML.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Pairs(pub BTreeMap<String, String>);

/// What pods put up with on a node: `KEY[=VALUE][:EFFECT],…` as a flag, the list
/// of Kubernetes in YAML.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Tolerations(pub Vec<Toleration>);

/// One toleration, in the words of Kubernetes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Toleration {
    /// The taint's key; absent: every taint.
    pub key: Option<String>,
    /// `Exists` or `Equal`.
    pub operator: Option<String>,
    /// The taint's value.
    pub value: Option<String>,
    /// `NoSchedule`, `PreferNoSchedule` or `NoExecute`; absent: all.
    pub effect: Option<String>,
    /// Seconds that a pod stays under `NoExecute`.
    pub toleration_seconds: Option<i64>,
}

/// The protocol of the deployment's clients.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Protocol {
    /// Seldon's own, `/api/v1.0/predictions`
    Seldon,
    /// The Open Inference Protocol, `/v2/models/…/infer`
    V2,
}

impl FromStr for Pairs {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let pair = |pair: &str| match pair.split_once('=') {
            Some((key, value)) if !key.is_empty() => Ok((key.to_owned(), value.to_owned())),
            _ => Err(format!("{pair:?} is not KEY=VALUE")),
        };
        text.split(',')
            .map(pair)
            .collect::<Result<_, _>>()
            .map(Self)
    }
}

impl FromStr for Tolerations {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        text.split(',')
            .map(toleration)
            .collect::<Result<_, _>>()
            .map(Self)
    }
}

fn toleration(text: &str) -> Result<Toleration, String> {
    const EFFECTS: [&str; 3] = ["NoSchedule", "PreferNoSchedule", "NoExecute"];
    let (taint, effect) = match text.split_once(':') {
        Some((taint, effect)) if EFFECTS.contains(&effect) => (taint, Some(effect)),
        Some((_, effect)) => {
            let effects = EFFECTS.join(", ");
            return Err(format!("{effect:?} in {text:?} is none of {effects}"));
        }
        None => (text, None),
    };
    let (key, value) = match taint.split_once('=') {
        Some((key, value)) => (key, Some(value)),
        None => (taint, None),
    };
    if key.is_empty() {
        return Err(format!("{text:?} is not KEY[=VALUE][:EFFECT]"));
    }
    let operator = if value.is_some() { "Equal" } else { "Exists" };
    Ok(Toleration {
        key: Some(key.to_owned()),
        operator: Some(operator.to_owned()),
        value: value.map(str::to_owned),
        effect: effect.map(str::to_owned),
        toleration_seconds: None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pairs() {
        let pairs: Pairs = "a=b,c=d=e,f=".parse().unwrap();
        let expected = [("a", "b"), ("c", "d=e"), ("f", "")];
        let expected = expected.map(|(k, v)| (k.to_owned(), v.to_owned()));
        assert_eq!(pairs.0, BTreeMap::from(expected));
        assert_eq!("a".parse::<Pairs>().unwrap_err(), "\"a\" is not KEY=VALUE");
        assert!("=b".parse::<Pairs>().is_err());
    }

    #[test]
    fn tolerations() {
        let all: Tolerations = "gpu=true:NoSchedule,spot".parse().unwrap();
        let [gpu, spot] = &all.0[..] else { panic!() };
        assert_eq!(gpu.operator.as_deref(), Some("Equal"));
        assert_eq!(gpu.effect.as_deref(), Some("NoSchedule"));
        assert_eq!(spot.operator.as_deref(), Some("Exists"));
        assert!(
            "gpu:Sometimes"
                .parse::<Tolerations>()
                .unwrap_err()
                .contains("NoExecute")
        );
        assert!(":NoExecute".parse::<Tolerations>().is_err());
    }
}
