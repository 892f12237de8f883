//! The bill of materials of an image: CycloneDX 1.5, JSON.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result};
use serde_json::{Value, json};
use toml_edit::{DocumentMut, Item};

use crate::cargo::{Graph, Package};

/// The SHA-256 of each package of the lock file, by name and version.
pub(crate) type Checksums = BTreeMap<(String, String), String>;

/// Reads the checksums of `Cargo.lock`.
///
/// # Errors
/// When there is no lock file.
pub(crate) fn checksums(root: &Path) -> Result<Checksums> {
    let path = root.join("Cargo.lock");
    let text = fs::read_to_string(&path);
    let text = text.with_context(|| format!("cannot read {}", path.display()))?;
    let lock: DocumentMut = text.parse()?;
    let packages = lock.get("package").and_then(Item::as_array_of_tables);
    let entry = |package: &toml_edit::Table| {
        let text = |key: &str| package.get(key)?.as_str().map(str::to_owned);
        Some(((text("name")?, text("version")?), text("checksum")?))
    };
    Ok(packages.into_iter().flatten().filter_map(entry).collect())
}

/// The bill of the program `root`, made at `created` (RFC 3339), with the
/// SHA-256 of its binary, and the components of the `libraries` that it loads.
pub(crate) fn bill(
    graph: &Graph,
    root: &Package,
    checksums: &Checksums,
    created: &str,
    program: &str,
    libraries: &[Value],
) -> Value {
    let closure = graph.closure(root);
    let runtime = graph.runtime(root);
    let others = closure.iter().filter(|package| package.id != root.id);
    let components = others
        .map(|package| {
            let scope = if runtime.contains(package.id.as_str()) {
                "required"
            } else {
                "excluded"
            };
            let mut component = component(package, "library", scope);
            let key = (package.name.clone(), package.version.clone());
            if let (Some(sum), Some(object)) = (checksums.get(&key), component.as_object_mut()) {
                object.insert("hashes".to_owned(), hashes(sum));
            }
            component
        })
        .chain(libraries.iter().cloned())
        .collect::<Vec<Value>>();
    let mut application = component(root, "application", "required");
    if let Some(object) = application.as_object_mut() {
        object.insert("hashes".to_owned(), hashes(program));
    }
    let references = libraries.iter();
    let references = references.filter_map(|one| one.get("bom-ref")?.as_str());
    let dependencies = closure.iter().map(|package| {
        let on = package.dependencies.iter();
        let mut on: Vec<String> = on
            .filter_map(|one| Some(purl(graph.get(&one.id)?)))
            .collect();
        if package.id == root.id {
            on.extend(references.clone().map(str::to_owned));
        }
        on.sort_unstable();
        on.dedup();
        json!({"ref": purl(package), "dependsOn": on})
    });
    json!({
        "$schema": "http://cyclonedx.org/schema/bom-1.5.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": "1.5",
        "version": 1,
        "metadata": {
            "timestamp": created,
            "tools": {"components": [{"type": "application", "name": "cargo xtask images"}]},
            "component": application,
        },
        "components": components,
        "dependencies": dependencies.collect::<Vec<Value>>(),
    })
}

fn component(package: &Package, kind: &str, scope: &str) -> Value {
    let mut component = json!({
        "type": kind,
        "bom-ref": purl(package),
        "name": package.name,
        "version": package.version,
        "scope": scope,
        "purl": purl(package),
    });
    if let (Some(license), Some(object)) = (&package.license, component.as_object_mut()) {
        // How older manifests wrote OR.
        let expression = license.replace('/', " OR ");
        object.insert("licenses".to_owned(), json!([{"expression": expression}]));
    }
    component
}

fn hashes(sha256: &str) -> Value {
    json!([{"alg": "SHA-256", "content": sha256}])
}

/// The package's URL: `pkg:cargo/serde@1.0.0`.
fn purl(package: &Package) -> String {
    let version = package.version.replace('+', "%2B");
    format!("pkg:cargo/{}@{version}", package.name)
}
