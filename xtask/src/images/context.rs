//! The build context: container file and program as a tar archive that is the
//! same bytes for the same content, whatever the checkout looks like.

use std::io::Write;

use anyhow::Result;

/// A file of the context.
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
        archive.append_data(&mut header, entry.name, entry.bytes)?;
    }
    archive.into_inner()?.flush()?;
    Ok(())
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
}
