//! What JSON and YAML have in common, with the place of everything in the file.

use std::ops::Range;

/// A value and the bytes it stands in.
#[derive(Debug)]
pub(crate) struct Node {
    pub(crate) span: Range<usize>,
    pub(crate) value: Value,
}

/// A value. Numbers and the like are their text: only strings are ever changed.
#[derive(Debug)]
pub(crate) enum Value {
    /// A string; `escapes` when a backslash in its bytes is not itself.
    Text {
        text: String,
        escapes: bool,
    },
    /// A number, a truth value or null, as written.
    Other(String),
    List(Vec<Node>),
    /// In the order of the file.
    Map(Vec<(Node, Node)>),
}

impl Node {
    /// The value of a key of a map.
    pub(crate) fn get(&self, key: &str) -> Option<&Self> {
        let Value::Map(entries) = &self.value else {
            return None;
        };
        let entry = entries.iter().find(|(name, _)| name.text() == Some(key));
        entry.map(|(_, value)| value)
    }

    pub(crate) fn text(&self) -> Option<&str> {
        match &self.value {
            Value::Text { text, .. } => Some(text),
            _ => None,
        }
    }

    /// The name of the pipeline that this node describes, if it does.
    pub(crate) fn pipeline(&self) -> Option<&str> {
        self.get("pipeline")?.get("name")?.text()
    }

    /// Calls `visit` with the path and the node of every string below, values
    /// only. The path of this node is `path`.
    pub(crate) fn strings<'a>(&'a self, path: &str, visit: &mut impl FnMut(&str, &'a Self)) {
        match &self.value {
            Value::Text { .. } => visit(path, self),
            Value::Other(_) => {}
            Value::List(items) => {
                for (index, item) in items.iter().enumerate() {
                    item.strings(&format!("{path}[{index}]"), visit);
                }
            }
            Value::Map(entries) => {
                for (key, value) in entries {
                    value.strings(&child(path, key), visit);
                }
            }
        }
    }

    /// The path of a key that stands twice in one map, if there is any.
    pub(crate) fn duplicate(&self, path: &str) -> Option<String> {
        match &self.value {
            Value::Text { .. } | Value::Other(_) => None,
            Value::List(items) => items
                .iter()
                .enumerate()
                .find_map(|(index, item)| item.duplicate(&format!("{path}[{index}]"))),
            Value::Map(entries) => entries
                .iter()
                .enumerate()
                .find_map(|(index, (key, value))| {
                    let before = entries.iter().take(index);
                    let twice = before
                        .into_iter()
                        .any(|(other, _)| other.text() == key.text());
                    let path = child(path, key);
                    if twice {
                        Some(path)
                    } else {
                        value.duplicate(&path)
                    }
                }),
        }
    }
}

fn child(path: &str, key: &Node) -> String {
    let plain = |c: char| c.is_alphanumeric() || c == '_' || c == '-';
    match key.text() {
        Some(name) if name.chars().all(plain) && path.is_empty() => name.to_owned(),
        Some(name) if name.chars().all(plain) => format!("{path}.{name}"),
        Some(name) => format!("{path}[{name:?}]"),
        None => format!("{path}[?]"),
    }
}
