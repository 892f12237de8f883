//! The HTTP client of the clouds' stores.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use object_store::ClientOptions;
use object_store::client::{HttpClient, HttpConnector};

use tls::{Tls, Trust};

use crate::Error;

/// Where an image or a person says which authorities to trust besides the public
/// ones, for S3 and for everything.
const CERTIFICATES: [&str; 2] = ["AWS_CA_BUNDLE", "SSL_CERT_FILE"];

/// Gives every store the same client: the library's own looks for certificates in
/// files, which an image from scratch does not have.
#[derive(Debug, Clone)]
pub(super) struct Connector(pub(super) reqwest::Client);

impl Connector {
    pub(super) fn new(variables: &BTreeMap<String, String>) -> Result<Self, Error> {
        let file = CERTIFICATES.iter().find_map(|name| variables.get(*name));
        let tls = Tls {
            trust: file.map_or(Trust::Public, |file| Trust::File(PathBuf::from(file))),
            name: None,
        };
        let client = reqwest::Client::builder()
            .tls_backend_preconfigured(tls.client_config()?)
            .connect_timeout(Duration::from_secs(10))
            .read_timeout(Duration::from_secs(60))
            .build()
            .map_err(Error::Client)?;
        Ok(Self(client))
    }
}

impl HttpConnector for Connector {
    fn connect(&self, _: &ClientOptions) -> object_store::Result<HttpClient> {
        Ok(HttpClient::new(self.0.clone()))
    }
}
