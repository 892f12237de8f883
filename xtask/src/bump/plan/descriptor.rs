//! The references in one descriptor.

use anyhow::{Context, Result, ensure};
use semver::Version;

use super::{Affected, Changed, Plan, Raise, Rules};
use crate::bump::replace::Change;
use crate::refs::{self, Descriptor, Edit, Hit, Kind};

impl Plan {
    /// Plans the edits of one file, and proves them.
    pub(super) fn descriptor(
        &mut self,
        descriptor: &Descriptor,
        raises: &[Raise],
        rules: &Rules<'_>,
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
            self.raised.insert(raise.name.clone());
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
