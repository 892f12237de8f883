//! Which handler answers which request.

use serde_json::json;
use sha2::{Digest, Sha512};

use crate::reply::Reply;
use crate::world::World;
use crate::{PASSWORD, Request, USER, archive, checkpoints, experiments, registry, trials};

pub(crate) fn route(world: &mut World, request: &Request) -> Reply {
    let segments = request.segments();
    let segments: Vec<&str> = segments.iter().map(String::as_str).collect();
    let method = request.method.as_str();
    let open = matches!(
        (method, segments.as_slice()),
        ("POST", ["api", "v1", "auth", "login"] | ["login"])
            | ("GET", ["api", "v1", "master"] | ["info"])
    );
    let is_api = matches!(segments.as_slice(), ["api", ..]);
    let known = request.token.as_ref().is_some_and(|token| {
        if request.of_allocation {
            return is_api && world.allocations.contains(token);
        }
        world.tokens.contains(token)
    });
    match segments.as_slice() {
        ["api", "v1", rest @ ..] => {
            // The gateway takes what follows a colon there for a verb.
            if rest.last().is_some_and(|last| last.contains(':')) {
                return Reply::refuse(12, "Not Implemented");
            }
            if !open && !known {
                return Reply::refuse(16, "invalid credentials");
            }
            api(world, request, method, rest)
        }
        ["login"] if method == "POST" => old_login(world, request),
        _ if !open && !known => Reply::plain(401, "unauthorized"),
        ["checkpoints", uuid] if method == "GET" => archive::download(world, request, uuid),
        ["users", "me"] => Reply::ok(World::user()),
        ["task-logs"] => Reply::ok(json!("")),
        _ => Reply::plain(404, "Not Found"),
    }
}

fn api(world: &mut World, request: &Request, method: &str, path: &[&str]) -> Reply {
    match (method, path) {
        ("POST", ["auth", "login"]) => login(world, request),
        ("POST", ["auth", "logout"]) => {
            world.tokens.retain(|t| Some(t) != request.token.as_ref());
            Reply::empty()
        }
        ("GET", ["me"]) => Reply::ok(json!({ "user": World::user() })),
        ("GET", ["master"]) => master(),
        (_, ["experiments", rest @ ..]) => experiments::route(world, request, method, rest),
        (_, ["models", rest @ ..]) => registry::route(world, request, method, rest),
        ("GET", ["checkpoints", uuid]) => match world.checkpoint(uuid) {
            Some(found) => Reply::ok(json!({"checkpoint": checkpoints::describe(world, found)})),
            None => Reply::not_found("checkpoint", uuid),
        },
        (
            _,
            [
                "trials" | "runs" | "checkpoints" | "allocations" | "task",
                ..,
            ],
        ) => trials::route(world, request, method, path),
        _ => Reply::refuse(12, "Not Implemented"),
    }
}

/// The hash that clients send, made here from the description of it: hexadecimal
/// SHA-512 of the fixed salt and the password.
fn hash(password: &str) -> String {
    let digest = Sha512::digest(format!("GubPEmmotfiK9TMD6Zdw{password}"));
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}

pub(crate) fn new_token(world: &mut World) -> String {
    world.logins += 1;
    let token = format!("v2.public.mock-token-{}", world.logins);
    world.tokens.insert(token.clone());
    token
}

fn login(world: &mut World, request: &Request) -> Reply {
    let is_hashed = request.field("isHashed").as_bool().unwrap_or(false);
    let expected = if is_hashed {
        hash(PASSWORD)
    } else {
        PASSWORD.to_owned()
    };
    if request.field("username") != USER || *request.field("password") != *expected {
        return Reply::refuse(16, "invalid credentials");
    }
    Reply::ok(json!({"token": new_token(world), "user": World::user()}))
}

fn old_login(world: &mut World, request: &Request) -> Reply {
    if request.field("username") != USER || *request.field("password") != *hash(PASSWORD) {
        return Reply::plain(403, "invalid credentials");
    }
    Reply::ok(json!({"token": new_token(world)}))
}

fn master() -> Reply {
    Reply::ok(json!({
        "version": "0.38.1", "masterId": "m", "clusterId": "c", "clusterName": "mock",
        "telemetryEnabled": false, "ssoProviders": [], "externalLoginUri": "",
        "externalLogoutUri": "", "branding": "determined", "rbacEnabled": false,
        "product": "PRODUCT_UNSPECIFIED", "featureSwitches": [], "userManagementEnabled": true,
        "strictJobQueueControl": false, "hasCustomLogo": false, "clusterMessage": null,
    }))
}
