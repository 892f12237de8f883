//! What a bump changes, worked out before anything is written.

mod crates;
mod descriptor;

use std::collections::BTreeSet;

use anyhow::Result;
use semver::Version;

use super::replace::Change;
use crate::images::place::Place;
use crate::refs::{self, Descriptor, Search};
use crate::shares::shares;
use crate::workspace::Workspace;

/// An image and the version it gets.
#[derive(Debug, Clone)]
pub(crate) struct Raise {
    pub(crate) name: String,
    pub(crate) from: Version,
    pub(crate) to: Version,
}

/// How far the bump goes.
pub(crate) struct Rules<'a> {
    pub(crate) place: &'a Place,
    /// References with this registry and project move to `place`.
    pub(crate) move_from: Option<&'a str>,
    pub(crate) allow_downgrade: bool,
    /// It is no error when no descriptor names an image.
    pub(crate) unused: bool,
}

/// Everything that will change, and everything that will not.
#[derive(Default)]
pub(crate) struct Plan {
    pub(crate) changes: Vec<Change>,
    /// For people and machines: each changed string.
    pub(crate) lines: Vec<Changed>,
    /// What was found and stays, with the reason.
    pub(crate) left: Vec<String>,
    /// Why nothing may be done.
    pub(crate) problems: Vec<String>,
    pub(crate) pipelines: Vec<Affected>,
    /// Images that a descriptor names, whether it changes or not.
    raised: BTreeSet<String>,
}

/// A changed string.
pub(crate) struct Changed {
    pub(crate) file: String,
    pub(crate) line: usize,
    /// `package.version`, `transform.cmd[4]`.
    pub(crate) path: String,
    pub(crate) before: String,
    pub(crate) after: String,
}

/// A pipeline whose descriptor changes.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord, Clone)]
pub(crate) struct Affected {
    pub(crate) pipeline: String,
    pub(crate) file: String,
    /// Whether its workers get another image, or only its arguments change.
    pub(crate) image: bool,
}

/// Plans the raises of several images over crates, lock file and descriptors.
///
/// # Errors
/// When something cannot be read; what is merely wrong is a problem of the plan.
pub(crate) fn plan(workspace: &Workspace, raises: &[Raise], rules: &Rules<'_>) -> Result<Plan> {
    let mut plan = Plan::default();
    for raise in raises {
        plan.manifest(&workspace.root, raise)?;
    }
    plan.lock(&workspace.root, raises)?;
    let names: Vec<&str> = raises.iter().map(|raise| raise.name.as_str()).collect();
    let search = Search {
        names: &names,
        place: rules.place,
        thorough: false,
    };
    let descriptors = refs::read_all(&workspace.root, "pipelines", search)?;
    let parts = shares(&descriptors, |share| {
        let mut part = Plan::default();
        for descriptor in share {
            part.descriptor(descriptor, raises, rules)?;
        }
        Ok(part)
    })?;
    for part in parts {
        plan.append(part);
    }
    for raise in raises {
        if !plan.raised.contains(&raise.name) && !rules.unused {
            plan.unused(raise, &descriptors);
        }
    }
    plan.pipelines.sort();
    Ok(plan)
}

impl Plan {
    /// Adds what was planned for other descriptors.
    fn append(&mut self, part: Self) {
        self.changes.extend(part.changes);
        self.lines.extend(part.lines);
        self.left.extend(part.left);
        self.problems.extend(part.problems);
        self.pipelines.extend(part.pipelines);
        self.raised.extend(part.raised);
    }

    fn unused(&mut self, raise: &Raise, descriptors: &[Descriptor]) {
        let files: Vec<String> = descriptors
            .iter()
            .take(20)
            .map(|descriptor| format!("\n  {}", descriptor.path.display()))
            .collect();
        let more = descriptors.len().saturating_sub(files.len());
        let more = if more > 0 {
            format!("\n  and {more} more")
        } else {
            String::new()
        };
        self.problems.push(format!(
            "no reference to {} that could be raised is in the {} files searched \
             (--unused raises the crate alone):{}{more}",
            raise.name,
            descriptors.len(),
            files.concat(),
        ));
    }
}
