//! What JSON and YAML have in common, with the place of everything in the file.

use std::fmt;
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

    /// Calls `visit` with the place and the node of every string below, values
    /// only, in the order of the file. The path of this node is `path`.
    pub(crate) fn strings<'a>(&'a self, path: &str, visit: &mut impl FnMut(&Place<'_>, &'a Self)) {
        self.visit(&Place::Top(path), visit);
    }

    fn visit<'a>(&'a self, place: &Place<'_>, visit: &mut impl FnMut(&Place<'_>, &'a Self)) {
        match &self.value {
            Value::Text { .. } => visit(place, self),
            Value::Other(_) => {}
            Value::List(items) => {
                for (index, item) in items.iter().enumerate() {
                    item.visit(&Place::Item(place, index), visit);
                }
            }
            Value::Map(entries) => {
                for (key, value) in entries {
                    value.visit(&Place::Key(place, key), visit);
                }
            }
        }
    }

    /// The path of a key that stands twice in one map, if there is any.
    pub(crate) fn duplicate(&self, place: &Place<'_>) -> Option<String> {
        match &self.value {
            Value::Text { .. } | Value::Other(_) => None,
            Value::List(items) => items
                .iter()
                .enumerate()
                .find_map(|(index, item)| item.duplicate(&Place::Item(place, index))),
            Value::Map(entries) => entries
                .iter()
                .enumerate()
                .find_map(|(index, (key, value))| {
                    let place = Place::Key(place, key);
                    let mut before = entries.iter().take(index);
                    if before.any(|(other, _)| other.text() == key.text()) {
                        Some(place.to_string())
                    } else {
                        value.duplicate(&place)
                    }
                }),
        }
    }
}

/// Where a node stands. It becomes text, as `transform.cmd[4]`, only where
/// somebody wants to read it.
pub(crate) enum Place<'a> {
    Top(&'a str),
    Item(&'a Self, usize),
    Key(&'a Self, &'a Node),
}

impl fmt::Display for Place<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let plain = |c: char| c.is_alphanumeric() || c == '_' || c == '-';
        match self {
            Self::Top(path) => f.write_str(path),
            Self::Item(list, index) => write!(f, "{list}[{index}]"),
            Self::Key(map, key) => match key.text() {
                Some(name) if !name.chars().all(plain) => write!(f, "{map}[{name:?}]"),
                Some(name) if matches!(map, Self::Top("")) => f.write_str(name),
                Some(name) => write!(f, "{map}.{name}"),
                None => write!(f, "{map}[?]"),
            },
        }
    }
}
