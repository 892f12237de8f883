//! What a program has left in `/pfs/out`, as Pachyderm takes it.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use crate::local::datum::Datum;
use crate::local::objects::Objects;
use crate::local::tree::{self, Tree, below};

/// Takes the output of one datum into the store.
pub(super) struct Collector<'a> {
    pub(super) objects: &'a Objects,
    pub(super) datum: &'a Datum<'a>,
    /// The `/pfs` of the program, on this machine.
    pub(super) pfs: &'a Path,
    /// Whether the program saw it as `/pfs`, with nothing of this machine beside it.
    pub(super) container: bool,
}

impl Collector<'_> {
    /// The files in `out`. Links are followed: into an input that had names or pipes
    /// only, to the real file. Empty folders and pipes vanish.
    ///
    /// # Errors
    ///
    /// When a name has characters that Pachyderm refuses, a link leads nowhere, in a
    /// circle or out of a container's `/pfs`, or a file cannot be read.
    pub(super) fn collect(&self) -> Result<Tree> {
        let mut tree = Tree::new();
        let out = self.pfs.join("out");
        self.folder(&out, Path::new(""), &mut Vec::new(), &mut tree)?;
        Ok(tree)
    }

    /// `open` are the folders that links have led into.
    fn folder(
        &self,
        folder: &Path,
        name: &Path,
        open: &mut Vec<PathBuf>,
        tree: &mut Tree,
    ) -> Result<()> {
        let entries =
            fs::read_dir(folder).with_context(|| format!("cannot read {}", folder.display()))?;
        for entry in entries {
            let entry = entry?;
            let (path, name) = (entry.path(), name.join(entry.file_name()));
            let kind = entry.file_type()?;
            if kind.is_dir() {
                self.folder(&path, &name, open, tree)?;
            } else if kind.is_file() {
                tree.insert(tree::checked(&name)?, self.objects.take(&path)?);
            } else if kind.is_symlink() {
                self.link(&path, &name, open, tree)?;
            }
        }
        Ok(())
    }

    fn link(
        &self,
        link: &Path,
        name: &Path,
        open: &mut Vec<PathBuf>,
        tree: &mut Tree,
    ) -> Result<()> {
        let shown = name.display();
        let target = fs::read_link(link)?;
        let target = match target.strip_prefix("/pfs") {
            Ok(rest) if self.container => self.pfs.join(rest),
            _ => link.parent().unwrap_or(self.pfs).join(target),
        };
        let target = target
            .canonicalize()
            .with_context(|| format!("the link {shown} leads nowhere"))?;
        let pfs = self.pfs.canonicalize()?;
        if let Ok(path) = target.strip_prefix(&pfs) {
            if let Some(found) = self.real(path) {
                for (inner, entry) in found {
                    // The file itself has nothing behind its name.
                    let name: PathBuf = name.join(inner).components().collect();
                    tree.insert(tree::checked(&name)?, entry);
                }
                return Ok(());
            }
        } else if self.container {
            bail!("the link {shown} leads out of /pfs, which is not kept");
        }
        let found = target.metadata()?;
        if found.is_file() {
            tree.insert(tree::checked(name)?, self.objects.take(&target)?);
        } else if found.is_dir() {
            let here = link.parent().unwrap_or(self.pfs).canonicalize()?;
            if open.contains(&target) || here.starts_with(&target) {
                bail!("the link {shown} leads in a circle");
            }
            open.push(target.clone());
            self.folder(&target, name, open, tree)?;
            open.pop();
        }
        Ok(())
    }

    /// The files below `/pfs/<input>/…` of an input of which the program had names or
    /// pipes only, by their path from there.
    fn real(&self, path: &Path) -> Option<Tree> {
        let mut segments = path.iter();
        let input = segments.next()?.to_str()?;
        let path = segments.as_path().to_str()?;
        let parts = self.datum.parts.iter().filter(|part| {
            part.input.name() == input && (part.input.lazy || part.input.empty_files)
        });
        let parts: Vec<_> = parts.collect();
        if parts.is_empty() {
            return None;
        }
        let files = parts.iter().flat_map(|part| {
            let lent = below(&part.commit.files, &part.path);
            lent.filter_map(|(name, entry)| {
                let inner = Path::new(name).strip_prefix(path).ok()?;
                Some((inner.to_str()?.to_owned(), entry.clone()))
            })
        });
        Some(files.collect())
    }
}
