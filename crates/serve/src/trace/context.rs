//! The caller's span, as the headers of a request name it.

use axum::http::HeaderMap;
use opentelemetry::Context;
use opentelemetry::propagation::{Extractor, TextMapPropagator};
use opentelemetry::trace::{SpanContext, SpanId, TraceContextExt, TraceFlags, TraceId, TraceState};
use opentelemetry_sdk::propagation::TraceContextPropagator;

struct Headers<'a>(&'a HeaderMap);

impl Extractor for Headers<'_> {
    fn get(&self, key: &str) -> Option<&str> {
        self.0.get(key)?.to_str().ok()
    }

    fn keys(&self) -> Vec<&str> {
        self.0.keys().map(|name| name.as_str()).collect()
    }
}

/// The context of the caller: W3C `traceparent` before Jaeger's `uber-trace-id`, which
/// Seldon's orchestrator sends, before B3. What is malformed is none.
pub(super) fn of(headers: &HeaderMap) -> Context {
    let none = Context::new();
    let headers = Headers(headers);
    if headers.get("traceparent").is_some_and(has_w3c_lengths) {
        let found = TraceContextPropagator::new().extract_with_context(&none, &headers);
        if found.span().span_context().is_valid() {
            return found;
        }
    }
    let caller = headers.get("uber-trace-id").and_then(jaeger);
    let caller = caller
        .or_else(|| headers.get("b3").and_then(b3))
        .or_else(|| b3_apart(&headers));
    match caller.filter(SpanContext::is_valid) {
        Some(caller) => none.with_remote_span_context(caller),
        None => none,
    }
}

/// Whether version, trace, span and flags are as long as they have to be, which the
/// propagator does not ask. Source: W3C Trace Context, "traceparent Header Field Values".
fn has_w3c_lengths(value: &str) -> bool {
    value.split('-').map(str::len).take(4).eq([2, 32, 16, 2])
}

/// `{trace}:{span}:{parent}:{flags}`, in hexadecimal without leading zeros; the colons
/// may be escaped. Bit 0 of the flags says that the trace is sampled.
///
/// Source: Jaeger's client library specification, "Propagation Format".
fn jaeger(value: &str) -> Option<SpanContext> {
    let value = value.replace("%3A", ":").replace("%3a", ":");
    let mut parts = value.split(':');
    let (trace, span, _, flags) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
    let flags = u8::from_str_radix(flags, 16).ok()?;
    (parts.next().is_none()).then(|| context(trace, span, flags & 1 == 1))?
}

/// `{trace}-{span}-{sampled}-{parent}`, of which the last two may be absent; without a
/// decision it is ours. Source: openzipkin/b3-propagation, "Single Header".
fn b3(value: &str) -> Option<SpanContext> {
    let mut parts = value.split('-');
    let (trace, span) = (parts.next()?, parts.next()?);
    context(trace, span, parts.next().is_none_or(is_sampled))
}

/// The same in several headers.
fn b3_apart(headers: &Headers<'_>) -> Option<SpanContext> {
    let (trace, span) = (headers.get("x-b3-traceid")?, headers.get("x-b3-spanid")?);
    let debug = headers.get("x-b3-flags") == Some("1");
    let sampled = headers.get("x-b3-sampled").is_none_or(is_sampled);
    context(trace, span, debug || sampled)
}

fn is_sampled(text: &str) -> bool {
    ["1", "d", "true"].contains(&text)
}

fn context(trace: &str, span: &str, sampled: bool) -> Option<SpanContext> {
    let is_hex = |text: &str| text.bytes().all(|byte| byte.is_ascii_hexdigit());
    if !is_hex(trace) || !is_hex(span) {
        return None;
    }
    let trace = u128::from_str_radix(trace, 16).ok()?;
    let span = u64::from_str_radix(span, 16).ok()?;
    Some(SpanContext::new(
        TraceId::from(trace),
        SpanId::from(span),
        TraceFlags::default().with_sampled(sampled),
        true,
        TraceState::default(),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    const TRACE: &str = "0af7651916cd43dd8448eb211c80319c";
    const SPAN: &str = "b7ad6b7169203331";

    fn found(lines: &[(&'static str, &str)]) -> Option<(String, String, bool)> {
        let mut headers = HeaderMap::new();
        for (name, value) in lines {
            headers.insert(*name, value.parse().unwrap());
        }
        let context = of(&headers);
        let span = context.span();
        let caller = span.span_context();
        let ids = (caller.trace_id().to_string(), caller.span_id().to_string());
        caller
            .is_valid()
            .then(|| (ids.0, ids.1, caller.is_sampled()))
    }

    #[test]
    fn the_headers_of_three_schools() {
        let expected = |trace: &str, sampled| Some((trace.to_owned(), SPAN.to_owned(), sampled));
        let (w3c, jaeger) = (
            format!("00-{TRACE}-{SPAN}-01"),
            format!("{TRACE}:{SPAN}:0:1"),
        );
        let single = format!("{TRACE}-{SPAN}-1-05e3ac9a4f6e3b90");
        assert_eq!(found(&[("traceparent", &w3c)]), expected(TRACE, true));
        assert_eq!(found(&[("uber-trace-id", &jaeger)]), expected(TRACE, true));
        let escaped = jaeger.replace(':', "%3A");
        assert_eq!(found(&[("uber-trace-id", &escaped)]), expected(TRACE, true));
        assert_eq!(found(&[("b3", &single)]), expected(TRACE, true));
        let short = format!("8448eb211c80319c:{SPAN}:0:0");
        let padded = format!("{}8448eb211c80319c", "0".repeat(16));
        assert_eq!(
            found(&[("uber-trace-id", &short)]),
            expected(&padded, false)
        );
        let apart = [("x-b3-traceid", TRACE), ("x-b3-spanid", SPAN)];
        assert_eq!(found(&apart), expected(TRACE, true));
        let unsampled = [apart[0], apart[1], ("x-b3-sampled", "0")];
        assert_eq!(found(&unsampled), expected(TRACE, false));
        let other = format!("00-{}-{SPAN}-00", TRACE.replace('0', "1"));
        let both = [("traceparent", other.as_str()), ("b3", &single)];
        assert_eq!(found(&both), expected(&TRACE.replace('0', "1"), false));
    }

    #[test]
    fn what_is_no_context() {
        let zero = format!("{}:{SPAN}:0:1", "0".repeat(32));
        for (name, value) in [
            ("traceparent", "00-1-2-01"),
            ("uber-trace-id", "1:2:3"),
            ("uber-trace-id", "1:2:3:4:5"),
            ("uber-trace-id", "x:2:0:1"),
            ("uber-trace-id", "+1:2:0:1"),
            ("uber-trace-id", &zero),
            ("b3", "0"),
            ("b3", "-"),
            ("x-b3-traceid", TRACE),
        ] {
            assert_eq!(found(&[(name, value)]), None, "{name}: {value}");
        }
    }
}
