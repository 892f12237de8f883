//! Whether the image can run the command, and its secrets are known.

use std::fs;
use std::path::Path;

use serde_json::{Map, Value};

use super::Found;
use crate::descriptor::Descriptor;
use crate::workspace::Workspace;

/// Programs that read a script. An image FROM scratch has none of them.
const SHELLS: [&str; 6] = ["sh", "bash", "dash", "ash", "zsh", "env"];

/// Adds what an image of this workspace cannot run, and what it must not be
/// tried twice with.
pub(super) fn check(workspace: &Workspace, descriptor: &Descriptor, found: &mut Found<'_>) {
    let image = workspace
        .images
        .iter()
        .find(|image| descriptor.runs(&image.name));
    if let Some(image) = image {
        command(descriptor, &image.name, found);
    }
    let tries = descriptor.spec.datum_tries;
    if descriptor.runs("train") && tries != Some(1) {
        let what = match tries {
            Some(tries) => format!("is {tries}: what fails is trained {tries} times"),
            None => "is not set, and then it is 3: what fails is trained three times".to_owned(),
        };
        let help = "write \"datum_tries\": 1".to_owned();
        found.add(descriptor, "datum_tries", what, help);
    }
    secrets(workspace, descriptor, found);
}

fn command(descriptor: &Descriptor, name: &str, found: &mut Found<'_>) {
    let transform = &descriptor.spec.transform;
    let commands = [("cmd", &transform.cmd), ("err_cmd", &transform.err_cmd)];
    for (key, words) in commands {
        let Some(program) = words.first() else {
            continue;
        };
        let wanted = format!("/{name}");
        if *program == wanted {
            continue;
        }
        let last = program.rsplit('/').next().unwrap_or_default();
        let why = if SHELLS.contains(&last) {
            "the image holds no shell"
        } else if !program.starts_with('/') {
            "it is no absolute path, and the image has no PATH and no other folder"
        } else {
            "the image holds nothing else"
        };
        let what = format!("{program:?} cannot be run: {why}");
        let help = format!("write {wanted:?}, and each argument as a string of its own");
        found.add(descriptor, &format!("transform.{key}[0]"), what, help);
    }
}

/// Each secret needs its template, which says to everybody what to fill in.
fn secrets(workspace: &Workspace, descriptor: &Descriptor, found: &mut Found<'_>) {
    for (index, secret) in descriptor.spec.transform.secrets.iter().enumerate() {
        let path = format!("transform.secrets[{index}]");
        let file = format!("pipelines/secrets/{}.yaml", secret.name);
        let Some(keys) = keys(&workspace.root.join(&file)) else {
            let what = format!("{:?} is a secret without a template", secret.name);
            let help = format!("write {file}, as pipelines/secrets/README.md shows");
            found.add(descriptor, &format!("{path}.name"), what, help);
            continue;
        };
        if let Some(key) = secret.key.as_ref().filter(|key| !keys.contains(key)) {
            let what = format!("{key:?} is not a key of {file}");
            let help = format!("write one of {}, or add it there", keys.join(", "));
            found.add(descriptor, &format!("{path}.key"), what, help);
        }
    }
}

/// The keys of a Kubernetes Secret; none when the file is not there or no such.
fn keys(file: &Path) -> Option<Vec<String>> {
    let text = fs::read_to_string(file).ok()?;
    let document: Map<String, Value> = serde_saphyr::from_str(&text).ok()?;
    let maps = ["stringData", "data"].map(|key| document.get(key).and_then(Value::as_object));
    let keys = maps.into_iter().flatten().flat_map(Map::keys);
    Some(keys.cloned().collect())
}
