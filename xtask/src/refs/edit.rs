//! Changes of a file's text, with a proof that nothing else has changed.

use std::ops::Range;

use anyhow::{Context, Result, bail, ensure};

use super::document::{Node, Value};

/// New bytes for a part of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Edit {
    pub(crate) span: Range<usize>,
    pub(crate) text: String,
}

/// Makes all `edits` in one text.
///
/// # Errors
/// When two of them overlap or one lies outside the text.
pub(crate) fn apply(before: &str, mut edits: Vec<Edit>) -> Result<String> {
    edits.sort_by_key(|edit| edit.span.start);
    let mut after = String::with_capacity(before.len() + 16);
    let mut done = 0;
    for edit in edits {
        let kept = before.get(done..edit.span.start);
        after.push_str(kept.context("two edits overlap")?);
        after.push_str(&edit.text);
        done = edit.span.end;
    }
    after.push_str(
        before
            .get(done..)
            .context("an edit lies outside the file")?,
    );
    Ok(after)
}

/// Proves that two parses of a file differ in exactly the strings that were
/// meant: the string with the number `n`, counted in the order of the file,
/// has become `planned(n)`, or is as it was.
///
/// # Errors
/// When anything else differs.
pub(crate) fn prove(
    before: &[Node],
    after: &[Node],
    planned: impl Fn(usize) -> Option<String>,
) -> Result<()> {
    let mut proof = Proof { planned, count: 0 };
    proof.lists(before, after)
}

struct Proof<F> {
    planned: F,
    count: usize,
}

impl<F: Fn(usize) -> Option<String>> Proof<F> {
    fn lists(&mut self, before: &[Node], after: &[Node]) -> Result<()> {
        ensure!(before.len() == after.len(), "the edit changes a list");
        let mut pairs = before.iter().zip(after);
        pairs.try_for_each(|(before, after)| self.nodes(before, after))
    }

    fn nodes(&mut self, before: &Node, after: &Node) -> Result<()> {
        match (&before.value, &after.value) {
            (Value::Text { text: before, .. }, Value::Text { text: after, .. }) => {
                let planned = (self.planned)(self.count);
                self.count += 1;
                let wanted = planned.as_ref().unwrap_or(before);
                ensure!(after == wanted, "the edit makes {after:?} of {before:?}");
            }
            (Value::Other(before), Value::Other(after)) => {
                ensure!(before == after, "the edit makes {after} of {before}");
            }
            (Value::List(before), Value::List(after)) => self.lists(before, after)?,
            (Value::Map(before), Value::Map(after)) => {
                ensure!(before.len() == after.len(), "the edit changes a map");
                for ((key, value), (new_key, new_value)) in before.iter().zip(after) {
                    ensure!(key.text() == new_key.text(), "the edit changes a key");
                    self.nodes(value, new_value)?;
                }
            }
            _ => bail!("the edit changes the type of a value"),
        }
        Ok(())
    }
}
