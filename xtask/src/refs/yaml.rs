//! YAML with the place of every value.

use anyhow::{Context, Result, anyhow, bail};
use granit_parser::{Event, Parser, ScalarStyle, Span};

use super::document::{Node, Value};

/// Reads all documents of a YAML file.
///
/// # Errors
/// When it is not YAML, with line and column, or uses an alias: an edit of the
/// anchor would then reach further than the place it is made at, and Pachyderm
/// refuses aliases anyway.
pub(crate) fn parse(text: &str) -> Result<Vec<Node>> {
    let mut builder = Builder::default();
    for event in Parser::new_from_str(text) {
        let (event, span) = event.map_err(|error| anyhow!("it is not YAML: {error}"))?;
        builder.take(text, event, span)?;
    }
    Ok(builder.documents)
}

/// Puts events together again.
#[derive(Default)]
struct Builder {
    documents: Vec<Node>,
    open: Vec<Open>,
}

/// A collection whose end has not come yet.
struct Open {
    start: usize,
    map: bool,
    /// Of a map: key, value, key, value…
    items: Vec<Node>,
}

impl Builder {
    fn take(&mut self, text: &str, event: Event<'_>, span: Span) -> Result<()> {
        match event {
            Event::Scalar(value, style, ..) => {
                let span = span.byte_range().context("a scalar has no place")?;
                let raw = text.get(span.clone()).unwrap_or_default();
                let escapes = style == ScalarStyle::DoubleQuoted && raw.contains('\\');
                let plain = style == ScalarStyle::Plain && is_other(&value);
                let text = value.into_owned();
                let value = if plain {
                    Value::Other(text)
                } else {
                    Value::Text { text, escapes }
                };
                self.add(Node { span, value });
            }
            Event::SequenceStart(..) => self.start(span, false),
            Event::MappingStart(..) => self.start(span, true),
            Event::SequenceEnd | Event::MappingEnd => self.end(span)?,
            Event::Alias(_) => bail!("it uses a YAML alias, in line {}", span.start.line()),
            _ => {}
        }
        Ok(())
    }

    fn start(&mut self, span: Span, map: bool) {
        let start = span.byte_range().map_or(0, |range| range.start);
        let items = Vec::new();
        self.open.push(Open { start, map, items });
    }

    fn end(&mut self, span: Span) -> Result<()> {
        let open = self.open.pop().context("a collection ends twice")?;
        let end = span.byte_range().map_or(open.start, |range| range.end);
        let value = if open.map {
            let mut entries = Vec::new();
            let mut items = open.items.into_iter();
            while let (Some(key), Some(value)) = (items.next(), items.next()) {
                entries.push((key, value));
            }
            Value::Map(entries)
        } else {
            Value::List(open.items)
        };
        self.add(Node {
            span: open.start..end.max(open.start),
            value,
        });
        Ok(())
    }

    fn add(&mut self, node: Node) {
        match self.open.last_mut() {
            Some(open) => open.items.push(node),
            None => self.documents.push(node),
        }
    }
}

/// Whether a plain scalar is null, a truth value or a number, as far as that
/// matters here: none of these can hold a reference.
fn is_other(text: &str) -> bool {
    matches!(text, "" | "~" | "null" | "true" | "false") || text.parse::<f64>().is_ok()
}
