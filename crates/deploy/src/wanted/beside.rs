//! A new version beside the one that serves.

use serde_json::{Value, json};

use crate::json::{items, set, text};

/// What a new version does beside the old one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// It answers this share of the requests, in percent.
    Canary(u8),
    /// It gets a copy of the requests, and its answers are dropped.
    Shadow,
}

/// Why a version cannot run beside another.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BesideError {
    /// There is no other.
    #[error("there is no version yet that a {0} could run beside: deploy one without it first")]
    NothingLive(&'static str),
    /// The other is not one that can be split.
    #[error("the live deployment has {0} predictors; a {1} can run beside one")]
    Predictors(usize, &'static str),
}

impl Role {
    /// The word for it, which also names its predictor.
    pub fn word(self) -> &'static str {
        match self {
            Self::Canary(_) => "canary",
            Self::Shadow => "shadow",
        }
    }
}

/// The object of the new version with the live predictor kept as it is, but for
/// its share of the traffic: its pods go on.
///
/// # Errors
///
/// When there is no live object, or it has not one predictor that takes all
/// traffic.
pub fn beside(live: Option<&Value>, new: &Value, role: Role) -> Result<Value, BesideError> {
    let live = live.ok_or(BesideError::NothingLive(role.word()))?;
    // A run that was killed may have left its own predictor, which is replaced.
    let kept: Vec<&Value> = items(live, "/spec/predictors")
        .iter()
        .filter(|predictor| text(predictor, "/name") != role.word())
        .collect();
    let [serving] = kept.as_slice() else {
        return Err(BesideError::Predictors(kept.len(), role.word()));
    };
    let mut serving = (*serving).clone();
    let newest = items(new, "/spec/predictors").first();
    let mut newest = newest.cloned().unwrap_or_default();
    set(&mut newest, "", "name", json!(role.word()));
    let (kept_share, new_share) = match role {
        Role::Canary(percent) => (100_u8.saturating_sub(percent), percent),
        Role::Shadow => (100, 100),
    };
    set(&mut serving, "", "traffic", json!(kept_share));
    set(&mut newest, "", "traffic", json!(new_share));
    if role == Role::Shadow {
        set(&mut newest, "", "shadow", json!(true));
    }
    let mut object = new.clone();
    set(&mut object, "/spec", "predictors", json!([serving, newest]));
    Ok(object)
}
