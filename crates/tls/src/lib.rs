//! Whom a TLS client believes: the master of a Determined cluster, or a cloud's store.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, ring};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, Error as TlsError, RootCertStore,
    SignatureScheme,
};

/// A setting that cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("the {what} {value:?} cannot be used: {reason}")]
pub struct Error {
    /// What it is, in words.
    pub what: &'static str,
    /// The value.
    pub value: String,
    /// What is wrong with it.
    pub reason: String,
}

impl Error {
    fn setting(what: &'static str, value: &str, reason: impl Into<String>) -> Self {
        Self {
            what,
            value: value.to_owned(),
            reason: reason.into(),
        }
    }
}

/// How a server's certificate is verified. The default trusts the public
/// certificate authorities (compiled in, as an image may hold no file).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tls {
    /// What is trusted besides the public authorities.
    pub trust: Trust,
    /// The name that the certificate must be for, instead of the URL's host.
    pub name: Option<String>,
}

/// What is trusted besides the public certificate authorities.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Trust {
    /// Nothing.
    #[default]
    Public,
    /// The certificates in this PEM file: authorities, or the server's own.
    File(PathBuf),
    /// Anything: the connection is encrypted, but to whom is not known.
    Anything,
}

impl Tls {
    /// The meaning of `DET_MASTER_CERT_FILE` and `DET_MASTER_CERT_NAME`: a PEM
    /// file, or the word `noverify` in any case; and a name.
    pub fn from_settings(file: Option<&str>, name: Option<&str>) -> Self {
        let trust = match file.filter(|f| !f.is_empty()) {
            None => Trust::Public,
            Some(word) if word.eq_ignore_ascii_case("noverify") => Trust::Anything,
            Some(path) => Trust::File(path.into()),
        };
        let name = name.filter(|n| !n.is_empty()).map(str::to_owned);
        Self { trust, name }
    }

    /// The client configuration that verifies so.
    ///
    /// # Errors
    ///
    /// When the file holds no certificate, or the name is none.
    pub fn client_config(&self) -> Result<ClientConfig, Error> {
        let provider = Arc::new(ring::default_provider());
        let verifier = self.verifier(&provider)?;
        let builder = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|e| Error::setting("TLS provider", "ring", e.to_string()))?;
        Ok(builder
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(verifier))
            .with_no_client_auth())
    }

    fn verifier(&self, provider: &Arc<CryptoProvider>) -> Result<Verifier, Error> {
        let mut roots = RootCertStore::empty();
        roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
        let pinned = match &self.trust {
            Trust::File(path) => read_certificates(path)?,
            Trust::Public | Trust::Anything => Vec::new(),
        };
        for certificate in &pinned {
            // One that cannot be an anchor may still be the master's own.
            let _ = roots.add(certificate.clone());
        }
        let inner =
            WebPkiServerVerifier::builder_with_provider(Arc::new(roots), Arc::clone(provider))
                .build()
                .map_err(|e| Error::setting("set of authorities", "", e.to_string()))?;
        let name = match &self.name {
            None => None,
            Some(name) => Some(ServerName::try_from(name.clone()).map_err(|e| {
                Error::setting("name of the server's certificate", name, e.to_string())
            })?),
        };
        Ok(Verifier {
            inner,
            pinned,
            name,
            anything: self.trust == Trust::Anything,
        })
    }
}

/// As Determined's own clients do, a file that does not exist is only warned
/// about: a pipeline may name one that a cluster does not need.
fn read_certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, Error> {
    if !path.exists() {
        tracing::warn!(
            "the certificate file {} does not exist; only public authorities are trusted",
            path.display()
        );
        return Ok(Vec::new());
    }
    let refuse =
        |reason: String| Error::setting("certificate file", &path.display().to_string(), reason);
    let certificates = CertificateDer::pem_file_iter(path)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .map_err(|e| refuse(e.to_string()))?;
    if certificates.is_empty() {
        return Err(refuse("it holds no certificate in PEM form".to_owned()));
    }
    Ok(certificates)
}

/// The usual verification, with two additions that Determined's own clients have:
/// another name than the URL's, and a self-signed certificate that says it is an
/// authority (`openssl req -x509` makes such by default) is believed when the
/// configured file holds that very certificate.
#[derive(Debug)]
struct Verifier {
    inner: Arc<WebPkiServerVerifier>,
    pinned: Vec<CertificateDer<'static>>,
    name: Option<ServerName<'static>>,
    anything: bool,
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, TlsError> {
        if self.anything {
            return Ok(ServerCertVerified::assertion());
        }
        let name = self.name.as_ref().unwrap_or(server_name);
        match self
            .inner
            .verify_server_cert(end_entity, intermediates, name, ocsp_response, now)
        {
            // The dates are in order: they are checked before the constraint.
            Err(error) if is_authority_as_server(&error) && self.pinned.contains(end_entity) => {
                let certificate = ParsedCertificate::try_from(end_entity)?;
                rustls::client::verify_server_name(&certificate, name)?;
                Ok(ServerCertVerified::assertion())
            }
            other => other,
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, TlsError> {
        self.inner
            .verify_tls12_signature(message, certificate, signature)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, TlsError> {
        self.inner
            .verify_tls13_signature(message, certificate, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.inner.supported_verify_schemes()
    }
}

fn is_authority_as_server(error: &TlsError) -> bool {
    let TlsError::InvalidCertificate(CertificateError::Other(other)) = error else {
        return false;
    };
    matches!(
        other.0.downcast_ref::<webpki::Error>(),
        Some(webpki::Error::CaUsedAsEndEntity)
    )
}
