//! Whether the references in the pipelines agree with the crates.

use anyhow::Result;

use super::Problem;
use crate::images::place::Place;
use crate::refs::{self, Descriptor, Hit, Kind, Search};
use crate::workspace::Workspace;

/// Adds every reference that is not at its crate's version and place; gives all
/// descriptors.
///
/// # Errors
/// When a file cannot be read.
pub(crate) fn check(
    workspace: &Workspace,
    place: &Place,
    problems: &mut Vec<Problem>,
) -> Result<Vec<Descriptor>> {
    let names: Vec<&str> = workspace
        .images
        .iter()
        .map(|image| image.name.as_str())
        .collect();
    let search = Search {
        names: &names,
        place,
        thorough: true,
    };
    let descriptors = refs::read_all(&workspace.root, "pipelines", search)?;
    for descriptor in &descriptors {
        if let Some(trouble) = &descriptor.trouble {
            problems.push(Problem {
                file: descriptor.path.display().to_string(),
                message: trouble.clone(),
                ..Problem::default()
            });
        }
        let hits = descriptor.hits.iter();
        let found = hits.filter_map(|hit| problem(workspace, place, descriptor, hit));
        problems.extend(found);
    }
    Ok(descriptors)
}

fn problem(
    workspace: &Workspace,
    place: &Place,
    descriptor: &Descriptor,
    hit: &Hit,
) -> Option<Problem> {
    // Comments, keys and other documents than pipelines start nothing.
    hit.pipeline.as_ref()?;
    let reference = &hit.reference;
    let image = workspace
        .images
        .iter()
        .find(|image| image.name == reference.name)?;
    let repository = format!("{}/{}", place.registry, place.project);
    let name = &image.name;
    let prefix = &reference.prefix;
    let (message, help) = match &reference.kind {
        Kind::Ours(version) | Kind::Elsewhere(version) if *prefix != repository => (
            format!("{prefix}/{name}:{version} should be in {repository}"),
            Some(format!(
                "cargo xtask bump {name} {} --move-from {prefix}",
                image.version
            )),
        ),
        Kind::Ours(version) | Kind::Elsewhere(version) if *version != image.version => (
            format!(
                "{name} is {version} here and {} in its crate",
                image.version
            ),
            Some(format!(
                "write {}, or run `cargo xtask bump {name}`",
                image.version
            )),
        ),
        Kind::Ours(_) | Kind::Elsewhere(_) => return None,
        Kind::Left(reason) => (
            format!("the reference to {name} cannot be compared: {reason}"),
            Some(format!("write {repository}/{name}:{}", image.version)),
        ),
    };
    Some(Problem {
        file: descriptor.path.display().to_string(),
        line: Some(descriptor.line(reference.span.start).line),
        path: Some(hit.path.clone()),
        message,
        help,
    })
}
