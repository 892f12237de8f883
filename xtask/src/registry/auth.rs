//! The two ways in which registries ask for a login.

use std::time::Duration;

use anyhow::{Context, Result};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

use super::credentials::Login;
use super::http::Request;

/// The header `Authorization` that answers a challenge; none when it asks for a
/// login and there is none.
///
/// # Errors
/// When the server that gives out tokens does not answer.
pub(crate) fn answer(
    challenge: &str,
    login: Option<&Login>,
    limit: Duration,
) -> Result<Option<String>> {
    let (scheme, rest) = challenge.split_once(' ').unwrap_or((challenge, ""));
    if scheme.eq_ignore_ascii_case("basic") {
        return Ok(login.map(|login| {
            let text = STANDARD.encode(format!("{}:{}", login.name, login.secret));
            format!("Basic {text}")
        }));
    }
    let part = |name: &str| {
        let mut parts = parameters(rest).into_iter();
        parts.find(|(key, _)| key == name).map(|(_, value)| value)
    };
    let Some(realm) = part("realm").filter(|_| scheme.eq_ignore_ascii_case("bearer")) else {
        return Ok(None);
    };
    let asked = [("service", part("service")), ("scope", part("scope"))];
    let asked: Vec<(&'static str, String)> = asked
        .into_iter()
        .filter_map(|(name, value)| Some((name, value?)))
        .collect();
    let token = token(&realm, asked, login, limit)
        .with_context(|| format!("{realm} gives no token for the registry"))?;
    Ok(token.map(|token| format!("Bearer {token}")))
}

fn token(
    realm: &str,
    asked: Vec<(&'static str, String)>,
    login: Option<&Login>,
    limit: Duration,
) -> Result<Option<String>> {
    let mut request = Request {
        url: realm.to_owned(),
        ..Request::default()
    };
    match login {
        // Docker keeps an identity token under this name.
        Some(login) if login.name == "<token>" => {
            request.form = asked;
            request
                .form
                .push(("grant_type", "refresh_token".to_owned()));
            request.form.push(("client_id", "xtask".to_owned()));
            request.form.push(("refresh_token", login.secret.clone()));
        }
        login => {
            let asked = asked
                .iter()
                .map(|(name, value)| format!("{name}={}", escape(value)));
            let joint = if realm.contains('?') { '&' } else { '?' };
            request.url = format!("{realm}{joint}{}", asked.collect::<Vec<_>>().join("&"));
            request.user = login.cloned();
        }
    }
    let answer = request.send(limit)?;
    if answer.status != 200 {
        return Ok(None);
    }
    let body: Value = serde_json::from_slice(&answer.body)?;
    let token = body.get("token").or_else(|| body.get("access_token"));
    Ok(token.and_then(Value::as_str).map(str::to_owned))
}

/// `a="b",c="d,e"`, with the names in lower case.
fn parameters(text: &str) -> Vec<(String, String)> {
    let mut parameters = Vec::new();
    let mut rest = text;
    while let Some((name, value)) = rest.split_once('=') {
        let (value, after) = match value.strip_prefix('"') {
            Some(quoted) => quoted.split_once('"').unwrap_or((quoted, "")),
            None => value.split_once(',').unwrap_or((value, "")),
        };
        let name = name.trim_matches([',', ' ']).to_lowercase();
        parameters.push((name, value.to_owned()));
        rest = after;
    }
    parameters
}

/// Escapes what may not stand in a query.
fn escape(text: &str) -> String {
    let escaped = text.bytes().map(|byte| match byte {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' | b'/' | b':' => {
            char::from(byte).to_string()
        }
        _ => format!("%{byte:02X}"),
    });
    escaped.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_challenge_is_taken_apart() {
        let text =
            r#"realm="https://auth.x/token",Service="x", scope="repository:a/b:pull,push",n=1"#;
        let wanted = [
            ("realm", "https://auth.x/token"),
            ("service", "x"),
            ("scope", "repository:a/b:pull,push"),
            ("n", "1"),
        ];
        let wanted: Vec<(String, String)> =
            wanted.map(|(a, b)| (a.to_owned(), b.to_owned())).into();
        assert_eq!(parameters(text), wanted);
    }

    #[test]
    fn basic_needs_a_login() {
        let limit = Duration::from_secs(1);
        assert_eq!(answer("Basic realm=\"x\"", None, limit).unwrap(), None);
        let login = Login {
            name: "me".to_owned(),
            secret: "pw".to_owned(),
        };
        let header = answer("Basic realm=\"x\"", Some(&login), limit).unwrap();
        assert_eq!(header.as_deref(), Some("Basic bWU6cHc="));
    }
}
