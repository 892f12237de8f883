//! Archives as the source of a repo: their files are its files.

use std::fs::{self, File};
use std::io::{self, BufReader, Read};
use std::path::{Component, Path, PathBuf};

use anyhow::{Context, Result, bail};
use flate2::read::MultiGzDecoder;

/// Whether a file is unpacked rather than taken as it is: `.tar`, `.tar.gz`, `.tgz`
/// and `.zip`.
pub(super) fn is_archive(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let ends = [".tar", ".tar.gz", ".tgz", ".zip"];
    ends.iter().any(|end| name.ends_with(end)) && path.is_file()
}

/// Unpacks the regular files of an archive into the folder `target`.
///
/// # Errors
///
/// When it is damaged, or holds a link, a device or a path that leads out of it.
pub(super) fn unpack(archive: &Path, target: &Path) -> Result<()> {
    let name = archive.to_string_lossy();
    let file = BufReader::new(File::open(archive)?);
    if name.ends_with(".zip") {
        zip(file, target)
    } else if name.ends_with(".tar") {
        tar(file, target)
    } else {
        tar(MultiGzDecoder::new(file), target)
    }
}

fn tar(archive: impl Read, target: &Path) -> Result<()> {
    for entry in tar::Archive::new(archive).entries()? {
        let mut entry = entry?;
        let path = entry.path()?.into_owned();
        let kind = entry.header().entry_type();
        if kind.is_file() {
            write(&mut entry, &path, target)?;
        } else if !kind.is_dir() && !kind.is_pax_global_extensions() {
            bail!("{} is no file: only files are taken", path.display());
        }
    }
    Ok(())
}

fn zip(archive: BufReader<File>, target: &Path) -> Result<()> {
    let mut archive = zip::ZipArchive::new(archive)?;
    for index in 0..archive.len() {
        let mut entry = archive.by_index(index)?;
        let path = PathBuf::from(&*entry.name()?);
        if entry.is_symlink() {
            bail!("{} is no file: only files are taken", path.display());
        }
        if entry.is_file() {
            write(&mut entry, &path, target)?;
        }
    }
    Ok(())
}

fn write(content: &mut impl Read, path: &Path, target: &Path) -> Result<()> {
    let inner = |part: &Component<'_>| matches!(part, Component::Normal(_) | Component::CurDir);
    if !path.components().all(|part| inner(&part)) {
        bail!("{} leads out of the archive", path.display());
    }
    let target = target.join(path);
    let mut written = || -> io::Result<()> {
        if let Some(folder) = target.parent() {
            fs::create_dir_all(folder)?;
        }
        io::copy(content, &mut File::create(&target)?).map(drop)
    };
    written().with_context(|| format!("cannot unpack {}", path.display()))
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;
    use crate::local::tree;

    fn tar_of(path: &str) -> Vec<u8> {
        let mut header = tar::Header::new_gnu();
        header.as_old_mut().name[..path.len()].copy_from_slice(path.as_bytes());
        header.set_size(3);
        header.set_mode(0o644);
        header.set_cksum();
        let mut tar = tar::Builder::new(Vec::new());
        tar.append(&header, &b"abc"[..]).unwrap();
        tar.into_inner().unwrap()
    }

    fn zip_of(path: &str) -> Vec<u8> {
        let mut zip = zip::ZipWriter::new(io::Cursor::new(Vec::new()));
        let options = zip::write::SimpleFileOptions::default();
        zip.start_file(path, options).unwrap();
        zip.write_all(b"abc").unwrap();
        zip.finish().unwrap().into_inner()
    }

    fn gz(bytes: &[u8]) -> Vec<u8> {
        let mut gz = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        gz.write_all(bytes).unwrap();
        gz.finish().unwrap()
    }

    #[test]
    fn every_kind_is_unpacked_and_none_leads_out() {
        let folder = tempfile::tempdir().unwrap();
        let make = |path: &str| {
            [
                ("a.tar", tar_of(path)),
                ("a.tar.gz", gz(&tar_of(path))),
                ("a.tgz", gz(&tar_of(path))),
                ("a.zip", zip_of(path)),
            ]
        };
        for (name, bytes) in make("x/y") {
            let archive = folder.path().join(name);
            fs::write(&archive, bytes).unwrap();
            assert!(is_archive(&archive));
            let target = folder.path().join(format!("{name}.d"));
            unpack(&archive, &target).unwrap();
            let files = tree::list(&target).unwrap();
            assert_eq!(files.keys().collect::<Vec<_>>(), ["x/y"], "{name}");
            assert_eq!(fs::read(&files["x/y"]).unwrap(), b"abc");
        }
        for (name, bytes) in make("../out") {
            let archive = folder.path().join(name);
            fs::write(&archive, bytes).unwrap();
            let error = unpack(&archive, &folder.path().join("deep/er")).unwrap_err();
            assert!(error.to_string().contains("leads out"), "{name} {error}");
        }
        assert!(!is_archive(Path::new("data.csv")));
    }
}
