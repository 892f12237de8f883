//! The operator's timeline, as observed: what each object, Deployment and pod
//! shows, by the time since the last write.

use std::time::Duration;

use serde_json::{Value, json};

/// How a model version comes up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Behaviour {
    /// Its pod is ready after this many milliseconds.
    Good(u64),
    /// Its pod never is; the operator says Creating for ever.
    NeverReady,
    /// Its pod is waiting with this reason.
    Stuck(&'static str),
    /// The operator finds the content invalid and says Failed.
    Invalid,
    /// The operator says Failed for a short time, then the pod recovers.
    Recovers,
}

/// When the operator takes notice of a write.
pub(crate) const NOTICED: u64 = 80;
/// When the status falls back to a stale Available.
const STALE: u64 = 110;
/// Until when it stays there.
const STALE_END: u64 = 210;
/// When the new pod exists.
pub(crate) const NEW_POD: u64 = 250;
/// After how long, from then on, an old pod is gone.
const OLD_POD_GONE: u64 = 100;
/// While this time of a recovering rollout the operator says Failed.
const FAILED: std::ops::Range<u64> = 300..600;

/// What a rollout shows at one moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Moment {
    pub(crate) state: &'static str,
    pub(crate) ready: bool,
    /// Whether the Deployment has the new template yet.
    pub(crate) new_template: bool,
    /// Whether the Deployment's status is about it.
    pub(crate) observed: bool,
    pub(crate) replicas: u64,
    pub(crate) updated: u64,
    pub(crate) available: u64,
    /// Whether the new pod serves, and whether an old one does.
    pub(crate) new_serves: bool,
    pub(crate) old_serves: bool,
    pub(crate) given_up: bool,
}

/// The moment `elapsed` after the write of one predictor.
pub(crate) fn moment(
    behaviour: Behaviour,
    elapsed: Duration,
    had_old: bool,
    new_pods: bool,
    deadline: Duration,
) -> Moment {
    let at = u64::try_from(elapsed.as_millis()).unwrap();
    let old = u64::from(had_old);
    let ready_at = match behaviour {
        Behaviour::Good(after) => Some(after.max(NEW_POD + 50)),
        Behaviour::Recovers => Some(700),
        _ => None,
    };
    let up = !new_pods || ready_at.is_some_and(|ready| at >= ready);
    let old_gone = !had_old || ready_at.is_some_and(|ready| at >= ready + OLD_POD_GONE);
    let exists = new_pods && at >= NEW_POD && behaviour != Behaviour::Invalid;
    let given_up = exists && ready_at.is_none() && elapsed >= deadline;
    let old_serves = had_old && (!new_pods || !old_gone || !up);
    let state = match (behaviour, at) {
        (_, ..NOTICED) if had_old => "Available",
        (_, ..NOTICED) => "",
        (Behaviour::Invalid, _) => "Failed",
        (_, ..STALE) => "Creating",
        (_, ..STALE_END) if had_old => "Available",
        (Behaviour::Recovers, at) if FAILED.contains(&at) => "Failed",
        _ if up => "Available",
        _ if given_up && !had_old => "Failed",
        _ => "Creating",
    };
    let new = u64::from(exists);
    Moment {
        state,
        ready: state == "Available",
        new_template: new_pods && at >= NOTICED && behaviour != Behaviour::Invalid,
        observed: at >= STALE_END,
        replicas: if new_pods && exists {
            new + u64::from(old_serves)
        } else {
            old
        },
        updated: if new_pods && at >= NOTICED { new } else { old },
        available: u64::from(old_serves) + u64::from(exists && up),
        new_serves: exists && up,
        old_serves,
        given_up,
    }
}

/// The conditions of a Deployment at a moment.
pub(crate) fn deployment_conditions(moment: Moment) -> Value {
    let (status, reason, message) = match moment.given_up {
        true => (
            "False",
            "ProgressDeadlineExceeded",
            "ReplicaSet has timed out progressing.",
        ),
        false => ("True", "ReplicaSetUpdated", "ReplicaSet is progressing."),
    };
    json!([
        {"type": "Available", "status": if moment.available > 0 { "True" } else { "False" },
         "reason": "MinimumReplicasAvailable", "message": "Deployment has minimum availability."},
        {"type": "Progressing", "status": status, "reason": reason, "message": message},
    ])
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The table of observations, row by row.
    #[test]
    fn the_observed_timeline_of_an_update() {
        let at = |ms| {
            let time = Duration::from_millis(ms);
            moment(
                Behaviour::Good(500),
                time,
                true,
                true,
                Duration::from_secs(40),
            )
        };
        let shows = |ms| {
            let moment = at(ms);
            (moment.state, moment.replicas, moment.available)
        };
        assert_eq!(shows(0), ("Available", 1, 1));
        assert_eq!(shows(90), ("Creating", 1, 1));
        assert_eq!(shows(120), ("Available", 1, 1));
        assert_eq!(shows(260), ("Creating", 2, 1));
        assert_eq!(shows(510), ("Available", 2, 2));
        assert_eq!(shows(610), ("Available", 1, 1));
    }

    #[test]
    fn an_update_that_never_gets_ready_is_creating_for_ever() {
        let deadline = Duration::from_secs(1);
        let time = Duration::from_secs(100);
        let update = moment(Behaviour::NeverReady, time, true, true, deadline);
        assert_eq!(
            (update.state, update.replicas, update.available),
            ("Creating", 2, 1)
        );
        assert!(update.given_up && update.old_serves);
        let first = moment(Behaviour::NeverReady, time, false, true, deadline);
        assert_eq!(first.state, "Failed");
    }
}
