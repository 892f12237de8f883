//! Whether the programs know the arguments that descriptors give them: they are
//! asked themselves.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context, Result};

use super::{Found, UseCase};
use crate::descriptor::Descriptor;
use crate::programs;
use crate::workspace::Workspace;

/// Adds every command line that its program refuses.
///
/// # Errors
/// When a program cannot be compiled.
pub(super) fn check(workspace: &Workspace, all: &[UseCase], found: &mut Found<'_>) -> Result<()> {
    let descriptors = all.iter().flat_map(|it| &it.descriptors);
    let started: Vec<(&Descriptor, &str)> = descriptors
        .filter_map(|descriptor| Some((descriptor, program(workspace, descriptor)?)))
        .collect();
    let names: BTreeSet<&str> = started.iter().map(|(_, name)| *name).collect();
    if names.is_empty() {
        return Ok(());
    }
    let names: Vec<&str> = names.into_iter().collect();
    let folder = programs::build_to_ask(workspace, &names)?;
    for (descriptor, name) in started {
        let words = descriptor.spec.transform.cmd.iter().skip(1);
        let words: Vec<&str> = words.map(String::as_str).collect();
        if let Some(refusal) = ask(&folder.join(name), &words)? {
            let at = words
                .iter()
                .position(|word| refusal.contains(&format!("'{}'", flag(word))));
            let path = match at {
                Some(index) => format!("transform.cmd[{}]", index + 1),
                None => "transform.cmd".to_owned(),
            };
            let what = format!("{name} refuses its arguments: {refusal}");
            let help = format!("see what it takes: cargo run --package {name} -- --help");
            found.add(descriptor, &path, what, help);
        }
    }
    Ok(())
}

/// The program of this workspace that a descriptor starts.
fn program<'a>(workspace: &'a Workspace, descriptor: &Descriptor) -> Option<&'a str> {
    let mut images = workspace.images.iter().map(|image| image.name.as_str());
    let name = images.find(|name| descriptor.runs(name))?;
    let first = descriptor.spec.transform.cmd.first()?;
    (first.strip_prefix('/') == Some(name)).then_some(name)
}

/// `--flag` of `--flag=value`.
fn flag(word: &str) -> &str {
    word.split('=').next().unwrap_or(word)
}

/// Why a program refuses these arguments. With `--help` behind them it does
/// nothing, and still looks at those before.
fn ask(program: &Path, words: &[&str]) -> Result<Option<String>> {
    let output = Command::new(program)
        .args(words)
        .arg("--help")
        .stdin(Stdio::null())
        .output()
        .with_context(|| format!("cannot start {}", program.display()))?;
    if output.status.success() {
        return Ok(None);
    }
    let said = String::from_utf8_lossy(&output.stderr);
    let lines = said.lines().map(str::trim).filter(|line| !line.is_empty());
    let told: Vec<&str> = lines
        .take_while(|line| !line.starts_with("Usage:"))
        .collect();
    let told = told.join("; ");
    Ok(Some(told.trim_start_matches("error: ").to_owned()))
}
