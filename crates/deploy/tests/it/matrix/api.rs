//! What can go wrong between deploy and an API.

use axum::http::Method;

use super::faults::{fault, rule};
use super::{BACK, Fault, NEVER, UP, UP_BUT};
use crate::stub::Answer;
use crate::support::scene::Scene;

/// Reads of the object, which kubernetes paths and the platform's share.
const OBJECT: &str = "s/iris?";

fn write_method(scene: &Scene) -> Method {
    match scene.target {
        "seldon-deploy" => Method::PUT,
        _ => Method::PATCH,
    }
}

#[expect(clippy::too_many_lines, reason = "a table: an entry for each fault")]
pub(super) fn of_the_api() -> Vec<Fault> {
    vec![
        fault(
            "webhook down",
            |s| {
                let answer = Answer::Status(500, "Internal error occurred: failed calling webhook");
                let method = write_method(s);
                rule(s, method, OBJECT, 0, NEVER, answer);
            },
            [BACK, BACK, BACK, None],
        ),
        fault(
            "webhook down for two calls",
            |s| {
                let answer = Answer::Status(500, "Internal error occurred: failed calling webhook");
                let method = write_method(s);
                rule(s, method, OBJECT, 0, 2, answer);
            },
            [UP, UP, UP, None],
        ),
        fault(
            "write refused",
            |s| {
                let method = write_method(s);
                rule(
                    s,
                    method,
                    OBJECT,
                    0,
                    NEVER,
                    Answer::Status(403, "forbidden"),
                );
            },
            [BACK, BACK, BACK, None],
        ),
        fault(
            "write done, answer lost",
            |s| {
                let method = write_method(s);
                let dry_runs = u32::from(s.target != "seldon-deploy");
                rule(s, method, OBJECT, dry_runs, 1, Answer::Lost);
            },
            [UP, UP, UP, None],
        ),
        fault(
            "stale version, 409 once",
            |s| {
                rule(
                    s,
                    Method::PUT,
                    OBJECT,
                    0,
                    1,
                    Answer::Status(409, "the object has been modified"),
                )
            },
            [None, UP, None, None],
        ),
        fault(
            "another manager's field, 409",
            |s| {
                let key = s.key();
                let mut world = s.stub.world();
                world.objects.get_mut(key).unwrap().manager = "kubectl".to_owned();
            },
            [BACK, None, BACK, None],
        ),
        fault(
            "errors while waiting",
            |s| {
                rule(
                    s,
                    Method::GET,
                    OBJECT,
                    3,
                    4,
                    Answer::Status(500, "etcdserver: request timed out"),
                )
            },
            [UP, UP, UP, None],
        ),
        fault(
            "breaks while waiting",
            |s| rule(s, Method::GET, OBJECT, 3, 4, Answer::Break),
            [UP, UP, UP, None],
        ),
        fault(
            "watch breaks",
            |s| rule(s, Method::GET, "watch=", 0, NEVER, Answer::Break),
            [UP, None, UP, None],
        ),
        fault(
            "gone for good while waiting",
            |s| rule(s, Method::GET, OBJECT, 4, NEVER, Answer::Break),
            [BACK, UP_BUT, BACK, None],
        ),
        fault(
            "Deployments are not readable",
            |s| s.stub.world().evidence_allowed = false,
            [UP, None, UP, None],
        ),
        fault(
            "unreachable",
            |s| rule(s, Method::GET, "/", 0, NEVER, Answer::Break),
            [BACK, BACK, BACK, None],
        ),
    ]
}
