//! The references in one file, each with its place in the text and in the value.

use anyhow::{Result, bail};

use super::document::{Node, Place as Spot, Value};
use super::escape;
use super::files::{Descriptor, Hit, Search};
use super::token::{self, Kind, Reference};

impl Descriptor {
    /// Finds the references, or says why they could not be understood.
    pub(super) fn search(&mut self, search: Search<'_>) {
        let named = |name: &&str| self.text.contains(*name);
        let thorough = search.thorough && self.is_called_pipeline();
        // A name may also hide behind escapes.
        if !thorough && !search.names.iter().any(named) && !self.text.contains('\\') {
            return;
        }
        match self.understand(search) {
            Ok((documents, hits)) => {
                self.documents = documents;
                self.hits = hits;
            }
            // A file that names no image is none of our business.
            Err(error) => {
                let found = token::find(&self.text, search.names, search.place);
                if thorough || !found.is_empty() {
                    self.trouble = Some(format!("{error:#}"));
                }
            }
        }
    }

    fn understand(&self, search: Search<'_>) -> Result<(Vec<Node>, Vec<Hit>)> {
        let documents = self.parse(&self.text)?;
        let mut strings = Strings {
            text: &self.text,
            search,
            hits: Vec::new(),
            count: 0,
            uncertain: None,
        };
        let several = documents.len() > 1;
        for (index, document) in documents.iter().enumerate() {
            if let Some(path) = document.duplicate(&Spot::Top("")) {
                bail!("the key {path} stands twice, and readers take the last one");
            }
            let path = if several {
                format!("#{index}")
            } else {
                String::new()
            };
            strings.document(&path, document);
        }
        if let Some(path) = strings.uncertain {
            bail!("the reference at {path} is written in a way that is not understood");
        }
        let mut hits = strings.hits;
        self.outside(&documents, search, &mut hits);
        hits.sort_by_key(|hit| hit.reference.span.start);
        Ok((documents, hits))
    }

    /// Adds references that are in no value: in comments and in keys.
    fn outside(&self, documents: &[Node], search: Search<'_>, hits: &mut Vec<Hit>) {
        // As many names as references: all are in values.
        let named = search
            .names
            .iter()
            .map(|name| self.text.matches(name).count());
        if named.sum::<usize>() == hits.len() {
            return;
        }
        let mut found = token::find(&self.text, search.names, search.place);
        let mut values = Vec::new();
        for document in documents {
            document.strings("", &mut |_, node| values.push(node.span.clone()));
        }
        found.retain(|reference| {
            let start = reference.span.start;
            let after = values.partition_point(|span| span.start <= start);
            let value = after.checked_sub(1).and_then(|index| values.get(index));
            value.is_none_or(|span| !span.contains(&start))
        });
        hits.extend(found.into_iter().map(|mut reference| {
            reference.kind = Kind::Left("it stands in a comment or a key".to_owned());
            Hit {
                decoded: reference.clone(),
                reference,
                string: usize::MAX,
                path: "(no value)".to_owned(),
                pipeline: None,
            }
        }));
    }
}

/// Looks through the strings of a file.
struct Strings<'a> {
    text: &'a str,
    search: Search<'a>,
    hits: Vec<Hit>,
    count: usize,
    /// Path of a string in which the same references could not be found twice.
    uncertain: Option<String>,
}

impl Strings<'_> {
    fn document(&mut self, path: &str, document: &Node) {
        match &document.value {
            Value::List(items) => {
                for (index, item) in items.iter().enumerate() {
                    self.pipeline(&format!("{path}[{index}]"), item);
                }
            }
            _ => self.pipeline(path, document),
        }
    }

    fn pipeline(&mut self, path: &str, node: &Node) {
        let pipeline = node.pipeline();
        node.strings(path, &mut |spot, node| {
            self.string(spot, node, pipeline);
        });
    }

    fn string(&mut self, spot: &Spot<'_>, node: &Node, pipeline: Option<&str>) {
        let string = self.count;
        self.count += 1;
        let Value::Text { text, escapes } = &node.value else {
            return;
        };
        if !self.search.names.iter().any(|name| text.contains(name)) {
            return;
        }
        let decoded = token::find(text, self.search.names, self.search.place);
        if decoded.is_empty() {
            return;
        }
        let path = spot.to_string();
        let plain = escape::read(self.text, &node.span, *escapes);
        let mut written = token::find(&plain.text, self.search.names, self.search.place);
        let same = |a: &Reference, b: &Reference| a.name == b.name && a.kind == b.kind;
        let agree =
            decoded.len() == written.len() && decoded.iter().zip(&written).all(|(a, b)| same(a, b));
        let bytes = |span: &std::ops::Range<usize>| plain.bytes(span);
        let placed = written
            .iter_mut()
            .try_for_each(|reference| place(reference, bytes));
        if !agree || placed.is_none() {
            self.uncertain.get_or_insert(path);
            return;
        }
        for (mut reference, decoded) in written.into_iter().zip(decoded) {
            if pipeline.is_none() {
                reference.kind = Kind::Left("it is in no pipeline descriptor".to_owned());
            }
            self.hits.push(Hit {
                reference,
                decoded,
                string,
                path: path.clone(),
                pipeline: pipeline.map(str::to_owned),
            });
        }
    }
}

/// Turns spans of a string into spans of the file.
fn place(
    reference: &mut Reference,
    bytes: impl Fn(&std::ops::Range<usize>) -> Option<std::ops::Range<usize>>,
) -> Option<()> {
    reference.span = bytes(&reference.span)?;
    // Without a registry or a tag there is nothing to change.
    if !reference.prefix_span.is_empty() {
        reference.prefix_span = bytes(&reference.prefix_span)?;
    }
    if !reference.tag_span.is_empty() {
        reference.tag_span = bytes(&reference.tag_span)?;
    }
    Some(())
}
