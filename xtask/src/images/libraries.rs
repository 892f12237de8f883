//! What an image holds besides its program, so that this can load ONNX Runtime:
//! that library, the C library of this machine, and its loader.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use xshell::{Shell, cmd};

use super::context::Entry;
use super::seal::hex;
use crate::onnxruntime::{LIBRARY, NOTICES, VERSION};

/// Where programs look for the library.
const PLACE: &str = "usr/local/lib";

/// Where an image's notices lie.
const DOCS: &str = "usr/share/doc/onnxruntime";

/// Files by their path in the image, without the leading slash.
pub(crate) struct Libraries {
    files: BTreeMap<String, File>,
}

struct File {
    bytes: Vec<u8>,
    sha256: String,
    /// What it is in a bill of materials.
    part: Part,
}

enum Part {
    Library,
    Notice,
    /// A file of the system, and the package that owns it if that is known.
    System(Option<Package>),
}

/// A package of Debian or a descendant.
struct Package {
    name: String,
    version: String,
    processor: String,
}

impl Libraries {
    /// Reads the library in `folder`, and what the loader of this machine finds for
    /// it. A program of Rust needs a part of that.
    ///
    /// # Errors
    /// When a file cannot be read, or the library needs one that is not here.
    pub(crate) fn gather(folder: &Path) -> Result<Self> {
        let library = folder.join(LIBRARY);
        let mut files = BTreeMap::new();
        let mut add = |at: String, from: &Path, part: Part| -> Result<()> {
            let bytes =
                fs::read(from).with_context(|| format!("cannot read {}", from.display()))?;
            let sha256 = hex(&Sha256::digest(&bytes));
            files.insert(
                at,
                File {
                    bytes,
                    sha256,
                    part,
                },
            );
            Ok(())
        };
        add(format!("{PLACE}/{LIBRARY}"), &library, Part::Library)?;
        for name in NOTICES {
            add(format!("{DOCS}/{name}"), &folder.join(name), Part::Notice)?;
        }
        for path in needed(&library)? {
            let place = path.trim_start_matches('/').to_owned();
            add(place, Path::new(&path), Part::System(owner(&path)))?;
        }
        Ok(Self { files })
    }

    /// As entries of a layer.
    pub(crate) fn entries(&self) -> impl Iterator<Item = Entry<'_>> {
        self.files.iter().map(|(name, file)| Entry {
            name,
            mode: match file.part {
                Part::Notice => 0o644,
                Part::Library | Part::System(_) => 0o755,
            },
            bytes: &file.bytes,
        })
    }

    /// Bytes of all files.
    pub(crate) fn size(&self) -> usize {
        self.files.values().map(|file| file.bytes.len()).sum()
    }

    /// One digest of all paths and contents.
    pub(crate) fn digest(&self) -> String {
        let lines = self.files.iter();
        let lines = lines.map(|(path, file)| format!("{} {path}\n", file.sha256));
        hex(&Sha256::digest(lines.collect::<String>()))
    }

    /// As components of a bill of materials.
    pub(crate) fn components(&self) -> Vec<Value> {
        let files = self.files.iter();
        files
            .filter_map(|(path, file)| file.component(path))
            .collect()
    }
}

impl File {
    fn component(&self, path: &str) -> Option<Value> {
        let (reference, mut component) = match &self.part {
            Part::Notice => return None,
            Part::Library => {
                let purl = format!("pkg:pypi/onnxruntime@{VERSION}");
                let library = json!({
                    "type": "library", "name": "onnxruntime", "version": VERSION, "purl": purl,
                    "licenses": [{"expression": "MIT"}],
                });
                (purl, library)
            }
            Part::System(None) => (
                format!("file:/{path}"),
                json!({"type": "file", "name": path}),
            ),
            Part::System(Some(package)) => {
                let purl = package.purl();
                let mut library = json!({
                    "type": "library", "name": package.name, "version": package.version,
                    "purl": purl, "description": format!("/{path}"),
                });
                if let (Some(licence), Some(library)) = (package.licence(), library.as_object_mut())
                {
                    library.insert("licenses".to_owned(), json!([{"expression": licence}]));
                }
                // A package may have several of the files.
                (format!("{purl}#{path}"), library)
            }
        };
        if let Some(component) = component.as_object_mut() {
            component.insert("bom-ref".to_owned(), json!(reference));
            component.insert("scope".to_owned(), json!("required"));
            let hashes = json!([{"alg": "SHA-256", "content": self.sha256}]);
            component.insert("hashes".to_owned(), hashes);
        }
        Some(component)
    }
}

