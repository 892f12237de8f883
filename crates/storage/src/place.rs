//! The URL of a folder in a store.

use std::path::{Component, Path, PathBuf};

use object_store::path::Path as Key;

use crate::{Bucket, Error, Service};

/// The kinds of store, as a refusal lists them.
const KINDS: &str = "file:///FOLDER, s3://BUCKET/FOLDER, gs://BUCKET/FOLDER or \
                     az://CONTAINER/FOLDER";

/// Where a URL leads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// To this folder of the file system.
    Folder(PathBuf),
    /// To a bucket, and what stands before the names of its objects.
    Bucket(Bucket, Key),
}

impl Place {
    /// What `url` means, with the URL as it may be shown: `file:///FOLDER`,
    /// `s3://BUCKET/FOLDER`, `gs://BUCKET/FOLDER` or `az://CONTAINER/FOLDER`.
    ///
    /// # Errors
    ///
    /// When it is none of these, or holds credentials.
    pub fn parse(url: &str) -> Result<(Self, String), Error> {
        let url = url.trim().trim_end_matches('/');
        let refuse = |reason: String| Err(Error::Url(reason));
        let Some((scheme, rest)) = url.split_once("://") else {
            // What is no URL may still hold a secret.
            return refuse(format!("it is no URL; expected {KINDS}"));
        };
        if rest.contains(['@', '?', '#']) {
            return refuse(format!(
                "a {scheme} URL with a user, a query or a fragment: credentials belong in the \
                 environment; expected {KINDS}"
            ));
        }
        if scheme == "file" {
            let folder = Path::new(rest);
            let is_plain = |part| matches!(part, Component::RootDir | Component::Normal(_));
            if !folder.is_absolute() || !folder.components().all(is_plain) {
                return refuse(format!(
                    "{url:?} names no absolute folder; expected {KINDS}"
                ));
            }
            return Ok((Self::Folder(folder.to_owned()), url.to_owned()));
        }
        let service = match scheme {
            "s3" => Service::S3 {
                endpoint: None,
                keys: None,
            },
            "gs" => Service::Gcs,
            "az" => Service::Azure {
                connection: None,
                account_url: None,
                credential: None,
            },
            _ => {
                return refuse(format!(
                    "{url:?} has a scheme that is no store; expected {KINDS}"
                ));
            }
        };
        let (name, folder) = rest.split_once('/').unwrap_or((rest, ""));
        let name = name.to_owned();
        // A key that begins with a slash would be another one where it is written in full.
        let is_named = !name.is_empty() && !folder.starts_with('/');
        match (is_named, Key::parse(folder)) {
            (true, Ok(folder)) => {
                let place = Self::Bucket(Bucket { name, service }, folder);
                Ok((place, url.to_owned()))
            }
            _ => refuse(format!(
                "{url:?} names no bucket and folder; expected {KINDS}"
            )),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_of_store() {
        let place = |url: &str| Place::parse(url).unwrap();
        let (folder, shown) = place("file:///srv/models/");
        assert_eq!(folder, Place::Folder("/srv/models".into()));
        assert_eq!(shown, "file:///srv/models");
        for (url, kind, folder) in [
            ("s3://models", "S3", ""),
            ("gs://models/a/b/", "Gcs", "a/b"),
            ("az://models/a", "Azure", "a"),
        ] {
            let (Place::Bucket(bucket, found), _) = place(url) else {
                panic!("{url}")
            };
            assert_eq!(format!("{:?}", bucket.service), kind);
            assert_eq!((bucket.name.as_str(), found.as_ref()), ("models", folder));
        }
    }

    #[test]
    fn what_is_no_folder_is_refused_without_secrets() {
        for url in [
            "",
            "/srv/models",
            "file://srv/models",
            "file:///srv/../models",
            "s3://models/../a",
            "https://models.example/a",
            "s3://",
            "s3:///a",
            "s3://b//a",
            "s3://AKIA:hunter2@models/a",
            "az://models/a?sig=hunter2",
        ] {
            let error = Place::parse(url).unwrap_err().to_string();
            assert!(error.contains("expected file:///FOLDER"), "{error}");
            assert!(!error.contains("hunter2"), "{error}");
        }
    }
}
