//! Lists in pages.

use serde_json::{Value, json};

use crate::reply::Reply;
use crate::request::Request;

/// The page of a list that the request asks for, under `key` beside `more`.
///
/// `limit` 0 or absent means `default`, where 0 means all; negative means all.
pub(crate) fn page(
    request: &Request,
    key: &str,
    items: Vec<Value>,
    default: usize,
    beyond_end_is_empty: bool,
    more: Value,
) -> Reply {
    let number = |name| request.get(name).and_then(|text| text.parse::<i64>().ok());
    let (offset, limit) = (number("offset").unwrap_or(0), number("limit").unwrap_or(0));
    let total = items.len();
    let start = usize::try_from(offset).unwrap_or(0);
    if start > total && !beyond_end_is_empty {
        let message = format!("offset {start} out of bounds, total {total}");
        return Reply::refuse(3, message);
    }
    let size = match usize::try_from(limit) {
        Ok(0) if default == 0 => total,
        Ok(0) => default,
        Ok(limit) => limit,
        Err(_) => total,
    };
    let start = start.min(total);
    let end = start.saturating_add(size).min(total);
    let mut body = more;
    body[key] = items[start..end].to_vec().into();
    body["pagination"] = json!({
        "offset": offset, "limit": limit, "startIndex": start, "endIndex": end, "total": total,
    });
    Reply::ok(body)
}