impl Package {
    fn purl(&self) -> String {
        let version = self.version.replace('+', "%2B").replace(':', "%3A");
        let Self {
            name, processor, ..
        } = self;
        format!(
            "pkg:deb/debian/{}@{version}?arch={processor}",
            name.replace('+', "%2B")
        )
    }

    /// Of the packages that hold a C library and its loader.
    fn licence(&self) -> Option<&'static str> {
        match self.name.as_str() {
            "libc6" => Some("LGPL-2.1-or-later"),
            "libgcc-s1" | "libstdc++6" => Some("GPL-3.0-or-later WITH GCC-exception-3.1"),
            _ => None,
        }
    }
}

/// The paths of the libraries that the loader finds for `library`, and its own.
fn needed(library: &Path) -> Result<Vec<String>> {
    let sh = Shell::new()?;
    let said = cmd!(sh, "ldd {library}").quiet().read();
    let said = said.context("cannot ask ldd, of the C library, what ONNX Runtime needs")?;
    paths(&said)
}

/// `libm.so.6 => /lib/libm.so.6 (0x…)`, or the path alone for the loader. What has no
/// path comes from the kernel.
fn paths(said: &str) -> Result<Vec<String>> {
    let absent: Vec<&str> = said
        .lines()
        .filter(|line| line.contains("not found"))
        .collect();
    ensure!(
        absent.is_empty(),
        "ONNX Runtime needs libraries that this machine does not have: {}; install them",
        absent.join(", ").replace(['\t', '\n'], "")
    );
    let path = |line: &str| {
        let line = line.split_once("=>").map_or(line, |(_, path)| path).trim();
        let path = line.split(" (0x").next()?.trim();
        path.starts_with('/').then(|| path.to_owned())
    };
    Ok(said.lines().filter_map(path).collect())
}

/// The Debian package that owns a file; none elsewhere.
fn owner(path: &str) -> Option<Package> {
    let sh = Shell::new().ok()?;
    // Where /lib is a link, packages may list the file below either name.
    let found = [path.to_owned(), format!("/usr{path}")]
        .into_iter()
        .find_map(|path| {
            let said = cmd!(sh, "dpkg-query --search {path}")
                .quiet()
                .ignore_stderr()
                .read();
            said.ok()?
                .lines()
                .find_map(|line| Some(line.split_once(": ")?.0.to_owned()))
        })?;
    let format = "--showformat=${Package} ${Version} ${Architecture}";
    let said = cmd!(sh, "dpkg-query --show {format} {found}")
        .quiet()
        .ignore_stderr()
        .read()
        .ok()?;
    let mut words = said.split_whitespace().map(str::to_owned);
    Some(Package {
        name: words.next()?,
        version: words.next()?,
        processor: words.next()?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_ldd_says() {
        let said = "\tlinux-vdso.so.1 (0x00007f2d)\n\
                    \tlibm.so.6 => /lib/x86_64-linux-gnu/libm.so.6 (0x00007f2d)\n\
                    \t/lib64/ld-linux-x86-64.so.2 (0x00007f2d)\n";
        let wanted = [
            "/lib/x86_64-linux-gnu/libm.so.6",
            "/lib64/ld-linux-x86-64.so.2",
        ];
        assert_eq!(paths(said).unwrap(), wanted);
        let error = paths("\tlibstdc++.so.6 => not found\n")
            .unwrap_err()
            .to_string();
        assert!(
            error.contains("libstdc++.so.6 => not found; install"),
            "{error}"
        );
    }
}
