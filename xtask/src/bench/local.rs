//! What `cargo xtask local` adds to the programs it runs, beside `xargs` that
//! starts the same programs, and what a commit costs of which little changed,
//! beside a copy of its files. `TMPDIR` says on which disk.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::thread::available_parallelism;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use tempfile::TempDir;
use walkdir::WalkDir;
use xshell::{Shell, cmd};

use super::{print, ratio, time};

const MANIFEST: &str = "[workspace]\nmembers = [\"crates/*\"]\nresolver = \"3\"\n\n\
    [workspace.metadata.images]\n\
    registry = \"localhost:5000\"\nproject = \"bench\"\nnames = [\"copy\"]\n";
const PACKAGE: &str = "[package]\nname = \"copy\"\nversion = \"0.0.1\"\nedition = \"2024\"\n";
const LOCK: &str = "version = 4\n\n[[package]]\nname = \"copy\"\nversion = \"0.0.1\"\n";
/// As small a program as a datum can have: it copies its one file, and counts
/// the files where they are all one datum.
const PROGRAM: &str = r#"use std::{env, fs, io, path::Path};

fn main() -> io::Result<()> {
    let given = env::args().nth(1).map_or_else(|| env::var("data"), Ok);
    let input = given.map_err(io::Error::other)?;
    let root = env::var("PFS_ROOT").unwrap_or_else(|_| "/pfs".to_owned());
    let (input, out) = (Path::new(&input), Path::new(&root).join("out"));
    if input.is_dir() {
        return fs::write(out.join("count"), fs::read_dir(input)?.count().to_string());
    }
    let name = input.file_name().ok_or(io::ErrorKind::InvalidInput)?;
    fs::copy(input, out.join(name)).map(drop)
}
"#;
/// Bytes and number of the files of the commit.
const BYTES: usize = 100_000;
const FILES: usize = 10_000;
/// How much longer than with `xargs` a job may take.
const LIMIT: f64 = 2.0;

/// A workspace with one program and one use case.
struct Bench {
    root: TempDir,
    sh: Shell,
}

pub(super) fn run(datums: usize) -> Result<()> {
    let bench = Bench::new()?;
    let workers = available_parallelism()?.get();
    bench.describe("/*", workers)?;
    bench.datums(datums, workers)?;
    bench.describe("/", 1)?;
    bench.commits()
}

impl Bench {
    fn new() -> Result<Self> {
        let root = tempfile::tempdir()?;
        let sh = Shell::new()?;
        sh.set_var("CARGO_MANIFEST_DIR", root.path().join("xtask"));
        sh.set_var("CARGO_TARGET_DIR", root.path().join("target"));
        for (path, text) in [
            ("Cargo.toml", MANIFEST),
            ("Cargo.lock", LOCK),
            ("crates/copy/Cargo.toml", PACKAGE),
            ("crates/copy/src/main.rs", PROGRAM),
        ] {
            sh.write_file(root.path().join(path), text)?;
        }
        Ok(Self { root, sh })
    }

    fn path(&self, below: &str) -> PathBuf {
        self.root.path().join(below)
    }

