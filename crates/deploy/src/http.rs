//! HTTP with TLS that is verified against compiled-in roots: an image from
//! scratch has no certificates of its own.

use std::fs;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, bail};
use reqwest::{Certificate, Client};

/// How long a call may take; the APIs answer in far less.
const TIMEOUT: Duration = Duration::from_secs(30);

/// How TLS servers are recognised.
#[derive(Debug, Clone, Default)]
pub(crate) struct Trust<'a> {
    /// Certificates, in PEM, that are trusted besides the public ones.
    pub(crate) ca_file: Option<&'a Path>,
    /// Accept every certificate.
    pub(crate) insecure: bool,
}

/// A client. Redirects are not followed: an API that redirects has another
/// address than the one given, and credentials must not go elsewhere.
///
/// # Errors
///
/// When the CA file is missing or holds no certificate.
pub(crate) fn client(trust: &Trust<'_>) -> anyhow::Result<Client> {
    // Another part of the program may have chosen it already: it is the only one.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let mut roots = Vec::new();
    for root in webpki_root_certs::TLS_SERVER_ROOT_CERTS {
        roots.push(Certificate::from_der(root)?);
    }
    if let Some(path) = trust.ca_file {
        let pem = fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
        let own = Certificate::from_pem_bundle(&pem)
            .with_context(|| format!("{} is not PEM", path.display()))?;
        if own.is_empty() {
            bail!("{} holds no certificate", path.display());
        }
        roots.extend(own);
    }
    let client = Client::builder()
        .user_agent(concat!("deploy/", env!("CARGO_PKG_VERSION")))
        .timeout(TIMEOUT)
        .redirect(reqwest::redirect::Policy::none())
        .tls_certs_only(roots)
        .tls_danger_accept_invalid_certs(trust.insecure)
        .build();
    client.context("cannot make an HTTP client")
}
