//! In which line of a file a field of a descriptor stands.

use crate::refs::document::{Node, Value};
use crate::refs::yaml;

/// The descriptors of a file with their places.
pub(super) struct Places<'a> {
    text: &'a str,
    descriptors: Vec<Node>,
}

impl<'a> Places<'a> {
    /// JSON is YAML, and what is neither has been refused before.
    pub(super) fn of(text: &'a str) -> Self {
        let documents = yaml::parse(text).unwrap_or_default().into_iter();
        let flat = documents.flat_map(|node| match node.value {
            Value::List(items) => items,
            _ => vec![node],
        });
        let descriptors = flat.collect();
        Self { text, descriptors }
    }

    /// The line, from 1, of the field at `path`, as in `input.cross[1].pfs.glob`, of
    /// the descriptor `index`; or of the innermost that is there of what it is in.
    pub(super) fn line(&self, index: usize, path: &str) -> usize {
        let Some(mut node) = self.descriptors.get(index) else {
            return 1;
        };
        let mut start = node.span.start;
        for step in path.split(['.', '[']).filter(|step| !step.is_empty()) {
            let found = match &node.value {
                Value::Map(entries) => {
                    let entry = entries.iter().find(|(key, _)| key.text() == Some(step));
                    entry.map(|(key, value)| (key.span.start, value))
                }
                Value::List(items) => {
                    let index = step.trim_end_matches(']').parse::<usize>().ok();
                    let item = index.and_then(|index| items.get(index));
                    item.map(|item| (item.span.start, item))
                }
                _ => None,
            };
            let Some(found) = found else { break };
            (start, node) = found;
        }
        let before = self.text.get(..start).unwrap_or_default();
        before.matches('\n').count() + 1
    }
}
