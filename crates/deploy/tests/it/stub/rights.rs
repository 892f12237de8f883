//! What the service account of deploy may do: the manifest in `pipelines/`, read
//! as the API server's authoriser reads it.

use std::collections::BTreeSet;
use std::sync::OnceLock;

use serde_json::Value;

use super::Call;

const MANIFEST: &str = include_str!("../../../../../pipelines/deploy-rbac.yaml");

/// One right: API group, resource with its subresource, verb.
pub(crate) type Right = (String, String, String);

/// Everything that the manifest's role grants.
pub(crate) fn granted() -> &'static BTreeSet<Right> {
    static GRANTED: OnceLock<BTreeSet<Right>> = OnceLock::new();
    GRANTED.get_or_init(|| {
        let documents = MANIFEST.split("\n---\n");
        let documents = documents.map(|text| serde_saphyr::from_str::<Value>(text).unwrap());
        let role = documents.into_iter().find(|d| d["kind"] == "Role").unwrap();
        let mut rights = BTreeSet::new();
        for rule in role["rules"].as_array().unwrap() {
            let words = |key: &str| -> Vec<String> {
                let words = rule[key].as_array().unwrap().iter();
                words.map(|w| w.as_str().unwrap().to_owned()).collect()
            };
            for group in words("apiGroups") {
                for resource in words("resources") {
                    let right = |verb| (group.clone(), resource.clone(), verb);
                    rights.extend(words("verbs").into_iter().map(right));
                }
            }
        }
        rights
    })
}

/// The right that a request needs; none where it is not about a resource.
pub(crate) fn needed(call: &Call) -> Option<Right> {
    let parts: Vec<&str> = call.path.trim_start_matches('/').split('/').collect();
    let (group, rest) = match parts.as_slice() {
        ["api", "v1", "namespaces", _, rest @ ..] => ("", rest),
        ["apis", group, _, "namespaces", _, rest @ ..] => (*group, rest),
        _ => return None,
    };
    let (resource, named) = match rest {
        [resource] => ((*resource).to_owned(), false),
        [resource, _] => ((*resource).to_owned(), true),
        [resource, _, subresource, ..] => (format!("{resource}/{subresource}"), true),
        [] => return None,
    };
    let verb = match (call.method.as_str(), named) {
        ("GET", _) if call.is_watch() => "watch",
        ("GET", true) => "get",
        ("GET", false) => "list",
        ("POST", _) => "create",
        ("PATCH", _) => "patch",
        ("PUT", _) => "update",
        _ => "delete",
    };
    Some((group.to_owned(), resource, verb.to_owned()))
}

/// The authoriser's words for a right that was not granted.
pub(crate) fn refusal((group, resource, verb): &Right, call: &Call) -> String {
    let namespace = call.path.split("/namespaces/").nth(1).unwrap_or_default();
    let namespace = namespace.split('/').next().unwrap_or_default();
    format!(
        "{resource}.{group} is forbidden: User \"system:serviceaccount:pachyderm:deploy\" cannot \
         {verb} resource \"{resource}\" in API group \"{group}\" in the namespace \"{namespace}\""
    )
}