    fn describe(&self, glob: &str, workers: usize) -> Result<()> {
        let descriptor = format!(
            r#"{{
  "pipeline": {{"name": "copies"}},
  "input": {{"pfs": {{"name": "data", "repo": "files", "glob": "{glob}"}}}},
  "transform": {{"image": "localhost:5000/bench/copy:0.0.1", "cmd": ["/copy"]}},
  "parallelism_spec": {{"constant": {workers}}}
}}
"#
        );
        let path = self.path("pipelines/many/copies-pipeline.json");
        Ok(self.sh.write_file(path, descriptor)?)
    }

    /// A run of everything that has new input.
    fn local(&self) -> Result<Duration> {
        let xtask = std::env::current_exe()?;
        time(cmd!(self.sh, "{xtask} local many --once"))
    }

    /// One datum for each of `count` small files.
    fn datums(&self, count: usize, workers: usize) -> Result<()> {
        self.lay(count, 10)?;
        let program = self.compiled()?;
        let before = self.xargs(&program, workers)?;
        let job = self.local()?;
        let after = self.xargs(&program, workers)?;
        let state = self.path(".local/many");
        ensure!(
            state.join("repos/copies").exists(),
            "the job left no output repo in {}",
            state.display()
        );
        let what = format!("{count} datums, {workers} at once, with the commit");
        print(&what, job, None)?;
        print("  xargs with the same programs, before", before, None)?;
        print("  and after", after, None)?;
        let peer = (before + after) / 2;
        ratio("  local to xargs", job, peer)?;
        let within = job.as_secs_f64() <= LIMIT * peer.as_secs_f64();
        ensure!(within, "more than {LIMIT} times what xargs takes");
        Ok(())
    }

    /// Compiles the program through a run over one file, and gives its path.
    fn compiled(&self) -> Result<PathBuf> {
        let data = self.path("pipelines/many/data");
        let aside = self.path("aside");
        fs::rename(&data, &aside)?;
        self.lay(1, 10)?;
        self.local()?;
        fs::remove_dir_all(&data)?;
        fs::rename(&aside, &data)?;
        fs::remove_dir_all(self.path(".local"))?;
        let programs = WalkDir::new(self.path("target")).into_iter().flatten();
        let release = Path::new("release/copy");
        let mut found = programs.filter(|entry| entry.path().ends_with(release));
        let program = found.next().context("the program was not compiled")?;
        Ok(program.into_path())
    }

    /// The same programs over the same files without anything around them.
    fn xargs(&self, program: &Path, workers: usize) -> Result<Duration> {
        let root = self.path("xargs");
        self.sh.remove_path(&root)?;
        self.sh.create_dir(root.join("out"))?;
        let files = self.path("pipelines/many/data");
        let workers = workers.to_string();
        let script = "find \"$1\" -type f -print0 \
            | PFS_ROOT=\"$4\" xargs -0 -P \"$2\" -n 1 \"$3\"";
        time(cmd!(
            self.sh,
            "sh -c {script} sh {files} {workers} {program} {root}"
        ))
    }

    /// A commit of a gigabyte, and the next one in which one file is new.
    fn commits(&self) -> Result<()> {
        self.lay(FILES, BYTES)?;
        self.sh.remove_path(self.path(".local"))?;
        let first = self.local()?;
        let kept = bytes(&self.path(".local"))?;
        self.sh
            .write_file(self.path("pipelines/many/data/0"), "changed")?;
        let second = self.local()?;
        let more = bytes(&self.path(".local"))?.saturating_sub(kept);
        let files = self.path("pipelines/many/data");
        let copy = self.path("copy");
        let copied = time(cmd!(self.sh, "cp -r {files} {copy}"))?;
        print(
            &format!("a commit of {FILES} files of {BYTES} bytes"),
            first,
            None,
        )?;
        print("  the next one, of which one file changed", second, None)?;
        print("  cp -r of the files", copied, None)?;
        ratio("  next commit to cp -r", second, copied)?;
        super::say(&format!("  the next one keeps {more} bytes more"))
    }

    /// `count` files of `bytes` bytes, all different, and no other.
    fn lay(&self, count: usize, bytes: usize) -> Result<()> {
        let folder = self.path("pipelines/many/data");
        self.sh.remove_path(&folder)?;
        self.sh.create_dir(&folder)?;
        for number in 0..count {
            let mut content = format!("{number}\n").into_bytes();
            content.resize(bytes, b'.');
            fs::write(folder.join(number.to_string()), content)?;
        }
        Ok(())
    }
}

/// What the files below `folder` take, each counted once however many names it
/// has.
fn bytes(folder: &Path) -> Result<u64> {
    let mut seen = BTreeSet::new();
    let mut sum = 0;
    for entry in WalkDir::new(folder) {
        let metadata = entry?.metadata()?;
        if metadata.is_file() && seen.insert(metadata.ino()) {
            sum += metadata.len();
        }
    }
    Ok(sum)
}
