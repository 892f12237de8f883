//! The list of dependencies inside the program, in the form of cargo-auditable,
//! which scanners of images read: zlib-compressed JSON in the section `.dep-v0`.

use std::collections::BTreeMap;

use anyhow::{Context, Result, ensure};
use auditable_serde::{DependencyKind, Package as Listed, Source, VersionInfo};
use object::build::elf::{Builder, SectionData};
use object::elf::{PT_INTERP, SHT_PROGBITS};

use crate::cargo::{Graph, Package};

const SECTION: &[u8] = b".dep-v0";

/// Adds the list to a program.
///
/// # Errors
/// When the bytes are no ELF program, or one that needs a dynamic linker where the
/// image `has_loader` not: from scratch, it has none.
pub(crate) fn embed(
    program: &[u8],
    graph: &Graph,
    root: &Package,
    has_loader: bool,
) -> Result<Vec<u8>> {
    let mut elf = Builder::read(program).context("it is no ELF program")?;
    let interpreter = elf
        .segments
        .iter()
        .any(|segment| segment.p_type == PT_INTERP);
    ensure!(
        has_loader || !interpreter,
        "it is linked dynamically, and an image from scratch holds no loader"
    );
    let list = serde_json::to_vec(&list(graph, root)?)?;
    let section = elf.sections.add();
    section.name = SECTION.into();
    section.sh_type = SHT_PROGBITS;
    section.sh_addralign = 1;
    let compressed = miniz_oxide::deflate::compress_to_vec_zlib(&list, 9);
    section.data = SectionData::Data(compressed.into());
    let mut bytes = Vec::with_capacity(program.len() + 8192);
    elf.write(&mut bytes)?;
    Ok(bytes)
}

fn list(graph: &Graph, root: &Package) -> Result<VersionInfo> {
    let closure = graph.closure(root);
    let runtime = graph.runtime(root);
    let places: BTreeMap<&str, usize> = closure
        .iter()
        .enumerate()
        .map(|(place, package)| (package.id.as_str(), place))
        .collect();
    let listed = closure.iter().map(|package| {
        let version = package.version.parse();
        let mut dependencies: Vec<usize> = package
            .dependencies
            .iter()
            .filter_map(|dependency| places.get(dependency.id.as_str()).copied())
            .collect();
        dependencies.sort_unstable();
        dependencies.dedup();
        let kind = if runtime.contains(package.id.as_str()) {
            DependencyKind::Runtime
        } else {
            DependencyKind::Build
        };
        Ok(Listed {
            name: package.name.clone(),
            version: version.with_context(|| format!("version of {}", package.name))?,
            source: source(package.source.as_deref()),
            kind,
            dependencies,
            root: package.id == root.id,
        })
    });
    let packages = listed.collect::<Result<Vec<Listed>>>()?;
    Ok(VersionInfo {
        packages,
        format: 1,
    })
}

fn source(source: Option<&str>) -> Source {
    match source {
        None => Source::Local,
        Some(source) if source.contains("crates.io-index") => Source::CratesIo,
        Some(source) if source.starts_with("git+") => Source::Git,
        Some(_) => Source::Registry,
    }
}
