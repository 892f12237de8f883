//! Opening a bucket.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use object_store::ObjectStore;
use object_store::aws::{AmazonS3Builder, AmazonS3ConfigKey};
use object_store::azure::{AzureConfigKey, MicrosoftAzureBuilder};
use object_store::gcp::{GoogleCloudStorageBuilder, GoogleConfigKey};

use crate::http::Connector;
use crate::{Bucket, Error, Service};

/// Tells the region of a bucket.
const S3: &str = "https://s3.amazonaws.com";
const REGION_HEADER: &str = "x-amz-bucket-region";

/// What opens buckets: credentials, endpoints and certificates by the names that the
/// clouds' own tools give them.
///
/// They weigh more than what a [`Service`] says.
#[derive(Clone, Default)]
pub struct Access(BTreeMap<String, String>);

impl fmt::Debug for Access {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

impl Access {
    /// Keeps of `variables`, usually all of the environment, those of the clouds:
    /// `AWS_…`, `GOOGLE_…`, `AZURE_…` as the crate `object_store` reads them, and
    /// `AZURE_STORAGE_CONNECTION_STRING`; and `SSL_CERT_FILE`.
    pub fn from_variables(variables: impl IntoIterator<Item = (String, String)>) -> Self {
        let is_of_clouds = |name: &str| {
            let prefixes = ["AWS_", "GOOGLE_", "AZURE_"];
            prefixes.iter().any(|prefix| name.starts_with(prefix)) || name == "SSL_CERT_FILE"
        };
        let kept = variables
            .into_iter()
            .filter(|(name, value)| is_of_clouds(name) && !value.is_empty());
        Self(kept.collect())
    }

    /// What is given for a library whose keys are `K`.
    fn settings<K: FromStr>(&self, prefix: &str) -> impl Iterator<Item = (K, &String)> {
        let of_prefix = self
            .0
            .iter()
            .filter(move |(name, _)| name.starts_with(prefix));
        of_prefix.filter_map(|(name, value)| Some((name.to_lowercase().parse().ok()?, value)))
    }

    fn has_any(&self, names: &[&str]) -> bool {
        names.iter().any(|name| self.0.contains_key(*name))
    }

    /// The store of a bucket. Where the region of one of Amazon's is not told, it is
    /// asked for.
    ///
    /// # Errors
    ///
    /// When a setting is missing or wrong. Nothing but the region has been asked.
    pub async fn open(&self, bucket: &Bucket) -> Result<Arc<dyn ObjectStore>, Error> {
        let connector = Connector::new(&self.0)?;
        let store = match &bucket.service {
            Service::S3 { endpoint, keys } => {
                let endpoint = endpoint.as_deref();
                self.s3(&bucket.name, endpoint, keys, connector).await
            }
            Service::Gcs => self.gcs(&bucket.name, connector),
            Service::Azure {
                connection,
                account_url,
                credential,
            } => {
                let parts = [connection, account_url, credential].map(Option::as_deref);
                self.azure(&bucket.name, parts, connector)
            }
        };
        store.map_err(Error::Store)
    }

    async fn s3(
        &self,
        bucket: &str,
        endpoint: Option<&str>,
        keys: &Option<(String, String)>,
        connector: Connector,
    ) -> object_store::Result<Arc<dyn ObjectStore>> {
        let mut builder = AmazonS3Builder::new();
        for (key, value) in self.settings::<AmazonS3ConfigKey>("AWS_") {
            builder = builder.with_config(key, value);
        }
        let has_endpoint =
            self.has_any(&["AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT"]);
        if let Some(url) = endpoint.filter(|_| !has_endpoint) {
            builder = builder.with_endpoint(url.trim_end_matches('/'));
        }
        if let Some((access, secret)) = keys
            && !self.has_any(&["AWS_ACCESS_KEY_ID", "AWS_WEB_IDENTITY_TOKEN_FILE"])
        {
            builder = builder
                .with_access_key_id(access)
                .with_secret_access_key(secret);
        }
        let has_region = self.has_any(&["AWS_REGION", "AWS_DEFAULT_REGION"]);
        if !has_region && !has_endpoint && endpoint.is_none() {
            let answer = connector.0.head(format!("{S3}/{bucket}")).send().await;
            let region = answer.ok().and_then(|answer| {
                let region = answer.headers().get(REGION_HEADER)?;
                region.to_str().ok().map(str::to_owned)
            });
            if let Some(region) = region {
                builder = builder.with_region(region);
            }
        }
        let builder = builder
            .with_bucket_name(bucket)
            .with_allow_http(true)
            .with_http_connector(connector);
        Ok(Arc::new(builder.build()?))
    }

    fn gcs(
        &self,
        bucket: &str,
        connector: Connector,
    ) -> object_store::Result<Arc<dyn ObjectStore>> {
        let mut builder = GoogleCloudStorageBuilder::new();
        for (key, value) in self.settings::<GoogleConfigKey>("GOOGLE_") {
            builder = builder.with_config(key, value);
        }
        let builder = builder
            .with_bucket_name(bucket)
            .with_http_connector(connector);
        Ok(Arc::new(builder.build()?))
    }

