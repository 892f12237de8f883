//! Checkpoints as archives.

use std::io::Write;

use flate2::Compression;
use flate2::write::GzEncoder;
use tar::{Builder, EntryType, Header};

use crate::reply::Reply;
use crate::world::World;
use crate::{ArchiveFault, Request};

const TAR: &str = "application/x-tar";
const GZIP: &str = "application/gzip";

pub(crate) fn download(world: &World, request: &Request, uuid: &str) -> Reply {
    let Some(checkpoint) = world.checkpoint(uuid) else {
        return Reply::plain(404, &format!("checkpoint {uuid} does not exist"));
    };
    // A list of types is refused even when it names one of these.
    let kind = match request.accept.as_str() {
        "" | "*/*" | TAR => TAR,
        GZIP => GZIP,
        _ => return Reply::plain(415, "unsupported media type"),
    };
    let storage = world.experiments[&checkpoint.experiment].storage();
    if storage["type"] == "azure" {
        return Reply::plain(
            400,
            "checkpoint download via master is not supported on azure",
        );
    }
    let fault = world.archive_fault.as_ref();
    let omitted = match fault {
        Some(ArchiveFault::Omit(path)) => Some(path),
        _ => None,
    };
    let files = checkpoint.files.iter();
    let mut files: Vec<(&str, &[u8])> = files
        .filter(|(path, _)| omitted != Some(path))
        .map(|(path, content)| (path.as_str(), content.as_slice()))
        .collect();
    if let Some(ArchiveFault::Add(path)) = fault {
        files.push((path, b"not yours"));
    }
    let mut content = tar_of(&files);
    if kind == GZIP {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
        encoder.write_all(&content).expect("memory");
        content = encoder.finish().expect("memory");
    }
    let mut length = (kind == TAR).then_some(content.len());
    let mut cut = false;
    match fault {
        Some(&ArchiveFault::CutAt(at)) => {
            content.truncate(at);
            cut = true;
        }
        Some(&ArchiveFault::EndAt(at)) => {
            content.truncate(at);
            length = None;
        }
        _ => {}
    }
    Reply::File {
        kind,
        content,
        length,
        cut,
    }
}

/// Regular files only, mode 0666, in any order, as the real master sends them.
fn tar_of(files: &[(&str, &[u8])]) -> Vec<u8> {
    let mut archive = Builder::new(Vec::new());
    for (path, content) in files.iter().rev() {
        let mut header = Header::new_gnu();
        header.set_entry_type(EntryType::Regular);
        header.set_mode(0o666);
        header.set_size(content.len() as u64);
        // By hand: the library refuses the paths that a test needs.
        let name = &mut header.as_gnu_mut().expect("a GNU header").name;
        name[..path.len()].copy_from_slice(path.as_bytes());
        header.set_cksum();
        archive.append(&header, *content).expect("memory");
    }
    archive.into_inner().expect("memory")
}
