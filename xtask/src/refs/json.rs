//! JSON with the place of every value.

use anyhow::{Context, Result, anyhow};
use jsonc_parser::ast::{ObjectPropName, Value as Ast};
use jsonc_parser::common::Ranged;
use jsonc_parser::{CollectOptions, ParseOptions, parse_to_ast};

use super::document::{Node, Value};

/// Reads one JSON value, without any extension of the format.
///
/// # Errors
/// When it is not JSON, with line and column.
pub(crate) fn parse(text: &str) -> Result<Node> {
    let strict = ParseOptions {
        allow_comments: false,
        allow_loose_object_property_names: false,
        allow_trailing_commas: false,
        allow_missing_commas: false,
        allow_single_quoted_strings: false,
        allow_hexadecimal_numbers: false,
        allow_unary_plus_numbers: false,
        allow_bare_decimal_point_numbers: false,
        allow_non_finite_numbers: false,
        allow_extended_string_escapes: false,
    };
    let parsed = parse_to_ast(text, &CollectOptions::default(), &strict)
        .map_err(|error| anyhow!("it is not JSON: {error}"))?;
    let value = parsed.value.context("it is not JSON: the file is empty")?;
    Ok(node(text, value))
}

fn node(text: &str, ast: Ast<'_>) -> Node {
    let range = ast.range();
    let span = range.start..range.end;
    let value = match ast {
        Ast::StringLit(string) => Value::Text {
            escapes: has_escapes(text, &span),
            text: string.value.into_owned(),
        },
        Ast::NumberLit(number) => Value::Other(number.value.to_owned()),
        Ast::BooleanLit(boolean) => Value::Other(boolean.value.to_string()),
        Ast::NullKeyword(_) => Value::Other("null".to_owned()),
        Ast::Array(array) => {
            let items = array.elements.into_iter();
            Value::List(items.map(|item| node(text, item)).collect())
        }
        Ast::Object(object) => {
            let entries = object.properties.into_iter();
            let entry = |entry: jsonc_parser::ast::ObjectProp<'_>| {
                (key(text, entry.name), node(text, entry.value))
            };
            Value::Map(entries.map(entry).collect())
        }
    };
    Node { span, value }
}

fn key(text: &str, name: ObjectPropName<'_>) -> Node {
    let range = name.range();
    let span = range.start..range.end;
    let escapes = has_escapes(text, &span);
    let text = name.into_string();
    Node {
        span,
        value: Value::Text { text, escapes },
    }
}

fn has_escapes(text: &str, span: &std::ops::Range<usize>) -> bool {
    let raw = text.get(span.clone());
    raw.is_some_and(|raw| raw.contains('\\'))
}
