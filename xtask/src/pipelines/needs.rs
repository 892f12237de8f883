//! What pipelines need on a cluster: repos and secrets.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use anyhow::{Result, bail};

use super::pachctl::Pachctl;
use super::step::Step;
use crate::descriptor;

/// The inputs that no pipeline makes and that are not there.
pub(super) fn missing_repos(
    root: &Path,
    steps: &[Step],
    pachctl: &Pachctl,
) -> Result<BTreeSet<(Option<String>, String)>> {
    let mut there: BTreeMap<Option<String>, BTreeSet<String>> = BTreeMap::new();
    let mut missing = BTreeSet::new();
    for step in steps {
        for input in step.descriptor.spec.input.leaves() {
            let project = input.project.as_deref();
            let project = project.or(pachctl.project(&step.descriptor));
            let project = project.map(str::to_owned);
            let made = |other: &Step| {
                let of = pachctl.project(&other.descriptor);
                other.descriptor.name() == input.repo && of == project.as_deref()
            };
            if steps.iter().any(made) {
                continue;
            }
            let repos = match there.entry(project.clone()) {
                Entry::Occupied(entry) => entry.into_mut(),
                Entry::Vacant(entry) => entry.insert(pachctl.repos(project.as_deref())?),
            };
            if repos.contains(&input.repo) {
                continue;
            }
            if let Some(use_case) = maker(root, &input.repo)? {
                bail!(
                    "{} reads {}, which a pipeline of {use_case} makes, and that is not on the \
                     cluster; apply {use_case} too",
                    step.descriptor.name(),
                    input.repo
                );
            }
            missing.insert((project, input.repo.clone()));
        }
    }
    Ok(missing)
}

/// The use case whose pipeline makes a repo.
fn maker(root: &Path, repo: &str) -> Result<Option<String>> {
    for name in descriptor::use_cases(root)? {
        let folder = root.join("pipelines").join(&name);
        let descriptors = descriptor::read_folder(&folder)?;
        if descriptors
            .iter()
            .any(|descriptor| descriptor.name() == repo)
        {
            return Ok(Some(name));
        }
    }
    Ok(None)
}

/// The secrets that pipelines take and that are not there.
pub(super) fn missing_secrets(steps: &[Step], pachctl: &Pachctl) -> Result<BTreeSet<String>> {
    let transforms = steps.iter().map(|step| &step.descriptor.spec.transform);
    let wanted = transforms.flat_map(|transform| &transform.secrets);
    let wanted: BTreeSet<&str> = wanted.map(|secret| secret.name.as_str()).collect();
    let mut missing = BTreeSet::new();
    for name in wanted {
        if !pachctl.has_secret(name)? {
            missing.insert(name.to_owned());
        }
    }
    Ok(missing)
}
