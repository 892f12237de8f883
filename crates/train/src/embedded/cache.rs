//! Embeddings that were made before, by the content they are of.
//!
//! `<folder>/<program version>-<engine>-<backbone>/<digest>` holds one byte that says whether
//! a text was cut, the numbers as little-endian 32-bit floats, and the SHA-256 of
//! both. What is damaged is made again.

use std::fs;
use std::path::{Path, PathBuf};

use backbone::Backbone;
use model::{Digest, publish};

use crate::progress::warn;

/// An embedding.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Embedding {
    /// Its numbers.
    pub(super) values: Vec<f32>,
    /// Whether the text was cut to the backbone's limit.
    pub(super) cut: bool,
}

/// A folder of embeddings of one backbone on one engine; or none.
#[derive(Debug)]
pub(super) struct Cache {
    folder: Option<PathBuf>,
    width: usize,
}

impl Cache {
    /// The part of the cache in `folder` that is of `backbone` on `engine`, as another
    /// engine gives other last digits. A folder that cannot be made is no reason to stop:
    /// there is then no cache.
    pub(super) fn open(folder: Option<&Path>, engine: &str, backbone: &Backbone) -> Self {
        let (version, engine) = (env!("CARGO_PKG_VERSION"), engine.replace(' ', "-"));
        let name = format!("{version}-{engine}-{}", hex(backbone.digest));
        let folder = folder.map(|path| path.join(name));
        let usable = folder.filter(|path| match fs::create_dir_all(path) {
            Ok(()) => true,
            Err(e) => {
                warn(&format!(
                    "no embeddings are kept: cannot make {}: {e}",
                    path.display()
                ));
                false
            }
        });
        Self {
            folder: usable,
            width: backbone.seen_width(),
        }
    }

    /// The embedding of the content with this digest, if it is kept undamaged.
    pub(super) fn get(&self, content: Digest) -> Option<Embedding> {
        let bytes = fs::read(self.path(content)?).ok()?;
        let (body, seal) = bytes.split_at_checked(1 + 4 * self.width)?;
        let (cut, numbers) = body.split_first()?;
        if seal != Digest::of(body).to_string().as_bytes() {
            return None;
        }
        let number = |bytes: &[u8]| Some(f32::from_le_bytes(bytes.try_into().ok()?));
        Some(Embedding {
            values: numbers.chunks_exact(4).filter_map(number).collect(),
            cut: *cut == 1,
        })
    }

    /// Keeps an embedding. One that cannot be kept will be made again.
    pub(super) fn put(&self, content: Digest, embedding: &Embedding) {
        let Some(path) = self.path(content) else {
            return;
        };
        let mut bytes = vec![u8::from(embedding.cut)];
        bytes.extend(embedding.values.iter().flat_map(|v| v.to_le_bytes()));
        let seal = Digest::of(&bytes).to_string();
        bytes.extend(seal.into_bytes());
        let _ = publish::write_file(&path, &bytes);
    }

    fn path(&self, content: Digest) -> Option<PathBuf> {
        Some(self.folder.as_ref()?.join(hex(content)))
    }
}

fn hex(digest: Digest) -> String {
    digest.to_string().replace("sha256:", "")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_damaged_is_not_given() {
        let dir = tempfile::tempdir().unwrap();
        let cache = Cache {
            folder: Some(dir.path().to_owned()),
            width: 2,
        };
        let content = Digest::of(b"x");
        assert_eq!(cache.get(content), None);
        let embedding = Embedding {
            values: vec![1.5, -2.0],
            cut: true,
        };
        cache.put(content, &embedding);
        assert_eq!(cache.get(content), Some(embedding));
        let path = cache.path(content).unwrap();
        let mut bytes = fs::read(&path).unwrap();
        bytes[3] ^= 1;
        fs::write(&path, &bytes).unwrap();
        assert_eq!(cache.get(content), None);
        fs::write(&path, b"").unwrap();
        assert_eq!(cache.get(content), None);
    }
}
