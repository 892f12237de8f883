//! The objects that were received.

use std::cell::RefCell;

use gix_hash::{Kind as Hash, ObjectId, Prefix, oid};
use gix_object::tree::EntryKind;
use gix_object::{CommitRef, Kind, TagRef, TreeRef};
use gix_pack::Bundle;
use gix_pack::cache::Never;
use gix_zlib::Inflate;

use crate::Error;

/// How many tags may point at each other before a commit.
const MOST_TAGS: usize = 10;

/// The objects that were received, each of which has the digest that it is named by.
pub(crate) struct Pack {
    bundle: Bundle,
    inflate: RefCell<Inflate>,
}

/// One entry of a folder.
pub(crate) struct Entry {
    pub(crate) kind: EntryKind,
    pub(crate) name: Vec<u8>,
    pub(crate) id: ObjectId,
}

impl Pack {
    pub(crate) fn new(bundle: Bundle) -> Self {
        Self {
            bundle,
            inflate: RefCell::default(),
        }
    }

    pub(crate) fn holds(&self, id: ObjectId) -> bool {
        self.bundle.index.lookup(id).is_some()
    }

    fn object(&self, id: &oid) -> Result<(Kind, Vec<u8>), String> {
        let (mut content, mut inflate) = (Vec::new(), self.inflate.borrow_mut());
        let found = self.bundle.find(id, &mut content, &mut inflate, &mut Never);
        match found.map_err(|e| e.to_string())? {
            Some((object, _)) => {
                let kind = object.kind;
                Ok((kind, content))
            }
            None => Err(format!("the server did not send the object {id}")),
        }
    }

    fn object_of_kind(&self, id: &oid, wanted: Kind) -> Result<Vec<u8>, String> {
        match self.object(id)? {
            (kind, content) if kind == wanted => Ok(content),
            (kind, _) => Err(format!("the object {id} is a {kind}, not a {wanted}")),
        }
    }

    /// The commit that `id` is, or that the tag `id` is of, and its root folder.
    pub(crate) fn commit(&self, id: ObjectId) -> Result<(ObjectId, ObjectId), Error> {
        let refuse = |reason| Error::Commit {
            commit: id.to_string(),
            reason,
        };
        self.peeled(id).map_err(refuse)
    }

    fn peeled(&self, mut id: ObjectId) -> Result<(ObjectId, ObjectId), String> {
        for _ in 0..MOST_TAGS {
            let (kind, content) = self.object(&id)?;
            match kind {
                Kind::Commit => {
                    let commit = CommitRef::from_bytes(&content, Hash::Sha1);
                    return Ok((id, commit.map_err(|e| e.to_string())?.tree()));
                }
                Kind::Tag => {
                    let tag = TagRef::from_bytes(&content, Hash::Sha1);
                    id = tag.map_err(|e| e.to_string())?.target();
                }
                kind => return Err(format!("it is a {kind}, not a commit")),
            }
        }
        Err("its tag is of a tag, and so on".to_owned())
    }

    /// The commits whose digits begin so.
    pub(crate) fn commits(&self, prefix: Prefix) -> Result<Vec<ObjectId>, Error> {
        let (index, mut range) = (&self.bundle.index, 0..0);
        // Its answer says only whether there is one or more.
        let _ = index.lookup_prefix(prefix, Some(&mut range));
        let mut commits = Vec::new();
        for entry in range {
            let id = index.oid_at_index(entry);
            let refuse = |reason| Error::Commit {
                commit: id.to_string(),
                reason,
            };
            if self.object(id).map_err(refuse)?.0 == Kind::Commit {
                commits.push(id.to_owned());
            }
        }
        Ok(commits)
    }

    /// The entries of a folder.
    pub(crate) fn folder(&self, id: &oid) -> Result<Vec<Entry>, String> {
        let content = self.object_of_kind(id, Kind::Tree)?;
        let tree = TreeRef::from_bytes(&content, Hash::Sha1).map_err(|e| e.to_string())?;
        let entries = tree.entries.iter().map(|entry| Entry {
            kind: entry.mode.kind(),
            name: entry.filename.to_vec(),
            id: entry.oid.to_owned(),
        });
        Ok(entries.collect())
    }

    /// The content of a file, or the target of a link.
    pub(crate) fn content(&self, id: &oid) -> Result<Vec<u8>, String> {
        self.object_of_kind(id, Kind::Blob)
    }
}
