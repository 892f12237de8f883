//! Certificates: which are believed.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use determined::{Client, Credentials, Settings, Tls};
use rcgen::{BasicConstraints, CertificateParams, IsCa, KeyPair};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};

/// A server that shows this certificate and finds no model; its port.
async fn serve(certificate: &CertificateDer<'static>, key: &KeyPair) -> u16 {
    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
    let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate.clone()], key)
        .unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        loop {
            let (connection, _) = listener.accept().await.unwrap();
            let Ok(mut connection) = acceptor.accept(connection).await else {
                continue;
            };
            let _ = connection.read(&mut [0; 4096]).await;
            let answer =
                b"HTTP/1.1 404 Not Found\r\ncontent-length: 2\r\nconnection: close\r\n\r\n{}";
            let _ = connection.write_all(answer).await;
            let _ = connection.shutdown().await;
        }
    });
    port
}

/// A self-signed certificate for these names.
fn self_signed(names: &[&str], authority: bool, year: i32) -> (CertificateDer<'static>, KeyPair) {
    let names: Vec<String> = names.iter().map(|&n| n.to_owned()).collect();
    let mut params = CertificateParams::new(names).unwrap();
    if authority {
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    }
    params.not_after = rcgen::date_time_ymd(year, 1, 1);
    let key = KeyPair::generate().unwrap();
    let certificate = params.self_signed(&key).unwrap();
    (certificate.der().clone(), key)
}

fn pem_file(folder: &Path, certificate: &CertificateDer<'_>) -> PathBuf {
    use base64::Engine as _;
    let path = folder.join("master.pem");
    let text = base64::prelude::BASE64_STANDARD.encode(certificate);
    let begin = "-----BEGIN CERTIFICATE-----";
    let end = "-----END CERTIFICATE-----";
    let lines: Vec<&str> = (0..text.len())
        .step_by(64)
        .map(|at| &text[at..text.len().min(at + 64)])
        .collect();
    std::fs::write(&path, format!("{begin}\n{}\n{end}\n", lines.join("\n"))).unwrap();
    path
}

/// Whether a client with these settings gets an answer, or why not.
async fn believes(url: &str, file: Option<&str>, name: Option<&str>) -> Result<(), String> {
    let address = url.parse().unwrap();
    let mut settings = Settings::new(address, Credentials::Token("t".into()));
    settings.tls = Tls::from_settings(file, name);
    settings.retry.attempts = 1;
    let client = Client::new(settings).map_err(|e| e.to_string())?;
    match client.model("iris").await {
        Ok(None) => Ok(()),
        Ok(Some(_)) => unreachable!("the server knows no model"),
        Err(error) => Err(format!("{:?}", std::error::Error::source(&error).unwrap())),
    }
}

#[tokio::test]
async fn a_self_signed_certificate_is_believed_when_it_is_in_the_file() {
    for authority in [false, true] {
        let dir = tempfile::tempdir().unwrap();
        let (certificate, key) = self_signed(&["localhost", "master"], authority, 2100);
        let file = pem_file(dir.path(), &certificate);
        let file = file.to_str();
        let port = serve(&certificate, &key).await;
        let url = format!("https://localhost:{port}");
        believes(&url, file, None).await.unwrap();
        believes(&url, file, Some("master")).await.unwrap();
        believes(&url, Some("noVerify"), Some("nobody"))
            .await
            .unwrap();
        let unknown = believes(&url, None, None).await.unwrap_err();
        assert!(
            unknown.contains("invalid peer certificate") || unknown.contains("InvalidCertificate"),
            "{unknown}"
        );
        let missing = dir.path().join("missing.pem");
        assert!(believes(&url, missing.to_str(), None).await.is_err());
        // Another name is refused, that of the URL as well as a chosen one.
        let by_address = format!("https://127.0.0.1:{port}");
        assert!(believes(&by_address, file, None).await.is_err());
        believes(&by_address, file, Some("master")).await.unwrap();
        let wrong = believes(&url, file, Some("nobody")).await.unwrap_err();
        assert!(wrong.contains("NotValidForName"), "{wrong}");
    }
}

#[tokio::test]
async fn an_expired_certificate_is_refused_even_from_the_file() {
    for authority in [false, true] {
        let dir = tempfile::tempdir().unwrap();
        let (certificate, key) = self_signed(&["localhost"], authority, 2001);
        let file = pem_file(dir.path(), &certificate);
        let port = serve(&certificate, &key).await;
        let url = format!("https://localhost:{port}");
        let error = believes(&url, file.to_str(), None).await.unwrap_err();
        assert!(error.contains("Expired"), "{error}");
    }
}

#[tokio::test]
async fn another_certificate_of_the_same_name_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let (ours, _) = self_signed(&["localhost"], true, 2100);
    let (theirs, key) = self_signed(&["localhost"], true, 2100);
    let file = pem_file(dir.path(), &ours);
    let port = serve(&theirs, &key).await;
    let url = format!("https://localhost:{port}");
    assert!(believes(&url, file.to_str(), None).await.is_err());
}

#[tokio::test]
async fn a_file_without_a_certificate_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("empty.pem");
    std::fs::write(&file, "no certificate\n").unwrap();
    let error = believes("https://localhost:1", file.to_str(), None)
        .await
        .unwrap_err();
    assert!(error.contains("holds no certificate"), "{error}");
}
