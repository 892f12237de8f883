//! Whether every input can ever have data.

use anyhow::Result;

use super::{Found, UseCase};
use crate::descriptor::{Descriptor, Input, PfsInput};
use crate::local;

/// So many letters can be wrong in a name that is meant.
const SLIPS: usize = 2;

/// Inputs that a user feeds: `--data` and `cargo xtask backbone`.
const FED: [&str; 2] = ["data", "backbone"];

/// Adds every input whose repo no pipeline makes and no sample fills.
///
/// # Errors
/// When the use case's folder cannot be read.
pub(super) fn check(
    all: &[UseCase],
    use_case: &UseCase,
    descriptor: &Descriptor,
    found: &mut Found<'_>,
) -> Result<()> {
    for (path, leaf) in leaves(&descriptor.spec.input, "input") {
        let pipelines = all.iter().flat_map(|it| &it.descriptors);
        if pipelines.clone().any(|other| other.name() == leaf.repo) {
            continue;
        }
        let slips = |name: &str| strsim::damerau_levenshtein(name, &leaf.repo);
        let others = pipelines
            .map(Descriptor::name)
            .filter(|name| *name != descriptor.name());
        let nearest = others.min_by_key(|name| slips(name));
        let nearest = nearest.filter(|name| slips(name) <= SLIPS);
        let folder = found.root.join("pipelines").join(&use_case.name);
        let fed = FED.contains(&leaf.name()) && !descriptor.runs("deploy");
        if (fed && nearest.is_none()) || local::sample(&folder, leaf.name())?.is_some() {
            continue;
        }
        let what = format!("{:?} is a repo that no pipeline makes", leaf.repo);
        let help = match nearest {
            Some(name) => format!("write {name:?}"),
            None => format!(
                "write the name of a pipeline, or put a sample into pipelines/{}/{}/",
                use_case.name,
                leaf.name()
            ),
        };
        found.add(descriptor, &format!("{path}.pfs.repo"), what, help);
    }
    Ok(())
}

/// The PFS inputs below an input, each with its path.
fn leaves<'a>(input: &'a Input, path: &str) -> Vec<(String, &'a PfsInput)> {
    let (kind, several) = match input {
        Input::Cron {} => return Vec::new(),
        Input::Pfs(leaf) => return vec![(path.to_owned(), leaf)],
        Input::Cross(several) => ("cross", several),
        Input::Union(several) => ("union", several),
        Input::Join(several) => ("join", several),
        Input::Group(several) => ("group", several),
    };
    let several = several.iter().enumerate();
    let below =
        several.flat_map(|(index, input)| leaves(input, &format!("{path}.{kind}[{index}]")));
    below.collect()
}