    fn azure(
        &self,
        container: &str,
        [connection, account_url, credential]: [Option<&str>; 3],
        connector: Connector,
    ) -> object_store::Result<Arc<dyn ObjectStore>> {
        let own = self.0.get("AZURE_STORAGE_CONNECTION_STRING");
        let connection = own.map(String::as_str).or(connection);
        let mut builder = MicrosoftAzureBuilder::new();
        let written = connection.into_iter().flat_map(of_connection_string);
        let written = written.chain(account_url.into_iter().flat_map(of_account_url));
        for (key, value) in written.chain(credential.and_then(of_credential)) {
            builder = builder.with_config(key, value);
        }
        for (key, value) in self.settings::<AzureConfigKey>("AZURE_") {
            builder = builder.with_config(key, value);
        }
        let builder = builder
            .with_container_name(container)
            .with_allow_http(true)
            .with_http_connector(connector);
        Ok(Arc::new(builder.build()?))
    }
}

/// `AccountName=a;AccountKey=…;EndpointSuffix=core.windows.net`.
fn of_connection_string(text: &str) -> Vec<(AzureConfigKey, String)> {
    let parts = text.split(';').filter_map(|part| part.split_once('='));
    let parts: BTreeMap<String, &str> = parts
        .map(|(key, value)| (key.trim().to_ascii_lowercase(), value.trim()))
        .collect();
    let get = |key: &str| parts.get(key).map(|value| (*value).to_owned());
    if get("usedevelopmentstorage").is_some_and(|value| value.eq_ignore_ascii_case("true")) {
        return vec![(AzureConfigKey::UseEmulator, "true".to_owned())];
    }
    let endpoint = get("blobendpoint").or_else(|| {
        let protocol = get("defaultendpointsprotocol").unwrap_or_else(|| "https".to_owned());
        let (account, suffix) = (get("accountname")?, get("endpointsuffix")?);
        Some(format!("{protocol}://{account}.blob.{suffix}"))
    });
    let found = [
        (AzureConfigKey::AccountName, get("accountname")),
        (AzureConfigKey::AccessKey, get("accountkey")),
        (AzureConfigKey::SasKey, get("sharedaccesssignature")),
        (AzureConfigKey::Endpoint, endpoint),
    ];
    let found = found.into_iter();
    found
        .filter_map(|(key, value)| Some((key, value?)))
        .collect()
}

/// `https://account.blob.core.windows.net`.
fn of_account_url(url: &str) -> Vec<(AzureConfigKey, String)> {
    let (url, signature) = url.split_once('?').unwrap_or((url, ""));
    let host = url.split_once("://").map_or(url, |(_, rest)| rest);
    let account = host.split(['.', ':', '/']).next().unwrap_or_default();
    let endpoint = url.trim_end_matches('/').to_owned();
    let mut found = vec![
        (AzureConfigKey::AccountName, account.to_owned()),
        (AzureConfigKey::Endpoint, endpoint),
    ];
    if !signature.is_empty() {
        found.push((AzureConfigKey::SasKey, signature.to_owned()));
    }
    found
}

/// A shared access signature is a query; anything else is an account's key.
fn of_credential(text: &str) -> Option<(AzureConfigKey, String)> {
    let key = match text.contains("sig=") {
        true => AzureConfigKey::SasKey,
        false => AzureConfigKey::AccessKey,
    };
    (!text.is_empty()).then(|| (key, text.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(found: Vec<(AzureConfigKey, String)>) -> Vec<String> {
        let text = |(key, value): (AzureConfigKey, String)| format!("{} {value}", key.as_ref());
        found.into_iter().map(text).collect()
    }

    #[test]
    fn azure_is_told_in_three_ways() {
        let connection = "DefaultEndpointsProtocol=https;AccountName=acct;AccountKey=a2V5PT0=;\
                          EndpointSuffix=core.windows.net";
        assert_eq!(
            texts(of_connection_string(connection)),
            [
                "azure_storage_account_name acct",
                "azure_storage_account_key a2V5PT0=",
                "azure_storage_endpoint https://acct.blob.core.windows.net",
            ]
        );
        assert_eq!(
            texts(of_account_url("https://acct.blob.core.windows.net/")),
            [
                "azure_storage_account_name acct",
                "azure_storage_endpoint https://acct.blob.core.windows.net",
            ]
        );
        let kind = |text: &str| of_credential(text).map(|(key, _)| key.as_ref().to_owned());
        assert_eq!(
            kind("?sv=1&sig=x").as_deref(),
            Some("azure_storage_sas_key")
        );
        assert_eq!(kind("a2V5").as_deref(), Some("azure_storage_account_key"));
        assert_eq!(kind(""), None);
    }

    #[test]
    fn debug_output_holds_names_alone() {
        let all = [("AWS_SECRET_ACCESS_KEY", "hunter2"), ("HOME", "/root")];
        let all = all.map(|(name, value)| (name.to_owned(), value.to_owned()));
        let access = Access::from_variables(all);
        assert_eq!(format!("{access:?}"), "{\"AWS_SECRET_ACCESS_KEY\"}");
    }
}
