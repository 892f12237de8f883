//! The page for people at `/`: what the model is, a form to try it, live figures.
//!
//! It is one document without assets of others, and asks the same paths as any
//! client; only the card is its own.

mod card;

use std::sync::{Arc, LazyLock};

use axum::Router;
use axum::extract::State;
use axum::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS,
};
use axum::http::{HeaderName, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest, Sha256};

use crate::app::App;
use crate::{http, oip};
use card::Cards;

/// The document, with an empty style and an empty script.
const DOCUMENT: &str = include_str!("page.html");

const STYLE: &str = include_str!("page.css");

const SCRIPT: &str = concat!(
    include_str!("tools.js"),
    include_str!("card.js"),
    include_str!("form.js"),
    include_str!("prediction.js"),
    include_str!("figures.js"),
    include_str!("page.js"),
);

/// The page's paths.
pub(crate) fn router() -> Router<Arc<App>> {
    Router::new()
        .route("/", get(page))
        .route("/page/card", get(cards))
}

async fn page() -> Response {
    static HTML: LazyLock<String> = LazyLock::new(html);
    static POLICY: LazyLock<String> = LazyLock::new(policy);
    let headers: [(HeaderName, &str); 5] = [
        (CONTENT_TYPE, "text/html; charset=utf-8"),
        (CACHE_CONTROL, "no-cache"),
        (CONTENT_SECURITY_POLICY, &POLICY),
        (REFERRER_POLICY, "no-referrer"),
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
    ];
    (headers, HTML.as_str()).into_response()
}

async fn cards(State(app): State<Arc<App>>) -> Response {
    match app.models.catalog() {
        Ok(catalog) => http::json(StatusCode::OK, &Cards::of(&catalog)),
        Err(error) => oip::problem(&error),
    }
}

fn html() -> String {
    DOCUMENT
        .replacen("</style>", &format!("{STYLE}</style>"), 1)
        .replacen("</script>", &format!("{SCRIPT}</script>"), 1)
}

/// What the page may do: run its own script, ask this server, and show pictures
/// that it was given. No text of others can become markup.
fn policy() -> String {
    format!(
        "default-src 'none'; style-src '{}'; script-src '{}'; connect-src 'self'; \
         img-src blob: data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; \
         require-trusted-types-for 'script'",
        source(STYLE),
        source(SCRIPT)
    )
}

/// The name of an inline element with this content in a policy.
fn source(content: &str) -> String {
    format!("sha256-{}", STANDARD.encode(Sha256::digest(content)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_document_has_a_place_for_each_part() {
        let html = html();
        assert!(html.contains(&format!("<style>{STYLE}</style>")));
        assert!(html.contains(&format!("<script>{SCRIPT}</script>")));
        assert_eq!(html.matches("<script").count(), 1);
    }
}
