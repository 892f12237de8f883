//! What a bump changes, worked out before anything is written.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use semver::Version;

use super::manifest;
use super::replace::Change;
use crate::images::place::Place;
use crate::refs::{self, Descriptor, Edit, Hit, Kind, Search};
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
    let mut raised = BTreeSet::new();
    for descriptor in &descriptors {
        plan.descriptor(descriptor, raises, rules, &mut raised)?;
    }
    for raise in raises {
        if !raised.contains(&raise.name) && !rules.unused {
            plan.unused(raise, &descriptors);
        }
    }
    plan.pipelines.sort();
    Ok(plan)
}

impl Plan {
    fn manifest(&mut self, root: &Path, raise: &Raise) -> Result<()> {
        let file = format!("crates/{}/Cargo.toml", raise.name);
        let text = read(&root.join(&file))?;
        match manifest::crate_edit(&text, &raise.to) {
            Ok(None) => Ok(()),
            Ok(Some(edit)) => self.toml(root, &file, text, vec![edit], "package.version"),
            Err(error) => {
                self.problems.push(format!("{file}: {error:#}"));
                Ok(())
            }
        }
    }

    fn lock(&mut self, root: &Path, raises: &[Raise]) -> Result<()> {
        let file = "Cargo.lock";
        if !root.join(file).exists() {
            self.left.push(format!("{file}: there is none"));
            return Ok(());
        }
        let text = read(&root.join(file))?;
        let mut edits = Vec::new();
        for raise in raises {
            match manifest::lock_edits(&text, &raise.name, &raise.to) {
                Ok(more) => edits.extend(more),
                Err(error) => self.problems.push(format!(
                    "{file}: {error:#}; run \"cargo metadata\", which brings it up to date"
                )),
            }
        }
        self.toml(root, file, text, edits, "package.version")
    }

    fn toml(
        &mut self,
        root: &Path,
        file: &str,
        before: String,
        mut edits: Vec<Edit>,
        path: &str,
    ) -> Result<()> {
        if edits.is_empty() {
            return Ok(());
        }
        edits.sort_by_key(|edit| edit.span.start);
        for edit in &edits {
            let head = before.get(..edit.span.start).unwrap_or_default();
            let old = before.get(edit.span.clone()).unwrap_or_default();
            self.lines.push(Changed {
                file: file.to_owned(),
                line: head.matches('\n').count() + 1,
                path: path.to_owned(),
                before: old.to_owned(),
                after: edit.text.clone(),
            });
        }
        let after = refs::apply(&before, edits)?;
        let path = root.join(file).canonicalize()?;
        self.changes.push(Change {
            path,
            before,
            after,
        });
        Ok(())
    }

    fn descriptor(
        &mut self,
        descriptor: &Descriptor,
        raises: &[Raise],
        rules: &Rules<'_>,
        raised: &mut BTreeSet<String>,
    ) -> Result<()> {
        let file = descriptor.path.display().to_string();
        if let Some(trouble) = &descriptor.trouble {
            let line = format!("{file} names an image and cannot be edited: {trouble}");
            if descriptor.is_program() {
                self.left.push(line);
            } else {
                self.problems.push(line);
            }
            return Ok(());
        }
        let mut edits = Vec::new();
        let mut strings: Vec<(usize, Vec<Edit>)> = Vec::new();
        for hit in &descriptor.hits {
            let Some(raise) = raises.iter().find(|raise| raise.name == hit.reference.name) else {
                continue;
            };
            let Some(edit) = self.hit(descriptor, hit, raise, rules) else {
                continue;
            };
            raised.insert(raise.name.clone());
            if edit.changes_nothing {
                continue;
            }
            edits.extend(edit.in_file);
            match strings.iter_mut().find(|(string, _)| *string == hit.string) {
                Some((_, edits)) => edits.extend(edit.in_string),
                None => strings.push((hit.string, edit.in_string)),
            }
            self.affected(hit, &file);
        }
        if edits.is_empty() {
            return Ok(());
        }
        let after = refs::apply(&descriptor.text, edits)?;
        prove(descriptor, &after, strings)
            .with_context(|| format!("{file}: the edit did not pass its proof"))?;
        self.changes.push(Change {
            path: descriptor.real.clone(),
            before: descriptor.with_mark(&descriptor.text),
            after: descriptor.with_mark(&after),
        });
        Ok(())
    }

