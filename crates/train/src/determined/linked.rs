//! The libraries that this program is linked with.

use std::collections::BTreeSet;
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

/// Where a process of Linux sees which files it has in memory.
const MAPS: &str = "/proc/self/maps";

/// The C library and what else the system has loaded for this program, by whose own
/// loader it runs on machines whose C library is older; nothing where the program is
/// linked statically, or the system is no Linux. The library of ONNX Runtime is left
/// out, which is larger than everything else together.
pub(super) fn libraries() -> Result<BTreeSet<PathBuf>> {
    match fs::read_to_string(MAPS) {
        Ok(maps) => Ok(mapped(&maps)),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(BTreeSet::new()),
        Err(error) => Err(error).with_context(|| format!("cannot read {MAPS}")),
    }
}

/// The one of `libraries` that loads the others.
pub(super) fn loader(libraries: &BTreeSet<PathBuf>) -> Option<&Path> {
    let is_loader = |path: &&PathBuf| name(path).is_some_and(|name| name.starts_with("ld-"));
    libraries.iter().find(is_loader).map(PathBuf::as_path)
}

/// The libraries in the lines of `maps`: address, rights, offset, device, inode, path.
fn mapped(maps: &str) -> BTreeSet<PathBuf> {
    let paths = maps
        .lines()
        .filter_map(|line| Some(line.split_at(line.find('/')?).1));
    let is_library = |path: &Path| {
        name(path).is_some_and(|name| {
            (name.ends_with(".so") || name.contains(".so.")) && !name.starts_with("libonnxruntime")
        })
    };
    let paths = paths.map(PathBuf::from);
    paths.filter(|path| is_library(path)).collect()
}

fn name(path: &Path) -> Option<&str> {
    path.file_name()?.to_str()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn libraries_are_those_that_are_in_memory() {
        let maps = "\
            555555554000-555555560000 r-xp 00000000 fe:00 1 /train\n\
            7ffff7c00000-7ffff7c28000 r--p 00000000 fe:00 2 /usr/lib/x86_64-linux-gnu/libc.so.6\n\
            7ffff7c28000-7ffff7db0000 r-xp 00028000 fe:00 2 /usr/lib/x86_64-linux-gnu/libc.so.6\n\
            7ffff7f00000-7ffff7f50000 r-xp 00000000 fe:00 3 /usr/local/lib/libonnxruntime.so.1.31\n\
            7ffff7fc5000-7ffff7fc6000 r--p 00000000 fe:00 4 /lib64/ld-linux-x86-64.so.2\n\
            7ffffffde000-7ffffffff000 rw-p 00000000 00:00 0 [stack]\n";
        let found = mapped(maps);
        let expected = [
            "/lib64/ld-linux-x86-64.so.2",
            "/usr/lib/x86_64-linux-gnu/libc.so.6",
        ];
        assert_eq!(found, expected.map(PathBuf::from).into());
        assert_eq!(loader(&found), Some(Path::new(expected[0])));
        assert_eq!(loader(&BTreeSet::new()), None);
    }
}
