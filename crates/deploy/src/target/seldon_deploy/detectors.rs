//! Detectors: there is no update, so one that differs is deleted and made anew.

use reqwest::Method;
use serde_json::Value;

use super::SeldonDeploy;
use crate::json::text;
use crate::target::TargetError;
use crate::wanted::Detector;

/// What was done about a detector.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum DetectorChange {
    /// It was as wanted.
    Unchanged,
    /// There was none.
    Created,
    /// It differed.
    Replaced,
}

impl SeldonDeploy {
    /// Makes the detector as wanted.
    ///
    /// # Errors
    ///
    /// When a call fails. The next run finishes what this one has begun.
    pub async fn ensure(&self, detector: &Detector) -> Result<DetectorChange, TargetError> {
        let word = detector.kind.word();
        let name = text(&detector.body, "/name");
        let all = format!("{}/monitor/{word}-detector", self.path());
        let one = format!("{all}/{name}");
        let action = |verb: &str| format!("{verb} the {word} detector of {name}");
        let read = self
            .api
            .call(&action("read"), Method::GET, &one, None)
            .await;
        let change = match read {
            Ok(live) if includes(&live, &detector.body) => return Ok(DetectorChange::Unchanged),
            Ok(_) => {
                let deleted = self
                    .api
                    .call(&action("delete"), Method::DELETE, &one, None)
                    .await;
                match deleted {
                    Ok(_) | Err(TargetError::Gone(_)) => DetectorChange::Replaced,
                    Err(error) => return Err(error),
                }
            }
            Err(TargetError::Gone(_)) => DetectorChange::Created,
            Err(error) => return Err(error),
        };
        let body = Some(&detector.body);
        self.api
            .call(&action("create"), Method::POST, &all, body)
            .await?;
        Ok(change)
    }
}

/// Whether every field that we set is there with our value; others are the
/// platform's own.
fn includes(live: &Value, wanted: &Value) -> bool {
    match (live, wanted) {
        (Value::Object(live), Value::Object(wanted)) => wanted
            .iter()
            .all(|(key, value)| live.get(key).is_some_and(|live| includes(live, value))),
        (live, wanted) => live == wanted,
    }
}