    /// Decides on one reference: an edit, a reason to leave it, or a problem.
    fn hit(
        &mut self,
        descriptor: &Descriptor,
        hit: &Hit,
        raise: &Raise,
        rules: &Rules<'_>,
    ) -> Option<HitEdit> {
        let reference = &hit.reference;
        let text = |span: &std::ops::Range<usize>| descriptor.text.get(span.clone());
        let written = text(&reference.span).unwrap_or_default();
        let line = descriptor.line(reference.span.start).line;
        let file = descriptor.path.display().to_string();
        let at = format!("{file}:{line}: {}: {written}", hit.path);
        let moves = rules.move_from == Some(reference.prefix.as_str());
        let version = match &reference.kind {
            Kind::Ours(version) => version,
            Kind::Elsewhere(version) if moves => version,
            Kind::Elsewhere(_) => {
                let reason = format!(
                    "it is in another place; --move-from {} brings it here",
                    reference.prefix
                );
                self.left.push(format!("{at}: {reason}"));
                return None;
            }
            Kind::Left(reason) => {
                self.left.push(format!("{at}: {reason}"));
                return None;
            }
        };
        if version.cmp_precedence(&raise.to).is_gt() && !rules.allow_downgrade {
            self.problems.push(format!(
                "{at} is higher than {}; --allow-downgrade sets it nevertheless",
                raise.to
            ));
            return None;
        }
        let place = moves.then(|| format!("{}/{}", rules.place.registry, rules.place.project));
        let mut edit = HitEdit::new(hit, &raise.to, place.as_deref());
        edit.changes_nothing = *version == raise.to && place.is_none();
        if edit.changes_nothing {
            return Some(edit);
        }
        let before = &hit.decoded;
        self.lines.push(Changed {
            file,
            line,
            path: hit.path.clone(),
            before: format!("{}/{}:{version}", before.prefix, before.name),
            after: format!(
                "{}/{}:{}",
                place.as_deref().unwrap_or(&before.prefix),
                before.name,
                raise.to
            ),
        });
        Some(edit)
    }

    fn affected(&mut self, hit: &Hit, file: &str) {
        let Some(pipeline) = &hit.pipeline else {
            return;
        };
        // Those of one file follow each other.
        let mut here = self.pipelines.iter_mut().rev();
        let known = here
            .by_ref()
            .take_while(|known| known.file == file)
            .find(|known| known.pipeline == *pipeline);
        match known {
            Some(known) => known.image |= hit.is_image(),
            None => self.pipelines.push(Affected {
                pipeline: pipeline.clone(),
                file: file.to_owned(),
                image: hit.is_image(),
            }),
        }
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

/// The edits that one reference takes, in the file and in the decoded string.
struct HitEdit {
    /// The reference is as it should be.
    changes_nothing: bool,
    in_file: Vec<Edit>,
    in_string: Vec<Edit>,
}

impl HitEdit {
    fn new(hit: &Hit, to: &Version, place: Option<&str>) -> Self {
        let edits = |reference: &refs::Reference| {
            let tag = Edit {
                span: reference.tag_span.clone(),
                text: to.to_string(),
            };
            let prefix = place.map(|place| Edit {
                span: reference.prefix_span.clone(),
                text: place.to_owned(),
            });
            prefix.into_iter().chain([tag]).collect()
        };
        Self {
            changes_nothing: false,
            in_file: edits(&hit.reference),
            in_string: edits(&hit.decoded),
        }
    }
}

/// Parses the file before and after: the two must differ in these strings only,
/// and in each of them by these edits only.
fn prove(descriptor: &Descriptor, after: &str, strings: Vec<(usize, Vec<Edit>)>) -> Result<()> {
    let mut texts = Vec::new();
    for document in &descriptor.documents {
        document.strings("", &mut |_, node| {
            texts.push(node.text().unwrap_or_default())
        });
    }
    let mut planned = Vec::new();
    for (string, edits) in strings {
        let before = texts.get(string).context("a string is missing")?;
        planned.push((string, refs::apply(before, edits)?));
    }
    let after = descriptor.parse(after)?;
    refs::prove(&descriptor.documents, &after, |string| {
        let found = planned.iter().find(|(number, _)| *number == string);
        found.map(|(_, text)| text.clone())
    })?;
    ensure!(!planned.is_empty(), "nothing was planned");
    Ok(())
}

fn read(path: &PathBuf) -> Result<String> {
    fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))
}
