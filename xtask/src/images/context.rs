//! Tar archives that are the same bytes for the same content, whatever the checkout
//! looks like.

use std::collections::BTreeSet;
use std::io::Write;

use anyhow::Result;

/// A file of an archive.
pub(crate) struct Entry<'a> {
    pub(crate) name: &'a str,
    pub(crate) mode: u32,
    pub(crate) bytes: &'a [u8],
}

/// Writes the archive: sorted by name, times 0, owner 0.
///
/// # Errors
/// When `to` cannot be written, or a name is too long for the format.
pub(crate) fn write(to: impl Write, mut entries: Vec<Entry<'_>>) -> Result<()> {
    entries.sort_by_key(|entry| entry.name);
    let mut archive = tar::Builder::new(to);
    for entry in entries {
        // A fresh header has owner 0, group 0, time 0.
        let mut header = tar::Header::new_gnu();
        header.set_mode(entry.mode);
        header.set_mtime(0);
        header.set_uid(0);
        header.set_gid(0);
        header.set_size(entry.bytes.len().try_into()?);
        if entry.name.ends_with('/') {
            header.set_entry_type(tar::EntryType::Directory);
        }
        archive.append_data(&mut header, entry.name, entry.bytes)?;
    }
    archive.into_inner()?.flush()?;
    Ok(())
}

/// As [`write()`], with the folders that hold the entries: an engine makes those that
/// are missing, but not such that any user may look into them.
///
/// # Errors
/// As [`write()`].
pub(crate) fn write_layer(to: impl Write, mut entries: Vec<Entry<'_>>) -> Result<()> {
    let names: Vec<&str> = entries.iter().map(|entry| entry.name).collect();
    let folders = names.iter().flat_map(|name| {
        let ends = name.match_indices('/').map(|(at, _)| at + 1);
        ends.filter_map(|end| name.get(..end))
    });
    let folders: BTreeSet<&str> = folders.collect();
    entries.extend(folders.into_iter().map(|name| Entry {
        name,
        mode: 0o755,
        bytes: &[],
    }));
    write(to, entries)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn order_of_entries_does_not_matter() {
        let entry = |name, bytes| Entry {
            name,
            mode: 0o755,
            bytes,
        };
        let pack = |entries| {
            let mut archive = Vec::new();
            write(&mut archive, entries).unwrap();
            archive
        };
        let one = pack(vec![entry("a", b"1"), entry("b", b"2")]);
        let other = pack(vec![entry("b", b"2"), entry("a", b"1")]);
        assert_eq!(one, other);
    }

    #[test]
    fn folders_come_before_what_they_hold() {
        let entry = |name| Entry {
            name,
            mode: 0o644,
            bytes: b"1",
        };
        let mut layer = Vec::new();
        write_layer(
            &mut layer,
            vec![entry("x/y/b"), entry("serve"), entry("x/a")],
        )
        .unwrap();
        let mut archive = tar::Archive::new(layer.as_slice());
        let found: Vec<_> = archive
            .entries()
            .unwrap()
            .map(|entry| {
                let entry = entry.unwrap();
                let path = entry.path().unwrap().display().to_string();
                (
                    path,
                    entry.header().mode().unwrap(),
                    entry.header().entry_type().is_dir(),
                )
            })
            .collect();
        let found: Vec<_> = found.iter().map(|(p, m, d)| (p.as_str(), *m, *d)).collect();
        let wanted = [
            ("serve", 0o644, false),
            ("x/", 0o755, true),
            ("x/a", 0o644, false),
            ("x/y/", 0o755, true),
            ("x/y/b", 0o644, false),
        ];
        assert_eq!(found, wanted);
    }
}
